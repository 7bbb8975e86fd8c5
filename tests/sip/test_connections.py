"""Which connections there are: who is let in, what a message goes by, and when one is done with."""

from __future__ import annotations

from collections import Counter

import pytest
from cordboard.sip.connections import LOOK, PING, PONG, Close, Connection, Connections, Heard, Limits, Standing, Write
from cordboard.sip.events import Transmit
from cordboard.sip.grammar import Address

PEER = Address("192.0.2.2", 40001, "tcp")
HOME = Address("192.0.2.2", 5060, "tcp")
OPTIONS = b"OPTIONS sip:192.0.2.1 SIP/2.0\r\nContent-Length: 0\r\n\r\n"


class World:
    """Connections, and what their shell sees of them second by second."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.living: set[Address] = set()
        self.trunks = {PEER.host}
        self.counters: Counter[str] = Counter()
        # whoever is no trunk may be a guest
        self.guests = False
        self.made = Connections(self.counters, self._hears, lambda now: self.living, limits)
        self.now = 0.0

    def _hears(self, host: str, now: float) -> Standing:
        if host in self.trunks:
            return Standing.TRUNK
        return Standing.STRANGER if self.guests else Standing.NOBODY

    def accept(self, remote: Address = PEER) -> Connection:
        made = self.made.accept(remote, self.now)
        assert isinstance(made, Connection)
        return made

    def wait(self, seconds: float) -> list[tuple[float, Write | Close]]:
        """What is done by looking, and when; what closes is closed."""
        done: list[tuple[float, Write | Close]] = []
        for _ in range(int(seconds / LOOK)):
            self.now += LOOK
            for action in self.made.look(self.now):
                done.append((self.now, action))
                if isinstance(action, Close):
                    self.made.closed(action.connection)
        return done


def closed(done: list[tuple[float, Write | Close]]) -> list[tuple[float, Write | Close]]:
    return [each for each in done if isinstance(each[1], Close)]


@pytest.fixture
def world() -> World:
    return World()


def test_a_stranger_is_turned_away_without_a_word(world: World) -> None:
    assert world.made.accept(Address("198.51.100.9", 40001, "tcp"), 0.0) == ""
    assert len(world.made) == 0
    assert world.counters["stranger connection"] == 1


GUEST = Address("203.0.113.7", 40001, "tcp")


def test_a_stranger_who_may_be_a_guest_has_half_a_minute_to_show_it(world: World) -> None:
    """Whatever it says meanwhile: a scanner talks all the time."""
    world.guests = True
    one = world.accept(GUEST)
    for _ in range(4):
        assert world.wait(LOOK) == []
        world.made.receive(one, OPTIONS, world.now)
    ((when, close),) = world.wait(10)
    assert (close, when <= 30) == (Close(one, "nothing lives on it"), True)


def test_a_guest_keeps_its_connection_as_long_as_it_is_dialled_by_it(world: World) -> None:
    world.guests = True
    one = world.accept(GUEST)
    world.living.add(GUEST)
    assert {type(action) for _, action in world.wait(300)} == {Write}  # pings
    world.living.clear()
    assert world.wait(30)[-1][1] == Close(one, "nothing lives on it")


def test_a_stranger_who_is_banned_goes_at_the_next_look(world: World) -> None:
    world.guests = True
    one = world.accept(GUEST)
    world.guests = False
    assert world.wait(LOOK) == [(LOOK, Close(one, "nothing lives on it"))]


def test_strangers_are_few_and_trunks_and_guests_are_not_meant() -> None:
    world = World(Limits(strange=3, strange_per_peer=2, strange_per_second=100))
    world.guests = True

    def more(host: str, port: int) -> object:
        return world.made.accept(Address(host, port, "tcp"), world.now)

    assert [isinstance(more(GUEST.host, port), Connection) for port in (1, 2, 3)] == [True, True, False]
    assert [isinstance(more(f"198.51.100.{at}", 1), Connection) for at in range(3)] == [True, False, False]
    assert world.counters["stranger connection"] == 3
    world.accept()  # a trunk's
    world.living.update(Address(GUEST.host, port, "tcp") for port in (1, 2))
    assert isinstance(more(GUEST.host, 4), Connection)


def test_so_many_strangers_a_second_are_let_in() -> None:
    world = World(Limits(strange=1000, strange_per_peer=1000, strange_per_second=5))
    world.guests = True
    for second in (0.0, 1.0, 2.5):
        made = [world.made.accept(Address(GUEST.host, port, "tcp"), second + port / 100) for port in range(50)]
        assert sum(isinstance(each, Connection) for each in made) == 5
    assert world.accept()


def test_a_peer_has_so_many_connections_and_all_together_so_many() -> None:
    world = World(Limits(per_peer=2, total=3))
    first = world.accept()
    world.accept(Address(PEER.host, 2, "tcp"))
    assert world.made.accept(Address(PEER.host, 3, "tcp"), 0.0) == "the peer has 2 connections"
    world.made.closed(first)
    world.made.closed(first)
    world.accept(Address(PEER.host, 4, "tcp"))
    for port in (1, 2):
        world.made.open(Address("192.0.2.7", port, "tcp"), 0.0)
    assert len(world.made) == 3
    assert world.made.open(Address("192.0.2.8", 1, "tcp"), 0.0) is None
    assert world.counters["refused connection: peer has too many"] == 1
    assert world.counters["refused connection: too many"] == 2


def test_a_message_goes_by_the_connection_it_names_or_by_one_to_its_other_address(world: World) -> None:
    response = Transmit(b"SIP/2.0 200 OK", PEER, HOME)
    assert world.made.way(response, 0.0) == HOME
    assert world.made.way(Transmit(b"SIP/2.0 200 OK", PEER), 0.0) is None
    opened = world.made.open(HOME, 0.0)
    assert world.made.way(response, 0.0) is opened
    accepted = world.accept()
    assert world.made.way(response, 0.0) is accepted
    world.made.closed(accepted)
    assert world.made.way(response, 0.0) is opened


def test_an_old_connection_that_closes_does_not_take_the_new_one_with_it(world: World) -> None:
    old, new = world.accept(), world.accept()
    world.made.closed(old)
    assert world.made.way(Transmit(b"", PEER), 0.0) is new


def test_messages_are_heard_and_pings_answered(world: World) -> None:
    one = world.accept()
    assert world.made.receive(one, PING + OPTIONS + b"\r\n", 0.0) == [Write(one, PONG), Heard(OPTIONS)]
    # half a ping, then the other half in a packet of its own
    assert world.made.receive(one, b"\r\n", 0.0) == [Write(one, PONG)]
    assert world.counters["keepalive"] == 2


def test_what_breaks_the_stream_closes_it(world: World) -> None:
    one = world.accept()
    actions = world.made.receive(one, OPTIONS + b"\x16\x03\x01", 0.0)
    assert actions == [Heard(OPTIONS), Close(one, "this is not SIP")]
    assert world.counters["bad framing"] == 1


@pytest.mark.parametrize("said", [b"", OPTIONS, PING])
def test_where_nothing_lives_a_connection_is_closed_within_half_a_minute(world: World, said: bytes) -> None:
    one = world.accept()
    world.made.receive(one, said, 0.0)
    ((when, close),) = world.wait(120)
    assert close == Close(one, "nothing lives on it")
    assert when <= 30
    assert len(world.made) == 0


def test_a_peer_that_is_no_trunk_any_more_keeps_its_connection_for_its_last_call(world: World) -> None:
    one = world.accept()
    world.living.add(PEER)
    world.trunks.clear()
    assert closed(world.wait(20)) == []
    world.living.clear()
    world.made.receive(one, OPTIONS, world.now)
    assert world.wait(LOOK) == [(world.now, Close(one, "nothing lives on it"))]


def test_a_message_that_does_not_end_closes_its_connection_even_under_a_call(world: World) -> None:
    one = world.accept()
    world.living.add(PEER)
    for at in range(10):
        world.made.receive(one, OPTIONS[at : at + 1], world.now)
        if done := closed(world.wait(LOOK)):
            break
    assert done == [(world.now, Close(one, "a message has begun and does not end"))]
    assert world.now <= 30
    assert world.counters["slow connection"] == 1


def test_a_peer_that_pings_keeps_its_connection(world: World) -> None:
    one = world.accept()
    for _ in range(20):
        assert world.wait(20) == []
        assert world.made.receive(one, PING, world.now) == [Write(one, PONG)]


def test_under_a_call_that_says_nothing_the_other_end_is_pinged_and_its_pong_is_no_ping(world: World) -> None:
    one = world.accept()
    world.living.add(PEER)
    pings = 0
    for _ in range(120):
        for _, action in world.wait(LOOK):
            assert action == Write(one, PING)
            pings += 1
            assert world.made.receive(one, PONG, world.now) == []
    assert pings == 60
    assert world.counters["keepalive"] == 0
    # with the call's end the connection goes
    world.living.clear()
    assert [action for _, action in world.wait(60)] == [Close(one, "nothing lives on it")]
