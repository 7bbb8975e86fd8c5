"""Work in parts that threads do meanwhile, and whoever wants the results does himself what none of them has begun.

`Work.results()` gives each part's result once, as parts are finished and in no order. The parts wait in the order they
are given; the executor's threads take them from the front, this thread from the back, so that nobody idles while
somebody waits. Without an executor all is done here, as it is asked for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from typing import Generic, TypeVar

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from .g711 import Pcm

T = TypeVar("T")


class Work(Generic[T]):
    """`parts`, begun on `executor` at once."""

    def __init__(self, parts: Sequence[Callable[[], T]], executor: Executor | None = None) -> None:
        self._parts: deque[tuple[Callable[[], T], Future[T] | None]] = deque(
            (part, None if executor is None else executor.submit(part)) for part in parts
        )
        self._finished: list[T] = []

    def finish(self) -> None:
        """All that is left is done when this returns; the results are kept."""
        self._finished += list(self.results())

    def results(self) -> Iterator[T]:
        """What is left of it; waits for what threads have begun. Raises what a part raises."""
        parts, finished = self._parts, self._finished
        while finished:
            yield finished.pop()
        while parts:
            first, last = parts[0][1], parts[-1][1]
            if first is not None and first.done():
                parts.popleft()
                yield first.result()
            elif last is None or last.cancel():
                yield parts.pop()[0]()
            else:
                # All are begun, or were done while this was looked at: the first is the first to be over.
                assert first is not None
                parts.popleft()
                yield first.result()

    def drop(self) -> None:
        """Nobody wants the results any more. When this is over no thread is at it."""
        self._finished.clear()
        while self._parts:
            _, future = self._parts.pop()
            if future is not None and not future.cancel():
                future.exception()


@frozen(eq=False)
class Upper:
    """The same in one band above 8 kHz (bands.py) of some of the rows that a decoder was given, by their `index` there,
    intp [m]: `pcm` int16 [m, samples], at the band's rate. Those that `begins` bool [m] are the first of the row in
    this band, and follow nothing."""

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


@frozen(eq=False)
class Encoded:
    """Of some of the rows that an encoder was given, by their `index` there, intp [n]: the packets of each, which are
    one of 20 ms or two of 10, and none of a row whose encoder broke."""

    index: NDArray[np.intp]
    packets: Sequence[Sequence[bytes]]
