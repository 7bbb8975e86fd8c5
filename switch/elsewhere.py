"""Who sends to a port of ours from where nobody is let in: the far side of a leg, perhaps, that hears nothing from it.

A leg's packets are known by our port and where they come from. A far side that sends from another address than its
description says is a stranger, as whoever sprays the port is. So while some leg hears nothing, streams of RTP by
strangers are counted, second by second, and where all that come to its port are of one address, that is told.

    note(port, name)    a packet of RTP of a stranger
    turn()              a second is over
    at(port)            whose stream came there in the second that is over, None: nobody's, or several
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from .learning import address_of

# A far side sends 16 to 100 packets a second.
STREAM: Final = 12
# So many sources are told apart in a second, and so many packets of one batch are looked at.
SOURCES: Final = 64
LOOKED_AT: Final = 8


class Elsewhere:
    """See the module's docstring. `wanted`: some leg hears nothing; without one nothing is counted."""

    def __init__(self) -> None:
        self.wanted = False
        # (our port, its sockaddr) -> packets
        self._counts: dict[tuple[int, bytes], int] = {}
        self._streams: dict[int, list[bytes]] = {}

    def note(self, port: int, name: bytes) -> None:
        source = port, name
        if source in self._counts or len(self._counts) < SOURCES:
            self._counts[source] = self._counts.get(source, 0) + 1

    def turn(self, *, wanted: bool) -> None:
        streams = defaultdict(list)
        for (port, name), count in self._counts.items():
            if count >= STREAM:
                streams[port].append(name)
        self._streams = dict(streams)
        self._counts.clear()
        self.wanted = wanted

    def at(self, port: int) -> bytes | None:
        streams = self._streams.get(port, [])
        return streams[0] if len({address_of(name) for name in streams}) == 1 else None
