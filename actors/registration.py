"""Our registration with a carrier that wants to be told where we are (RFC 3261 §10.2).

    OFF --hosts--> ASKING --200--> HELD --in good time before it expires--> ASKING
                      |  ^
                      |  `-- 423: again with the least that it takes; silence or 503: the next host
                      `-- no host took it --> WAITING (longer each time) --> ASKING
    LEAVING --what was held as somebody else is given back--> OFF

What was granted stands until it expires, whatever becomes of the request that renews it: `registered` says whether it
does. What was granted on a connection is worth nothing without it (`Cut`), for that is how the carrier reaches us: it
is asked for again at once, or after a pause that grows where connections do not last (RFC 5626 §4.5), and stands no
longer where that fails. A carrier that grants and hangs up, again and again, reaches nobody: what it grants counts when
its connection has held for a while. A whole registration keeps one Call-ID, and its CSeq rises (RFC 3261 §10.2.4), over
a restart of the process too.
Pauses are spread by chance, so that not all who lost one carrier come back in the same second; the chance is drawn
from `seed`, which is as good as any and replays. It is of this registration and of no other, and tells its questions
from those of one before it, which may be open still.

A machine and no actor: the trunk (`trunk.py`) owns it, and asks what it wants asked.
"""

from __future__ import annotations

import math
from enum import Enum
from random import Random
from typing import Final

from attrs import evolve, frozen

from . import signals
from .effects import Effect, Log, Sip
from .table import Bug, Late, Machine, Table, each, row

# For how long we want to be known, in seconds; the registrar may say less.
EXPIRES: Final = 600
LONGEST_EXPIRES: Final = 86_400
# When it is renewed: after this part of what was granted, give or take some.
RENEW: Final = (0.6, 0.8)
# How long an answer is waited for at a host where another is left to go to, and at the last one: nobody says 100 to a
# REGISTER so soon (RFC 4320 §4.1), and some look the account up far away.
FAILOVER: Final = 4.0
PATIENCE: Final = 8.0
# ... that is only to forget us, in seconds: 8*T1, in which a host that is there has said something.
LEAVE_PATIENCE: Final = 4.0
# The pause after all hosts have refused or said nothing; it doubles (RFC 5626 §4.5), and is spread by a half.
FIRST_PAUSE: Final = 4.0
LONGEST_PAUSE: Final = 300.0
# A connection that lasted so long is none of a row of failures (RFC 5626 §4.5); after one of a row comes a pause, that
# doubles up to this one, in seconds.
LASTING: Final = 120.0
LONGEST_CUT_PAUSE: Final = 30.0
# After so many connections in a row that did not even last so long, in seconds, a grant is worth something no sooner
# than that: carriers that are well keep them for minutes.
FLAPS: Final = 2
STEADY: Final = 10.0
# A question is asked again within with the next numbers, where it is challenged (RFC 3261 §22.2).
CSEQ_ROOM: Final = 8


class Phase(Enum):
    OFF = "off"
    ASKING = "asking"
    HELD = "held"
    WAITING = "waiting"
    LEAVING = "leaving"


# --- messages -----------------------------------------------------------------------------------------------------


@frozen
class Hosts:
    """Where it may be tried, preferred first."""

    hosts: tuple[signals.Host, ...]


@frozen
class Granted:
    """For so long; calls of ours have to pass `routes` (RFC 3608)."""

    expires: int
    routes: tuple[str, ...] = ()


@frozen
class TooBrief:
    """423: not for less than `min_expires`."""

    min_expires: int


@frozen
class Refused:
    """Any other answer: `status`, and where it is 503 perhaps when to come again."""

    status: int
    retry_after: int | None = None


@frozen
class Silent:
    """Nobody answered, or nothing could be sent there, and why, where there was no connection."""

    trouble: str = ""


@frozen
class Cut:
    """The connection is gone by which whoever granted what is held was to reach us."""


@frozen
class Corrected:
    """The account is another: what was refused may be granted now."""


@frozen
class PatienceOver:
    """Never sent: the answer that is waited for has not come in time."""


@frozen
class RenewDue:
    """Never sent: what was granted is to be asked for again."""


@frozen
class SteadyDue:
    """Never sent: the connection has held for a while."""


@frozen
class PauseOver:
    """Never sent: it may be tried again."""


# --- data ---------------------------------------------------------------------------------------------------------


@frozen
class Data:
    """`ask` is the id of the question that is open, `host` where it went, or who granted what is held; `tried` are
    those that failed in this round, and `until` is when the phase is over. As it is `leaving`, the question is that of
    the registration before this one, which gives back what was held: the two may be of one Contact at one registrar,
    where the later one counts (RFC 3261 §10.3)."""

    trunk: str
    username: str
    seed: str
    phase: Phase = Phase.OFF
    hosts: tuple[signals.Host, ...] = ()
    host: signals.Host | None = None
    tried: tuple[signals.Host, ...] = ()
    ask: str = ""
    until: float = math.inf
    expires: int = EXPIRES
    granted_until: float = -math.inf
    # Since when we are reached without a break; `cut` as the connection went, and nothing was granted since; how often
    # one has in a row that did not last, or was gone at once.
    reached_at: float = -math.inf
    cut: bool = False
    cuts: int = 0
    flaps: int = 0
    # In a row; and what the last one said.
    failures: int = 0
    trouble: str = ""
    call_id: str = ""
    cseq: int = 1
    asks: int = 0
    # What it said last of where our calls pass.
    routes: tuple[str, ...] = ()

    def registered(self, now: float) -> bool:
        return now < self.granted_until and not self.flapping

    @property
    def flapping(self) -> bool:
        """Its connections go as soon as they are there."""
        return self.flaps >= FLAPS


class Registration(Machine[Phase]):
    """See the module's docstring."""

    state: Data

    def __init__(self, state: Data) -> None:
        self.state = state

    def receive(self, message: object, now: float) -> list[Effect]:
        return self.dispatch(self.state.phase, message, now)

    def deadline(self) -> float:
        data = self.state
        held = data.phase is Phase.HELD and data.flaps
        return min(data.until, data.reached_at + STEADY) if held else data.until

    def wake(self, now: float) -> list[Effect]:
        match self.state.phase:
            case Phase.ASKING | Phase.LEAVING:
                return self.receive(PatienceOver(), now)
            case Phase.HELD:
                return self.receive(RenewDue() if self.state.until <= now else SteadyDue(), now)
            case Phase.WAITING:
                return self.receive(PauseOver(), now)
            case Phase.OFF:
                raise AssertionError("nothing is waited for")

    def end(self) -> list[Effect]:
        """We are no longer to be found there; whoever asked for nothing has nothing to take back."""
        data = self.state
        if not data.call_id or data.host is None:
            return []
        return [self._request(_ends(data), data.host, 0)]

    # --- steps ------------------------------------------------------------------------------------------------

    def _begin(self, message: Hosts, now: float) -> list[Effect]:
        self.state = evolve(self.state, hosts=message.hosts, tried=())
        return self._ask(now) if message.hosts else []

    def _hosts_leaving(self, message: Hosts, now: float) -> list[Effect]:
        self.state = evolve(self.state, hosts=message.hosts)
        return []

    def _left(self, message: object, now: float) -> list[Effect]:
        """Or whoever was asked to forget us said no, or nothing."""
        self._move(Phase.OFF, math.inf)
        return self._begin(Hosts(self.state.hosts), now)

    def _hosts_changed(self, message: Hosts, now: float) -> list[Effect]:
        """What is asked of a host that is none any more may still be answered, and who granted is asked again."""
        self.state = evolve(self.state, hosts=message.hosts)
        return [] if message.hosts else self._stop()

    def _hosts_waiting(self, message: Hosts, now: float) -> list[Effect]:
        """Another host than those that failed is tried at once."""
        if set(message.hosts) <= set(self.state.hosts):
            return self._hosts_changed(message, now)
        return self._begin(message, now)

    def _stop(self) -> list[Effect]:
        self._move(Phase.OFF, math.inf)
        return []

    def _ask(self, now: float) -> list[Effect]:
        """The host that granted what is held, where it is still one, then the first that was not tried."""
        data = self.state
        untried = [host for host in data.hosts if host not in data.tried]
        host = data.host if data.host in untried else untried[0]
        ask = f"{data.seed} registration {data.asks + 1}"
        request = self._request(ask, host, data.expires)
        self._move(Phase.ASKING, now + (FAILOVER if len(untried) > 1 else PATIENCE))
        self.state = evolve(self.state, ask=ask, host=host, asks=data.asks + 1, cseq=data.cseq + CSEQ_ROOM)
        return [request]

    def _request(self, ask: str, host: signals.Host, expires: int) -> Effect:
        data = self.state
        return Sip(signals.Ask(ask, data.trunk, "REGISTER", host, data.username, expires, data.call_id, data.cseq))

    def _granted(self, message: Granted, now: float) -> list[Effect]:
        if message.expires <= 0:
            return self._failed("granted for no time", now)
        data = self.state
        reached_at = data.reached_at if now < data.granted_until and not data.cut else now
        # no longer than was asked for (RFC 3261 §10.2.4): one that says more may have forgotten us by then
        seconds = min(message.expires, data.expires)
        self._move(Phase.HELD, now + seconds * self._chance(*RENEW))
        until = now + seconds
        self.state = evolve(
            self.state,
            granted_until=until,
            reached_at=reached_at,
            cut=False,
            failures=0,
            trouble="",
            tried=(),
            routes=message.routes,
        )
        return []

    def _too_brief(self, message: TooBrief, now: float) -> list[Effect]:
        if not self.state.expires < message.min_expires <= LONGEST_EXPIRES:
            return self._failed("423", now)
        self.state = evolve(self.state, expires=message.min_expires)
        return self._ask(now)

    def _refused(self, message: Refused, now: float) -> list[Effect]:
        """Another host of a carrier knows the same account: only one that is overloaded is worth a second."""
        if message.status == 503:
            return self._next(f"{message.status}", now, message.retry_after or 0)
        self.state = evolve(self.state, routes=())  # RFC 3608 §6.1
        return self._failed(str(message.status), now, message.retry_after or 0)

    def _silent(self, message: Silent | PatienceOver, now: float) -> list[Effect]:
        trouble = message.trouble if isinstance(message, Silent) else ""
        return self._next(trouble or "no answer", now)

    def _next(self, trouble: str, now: float, pause: float = 0.0) -> list[Effect]:
        data = self.state
        assert data.host is not None, "somebody was asked"
        tried = (*data.tried, data.host)
        if set(data.hosts) <= set(tried):
            return self._failed(trouble, now, pause)
        self.state = evolve(data, tried=tried, host=None)
        return self._ask(now)

    def _failed(self, trouble: str, now: float, pause: float = 0.0) -> list[Effect]:
        """By all hosts: the first is tried again after a pause, at least as long as one of them said."""
        where = self.state.host.fields if self.state.host is not None else ()
        failures = self.state.failures + 1
        ours = min(FIRST_PAUSE * 2 ** min(failures - 1, 16), LONGEST_PAUSE) * self._chance(0.5, 1.0)
        self._move(Phase.WAITING, now + max(ours, min(pause, LONGEST_PAUSE)))
        self.state = evolve(self.state, host=None, tried=(), failures=failures, trouble=trouble)
        if self.state.cut:
            self._lapse()
        fields = (("trunk", self.state.trunk), *where, ("reason", trouble), ("failures", failures))
        return [Log("not registered", fields)]

    def _cut(self, message: Cut, now: float) -> list[Effect]:
        """Where we are is said again at once, but for connections that do not last."""
        where = self.state.host.fields if self.state.host is not None else ()
        lasted = now - self.state.reached_at
        cuts = 1 if lasted >= LASTING else self.state.cuts + 1
        flaps = 0 if lasted >= STEADY else self.state.flaps + 1
        self.state = evolve(self.state, cut=True, cuts=cuts, flaps=flaps)
        if cuts > 1:
            pause = min(FIRST_PAUSE * 2 ** min(cuts - 2, 16), LONGEST_CUT_PAUSE) * self._chance(0.5, 1.0)
            self._move(Phase.WAITING, now + pause)
        effects = self._ask(now) if cuts == 1 else []
        fields = (("trunk", self.state.trunk), *where, ("failures", cuts))
        return [Log("registration cut", fields), *effects]

    def _steady(self, message: SteadyDue, now: float) -> list[Effect]:
        self.state = evolve(self.state, flaps=0)
        return []

    def _cut_asking(self, message: Cut, now: float) -> list[Effect]:
        """What comes of the question says whether we are reached again."""
        self.state = evolve(self.state, cut=True)
        return []

    def _cut_waiting(self, message: Cut, now: float) -> list[Effect]:
        """It failed to be renewed before: it is asked for again as soon as it may be."""
        self._lapse()
        return []

    def _lapse(self) -> None:
        """Nothing that was granted stands any more."""
        self.state = evolve(self.state, granted_until=-math.inf, cut=False)

    def _corrected(self, message: Corrected, now: float) -> list[Effect]:
        """Whoever has just mended it looks whether it works."""
        self.state = evolve(self.state, failures=0)
        return self._ask(now)

    def _corrected_asking(self, message: Corrected, now: float) -> list[Effect]:
        """What is open may have been asked as who we were; then it is asked again soon."""
        self.state = evolve(self.state, failures=0)
        return []

    def _again(self, message: RenewDue | PauseOver, now: float) -> list[Effect]:
        return self._ask(now)

    def _chance(self, low: float, high: float) -> float:
        return Random(f"{self.state.seed} {self.state.asks}").uniform(low, high)

    def _move(self, phase: Phase, until: float) -> None:
        """The one door for state changes: nothing is asked any more."""
        self.state = evolve(self.state, phase=phase, until=until, ask="")


_NOT_ASKED = Bug("nothing is asked, so nothing can be answered")
_NOTHING_HELD = Bug("nothing is held that is to be renewed")

TABLE = Table(
    "registration",
    Phase,
    row(
        Hosts,
        off=Registration._begin,
        asking=Registration._hosts_changed,
        held=Registration._hosts_changed,
        waiting=Registration._hosts_waiting,
        leaving=Registration._hosts_leaving,
    ),
    row(Granted, asking=Registration._granted, leaving=Registration._left, **each("off held waiting", _NOT_ASKED)),
    row(TooBrief, asking=Registration._too_brief, leaving=Registration._left, **each("off held waiting", _NOT_ASKED)),
    row(Refused, asking=Registration._refused, leaving=Registration._left, **each("off held waiting", _NOT_ASKED)),
    row(Silent, asking=Registration._silent, leaving=Registration._left, **each("off held waiting", _NOT_ASKED)),
    row(
        Cut,
        asking=Registration._cut_asking,
        held=Registration._cut,
        waiting=Registration._cut_waiting,
        **each("off leaving", Late("nobody is to reach us there any more")),
    ),
    row(
        Corrected,
        off=Late("it is asked for as soon as there is a host"),
        asking=Registration._corrected_asking,
        held=Late("what is granted stands, and is renewed as who we are then"),
        waiting=Registration._corrected,
        leaving=Late("it is asked for as soon as what was held before is given back"),
    ),
    row(
        PatienceOver,
        asking=Registration._silent,
        leaving=Registration._left,
        **each("off held waiting", Bug("nobody is waited for")),
    ),
    row(RenewDue, held=Registration._again, **each("off asking waiting leaving", _NOTHING_HELD)),
    row(SteadyDue, held=Registration._steady, **each("off asking waiting leaving", Bug("nothing is held"))),
    row(PauseOver, waiting=Registration._again, **each("off asking held leaving", Bug("there is no pause"))),
)
Registration.table = TABLE


def begun(trunk: str, username: str, before: Data | None, now: float) -> Data:
    """One after another, which has been told to end (`Registration.end`): that comes first."""
    data = Data(trunk, username, f"{trunk} {now}")
    if before is not None and before.phase is Phase.LEAVING:
        return evolve(data, phase=Phase.LEAVING, ask=before.ask, until=before.until)
    if before is not None and before.call_id and before.host is not None:
        return evolve(data, phase=Phase.LEAVING, ask=_ends(before), until=now + LEAVE_PATIENCE)
    return data


def _ends(data: Data) -> str:
    return f"{data.seed} registration ends"


def learned(data: Data, replied: signals.Replied) -> Data:
    """What any answer tells of the registration's requests (RFC 3261 §10.2.4)."""
    if data.phase is Phase.LEAVING:
        return data  # it is of another's
    return evolve(data, call_id=replied.call_id, cseq=replied.cseq + 1)


def forgotten(data: Data, now: float) -> Data:
    """What was asked is lost, with the process that asked it, and so are its connections: it is asked again at once."""
    if data.phase is Phase.LEAVING:
        return evolve(data, ask="", phase=Phase.OFF, until=math.inf, hosts=())
    cut = data.phase is Phase.HELD and data.host is not None and data.host.transport != "udp"
    return evolve(data, ask="", phase=Phase.WAITING, until=now, cut=data.cut or cut) if data.ask or cut else data
