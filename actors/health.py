"""Whether the switch is well: looked at every few seconds, told at once to whoever asks.

A shell: it tries the directories in a worker thread, and asks the database how recordings fare. Calls can be taken
while the process serves and the engine ticks. What else is wrong (no trunk, one that is down, a full disk, a database
that cannot be written, an alarm) ends no call and refuses none; its check is not `ok` all the same.
"""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import structlog
import trio
from attrs import field, frozen

from .alarms import BUSY
from .medialink import MediaLink
from .runtime import System
from .signalling import Signalling
from .store import Sound, StoreError
from .store.history import count_open
from .store.parts import count_recordings
from .store.store import Store
from .switchboard import BARRED
from .trunk import Data, Phase

# How often disks and recordings are looked at.
LOOK_SECONDS = 5.0
# The engine reports every second; one that has not for so long does not tick, though the link to it is up.
REPORT_SECONDS = 1.0
SILENT_SECONDS = 5.0
# A hundred calls that are recorded fill this in five minutes.
LOW_BYTES = 1 << 30
# Ticks of a second that may begin late, before it is heard.
LATE_SHARE = 0.05
# How many rows wait for the database before that is behind: more than a busy second.
BEHIND = 1000
# Whose recordings are counted: of calls that began within this time.
COUNTED_SECONDS = 24 * 3600.0

# How often it is said that strangers call: whoever looks for a switch to misuse does so all day.
STRANGERS_SECONDS = 600.0

log = structlog.get_logger()


@frozen
class Disk:
    """What a directory has room for, in bytes, and why nothing can be written there, or empty."""

    free: int
    trouble: str = ""


@frozen
class Check:
    """One check: whether it is `ok`, and what it saw; `stops` where no call can be taken for it."""

    ok: bool
    facts: Mapping[str, object] = field(factory=dict)
    stops: bool = False


def look_at(directory: Path) -> Disk:
    """Tries to write in the directory, or in the nearest there is above it."""
    while not directory.exists() and directory != directory.parent:
        directory = directory.parent
    free = 0
    try:
        about = os.statvfs(directory)
        free = about.f_bavail * about.f_frsize
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(bytes(4096))
            file.flush()
    except OSError as error:
        return Disk(free, error.strerror or str(error))
    return Disk(free)


class Health:
    """What is looked at; `run` looks, `checks` tells."""

    def __init__(
        self,
        system: System,
        signalling: Signalling,
        link: MediaLink,
        store: Store,
        directories: Mapping[str, Path],
    ) -> None:
        self._system = system
        self._signalling = signalling
        self._link = link
        self._ledger = store.ledger
        self._store = store
        self._directories = directories
        # By the names of the directories.
        self.disks: dict[str, Disk] = {}
        self.recordings: dict[Sound, int] = {}
        # By table.
        self.open_rows: dict[str, int] = {}
        self._report = link.report
        self._reported = trio.current_time()
        # Calls of strangers that were told, and when.
        self._strange_calls = 0
        self._strange_calls_at = -math.inf
        # Which directory is looked at, and since when.
        self._looking: tuple[str, float] | None = None

    async def run(self) -> None:
        """Looks until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen)
            while True:
                await self.look()
                await trio.sleep(LOOK_SECONDS)

    async def _listen(self) -> None:
        """Whether reports of the engine still come, and whether a look at a disk comes back."""
        while True:
            if self._looking is not None:
                name, since = self._looking
                if trio.current_time() - since > SILENT_SECONDS:
                    self.disks[name] = Disk(0, "it does not answer")
            if self._link.report is not self._report:
                self._report, self._reported = self._link.report, trio.current_time()
            (self._system.clear_alarm if self._system.calm else self._system.alarm)(BUSY.says())
            await trio.sleep(REPORT_SECONDS)

    async def look(self) -> None:
        """At the disks and the database, and whether strangers call."""
        self._look_for_strangers()
        for name, directory in self._directories.items():
            self._looking = name, trio.current_time()
            self.disks[name] = await trio.to_thread.run_sync(look_at, directory, abandon_on_cancel=True)
            self._looking = None
        try:
            since = time.time() - COUNTED_SECONDS
            self.recordings = await self._store.read(partial(count_recordings, since=since))
            self.open_rows = await self._store.read(count_open)
        except StoreError as error:
            log.error("records not counted", error=str(error))

    def _look_for_strangers(self) -> None:
        """They have no answer, and one may be a carrier's other machine."""
        calls, now = self._signalling.strange_calls, trio.current_time()
        if calls > self._strange_calls and now - self._strange_calls_at >= STRANGERS_SECONDS:
            log.info(
                "calls of strangers had no answer", requests=calls - self._strange_calls, do="peers of a [[trunk]]"
            )
            self._strange_calls, self._strange_calls_at = calls, now

    def checks(self) -> dict[str, Check]:
        """Each by its name."""
        standing = len(self._system.alarms)
        return {
            "trunks": self._trunks(),
            "ticks": self._ticks(),
            "disk": self._disk(),
            "database": self._database(),
            "alarms": Check(not standing, {"standing": standing}),  # their texts name agents and calls
        }

    def _trunks(self) -> Check:
        """One that cannot be reached may bring calls all the same."""
        trunks, brought = self.trunks(), self._signalling.brought()
        facts = {
            trunk: {
                "state": data.phase.value,
                "reason": data.reason,
                "since": data.since,
                "calls": brought[trunk],
                "calls_out": len(data.usage.calls),
            }
            for trunk, data in trunks.items()
        }
        down = any(data.phase is Phase.DOWN for data in trunks.values())
        return Check(bool(trunks) and not down, {"known": len(trunks), "trunks": facts})

    def trunks(self) -> dict[str, Data]:
        """How each trunk stands, by its id."""
        return {name.removeprefix("trunk:"): self._system.state_of(name) for name in self._system.alive("trunk:")}

    def barred(self) -> Mapping[str, int]:
        """Why numbers were not dialled, and how many: of each reason that there is."""
        if not self._system.alive("switchboard"):
            return {}
        barred: Mapping[str, int] = self._system.state_of("switchboard").barred
        return {**dict.fromkeys(BARRED, 0), **barred}

    def _ticks(self) -> Check:
        report = self._link.report
        ticks = self._link.connected and trio.current_time() - self._reported < SILENT_SECONDS
        late = report.late_ticks / report.ticks if ticks and report is not None and report.ticks else 0.0
        return Check(ticks and late <= LATE_SHARE, {"engine": ticks, "late_share": round(late, 3)}, stops=not ticks)

    def _disk(self) -> Check:
        facts = {name: {"free_bytes": disk.free, "trouble": disk.trouble} for name, disk in self.disks.items()}
        return Check(all(disk.free >= LOW_BYTES and not disk.trouble for disk in self.disks.values()), facts)

    def _database(self) -> Check:
        ledger = self._ledger
        facts = {"behind": ledger.behind, "failing": bool(ledger.failing), "lost": ledger.lost}
        return Check(not ledger.failing and not ledger.lost and ledger.behind <= BEHIND, facts)
