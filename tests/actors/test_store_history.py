"""What is asked of what has happened: whose calls, of which class, on which days, and how an agent stood."""

from __future__ import annotations

import itertools
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from attrs import evolve
from cordboard.actors.organisation import parse_organisation
from cordboard.actors.records import (
    CallEntry,
    Entry,
    LegEntry,
    OfferEntry,
    Outcome,
    RecordingEntry,
    StateEntry,
    TransferEntry,
)
from cordboard.actors.store import entries, history, organisations, parts, schema
from cordboard.actors.store.database import open_database, writing
from cordboard.actors.store.told import CallClass, Cursor, Listing, Sound, Who, cursor
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine

T0 = 1_800_000_000.0
NOW = T0 + 86_400
CENTRE = parse_organisation("""
[organisation]
time_zone = "Asia/Shanghai"
[[queue]]
id = "support"
name = "Support"
[[agent]]
id = "1001"
name = "Lin"
[[agent]]
id = "1002"
""")
NORMAL, NOT_CONNECTED, RING_ABANDONED = CallClass.NORMAL, CallClass.NOT_CONNECTED, CallClass.RING_ABANDONED


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Connection]:
    engine = open_database(tmp_path)
    with writing(engine) as connection:
        organisations.write_organisation(connection, CENTRE, {})
        yield connection
    engine.dispose()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = open_database(tmp_path_factory.mktemp("shared"))
    yield engine
    engine.dispose()


def call(name: str, began: float = T0, answered: float | None = None, ended: float | None = T0 + 100) -> CallEntry:
    return CallEntry(
        name, "carrier", "inbound", "+8613912345678", "", "+861055501000", "support", began, answered, ended
    )


def offer(name: str, agent: str, outcome: Outcome, at: float = 1, decided: float = 2) -> OfferEntry:
    ended = T0 + decided + 10 if outcome is Outcome.ANSWERED else None
    return OfferEntry(name, agent, "support", T0 + at, outcome, T0 + decided, ended)


def keep(db: Connection, *stated: Entry) -> None:
    entries.write(db, stated)


def listed(
    db: Connection, agent: str | None, kind: CallClass | None = None, since: float = T0 - 1, after: Cursor | None = None
) -> Listing:
    return history.list_calls(db, agent, since, NOW, kind, after)


def classes(db: Connection, agent: str | None) -> dict[str, CallClass | None]:
    return {line.call: line.class_ for line in listed(db, agent).calls}


# --- classes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcomes", "kind"),
    [
        ([Outcome.ANSWERED], NORMAL),
        ([Outcome.MISSED, Outcome.ANSWERED], NORMAL),
        ([Outcome.ANSWERED, Outcome.CALLER_LEFT], NORMAL),
        ([Outcome.CALLER_LEFT], RING_ABANDONED),
        ([Outcome.DECLINED, Outcome.CALLER_LEFT], RING_ABANDONED),
        ([Outcome.MISSED], NOT_CONNECTED),
        ([Outcome.DECLINED], NOT_CONNECTED),
        ([Outcome.RETURNED], NOT_CONNECTED),
        ([Outcome.DECLINED, Outcome.RINGING], NOT_CONNECTED),
        ([Outcome.MISSED, Outcome.ANSWERED_ELSEWHERE], NOT_CONNECTED),
        ([Outcome.ANSWERED_ELSEWHERE], None),
        ([Outcome.RINGING], None),
    ],
)
def test_the_class_of_a_call_for_an_agent(db: Connection, outcomes: list[Outcome], kind: CallClass | None) -> None:
    keep(db, call("c1"), *(offer("c1", "1001", each, at) for at, each in enumerate(outcomes)))
    assert classes(db, "1001") == ({"c1": kind} if kind else {})
    assert classes(db, "1002") == {}
    for one in CallClass:
        assert len(listed(db, "1001", one).calls) == (one is kind)


def test_a_call_transferred_between_agents_shows_for_both_and_each_has_its_own_class(db: Connection) -> None:
    keep(
        db,
        call("c1", answered=T0 + 2),
        offer("c1", "1002", Outcome.ANSWERED, 1, 2),
        offer("c1", "1001", Outcome.MISSED, 20, 50),
        offer("c1", "1002", Outcome.ANSWERED, 60, 61),
    )
    assert classes(db, "1002") == {"c1": NORMAL}
    assert classes(db, "1001") == {"c1": NOT_CONNECTED}
    (line,) = listed(db, "1002").calls
    assert line.talk_seconds == 20
    assert line.agents == (Who("1002", "1002"),)
    assert line.queue_name == "Support"


def test_the_class_for_the_whole_centre(db: Connection) -> None:
    keep(
        db,
        call("answered", answered=T0 + 5),
        call("left", ended=T0 + 6),
        offer("left", "1001", Outcome.CALLER_LEFT),
        call("waited"),
        call("missed"),
        offer("missed", "1001", Outcome.MISSED),
        call("rings", ended=None),
        offer("rings", "1001", Outcome.RINGING),
        call("talks", answered=T0 + 5, ended=None),
        evolve(call("echo"), queue="", test=True),
    )
    assert classes(db, None) == {
        "answered": NORMAL, "left": RING_ABANDONED, "waited": NOT_CONNECTED, "missed": NOT_CONNECTED, "talks": NORMAL,
    }  # fmt: skip


def test_the_centre_has_talked_as_long_as_any_agent_was_connected(db: Connection) -> None:
    """... and each moment counts once; what comes between two agents, and the survey after them, is none."""
    keep(
        db,
        call("c1", answered=T0 + 2),
        offer("c1", "1001", Outcome.ANSWERED, 1, 2),  # until 12, and gives it to a queue
        offer("c1", "1002", Outcome.ANSWERED, 40, 41),  # until 51
        evolve(offer("c1", "1001", Outcome.ANSWERED, 45, 46), ended=T0 + 49),  # consulted meanwhile
        evolve(offer("c1", "1003", Outcome.ANSWERED, 45, 50), ended=T0 + 60),  # who goes on with it
        call("waited", began=T0 - 1),
        offer("waited", "1001", Outcome.MISSED),
        call("talks", answered=T0 + 5, ended=None),
        evolve(offer("talks", "1001", Outcome.ANSWERED, 4, 5), ended=None),
    )
    talks = {line.call: line.talk_seconds for line in listed(db, None).calls}
    assert talks == {"c1": 10 + 19, "waited": 0, "talks": NOW - T0 - 5}
    mine = {line.call: line.talk_seconds for line in listed(db, "1001").calls}
    assert mine == {"c1": 10 + 3, "waited": 0, "talks": NOW - T0 - 5}
    whole = history.whole_call(db, "c1", None, NOW)
    assert whole is not None
    assert (whole.talk_seconds, [one.talk_seconds for one in whole.history]) == (29, [0])


def test_whoever_dialled_in_vain_is_the_agent_of_that_call(db: Connection) -> None:
    keep(
        db,
        evolve(call("out"), direction="outbound", queue=""),
        evolve(offer("out", "1001", Outcome.NOT_CONNECTED), queue=""),
    )
    (line,) = listed(db, None).calls
    assert (line.class_, line.agents, line.talk_seconds) == (NOT_CONNECTED, (Who("1001", "Lin"),), 0)


@given(st.lists(st.tuples(st.sampled_from(["1001", "1002"]), st.sampled_from(Outcome)), max_size=6), st.booleans())
def test_every_ended_call_has_one_class_in_the_centre_and_at_most_one_for_an_agent(
    shared: Engine, rung: list[tuple[str, Outcome]], answered: bool
) -> None:
    with writing(shared) as db:
        db.execute(schema.offers.delete())
        keep(db, call("c1", answered=T0 + 2 if answered else None))
        keep(db, *(offer("c1", agent, outcome, at) for at, (agent, outcome) in enumerate(rung)))
        every = [listed(db, None, kind).calls for kind in CallClass]
        assert sum(map(len, every)) == 1
        for agent in ("1001", "1002"):
            shown = [line for kind in CallClass for line in listed(db, agent, kind).calls]
            assert len(shown) <= 1
            assert list(listed(db, agent).calls) == shown


# --- pages and days ---------------------------------------------------------------------------------------------


def test_pages_follow_each_other_without_a_gap_where_many_began_at_once(db: Connection) -> None:
    names = [f"c{number:03}" for number in range(2 * history.PAGE + 50)]
    for at, name in enumerate(names):
        keep(db, call(name, T0 + at // 60), offer(name, "1001", Outcome.MISSED, at))
    got: list[str] = []
    after: Cursor | None = None
    for _ in range(3):
        page = listed(db, "1001", after=after)
        got += [line.call for line in page.calls]
        assert page.next is None or cursor(str(page.next)) == page.next
        after = page.next
    assert after is None
    assert got == names[::-1]


@pytest.mark.parametrize("text", ["", "1", "1.5", "1.5_", "a_b", "1e9_c", "-1.5_c", "1.5_c d", "١.5_c", "1" * 400])
def test_what_is_no_cursor(text: str) -> None:
    assert cursor(text) is None


def moment(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("zone", "now", "days", "first"),
    [
        ("Asia/Shanghai", "2026-11-25T15:59:59", 1, "2026-11-24T16:00:00"),
        ("Asia/Shanghai", "2026-11-25T16:00:00", 1, "2026-11-25T16:00:00"),
        ("Asia/Shanghai", "2026-11-25T12:00:00", 7, "2026-11-18T16:00:00"),
        # The week in which clocks are put forward is an hour shorter, the one in which they are put back longer.
        ("Europe/London", "2026-03-30T12:00:00", 2, "2026-03-29T00:00:00"),
        ("Europe/London", "2026-03-30T12:00:00", 1, "2026-03-29T23:00:00"),
        ("Europe/London", "2026-10-26T12:00:00", 2, "2026-10-24T23:00:00"),
        # No midnight on 25 April 2025 in Cairo: clocks went from 0:00 to 1:00.
        ("Africa/Cairo", "2025-04-25T12:00:00", 1, "2025-04-24T22:00:00"),
        # Two midnights on 2 November 2025 in Havana: from 1:00 back to 0:00.
        ("America/Havana", "2025-11-02T20:00:00", 1, "2025-11-02T04:00:00"),
    ],
)
def test_days_begin_at_midnight_there(zone: str, now: str, days: int, first: str) -> None:
    assert history.first_moment(moment(now), days, zoneinfo.ZoneInfo(zone)) == moment(first)


def test_calls_of_the_days_asked_for(db: Connection) -> None:
    now = moment("2026-11-25T12:00:00")
    first = history.since(db, now, 2)
    assert first == moment("2026-11-23T16:00:00")  # the organisation's zone
    for name, began in (("inside", first), ("outside", first - 0.001)):
        keep(db, call(name, began), evolve(offer(name, "1001", Outcome.MISSED), offered=began))
    for agent in ("1001", None):
        assert [line.call for line in listed(db, agent, since=first).calls] == ["inside"]


# --- one call ---------------------------------------------------------------------------------------------------


def test_one_call_whole(db: Connection) -> None:
    keep(
        db,
        call("before", T0 - 50),
        offer("before", "1002", Outcome.CALLER_LEFT),
        evolve(call("c1", answered=T0 + 2), ended_by="caller", cause="hung up", recorded=True),
        LegEntry("c1", 0, "caller", T0, T0 + 100),
        LegEntry("c1", 1, "1001", T0 + 2, T0 + 100),
        offer("c1", "1001", Outcome.ANSWERED),
        offer("c1", "9999", Outcome.DECLINED, 0.5),
        TransferEntry("c1", 1, "queue", "1001", T0 + 90, queue="support"),
        TransferEntry("c1", 2, "queue", "1001", T0 + 91, queue="sales"),
        TransferEntry("c1", 3, "agent", "1001", T0 + 92, agent="1002"),
        call("after", T0 + 5),
        evolve(call("another", T0 - 5), caller="+4479"),
    )
    whole = history.whole_call(db, "c1", None, NOW)
    assert whole is not None
    assert (whole.ended_by, whole.cause, whole.agents) == ("caller", "hung up", (Who("1001", "Lin"),))
    assert [(leg.party, leg.name, leg.began) for leg in whole.legs] == [("caller", "", T0), ("1001", "Lin", T0 + 2)]
    assert [(each.name, each.outcome) for each in whole.offers] == [
        ("9999", Outcome.DECLINED),  # is no agent any more
        ("Lin", Outcome.ANSWERED),
    ]
    names = [(each.queue, each.queue_name) for each in whole.transfers]
    assert names == [("support", "Support"), ("sales", "sales"), ("", "")], "sales is no queue any more"
    assert whole.recording is whole.sound.state is Sound.ENCODING
    assert [(line.call, line.class_) for line in whole.history] == [("before", RING_ABANDONED)]
    mine = history.whole_call(db, "c1", "9999", NOW)
    assert mine is not None
    assert (mine.class_, mine.talk_seconds) == (NOT_CONNECTED, 0)
    assert history.whole_call(db, "c2", None, NOW) is None
    assert history.whole_call(db, "c1", "1002", NOW) is None


def test_the_calls_before_are_those_of_the_number_in_any_of_its_writings(db: Connection) -> None:
    written = ("+8613912345678", "008613912345678", "013912345678", "13912345678", "+8613912345679", "913912345678")
    for at, number in enumerate(written):
        keep(db, evolve(call(f"c{at}", T0 + at), caller=number))
    for last in ("+8613912345678", "013912345678"):
        keep(db, evolve(call("last", T0 + 60), caller=last))
        whole = history.whole_call(db, "last", None, NOW)
        assert whole is not None
        assert [line.call for line in whole.history] == ["c3", "c2", "c1", "c0"]


def test_a_withheld_number_is_nobodys_history(db: Connection) -> None:
    keep(db, evolve(call("c1"), caller=""), evolve(call("c2", T0 + 5), caller=""))
    whole = history.whole_call(db, "c2", None, NOW)
    assert whole is not None
    assert whole.history == ()


def test_whose_call_it_is(db: Connection) -> None:
    keep(
        db,
        call("c1"),
        offer("c1", "1001", Outcome.RINGING),
        offer("c1", "1002", Outcome.ANSWERED_ELSEWHERE),
        offer("c1", "1003", Outcome.MISSED),
    )
    assert [history.touched(db, "c1", agent) for agent in ("1001", "1002", "1003", "1004")] == [
        True, False, True, False,
    ]  # fmt: skip
    keep(db, offer("c1", "1001", Outcome.ANSWERED))
    assert [history.talked(db, "c1", agent) for agent in ("1001", "1003", "1004")] == [True, False, False]


@pytest.mark.parametrize(
    ("entry", "told", "state"),
    [
        (call("c1"), [], Sound.NONE),
        (evolve(call("c1", ended=None), recorded=True), [], Sound.RECORDING),
        (evolve(call("c1"), recorded=True), [], Sound.ENCODING),
        (evolve(call("c1"), recorded=True), [RecordingEntry("c1", "c1.opus", "opus", 9.5, 1234, "p")], Sound.READY),
        (evolve(call("c1"), recorded=True), [RecordingEntry("c1", reason="no sound was kept")], Sound.LOST),
    ],
)
def test_how_far_a_recording_is(db: Connection, entry: CallEntry, told: list[RecordingEntry], state: Sound) -> None:
    entries.write(db, [evolve(entry, answered=T0 + 1), *told])
    found = parts.recording(db, "c1")
    assert found is not None
    assert found.state is state
    assert listed(db, None).calls[0].recording is state
    assert parts.recording(db, "c2") is None


def test_recordings_of_which_nobody_said_what_became_of_them(db: Connection) -> None:
    recorded = [evolve(call(f"c{number}", T0 + number), recorded=number > 0) for number in range(5)]
    keep(db, *recorded[:4], evolve(recorded[4], ended=None))
    entries.write(db, [RecordingEntry("c1", "c1.opus"), RecordingEntry("c2", reason="damaged")])
    assert parts.untold_recordings(db) == ["c3"]


# --- states -----------------------------------------------------------------------------------------------------

DAY = [
    StateEntry("1001", 5, T0, "idle", "signed in"),
    StateEntry("1001", 6, T0 + 10, "ringing", "offer", "c1"),
    StateEntry("1001", 7, T0 + 12.5, "talking", "answered", "c1"),
    # another process from here on
    StateEntry("1001", 1_800_000_100_000, T0 + 100, "signed_out", "the switch was restarted"),
]


def test_states_have_no_gap_and_no_overlap(db: Connection) -> None:
    keep(db, *DAY, StateEntry("1002", 1, T0 + 1, "break", "lunch"))
    spans = history.state_spans(db, "1001", T0, T0 + 150).states
    assert [(span.state, span.since, span.until, span.seconds) for span in spans] == [
        ("idle", T0, T0 + 10, 10),
        ("ringing", T0 + 10, T0 + 12.5, 2.5),
        ("talking", T0 + 12.5, T0 + 100, 87.5),
        ("signed_out", T0 + 100, None, 50),
    ]


@pytest.mark.parametrize(
    ("begin", "end", "states"),
    [
        (T0 + 11, T0 + 12, ["ringing"]),
        (T0 + 10, T0 + 13, ["ringing", "talking"]),
        (T0 - 9, T0 + 1, ["idle"]),
        (T0 - 9, T0, []),
        (T0 + 500, T0 + 600, ["signed_out"]),
    ],
)
def test_states_between_two_times(db: Connection, begin: float, end: float, states: list[str]) -> None:
    keep(db, *DAY)
    spans = history.state_spans(db, "1001", begin, end).states
    assert [span.state for span in spans] == states
    for one, next_one in itertools.pairwise(spans):
        assert one.until == next_one.since


def test_very_many_states_come_in_pages_that_meet(db: Connection) -> None:
    count = 2 * history.STATES
    keep(db, *(StateEntry("1001", 10 * n, T0 + n, "idle", str(n)) for n in range(count)))
    first = history.state_spans(db, "1001", T0 + 0.5, T0 + count)
    second = history.state_spans(db, "1001", T0 + 0.5, T0 + count, first.next)
    assert (len(first.states), second.next) == (history.STATES, None)
    whole = (*first.states, *second.states)
    assert [(span.reason, span.since) for span in whole] == [(str(n), T0 + n) for n in range(count)]
    assert all(one.until == after.since for one, after in itertools.pairwise(whole))
    assert whole[-1].until is None


def test_a_clock_that_was_set_back_makes_no_state_of_negative_length(db: Connection) -> None:
    keep(db, StateEntry("1001", 1, T0 + 50, "idle", ""), StateEntry("1001", 2, T0, "break", ""))
    spans = history.state_spans(db, "1001", T0 - 1, T0 + 100).states
    assert [span.seconds for span in spans] == [0, 100]


def test_the_queries_use_their_indices(db: Connection) -> None:
    for asked in (
        history._of_agent("1001", schema.offers.c.offered >= T0),
        history._of_centre().where(schema.calls.c.began >= T0).order_by(schema.calls.c.began.desc()),
        history._of_centre().where(schema.calls.c.caller == "1"),
    ):
        text = str(asked.compile(db, compile_kwargs={"literal_binds": True}))
        plan = [row[3] for row in db.exec_driver_sql("EXPLAIN QUERY PLAN " + text)]
        assert not [step for step in plan if step.startswith("SCAN") and "touched" not in step and "anon" not in step]
