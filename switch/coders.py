"""Opus on every core: some legs' codecs are in the engine's own process, the others' in processes beside it.

    decode      the others have begun with theirs, and ours is done, when it returns
    encode      the others have begun; ours is done as results are asked for, and what is ready is sent meanwhile

A codec stays where it was made, since it cannot be moved. A leg gets its decoder, and its encoder, where there are the
fewest, when something of it is first decoded or encoded, and loses it when for a while nothing was: so an agent between
two calls has none, and those who talk are spread evenly. Where one place has many more than another nevertheless, for
it was the only one for a while, some legs lose theirs earlier, and get others elsewhere.

When a process is lost, no call is: what it was doing is as good as a lost packet, and its legs have new codecs with
the next. Another is started by whoever keeps it (codingprocess.py), and gets its share when it is ready. Without any,
on one core and in tests, all is done here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..codecs.bands import SAMPLES, Band
from ..codecs.g711 import Pcm
from ..codecs.opus import ANY, ROOM, TOGETHER, OpusRows, Tuning
from ..codecs.opuspacket import Frame
from ..codecs.work import Decoded, Encoded, Work
from .coding import PART, Part, Requests
from .seams import Rows

# For each of another's this process has so many: it has nothing else to do while is decoded, and seals and sends what
# was encoded meanwhile.
OUR_DECODERS: Final = 1.0
OUR_ENCODERS: Final = 0.45
# In calls of `encode`, of which a tick has one: how often places are compared, and how long a leg has a codec that
# nothing is asked of.
LOOK: Final = 50
IDLE: Final = 1500
UNEVEN: Final = 8  # codecs more than at another place; for fewer, nobody loses one

_NOBODY: Final = np.zeros(0, np.intp)

T = TypeVar("T", Decoded, Encoded)


class LostError(Exception):
    """The process is gone, or does not answer."""


class Other(Protocol):
    """A process beside this one (codingprocess.py)."""

    @property
    def requests(self) -> Requests | None:
        """What it is asked by: new ones after each start, None until it is ready and from when it was lost."""
        ...

    def look(self) -> None:
        """Looks whether one that was started is ready, and starts one where it is time for that."""
        ...

    def ask(self, request: bytes) -> None:
        """Raises LostError."""
        ...

    def answers(self, *, wait: bool) -> Sequence[bytes]:
        """Those that have come; with `wait` one at least. Raises LostError."""
        ...


class _Spread:
    """Where codecs of one kind are, by row. At their places each has a number: of a decoder 2 * row, of an encoder
    that and 1."""

    def __init__(self, kind: int, others: Sequence[Other], ours: OpusRows, weight: float, capacity: int) -> None:
        """`weight`: how many are here for each at another place."""
        self._kind = kind
        self._others = others
        self._ours = ours
        self._weight = weight
        self._places: dict[int, Other | None] = {}  # None is here
        self._many: Counter[Other | None] = Counter()
        self._asked = np.zeros(capacity, np.int64)  # in which round something was

    def numbers(self, rows: Rows) -> Rows:
        numbers: Rows = 2 * rows + self._kind
        return numbers

    def settle(self, rows: Rows, tunings: Mapping[int, Tuning], round_: int) -> None:
        """All of `rows` have one then."""
        for row in rows.tolist():
            if row not in self._places:
                _, place = min(self._loads(), key=lambda load: load[0])
                self._places[row] = place
                self._many[place] += 1
                self._at(place).open(2 * row + self._kind)
                self.tune(row, tunings[row])
        self._asked[rows] = round_

    def tune(self, row: int, tuning: Tuning) -> None:
        if row in self._places:
            self._at(self._places[row]).tune(2 * row + self._kind, tuning)

    def leave(self, row: int) -> None:
        if row in self._places:
            place = self._places.pop(row)
            self._many[place] -= 1
            self._at(place).close(2 * row + self._kind)

    def forget(self, rows: Rows) -> None:
        for place, index in self.by_place(rows).items():
            self._at(place).forget(self.numbers(rows[index]))

    def lose(self, other: Other) -> None:
        self._places = {row: place for row, place in self._places.items() if place is not other}
        del self._many[other]

    def by_place(self, rows: Rows) -> dict[Other | None, Rows]:
        """Which of `rows` have theirs where, by index."""
        index: dict[Other | None, list[int]] = {}
        for i, row in enumerate(rows.tolist()):
            if row in self._places:
                index.setdefault(self._places[row], []).append(i)
        return {place: np.array(its, np.intp) for place, its in index.items()}

    def look_round(self, round_: int) -> None:
        """Some lose theirs: those of whom nothing is asked, and some at a place that has many."""
        for row in [row for row in self._places if round_ - self._asked[row] > IDLE]:
            self.leave(row)
        loads = sorted(self._loads(), key=lambda load: load[0])
        (fewest, _), (most, place) = loads[0], loads[-1]
        if most - fewest > UNEVEN:
            its = [row for row, at in self._places.items() if at is place]
            for row in its[: int(most - fewest) // 3]:
                self.leave(row)

    def _at(self, place: Other | None) -> OpusRows | Requests:
        if place is None:
            return self._ours
        assert place.requests is not None, "nothing of a lost one's is placed"
        return place.requests

    def _loads(self) -> list[tuple[float, Other | None]]:
        """Of the places that there are."""
        there = [(float(self._many[one]), one) for one in self._others if one.requests is not None]
        return [*there, (self._many[None] / self._weight, None)]


class Coders:
    """The codecs of all rows, here and at `others`: an `OpusCodec` of the engine."""

    def __init__(self, others: Sequence[Other] = (), capacity: int = 4096) -> None:
        self._others = others
        self._ours = OpusRows(2 * capacity, together=PART if others else TOGETHER)
        self._decoders = _Spread(0, others, self._ours, OUR_DECODERS, capacity)
        self._encoders = _Spread(1, others, self._ours, OUR_ENCODERS, capacity)
        self._tunings: dict[int, Tuning] = {}
        self._rounds = 0  # calls of `encode`
        self._failed: list[int] = []
        self._lost = 0
        self._work: Work[Decoded] | Work[Encoded] = Work(())

    @property
    def counters(self) -> Mapping[str, int]:
        """How many processes were lost."""
        return {"coders_lost": self._lost} if self._lost else {}

    def open(self, row: int) -> None:
        self._tunings[row] = ANY

    def tune(self, row: int, tuning: Tuning) -> None:
        """What is encoded for this row from now on."""
        self._tunings[row] = tuning
        self._encoders.tune(row, tuning)

    def close(self, row: int) -> None:
        del self._tunings[row]
        self._decoders.leave(row)
        self._encoders.leave(row)

    def failed(self) -> list[int]:
        """Rows whose codec has raised; they are to be closed."""
        failed, self._failed = self._failed, []
        return sorted({number // 2 for number in (*failed, *self._ours.failed())})

    def forget(self, rows: Rows) -> None:
        """What these rows said before is not for who hears them now. What is being decoded is to be taken first."""
        self._decoders.forget(rows)

    def decode(self, rows: Rows, frames: Sequence[Frame], bands: NDArray[np.uint8]) -> Work[Decoded]:
        """The next 20 ms of each of `rows` [n], at 8 kHz and in those above of which the `bands` [n] have the bit. The
        results are to be taken before anything else is begun."""
        places = self._begin(self._decoders, rows)
        numbers, here = self._decoders.numbers(rows), places.pop(None, _NOBODY)
        beside = _Beside(Requests.decoded, _unheard, self._hear, self._lose)
        for other, index in places.items():
            if other is not None and other.requests is not None:
                some = [frames[i] for i in index.tolist()]
                beside.ask(other, other.requests, other.requests.decode(numbers[index], some, bands[index]), index)
        ours = self._ours.decode(numbers[here], [frames[i] for i in here.tolist()], bands[here])
        self._work = work = Work((one.among(here) for one in ours.results()), beside)
        return work

    def encode(self, rows: Rows, frames: Pcm, samples: Rows) -> Work[Encoded]:
        """`frames` int16 [n, 960], of which each of `rows` [n] hears so many `samples` [n], 20 ms at 8, 16 or 48 kHz,
        to the packets of each, none where it broke. The results are to be taken before anything else is begun."""
        self._rounds += 1
        for each in self._others:
            each.look()
        if self._rounds % LOOK == 0:
            self._work.drop()
            self._decoders.look_round(self._rounds)
            self._encoders.look_round(self._rounds)
        places = self._begin(self._encoders, rows)
        numbers, here = self._encoders.numbers(rows), places.pop(None, _NOBODY)
        beside = _Beside(Requests.encoded, _unsaid, self._hear, self._lose)
        for other, index in places.items():
            if other is not None and other.requests is not None:
                request = other.requests.encode(numbers[index], frames, samples[index], index)
                beside.ask(other, other.requests, request, index)
        # Mostly there is nobody else, and they stay where they lie.
        frames = frames if len(here) == len(rows) else frames[here]
        ours = self._ours.encode(numbers[here], frames, samples[here])
        self._work = work = Work((one.among(here) for one in ours.results()), beside)
        return work

    def _begin(self, spread: _Spread, rows: Rows) -> dict[Other | None, Rows]:
        """All of `rows` have codecs then; where, by index."""
        self._work.drop()  # a tick that crashed in the middle left some
        spread.settle(rows, self._tunings, self._rounds)
        return spread.by_place(rows)

    # --- what becomes of others' work -----------------------------------------------------------------------------

    def _hear(self, failed: Sequence[int]) -> None:
        self._failed += failed

    def _lose(self, other: Other) -> None:
        self._lost += 1
        self._decoders.lose(other)
        self._encoders.lose(other)


class _Beside(Generic[T]):
    """What others do of one work."""

    def __init__(
        self,
        read: Callable[[Requests, bytes], Part[T]],
        nothing: Callable[[Rows], T],
        hear: Callable[[Sequence[int]], None],
        lose: Callable[[Other], None],
    ) -> None:
        """`nothing` of some rows is what becomes of them where a process is lost."""
        self._read: Callable[[Requests, bytes], Part[T]] = read
        self._nothing: Callable[[Rows], T] = nothing
        self._hear = hear
        self._lose = lose
        self._left: list[tuple[Other, Requests, Rows, NDArray[np.bool_]]] = []  # which of whose rows are not answered
        self._ready: list[T] = []

    def ask(self, other: Other, requests: Requests, request: bytes, index: Rows) -> None:
        try:
            other.ask(request)
        except LostError:
            self._lose(other)
            self._ready.append(self._nothing(index))
        else:
            self._left.append((other, requests, index, np.ones(len(index), np.bool_)))

    @property
    def over(self) -> bool:
        return not self._left and not self._ready

    def take(self, *, wait: bool) -> Sequence[T]:
        """With `wait`, for the first of those that there is something of: the others' lies ready meanwhile."""
        ready, self._ready = self._ready, []
        for each in self._left:
            ready += self._heard(*each, wait=False)
        self._left = [each for each in self._left if each[3].any()]
        if wait and not ready and self._left:
            ready += self._heard(*self._left[0], wait=True)
            self._left = [each for each in self._left if each[3].any()]
        return ready

    def _heard(self, other: Other, requests: Requests, index: Rows, left: NDArray[np.bool_], *, wait: bool) -> list[T]:
        results = []
        try:
            for message in other.answers(wait=wait):
                part = self._read(requests, message)
                self._hear(part.failed)
                left[part.result.index] = False
                results.append(part.result.among(index))
        except LostError:
            self._lose(other)
            results.append(self._nothing(index[left]))
            left[:] = False
        return results


def _unheard(index: Rows) -> Decoded:
    return Decoded(index, np.zeros((len(index), SAMPLES[Band.NARROW]), np.int16), np.zeros(len(index), np.bool_))


def _unsaid(index: Rows) -> Encoded:
    return Encoded(index, np.zeros((len(index), ROOM), np.uint8), np.zeros((len(index), 2), np.int32))
