"""A PBX without a fixed address: it registers with the switch, and agents call it where it is, over restarts too."""

from __future__ import annotations

from pathlib import Path

import pytest
import structlog.testing
from attrs import evolve
from click.testing import CliRunner
from cordboard.actors import alarms, page, signals
from cordboard.actors.commands import replay
from cordboard.actors.entries import Dialling, NumberPlace, Trunk
from cordboard.actors.organisation import Organisation
from cordboard.actors.signalling import _host_of
from cordboard.actors.trunk import Data, Phase
from cordboard.sip.binding import Binding
from cordboard.sip.digest import Account
from cordboard.sip.endpoint import TrunkSettings
from cordboard.sip.events import IncomingCall, Output, Replied
from cordboard.sip.message import Address, Request, Row, parse
from cordboard.sip.screening import called_of

from tests.sip.test_guests import build

from .dialler import Far, dialling, failures, rings_and_answers
from .playing import play
from .test_world import settle
from .world import CARRIER, SWITCH, World

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

    def _said(self, output: Output) -> None:
        if isinstance(output, Replied):
            self.registered.append(output.status)
        else:
            self._hear(output)

    def register(self, expires: int = 120) -> None:
        self.asks += 1
        uri, ask = f"sip:{SWITCH.host}", f"register {self.asks}"
        endpoint = self.world.carrier.endpoint
        self.do(lambda now: endpoint.ask(ask, "switch", "REGISTER", uri, SWITCH, now, user="pbx", expires=expires))


def dialled(world: World, call: IncomingCall) -> tuple[str, str | None]:
    """Who was called, in To and as its registrar says."""
    invite = world.carrier.endpoint._calls[call.call].invite
    assert invite is not None
    return str(invite.to), invite.get("P-Called-Party-ID")


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
        # the Contact that it gave, and the number in To
        assert (call.called_uri, call.caller) == (f"sip:pbx@{CARRIER.host}:5060", "+861055502000")
        assert dialled(world, call) == (f"<sip:21@{SWITCH.host}>", f"<sip:21@{SWITCH.host}>")
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


def test_that_it_is_still_there_is_no_news() -> None:
    """... and where it is may be somebody's home."""

    async def tell(world: World) -> None:
        pbx = Pbx(world)
        for expires in (120, 120, 120, 0, 120):
            pbx.register(expires)
            await settle(world)
        world.unplug(CARRIER)
        await settle(world, 15)

    with structlog.testing.capture_logs() as logs:
        play(tell, office())
    said = [(line["event"], line["log_level"]) for line in logs if line["event"].startswith("PBX")]
    assert said == [
        ("PBX registered", "info"),
        ("PBX registered", "debug"),
        ("PBX registered", "debug"),
        ("PBX not registered", "info"),
        ("PBX registered", "info"),
    ]
    (down,) = (line for line in logs if line["event"] == "trunk host")
    assert (down["address"], down["state"], "host" in down) == (f"<{len(CARRIER.host)} characters>", "down", False)


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
        assert [dialled(world, call)[0] for call in pbx.calls] == [f"<sip:23@{SWITCH.host}>"]

    play(tell, office())


@pytest.mark.parametrize(
    ("contact", "number_in", "uri", "to"),
    [
        (
            f"sip:pbx@{CARRIER.host}:5060;line=7",
            "to",
            f"sip:pbx@{CARRIER.host}:5060;line=7",
            f"sip:*21%23@{SWITCH.host}",
        ),
        (f"sip:pbx@{CARRIER.host}:5060;line=7", "address", f"sip:*21%23@{CARRIER.host}:5060;line=7", ""),
        # RFC 6140: all the numbers of the PBX
        (f"sip:{CARRIER.host}:5060;bnc;x=1", "to", f"sip:*21%23@{CARRIER.host}:5060;x=1", ""),
        # a host that names nobody
        (f"sip:{CARRIER.host}:5060;x=1", "to", f"sip:*21%23@{CARRIER.host}:5060;x=1", ""),
    ],
)
def test_its_address_is_called_as_it_gave_it_or_with_the_number(
    contact: str, number_in: NumberPlace, uri: str, to: str
) -> None:
    async def tell(world: World) -> None:
        lin = await world.sign_in("1001")
        pbx = Pbx(world)
        at = Binding(contact, CARRIER.host, 5060, "udp", world.now() + 100, "r", 1)
        world.system.tell("trunk:office", signals.Registered((signals.Contact(_host_of(at), at),)))
        await settle(world)
        await lin.ask(page.Dial("*21#"))
        await lin.hears(page.CallConnected)
        (call,) = pbx.calls
        assert call.called_uri == uri
        assert dialled(world, call) == (f"<{to or uri}>", f"<{to}>" if to else None)
        pbx.hang_up()
        await lin.hears(page.CallEnded)

    plain = office()
    rules = (*plain.dialling, Dialling(allow="*"))
    pbx = evolve(plain.trunks[0], number_in=number_in)
    play(tell, evolve(plain, trunks=(pbx,), dialling=rules))


@pytest.mark.parametrize(
    ("rows", "number"),
    [
        ((), "600"),
        ((("P-Called-Party-ID", "<sip:+861055501000@carrier.example;user=phone>"),), "+861055501000"),
        ((("P-Called-Party-ID", "<tel:+861055501000>"),), "+861055501000"),
        ((("P-Called-Party-ID", "<sip:"),), "600"),
    ],
)
def test_a_carrier_that_calls_our_own_contact_says_which_number_it_means(rows: tuple[Row, ...], number: str) -> None:
    """... in P-Called-Party-ID, else in To; and one that calls a number means that."""
    request = parse(build("INVITE", *rows, to="sip:600@192.0.2.1"))
    assert isinstance(request, Request)
    ours = evolve(request, uri="sip:us@192.0.2.1")
    assert called_of(ours, "us") == number
    assert called_of(ours, "") == "us"
    assert called_of(request, "us") == "600"
    # ... also where it leaves our user out
    ours = evolve(request, uri="sip:192.0.2.1:5060")
    assert called_of(ours, "us") == called_of(ours, "") == number


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
