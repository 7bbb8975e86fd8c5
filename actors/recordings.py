"""What becomes of a recording when its call is over. A shell.

The media engine writes `ID.cbr` while the call lasts. When it says that the file is closed, an encoder (encoding.py),
a process of the lowest priority that does one after the other, makes `ID.opus` of it (or what is configured); the store
hears what there is to play. The first file goes when the store has had time to write that down; a process that was
killed before finds it at its next start, and it is encoded again:

    closed, or found at the start -> encoded -> the store knows -> ID.cbr is deleted
                                  -> not all that was written can be read: encoded as far, kept in `damaged`, alarm
                                  -> no sound at all: lost, and deleted
                                  -> damaged: lost, kept in `damaged`, alarm
                                  -> the disk or the machine refuses: alarm, and again in a minute, for ever
                                  -> anything else: again TRIES times, then alarm; kept for the next start

What the engine says about writing becomes an alarm while it lasts: it cannot be heard in the call. Where a recording
is closed in such a trouble, nobody knows whether it is over before another was written. The record of a call whose
recording lacks something says so. One that waits for minutes to be encoded is an alarm, too.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import json
import math
import time
from collections.abc import Container, Iterable
from pathlib import Path
from typing import Final, Protocol, assert_never

import structlog
import trio
from attrs import define, evolve

from ..switch import protocol as media
from ..switch.jobs import PART, Encoded, Refused, Wanted, Why, peaks_of
from ..switch.recfile import ASIDE, SUFFIX, is_name
from . import alarms
from .encoding import Encoder
from .medialink import RecordingFact

TRIES: Final = 4
# Between two tries, in seconds; each time four times as long.
RETRY: Final = 10.0
REFUSED_RETRY: Final = 60.0
# A file that was written so short a time ago is still being written by an engine that outlived the control process.
FRESH: Final = 5.0
# For so long the first file stays after the store was told, and so much longer at most: until then others go with it,
# since to have a thread ask the disk for something takes thirty times what that takes itself.
SETTLE: Final = 10.0
TOGETHER: Final = 1.0
# One that waits longer for its turn waits too long, in seconds: encoding does not keep up with the calls.
BEHIND: Final = 600.0
# How often that is looked at, in seconds.
LOOK: Final = 10.0
DAMAGED: Final = "damaged"
SHORT: Final = "a part of it could not be written"

log = structlog.get_logger()


class RecordingStore(Protocol):
    """Where it is kept what there is of each call's recording. Takes at once and does not wait or raise.

    Told again after a crash: the last word counts. `call` is the recording's id.
    """

    def recording_ready(
        self, call: str, file: str, format_: str, seconds: float, size: int, peaks: str, reason: str, /
    ) -> None:
        """`file` and `peaks` are names within the recordings' directory; `size` in bytes; `format_` opus, wav, mp3 or
        flac. The peaks of a waveform are described in switch/peaks.py. `reason`: why it is not whole, or empty."""
        ...

    def recording_lost(self, call: str, reason: str, /) -> None:
        """Nothing of it can be played; `reason` is for people."""
        ...


class Alarms(Protocol):
    """Where operators look."""

    def alarm(self, text: str) -> None: ...

    def clear_alarm(self, text: str) -> None: ...


@define
class _Job:
    """One recording that is to be encoded at a time of Trio's clock; `left` by an earlier process, which may write.

    Of what was `closed` it is known how long it is, and how much it lacks."""

    at: float
    left: bool = False
    tries: int = 0
    closed: media.RecordingClosed | None = None


@define
class _Done:
    """When the first file of one that was encoded is to go; `aside`, where there was more in it than can be read."""

    at: float
    aside: bool


class Recordings:
    """The recordings in `directory`. `run` works until it is cancelled; `on_fact` and `repair` give it work."""

    def __init__(self, directory: Path, format_: str, store: RecordingStore, board: Alarms) -> None:
        self._directory = directory
        self._format = format_
        self._store = store
        self._alarms = board
        self._jobs: dict[str, _Job] = {}
        # When each is to be done; what `_jobs` has otherwise by now is thrown away when its time comes.
        self._order: list[tuple[float, int, str]] = []
        self._serial = itertools.count()
        self._encoder = Encoder()
        # The one that is being encoded.
        self._at_work: _Job | None = None
        # In the order of their times.
        self._done: dict[str, _Done] = {}
        self._bell = trio.Event()
        # Why each recording that is not written is not, and of those that were closed so: nothing was written since.
        self._troubles: dict[str, str] = {}
        self._last_troubles: set[str] = set()
        # The alarm that says why nothing can be encoded for now, or empty.
        self._waits = ""
        self._behind = alarms.ENCODING_BEHIND.says(minutes=round(BEHIND / 60))
        self._unencoded = alarms.UNENCODED.says(directory=directory)
        self._damaged = alarms.DAMAGED.says(directory=directory / DAMAGED)

    @property
    def waiting(self) -> int:
        """Recordings that are still to be encoded."""
        return len(self._jobs) + (self._at_work is not None)

    @property
    def waited(self) -> float:
        """For how many seconds the one that waits longest could have been encoded; 0.0 where none waits."""
        due = [job.at for job in (*self._jobs.values(), self._at_work) if job is not None]
        return max(0.0, trio.current_time() - min(due, default=math.inf))

    def on_fact(self, fact: RecordingFact) -> None:
        """What the engine says of any recording."""
        match fact:
            case media.RecordingClosed(recording, seconds):
                if recording in self._troubles:
                    self._last_troubles.add(self._troubles[recording])
                elif seconds:
                    self._written()
                self._trouble(recording, "")
                if is_name(recording):
                    self._put(recording, _Job(trio.current_time(), closed=fact))
                else:
                    self._lost(recording, "no file can be named so")
            case media.RecordingTroubled(recording, reason):
                log.error("recording not written", recording=recording, reason=reason)
                self._trouble(recording, reason)
            case media.RecordingWell(recording):
                log.warning("recording written again", recording=recording)
                self._written()
                self._trouble(recording, "")
            case _:
                assert_never(fact)

    async def repair(self, live: Container[str], untold: Iterable[str] = ()) -> None:
        """What an earlier process left: all recordings but those of `live` calls are encoded. Of `untold` ones it was
        never said what became of them."""
        try:
            found, aside = await trio.to_thread.run_sync(self._look)
        except OSError as error:
            self._alarms.alarm(alarms.UNSEEN.says(directory=self._directory, reason=error.strerror))
            return
        for path in aside:
            await self._put_aside(path)
        left = [recording for recording in dict.fromkeys((*found, *untold)) if recording not in live]
        for recording in left:
            self._put(recording, _Job(trio.current_time(), left=True))
        if left:
            log.info("recordings were left by an earlier process", recordings=len(left))

    async def run(self) -> None:
        """Encodes one after the other, the one that waits longest first."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._look_behind)
            try:
                await self._work()
            finally:
                await self._encoder.kill()

    async def _work(self) -> None:
        while True:
            now = trio.current_time()
            if self._settled() <= now:
                await self._let_go(now)
            if self._encoder.deadline() <= now:
                await self._encoder.rest()
            recording, job = self._next()
            if job.at <= now:
                del self._jobs[recording]
                self._at_work = job
                try:
                    await self._encode(recording, job)
                except OSError as error:  # the directory, or a process that could not be started
                    self._wait(recording, job, error.strerror or str(error))
                self._at_work = None
                continue
            self._bell = trio.Event()
            with trio.move_on_at(min(job.at, self._encoder.deadline(), self._settled())):
                await self._bell.wait()

    def _settled(self) -> float:
        """When first files are to go."""
        return next((done.at + TOGETHER for done in self._done.values()), math.inf)

    async def _let_go(self, now: float) -> None:
        """Of the first files those that nobody needs any more."""
        over = {recording: done for recording, done in self._done.items() if done.at <= now}
        for recording in over:
            del self._done[recording]
        await trio.to_thread.run_sync(self._delete, [each for each, done in over.items() if not done.aside])
        for recording in [each for each, done in over.items() if done.aside]:
            await self._put_aside(self._raw(recording))

    async def _look_behind(self) -> None:
        while True:
            await trio.sleep(LOOK)
            (self._alarms.alarm if self.waited > BEHIND else self._alarms.clear_alarm)(self._behind)

    def _put(self, recording: str, job: _Job) -> None:
        self._done.pop(recording, None)
        self._jobs[recording] = job
        heapq.heappush(self._order, (job.at, next(self._serial), recording))
        self._bell.set()

    def _next(self) -> tuple[str, _Job]:
        """The one that waits longest; however many wait, each is found at once."""
        while self._order:
            at, _, recording = self._order[0]
            job = self._jobs.get(recording)
            if job is not None and job.at == at:
                return recording, job
            heapq.heappop(self._order)
        return "", _Job(math.inf)

    def _trouble(self, recording: str, reason: str) -> None:
        """Alarms are by reason: a full disk is one, however many calls there are."""
        before = self._troubles.pop(recording, "")
        if reason:
            self._troubles[recording] = reason
            self._alarms.alarm(alarms.RECORDINGS_UNWRITTEN.says(reason=reason))
        self._clear(before)

    def _written(self) -> None:
        """The disk has taken something whole."""
        last, self._last_troubles = self._last_troubles, set()
        for reason in last:
            self._clear(reason)

    def _clear(self, reason: str) -> None:
        if reason not in self._last_troubles and reason not in self._troubles.values():
            self._alarms.clear_alarm(alarms.RECORDINGS_UNWRITTEN.says(reason=reason))

    # --- one recording ----------------------------------------------------------------------------------------

    async def _encode(self, recording: str, job: _Job) -> None:
        if job.left and (age := await trio.to_thread.run_sync(self._age, recording)) < FRESH:
            self._put(recording, evolve(job, at=trio.current_time() + FRESH - age))
            return
        answer = await self._encoder.encode(Wanted(str(self._raw(recording)), str(self._out(recording)), self._format))
        if recording in self._jobs:
            return  # it was closed once more meanwhile
        match answer:
            case Encoded():
                self._ready(recording, job, answer)
            case Refused(Why.GOES_ON):
                self._put(recording, evolve(job, at=trio.current_time(), tries=0))
            case Refused(Why.ABSENT):
                await self._absent(recording)
            case Refused(Why.NO_SOUND):  # a call that was over with its answer
                log.info("recording empty", recording=recording)
                self._store.recording_lost(recording, "there is no sound in it")
                self._done[recording] = _Done(trio.current_time() + SETTLE, aside=False)
            case Refused(Why.UNUSABLE):
                self._lost(recording, "its file is damaged")
                await self._put_aside(self._raw(recording))
            case Refused(Why.DISK_REFUSES, reason):
                self._wait(recording, job, reason)
            case Refused(_, reason):
                self._failed(recording, job, reason)

    async def _absent(self, recording: str) -> None:
        """It was encoded long ago, and whoever knew died before the store could write that down; or it never was."""
        made = await trio.to_thread.run_sync(self._made, recording)
        if made is None:
            self._lost(recording, "nothing of it could be written")
        else:
            self._tell_ready(recording, made, "")

    def _ready(self, recording: str, job: _Job, made: Encoded) -> None:
        log.info("recording encoded", recording=recording, seconds=made.seconds, bytes=made.bytes)
        closed = job.closed or media.RecordingClosed(recording, 0.0)
        unread = max(0.0, closed.seconds - made.seconds)
        if unread or closed.lost:
            log.error("recording not whole", recording=recording, unwritten=closed.lost, unreadable=unread)
        self._tell_ready(recording, made, SHORT if unread or closed.lost else "")
        self._waits_for("")
        self._done[recording] = _Done(trio.current_time() + SETTLE, aside=unread > 0)

    def _tell_ready(self, recording: str, made: Encoded, reason: str) -> None:
        out = self._out(recording).name
        self._store.recording_ready(recording, out, self._format, made.seconds, made.bytes, made.peaks, reason)

    def _lost(self, recording: str, reason: str) -> None:
        log.error("recording lost", recording=recording, reason=reason)
        self._store.recording_lost(recording, reason)

    def _wait(self, recording: str, job: _Job, reason: str) -> None:
        """No recording is at fault, and none is lost: nothing can be encoded before that is mended."""
        log.error("recording waits to be encoded", recording=recording, reason=reason)
        self._waits_for(alarms.ENCODING_WAITS.says(directory=self._directory, reason=reason))
        self._put(recording, evolve(job, at=trio.current_time() + REFUSED_RETRY))

    def _waits_for(self, alarm: str) -> None:
        """One alarm at a time: what is wrong now."""
        if alarm != self._waits:
            self._alarms.clear_alarm(self._waits)
            self._waits = alarm
            if alarm:
                self._alarms.alarm(alarm)

    def _failed(self, recording: str, job: _Job, reason: str) -> None:
        log.error("recording not encoded", recording=recording, reason=reason, tries=job.tries + 1)
        if job.tries + 1 < TRIES:
            after = RETRY * 4**job.tries
            self._put(recording, evolve(job, at=trio.current_time() + after, tries=job.tries + 1))
        else:
            self._alarms.alarm(self._unencoded)
            self._store.recording_lost(recording, f"it could not be encoded and is kept as {self._raw(recording).name}")

    # --- files, in threads ------------------------------------------------------------------------------------

    def _raw(self, recording: str) -> Path:
        return self._directory / f"{recording}{SUFFIX}"

    def _out(self, recording: str) -> Path:
        return self._directory / f"{recording}.{self._format}"

    def _age(self, recording: str) -> float:
        """For how many seconds nothing was written to its first file; math.inf where there is none. Raises OSError
        where nobody can tell."""
        try:
            written = self._raw(recording).stat().st_mtime
        except FileNotFoundError:
            return math.inf
        return abs(time.time() - written)  # a time that lies ahead: the clock was set back, and nothing written since

    def _made(self, recording: str) -> Encoded | None:
        """What an encoder once said of it, from what it made; None where there is nothing. Raises OSError where nobody
        can tell."""
        out = self._out(recording)
        waveform = peaks_of(out)
        try:
            size = out.stat().st_size
            return Encoded(json.loads(waveform.read_bytes())["seconds"], size, waveform.name)
        except (FileNotFoundError, ValueError, KeyError):
            return None

    def _look(self) -> tuple[list[str], list[Path]]:
        """The recordings that are to be encoded, and files to be put aside; what encoders left unfinished is deleted.
        Raises OSError."""
        self._directory.mkdir(0o700, parents=True, exist_ok=True)
        left, aside = [], []
        for path in sorted(self._directory.iterdir()):
            if path.suffix == PART:
                path.unlink()
            elif path.name.endswith(ASIDE):
                aside.append(path)
            elif path.suffix == SUFFIX and is_name(path.stem):
                left.append(path.stem)
        return left, aside

    def _delete(self, recordings: Iterable[str]) -> None:
        for recording in recordings:
            with contextlib.suppress(OSError):
                self._raw(recording).unlink()

    async def _put_aside(self, path: Path) -> None:
        """What cannot be read is kept for whoever wants to try."""
        self._alarms.alarm(self._damaged)

        def move() -> None:
            with contextlib.suppress(OSError):
                (self._directory / DAMAGED).mkdir(0o700, exist_ok=True)
                path.rename(self._directory / DAMAGED / path.name)

        await trio.to_thread.run_sync(move)
