"""Callers whom their queue does not keep: closed, full, nobody signed in, waited too long; and where they go then."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from attrs import evolve
from cordboard.actors import agent_state as agents
from cordboard.actors import call_state as calls
from cordboard.actors import line, page, records, signals, switchboard
from cordboard.actors import queue_state as queues
from cordboard.actors.acts import NOBODY_TOOK_IT
from cordboard.actors.call import Call
from cordboard.actors.call_state import CLOSED, FULL, TOO_LONG, UNATTENDED, Onward, Phase
from cordboard.actors.directory import Directory
from cordboard.actors.effects import Media, Record, Tell
from cordboard.actors.hours import span
from cordboard.actors.keys import ConfigError
from cordboard.actors.organisation import Organisation, parse_organisation
from cordboard.actors.parties import Standing
from cordboard.actors.switchboard import Switchboard
from cordboard.switch import protocol as media
from cordboard.switch.sounds import BUILT_IN

from .house import NOW, House

SALES = Onward(queue=agents.QueueKnown("sales", "Sales", BUILT_IN))
OUTSIDE = Onward(number="+861055502000")
ZONE = "Asia/Shanghai"
# NOW is in this minute; an hour from it, and an hour to it.
THERE = datetime.fromtimestamp(NOW, ZoneInfo(ZONE))
OPEN = span(f"{THERE:%H}:00-{(THERE.hour + 1) % 24 or 24:02}:00")
SHUT = span(f"{(THERE.hour + 2) % 24:02}:00-{(THERE.hour + 3) % 24 or 24:02}:00")


@pytest.fixture
def house() -> House:
    house = House()
    house.queue("sales")
    return house


def support(house: House, **profile: Any) -> None:
    house.queue(time_zone=ZONE, **profile)


def where(house: House, call: str = "c") -> tuple[str, ...]:
    """The queues that have the call."""
    return tuple(name for name in ("support", "sales") if call in house.actors[f"queue:{name}"].state.calls)


def kept(house: House, call: str = "c") -> records.CallEntry:
    entries = [each.entry for each in house.of(f"call:{call}") if isinstance(each, Record)]
    return [each for each in entries if isinstance(each, records.CallEntry)][-1]


def given(house: House, call: str = "c") -> list[tuple[str, str, str, str, str]]:
    """Each time that the call was sent on, as it stands in the end: to what, why, and what came of it."""
    entries = [each.entry for each in house.of(f"call:{call}") if isinstance(each, Record)]
    last = {each.number: each for each in entries if isinstance(each, records.TransferEntry)}
    assert all(each.by == "" for each in last.values())
    return [(each.kind, each.queue or each.to, each.cause, each.outcome, each.why) for each in last.values()]


# --- when ---------------------------------------------------------------------------------------------------------


def test_who_calls_when_it_is_closed_is_told_so_and_it_ends(house: House) -> None:
    support(house, hours=(SHUT,))
    lin = house.robot("lin")
    call = house.call()
    assert (call.state.phase, house.heard(), where(house)) == (Phase.GOODBYE, "closed", ())
    assert lin.state.phase is agents.Phase.IDLE
    house.after(10)
    assert (kept(house).ended_by, kept(house).cause, kept(house).answered) == ("system", CLOSED, None)
    assert house.engine.legs == ()


def test_within_its_hours_it_is_open_and_on_a_holiday_it_is_not(house: House) -> None:
    support(house, hours=(OPEN,))
    house.call("a")
    assert where(house, "a") == ("support",)
    profile = house.actors["queue:support"].state.profile
    house.tell("queue:support", evolve(profile, holidays=(f"{THERE:%Y-%m-%d}",)))
    house.call("b")
    assert house.heard("b") == "closed"
    assert where(house, "a") == ("support",)  # who was let in waits on


def test_one_that_an_agent_lost_comes_back_though_it_is_closed_and_full_by_now(house: House) -> None:
    support(house)
    house.robot("lin")
    house.call()
    house.ask("lin", page.Answer())
    profile = house.actors["queue:support"].state.profile
    house.tell("queue:support", evolve(profile, hours=(SHUT,), max_waiting=1))
    house.crash("agent:lin")
    assert where(house) == ("support",)


def test_one_more_than_may_wait_goes_on(house: House) -> None:
    support(house, max_waiting=2, overflow=SALES)
    for name in ("a", "b", "c"):
        house.call(name)
    assert [where(house, name) for name in ("a", "b", "c")] == [("support",), ("support",), ("sales",)]
    assert given(house, "c") == [("queue", "sales", FULL, "queued", "")]
    house.tell("call:a", signals.Released("a", "hung up", by_caller=True))
    house.call("d")
    assert where(house, "d") == ("support",)


def test_where_nobody_is_signed_in_callers_go_on_at_once_and_as_the_last_one_leaves(house: House) -> None:
    support(house, sends_on_unattended=True, overflow=SALES)
    house.call("a")
    assert where(house, "a") == ("sales",)
    lin = house.robot("lin")
    house.ask("lin", page.SetState("break"))
    house.call("b")
    house.call("c")
    assert (where(house, "b"), house.heard("b")) == (("support",), "music")  # somebody is there, and will be back
    house.ask("lin", page.SetState("idle"))
    assert lin.state.phase is agents.Phase.RINGING
    house.ask("lin", page.SignOut())
    assert (where(house, "b"), where(house, "c")) == (("sales",), ("sales",))
    assert given(house, "b") == [("queue", "sales", UNATTENDED, "queued", "")]
    assert kept(house, "b").queue == "support"  # where it came in


def test_who_has_waited_too_long_goes_on_and_keeps_its_time(house: House) -> None:
    support(house, max_wait_seconds=60.0, overflow=SALES)
    wei = house.robot("wei", "sales")
    house.ask("wei", page.SetState("break"))
    house.call("early")
    house.until(NOW + 30)
    house.call("late", route=None)
    house.until(NOW + 59.9)
    assert where(house, "early") == ("support",)
    house.until(NOW + 60)
    assert where(house, "early") == ("sales",)
    assert given(house, "early") == [("queue", "sales", TOO_LONG, "queued", "")]
    assert house.heard("early") == "music"
    house.ask("wei", page.SetState("idle"))
    offer = wei.state.call
    assert offer is not None
    assert (offer.call, offer.queue, offer.waiting_since) == ("early", "sales", NOW)
    house.ask("wei", page.Answer())
    assert wei.state.phase is agents.Phase.TALKING


def test_the_longest_wait_of_the_next_queue_begins_there(house: House) -> None:
    support(house, max_wait_seconds=60.0, overflow=SALES)
    house.tell("queue:sales", queues.Profile("sales", "Sales", max_wait_seconds=50.0))
    house.call()
    house.until(NOW + 109.9)
    assert where(house) == ("sales",)
    house.until(NOW + 110)
    assert (where(house), house.heard()) == ((), "goodbye")


# --- where to -----------------------------------------------------------------------------------------------------


def test_a_call_comes_to_no_queue_again_that_has_sent_it_on(house: House) -> None:
    """Though the organisation may say so by now."""
    back = Onward(queue=agents.QueueKnown("support", "Support", BUILT_IN))
    house.tell("queue:sales", queues.Profile("sales", "Sales", sends_on_unattended=True, overflow=back))
    support(house, sends_on_unattended=True, overflow=SALES)
    call = house.call()
    assert (call.state.phase, house.heard()) == (Phase.GOODBYE, "goodbye")
    assert [each[1] for each in given(house)] == ["sales"]


def test_what_an_earlier_queue_still_says_is_not_for_the_call(house: House) -> None:
    support(house, max_wait_seconds=60.0, overflow=SALES)
    house.robot("wei", "sales")
    house.ask("wei", page.SetState("break"))
    call = house.call()
    house.until(NOW + 60)
    before = call.state
    house.tell(
        "call:c",
        calls.QueueStands("support", attended=False, max_wait_seconds=1.0),
        calls.InLine("support", 7),
        calls.SentOn("support", FULL),
    )
    assert call.state is before
    assert house.heard() == "music"


def outside(house: House) -> Call:
    """A call that its queue sends to a number, where it rings."""
    support(house, sends_on_unattended=True, overflow=OUTSIDE)
    house.engine.command(media.OpenRtpLeg("outside", "198.51.100.9", 4000, media.Codec("pcma", 8)), house.now)
    call = house.call()
    house.spawn("line:c+1", Directory())  # there is somebody of the line's name, who does nothing
    house.sleep("line:c+1")
    house.tell("call:c", line.LineBegun("c+1", OUTSIDE.number))
    return call


def test_a_number_outside_is_asked_for_by_the_one_way_out_and_on_nobody_s_account(house: House) -> None:
    call = outside(house)
    asked = [each.message for each in house.of("call:c") if isinstance(each, Tell) and each.to == "switchboard"]
    assert isinstance(asked.pop(0), switchboard.FindRoute)
    (reach,) = asked
    assert reach == line.Reach("c+1", "call:c", "", OUTSIDE.number)
    assert (call.state.phase, call.state.standing) == (Phase.TALKING, Standing.TRANSFER)
    assert house.heard() == "ringback:CN"
    assert given(house) == [("number", OUTSIDE.number, UNATTENDED, "ringing", "")]


def test_who_answers_outside_talks_with_the_caller_and_it_is_recorded(house: House) -> None:
    outside(house)
    house.after(5)
    house.tell("call:c", line.LineUp("c+1", "outside"))
    assert (house.heard(), house.engine.hears("outside")) == ("outside", {"call:c/caller": 1.0})
    assert (house.engine.hears("c/left"), house.engine.hears("c/right")) == ({"call:c/caller": 1.0}, {"outside": 1.0})
    assert (kept(house).answered, kept(house).recorded) == (NOW + 5, True)
    assert given(house) == [("number", OUTSIDE.number, UNATTENDED, "connected", "")]
    house.after(60)
    house.tell("call:c", line.LineOver("c+1", "callee", "hung_up", 0))
    assert (kept(house).ended_by, kept(house).ended) == ("system", NOW + 65)
    assert "call:c" not in house.actors


@pytest.mark.parametrize(("why", "status"), [("line_busy", 486), ("not_allowed", 0), ("not_answered", 0)])
def test_where_nobody_takes_it_outside_either_the_caller_hears_goodbye(house: House, why: str, status: int) -> None:
    call = outside(house)
    if why == "not_answered":
        house.after(60)  # as long as a line may ring
    else:
        house.tell("call:c", line.LineOver("c+1", "system", why, status))
    assert (call.state.phase, house.heard()) == (Phase.GOODBYE, "goodbye")
    assert given(house) == [("number", OUTSIDE.number, UNATTENDED, "failed", why)]
    house.after(10)
    assert (kept(house).ended_by, kept(house).cause, kept(house).answered) == ("system", NOBODY_TOOK_IT, None)


def test_a_caller_who_hangs_up_while_it_rings_outside_is_gone(house: House) -> None:
    outside(house)
    house.tell("call:c", signals.Released("c", "hung up", by_caller=True))
    assert given(house) == [("number", OUTSIDE.number, UNATTENDED, "abandoned", "")]
    assert "call:c" not in house.actors
    assert not [
        each for each in house.of("call:c") if isinstance(each, Media) and each.command == media.OpenRecording("c")
    ]


# --- how long ---------------------------------------------------------------------------------------------------------


def test_who_waits_hears_for_how_long_as_soon_as_that_is_known(house: House) -> None:
    support(house, announce_seconds=20.0, announce_wait=True)
    house.robot("lin")

    def words(call: str) -> list[str]:
        kinds = [house.engine.kind(source) for source in house.engine.hears(f"call:{call}/caller")]
        parts = [part for kind in kinds if isinstance(kind, media.Playlist) for part in kind.parts]
        return [part.sound.name for part in parts if isinstance(part.sound, media.Prompt)]

    for number in range(8):
        house.call(f"c{number}")
    house.after(20.1)
    assert words("c5") == ["position", "digit-6"]  # nobody was taken yet
    for _ in range(4):
        house.ask("lin", page.Answer())
        house.after(75)
        house.ask("lin", page.HangUp())
        house.ask("lin", page.StartAnswering())
    house.call("last")
    house.after(20.1)
    # Five in line, and some 90 s for each.
    assert words("last") == ["position", "digit-5", "wait", "digit-8", "minutes"]
    profile = house.actors["queue:support"].state.profile
    house.tell("queue:support", evolve(profile, announce_wait=False))
    house.after(20)
    assert words("last") == ["position", "digit-5"]


# --- what the organisation says ---------------------------------------------------------------------------------------

HOLIDAYS = """
[organisation]
holidays = [2026-10-01, "2026-10-02"]
[[queue]]
id = "sales"
[[queue]]
id = "support"
hours = ["Mon-Fri 09:00-18:00", "Sat 10:00-14:00"]
closed = "number:+861055502000"
overflow = "queue:sales"
unattended = "overflow"
max_waiting = 20
"""


def test_each_queue_is_told_of_itself() -> None:
    organisation = parse_organisation(HOLIDAYS)
    profile = Switchboard(organisation, ("pcma",))._profiles()["queue:support"]
    assert isinstance(profile, queues.Profile)
    assert (profile.hours, profile.holidays) == (tuple(map(span, organisation.queues[1].hours)), organisation.holidays)
    assert (profile.closed, profile.overflow) == (OUTSIDE, Onward(queue=agents.QueueKnown("sales", "sales", BUILT_IN)))
    assert (profile.max_waiting, profile.sends_on_unattended, profile.announce_wait) == (20, True, True)
    assert organisation.holidays == ("2026-10-01", "2026-10-02")
    assert Organisation().holidays == ()


@pytest.mark.parametrize(
    ("entry", "error"),
    [
        ('overflow = "queue:sale"', r"\[\[queue\]\] 'support' overflow: no queue 'sale'; did you mean \"sales\"\?"),
        ('closed = "queue:support"', r"\[\[queue\]\] 'support': overflow or closed leads back to it"),
        ('closed = "queue:other"', r"\[\[queue\]\] 'other': overflow or closed leads back to it"),
        ('overflow = "echo"', "overflow: must be empty or one of queue:ID, number:NUMBER, voicemail; found 'echo'"),
        ('overflow = "number:sip:me@there"', "overflow: must be empty or one of"),
        ('unattended = "overflow"', '\'support\' unattended: "overflow" needs the key "overflow"'),
        ('unattended = "never"', "unattended: must be one of wait, overflow"),
        ("max_waiting = -1", "max_waiting: must be 0 to"),
        ('hours = "9 to 5"', "hours: must be as"),
    ],
)
def test_what_cannot_be_meant_is_refused(entry: str, error: str) -> None:
    others = '[[queue]]\nid = "sales"\n[[queue]]\nid = "other"\noverflow = "queue:support"\n'
    with pytest.raises(ConfigError, match=error):
        parse_organisation(f'{others}[[queue]]\nid = "support"\n{entry}\n')
