"""The process that encodes recordings, as who has some to encode sees it. A shell.

It is started for the first job, at the lowest priority, and kept for others: it takes longer to begin than most jobs
do, most of all on a machine that is full. It ends when there was nothing to do for a while, and after so many jobs,
so that what a library keeps of each cannot add up.

It does one job at a time. Where one ends it, fails in it, or stands still, the job has failed and the next job has
another process; nothing else is touched. One that the disk holds even against being killed is waited for: the next
one would be held as well.
"""

from __future__ import annotations

import contextlib
import math
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import structlog
import trio

from ..switch.jobs import Answer, Encoded, Progress, Refused, Wanted, Why, parse_answer, part_of, peaks_of

# One that says nothing for so long stands still. It says every second how far it is; but to begin takes it 0.2 s of a
# processor, and on a full machine those who are not nice leave it a hundredth of one, or less.
STILL: Final = 300.0
# One that had nothing to do for so long ends.
IDLE: Final = 30.0
# ... and one that has done so many jobs: to begin costs each of them half a millisecond then.
JOBS: Final = 400
# To end by itself it has so long.
ENDING: Final = 5.0

# It is named, since to import it here would load what it encodes with.
ENCODER: Final = "cordboard.switch.encoder"

log = structlog.get_logger()


class _DeadError(Exception):
    """It is no more, or as good as that; the text says why, where that is known."""


class Encoder:
    """One process at most, for one job at a time."""

    def __init__(self) -> None:
        self._process: trio.Process | None = None
        self._heard = b""
        self._jobs = 0
        self._idle_at = math.inf

    def deadline(self) -> float:
        """When it is to `rest`, by Trio's clock."""
        return self._idle_at

    async def encode(self, wanted: Wanted) -> Encoded | Refused:
        """Raises OSError where no process can be started."""
        self._idle_at = math.inf
        process = self._process = self._process or await self._start()
        try:
            answer = await self._ask(process, wanted)
        except _DeadError as dead:
            answer = Refused(Why.FAILED, await self._bury(process, str(dead)))
            await trio.to_thread.run_sync(_clear_away, wanted, process.pid)
        self._jobs += 1
        if self._jobs >= JOBS or (isinstance(answer, Refused) and answer.why is Why.FAILED):
            await self.rest()
        else:
            self._idle_at = trio.current_time() + IDLE
        return answer

    async def rest(self) -> None:
        """Ends the process in good order, where there is one."""
        self._idle_at = math.inf
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            await process.stdin.aclose()
            await _end(process)

    async def kill(self) -> None:
        """Whoever wanted something ends, and does not wait."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with trio.move_on_after(ENDING, shield=True):
                await _end(process)

    # --- the process ------------------------------------------------------------------------------------------

    async def _start(self) -> trio.Process:
        idle = ["ionice", "-c", "3"] if shutil.which("ionice") else []
        command = [*idle, sys.executable, "-m", ENCODER]
        pipe = subprocess.PIPE
        process = await trio.lowlevel.open_process(command, stdin=pipe, stdout=pipe, stderr=pipe)
        self._heard, self._jobs = b"", 0
        log.info("encoder started", pid=process.pid)
        return process

    async def _ask(self, process: trio.Process, wanted: Wanted) -> Encoded | Refused:
        """Raises _DeadError."""
        assert process.stdin is not None
        answer: Answer = Progress(0.0)
        try:
            with trio.fail_after(STILL):
                await process.stdin.send_all(wanted.line())
            while isinstance(answer, Progress):
                with trio.fail_after(STILL):
                    answer = parse_answer(await self._line(process))
        except trio.TooSlowError as error:
            raise _DeadError(f"it stood still for {STILL:g} s") from error
        except trio.BrokenResourceError as error:
            raise _DeadError from error
        except (ValueError, KeyError, TypeError) as error:
            raise _DeadError("what it said is no answer") from error
        return answer

    async def _line(self, process: trio.Process) -> bytes:
        assert process.stdout is not None
        while b"\n" not in self._heard:
            part = await process.stdout.receive_some()
            if not part:
                raise _DeadError
            self._heard += part
        line, _, self._heard = self._heard.partition(b"\n")
        return line

    async def _bury(self, process: trio.Process, reason: str) -> str:
        """Why it died: the `reason`, or its own last words."""
        self._process = None
        if reason:
            process.kill()
        last = await _end(process)
        return reason or f"code {process.returncode}: {last}"


async def _end(process: trio.Process) -> str:
    """Waits for the end of a process that has heard of it, and gives the last line of what it had to say."""
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    async with process.stdin, process.stdout, process.stderr:
        with trio.move_on_after(ENDING):
            await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()
        said = await process.stderr.receive_some()
    return (said.decode(errors="replace").strip().splitlines() or [""])[-1]


def _clear_away(wanted: Wanted, pid: int) -> None:
    """What a process that is dead left unfinished."""
    out = Path(wanted.out)
    for path in (out, peaks_of(out)):
        with contextlib.suppress(OSError):
            part_of(path, pid).unlink(missing_ok=True)
