"""A model of the engine: the meaning of `protocol.py` without packets, ticks or sound, for simulations and tests.

    command(message, now) -> facts     as the engine answers it
    deadline(), wake(now) -> facts     the timers that need no packets: a playlist is over; nobody pings any more
    connect, silence, hear, ways,          what only the network and the disk know, said by whoever plays them
    uncheck, check, fail, press, trouble,
    cure, miss, find
    hears(leg), audible(leg), sent(leg)    who hears whom, and the digits that a leg was sent

Edges count at once: between two commands of one instant there is no tick to wait for. Ports are given out by the
engine's own pool and ids by its own columns, so that what is refused there is refused here. The credentials of a
browser's leg are no secrets: nothing is encrypted with them. tests/switch/test_conformance.py gives the same commands
to the model and to the engine and compares what they say and who hears whom.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, count, takewhile
from typing import Final, Literal, assert_never

from . import holdings, protocol
from .dtls import strongest
from .engine import ALONE
from .keying import speakable
from .legs import Kind, Legs
from .points import Point, candidates
from .ports import LocalPort, PortPool, PortsExhaustedError
from .protocol import Command, Fact
from .sealed import check as check_keys
from .sealed import drawn
from .sockaddr import AF_INET, AF_INET6, socket_name
from .sources import FRAMES_PER_SECOND, Prompts, UnknownSourceError, check, lengths
from .twice import Ways

FINGERPRINT: Final = protocol.Fingerprint("sha-256", ":".join(["00"] * 32))


class _RefusedError(Exception):
    """An opening that fails; the text is for people."""


def _is_prompt(part: protocol.Part) -> bool:
    return isinstance(part.sound, protocol.Prompt)


class ModelEngine:
    """All legs of one engine that has no packets.

    `ports` and `advertise` are as the engine's; `points` are where browsers reach us, and there are none where this
    engine has no browsers' legs. Of `prompts` only the length is heard.
    """

    def __init__(
        self,
        *,
        ports: tuple[LocalPort, ...],
        advertise: Callable[[int, str], tuple[str, int]],
        now: float,
        points: Sequence[Point] = (),
        prompts: Prompts | None = None,
        capacity: int = 4096,
    ) -> None:
        self.counters: Counter[str] = Counter()
        self._rows = Legs(capacity)
        self._ports = PortPool(ports, capacity)
        self._advertise = advertise
        self._points = tuple(points)
        self._hears: dict[str, dict[str, float]] = {}
        self._prompts = prompts or {}
        self._kinds: dict[str, protocol.SourceKind] = {}
        self._finish: dict[str, float] = {}  # when each playlist that was begun is over; inf: never, or it was told
        self._began: dict[str, float] = {}  # when each playlist would have begun, had no prompt been cut short
        self._sent: dict[str, str] = {}
        self._ways: dict[str, Ways] = {}  # of legs that pressed something
        self._pages: dict[str, protocol.OpenWebrtcLeg] = {}  # how each browser's leg was opened
        self._recordings: dict[str, float] = {}  # when each was opened
        self._troubled: set[str] = set()
        self._missing: dict[str, str] = {}  # why which music cannot be read
        self._secure_opened = 0
        self._keys: dict[str, tuple[protocol.SrtpKey, ...]] = {}  # ours of each leg under SRTP
        self._peers: dict[str, str] = {}  # where the signalling of legs behind NATs comes from
        self._numbers = count(1)  # of those keys
        self._pinged_at = now

    # --- what can be seen -------------------------------------------------------------------------------------

    @property
    def legs(self) -> tuple[str, ...]:
        return tuple(self._rows.names[row] for row in self._rows.leg_rows())

    @property
    def sources(self) -> tuple[str, ...]:
        return tuple(self._kinds)

    def kind(self, source: str) -> protocol.SourceKind:
        """What that source plays."""
        return self._kinds[source]

    @property
    def recordings(self) -> tuple[str, ...]:
        return tuple(self._recordings)

    def started(self, epoch: str, pid: int) -> protocol.EngineStarted:
        """The first fact on a new link."""
        return protocol.EngineStarted(epoch, self.legs, pid, self.recordings, self.sources)

    def standing(self, now: float) -> list[Fact]:
        """... and what follows it: what was told of each leg and playlist and is so, for nobody may have listened."""
        facts: list[Fact] = []
        for leg in self.legs:
            row = self._rows.ids[leg]
            if self._rows.connected[row]:
                facts.append(protocol.LegConnected(leg))
            if self._rows.connected[row] or not self._rows.secure[row]:
                silent_for = now - float(self._rows.heard_at[row])
                facts.append(protocol.LegSilent(leg, silent_for) if self._rows.silent[row] else protocol.LegHeard(leg))
            if self._rows.connected[row] and self._rows.secure[row]:
                seconds = float(self._rows.unchecked[row])
                facts.append(protocol.LegUnchecked(leg, seconds) if seconds else protocol.LegChecked(leg))
            comes, goes = bool(self._rows.comes[row]), bool(self._rows.goes[row])
            if (self._rows.connected[row] or not self._rows.secure[row]) and not (comes and goes):
                facts.append(protocol.LegWays(leg, comes, goes))
        for name, at in self._finish.items():
            kind = self._kinds[name]
            if at == math.inf and isinstance(kind, protocol.Playlist) and not kind.repeat:
                facts.append(protocol.SourceFinished(name))
        facts += [protocol.MusicTroubled(name, reason) for name, reason in self._missing.items()]
        return facts

    def hears(self, leg: str) -> Mapping[str, float]:
        """Gain by leg or source: all that this leg or channel of a recording hears."""
        return dict(self._hears.get(leg, {}))

    def sums(self) -> tuple[int, ...]:
        """Of all rows and edges (holdings.py)."""
        marks, ids, edges = self._rows.marks, self._rows.ids, holdings.Sums()
        for listener, sources in self._hears.items():
            row = marks[ids[listener]]
            for source, gain in sources.items():
                edges.add(row, holdings.edge(row, marks[ids[source]], gain))
        return holdings.together(self._rows.sums.values, edges.values)

    def audible(self, leg: str) -> tuple[str, ...]:
        """The legs that hear this leg or source, in the order they began to."""
        return tuple(listener for listener, sources in self._hears.items() if leg in sources)

    def sends(self, leg: str) -> bool:
        """Whether this leg is sent media: it is known to where, and its far side does not hold."""
        return bool(self._rows.sending[self._rows.ids[leg]])

    def sent(self, leg: str) -> str:
        """The digits that this leg was to be sent since it was opened."""
        return self._sent.get(leg, "")

    # --- commands ---------------------------------------------------------------------------------------------

    def command(self, message: Command, now: float) -> list[Fact]:
        """Carries out one command; returns its answer, if it has one."""
        match message:
            case protocol.OpenRtpLeg():
                return [self._answer(message.leg, lambda: self._open_rtp(message, now))]
            case protocol.UpdateRtpLeg():
                return [self._answer(message.leg, lambda: self._update_rtp(message, now))]
            case protocol.OpenWebrtcLeg():
                return [self._answer(message.leg, lambda: self._open_webrtc(message, now))]
            case protocol.RestartIce():
                return [self._answer(message.leg, lambda: self._restart_ice(message))]
            case protocol.CloseLeg(leg):
                if self._is(leg, Kind.LEG):
                    self._close(leg, now)
            case protocol.OpenSource(source, kind):
                self._open_source(source, kind, now)
            case protocol.CloseSource(source):
                if self._is(source, Kind.SOURCE):
                    self._close_source(source)
            case protocol.OpenRecording(recording):
                return self._open_recording(recording, now)
            case protocol.CloseRecording(recording):
                return [self._close_recording(recording, now)]
            case protocol.Rewire(hears):
                for one in hears:
                    self._rewire(one, now)
            case protocol.SendDigits(leg, digits):
                if not self._is(leg, Kind.LEG) or not speakable(message):
                    self.counters["digits_refused"] += 1
                else:
                    self._sent[leg] = self.sent(leg) + digits
            case protocol.PressKey(leg, digit):
                return self.press(leg, digit, 0, "info", now)
            case protocol.ListAccessPoints(request, peer):
                if not self._points:
                    return [protocol.AccessPoints(request, "", "", ())]
                points = (protocol.AccessPoint(one.id, one.name, tuple(one.candidates(peer))) for one in self._points)
                return [protocol.AccessPoints(request, *_credentials(0), tuple(points))]
            case protocol.Ping(number):
                self._pinged_at = now
                self._ports.expire(now)
                return [protocol.Pong(number, self.sums())]
            case protocol.ListHoldings():
                return [self._holdings(message)]
            case _:
                assert_never(message)
        return []

    def _is(self, name: str, kind: int) -> bool:
        row = self._rows.ids.get(name)
        return row is not None and self._rows.kind[row] == kind

    def _holdings(self, asked: protocol.ListHoldings) -> protocol.Holdings:
        rows = [row for row in self._rows.ids.values() if holdings.part(self._rows.marks[row]) == asked.part]
        legs, sources, channels = (
            tuple(self._rows.names[row] for row in rows if self._rows.kind[row] == kind)
            for kind in (Kind.LEG, Kind.SOURCE, Kind.CHANNEL)
        )
        listeners = (self._rows.names[row] for row in rows)
        hears = tuple(protocol.Hears(one, tuple(self.hears(one).items())) for one in listeners if self.hears(one))
        return protocol.Holdings(asked.request, legs, sources, channels, hears)

    def _answer(self, leg: str, action: Callable[[], Fact]) -> Fact:
        try:
            return action()
        except (_RefusedError, PortsExhaustedError) as error:
            self.counters["legs_refused"] += 1
            return protocol.LegRefused(leg, str(error))

    @staticmethod
    def _remote(address: str, port: int) -> bytes | None:
        """A port of 0 is a far side that is not known yet."""
        if port == 0:
            return None
        try:
            return socket_name(address, port)
        except ValueError as error:
            raise _RefusedError(f"not an address to send to: {address}:{port}") from error

    @staticmethod
    def _check(codec: protocol.Codec) -> None:
        if not 0 <= codec.payload_type < 128:
            raise _RefusedError(f"no RTP payload type: {codec.payload_type}")

    def _add(self, name: str, codec: protocol.Codec, now: float) -> int:
        if name in self._rows.ids:
            raise _RefusedError("a leg or source of that name is open")
        self._check(codec)
        row = self._rows.add(name, Kind.LEG, now)
        if row is None:
            raise _RefusedError("too many legs")
        return row

    def _open_rtp(self, command: protocol.OpenRtpLeg, now: float) -> Fact:
        remote = self._remote(command.address, command.port)
        self._check_keys(command.srtp)
        row = self._add(command.leg, command.codec, now)
        family = AF_INET6 if ":" in command.address else AF_INET
        try:
            self._ports.open(
                row,
                remote,
                family=family,
                nat=command.nat,
                now=now,
                preferred=command.local_port,
                peer=command.peer,
            )
        except PortsExhaustedError:
            self._rows.remove(row)
            raise
        self._rows.connected[row] = command.local_port > 0  # another engine heard that far side
        self._aim(row, remote is not None, command.sends)
        keys = self._take_keys(command.leg, command.srtp)
        if command.peer:
            self._peers[command.leg] = command.peer
        return protocol.LegOpened(command.leg, *self._ours(row, command.address), keys)

    def _update_rtp(self, command: protocol.UpdateRtpLeg, now: float) -> Fact:
        if not self._is(command.leg, Kind.LEG) or self._rows.secure[self._rows.ids[command.leg]]:
            raise _RefusedError("no such RTP leg is open")
        self._check(command.codec)
        if (command.leg in self._keys) != (command.srtp is not None):
            raise _RefusedError("a leg is under SRTP from its beginning to its end, or never")
        self._check_keys(command.srtp)
        row = self._rows.ids[command.leg]
        if (remote := self._remote(command.address, command.port)) is not None:
            self._ports.move(row, remote, now)
        self._aim(row, remote is not None or bool(self._rows.reached[row]), command.sends)
        keys = self._take_keys(command.leg, command.srtp)
        return protocol.LegOpened(command.leg, *self._ours(row, command.address), keys)

    def _ours(self, row: int, address: str) -> tuple[str, int]:
        return self._advertise(int(self._ports.port[row]), self._peers.get(self._rows.names[row], address))

    @staticmethod
    def _check_keys(srtp: protocol.Srtp | None) -> None:
        try:
            if srtp is not None:
                check_keys(srtp)
        except ValueError as error:
            raise _RefusedError(str(error)) from error

    def _take_keys(self, leg: str, srtp: protocol.Srtp | None) -> tuple[protocol.SrtpKey, ...]:
        """Those of ours, which are no secret here."""
        if srtp is None:
            return ()
        self._keys[leg] = srtp.sent or drawn(lambda octets: next(self._numbers).to_bytes(octets, "big"))
        return self._keys[leg]

    def _aim(self, row: int, reached: bool, sends: bool) -> None:
        self._rows.reached[row] = reached
        self._rows.sending[row] = reached and sends

    def _open_webrtc(self, command: protocol.OpenWebrtcLeg, now: float) -> Fact:
        if not self._points:
            raise _RefusedError("this engine has no WebRTC legs")
        row = self._add(command.leg, command.codec, now)
        try:
            ours = candidates(self._points, command.access_point, command.peer)
            if not strongest(command.fingerprints):
                raise ValueError("the offer has no fingerprint of SHA-256, SHA-384 or SHA-512")
        except ValueError as error:
            self._rows.remove(row)
            raise _RefusedError(str(error)) from error
        self._rows.secure[row] = True
        self._pages[command.leg] = command
        return self._webrtc_opened(command.leg, ours)

    def _restart_ice(self, command: protocol.RestartIce) -> Fact:
        opened = self._pages.get(command.leg)
        if opened is None:
            raise _RefusedError("no such WebRTC leg is open")
        if command.codec != opened.codec or strongest(command.fingerprints) != strongest(opened.fingerprints):
            raise _RefusedError("another codec or certificate is another leg")
        try:
            ours = candidates(self._points, command.access_point, command.peer)
        except ValueError as error:
            raise _RefusedError(str(error)) from error
        return self._webrtc_opened(command.leg, ours)

    def _webrtc_opened(self, leg: str, ours: tuple[tuple[str, int], ...]) -> Fact:
        self._secure_opened += 1
        return protocol.WebrtcLegOpened(leg, *_credentials(self._secure_opened), FINGERPRINT, ours)

    def _close(self, leg: str, now: float) -> None:
        row = self._rows.ids[leg]
        if not self._rows.secure[row]:
            self._ports.close(row, now)
        self._forget(leg)
        self._sent.pop(leg, None)
        self._ways.pop(leg, None)
        self._pages.pop(leg, None)
        self._keys.pop(leg, None)
        self._peers.pop(leg, None)
        self._rows.remove(row)

    def _forget(self, name: str) -> None:
        self._hears.pop(name, None)
        for sources in self._hears.values():
            sources.pop(name, None)

    def _open_source(self, name: str, kind: protocol.SourceKind, now: float) -> None:
        if name in self._rows.ids:
            self.counters["source_ids_taken"] += self._kinds.get(name) != kind
        elif not self._is_known(kind) or self._rows.add(name, Kind.SOURCE, now) is None:
            self.counters["sources_refused"] += 1
        else:
            self._kinds[name] = kind

    def _close_source(self, name: str) -> None:
        self._forget(name)
        del self._kinds[name]
        self._finish.pop(name, None)
        self._began.pop(name, None)
        self._rows.remove(self._rows.ids[name])

    def _is_known(self, kind: protocol.SourceKind) -> bool:
        try:
            if isinstance(kind, protocol.Playlist):
                lengths(kind, self._prompts)
            else:
                check(kind, self._prompts)
        except UnknownSourceError:
            return False
        return True

    def _open_recording(self, recording: str, now: float) -> list[Fact]:
        if recording in self._recordings:
            return []
        names = (protocol.left(recording), protocol.right(recording))
        for i, name in enumerate(names):
            if name in self._rows.ids or self._rows.add(name, Kind.CHANNEL, now) is None:
                for added in names[:i]:
                    self._rows.remove(self._rows.ids[added])
                return [protocol.RecordingTroubled(recording, "too many legs and recordings")]
        self._recordings[recording] = now
        return []

    def _close_recording(self, recording: str, now: float) -> Fact:
        begun = self._recordings.pop(recording, now)
        self._troubled.discard(recording)
        for name in (protocol.left(recording), protocol.right(recording)):
            if self._is(name, Kind.CHANNEL):
                self._forget(name)
                self._rows.remove(self._rows.ids[name])
        return protocol.RecordingClosed(recording, round((now - begun) * FRAMES_PER_SECOND) / FRAMES_PER_SECOND)

    def _rewire(self, one: protocol.Hears, now: float) -> None:
        if not self._is(one.listener, Kind.LEG) and not self._is(one.listener, Kind.CHANNEL):
            self.counters["unknown_listeners"] += 1
            return
        heard: dict[str, float] = {}
        for name, gain in one.sources[: protocol.MAX_HEARD]:
            if self._is(name, Kind.LEG) or self._is(name, Kind.SOURCE):
                heard[name] = gain
            else:
                self.counters["unknown_sources"] += 1
        self.counters["sources_over_limit"] += max(0, len(one.sources) - protocol.MAX_HEARD)
        self._hears[one.listener] = {name: gain for name, gain in heard.items() if gain != 0.0}
        for name in self._hears[one.listener]:
            kind = self._kinds.get(name)
            if isinstance(kind, protocol.Playlist) and name not in self._finish:
                frames = math.inf if kind.repeat else sum(lengths(kind, self._prompts))
                self._finish[name] = now + frames / FRAMES_PER_SECOND
                self._began[name] = now

    def _is_asked(self, leg: str) -> bool:
        """What the leg hears asks it for a key."""
        kinds = [self._kinds.get(name) for name in self._hears.get(leg, {})]
        return any(isinstance(kind, protocol.Playlist) and kind.asks for kind in kinds)

    def _barge_in(self, leg: str, now: float) -> list[Fact]:
        """A digit of this leg ends what is being said to it."""
        facts: list[Fact] = []
        for name in self._hears.get(leg, {}):
            kind = self._kinds.get(name)
            if not isinstance(kind, protocol.Playlist) or not kind.barge_in or name not in self._began:
                continue
            whole = lengths(kind, self._prompts)
            at = round((now - self._began[name]) * FRAMES_PER_SECOND)
            if at == 0 or (at >= sum(whole) and not kind.repeat):
                continue  # it waits for its first tick, or is over
            ends = list(accumulate(whole))
            at %= ends[-1]
            part = bisect_right(ends, at)
            if said := list(takewhile(_is_prompt, kind.parts[part:])):
                last = part + len(said) - 1
                rest = (ends[last] - at) / FRAMES_PER_SECOND
                self._began[name] -= rest
                self._finish[name] -= rest
                if last == len(whole) - 1 and not kind.repeat:
                    self._finish[name] = math.inf
                    facts.append(protocol.SourceFinished(name))
        return facts

    # --- time -------------------------------------------------------------------------------------------------

    def deadline(self) -> float:
        """When `wake` is due; math.inf while there is nothing that could end."""
        return min((self._alone_at(), *self._finish.values()))

    def _alone_at(self) -> float:
        return self._pinged_at + ALONE if self.legs or self._kinds or self._recordings else math.inf

    def wake(self, now: float) -> list[Fact]:
        """Playlists that are over; and when nobody has pinged for `ALONE` seconds, all legs, sources and recordings."""
        facts: list[Fact] = []
        for name in [name for name, at in self._finish.items() if at <= now]:
            self._finish[name] = math.inf
            facts.append(protocol.SourceFinished(name))
        if now < self._alone_at():
            return facts
        facts += [protocol.LegFailed(leg, "the control plane is gone") for leg in self.legs]
        for leg in self.legs:
            self._close(leg, now)
        for source in self.sources:
            self._close_source(source)
        facts += [self._close_recording(recording, now) for recording in self.recordings]
        self._pinged_at = now
        return facts

    # --- the network ------------------------------------------------------------------------------------------

    def connect(self, leg: str) -> list[Fact]:
        """The far side's first packet came, or a browser's handshake is done. Told once."""
        row = self._rows.ids.get(leg)
        if row is None or self._rows.connected[row]:
            return []
        self._rows.connected[row] = True
        if self._rows.secure[row]:
            self._aim(row, True, True)
        return [protocol.LegConnected(leg)]

    def silence(self, leg: str, seconds: float) -> list[Fact]:
        """A leg has sent nothing for so long, a browser's since it was connected. Told once per silence."""
        rows, row = self._rows, self._rows.ids.get(leg)
        if row is None or rows.silent[row] or (rows.secure[row] and not rows.connected[row]):
            return []
        self._rows.silent[row] = True
        return [protocol.LegSilent(leg, seconds)]

    def hear(self, leg: str) -> list[Fact]:
        """... and is heard again."""
        row = self._rows.ids.get(leg)
        if row is None or not self._rows.silent[row]:
            return []
        self._rows.silent[row] = False
        return [protocol.LegHeard(leg)]

    def ways(self, leg: str, *, comes: bool, goes: bool) -> list[Fact]:
        """Sound goes one way, or both ways again. Told when it changes."""
        rows, row = self._rows, self._rows.ids.get(leg)
        if row is None or (comes, goes) == (bool(rows.comes[row]), bool(rows.goes[row])):
            return []
        rows.comes[row], rows.goes[row] = comes, goes
        return [protocol.LegWays(leg, comes, goes)]

    def uncheck(self, leg: str, seconds: float) -> list[Fact]:
        """A browser's checks stopped so long ago. Told once."""
        row = self._rows.ids.get(leg)
        if row is None or self._rows.unchecked[row] or not self._is(leg, Kind.LEG):
            return []
        self._rows.unchecked[row] = seconds
        return [protocol.LegUnchecked(leg, seconds)]

    def check(self, leg: str) -> list[Fact]:
        """... and are back."""
        row = self._rows.ids.get(leg)
        if row is None or not self._rows.unchecked[row]:
            return []
        self._rows.unchecked[row] = 0.0
        return [protocol.LegChecked(leg)]

    def press(
        self, leg: str, digit: str, duration_ms: int, how: Literal["event", "tone", "info"], now: float
    ) -> list[Fact]:
        """A key was pressed there, and let go."""
        if not self._is(leg, Kind.LEG):
            return []
        if not self._ways.setdefault(leg, Ways()).is_new(digit, now, by_info=how == "info"):
            return []
        pressed = protocol.DigitPressed(leg, digit, duration_ms, how)
        answered = protocol.KeyAnswered(leg, digit)
        return [answered if self._is_asked(leg) else pressed, *self._barge_in(leg, now)]

    def trouble(self, recording: str, reason: str) -> list[Fact]:
        """A recording cannot be written. Told once."""
        if recording in self._troubled or recording not in self._recordings:
            return []
        self._troubled.add(recording)
        return [protocol.RecordingTroubled(recording, reason)]

    def cure(self, recording: str) -> list[Fact]:
        """... and can again."""
        if recording not in self._troubled:
            return []
        self._troubled.discard(recording)
        return [protocol.RecordingWell(recording)]

    def miss(self, name: str, reason: str) -> list[Fact]:
        """A piece of music cannot be read. Told once."""
        if name in self._missing:
            return []
        self._missing[name] = reason
        return [protocol.MusicTroubled(name, reason)]

    def find(self, name: str) -> list[Fact]:
        """... and can again."""
        return [] if self._missing.pop(name, None) is None else [protocol.MusicWell(name)]

    def fail(self, leg: str, reason: str, now: float) -> list[Fact]:
        """The leg is dead, and closed."""
        if not self._is(leg, Kind.LEG):
            return []
        self._close(leg, now)
        return [protocol.LegFailed(leg, reason)]


def _credentials(number: int) -> tuple[str, str]:
    """A user fragment and a password as long as RFC 8445 §5.3 wants them."""
    return f"{number:08}", f"{number:024}"
