"""The pool of shared sockets: which leg is (our port, remote address and port).

A socket per leg costs more than all of the arithmetic, so legs share a few ports and are told apart by where their
packets come from. Two legs with the same remote get different ports. A packet whose (port, remote) is no leg's is
nobody's: it is dropped and counted, never learned from, except on the one port of a leg behind a NAT (learning.py).
A pair that is closed rests for 30 s, so that the last packets of a call are not heard in the next one.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from .learning import Learning
from .sockaddr import AF_INET, AF_INET6, NAME, Octets, Owners, Rows, family_of

REST: Final = 30.0  # seconds that a closed (port, remote) is not given out again


class PortsExhaustedError(Exception):
    """No port of the pool is free for this remote; the text is for people."""


@frozen
class LocalPort:
    """One socket of the pool: what it is bound to. Its index in the pool is its number in batches."""

    address: str
    port: int

    @property
    def family(self) -> int:
        return AF_INET6 if ":" in self.address else AF_INET


class PortPool:
    """Which row each (port, remote) is; `capacity` rows, and `ports` whose order is the order of the sockets."""

    def __init__(self, ports: tuple[LocalPort, ...], capacity: int) -> None:
        self.ports = ports
        self.port = np.full(capacity, -1, np.int32)  # index of the row's port, -1: none
        self.name = np.zeros((capacity, NAME), np.uint8)  # the row's remote, as a sockaddr; zeros: none yet
        self._known = np.zeros(capacity, np.bool_)
        self._load = [0] * len(ports)
        self._taken: set[tuple[int, bytes]] = set()
        self._resting: dict[tuple[int, bytes], float] = {}
        self._port_rests = [-np.inf] * len(ports)  # until when some pair of this port rests
        self._exclusive: dict[int, int] = {}
        self._nat = Learning()
        self._quarantine = [-np.inf] * len(ports)  # until when a port that was exclusive may hear from anywhere
        self._sort()

    def open(
        self,
        row: int,
        remote: bytes | None,
        *,
        family: int,
        nat: bool,
        now: float,
        preferred: int = 0,
        peer: str = "",
        home: str = "",
    ) -> int:
        """Gives the row a port for a remote (`socket_name`; None: not known yet). Returns the port's index.

        `peer` is the IP address that the signalling of a leg behind a NAT comes from. `preferred` is the port's number
        that the far side knows already: taken unless another leg has it, however it rests. `home` is our address on the
        way there: where ports are bound to it, it is one of those, for by others there is no way. Raises
        PortsExhaustedError.
        """
        near = self._near(family, home)
        index = self._preferred_port(near, preferred, remote, nat=nat) if preferred else None
        if index is None:
            index = self._exclusive_port(near, now) if nat else self._shared_port(near, remote, now)
        if nat:
            self._exclusive[index] = row
            self._nat.open(row, peer)
            if remote is not None:
                self._nat.announce(row, remote, now)
        self.port[row] = index
        self._load[index] += 1
        if remote is not None:
            self._settle(row, remote)
        return index

    def move(self, row: int, remote: bytes, now: float) -> None:
        """The row's far side is elsewhere; our port stays. Raises PortsExhaustedError if another leg has the pair.

        A leg behind a NAT that names the same remote again (a hold, a session refresh) stays where it was learned to
        be; as long as nothing was learned, there is another chance to.
        """
        index = int(self.port[row])
        if self._nat.announced(row, remote):
            self._nat.announce(row, remote, now)
            return
        if self._known[row] and self.name[row].tobytes() == remote:
            return
        if not self._free(index, remote, now) or self.ports[index].family != family_of(remote):
            raise PortsExhaustedError(f"port {self.ports[index].port} is in use with that remote address")
        self._let_go(row, now)
        self._settle(row, remote)
        if self._exclusive.get(index) == row:
            self._nat.announce(row, remote, now)

    def close(self, row: int, now: float) -> None:
        """The row's pair rests from now on."""
        index = int(self.port[row])
        if index < 0:
            return
        self._let_go(row, now)
        self._load[index] -= 1
        if self._exclusive.get(index) == row:
            del self._exclusive[index]
            # Whoever sent to it is unknown, if nothing was learned: the whole port rests.
            self._port_rests[index] = self._quarantine[index] = now + REST
        self._nat.close(row)
        self.port[row] = -1

    def find(self, port: NDArray[np.int32], names: Octets) -> Rows:
        """The row of each of n packets by our port and its sockaddr uint8 [n, 32]; -1 for strangers. intp [n]."""
        if self._stale:
            self._sort()
        return self._owners.find(port, names)

    def find_beside(self, port: NDArray[np.int32], names: Octets) -> Rows:
        """The row of each of n reports, which come from the port after that of the remote's RTP to the port after ours
        (RFC 3550 §11); `port` is the index of ours. -1 for strangers. intp [n]."""
        of_rtp = names.copy()
        numbers = of_rtp[:, 2:4].view(">u2")
        numbers -= 1
        return self.find(port, of_rtp)

    def beside(self, rows: Rows) -> tuple[Octets, NDArray[np.int32]]:
        """Where reports of `rows` [n] go, the port after that of the remote's RTP, and from beside which of ours: uint8
        [n, 32] and int32 [n]."""
        names = self.name[rows]
        numbers = names[:, 2:4].view(">u2")
        numbers += 1
        return names, self.port[rows]

    def learner(self, port: int) -> int | None:
        """The row that has this port to itself, if it may be learning."""
        row = self._exclusive.get(port)
        return row if row in self._nat.rows else None

    @property
    def learning(self) -> tuple[int, ...]:
        """The rows that have not learned their source yet."""
        return tuple(self._nat.rows)

    def learn(self, row: int, name: bytes, ssrc: int, sequence: int, now: float, *, proven: bool = False) -> bool:
        """A valid packet of a row that learns came from `name`; `proven`: from its far side. Whether it is believed:
        then the row hears and speaks to nobody else from now on."""
        if not self._nat.hear(row, name, ssrc, sequence, now, proven=proven):
            return False
        if self.name[row].tobytes() != name:
            self._let_go(row, now)
            self._settle(row, name)
        return True

    def expire(self, now: float) -> None:
        """Forgets learning windows and rests that are over; to be called now and then."""
        self._nat.expire(now)
        self._resting = {pair: until for pair, until in self._resting.items() if until > now}

    def _near(self, family: int, home: str) -> list[int]:
        """The ports that lead there. Raises PortsExhaustedError."""
        known = [i for i, local in enumerate(self.ports) if local.family == family]
        if not known:
            raise PortsExhaustedError(f"[media] has no address of IPv{6 if family == AF_INET6 else 4}")
        return [i for i in known if self.ports[i].address == home] or known

    def _preferred_port(self, near: list[int], port: int, remote: bytes | None, *, nat: bool) -> int | None:
        for i in near:
            if self.ports[i].port != port or i in self._exclusive:
                continue
            if self._load[i] == 0 if nat else (i, remote) not in self._taken:
                return i
        return None

    def _shared_port(self, near: list[int], remote: bytes | None, now: float) -> int:
        fit = [
            i
            for i in near
            if i not in self._exclusive
            and self._quarantine[i] <= now
            and (remote is None or self._free(i, remote, now))
        ]
        if not fit:
            raise PortsExhaustedError("no RTP port is free for that remote address: all are in use with it or rest")
        # The top quarter is left to legs behind NATs while there is room below.
        top = near[len(near) - len(near) // 4 :]
        return min(fit, key=lambda i: (i in top, self._load[i]))

    def _exclusive_port(self, near: list[int], now: float) -> int:
        for i in reversed(near):
            if self._load[i] == 0 and self._port_rests[i] <= now:
                return i
        raise PortsExhaustedError("no RTP port is free for a leg behind a NAT, which needs one of its own")

    def _free(self, index: int, remote: bytes, now: float) -> bool:
        pair = (index, remote)
        return pair not in self._taken and self._resting.get(pair, -np.inf) <= now

    def _settle(self, row: int, remote: bytes) -> None:
        self.name[row] = np.frombuffer(remote, np.uint8)
        self._known[row] = True
        self._taken.add((int(self.port[row]), remote))
        self._stale = True

    def _let_go(self, row: int, now: float) -> None:
        if not self._known[row]:
            return
        index = int(self.port[row])
        pair = (index, self.name[row].tobytes())
        self._taken.discard(pair)
        self._resting[pair] = now + REST
        self._port_rests[index] = now + REST
        self._known[row] = False
        self.name[row] = 0
        self._stale = True

    def _sort(self) -> None:
        rows = np.flatnonzero(self._known)
        self._owners = Owners.of(self.port[rows], self.name[rows], rows)
        self._stale = False
