"""The least that a real browser needs around a WebrtcTransport: one UDP socket, a thread, an SDP answer. Tests only."""

from __future__ import annotations

import datetime
import re
import secrets
import select
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType

from cordboard.sip.opus import OURS_FOR_BROWSERS
from cordboard.switch.dtls import Identity
from cordboard.switch.protocol import (
    Codec,
    CodecName,
    Fingerprint,
    OpenWebrtcLeg,
    WebrtcLegOpened,
)
from cordboard.switch.webrtc import WebrtcTransport

from ..switch.webrtc_peer import Door, Heard, Told

HOST = "127.0.0.1"
RTPMAP = {
    "pcmu": "a=rtpmap:0 PCMU/8000\r\n",
    "pcma": "a=rtpmap:8 PCMA/8000\r\n",
    "opus": f"a=rtpmap:111 opus/48000/2\r\na=fmtp:111 {OURS_FOR_BROWSERS}\r\n",
}
PAYLOAD_TYPE = {"pcmu": 0, "pcma": 8, "opus": 111}


def offered(leg: str, sdp: str, codec: CodecName, events: int | None = None) -> OpenWebrtcLeg:
    """A browser's offer as the command that opens its leg; `events` is the payload type of telephone-event."""

    def value(name: str) -> str:
        found = re.search(rf"^a={name}:(\S+)", sdp, re.MULTILINE)
        assert found, name
        return found[1]

    fingerprints = re.findall(r"^a=fingerprint:(\S+) (\S+)", sdp, re.MULTILINE)
    return OpenWebrtcLeg(
        leg=leg,
        peer=HOST,
        ice_ufrag=value("ice-ufrag"),
        ice_pwd=value("ice-pwd"),
        fingerprints=tuple(Fingerprint(algorithm, digest) for algorithm, digest in dict.fromkeys(fingerprints)),
        codec=Codec(codec, PAYLOAD_TYPE[codec], events),
    )


def answer(opened: WebrtcLegOpened, codec: str, events: tuple[int, int] | None = None) -> str:
    """Our SDP for one audio section with one codec; `events` is payload type and clock of telephone-event."""
    formats, maps = str(PAYLOAD_TYPE[codec]), RTPMAP[codec]
    if events is not None:
        formats += f" {events[0]}"
        maps += f"a=rtpmap:{events[0]} telephone-event/{events[1]}\r\n"
    candidates = "".join(
        f"a=candidate:{i} 1 udp {2130706431 - i} {address} {port} typ host\r\n"
        for i, (address, port) in enumerate(opened.candidates, 1)
    )
    return (
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=ice-lite\r\na=group:BUNDLE 0\r\n"
        f"m=audio 9 UDP/TLS/RTP/SAVPF {formats}\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=rtcp-mux\r\n"
        f"a=ice-ufrag:{opened.ice_ufrag}\r\na=ice-pwd:{opened.ice_pwd}\r\n"
        f"a=fingerprint:{opened.fingerprint.algorithm} {opened.fingerprint.digest}\r\n"
        f"a=setup:passive\r\na=sendrecv\r\na=ptime:20\r\na=maxptime:20\r\n{maps}{candidates}"
        "a=end-of-candidates\r\n"
    )


class Shell:
    """Runs the transport on a socket of its own; `heard` takes what was decrypted and returns what is sent back."""

    def __init__(self, heard: Callable[[list[tuple[int, bytes]]], list[tuple[int, bytes]]]) -> None:
        self.transport = WebrtcTransport(Identity(datetime.datetime.now(datetime.UTC)), secrets.token_bytes)
        self._door = Door(self.transport)
        self.facts: list[Told] = []
        self.received = 0
        # The time that `receive` took on the datagrams before the leg was connected.
        self.busy = 0.0
        self._heard = heard
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((HOST, 0))
        self._socket.setblocking(False)
        self._lock = threading.Lock()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="shell")

    def __enter__(self) -> Shell:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped = True
        self._thread.join()
        self._socket.close()

    def open(self, message: OpenWebrtcLeg, row: int) -> WebrtcLegOpened:
        with self._lock:
            opened = self.transport.open(message, row, (self._socket.getsockname(),), time.monotonic())
        assert isinstance(opened, WebrtcLegOpened)
        return opened

    def close(self, row: int) -> None:
        with self._lock:
            self._send(self.transport.close(row))

    def _run(self) -> None:
        while not self._stopped:
            wait = min(max(self.transport.deadline() - time.monotonic(), 0.0), 0.02)
            select.select([self._socket], [], [], wait)
            with self._lock:
                datagrams = []
                while True:
                    try:
                        data, source = self._socket.recvfrom(2048)
                    except BlockingIOError:
                        break
                    datagrams.append((data, (source[0], source[1], 0)))
                begun = time.perf_counter()
                self._took(self._door.receive(datagrams, time.monotonic()))
                if not self.facts:
                    self.busy += time.perf_counter() - begun
                if self.transport.deadline() <= time.monotonic():
                    self._took(self._door.wake(time.monotonic()))

    def _took(self, heard: Heard) -> None:
        self._send(heard.replies)
        self.facts += heard.facts
        self.received += len(heard.rtp)
        if answer := self._heard(heard.rtp):
            self._send(self._door.protect(answer))

    def _send(self, datagrams: list[tuple[bytes, tuple[str, int, int]]]) -> None:
        for data, address in datagrams:
            self._socket.sendto(data, address[:2])
