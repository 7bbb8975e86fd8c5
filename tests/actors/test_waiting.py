"""A caller alone: in a queue where nobody is, for longer than it may, or with an agent who is away."""

from __future__ import annotations

import math

import pytest
from attrs import evolve
from cordboard.actors import agent_state as agents
from cordboard.actors import announcements, page, signals
from cordboard.actors import call_state as calls
from cordboard.actors import queue_state as queues
from cordboard.actors.announcements import LEAD, TAIL
from cordboard.actors.call import Call
from cordboard.actors.call_state import Phase
from cordboard.actors.effects import Down, Log, Media, Record, Sip, Started, Stop, Tell
from cordboard.actors.records import CallEntry, OfferEntry, Outcome
from cordboard.actors.routes import ToQueue
from cordboard.actors.waiting import GOODBYE_TIMEOUT
from cordboard.switch import protocol as media
from cordboard.switch.prompts import load
from cordboard.switch.sources import FRAMES_PER_SECOND, lengths

from .house import MUSIC, NOW, PAGE_OFFER, PROMPT_SECONDS, House, arrived

LEG = "call:c/caller"
SPOKEN = LEAD + PROMPT_SECONDS["goodbye"] + TAIL


@pytest.fixture
def house() -> House:
    house = House()
    house.queue(max_wait_seconds=60.0)
    return house


def waiting(language: str = "en", music: str = "hold") -> Call:
    """A call in a queue, by its own messages alone."""
    call = Call(arrived(), NOW)
    for message in (
        Started(),
        calls.Routed(ToQueue("support"), nat=False, language=language, music=music),
        media.LegOpened(LEG, "192.0.2.1", 20002),
    ):
        call.receive(message, NOW)
    return call


def phase(call: Call) -> Phase:
    return call.state.phase


def hears(source: str) -> Media:
    return Media(media.Rewire((media.Hears(LEG, ((source, 1.0),)),)))


def entry(house: House) -> CallEntry:
    """What is kept of the call in the end."""
    entries = [each.entry for each in house.of("call:c") if isinstance(each, Record)]
    return [each for each in entries if isinstance(each, CallEntry)][-1]


def offer(house: House, agent: str) -> OfferEntry:
    entries = [each.entry for each in house.of(f"agent:{agent}") if isinstance(each, Record)]
    return [each for each in entries if isinstance(each, OfferEntry)][-1]


# --- nobody signed in ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["zh", "en"])
def test_where_nobody_is_the_caller_is_told_in_the_language_of_the_house(language: str) -> None:
    call = waiting(language)
    playlist = announcements.nobody_here(language, "hold")
    assert call.receive(calls.QueueStands("support", attended=False), NOW) == [
        Media(media.OpenSource("call:c/play/1", playlist)),
        hears("call:c/play/1"),
    ]
    assert playlist.repeat
    assert media.Part(media.Prompt("nobody-here", language)) in playlist.parts
    # Told again, nothing begins anew; when somebody comes there is music, and what was played is closed.
    assert call.receive(calls.QueueStands("support", attended=False, max_wait_seconds=5.0), NOW) == []
    assert call.receive(calls.QueueStands("support", attended=True), NOW) == [
        Media(media.OpenSource(MUSIC, media.Music())),
        hears(MUSIC),
        Media(media.CloseSource("call:c/play/1")),
    ]
    assert call.receive(calls.QueueStands("support", attended=True), NOW) == []
    assert call.receive(calls.QueueStands("support", attended=False), NOW)[0] == Media(
        media.OpenSource("call:c/play/2", playlist)
    )


def test_the_music_of_the_queue_is_heard_wherever_nobody_talks() -> None:
    call = waiting("en", music="ours")
    opened = Media(media.OpenSource("music:ours", media.Music("ours")))
    assert call.receive(calls.QueueStands("support", attended=False), NOW)[0] == Media(
        media.OpenSource("call:c/play/1", announcements.nobody_here("en", "ours"))
    )
    assert call.receive(calls.QueueStands("support", attended=True), NOW)[:2] == [opened, hears("music:ours")]
    call.receive(calls.Accept("lin", "agent/leg"), NOW)
    away = announcements.agent_away("en", "ours")
    assert Media(media.OpenSource("call:c/play/2", away)) in call.receive(calls.AgentLeg("lin", "", away=True), NOW)
    for playlist in (away, announcements.nobody_here("en", "ours")):
        assert media.Music("ours") in [part.sound for part in playlist.parts]
    assert opened in call.receive(calls.AgentGone("lin"), NOW)


def test_only_a_sign_in_of_the_group_counts_and_a_break_does_not(house: House) -> None:
    house.queue("sales")
    house.call()
    assert house.heard() == "nobody-here"
    house.robot("other", "sales")
    assert house.heard() == "nobody-here"
    lin = house.robot("lin")
    assert (house.heard(), lin.state.phase) == ("music", agents.Phase.RINGING)
    house.ask("lin", page.SetState("break"))
    assert house.heard() == "music"  # there is somebody, who will be back
    house.robot("wei")
    house.ask("wei", page.SignOut())
    assert house.heard() == "music"
    house.ask("lin", page.SignOut())
    assert house.heard() == "nobody-here"
    house.tell("agent:lin", agents.Dismiss())
    house.robot("mei")
    assert house.heard() == "music"
    house.crash("agent:mei")
    assert house.heard() == "nobody-here"


def test_who_joins_an_empty_queue_is_told_at_once_and_each_from_the_first_word(house: House) -> None:
    for name in ("a", "b"):
        house.call(name)
        house.after(7)
    assert (house.heard("a"), house.heard("b")) == ("nobody-here", "nobody-here")
    assert house.engine.hears("call:a/caller") == {"call:a/play/1": 1.0}
    assert house.engine.hears("call:b/caller") == {"call:b/play/1": 1.0}
    house.robot("lin")
    assert (house.heard("a"), house.heard("b")) == ("music", "music")
    assert house.engine.sources == (MUSIC,)


def test_an_answer_ends_the_announcement() -> None:
    call = waiting()
    call.receive(calls.QueueStands("support", attended=False), NOW)
    effects = call.receive(calls.Accept("lin", "agent:lin/1"), NOW)
    assert Media(media.CloseSource("call:c/play/1")) in effects
    assert call.state.playing == {}
    assert call.receive(calls.QueueStands("support", attended=False), NOW) == [
        Log("late", (("input", "QueueStands"), ("state", "talking"), ("why", "the call had left the queue")), "debug")
    ]


# --- its number in line -------------------------------------------------------------------------------------------


def test_who_waits_hears_its_number_in_line_again_and_again_and_music_between() -> None:
    call = waiting("zh")
    call.receive(calls.QueueStands("support", attended=True, announce_seconds=30.0), NOW)
    assert call.deadline() == NOW + 30
    assert call.wake(NOW + 30) == [Tell("queue:support", queues.WhereAmI("c"))]
    assert call.deadline() == NOW + 60
    said = announcements.position("zh", 12)
    assert [part.sound.name for part in said.parts if isinstance(part.sound, media.Prompt)] == [
        "position",
        "digit-1",
        "digit-2",
    ]
    assert (said.barge_in, said.repeat) == (True, False)
    assert call.receive(calls.InLine("support", 12), NOW + 30) == [
        Media(media.OpenSource("call:c/play/1", said)),
        hears("call:c/play/1"),
    ]
    assert call.receive(media.SourceFinished("call:c/play/0"), NOW + 33) == []  # of something before
    assert call.receive(media.SourceFinished("call:c/play/1"), NOW + 33) == [
        Media(media.OpenSource(MUSIC, media.Music())),
        hears(MUSIC),
        Media(media.CloseSource("call:c/play/1")),
    ]
    # The queue may change its mind.
    call.receive(calls.QueueStands("support", attended=True, announce_seconds=100.0), NOW + 40)
    assert call.deadline() == NOW + 140
    call.receive(calls.QueueStands("support", attended=True), NOW + 50)
    assert call.deadline() == math.inf


def test_a_number_in_line_is_that_of_the_moment(house: House) -> None:
    house.tell("queue:support", queues.Profile("support", "Support", announce_seconds=20.0))
    lin = house.robot("lin")
    house.ask("lin", page.SetState("break"))
    for name in ("a", "b"):
        house.call(name)
        house.after(5)

    def number(name: str) -> list[str]:
        """What is being said, word by word."""
        kinds = [house.engine.kind(source) for source in house.engine.hears(f"call:{name}/caller")]
        parts = [part for kind in kinds if isinstance(kind, media.Playlist) for part in kind.parts]
        return [part.sound.name for part in parts if isinstance(part.sound, media.Prompt)]

    house.after(11)  # 21 s after the first came
    assert (number("a"), number("b")) == (["position", "digit-1"], [])
    house.fact(*house.engine.press("call:a/caller", "5", 100, "event", house.now))
    house.after(1)  # a key ended it, but for the pause behind
    assert (house.heard("a"), number("b")) == ("music", [])
    house.after(4)
    assert number("b") == ["position", "digit-2"]
    house.after(10)
    assert (house.heard("a"), house.heard("b")) == ("music", "music")
    house.ask("lin", page.SetState("idle"))
    house.ask("lin", page.Answer("a"))
    house.after(10)
    assert number("b") == ["position", "digit-1"]
    assert lin.state.phase is agents.Phase.TALKING
    # While nobody is signed in, that is what is said, and no number.
    house.tell("agent:lin", agents.Dismiss())
    assert house.heard("b") == "nobody-here"
    house.after(25)
    assert house.heard("b") == "nobody-here"


def test_the_end_of_a_number_is_not_the_end_of_the_goodbye() -> None:
    """Both cross where the wait is over while the number is said."""
    call = waiting("en")
    call.receive(calls.QueueStands("support", attended=True, max_wait_seconds=31.0, announce_seconds=30.0), NOW)
    call.wake(NOW + 30)
    call.receive(calls.InLine("support", 1), NOW + 30)
    call.wake(NOW + 31)
    assert phase(call) is Phase.GOODBYE
    assert call.receive(media.SourceFinished("call:c/play/1"), NOW + 31) == []
    assert Stop("system: waited too long") in call.receive(media.SourceFinished("call:c/play/2"), NOW + 35)


# --- the longest wait ---------------------------------------------------------------------------------------------


def test_a_caller_who_waits_too_long_hears_goodbye_and_then_it_ends(house: House) -> None:
    house.call()
    house.until(NOW + 59.999)
    assert house.heard() == "nobody-here"
    house.until(NOW + 60)
    assert (house.heard(), house.actors["queue:support"].state.calls) == ("goodbye", {})
    house.until(NOW + 60 + SPOKEN - 0.001)
    assert house.sip()[-1] != signals.Release("c", "waited too long")
    house.until(NOW + 60 + SPOKEN)
    assert house.sip()[-1] == signals.Release("c", "waited too long")
    kept = entry(house)
    assert (kept.ended_by, kept.cause, kept.answered) == ("system", "waited too long", None)
    assert kept.ended == pytest.approx(NOW + 60 + SPOKEN)
    assert (house.engine.legs, house.engine.sources) == ((), (MUSIC,))


def test_what_rings_at_that_moment_is_withdrawn(house: House) -> None:
    house.call()
    house.after(45)
    lin = house.robot("lin")
    assert lin.state.phase is agents.Phase.RINGING
    house.until(NOW + 60)
    assert (lin.state.phase, lin.state.reason) == (agents.Phase.IDLE, "waited too long")
    assert page.CallWithdrawn("c", "waited too long") in house.events("lin")
    assert offer(house, "lin").outcome is Outcome.RETURNED
    assert house.ask("lin", page.Answer()) == page.refuse("waited_too_long")
    house.call("next")
    assert lin.state.phase is agents.Phase.RINGING


@pytest.mark.parametrize("withdrawn_first", [False, True])
def test_an_answer_that_crosses_the_end_of_the_wait_is_lost(house: House, withdrawn_first: bool) -> None:
    house.call()
    house.after(45)
    lin = house.robot("lin")
    house.sleep("agent:lin")
    house.until(NOW + 60)
    assert house.heard() == "goodbye"
    house.actors["agent:lin"].receive(page.Request("lin", 99, "", page.Answer()), house.now)
    assert lin.state.phase is agents.Phase.ANSWERING
    if withdrawn_first:
        house.wake("agent:lin")
    house.tell("call:c", calls.Accept("lin", ""))
    house.wake("agent:lin")
    assert (lin.state.phase, lin.state.reason) == (agents.Phase.IDLE, "waited too long")
    assert house.heard() == "goodbye"
    house.after(SPOKEN)
    assert "call:c" not in house.actors


def test_an_answer_in_the_last_moment_is_an_answer(house: House) -> None:
    house.call()
    house.after(45)
    lin = house.robot("lin")
    house.until(NOW + 59.999)
    house.ask("lin", page.Answer())
    house.after(600)
    assert lin.state.phase is agents.Phase.TALKING


def test_a_caller_an_agent_lost_waits_anew(house: House) -> None:
    """What it waited before it talked, and how long it talked, is not counted."""
    house.robot("lin")
    call = house.call()
    house.after(10)
    house.ask("lin", page.Answer())
    house.after(500)
    house.crash("agent:lin")
    began = house.now
    house.until(began + 59.999)
    assert phase(call) is Phase.WAITING
    house.until(began + 60)
    assert (phase(call), house.heard()) == (Phase.GOODBYE, "goodbye")


def test_a_new_longest_wait_holds_for_who_waits_already(house: House) -> None:
    call = house.call()
    house.after(20)
    profile = house.actors["queue:support"].state.profile
    house.tell("queue:support", evolve(profile, max_wait_seconds=0.0))
    house.after(3600)
    assert phase(call) is Phase.WAITING
    house.tell("queue:support", evolve(profile, max_wait_seconds=10.0))
    house.after(0)
    assert phase(call) is Phase.GOODBYE


def test_who_hangs_up_during_the_goodbye_had_waited_too_long(house: House) -> None:
    house.call()
    house.after(61)
    house.tell("call:c", signals.Released("c", "hung up", by_caller=True))
    kept = entry(house)
    assert (kept.ended_by, kept.cause, kept.ended) == ("caller", "waited too long", NOW + 61)
    assert not any(isinstance(each, signals.Release) for each in house.sip())
    assert house.engine.sources == (MUSIC,)


def test_an_engine_that_does_not_say_when_it_is_over_is_not_waited_for() -> None:
    call = waiting()
    call.receive(Down("queue:support", "isolated"), NOW)
    assert call.deadline() == NOW + GOODBYE_TIMEOUT
    assert [each for each in call.wake(call.deadline()) if isinstance(each, Sip | Stop)] == [
        Sip(signals.Release("c", "the queue is gone")),
        Stop("system: the queue is gone"),
    ]


@pytest.mark.parametrize("lost", [False, True])
def test_an_answer_that_crosses_the_end_of_the_queue_is_lost(lost: bool) -> None:
    call = waiting()
    if lost:
        call.receive(Down("queue:support", "dismissed"), NOW)
    else:
        call.receive(calls.QueueStands("support", attended=True, max_wait_seconds=5.0), NOW)
        call.wake(call.deadline())
    why = "caller_left" if lost else "waited_too_long"
    assert call.receive(calls.Accept("lin", ""), NOW + 5) == [Tell("agent:lin", agents.Lost("c", why))]


def test_a_silent_caller_is_gone_before_it_has_waited_too_long(house: House) -> None:
    house.call()
    house.fact(*house.engine.connect(LEG), *house.engine.silence(LEG, 3.0))
    house.after(60)
    assert "call:c" not in house.actors
    assert entry(house).cause == "caller silent"


def test_the_queue_tells_its_calls_what_changed_and_nothing_else(house: House) -> None:
    def told() -> list[object]:
        return [
            each.message
            for each in house.of("queue:support")
            if isinstance(each, Tell) and isinstance(each.message, calls.QueueStands)
        ]

    house.call()
    assert told() == [calls.QueueStands("support", attended=False, max_wait_seconds=60.0)]
    house.robot("lin")
    house.robot("wei")
    house.ask("wei", page.SetState("break"))
    house.ask("lin", page.SignOut())
    assert told()[1:] == [calls.QueueStands("support", attended=True, max_wait_seconds=60.0)]
    house.tell("queue:support", queues.Leave("c"))
    house.ask("wei", page.SignOut())
    assert len(told()) == 2


# --- the agent is away --------------------------------------------------------------------------------------------


def test_a_caller_hears_of_an_agent_who_is_away_and_the_tape_does_not(house: House) -> None:
    lin = house.sitting("lin")
    house.call()
    house.ask("lin", page.Answer())
    first = lin.state.leg
    assert house.heard() == first
    house.after(5)
    house.fact(*house.engine.silence(first, 0.5))
    assert house.heard() == "agent-away"
    assert (house.engine.hears("c/left"), house.engine.hears("c/right")) == ({LEG: 1.0}, {})
    assert house.engine.hears(first) == {LEG: 1.0}
    playing = house.engine.hears(LEG)
    # Its media fails for good, and comes back: the prompt is not begun anew meanwhile.
    house.after(3)
    house.fact(*house.engine.fail(first, "consent gone", house.now))
    assert house.engine.hears(LEG) == playing
    house.ask("lin", page.Mute())
    assert house.engine.hears(LEG) == playing
    house.ask("lin", page.Unmute())
    house.ask("lin", page.RenewMedia(PAGE_OFFER))
    assert house.engine.hears(LEG) == playing
    house.fact(*house.engine.connect(lin.state.leg))
    assert house.heard() == lin.state.leg != first
    assert house.engine.hears("c/right") == {lin.state.leg: 1.0}
    assert house.engine.sources == (MUSIC,)


def test_an_agent_who_does_not_come_back_leaves_its_caller_to_the_others(house: House) -> None:
    house.sitting("lin")
    house.call()
    house.ask("lin", page.Answer())
    house.robot("wei")
    house.ask("wei", page.SetState("break"))
    house.after(5)
    house.fact(*house.engine.silence(house.actors["agent:lin"].state.leg, 0.5))
    house.after(19.9)
    assert house.heard() == "agent-away"
    house.after(0.2)
    assert house.heard() == "music"


# --- the playlists ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_announcement_can_be_made(language: str) -> None:
    """With the prompts that come with the switch."""
    prompts = load()

    def seconds(playlist: media.Playlist) -> float:
        return sum(lengths(playlist, prompts)) / FRAMES_PER_SECOND

    spoken = {
        "nobody here": seconds(announcements.nobody_here(language, "hold")),
        "agent away": seconds(announcements.agent_away(language, "hold")),
        "goodbye": seconds(announcements.goodbye(language)),
    }
    print(language, ", ".join(f"{name}: {length:.1f} s" for name, length in spoken.items()))
    assert 20 <= spoken["nobody here"] <= 30
    assert spoken["agent away"] < 20
    assert spoken["goodbye"] <= GOODBYE_TIMEOUT / 2
