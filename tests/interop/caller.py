"""A customer on a trunk, written out by hand: SIP over UDP or TCP and G.711 every 20 ms, in a thread of its own.

It shares no code with the switch. It sends at absolute times, and what comes back is stamped by the kernel as it
arrives (SO_TIMESTAMPNS), so that neither this thread nor the test's own work is taken for a gap of the switch. All
times are `time.time()`'s, which a browser on the same machine shares.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import select
import socket
import struct
import threading
import time
from collections import deque
from types import TracebackType
from typing import Self

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from . import sound
from .product import PRIORITY, until
from .sound import Pcm

FRAME = 160  # samples of 20 ms at 8 kHz
TICK = 0.020
SO_TIMESTAMPNS = 35  # asm-generic/socket.h
PCMU, PCMA = 0, 8
EVENT = 101
EVENT_MAP = f"a=rtpmap:{EVENT} telephone-event/8000\r\n"
KEYS = "0123456789*#ABCD"  # by their event codes, RFC 4733 §3.2
T1 = 0.5  # RFC 3261 §17.1.1.1

_serial = itertools.count(1)


@frozen
class Packet:
    at: float
    sequence: int
    timestamp: int
    kind: int
    payload: bytes = field(repr=False)


@frozen
class Said:
    """A SIP message the switch sent us: a response has a status, a request a method."""

    at: float
    status: int
    method: str
    text: str

    def header(self, name: str) -> str:
        found = re.search(rf"^{name}:[ ]*(.*)\r$", self.text, re.M | re.I)
        return found[1] if found else ""


def _pair(family: socket.AddressFamily, address: str) -> tuple[socket.socket, socket.socket]:
    """Sockets for RTP and, on the port after it, RTCP (RFC 3550 §11)."""
    while True:
        rtp, rtcp = (socket.socket(family, socket.SOCK_DGRAM) for _ in range(2))
        try:
            rtp.bind((address, 0))
            rtcp.bind((address, rtp.getsockname()[1] + 1))
        except (OSError, OverflowError):
            rtp.close()
            rtcp.close()
        else:
            return rtp, rtcp


class Caller:
    """One call of one customer; `sound` is looped, None is silence. Used as a context it hangs up at the end.

    Its faults are chosen: without `acknowledges` no ACK leaves it, `drop` breaks its connection, `vanish` is a customer
    that is gone without a word, and `silence` one that says nothing any more."""

    def __init__(
        self,
        sip_port: int,
        dialled: str,
        sound: Pcm | None = None,
        *,
        number: str = "+8613912345678",
        codec: int = PCMA,
        address: str = "127.0.0.1",
        transport: str = "udp",
        acknowledges: bool = True,
        events: bool = True,
    ) -> None:
        six = ":" in address
        family = socket.AF_INET6 if six else socket.AF_INET
        self.switch = ("::1" if six else "127.0.0.1", sip_port)
        self._switch_host = "[::1]" if six else "127.0.0.1"
        self.acknowledges, self.transport = acknowledges, transport
        self.dialled, self.number, self.codec = dialled, number, codec
        self.step = FRAME  # units of RTP time of a packet
        self.events = events  # whether its description has telephone-event
        self._pressing: deque[tuple[int, int] | None] = deque()  # (event code, ticks since it began), or sound
        self._pressed_at = 0
        self._cseq = 1
        self.said: list[Said] = []
        self.packets: list[Packet] = []
        self.late = 0.0  # the longest this thread sent behind its time, in seconds
        self._rtp, self._rtcp = _pair(family, address)
        self._rtp.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._rtp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.address, self.host = address, f"[{address}]" if six else address
        # with TCP we connect, and are connected to where our Contact says
        self._listener = socket.socket(family, socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM)
        self._listener.bind((address, 0))
        self.sip_port = self._listener.getsockname()[1]
        self._sip = self._listener
        self._stream = b""
        if transport == "tcp":
            self._listener.listen()
            self._sip = socket.create_connection(self.switch, 5, (address, 0))
        self.connections = int(transport == "tcp")
        self.pings = 0
        self.dropped_at = 0.0
        self._speaks = True
        self._loses = 0
        self._reports_to: tuple[str, int] | None = None
        self.rtp_port = self._rtp.getsockname()[1]
        self._frames = self._encoded(sound)
        self._remote: tuple[str, int] | None = None
        self.call_id = f"{next(_serial)}-{self.sip_port}@{self.host}"
        self.tag = f"c{self.sip_port}"
        self.to_tag = ""
        self.branch = f"z9hG4bK{self.sip_port}a"
        self.invite = self._request("INVITE", 1, self.sdp(), self.branch)
        self.sent: list[tuple[float, str]] = []
        self.ended_by = ""  # "us", "switch" or, for a refused INVITE, its status
        self.ended_at = 0.0
        self._again: tuple[float, float, bytes] | None = None  # when, interval, what: the request that waits
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    # --- what a test does ---------------------------------------------------------------------------------------

    def dial(self) -> Self:
        self._start(self.invite)
        return self

    def answered(self, seconds: float = 10.0) -> Self:
        until(lambda: self._remote is not None or self.ended_by, seconds, "an answer")
        assert self._remote is not None, f"refused: {self.ended_by}"
        return self

    @property
    def up(self) -> bool:
        """The switch has answered, and we have not heard of an end."""
        return self._remote is not None and not self.ended_by

    def refused(self, seconds: float = 10.0) -> Said:
        """The final refusal of the INVITE."""
        return self._final("INVITE", 300, seconds)

    def cancel(self) -> None:
        self._start(self._request("CANCEL", 1, branch=self.branch, to_tag=""))

    def hang_up(self) -> float:
        """When the BYE left."""
        if self.ended_by or not self.to_tag:
            return self.ended_at
        self.ended_by = "us"
        self._cseq += 1
        self.ended_at = self._start(self._request("BYE", self._cseq))
        return self.ended_at

    def press(self, keys: str) -> None:
        """By telephone events (RFC 4733): 100 ms each, three last packets, 60 ms of sound between them."""
        for key in keys:
            self._pressing += [(KEYS.index(key), tick) for tick in range(7)]
            self._pressing += [None] * 3

    def reinvite(self, body: str) -> None:
        """A new offer in the call, or none (RFC 3261 §14.1)."""
        self._cseq += 1
        self.branch = f"z9hG4bK{self.sip_port}r{self._cseq}"
        self._start(self._request("INVITE", self._cseq, body, self.branch))

    def taken(self, said: Said) -> str:
        """This 200 answers our INVITE, or a new one: gives the body of our ACK."""
        return ""

    def tell_of_key(self, key: str) -> None:
        """By INFO, and waits for its 200."""
        self._cseq += 1
        body, branch = f"Signal={key}\r\nDuration=100\r\n", f"z9hG4bK{self.sip_port}i{self._cseq}"
        told = self._request("INFO", self._cseq, body, branch)
        self._start(told.replace(b"application/sdp", b"application/dtmf-relay"))
        until(lambda: [one for one in self.said if one.header("CSeq") == f"{self._cseq} INFO" and one.status == 200])

    def keys(self) -> list[tuple[str, int]]:
        """The keys that it was sent as telephone events, and how long they are on its clock."""
        heard: dict[int, tuple[str, int]] = {}
        for packet in self.packets:
            if packet.kind == EVENT:
                event, flags, duration = struct.unpack("!BBH", packet.payload)
                if flags & 0x80:
                    heard[packet.timestamp] = (KEYS[event], duration)
        return list(heard.values())

    def ended(self, seconds: float = 10.0) -> float:
        """When the switch's BYE came."""
        until(lambda: self.ended_by, seconds, "the switch's BYE")
        assert self.ended_by == "switch"
        return self.ended_at

    def response(self, method: str, seconds: float = 10.0) -> Said:
        """The final response to our request of this method."""
        return self._final(method, 200, seconds)

    def _final(self, method: str, least: int, seconds: float) -> Said:
        def found() -> list[Said]:
            return [one for one in self.said if one.status >= least and one.header("CSeq").endswith(method)]

        return until(found, seconds, f"a response of {least} or more to {method}")[0]

    def drop(self) -> None:
        """The TCP connection breaks, the call goes on."""
        self._sip.close()

    def silence(self, *, reports: bool = False) -> float:
        """No RTP from now on, and of RTCP only what `reports`: an empty report each second, to the port for it."""
        if reports:
            assert self._remote is not None
            self._reports_to = (self._remote[0], self._remote[1] + 1)
        self._speaks = False
        return time.time()

    def lose(self, every: int) -> float:
        """From now on one packet of RTP in so many is lost on its way to the switch; 0: none."""
        self._loses = every
        return time.time()

    def vanish(self) -> float:
        """From now on nothing is said or answered: to the network this customer never was."""
        self._stop.set()
        self._thread.join()
        self.ended_by, self.ended_at = "us", time.time()
        self._close_sockets()
        return self.ended_at

    def _close_sockets(self) -> None:
        for one in (self._sip, self._listener, self._rtp, self._rtcp):
            one.close()

    def close(self) -> None:
        if self._stop.is_set():
            return
        if self.to_tag and not self.ended_by:
            self.hang_up()
            self.response("BYE")
        self._stop.set()
        self._thread.join()
        self._close_sockets()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- what it heard ------------------------------------------------------------------------------------------

    def between(self, begin: float = 0.0, end: float = float("inf")) -> list[Packet]:
        return [packet for packet in list(self.packets) if begin <= packet.at <= end]

    def heard(self, begin: float = 0.0, end: float = float("inf")) -> Pcm:
        """The sound of packets that came in that time, placed by their RTP timestamps; what is missing is silence."""
        packets = [packet for packet in self.between(begin, end) if packet.kind != EVENT]
        if not packets:
            return np.zeros(0, np.int16)
        first = packets[0].timestamp
        places = [((packet.timestamp - first + 2**31) & 0xFFFFFFFF) - 2**31 for packet in packets]
        base = min(places)
        made = np.zeros(max(places) - base + FRAME, np.int16)
        for place, packet in zip(places, packets, strict=True):
            pcm = sound.decode(packet.payload, ulaw=packet.kind == PCMU)
            made[place - base : place - base + len(pcm)] = pcm[: len(made) - (place - base)]
        return made

    def hears(self, seconds: float = 1.0, *, since: float = 0.0, patience: float = 10.0) -> Pcm:
        """`seconds` of sound that came after `since` (0: from now)."""
        begin = since or time.time()
        until(lambda: (last := self.packets[-1:]) and last[0].at >= begin + seconds, patience + seconds, "sound")
        return self.heard(begin, begin + seconds)

    def gaps(self, begin: float = 0.0, end: float = float("inf")) -> NDArray[np.float64]:
        """Milliseconds between packets, in the order they came."""
        return np.diff([packet.at for packet in self.between(begin, end)]) * 1000

    # --- the wire -----------------------------------------------------------------------------------------------

    def sdp(self) -> str:
        at = f"IN IP{6 if ':' in self.address else 4} {self.address}"
        return (
            f"v=0\r\no=- {self.rtp_port} 1 {at}\r\ns=-\r\nc={at}\r\nt=0 0\r\n"
            f"m=audio {self.rtp_port} RTP/AVP {self.codec}{' 101' if self.events else ''}\r\n"
            f"a=rtpmap:{self.codec} {'PCMU' if self.codec == PCMU else 'PCMA'}/8000\r\n"
            f"{EVENT_MAP if self.events else ''}a=ptime:20\r\n"
        )

    def _request(self, method: str, cseq: int, body: str = "", branch: str = "", to_tag: str | None = None) -> bytes:
        tag = self.to_tag if to_tag is None else to_tag
        by = self.transport.upper()
        lines = [
            f"{method} sip:{self.dialled}@{self._switch_host}:{self.switch[1]} SIP/2.0",
            f"Via: SIP/2.0/{by} {self.host}:{self.sip_port};branch={branch or f'z9hG4bK{self.sip_port}{method}'}",
            f'From: "Customer" <sip:{self.number}@{self.host}:{self.sip_port}>;tag={self.tag}',
            f"To: <sip:{self.dialled}@{self._switch_host}>{f';tag={tag}' if tag else ''}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {cseq} {method}",
            f"Contact: <sip:{self.host}:{self.sip_port};transport={self.transport}>",
            "Max-Forwards: 70",
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()

    def _start(self, request: bytes) -> float:
        """Sends it, and again until something is said to it."""
        if self.transport == "udp":
            with self._lock:
                self._again = (time.monotonic() + T1, T1, request)
        return self.send(request)

    def send(self, data: bytes) -> float:
        at = time.time()
        self.sent.append((at, data.split(b" ", 1)[0].decode()))
        if self.transport == "tcp":
            self._sip.sendall(data)
        else:
            self._sip.sendto(data, self.switch)
        return at

    def _encoded(self, pcm: Pcm | None) -> list[bytes]:
        if pcm is None:
            pcm = np.zeros(FRAME, np.int16)
        whole = np.resize(pcm, -(-len(pcm) // FRAME) * FRAME) if len(pcm) % FRAME else pcm
        octets = sound.encode(whole, ulaw=self.codec == PCMU)
        return [octets[at : at + FRAME] for at in range(0, len(octets), FRAME)]

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), PRIORITY)
        due, sent = time.monotonic(), 0
        while not self._stop.is_set():
            now = time.monotonic()
            if now >= due:
                if self._remote is not None and not self.ended_by:
                    self.late = max(self.late, now - due)
                    self._send_frame(sent)
                    sent += 1
                due += TICK
                self._send_again(now)
            poll = select.poll()
            open_ = {one.fileno(): one for one in (self._listener, self._sip, self._rtp) if one.fileno() >= 0}
            for descriptor in open_:
                poll.register(descriptor, select.POLLIN)
            for descriptor, _ in poll.poll(max(0.0, due - time.monotonic()) * 1000):
                one = open_[descriptor]
                if one is self._rtp:
                    self._receive()
                elif one is self._sip:
                    self._take()
                else:
                    self._sip, _ = self._listener.accept()
                    self._stream = b""
                    self.connections += 1

    def _take(self) -> None:
        """What lies in the SIP socket: a datagram, or some of a stream."""
        try:
            data = self._sip.recv(65536)
        except OSError:
            data = b""
        if self.transport == "udp":
            self._hear(data.decode())
            return
        if not data:
            self.dropped_at = time.time()
            self._sip.close()
        self._stream += data
        if self._stream == b"\r\n\r\n":  # a ping, which wants its pong (RFC 5626 §4.4.1)
            self._stream = b""
            self.pings += 1
            self._sip.sendall(b"\r\n")
        while (head := self._stream.find(b"\r\n\r\n") + 4) > 3:
            length = re.search(rb"\r\nContent-Length: ([0-9]+)", self._stream[:head])
            assert length is not None, "a stream has lengths"
            end = head + int(length[1])
            if len(self._stream) < end:
                return
            message, self._stream = self._stream[:end], self._stream[end:].lstrip(b"\r\n")
            self._hear(message.decode())

    def _send_frame(self, number: int) -> None:
        assert self._remote is not None
        if not self._speaks:
            if self._reports_to is not None and number % 50 == 0:
                # an empty receiver report (RFC 3550 §6.4.2), from the port beside that of our RTP
                self._rtcp.sendto(struct.pack("!BBHI", 0x80, 201, 1, self.rtp_port), self._reports_to)
            return
        if self._loses and number % self._loses == 0:
            return
        if self._pressing and (pressed := self._pressing.popleft()) is not None:
            event, tick = pressed
            self._pressed_at = self._pressed_at if tick else number * FRAME & 0xFFFFFFFF
            kind = EVENT | (0x80 if tick == 0 else 0)
            header = struct.pack("!BBHII", 0x80, kind, number & 0xFFFF, self._pressed_at, self.rtp_port)
            report = struct.pack("!BBH", event, 0x80 | 10 if tick >= 4 else 10, min(tick + 1, 5) * FRAME)
            self._rtp.sendto(header + report, self._remote)
            return
        header = struct.pack(
            "!BBHII",
            0x80,
            self.codec | (0x80 if number == 0 else 0),
            number & 0xFFFF,
            number * self.step & 0xFFFFFFFF,
            self.rtp_port,
        )
        self._rtp.sendto(header + self._frames[number % len(self._frames)], self._remote)

    def _send_again(self, now: float) -> None:
        with self._lock:
            if self._again is None or now < self._again[0]:
                return
            _, interval, data = self._again
            self._again = (now + 2 * interval, 2 * interval, data) if interval < 16 else None
        self.send(data)

    def _receive(self) -> None:
        data, ancillary, _, _ = self._rtp.recvmsg(2048, 64)
        at = time.time()
        for level, kind, value in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
                seconds, nanoseconds = struct.unpack("qq", value[:16])
                at = seconds + nanoseconds / 1e9
        if len(data) < 12 or 72 <= data[1] & 0x7F <= 76:  # RTCP, where it comes to the same port (RFC 5761 §4)
            return
        _, kind, sequence, timestamp, _ = struct.unpack("!BBHII", data[:12])
        self.packets.append(Packet(at, sequence, timestamp, kind & 0x7F, data[12:]))

    def _hear(self, text: str) -> None:
        at = time.time()
        first = text.split("\r\n", 1)[0]
        status = int(first.split(" ")[1]) if first.startswith("SIP/2.0 ") else 0
        said = Said(at, status, "" if status else first.split(" ")[0], text)
        if status:
            with self._lock:
                cseq = self._again and re.search(rb"CSeq: (.*)\r", self._again[2])
                if cseq and cseq[1].decode() == said.header("CSeq"):
                    self._again = None
        elif said.method == "BYE" and not self.ended_by:
            self.ended_by, self.ended_at = "switch", at
        self._answer(said)
        self.said.append(said)

    def _answer(self, said: Said) -> None:
        number, _, method = said.header("CSeq").partition(" ")
        if said.status >= 200 and method == "INVITE":
            self.to_tag = said.header("To").partition("tag=")[2]
            if said.status < 300:
                address, port = self._media(said.text)
                body = self.taken(said)
                if self.acknowledges:
                    self.send(self._request("ACK", int(number), body))
                self._remote = (address, port)
            else:
                self.send(self._request("ACK", int(number), branch=self.branch))
                if number == "1":
                    self.ended_by, self.ended_at = str(said.status), said.at
        elif said.method and said.method != "ACK":
            lines = [line for line in said.text.split("\r\n") if line.startswith(("Via", "From", "To", "Call", "CSeq"))]
            self.send(("\r\n".join(["SIP/2.0 200 OK", *lines, "Content-Length: 0"]) + "\r\n\r\n").encode())

    @staticmethod
    def _media(text: str) -> tuple[str, int]:
        connection = re.search(r"^c=IN IP[46] (\S+)", text, re.M)
        media = re.search(r"^m=audio (\d+)", text, re.M)
        assert connection
        assert media
        return connection[1], int(media[1])
