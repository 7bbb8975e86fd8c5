"""A story in a world: alone on a virtual clock, its tasks in an order that a seed draws."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio
from cordboard.actors.journal import write
from cordboard.actors.organisation import Organisation
from cordboard.actors.records import MobileEntry

from .appointments import Jumping
from .world import World


@asynccontextmanager
async def open_world(
    organisation: Organisation,
    seed: int,
    data: Path | None = None,
    mobiles: Sequence[MobileEntry] = (),
    *,
    journalled: bool = True,
) -> AsyncIterator[World]:
    async with trio.open_nursery() as nursery:
        world = World(organisation, nursery, seed, data, mobiles, journalled=journalled)
        nursery.start_soon(world.run)
        yield world
        if world.journal is not None:
            write(world.journal.take())
        nursery.cancel_scope.cancel()


def play(
    story: Callable[[World], Awaitable[None]],
    organisation: Organisation,
    seed: int = 1,
    data: Path | None = None,
    mobiles: Sequence[MobileEntry] = (),
    *,
    journalled: bool = True,
) -> list[str]:
    """Runs a story; gives its log. Trio's scheduler is made deterministic for as long as it lasts. With a directory for
    `data` there is a file of states, and a journal where it is to be `journalled`. `mobiles` are those that agents had
    bound before."""
    scheduler: Any = trio._core._run
    before = scheduler._ALLOW_DETERMINISTIC_SCHEDULING
    scheduler._ALLOW_DETERMINISTIC_SCHEDULING = True
    scheduler._r.seed(seed)
    log: list[str] = []

    async def main() -> None:
        nonlocal log
        async with open_world(organisation, seed, data, mobiles, journalled=journalled) as world:
            await story(world)
            log = world.log

    try:
        trio.run(main, clock=Jumping())
    finally:
        scheduler._ALLOW_DETERMINISTIC_SCHEDULING = before
    return log
