"""Calls of a PBX that registers from behind a NAT, whose connection is gone: what we ask goes by the one that it has
registered by since (RFC 5626 §5.3), and waits for that where there is none yet."""

from __future__ import annotations

from random import Random

import pytest
from attrs import evolve
from cordboard.sip.digest import Account
from cordboard.sip.endpoint import Endpoint, TrunkSettings
from cordboard.sip.events import CallEnded, CallReanswered, CallReofferRefused, IncomingCall, Registered, Undelivered
from cordboard.sip.message import Address, Request, parse

from . import net as n
from .test_restart import packed, unpacked

ALICE = Account("pbx", "secret")
PRIVATE = "10.0.0.5"
# How long a BYE waits: Timer F, in seconds
TIMER_F = 32.0


def switch(life: int) -> Endpoint:
    made = n.endpoint(n.A, life=life)
    made.set_trunks({"office": TrunkSettings(guest=ALICE)})
    return made


def behind_a_nat(life: int) -> Endpoint:
    made = n.endpoint(n.B, life=life, within=PRIVATE)
    made.set_trunks({"carrier": TrunkSettings(("192.0.2.0/24",), account=ALICE)})
    return made


class World:
    """A PBX behind a NAT that has registered, and has a call with the switch."""

    def __init__(self, transport: str = "tcp", seed: int = 1) -> None:
        self.net = n.Net(Random(seed))
        self.switch = self.net.add(n.A, begun=switch)
        self.pbx = self.net.add(n.B, begun=behind_a_nat)
        self.transport = transport
        self.registrations = 0
        self.switch.react = self.pbx.react = n.answering
        self.register()
        assert self.pbx.connections.counters["connections opened"] == 1
        self.net.do(
            self.pbx,
            self.pbx.endpoint.dial(
                "out", "sip:600@192.0.2.1", self.there, "1001", n.OFFER_A, self.net.now, trunk="carrier"
            ),
        )
        self.run(1)
        assert self.pbx.kinds()[-1] == "CallAnswered"
        assert self.switch.kinds()[-1] == "CallConfirmed"
        self.call = next(each.call for each in self.switch.events if isinstance(each, IncomingCall))

    @property
    def there(self) -> Address:
        return evolve(n.A, transport=self.transport)

    def run(self, seconds: float) -> None:
        self.net.run(self.net.now + seconds)

    def register(self, transport: str = "") -> None:
        self.registrations += 1
        there = evolve(n.A, transport=transport or self.transport)
        asked = self.pbx.endpoint.ask(
            f"r{self.registrations}", "carrier", "REGISTER", "sip:192.0.2.1", there, self.net.now, user="pbx",
            expires=600, call_id="registration", cseq=10 * self.registrations,
        )  # fmt: skip
        self.net.do(self.pbx, asked)
        self.run(2)
        told = next(each for each in reversed(self.switch.events) if isinstance(each, Registered))
        assert told.bindings[0].transport == there.transport

    def restart(self, down: float = 8.0) -> None:
        """The switch dies and takes its calls up again; all connections are gone."""
        self.net.kill(self.switch)
        self.run(down)
        self.switch.kept = {call: unpacked(packed(each)) for call, each in self.switch.kept.items()}
        self.net.restart(self.switch)

    def cut(self) -> None:
        self.net.cut(self.switch)
        self.run(1)

    def hang_up(self) -> None:
        self.net.do(self.switch, self.switch.endpoint.hang_up(self.call, self.net.now))

    def asked(self, method: str) -> list[Request]:
        """What the switch has sent of that, whether it could be or not."""
        found = [parse(data) for source, data in self.net.sent if source == n.A]
        return [each for each in found if isinstance(each, Request) and each.method == method]

    def counted(self, what: str) -> int:
        return self.switch.endpoint.counters[what]

    def over(self) -> None:
        self.run(100)
        assert self.switch.endpoint.idle
        assert self.pbx.endpoint.idle
        assert self.switch.endpoint._unreached == {}


def gone(world: World, how: str) -> None:
    world.restart() if how == "restart" else world.cut()


@pytest.mark.parametrize("transport", ["tcp", "tls"])
@pytest.mark.parametrize("how", ["restart", "cut"])
def test_a_bye_goes_by_the_connection_that_the_pbx_has_registered_by_since(how: str, transport: str) -> None:
    world = World(transport)
    gone(world, how)
    world.run(5)
    world.register()
    world.hang_up()
    world.run(1)
    assert world.pbx.events[-1] == CallEnded("out", "bye")
    assert len(world.asked("BYE")) == 1
    assert world.counted("cannot be sent: BYE") == world.counted("connections opened") == 0
    world.over()


@pytest.mark.parametrize("transport", ["tcp", "tls"])
@pytest.mark.parametrize("how", ["restart", "cut"])
def test_a_bye_waits_for_the_pbx_to_register(how: str, transport: str) -> None:
    world = World(transport)
    gone(world, how)
    world.hang_up()
    world.run(14)
    assert world.asked("BYE") == []
    assert world.pbx.endpoint.live_calls == 1
    world.register()
    assert world.pbx.events[-1] == CallEnded("out", "bye")
    assert len(world.asked("BYE")) == 1
    world.over()


def test_a_bye_that_waits_in_vain_is_told_of_and_counted() -> None:
    world = World()
    world.cut()
    world.hang_up()
    world.run(TIMER_F - 0.1)
    assert not any(isinstance(each, Undelivered) for each in world.switch.events)
    world.run(0.2)
    assert world.switch.events[-1] == Undelivered(world.call, "office", "BYE")
    assert world.counted("cannot be sent: BYE") == 1
    assert world.asked("BYE") == []
    assert world.switch.endpoint.idle
    # and it is not said after all, once nobody waits for it
    world.register()
    assert world.asked("BYE") == []


def test_a_bye_on_a_connection_that_is_breaking_goes_by_the_next_one() -> None:
    world = World()
    world.net.drop = lambda what, source: what == "BYE"
    world.hang_up()
    world.net.drop = lambda what, source: False
    world.cut()
    world.run(10)
    world.register()
    assert world.pbx.events[-1] == CallEnded("out", "bye")
    first, second = world.asked("BYE")
    assert first.cseq == second.cseq
    assert first.via.branch != second.via.branch
    world.over()


def test_a_bye_that_waits_outlives_another_restart() -> None:
    world = World()
    world.restart()
    world.hang_up()
    world.run(1)
    world.restart()
    world.run(5)
    world.register()
    assert world.pbx.events[-1] == CallEnded("out", "bye")
    world.over()


def test_a_session_is_refreshed_by_the_new_connection() -> None:
    """RFC 4028: a call of hours after a restart."""
    world = World()
    world.restart()
    world.register()
    for _ in range(20):
        world.run(280)
        world.register()
    assert world.switch.endpoint.live_calls == world.pbx.endpoint.live_calls == 1
    refreshed = world.asked("UPDATE")
    assert len(refreshed) >= 5
    assert all(each.get("Contact") == "<sip:600@192.0.2.1:5060;transport=tcp>" for each in refreshed)
    world.hang_up()
    world.over()


def test_a_refresh_that_nobody_hears_ends_no_call() -> None:
    """It waits for half a minute, and is asked again in what is left of the interval."""
    world = World()
    world.run(880)
    world.register()
    world.net.cut(world.switch)
    world.run(60)
    assert Undelivered(world.call, "office", "UPDATE") in world.switch.events
    assert world.switch.endpoint.live_calls == 1
    world.register()
    world.run(800)
    assert world.switch.endpoint.live_calls == world.pbx.endpoint.live_calls == 1
    world.hang_up()
    world.over()


def test_an_offer_waits_and_its_answer_is_acknowledged_by_the_new_connection() -> None:
    world = World()
    world.restart()
    world.net.do(world.switch, world.switch.endpoint.reoffer(world.call, n.OFFER_B, world.net.now))
    world.run(10)
    assert world.asked("INVITE") == []
    world.register()
    assert isinstance(world.switch.events[-1], CallReanswered)
    world.run(40)
    assert world.pbx.endpoint.live_calls == 1, "its 2xx was acknowledged"
    assert len(world.asked("ACK")) == 1
    world.hang_up()
    world.over()


def test_an_offer_that_waits_in_vain_is_refused_and_ends_no_call() -> None:
    world = World()
    world.cut()
    world.net.do(world.switch, world.switch.endpoint.reoffer(world.call, n.OFFER_B, world.net.now))
    world.run(TIMER_F + 1)
    assert CallReofferRefused(world.call, 503) in world.switch.events
    assert world.switch.endpoint.live_calls == 1
    world.register()
    world.hang_up()
    world.over()


def test_an_ack_is_asked_for_again_and_goes_by_the_new_connection() -> None:
    world = World()
    world.net.drop = lambda what, source: what == "ACK"
    world.net.do(world.switch, world.switch.endpoint.reoffer(world.call, n.OFFER_B, world.net.now))
    world.run(1)
    world.cut()
    world.net.drop = lambda what, source: False
    world.register()
    world.run(40)
    assert world.pbx.endpoint.live_calls == 1, "its 2xx was acknowledged"
    world.hang_up()
    world.over()


def test_what_a_pbx_asks_by_a_new_connection_brings_the_call_there() -> None:
    """It need not have registered by it."""
    world = World()
    world.cut()
    world.net.do(world.pbx, world.pbx.endpoint.reoffer("out", n.OFFER_A, world.net.now))
    world.run(1)
    world.hang_up()
    world.run(1)
    assert world.pbx.events[-1] == CallEnded("out", "bye")
    world.over()


def test_a_pbx_that_registers_by_datagrams_from_then_on_is_asked_by_them() -> None:
    world = World()
    world.restart()
    world.register("udp")
    world.hang_up()
    world.run(1)
    assert world.pbx.events[-1] == CallEnded("out", "bye")
    (bye,) = world.asked("BYE")
    assert bye.via.transport == "UDP"
    world.over()


def test_what_is_to_be_secure_waits_for_a_secure_connection() -> None:
    """RFC 3261 §26.2.2: a SIPS Contact is reached by TLS alone."""
    world = World("tls")
    call = world.switch.endpoint._calls[world.call]
    assert call.dialog is not None
    call.dialog = evolve(call.dialog, target=call.dialog.target.replace("sip:", "sips:", 1))
    world.cut()
    world.register("udp")
    world.hang_up()
    world.run(1)
    assert world.asked("BYE") == []
    world.register("tls")
    (bye,) = world.asked("BYE")
    assert bye.via.transport == "TLS"


def test_a_call_that_rings_at_a_pbx_is_cancelled_by_the_new_connection() -> None:
    world = World()
    world.pbx.react = None
    told = next(each for each in reversed(world.switch.events) if isinstance(each, Registered))
    at, uri = told.bindings[0].flow, told.bindings[0].uri
    world.net.do(
        world.switch, world.switch.endpoint.dial("in", uri, at, "600", n.OFFER_B, world.net.now, trunk="office")
    )
    world.run(1)
    world.net.do(world.pbx, world.pbx.endpoint.ring(world.pbx.last_call(), world.net.now))
    world.run(1)
    world.restart()
    world.register()
    world.net.do(world.switch, world.switch.endpoint.hang_up("in", world.net.now))
    world.run(1)
    assert world.pbx.kinds()[-1] == "CallCancelled"
    world.hang_up()
    world.over()


@pytest.mark.parametrize("seed", range(10))
def test_however_often_its_connections_break_no_call_of_a_pbx_stands_alone(seed: int) -> None:
    """It registers some seconds after each."""
    world = World(seed=seed)
    rng = Random(seed)
    hangs_up = rng.uniform(0, 60)
    hung_up = False
    for _ in range(rng.randrange(1, 5)):
        gone(world, rng.choice(("restart", "cut")))
        world.run(rng.uniform(0, 20))
        if not hung_up and world.net.now > hangs_up:
            hung_up = True
            world.hang_up()
            world.run(rng.uniform(0, 8))
        world.register()
    if not hung_up:
        world.hang_up()
    world.run(5)
    assert world.pbx.endpoint.live_calls == 0
    world.over()
