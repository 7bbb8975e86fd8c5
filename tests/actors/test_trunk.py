"""A trunk against carriers that answer as a story says: hosts, names, restarts, and whatever comes."""

from __future__ import annotations

import math

import pytest
from attrs import evolve
from cordboard.actors import alarms, gateway, signals
from cordboard.actors.effects import Log, Sip, Started
from cordboard.actors.gateway import DOWN_PING_SECONDS, PATIENCE, PING_SECONDS
from cordboard.actors.trunk import RESOLVE_AGAIN, RESOLVE_SECONDS, Phase, Profile, Recalled, Trunk
from hypothesis import given
from hypothesis import strategies as st

from .carriers import (
    DELAY,
    NOW,
    ONE,
    REGISTERS,
    TCP,
    TWO,
    UNBELIEVED,
    Answer,
    World,
    grants,
    not_believed,
    says,
    silent,
    unless_registering,
    unsendable,
)

# --- hosts that answer and that do not ----------------------------------------------------------------------------


def test_a_trunk_without_a_proxy_asks_nobody() -> None:
    world = World({}, Profile("pbx"))
    world.until(3600)
    assert (world.phase, world.asked, world.resolved, world.trunk.deadline()) == (Phase.INBOUND, [], [], math.inf)


def test_it_is_up_with_the_first_answer_and_asked_every_ten_seconds() -> None:
    world = World({ONE: says(200)})
    world.until(60)
    assert world.states == [(0.1, "up", "answers")]
    assert world.asks(ONE) == [0.05, 10.1, 20.15, 30.2, 40.25, 50.3]
    assert world.alarms == []


@pytest.mark.parametrize("status", [401, 403, 404, 405, 481, 483, 500, 603])
def test_who_refuses_the_question_is_alive(status: int) -> None:
    world = World({ONE: says(status)})
    world.until(60)
    assert world.phase is Phase.UP


@pytest.mark.parametrize("dies", [10.0, 12.3, 19.9, 20.1])
@pytest.mark.parametrize("how", [silent, unsendable])
def test_one_that_falls_silent_is_down_within_15_s_and_up_after_two_answers(dies: float, how: Answer) -> None:
    world = World({ONE: says(200)})
    world.until(dies)
    world.hosts[ONE] = how
    world.until(dies + 15)
    assert world.phase is Phase.DOWN
    assert world.alarms == [alarms.TRUNK_DOWN.says(trunk="carrier", reason="no answer")]
    world.until(dies + 100)
    assert len(world.states) == 2
    world.hosts[ONE] = says(200)
    world.until(dies + 100 + DOWN_PING_SECONDS)
    assert world.phase is Phase.DOWN  # one answer is none
    world.until(dies + 100 + 3 * DOWN_PING_SECONDS)
    assert (world.phase, world.alarms) == (Phase.UP, [])


def test_a_lost_answer_after_another_does_not_bring_it_up() -> None:
    """Up, down, up, down: it is not trusted."""
    world = World({ONE: silent})
    world.until(20)
    answers = iter([says(200), silent] * 50)
    world.hosts[ONE] = lambda ask: next(answers)(ask)
    world.until(200)
    assert [state for _, state, _ in world.states] == ["down"]


def test_why_there_is_no_connection_is_said_in_place_of_no_answer() -> None:
    """... with the host of which that is so; and what is true now is said in the place of what was."""
    world = World({ONE: says(200), TWO: silent})
    world.until(30)
    assert (world.phase, world.alarms) == (Phase.UP, [])
    world.hosts[ONE] = not_believed
    world.until(60)
    assert world.alarms == [alarms.TRUNK_DOWN.says(trunk="carrier", reason=UNBELIEVED)]
    assert world.states[-1][1:] == ("down", UNBELIEVED)
    where = (("trunk", "carrier"), ("host", "192.0.2.1"), ("port", 5060))
    assert world.logged[-1] == Log("trunk host", (*where, ("state", "down"), ("reason", UNBELIEVED)))
    world.hosts[ONE] = unsendable
    world.until(90)
    assert world.alarms == [alarms.TRUNK_DOWN.says(trunk="carrier", reason="no answer")]
    world.hosts[ONE] = says(200)
    world.until(120)
    assert (world.phase, world.alarms) == (Phase.UP, [])
    assert world.logged[-1] == Log("trunk host", (*where, ("state", "up")))


def test_an_answer_that_comes_too_late_is_none() -> None:
    world = World({ONE: says(200)})
    world.until(1)
    world.hosts[ONE] = silent
    world.until(10.2 + PATIENCE)
    _, late = world.asked[1]
    assert world.phase is Phase.DOWN
    world.tell(says(200)(late))
    world.tell(says(200)(late))
    assert world.phase is Phase.DOWN


def test_of_two_hosts_one_is_enough() -> None:
    world = World({ONE: silent, TWO: says(200)})
    world.until(30)
    assert world.states == [(0.1, "up", "answers")]
    world.hosts[TWO] = silent
    world.until(60)
    assert world.phase is Phase.DOWN
    world.hosts[ONE] = says(200)
    world.until(80)
    assert (world.phase, world.alarms) == (Phase.UP, [])


# --- 503 ----------------------------------------------------------------------------------------------------------


def test_who_says_503_is_left_alone_as_long_as_it_says() -> None:
    world = World({ONE: says(200)})
    world.until(1)
    world.hosts[ONE] = says(503, retry_after=40)
    world.until(40)
    world.hosts[ONE] = says(200)
    assert (world.phase, world.asks(ONE)) == (Phase.DOWN, [0.05, 10.1])
    world.until(70)
    assert world.asks(ONE)[2:4] == [50.15, 55.2]
    assert world.states == [
        (0.1, "up", "answers"),
        (10.15, "down", "503"),
        (50.15, "down", "no answer"),
        (55.25, "up", "answers"),
    ]


@pytest.mark.parametrize(("retry_after", "rests"), [({}, 10), ({"retry_after": 10**6}, 3600), ({"retry_after": 0}, 5)])
def test_a_503_that_does_not_say_or_says_too_much(retry_after: dict[str, int], rests: float) -> None:
    world = World({ONE: says(503, **retry_after)})
    world.until(4000)
    first, second = world.asks(ONE)[:2]
    assert rests <= second - first <= rests + 0.11
    assert world.phase is Phase.DOWN


# --- names --------------------------------------------------------------------------------------------------------


def test_names_are_looked_up_again_and_hosts_that_stay_are_known() -> None:
    world = World({ONE: says(200), TWO: says(200)}, lasting=False)
    world.until(1)
    del world.hosts[TWO]
    other = evolve(TWO, address="192.0.2.3")
    world.hosts[other] = says(200)
    world.until(2 * RESOLVE_SECONDS + 1)
    assert [round(at) for at in world.resolved] == [0, 60, 120]
    assert world.asks(TWO)[-1] < RESOLVE_SECONDS < world.asks(other)[0]
    assert len(world.states) == 1
    assert world.asks(ONE)[1] == 10.1


@pytest.mark.parametrize(("seconds", "kept"), [(30.0, 30), (0.0, 10), (86400.0, 60)])
def test_names_count_as_long_as_they_say_within_bounds(seconds: float, kept: int) -> None:
    world = World({ONE: says(200)}, lasting=False, seconds=seconds)
    world.until(2 * kept + 1)
    assert [round(at) for at in world.resolved] == [0, kept, 2 * kept]


def test_a_name_that_is_not_found_is_an_alarm_until_it_is() -> None:
    world = World({}, lasting=False)
    world.until(60)
    assert world.alarms == [alarms.TRUNK_DOWN.says(trunk="carrier", reason="its hosts are not found")]
    assert len(world.resolved) == pytest.approx(60 / RESOLVE_AGAIN, abs=1)
    world.hosts[ONE] = says(200)
    world.until(80)
    assert (world.phase, world.alarms) == (Phase.UP, [])
    del world.hosts[ONE]  # the name server is gone: who was found stays
    world.hosts.clear()
    world.until(90)
    assert [gateway.host for gateway in world.trunk.state.gateways] == [ONE]


def test_a_look_up_that_never_comes_back_is_asked_again() -> None:
    trunk = Trunk(Profile("carrier", proxy=("sip:one.example",)), NOW)
    resolve = Sip(signals.Resolve("carrier", ("sip:one.example",)))
    assert resolve in trunk.receive(Started(), NOW)
    assert trunk.deadline() == NOW + RESOLVE_AGAIN
    assert resolve in trunk.wake(NOW + RESOLVE_AGAIN)


def test_a_proxy_that_is_not_found_leaves_none_of_the_hosts_of_the_one_before() -> None:
    """A mistyped name must not go on with the carrier that was left, and say that all is well."""
    world = World({ONE: says(200)})
    world.until(1)
    assert world.phase is Phase.UP
    asked = len(world.asks(ONE))
    world.hosts.clear()
    world.tell(evolve(world.profile, proxy=("sip:mistyped.example",)))
    world.until(60)
    assert len(world.asks(ONE)) == asked
    assert (world.phase, world.states[-1][2]) == (Phase.DOWN, "its hosts are not found")
    assert world.alarms[-1] == alarms.TRUNK_DOWN.says(trunk="carrier", reason="its hosts are not found")


def test_a_look_up_that_comes_back_late_brings_back_no_carrier_that_was_left() -> None:
    """Its name server may be why it was left."""
    new = signals.Host("sip:new.example", "192.0.2.9", 5060, "udp")
    world = World({ONE: says(200), TWO: says(200)}, finding=10.0)
    world.until(1)
    world.hosts = {new: says(200)}
    world.finding = DELAY
    world.tell(evolve(world.profile, proxy=("sip:new.example",)))
    world.until(9)
    assert world.phase is Phase.UP
    world.until(60)
    assert [each.host for each in world.trunk.state.gateways] == [new]
    assert world.asks(ONE) == world.asks(TWO) == []


# --- over a restart -----------------------------------------------------------------------------------------------


def test_after_a_restart_it_asks_again_and_is_never_down() -> None:
    world = World({ONE: grants(120)}, REGISTERS)
    world.until(10.12)  # a question is open
    world._coming.clear()
    world.tell(Recalled(world.now))
    world.until(300)
    assert [state for _, state, _ in world.states] == ["trying", "up"]
    assert world.asks(ONE)[:3] == [0.05, 10.1, 10.12]


def test_a_restart_ends_connections_so_that_it_registers_again() -> None:
    for host, registers in ((TCP, 2), (ONE, 1)):
        world = World({host: grants(600)}, REGISTERS)
        world.until(15)
        world.tell(Recalled(world.now))
        world.until(16)
        assert len(world.registers()) == registers
        assert world.phase is Phase.UP


def test_a_restart_while_it_rests_or_registers() -> None:
    world = World({ONE: says(503, retry_after=100)}, REGISTERS)
    world.until(1)
    world.tell(Recalled(world.now))
    world.until(99)
    assert len(world.asks(ONE)) == 1
    assert world.alarms == [alarms.TRUNK_DOWN.says(trunk="carrier", reason="503")] * 2  # this process has its own list
    world = World({ONE: unless_registering(silent)}, REGISTERS)
    world.until(1)
    first = world.registers()[-1]
    world.hosts[ONE] = grants(600)
    world.tell(Recalled(world.now))
    world.until(2)
    again = world.registers()[-1]
    assert again.cseq > first.cseq
    assert world.phase is Phase.UP


# --- whatever comes -----------------------------------------------------------------------------------------------

ANSWERS = st.sampled_from(
    [
        silent,
        unsendable,
        says(200),
        says(200, expires=0),
        says(403),
        says(404),
        says(423, min_expires=3600),
        says(503),
        says(503, retry_after=20),
        grants(60),
    ]
)


@given(st.lists(st.tuples(st.floats(0.1, 60), ANSWERS, ANSWERS), min_size=1, max_size=12), st.booleans(), st.booleans())
def test_it_asks_within_bounds_and_says_what_is_true(
    steps: list[tuple[float, Answer, Answer]], register: bool, lasting: bool
) -> None:
    world = World({ONE: silent, TWO: silent}, evolve(REGISTERS, register=register), lasting=lasting)
    for pause, one, two in steps:
        world.hosts.update({ONE: one, TWO: two})
        world.until(world.now - NOW + pause)
        data = world.trunk.state
        answering = any(each.phase is gateway.Phase.UP for each in data.gateways)
        kept = data.registration
        registered = kept is None or kept.registered(world.now)
        assert (data.phase is Phase.UP) is (answering and registered)
        assert len(world.alarms) == (data.phase is Phase.DOWN)
    seconds = world.now - NOW
    for host in (ONE, TWO):
        assert len(world.asks(host)) <= seconds / min(PING_SECONDS, PATIENCE) + 40
    # what is left when all is well again is well
    world.hosts.update({ONE: grants(600), TWO: grants(600)})
    world.until(seconds + 400)
    assert (world.phase, world.alarms) == (Phase.UP, [])
