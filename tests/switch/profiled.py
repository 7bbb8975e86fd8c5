"""Calls are counted without the collector: it comes when it likes, and what it calls is nobody's that is counted."""

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def profiled(note: Callable[[FrameType, str, object], None]) -> Iterator[None]:
    """Has `note` told of each call in the block, as `sys.setprofile` tells. Hypothesis, once one test in this process
    has used it, is called at each collection (`gc.callbacks`)."""
    gc.disable()
    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(None)
        gc.enable()
