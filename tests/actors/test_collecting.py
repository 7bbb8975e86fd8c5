"""When all that there is is looked through for circles: in moments when nobody waits."""

from __future__ import annotations

import ctypes
import gc
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
import trio.testing
from cordboard.actors import collecting, wire
from cordboard.actors.collecting import AT_LAST, EVERY, LOOK, NEVER


@pytest.fixture
def _unsettled() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@pytest.mark.usefixtures("_unsettled")
def test_what_is_there_at_the_start_is_not_looked_at_again_and_what_circles_later_is_found() -> None:
    collecting.settle()
    assert gc.get_freeze_count() > 0
    assert gc.get_threshold()[2] == NEVER
    circle: list[object] = []
    circle.append(circle)
    del circle
    assert gc.collect() >= 1


def looked(busy: list[tuple[float, float]], seconds: float) -> list[float]:
    """When it is looked, by somebody who is busy meanwhile."""
    clock = trio.testing.MockClock(autojump_threshold=0)
    found: list[float] = []

    def idle() -> bool:
        return not any(begins <= trio.current_time() < ends for begins, ends in busy)

    async def story() -> None:
        with trio.move_on_after(seconds):
            await collecting.run(idle, lambda: found.append(trio.current_time()))

    trio.run(story, clock=clock)
    return found


def test_it_is_looked_in_a_moment_when_nobody_waits() -> None:
    assert looked([], 3.5 * EVERY) == [EVERY, 2 * EVERY, 3 * EVERY]
    assert looked([(EVERY - 1, EVERY + 1)], 2 * EVERY) == [EVERY + 1]


def test_where_there_never_is_one_it_is_done_at_last() -> None:
    first, second = looked([(0.0, 10 * AT_LAST)], 2.5 * AT_LAST)
    assert AT_LAST <= first <= AT_LAST + LOOK
    assert AT_LAST <= second - first <= AT_LAST + LOOK


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def test_what_is_only_remembered_goes_and_what_is_free_is_given_back() -> None:
    for number in range(3000):
        wire.facts(b"OPTIONS sip:a SIP/2.0\r\nCall-ID: %d\r\n\r\n" % number)
    assert wire.digest_of.cache_info().currsize >= 2000
    # 40 MB in small blocks of the C library, of which the last one stays: nothing is given back by itself
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    blocks = [libc.malloc(2000) for _ in range(20_000)]
    for each in blocks:
        ctypes.memset(each, 1, 2000)
    for each in blocks[:-1]:
        libc.free(ctypes.c_void_p(each))
    before = resident()
    collecting.tidy((wire.forget,))
    assert wire.digest_of.cache_info().currsize == 0
    assert before - resident() > 30_000_000
    libc.free(ctypes.c_void_p(blocks[-1]))
