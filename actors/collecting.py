"""When the interpreter looks for what refers to itself and is referred to by nothing else. A shell.

Nearly all that the control process lets go of is freed at once, by its count of references. What goes round in a circle
(an exception with its frames, a connection with its tasks) has to be looked for, among all that there is, and meanwhile
nobody has a turn: 80 ms were an everyday thing, because the interpreter does that whenever a quarter more is there than
the last time, which is when many calls come. So what is there before the first call is not looked at again; what is
young is looked through by the interpreter, little at a time; and all that has been added since the start, by us, when
the process has mostly had nothing to do for a second. A moment in which nobody waits is not enough: there are some at a
hundred calls a second too, and after a quarter of one, which two hundred thousand objects take, there are many who do.

In a moment in which nobody waits goes, more often, what is kept only because it may be asked for again: of a flood of
calls thousands of small strings, which hold the memory of what stood around them. Then the C library gives back what is
free; by itself it gives back what is free at its end.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable, Iterable
from typing import Final

import trio

# So many new objects are looked through at once by the interpreter, a fraction of a millisecond; then after so many
# times those that outlived it, and never by itself all that there is.
YOUNG: Final = 1000
TIMES: Final = 10
NEVER: Final = 1 << 30
# All of them are looked through so often, in seconds, where there is a moment for it; it is looked for one this often,
# and at last it is done without.
EVERY: Final = 60.0
LOOK: Final = 0.5
# ... and what is free is given back so often: of a flood the last transactions end after 32 s, and its memory is to be
# back in a minute.
TIDY_EVERY: Final = 20.0
AT_LAST: Final = 600.0


def settle() -> None:
    """Everything is loaded, and what is there stays."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, TIMES, NEVER)


def tidy(caches: Iterable[Callable[[], None]]) -> None:
    """Empties these, and gives back what is free; milliseconds."""
    for empty in caches:
        empty()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # glibc has it
        trim(0)


async def run(idle: Callable[[], bool], collect: Callable[[], object] = gc.collect, every: float = EVERY) -> None:
    """Looks through all that is not settled, or does this, again and again, until cancelled; `idle`: nobody waits
    now, and as it seems for so long as it takes."""
    while True:
        done = trio.current_time()
        await trio.sleep(every)
        while not idle() and trio.current_time() - done < AT_LAST:
            await trio.sleep(LOOK)
        collect()
