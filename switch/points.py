"""Access points: the addresses at which browsers reach the switch, and what answers those who only measure the way.

A browser that is to choose among them measures the round trip to each, over UDP to the very port that its voice would
go to. It has no leg for that: it makes a peer connection whose far side is the probe, one for all browsers, and its ICE
checks are answered as a leg's would be (RFC 8445 §7.3), by their own signature and nothing that is remembered of them.
What follows from a check of a leg, an address that DTLS and media may come from, does not follow from a probe's.

The answer is no longer than the question and goes to where that came from, so nobody gains by asking in another's name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from attrs import frozen

from . import stun
from .ice import Credentials
from .stun import Address, BindingRequest


@frozen
class Point:
    """`candidates(peer)` gives its `(address, port)` on the ways to an IP address, best first, at least one."""

    id: str
    name: str
    candidates: Callable[[str], Sequence[tuple[str, int]]]


def candidates(points: Sequence[Point], wanted: str, peer: str) -> tuple[tuple[str, int], ...]:
    """What a browser at `peer` is offered at the point of that id, or at all of them where it is empty.

    Raises ValueError with a text for people where there is no such point.
    """
    found = [point for point in points if wanted in ("", point.id)]
    if not found:
        raise ValueError(f"there is no access point {wanted!r}")
    return tuple(dict.fromkeys(each for point in found for each in point.candidates(peer)))


class Probes:
    """The far side of every connection that only measures."""

    def __init__(self, credentials: Credentials) -> None:
        self.credentials = credentials
        # As the octets of a USERNAME.
        self.name = credentials.ufrag.encode()
        self.answered_at = -math.inf
        self._key = credentials.pwd.encode("ascii")

    def receive(self, request: BindingRequest, address: Address, now: float) -> tuple[bytes, str]:
        """The answer to a check, and under which name it is counted. The tests are those of a leg's agent (ice.py)."""
        if not stun.authentic(request, self._key):
            return stun.error(request, 401, None), "probes_unauthenticated"
        if request.unknown:
            return stun.error(request, 420, self._key), "probes_unknown_attribute"
        if request.controlled:
            return stun.error(request, 487, self._key), "probes_role_conflict"
        self.answered_at = now
        return stun.success(request, address, self._key), "probes_answered"
