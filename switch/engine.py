"""The media plane: one tick every 20 ms over every leg. This is the only place that orders the stages.

    receive(batch, now)    demux -> [SRTP] -> RTP parse -> playout store         (intake.py: the network pushes)
    ahead()                Opus that the next tick plays is decoded meanwhile    (half-way between two ticks)
    ------------------------------------------------------------------------------------------- the clock edge
    tick(now)              digits -> due -> decode -> conceal -> mix -> encode -> headers -> [SRTP]  (the tick pulls)
                           -> the RTCP reports that are due
    command(message, now)  edits of legs, sources and edges, between two ticks

Pure: it opens no socket, reads no clock and draws no secrets; the shell (process.py) calls it and carries out what it
returns. A leg is a row of columns (legs.py), which lifetimes.py opens, changes and closes. Every leg is sent a packet
each 20 ms from its opening on, without a gap: what it hears, or a constant silence; one whose far side holds is sent
RTCP alone. Only rows that some edge hears are decoded, only mixes that are not silence are encoded.

The seams for browsers (seams.py): batches from sockets numbered from the RTP pool's size up are the
`SecureTransport`'s, which gives back RTP packets with their rows; those take the same way as plain ones. Rows with
`legs.secure` are handed to its `protect` after the headers are written. Opus rows are decoded and encoded through
`OpusCodec`, in playout order, by processes that go on beside the tick: ahead of it (ahead.py), and after everything
else was sent (`Outgoing.later`). Without a transport, or a codec, such legs are refused. Trunks' legs may be under
SRTP, too (sealed.py): by which way each row's packets leave is in leaving.py.

Everything is mixed at 8 kHz, but what listeners of 16 and of 48 kHz hear, which is at that (rooms.py, playback.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, assert_never

import numpy as np
from attrs import evolve

from ..codecs.bands import SAMPLES
from . import holdings, protocol, rooms
from .digits import Digits
from .elsewhere import Elsewhere
from .intake import Intake
from .jitter import Playout
from .keying import Keying, over, speakable
from .leaving import Leaving
from .legs import Kind, Legs
from .lifetimes import Lifetimes, RefusedError
from .outbox import Outbox
from .playback import Playback
from .ports import LocalPort, PortPool, PortsExhaustedError
from .protocol import Command, Fact
from .quality import TURN_TICKS, Quality
from .recorder import NoSink, Recorder, Sink
from .reports import Reports
from .rooms import Rooms, mix
from .sealed import Sealed
from .seams import Batch, Datagram, Library, OpusCodec, Outgoing, Rows, SecureInput, SecureTransport, part
from .sender import Sender
from .sockaddr import host_and_port
from .sources import Prompts, Sources, UnknownSourceError

ALONE: Final = 30.0  # seconds without a Ping after which all legs end
# How often in a tick the browsers' sockets are read where there is a browser, and where one has measured the way within
# the last PROBED seconds: Chromium checks each 2.5 s, Firefox each 5.
READS: Final = 2
READS_PROBED: Final = 4
PROBED: Final = 10.0
# A listener whose edges were edited steps from its last sample to the next frame over 5 ms: by band.
_STEP_FADE: Final = tuple(np.linspace(1.0, 0.0, n // 4, endpoint=False, dtype=np.float32) for n in SAMPLES)
_LEAST_STEP: Final = 64  # a step smaller than this is no click


class Engine:
    """All legs of one media process.

    `ports` are the sockets of the RTP pool in the order of their numbers; `advertise(index, peer)` is the address and
    port by which `peer` reaches pool socket `index`, `home(peer)` our address on the way there; `rng` draws SSRCs and
    the first sequence numbers and timestamps; `sink` keeps recordings; `prompts` are the spoken pieces that can be
    played, `library` has the music of files; `token(n)` gives n octets that nobody can guess, for keys of trunks' SRTP.
    `bare`: without meters and reports of RTCP, to measure what they cost.
    """

    def __init__(
        self,
        *,
        ports: tuple[LocalPort, ...],
        advertise: Callable[[int, str], tuple[str, int]],
        home: Callable[[str], str] = lambda peer: "",
        rng: np.random.Generator,
        now: float,
        secure: SecureTransport | None = None,
        opus: OpusCodec | None = None,
        sink: Sink | None = None,
        prompts: Prompts | None = None,
        library: Library | None = None,
        token: Callable[[int], bytes] | None = None,
        capacity: int = 4096,
        bare: bool = False,
    ) -> None:
        self.counters: Counter[str] = Counter()
        self._legs = Legs(capacity)
        self._ports = PortPool(ports, capacity)
        self._playout = Playout(capacity)
        self._rooms = Rooms(self._legs.marks)
        self._sources = Sources(capacity, prompts or {}, library)
        self._playback = Playback(self._legs, self._playout, self._sources, opus)
        self._sealed = Sealed(self._legs, self._ports, self.counters, token)
        leaving = Leaving(self._legs, self._ports, self._sealed, secure)
        self._sender = Sender(self._legs, self._ports, leaving, opus)
        self._reports = Reports(self._legs, self._playout, rng)
        self._quality = Quality(self._legs, self._playout, self._reports, self._rooms)
        self._digits = Digits(self._legs)
        self._keying = Keying(self._legs)
        self._recorder = Recorder(sink or NoSink(), capacity, self.counters)
        self._outbox = Outbox(leaving)
        self._lifetimes = Lifetimes(
            legs=self._legs,
            ports=self._ports,
            rooms=self._rooms,
            playout=self._playout,
            playback=self._playback,
            sender=self._sender,
            reports=self._reports,
            quality=self._quality,
            digits=self._digits,
            keying=self._keying,
            outbox=self._outbox,
            counters=self.counters,
            advertise=advertise,
            home=home,
            rng=rng,
            secure=secure,
            sealed=self._sealed,
            opus=opus,
        )
        self._elsewhere = Elsewhere()
        self._intake = Intake(
            legs=self._legs,
            ports=self._ports,
            playout=self._playout,
            digits=self._digits,
            comfort=self._playback.comfort,
            reports=self._reports,
            sealed=self._sealed,
            lifetimes=self._lifetimes,
            elsewhere=self._elsewhere,
            counters=self.counters,
        )
        self._secure = secure
        self._opus = opus
        self._bare = bare
        self._tick = 0
        self._plans: rooms.Plans | None = None  # of the last tick
        self._marked = np.zeros(capacity, np.bool_)  # rows, while some are looked for among others
        self._pinged_at = now
        self._facts: list[Fact] = []

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
        return [*self._quality.standing(self._legs.leg_rows(), now), *finished, *self._sources.missing]

    def sums(self) -> tuple[int, ...]:
        """Of all rows and edges (holdings.py)."""
        return holdings.together(self._legs.sums.values, self._rooms.sums.values)

    def receive(self, batch: Batch, now: float) -> list[Datagram]:
        """Takes datagrams in; returns what must be answered at once (STUN, DTLS)."""
        secured = batch.port >= len(self._ports.ports)
        n = len(secured) - int(np.count_nonzero(secured))
        plain: Rows | slice = slice(n)
        other: Rows | slice = slice(n, None)
        if np.count_nonzero(secured[plain]):  # but in a flood, the pool's sockets are read to their ends first
            plain, other = np.flatnonzero(~secured), np.flatnonzero(secured)
        if n:
            self._intake.receive(part(batch, plain), now)
        if n == len(secured) or self._secure is None:
            return []
        return self._from_secure(self._secure.receive(part(batch, other), now), now)

    def hear_reports(self, batch: Batch, now: float) -> None:
        """Takes in RTCP of plain RTP legs, which has ports of its own beside those of RTP: `batch.port` counts them as
        the pool does."""
        self._intake.hear_beside(batch, now)

    def tick(self, now: float) -> tuple[Outgoing, list[Fact]]:
        """The next 20 ms of everything: what to send, and what became known since the last tick."""
        self._tick += 1
        if self._secure is not None and self._secure.deadline() <= now:
            self._outbox.add(self._from_secure(self._secure.wake(now), now))
        self._hear_digits(now)
        self._end_broken(now)
        self._take_music()
        rows = self._legs.leg_rows()
        plans = self._plan()
        due = self._playout.play(rows, now, self._playback.pausing)
        speaking = self._playback.speak(due, self._digits.listening(plans.heard), plans.heard)
        self._digits.listen(self._playback.pcm)
        if not self._bare:
            self._quality.listen(self._tick, plans.heard, self._playback.pcm)
        heard = [mix(plans.bands[0], self._playback.pcm, speaking)]
        if len(plans.bands) > 1:
            above = self._playback.speak_above(len(plans.bands) - 1)
            heard += [mix(plan, *frames) for plan, frames in zip(plans.bands[1:], above, strict=True)]
        heard = self._soften(heard)
        if len(plans.turning):
            heard = self._turn(plans.turning, heard)
        narrow = heard[0]
        self._recorder.record(narrow.listeners, narrow.pcm, narrow.audible)
        keyed = self._keying.tick()
        if keyed is not None:
            heard = over(heard, keyed.tones)
        outgoing = self._sender.send(heard, self._outbox.take(), keyed)
        outgoing = self._report(rows, outgoing, now)
        self._advance_sources()
        told = self._quality.tick(self._tick, rows, now)
        self.counters["legs_one_way"] += sum(_goes_one_way(fact) for fact in told)
        self._facts += told
        self._facts += self._recorder.facts()
        self._facts += self._quality.long(self._tick)
        if now - self._pinged_at > ALONE:
            self._end_all(now)
            outgoing = evolve(outgoing, later=())  # for nobody any more
        if self._tick % 50 == 0:
            self._ports.expire(now)
            self._facts += self._from_elsewhere(rows)
            self.counters["packets_sent"] = self._sender.sent
            self.counters["packets_flooded"] = self._playout.flooded
            self.counters["digits_ignored"] = self._digits.ignored
            if self._secure is not None:
                self.counters |= Counter(self._secure.counters)
            if self._opus is not None:
                self.counters |= Counter(self._opus.counters)
            self._facts.append(self._quality.report(len(rows), self._rooms.edges, self.counters))
        facts, self._facts = self._facts, []
        return outgoing, facts

    def _from_elsewhere(self, rows: Rows) -> list[Fact]:
        """Trunks' legs that hear nothing, while somebody whom nobody knows sends to their port."""
        legs, facts = self._legs, list[Fact]()
        deaf = rows[~legs.comes[rows] & ~legs.secure[rows] & ~legs.elsewhere[rows]]
        self._elsewhere.turn(wanted=len(deaf) > 0)
        for row in deaf:
            if (source := self._elsewhere.at(int(self._ports.port[row]))) is not None:
                legs.elsewhere[row] = True
                self.counters["legs_from_elsewhere"] += 1
                told = host_and_port(self._ports.name[row].tobytes())
                facts.append(protocol.LegElsewhere(legs.names[row], *told, *host_and_port(source)))
        return facts

    def ahead(self) -> None:
        """Half-way to the next tick, after what came was received: begins what that tick need not wait for."""
        self._playback.ahead()

    def reads(self, now: float) -> int:
        """How often in a tick the browsers' sockets are to be read. Waking up costs as much as 50 legs."""
        if self._secure is not None and now - self._secure.probed_at < PROBED:
            return READS_PROBED
        return READS if self._lifetimes.browsers else 1

    def skip(self, ticks: int) -> None:
        """`ticks` of time passed in which nothing could be done: timestamps and sources move on, sequence does not."""
        rows = self._legs.leg_rows()
        self._legs.timestamp[rows] += self._legs.clock_step[rows] * np.uint32(ticks)
        self._playout.skip(rows, ticks)
        self._recorder.skip(ticks)
        for _ in range(ticks):
            self._advance_sources()

    def ran(self, seconds: float, *, late: bool) -> None:
        """How long the last tick took, with all that was done since the one before it, and whether it began late."""
        self._quality.ran(seconds, late=late)

    def stop(self) -> None:
        """No tick follows: what recordings have is handed on."""
        for recording in self._recorder.recordings:
            self._recorder.close(recording)

    def command(self, message: Command, now: float) -> list[Fact]:
        """Carries out one command; returns its answer, if it has one."""
        match message:
            case protocol.OpenRtpLeg():
                return [self._answer(message.leg, lambda: self._lifetimes.open_rtp(message, now))]
            case protocol.UpdateRtpLeg():
                return [self._answer(message.leg, lambda: self._lifetimes.update_rtp(message, now))]
            case protocol.OpenWebrtcLeg():
                return [self._answer(message.leg, lambda: self._lifetimes.open_webrtc(message, now))]
            case protocol.RestartIce():
                return [self._answer(message.leg, lambda: self._lifetimes.restart_ice(message, now))]
            case protocol.CloseLeg(leg):
                if (row := self._legs.find(leg, Kind.LEG)) is not None:
                    self._lifetimes.close(row, now)
            case protocol.OpenSource(source, kind):
                self._open_source(source, kind, now)
            case protocol.CloseSource(source):
                if (row := self._legs.find(source, Kind.SOURCE)) is not None:
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
            case protocol.PressKey(leg, digit):
                if (row := self._legs.find(leg, Kind.LEG)) is not None:
                    return self._press(row, protocol.DigitPressed(leg, digit, 0, "info"), now)
            case protocol.ListAccessPoints(request):
                if self._secure is None:
                    return [protocol.AccessPoints(request, "", "", ())]
                return [self._secure.access_points(message)]
            case protocol.Ping(number):
                self._pinged_at = now
                told, self._facts = self._facts, []  # what is known of before it is told before it
                return [*told, protocol.Pong(number, self.sums())]
            case protocol.ListHoldings():
                told, self._facts = self._facts, []
                return [*told, self._holdings(message)]
            case _:
                assert_never(message)
        return []

    # --- commands -------------------------------------------------------------------------------------------------

    def _answer(self, leg: str, action: Callable[[], Fact]) -> Fact:
        try:
            return action()
        except (RefusedError, PortsExhaustedError) as error:
            self.counters["legs_refused"] += 1
            return protocol.LegRefused(leg, str(error))

    def _send_digits(self, message: protocol.SendDigits) -> None:
        row = self._legs.find(message.leg, Kind.LEG)
        if row is None or not speakable(message) or not self._keying.send(row, message):
            self.counters["digits_refused"] += 1

    def _hear_digits(self, now: float) -> None:
        """The keys that were pressed, and what they end, before anything of this tick is played."""
        for fact in self._digits.tick():
            if (row := self._legs.find(fact.leg, Kind.LEG)) is not None:  # else it was closed between two ticks
                self._facts += self._press(row, fact, now)

    def _press(self, row: int, fact: protocol.DigitPressed, now: float) -> list[Fact]:
        """What is told of a key of that row, and of what it ends."""
        self.counters[f"digits_by_{fact.how}"] += 1
        if not self._digits.is_new(row, fact.digit, now, by_info=fact.how == "info"):
            self.counters["digits_told_twice"] += 1
            return []
        answered = protocol.KeyAnswered(fact.leg, fact.digit)
        return [answered if self._is_asked(row) else fact, *self._barge_in(row)]

    def _is_asked(self, listener: int) -> bool:
        """What `listener` hears asks it for a key."""
        heard = self._rooms.heard_by(listener)
        return any(self._legs.kind[row] == Kind.SOURCE and self._sources.asks(row) for row in heard)

    def _barge_in(self, listener: int) -> list[Fact]:
        """What is being said to `listener`, which a digit of it ends."""
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

    def _take_music(self) -> None:
        facts, rows = self._sources.take_music()
        self._facts += facts
        for row in rows:
            self._rooms.break_off(row)

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
        listener = self._legs.find(one.listener, Kind.LEG)
        if listener is None:
            listener = self._legs.find(one.listener, Kind.CHANNEL)
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

    def _holdings(self, asked: protocol.ListHoldings) -> protocol.Holdings:
        names, marks = self._legs.names, self._legs.marks
        rows = [row for row in self._legs.ids.values() if holdings.part(marks[row]) == asked.part]
        legs, sources, channels = (
            tuple(names[row] for row in rows if self._legs.kind[row] == kind)
            for kind in (Kind.LEG, Kind.SOURCE, Kind.CHANNEL)
        )
        hears = tuple(
            protocol.Hears(names[row], tuple((names[one], gain) for one, gain in gains.items()))
            for row in rows
            if (gains := self._rooms.gains(row))
        )
        return protocol.Holdings(asked.request, legs, sources, channels, hears)

    def _end_broken(self, now: float) -> None:
        """A bug that one leg's codec met is the end of that leg."""
        for row in self._opus.failed() if self._opus is not None else ():
            self.counters["legs_crashed"] += 1
            self._facts.append(protocol.LegFailed(self._legs.names[row], "its codec has crashed"))
            self._lifetimes.close(row, now)

    def _end_all(self, now: float) -> None:
        for row in self._legs.leg_rows():
            self._facts.append(protocol.LegFailed(self._legs.names[row], "the control plane is gone"))
            self._lifetimes.close(int(row), now)
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
                    if (row := self._legs.find(leg, Kind.LEG)) is not None:
                        self._legs.connected[row] = True
                        self._lifetimes.reach(row, now)
                        self._facts.append(fact)
                case protocol.LegFailed(leg):
                    if (row := self._legs.find(leg, Kind.LEG)) is not None:
                        self._lifetimes.close(row, now, goodbye=False)
                        self._facts.append(fact)
                case protocol.LegUnchecked(leg) | protocol.LegChecked(leg):
                    if (row := self._legs.find(leg, Kind.LEG)) is not None:
                        self._legs.unchecked[row] = fact.seconds if isinstance(fact, protocol.LegUnchecked) else 0.0
                        self._facts.append(fact)
                case _:
                    self._facts.append(fact)
        if len(given.rtp.row):
            self._intake.take(given.rtp, now)
        if len(given.rtcp.row):
            self._intake.hear_reports(given.rtcp, now)
        return list(given.replies)

    # --- reports --------------------------------------------------------------------------------------------------

    def _report(self, rows: Rows, outgoing: Outgoing, now: float) -> Outgoing:
        """What is sent, with the reports of the legs whose turn it is."""
        # In turns of 100 ms, as quality has: what is done for one leg and for ten costs the same.
        due = rows[:0] if self._bare or self._tick % TURN_TICKS else self._reports.due(rows, now)
        if not len(due) and not self._outbox.reports:
            return outgoing
        for some, octets in self._reports.write(due, now):
            self._outbox.post(some, octets)
        self.counters["packets_rtcp_sent"] += len(due)
        return evolve(outgoing, parts=[*outgoing.parts, *self._outbox.take()], reports=self._outbox.take_reports())

    # --- the tick pulls -------------------------------------------------------------------------------------------

    def _plan(self) -> rooms.Plans:
        plans = self._rooms.plans()
        if plans is not self._plans:
            self._plans = plans
            for plan in plans.bands:
                self._legs.band[plan.listeners] = plan.band
            self._playback.raise_to([plan.heard for plan in plans.bands[1:]])
        return plans

    def _turn(self, rows: Rows, heard: Sequence[rooms.Heard]) -> list[rooms.Heard]:
        """The last that `rows` hear at their old rate: over 10 ms it falls silent, so that of what their encoders still
        hold nothing breaks off."""
        turned = []
        for one in heard:
            some = np.isin(one.listeners, rows)
            half = one.pcm.shape[1] // 2
            pcm = one.pcm.copy()
            pcm[some, :half] = pcm[some, :half] * np.linspace(1.0, 0.0, half, endpoint=False, dtype=np.float32)
            pcm[some, half:] = 0
            turned.append(evolve(one, pcm=pcm))
        self._legs.last_sample[rows] = 0
        self._rooms.turn(rows)
        return turned

    def _soften(self, heard: list[rooms.Heard]) -> list[rooms.Heard]:
        """Where edges were edited, steps from the last sample heard into the new frame over 5 ms instead of at once.

        Nothing of a source that is no longer heard gets through: what fades is one sample's value.
        """
        edited, self._rooms.edited = self._rooms.edited, set()
        if edited:
            rows = np.array(sorted(edited), np.intp)
            bands = self._legs.band[rows]
            heard = [self._bend(one, rows[bands == one.band]) for one in rooms.up_to(int(bands.max()), heard)]
        for one in heard:
            self._legs.last_sample[one.listeners] = one.pcm[:, -1]
        return heard

    def _bend(self, heard: rooms.Heard, edited: Rows) -> rooms.Heard:
        """`edited` are among the listeners, or hear nothing more."""
        fade = _STEP_FADE[heard.band]
        # Marked in a column: to look for few rows among few by their numbers takes numpy thrice as long.
        self._marked[heard.listeners] = True
        quiet = edited[~self._marked[edited]]
        self._marked[heard.listeners] = False
        listeners = np.concatenate([heard.listeners, quiet])
        pcm = np.concatenate([heard.pcm, np.zeros((len(quiet), heard.pcm.shape[1]), np.int16)])
        audible = np.concatenate([heard.audible, np.zeros(len(quiet), np.bool_)])
        step = self._legs.last_sample[listeners].astype(np.float32) - pcm[:, 0]
        self._marked[edited] = True
        some = np.flatnonzero(self._marked[listeners] & (np.abs(step) >= _LEAST_STEP))
        self._marked[edited] = False
        bent = pcm[some, : len(fade)] + step[some, None] * fade
        pcm[some, : len(fade)] = np.clip(np.rint(bent), -32768, 32767)
        audible[some] = True
        return rooms.Heard(heard.band, listeners, pcm, audible)


def _goes_one_way(fact: Fact) -> bool:
    return isinstance(fact, protocol.LegWays) and not (fact.comes and fact.goes)
