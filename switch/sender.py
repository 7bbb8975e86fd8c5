"""What every leg is sent: encode what it hears, or silence, behind a header of its own, in the order of the sockets.

The packets of all G.711 legs are one matrix that stays from tick to tick: a leg's row of it moves only when legs come
or go, and holds silence until something is written there. Plain legs stand first, by port, so that each socket's
packets lie together; SRTP legs follow. Opus payloads vary in length and have a matrix of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from ..codecs import g711
from . import rtp
from .jitter import WIDE
from .legs import SILENCE, CodecId, Legs
from .ports import PortPool
from .seams import Datagram, OpusCodec, Outgoing, Rows, SecureTransport

PACKET: Final = rtp.HEADER + 160
WIDE_PACKET: Final = rtp.HEADER + WIDE
_ENCODE: Final = {CodecId.PCMU: g711.encode_ulaw, CodecId.PCMA: g711.encode_alaw}
# One 20 ms frame of digital silence in Opus: TOC octet of CELT, full band, 20 ms, mono, one frame (RFC 6716 §3.1).
_OPUS_SILENCE: Final = b"\xf8\xff\xfe"


@frozen
class _Order:
    """Which rows are sent to, in the order of their sockets, and where in the packet matrix they stand."""

    rows: Rows  # narrow rows, plain ones first, by port
    plain: int  # how many of them are plain
    place: NDArray[np.intp]  # [capacity]: index in `rows`, or -1
    opus: Rows
    port: NDArray[np.int32]  # [plain]
    name: NDArray[np.uint8]  # [plain, 32]
    length: NDArray[np.int32]  # [rows]


class Sender:
    """The packet matrix, and how the rows stand in it."""

    def __init__(self, legs: Legs, ports: PortPool, secure: SecureTransport | None, opus: OpusCodec | None) -> None:
        self._legs = legs
        self._ports = ports
        self._secure = secure
        self._opus = opus
        self._out = np.zeros((legs.capacity, PACKET), np.uint8)
        self._out_silent = np.zeros(legs.capacity, np.bool_)
        self._ordered: _Order | None = None
        self.sent = 0  # packets

    def changed(self) -> None:
        """Legs came, went, or are elsewhere: the order is to be made anew."""
        self._ordered = None

    def _order(self) -> _Order:
        legs = self._legs
        rows = np.flatnonzero(legs.sending)
        opus = legs.codec[rows] == CodecId.OPUS
        narrow = rows[~opus]
        plain = narrow[~legs.secure[narrow]]
        plain = plain[np.argsort(self._ports.port[plain], kind="stable")]
        narrow = np.concatenate([plain, narrow[legs.secure[narrow]]])
        place = np.full(legs.capacity, -1, np.intp)
        place[narrow] = np.arange(len(narrow))
        # The packets stand in another order now: all begin with silence, this tick's sound is written over it.
        for law, silence in SILENCE.items():
            self._out[place[narrow[legs.codec[narrow] == law]], rtp.HEADER :] = silence
        self._out_silent[:] = True
        return _Order(
            rows=narrow,
            plain=len(plain),
            place=place,
            opus=rows[opus],
            port=self._ports.port[plain],
            name=np.ascontiguousarray(self._ports.name[plain]),
            length=np.full(len(narrow), PACKET, np.int32),
        )

    def send(
        self, listeners: Rows, heard: g711.Pcm, audible: NDArray[np.bool_], beside: Sequence[Datagram]
    ) -> Outgoing:
        """This tick's packets, and the datagrams `beside` them. `listeners` intp [n] hear `heard` int16 [n, 160], if
        they are `audible` bool [n]; every other leg, and who is not audible, is sent silence."""
        if self._ordered is None:
            self._ordered = self._order()
        sending, legs = self._ordered, self._legs
        n = len(sending.rows)
        place = sending.place[listeners]
        loud = np.zeros(n, np.bool_)
        loud[place[audible & (place >= 0)]] = True
        codec = legs.codec[listeners]
        for law in (CodecId.PCMU, CodecId.PCMA):
            some = audible & (place >= 0) & (codec == law)
            if some.any():
                frames = heard if some.all() else heard[some]
                self._out[place[some], rtp.HEADER :] = _ENCODE[law](frames)
            turned = np.flatnonzero(~loud & ~self._out_silent[:n] & (legs.codec[sending.rows] == law))
            if len(turned):
                self._out[turned, rtp.HEADER :] = SILENCE[law]
        self._out_silent[:n] = ~loud
        self._write_headers(self._out[:n], sending.rows)
        plain = sending.plain
        datagrams = list(beside)
        if n > plain and self._secure is not None:
            datagrams += self._secure.protect(sending.rows[plain:], self._out[plain:n], sending.length[plain:])
        if len(sending.opus) and self._secure is not None:
            datagrams += self._send_opus(sending.opus, listeners, heard, audible)
        self.sent += n + len(sending.opus)
        return Outgoing(self._out[:plain], sending.length[:plain], sending.port, sending.name, datagrams)

    def _send_opus(self, rows: Rows, listeners: Rows, heard: g711.Pcm, audible: NDArray[np.bool_]) -> list[Datagram]:
        assert self._opus is not None  # without it no such leg is opened
        assert self._secure is not None
        speaks = audible & np.isin(listeners, rows)
        payloads = dict.fromkeys(rows.tolist(), _OPUS_SILENCE)
        to = listeners[speaks]
        payloads.update(zip(to.tolist(), self._opus.encode(to, heard[speaks]), strict=True))
        packets = np.zeros((len(rows), WIDE_PACKET), np.uint8)
        length = np.zeros(len(rows), np.int32)
        for i, row in enumerate(rows.tolist()):
            payload = payloads[row]
            packets[i, rtp.HEADER : rtp.HEADER + len(payload)] = np.frombuffer(payload, np.uint8)
            length[i] = rtp.HEADER + len(payload)
        self._write_headers(packets, rows)
        return list(self._secure.protect(rows, packets, length))

    def _write_headers(self, packets: NDArray[np.uint8], rows: Rows) -> None:
        legs = self._legs
        sequence, timestamp = legs.sequence[rows], legs.timestamp[rows]
        rtp.write(packets, legs.payload_type[rows], legs.marker[rows], sequence, timestamp, legs.ssrc[rows])
        legs.marker[rows] = False
        legs.sequence[rows] = sequence + np.uint16(1)
        legs.timestamp[rows] = timestamp + legs.clock_step[rows]
