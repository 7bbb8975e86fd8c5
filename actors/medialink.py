"""The shell between actors and the engine: effects become commands on the link, facts become messages to their owners.

A leg belongs to the actor that opened it; facts about it go there, and when the actor ends the leg is closed. So does a
playlist, which is for one listener; other sources are shared and stay. When the engine is a new one (its process died),
every leg of the old one has failed, every opening that it had not answered is refused, and every source is opened
again, before anything else is said. While there is no engine, opening a leg is refused at once, and so is moving one.

Recordings belong to the actor that opened them as legs do, but nothing refuses them: a new engine is told to go on with
each that is open here. What is said of them is also heard by `on_recording`, as their actor may be gone by then.

The link can be lost though the engine lives. What it was told meanwhile is not forgotten: when it is back, each leg and
recording is closed that ended here, what each listener hears is said again, and an update that was not answered is
refused.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import assert_never

import structlog
import trio

from ..switch import protocol as media
from ..switch.wire import Frames, WireError, decode_fact, encode
from .effects import Media
from .runtime import System

# How often the engine is told that we live; 30 s without it ends its legs.
PING_INTERVAL = 1.0
# Commands that wait for an engine which does not read; a busy second is some hundreds.
MAX_COMMANDS = 10_000
# How long to wait before the link is tried again, in seconds.
RECONNECT = 0.1

RecordingFact = media.RecordingClosed | media.RecordingTroubled | media.RecordingWell

log = structlog.get_logger()


class MediaLink:
    """`connected` is true while an engine listens; `report` is the newest word of how its ticks fare."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._send: Callable[[media.Command], None] | None = None
        self._owners: dict[str, str] = {}
        # The legs of each actor in the order they were opened; those of them that wait for the engine's answer.
        self._legs: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._opening: set[str] = set()
        self._updating: set[str] = set()
        # What each leg was last told to hear.
        self._hears: dict[str, media.Hears] = {}
        self._sources: dict[str, media.SourceKind] = {}
        # The actor of each playlist among them.
        self._players: dict[str, str] = {}
        # The actor of each recording that is open, and those whose RecordingClosed is still to come.
        self._recordings: dict[str, str] = {}
        self._closing: set[str] = set()
        self._epoch = ""
        # Hears of every recording, each closed one once; 0.0 seconds where the engine that wrote it had died.
        self.on_recording: Callable[[RecordingFact], None] = lambda fact: None
        self.report: media.EngineReport | None = None
        self.pid = 0

    @property
    def connected(self) -> bool:
        return self._send is not None

    @property
    def legs(self) -> int:
        return len(self._owners)

    @property
    def recordings(self) -> frozenset[str]:
        """Those that actors hold open."""
        return frozenset(self._recordings)

    def connect(self, send: Callable[[media.Command], None] | None) -> None:
        """The way to the engine, or None when it is lost."""
        self._send = send

    # --- from actors ------------------------------------------------------------------------------------------

    def perform(self, actor: str, effect: Media) -> None:
        command = effect.command
        match command:
            case media.OpenRtpLeg(leg=leg) | media.OpenWebrtcLeg(leg=leg):
                if self._send is None:
                    self._system.tell(actor, media.LegRefused(leg, "the media engine is away"))
                    return
                self._owners[leg] = actor
                self._legs[actor][leg] = None
                self._opening.add(leg)
            case media.CloseLeg(leg):
                self._disown(leg)
            case media.OpenSource(source, kind):
                if self._sources.get(source) == kind:
                    return
                self._sources[source] = kind
                if isinstance(kind, media.Playlist):
                    self._players[source] = actor
            case media.CloseSource(source):
                self._sources.pop(source, None)
                self._players.pop(source, None)
            case media.UpdateRtpLeg(leg=leg):
                if self._send is None:
                    self._system.tell(actor, media.LegRefused(leg, "the media engine is away"))
                    return
                self._updating.add(leg)
            case media.OpenRecording(recording):
                self._recordings[recording] = actor
                self._closing.discard(recording)
            case media.CloseRecording(recording):
                self._recordings.pop(recording, None)
                for listener in (media.left(recording), media.right(recording)):
                    self._hears.pop(listener, None)
                self._closing.add(recording)
            case media.Rewire(hears):
                self._hears.update({one.listener: one for one in hears if self._listens(one.listener)})
            case media.Ping():
                pass
            case _:
                assert_never(command)
        if self._send is not None:
            self._send(command)

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

    def _disown(self, leg: str) -> None:
        self._opening.discard(leg)
        self._updating.discard(leg)
        self._hears.pop(leg, None)
        owner = self._owners.pop(leg, None)
        if owner is not None and owner in self._legs:
            self._legs[owner].pop(leg, None)

    # --- from the engine --------------------------------------------------------------------------------------

    def on_fact(self, fact: media.Fact) -> None:
        match fact:
            case media.EngineStarted():
                self._started(fact)
            case media.EngineReport():
                self.report = fact
            case media.Pong():
                pass
            case media.LegRefused(leg=leg) | media.LegFailed(leg=leg):
                self._tell_owner(leg, fact)
                self._updating.discard(leg)
                # A refused update leaves the leg as it was.
                if isinstance(fact, media.LegFailed) or leg in self._opening:
                    self._disown(leg)
            case media.LegOpened(leg=leg) | media.WebrtcLegOpened(leg=leg):
                self._opening.discard(leg)
                self._updating.discard(leg)
                self._tell_owner(leg, fact)
            case (
                media.LegConnected(leg=leg)
                | media.LegSilent(leg=leg)
                | media.LegHeard(leg=leg)
                | media.LegUnchecked(leg=leg)
                | media.LegChecked(leg=leg)
                | media.LegQuality(leg=leg)
            ):
                self._tell_owner(leg, fact)
            case media.SourceFinished(source):
                if source in self._players:
                    self._system.tell(self._players[source], fact)
            case media.RecordingClosed() | media.RecordingTroubled() | media.RecordingWell():
                self._hear_of(fact)
            case _:
                assert_never(fact)

    def _tell_owner(self, leg: str, fact: media.Fact) -> None:
        owner = self._owners.get(leg)
        if owner is not None:
            self._system.tell(owner, fact)

    def _hear_of(self, fact: RecordingFact) -> None:
        if isinstance(fact, media.RecordingClosed):
            self._closing.discard(fact.recording)
        owner = self._recordings.get(fact.recording)
        if owner is not None:
            self._system.tell(owner, fact)
        self.on_recording(fact)

    def _started(self, fact: media.EngineStarted) -> None:
        self.pid = fact.pid
        if fact.epoch != self._epoch:
            log.info("engine started", epoch=fact.epoch, pid=fact.pid)
            self._epoch = fact.epoch
        live = dict.fromkeys(fact.legs)
        why = "the media engine was restarted"
        for leg in [leg for leg in self._owners if leg not in live or leg in self._opening]:
            refused = leg in self._opening  # by this engine or the last: its answer is lost
            self._tell_owner(leg, media.LegRefused(leg, why) if refused else media.LegFailed(leg, why))
            self._disown(leg)
        for leg in self._updating:
            self._tell_owner(leg, media.LegRefused(leg, why))
        self._updating.clear()
        if self._send is None:
            return
        for source, kind in self._sources.items():
            self._send(media.OpenSource(source, kind))
        for leg in live:
            if leg not in self._owners:
                self._send(media.CloseLeg(leg))  # nobody here knows it, or nobody any more
        for source in fact.sources:
            if source not in self._sources:
                self._send(media.CloseSource(source))
        for recording in self._recordings:
            if recording not in fact.recordings:
                self._send(media.OpenRecording(recording))
        for recording in fact.recordings:
            if recording not in self._recordings:
                self._send(media.CloseRecording(recording))
        for recording in self._closing.difference(fact.recordings):
            self._hear_of(media.RecordingClosed(recording, 0.0))
        for hears in self._hears.values():
            self._send(media.Rewire((hears,)))  # it may have changed while the link was lost


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

                nursery.start_soon(_write, stream, waiting)
                nursery.start_soon(_ping, send)
                frames = Frames(decode_fact)
                while data := await stream.receive_some(65536):
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
    async for frame in waiting:
        await stream.send_all(frame)


async def _ping(send: Callable[[media.Command], None]) -> None:
    number = 0
    while True:
        send(media.Ping(number))
        number += 1
        await trio.sleep(PING_INTERVAL)
