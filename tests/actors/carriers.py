"""Carriers that answer a trunk as a story says, on a clock that the story moves."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from attrs import define, evolve, field
from cordboard.actors import signals
from cordboard.actors.effects import Alarm, Effect, Log, Sip, Started, Stop
from cordboard.actors.trunk import RESOLVE_SECONDS, Phase, Profile, Trunk

NOW = 1_000_000.0
ONE = signals.Host("sip:one.example", "192.0.2.1", 5060, "udp")
TCP = signals.Host("sip:one.example;transport=tcp", "192.0.2.1", 5060, "tcp")
TWO = signals.Host("sip:two.example", "192.0.2.2", 5060, "udp")
PLAIN = Profile("carrier", proxy=("sip:one.example", "sip:two.example"))
REGISTERS = evolve(PLAIN, username="us", register=True)
# How long an answer is on its way.
DELAY = 0.05
UNBELIEVED = "its certificate is not believed: it has expired"
FLAPS = "not registered: its connections do not last"

Answer = Callable[[signals.Ask], signals.Replied | None]


def says(status: int, **more: Any) -> Answer:
    return lambda ask: signals.Replied(ask.ask, status, True, ask.cseq, ask.call_id or "ours", **more)


def grants(seconds: int, *routes: str) -> Answer:
    """A registrar that does; OPTIONS it answers as well."""
    return lambda ask: says(200, **({"expires": seconds, "routes": routes} if ask.method == "REGISTER" else {}))(ask)


def unless_registering(answer: Answer) -> Answer:
    """It is alive, and answers a REGISTER so."""
    return lambda ask: (answer if ask.method == "REGISTER" else says(200))(ask)


def silent(ask: signals.Ask) -> None:
    return None


def unsendable(ask: signals.Ask, trouble: str = "") -> signals.Replied:
    return signals.Replied(ask.ask, 503, False, ask.cseq, ask.call_id, trouble=trouble)


def not_believed(ask: signals.Ask) -> signals.Replied:
    return unsendable(ask, UNBELIEVED)


@define
class World:
    """One trunk; `hosts` are those that its proxies have, and how each answers."""

    hosts: dict[signals.Host, Answer]
    profile: Profile = PLAIN
    now: float = NOW
    lasting: bool = True
    seconds: float = RESOLVE_SECONDS
    # How long a name server takes.
    finding: float = DELAY
    trunk: Trunk = field(init=False)
    asked: list[tuple[float, signals.Ask]] = field(factory=list)
    resolved: list[float] = field(factory=list)
    alarms: list[str] = field(factory=list)
    states: list[tuple[float, str, str]] = field(factory=list)
    routes: list[tuple[str, ...]] = field(factory=list)
    logged: list[Log] = field(factory=list)
    stopped: str = ""
    _coming: list[tuple[float, object]] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.trunk = Trunk(self.profile, self.now)
        self.tell(Started())

    def tell(self, message: object) -> None:
        self._perform(self.trunk.receive(message, self.now))

    def until(self, when: float) -> None:
        """Relative to the beginning."""
        when += NOW
        for _ in range(100_000):
            coming = min((at for at, _ in self._coming), default=math.inf)
            due = min(self.trunk.deadline(), coming)
            if due > when:
                self.now = when
                return
            self.now = max(self.now, due)
            if coming <= due:
                _, message = self._coming.pop(0)
                self.tell(message)
            else:
                self._perform(self.trunk.wake(self.now))
        raise AssertionError("it spins")

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Sip(signals.Resolve() as each):
                    self.resolved.append(self.now - NOW)
                    found = signals.Resolved(tuple(self.hosts), self.lasting, self.seconds, each.proxies)
                    self._coming.append((self.now + self.finding, found))
                    self._coming.sort(key=lambda coming: coming[0])
                case Sip(signals.Ask() as ask):
                    self.asked.append((self.now - NOW, ask))
                    answer = self.hosts.get(ask.host, silent)(ask)
                    if answer is not None:
                        self._come(answer)
                case Alarm(text, standing):
                    (self.alarms.append if standing else self.alarms.remove)(text)
                case Log("trunk", fields):
                    told = dict(fields)
                    self.states.append((round(self.now - NOW, 2), str(told["state"]), str(told["reason"])))
                case Sip(signals.ServiceRoute(_, routes)):
                    self.routes.append(routes)
                case Stop(reason):
                    self.stopped = reason
                case Log():
                    self.logged.append(effect)
                case _:
                    raise AssertionError(effect)

    def _come(self, message: object) -> None:
        self._coming.append((self.now + DELAY, message))

    @property
    def phase(self) -> Phase:
        return self.trunk.state.phase

    def asks(self, host: signals.Host, method: str = "OPTIONS") -> list[float]:
        return [round(at, 2) for at, ask in self.asked if ask.host == host and ask.method == method]

    def registers(self) -> list[signals.Ask]:
        return [ask for _, ask in self.asked if ask.method == "REGISTER"]
