"""Where the far sides of legs behind NATs are: each is learned once, from what comes to the port that it has alone.

The address in such a leg's SDP is one that only its own network can reach; where its packets come from is known when
they come. Whoever sends to the port first would be taken for it, so not everybody is believed alike (RFC 3550 §A.1 has
a source prove itself by packets in sequence, too):

    under SRTP, whatever verifies                                        the first packet
    from the SDP's address, or the one that its signalling comes from    the first packet
    from elsewhere                                                       a stream of half a second, if nobody was near

Who is near is heard a round trip after we answered; a thief would have to find the port and to go on sending meanwhile.
After two seconds nothing is learned any more.
"""

from __future__ import annotations

import ipaddress
import struct
from typing import Final

from attrs import Factory, define

LEARNING: Final = 2.0  # seconds in which a leg behind a NAT learns its source
PROBATION: Final = 25  # packets of a stream from where nobody is near: half a second
STEP: Final = 5  # how far the numbers of two packets of one stream lie apart, some being lost or overtaken
SOURCES: Final = 8  # that are on probation for a leg; others must wait until it is over

_AF_INET: Final = 2  # Linux
_FOUR: Final = struct.pack("=H", _AF_INET)


def address_of(name: bytes) -> bytes:
    """The IP address of a Linux sockaddr_in or sockaddr_in6, 4 or 16 octets."""
    return name[4:8] if name[:2] == _FOUR else name[8:24]


@define
class _Source:
    """The last packet of one, and how many of its stream came."""

    ssrc: int
    sequence: int
    in_turn: int = 1


@define
class _Leg:
    peer: bytes  # the address that its signalling comes from; empty: not known
    announced: bytes = b""  # its remote by SDP, as a sockaddr; empty: not known yet
    until: float = 0.0
    learned: bool = False
    sources: dict[bytes, _Source] = Factory(dict)


class Learning:
    """The legs behind NATs, by row."""

    def __init__(self) -> None:
        self._legs: dict[int, _Leg] = {}
        # Those that learn; some of them may be late for it.
        self.rows: set[int] = set()

    def open(self, row: int, peer: str) -> None:
        """`peer` is the IP address that the signalling comes from; what is none is near nobody."""
        try:
            self._legs[row] = _Leg(ipaddress.ip_address(peer).packed)
        except ValueError:
            self._legs[row] = _Leg(b"")

    def close(self, row: int) -> None:
        self._legs.pop(row, None)
        self.rows.discard(row)

    def announced(self, row: int, remote: bytes) -> bool:
        """Whether it is this remote that the leg named last; a row that is behind no NAT has named none."""
        leg = self._legs.get(row)
        return leg is not None and leg.announced == remote

    def announce(self, row: int, remote: bytes, now: float) -> None:
        """The SDP of the leg names a remote. If it is the one that it named before, the leg stays where it was learned
        to be, or has another chance to learn it."""
        leg = self._legs[row]
        if leg.announced != remote:
            self._legs[row] = leg = _Leg(leg.peer, remote)
        if not leg.learned:
            leg.until = now + LEARNING
            self.rows.add(row)

    def hear(self, row: int, name: bytes, ssrc: int, sequence: int, now: float, *, proven: bool = False) -> bool:
        """A valid packet of the leg came from `name`, a sockaddr: whether its far side is there. Told once."""
        leg = self._legs[row]
        if leg.learned or now > leg.until:
            return False
        address = address_of(name)
        near = proven or address in (leg.peer, address_of(leg.announced))
        if not near and not self._proves(leg, name, ssrc, sequence):
            return False
        leg.learned = True
        leg.sources.clear()
        self.rows.discard(row)
        return True

    def expire(self, now: float) -> None:
        """Forgets windows that are over."""
        self.rows = {row for row in self.rows if self._legs[row].until >= now}

    @staticmethod
    def _proves(leg: _Leg, name: bytes, ssrc: int, sequence: int) -> bool:
        source = leg.sources.get(name)
        if source is None:
            if len(leg.sources) < SOURCES:
                leg.sources[name] = _Source(ssrc, sequence)
            return False
        step = abs((sequence - source.sequence + 0x8000 & 0xFFFF) - 0x8000)
        follows = ssrc == source.ssrc and 0 < step <= STEP
        source.ssrc, source.sequence = ssrc, sequence
        source.in_turn = source.in_turn + 1 if follows else 1
        return source.in_turn >= PROBATION
