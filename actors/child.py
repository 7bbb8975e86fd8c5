"""One child process of the supervisor: begun, begun again when it dies, and told to end. A shell.

One that callers wait for while it is away has an understudy: a second process of the same command line that has loaded
everything and waits for its cue. When the first one dies the understudy takes its place at once, and another one is
begun. It waits in `await_cue`, before it opens or reads anything, and ends where its supervisor does.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import trio
from attrs import field, frozen, mutable

from ..switch.priority import hurry

# The descriptor of the lifeline (supervisor.py), and that of an understudy's cue.
LIFELINE: Final = "CORDBOARD_LIFELINE"
CUE: Final = "CORDBOARD_CUE"
# What a child may still have written when it died.
LAST_WORDS_SECONDS: Final = 1.0
# A child that has lived so long gets its understudy: it has begun in peace.
UNDERSTUDY_SECONDS: Final = 5.0
# ... of a child for which there was no process to be had.
NOT_STARTED: Final = 1


def await_cue() -> None:
    """For a child that may be an understudy, when it has loaded everything: returns when its turn has come, and ends
    the process when it will not come. A child that is none returns at once."""
    descriptor = os.environ.pop(CUE, None)
    if descriptor is not None:
        with open(int(descriptor), "rb") as cue:
            if not cue.read(1):
                sys.exit(0)


async def orphaned() -> None:
    """For a child: returns when its supervisor has died; never, where it was started without one."""
    descriptor = os.environ.get(LIFELINE)
    if descriptor is None:
        await trio.sleep_forever()
    else:
        await trio.lowlevel.wait_readable(int(descriptor))


def write_pid(run: Path, name: str, pid: int) -> None:
    """Atomically: who reads the file reads a whole number or an older one."""
    new = run / f".{name}.pid"
    new.write_text(f"{pid}\n", encoding="ascii")
    new.replace(run / f"{name}.pid")


@frozen
class Policy:
    """How often a child may die: `deaths` within `within` seconds are too many. Delays double from first to last."""

    deaths: int = 5
    within: float = 30.0
    first_delay: float = 0.1
    last_delay: float = 5.0


@mutable
class Deaths:
    """The recent deaths of one child."""

    policy: Policy
    times: deque[float] = field(factory=deque)

    def add(self, now: float) -> float:
        """Seconds until it may start again; `math.inf`: never."""
        self.times.append(now)
        while self.times[0] <= now - self.policy.within:
            self.times.popleft()
        if len(self.times) >= self.policy.deaths:
            return math.inf
        return float(min(self.policy.first_delay * 2 ** (len(self.times) - 1), self.policy.last_delay))


@frozen
class _Understudy:
    """A process that waits for a word through the pipe."""

    process: trio.Process
    cue: int


class Child:
    """One process that is started again until it is told to stop. One that is `urgent` goes before others of the
    machine, from its first instant on, and has an understudy, so its program calls `await_cue`: who waits for it hears
    nothing."""

    def __init__(
        self, name: str, argv: Sequence[str], run: Path, lifeline: int, policy: Policy, *, urgent: bool = False
    ) -> None:
        self.name = name
        self._urgent = urgent
        self._understudy: _Understudy | None = None
        self.finished = trio.Event()
        self.gave_up: int | None = None
        self._argv = argv
        self._run = run
        self._lifeline = lifeline
        self._deaths = Deaths(policy)
        # Said by whoever hears it: this life of the process has told that it is ready.
        self.ready = False
        self._process: trio.Process | None = None
        self._stop = trio.Event()

    def send(self, number: signal.Signals) -> None:
        """To the process of now; where there is none, nobody hears it."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def stop(self) -> None:
        """Tells it to end, and starts it no more."""
        self._stop.set()
        self.send(signal.SIGTERM)

    async def keep(self, hear: Callable[[bytes], None] | None, final: Callable[[int], bool]) -> None:
        """Runs it until `stop`, or until it died too often or of what is `final`: then `gave_up` is an exit code."""
        try:
            while not self._stop.is_set():
                code = await self._live(hear)
                if self._stop.is_set():
                    break
                delay = self._deaths.add(trio.current_time())
                how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
                if final(code):
                    self.gave_up = code
                    return
                if delay == math.inf:
                    say(f"{self.name} {how} and has died too often: giving up")
                    self.gave_up = 1
                    return
                say(f"{self.name} {how}; starts again in {delay:g} s")
                with trio.move_on_after(delay):
                    await self._stop.wait()
        finally:
            await self._dismiss()
            self.finished.set()

    async def _live(self, hear: Callable[[bytes], None] | None) -> int:
        """One life of the process; its exit code, or the negative number of the signal that killed it."""
        self.ready = False
        try:
            process = self._take_up() or await self._begin(hear is not None)
        except OSError as error:
            say(f"{self.name} cannot be started: {error.strerror}")
            return NOT_STARTED
        self._process = process
        if self._urgent:
            hurry(process.pid)
        try:
            with _pid_file_aside(self.name):
                write_pid(self._run, self.name, process.pid)
            if self._stop.is_set():
                process.terminate()
            async with trio.open_nursery() as nursery:
                if hear and process.stdout:
                    nursery.start_soon(lines, process.stdout, hear)
                preparing = trio.CancelScope()
                if self._urgent:
                    nursery.start_soon(self._prepare, hear is not None, preparing)
                code = await process.wait()
                preparing.cancel()
                nursery.cancel_scope.deadline = trio.current_time() + LAST_WORDS_SECONDS
        finally:
            with trio.CancelScope(shield=True):
                process.kill()
                await process.wait()
            self._process = None
            with _pid_file_aside(self.name):
                (self._run / f"{self.name}.pid").unlink(missing_ok=True)
        return code

    async def _begin(self, heard: bool, cue: int | None = None) -> trio.Process:
        """A new process; an understudy, where it is given a `cue`. Raises OSError."""
        passed = {LIFELINE: self._lifeline} if cue is None else {LIFELINE: self._lifeline, CUE: cue}
        return await trio.lowlevel.open_process(
            self._argv,
            stdout=subprocess.PIPE if heard else sys.stderr,
            pass_fds=tuple(passed.values()),
            env={**os.environ, **{name: str(descriptor) for name, descriptor in passed.items()}},
            start_new_session=True,
        )

    # --- the understudy ---------------------------------------------------------------------------------------

    async def _prepare(self, heard: bool, scope: trio.CancelScope) -> None:
        """Begins one, where there is none that lives, once the process of now has begun in peace."""
        with scope:
            await trio.sleep(UNDERSTUDY_SECONDS)
            if self._understudy is not None and self._understudy.process.poll() is None:
                return
            await self._dismiss()
            listening, cue = os.pipe()
            try:
                with trio.CancelScope(shield=True):
                    self._understudy = _Understudy(await self._begin(heard, listening), cue)
            except OSError as error:
                os.close(cue)
                say(f"an understudy of {self.name} cannot be started: {error.strerror}")
            finally:
                os.close(listening)

    def _take_up(self) -> trio.Process | None:
        """The understudy, whose turn has come; None where there is none."""
        if self._stop.is_set() or self._understudy is None or self._understudy.process.poll() is not None:
            return None
        process, cue = self._understudy.process, self._understudy.cue
        self._understudy = None
        try:
            os.write(cue, b"!")
        except BrokenPipeError:  # it died in this moment; as a process of now it is buried and begun again
            process.kill()
        finally:
            os.close(cue)
        return process

    async def _dismiss(self) -> None:
        """There will be no turn."""
        understudy, self._understudy = self._understudy, None
        if understudy is not None:
            os.close(understudy.cue)
            with trio.CancelScope(shield=True):
                understudy.process.kill()
                await understudy.process.wait()


@contextlib.contextmanager
def _pid_file_aside(name: str) -> Iterator[None]:
    """A full disk costs the file that says which process it is, and not the calls in that process."""
    try:
        yield
    except OSError as error:
        say(f"the pid file of {name}: {error.strerror}")


async def lines(stream: trio.abc.ReceiveStream, hear: Callable[[bytes], None]) -> None:
    """Every line of `stream`, without its end, as it comes."""
    async with stream:
        rest = b""
        async for chunk in stream:
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                hear(line)
    if rest:
        hear(rest)


def say(text: str) -> None:
    print(f"cordboard: {text}", file=sys.stderr, flush=True)
