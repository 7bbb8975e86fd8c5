"""An agent's headset without a browser: the media of a page on a socket of its own, in a thread that never waits for a
test. It sends a sound every 20 ms, whatever becomes of the websocket, and stamps what it hears as `Caller` does.

The protocol is the load testers' (bench/browser.py), which shares nothing with the switch's own end of it.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import select
import socket
import struct
import threading
import time
from types import TracebackType

from cordboard.bench.browser import Browser, State

from . import sound
from .caller import FRAME, TICK, Packet
from .product import PRIORITY, until
from .sound import Pcm


class Voice:
    """One media connection; `packets` is what it heard. Used as a context it is closed at the end."""

    def __init__(self, pcm: Pcm) -> None:
        self.packets: list[Packet] = []
        self.speaks = True  # else the connection is kept, and nothing is said on it
        self.late = 0.0  # the longest this thread sent behind its time, in seconds
        self._browser = Browser(("pcma",), datetime.datetime.now(datetime.UTC), os.urandom)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        octets = sound.encode(pcm, ulaw=False)
        self._frames = [octets[at : at + FRAME] for at in range(0, len(octets) - FRAME + 1, FRAME)]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def offer(self) -> str:
        return self._browser.offer()

    def connect(self, answer: str) -> Voice:
        """With the switch's answer; gives itself once sound passes both ways."""
        self._browser.accept(answer, time.monotonic())
        self._thread.start()
        until(lambda: self._browser.state is State.CONNECTED and self.packets, 10, "a media connection")
        return self

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._browser.state is not State.NEW:
            self._send(self._browser.close())
        self._socket.close()

    def __enter__(self) -> Voice:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- the wire -----------------------------------------------------------------------------------------------

    def _send(self, datagrams: list[bytes]) -> None:
        for datagram in datagrams:
            self._socket.sendto(datagram, self._browser.remote)

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), PRIORITY)
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        due, number = time.monotonic(), 0
        while not self._stop.is_set():
            now = time.monotonic()
            if now >= self._browser.deadline():
                self._send(self._browser.wake(now))
            if now >= due:
                if self.speaks and self._browser.state is State.CONNECTED:
                    self.late = max(self.late, now - due)
                    self._send([self._browser.seal(self._frame(number))])
                    number += 1
                due += TICK
            wait = min(due, self._browser.deadline()) - time.monotonic()
            if poll.poll(max(0.0, wait) * 1000):
                self._hear()

    def _frame(self, number: int) -> bytes:
        marker = 0x80 if number == 0 else 0
        first = self._browser.payload_type | marker
        header = struct.pack("!BBHII", 0x80, first, number & 0xFFFF, number * FRAME & 0xFFFFFFFF, 7)
        return header + self._frames[number % len(self._frames)]

    def _hear(self) -> None:
        try:
            data = self._socket.recv(2048)
        except ConnectionError:
            return  # an engine that died: nobody listens at its port
        received = self._browser.receive(data, time.monotonic())
        self._send(received.replies)
        if received.packet is not None:
            _, kind, sequence, timestamp, _ = struct.unpack("!BBHII", received.packet[:12])
            self.packets.append(Packet(time.time(), sequence, timestamp, kind & 0x7F, received.packet[12:]))
