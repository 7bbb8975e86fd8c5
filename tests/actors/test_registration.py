"""A trunk that registers with its carrier, against registrars that answer as a story says."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from attrs import evolve
from cordboard.actors import alarms, registration, signals
from cordboard.actors.trunk import Corrected, Dismiss, Phase, Profile, Recalled

from .carriers import (
    DELAY,
    FLAPS,
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


def test_a_registrar_that_grants_more_than_was_asked_for_is_asked_again_as_if_it_had_not() -> None:
    """Else a slip of its own, of years, has us never say again where we are."""
    world = World({ONE: grants(999_999_999)}, REGISTERS)
    world.until(1500)
    pauses = [after - before for before, after in pairwise(world.asks(ONE, "REGISTER"))]
    assert len(pauses) > 2
    assert registration.EXPIRES * 0.6 <= min(pauses) < max(pauses) <= registration.EXPIRES * 0.8 + 0.1


def test_a_registrar_that_is_never_content_is_not_asked_in_circles() -> None:
    greedy = World({ONE: unless_registering(lambda ask: says(423, min_expires=ask.expires + 1)(ask))}, REGISTERS)
    greedy.until(10)
    small = World({ONE: unless_registering(says(423, min_expires=5))}, REGISTERS)
    small.until(100)
    assert small.phase is Phase.DOWN
    assert len(small.registers()) < 8


def test_when_one_host_is_silent_the_next_one_registers() -> None:
    world = World({ONE: silent, TWO: grants(600)}, REGISTERS)
    world.until(registration.FAILOVER + 1)
    assert world.phase is Phase.UP
    assert world.asks(TWO, "REGISTER") == [registration.FAILOVER + 0.05]


def test_the_last_host_has_longer_to_answer() -> None:
    world = World({ONE: silent, TWO: unless_registering(silent)}, REGISTERS)
    world.until(registration.FAILOVER + registration.PATIENCE)
    assert world.trunk.state.reason == "registers"
    world.until(registration.FAILOVER + registration.PATIENCE + 0.1)
    assert world.trunk.state.reason == "not registered: no answer"


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


def test_why_it_does_not_register_us_is_said_with_the_host_that_was_asked() -> None:
    world = World({ONE: unless_registering(not_believed)}, REGISTERS)
    world.until(20)
    assert world.alarms == [alarms.TRUNK_DOWN.says(trunk="carrier", reason=f"not registered: {UNBELIEVED}")]
    refused = next(each for each in world.logged if each.event == "not registered")
    where = (("trunk", "carrier"), ("host", "192.0.2.1"), ("port", 5060))
    assert refused.fields == (*where, ("reason", UNBELIEVED), ("failures", 1))


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
    world.tell(Recalled(world.now))
    assert world.routes[3:] == [("<sip:c.example;lr>",)]
    # silence takes nothing back that was granted; a refusal does (RFC 3608 §6.1)
    kept = world.trunk.state.registration
    assert kept is not None
    ends = kept.granted_until - NOW
    world.hosts[ONE] = unless_registering(silent)
    tries = len(world.registers())
    world.until(ends - 100)
    assert (len(world.registers()) > tries, len(world.routes)) == (True, 4)
    world.hosts[ONE] = unless_registering(says(403))
    world.until(ends - 1)
    assert world.routes[4:] == [()]
    world.hosts[ONE] = grants(600, "<sip:c.example;lr>")
    world.until(2200)
    world.tell(Dismiss())
    assert world.routes[5:] == [("<sip:c.example;lr>",), ()]


def test_calls_pass_nowhere_once_the_registration_is_over() -> None:
    """An emergency call goes by a trunk that is down, too: not by proxies that know us no more (RFC 3608 §6.1)."""
    for host, end in ((ONE, 100.0), (TCP, 20.0)):
        world = World({host: grants(100, "<sip:edge.example;lr>")}, REGISTERS)
        world.until(20)
        assert world.routes[-1:] == [("<sip:edge.example;lr>",)]
        world.hosts[host] = unless_registering(silent)
        if host is TCP:
            world.tell(signals.FlowLost())  # it is asked for again at once, in vain
            end += registration.PATIENCE
        world.until(end - 0.5)
        assert world.routes[-1:] == [("<sip:edge.example;lr>",)]
        world.until(end + 0.5)
        assert world.routes[-1:] == [()]
        world.hosts[host] = grants(100, "<sip:edge.example;lr>")
        world.until(600)
        assert world.routes[-1:] == [("<sip:edge.example;lr>",)]


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


def test_no_registration_asks_by_an_id_of_one_before_it() -> None:
    """... which may be open: SIP waits for a registrar that says nothing longer than whoever corrects its address."""
    world = World({ONE: grants(600)}, REGISTERS)
    world.until(5)
    world.hosts = {ONE: unless_registering(silent), TWO: unless_registering(silent)}
    for number in range(4):
        world.tell(evolve(REGISTERS, username=f"us{number}"))
        world.until(10 + 5 * number)
    world.tell(Dismiss())
    asks = [ask.ask for ask in world.registers()]
    assert len(asks) > 4
    assert len(set(asks)) == len(asks)


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


def removing(answer: Answer) -> Answer:
    """A registrar that grants, and answers who wants to be there no more so."""
    return lambda ask: (answer if ask.method == "REGISTER" and not ask.expires else grants(600))(ask)


def test_what_was_held_is_given_back_before_another_registration() -> None:
    """The registrar may be the same one, and so may our Contact: the later of the two counts there."""
    world = World({ONE: removing(silent)}, REGISTERS)
    world.until(5)
    world.tell(evolve(REGISTERS, username="them"))
    world.until(8.9)
    assert [(ask.username, ask.expires) for ask in world.registers()] == [("us", 600), ("us", 0)]
    assert world.states[-1][1:] == ("trying", "registers")
    # another name in the meantime waits for the same, and nothing was asked in the one between
    world.tell(evolve(REGISTERS, username="others"))
    world.until(10)
    assert [(ask.username, ask.expires) for ask in world.registers()][2:] == [("others", 600)]
    assert world.phase is Phase.UP


@pytest.mark.parametrize("answer", [says(200), says(403), says(423, min_expires=1800), says(503), unsendable])
def test_whatever_is_said_to_what_is_given_back_the_next_registration_begins_then(answer: Answer) -> None:
    world = World({ONE: removing(answer)}, REGISTERS)
    world.until(5)
    world.tell(evolve(REGISTERS, username="them"))
    world.until(5.2)
    last = world.registers()[-1]
    assert (last.username, last.expires, last.call_id) == ("them", 600, ""), "a whole one, from its first number on"
    assert world.phase is Phase.UP


def test_a_restart_in_the_middle_of_giving_back_registers_at_once() -> None:
    world = World({ONE: removing(silent)}, REGISTERS)
    world.until(5)
    world.tell(evolve(REGISTERS, username="them"))
    world.until(6)
    world.tell(Recalled(world.now))
    world.until(7)
    assert [(ask.username, ask.expires) for ask in world.registers()] == [("us", 600), ("us", 0), ("them", 600)]
    assert world.phase is Phase.UP


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


def test_a_password_that_is_corrected_as_the_wrong_one_is_refused_is_tried_soon() -> None:
    """After many refusals each pause is of minutes."""
    world = World({ONE: unless_registering(says(403))}, REGISTERS)
    world.until(1000)
    while (kept := world.trunk.state.registration) is not None and not kept.ask:
        world.until(world.now - NOW + DELAY / 2)
    tries = len(world.asks(ONE, "REGISTER"))
    world.tell(Corrected())
    world.hosts[ONE] = grants(600)
    world.until(world.now - NOW + registration.FIRST_PAUSE + 1)
    assert len(world.asks(ONE, "REGISTER")) == tries + 1
    assert world.phase is Phase.UP


def test_a_corrected_password_is_tried_at_once() -> None:
    world = World({ONE: unless_registering(says(403))}, REGISTERS)
    world.until(1000)
    tries = len(world.asks(ONE, "REGISTER"))
    world.hosts[ONE] = grants(600)
    world.tell(Corrected())
    world.until(1001)
    assert [state for _, state, _ in world.states][-2:] == ["down", "up"]
    assert len(world.asks(ONE, "REGISTER")) == tries + 1
    world.tell(Corrected())  # what is granted stands
    world.until(1002)
    assert len(world.asks(ONE, "REGISTER")) == tries + 1
