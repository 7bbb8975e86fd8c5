"""The shell of every actor: a bounded mailbox, its turn in the one task of all, and the hands that carry out effects.

A behaviour decides, this module does. Actors take turns (turns.py), a message or a timer at each; after `AT_ONCE` turns
the rest of the process has its own. A message counts from when it came, however long it waited: the timers that came
due by then are served first, each at its own time, then the behaviour steps, and its effects are carried out in order
without awaiting, so a step and its effects are one thing. A step that raises is undone (the behaviour's `state` is put
back) and its message is quarantined: counted, logged, forgotten. What happens next depends on the actor: a call ends,
since its world is no longer true; everyone else goes on. One that crashes `MAX_CRASHES` times in `CRASH_WINDOW` seconds
is isolated: ended, with an alarm, and the rest stays as it is.

Whoever watches an actor hears `Down` however it ends. What it opened outside (legs, SIP calls) is closed by the shells
registered with `on_end`.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, KeysView, Mapping
from typing import Any, Final, get_args

import structlog
import trio
from attrs import define, field

from . import alarms
from .effects import (
    Alarm,
    Behaviour,
    Down,
    Effect,
    Locate,
    Log,
    LookBack,
    Media,
    Push,
    Reply,
    Sip,
    Spawn,
    Started,
    Stop,
    Tell,
    Unwatch,
    Watch,
)
from .effects import Record as Keep
from .pressure import Pressure
from .redact import redacted, redacted_trace
from .states import UNWRITTEN, ActorState, Born, Ended, Record, Step, Told, Unwritten, Whole, changed
from .steps import UNJOURNALLED, Unjournalled, step
from .turns import Turns, oldest

# What waits for one actor at most when it comes from outside: beyond it the edge says "busy" (503, error, close).
EDGE_MAILBOX = 256
# ... and when actors tell each other: they cannot wait or refuse, so this is far above what a healthy centre reaches.
MAILBOX = 10_000
# Watchers always hear that an actor is down: there is one such message for each watch.
UNBOUNDED = math.inf
MAX_CRASHES = 5
CRASH_WINDOW = 30.0
TIMER_RETRY = 1.0
# So many turns at most before sockets and timers of others are looked at: some milliseconds.
AT_ONCE = 32
# What the log calls a step that no message caused.
TIMER = "timer"
# Why actors end when the whole process does.
STOPPING = "stopping"
# What is counted. A figure that first appears as it counts has not risen for who asks by how much it has.
COUNTED: Final = {"calls": 0, "crashes": 0, "dead_letters": 0, "mailbox_full": 0}

log = structlog.get_logger()


@define
class Hands:
    """Who carries out the effects that leave the runtime; each takes the acting actor's name and must not raise."""

    sip: Callable[[str, Sip], None]
    media: Callable[[str, Media], None]
    push: Callable[[Push], None]
    reply: Callable[[Reply], None]
    record: Callable[[Keep], None]
    locate: Callable[[str, Locate], None]
    # Whoever asks waits for no answer where nobody looks.
    look_back: Callable[[str, LookBack], None] = lambda actor, question: None


@define(eq=False)
class _Cell:
    """One live actor."""

    name: str
    behaviour: Behaviour
    # The time of its last step: it never runs backwards.
    at: float
    # (when it came, message, whether it is in the states)
    mailbox: deque[tuple[float, object, bool]] = field(factory=deque)
    # What `turns` knows of it, and when it wants to be woken, as of its last step.
    scheduled: float = math.inf
    due: float = math.inf
    # Who hears that it ended, in the order they asked; and whom it asked about itself: neither outlives either side.
    watchers: dict[str, None] = field(factory=dict)
    watched: dict[str, None] = field(factory=dict)
    # When it crashed last, at most `MAX_CRASHES` of them.
    crashes: tuple[float, ...] = ()
    ended: str | None = None
    # After a timer's crash timers rest until then: one that crashes each time must not spin.
    timers_from: float = -math.inf

    def deadline(self) -> float:
        return max(self.behaviour.deadline(), self.timers_from, self.at)


class System:
    """All live actors of one control process.

    `clock` gives seconds since the Unix epoch and never runs backwards; on a virtual clock it is that clock.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        nursery: trio.Nursery,
        states: Unwritten = UNWRITTEN,
        journal: Unjournalled = UNJOURNALLED,
        choose: Callable[[int], int] = oldest,
        pressure: Pressure | None = None,
    ) -> None:
        # How long messages wait for their turn.
        self.pressure = pressure or Pressure()
        self._clock = clock
        self._nursery = nursery
        self._states = states
        self._journal = journal
        # While an earlier process is recalled: the time it was then. No task runs, no edge is there.
        self._recalled_at: float | None = None
        self._cells: dict[str, _Cell] = {}
        self._turns: Turns[_Cell] = Turns(choose)
        # The task waits for it, where there is one.
        self._bell = trio.Event()
        self._works = False
        # Within a turn, when that began: the clock is asked once for all that it does.
        self._turn_at: float | None = None
        self._hands: Hands | None = None
        self._ways: dict[type, Callable[[_Cell, Any], object]] = {}
        self._on_end: list[Callable[[str, str], None]] = []
        self.counters: Counter[str] = Counter(COUNTED)
        self.alarms: list[str] = []
        # They hear of every actor that is another than it was, and of media legs (`watchman.leg_name`) from their
        # shell.
        self.touches: list[Callable[[str], None]] = []

    def connect(self, hands: Hands, on_end: Iterable[Callable[[str, str], None]] = ()) -> None:
        """Gives the runtime its hands; before the first spawn."""
        self._hands = hands
        self._on_end = list(on_end)
        self._ways = {
            Tell: lambda cell, effect: self._deliver(effect.to, effect.message),
            Spawn: lambda cell, effect: self._bear(effect.name, effect.behaviour),
            Watch: lambda cell, effect: self._watch(cell.name, effect.name),
            Unwatch: lambda cell, effect: self._unwatch(cell, effect.name),
            Stop: lambda cell, effect: self._remove(cell, effect.reason, effect.told),
            Sip: lambda cell, effect: hands.sip(cell.name, effect),
            Media: lambda cell, effect: hands.media(cell.name, effect),
            Push: lambda cell, effect: hands.push(effect),
            Reply: lambda cell, effect: hands.reply(effect),
            Keep: lambda cell, effect: hands.record(effect),
            Locate: lambda cell, effect: hands.locate(cell.name, effect),
            LookBack: lambda cell, effect: hands.look_back(cell.name, effect),
            Log: lambda cell, effect: getattr(log, effect.level)(
                effect.event, actor=cell.name, **redacted(dict(effect.fields))
            ),
            Alarm: lambda cell, effect: (self.alarm if effect.standing else self.clear_alarm)(effect.text),
        }
        assert self._ways.keys() == set(get_args(Effect)), "every effect has its way"

    # --- from outside -----------------------------------------------------------------------------------------

    def spawn(self, name: str, behaviour: Behaviour) -> None:
        """Starts an actor; a second one of a live name is an error of ours."""
        if name in self._cells:
            raise RuntimeError(f"an actor named {name} is alive")
        self._states.add(Born(name, self._now(), behaviour))
        self._bear(name, behaviour)

    def _bear(self, name: str, behaviour: Behaviour) -> None:
        if name in self._cells:
            raise RuntimeError(f"an actor named {name} is alive")
        now = self._now()
        cell = _Cell(name, behaviour, now)
        cell.due = cell.deadline()
        self._cells[name] = cell
        self.touch(name)
        self._put(cell, Started(), now, told=True)
        if self._recalled_at is None:
            self._journal.born(name, now, behaviour)

    def _now(self) -> float:
        if self._turn_at is not None:
            return self._turn_at
        return self._clock() if self._recalled_at is None else self._recalled_at

    def tell(self, name: str, message: object, *, kept: bool = True) -> bool:
        """From a shell: False if there is no such actor or its mailbox is full. `kept`: the next process tells it too,
        where this one dies before the actor has taken it."""
        if not self._takes(name, MAILBOX):
            return False
        if kept:
            self._states.add(Told(name, self._now(), message))
        self._put(self._cells[name], message, self._now(), told=kept)
        return True

    def offer(self, name: str, message: object) -> bool:
        """From the edge, a page's request: False sheds the load there. It dies with its page, and so with us."""
        if not self._takes(name, EDGE_MAILBOX):
            return False
        self._put(self._cells[name], message, self._now(), told=False)
        return True

    @property
    def room(self) -> float:
        """How many calls may begin now, of those that somebody asks to; `math.inf` where nobody is ever refused. For
        whoever asks at each beginning."""
        now, first = self._clock(), self._turns.first()
        self.pressure.waited(now - first.mailbox[0][0] if first is not None and first.mailbox else 0.0, now)
        return self.pressure.room(len(self._turns), now)

    @property
    def idle(self) -> bool:
        """Nobody waits for a turn, and no caller for an answer."""
        return not self._turns and not self.pressure.setups

    @property
    def rests(self) -> bool:
        """Idle, and mostly so for a second: there is time for something longer."""
        self.pressure.load.look(self._clock())
        return self.idle and self.pressure.load.easy

    @property
    def calm(self) -> bool:
        """Nobody was refused for a while."""
        return self.pressure.calm(self._clock())

    @property
    def living(self) -> int:
        """How many actors there are."""
        return len(self._cells)

    @property
    def names(self) -> KeysView[str]:
        """Of all live actors."""
        return self._cells.keys()

    def alive(self, prefix: str = "") -> list[str]:
        return [name for name in self._cells if name.startswith(prefix)]

    def end(self, name: str, reason: str) -> None:
        """Ends an actor from outside, after the step it is in."""
        cell = self._cells.get(name)
        if cell is not None:
            self._end(cell, reason)

    def close(self, name: str) -> None:
        """What is still open outside for an actor that has ended is closed again."""
        assert name not in self._cells, "what is open for who lives is its own"
        self._close(name, "ended")

    def stop(self, reason: str = STOPPING) -> None:
        """Ends every actor, the youngest first: calls before agents, these before queues, trunks and switchboard."""
        for name in reversed(list(self._cells)):
            self.end(name, reason)

    def touch(self, name: str) -> None:
        """That actor or leg is another than it was."""
        for hear in self.touches:
            hear(name)

    def alarm(self, text: str) -> None:
        """What an operator has to know, until it is cleared; raised again it is one."""
        if text not in self.alarms:
            self.alarms.append(text)
            log.critical("alarm", text=text)

    def clear_alarm(self, text: str) -> None:
        """It is over; what was not raised is no error."""
        if text in self.alarms:
            self.alarms.remove(text)
            log.warning("alarm is over", text=text)

    # --- one actor --------------------------------------------------------------------------------------------

    def _deliver(self, name: str, message: object, limit: float = MAILBOX) -> None:
        """Between actors, within a step."""
        if self._takes(name, limit):
            self._put(self._cells[name], message, self._now(), told=True)

    def _put(self, cell: _Cell, message: object, came: float, *, told: bool) -> None:
        cell.mailbox.append((came, message, told))
        if self._recalled_at is None:
            self._turns.add(cell)
            self._ring()

    def _ring(self) -> None:
        """There is something to do."""
        if not self._works:
            self._works = True
            self._nursery.start_soon(self._work, name="actors")
        self._bell.set()

    def _takes(self, name: str, limit: float) -> bool:
        cell = self._cells.get(name)
        if cell is None:
            self.counters["dead_letters"] += 1
            return False
        if len(cell.mailbox) >= limit:
            self.counters["mailbox_full"] += 1
            if limit == MAILBOX:
                self.alarm(alarms.FLOODED.says(actor=name))
            return False
        return True

    async def _work(self) -> None:
        """All that actors do, as long as there are some."""
        now = self._clock()
        while self._cells:
            if self._turns:
                await trio.lowlevel.checkpoint()
            else:
                self._bell = trio.Event()
                with trio.move_on_after(max(0.0, self._turns.deadline() - now)):
                    await self._bell.wait()
            began = now = self._clock()
            turns = 0
            try:
                while turns < AT_ONCE and (cell := self._turns.take(now)) is not None:
                    self._turn_at = now
                    self._turn(cell, now)
                    turns += 1
                    now = self._clock()
            finally:
                self._turn_at = None
            self.pressure.took(turns, now - began)
        self._works = False

    def _turn(self, cell: _Cell, now: float) -> None:
        """Serves what is due: the timer that came due before the next message did, or that message."""
        if cell.ended is not None:
            return
        if cell.due <= now and not (cell.mailbox and cell.mailbox[0][0] < cell.due):
            cell.at = cell.due
            self._step(cell, None, told=False)
            if cell.mailbox:
                self._turns.again(cell)  # this turn was for a message
        elif cell.mailbox:
            came, message, told = cell.mailbox.popleft()
            self.pressure.waited(now - came, now)
            cell.at = max(cell.at, came)
            self._step(cell, message, told)
        if cell.ended is None:
            self._schedule(cell)

    def _schedule(self, cell: _Cell) -> None:
        """When it wants to be woken."""
        cell.due = cell.deadline()
        self._turns.wake(cell, cell.due)

    def _step(self, cell: _Cell, message: object | None, told: bool) -> None:
        """Of a message, or of a timer that is due where there is none."""
        name, at, behaviour = cell.name, cell.at, cell.behaviour
        before = behaviour.state
        try:
            effects = step(behaviour, message, at)
        except Exception as error:  # the supervisor: one actor's bug stays in that actor
            self._states.step(name, at, told, before, before, ())
            self._journal.crashed(name, at, message, told, behaviour, error)
            self._crashed(cell, message, error)
            return
        after = behaviour.state
        self._states.step(name, at, told, before, after, effects)
        if after is not before:
            self.touch(name)
        self._journal.took(name, at, message, told, effects)
        failure = self._carry_out(cell, effects)
        if failure is not None:
            self._crashed(cell, message, failure)

    def _carry_out(self, cell: _Cell, effects: Iterable[Effect]) -> Exception | None:
        """All of them; gives the first error, if there was one."""
        failure: Exception | None = None
        for effect in effects:
            try:
                self._perform(cell, effect)
            except Exception as error:  # the same bug, met a moment later: what else the step wanted is still done
                failure = failure or error
        return failure

    def _perform(self, cell: _Cell, effect: Effect) -> None:
        self._ways[type(effect)](cell, effect)

    def _watch(self, watcher: str, name: str) -> None:
        cell = self._cells.get(name)
        if cell is None:
            self._deliver(watcher, Down(name, "not alive"), UNBOUNDED)
        elif watcher in self._cells:
            cell.watchers[watcher] = None
            self._cells[watcher].watched[name] = None

    def _unwatch(self, cell: _Cell, name: str) -> None:
        cell.watched.pop(name, None)
        if name in self._cells:
            self._cells[name].watchers.pop(cell.name, None)

    def _crashed(self, cell: _Cell, message: object | None, error: Exception) -> None:
        now = cell.at
        what = TIMER if message is None else type(message).__name__
        self.counters["crashes"] += 1
        log.error("actor crashed", actor=cell.name, message=what, trace=redacted_trace(error))
        cell.crashes = (*cell.crashes, now)[-MAX_CRASHES:]
        often = len(cell.crashes) == MAX_CRASHES and now - cell.crashes[0] <= CRASH_WINDOW
        if often:
            self.alarm(alarms.ISOLATED.says(actor=cell.name, times=MAX_CRASHES, seconds=CRASH_WINDOW))
        if often or getattr(cell.behaviour, "ends_on_crash", False):
            self._end(cell, "crashed")
        elif message is None:
            cell.timers_from = now + TIMER_RETRY

    def _end(self, cell: _Cell, reason: str) -> None:
        """Ends an actor that did not say so itself: its will is done."""
        if cell.ended is not None:
            return
        assert self._hands is not None, "connect() comes before the first spawn"
        now, will = max(cell.at, self._clock()), None
        try:
            will = cell.behaviour.will(reason, now)
            for record in will:
                self._states.said(record.entry)
                self._hands.record(record)
        except Exception as error:  # a will that cannot be read must not keep the watchers waiting either
            self.counters["crashes"] += 1
            log.error("no will", actor=cell.name, trace=redacted_trace(error))
        self._states.add(Ended(cell.name, now, reason))
        self._journal.ended(cell.name, now, reason, will)
        self._remove(cell, reason)

    def _remove(self, cell: _Cell, reason: str, told: Collection[str] = ()) -> None:
        if cell.ended is not None:
            return
        cell.ended = reason
        del self._cells[cell.name]
        self._turns.leave(cell)
        self._bell.set()
        self.counters["dead_letters"] += len(cell.mailbox)
        self.touch(cell.name)
        self._close(cell.name, reason)
        for name in cell.watched:
            if name in self._cells:
                self._cells[name].watchers.pop(cell.name, None)
        for watcher in cell.watchers:
            watching = self._cells.get(watcher)
            if watching is not None:
                watching.watched.pop(cell.name, None)
                # what it was told may not have had room, and this has always
                if watcher not in told or len(watching.mailbox) >= MAILBOX:
                    self._deliver(watcher, Down(cell.name, reason), UNBOUNDED)

    def _close(self, name: str, reason: str) -> None:
        for close in self._on_end:
            try:
                close(name, reason)
            except Exception as error:  # what one shell cannot close must not keep the watchers waiting
                self.counters["crashes"] += 1
                log.error("not closed", actor=name, trace=redacted_trace(error))

    # --- what an earlier process left ---------------------------------------------------------------------------

    def recall(self, record: Record) -> None:
        """Brings the actors to where this record, the next, leaves them, by carrying out again what a step wanted of
        the runtime itself.

        No behaviour is asked anything. The hands of that time are given by `connect`, before; `go` ends it.
        """
        match record:
            case Whole(at, actors):
                self._recalled_at = at
                for one in actors:
                    self._recall_actor(one)
                for one in actors:
                    for watcher in one.watchers:
                        self._watch(watcher, one.name)
            case Born(name, at, behaviour):
                self._recalled_at = at
                self._bear(name, behaviour)
            case Told(name, at, message):
                self._recalled_at = at
                self._put(self._cells[name], message, at, told=True)
            case Step(name, at):
                self._recalled_at = at
                self._recall_step(self._cells[name], record)
            case Ended(name, at, reason):
                self._recalled_at = at
                self._remove(self._cells[name], reason)
            case _:
                pass

    def _recall_actor(self, one: ActorState) -> None:
        cell = _Cell(one.name, one.behaviour, one.at)
        for came, message in one.mailbox:
            self._put(cell, message, came, told=True)
        self._cells[one.name] = cell

    def _recall_step(self, cell: _Cell, step: Step) -> None:
        if step.told:
            cell.mailbox.popleft()
        cell.at = step.at
        cell.behaviour.state = changed(cell.behaviour.state, step.changes)
        self._carry_out(cell, step.effects)

    def go(self, first: Mapping[str, object] | None = None) -> None:
        """What was recalled lives again, as if no time had passed for it but that on the clock: from the next
        checkpoint on, with the hands that it has then. `first` is what some hear before all that came, or came due,
        while nobody was there: they must not take our absence for somebody's silence."""
        for name, message in (first or {}).items():
            self._cells[name].mailbox.appendleft((0.0, message, True))
        self._recalled_at = None
        self.counters.clear()
        self.counters.update(COUNTED)
        for cell in self._cells.values():
            for _ in cell.mailbox:
                self._turns.add(cell)
            self._schedule(cell)
        self._ring()

    def actor_states(self) -> tuple[ActorState, ...]:
        """Every live actor, as `recall` would have it."""
        return tuple(
            ActorState(
                cell.name,
                cell.at,
                cell.behaviour,
                tuple((came, message) for came, message, told in cell.mailbox if told),
                tuple(cell.watchers),
            )
            for cell in self._cells.values()
        )

    def state_of(self, name: str) -> Any:
        """The state of a live actor, for the shells that bring the edges back to it."""
        return self._cells[name].behaviour.state

    def find(self, name: str) -> Behaviour | None:
        """The live actor of that name."""
        cell = self._cells.get(name)
        return None if cell is None else cell.behaviour

    def unread_since(self) -> float:
        """When the oldest message came that an actor has not read; math.inf where all are read."""
        return min((cell.mailbox[0][0] for cell in self._cells.values() if cell.mailbox), default=math.inf)


def unix_clock(start_unix: float) -> Callable[[], float]:
    """A clock for `System`: Unix time at the start, advanced by Trio's clock, so that it never jumps."""
    clock = trio.lowlevel.current_clock()  # which is what `trio.current_time` looks for each time
    start = clock.current_time()
    return lambda: start_unix + (clock.current_time() - start)
