"""An alarm at an absolute time, by the kernel's timerfd. A shell.

Trio's own sleep hands epoll whole milliseconds and ends by a cancellation, which is thrown through the task that
sleeps. A timer that becomes readable is on time to some microseconds, and costs three quarters as much.
"""

from __future__ import annotations

import ctypes
import os
import time
from types import TracebackType
from typing import Final

import trio

_NONBLOCK: Final = os.O_NONBLOCK | os.O_CLOEXEC  # TFD_NONBLOCK and TFD_CLOEXEC are these on Linux


class _Itimerspec(ctypes.Structure):
    """Seconds and nanoseconds of the interval (0: once), then of the expiration."""

    _fields_ = tuple((name, ctypes.c_long) for name in ("interval_s", "interval_ns", "value_s", "value_ns"))


_libc = ctypes.CDLL(None, use_errno=True)


class Timer:
    """One timer, for one task; closed at the end of its `with`. Raises OSError when the kernel has none left."""

    def __init__(self) -> None:
        self._fd: int = _libc.timerfd_create(time.CLOCK_MONOTONIC, _NONBLOCK)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "no timer")

    def __enter__(self) -> Timer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        trio.lowlevel.notify_closing(self._fd)
        os.close(self._fd)

    async def until(self, deadline: float) -> None:
        """Waits for a time of Trio's clock, which runs as CLOCK_MONOTONIC does; a checkpoint, if it is over."""
        left = int((deadline - trio.current_time()) * 1e9)
        if left <= 0:
            await trio.lowlevel.checkpoint()
            return
        # Setting it anew also takes back that it was readable: nothing is read.
        _libc.timerfd_settime(self._fd, 0, ctypes.byref(_Itimerspec(0, 0, *divmod(left, 10**9))), None)
        await trio.lowlevel.wait_readable(self._fd)
