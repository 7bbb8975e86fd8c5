"""Work in parts: some that are made here, as they are asked for, and some that others make meanwhile.

`Work.results()` gives each part's result once, in no order: what others have finished first, then a part of ours, and
so on. When ours are made it waits for the others, so that nobody idles while somebody waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar

import numpy as np
from attrs import evolve, frozen
from numpy.typing import NDArray

from .g711 import Pcm

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Beside(Protocol[T_co]):
    """What others do of a work."""

    @property
    def over(self) -> bool:
        """Nothing more comes of it."""
        ...

    def take(self, *, wait: bool) -> Sequence[T_co]:
        """Results that were not taken yet; with `wait` one at least, unless it is `over` then."""
        ...


class Work(Generic[T]):
    """The results of `ours` are made as they are iterated over, the rest is made `beside`."""

    def __init__(self, ours: Iterable[T], beside: Beside[T] | None = None) -> None:
        self._ours = iter(ours)
        self._beside = beside
        self._made: deque[T] = deque()

    def make_ours(self) -> None:
        """Our part is made when this returns, and kept."""
        self._made.extend(self._ours)

    def results(self) -> Iterator[T]:
        """What is left of it. Raises what a part raises."""
        while self._made:
            yield self._made.popleft()
        left = True
        while self._beside is not None and not self._beside.over:
            yield from self._beside.take(wait=not left)
            if left:
                left = (one := next(self._ours, None)) is not None
                if one is not None:
                    yield one
        yield from self._ours

    def drop(self) -> None:
        """Nobody wants the results any more. When this is over no other is at it."""
        self._ours = iter(())
        self._made.clear()
        while self._beside is not None and not self._beside.over:
            self._beside.take(wait=True)


@frozen(eq=False)
class Upper:
    """The same in one band above 8 kHz (bands.py) of some of the rows that a decoder was given, by their `index` there,
    intp [m]: `pcm` int16 [m, samples], at the band's rate. Those that `begins` bool [m] follow nothing."""

    band: int
    index: NDArray[np.intp]
    pcm: Pcm
    begins: NDArray[np.bool_]


@frozen(eq=False)
class Decoded:
    """Of some of the rows that a decoder was given, by their `index` there, intp [n]: 20 ms each, `pcm` int16 [n, 160]
    at 8 kHz, and whether there is sound at all, `good` bool [n]: what is not is played as a loss. Beside it the
    frames of the `upper` bands, from the lowest on, of those of which they were asked for."""

    index: NDArray[np.intp]
    pcm: Pcm
    good: NDArray[np.bool_]
    upper: Sequence[Upper] = ()

    def among(self, index: NDArray[np.intp]) -> Decoded:
        """The same of rows that are these of others."""
        upper = [evolve(one, index=index[one.index]) for one in self.upper]
        return evolve(self, index=index[self.index], upper=upper)


@frozen(eq=False)
class Encoded:
    """Of some of the rows that an encoder was given, by their `index` there, intp [n]: the packets of each, one of 20
    ms or two of 10, one behind the other in `octets` uint8 [n, W]. `lengths` int32 [n, 2]: 0 where there is none, as of
    a row whose encoder broke."""

    index: NDArray[np.intp]
    octets: NDArray[np.uint8]
    lengths: NDArray[np.int32]

    def packets(self) -> list[list[bytes]]:
        """Those of each row."""
        cut = []
        for octets, (first, second) in zip(self.octets, self.lengths.tolist(), strict=True):
            its = octets[:first].tobytes(), octets[first : first + second].tobytes()
            cut.append([packet for packet in its if packet])
        return cut

    def among(self, index: NDArray[np.intp]) -> Encoded:
        """The same of rows that are these of others."""
        return evolve(self, index=index[self.index])
