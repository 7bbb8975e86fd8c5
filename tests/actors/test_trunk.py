"""A trunk against carriers that answer as a story says, on a clock that the story moves."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from attrs import define, evolve, field
from cordboard.actors import alarms, gateway, registration, signals
from cordboard.actors.effects import Alarm, Effect, Log, Sip, Started, Stop
from cordboard.actors.gateway import DOWN_PING_SECONDS, PATIENCE, PING_SECONDS
from cordboard.actors.trunk import RESOLVE_AGAIN, RESOLVE_SECONDS, Dismiss, Phase, Profile, Recalled, Trunk
from hypothesis import given
from hypothesis import strategies as st

NOW = 1_000_000.0
ONE = signals.Host("sip:one.example", "192.0.2.1", 5060, "udp")
TCP = signals.Host("sip:one.example;transport=tcp", "192.0.2.1", 5060, "tcp")
TWO = signals.Host("sip:two.example", "192.0.2.2", 5060, "udp")
PLAIN = Profile("carrier", proxy=("sip:one.example", "sip:two.example"))
REGISTERS = evolve(PLAIN, username="us", register=True)
# How long an answer is on its way.
DELAY = 0.05
FLAPS = "not registered: its connections do not last"

Answer = Callable[[signals.Ask], signals.Replied | None]


def says(status: int, **more: Any) -> Answer:
    return lambda ask: signals.Replied(ask.ask, status, True, ask.cseq, ask.call_id or "ours", **more)


def grants(seconds: int, *routes: str) -> Answer:
    """A registrar that does; OPTIONS it answers as well."""
    return lambda ask: says(200, **({"expires": seconds, "routes": routes} if ask.method == "REGISTER" else {}))(ask)


def unless_registering(answer: Answer) -> Answer:
    """It is alive, and answers a REGISTER so."""
    return lambda ask: (answer if ask.method == "REGISTER" else says(200))(ask)


def silent(ask: signals.Ask) -> None:
    return None


def unsendable(ask: signals.Ask) -> signals.Replied:
    return signals.Replied(ask.ask, 503, False, ask.cseq, ask.call_id)


@define
class World:
    """One trunk; `hosts` are those that its proxies have, and how each answers."""

    hosts: dict[signals.Host, Answer]
    profile: Profile = PLAIN
    now: float = NOW
    lasting: bool = True
    seconds: float = RESOLVE_SECONDS
    trunk: Trunk = field(init=False)
    asked: list[tuple[float, signals.Ask]] = field(factory=list)
    resolved: list[float] = field(factory=list)
    alarms: list[str] = field(factory=list)
    states: list[tuple[float, str, str]] = field(factory=list)
    routes: list[tuple[str, ...]] = field(factory=list)
    stopped: str = ""
    _coming: list[tuple[float, object]] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.trunk = Trunk(self.profile, self.now)
        self.tell(Started())

    def tell(self, message: object) -> None:
        self._perform(self.trunk.receive(message, self.now))

    def until(self, when: float) -> None:
        """Relative to the beginning."""
        when += NOW
        for _ in range(100_000):
            coming = min((at for at, _ in self._coming), default=math.inf)
            due = min(self.trunk.deadline(), coming)
            if due > when:
                self.now = when
                return
            self.now = max(self.now, due)
            if coming <= due:
                _, message = self._coming.pop(0)
                self.tell(message)
            else:
                self._perform(self.trunk.wake(self.now))
        raise AssertionError("it spins")

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Sip(signals.Resolve()):
                    self.resolved.append(self.now - NOW)
                    self._come(signals.Resolved(tuple(self.hosts), self.lasting, self.seconds))
                case Sip(signals.Ask() as ask):
                    self.asked.append((self.now - NOW, ask))
                    answer = self.hosts.get(ask.host, silent)(ask)
                    if answer is not None:
                        self._come(answer)
                case Alarm(text, standing):
                    (self.alarms.append if standing else self.alarms.remove)(text)
                case Log("trunk", fields):
                    told = dict(fields)
                    self.states.append((round(self.now - NOW, 2), str(told["state"]), str(told["reason"])))
                case Sip(signals.ServiceRoute(_, routes)):
                    self.routes.append(routes)
                case Stop(reason):
                    self.stopped = reason
                case Log():
                    pass
                case _:
                    raise AssertionError(effect)

    def _come(self, message: object) -> None:
        self._coming.append((self.now + DELAY, message))

    @property
    def phase(self) -> Phase:
        return self.trunk.state.phase

    def asks(self, host: signals.Host, method: str = "OPTIONS") -> list[float]:
        return [round(at, 2) for at, ask in self.asked if ask.host == host and ask.method == method]

    def registers(self) -> list[signals.Ask]:
        return [ask for _, ask in self.asked if ask.method == "REGISTER"]


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


# --- registration -------------------------------------------------------------------------------------------------


def test_it_registers_and_never_lapses() -> None:
    world = World({ONE: grants(120)}, REGISTERS)
    world.until(3600)
    assert world.states == [(0.1, "trying", "registers"), (0.1, "up", "answers")]
    registers = world.registers()
    assert {ask.call_id for ask in registers[1:]} == {"ours"}
    assert [ask.cseq for ask in registers] == sorted({ask.cseq for ask in registers})
    assert {ask.expires for ask in registers} == {registration.EXPIRES}
    times = world.asks(ONE, "REGISTER")
    pauses = [after - before for before, after in pairwise(times)]
    assert 72 <= min(pauses) < max(pauses) <= 96.1  # in good time, and not all at one beat


def test_a_registrar_that_wants_longer_gets_longer() -> None:
    def registrar(ask: signals.Ask) -> signals.Replied | None:
        return says(423, min_expires=1800)(ask) if 0 < ask.expires < 1800 else grants(1800)(ask)

    world = World({ONE: unless_registering(registrar)}, REGISTERS)
    world.until(1500)
    assert [ask.expires for ask in world.registers()] == [registration.EXPIRES, 1800, 1800]
    assert world.phase is Phase.UP


def test_a_registrar_that_is_never_content_is_not_asked_in_circles() -> None:
    greedy = World({ONE: unless_registering(lambda ask: says(423, min_expires=ask.expires + 1)(ask))}, REGISTERS)
    greedy.until(10)
    small = World({ONE: unless_registering(says(423, min_expires=5))}, REGISTERS)
    small.until(100)
    assert small.phase is Phase.DOWN
    assert len(small.registers()) < 8


def test_when_one_host_is_silent_the_next_one_registers() -> None:
    world = World({ONE: silent, TWO: grants(600)}, REGISTERS)
    world.until(registration.PATIENCE + 1)
    assert world.phase is Phase.UP
    assert world.asks(TWO, "REGISTER") == [registration.PATIENCE + 0.05]


def test_pauses_grow_and_are_spread() -> None:
    def times(trunk: str) -> list[float]:
        profile = evolve(REGISTERS, trunk=trunk)
        world = World({ONE: unless_registering(says(500))}, profile)
        world.until(4000)
        assert world.phase is Phase.DOWN
        return world.asks(ONE, "REGISTER")

    one, again, other = times("one"), times("one"), times("other")
    assert one == again != other
    pauses = [after - before for before, after in pairwise(one)]
    for failures, pause in enumerate(pauses):
        whole = min(registration.FIRST_PAUSE * 2**failures, registration.LONGEST_PAUSE)
        assert whole / 2 - 0.1 <= pause <= whole + 0.1


def test_a_wrong_password_is_an_alarm_that_says_so() -> None:
    world = World({ONE: unless_registering(says(403))}, REGISTERS)
    world.until(30)
    assert world.alarms == [alarms.TRUNK_DOWN.says(trunk="carrier", reason="not registered: 403")]
    world.hosts[ONE] = grants(600)
    world.until(400)
    assert (world.phase, world.alarms) == (Phase.UP, [])


def test_what_was_granted_stands_until_it_expires() -> None:
    """Its renewal fails, and it is up all the same, until then."""
    world = World({ONE: grants(600)}, REGISTERS)
    world.until(1)
    world.hosts[ONE] = unless_registering(says(500))
    world.until(600)
    assert world.phase is Phase.UP
    world.until(600.2)
    assert (world.phase, world.trunk.state.reason) == (Phase.DOWN, "not registered: 500")


def test_a_503_says_when_to_register_again() -> None:
    world = World({ONE: unless_registering(says(503, retry_after=77))}, REGISTERS)
    world.until(200)
    first, second, *_ = world.asks(ONE, "REGISTER")
    assert second - first >= 77


def test_sip_is_told_where_calls_pass_whenever_the_registrar_says_otherwise() -> None:
    world = World({ONE: grants(600, "<sip:a.example;lr>", "<sip:b.example;lr>")}, REGISTERS)
    world.until(500)
    assert world.routes == [(), ("<sip:a.example;lr>", "<sip:b.example;lr>")], "once, however often it is renewed"
    world.hosts[ONE] = grants(600, "<sip:c.example;lr>")
    world.until(1000)
    assert world.routes[2:] == [("<sip:c.example;lr>",)]
    # another process asks the trunk, which knows
    world.tell(Recalled())
    assert world.routes[3:] == [("<sip:c.example;lr>",)]
    # silence takes nothing back that was granted; a refusal does (RFC 3608 §6.1)
    world.hosts[ONE] = unless_registering(silent)
    world.until(1400)
    assert len(world.routes) == 4
    world.hosts[ONE] = unless_registering(says(403))
    world.until(1800)
    assert world.routes[4:] == [()]
    world.hosts[ONE] = grants(600, "<sip:c.example;lr>")
    world.until(2200)
    world.tell(Dismiss())
    assert world.routes[5:] == [("<sip:c.example;lr>",), ()]


def test_a_trunk_that_is_made_anew_says_that_calls_pass_nowhere_until_a_registrar_does() -> None:
    world = World({ONE: grants(600, "<sip:a.example;lr>")}, REGISTERS)
    world.until(10)
    again = World({ONE: silent}, REGISTERS, now=world.now)
    again.until(20)
    assert (world.routes, again.routes) == ([(), ("<sip:a.example;lr>",)], [()])


def test_granted_for_no_time_is_not_granted() -> None:
    world = World({ONE: grants(0)}, REGISTERS)
    world.until(30)
    assert world.phase is Phase.DOWN


def test_who_is_dismissed_unregisters() -> None:
    world = World({ONE: grants(600)}, REGISTERS)
    world.until(5)
    world.tell(Dismiss())
    assert world.stopped == "dismissed"
    last = world.registers()[-1]
    assert (last.expires, last.call_id) == (0, "ours")
    assert last.cseq > world.registers()[-2].cseq


def test_another_user_name_is_another_registration() -> None:
    world = World({ONE: grants(600)}, REGISTERS)
    world.until(5)
    world.tell(evolve(REGISTERS, username="them"))
    world.until(10)
    assert [(ask.username, ask.expires) for ask in world.registers()] == [("us", 600), ("us", 0), ("them", 600)]
    assert world.phase is Phase.UP
    world.tell(Profile("carrier"))
    world.until(2000)
    assert (world.phase, len(world.registers())) == (Phase.INBOUND, 4)
    assert world.trunk.deadline() == math.inf


def test_a_change_that_has_nothing_to_do_with_its_hosts_asks_nothing() -> None:
    world = World({ONE: says(200)})
    world.until(5)
    world.tell(evolve(world.profile, nat=True))
    assert (world.phase, len(world.asked), len(world.resolved)) == (Phase.UP, 1, 1)


def test_a_connection_that_goes_is_where_it_is_registered_again_at_once() -> None:
    world = World({TCP: grants(600)}, REGISTERS)
    world.until(200)
    world.tell(signals.FlowLost())
    world.until(201)
    assert world.asks(TCP, "REGISTER")[1:] == [200]
    assert [state for _, state, _ in world.states] == ["trying", "up"], "calls can leave all the while"


def test_connections_that_do_not_last_are_not_followed_in_circles() -> None:
    """The first is; from then on pauses double, and half a minute is the longest."""
    world = World({TCP: grants(3600)}, REGISTERS)
    world.until(1)
    for _ in range(12):
        before = len(world.registers())
        world.tell(signals.FlowLost())
        while len(world.registers()) == before:
            world.until(world.now - NOW + 0.5)
        world.until(world.now - NOW + 0.5)
    times = world.asks(TCP, "REGISTER")
    pauses = [after - before for before, after in pairwise(times)]
    assert pauses[0] < 1
    for at, pause in enumerate(pauses[1:]):
        whole = min(registration.FIRST_PAUSE * 2**at, registration.LONGEST_CUT_PAUSE)
        assert whole / 2 <= pause <= whole + 1.1
    assert (world.phase, world.trunk.state.reason) == (Phase.DOWN, FLAPS)
    # one that lasts ends the row
    world.until(world.now - NOW + registration.LASTING + 1)
    before = len(world.registers())
    world.tell(signals.FlowLost())
    assert len(world.registers()) == before + 1
    assert world.phase is Phase.UP


def hangs_up(world: World, until: float) -> None:
    """Whoever grants ends the connection at once, up to then."""
    ended = 0
    while world.now - NOW < until:
        world.until(world.now - NOW + 2 * DELAY)
        if len(world.registers()) > ended:
            ended = len(world.registers())
            world.until(world.now - NOW + 2 * DELAY)
            world.tell(signals.FlowLost())


def test_who_grants_and_hangs_up_at_once_reaches_nobody() -> None:
    """Down in time, not asked in circles, and up again when a connection has held."""
    world = World({TCP: grants(3600)}, REGISTERS)
    hangs_up(world, 15)
    assert (world.phase, world.alarms) == (Phase.DOWN, [alarms.TRUNK_DOWN.says(trunk="carrier", reason=FLAPS)])
    down = next(at for at, state, _ in world.states if state == "down")
    assert down < 1
    hangs_up(world, 300)
    assert world.phase is Phase.DOWN
    assert len(world.registers()) < 25
    world.until(300 + registration.LONGEST_CUT_PAUSE + registration.STEADY + 1)
    assert (world.phase, world.alarms) == (Phase.UP, [])


def test_a_carrier_that_restarts_is_not_down_for_that() -> None:
    world = World({TCP: grants(3600)}, REGISTERS)
    world.until(300)
    world.tell(signals.FlowLost())  # it goes
    world.until(300.2)
    world.tell(signals.FlowLost())  # ... and ends what it had still taken
    world.until(400)
    assert [state for _, state, _ in world.states] == ["trying", "up"]


def test_who_does_not_register_us_again_reaches_us_no_more() -> None:
    """What it had granted was for a connection that is gone."""
    world = World({TCP: grants(600)}, REGISTERS)
    world.until(200)
    world.hosts[TCP] = unless_registering(says(403))
    world.tell(signals.FlowLost())
    world.until(201)
    assert (world.phase, world.trunk.state.reason) == (Phase.DOWN, "not registered: 403")
    world.hosts[TCP] = grants(600)
    world.until(210)
    assert (world.phase, world.alarms) == (Phase.UP, [])


def test_a_connection_that_goes_as_it_is_renewed_is_no_way_to_us_either() -> None:
    for answer in (unsendable, says(503, retry_after=60)):
        world = World({TCP: grants(600)}, REGISTERS)
        world.until(1)
        renewal = world.trunk.state.registration
        assert renewal is not None
        world.hosts[TCP] = unless_registering(answer)
        world.until(renewal.until - NOW)
        assert world.trunk.state.registration is not None
        assert world.trunk.state.registration.phase is registration.Phase.ASKING
        world.tell(signals.FlowLost())
        world.until(world.now - NOW + 0.2)
        assert world.states[-1][1] == "down"
        before = len(world.registers())
        world.tell(signals.FlowLost())  # it changes nothing that this crossed
        assert len(world.registers()) == before
        world.hosts[TCP] = grants(600)
        world.until(world.now - NOW + 61)
        assert world.phase is Phase.UP


def test_a_connection_of_a_carrier_that_registers_us_no_more_is_nobodys() -> None:
    world = World({TCP: grants(600)}, REGISTERS)
    world.until(5)
    world.tell(Profile("carrier"))
    world.tell(signals.FlowLost())
    world.until(100)
    assert [ask.expires for ask in world.registers()] == [600, 0]


# --- over a restart -----------------------------------------------------------------------------------------------


def test_after_a_restart_it_asks_again_and_is_never_down() -> None:
    world = World({ONE: grants(120)}, REGISTERS)
    world.until(10.12)  # a question is open
    world._coming.clear()
    world.tell(Recalled())
    world.until(300)
    assert [state for _, state, _ in world.states] == ["trying", "up"]
    assert world.asks(ONE)[:3] == [0.05, 10.1, 10.12]


def test_a_restart_ends_connections_so_that_it_registers_again() -> None:
    for host, registers in ((TCP, 2), (ONE, 1)):
        world = World({host: grants(600)}, REGISTERS)
        world.until(15)
        world.tell(Recalled())
        world.until(16)
        assert len(world.registers()) == registers
        assert world.phase is Phase.UP


def test_a_restart_while_it_rests_or_registers() -> None:
    world = World({ONE: says(503, retry_after=100)}, REGISTERS)
    world.until(1)
    world.tell(Recalled())
    world.until(99)
    assert len(world.asks(ONE)) == 1
    assert world.alarms == [alarms.TRUNK_DOWN.says(trunk="carrier", reason="503")] * 2  # this process has its own list
    world = World({ONE: unless_registering(silent)}, REGISTERS)
    world.until(1)
    first = world.registers()[-1]
    world.hosts[ONE] = grants(600)
    world.tell(Recalled())
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
