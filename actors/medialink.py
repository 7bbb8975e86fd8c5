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

from collections.abc import Callable
from typing import assert_never

import structlog

from ..switch import protocol as media
from . import switchboard
from .admission import Admission
from .agreement import Agreement, Difference
from .alarms import MEDIA_FULL, MUSIC_MISSING
from .effects import Media
from .evolving import evolve
from .opened import Opened
from .runtime import System
from .states import UNWRITTEN, LegAt, LegGone, LegSealed, LinkState, Record, Unwritten, Whole
from .watchman import leg_name

RecordingFact = media.RecordingClosed | media.RecordingTroubled | media.RecordingWell

log = structlog.get_logger()


class MediaLink:
    """`connected` is true while an engine listens; `report` is the newest word of how its ticks fare."""

    def __init__(self, system: System, states: Unwritten = UNWRITTEN) -> None:
        self._system = system
        self._states = states
        self._send: Callable[[media.Command], None] | None = None
        self._open = Opened()
        # Legs that are opened again, without an answer yet.
        self._restoring: set[str] = set()
        # Recordings whose RecordingClosed is still to come.
        self._closing: set[str] = set()
        self._missing: dict[str, str] = {}  # why which music cannot be played
        self._epoch = ""
        # Hears of every recording, each closed one once; 0.0 seconds where the engine that wrote it had died.
        self.on_recording: Callable[[RecordingFact], None] = lambda fact: None
        # Hears of a leg whose far side seems to send from where nobody is let in, and whose it is.
        self.on_elsewhere: Callable[[str, media.LegElsewhere], None] = lambda owner, fact: None
        # Hears where browsers reach the engine, as it was asked by `ask_access_points`.
        self.on_access_points: Callable[[media.AccessPoints], None] = lambda fact: None
        self.report: media.EngineReport | None = None
        self._admission = Admission()
        self._agreement = Agreement(self._open.hearing)
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
        return len(self._open)

    @property
    def recordings(self) -> frozenset[str]:
        """Those that actors hold open."""
        return frozenset(self._open.recordings)

    @property
    def owners(self) -> set[str]:
        """The actors for which something is open."""
        return self._open.owners

    def owner_of(self, leg: str) -> str:
        """Whose it is; empty where it is not open."""
        return self._open.owner_of(leg)

    def whose(self, name: str) -> str:
        """Whose leg, channel of a recording or playlist it is, or was by its name; empty where it is everybody's."""
        return self._open.whose(name)

    def heard_by(self, listener: str) -> frozenset[str] | None:
        """What a leg, or a channel of a recording, was last told to hear, of what is open; None: it is not."""
        return self._open.hearing.of(listener) if self._open.listens(listener) else None

    @property
    def sums(self) -> tuple[int, ...]:
        """Those of an engine that has what it was told (switch/holdings.py)."""
        return self._open.hearing.sums

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
                self._open.add_leg(actor, command)
            case media.CloseLeg(leg):
                self._remove_leg(leg)
            case media.OpenSource(source, kind):
                if not self._open.add_source(actor, source, kind):
                    return
            case media.CloseSource(source):
                self._open.remove_source(source)
            case media.UpdateRtpLeg(leg=leg) | media.RestartIce(leg=leg):
                if self._open.owner_of(leg):
                    self._open.updates[leg] = command
            case media.OpenRecording(recording):
                self._open.add_recording(actor, recording)
                self._closing.discard(recording)
            case media.CloseRecording(recording):
                self._open.remove_recording(recording)
                if self._epoch:  # else an earlier process closed it: it is found where it lies
                    self._closing.add(recording)
            case media.Rewire(hears):
                for one in hears:
                    if self._open.listens(one.listener):
                        self._open.hearing.tell(one)
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
        for source in self._open.take_unheard():
            self._order(media.CloseSource(source))

    def on_end(self, actor: str, reason: str) -> None:
        """Closes what the actor had opened."""
        legs, players, recordings = self._open.of(actor)
        for leg in legs:
            self.perform(actor, Media(media.CloseLeg(leg)))
        for source in players:
            self.perform(actor, Media(media.CloseSource(source)))
        for recording in recordings:
            self.perform(actor, Media(media.CloseRecording(recording)))

    def _remove_leg(self, leg: str) -> None:
        self._system.touch(leg_name(leg))
        self._open.remove_leg(leg)
        self._restoring.discard(leg)

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
            case media.LegElsewhere(leg=leg):
                self.on_elsewhere(self._open.owner_of(leg), fact)
            case media.LegQuality(leg=leg):
                self._tell_owner(leg, fact, kept=False)  # the next one comes in 2 s
            case media.SourceFinished(source):
                if source in self._open.players:
                    self._system.tell(self._open.players[source], fact)
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
        owner = self._open.owner_of(leg)
        if owner:
            self._system.tell(owner, fact, kept=kept)

    def _opened(self, leg: str, port: int) -> None:
        """The engine answered an opening, or an update. One that failed as it was opened again is nobody's."""
        if self._open.owner_of(leg):
            self._states.add(LegAt(leg, port))
            self._open.answered(leg, port, moved=True)
        else:
            self._order(media.CloseLeg(leg))

    def _keep_keys(self, leg: str, keys: tuple[media.SrtpKey, ...]) -> None:
        """Ours, for an engine that may have to go on with them."""
        opening = self._open.openings.get(leg)
        if isinstance(opening, media.OpenRtpLeg) and opening.srtp is not None:
            self._seal(opening, evolve(opening.srtp, sent=keys))

    def _seal(self, opening: media.OpenRtpLeg, srtp: media.Srtp) -> media.OpenRtpLeg:
        self._states.add(LegSealed(opening.leg, srtp))
        return self._open.seal(opening.leg, srtp)

    def _refused(self, fact: media.LegRefused) -> None:
        """A leg that was to be moved stays as it was, and one that was to be opened is not there."""
        leg = fact.leg
        self._agreement.lost()
        self._tell_owner(leg, fact)
        port = self._open.ports.get(leg)
        if port is not None:
            self._states.add(LegAt(leg, port, moved=False))
            self._open.answered(leg, port, moved=False)
        elif self._open.owner_of(leg):
            self._states.add(LegGone(leg))
            self._remove_leg(leg)

    def _failed(self, fact: media.LegFailed) -> None:
        self._agreement.lost()
        self._tell_owner(fact.leg, fact)
        if self._open.owner_of(fact.leg):
            self._states.add(LegGone(fact.leg))
            self._remove_leg(fact.leg)
            self._close_unheard()

    def _restored(self, fact: media.LegOpened) -> None:
        """A leg of an engine that died is there again; at another port the far side would not be heard."""
        self._restoring.discard(fact.leg)
        if fact.port == self._open.ports[fact.leg]:
            log.info("leg restored", leg=fact.leg)
            # how long the far side was silent, the new engine finds out anew
            self._tell_owner(fact.leg, media.LegHeard(fact.leg))
        else:
            self._failed(media.LegFailed(fact.leg, "its port could not be had again"))
            self._order(media.CloseLeg(fact.leg))

    def _hear_of(self, fact: RecordingFact) -> None:
        """Who closes a recording owns it no more, and hears nothing of that."""
        owner = self._open.recordings.get(fact.recording)
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
            # the first that this process meets may have lived before it
            log.info("engine started" if self._epoch else "engine found", epoch=fact.epoch, pid=fact.pid)
            self._epoch = fact.epoch
            self._admission = Admission()
            self._tell_whether_full()
            for name in list(self._missing):
                self._miss(name, "")
        for source, kind in self._open.sources.items():
            self._order(media.OpenSource(source, kind))
        for leg in fact.legs:
            if leg not in self._open.ports or leg in self._restoring:
                self._order(media.CloseLeg(leg))  # nobody here knows it, or nobody knows its answer
        for source in fact.sources:
            if source not in self._open.sources:
                self._order(media.CloseSource(source))
        for leg in list(self._open.openings):
            if leg not in fact.legs or leg not in self._open.ports or leg in self._restoring:
                self._open_again(leg)
        for update in list(self._open.updates.values()):
            self._order(update)
        for recording in self._open.recordings:
            if recording not in fact.recordings:
                self._order(media.OpenRecording(recording))
        for recording in fact.recordings:
            if recording not in self._open.recordings:
                self._order(media.CloseRecording(recording))
        for recording in self._closing.difference(fact.recordings):
            self._hear_of(media.RecordingClosed(recording, 0.0))
        for hears in self._open.hearing.all:
            self._order(media.Rewire((hears,)))  # it may have changed while the link was lost

    def _open_again(self, leg: str) -> None:
        """A leg that the engine does not have, or did not say that it has."""
        opening = self._open.openings[leg]
        if leg not in self._open.ports:
            self._order(opening)
        elif isinstance(opening, media.OpenRtpLeg):
            self._restoring.add(leg)
            if opening.srtp is not None:
                opening = self._seal(opening, evolve(opening.srtp, engines=opening.srtp.engines + 1))
            self._order(evolve(opening, local_port=self._open.ports[leg]))
        else:
            self._failed(media.LegFailed(leg, "the media engine was restarted"))

    # --- over a restart of this process ---------------------------------------------------------------------------

    def state(self) -> LinkState:
        """All that the engine was told, as `recall` would have it."""
        return self._open.state()

    def recall(self, record: Record) -> None:
        """What an earlier process wrote, record by record; what its actors wanted comes by `perform`. There is no
        engine yet."""
        match record:
            case Whole(link=link):
                self._open.recall(link)
            case LegAt(leg, port, moved):
                self._open.answered(leg, port, moved=moved)
            case LegSealed(leg, srtp):
                self._open.seal(leg, srtp)
            case LegGone(leg):
                self._remove_leg(leg)
            case _:
                pass
