"""`cordboard run`: one process that keeps the control plane and the media plane alive, and does nothing else.

A data directory belongs to one supervisor (a lock that the kernel drops with the process). It starts media, then
control, and writes their process ids to DATA/run. Control's standard output passes through, its first `ready` line
once. A child that dies is started again after a delay that grows, or its understudy takes its place (child.py); one
that dies too often ends everything. SIGTERM and SIGINT go to control, which drains and ends by itself; then media is
ended. SIGHUP goes to control once it is ready: before that it would end it.

The children are in sessions of their own, so that Ctrl-C reaches only the supervisor. Each inherits the reading end of
the *lifeline*, a pipe that nobody writes to: `orphaned()` in a child returns when the supervisor has died, however it
died, and the child then ends in its own orderly way: control after draining its calls, media after control. A
supervisor that begins meanwhile ends both first: control without a word, since what it would say to its calls is left
to the next one, which goes on with them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import trio

from .child import Child, Policy, say, write_pid
from .config import Config

# Beyond its drain time, control needs to say BYE and write its records.
CONTROL_SECONDS = 10.0
# Media has files to close.
MEDIA_SECONDS = 5.0
# The exit code for unusable input: starting again would not help.
UNUSABLE = 2
# A process may be younger than its pid file by no more than that: clocks are read in steps.
WRITING_SECONDS = 2.0
STDOUT = 1
EASY = Policy()


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


def running(data: Path, name: str) -> int | None:
    """The process id in DATA/run/NAME.pid where that process lives and is one of ours, else None."""
    return _known(data, name, lambda command: b"cordboard" in command)


def _left(data: Path, name: str) -> int | None:
    """... or is one of ours that dies: the kernel takes the memory of a process first, its command line with it, and
    closes its sockets some time after that."""
    return _known(data, name, lambda command: b"cordboard" in command or not command)


def _known(data: Path, name: str, ours: Callable[[bytes], bool]) -> int | None:
    file = data / "run" / f"{name}.pid"
    try:
        pid, written = int(file.read_text(encoding="ascii")), file.stat().st_mtime
        command, age = Path(f"/proc/{pid}/cmdline").read_bytes(), _age(pid)
    except (OSError, ValueError):
        return None
    # A pid left behind may by now be anybody's, one of ours that began later among them.
    return pid if ours(command) and age > time.time() - written - WRITING_SECONDS else None


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
    """Ends what a supervisor that was killed has left running on this data directory, and waits until its ports are
    free."""
    for name, number in (("control", signal.SIGKILL), ("media", signal.SIGTERM)):
        pid = _left(data, name)
        with contextlib.suppress(ProcessLookupError):
            if pid is not None:
                if running(data, name):
                    say(f"{name} (process {pid}) was left by an earlier supervisor and is ended")
                await _end(pid, number)


async def _end(pid: int, number: signal.Signals) -> None:
    """Until the last of its threads has gone, which has its sockets until then. Raises ProcessLookupError."""
    process = os.pidfd_open(pid)
    try:
        for each in (number, signal.SIGKILL):
            signal.pidfd_send_signal(process, each)
            with trio.move_on_after(MEDIA_SECONDS):
                await trio.lowlevel.wait_readable(process)
                return
    finally:
        os.close(process)


# --- the supervisor ---------------------------------------------------------------------------------------------


async def supervise(
    config: Config,
    data_dir: Path,
    control: Sequence[str],
    media: Sequence[str] | None,
    policy: Policy = EASY,
    on_ready: Callable[[], None] = lambda: None,
    preflight: Callable[[], Sequence[str]] = tuple,
) -> int:
    """Keeps both running until SIGTERM or SIGINT; the exit code. Raises AlreadyRunningError.

    `control` and `media` are their command lines; `media` is None where the engine runs inside control. `on_ready` is
    called when calls can come for the first time; `preflight` tells, before anything is started, what is in the way of
    that. The code is 0 after an orderly end, 1 where a child died too often or had to be killed, 2 where something is
    in the way, or a child found its input unusable before control was ready.
    """
    with owned(data_dir) as run, lifeline() as reading_end:
        await end_leftovers(data_dir)
        if trouble := preflight():
            for each in trouble:
                say(each)
            return UNUSABLE
        children = [Child("media", media, run, reading_end, policy, urgent=True)] if media is not None else []
        children.append(Child("control", control, run, reading_end, policy))
        return await _Supervisor(children, config.limits.drain_seconds, on_ready).run()


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

    def __init__(self, children: list[Child], drain_seconds: float, on_ready: Callable[[], None]) -> None:
        self._children = children
        self._on_ready = on_ready
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
        first = line.startswith(b"ready") and not self._ready
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
        if first:
            self._on_ready()

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
