"""A trunk: a carrier or PBX, how it stands, and the calls of ours that go out by it.

    INBOUND (no proxy)          TRYING --a host answers--> UP <--> DOWN
       `--it registers with us---> UP --none does---------------------^

The calls that it brings it does not know: they are taken in every state, for who brings one is there.

A trunk with a `proxy` looks up its hosts, and again every minute where they have names. Each host is asked by itself
(`gateway.py`), and so is leave to come from there where the carrier wants us to register (`registration.py`). It is up
as long as one host is, and what was registered stands; what is wrong is an alarm. What SIP was asked before a restart
of the process is asked again (`Recalled`).

A PBX without a fixed address (`guest`) registers with us, and its hosts are where it is: asked like others, and dialled
in the order that it wishes. One that never came, or that has said goodbye, is no trouble; one whose registration ends
otherwise is down.

A call that goes out seizes the trunk, within its limits, and is given the first host that is up and that it has not
tried; what it meets there is told (`Trouble`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import Enum

from attrs import frozen

from . import agent_state as agents
from . import alarms, gateway, registration, signals
from . import call_state as calls
from .effects import Alarm, Down, Effect, Log, Sip, Started, Stop, Tell, Watch
from .evolving import evolve
from .gateway import Gateway
from .limits import NO_LIMITS, UNUSED, Limits, Usage
from .registration import Registration
from .table import Bug, Late, Machine, Table, always, each, row

# How often the names of hosts are looked up, in seconds, where they say nothing less: as long as most carriers let an
# answer be kept.
RESOLVE_SECONDS = 60.0
# ... and where nothing was found, or nothing came back.
RESOLVE_AGAIN = 10.0


class Phase(Enum):
    INBOUND = "inbound"
    TRYING = "trying"
    UP = "up"
    DOWN = "down"


# --- messages -----------------------------------------------------------------------------------------------------


@frozen
class Profile:
    """What the organisation says of the trunk; comes again when it changes."""

    trunk: str
    nat: bool = False
    srtp: bool = False
    proxy: tuple[str, ...] = ()
    username: str = ""
    register: bool = False
    # It has no proxy, and registers with us where it wants to be called.
    guest: bool = False
    # Of the calls that go out.
    limits: Limits = NO_LIMITS
    # In which we are registered.
    domain: str = ""


@frozen
class Recalled:
    """The process is another since `at`: of what SIP was asked nothing will be heard, and nobody was there for an
    answer. Heard before any timer that came due meanwhile."""

    at: float


@frozen
class Corrected:
    """The account by which we are known there is another."""


@frozen
class Dismiss:
    """The trunk is no longer in the organisation: its calls go on, it ends."""


@frozen
class Timeout:
    """Never sent: what `wake` looks up in the table."""


# --- data ---------------------------------------------------------------------------------------------------------


@frozen
class Data:
    profile: Profile
    phase: Phase = Phase.INBOUND
    reason: str = ""
    since: float = 0.0
    # The calls that go out.
    usage: Usage = UNUSED
    # In the order of the proxies, and of what each name has.
    gateways: tuple[gateway.Data, ...] = ()
    hosts_had: int = 0
    registration: registration.Data | None = None
    # What SIP knows of where calls pass.
    routes: tuple[str, ...] = ()
    # Where it has registered, preferred first.
    contacts: tuple[signals.Contact, ...] = ()
    resolve_at: float = math.inf
    # Nothing was found under the proxies' names.
    unknown: bool = False
    # That stands.
    alarm: str = ""
    # The last call that it challenged did not get in: it wants another password.
    barred: bool = False


class Trunk(Machine[Phase]):
    state: Data

    def __init__(self, profile: Profile, now: float) -> None:
        # Hosts are numbered on from what an earlier life of this trunk can have reached, whose questions may be open.
        self.state = Data(profile, since=now, hosts_had=int(now * 1000))

    def receive(self, message: object, now: float) -> list[Effect]:
        effects = self.dispatch(self.state.phase, message, now)
        return [*effects, *self._registration_told(now), *self._route_told(now), *self._stands(now)]

    def deadline(self) -> float:
        data = self.state
        times = [data.resolve_at, *(Gateway(each).deadline() for each in data.gateways)]
        times += [each.binding.until for each in data.contacts]
        if data.registration is not None:
            times.append(Registration(data.registration).deadline())
            if data.phase is Phase.UP or data.routes:
                times.append(data.registration.granted_until)
        return min(times)

    def wake(self, now: float) -> list[Effect]:
        return self.receive(Timeout(), now)

    # --- what the organisation says ---------------------------------------------------------------------------

    def _started(self, message: Started, now: float) -> list[Effect]:
        """What an earlier life of it may have had pass where a registrar said is over with that registration."""
        profile = self.state.profile
        return [Sip(signals.ServiceRoute(profile.trunk, ())), *self._take_up(profile, now)]

    def _profile(self, message: Profile, now: float) -> list[Effect]:
        old = self.state.profile
        self.state = evolve(self.state, profile=message)
        if _way_of(old) == _way_of(message):
            return []
        return [*self._unregister(), *self._open(), *self._take_up(message, now)]

    def _take_up(self, profile: Profile, now: float) -> list[Effect]:
        """Where calls go from now on. Hosts of a proxy that stays are known already."""
        if not profile.proxy:
            self._move(Phase.INBOUND, "not registered" if profile.guest else "no proxy", now)
            self.state = evolve(self.state, gateways=(), contacts=(), registration=None, resolve_at=math.inf)
            return []
        self._move(Phase.TRYING, "asked", now)
        before = self.state.registration
        begun = registration.begun(profile.trunk, profile.username, before, now) if profile.register else None
        kept = tuple(each for each in self.state.gateways if each.host.proxy in profile.proxy)
        self.state = evolve(self.state, gateways=kept, contacts=(), registration=begun, unknown=False)
        return self._resolve(now)

    def _corrected(self, message: Corrected, now: float) -> list[Effect]:
        return [*self._open(), *self._to_registration(registration.Corrected(), now)]

    def _unregister(self) -> list[Effect]:
        data = self.state.registration
        return [] if data is None else Registration(data).end()

    def _dismiss(self, message: Dismiss, now: float) -> list[Effect]:
        gone = [*self._unregister(), *self._open(), *self._stands_down("")]
        self._move(Phase.INBOUND, "dismissed", now)
        self.state = evolve(self.state, gateways=(), contacts=(), registration=None, resolve_at=math.inf)
        return [*gone, Stop(agents.DISMISSED)]

    # --- the calls that go out --------------------------------------------------------------------------------

    def _call_over(self, message: Down, now: float) -> list[Effect]:
        self.state = evolve(self.state, usage=self.state.usage.over(message.name.partition(":")[2]))
        return []

    def _seize(self, message: calls.Seize, now: float) -> list[Effect]:
        data = self.state
        goes_on = message.call in data.usage.calls  # by another host
        if not goes_on and not message.emergency and data.usage.refusal(data.profile.limits, now) is not None:
            return self._deny(message, "trunk_busy")
        host, more = self._best(message)
        if host is None:
            return self._deny(message, "unreachable" if message.tried else "no_way_out")
        if not goes_on:
            self.state = evolve(data, usage=data.usage.begun(message.call, now))
        call = signals.actor(message.call)
        about = data.profile.nat, data.profile.srtp, data.barred, more
        granted = calls.Granted(data.profile.trunk, host, *about)
        return [Watch(call), Tell(call, granted)]

    def _seize_down(self, message: calls.Seize, now: float) -> list[Effect]:
        """An emergency call that no trunk took which is up is worth a try at a host that has not answered."""
        if message.down:
            return self._seize(message, now)
        guest_is_gone = self.state.profile.guest and not self.state.contacts
        return self._deny(message, "not_registered" if guest_is_gone else "trunk_down")

    def _no_way(self, message: calls.Seize, now: float) -> list[Effect]:
        return self._deny(message, "not_registered" if self.state.profile.guest else "no_way_out")

    def _deny(self, message: calls.Seize, why: str) -> list[Effect]:
        return [Tell(signals.actor(message.call), calls.Denied(self.state.profile.trunk, why))]

    def _best(self, message: calls.Seize) -> tuple[signals.Host | None, bool]:
        """The first host that answers and was not tried; else, where one will do that does not, any that was not. And
        whether there is another that answers."""
        untried = [each for each in self.state.gateways if each.host not in message.tried]
        up = [each.host for each in untried if each.phase is gateway.Phase.UP]
        if up:
            return up[0], len(up) > 1
        return (untried[0].host if message.down and untried else None), False

    def _freed(self, message: calls.Freed, now: float) -> list[Effect]:
        self.state = evolve(self.state, usage=self.state.usage.over(message.call))
        return []

    def _trouble(self, message: calls.Trouble, now: float) -> list[Effect]:
        """One that said 503 is left alone; one that said nothing, or something else, is asked at once what it is at."""
        known = next((each for each in self.state.gateways if each.host == message.host), None)
        if known is None:
            return []
        if message.barred:
            return self._bar()
        if message.retry_after is not None:
            return self._to_gateway(known, gateway.Busy(message.retry_after), now)
        if not known.ask:
            self._replace(known, evolve(known, ping_at=now))
        return self._serve_gateways(now)

    def _bar(self) -> list[Effect]:
        if self.state.barred:
            return []
        self.state = evolve(self.state, barred=True)
        fields = (("trunk", self.state.profile.trunk),)
        return [Log("trunk wants another password", fields), Alarm(self._wants_password(), standing=True)]

    def _open(self) -> list[Effect]:
        if not self.state.barred:
            return []
        self.state = evolve(self.state, barred=False)
        return [Alarm(self._wants_password(), standing=False)]

    def _barred_still(self) -> list[Effect]:
        """The alarm of the process before is not there any more."""
        return [Alarm(self._wants_password(), standing=True)] if self.state.barred else []

    def _wants_password(self) -> str:
        return alarms.TRUNK_WANTS_PASSWORD.says(trunk=self.state.profile.trunk)

    def _let_in(self, message: calls.LetIn, now: float) -> list[Effect]:
        return self._open()

    # --- its hosts --------------------------------------------------------------------------------------------

    def _resolve(self, now: float) -> list[Effect]:
        profile = self.state.profile
        self.state = evolve(self.state, resolve_at=now + RESOLVE_AGAIN)
        return [Sip(signals.Resolve(profile.trunk, profile.proxy))]

    def _resolved(self, message: signals.Resolved, now: float) -> list[Effect]:
        """A name that is not found for once leaves the hosts as they were. A name server that takes its time tells of
        proxies that were left meanwhile: these are nobody's."""
        data = self.state
        if message.proxies != data.profile.proxy:
            return []
        kept = max(RESOLVE_AGAIN, min(message.seconds, RESOLVE_SECONDS)) if message.hosts else RESOLVE_AGAIN
        again = math.inf if message.lasting else now + kept
        self.state = evolve(data, resolve_at=again, unknown=not (message.hosts or data.gateways))
        if not message.hosts:
            return []
        known = {each.host: each for each in data.gateways}
        new = {host: data.hosts_had + at for at, host in enumerate(message.hosts) if host not in known}
        found = tuple(
            known[host] if host in known else gateway.begun(data.profile.trunk, new[host], host, now)
            for host in message.hosts
        )
        self.state = evolve(self.state, gateways=found, hosts_had=data.hosts_had + len(message.hosts))
        return self._serve_gateways(now)

    def _registered(self, message: signals.Registered, now: float) -> list[Effect]:
        """The PBX says where it is, or that it is there no more."""
        if not self.state.profile.guest:
            return []  # that it was crossed the organisation's change
        before = {each.host for each in self.state.contacts}
        renewed = bool(before) and self.state.phase is Phase.UP and before == {each.host for each in message.contacts}
        self._found_at(message.contacts, now)
        if message.contacts:
            self._move(Phase.UP, "answers", now)
        elif message.lost:
            self._move(Phase.DOWN, "its connection is gone", now)
        else:
            self._move(Phase.INBOUND, "not registered", now)
        fields = (("trunk", self.state.profile.trunk), ("contacts", len(message.contacts)))
        event = "PBX registered" if message.contacts else "PBX not registered"
        return [Log(event, fields, "debug" if renewed else "info")]

    def _found_at(self, contacts: tuple[signals.Contact, ...], now: float) -> None:
        """Where it is from now on; hosts that stay are known already."""
        data = self.state
        known = {each.host: each for each in data.gateways}
        hosts = [each.host for each in contacts]
        new = {host: data.hosts_had + at for at, host in enumerate(hosts) if host not in known}
        found = tuple(
            known[host] if host in known else gateway.heard(data.profile.trunk, new[host], host, now) for host in hosts
        )
        self.state = evolve(data, contacts=contacts, gateways=found, hosts_had=data.hosts_had + len(hosts))

    def _expire(self, now: float) -> None:
        """A registration that is not renewed ends."""
        kept = tuple(each for each in self.state.contacts if each.binding.until > now)
        if kept == self.state.contacts:
            return
        self._found_at(kept, now)
        if not kept:
            self._move(Phase.DOWN, "its registration has ended", now)

    def _replied(self, message: signals.Replied, now: float) -> list[Effect]:
        data = self.state
        if data.registration is not None and data.registration.ask == message.ask:
            learned = registration.learned(data.registration, message) if message.heard else data.registration
            self.state = evolve(data, registration=learned)
            return self._to_registration(_of_registration(message), now)
        asked = next((each for each in data.gateways if each.ask == message.ask), None)
        return [] if asked is None else self._to_gateway(asked, _of_host(message), now)

    def _flow_lost(self, message: signals.FlowLost, now: float) -> list[Effect]:
        return self._to_registration(registration.Cut(), now)

    def _asks_nobody(self, message: Recalled, now: float) -> list[Effect]:
        """It has no hosts, of which an answer could have been lost."""
        return self._barred_still()

    def _recalled(self, message: Recalled, now: float) -> list[Effect]:
        data, now = self.state, message.at
        gateways = tuple(gateway.forgotten(each, now) for each in data.gateways)
        kept = data.registration and registration.forgotten(data.registration, now)
        self.state = evolve(data, gateways=gateways, registration=kept, routes=(), alarm="")
        asked = self._rebind(now) if data.profile.guest else self._resolve(now)
        return [*self._barred_still(), *asked, *self._time(Timeout(), now)]

    def _rebind(self, now: float) -> list[Effect]:
        """SIP is told where the PBX is. Connections ended with the process."""
        kept = tuple(each for each in self.state.contacts if each.host.transport == "udp")
        if self.state.contacts and not kept:
            self._move(Phase.DOWN, "its connection is gone", now)
        self._found_at(kept, now)
        return [Sip(signals.Bind(self.state.profile.trunk, tuple(each.binding for each in kept)))]

    def _time(self, message: Timeout, now: float) -> list[Effect]:
        data = self.state
        self._expire(now)
        effects = self._resolve(now) if data.resolve_at <= now else []
        effects += self._serve_gateways(now)
        if data.registration is not None and Registration(data.registration).deadline() <= now:
            machine = Registration(data.registration)
            effects += machine.wake(now)
            self.state = evolve(self.state, registration=machine.state)
        return effects

    def _serve_gateways(self, now: float) -> list[Effect]:
        effects: list[Effect] = []
        for before in self.state.gateways:
            machine = Gateway(before)
            if machine.deadline() <= now:
                effects += machine.wake(now)
                self._replace(before, machine.state)
        return effects

    def _to_gateway(self, asked: gateway.Data, message: object, now: float) -> list[Effect]:
        machine = Gateway(asked)
        effects = machine.receive(message, now)
        self._replace(asked, machine.state)
        return effects

    def _replace(self, old: gateway.Data, new: gateway.Data) -> None:
        gateways = tuple(new if each is old else each for each in self.state.gateways)
        self.state = evolve(self.state, gateways=gateways)

    # --- its registration -------------------------------------------------------------------------------------

    def _to_registration(self, message: object, now: float) -> list[Effect]:
        data = self.state.registration
        if data is None:
            return []
        machine = Registration(data)
        effects = machine.receive(message, now)
        self.state = evolve(self.state, registration=machine.state)
        return effects

    def _registration_told(self, now: float) -> list[Effect]:
        """Which hosts there are to register with, those that answer first, where that is news."""
        if self.state.registration is None:
            return []
        hosts = _preferred(self.state.gateways)
        return [] if hosts == self.state.registration.hosts else self._to_registration(registration.Hosts(hosts), now)

    def _route_told(self, now: float) -> list[Effect]:
        """What a registrar said is worth as much as what it granted, and no longer (RFC 3608 §6.1)."""
        kept = self.state.registration
        routes = kept.routes if kept is not None and now < kept.granted_until else ()
        if routes == self.state.routes:
            return []
        self.state = evolve(self.state, routes=routes)
        return [Sip(signals.ServiceRoute(self.state.profile.trunk, routes))]

    # --- how it stands ----------------------------------------------------------------------------------------

    def _stands(self, now: float) -> list[Effect]:
        """What follows from any change, in one place."""
        data = self.state
        if data.phase is Phase.INBOUND:
            return self._stands_down("")
        phase, reason = _standing(data, now)
        told: list[Effect] = []
        if (phase, reason) != (data.phase, data.reason):
            self._move(phase, reason, now)
            told.append(Log("trunk", (("trunk", data.profile.trunk), ("state", phase.value), ("reason", reason))))
        return [*told, *self._stands_down(reason if phase is Phase.DOWN else "")]

    def _stands_down(self, reason: str) -> list[Effect]:
        """The one alarm that there is about it, where there is a reason, and not where there is none."""
        text = alarms.TRUNK_DOWN.says(trunk=self.state.profile.trunk, reason=reason) if reason else ""
        before = self.state.alarm
        self.state = evolve(self.state, alarm=text)
        over = [Alarm(before, standing=False)] if before not in ("", text) else []
        return [*over, *([Alarm(text, standing=True)] if text not in ("", before) else [])]

    def _move(self, phase: Phase, reason: str, now: float) -> None:
        """The one door for state changes."""
        since = self.state.since if phase is self.state.phase else now
        self.state = evolve(self.state, phase=phase, reason=reason, since=since)


def _way_of(profile: Profile) -> object:
    """What decides where calls go, and as whom we are known there."""
    return profile.proxy, profile.username, profile.register, profile.guest, profile.domain


def _standing(data: Data, now: float) -> tuple[Phase, str]:
    """How a trunk stands that has hosts, or had, and why."""
    phases = {each.phase for each in data.gateways}
    if not phases and data.profile.guest:
        return Phase.DOWN, data.reason
    if not phases:
        return (Phase.DOWN, "its hosts are not found") if data.unknown else (Phase.TRYING, "asked")
    if gateway.Phase.UP not in phases:
        if gateway.Phase.NEW in phases:
            return Phase.TRYING, "asked"
        if gateway.Phase.RESTING in phases:
            return Phase.DOWN, "503"
        return Phase.DOWN, next((each.trouble for each in data.gateways if each.trouble), "no answer")
    kept = data.registration
    if kept is None or kept.registered(now):
        return Phase.UP, "answers"
    if kept.flapping and not kept.failures:
        return Phase.DOWN, "not registered: its connections do not last"
    if kept.failures == 0:
        return (Phase.DOWN, data.reason) if data.phase is Phase.DOWN else (Phase.TRYING, "registers")
    return Phase.DOWN, f"not registered: {kept.trouble}"


def _preferred(gateways: Iterable[gateway.Data]) -> tuple[signals.Host, ...]:
    """Those that answer, then those that may; who rests is left alone."""
    order = {gateway.Phase.UP: 0, gateway.Phase.NEW: 1, gateway.Phase.DOWN: 2}
    able = [each for each in gateways if each.phase in order]
    return tuple(each.host for each in sorted(able, key=lambda each: order[each.phase]))


def _of_host(message: signals.Replied) -> gateway.Answered | gateway.Busy | gateway.Silent:
    if not message.heard:
        return gateway.Silent(message.trouble)
    return gateway.Busy(message.retry_after) if message.status == 503 else gateway.Answered()


def _of_registration(
    message: signals.Replied,
) -> registration.Granted | registration.TooBrief | registration.Refused | registration.Silent:
    if not message.heard:
        return registration.Silent(message.trouble)
    if 200 <= message.status < 300:
        return registration.Granted(message.expires or 0, message.routes)
    if message.status == 423 and message.min_expires is not None:
        return registration.TooBrief(message.min_expires)
    return registration.Refused(message.status, message.retry_after)


_NO_HOST = Late("it has no host any more")

TABLE = Table(
    "trunk",
    Phase,
    row(Started, inbound=Trunk._started, **each("trying up down", Bug("an actor starts once"))),
    always(Profile, Trunk._profile, Phase),
    always(Down, Trunk._call_over, Phase),
    row(calls.Seize, inbound=Trunk._no_way, up=Trunk._seize, **each("trying down", Trunk._seize_down)),
    always(calls.Freed, Trunk._freed, Phase),
    row(calls.Trouble, inbound=_NO_HOST, **each("trying up down", Trunk._trouble)),
    always(calls.LetIn, Trunk._let_in, Phase),
    row(signals.Resolved, inbound=_NO_HOST, **each("trying up down", Trunk._resolved)),
    row(signals.Replied, inbound=_NO_HOST, **each("trying up down", Trunk._replied)),
    row(
        signals.FlowLost, inbound=Late("it is registered nowhere any more"), **each("trying up down", Trunk._flow_lost)
    ),
    row(
        Corrected,
        inbound=Late("it is registered nowhere, and calls that go out ask SIP for the account"),
        **each("trying up down", Trunk._corrected),
    ),
    row(Recalled, inbound=Trunk._asks_nobody, **each("trying up down", Trunk._recalled)),
    row(Timeout, inbound=Bug("nothing is waited for"), **each("trying up down", Trunk._time)),
    always(signals.Registered, Trunk._registered, Phase),
    always(Dismiss, Trunk._dismiss, Phase),
)
Trunk.table = TABLE
