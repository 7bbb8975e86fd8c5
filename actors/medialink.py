"""The shell between actors and the engine: effects become commands on the link, facts become messages to their owners.

A leg belongs to the actor that opened it; facts about it go there, and when the actor ends the leg is closed. So does a
playlist, which is for one listener; other sources are shared, and closed when their last listener hears something else.

Recordings belong to the actor that opened them as legs do, but nothing refuses them: a new engine is told to go on with
each that is open here. What is said of them is also heard by `on_recording`, as their actor may be gone by then.

The link can be lost though the engine lives, and this process can die and be followed by another, which `recall`s all
this. What the engine was told meanwhile is not forgotten: when the link is back, each leg and recording is closed that
ended here, and what each listener hears is said again.

    an opening or an update without an answer     asked again
    a leg, and the engine has it                  goes on
    a trunk's leg, and it has not                 opened again at the port of ours that the far side sends to, under the
                                                  keys of its description; LegFailed where that port is not to be had,
                                                  else the actor hears nothing of it
    a browser's leg, and it has not               LegFailed: the keys of its encryption are gone
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import assert_never

import structlog
import trio

from ..switch import protocol as media
from ..switch.holdings import Kind
from ..switch.wire import Frames, WireError, decode_fact, encode
from . import switchboard
from .admission import Admission
from .agreement import Agreement, Difference
from .alarms import MEDIA_FULL, MUSIC_MISSING
from .effects import Media
from .evolving import evolve
from .hearing import Hearing
from .runtime import System
from .states import UNWRITTEN, LegAt, LegGone, LegSealed, LinkState, Record, Unwritten, Whole
from .watchman import leg_name

# How often the engine is told that we live, 30 s without it ends its legs, and asked what it has.
PING_INTERVAL = 0.5
# Commands that wait for an engine which does not read; a busy second is some hundreds.
MAX_COMMANDS = 10_000
# Of them, so many are written at once.
MAX_TOGETHER = 200
# Octets of facts read at once: they are small and many, and a large buffer for each leaves holes in the heap.
FACTS = 8192
# How long to wait before the link is tried again, in seconds.
RECONNECT = 0.1

Opening = media.OpenRtpLeg | media.OpenWebrtcLeg
Update = media.UpdateRtpLeg | media.RestartIce
RecordingFact = media.RecordingClosed | media.RecordingTroubled | media.RecordingWell

log = structlog.get_logger()


class MediaLink:
    """`connected` is true while an engine listens; `report` is the newest word of how its ticks fare."""

    def __init__(self, system: System, states: Unwritten = UNWRITTEN) -> None:
        self._system = system
        self._states = states
        self._send: Callable[[media.Command], None] | None = None
        self._owners: dict[str, str] = {}
        # The legs of each actor in the order they were opened, and how: as the far side wants it now.
        self._legs: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._openings: dict[str, Opening] = {}
        # Our port of each leg that the engine has answered; 0 for a browser's.
        self._ports: dict[str, int] = {}
        # What was not answered yet: how legs are to be moved or reached, and those that are opened again.
        self._updates: dict[str, Update] = {}
        self._restoring: set[str] = set()
        # What is open, and what each leg was last told to hear.
        self._hearing = Hearing()
        self._sources: dict[str, media.SourceKind] = {}
        # The actor of each playlist among them.
        self._players: dict[str, str] = {}
        # The actor of each recording that is open, and those whose RecordingClosed is still to come.
        self._recordings: dict[str, str] = {}
        self._closing: set[str] = set()
        self._missing: dict[str, str] = {}  # why which music cannot be played
        self._epoch = ""
        # Hears of every recording, each closed one once; 0.0 seconds where the engine that wrote it had died.
        self.on_recording: Callable[[RecordingFact], None] = lambda fact: None
        # Hears where browsers reach the engine, as it was asked by `ask_access_points`.
        self.on_access_points: Callable[[media.AccessPoints], None] = lambda fact: None
        self.report: media.EngineReport | None = None
        self._admission = Admission()
        self._agreement = Agreement(self._hearing)
        # Ends the connection, which is made anew; whoever has one sets it.
        self.hang_up: Callable[[], None] = lambda: None
        self.pid = 0

    @property
    def connected(self) -> bool:
        return self._send is not None

    @property
    def full(self) -> bool:
        """New calls are refused, for the engine could not bear them."""
        return self._admission.full

    @property
    def legs(self) -> int:
        return len(self._owners)

    @property
    def recordings(self) -> frozenset[str]:
        """Those that actors hold open."""
        return frozenset(self._recordings)

    @property
    def owners(self) -> set[str]:
        """The actors for which something is open."""
        return {*self._legs, *self._players.values(), *self._recordings.values()}

    def owner_of(self, leg: str) -> str:
        """Whose it is; empty where it is not open."""
        return self._owners.get(leg, "")

    def whose(self, name: str) -> str:
        """Whose leg, channel of a recording or playlist it is, or was by its name; empty where it is everybody's."""
        before = name.rpartition("/")[0]
        return self._owners.get(name) or self._players.get(name) or self._recordings.get(before) or before

    def heard_by(self, listener: str) -> frozenset[str] | None:
        """What a leg, or a channel of a recording, was last told to hear, of what is open; None: it is not."""
        return self._hearing.of(listener) if self._listens(listener) else None

    @property
    def sums(self) -> tuple[int, ...]:
        """Those of an engine that has what it was told (switch/holdings.py)."""
        return self._hearing.sums

    @property
    def differences(self) -> tuple[Difference, ...]:
        """What the engine has that it was not told, or has not though it was."""
        return self._agreement.differences

    def ping(self) -> media.Ping:
        """To be sent now, behind all that was ordered."""
        return self._agreement.ping()

    def connect(self, send: Callable[[media.Command], None] | None) -> None:
        """The way to the engine, or None when it is lost."""
        self._send = send

    def ask_access_points(self, request: int, peer: str) -> bool:
        """Asks where the browser at `peer` reaches the engine; False where there is none to ask."""
        self._order(media.ListAccessPoints(request, peer))
        return self._send is not None

    # --- from actors ------------------------------------------------------------------------------------------

    def perform(self, actor: str, effect: Media) -> None:
        command = effect.command
        match command:
            case media.OpenRtpLeg(leg=leg) | media.OpenWebrtcLeg(leg=leg):
                self._own(actor, command)
            case media.CloseLeg(leg):
                self._disown(leg)
            case media.OpenSource(source, kind):
                if self._sources.get(source) == kind:
                    return
                self._sources[source] = kind
                self._hearing.open(Kind.SOURCE, source)
                if isinstance(kind, media.Playlist):
                    self._players[source] = actor
            case media.CloseSource(source):
                self._sources.pop(source, None)
                self._players.pop(source, None)
                self._hearing.close(source)
            case media.UpdateRtpLeg(leg=leg) | media.RestartIce(leg=leg):
                if leg in self._owners:
                    self._updates[leg] = command
            case media.OpenRecording(recording):
                self._record(recording, actor)
                self._closing.discard(recording)
            case media.CloseRecording(recording):
                self._recordings.pop(recording, None)
                for channel in (media.left(recording), media.right(recording)):
                    self._hearing.forget(channel)
                    self._hearing.close(channel)
                if self._epoch:  # else an earlier process closed it: it is found where it lies
                    self._closing.add(recording)
            case media.Rewire(hears):
                for one in hears:
                    if self._listens(one.listener):
                        self._hearing.tell(one)
                        self._system.touch(leg_name(one.listener))
            case media.SendDigits() | media.PressKey():
                if self._send is None:
                    return  # a key that was pressed is of this moment
            case media.ListAccessPoints() | media.ListHoldings() | media.Ping():
                pass
            case _:
                assert_never(command)
        self._order(command)
        self._close_unheard()

    def _close_unheard(self) -> None:
        """What is shared, and nobody hears any more."""
        for source in self._hearing.take_unheard():
            if source in self._sources and source not in self._players:
                del self._sources[source]
                self._hearing.close(source)
                self._order(media.CloseSource(source))

    def on_end(self, actor: str, reason: str) -> None:
        """Closes what the actor had opened."""
        for leg in list(self._legs.pop(actor, ())):
            self.perform(actor, Media(media.CloseLeg(leg)))
        for source in [source for source, owner in self._players.items() if owner == actor]:
            self.perform(actor, Media(media.CloseSource(source)))
        for recording in [recording for recording, owner in self._recordings.items() if owner == actor]:
            self.perform(actor, Media(media.CloseRecording(recording)))

    def _listens(self, name: str) -> bool:
        return name in self._owners or name.rpartition("/")[0] in self._recordings

    def _own(self, actor: str, opening: Opening) -> None:
        self._owners[opening.leg] = actor
        self._legs[actor][opening.leg] = None
        self._openings[opening.leg] = opening
        self._hearing.open(Kind.LEG, opening.leg)

    def _record(self, recording: str, actor: str) -> None:
        self._recordings[recording] = actor
        for channel in (media.left(recording), media.right(recording)):
            self._hearing.open(Kind.CHANNEL, channel)

    def _disown(self, leg: str) -> None:
        self._system.touch(leg_name(leg))
        for known in (self._openings, self._ports, self._updates):
            known.pop(leg, None)
        self._hearing.forget(leg)
        self._hearing.close(leg)
        self._restoring.discard(leg)
        owner = self._owners.pop(leg, None)
        if owner is not None and owner in self._legs:
            self._legs[owner].pop(leg, None)
            if not self._legs[owner]:
                del self._legs[owner]

    # --- from the engine --------------------------------------------------------------------------------------

    def on_fact(self, fact: media.Fact) -> None:
        match fact:
            case media.EngineStarted():
                self._started(fact)
            case media.EngineReport():
                self.report = fact
                if self._admission.hear(fact):
                    self._tell_whether_full()
            case media.TicksLong():
                if self._admission.press():
                    self._tell_whether_full()
            case media.AccessPoints():
                self.on_access_points(fact)
            case media.Pong():
                for question in self._agreement.hear(fact):
                    self._order(question)
            case media.Holdings():
                self._agreement.learn(fact)
            case media.LegRefused(leg, reason) if leg in self._restoring:
                self._failed(media.LegFailed(leg, reason))
            case media.LegRefused(leg=leg):
                self._refused(fact)
            case media.LegFailed():
                self._failed(fact)
            case media.LegOpened(leg=leg) if leg in self._restoring:
                self._restored(fact)
            case media.LegOpened(leg=leg, port=port, keys=keys):
                self._opened(leg, port)
                self._keep_keys(leg, keys)
                self._tell_owner(leg, fact)
            case media.WebrtcLegOpened(leg=leg):
                self._opened(leg, 0)
                self._tell_owner(leg, fact)
            case (
                media.LegConnected(leg=leg)
                | media.LegSilent(leg=leg)
                | media.LegHeard(leg=leg)
                | media.LegWays(leg=leg)
                | media.LegUnchecked(leg=leg)
                | media.LegChecked(leg=leg)
                | media.DigitPressed(leg=leg)
                | media.KeyAnswered(leg=leg)
            ):
                self._tell_owner(leg, fact)
            case media.LegQuality(leg=leg):
                self._tell_owner(leg, fact, kept=False)  # the next one comes in 2 s
            case media.SourceFinished(source):
                if source in self._players:
                    self._system.tell(self._players[source], fact)
            case media.MusicTroubled(name, reason):
                self._miss(name, reason)
            case media.MusicWell(name):
                self._miss(name, "")
            case media.RecordingClosed() | media.RecordingTroubled() | media.RecordingWell():
                self._hear_of(fact)
            case _:
                assert_never(fact)

    def _tell_whether_full(self) -> None:
        full = self._admission.full
        self._system.tell("switchboard", switchboard.MediaFull(full))
        (self._system.alarm if full else self._system.clear_alarm)(MEDIA_FULL.says())

    def _miss(self, name: str, reason: str) -> None:
        """Why that music cannot be played; empty: it can."""
        before = self._missing.pop(name, "")
        if before:
            self._system.clear_alarm(MUSIC_MISSING.says(name=name, reason=before))
        if reason:
            self._missing[name] = reason
            self._system.alarm(MUSIC_MISSING.says(name=name, reason=reason))

    def _tell_owner(self, leg: str, fact: media.Fact, *, kept: bool = True) -> None:
        owner = self._owners.get(leg)
        if owner is not None:
            self._system.tell(owner, fact, kept=kept)

    def _opened(self, leg: str, port: int) -> None:
        """The engine answered an opening, or an update. One that failed as it was opened again is nobody's."""
        if leg in self._owners:
            self._states.add(LegAt(leg, port))
            self._is_at(leg, port, moved=True)
        else:
            self._order(media.CloseLeg(leg))

    def _keep_keys(self, leg: str, keys: tuple[media.SrtpKey, ...]) -> None:
        """Ours, for an engine that may have to go on with them."""
        opening = self._openings.get(leg)
        if isinstance(opening, media.OpenRtpLeg) and opening.srtp is not None:
            self._seal(opening, evolve(opening.srtp, sent=keys))

    def _seal(self, opening: media.OpenRtpLeg, srtp: media.Srtp) -> media.OpenRtpLeg:
        self._openings[opening.leg] = sealed = evolve(opening, srtp=srtp)
        self._states.add(LegSealed(opening.leg, srtp))
        return sealed

    def _is_at(self, leg: str, port: int, *, moved: bool) -> None:
        self._ports[leg] = port
        update, opening = self._updates.pop(leg, None), self._openings[leg]
        if isinstance(update, media.UpdateRtpLeg) and moved and isinstance(opening, media.OpenRtpLeg):
            opening = evolve(opening, codec=update.codec, sends=update.sends, hears=update.hears)
            if update.port:  # 0: it stays where it is
                opening = evolve(opening, address=update.address, port=update.port)
            if update.srtp is not None and opening.srtp is not None:
                opening = evolve(opening, srtp=evolve(update.srtp, engines=opening.srtp.engines))
            self._openings[leg] = opening

    def _refused(self, fact: media.LegRefused) -> None:
        """A leg that was to be moved stays as it was, and one that was to be opened is not there."""
        leg = fact.leg
        self._agreement.lost()
        self._tell_owner(leg, fact)
        if leg in self._ports:
            self._states.add(LegAt(leg, self._ports[leg], moved=False))
            self._is_at(leg, self._ports[leg], moved=False)
        elif leg in self._owners:
            self._states.add(LegGone(leg))
            self._disown(leg)

    def _failed(self, fact: media.LegFailed) -> None:
        self._agreement.lost()
        self._tell_owner(fact.leg, fact)
        if fact.leg in self._owners:
            self._states.add(LegGone(fact.leg))
            self._disown(fact.leg)
            self._close_unheard()

    def _restored(self, fact: media.LegOpened) -> None:
        """A leg of an engine that died is there again; at another port the far side would not be heard."""
        self._restoring.discard(fact.leg)
        if fact.port == self._ports[fact.leg]:
            log.info("leg restored", leg=fact.leg)
            # how long the far side was silent, the new engine finds out anew
            self._tell_owner(fact.leg, media.LegHeard(fact.leg))
        else:
            self._failed(media.LegFailed(fact.leg, "its port could not be had again"))
            self._order(media.CloseLeg(fact.leg))

    def _hear_of(self, fact: RecordingFact) -> None:
        """Who closes a recording owns it no more, and hears nothing of that."""
        owner = self._recordings.get(fact.recording)
        if isinstance(fact, media.RecordingClosed):
            self._closing.discard(fact.recording)
        elif owner is not None:
            self._system.tell(owner, fact)
        self.on_recording(fact)

    def _order(self, command: media.Command) -> None:
        if self._send is not None:
            self._send(command)

    def _started(self, fact: media.EngineStarted) -> None:
        self.pid = fact.pid
        self._agreement.begin()
        if fact.epoch != self._epoch:
            log.info("engine started", epoch=fact.epoch, pid=fact.pid)
            self._epoch = fact.epoch
            self._admission = Admission()
            self._tell_whether_full()
            for name in list(self._missing):
                self._miss(name, "")
        for source, kind in self._sources.items():
            self._order(media.OpenSource(source, kind))
        for leg in fact.legs:
            if leg not in self._ports or leg in self._restoring:
                self._order(media.CloseLeg(leg))  # nobody here knows it, or nobody knows its answer
        for source in fact.sources:
            if source not in self._sources:
                self._order(media.CloseSource(source))
        for leg in list(self._openings):
            if leg not in fact.legs or leg not in self._ports or leg in self._restoring:
                self._open_again(leg)
        for update in list(self._updates.values()):
            self._order(update)
        for recording in self._recordings:
            if recording not in fact.recordings:
                self._order(media.OpenRecording(recording))
        for recording in fact.recordings:
            if recording not in self._recordings:
                self._order(media.CloseRecording(recording))
        for recording in self._closing.difference(fact.recordings):
            self._hear_of(media.RecordingClosed(recording, 0.0))
        for hears in self._hearing.all:
            self._order(media.Rewire((hears,)))  # it may have changed while the link was lost

    def _open_again(self, leg: str) -> None:
        """A leg that the engine does not have, or did not say that it has."""
        opening = self._openings[leg]
        if leg not in self._ports:
            self._order(opening)
        elif isinstance(opening, media.OpenRtpLeg):
            self._restoring.add(leg)
            if opening.srtp is not None:
                opening = self._seal(opening, evolve(opening.srtp, engines=opening.srtp.engines + 1))
            self._order(evolve(opening, local_port=self._ports[leg]))
        else:
            self._failed(media.LegFailed(leg, "the media engine was restarted"))

    # --- over a restart of this process ---------------------------------------------------------------------------

    def state(self) -> LinkState:
        """All that the engine was told, as `recall` would have it."""
        return LinkState(
            legs=tuple((self._owners[leg], opening, self._ports.get(leg)) for leg, opening in self._openings.items()),
            updates=tuple(self._updates.values()),
            recordings=tuple((actor, recording) for recording, actor in self._recordings.items()),
            sources=tuple(
                (self._players.get(source, ""), media.OpenSource(source, kind))
                for source, kind in self._sources.items()
            ),
            hears=self._hearing.all,
        )

    def recall(self, record: Record) -> None:
        """What an earlier process wrote, record by record; what its actors wanted comes by `perform`. There is no
        engine yet."""
        match record:
            case Whole(link=link):
                for actor, opening, port in link.legs:
                    self._own(actor, opening)
                    if port is not None:
                        self._ports[opening.leg] = port
                self._updates = {update.leg: update for update in link.updates}
                for actor, recording in link.recordings:
                    self._record(recording, actor)
                self._sources = {each.source: each.kind for _, each in link.sources}
                self._players = {each.source: actor for actor, each in link.sources if actor}
                for source in self._sources:
                    self._hearing.open(Kind.SOURCE, source)
                for one in link.hears:
                    self._hearing.tell(one)
            case LegAt(leg, port, moved):
                self._is_at(leg, port, moved=moved)
            case LegSealed(leg, srtp):
                opening = self._openings[leg]
                assert isinstance(opening, media.OpenRtpLeg), "a browser's keys are told to nobody"
                self._openings[leg] = evolve(opening, srtp=srtp)
            case LegGone(leg):
                self._disown(leg)
            case _:
                pass


async def run(link: MediaLink, connect: Callable[[], Awaitable[trio.abc.Stream]]) -> None:
    """Keeps the link up until cancelled: connects, tries again while there is no engine, and pings it."""
    while True:
        try:
            stream = await connect()
        except OSError:
            await trio.sleep(RECONNECT)
            continue
        try:
            await _converse(link, stream)
        finally:
            link.connect(None)
        log.warning("engine lost")


async def _converse(link: MediaLink, stream: trio.abc.Stream) -> None:
    """One connection, until either side ends it."""
    outbox, waiting = trio.open_memory_channel[bytes](MAX_COMMANDS)

    async with stream:
        try:
            async with trio.open_nursery() as nursery:

                def send(command: media.Command) -> None:
                    try:
                        outbox.send_nowait(encode(command))
                    except (trio.WouldBlock, trio.BrokenResourceError):
                        # An engine that takes nothing is as good as dead: the link ends and starts anew.
                        link.connect(None)
                        nursery.cancel_scope.cancel()

                link.hang_up = nursery.cancel_scope.cancel
                nursery.start_soon(_write, stream, waiting)
                nursery.start_soon(_ping, link, send)
                frames = Frames(decode_fact)
                while data := await stream.receive_some(FACTS):
                    for fact in frames.feed(bytes(data)):
                        if isinstance(fact, media.EngineStarted):
                            link.connect(send)
                        link.on_fact(fact)
                nursery.cancel_scope.cancel()
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        except* WireError as group:
            log.error("media link", error=str(group.exceptions[0]))


async def _write(stream: trio.abc.Stream, waiting: trio.MemoryReceiveChannel[bytes]) -> None:
    """All that waits goes out together."""
    async for frame in waiting:
        frames = [frame]
        with suppress(trio.WouldBlock):
            while len(frames) < MAX_TOGETHER:
                frames.append(waiting.receive_nowait())
        await stream.send_all(b"".join(frames))


async def _ping(link: MediaLink, send: Callable[[media.Command], None]) -> None:
    while True:
        send(link.ping())
        await trio.sleep(PING_INTERVAL)
