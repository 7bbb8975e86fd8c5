"""The shell of every actor, on a virtual clock: exact times, crashes that stay where they are, watches, overload."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing
from attrs import define, evolve, field, frozen
from cordboard.actors.effects import (
    Behaviour,
    Down,
    Effect,
    Log,
    Media,
    Push,
    Record,
    Reply,
    Sip,
    Spawn,
    Started,
    Stop,
    Tell,
    Watch,
)
from cordboard.actors.pressure import Pressure
from cordboard.actors.runtime import CRASH_WINDOW, EDGE_MAILBOX, MAILBOX, MAX_CRASHES, Hands, System, unix_clock
from cordboard.actors.states import Born, Ended, Step, Told, Unwritten, changes
from cordboard.switch.protocol import CloseLeg

START = 1_700_000_000.0


@frozen
class Do:
    """The actor returns these effects."""

    effects: tuple[Effect, ...]


@frozen
class Alarm:
    """The actor wants to be woken then."""

    at: float


@frozen
class Crash:
    """The actor raises, after it has changed its state."""


@frozen
class Seen:
    """What an actor lived through: (time, message), "wake" for a timer."""

    log: tuple[tuple[float, object], ...] = ()
    alarm: float = math.inf


class Actor:
    """Does what it is told and remembers it."""

    def __init__(self) -> None:
        self.state = Seen()
        self.crashes_on_wake = False

    def receive(self, message: object, now: float) -> list[Effect]:
        self.state = evolve(self.state, log=(*self.state.log, (now, message)))
        match message:
            case Do(effects):
                return list(effects)
            case Alarm(at):
                self.state = evolve(self.state, alarm=at)
            case Crash():
                raise ValueError("as told")
        return []

    def deadline(self) -> float:
        return self.state.alarm

    def wake(self, now: float) -> list[Effect]:
        self.state = evolve(self.state, log=(*self.state.log, (now, "wake")), alarm=math.inf)
        if self.crashes_on_wake:
            raise ValueError("as told")
        return []

    def will(self, reason: str, now: float) -> list[Record]:
        return []

    def heard(self) -> list[object]:
        return [message for _, message in self.state.log if message != Started()]

    def times(self) -> list[float]:
        return [at - START for at, message in self.state.log if message != Started()]


class Mortal(Actor):
    """Ends when it crashes, as a call does."""

    ends_on_crash = True


class Unwilling(Mortal):
    """... and cannot even say what is to be kept of it."""

    def will(self, reason: str, now: float) -> list[Record]:
        raise ValueError("as told")


class Stuck(Actor):
    """Its timer is always due and a wake does nothing about it."""

    def deadline(self) -> float:
        return START

    def wake(self, now: float) -> list[Effect]:
        return []


class Quitter(Stuck):
    """Its timer ends it, and nothing else."""

    def wake(self, now: float) -> list[Effect]:
        return [Stop("over")]


def _say(*effect: object) -> None:
    raise AssertionError("nobody speaks here")


NOBODY = Hands(_say, _say, _say, _say, _say, _say)


@define
class Scene:
    """A system on a virtual clock, and what left it."""

    system: System
    said: list[tuple[str, Effect]] = field(factory=list)
    ended: list[tuple[str, str]] = field(factory=list)

    def spawn(self, name: str, actor: Actor | None = None) -> Actor:
        made = actor or Actor()
        self.system.spawn(name, made)
        return made

    def order(self, name: str, *effects: Effect) -> None:
        assert self.system.tell(name, Do(effects))


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    async with trio.open_nursery() as nursery:
        made = Scene(System(unix_clock(START), nursery))

        def say(name: str, effect: Sip | Media) -> None:
            if effect == Media(CloseLeg("unspeakable")):
                raise RuntimeError("these hands cannot")
            made.said.append((name, effect))

        made.system.connect(
            Hands(
                say,
                say,
                lambda effect: made.said.append(("", effect)),
                lambda effect: made.said.append(("", effect)),
                lambda effect: None,
                lambda name, effect: None,
            ),
            on_end=(lambda name, reason: made.ended.append((name, reason)),),
        )
        yield made
        made.system.stop()


def story(run: Callable[[Scene], Awaitable[None]]) -> Callable[[], None]:
    """An async story as a test, on a clock that jumps to the next timer when nothing else is to be done."""

    async def main() -> None:
        async with scene() as made:
            await run(made)

    def test() -> None:
        trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))

    test.__doc__ = run.__doc__
    return test


async def at(seconds: float) -> None:
    await trio.sleep_until(seconds)


@story
async def test_a_timer_is_served_at_its_time_to_the_last_digit(made: Scene) -> None:
    actor = made.spawn("a")
    made.system.tell("a", Alarm(START + 29.99))
    await at(30)
    assert actor.state.log[-1] == (START + 29.99, "wake")


@story
async def test_a_timer_comes_before_a_message_of_the_same_instant(made: Scene) -> None:
    actor = made.spawn("a")
    made.system.tell("a", Alarm(START + 10))
    await at(10)
    made.system.tell("a", "at ten")
    await at(11)
    assert actor.heard()[1:] == ["wake", "at ten"]
    assert actor.times() == [0, 10, 10]


@story
async def test_a_message_counts_from_when_it_came_not_from_when_it_was_read(made: Scene) -> None:
    """The task of the actor sees both the message and the timer only after both are past."""
    actor = made.spawn("a")
    made.system.tell("a", Alarm(START + 30))
    await at(29.99)
    made.system.tell("a", "in time")
    # The centre is busy for 20 ms: nothing else gets to run.
    clock = trio.lowlevel.current_clock()
    assert isinstance(clock, trio.testing.MockClock)
    clock.jump(0.02)
    made.system.tell("a", "too late")
    await at(31)
    assert actor.heard()[1:] == ["in time", "wake", "too late"]
    assert actor.times() == pytest.approx([0, 29.99, 30, 30.01])


@story
async def test_time_never_runs_backwards_for_an_actor(made: Scene) -> None:
    actor = made.spawn("a")
    await at(5)
    made.system.tell("a", Alarm(START + 1))
    made.system.tell("a", "next")
    await at(6)
    times = actor.times()
    assert times == sorted(times)
    assert actor.heard()[1:] == ["wake", "next"]


@story
async def test_a_crash_undoes_the_step_and_forgets_the_message(made: Scene) -> None:
    actor, other = made.spawn("a"), made.spawn("b")
    for message in ("one", Crash(), "two"):
        made.system.tell("a", message)
        made.system.tell("b", message if message != Crash() else "fine")
    await at(1)
    assert actor.heard() == ["one", "two"]
    assert other.heard() == ["one", "fine", "two"]
    assert (made.system.counters["crashes"], made.ended) == (1, [])


@story
async def test_a_crash_on_a_message_does_not_hold_the_timers_back(made: Scene) -> None:
    actor = made.spawn("a")
    made.system.tell("a", Alarm(START + 1))
    await at(0.9)
    made.system.tell("a", Crash())
    await at(3)
    assert actor.state.log[-1] == (START + 1, "wake")


@story
async def test_a_timer_that_crashes_is_tried_again_a_second_later_and_isolated_in_the_end(made: Scene) -> None:
    actor = made.spawn("a")
    actor.crashes_on_wake = True
    made.system.tell("a", Alarm(START + 1))
    await at(3.5)
    assert made.system.counters["crashes"] == 3
    made.system.tell("a", "still here")
    await at(3.6)
    assert actor.heard()[-1] == "still here"
    await at(10)
    assert made.ended == [("a", "crashed")]


@story
async def test_a_timer_that_stands_still_is_a_crash_and_no_spin(made: Scene) -> None:
    made.spawn("a", Stuck())
    await at(0.5)
    assert made.system.counters["crashes"] == 1
    assert made.system.tell("a", "hello")
    await at(10)
    assert made.ended == [("a", "crashed")]


@story
async def test_a_timer_may_end_its_actor(made: Scene) -> None:
    made.spawn("a", Quitter())
    await at(1)
    assert (made.ended, made.system.counters["crashes"]) == ([("a", "over")], 0)


@story
async def test_a_call_that_crashes_ends_and_its_watchers_hear(made: Scene) -> None:
    watcher = made.spawn("watcher")
    made.spawn("call:c", Mortal())
    made.order("watcher", Watch("call:c"))
    await at(1)
    made.system.tell("call:c", Crash())
    made.system.tell("call:c", "never read")
    await at(2)
    assert watcher.heard()[-1] == Down("call:c", "crashed")
    assert made.ended == [("call:c", "crashed")]
    assert made.system.counters["dead_letters"] == 1
    assert made.system.alive() == ["watcher"]


@story
async def test_five_crashes_in_30_s_isolate_an_actor_and_raise_an_alarm(made: Scene) -> None:
    watcher = made.spawn("watcher")
    made.spawn("a")
    made.order("watcher", Watch("a"))
    for i in range(MAX_CRASHES):
        await at(i * CRASH_WINDOW / (MAX_CRASHES - 1))
        assert made.ended == []
        made.system.tell("a", Crash())
    await at(40)
    assert made.ended == [("a", "crashed")]
    assert made.system.alarms == ["a crashed 5 times in 30 s and is isolated"]
    assert watcher.heard()[-1] == Down("a", "crashed")


@story
async def test_crashes_that_are_further_apart_do_not(made: Scene) -> None:
    made.spawn("a")
    for i in range(20):
        await at(i * 7.51)
        made.system.tell("a", Crash())
    await at(200)
    assert (made.ended, made.system.alarms) == ([], [])
    assert made.system.counters["crashes"] == 20


@story
async def test_one_effect_that_cannot_be_carried_out_does_not_swallow_the_rest(made: Scene) -> None:
    made.spawn("a")
    other = made.spawn("b")
    made.order("a", Spawn("b", Actor()), Media(CloseLeg("unspeakable")), Tell("b", "after all"))
    await at(1)
    assert other.heard() == ["after all"]
    assert made.system.counters["crashes"] == 1


@story
async def test_the_edge_is_shed_before_actors_are(made: Scene) -> None:
    actor = made.spawn("a")
    taken = [made.system.offer("a", i) for i in range(EDGE_MAILBOX + 10)]
    assert (sum(taken), taken[-1], made.system.counters["mailbox_full"]) == (EDGE_MAILBOX - 1, False, 11)
    assert made.system.tell("a", "from an actor")
    assert made.system.alarms == []
    await at(1)
    assert actor.heard() == [*range(EDGE_MAILBOX - 1), "from an actor"]
    assert made.system.offer("a", "again")


class Slow(Actor):
    """Takes 2 ms for a message."""

    def receive(self, message: object, now: float) -> list[Effect]:
        clock = trio.lowlevel.current_clock()
        assert isinstance(clock, trio.testing.MockClock)
        clock.jump(0.002)
        return super().receive(message, now)


@story
async def test_it_is_busy_while_all_that_happens_waits_too_long(made: Scene) -> None:
    made.system.pressure = Pressure(0.03)
    made.spawn("a", Slow())
    busy = [made.system.room < 1]
    await at(1)
    for number in range(100):
        made.system.tell("a", number)
    await at(1.15)
    busy.append(made.system.room < 1)
    assert not made.system.calm
    await at(3)
    busy.append(made.system.room < 1)
    assert busy == [False, True, False]
    await at(20)
    assert made.system.calm


@story
async def test_an_alarm_stands_once_until_it_is_cleared(made: Scene) -> None:
    made.system.alarm("the disk is full")
    made.system.alarm("the disk is full")
    assert made.system.alarms == ["the disk is full"]
    made.system.clear_alarm("the disk is full")
    made.system.clear_alarm("the disk is full")
    assert made.system.alarms == []


@story
async def test_an_actor_that_is_flooded_by_actors_raises_an_alarm(made: Scene) -> None:
    made.spawn("a")
    made.spawn("watched", Mortal())
    made.order("a", Watch("watched"))
    await at(1)
    while made.system.tell("a", "flood"):
        pass
    assert made.system.alarms == ["mailbox of a is full"]
    made.system.end("watched", "over")  # and yet it hears who is down
    actor = made.system._cells["a"].mailbox
    assert len(actor) == MAILBOX + 1
    await at(2)


@story
async def test_watchers_hear_however_an_actor_ends(made: Scene) -> None:
    watcher = made.spawn("watcher")
    for name in ("stops", "ended", "crashes"):
        made.spawn(name, Mortal())
        made.order("watcher", Watch(name), Watch(name))
    await at(1)
    made.order("stops", Stop("done"))
    made.system.end("ended", "from outside")
    made.system.tell("crashes", Crash())
    await at(2)
    downs = [message for message in watcher.heard() if isinstance(message, Down)]
    assert set(downs) == {Down("ended", "from outside"), Down("stops", "done"), Down("crashes", "crashed")}
    assert len(downs) == 3


@story
async def test_who_was_told_of_an_end_hears_no_other_word_of_it_unless_there_was_no_room(made: Scene) -> None:
    told, full = made.spawn("told"), made.spawn("full")
    for name in ("first", "second"):
        made.spawn(name)
    made.order("told", Watch("first"))
    made.order("full", Watch("second"))
    await at(1)
    made.order("first", Tell("told", "the end"), Stop("done", ("told",)))
    made.order("second", Tell("full", "the end"), Stop("done", ("full",)))
    while made.system.tell("full", "flood"):
        pass
    await at(2)
    assert told.heard()[-1] == "the end"
    assert ("the end" in full.heard(), full.heard()[-1]) == (False, Down("second", "done"))


@story
async def test_watching_a_dead_name_is_told_at_once(made: Scene) -> None:
    watcher = made.spawn("watcher")
    made.order("watcher", Watch("nobody"))
    await at(0.001)
    assert watcher.heard()[-1] == Down("nobody", "not alive")


@story
async def test_a_name_can_be_used_again_and_old_watches_are_gone(made: Scene) -> None:
    watcher = made.spawn("watcher")
    made.spawn("a")
    made.order("watcher", Watch("a"))
    await at(1)
    made.system.end("a", "first")
    made.spawn("a")
    with pytest.raises(RuntimeError, match="alive"):
        made.spawn("a")
    await at(2)
    made.system.end("a", "second")
    await at(3)
    assert [message for message in watcher.heard() if isinstance(message, Down)] == [Down("a", "first")]


@story
async def test_what_an_actor_says_as_it_stops_is_still_said(made: Scene) -> None:
    made.spawn("a")
    other = made.spawn("b")
    made.order("a", Stop("done"), Tell("b", "last words"), Log("gone", (("number", "+8613912345678"),)))
    await at(1)
    assert other.heard() == ["last words"]
    assert made.system.counters["crashes"] == 0


@story
async def test_dead_letters_are_counted(made: Scene) -> None:
    made.spawn("a")
    assert not made.system.tell("nobody", "hello")
    assert not made.system.offer("nobody", "hello")
    made.order("a", Tell("nobody", "hello"))
    await at(1)
    assert made.system.counters["dead_letters"] == 3


@story
async def test_the_youngest_end_first_and_each_is_closed(made: Scene) -> None:
    for name in ("switchboard", "trunk:t", "queue:q", "agent:a", "call:c"):
        made.spawn(name)
    await at(1)
    made.system.stop("stopping")
    assert made.ended == [(name, "stopping") for name in ("call:c", "agent:a", "queue:q", "trunk:t", "switchboard")]
    assert made.system.alive() == []


def test_a_shell_that_cannot_close_does_not_keep_the_watchers_waiting() -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            system = System(unix_clock(START), nursery)
            closed: list[str] = []

            def broken(name: str, reason: str) -> None:
                raise OSError("gone")

            system.connect(NOBODY, on_end=(broken, lambda name, reason: closed.append(name)))
            watcher = Actor()
            system.spawn("watcher", watcher)
            system.spawn("a", Actor())
            system.tell("watcher", Do((Watch("a"),)))
            await at(1)
            system.end("a", "over")
            await at(2)
            assert watcher.heard()[-1] == Down("a", "over")
            assert closed == ["a"]
            system.stop()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


class Kept(Unwritten):
    """The states, in memory."""

    def __init__(self) -> None:
        self.records: list[Told | Born | Ended | Step] = []

    def step(self, name: str, at: float, told: bool, before: object, after: object, effects: Iterable[Effect]) -> None:
        self.records.append(Step(name, at, told, changes(before, after), tuple(effects)))

    def add(self, record: object) -> None:
        assert isinstance(record, Told | Born | Ended)
        self.records.append(record)


def test_the_next_process_knows_who_ended_however_badly() -> None:
    """A crash within a crash: the states must tell of it, or whoever heard of it could not be recalled."""

    async def main() -> None:
        kept = Kept()
        async with trio.open_nursery() as nursery:
            system = System(unix_clock(START), nursery, kept)
            system.connect(NOBODY)
            system.spawn("call:c", Unwilling())
            system.spawn("watcher", Actor())
            system.tell("watcher", Do((Watch("call:c"),)))
            await at(1)
            system.tell("call:c", Crash())
            await at(2)
            assert system.state_of("watcher").log[-1][1] == Down("call:c", "crashed")
            nursery.cancel_scope.cancel()
        async with trio.open_nursery() as nursery:
            again = System(unix_clock(START), nursery)
            again.connect(NOBODY)
            for record in kept.records:
                again.recall(evolve(record, behaviour=Actor()) if isinstance(record, Born) else record)
            assert again.alive() == ["watcher"]
            assert again.state_of("watcher") == system.state_of("watcher")

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def test_pushes_and_replies_go_to_the_hub() -> None:
    from cordboard.actors import page

    async def main() -> None:
        async with scene() as made:
            made.spawn("a")
            effects = (Push("s", 1, page.MediaConnected()), Reply("s", 7, page.Accepted()))
            made.order("a", *effects)
            await at(1)
            assert [effect for _, effect in made.said] == list(effects)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def test_an_actor_is_a_behaviour() -> None:
    actor: Behaviour = Actor()
    assert actor.deadline() == math.inf


@story
async def test_it_rests_where_nobody_waits_and_nobody_did_for_a_while(made: Scene) -> None:
    found = [made.system.rests]
    made.system.pressure.load.works = 0.9
    found.append(made.system.rests)
    assert found == [True, False]
    assert made.system.idle
