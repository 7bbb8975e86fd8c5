"""Rows that listen: the two channels of every recording, gathered for a second and handed on to be kept.

A recording is two listener rows. Each tick copies what they hear into one matrix, for all recordings at once; a row
that hears nothing costs nothing, since its place there is silence already. A second of a recording is a chunk: its
place in time, counted in ticks from the opening, and its samples, or none where both channels were silent. Recordings
take turns, so that each tick hands on a fiftieth of them. Time that no tick came for is silence, so the channels and
the clock stay together.

The sink (writer.py) keeps the chunks and answers later, in `results`. What it cannot keep, or not for now, and what
waits too long there, is a trouble of that recording, told once, and again when it is over; the tick never waits.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence
from typing import Final, Protocol, assert_never

import numpy as np
from attrs import define, frozen
from numpy.typing import NDArray

from ..codecs.g711 import Pcm
from .protocol import Fact, RecordingClosed, RecordingTroubled, RecordingWell
from .recfile import CHANNELS, FRAME, FRAMES_PER_SECOND, Chunk

Rows = NDArray[np.intp]

# Frames, half a second: what a kill loses at most of the sound, beside what the disk has not taken yet.
CHUNK: Final = 25
SLOW: Final = 10  # chunks of one recording that wait before it is told that the disk is slow
# Chunks of all recordings that wait before more are dropped: 64 MB.
MAX_WAITING: Final = 4096


@frozen
class Kept:
    """A chunk of this opening is in its file."""

    key: int


@frozen
class Lost:
    """A chunk of this opening, with so many `frames` of sound, is not; `reason` is for people."""

    key: int
    frames: int
    reason: str


@frozen
class Held:
    """A chunk of this opening waits until that can be written, for this `reason`."""

    key: int
    reason: str


@frozen
class Doubted:
    """What was written of this opening may not be on the disk, for this `reason`: it could not be synced."""

    key: int
    reason: str


@frozen
class Ended:
    """The file of this opening is closed, and synced if it is not Doubted; it is so long, 0.0 where there is none."""

    key: int
    seconds: float


Result = Kept | Lost | Held | Doubted | Ended


class Sink(Protocol):
    """Where recordings are kept. Nothing here waits; `key` is an opening's number, and its chunks come in order."""

    def open(self, key: int, recording: str) -> None:
        """Position 0 of what follows is now; what an earlier opening of this recording wrote stays."""
        ...

    def write(self, key: int, chunk: Chunk) -> None: ...

    def close(self, key: int) -> None: ...

    def results(self) -> Sequence[Result]:
        """What was done since it was last asked: one Kept or Lost for each chunk, perhaps after Held, and one Ended for
        each close, perhaps after Doubted."""
        ...


class NoSink:
    """Where no directory is configured."""

    def __init__(self) -> None:
        self._results: list[Result] = []

    def open(self, key: int, recording: str) -> None:
        pass

    def write(self, key: int, chunk: Chunk) -> None:
        self._results.append(Lost(key, chunk.sounding, "no directory for recordings is configured"))

    def close(self, key: int) -> None:
        self._results.append(Ended(key, 0.0))

    def results(self) -> Sequence[Result]:
        results, self._results = self._results, []
        return results


@define(eq=False)
class _Opening:
    """One recording from its opening to its Ended."""

    key: int
    recording: str
    slot: int
    rows: tuple[int, int]
    begin: int  # the first frame of its chunk that counts, in its place of the matrix
    position: int = 0  # of that frame, in frames from the opening
    waiting: int = 0
    lost: int = 0  # frames of sound that are not in its file
    trouble: str = ""


@frozen
class _Route:
    """Which listeners of a plan are channels: their index among the listeners, slot and channel. [n] each."""

    listeners: Rows
    index: Rows
    slot: Rows
    channel: Rows


class Recorder:
    """The recordings of one engine; `capacity` rows of which any may be a channel. `counters` are the engine's."""

    def __init__(self, sink: Sink, capacity: int, counters: Counter[str]) -> None:
        slots = capacity // CHANNELS
        self._sink = sink
        self._counters = counters
        # int16 [slots, CHUNK, 2, 160]; a frame stands at (tick + slot) % CHUNK. Memory is touched where it is used.
        self._frames = np.zeros((slots, CHUNK, CHANNELS, FRAME), np.int16)
        self._cells = self._frames.reshape(-1, FRAME)
        self._free = list(range(slots))
        self._slots: list[_Opening | None] = [None] * slots
        self._loud = np.zeros(slots, np.bool_)  # since the last chunk
        self._reach = 0  # no slot from here on is taken
        self._open: dict[str, _Opening] = {}
        self._openings: dict[int, _Opening] = {}  # these, and those that end
        self._channel = np.full(capacity, -1, np.intp)  # of each row: slot * 2 + channel
        self._route: _Route | None = None
        self._tick = 0
        self._key = 0
        self._waiting = 0
        self._facts: list[Fact] = []

    @property
    def recordings(self) -> tuple[str, ...]:
        return tuple(self._open)

    def rows(self, recording: str) -> tuple[int, int] | None:
        """Left and right."""
        opening = self._open.get(recording)
        return opening.rows if opening else None

    def open(self, recording: str, rows: tuple[int, int]) -> None:
        """A recording that is not open, in two free rows; the next tick is its first."""
        slot = heapq.heappop(self._free)
        self._key += 1
        opening = _Opening(self._key, recording, slot, rows, begin=(self._tick + slot) % CHUNK)
        self._slots[slot] = self._open[recording] = self._openings[self._key] = opening
        self._reach = max(self._reach, slot + 1)
        self._channel[list(rows)] = slot * CHANNELS, slot * CHANNELS + 1
        self._route = None
        self._sink.open(self._key, recording)

    def close(self, recording: str) -> None:
        """One that is open; RecordingClosed follows."""
        opening = self._open.pop(recording)
        self._hand_on(opening, (self._tick + opening.slot) % CHUNK)
        self._sink.close(opening.key)
        self._slots[opening.slot] = None
        heapq.heappush(self._free, opening.slot)
        self._channel[list(opening.rows)] = -1
        self._route = None

    def closing(self, recording: str) -> bool:
        """Whether its RecordingClosed is still to come."""
        return any(one.recording == recording for one in self._openings.values())

    # --- each tick --------------------------------------------------------------------------------------------

    def record(self, listeners: Rows, heard: Pcm, audible: NDArray[np.bool_]) -> None:
        """The next 20 ms: `listeners` intp [n] hear `heard` int16 [n, 160] where they are `audible` bool [n]."""
        if self._open:
            route = self._route
            if route is None or route.listeners is not listeners:
                route = self._route = self._find(listeners)
            loud = audible[route.index]
            slot = route.slot[loud]
            cell = slot * CHUNK + (self._tick + slot) % CHUNK
            self._cells[cell * CHANNELS + route.channel[loud]] = heard[route.index[loud]]
            self._loud[slot] = True
        self._advance()

    def skip(self, ticks: int) -> None:
        """Time went by without ticks: it is silence."""
        for _ in range(ticks):
            self._advance()

    def facts(self) -> list[Fact]:
        """What became of the recordings since the last time."""
        if self._openings:
            for result in self._sink.results():
                self._took(result)
        facts, self._facts = self._facts, []
        return facts

    def _find(self, listeners: Rows) -> _Route:
        channel = self._channel[listeners]
        index = np.flatnonzero(channel >= 0)
        return _Route(listeners, index, *np.divmod(channel[index], CHANNELS))

    def _advance(self) -> None:
        """A tick is over: those whose chunk is full hand it on."""
        self._tick += 1
        for slot in range(-self._tick % CHUNK, self._reach, CHUNK):
            if (opening := self._slots[slot]) is not None:
                self._hand_on(opening, CHUNK)

    def _hand_on(self, opening: _Opening, end: int) -> None:
        """The frames of its chunk before `end`; `begin` to there of them count."""
        frames = end - opening.begin
        if frames <= 0:
            return
        samples = b""
        if self._loud[opening.slot]:
            mine = self._frames[opening.slot]
            samples = mine[opening.begin : end].tobytes()
            mine[:] = 0
        chunk = Chunk(opening.position, frames, samples)
        opening.position += frames
        opening.begin = end % CHUNK
        self._loud[opening.slot] = False
        if self._waiting >= MAX_WAITING:
            self._counters["recording_chunks_dropped"] += 1
            opening.lost += chunk.sounding
            self._trouble(opening, "the disk is too slow")
            return
        self._waiting += 1
        opening.waiting += 1
        self._sink.write(opening.key, chunk)
        if opening.waiting > SLOW:
            self._trouble(opening, "the disk is slow")

    def _took(self, result: Result) -> None:
        opening = self._openings[result.key]
        match result:
            case Kept():
                self._waiting -= 1
                opening.waiting -= 1
                if opening.trouble and opening.waiting <= 1:
                    opening.trouble = ""
                    self._facts.append(RecordingWell(opening.recording))
            case Lost(_, frames, reason):
                self._waiting -= 1
                opening.waiting -= 1
                opening.lost += frames
                self._counters["recording_chunks_lost"] += 1
                self._trouble(opening, reason)
            case Held(_, reason):
                self._trouble(opening, reason)
            case Doubted(_, reason):
                self._counters["recordings_unsynced"] += 1
                self._trouble(opening, reason)
            case Ended(key, seconds):
                del self._openings[key]
                self._facts.append(RecordingClosed(opening.recording, seconds, opening.lost / FRAMES_PER_SECOND))
            case _:
                assert_never(result)

    def _trouble(self, opening: _Opening, reason: str) -> None:
        if not opening.trouble:
            self._facts.append(RecordingTroubled(opening.recording, reason))
        opening.trouble = reason
