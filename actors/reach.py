"""Where a browser reaches the switch: asked of the engine each time, for only the machine of the media knows its ways.

A shell for the pages' server, which has no leg and no actor behind it: it waits for an answer that the link brings.
"""

from __future__ import annotations

import itertools

import trio

from ..switch import protocol as media
from .medialink import MediaLink

# An engine answers between two ticks; one that does not within this has no time for browsers either.
PATIENCE = 2.0


class Reach:
    """`await reach(peer)` gives the access points as JSON carries them, or None where no engine answers."""

    def __init__(self, link: MediaLink) -> None:
        self._link = link
        self._numbers = itertools.count(1)
        self._waiting: dict[int, trio.Event] = {}
        self._answers: dict[int, media.AccessPoints] = {}
        link.on_access_points = self._hear

    async def __call__(self, peer: str) -> dict[str, object] | None:
        number = next(self._numbers)
        answered = self._waiting[number] = trio.Event()
        try:
            if self._link.ask_access_points(number, peer):
                with trio.move_on_after(PATIENCE):
                    await answered.wait()
        finally:
            del self._waiting[number]
        answer = self._answers.pop(number, None)
        return None if answer is None else _as_json(answer)

    def _hear(self, fact: media.AccessPoints) -> None:
        if (answered := self._waiting.get(fact.request)) is not None:
            self._answers[fact.request] = fact
            answered.set()


def _as_json(fact: media.AccessPoints) -> dict[str, object]:
    points = [
        {"id": one.id, "name": one.name, "candidates": [list(each) for each in one.candidates]} for one in fact.points
    ]
    return {"ice_ufrag": fact.ice_ufrag, "ice_pwd": fact.ice_pwd, "points": points}
