"""`cordboard run`: one process that keeps the control plane and the media plane alive, and does nothing else.

A data directory belongs to one supervisor (a lock that the kernel drops with the process). It starts media, then
control, and writes their process ids to DATA/run. Control's standard output passes through, its first `ready` line
once. A child that dies is started again after a delay that grows; one that dies too often ends everything. SIGTERM and
SIGINT go to control, which drains and ends by itself; then media is ended. SIGHUP goes to control once it is ready:
before that it would end it.

The children are in sessions of their own, so that Ctrl-C reaches only the supervisor. Each inherits the reading end of
the *lifeline*, a pipe that nobody writes to: `orphaned()` in a child returns when the supervisor has died, however it
died, and the child then ends in its own orderly way: control after draining its calls, media after control. A
supervisor that begins meanwhile ends both first: control without a word, since what it would say to its calls is left
to the next one, which goes on with them.
"""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import trio
from attrs import field, frozen, mutable

from ..switch.priority import hurry
from .config import Config

LIFELINE = "CORDBOARD_LIFELINE"
# Beyond its drain time, control needs to say BYE and write its records.
CONTROL_SECONDS = 10.0
# Media has files to close.
MEDIA_SECONDS = 5.0
# What a child may still have written when it died.
LAST_WORDS_SECONDS = 1.0
# The exit code for unusable input: starting again would not help.
UNUSABLE = 2
# How often it is looked whether what was left has ended.
LEFTOVER_LOOK = 0.02
# A process may be younger than its pid file by no more than that: clocks are read in steps.
WRITING_SECONDS = 2.0
# ... of a child for which there was no process to be had.
NOT_STARTED = 1
STDOUT = 1


class AlreadyRunningError(Exception):
    """Another supervisor has this data directory."""


# --- the run directory ------------------------------------------------------------------------------------------


def run_directory(data: Path) -> Path:
    """DATA/run, made for its owner only."""
    run = data / "run"
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    run.mkdir(mode=0o700, exist_ok=True)
    run.chmod(0o700)
    return run


def write_pid(run: Path, name: str, pid: int) -> None:
    """Atomically: who reads the file reads a whole number or an older one."""
    new = run / f".{name}.pid"
    new.write_text(f"{pid}\n", encoding="ascii")
    new.replace(run / f"{name}.pid")


def running(data: Path, name: str) -> int | None:
    """The process id in DATA/run/NAME.pid where that process lives and is one of ours, else None."""
    file = data / "run" / f"{name}.pid"
    try:
        pid, written = int(file.read_text(encoding="ascii")), file.stat().st_mtime
        command, age = Path(f"/proc/{pid}/cmdline").read_bytes(), _age(pid)
    except (OSError, ValueError):
        return None
    # A pid left behind may by now be anybody's, one of ours that began later among them.
    return pid if b"cordboard" in command and age > time.time() - written - WRITING_SECONDS else None


def _age(pid: int) -> float:
    """For how many seconds the process has lived."""
    started = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    return float(Path("/proc/uptime").read_text().split()[0]) - started


@contextlib.contextmanager
def owned(data: Path) -> Iterator[Path]:
    """DATA/run, locked. Raises AlreadyRunningError where another process has it."""
    run = run_directory(data)
    descriptor = os.open(run / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = running(data, "supervisor")
            by = f" (process {pid})" if pid else ""
            raise AlreadyRunningError(f"{data}: another cordboard{by} runs on this data directory") from error
        write_pid(run, "supervisor", os.getpid())
        try:
            yield run
        finally:
            (run / "supervisor.pid").unlink(missing_ok=True)
    finally:
        os.close(descriptor)


async def end_leftovers(data: Path) -> None:
    """Ends what a supervisor that was killed has left running on this data directory."""
    for name, number in (("control", signal.SIGKILL), ("media", signal.SIGTERM)):
        pid = running(data, name)
        if pid is None:
            continue
        say(f"{name} (process {pid}) was left by an earlier supervisor and is ended")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
            with trio.move_on_after(MEDIA_SECONDS):
                while running(data, name) == pid:
                    await trio.sleep(LEFTOVER_LOOK)
            if running(data, name) == pid:
                os.kill(pid, signal.SIGKILL)


async def orphaned() -> None:
    """For a child: returns when its supervisor has died; never, where it was started without one."""
    descriptor = os.environ.get(LIFELINE)
    if descriptor is None:
        await trio.sleep_forever()
    else:
        await trio.lowlevel.wait_readable(int(descriptor))


# --- dying and starting again -----------------------------------------------------------------------------------


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


class Child:
    """One process that is started again until it is told to stop; one that is `urgent` goes before others of the
    machine, from its first instant on: who waits for it hears nothing."""

    def __init__(
        self, name: str, argv: Sequence[str], run: Path, lifeline: int, policy: Policy, *, urgent: bool = False
    ) -> None:
        self.name = name
        self._urgent = urgent
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
            self.finished.set()

    async def _live(self, hear: Callable[[bytes], None] | None) -> int:
        """One life of the process; its exit code, or the negative number of the signal that killed it."""
        self.ready = False
        try:
            process = await trio.lowlevel.open_process(
                self._argv,
                stdout=subprocess.PIPE if hear else sys.stderr,
                pass_fds=(self._lifeline,),
                env={**os.environ, LIFELINE: str(self._lifeline)},
                start_new_session=True,
            )
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
                code = await process.wait()
                nursery.cancel_scope.deadline = trio.current_time() + LAST_WORDS_SECONDS
        finally:
            with trio.CancelScope(shield=True):
                process.kill()
                await process.wait()
            self._process = None
            with _pid_file_aside(self.name):
                (self._run / f"{self.name}.pid").unlink(missing_ok=True)
        return code


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


# --- the supervisor ---------------------------------------------------------------------------------------------


async def supervise(
    config: Config,
    data_dir: Path,
    control: Sequence[str],
    media: Sequence[str] | None,
    policy: Policy = Policy(),
) -> int:
    """Keeps both running until SIGTERM or SIGINT; the exit code. Raises AlreadyRunningError.

    `control` and `media` are their command lines; `media` is None where the engine runs inside control. The code is 0
    after an orderly end, 1 where a child died too often or had to be killed, 2 where one found its input unusable
    before control was ready.
    """
    with owned(data_dir) as run, lifeline() as reading_end:
        await end_leftovers(data_dir)
        children = [Child("media", media, run, reading_end, policy, urgent=True)] if media is not None else []
        children.append(Child("control", control, run, reading_end, policy))
        return await _Supervisor(children, config.limits.drain_seconds).run()


@contextlib.contextmanager
def lifeline() -> Iterator[int]:
    """The reading end of a pipe whose writing end only this process has, and loses when it dies."""
    reading_end, writing_end = os.pipe()
    try:
        yield reading_end
    finally:
        os.close(reading_end)
        os.close(writing_end)


class _Supervisor:
    """`children` in the order in which they start; they end in the other order."""

    def __init__(self, children: list[Child], drain_seconds: float) -> None:
        self._children = children
        self._control = children[-1]
        self._drain_seconds = drain_seconds
        self._ready = False
        self._hang_up = False
        self._end = trio.Event()

    async def run(self) -> int:
        async with trio.open_nursery() as nursery:
            await nursery.start(self._signals)
            for child in self._children:
                nursery.start_soon(self._keep, child)
            await self._end.wait()
            killed = False
            for child in reversed(self._children):
                seconds = self._drain_seconds + CONTROL_SECONDS if child is self._control else MEDIA_SECONDS
                child.stop()
                with trio.move_on_after(seconds) as patience:
                    await child.finished.wait()
                if patience.cancelled_caught:
                    say(f"{child.name} does not end after {seconds:g} s and is killed")
                    killed = True
                    child.send(signal.SIGKILL)
                    await child.finished.wait()
            nursery.cancel_scope.cancel()
        gave_up = [child.gave_up for child in self._children if child.gave_up is not None]
        return gave_up[0] if gave_up else int(killed)

    async def _keep(self, child: Child) -> None:
        await child.keep(self._hear if child is self._control else None, self._is_final)
        self._end.set()

    def _is_final(self, code: int) -> bool:
        return code == UNUSABLE and not self._ready

    def _hear(self, line: bytes) -> None:
        if line.startswith(b"ready"):
            self._control.ready = True
            if self._hang_up:
                self._hang_up = False
                self._control.send(signal.SIGHUP)
            if self._ready:
                say("control is ready again")
                return
            self._ready = True
        # Whoever started us may have closed its end; that must not end a call.
        with contextlib.suppress(OSError):
            os.write(STDOUT, line + b"\n")

    async def _signals(self, task_status: trio.TaskStatus[None]) -> None:
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as received:
            task_status.started()
            async for number in received:
                if number == signal.SIGHUP and self._control.ready:
                    self._control.send(signal.SIGHUP)
                elif number == signal.SIGHUP:
                    self._hang_up = True
                elif self._end.is_set():
                    # Said again: control knows what to do with a second SIGTERM.
                    self._control.send(signal.SIGTERM)
                else:
                    self._end.set()
