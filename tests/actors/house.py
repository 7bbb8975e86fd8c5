"""A house of behaviours without an event loop: mailboxes, watches and timers on a clock that the story moves.

What leaves the actors stays in `said`; what they say to the engine goes to the model engine, whose facts come back as
messages. A story may put an actor to sleep: its mailbox fills until it wakes, and so two messages cross.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
from attrs import define, field
from cordboard.actors import agent_state as agents
from cordboard.actors import call_state as calls
from cordboard.actors import directory, page, signals, trunk
from cordboard.actors import queue_state as queues
from cordboard.actors.agent import Agent
from cordboard.actors.call import Call
from cordboard.actors.effects import (
    Alarm,
    Behaviour,
    Down,
    Effect,
    Locate,
    Log,
    LookBack,
    Media,
    Push,
    Record,
    Reply,
    Sip,
    Spawn,
    Started,
    Stop,
    Tell,
    Unwatch,
    Watch,
)
from cordboard.actors.entries import NORMAL
from cordboard.actors.queue import Queue
from cordboard.actors.routes import Route, ToQueue
from cordboard.actors.shift import colleague
from cordboard.sip import sdp
from cordboard.switch import protocol as media
from cordboard.switch.model import ModelEngine
from cordboard.switch.points import Point
from cordboard.switch.ports import LocalPort

MUSIC = "music:hold"  # the source of the built-in piece
NOW = 1_000_000.0
PEER = "192.0.2.7"
CALLER = "+8613912345678"
G711: tuple[sdp.TrunkCodec, ...] = ("pcma", "pcmu")
OFFER = sdp.offer("198.51.100.1", 4000, session_id=1, codecs=G711)
# As a browser makes it, without what nobody here reads.
PAGE_OFFER = "\r\n".join(
    (
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111 0 8",
        "c=IN IP4 0.0.0.0",
        "a=mid:0",
        "a=rtpmap:111 opus/48000/2",
        "a=rtcp-mux",
        "a=ice-ufrag:abcd",
        "a=ice-pwd:" + "p" * 24,
        "a=fingerprint:sha-256 " + ":".join(["AB"] * 32),
        "a=setup:actpass",
        "a=sendrecv",
        "",
    )
)


# The prompts that there are, as long as nobody's voice but easily reckoned with: in seconds.
PROMPT_SECONDS = {"agent-away": 4, "on-hold": 3, "nobody-here": 6, "goodbye": 5, "position": 2, "accept-call": 3}
PROMPT_SECONDS |= {"survey": 6, "survey-again": 6, "survey-thanks": 2, "voicemail": 7}
PROMPT_SECONDS |= {"closed": 5, "wait": 2, "minutes": 1, "wait-short": 2, "wait-long": 3, "number-2": 1}
PROMPT_SECONDS |= {f"number-{number}": 1 for number in (*range(10, 20), 20, 30, 40, 50)}
PROMPT_SECONDS |= {f"digit-{digit}": 1 for digit in range(10)}
PROMPTS = {
    (name, language): np.zeros(seconds * 8000, np.int16)
    for name, seconds in PROMPT_SECONDS.items()
    for language in ("zh", "en")
}


def model(now: float = NOW) -> ModelEngine:
    ports = tuple(LocalPort("192.0.2.1", 20002 + 2 * i) for i in range(16))
    return ModelEngine(
        ports=ports,
        advertise=lambda index, peer: (ports[index].address, ports[index].port),
        points=(Point("main", "Main", lambda peer: (("192.0.2.1", 20000),)),),
        prompts=PROMPTS,
        now=now,
    )


def arrived(call: str = "c", *, offer: sdp.SessionDescription | None = OFFER) -> signals.Arrived:
    return signals.Arrived(call, "carrier", "+861055501000", CALLER, "Wang", offer, "192.0.2.10")


@define
class House:
    """Actors by name; `said` is every effect that left them, with who said it."""

    now: float = NOW
    engine: ModelEngine = field(factory=model)
    actors: dict[str, Behaviour] = field(factory=dict)
    mail: dict[str, deque[object]] = field(factory=dict)
    watchers: dict[str, list[str]] = field(factory=dict)
    asleep: set[str] = field(factory=set)
    said: list[tuple[str, Effect]] = field(factory=list)
    dead_letters: list[tuple[str, object]] = field(factory=list)
    owners: dict[str, str] = field(factory=dict)
    # What the directory was told of each agent's life.
    stand: dict[str, tuple[Agent, page.Colleague]] = field(factory=dict)
    requests: int = 0
    calls: int = 0

    # --- the world around -------------------------------------------------------------------------------------

    def spawn(self, name: str, behaviour: Behaviour) -> None:
        assert name not in self.actors, name
        self.actors[name] = behaviour
        self.mail[name] = deque([Started()])

    def tell(self, name: str, *messages: object) -> None:
        """Messages from outside, and all that follows from them."""
        for message in messages:
            self._put(name, message)
        self.run()

    def until(self, when: float) -> None:
        """Time passes; every timer on the way is served at its own time."""
        while True:
            due = min(
                (each.deadline() for name, each in self.actors.items() if name not in self.asleep), default=math.inf
            )
            if min(due, self.engine.deadline()) > when:
                break
            self.now = max(self.now, min(due, self.engine.deadline()))
            if self.engine.deadline() <= self.now:
                self.engine.command(media.Ping(0), self.now)  # as the link does, much more often
                self.fact(*self.engine.wake(self.now))
            for name, each in list(self.actors.items()):
                if name not in self.asleep and each.deadline() <= self.now:
                    self._perform(name, each.wake(self.now))
                    self._seen(name)
            self.run()
        self.now = when

    def after(self, seconds: float) -> None:
        self.until(self.now + seconds)

    def sleep(self, *names: str) -> None:
        self.asleep.update(names)

    def wake(self, *names: str) -> None:
        self.asleep.difference_update(names)
        self.run()

    def end(self, name: str, reason: str, told: tuple[str, ...] = ()) -> None:
        """However it ends: its legs are closed, its watchers hear, but those that it has told itself."""
        del self.actors[name], self.mail[name]
        for leg in [leg for leg, owner in self.owners.items() if owner == name]:
            del self.owners[leg]
            self.engine.command(media.CloseLeg(leg), self.now)
            self.engine.command(media.CloseSource(leg), self.now)
        for watcher in self.watchers.pop(name, []):
            if watcher not in told:
                self._put(watcher, Down(name, reason))

    def crash(self, name: str) -> None:
        self.end(name, "crashed")
        self.run()

    def fact(self, *facts: media.Fact) -> None:
        """What the engine says goes to the owner of the leg, or of the playlist."""
        for fact in facts:
            owner = self.owners.get(getattr(fact, "leg", "") or getattr(fact, "source", ""))
            if owner is not None:
                self._put(owner, fact)
        self.run()

    def run(self) -> None:
        """Actors take turns in the order in which they came to have mail, as in the runtime."""
        while ready := [name for name, mail in self.mail.items() if mail and name not in self.asleep]:
            message = self.mail[ready[0]].popleft()
            self._to_the_end(ready[0])
            self._perform(ready[0], self.actors[ready[0]].receive(message, self.now))
            self._seen(ready[0])

    def _seen(self, name: str) -> None:
        """Where there is a directory it hears how that agent stands."""
        agent = self.actors.get(name)
        if isinstance(agent, Agent) and "directory" in self.actors:
            stands = colleague(agent.state)
            if self.stand.get(name) != (agent, stands):
                self.stand[name] = agent, stands
                self._put("directory", directory.Stands((stands,)))

    def _to_the_end(self, name: str) -> None:
        self.mail[name] = self.mail.pop(name)

    def _put(self, name: str, message: object) -> None:
        if name in self.mail:
            if not self.mail[name]:
                self._to_the_end(name)
            self.mail[name].append(message)
        else:
            self.dead_letters.append((name, message))

    def _perform(self, name: str, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Tell(to, message):
                    self._put(to, message)
                case Spawn(new, behaviour):
                    self.spawn(new, behaviour)
                case Watch(watched):
                    if watched not in self.actors:
                        self._put(name, Down(watched, "not alive"))
                    elif name not in self.watchers.setdefault(watched, []):
                        self.watchers[watched].append(name)
                case Unwatch(watched):
                    if name in self.watchers.get(watched, []):
                        self.watchers[watched].remove(name)
                case Stop(reason, told):
                    self.end(name, reason, told)
                case Media(command):
                    if isinstance(command, media.OpenRtpLeg | media.OpenWebrtcLeg):
                        self.owners[command.leg] = name
                    if isinstance(command, media.OpenSource) and isinstance(command.kind, media.Playlist):
                        self.owners[command.source] = name
                    for fact in self.engine.command(command, self.now):
                        if not isinstance(fact, media.RecordingClosed):  # who closes one hears nothing of it
                            self._put(name, fact)
                case Sip() | Push() | Reply() | Record() | Log() | Alarm() | Locate() | LookBack():
                    pass
            self.said.append((name, effect))

    # --- what was said ----------------------------------------------------------------------------------------

    def of(self, name: str) -> Iterator[Effect]:
        return (effect for who, effect in self.said if who == name)

    def events(self, session: str) -> list[page.Event]:
        return [each.event for _, each in self.said if isinstance(each, Push) and each.session == session]

    def replies(self, session: str) -> list[page.Accepted | page.Refused | page.Snapshot]:
        return [each.result for _, each in self.said if isinstance(each, Reply) and each.session == session]

    def sip(self, call: str = "c") -> list[signals.SipCommand]:
        return [each.command for each in self.of(f"call:{call}") if isinstance(each, Sip)]

    def heard(self, call: str = "c") -> str:
        """What the caller hears: `music`, the name of the prompt that is announced, or legs."""
        return what_is_heard(self.engine, f"call:{call}/caller")

    def late(self) -> list[object]:
        """The kinds of input that were dropped as late."""
        logs = [dict(each.fields) for _, each in self.said if isinstance(each, Log) and each.event == "late"]
        return [fields["input"] for fields in logs]

    # --- a small centre ---------------------------------------------------------------------------------------

    def queue(self, name: str = "support", **profile: Any) -> Queue:
        made = Queue(queues.Profile(name, name.title(), **profile))
        self.spawn(f"queue:{name}", made)
        self.run()
        return made

    def agent(self, name: str, *skills: str | agents.Skill) -> Agent:
        known = tuple(agents.Skill(each) if isinstance(each, str) else each for each in skills or ("support",))
        place = sum(isinstance(each, Agent) for each in self.actors.values())
        made = Agent(agents.Profile(name, name.title(), known, place=place), self.now)
        self.spawn(f"agent:{name}", made)
        self.tell(f"agent:{name}", page.Attached(name))
        return made

    def state_of(self, agent: str) -> agents.Data:
        made = self.actors[f"agent:{agent}"]
        assert isinstance(made, Agent)
        return made.state

    def actor_phase(self, agent: str) -> agents.Phase:
        return self.state_of(agent).phase

    def robot(self, name: str, *skills: str | agents.Skill) -> Agent:
        """An agent signed in without media; its page's session has its name."""
        made = self.agent(name, *skills)
        assert self.ask(name, page.SignIn(media="none")) == page.Accepted()
        return made

    def sitting(self, name: str, *skills: str | agents.Skill) -> Agent:
        """An agent signed in by a page with media that is connected."""
        made = self.agent(name, *skills)
        assert isinstance(self.ask(name, page.SignIn(sdp=PAGE_OFFER)), page.Accepted)
        self.fact(*self.engine.connect(made.state.leg))
        return made

    def ask(
        self, agent: str, command: page.Command, session: str = ""
    ) -> page.Accepted | page.Refused | page.Snapshot | None:
        """A page's request; the reply to it, if it has come."""
        self.requests += 1
        number = self.requests
        self.tell(f"agent:{agent}", page.Request(session or agent, number, PEER, command))
        answers = [each.result for _, each in self.said if isinstance(each, Reply) and each.id == number]
        assert len(answers) <= 1
        assert all(each.code in command.refusals for each in answers if isinstance(each, page.Refused))
        return answers[0] if answers else None

    def call(
        self, name: str = "c", route: Route | None = None, *, delayed_offer: bool = False, priority: int = NORMAL
    ) -> Call:
        """A call that has been routed: to the queue `support` where nothing else is said."""
        if "trunk:carrier" not in self.actors:
            self.spawn("trunk:carrier", trunk.Trunk(trunk.Profile("carrier"), self.now))
        self.calls += 1
        offer = None if delayed_offer else sdp.offer("198.51.100.1", 4000 + 2 * self.calls, session_id=1, codecs=G711)
        made = Call(arrived(name, offer=offer), self.now)
        self.spawn(f"call:{name}", made)
        self.run()
        self.tell(f"call:{name}", calls.Routed(route or ToQueue("support"), nat=False, priority=priority))
        return made


def what_is_heard(engine: ModelEngine, leg: str) -> str:
    """`music`, the first prompt of a playlist, `tones` where it has none, or legs, in one word or several."""
    words = []
    for name in engine.hears(leg):
        kind = engine.kind(name) if name in engine.sources else None
        if isinstance(kind, media.Playlist):
            prompts = (part.sound.name for part in kind.parts if isinstance(part.sound, media.Prompt))
            words.append(next(prompts, "tones"))
        else:
            words.append("music" if name == MUSIC else name)
    return " ".join(words)


def code(reply: object) -> str:
    """The code of a refusal."""
    assert isinstance(reply, page.Refused), reply
    return reply.code
