"""Opus on every core: some legs' codecs are in the engine's own process, the others' in processes beside it.

    decode      the others have begun with theirs, and ours is done, when it returns
    encode      the others have begun; ours is done as results are asked for, and what is ready is sent meanwhile

A codec stays where it was made, since it cannot be moved. A leg gets its codecs where there are the fewest, when
something of it is first decoded or encoded, and loses them when for a while nothing was: so an agent between two calls
has none, and those who talk are spread evenly. Where one place has many more than another nevertheless, for it was the
only one for a while, some lose them earlier, and get others elsewhere.

When a process is lost, no call is: what it was doing is as good as a lost packet, and its legs have new codecs with
the next. Another is started by whoever keeps it (codingprocess.py), and gets its share when it is ready. Without any,
on one core and in tests, all is done here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..codecs.bands import SAMPLES, Band
from ..codecs.g711 import Pcm
from ..codecs.opus import ANY, TOGETHER, OpusRows, Tuning
from ..codecs.opuspacket import Frame
from ..codecs.work import Decoded, Encoded, Work
from .coding import PART, Part, Requests
from .seams import Rows

# This process seals and sends what others encode meanwhile: for each leg of another it has so many.
OURS: Final = 0.6
# In calls of `encode`, of which a tick has one: how often places are compared, and how long a leg has codecs that
# nothing is asked of.
LOOK: Final = 50
IDLE: Final = 1500
UNEVEN: Final = 8  # legs more than at another place; for fewer, none loses its codecs

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


class Coders:
    """The codecs of all rows, here and at `others`: an `OpusCodec` of the engine."""

    def __init__(self, others: Sequence[Other] = (), capacity: int = 4096) -> None:
        self._others = others
        self._ours = OpusRows(capacity, together=PART if others else TOGETHER)
        self._weight = OURS if others else 1.0
        self._tunings: dict[int, Tuning] = {}
        self._places: dict[int, Other | None] = {}  # of legs that have codecs; None is here
        self._asked = np.zeros(capacity, np.int64)  # when something was, in calls of `encode`
        self._calls = 0
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
        if row in self._places:
            self._at(self._places[row]).tune(row, tuning)

    def close(self, row: int) -> None:
        del self._tunings[row]
        if row in self._places:
            self._leave(row)

    def failed(self) -> list[int]:
        """Rows whose codec has raised; they are to be closed."""
        failed, self._failed = self._failed, []
        return [*failed, *self._ours.failed()]

    def forget(self, rows: Rows) -> None:
        """What these rows said before is not for who hears them now. What is being decoded is to be taken first."""
        for place, index in self._by_place(rows).items():
            self._at(place).forget(rows[index])

    def decode(self, rows: Rows, frames: Sequence[Frame], top: NDArray[np.uint8]) -> Work[Decoded]:
        """The next 20 ms of each of `rows` [n], with the bands above 8 kHz up to that which is `top` [n]. The results
        are to be taken before anything else is begun."""
        self._begin(rows)
        places = self._by_place(rows)
        here = places.pop(None, _NOBODY)
        beside = _Beside(Requests.decoded, _unheard, self._hear, self._lose)
        for other, index in places.items():
            if other is not None and other.requests is not None:
                some = [frames[i] for i in index.tolist()]
                beside.ask(other, other.requests, other.requests.decode(rows[index], some, top[index]), index)
        ours = self._ours.decode(rows[here], [frames[i] for i in here.tolist()], top[here])
        self._work = work = Work((one.among(here) for one in ours.results()), beside)
        return work

    def encode(self, rows: Rows, frames: Sequence[Pcm]) -> Work[Encoded]:
        """int16 `[rate / 50]` each, at 8, 16 or 48 kHz, to the packets of each of `rows` [n], none where it broke. The
        results are to be taken before anything else is begun."""
        self._calls += 1
        self._begin(rows)
        places = self._by_place(rows)
        here = places.pop(None, _NOBODY)
        beside = _Beside(Requests.encoded, _unsaid, self._hear, self._lose)
        for other, index in places.items():
            if other is not None and other.requests is not None:
                some = [frames[i] for i in index.tolist()]
                beside.ask(other, other.requests, other.requests.encode(rows[index], some), index)
        ours = self._ours.encode(rows[here], [frames[i] for i in here.tolist()])
        self._work = work = Work((one.among(here) for one in ours.results()), beside)
        return work

    # --- where codecs are -----------------------------------------------------------------------------------------

    def _begin(self, rows: Rows) -> None:
        """All of `rows` have codecs then."""
        self._work.drop()  # a tick that crashed in the middle left some
        if self._calls % LOOK == 0:
            self._look_round()
        for row in rows.tolist():
            if row not in self._places:
                _, place = min(self._loads(), key=lambda load: load[0])
                self._places[row] = place
                self._at(place).open(row)
                self._at(place).tune(row, self._tunings[row])
        self._asked[rows] = self._calls

    def _by_place(self, rows: Rows) -> dict[Other | None, Rows]:
        """Which of `rows` have their codecs where, by index."""
        index: dict[Other | None, list[int]] = {}
        for i, row in enumerate(rows.tolist()):
            if row in self._places:
                index.setdefault(self._places[row], []).append(i)
        return {place: np.array(its, np.intp) for place, its in index.items()}

    def _at(self, place: Other | None) -> OpusRows | Requests:
        if place is None:
            return self._ours
        assert place.requests is not None, "nothing of a lost one's is placed"
        return place.requests

    def _loads(self) -> list[tuple[float, Other | None]]:
        """Of the places that there are."""
        there = [(float(one.requests.legs), one) for one in self._others if one.requests is not None]
        return [*there, (self._ours.legs / self._weight, None)]

    def _look_round(self) -> None:
        for other in self._others:
            other.look()
        asked = self._asked
        for row in [row for row in self._places if self._calls - asked[row] > IDLE]:
            self._leave(row)
        loads = sorted(self._loads(), key=lambda load: load[0])
        (fewest, _), (most, place) = loads[0], loads[-1]
        if most - fewest > UNEVEN:
            its = [row for row, at in self._places.items() if at is place]
            for row in its[: int(most - fewest) // 3]:
                self._leave(row)

    def _leave(self, row: int) -> None:
        self._at(self._places.pop(row)).close(row)

    # --- what becomes of others' work -----------------------------------------------------------------------------

    def _hear(self, failed: Sequence[int]) -> None:
        self._failed += failed

    def _lose(self, other: Other) -> None:
        self._lost += 1
        self._places = {row: place for row, place in self._places.items() if place is not other}


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
    return Encoded(index, [()] * len(index))
