"""A real media process and a plain RTP phone beside it, for tests that need both ends of a call. Tests only."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import TypeVar

import numpy as np
from cordboard.codecs import g711
from cordboard.switch import protocol, wire
from cordboard.switch.process import AccessPoint, MediaConfig

HOST = "127.0.0.1"
T = TypeVar("T")


class Media:
    """The control plane's end of a media process. As that, it says every second that it lives: an engine that is left
    alone ends its legs, and with a browser on a busy machine these tests take longer than that."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(path)
        self._frames = wire.Frames(wire.decode_fact)
        self.facts: list[protocol.Fact] = []
        self._open: set[str] = set()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._pinger = threading.Thread(target=self._ping, name="pinger")
        self._pinger.start()

    def tell(self, command: protocol.Command) -> None:
        match command:
            case protocol.OpenRtpLeg(leg=leg) | protocol.OpenWebrtcLeg(leg=leg):
                self._open.add(leg)
            case protocol.CloseLeg(leg=leg):
                self._open.discard(leg)
        with self._lock:
            self._socket.sendall(wire.encode(command))

    def begin_anew(self) -> None:
        """Whoever asks next meets no leg, and no fact, of before: a test that failed has closed nothing."""
        for leg in sorted(self._open):
            self.tell(protocol.CloseLeg(leg))
        self.facts.clear()

    def _ping(self) -> None:
        for number in itertools.count(1):
            if self._closed.wait(1.0):
                return
            with contextlib.suppress(OSError):  # a process that is gone is told by what waits for its facts
                self.tell(protocol.Ping(number))

    def fact(self, kind: type[T], leg: str, seconds: float = 10.0) -> T:
        """The next fact of that class about that leg; what came before it stays in `facts`."""
        end = time.monotonic() + seconds
        while True:
            for index, fact in enumerate(self.facts):
                if isinstance(fact, kind) and getattr(fact, "leg", None) == leg:
                    del self.facts[index]
                    return fact
            self._socket.settimeout(max(end - time.monotonic(), 0.001))
            self.facts += self._frames.feed(self._socket.recv(65536))

    def counters(self) -> dict[str, int]:
        """Those of the next report."""
        self.facts.clear()
        self._socket.settimeout(10.0)
        while True:
            for fact in self.facts:
                if isinstance(fact, protocol.EngineReport):
                    return fact.counters
            self.facts += self._frames.feed(self._socket.recv(65536))

    def close(self) -> None:
        self._closed.set()
        self._pinger.join()
        self._socket.close()


@contextlib.contextmanager
def media_process() -> Iterator[Media]:
    config = MediaConfig(addresses=(HOST,), rtp_ports="0", access_points=(AccessPoint(addresses=(HOST,), port=0),))
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "link")
        process = subprocess.Popen(
            [sys.executable, "-m", "cordboard.switch.process", path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        with process:
            try:
                assert process.stdin
                assert process.stdout
                process.stdin.write(config.to_json() + "\n")
                process.stdin.flush()
                assert process.stdout.readline() == "ready\n"
                media = Media(path)
                try:
                    yield media
                finally:
                    media.close()
            finally:
                process.terminate()


class Trunk:
    """A plain RTP phone: sends a tone as PCMU every 20 ms, and keeps the last 200 ms that it heard."""

    def __init__(self, frequency: float) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((HOST, 0))
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]
        self._to: tuple[str, int] | None = None
        self._frequency = frequency
        self._heard: list[bytes] = []
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="trunk")

    def __enter__(self) -> Trunk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped = True
        if self._thread.is_alive():
            self._thread.join()
        self._socket.close()

    def call(self, address: str, port: int) -> None:
        self._to = (address, port)
        self._thread.start()

    def _run(self) -> None:
        assert self._to
        begun = time.monotonic()
        n = 0
        while not self._stopped:
            t = (np.arange(160) + 160 * n) / 8000
            pcm = np.rint(6000 * np.sin(2 * np.pi * self._frequency * t)).astype(np.int16)
            header = bytes([0x80, 0]) + (n % 65536).to_bytes(2, "big") + (160 * n).to_bytes(4, "big") + b"TRNK"
            self._socket.sendto(header + g711.encode_ulaw(pcm).tobytes(), self._to)
            with contextlib.suppress(BlockingIOError):
                while True:
                    self._heard = [*self._heard, self._socket.recv(2000)[12:]][-10:]
            n += 1
            time.sleep(max(begun + 0.02 * n - time.monotonic(), 0))

    def listen(self) -> tuple[float, float]:
        """The loudest frequency in Hz of the last 200 ms, and the root mean square, 0 to 1."""
        octets = np.frombuffer(b"".join(self._heard), np.uint8)
        pcm = g711.decode_ulaw(octets).astype(float) / 32768
        if len(pcm) < 800:
            return 0.0, 0.0
        spectrum = np.abs(np.fft.rfft(pcm * np.hanning(len(pcm)), 8192))
        return float(spectrum.argmax()) * 8000 / 8192, float(np.sqrt(np.mean(pcm**2)))

    def hears(self, frequency: float | None, seconds: float = 5.0) -> bool:
        """Whether within that time it hears this tone, or silence where None."""
        end = time.monotonic() + seconds
        while True:
            heard, level = self.listen()
            if level < 0.001 if frequency is None else (abs(heard - frequency) < 15 and level > 0.01):
                return True
            if time.monotonic() >= end:
                return False
            time.sleep(0.02)
