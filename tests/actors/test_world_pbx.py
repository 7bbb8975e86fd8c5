"""A PBX without a fixed address: it registers with the switch, and agents call it where it is, over restarts too."""

from __future__ import annotations

from pathlib import Path

from attrs import evolve
from click.testing import CliRunner
from cordboard.actors import alarms, page
from cordboard.actors.commands import replay
from cordboard.actors.organisation import Dialling, Organisation, Trunk
from cordboard.actors.trunk import Data, Phase
from cordboard.sip.digest import Account
from cordboard.sip.endpoint import TrunkSettings
from cordboard.sip.events import Replied
from cordboard.sip.message import Address

from .dialler import Far, dialling, failures, rings_and_answers
from .test_world import settle
from .world import CARRIER, SWITCH, World, play

PBX = Account("pbx", "secret")
# A carrier that is not there
NOWHERE = Address("203.0.113.1", 5060)


def office() -> Organisation:
    """Extensions of two digits are the PBX's, which may be anywhere."""
    plain = dialling()
    pbx = Trunk(id="office", username=PBX.username, password=PBX.password)
    rules = (*plain.dialling, Dialling(allow="2", trunks=("office",)))
    return evolve(plain, trunks=(pbx,), dialling=rules)


class Pbx(Far):
    """The machine at CARRIER, which registers."""

    def __init__(self, world: World) -> None:
        super().__init__(world, rings_and_answers)
        self.registered: list[int] = []
        self.asks = 0
        far = world.carrier
        far.endpoint.set_trunks({"switch": TrunkSettings(("192.0.2.0/24",), account=PBX)})
        far.on_output = self._said

    def _said(self, output: object) -> None:
        if isinstance(output, Replied):
            self.registered.append(output.status)
        else:
            self._hear(output)  # type: ignore[arg-type]

    def register(self, expires: int = 120) -> None:
        self.asks += 1
        uri, ask = f"sip:{SWITCH.host}", f"register {self.asks}"
        endpoint = self.world.carrier.endpoint
        self.do(lambda now: endpoint.ask(ask, "switch", "REGISTER", uri, SWITCH, now, user="pbx", expires=expires))


def trunk(world: World) -> Data:
    state = world.system.state_of("trunk:office")
    assert isinstance(state, Data)
    return state


def test_it_is_called_where_it_is_while_it_is_there(tmp_path: Path) -> None:
    async def tell(world: World) -> None:
        lin = await world.sign_in("1001")
        pbx = Pbx(world)
        await lin.ask(page.Dial("21"))
        await settle(world)
        assert failures(lin) == [("not_registered", 0)]
        assert (trunk(world).phase, world.system.alarms) == (Phase.INBOUND, [])
        pbx.register()
        await settle(world)
        assert pbx.registered == [200]
        assert trunk(world).phase is Phase.UP
        await lin.ask(page.Dial("21"))
        await lin.hears(page.CallConnected)
        (call,) = pbx.calls
        # the Contact that it gave, with the number in the place of its name
        assert (call.called_uri, call.caller) == (f"sip:21@{CARRIER.host}:5060", "+861055502000")
        await lin.ask(page.HangUp())
        await settle(world)
        await lin.ask(page.StartAnswering())
        # it is asked as any host is, and silence is told as such
        world.unplug(CARRIER)
        await settle(world, 15)
        down = alarms.TRUNK_DOWN.says(trunk="office", reason="no answer")
        assert (trunk(world).phase, world.system.alarms) == (Phase.DOWN, [down])
        await lin.ask(page.Dial("21"))
        await settle(world)
        assert failures(lin)[-1] == ("trunk_down", 0)
        # ... until nothing is left of it
        await settle(world, 120)
        ended = alarms.TRUNK_DOWN.says(trunk="office", reason="its registration has ended")
        assert (trunk(world).phase, world.system.alarms, trunk(world).gateways) == (Phase.DOWN, [ended], ())
        await lin.ask(page.Dial("21"))
        await settle(world)
        assert failures(lin)[-1] == ("not_registered", 0)
        world.plug(CARRIER)
        pbx.register()
        await settle(world)
        assert (trunk(world).phase, world.system.alarms) == (Phase.UP, [])
        # who says goodbye is no trouble
        pbx.register(0)
        await settle(world)
        assert (trunk(world).phase, trunk(world).gateways, world.system.alarms) == (Phase.INBOUND, (), [])

    play(tell, office(), data=tmp_path)
    result = CliRunner().invoke(replay, [str(tmp_path)])
    assert (result.exit_code, result.output.endswith("all effects equal\n")) == (0, True), result.output


def test_numbers_leave_by_the_trunks_that_their_rule_names() -> None:
    async def tell(world: World) -> None:
        world.add_host(NOWHERE).deaf = True
        pbx = Pbx(world)
        pbx.register()
        lin = await world.sign_in("1001")
        carrier = evolve(dialling().trunks[0], peers=(), proxy=(f"sip:{NOWHERE.host}",))
        rules = (Dialling(allow="+86", trunks=("carrier",)), Dialling(allow="2", trunks=("office",)))
        trunks = (*world.organisation.trunks, carrier)
        world.configure(evolve(world.organisation, trunks=trunks, dialling=rules))
        await settle(world, 10)
        await lin.ask(page.Dial("+8613800138000"))
        await settle(world)
        assert (pbx.calls, failures(lin)) == ([], [("trunk_down", 0)])
        await lin.ask(page.Dial("23"))
        await lin.hears(page.CallConnected)
        assert [call.number for call in pbx.calls] == ["23"]

    play(tell, office())


def test_over_a_restart_it_is_still_there(tmp_path: Path) -> None:
    async def tell(world: World) -> None:
        pbx = Pbx(world)
        pbx.register(600)
        await settle(world, 12)
        world.kill_control()
        await settle(world, 2)
        world.restart_control()
        await settle(world, 1)
        assert trunk(world).phase is Phase.UP
        lin = await world.sign_in("1001")
        await lin.ask(page.Dial("22"))
        await lin.hears(page.CallConnected)
        pbx.hang_up()
        await lin.hears(page.CallEnded)
        # ... and SIP knows it too: what it says of what is bound, and that it is known by its address
        assert world.switch.endpoint.whose(CARRIER.host, ()) == ("office", "")
        until = trunk(world).contacts[0].binding.until
        await settle(world, until - world.now() + 1)
        assert trunk(world).gateways == ()

    play(tell, office(), data=tmp_path)


def test_another_name_is_another_pbx() -> None:
    async def tell(world: World) -> None:
        pbx = Pbx(world)
        pbx.register()
        await settle(world)
        (known,) = world.organisation.trunks
        world.configure(evolve(world.organisation, trunks=(evolve(known, username="other"),)))
        await settle(world)
        assert (trunk(world).phase, trunk(world).contacts) == (Phase.INBOUND, ())
        assert world.switch.endpoint.whose(CARRIER.host, ()) == ("", "")

    play(tell, office())
