"""What happens in a walk: the acts of agents at their pages, of customers and telephones, and faults of everything.

An act looks at how things stand, chooses whom it means, and does it; it gives False where there is nobody it could
mean. Half of what agents do fits their call, the other half is anything at all: buttons that are grey, the same button
twice, the opposite one.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Final, TypeVar

from attrs import evolve
from cordboard.actors import call_state as calls
from cordboard.actors import page
from cordboard.actors.line import Line
from cordboard.actors.line import Phase as LinePhase
from cordboard.actors.organisation import Organisation
from cordboard.actors.signals import Released
from cordboard.actors.switchboard import Drain, MediaFull, Open
from cordboard.sip import sdp
from cordboard.sip.call import State as SipState
from cordboard.sip.events import CallKeyed, CallReanswered, CallReferred, CallReoffered
from cordboard.switch import protocol as media

from .desks import Desks
from .far import Caller
from .house import PAGE_OFFER
from .latewords import dropped, words
from .watched import Poison
from .world import CARRIER, World

T = TypeVar("T")

HOTLINE: Final = "+861055501000"
SALES: Final = "+861055501001"
NIGHT: Final = "+861055501002"
MAILBOX: Final = "+861055501003"
# What customers dial, the hotlines most often.
DIALLED: Final = {HOTLINE: 10, SALES: 5, NIGHT: 1, MAILBOX: 2, "600": 1, "602": 1, "701": 2, "999": 1}
# What agents dial: three that may be, one that may not, and one that is no number.
NUMBERS: Final = ("13800138005", "13800138006", "+861055508000", "13912345678", "12")
# For how long somebody's mail waits: some turns, a moment, for longer than anybody waits for it.
NAPS: Final = (1e-5, 1e-5, 0.01, 0.6, 6.0, 45.0)
# Whose mail waits how often.
SLEEPERS: Final = {"call:": 5, "agent:": 5, "line:": 4, "queue:": 3, "switchboard": 1, "trunk:": 2, "directory": 1}
# After a crash the same actor does not crash again at once: the fifth in 30 s would isolate it.
MAX_CRASHES: Final = 2


class Walkers(Desks):
    """All who do something, and the world in which they do."""

    def __init__(self, world: World, rng: Random) -> None:
        super().__init__(world, rng)
        # Calls of which an offer is said that SIP has not heard.
        self._elsewhere: set[str] = set()
        self._let_offers_be_made()

    # --- customers --------------------------------------------------------------------------------------------

    def dial(self, number: str = "") -> bool:
        number = number or self.rng.choices(list(DIALLED), list(DIALLED.values()))[0]
        caller = self.world.dial(number, caller=self.rng.choice(("+8613912345678", None)))
        if self.chance(0.1):
            self.world.later(self.rng.uniform(0, 0.05), caller.hang_up)
        return True

    def callers(self) -> list[Caller]:
        return [each for each in self.world.callers.values() if not each.over.is_set()]

    def caller_hangs_up(self) -> bool:
        caller = self.choose(self.callers())
        if caller is not None:
            caller.hang_up()
        return caller is not None

    def caller_offers(self) -> bool:
        """It holds, moves, or is back."""
        caller = self.choose([each for each in self.callers() if each.answered.is_set()])
        if caller is None:
            return False
        self._versions += 1
        way: sdp.Direction = self.rng.choice(("sendrecv", "sendrecv", "sendonly", "inactive"))
        port = 4000 + 2 * self.rng.randrange(400)
        ours = sdp.offer(CARRIER.host, port, session_id=1, version=self._versions, direction=way)
        carrier = self.world.carrier
        carrier.perform(carrier.endpoint.reoffer(caller.call, ours, self.world.now()))
        return True

    def telephone(self) -> bool:
        """Somebody outside does something by hand."""
        outside = self.choose([each for each in self.outside if each.calls])
        if outside is None:
            return False
        call = self.rng.choice(list(outside.calls))
        act = self.rng.choice(
            (outside.ring, outside.announce, outside.answer, outside.answer, outside.hang_up, outside.hang_up,
             outside.offer, outside.offer)
        )  # fmt: skip
        act(call)
        return True

    def key_by_info(self) -> bool:
        """A telephone tells of a key by INFO, which the switch hears of calls that are answered."""
        known = self.world.switch.endpoint._calls
        up = [call for call, each in known.items() if each.state in (SipState.ACCEPTED, SipState.UP)]
        call = self.choose(up)
        if call is not None:
            self.world.signalling.on_output(CallKeyed(call, self.rng.choice("12359#")))
        return call is not None

    # --- the media plane --------------------------------------------------------------------------------------

    def key(self, leg: str | None = None) -> bool:
        leg = leg or self.choose(self.legs())
        if leg is None:
            return False
        key = self.rng.choice("11159*")
        self.world.on_facts(self.world.engine.press(leg, key, 100, "event", self.world.now()))
        return True

    def accept_by_key(self) -> bool:
        """Who is asked for a key presses 1, at times twice."""
        asked = [leg for leg in self.legs() if self.world.engine._is_asked(leg)]
        leg = self.choose(asked)
        if leg is not None:
            for _ in range(self.rng.choice((1, 1, 2))):
                self.world.on_facts(self.world.engine.press(leg, "1", 100, "event", self.world.now()))
        return leg is not None

    def fact(self, leg: str | None = None) -> bool:
        """What the engine finds out about a leg."""
        leg = leg or self.choose(self.legs())
        if leg is None:
            return False
        engine = self.world.engine
        page_leg = leg.startswith("agent:")
        facts: list[Callable[[], list[media.Fact]]] = [
            lambda: engine.silence(leg, 0.5),
            lambda: engine.hear(leg),
            lambda: engine.ways(leg, comes=self.chance(0.7), goes=self.chance(0.7)),
            lambda: engine.ways(leg, comes=True, goes=True),
            lambda: [media.LegQuality(leg, 100, 2, 0.02, 4.0, 60.0, -25.0)],
        ]
        if page_leg:
            facts += [lambda: engine.uncheck(leg, 10.0), lambda: engine.check(leg), lambda: engine.check(leg)]
        self.world.on_facts(self.rng.choice(facts)())
        return True

    def leg_fails(self, leg: str | None = None) -> bool:
        leg = leg or self.choose(self.legs())
        if leg is not None:
            self.world.on_facts(self.world.engine.fail(leg, "consent gone", self.world.now()))
        return leg is not None

    def recording(self) -> bool:
        recording = self.choose(self.world.engine.recordings)
        if recording is None:
            return False
        engine = self.world.engine
        self.world.on_facts(engine.trouble(recording, "disk full") or engine.cure(recording))
        return True

    def engine_dies(self) -> bool:
        """Another is there soon, or in a while."""
        self.world.link.connect(None)
        name = f"engine {self.rng.random()}"
        self.world.later(self.rng.choice((0.0, 0.05, 1.0, 6.0, 6.0, 40.0)), lambda: self.world.start_engine(name))
        return True

    def link_breaks(self) -> bool:
        """What the engine answers meanwhile is lost; it is well, and says how its legs stand when the link is back."""
        if not self.world.link.connected:
            return False
        self.world.deaf = True
        self.world.later(self.rng.choice((0.0005, 0.002, 0.02, 0.4)), self.link_is_lost)
        return True

    def link_is_lost(self) -> None:
        self.world.deaf = False
        if self.world.link.connected:
            self.world.link.connect(None)
            self.world.later(self.rng.choice((0.0005, 0.002, 0.4, 3.0)), self._link_is_back)

    def _link_is_back(self) -> None:
        if self.world.link.connected:
            return  # to another engine
        self.world.connect_engine()
        opening = [
            each.state.leg for each in self.calls() if each.state.phase in (calls.Phase.OPENING, calls.Phase.READYING)
        ]
        lines = [each for each in self.world.system.behaviours().values() if isinstance(each, Line)]
        opening += [each.state.leg for each in lines if each.state.phase is LinePhase.READYING]
        for leg in opening:
            for _ in range(self.rng.randint(0, 6)):
                self.rng.choice((self.fact, self.fact, self.fact, self.key))(leg)
            if self.chance(0.3):
                self.leg_fails(leg)

    def no_port(self) -> bool:
        """The engine cannot do what it is asked next: of a telephone that moves, or of a page that asks at once."""
        kind = self.rng.choice((media.OpenRtpLeg, media.UpdateRtpLeg, media.UpdateRtpLeg, media.OpenWebrtcLeg))
        self.world.refuses[kind] += self.rng.randint(1, 2)
        robot = self.choose([each for each in map(self.owner, self.pages) if each is not None])
        if kind is media.OpenWebrtcLeg and robot is not None:
            self.click(robot, page.RenewMedia(PAGE_OFFER))
        return True

    # --- everything else --------------------------------------------------------------------------------------

    def trunk_dies(self) -> bool:
        """No datagram comes through, for a moment or for a while."""
        host = self.rng.choice(self.outside).host.address
        self.world.unplug(host)
        self.world.later(self.rng.choice((0.1, 3.0, 10.0, 40.0)), lambda: self.world.plug(host))
        return True

    def settings(self) -> bool:
        """An administrator changes something, and at times takes it back."""
        self.world.configure(self.rng.choice((self.whole, self._changed())))
        return True

    def _changed(self) -> Organisation:
        whole, rng = self.whole, self.rng
        queues = tuple(
            evolve(each, wrap_up_seconds=5.0, name="Other", survey=self.chance(0.5)) for each in whole.queues
        )
        without = rng.choice(whole.agents)
        fewer = tuple(each for each in whole.agents if each is not without)
        return rng.choice(
            (
                evolve(whole, queues=queues),
                evolve(whole, agents=fewer),
                evolve(whole, agents=tuple(evolve(each, skills=each.skills[:1], calls=1) for each in whole.agents)),
                self.without_sales(),
                evolve(whole, trunks=whole.trunks[1:]),
                evolve(whole, dialling=()),
            )
        )

    def without_sales(self) -> Organisation:
        whole = self.whole
        return evolve(
            whole,
            queues=tuple(each for each in whole.queues if each.id != "sales"),
            numbers=tuple(each for each in whole.numbers if each.number != SALES),
            agents=tuple(
                evolve(each, skills=tuple(skill for skill in each.skills if skill.queue != "sales"))
                for each in whole.agents
            ),
        )

    def dismiss(self, agent: str | None = None) -> bool:
        """An agent is none any more, and again soon."""
        agent = agent or self.choose([each for each in self.whole_agents() if self.state_of(each) is not None])
        whole = self.whole
        self.world.configure(evolve(whole, agents=tuple(each for each in whole.agents if each.id != agent)))
        self.world.later(self.rng.choice((0.0, 0.001, 3.0)), lambda: self.world.configure(whole))
        return agent is not None

    def offers_nothing(self) -> bool:
        """A far side asks for our offer, and its ACK has the answer."""
        known = self.world.switch.endpoint._calls
        up = [call for call, each in known.items() if each.state is SipState.UP]
        call = self.choose(up)
        if call is not None:
            self._elsewhere.add(call)
            self.world.signalling.on_output(CallReoffered(call, None))
            ours = sdp.offer(
                CARRIER.host, 6000 + 2 * self.rng.randrange(400), session_id=4, version=2, codecs=("pcma",)
            )
            self.world.later(0.01, lambda: self.world.signalling.on_output(CallReanswered(call, ours)))
        return call is not None

    def queue_is_new(self) -> bool:
        """A queue is dismissed and wanted again in one moment."""
        self.world.configure(self.without_sales())
        self.world.configure(self.whole)
        return True

    def isolate(self) -> bool:
        """An actor that has crashed too often is ended."""
        prefix = self.rng.choice(("agent:", "agent:", "agent:", "queue:", "trunk:"))
        name = self.choose(self.world.system.alive(prefix))
        if name is not None:
            self.world.system.end(name, "crashed")
            self.world.later(5.0, lambda: self.world.configure(self.world.organisation))
        return name is not None

    def dialog_is_lost(self, whose: str = "") -> bool:
        """As after a restart: an actor hears that SIP knows nothing of its call."""
        name = self.choose(self.world.system.alive(whose or self.rng.choice(("call:", "line:"))))
        if name is not None:
            self.world.signalling.on_end(name, "lost")
            self.world.system.tell(name, Released(name.partition(":")[2], "lost in a restart", by_caller=False))
        return name is not None

    def rings_elsewhere(self) -> bool:
        """A far side that has not answered makes another offer (RFC 3311)."""
        known = self.world.switch.endpoint._calls
        early = self.choose([call for call, each in known.items() if each.state is SipState.EARLY])
        if early is not None:
            ours = sdp.offer(CARRIER.host, 5000 + 2 * self.rng.randrange(400), session_id=3, version=2)
            self._elsewhere.add(early)
            self.world.signalling.on_output(CallReoffered(early, ours))
        return early is not None

    def refers(self) -> bool:
        """A far side wants to be put through to another number (REFER)."""
        known = self.world.switch.endpoint._calls
        call = self.choose([call for call, each in known.items() if each.state is SipState.UP])
        if call is not None:
            self.world.signalling.on_output(CallReferred(call, "+8613800138007"))
        return call is not None

    def _let_offers_be_made(self) -> None:
        """The endpoint knows nothing of those offers, and is not bothered with their answers."""
        endpoint = self.world.switch.endpoint
        reanswer, reject = endpoint.reanswer, endpoint.reject_reoffer
        endpoint.reanswer = lambda call, sdp, now: [] if call in self._elsewhere else reanswer(call, sdp, now)  # type: ignore[method-assign]
        # ... nor of what is referred.
        endpoint.accept_referral = lambda call, now: []  # type: ignore[method-assign]
        endpoint.reject_referral = lambda call, status, now: []  # type: ignore[method-assign]
        endpoint.referral_stands = lambda call, status, now: []  # type: ignore[method-assign]
        endpoint.reject_reoffer = (  # type: ignore[method-assign]
            lambda call, status, now: [] if call in self._elsewhere else reject(call, status, now)
        )

    def supervise(self) -> bool:
        """The whole switch takes no more calls, or again."""
        told: Any = self.rng.choice((Drain(), Open(), Open(), MediaFull(full=True), MediaFull(full=False)))
        return self.world.system.tell("switchboard", told)

    def crash(self) -> bool:
        """An actor meets a bug: of a call or a line that is its end; of what they ask, the answer is lost."""
        names = [each for each in self.world.system.alive() if self.crashed.get(each, 0) < MAX_CRASHES]
        name = self.choose(names)
        if name is None:
            return False
        self.crashed[name] = self.crashed.get(name, 0) + 1
        if name.startswith(("agent:", "queue:")):
            self.world.system.tell(name, Poison())
        else:
            self.world.system.poison(name)
        return True

    def nap(self) -> bool:
        """An actor's mail waits."""
        kind = self.rng.choices(list(SLEEPERS), list(SLEEPERS.values()))[0]
        name = self.choose(self.world.system.alive(kind))
        if name is not None:
            self.sleep(name, self.rng.choice(NAPS))
        return name is not None

    def sleep(self, name: str, seconds: float) -> None:
        system, world = self.world.system, self.world
        system.sleep(name, world.now() + seconds)
        world.later(seconds, system.wake)

    def crowd(self) -> bool:
        """All at once: an actor's mail waits for a moment, and many want something of it. What comes first moves it,
        and the rest meets it where nobody thought that it was."""
        kind = self.rng.choices(("call:", "agent:", "line:"), (4, 3, 2))[0]
        name = self.choose(self.world.system.alive(kind))
        if name is None:
            return False
        self.sleep(name, self.rng.choice((1e-5, 0.002, 0.02, 0.6)))
        call = name.partition(":")[2].partition("+")[0]
        for _ in range(self.rng.randint(2, 8)):
            self.rng.choice((self._crowd_agents, self._crowd_agents, self._crowd_legs, self._crowd_sip))(call)
        return True

    def late_word(self) -> bool:
        """Some of what comes too late."""
        actors = self.world.system.behaviours()
        kind = self.rng.choices(("call:", "agent:", "line:", "queue:"), (6, 6, 3, 1.5))[0]
        name = self.choose([each for each in actors if each.startswith(kind)])
        said = words(name, actors[name], self.rng) if name is not None else ()
        for _ in range(self.rng.randint(2, 12)):
            word = self.choose(said)
            if name is not None and word is not None:
                self.world.system.tell(name, word)
        return bool(said)

    def late_words(self, kind: str = "") -> bool:
        """All that comes too late where somebody stands, and so changes nothing."""
        actors = self.world.system.behaviours()
        kind = kind or self.rng.choice(("call:", "agent:", "line:"))
        name = self.choose([each for each in actors if each.startswith(kind)])
        for word in dropped(name, actors[name], self.rng) if name is not None else ():
            assert name is not None
            self.world.system.tell(name, word)
        return name is not None

    def press_all(self) -> bool:
        """A child at the keyboard: every button, in any order."""
        agent = self.choose([each for each in self.pages if self.pages[each] and self.state_of(each) is not None])
        state = self.state_of(agent) if agent is not None else None
        robot = self.owner(agent) if agent is not None else None
        if state is None or robot is None:
            return False
        commands = self.any_command(state)
        self.rng.shuffle(commands)
        for command in commands:
            self.click(robot, command)
        return True

    def _crowd_agents(self, call: str) -> None:
        """Whoever has that call, or is asked for it, clicks what a call takes."""
        mine = [
            agent
            for agent in self.pages
            if (state := self.state_of(agent)) is not None
            and (call == agent or (state.call and state.call.call == call))
        ]
        agent = self.choose(mine)
        state = self.state_of(agent) if agent is not None else None
        robot = self.owner(agent) if agent is not None else None
        if state is None or robot is None:
            return
        whom = self._whom(state)
        fits = self.fitting(state)
        gives: list[page.Command] = [page.Survey(), page.Transfer(queue="sales"), page.HangUp()]
        brings: list[page.Command] = [
            page.Consult(**whom),
            page.Invite(**whom),
            page.Transfer(**whom),
            page.Hold(),
            page.Mute(),
        ]
        seconds: list[page.Command] = [
            page.Complete(),
            page.Cancel(),
            page.Swap(),
            page.Merge(),
            page.Retrieve(),
            page.Unmute(),
        ]
        among = self.rng.choice((fits, fits, gives, brings, seconds))
        self.click(robot, self.rng.choice(among))

    def _crowd_legs(self, call: str) -> None:
        legs = [leg for leg in self.legs() if call in leg or self._talks_by(leg, call)]
        leg = self.choose(legs)
        if leg is not None:
            self.rng.choice((self.fact, self.fact, self.key, self.leg_fails))(leg)

    def _talks_by(self, leg: str, call: str) -> bool:
        state = self.state_of(leg.partition("/")[0].removeprefix("agent:")) if leg.startswith("agent:") else None
        return state is not None and state.call is not None and state.call.call == call

    def _crowd_sip(self, call: str) -> None:
        self.rng.choice((self.caller_hangs_up, self.telephone, self.telephone, self.key_by_info, self.caller_offers))()


# How often each is done, before a history weighs them for itself.
ACTS: Final[dict[str, tuple[float, Callable[[Walkers], bool]]]] = {
    "press": (20, Walkers.press),
    "press any": (14, Walkers.press_any),
    "press twice": (5, Walkers.press_twice),
    "sign in": (4, Walkers.sign_in),
    "reload": (4, Walkers.reload),
    "dial": (5, Walkers.dial),
    "caller hangs up": (3, Walkers.caller_hangs_up),
    "caller offers": (3, Walkers.caller_offers),
    "telephone": (10, Walkers.telephone),
    "key by info": (2, Walkers.key_by_info),
    "key": (3, Walkers.key),
    "accept by key": (4, Walkers.accept_by_key),
    "fact": (10, Walkers.fact),
    "leg fails": (2, Walkers.leg_fails),
    "recording": (1, Walkers.recording),
    "engine dies": (0.5, Walkers.engine_dies),
    "link breaks": (1, Walkers.link_breaks),
    "no port": (1, Walkers.no_port),
    "trunk dies": (1, Walkers.trunk_dies),
    "settings": (1.5, Walkers.settings),
    "queue is new": (0.7, Walkers.queue_is_new),
    "dismiss": (1.5, Walkers.dismiss),
    "isolate": (0.7, Walkers.isolate),
    "dialog is lost": (1, Walkers.dialog_is_lost),
    "refers": (2, Walkers.refers),
    "offers nothing": (3, Walkers.offers_nothing),
    "rings elsewhere": (2, Walkers.rings_elsewhere),
    "supervise": (1, Walkers.supervise),
    "crash": (1.5, Walkers.crash),
    "nap": (8, Walkers.nap),
    "crowd": (14, Walkers.crowd),
    "late word": (12, Walkers.late_word),
    "late words": (3, Walkers.late_words),
    "press all": (1, Walkers.press_all),
}
