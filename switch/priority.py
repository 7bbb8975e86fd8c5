"""Lets the engine go before other work of the machine: a tick that waits for a compiler is heard. A shell."""

from __future__ import annotations

import contextlib
import os


def hurry(pid: int = 0) -> None:
    """Puts a process (0: this one) before ordinary ones, where that is allowed.

    Real time at its lowest priority, which the kernel keeps from taking a whole core (sched(7)); a nice value alone
    means nothing against other sessions, as they are scheduled by group.
    """
    with contextlib.suppress(OSError):
        os.sched_setscheduler(pid, os.SCHED_RR, os.sched_param(1))


def take_turns(pid: int) -> None:
    """Puts a process among ordinary ones: it has begun as a child of one that goes before them."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(pid, os.SCHED_OTHER, os.sched_param(0))
