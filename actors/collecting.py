"""When the interpreter looks for what refers to itself and is referred to by nothing else. A shell.

Nearly all that the control process lets go of is freed at once, by its count of references. What goes round in a circle
(an exception with its frames, a connection with its tasks) has to be looked for, among all that there is, and meanwhile
nobody has a turn: 80 ms were an everyday thing, because the interpreter does that whenever a quarter more is there than
the last time, which is when many calls come. So what is there before the first call is not looked at again; what is
young is looked through by the interpreter, little at a time; and all that has been added since the start, by us, in a
moment when nobody waits.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
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
AT_LAST: Final = 600.0


def settle() -> None:
    """Everything is loaded, and what is there stays."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, TIMES, NEVER)


async def run(idle: Callable[[], bool], collect: Callable[[], object] = gc.collect) -> None:
    """Looks through all that is not settled, again and again, until cancelled; `idle`: nobody waits now."""
    while True:
        done = trio.current_time()
        await trio.sleep(EVERY)
        while not idle() and trio.current_time() - done < AT_LAST:
            await trio.sleep(LOOK)
        collect()
