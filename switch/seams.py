"""What the engine takes in and gives out, and what it is handed rather than knows: SRTP legs, Opus, files of music.

Batches are matrices with a row per datagram, so that the shell fills and empties them with one system call each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from ..codecs.g711 import Pcm
from ..codecs.opus import Tuning
from ..codecs.opuspacket import Frame
from ..codecs.work import Decoded, Encoded, Work
from .matrix import lay
from .protocol import AccessPoints, Fact, ListAccessPoints, OpenWebrtcLeg, RestartIce, WebrtcLegOpened
from .sockaddr import NAME

Octets = NDArray[np.uint8]
Rows = NDArray[np.intp]


@frozen
class Batch:
    """n datagrams that were read together.

    data: uint8 [n, W], W a multiple of 4 (only the first `length` octets of a row mean anything); length: int32 [n];
    port: int32 [n], the number of the socket (the RTP pool's first, then the browsers' ports);
    name: uint8 [n, 32], the source as a Linux sockaddr; at: float64 [n], when each came, on the engine's clock.
    Who takes a batch may open what is encrypted where it lies.
    """

    data: Octets
    length: NDArray[np.int32]
    port: NDArray[np.int32]
    name: Octets
    at: NDArray[np.float64]


def part(batch: Batch, index: Rows | slice) -> Batch:
    """Those datagrams of it."""
    return Batch(batch.data[index], batch.length[index], batch.port[index], batch.name[index], batch.at[index])


@frozen
class Datagram:
    """One datagram of a kind that does not come by the hundred: `name` is a sockaddr of 32 octets."""

    port: int
    name: bytes
    data: bytes


@frozen(eq=False)
class Datagrams:
    """n datagrams to be sent.

    data: uint8 [n, W], of which the first `length` int32 [n] octets of a row are sent; port: int32 [n], the number of
    the socket as in Batch; name: uint8 [n, 32], where each goes as a Linux sockaddr. Rows lie without gaps between
    octets, and names without gaps at all.
    """

    data: Octets
    length: NDArray[np.int32]
    port: NDArray[np.int32]
    name: Octets

    @classmethod
    def of(cls, datagrams: Sequence[Datagram]) -> Datagrams:
        data, length = lay([one.data for one in datagrams])
        names = np.frombuffer(b"".join([one.name for one in datagrams]), np.uint8).reshape(-1, NAME)
        return cls(data, length, np.array([one.port for one in datagrams], np.int32), names)


@frozen
class Outgoing:
    """What a tick sends. The matrices are the engine's own and good until the next tick.

    `reports` are for the ports of RTCP, which count as the pool's do. `later` is what takes time to be made, in parts
    as they are ready: to be sent when all else is, and gone through to its end before the engine is asked for anything.
    """

    parts: Sequence[Datagrams]
    reports: Sequence[Datagrams] = ()
    later: Iterable[Datagrams] = ()


@frozen
class Packets:
    """n packets of legs: `row` intp [n], `data` uint8 [n, W] with W a multiple of 4 and at least 16, `length` int32
    [n], `at` float64 [n] as in Batch."""

    row: Rows
    data: Octets
    length: NDArray[np.int32]
    at: NDArray[np.float64]


NO_PACKETS: Final = Packets(
    np.zeros(0, np.intp), np.zeros((0, 16), np.uint8), np.zeros(0, np.int32), np.zeros(0, np.float64)
)


@frozen
class SecureInput:
    """What came out of datagrams on the browsers' ports.

    `replies` to send at once; decrypted packets of RTP and of RTCP; what became of legs as `facts`.
    """

    replies: Sequence[Datagram]
    rtp: Packets
    rtcp: Packets
    facts: Sequence[Fact]


class SecureTransport(Protocol):
    """Every browser's leg: ICE-lite, DTLS and SRTP on the shared ports (switch/webrtc.py). Legs are known by row."""

    @property
    def counters(self) -> Mapping[str, int]:
        """What was dropped, by reason."""
        ...

    def open(self, row: int, command: OpenWebrtcLeg, now: float) -> WebrtcLegOpened:
        """Raises ValueError with a text for people when the leg cannot be."""
        ...

    def restart(self, row: int, command: RestartIce, now: float) -> WebrtcLegOpened:
        """The leg in `row` finds a new way. Raises ValueError with a text for people where it cannot."""
        ...

    def close(self, row: int, now: float) -> Sequence[Datagram]: ...

    def access_points(self, command: ListAccessPoints) -> AccessPoints:
        """Where the browser reaches us, and what it may measure that with."""
        ...

    @property
    def probed_at(self) -> float:
        """When a browser that measures was answered last; minus infinity before the first."""
        ...

    def receive(self, batch: Batch, now: float) -> SecureInput: ...

    def protect(self, rows: Rows, data: Octets, length: NDArray[np.int32]) -> Datagrams:
        """n RTP packets, `data` uint8 [n, W] with `length` int32 [n], encrypted for the legs in `rows` [n]; those that
        have no keys are left out."""
        ...

    def protect_rtcp(self, rows: Rows, data: Octets) -> Datagrams:
        """The same for n compound packets of RTCP, uint8 [n, W], whole rows."""
        ...

    def deadline(self) -> float:
        """When `wake` is due, infinity for never."""
        ...

    def wake(self, now: float) -> SecureInput: ...


@frozen
class Read:
    """What became of a piece that was wanted: int16 [frames * 160], or None and a `reason` for people."""

    name: str
    pcm: Pcm | None
    reason: str = ""


class Library(Protocol):
    """The pieces of music that are kept in files (switch/musicfile.py)."""

    def want(self, name: str) -> None:
        """This piece is to be read, beside the ticks; asking again meanwhile changes nothing."""
        ...

    def read(self) -> Sequence[Read]:
        """Those that were read since the last call."""
        ...


class OpusCodec(Protocol):
    """The Opus decoders and encoders of all rows; which processes do the work is the shell's choice (coders.py).

    `decode` and `encode` only begin it. The results of one are to be taken before the next begins."""

    @property
    def counters(self) -> Mapping[str, int]:
        """What went wrong beside the engine."""
        ...

    def open(self, row: int) -> None: ...

    def tune(self, row: int, tuning: Tuning) -> None:
        """How the far side wants to be sent Opus."""
        ...

    def close(self, row: int) -> None: ...

    def forget(self, rows: Rows) -> None:
        """What these rows said before is not for who hears them now."""
        ...

    def failed(self) -> Sequence[int]:
        """Rows whose codec has raised what it should not: these legs are over."""
        ...

    def decode(self, rows: Rows, frames: Sequence[Frame], bands: NDArray[np.uint8]) -> Work[Decoded]:
        """The next 20 ms of each of `rows` [n], at 8 kHz and in those above of which the `bands` [n] have the bit
        (bands.py)."""
        ...

    def encode(self, rows: Rows, frames: Pcm, samples: Rows) -> Work[Encoded]:
        """20 ms each, so many `samples` [n] of the `frames` int16 [n, 960], 160 at 8 kHz, 320 at 16 or 960 at 48, to
        the packets of each of `rows` [n]. `frames` stay as they are until the results are taken, which are good until
        the next call."""
        ...
