"""A leg's life: how it opens, where its far side is, whether it is sent to, with which SSRC, and how it closes.

    open -> [reach] -> [hold, update, collide] ... -> close

A leg is a row, and most of what happens in its life happens to that row in several stages at once: the stages keep
columns of their own, and each is told here, in one place. A leg is **reached** once it is known where its far side is,
and sent to while it is reached and its far side does not hold. When its SSRC is the far side's too, ours says goodbye
and another takes its place. All this comes between two ticks or at a tick's edge; nothing here runs per packet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

import numpy as np
from attrs import define, field

from ..codecs import bands
from ..codecs.bands import Band
from ..codecs.opus import Tuning
from . import protocol, rtp
from .digits import Digits
from .gather import frame_ms
from .jitter import Playout
from .keying import Keying
from .legs import LEAST_MS, LONGEST_MS, NO_EVENT, CodecId, Kind, Legs
from .outbox import Outbox
from .playback import Playback
from .ports import PortPool, PortsExhaustedError
from .protocol import Fact
from .quality import Quality
from .reports import Reports
from .rooms import TELEPHONE, Reach, Rooms
from .sealed import Sealed
from .sealed import check as check_keys
from .seams import OpusCodec, Rows, SecureTransport
from .sender import Sender
from .sockaddr import socket_name

_CODECS: Final[dict[protocol.CodecName, int]] = {
    "pcmu": CodecId.PCMU,
    "pcma": CodecId.PCMA,
    "g722": CodecId.G722,
    "opus": CodecId.OPUS,
}


class RefusedError(Exception):
    """An opening that fails; the text is for people."""


def _reach(codec: protocol.Codec) -> Reach:
    """What a far side gives and hears: G.722 has one rate, Opus takes and sends what there is, but what it says that it
    plays in vain or has not."""
    match codec.name:
        case "opus":
            wishes = codec.opus
            return Reach(gives=bands.within(wishes.capture_rate), most=bands.within(wishes.playback_rate))
        case "g722":
            return Reach(Band.WIDE, Band.WIDE, Band.WIDE)
        case _:
            return TELEPHONE


@define(kw_only=True, eq=False)
class Lifetimes:
    """Every leg's life. The stages are the engine's own, and so are `counters`; `advertise`, `home` and `rng` as
    there."""

    _legs: Legs
    _ports: PortPool
    _rooms: Rooms
    _playout: Playout
    _playback: Playback
    _sender: Sender
    _reports: Reports
    _quality: Quality
    _digits: Digits
    _keying: Keying
    _outbox: Outbox
    _counters: Counter[str]
    _advertise: Callable[[int, str], tuple[str, int]]
    _home: Callable[[str], str]
    _rng: np.random.Generator
    _secure: SecureTransport | None
    _sealed: Sealed
    _opus: OpusCodec | None
    browsers: int = field(default=0, init=False)  # legs of the SecureTransport
    _agreed: dict[int, protocol.Codec] = field(factory=dict, init=False)  # by row
    # Where the signalling of rows behind NATs comes from: the addresses in their SDP are of networks of their own.
    _peers: dict[int, str] = field(factory=dict, init=False)

    # --- what the control plane asks ------------------------------------------------------------------------------

    def open_rtp(self, command: protocol.OpenRtpLeg, now: float) -> Fact:
        """A plain leg; raises RefusedError, or PortsExhaustedError where no port of the pool can have it."""
        remote = self._remote(command.address, command.port)
        self._check(command.codec)
        family = 10 if ":" in command.address else 2
        row = self._add_leg(command.leg, command.codec, now)
        try:
            self._ports.open(
                row,
                remote,
                family=family,
                nat=command.nat,
                now=now,
                preferred=command.local_port,
                peer=command.peer,
                home=self._home(command.peer or command.address),
            )
        except PortsExhaustedError:
            self._remove(row)
            raise
        keys: tuple[protocol.SrtpKey, ...] = ()
        if command.srtp is not None:
            try:
                keys = self._sealed.open(row, command.srtp, resumed=command.local_port > 0)
            except ValueError as error:
                self._ports.close(row, now)
                self._remove(row)
                raise RefusedError(str(error)) from error
            self._begin_stream(row)
        self._legs.held[row], self._legs.hears[row] = not command.sends, command.hears
        if remote is not None:
            self.reach(row, now)
        if command.local_port:
            # A far side that another engine heard: should it be gone by now, that must be told.
            self._legs.heard_ever[row] = self._legs.media_ever[row] = self._legs.connected[row] = True
        if command.peer:
            self._peers[row] = command.peer
        return protocol.LegOpened(command.leg, *self._ours(row, command.address), keys)

    def update_rtp(self, command: protocol.UpdateRtpLeg, now: float) -> Fact:
        """Where its far side is now, and how it speaks; raises RefusedError."""
        row = self._legs.find(command.leg, Kind.LEG)
        if row is None or self._legs.secure[row]:
            raise RefusedError("no such RTP leg is open")
        self._check(command.codec)
        if bool(self._legs.sealed[row]) != (command.srtp is not None):
            raise RefusedError("a leg is under SRTP from its beginning to its end, or never")
        if command.srtp is not None:
            self._check_keys(command.srtp)
        before_at = self._ports.name[row].tobytes()
        if (remote := self._remote(command.address, command.port)) is not None:
            self._ports.move(row, remote, now)
        stays = self._ports.name[row].tobytes() == before_at
        keys = () if command.srtp is None else self._renew(row, command.srtp, now, stays=stays)
        self._hold(row, now, held=not command.sends)
        if command.hears and not self._legs.hears[row]:
            self._legs.media_at[row] = now
        self._legs.hears[row] = command.hears
        if remote is not None and not self._legs.reached[row]:
            self.reach(row, now)
        before = self._agreed[row]
        if before.name != command.codec.name:
            self._playback.begin(row)
            self._playout.open(row, wide=command.codec.name == "opus")
            self._sender.begin(row)
            self._quality.begin(row)
            self._reports.restart(row)
        self._set_codec(row, command.codec)
        if _events(before) != _events(command.codec):
            self._forget_digits(row)
        self._sender.changed()
        return protocol.LegOpened(command.leg, *self._ours(row, command.address), keys)

    def open_webrtc(self, command: protocol.OpenWebrtcLeg, now: float) -> Fact:
        """A browser's leg; raises RefusedError."""
        if self._secure is None:
            raise RefusedError("this engine has no WebRTC legs")
        self._check(command.codec)
        row = self._add_leg(command.leg, command.codec, now)
        self._legs.secure[row] = True
        try:
            opened = self._secure.open(row, command, now)
        except ValueError as error:
            self._remove(row)
            raise RefusedError(str(error)) from error
        self.browsers += 1
        return opened

    def restart_ice(self, command: protocol.RestartIce, now: float) -> Fact:
        """A browser's leg finds a new way; raises RefusedError where it would be another leg."""
        row = self._legs.find(command.leg, Kind.LEG)
        if row is None or not self._legs.secure[row] or self._secure is None:
            raise RefusedError("no such WebRTC leg is open")
        if command.codec != self._agreed[row]:
            raise RefusedError("another codec is another leg")
        try:
            return self._secure.restart(row, command, now)
        except ValueError as error:
            raise RefusedError(str(error)) from error

    def close(self, row: int, now: float, *, goodbye: bool = True) -> None:
        """The row is free; without `goodbye` the far side is not told, for it is gone."""
        if goodbye:
            self._say_goodbye(row)
        if self._legs.secure[row]:
            self.browsers -= 1
            if self._secure is not None:
                self._outbox.add(self._secure.close(row, now))
        else:
            self._ports.close(row, now)
        self._rooms.remove(row)
        self._remove(row)
        self._playback.begin(row)
        self._sender.begin(row)
        self._quality.begin(row)
        self._forget_digits(row)

    # --- what the network tells -----------------------------------------------------------------------------------

    def reach(self, row: int, now: float) -> None:
        """It is known where the far side is."""
        self._legs.reached[row] = True
        self._legs.media_at[row] = now
        self._reports.reach(row, now)
        self._hold(row, now, held=bool(self._legs.held[row]))

    def collide(self, rows: Rows, now: float) -> None:
        """The far sides of `rows` use our SSRC: ours says goodbye and another takes its place (RFC 3550 §8.2)."""
        for row in np.unique(rows):
            if not self._reports.collides(row, now):
                self._counters["packets_looped"] += 1
                continue
            self._counters["ssrc_collisions"] += 1
            self._say_goodbye(int(row))
            self._begin_stream_anew(int(row), now)

    # --- steps ----------------------------------------------------------------------------------------------------

    def _add_leg(self, name: str, codec: protocol.Codec, now: float) -> int:
        legs = self._legs
        if name in legs.ids:
            raise RefusedError("a leg or source of that name is open")
        row = legs.add(name, Kind.LEG, now)
        if row is None:
            raise RefusedError("too many legs")
        self._set_codec(row, codec)
        self._begin_stream(row)
        self._reports.open(row)
        self._playout.open(row, wide=codec.name == "opus")
        self._quality.begin(row)
        self._playback.begin(row)
        self._sender.begin(row)
        self._forget_digits(row)
        return row

    def _ours(self, row: int, address: str) -> tuple[str, int]:
        """What the far side of the row, whose SDP has `address`, is to send to."""
        return self._advertise(int(self._ports.port[row]), self._peers.get(row, address))

    def _check(self, codec: protocol.Codec) -> None:
        if not 0 <= codec.payload_type < 128:
            raise RefusedError(f"no RTP payload type: {codec.payload_type}")
        if codec.name == "opus" and self._opus is None:
            raise RefusedError("no Opus here")

    def _remove(self, row: int) -> None:
        self._sealed.close(row)
        self._peers.pop(row, None)
        if self._agreed.pop(row).name == "opus" and self._opus is not None:
            self._opus.close(row)
        self._legs.remove(row)

    def _remote(self, address: str, port: int) -> bytes | None:
        """A port of 0 is a far side that is not known yet: its answer is still to come."""
        if port == 0:
            return None
        try:
            return socket_name(address, port)
        except ValueError as error:
            raise RefusedError(f"not an address to send to: {address}:{port}") from error

    def _set_codec(self, row: int, codec: protocol.Codec) -> None:
        legs = self._legs
        before, self._agreed[row] = self._agreed.get(row), codec
        reach = _reach(codec)
        packet_ms = min(max(codec.packet_ms // LEAST_MS * LEAST_MS, LEAST_MS), LONGEST_MS)
        if self._opus is not None:
            was = before is not None and before.name == "opus"
            is_now = codec.name == "opus"
            if was and not is_now:
                self._opus.close(row)
            if is_now and not was:
                self._opus.open(row)
            if is_now:
                wishes = codec.opus
                frame = frame_ms(packet_ms)
                self._opus.tune(row, Tuning(wishes.bit_rate, wishes.constant, frame, bands.RATES[reach.most]))
        legs.codec[row] = _CODECS[codec.name]
        legs.payload_type[row] = codec.payload_type
        legs.heard_type[row] = codec.payload_type if codec.heard_type is None else codec.heard_type
        legs.heard_begins[row] = rtp.usual(int(legs.heard_type[row]))
        legs.telephone_event[row], legs.heard_event[row], event_clock = _events(codec)
        legs.band[row] = reach.least
        self._rooms.tune(row, reach)
        legs.packet_ms[row] = packet_ms
        legs.constant[row] = codec.name == "opus" and codec.opus.constant
        legs.clock_step[row] = 960 if codec.name == "opus" else 160
        legs.event_step[row] = event_clock // 50

    def _check_keys(self, srtp: protocol.Srtp) -> None:
        try:
            check_keys(srtp)
        except ValueError as error:
            raise RefusedError(str(error)) from error

    def _renew(self, row: int, srtp: protocol.Srtp, now: float, *, stays: bool) -> tuple[protocol.SrtpKey, ...]:
        """What it is heard and sent with; gives our keys. Another one of ours is for a stream of its own; whoever is
        still there hears that the one before is over."""
        renews = self._sealed.renews(row, srtp)
        if renews and stays:
            self._say_goodbye(row)
        keys = self._sealed.renew(row, srtp)
        if renews:
            self._begin_stream_anew(row, now)
        return keys

    def _begin_stream_anew(self, row: int, now: float) -> None:
        """In the middle of a leg's life."""
        self._begin_stream(row)
        if self._legs.sending[row]:
            self._reports.send(row, now)
        self._keying.restart(row)
        self._sender.changed()

    def _begin_stream(self, row: int) -> None:
        """An SSRC of which nothing was sent yet."""
        legs = self._legs
        legs.ssrc[row] = self._sealed.ssrc(row, int(self._rng.integers(1 << 32, dtype=np.uint32)))
        # Random, so that they cannot be guessed from outside; below 2**15 so that SRTP's rollover counter is sure (RFC
        # 3711 §3.3.1 starts it at 0, and a loss just after a wrap at the start would be misread).
        legs.sequence[row] = self._rng.integers(1 << 15)
        legs.timestamp[row] = self._rng.integers(1 << 32, dtype=np.uint32)
        legs.marker[row] = True
        legs.packets[row] = legs.octets[row] = 0

    def _hold(self, row: int, now: float, *, held: bool) -> None:
        """Whether the far side wants to hear nothing: then it is sent reports alone (RFC 3264 §6.1, RFC 3550 §6)."""
        legs = self._legs
        legs.held[row] = held
        sending = legs.reached[row] and not held
        # a talkspurt begins (RFC 3551 §4.1); sequence numbers go on where they were, timestamps as time did
        if sending != legs.sending[row]:
            legs.marker[row] |= sending
            self._reports.send(row, now if sending else np.inf)
        legs.sending[row] = sending
        self._sender.changed()

    def _forget_digits(self, row: int) -> None:
        self._digits.forget(row)
        self._keying.forget(row)

    def _say_goodbye(self, row: int) -> None:
        if (octets := self._reports.goodbye(row)) is not None:
            self._outbox.post(np.array([row]), octets)


def _events(codec: protocol.Codec) -> tuple[int, int, int]:
    """The payload types of events, sent and heard, and their clock in Hz, which is that of the codec (RFC 4733 §2.1)
    but where it is another."""
    sent = NO_EVENT if codec.telephone_event is None else codec.telephone_event
    heard = sent if codec.heard_event is None else codec.heard_event
    return sent, heard, codec.event_clock or (48_000 if codec.name == "opus" else 8000)
