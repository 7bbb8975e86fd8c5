"""For how long the event loop of this process has had nothing to do (Trio's instruments)."""

from __future__ import annotations

import time

import trio
from attrs import define, field


@define(eq=False)
class Resting(trio.abc.Instrument):
    """Seconds in which nobody in this process was owed anything: the loop waited for the outside, or for a moment."""

    seconds: float = field(default=0.0, init=False)
    _began: float = field(default=0.0, init=False)

    def before_io_wait(self, timeout: float) -> None:
        """The loop looks outside; it waits there where nobody has anything to do."""
        self._began = time.perf_counter() if timeout > 0 else 0.0

    def after_io_wait(self, timeout: float) -> None:
        if self._began:
            self.seconds += time.perf_counter() - self._began
