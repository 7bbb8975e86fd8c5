"""A whole centre on a virtual clock: its actors and shells, a SIP network in memory, the model engine, pages as robots.

Real are the actors, the runtime, signalling, the media link and both ends of SIP; the engine is the model, and a page
is a session that does what its story says. There is no thread and no socket; time jumps to the next timer when nothing
else is to be done. With one seed a story runs the same way every time, to the last datagram: `log` is what left
anybody, in order.

After each step of an actor the invariants are looked at: the few that hold always, and when no message is under way,
those that say that every caller has an owner and every busy agent a call.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from random import Random

import trio
from cordboard.actors import agent_state as agents
from cordboard.actors import page, past
from cordboard.actors.control import ALIVE_SECONDS
from cordboard.actors.effects import Locate, LookBack, Push, Record, Reply
from cordboard.actors.guard import Centre
from cordboard.actors.journal import Journal
from cordboard.actors.medialink import MediaLink
from cordboard.actors.organisation import Organisation
from cordboard.actors.origin import Located, Place
from cordboard.actors.packing import Packer
from cordboard.actors.queue_state import LastServed
from cordboard.actors.records import MobileEntry
from cordboard.actors.resolver import Resolver
from cordboard.actors.runtime import Hands, unix_clock
from cordboard.actors.signalling import Signalling
from cordboard.actors.standings import Standings
from cordboard.actors.statefile import States
from cordboard.actors.states import UNWRITTEN, Committed, Dialog, Whole
from cordboard.actors.steps import UNJOURNALLED
from cordboard.actors.switchboard import Configure, Open, Switchboard
from cordboard.actors.wire import Wire
from cordboard.sip import sdp
from cordboard.sip.call import State as SipState
from cordboard.sip.endpoint import TrunkSettings
from cordboard.sip.events import (
    FlowLost,
    Output,
    Refused,
    Registered,
    Replied,
    Sought,
    Transmit,
    Unconnected,
    Undelivered,
)
from cordboard.sip.message import Address, Request, parse
from cordboard.switch import protocol as media
from cordboard.switch.model import ModelEngine

from . import invariants
from .appointments import Appointments
from .books import lost
from .far import Caller, Robot, SipHost
from .house import PAGE_OFFER, model
from .watched import Life, WatchedSystem

START = 1_700_000_000.0
SWITCH = Address("192.0.2.1", 5060)
CARRIER = Address("198.51.100.1", 5060)
# One way of a datagram, of a command to the engine and of its fact back; a browser's handshake. In seconds.
SIP_DELAY = (0.004, 0.012)
LINK_DELAY = 0.0005
HANDSHAKE = 0.3
# What is stated is in the database after this.
COMMIT = 0.1


# What nobody wants any more, until its far side has said so too, or has acknowledged our answer.
GIVEN_UP = (SipState.WITHDRAWN, SipState.CANCELLED, SipState.LEAVING)


# What the engine may not be able to do.
Refusable = media.OpenRtpLeg | media.UpdateRtpLeg | media.OpenWebrtcLeg


@cache
def packer() -> Packer:
    """One for all processes: to make one takes as long as a short story."""
    return past.packer()


class World:
    """See the module's docstring."""

    def __init__(
        self,
        organisation: Organisation,
        nursery: trio.Nursery,
        seed: int,
        data: Path | None = None,
        mobiles: Sequence[MobileEntry] = (),
        *,
        journalled: bool = True,
    ) -> None:
        self.rng = Random(seed)
        # Whose turn it is among actors is chance: any order may come about.
        self._order = Random(seed)
        self.nursery = nursery
        self._appointments = Appointments(Random(seed))
        self.run = self._appointments.run
        self.now = unix_clock(START)
        self.log: list[str] = []
        # What the engine says is lost.
        self.deaf = False
        # The engine cannot do so many of the next commands of a kind.
        self.refuses: Counter[type] = Counter()
        # Nobody will read the log.
        self.silent = False
        # Something is made untrue, and not looked at here.
        self.planted = False
        self.pages: dict[str, Robot] = {}
        self.callers: dict[str, Caller] = {}
        self.looked = 0
        self.announced: Counter[str] = Counter()
        self._sessions = itertools.count(1)
        self._ports = itertools.count(4000, 2)
        self._commands: deque[media.Command] = deque()
        self._in_flight = 0
        self._unplugged: set[Address] = set()
        # SIP messages that begin so are lost
        self.lose: tuple[str, ...] = ()
        # What becomes of the next datagrams: how much later than usual each of its copies comes, where there is any.
        self.fates: deque[tuple[float, ...]] = deque()
        self._happened = trio.Event()
        self.data = data
        self._journalled = data is not None and journalled
        self.organisation = organisation
        self.switch = SipHost(self, SWITCH, {"carrier": TrunkSettings(("198.51.100.0/24",))}, "s")
        self.carrier = SipHost(self, CARRIER, {"switch": TrunkSettings(("192.0.2.0/24",))}, "c")
        self.carrier.on_output = self.to_caller
        self.hosts = {SWITCH: self.switch, CARRIER: self.carrier}
        # What was stated; the database has the first so many.
        self.records: list[Record] = []
        # Where telephone numbers are at home; of others nobody knows.
        self.places: dict[str, Place] = {}
        # Who served a caller last, by its number; and until when the database answers nobody.
        self.served: dict[str, str] = {}
        self.store_stands_until = 0.0
        self._committed = 0
        self._inherited = 0  # of them by earlier processes
        self.kills = 0
        # Who has lost a message, in whichever process.
        self._lost: set[str] = set()
        self.life: Life
        self.journal: Journal | None
        self.states: States | None
        self.system: WatchedSystem
        self.link: MediaLink
        self._new_process()
        self._connect()
        self.engine: ModelEngine
        self.start_engine("first")
        self._begin(())
        self.system.spawn("switchboard", Switchboard(organisation, ("opus",), mobiles=mobiles))

    # --- the control process ----------------------------------------------------------------------------------

    def _new_process(self) -> None:
        """One that knows nothing yet."""
        self.life = Life(self.nursery)
        self.journal = Journal(self.data, self.now, self._alarm) if self.data is not None and self._journalled else None
        file = None if self.data is None else self.data / past.FILE
        self.states = None if file is None else States(lambda: file, packer(), self.now, self._alarm)
        states, journal = self.states or UNWRITTEN, self.journal or UNJOURNALLED
        self.system = WatchedSystem(self.now, self.life, self.look, states, journal, self._order.randrange)
        self.system.lost = self._lost
        self.link = MediaLink(self.system, states)

    def _connect(self) -> None:
        """Its doors, and the hands of its actors."""
        self.signalling = Signalling(self.system, self.switch.endpoint, self.now)
        self.signalling.connect(self.switch.perform)
        self.signalling.take_up(self.organisation)
        found = self.signalling.resolved
        self.signalling.resolve = Resolver(self.life, found, ("udp",), self.rng).resolve  # type: ignore[arg-type] # as above
        self.switch.on_output = self.signalling.on_output
        self.switch.before = self._keep_dialogs
        self.switch.tap = None if self.journal is None else Wire(self.switch.endpoint.whose, self.journal.spoke)
        self.system.connect(
            Hands(
                self.signalling.perform,
                self.link.perform,
                self._push,
                self._reply,
                self._record,
                self._locate,
                self._look_back,
            ),
            on_end=(self.signalling.on_end, self.link.on_end, self._ended),
        )
        self.centre = Centre(self.system, self.link, self.signalling)

    def _begin(self, recalls: tuple[float, ...]) -> None:
        """From now on all is written down, and seen."""
        self.life.start_soon(Standings(self.system).run)
        if self.journal is not None:
            self.journal.take_up(self.organisation)
            self.journal.begin(self.system.actor_states)
        if self.states is not None:
            states = self.states
            self.life.start_soon(self._tell_that_we_live, states)
            states.begin(lambda: self._whole(recalls), lambda: self.system.living)

    def _whole(self, recalls: tuple[float, ...]) -> Whole:
        first = self._committed - self._inherited + 1
        unsafe = enumerate((record.entry for record in self.records[self._committed :]), first)
        stated = len(self.records) - self._inherited
        return past.whole(self.now(), self.system, self.switch.endpoint, self.link, unsafe, stated, recalls)

    async def _tell_that_we_live(self, states: States) -> None:
        while True:
            await trio.sleep(ALIVE_SECONDS)
            states.alive(self.now())

    def _keep_dialogs(self) -> None:
        for call, snapshot in self.signalling.snapshots():
            if self.states is not None:
                self.states.add(Dialog(call, snapshot))

    def _locate(self, actor: str, question: Locate) -> None:
        ours = tuple(map(self.places.get, question.ours))
        self.system.tell(actor, Located(question.ask, self.places.get(question.number), ours))

    def _look_back(self, actor: str, question: LookBack) -> None:
        life = self.life

        def answer() -> None:
            if not life.over:
                self.system.tell(actor, LastServed(question.ask, self.served.get(question.number, "")))

        self.later(self._of_the_store(), answer)

    def _of_the_store(self) -> float:
        """How long what the database is asked takes."""
        return max(COMMIT, self.store_stands_until - self.now())

    def _record(self, record: Record) -> None:
        self.records.append(record)
        life, stated = self.life, len(self.records)

        def commit() -> None:
            if not life.over and stated > self._committed:
                if self.states is not None:
                    self.states.add(Committed(stated - self._inherited))
                self._committed = stated

        self.later(self._of_the_store(), commit)

    def kill_control(self) -> None:
        """`kill -9`: its websockets are gone, and what it knew, but for the file and the database."""
        self.note("control", "killed")
        self.kills += 1
        self.life.end()
        self.pages.clear()
        self.switch.deaf = True
        self.switch.before = lambda: None
        self.switch.renew()
        del self.records[self._committed :]

    def restart_control(self) -> past.Past:
        """The next one, which goes on. Gives what it found."""
        assert self.data is not None, "there is a file only in a directory"
        left = past.read(self.data / past.FILE, packer(), self.now())
        self._new_process()
        with suppress(past.RecallError):
            left.recall(self.system, self.link)
        if left.trouble:
            self._new_process()
        self._connect()
        self.records += [Record(entry) for entry in left.entries]
        self.records += [Record(entry) for entry in lost(self.records, self.system.alive(), self.now())]
        self._committed = self._inherited = len(self.records)
        left.take_up(self.system, self.signalling, self.now())
        self._begin((*left.recalls, self.now()))
        self.switch.deaf = False
        if self.system.alive("switchboard"):
            self.system.tell("switchboard", Open())
            self.system.tell("switchboard", Configure(self.organisation, ("opus",)))
        else:
            self.system.spawn("switchboard", Switchboard(self.organisation, ("opus",), mobiles=self._mobiles()))
        self.connect_engine()
        self.switch.perform([])  # whose timers are those of the calls that were taken up
        self.note("control", "restarted")
        return left

    def _mobiles(self) -> tuple[MobileEntry, ...]:
        """As the database has them."""
        stated = (record.entry for record in self.records[: self._committed])
        return tuple({each.agent: each for each in stated if isinstance(each, MobileEntry)}.values())

    def stop_control(self) -> None:
        """It ends in good order: everybody's will is done, and nothing is left but the database."""
        assert self.data is not None, "there is a file only in a directory"
        self.system.stop()
        self._committed = len(self.records)
        self.kill_control()
        (self.data / past.FILE).unlink()

    def configure(self, organisation: Organisation) -> None:
        """The organisation is another from now on."""
        self.organisation = organisation
        if self.life.over:
            return  # the next process reads it
        self.signalling.take_up(organisation)
        if self.journal is not None:
            self.journal.take_up(organisation)
        self.system.tell("switchboard", Configure(organisation, ("opus",)))

    def _alarm(self, text: str, standing: bool) -> None:
        (self.system.alarm if standing else self.system.clear_alarm)(text)

    def note(self, *words: object) -> None:
        if not self.silent:
            self.log.append(f"{self.now() - START:.6f} " + " ".join(str(word) for word in words))
        self._happened.set()
        self._happened = trio.Event()

    async def something(self) -> None:
        """Until something has happened again."""
        await self._happened.wait()

    def later(self, seconds: float, act: Callable[[], object]) -> None:
        self._appointments.at(trio.current_time() + seconds, act)

    # --- SIP --------------------------------------------------------------------------------------------------

    def carry(self, source: Address, output: Transmit) -> None:
        what = ""
        if self.lose or not self.silent:
            message = parse(output.data)
            what = message.method if isinstance(message, Request) else f"{message.status} {message.method}"
        self.note("sip", source.host, what)
        host = self.hosts[output.destination]
        if self._unplugged.isdisjoint((source, output.destination)) and not what.startswith(self.lose):
            for more in self.fates.popleft() if self.fates else (0.0,):
                self.later(self.rng.uniform(*SIP_DELAY) + more, lambda: host.receive(output.data, source))

    def add_host(self, address: Address) -> SipHost:
        """Another machine of a carrier."""
        made = SipHost(self, address, {"switch": TrunkSettings(("192.0.2.0/24",))}, f"{len(self.hosts)}")
        self.hosts[address] = made
        return made

    def unplug(self, address: Address) -> None:
        """Nothing gets there or comes from there any more."""
        self._unplugged.add(address)

    def plug(self, address: Address) -> None:
        self._unplugged.discard(address)

    def dial(self, number: str, *, caller: str | None = "+8613912345678") -> Caller:
        """A customer calls over the carrier."""
        made = Caller(self, f"call{len(self.callers)}", self.now())
        self.callers[made.call] = made
        description = sdp.offer(CARRIER.host, next(self._ports), session_id=1)
        uri = f"sip:{number}@{SWITCH.host}"
        self.carrier.perform(
            self.carrier.endpoint.dial(made.call, uri, SWITCH, caller, description, self.now(), "Wang", trunk="switch")
        )
        return made

    def to_caller(self, output: Output) -> None:
        self.note("caller", type(output).__name__, getattr(output, "call", ""))
        if not isinstance(
            output, FlowLost | Refused | Registered | Replied | Sought | Transmit | Unconnected | Undelivered
        ):
            self.callers[output.call].show(output)

    # --- the engine -------------------------------------------------------------------------------------------

    def start_engine(self, epoch: str) -> None:
        """A new engine process: the old one and its legs are gone."""
        self.lose_engine()
        self.refuses.clear()
        self._commands.clear()
        self.engine = model(self.now())
        self._engine_at = math.inf
        self._epoch = epoch
        self.connect_engine()

    def lose_engine(self) -> None:
        """The link to it is gone."""
        if not self.life.over:
            self.link.connect(None)

    def connect_engine(self) -> None:
        """The link to it is there, or there again."""
        self.deaf = False
        if self.life.over:
            return  # the next process comes to it
        self.link.connect(self._to_engine)
        for fact in (self.engine.started(self._epoch, 1), *self.engine.standing(self.now())):
            self.link.on_fact(fact)
        self._engine_waits()

    def _engine_waits(self) -> None:
        """Its timers; the link that pings it every second is not here."""
        engine, when = self.engine, self.engine.deadline()
        if when < self._engine_at:
            self._engine_at = when
            self.later(when - self.now(), lambda: self._engine_wakes(engine, when))

    def _engine_wakes(self, engine: ModelEngine, when: float) -> None:
        if engine is not self.engine or when != self._engine_at:
            return
        self._engine_at = math.inf
        if engine.deadline() <= self.now():
            engine.command(media.Ping(0), self.now())
            self.on_facts(engine.wake(self.now()))
        self._engine_waits()

    def ping(self) -> None:
        """What the link does twice a second; here who wants to know how the engine stands."""
        if self.link.connected:
            self._to_engine(self.link.ping())

    def _to_engine(self, command: media.Command) -> None:
        self.note("engine <-", command)
        if isinstance(command, media.OpenSource) and isinstance(command.kind, media.Playlist):
            sounds = [part.sound for part in command.kind.parts]
            self.announced.update(sound.name for sound in sounds if isinstance(sound, media.Prompt))
        self._commands.append(command)
        engine = self.engine
        self._in_flight += 1
        self.later(LINK_DELAY, lambda: self._engine_step(engine))

    def _engine_step(self, engine: ModelEngine) -> None:
        self._in_flight -= 1
        if engine is not self.engine:
            return
        command = self._commands.popleft()
        if isinstance(command, Refusable) and self.refuses[type(command)]:
            self.refuses[type(command)] -= 1
            self.on_facts([media.LegRefused(command.leg, "no port")])
        else:
            self.on_facts(engine.command(command, self.now()))
        self._engine_waits()

    def on_facts(self, facts: list[media.Fact]) -> None:
        for fact in facts:
            self.note("engine ->", fact)
            if not self.life.over and self.link.connected and not self.deaf:
                self.link.on_fact(fact)
            if isinstance(fact, media.LegOpened | media.WebrtcLegOpened):
                self.later(HANDSHAKE, partial(self._handshake, self.engine, fact.leg))

    def _handshake(self, engine: ModelEngine, leg: str) -> None:
        if engine is self.engine:
            self.on_facts(engine.connect(leg))

    # --- pages ------------------------------------------------------------------------------------------------

    def open_page(self, agent: str) -> Robot:
        """A browser or a script logs in as this agent."""
        robot = Robot(self, agent, f"{agent}#{next(self._sessions)}")
        self.pages[robot.session] = robot
        robot.tell(page.Attached(robot.session))
        return robot

    async def sign_in(self, agent: str, *, sound: bool = True) -> Robot:
        """... and signs in; it can be rung when this returns."""
        while self.system.pending():
            await trio.lowlevel.checkpoint()
        robot = self.open_page(agent)
        command = page.SignIn(sdp=PAGE_OFFER) if sound else page.SignIn(media="none")
        assert isinstance(await robot.ask(command), page.Accepted)
        while sound and not any(isinstance(event, page.MediaConnected) for _, event in robot.heard):
            await self.something()
        return robot

    def _push(self, effect: Push) -> None:
        self.note("page", effect.session, effect.rev, effect.event)
        robot = self.pages.get(effect.session)
        if robot is not None:
            robot.heard.append((self.now(), effect.event))
            robot.on_event(effect.event)

    def _reply(self, effect: Reply) -> None:
        self.note("reply", effect.session, effect.id, effect.result)
        robot = self.pages.get(effect.session)
        if robot is not None:
            robot.reply(effect.id, effect.result)

    def _ended(self, actor: str, reason: str) -> None:
        self.note("ended", actor, reason)
        for session in [name for name, robot in self.pages.items() if f"agent:{robot.agent}" == actor]:
            del self.pages[session]  # whose agent is none any more

    # --- what must hold ---------------------------------------------------------------------------------------

    def agent(self, name: str) -> agents.Data:
        state = self.system.behaviours()[f"agent:{name}"].state
        assert isinstance(state, agents.Data)
        return state

    def engine_has(self) -> tuple[int, int]:
        """Its legs, and pairs of a listener and what it hears."""
        engine = self.engine
        channels = (side(each) for each in engine.recordings for side in (media.left, media.right))
        return len(engine.legs), sum(len(engine.hears(each)) for each in (*engine.legs, *channels))

    def look(self) -> None:
        """After each step."""
        self.looked += 1
        if self.planted:
            return
        counters = self.system.counters
        assert counters["crashes"] == self.system.poisoned, "no actor crashes of itself"
        actors = self.system.behaviours()
        given_up = sum(each.state in GIVEN_UP for each in self.switch.endpoint._calls.values())
        owned = len([name for name in actors if name.startswith(("call:", "line:"))])
        assert self.switch.endpoint.live_calls - given_up <= owned
        if self.system.pending() or self._in_flight or self.deaf or not self.link.connected:
            return
        for each in invariants.untrue_of(self.centre, actors):
            # what a trunk or the switchboard misses since its message crashed it, it is told again
            assert each.cure is not None, each
            assert each.cure.to in self.system.lost, each
            self.system.tell(each.cure.to, each.cure.message)
        invariants.hold(actors, self.engine)
        assert self.link.sums == self.engine.sums(), self.engine_has()

    def assert_empty(self) -> None:
        """Nothing is left of any call, and nothing is wrong."""
        self.assert_no_calls()
        assert self.system.alarms == []

    def assert_no_calls(self) -> None:
        """Nothing is left of any call."""
        assert self.calls_left() == {}
        assert all(not robot.unanswered() for robot in self.pages.values())

    def calls_left(self) -> dict[str, object]:
        """What is left of calls, by who knows of it."""
        held = {
            "actors": [*self.system.alive("call:"), *self.system.alive("line:")],
            "set-ups": len(self.system.pressure.setups),
            "signalling": self.signalling.calls,
            "switch": self.switch.endpoint.live_calls,
            "carrier": self.carrier.endpoint.live_calls,
            "engine": [leg for leg in (*self.engine.legs, *self.engine.sources) if leg.startswith(("call:", "line:"))],
        }
        return {who: what for who, what in held.items() if what}
