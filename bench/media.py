"""What benches of the media plane share: its process on one core, the other end of its link, and its figures."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

import trio

from ..switch import protocol
from ..switch.protocol import Command, EngineReport, Fact, LegOpened, LegRefused, RecordingClosed, WebrtcLegOpened
from ..switch.wire import Frames, decode_fact, encode

T = TypeVar("T")

RESULTS: Final = Path(__file__).parent / "results"


@contextmanager
def process(module: str, *arguments: str, core: int | Sequence[int] | None) -> Iterator[subprocess.Popen[str]]:
    """A Python process of ours with pipes, on one core, or some."""
    command = [sys.executable, "-m", f"cordboard.bench.{module}" if "." not in module else module, *arguments]
    # One thread for BLAS: the matrices are small, and its spinning workers would be counted.
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    made = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env=env)
    try:
        if core is not None:
            os.sched_setaffinity(made.pid, {core} if isinstance(core, int) else set(core))
        yield made
    finally:
        made.kill()
        made.wait()
        for pipe in (made.stdin, made.stdout):
            if pipe is not None:
                pipe.close()


def tell(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None  # opened with pipes
    process.stdin.write(line + "\n")
    process.stdin.flush()


def told(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None  # opened with pipes
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("a process of the bench ended early; its error is above")
    return line.strip()


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_kb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0


def machine() -> str:
    """The processor and the system, for results."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return f"{line.partition(':')[2].strip()}, {platform.system()} {platform.release()}"
    return platform.platform()


class Link:
    """The control plane's end, with what the bench needs of it."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._sending = trio.Lock()
        self.facts: list[Fact] = []

    async def listen(self) -> None:
        frames = Frames(decode_fact)
        while data := await self._stream.receive_some(1 << 16):
            self.facts.extend(frames.feed(bytes(data)))

    async def ping(self) -> None:
        number = 0
        while True:
            await self.tell(protocol.Ping(number))
            number += 1
            await trio.sleep(1)

    async def tell(self, *commands: Command) -> None:
        async with self._sending:
            await self._stream.send_all(b"".join(encode(command) for command in commands))

    async def answers(self, n: int) -> list[LegOpened]:
        return await self._await(LegOpened, n)

    async def page_answers(self, n: int) -> list[WebrtcLegOpened]:
        return await self._await(WebrtcLegOpened, n)

    async def recordings_closed(self, n: int) -> None:
        await self._await(RecordingClosed, n)

    async def _await(self, kind: type[T], n: int) -> list[T]:
        with trio.fail_after(10):
            while True:
                told: list[T] = [fact for fact in self.facts if isinstance(fact, kind)]
                if any(isinstance(fact, LegRefused) for fact in self.facts):
                    raise RuntimeError("the switch refused a leg")
                if len(told) == n:
                    return told
                await trio.sleep(0.02)

    def reports(self) -> list[EngineReport]:
        return [fact for fact in self.facts if isinstance(fact, EngineReport)]
