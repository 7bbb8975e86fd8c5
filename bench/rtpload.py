"""A load of plain RTP legs in a process of its own: each leg sends its own tone and counts what comes back.

The legs share a set of sockets; a leg is (our socket, the switch's port), as the switch itself knows it. Sending is
spread over four phases of 5 ms, as a network would spread it, and every 5 ms all sockets are read. What is counted is
packets against what the other side says it sent, never gaps in sequence numbers, which a switch that drops may well
keep whole.

Run by density.py: `python -m cordboard.bench.rtpload`, a line of JSON in (`Load`), one out with the local ports, a
line in with the switch's address and port of each leg, and at the end one line out (`Heard`).
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any, Final

import attrs
import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from ..codecs import g711
from ..switch import rtp
from ..switch.priority import hurry
from ..switch.seams import Datagrams, Octets
from ..switch.sockaddr import Owners, socket_name
from ..switch.udp import UdpSockets, bind
from .whom import FRAMES, tone_pcm, tones_in

TICK: Final = 0.020
PHASES: Final = 4
GAP: Final = 0.060
# A packet that comes too late delays its stream, and that delay is let go within so many seconds, frame by frame.
REMEMBERED: Final = 10.0


@frozen
class Load:
    """What is wanted: legs on `sockets` sockets, a second or two to settle, then `seconds` of measurement.

    `checked` legs keep their last second of sound. `tail`: seconds in which only what still comes is read. `tag`:
    octets behind each packet, as if it was sealed.
    """

    legs: int
    sockets: int
    settle: float
    seconds: float
    tail: float
    checked: tuple[int, ...]
    tag: int = 0


@frozen
class Heard:
    """sent, received: packets in all; in_time: those that came while it was measured. gaps: pauses of 60 ms or more at
    some leg while it was measured. stall_ms: the longest that this load itself did not look; late_ms: the longest after
    its time that it sent one of the packets by which what is heard in the end may have breaks. tones: of each checked
    leg, the frequencies it heard, in Hz."""

    sent: int
    received: int
    in_time: int
    gaps: int
    stall_ms: float
    late_ms: float
    tones: dict[str, list[int]]

    def share(self, legs: int, seconds: float) -> float:
        """Of the packets that so many legs should have been sent while it was measured, those that came: whatever the
        switch says that it has sent."""
        return round(self.in_time * TICK / seconds / legs, 4)


def _bank(legs: int) -> NDArray[np.uint8]:
    """The payloads of one second of every leg's tone: uint8 [legs, 50, 160]."""
    return np.stack([g711.encode_ulaw(tone_pcm(leg)) for leg in range(legs)]).reshape(legs, FRAMES, 160)


class _Legs:
    """The load's side of all legs."""

    def __init__(self, load: Load, sockets: UdpSockets, remotes: list[tuple[str, int]]) -> None:
        n = load.legs
        self._sockets = sockets
        self._socket = np.arange(n, dtype=np.int32) % load.sockets
        self._bank = _bank(n)
        self._names = np.stack([np.frombuffer(socket_name(*remote), np.uint8) for remote in remotes])
        self._legs = Owners.of(self._socket, self._names, np.arange(n))
        self._octets = 172 + load.tag
        # A phase's legs in the order of their sockets, as sending wants them.
        self._phases = [
            np.array(sorted(range(phase, n, PHASES), key=lambda leg: self._socket[leg])) for phase in range(PHASES)
        ]
        self.sent = self.received = self.in_time = self.gaps = 0
        self._last = np.full(n, np.nan)
        self._checked = np.array(load.checked, np.intp)
        self._sound = np.full((n if len(self._checked) else 0, FRAMES, 160), g711.ULAW_SILENCE, np.uint8)
        self._is_checked = np.zeros(n, np.bool_)
        self._is_checked[self._checked] = True

    def send(self, tick: int, phase: int) -> None:
        legs = self._phases[phase]
        n = len(legs)
        packets = np.zeros((n, self._octets), np.uint8)
        sequence = np.full(n, tick & 0xFFFF, np.uint16)
        timestamp = np.full(n, tick * 160 & 0xFFFFFFFF, np.uint32)
        rtp.write(packets, np.zeros(n, np.uint8), np.full(n, tick == 0), sequence, timestamp, legs.astype(np.uint32))
        packets[:, 12:172] = self._bank[legs, tick % FRAMES]
        length = np.full(n, self._octets, np.int32)
        self._sockets.send(Datagrams(packets, length, self._socket[legs], self._names[legs]))
        self.sent += n

    def receive(self, since: float, now: float, *, measured: bool) -> None:
        """Reads all that came; it came after `since`, when the sockets were looked at before."""
        batch = self._sockets.receive(now)
        if batch is None:
            return
        legs = self._legs.find(batch.port, batch.name)
        # A socket may have the port after another's, and then hears the reports of RTCP that are meant to go there.
        media = np.flatnonzero(legs >= 0)
        legs, data = legs[media], batch.data[media]
        self.received += len(legs)
        if measured:
            self.in_time += len(legs)
            # At least this long nothing came: a pause of this load's own is not put down to the switch.
            self.gaps += int((since - self._last[np.unique(legs)] >= GAP - TICK / PHASES / 2).sum())
        self._last[legs] = now
        self._keep(data, legs)

    def _keep(self, data: Octets, legs: NDArray[np.intp]) -> None:
        some = np.flatnonzero(self._is_checked[legs])
        if len(some):
            frame = data[some, 2].astype(np.int64) << 8 | data[some, 3]
            self._sound[legs[some], frame % FRAMES] = data[some, 12:172]

    def tones(self) -> dict[str, list[int]]:
        """What the checked legs heard last. A slot is a sequence number mod 50, so a second of them joins in phase."""
        return {str(leg): tones_in(g711.decode_ulaw(self._sound[leg]).reshape(-1)) for leg in self._checked}


def _drive(load: Load, legs: _Legs) -> Heard:
    start = time.monotonic() + TICK
    end = load.settle + load.seconds
    looked, stall, late, step = start, 0.0, 0.0, 0
    tones: dict[str, list[int]] = {}
    while True:
        due = start + step * TICK / PHASES
        if (wait := due - time.monotonic()) > 0:
            time.sleep(wait)
        now = time.monotonic()
        sending = due - start < end
        measured = sending and due - start > load.settle
        legs.receive(looked, now, measured=measured)
        if measured:
            stall = max(stall, now - looked)
        looked = now
        if sending:
            legs.send(step // PHASES, step % PHASES)
            if due - start > end - REMEMBERED:
                late = max(late, time.monotonic() - due)
        elif not tones:
            tones = legs.tones()
        if due - start > end + load.tail:
            stall_ms, late_ms = round(stall * 1000, 1), round(late * 1000, 1)
            return Heard(legs.sent, legs.received, legs.in_time, legs.gaps, stall_ms, late_ms, tones)
        step += 1


def main() -> None:
    wanted: dict[str, Any] = json.loads(sys.stdin.readline())
    load = Load(**{**wanted, "checked": tuple(wanted["checked"])})
    hurry()
    sockets = UdpSockets([bind("127.0.0.1", 0) for _ in range(load.sockets)])
    print(json.dumps([one.getsockname()[1] for one in sockets.sockets]), flush=True)
    legs = _Legs(load, sockets, [(address, port) for address, port in json.loads(sys.stdin.readline())])
    print("go", flush=True)
    print(json.dumps(attrs.asdict(_drive(load, legs))), flush=True)


if __name__ == "__main__":
    main()
