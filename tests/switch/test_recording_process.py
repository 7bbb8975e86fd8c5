"""A media process that records is killed at any moment: what is lost, and where its recordings go on."""

from __future__ import annotations

import signal
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import trio
from attrs import define, evolve, field
from cordboard.codecs import g711
from cordboard.switch import protocol
from cordboard.switch.link import connect_unix
from cordboard.switch.recfile import read_chunks, read_header

from .test_process import CONFIG, PCMU, Control

NAMES = [f"call-{i}" for i in range(50)]  # one for each tick of a second: each hands on its chunks at another


@define
class Teller:
    """A far side that says its packets' numbers, whoever listens: two digits to base 100 in each."""

    socket: trio.socket.SocketType
    begun: float = field(factory=trio.current_time)
    said: int = 0
    to: tuple[str, int] | None = None
    late: float = 0.0  # s, the latest that a packet left: the machine's doing, and what a jitter buffer keeps as delay

    async def tell(self) -> None:
        while True:
            due = self.begun + self.said * 0.02
            await trio.sleep_until(due)
            digits = bytes([self.said % 100]) * 80 + bytes([self.said // 100]) * 80
            header = struct.pack("!BBHII", 0x80, 0, self.said & 0xFFFF, 160 * self.said, 7)
            if self.to is not None:
                self.late = max(self.late, trio.current_time() - due)
                await self.socket.sendto(header + digits, self.to)
            self.said += 1


def understood(path: Path) -> dict[int, int]:
    """Which number stands in each frame of the left channel; the right one has to be silence."""
    values = {int(value): digit for digit, value in enumerate(g711.decode_ulaw(np.arange(100, dtype=np.uint8)))}
    numbers = {}
    with path.open("rb") as file:
        read_header(file)
        for chunk in read_chunks(file):
            frames = np.frombuffer(chunk.samples, np.int16).reshape(-1, 2, 160)
            assert not frames[:, 1].any()
            for i, frame in enumerate(frames[:, 0]):
                low, high = set(frame[:80].tolist()), set(frame[80:].tolist())
                if len(low) == len(high) == 1 and {*low, *high} <= values.keys():
                    numbers[chunk.position + i] = values[low.pop()] + 100 * values[high.pop()]
    return numbers


@asynccontextmanager
async def engine(folder: Path) -> AsyncIterator[tuple[trio.Process, Control]]:
    link = str(folder / "media.sock")
    config = evolve(CONFIG, recordings=str(folder / "recordings")).to_json()
    async with trio.open_nursery() as nursery:
        process: trio.Process = await nursery.start(
            lambda task_status: trio.run_process(
                [sys.executable, "-m", "cordboard.switch.process", link],
                stdin=config.encode() + b"\n",
                stdout=subprocess.DEVNULL,
                check=False,
                task_status=task_status,
            )
        )
        with trio.fail_after(20):
            while True:
                try:
                    stream = await connect_unix(link)
                    break
                except OSError:
                    await trio.sleep(0.01)
        async with stream:
            yield process, Control(stream)
        nursery.cancel_scope.cancel()


async def record(control: Control, teller: Teller) -> None:
    """All recordings hear the teller on the left."""
    port = teller.socket.getsockname()[1]
    await control.tell(protocol.OpenRtpLeg("a", "127.0.0.1", port, PCMU))
    opened = await control.fact(protocol.LegOpened)
    teller.to = (opened.address, opened.port)
    await control.tell(*(protocol.OpenRecording(name) for name in NAMES))
    await control.tell(protocol.Rewire(tuple(protocol.Hears(protocol.left(name), (("a", 1.0),)) for name in NAMES)))


def test_a_kill_loses_at_most_two_seconds_and_the_next_process_goes_on_in_step(tmp_path: Path) -> None:
    async def main() -> tuple[list[int], float]:
        with trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
            await far.bind(("127.0.0.1", 0))
            teller = Teller(far)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(teller.tell)
                async with engine(tmp_path) as (process, control):
                    await record(control, teller)
                    await trio.sleep(3)
                    process.send_signal(signal.SIGKILL)
                    at = teller.said
                    await process.wait()
                teller.to = None
                before = [max(understood(path(name)).values()) for name in NAMES]
                async with engine(tmp_path) as (_, control):
                    await record(control, teller)
                    await trio.sleep(2)
                    await control.tell(*(protocol.CloseRecording(name) for name in NAMES))
                    for _ in NAMES:
                        closed = await control.fact(protocol.RecordingClosed)
                        assert closed.seconds > 5
                nursery.cancel_scope.cancel()
        return [at - last for last in before], teller.late

    def path(name: str) -> Path:
        return tmp_path / "recordings" / f"{name}.cbr"

    frames, late = trio.run(main)
    lost = np.array(frames) * 0.02
    print(f"packets left {late * 1000:.0f} ms late at most")
    print(f"lost by kill -9: {lost.mean():.2f} s of sound on average, {lost.max():.2f} s at most, of 50 recordings")
    assert lost.max() < 2.0
    for name in NAMES:
        numbers = understood(path(name))
        places, said = np.array(list(numbers)), np.array(list(numbers.values()))
        gap = int(np.argmax(np.diff(places)))
        away = places[gap + 1] - places[gap]
        assert away > 10
        # The place of each number on the recording's clock, before and after: no further apart than jitter buffers are,
        # which keep what came late as delay. A recording that goes on where it stopped is off by all the time away.
        drift = np.median((places - said)[gap + 1 :]) - np.median((places - said)[: gap + 1])
        assert abs(drift) <= min(3 + late / 0.02, away / 2)
        assert (np.diff(said) > 0).all()
