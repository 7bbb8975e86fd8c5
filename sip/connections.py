"""Which connections there are: whom we let in, which one a message goes by, and when one is done with (RFC 3261 §18).

A peer may speak over many connections, and everything it says is answered on the connection that it came by (§18.2.2).
A request of ours goes by the connection on which its dialog was last heard, while that lives, and else by one that we
open. A connection is kept while something lives on it: a call or a transaction of the endpoint. Without, it is closed
after half a minute in which nothing came; so is, in any case, one that has begun a message and does not end it, or one
that takes nothing. Where a call lives and nothing is said, a ping of two line ends asks the network whether the other
end is still there (RFC 5626 §4.4.1); their pings are answered.

Trunks are let in, and where some trunk is a guest (see `guests`) strangers, a few at a time: any of them may be it. One
that does not turn out to be within half a minute is closed, whatever it says, and so is everybody else at once, without
a word, and counted.

Shape: `accept`, `way`, `open`, `receive`, `closed`, and `look` every LOOK seconds; the shell (`tcp`) has the sockets.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Container
from enum import Enum
from typing import Final, TypeAlias

from attrs import frozen

from .events import Transmit
from .grammar import Address
from .stream import KEEP_ALIVE, Frames

# How often connections are looked through, in seconds, and how long one may be quiet, or leave a message without its
# end: together half a minute.
LOOK: Final = 5.0
QUIET: Final = 25.0
# After how long without a word the other end of a connection on which something lives is pinged, in seconds: with the
# look, and the time that the system waits for its acknowledgement (`tcp.STALLED`), half a minute too.
PING_AFTER: Final = 10.0
PING: Final = b"\r\n\r\n"
PONG: Final = b"\r\n"


@frozen
class Limits:
    """Of one peer's address and of all. A trunk uses a handful; one that opens another for each call is let do so up
    to here. Each costs a descriptor, two tasks and some 13 kB, by TLS 34 kB and 3 ms for its handshake, and a process
    has 1024 descriptors by default."""

    per_peer: int = 100
    total: int = 400
    # Of strangers who have shown nothing yet: of one address (several PBXs may be behind a NAT), of all, and how many
    # in a second. A handshake of TLS costs 3 ms.
    strange_per_peer: int = 10
    strange: int = 60
    strange_per_second: int = 20


class Standing(Enum):
    """Of an address: a trunk's, anybody's who may be a guest, or of nobody who is heard."""

    TRUNK = "trunk"
    STRANGER = "stranger"
    NOBODY = "nobody"


class Connection:
    """One connection; it is `remote` whom we hear and to whom we speak."""

    __slots__ = (
        "begun_at", "frames", "half_ping", "heard_at", "made_at", "pinged_at", "remote", "stranger", "unanswered",
    )  # fmt: skip

    def __init__(self, remote: Address, now: float, *, stranger: bool) -> None:
        self.remote = remote
        self.made_at = now
        # it was let in though no trunk's
        self.stranger = stranger
        self.frames = Frames()
        # when anything was last said, by either side
        self.heard_at = now
        # when a message began that has not ended yet
        self.begun_at = math.inf
        self.pinged_at = -math.inf
        self.unanswered = 0
        self.half_ping = False


@frozen
class Heard:
    """A whole message, for the endpoint."""

    data: bytes


@frozen
class Write:
    connection: Connection
    data: bytes


@frozen
class Close:
    connection: Connection
    reason: str


Action: TypeAlias = Heard | Write | Close


class Connections:
    """All connections of one endpoint. `hears(host, now)`: who that is; `living(now)`: the addresses on whose
    connections something lives. `counters` are the endpoint's."""

    def __init__(
        self,
        counters: Counter[str],
        hears: Callable[[str, float], Standing],
        living: Callable[[float], Container[Address]],
        limits: Limits | None = None,
    ) -> None:
        self.counters = counters
        self._hears = hears
        self._living = living
        self._limits = limits or Limits()
        self._all: set[Connection] = set()
        self._by_remote: dict[Address, Connection] = {}
        self._per_peer: Counter[str] = Counter()
        # strangers in this second, and which it is
        self._strange = (0.0, 0)

    def __len__(self) -> int:
        return len(self._all)

    def accept(self, remote: Address, now: float) -> Connection | str:
        """A connection that was made to us, or why it must be closed at once; "" where that is nobody's concern."""
        standing = self._hears(remote.host, now)
        if standing is Standing.NOBODY or (standing is Standing.STRANGER and self._crowded(remote.host, now)):
            self.counters["stranger connection"] += 1
            return ""
        if full := self._full(remote.host):
            return full
        self.counters["connections accepted"] += 1
        return self._add(remote, now, stranger=standing is Standing.STRANGER)

    def _crowded(self, host: str, now: float) -> bool:
        """So many strangers are there that another one is not let in. Those on whose connections something lives are
        none any more."""
        limits = self._limits
        second, count = self._strange
        if now >= second + 1:
            second, count = now, 0
        if count >= limits.strange_per_second:
            return True
        self._strange = second, count + 1
        living = self._living(now)
        strange = [each.remote.host for each in self._all if each.stranger and each.remote not in living]
        return len(strange) >= limits.strange or strange.count(host) >= limits.strange_per_peer

    def open(self, remote: Address, now: float) -> Connection | None:
        """The connection that the shell is now to make; None: there are too many."""
        if self._full(remote.host):
            return None
        self.counters["connections opened"] += 1
        return self._add(remote, now, stranger=False)

    def _full(self, host: str) -> str:
        limits = self._limits
        if self._per_peer[host] >= limits.per_peer:
            self.counters["refused connection: peer has too many"] += 1
            return f"the peer has {limits.per_peer} connections"
        if len(self._all) >= limits.total:
            self.counters["refused connection: too many"] += 1
            return f"there are {limits.total} connections"
        return ""

    def _add(self, remote: Address, now: float, *, stranger: bool) -> Connection:
        made = Connection(remote, now, stranger=stranger)
        self._all.add(made)
        self._by_remote[remote] = made
        self._per_peer[remote.host] += 1
        return made

    def closed(self, connection: Connection) -> None:
        """It is gone, whoever ended it."""
        if connection not in self._all:
            return
        self._all.discard(connection)
        self.counters["connections closed"] += 1
        if self._by_remote.get(connection.remote) is connection:
            del self._by_remote[connection.remote]
        self._per_peer[connection.remote.host] -= 1
        if not self._per_peer[connection.remote.host]:
            del self._per_peer[connection.remote.host]

    def way(self, transmit: Transmit, now: float) -> Connection | Address | None:
        """By which connection a message goes, or where one is to be opened for it; None: it cannot be sent."""
        for remote in (transmit.destination, transmit.otherwise):
            if remote is not None and (found := self._by_remote.get(remote)) is not None:
                found.heard_at = now
                return found
        return transmit.otherwise

    def receive(self, connection: Connection, data: bytes, now: float) -> list[Action]:
        """What came by a connection."""
        actions: list[Action] = []
        frames = connection.frames
        items = frames.feed(data)
        for item in items:
            if item is not KEEP_ALIVE:
                connection.half_ping = False
                actions.append(Heard(item))
            elif connection.unanswered:
                connection.unanswered -= 1
            elif connection.half_ping:
                connection.half_ping = False
                self.counters["keepalive"] += 1
                actions.append(Write(connection, PONG))
            else:
                connection.half_ping = True
        if items:
            connection.heard_at = now
        if not frames.partial:
            connection.begun_at = math.inf
        elif items or connection.begun_at == math.inf:
            connection.begun_at = now
        if frames.broken:
            self.counters["bad framing"] += 1
            actions.append(Close(connection, frames.broken))
        return actions

    def look(self, now: float) -> list[Write | Close]:
        """Closes what is done with, and pings where something lives and nothing is said."""
        actions: list[Write | Close] = []
        living = self._living(now) if self._all else ()
        for each in self._all:
            quiet = now - each.heard_at >= QUIET
            if now - each.begun_at >= QUIET:
                self.counters["slow connection"] += 1
                actions.append(Close(each, "a message has begun and does not end"))
            elif each.remote not in living:
                # one whose trunk was taken away may talk as long as it likes: nobody hears it
                late = each.stranger and now - each.made_at >= QUIET
                if quiet or late or self._hears(each.remote.host, now) is Standing.NOBODY:
                    self.counters["idle connection"] += 1
                    actions.append(Close(each, "nothing lives on it"))
            elif now - each.heard_at >= PING_AFTER and now - each.pinged_at >= PING_AFTER:
                each.pinged_at = now
                each.unanswered = 1
                actions.append(Write(each, PING))
        return actions
