"""The rollover counter of a stream that goes on: how often its sequence number began again is in no packet (RFC 3711
§3.3.1), and whoever takes up the key of a stream in its middle has to find it out.

An engine that takes the place of one that died is such a one, and so is everybody whose far side names another key in a
call: some go on counting then, as RFC 3711 has it, and some begin anew (RFC 4568 §7.1.4). libsrtp counts by itself and
cannot be told, but it can be led: packets of our own making, under the same key, carry a session of it through the
numbers, a third of their circle at a time. Each packet that does not verify is one round; what verifies ends it. So a
stream is found after as many packets as it has gone round, or a few times as many.
"""

from __future__ import annotations

import struct
from typing import Final

from attrs import field, frozen
from pylibsrtp import Policy, Session

CIRCLE: Final = 1 << 16
# libsrtp takes a number for the nearest one to the last that it saw: less than half the circle.
STEPS: Final = (CIRCLE // 3, 2 * CIRCLE // 3, CIRCLE)
# The most rounds: 93 hours of packets of 20 ms.
MOST: Final = 256


@frozen
class Key:
    """Of one direction: a profile of libsrtp, and the master key with its salt."""

    policy: int
    material: bytes = field(repr=False)

    def inbound(self) -> Session:
        return Session(Policy(self.material, Policy.SSRC_ANY_INBOUND, 0, self.policy))

    def outbound(self) -> Session:
        return Session(Policy(self.material, Policy.SSRC_ANY_OUTBOUND, 0, self.policy))


class Winding:
    """One stream that is looked for under a key."""

    def __init__(self, key: Key) -> None:
        self._key = key
        self._ssrc = -1
        self._outbound: Session | None = None  # it makes the packets
        self._sequence = 0
        self._rounds = 0
        # It begins anew with twice as many: what did not verify may have been nobody's, and was counted in vain.
        self._most = 1

    def turn(self, session: Session, ssrc: int, sequence: int) -> Session:
        """A packet of these numbers did not verify in `session`: the session in which the next one may."""
        if ssrc != self._ssrc or self._rounds >= self._most:
            self._most = 1 if ssrc != self._ssrc else min(2 * self._most, MOST)
            self._ssrc, self._sequence, self._rounds = ssrc, sequence, 0
            self._outbound = self._key.outbound()
            session = self._key.inbound()
            self._step(session, 0)
            return session
        for step in STEPS:
            self._step(session, step)
        self._rounds += 1
        return session

    def _step(self, session: Session, step: int) -> None:
        assert self._outbound is not None, "it was made as the stream was first looked for"
        header = struct.pack(">BBHII", 0x80, 0, (self._sequence + step) % CIRCLE, 0, self._ssrc)
        session.unprotect(self._outbound.protect(header))
