"""The media plane: one tick every 20 ms over every leg. This is the only place that orders the stages.

    receive(batch, now)    demux -> [SRTP] -> RTP parse -> playout store                         (the network pushes)
    ------------------------------------------------------------------------------------------- the clock edge
    tick(now)              digits -> due -> decode -> conceal -> mix -> encode -> headers -> [SRTP]  (the tick pulls)
                           -> the RTCP reports that are due
    command(message, now)  edits of legs, sources and edges, between two ticks

Pure: it opens no socket, reads no clock and draws no secrets; the shell (process.py) calls it and carries out what it
returns. A leg is a row of columns (legs.py). Every leg is sent a packet each 20 ms from its opening on, without a gap:
what it hears, or a constant silence; one whose far side holds is sent RTCP alone. Only rows that some edge hears are
decoded, only mixes that are not silence are encoded.

The seams for browsers (seams.py): batches from sockets numbered from the RTP pool's size up are the
`SecureTransport`'s, which gives back RTP packets with their rows; those take the same way as plain ones. Rows with
`legs.secure` are handed to its `protect` after the headers are written. Opus rows are decoded and encoded through
`OpusCodec`, in playout order; what it decodes comes down to 8 kHz here. Without a transport, or a codec, such legs
are refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final, assert_never

import numpy as np
from attrs import evolve
from numpy.typing import NDArray

from ..codecs import g711
from . import protocol, rtcp, rtp
from .digits import Digits
from .jitter import Arrivals, Playout
from .keying import Keying, speakable
from .legs import NO_EVENT, CodecId, Kind, Legs, those
from .playback import FRAME, Playback
from .ports import LocalPort, PortPool, PortsExhaustedError, socket_name
from .protocol import Command, Fact
from .quality import TURN_TICKS, Quality
from .recorder import NoSink, Recorder, Sink
from .reports import Reports
from .rooms import Rooms, mix
from .seams import Batch, Datagram, OpusCodec, Outgoing, Packets, Rows, SecureInput, SecureTransport
from .sender import Sender
from .sources import Prompts, Sources, UnknownSourceError

ALONE: Final = 30.0  # seconds without a Ping after which all legs end
# A listener whose edges were edited steps from its last sample to the next frame over 5 ms.
_STEP_FADE: Final = np.linspace(1.0, 0.0, 40, endpoint=False, dtype=np.float32)
_LEAST_STEP: Final = 64  # a step smaller than this is no click
_CODECS: Final = {"pcmu": CodecId.PCMU, "pcma": CodecId.PCMA, "opus": CodecId.OPUS}


class _RefusedError(Exception):
    """An opening that fails; the text is for people."""


class Engine:
    """All legs of one media process.

    `ports` are the sockets of the RTP pool in the order of their numbers; `advertise(index, peer)` is the address and
    port by which `peer` reaches pool socket `index`; `rng` draws SSRCs and the first sequence numbers and timestamps;
    `sink` keeps recordings; `prompts` are the spoken pieces that can be played.
    """

    def __init__(
        self,
        *,
        ports: tuple[LocalPort, ...],
        advertise: Callable[[int, str], tuple[str, int]],
        rng: np.random.Generator,
        now: float,
        secure: SecureTransport | None = None,
        opus: OpusCodec | None = None,
        sink: Sink | None = None,
        prompts: Prompts | None = None,
        capacity: int = 4096,
    ) -> None:
        self.counters: Counter[str] = Counter()
        self._legs = Legs(capacity)
        self._ports = PortPool(ports, capacity)
        self._playout = Playout(capacity)
        self._rooms = Rooms()
        self._sources = Sources(capacity, prompts or {})
        self._playback = Playback(self._legs, self._playout, self._sources, opus)
        self._sender = Sender(self._legs, self._ports, secure, opus)
        self._reports = Reports(self._legs, self._playout, rng)
        self._quality = Quality(self._legs, self._playout, self._reports)
        self._digits = Digits(self._legs)
        self._keying = Keying(self._legs)
        self._recorder = Recorder(sink or NoSink(), capacity, self.counters)
        self._advertise = advertise
        self._rng = rng
        self._secure = secure
        self._opus = opus
        self._tick = 0
        self._browsers = 0
        self._last_sample = np.zeros(capacity, np.int16)
        self._pinged_at = now
        self._facts: list[Fact] = []
        self._datagrams: list[Datagram] = []
        self._rtcp: list[Datagram] = []  # for the ports beside those of RTP

    # --- what the shell calls -------------------------------------------------------------------------------------

    def started(self, epoch: str, pid: int) -> protocol.EngineStarted:
        """The first fact on a new link."""
        rows = self._legs.leg_rows()
        legs = tuple(self._legs.names[row] for row in rows)
        sources = tuple(self._legs.names[row] for row in np.flatnonzero(self._legs.kind == Kind.SOURCE))
        return protocol.EngineStarted(epoch, legs, pid, self._recorder.recordings, sources)

    def standing(self, now: float) -> list[Fact]:
        """... and what follows it: what was told of each leg and playlist and is so, for nobody may have listened."""
        finished = [protocol.SourceFinished(self._legs.names[row]) for row in self._sources.finished]
        return [*self._quality.standing(self._legs.leg_rows(), now), *finished]

    def receive(self, batch: Batch, now: float) -> list[Datagram]:
        """Takes datagrams in; returns what must be answered at once (STUN, DTLS)."""
        pool = len(self._ports.ports)
        secured = batch.port >= pool
        if not np.count_nonzero(secured):
            self._receive_plain(batch, now)
            return []
        if self._secure is None:
            return []
        plain, other = np.flatnonzero(~secured), np.flatnonzero(secured)
        if len(plain):
            self._receive_plain(_part(batch, plain), now)
        return self._from_secure(self._secure.receive(_part(batch, other) if len(plain) else batch, now), now)

    def hear_reports(self, batch: Batch, now: float) -> None:
        """Takes in RTCP of plain RTP legs, which has ports of its own beside those of RTP: `batch.port` counts them as
        the pool does. Whose report it is, is there."""
        rows = self._ports.find_beside(batch.port, batch.name)
        known = np.flatnonzero(rows >= 0)
        self.counters["packets_from_strangers"] += len(rows) - len(known)
        if len(known):
            self._hear_reports(Packets(rows[known], batch.data[known], batch.length[known], batch.at[known]), now)

    def tick(self, now: float) -> tuple[Outgoing, list[Fact]]:
        """The next 20 ms of everything: what to send, and what became known since the last tick."""
        self._tick += 1
        if self._secure is not None and self._secure.deadline() <= now:
            self._datagrams += self._from_secure(self._secure.wake(now), now)
        self._hear_digits()
        rows = self._legs.leg_rows()
        plan = self._rooms.plan()
        due = self._playout.play(rows, now, self._playback.pausing)
        speaking = self._playback.speak(due, self._digits.listening(plan.heard), plan.heard)
        self._digits.listen(self._playback.pcm)
        self._quality.listen(self._tick, plan.heard, self._playback.pcm)
        heard, audible = mix(plan, self._playback.pcm, speaking)
        listeners, heard, audible = self._soften(plan.listeners, heard, audible)
        self._recorder.record(listeners, heard, audible)
        datagrams, self._datagrams = self._datagrams, []
        keyed = self._keying.tick()
        if keyed is not None:
            listeners, heard, audible = keyed.over(listeners, heard, audible)
        outgoing = self._sender.send(listeners, heard, audible, datagrams, keyed)
        outgoing = self._report(rows, outgoing, now)
        self._advance_sources()
        told = self._quality.tick(self._tick, rows, now)
        self.counters["legs_one_way"] += sum(_goes_one_way(fact) for fact in told)
        self._facts += told
        self._facts += self._recorder.facts()
        if now - self._pinged_at > ALONE:
            self._end_all(now)
        if self._tick % 50 == 0:
            self._ports.expire(now)
            self.counters["packets_sent"] = self._sender.sent
            self.counters["packets_flooded"] = self._playout.flooded
            self.counters["digits_ignored"] = self._digits.ignored
            if self._secure is not None:
                self.counters |= Counter(self._secure.counters)
            self._facts.append(self._quality.report(len(rows), self._rooms.edges, self.counters))
        facts, self._facts = self._facts, []
        return outgoing, facts

    @property
    def browsers(self) -> bool:
        """Whether there is any leg of the SecureTransport."""
        return self._browsers > 0

    def skip(self, ticks: int) -> None:
        """`ticks` of time passed in which nothing could be done: timestamps and sources move on, sequence does not."""
        rows = self._legs.leg_rows()
        self._legs.timestamp[rows] += self._legs.clock_step[rows] * np.uint32(ticks)
        self._playout.skip(rows, ticks)
        self._recorder.skip(ticks)
        for _ in range(ticks):
            self._advance_sources()

    def ran(self, seconds: float, *, late: bool) -> None:
        """How long the last tick took, and whether it began late."""
        self._quality.ran(seconds, late=late)

    def stop(self) -> None:
        """No tick follows: what recordings have is handed on."""
        for recording in self._recorder.recordings:
            self._recorder.close(recording)

    def command(self, message: Command, now: float) -> list[Fact]:
        """Carries out one command; returns its answer, if it has one."""
        match message:
            case protocol.OpenRtpLeg():
                return [self._answer(message.leg, lambda: self._open_rtp(message, now))]
            case protocol.UpdateRtpLeg():
                return [self._answer(message.leg, lambda: self._update_rtp(message, now))]
            case protocol.OpenWebrtcLeg():
                return [self._answer(message.leg, lambda: self._open_webrtc(message, now))]
            case protocol.CloseLeg(leg):
                if (row := self._row(leg, Kind.LEG)) is not None:
                    self._close(row, now)
            case protocol.OpenSource(source, kind):
                self._open_source(source, kind, now)
            case protocol.CloseSource(source):
                if (row := self._row(source, Kind.SOURCE)) is not None:
                    self._close_source(row)
            case protocol.OpenRecording(recording):
                return self._open_recording(recording, now)
            case protocol.CloseRecording(recording):
                return self._close_recording(recording)
            case protocol.Rewire(hears):
                for one in hears:
                    self._rewire(one)
            case protocol.SendDigits():
                self._send_digits(message)
            case protocol.BargeIn(leg):
                if (row := self._row(leg, Kind.LEG)) is not None:
                    return self._barge_in(row)
            case protocol.Ping(number):
                self._pinged_at = now
                return [protocol.Pong(number)]
            case _:
                assert_never(message)
        return []

    # --- commands -------------------------------------------------------------------------------------------------

    def _row(self, name: str, kind: Kind) -> int | None:
        row = self._legs.ids.get(name)
        return row if row is not None and self._legs.kind[row] == kind else None

    def _answer(self, leg: str, action: Callable[[], Fact]) -> Fact:
        try:
            return action()
        except (_RefusedError, PortsExhaustedError) as error:
            self.counters["legs_refused"] += 1
            return protocol.LegRefused(leg, str(error))

    def _remote(self, address: str, port: int) -> bytes | None:
        """A port of 0 is a far side that is not known yet: its answer is still to come."""
        if port == 0:
            return None
        try:
            return socket_name(address, port)
        except ValueError as error:
            raise _RefusedError(f"not an address to send to: {address}:{port}") from error

    def _open_rtp(self, command: protocol.OpenRtpLeg, now: float) -> Fact:
        remote = self._remote(command.address, command.port)
        if command.codec.name == "opus":
            raise _RefusedError("Opus is for browsers only")
        family = 10 if ":" in command.address else 2
        row = self._add_leg(command.leg, command.codec, now)
        try:
            index = self._ports.open(row, remote, family=family, nat=command.nat, now=now, preferred=command.local_port)
        except PortsExhaustedError:
            self._legs.remove(row)
            raise
        self._legs.held[row], self._legs.hears[row] = not command.sends, command.hears
        if remote is not None:
            self._reach(row, now)
        if command.local_port:
            # A far side that another engine heard: should it be gone by now, that must be told.
            self._legs.heard_ever[row] = self._legs.media_ever[row] = self._legs.connected[row] = True
        return protocol.LegOpened(command.leg, *self._advertise(index, command.address))

    def _update_rtp(self, command: protocol.UpdateRtpLeg, now: float) -> Fact:
        row = self._row(command.leg, Kind.LEG)
        if row is None or self._legs.secure[row]:
            raise _RefusedError("no such RTP leg is open")
        if command.codec.name == "opus":
            raise _RefusedError("Opus is for browsers only")
        if (remote := self._remote(command.address, command.port)) is not None:
            self._ports.move(row, remote, now)
        self._hold(row, now, held=not command.sends)
        if command.hears and not self._legs.hears[row]:
            self._legs.media_at[row] = now
        self._legs.hears[row] = command.hears
        if remote is not None and not self._legs.reached[row]:
            self._reach(row, now)
        if self._legs.codec[row] != _CODECS[command.codec.name]:
            self._playout.open(row, wide=False)
            self._quality.begin(row)
            self._reports.restart(row)
        before = int(self._legs.codec[row]), int(self._legs.telephone_event[row])
        self._set_codec(row, command.codec)
        if before != (self._legs.codec[row], self._legs.telephone_event[row]):
            self._forget_digits(row)
        self._sender.changed()
        return protocol.LegOpened(command.leg, *self._advertise(int(self._ports.port[row]), command.address))

    def _open_webrtc(self, command: protocol.OpenWebrtcLeg, now: float) -> Fact:
        if self._secure is None or (command.codec.name == "opus" and self._opus is None):
            raise _RefusedError("this engine has no WebRTC legs" if self._secure is None else "no Opus here")
        row = self._add_leg(command.leg, command.codec, now)
        self._legs.secure[row] = True
        try:
            opened = self._secure.open(row, command, now)
        except ValueError as error:
            self._legs.remove(row)
            raise _RefusedError(str(error)) from error
        self._browsers += 1
        if command.codec.name == "opus" and self._opus is not None:
            self._opus.open(row)
        return opened

    def _add_leg(self, name: str, codec: protocol.Codec, now: float) -> int:
        legs = self._legs
        if name in legs.ids:
            raise _RefusedError("a leg or source of that name is open")
        if not 0 <= codec.payload_type < 128:
            raise _RefusedError(f"no RTP payload type: {codec.payload_type}")
        row = legs.add(name, Kind.LEG, now)
        if row is None:
            raise _RefusedError("too many legs")
        self._set_codec(row, codec)
        self._begin_stream(row)
        self._reports.open(row)
        self._playout.open(row, wide=codec.name == "opus")
        self._playback.begin(row)
        self._forget_digits(row)
        self._last_sample[row] = 0
        self._sender.changed()
        return row

    def _begin_stream(self, row: int) -> None:
        """An SSRC of which nothing was sent yet."""
        legs = self._legs
        legs.ssrc[row] = self._rng.integers(1 << 32, dtype=np.uint32)
        # Random, so that they cannot be guessed from outside; below 2**15 so that SRTP's rollover counter is sure (RFC
        # 3711 §3.3.1 starts it at 0, and a loss just after a wrap at the start would be misread).
        legs.sequence[row] = self._rng.integers(1 << 15)
        legs.timestamp[row] = self._rng.integers(1 << 32, dtype=np.uint32)
        legs.marker[row] = True
        legs.packets[row] = legs.octets[row] = 0

    def _reach(self, row: int, now: float) -> None:
        """It is known where the far side is."""
        self._legs.reached[row] = True
        self._legs.media_at[row] = now
        self._reports.reach(row, now)
        self._hold(row, now, held=bool(self._legs.held[row]))

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

    def _set_codec(self, row: int, codec: protocol.Codec) -> None:
        self._legs.codec[row] = _CODECS[codec.name]
        self._legs.payload_type[row] = codec.payload_type
        self._legs.telephone_event[row] = NO_EVENT if codec.telephone_event is None else codec.telephone_event
        self._legs.clock_step[row] = 960 if codec.name == "opus" else 160

    def _close(self, row: int, now: float, *, goodbye: bool = True) -> None:
        if goodbye:
            self._say_goodbye(row, now)
        if self._legs.secure[row]:
            self._browsers -= 1
            if self._secure is not None:
                self._datagrams += self._secure.close(row, now)
            if self._legs.codec[row] == CodecId.OPUS and self._opus is not None:
                self._opus.close(row)
        else:
            self._ports.close(row, now)
        self._rooms.remove(row)
        self._legs.remove(row)
        self._forget_digits(row)
        self._sender.changed()

    def _forget_digits(self, row: int) -> None:
        self._digits.forget(row)
        self._keying.forget(row)

    def _send_digits(self, message: protocol.SendDigits) -> None:
        row = self._row(message.leg, Kind.LEG)
        if row is None or not speakable(message) or not self._keying.send(row, message):
            self.counters["digits_refused"] += 1

    def _hear_digits(self) -> None:
        """The keys that were pressed, and what they end, before anything of this tick is played."""
        for fact in self._digits.tick():
            if (row := self._row(fact.leg, Kind.LEG)) is None:
                continue  # closed between two ticks
            self.counters[f"digits_by_{fact.how}"] += 1
            self._facts += [fact, *self._barge_in(row)]

    def _barge_in(self, listener: int) -> list[Fact]:
        """Prompts that a digit of `listener` ends."""
        facts: list[Fact] = []
        for row in self._rooms.heard_by(listener):
            if self._legs.kind[row] == Kind.SOURCE and (goes_on := self._sources.barge_in(row)) is not None:
                self._rooms.edited.add(listener)  # its voice breaks off in mid-word
                if not goes_on:
                    facts.append(protocol.SourceFinished(self._legs.names[row]))
        return facts

    def _open_source(self, name: str, kind: protocol.SourceKind, now: float) -> None:
        row = self._legs.ids.get(name)
        if row is not None:
            if self._legs.kind[row] != Kind.SOURCE or self._sources.kind(row) != kind:
                self.counters["source_ids_taken"] += 1
            return
        row = self._legs.add(name, Kind.SOURCE, now)
        if row is None:
            self.counters["sources_refused"] += 1
            return
        try:
            self._sources.open(row, kind)
        except UnknownSourceError:
            self.counters["sources_refused"] += 1
            self._legs.remove(row)

    def _advance_sources(self) -> None:
        self._facts += [protocol.SourceFinished(self._legs.names[row]) for row in self._sources.advance()]

    def _close_source(self, row: int) -> None:
        self._rooms.remove(row)
        self._sources.close(row)
        self._legs.remove(row)

    def _open_recording(self, recording: str, now: float) -> list[Fact]:
        if self._recorder.rows(recording) is not None:
            return []
        names = (protocol.left(recording), protocol.right(recording))
        rows = [self._legs.add(name, Kind.CHANNEL, now) for name in names if name not in self._legs.ids]
        left, right = (*rows, None, None)[:2]
        if left is not None and right is not None:
            self._recorder.open(recording, (left, right))
            return []
        if left is not None:
            self._legs.remove(left)
        return [protocol.RecordingTroubled(recording, "too many legs and recordings")]

    def _close_recording(self, recording: str) -> list[Fact]:
        rows = self._recorder.rows(recording)
        if rows is None:
            return [] if self._recorder.closing(recording) else [protocol.RecordingClosed(recording, 0.0)]
        self._recorder.close(recording)
        for row in rows:
            self._rooms.remove(row)
            self._legs.remove(row)
        return self._recorder.facts()

    def _rewire(self, one: protocol.Hears) -> None:
        listener = self._row(one.listener, Kind.LEG)
        if listener is None:
            listener = self._row(one.listener, Kind.CHANNEL)
        if listener is None:
            self.counters["unknown_listeners"] += 1
            return
        heard: dict[int, float] = {}
        for name, gain in one.sources[: protocol.MAX_HEARD]:
            row = self._legs.ids.get(name)
            if row is None or self._legs.kind[row] == Kind.CHANNEL:
                self.counters["unknown_sources"] += 1
            else:
                heard[row] = gain
        self.counters["sources_over_limit"] += max(0, len(one.sources) - protocol.MAX_HEARD)
        self._rooms.hear(listener, heard)

    def _end_all(self, now: float) -> None:
        for row in self._legs.leg_rows():
            self._facts.append(protocol.LegFailed(self._legs.names[row], "the control plane is gone"))
            self._close(int(row), now)
        for row in np.flatnonzero(self._legs.kind == Kind.SOURCE):
            self._close_source(int(row))
        for recording in self._recorder.recordings:
            self._facts += self._close_recording(recording)
        self._pinged_at = now

    # --- the network pushes ---------------------------------------------------------------------------------------

    def _from_secure(self, given: SecureInput, now: float) -> list[Datagram]:
        for fact in given.facts:
            match fact:
                case protocol.LegConnected(leg):
                    if (row := self._row(leg, Kind.LEG)) is not None:
                        self._legs.connected[row] = True
                        self._reach(row, now)
                        self._facts.append(fact)
                case protocol.LegFailed(leg):
                    if (row := self._row(leg, Kind.LEG)) is not None:
                        self._close(row, now, goodbye=False)
                        self._facts.append(fact)
                case protocol.LegUnchecked(leg) | protocol.LegChecked(leg):
                    if (row := self._row(leg, Kind.LEG)) is not None:
                        self._legs.unchecked[row] = fact.seconds if isinstance(fact, protocol.LegUnchecked) else 0.0
                        self._facts.append(fact)
                case _:
                    self._facts.append(fact)
        if len(given.rtp.row):
            headers = rtp.parse(given.rtp.data, given.rtp.length)
            self._arrive(given.rtp.row, headers, given.rtp.data, given.rtp.at, now)
        if len(given.rtcp.row):
            self._hear_reports(given.rtcp, now)
        return list(given.replies)

    def _receive_plain(self, batch: Batch, now: float) -> None:
        headers = rtp.parse(batch.data, batch.length)
        rows = self._ports.find(batch.port, batch.name)
        if self._ports.learning:
            self._learn(batch, headers, rows, now)
        strangers = int((rows < 0).sum())
        if strangers:
            self.counters["packets_from_strangers"] += strangers
        self._arrive(rows, headers, batch.data, batch.at, now)

    def _learn(self, batch: Batch, headers: rtp.Headers, rows: Rows, now: float) -> None:
        """Legs behind NATs: their first valid packet says where they are. Changes `rows` in place."""
        for i in np.flatnonzero(headers.valid & np.isin(batch.port, self._ports.port[list(self._ports.learning)])):
            row = self._ports.learner(int(batch.port[i]), now)
            if row is None or headers.payload_type[i] != self._legs.payload_type[row] or headers.length[i] <= 0:
                continue
            self._ports.learn(row, batch.name[i].tobytes(), now)
            self._reach(row, now)
            rows[:] = self._ports.find(batch.port, batch.name)

    def _arrive(
        self, rows: Rows, headers: rtp.Headers, data: NDArray[np.uint8], at: NDArray[np.float64], now: float
    ) -> None:
        legs = self._legs
        known = rows >= 0
        mine = known & headers.valid
        right = mine & (headers.payload_type == legs.payload_type[rows]) & (headers.length > 0)
        if np.count_nonzero(ours := right & (headers.ssrc == legs.ssrc[rows])):
            self._collide(rows[ours], now)
        if np.count_nonzero(right) < len(right):
            event = mine & ~right & (headers.payload_type == legs.telephone_event[rows])
            comfort = mine & ~right & (headers.payload_type == 13)  # comfort noise is not played (RFC 3389)
            counts = self.counters
            counts["packets_rtcp"] += int((known & headers.rtcp).sum())
            counts["packets_invalid"] += int((known & ~headers.valid & ~headers.rtcp).sum())
            counts["packets_telephone_event"] += int(event.sum())
            counts["packets_comfort_noise"] += int(comfort.sum())
            counts["packets_of_wrong_type"] += int((mine & ~right & ~event & ~comfort).sum())
            if len(some := np.flatnonzero(event)):
                self._digits.arrive(rows[some], some, headers, data)
            beside = rows[event | comfort]
            legs.heard_at[beside] = legs.media_at[beside] = now
            legs.media_ever[beside] = True
            legs.heard_at[rows[known & headers.rtcp]] = now
            # They have sequence numbers of the same stream: what is not played is not lost either.
            np.add.at(self._playout.received, beside, 1)
        arrivals = Arrivals(
            row=rows,
            packet=np.arange(len(rows)),
            sequence=headers.sequence,
            timestamp=headers.timestamp,
            ssrc=headers.ssrc,
            data=data,
            offset=headers.offset,
            length=headers.length,
            at=at,
        ).select(those(right))
        if not len(arrivals.row):
            return
        self.counters["packets_received"] += len(arrivals.row)
        legs.heard_at[arrivals.row] = legs.media_at[arrivals.row] = now
        legs.heard_ever[arrivals.row] = legs.media_ever[arrivals.row] = True
        self._playout.insert(arrivals)

    # --- reports --------------------------------------------------------------------------------------------------

    def _hear_reports(self, packets: Packets, now: float) -> None:
        legs = self._legs
        heard = rtcp.parse(packets.data, packets.length, legs.ssrc[packets.row])
        sound = np.flatnonzero(heard.valid)
        self.counters["packets_rtcp"] += len(sound)
        self.counters["packets_rtcp_invalid"] += len(heard.valid) - len(sound)
        rows = packets.row[sound]
        legs.heard_at[rows] = now
        self._reports.hear(rows, heard.select(sound), packets.at[sound])
        if np.count_nonzero(ours := heard.ssrc[sound] == legs.ssrc[rows]):
            self._collide(rows[ours], now)

    def _collide(self, rows: Rows, now: float) -> None:
        """The far sides of `rows` use our SSRC: ours says goodbye and another takes its place (RFC 3550 §8.2)."""
        for row in np.unique(rows):
            if not self._reports.collides(row, now):
                self.counters["packets_looped"] += 1
                continue
            self.counters["ssrc_collisions"] += 1
            self._say_goodbye(int(row), now)
            self._begin_stream(int(row))
            if self._legs.sending[row]:
                self._reports.send(int(row), now)
            self._keying.restart(int(row))
            self._sender.changed()

    def _say_goodbye(self, row: int, now: float) -> None:
        if (octets := self._reports.goodbye(row, now)) is not None:
            self._post(np.array([row]), octets)

    def _post(self, rows: Rows, octets: NDArray[np.uint8]) -> None:
        """Reports uint8 [n, W] of `rows` [n] go out with the next tick: a trunk's by the ports beside."""
        secure = self._legs.secure[rows]
        if self._secure is not None and np.count_nonzero(secure):
            self._datagrams += self._secure.protect_rtcp(rows[secure], octets[secure])
        plain = rows[~secure]
        names, port = self._ports.beside(plain)
        for i, packet in enumerate(octets[~secure]):
            self._rtcp.append(Datagram(int(port[i]), names[i].tobytes(), packet.tobytes()))

    def _report(self, rows: Rows, outgoing: Outgoing, now: float) -> Outgoing:
        """What is sent, with the reports of the legs whose turn it is."""
        # In turns of 100 ms, as quality has: what is done for one leg and for ten costs the same.
        due = rows[:0] if self._tick % TURN_TICKS else self._reports.due(rows, now)
        if not len(due) and not self._rtcp:
            return outgoing
        for some, octets in self._reports.write(due, now):
            self._post(some, octets)
        datagrams, self._datagrams = self._datagrams, []
        reports, self._rtcp = self._rtcp, []
        self.counters["packets_rtcp_sent"] += len(due)
        return evolve(outgoing, datagrams=[*outgoing.datagrams, *datagrams], reports=reports)

    # --- the tick pulls -------------------------------------------------------------------------------------------

    def _soften(
        self, listeners: Rows, heard: g711.Pcm, audible: NDArray[np.bool_]
    ) -> tuple[Rows, g711.Pcm, NDArray[np.bool_]]:
        """Where edges were edited, steps from the last sample heard into the new frame over 5 ms instead of at once.

        Nothing of a source that is no longer heard gets through: what fades is one sample's value.
        """
        edited, self._rooms.edited = self._rooms.edited, set()
        if edited:
            quiet = np.array(sorted(edited.difference(listeners.tolist())), np.intp)
            listeners = np.concatenate([listeners, quiet])
            heard = np.concatenate([heard, np.zeros((len(quiet), FRAME), np.int16)])
            audible = np.concatenate([audible, np.zeros(len(quiet), np.bool_)])
            step = self._last_sample[listeners].astype(np.float32) - heard[:, 0]
            some = np.flatnonzero(np.isin(listeners, list(edited)) & (np.abs(step) >= _LEAST_STEP))
            bent = heard[some, : len(_STEP_FADE)] + step[some, None] * _STEP_FADE
            heard[some, : len(_STEP_FADE)] = np.clip(np.rint(bent), -32768, 32767)
            audible[some] = True
        self._last_sample[listeners] = heard[:, -1]
        return listeners, heard, audible


def _goes_one_way(fact: Fact) -> bool:
    return isinstance(fact, protocol.LegWays) and not (fact.comes and fact.goes)


def _part(batch: Batch, index: Rows) -> Batch:
    return Batch(batch.data[index], batch.length[index], batch.port[index], batch.name[index], batch.at[index])
