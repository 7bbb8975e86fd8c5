"""Voicemail: what a caller hears that leaves a message, what is kept of it, and who is told."""

from __future__ import annotations

from typing import Any, TypeVar

import pytest
from attrs import evolve
from cordboard.actors import call_state as calls
from cordboard.actors import page, records, signals
from cordboard.actors import queue_state as queues
from cordboard.actors.announcements import BEEP, LEAD, TAIL
from cordboard.actors.call import Call
from cordboard.actors.call_state import TOO_LONG, Onward, Phase
from cordboard.actors.caller import MEDIA_TIMEOUT
from cordboard.actors.effects import Media, Record, Sip
from cordboard.actors.queue import Queue
from cordboard.actors.voicemail import LONGEST, SHORTEST
from cordboard.switch import protocol as media

from .house import NOW, PROMPT_SECONDS, House

# Until the tone is over, from the first word of the greeting on.
GREETING = LEAD + PROMPT_SECONDS["voicemail"] + LEAD + BEEP
LEG = "call:c/caller"
Kept = TypeVar("Kept", records.CallEntry, records.MessageEntry)
SENDS_ON: dict[str, Any] = {"sends_on_unattended": True, "overflow": Onward(voicemail=True)}


@pytest.fixture
def house() -> House:
    return House()


def kept(house: House, kind: type[Kept]) -> list[Kept]:
    return [each.entry for each in house.of("call:c") if isinstance(each, Record) and isinstance(each.entry, kind)]


def entry(house: House) -> records.CallEntry:
    return kept(house, records.CallEntry)[-1]


def message(house: House) -> records.MessageEntry | None:
    return next(reversed(kept(house, records.MessageEntry)), None)


def message_at(house: House) -> float | None:
    queue = house.actors["queue:support"]
    assert isinstance(queue, Queue)
    return queue.state.message_at


def taped(house: House) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(house.engine.hears(media.left("c"))), tuple(house.engine.hears(media.right("c")))


def opened(house: House) -> list[str]:
    said = [each.command for each in house.of("call:c") if isinstance(each, Media)]
    return [each.recording for each in said if isinstance(each, media.OpenRecording)]


def hangs_up(house: House) -> None:
    house.tell("call:c", signals.Released("c", "hung up", by_caller=True))


def speaks(house: House) -> Call:
    """A caller who has heard the tone."""
    house.queue(**SENDS_ON)
    call = house.call()
    house.after(GREETING + 0.1)
    return call


def test_the_caller_hears_the_greeting_and_a_tone_and_is_recorded_from_then_on(house: House) -> None:
    house.queue(**SENDS_ON)
    call = house.call()
    assert (call.state.phase, house.heard()) == (Phase.GOODBYE, "voicemail")
    house.after(GREETING - 0.1)
    assert (house.heard(), opened(house), message(house)) == ("voicemail", [], None)
    house.after(0.2)
    assert (house.heard(), opened(house)) == ("", ["c"])
    assert taped(house) == ((LEG,), ())
    begun = message(house)
    assert begun is not None
    assert (begun.queue, begun.ended) == ("support", None)
    assert begun.began == pytest.approx(NOW + GREETING)
    assert entry(house).recorded
    assert entry(house).answered is None
    house.after(20)
    hangs_up(house)
    left = message(house)
    assert left is not None
    assert left.ended == pytest.approx(NOW + GREETING + 20.1)
    assert (entry(house).ended_by, entry(house).cause) == ("caller", calls.UNATTENDED)
    assert message_at(house) == pytest.approx(left.ended)
    assert house.engine.legs == ()


def test_hash_ends_it_and_the_caller_is_thanked(house: House) -> None:
    call = speaks(house)
    house.after(5)
    house.fact(media.DigitPressed(LEG, "4", 100, "event"))
    assert call.state.phase is Phase.GOODBYE
    assert house.heard() == ""
    house.fact(media.DigitPressed(LEG, "#", 100, "event"))
    assert house.heard() == "survey-thanks"
    left = message(house)
    assert left is not None
    assert left.ended == house.now
    house.fact(media.DigitPressed(LEG, "#", 100, "event"))  # once more
    house.after(LEAD + PROMPT_SECONDS["survey-thanks"] + TAIL + 0.1)
    assert "call:c" not in house.actors
    assert entry(house).ended_by == "system"
    assert message(house) == left
    assert message_at(house) is not None


def test_hash_by_info_ends_it_too_and_a_key_in_the_greeting_only_that(house: House) -> None:
    house.queue(**SENDS_ON)
    house.call()
    house.after(1)
    house.tell("call:c", signals.KeyPressed("c", "#"))
    assert Media(media.PressKey(LEG, "#")) in list(house.of("call:c"))
    house.after(LEAD + BEEP + 0.1)
    assert message(house) is not None  # the greeting was cut short, the tone was heard
    house.after(3)
    house.tell("call:c", signals.KeyPressed("c", "#"))
    assert house.heard() == "survey-thanks"


def test_who_hangs_up_in_the_greeting_has_left_none(house: House) -> None:
    house.queue(**SENDS_ON)
    house.call()
    house.after(GREETING - 0.5)
    hangs_up(house)
    assert (message(house), opened(house), message_at(house)) == (None, [], None)
    assert not entry(house).recorded


def test_who_hangs_up_at_the_tone_has_left_none_that_anybody_is_told_of(house: House) -> None:
    speaks(house)
    house.after(SHORTEST - 0.2)
    hangs_up(house)
    left = message(house)
    assert left is not None
    assert left.ended is not None
    assert left.ended - left.began < SHORTEST
    assert message_at(house) is None


def test_the_longest_message(house: House) -> None:
    speaks(house)
    house.after(LONGEST - 0.2)
    assert house.heard() == ""
    house.after(0.2)
    assert house.heard() == "survey-thanks"
    house.after(10)
    assert "call:c" not in house.actors
    left = message(house)
    assert left is not None
    assert left.ended is not None
    assert left.ended - left.began == pytest.approx(LONGEST)


def test_a_caller_of_whom_nothing_comes_any_more_is_not_waited_for(house: House) -> None:
    speaks(house)
    house.after(10)
    house.fact(media.LegSilent(LEG, 1.0))
    house.after(MEDIA_TIMEOUT + 1)
    assert house.heard() == "survey-thanks"


def test_an_engine_that_never_ends_the_greeting_ends_the_call(house: House) -> None:
    house.queue(**SENDS_ON)
    call = house.call()
    house.tell("call:c", calls.Timeout())
    assert house.heard() == "survey-thanks"
    assert call.deadline() < NOW + 60
    assert message(house) is None


def test_a_caller_that_waited_unanswered_is_answered_first(house: House) -> None:
    house.queue(max_wait_seconds=5.0, overflow=Onward(voicemail=True))
    house.robot("lin")
    house.ask("lin", page.SetState("break"))
    house.call()
    call = house.actors["call:c"]
    assert isinstance(call, Call)
    call.state = evolve(call.state, answer_at=NOW + 60)
    house.after(5)
    said = [type(each.command).__name__ for each in house.of("call:c") if isinstance(each, Sip)]
    assert said[-1] == "AnswerSip"
    assert (house.heard(), call.state.cause) == ("voicemail", TOO_LONG)
    assert call.state.answer_at == float("inf")


def test_one_that_had_been_talked_with_goes_on_with_its_recording(house: House) -> None:
    house.queue(**SENDS_ON)
    house.robot("lin")
    house.call()
    house.ask("lin", page.Answer())
    house.crash("agent:lin")  # nobody is signed in any more
    assert house.heard() == "voicemail"
    house.after(GREETING + 0.1)
    assert opened(house) == ["c"]
    assert taped(house) == ((LEG,), ())
    assert message(house) is not None


def test_a_crash_closes_it(house: House) -> None:
    call = speaks(house)
    house.after(9)
    ended = [
        each.entry.ended for each in call.will("crashed", house.now) if isinstance(each.entry, records.MessageEntry)
    ]
    assert ended == [house.now]


def test_pages_are_told_that_there_is_one(house: House) -> None:
    house.queue(max_waiting=1, overflow=Onward(voicemail=True))
    house.robot("lin")
    house.ask("lin", page.SetState("break"))
    house.call("a")
    house.call()
    house.after(GREETING + 30)
    hangs_up(house)
    house.after(1)
    told = [each for each in house.events("lin") if isinstance(each, page.QueueStatus)]
    assert told[-1].message_at == message_at(house) is not None


def test_a_queue_that_is_gone_hears_nothing(house: House) -> None:
    speaks(house)
    house.tell("queue:support", queues.Dismiss())
    house.after(5)
    hangs_up(house)
    assert message(house) is not None
    assert [each for _, each in house.dead_letters if isinstance(each, queues.MessageLeft)]
