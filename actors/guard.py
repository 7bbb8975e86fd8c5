"""The shell of the watchman: looks every second while the centre lives, raises alarms, cures what can be cured.

A look is cut into parts of some milliseconds at most, and between two of them everybody else has a turn. What has
begun to stand is an alarm and a line of the log, and counted; what the journal has of those concerned is put aside
(`evidence.py`) before they are told anything; then whoever missed something is told it again.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Set

import structlog
import trio

from .agreement import Difference
from .alarms import UNTRUE
from .effects import Behaviour
from .medialink import MediaLink
from .runtime import System
from .signalling import Signalling
from .truth import Untrue, What
from .watchman import LOOK, Verdict, Watchman

# How many questions are asked before everybody else has a turn: of 5 to 10 µs each on a machine with work.
AT_ONCE = 100
# One error of ours may make a thousand things untrue: so many are named at once, the others counted.
MOST_NAMED = 20
# The link to the engine is made anew at most this often, in seconds: what that does not mend is an alarm that stands.
ANEW = 600.0

log = structlog.get_logger()


class Guard:
    """`keep` puts aside what the journal has of those actors, under a name."""

    def __init__(
        self,
        system: System,
        link: MediaLink,
        signalling: Signalling,
        clock: Callable[[], float],
        keep: Callable[[str, Collection[str]], None],
    ) -> None:
        self._system = system
        self._signalling = signalling
        self._link = link
        self._clock = clock
        self._keep = keep
        self._watchman = Watchman(Centre(system, link, signalling))
        self._alarms: dict[Untrue, str] = {}
        self._anew_from = -math.inf
        # By the name of the invariant: what stood for a moment at least, and what somebody was told again.
        self.found: Counter[str] = Counter({what.name.lower(): 0 for what in What})
        self.cured: Counter[str] = Counter(self.found)
        # What looking has cost.
        self.seconds = 0.0
        self._watchman.touched.update(system.alive())
        system.touches.append(lambda name: self._watchman.touched.add(name))

    @property
    def standing(self) -> int:
        """How much is untrue and stands."""
        return self._watchman.standing

    @property
    def looked(self) -> int:
        """How often it was looked at one."""
        return self._watchman.looked

    async def run(self) -> None:
        """Looks until cancelled."""
        while True:
            await trio.sleep(LOOK)
            await self.look()

    async def look(self) -> None:
        """Once."""
        now, watchman, began = self._clock(), self._watchman, time.perf_counter()
        watchman.begin(now)
        asked = 0
        while some := watchman.next(now):
            asked += some
            if asked >= AT_ONCE:
                asked = 0
                self.seconds += time.perf_counter() - began
                await trio.lowlevel.checkpoint()
                began = time.perf_counter()
        verdict = watchman.verdict(now)
        self.seconds += time.perf_counter() - began
        self._act(verdict)

    def _act(self, verdict: Verdict) -> None:
        for untrue in verdict.over:
            if untrue in self._alarms:
                self._system.clear_alarm(self._alarms.pop(untrue))
        for untrue in verdict.stands:
            what, who = untrue.what.name.lower(), ", ".join(filter(None, (*untrue.names, untrue.leg)))
            self.found[what] += 1
            log.error("invariant", what=what, who=who)
            if len(self._alarms) < MOST_NAMED:
                text = self._alarms[untrue] = UNTRUE.says(what=untrue.what.value, who=who)
                self._system.alarm(text)
        for untrue in verdict.stands[:MOST_NAMED]:
            self._keep(untrue.what.name.lower(), untrue.names)
        for untrue in verdict.stands:
            self._cure(untrue)

    def _cure(self, untrue: Untrue) -> None:
        if untrue.what in (What.ENGINE_LACKS, What.ENGINE_KEEPS):
            if self._clock() < self._anew_from:
                return
            self._anew_from = self._clock() + ANEW
            self._link.hang_up()  # it says then what it has, and is told what it lacks
        elif untrue.what in (What.MEDIA_UNOWNED, What.SIP_UNOWNED):
            for owner in untrue.names:
                self._system.close(owner)
                self._signalling.end_unowned(owner)
        elif untrue.cure is None or not self._system.tell(untrue.cure.to, untrue.cure.message):
            return
        self.cured[untrue.what.name.lower()] += 1


class Centre:
    """The centre of this process, as the watchman sees it."""

    def __init__(self, system: System, link: MediaLink, signalling: Signalling) -> None:
        self._system = system
        self._link = link
        self._signalling = signalling

    def find(self, name: str) -> Behaviour | None:
        return self._system.find(name)

    glance = find

    def lives(self, name: str) -> bool:
        return self._system.find(name) is not None

    def holds(self, leg: str) -> str:
        return self._link.owner_of(leg)

    def hears(self, listener: str) -> frozenset[str] | None:
        return self._link.heard_by(listener)

    def living(self) -> Set[str]:
        return self._system.names

    def media_owners(self) -> Set[str]:
        return self._link.owners

    def sip_owners(self) -> Set[str]:
        return self._signalling.owners

    def engine_differs(self) -> Iterable[Difference]:
        return self._link.differences

    def whose(self, name: str) -> str:
        return self._link.whose(name)

    def unread_since(self) -> float:
        return self._system.unread_since()
