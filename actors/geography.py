"""Where telephone numbers are at home, as the switchboard asks for it. A shell.

One worker (`gazetteer.py`) is kept from when the organisation has numbers to choose among. While it begins it is not
waited for: a call is not to ring seconds later for a nearer number. Until it answers, and where it dies, nobody knows.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Final

import structlog
import trio

from .effects import Locate
from .origin import Located, Place

WORKER: Final = f"{__package__}.gazetteer"
# How long an answer is waited for, in seconds; it takes less than a millisecond.
PATIENCE: Final = 1.0
# One that dies is begun anew so much later.
AGAIN: Final = 60.0
# So many questions wait; where one more comes, it is not known.
WAITING: Final = 100
# To end by itself it has so long.
ENDING: Final = 1.0

# What a worker that dies, sleeps or talks nonsense does to who asks it.
FAULTS: Final = (OSError, trio.BrokenResourceError, trio.TooSlowError, ValueError, TypeError)

log = structlog.get_logger()


class Geography:
    """`tell` is given one `Located` for each `Locate`, and the name of the actor that asked."""

    def __init__(self, tell: Callable[[str, Located], object]) -> None:
        self._tell = tell
        self._wanted = trio.Event()
        self._put, self._questions = trio.open_memory_channel[tuple[str, Locate]](WAITING)
        self.serves = False
        self.failures = 0

    def want(self) -> None:
        """There is something to choose among."""
        self._wanted.set()

    def locate(self, actor: str, question: Locate) -> None:
        """Does not wait."""
        if self.serves:
            try:
                return self._put.send_nowait((actor, question))
            except trio.WouldBlock:
                pass
        return self._unknown(actor, question)

    async def run(self) -> None:
        await self._wanted.wait()
        while True:
            try:
                await self._serve()
            except FAULTS as error:
                log.warning("places of numbers are not known", error=type(error).__name__, again_in=AGAIN)
            self.serves = False
            self.failures += 1
            for _ in range(self._questions.statistics().current_buffer_used):
                self._unknown(*self._questions.receive_nowait())
            await trio.sleep(AGAIN)

    async def _serve(self) -> None:
        """One worker, until it dies."""
        pipe = subprocess.PIPE
        process = await trio.lowlevel.open_process([sys.executable, "-m", WORKER], stdin=pipe, stdout=pipe)
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            await _ask(process.stdin, process.stdout, (), math.inf)
            self.serves = True
            while True:
                actor, question = await self._questions.receive()
                try:
                    numbers = (question.number, *question.ours)
                    callee, *ours = await _ask(process.stdin, process.stdout, numbers, PATIENCE)
                except FAULTS:
                    self._unknown(actor, question)
                    raise
                self._tell(actor, Located(question.ask, callee, tuple(ours)))
        finally:
            with trio.CancelScope(shield=True):
                await process.stdin.aclose()
                with trio.move_on_after(ENDING):
                    await process.wait()
                process.kill()
                await process.wait()
                await process.stdout.aclose()

    def _unknown(self, actor: str, question: Locate) -> None:
        self._tell(actor, Located(question.ask, None, (None,) * len(question.ours)))


async def _ask(
    into: trio.abc.SendStream, out: trio.abc.ReceiveStream, numbers: Sequence[str], patience: float
) -> list[Place | None]:
    """Raises TooSlowError, BrokenResourceError, ValueError or TypeError."""
    heard = b""
    with trio.fail_after(patience):
        await into.send_all(json.dumps(numbers).encode() + b"\n")
        while not heard.endswith(b"\n"):
            part = await out.receive_some()
            if not part:
                raise trio.BrokenResourceError
            heard += part
    answer: list[list[object] | None] = json.loads(heard)
    return [None if place is None else _place(*place) for place in answer]


def _place(country: object, city: object, province: object) -> Place:
    if not (isinstance(country, int) and isinstance(city, str) and isinstance(province, str)):
        raise TypeError("no place")
    return Place(country, city, province)
