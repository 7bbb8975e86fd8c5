"""Where an agent sits: the pages that are attached, the one that owns the media, and the WebRTC leg of sign-in.

The half of the agent's behaviour that has nothing to do with calls. Media is connected once, at sign-in, and kept; a
page that comes back, another that takes over, or a connection that failed brings a new leg, and the old one is used
until the new one is connected. `agent.py` says what the state of the agent makes of all this.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

from ..sip import sdp
from ..switch import protocol as media
from . import page, spoken
from .agent_state import SHOWN, CallerSound, Data, MediaState, Opening, Phase, QueueMoved
from .effects import Effect, Log, Media, Push, Reply
from .evolving import evolve
from .table import Machine

# How long an agent hears itself at most.
TEST_CALL = 30.0


class Seat(Machine[Phase], ABC):
    """The pages and the media of one agent."""

    state: Data

    # --- said to pages ----------------------------------------------------------------------------------------

    def push(self, event: page.Event) -> list[Effect]:
        """One event for every page of the agent, each with the next revision."""
        self.state = evolve(self.state, rev=self.state.rev + 1)
        return [Push(session, self.state.rev, event) for session in self.state.sessions]

    def accept(self, request: page.Request, answer: str = "", leg: str = "") -> list[Effect]:
        return [Reply(request.session, request.id, page.Accepted(answer, leg))]

    def refuse(self, request: page.Request, code: str, detail: str = "") -> list[Effect]:
        return [Reply(request.session, request.id, page.refuse(code, detail))]

    # --- pages come and go ------------------------------------------------------------------------------------

    def attach(self, message: page.Attached, now: float) -> list[Effect]:
        self.state = evolve(self.state, sessions=(*self.state.sessions, message.session))
        if self.state.owner == "":
            self.state = evolve(self.state, owner_lost_at=math.inf)
        return []

    def forget_page(self, session: str, now: float) -> None:
        """The websocket is gone; where it owned the media, or was the last one for the paperwork of who works by
        mobile, `owner_lost_at` starts the grace."""
        sessions = tuple(each for each in self.state.sessions if each != session)
        watching = tuple(each for each in self.state.watching if each != session)
        data = self.state
        was_last = data.by_mobile and data.phase is Phase.AFTER_CALL_WORK and not sessions
        lost = now if session == data.owner or was_last else data.owner_lost_at
        self.state = evolve(self.state, sessions=sessions, watching=watching, owner_lost_at=lost)
        opening = self.state.opening
        if opening is not None and opening.request.session == session:
            self.state = evolve(self.state, opening=None)

    def queue_moved(self, message: QueueMoved, now: float) -> list[Effect]:
        if self.state.profile.skill(message.status.queue) is None:
            return []  # said before the queue heard that the agent left it
        others = tuple(each for each in self.state.queue_status if each.queue != message.status.queue)
        kept = tuple(sorted((*others, message.status), key=lambda status: status.queue))
        self.state = evolve(self.state, queue_status=kept)
        return self.push(message.status)

    def watch_colleagues(self, request: page.Request, now: float) -> list[Effect]:
        """What the directory is told of it follows from the change."""
        others = tuple(each for each in self.state.watching if each != request.session)
        self.state = evolve(self.state, watching=(*others, request.session))
        return self.accept(request)

    def snapshot(self, request: page.Request, now: float) -> list[Effect]:
        data = self.state
        call = data.call
        return [
            Reply(
                request.session,
                request.id,
                page.Snapshot(
                    rev=data.rev,
                    agent=data.profile.agent,
                    name=data.profile.name,
                    state=SHOWN[data.phase],
                    reason=data.reason,
                    since=data.since,
                    until=data.work_until if data.work_until < math.inf else None,
                    from_break=data.may_return,
                    by_mobile=data.by_mobile,
                    mobile=data.profile.mobile,
                    owner="none" if not data.present else "this" if data.owner == request.session else "other",
                    media=data.media.value,
                    offered=self.offered() if SHOWN[data.phase] is page.State.RINGING and call else None,
                    connected=self.connected() if data.phase is Phase.TALKING and call else None,
                    parties=data.parties if data.phase is Phase.TALKING else None,
                    dialling=data.dial,
                    leg=data.leg,
                    away_until=data.away_since + data.profile.patience.away if data.away_since < math.inf else None,
                    sound=self.trouble(),
                    last=data.last if data.phase is Phase.AFTER_CALL_WORK else None,
                    testing_until=data.testing_until if data.testing_until < math.inf else None,
                    queues=data.queue_status,
                    numbers=data.profile.numbers,
                    transfer_queues=tuple(page.QueueName(each.queue, each.name) for each in data.profile.queues),
                    now=now,
                ),
            )
        ]

    def offered(self) -> page.CallOffered:
        call = self.state.call
        assert call is not None, "an offer is shown only while there is a call"
        return page.CallOffered(
            call=call.call,
            queue=call.queue,
            queue_name=call.queue_name,
            number=call.number,
            name=call.name,
            dialled=call.dialled,
            waiting_since=call.waiting_since,
            offered_at=self.state.offered_at,
            ring_until=self.state.ring_until,
            diverted_from=call.diverted_from,
            purpose=call.purpose,
            by=call.by,
            by_name=call.by_name,
            by_number=call.by_number,
            why=call.why,
            status=call.status,
        )

    def connected(self) -> page.CallConnected:
        call = self.state.call
        assert call is not None, "a connected call is shown only while there is a call"
        return page.CallConnected(
            call=call.call,
            queue=call.queue,
            queue_name=call.queue_name,
            number=call.number,
            name=call.name,
            dialled=call.dialled,
            since=self.state.since,
            muted=self.state.muted,
            direction=call.direction,
            diverted_from=call.diverted_from,
            purpose=call.purpose,
            by=call.by,
            by_name=call.by_name,
        )

    def trouble(self) -> page.CallSound | None:
        """Whose sound does not get through in the call, where it is so."""
        sound = sound_of(self.state)
        return sound if sound is not None and sound != page.CallSound(sound.call) else None

    def last(self, by: str, cause: str, now: float) -> page.LastCall:
        """The call in which the agent talks, as it ends."""
        talked = self.connected()
        return page.LastCall(
            call=talked.call,
            queue=talked.queue,
            queue_name=talked.queue_name,
            number=talked.number,
            name=talked.name,
            dialled=talked.dialled,
            since=talked.since,
            ended=now,
            by=by,
            cause=cause,
            direction=talked.direction,
            diverted_from=talked.diverted_from,
            purpose=talked.purpose,
        )

    # --- sign-in and media ------------------------------------------------------------------------------------

    def sign_in(self, request: page.Request, now: float) -> list[Effect]:
        """Takes the seat, for a robot at once, for a page when the engine has opened its leg."""
        command, data = request.command, self.state
        assert isinstance(command, page.SignIn)
        if data.on_the_mobile:
            return self.refuse(request, "on_mobile")
        if data.present and data.owner != request.session and not command.take_over:
            return self.refuse(request, "signed_in_elsewhere")
        if command.media == "none":
            return [*self._drop_opening(), *self._close_legs(), *self._sit(request, now, robot=True)]
        return self._open(request, command.sdp, command.access_point)

    def resume(self, request: page.Request, now: float) -> list[Effect]:
        """Who knows the leg is the page that made it: its old websocket may still be thought alive."""
        command, data = request.command, self.state
        assert isinstance(command, page.Resume)
        if command.leg != data.leg or data.media is not MediaState.CONNECTED:
            return self.refuse(request, "media_lost")
        return [*self._drop_opening(), *self._sit(request, now, robot=False)]

    def renew_media(self, request: page.Request, now: float) -> list[Effect]:
        command = request.command
        assert isinstance(command, page.RenewMedia)
        if command.leg and command.leg != self.state.leg:
            return self.refuse(request, "media_lost")
        return self._open(request, command.sdp, command.access_point, command.leg)

    def _open(self, request: page.Request, offer_text: str, point: str, restarted: str = "") -> list[Effect]:
        """A new leg, or a new way for the one that is `restarted`."""
        try:
            offer = sdp.parse(offer_text.encode())
            agreed = sdp.negotiate_webrtc(offer, self.state.profile.codecs)
        except sdp.SdpError as error:
            return self.refuse(request, "media_refused", str(error))
        effects = self._drop_opening()
        number = self.state.legs_opened + (not restarted)
        leg = restarted or f"agent:{self.state.profile.agent}/{number}"
        opening = Opening(request, leg, offer, agreed, bool(restarted))
        self.state = evolve(self.state, legs_opened=number, opening=opening)
        ask = media.RestartIce if restarted else media.OpenWebrtcLeg
        prints = tuple(media.Fingerprint(each.algorithm, each.digest) for each in agreed.fingerprints)
        return [
            *effects,
            Media(ask(leg, request.peer, agreed.ice_ufrag, agreed.ice_pwd, prints, spoken.codec(agreed), point)),
        ]

    def _drop_opening(self) -> list[Effect]:
        """Another request came before the engine answered the last: that one is told, its leg closed."""
        opening = self.state.opening
        if opening is None:
            return []
        self.state = evolve(self.state, opening=None)
        useless = [] if opening.restarts else [Media(media.CloseLeg(opening.leg))]
        return [*useless, *self.refuse(opening.request, "busy")]

    def leg_opened(self, fact: media.WebrtcLegOpened, now: float) -> list[Effect]:
        opening = self.state.opening
        if opening is None or opening.leg != fact.leg:
            known = fact.leg in (self.state.leg, self.state.old_leg)  # its restart was overtaken
            return [] if known else [Media(media.CloseLeg(fact.leg))]
        restarts = self.state.restarts + 1 if opening.restarts else 0
        answer = sdp.answer_webrtc(
            opening.offer,
            opening.agreed,
            ice_ufrag=fact.ice_ufrag,
            ice_pwd=fact.ice_pwd,
            fingerprint=sdp.Fingerprint(fact.fingerprint.algorithm, fact.fingerprint.digest),
            candidates=fact.candidates,
            session_id=self.state.legs_opened,
            version=1 + restarts,
        )
        self.state = evolve(self.state, restarts=restarts)
        if opening.restarts:
            self.state = evolve(self.state, opening=None)
            return self.accept(opening.request, bytes(answer).decode(), fact.leg)
        data = self.state
        # The connected leg stays in use until the new one is connected; one that never was is of no more use.
        connected = data.media is MediaState.CONNECTED
        kept, useless = (data.leg, "") if connected else (data.old_leg, data.leg)
        self.state = evolve(data, opening=None, leg=fact.leg, old_leg=kept, media=MediaState.CONNECTING)
        self._forget_silence(useless)
        return [*self.close_leg(useless), *self._sit(opening.request, now, robot=False, answer=bytes(answer).decode())]

    def leg_refused(self, fact: media.LegRefused, now: float) -> list[Effect]:
        opening = self.state.opening
        if opening is None or opening.leg != fact.leg:
            return []
        self.state = evolve(self.state, opening=None)
        return self.refuse(opening.request, "media_refused", fact.reason)

    def leg_connected(self, fact: media.LegConnected, now: float) -> list[Effect]:
        if fact.leg != self.state.leg:
            return []
        old = self.state.old_leg
        self.state = evolve(self.state, old_leg="", media=MediaState.CONNECTED, unchecked=False)
        self._forget_silence(old)
        return [*self.push(page.MediaConnected()), *self.close_leg(old)]

    def leg_failed(self, fact: media.LegFailed, now: float) -> list[Effect]:
        self._forget_silence(fact.leg)
        if fact.leg == self.state.leg:
            lost = self._restart_lost(fact.leg)
            self.state = evolve(self.state, leg="", media=MediaState.FAILED)
            return [*lost, *self.push(page.MediaFailed(fact.reason))]
        if fact.leg == self.state.old_leg:
            self.state = evolve(self.state, old_leg="")
        return []

    def _restart_lost(self, leg: str) -> list[Effect]:
        """The leg whose ICE was to restart is gone."""
        opening = self.state.opening
        if opening is None or opening.leg != leg:
            return []
        self.state = evolve(self.state, opening=None)
        return self.refuse(opening.request, "media_lost")

    def quality(self, fact: media.LegQuality, now: float) -> list[Effect]:
        if fact.leg != self.state.leg:
            return []
        expected = fact.received + fact.lost
        loss = 100.0 * fact.lost / expected if expected else 0.0
        return self.push(
            page.MediaQuality(
                loss,
                fact.jitter_ms,
                fact.delay_ms,
                fact.level,
                fact.rtt_ms,
                fact.far_loss_percent,
                fact.far_jitter_ms,
                fact.speaks,
                fact.hears_speech,
            )
        )

    def silence(self, fact: media.LegSilent | media.LegHeard, now: float) -> list[Effect]:
        """An agent's page sends nothing between calls: what its silence means, only a call can tell."""
        legs = self.state.silent_legs
        silent = legs | {fact.leg} if isinstance(fact, media.LegSilent) else legs - {fact.leg}
        self.state = evolve(self.state, silent_legs=silent & {self.state.leg, self.state.old_leg})
        return []

    def ways(self, fact: media.LegWays, now: float) -> list[Effect]:
        """Sound goes one way, or both again: for whoever looks after the network, and in a call for the pages."""
        legs = self.state.deaf_legs
        deaf = legs - {fact.leg} if fact.goes else legs | {fact.leg}
        self.state = evolve(self.state, deaf_legs=deaf & {self.state.leg, self.state.old_leg})
        return [Log("agent's sound", (("leg", fact.leg), ("comes", fact.comes), ("goes", fact.goes)))]

    def checks(self, fact: media.LegUnchecked | media.LegChecked, now: float) -> list[Effect]:
        """Whether the browser at the other end of the newest leg is there at all."""
        if fact.leg == self.state.leg:
            self.state = evolve(self.state, unchecked=isinstance(fact, media.LegUnchecked))
        return []

    def _forget_silence(self, leg: str) -> None:
        data = self.state
        self.state = evolve(data, silent_legs=data.silent_legs - {leg}, deaf_legs=data.deaf_legs - {leg})

    # --- the test call ----------------------------------------------------------------------------------------

    def test_call(self, request: page.Request, now: float) -> list[Effect]:
        """The agent's leg hears itself; one without media has nothing to hear."""
        command, data = request.command, self.state
        assert isinstance(command, page.TestCall)
        if not command.on:
            return [*self.accept(request), *self.stop_testing()]
        if data.media is not MediaState.CONNECTED:
            return self.refuse(request, "media_lost")
        self.state = evolve(data, testing_until=now + TEST_CALL)
        hears = media.Hears(data.leg, ((data.leg, 1.0),))
        begun = self.push(page.TestCallBegun(self.state.testing_until))
        return [*self.accept(request), Media(media.Rewire((hears,))), *begun]

    def stop_testing(self) -> list[Effect]:
        """No more echo, for whatever reason; nothing where there was none. It may be because another leg takes over:
        the one that hears itself is the voice until then."""
        data = self.state
        if data.testing_until == math.inf:
            return []
        self.state = evolve(data, testing_until=math.inf)
        silence = [Media(media.Rewire((media.Hears(data.voice, ()),)))] if data.voice else []
        return [*silence, *self.push(page.TestCallOver())]

    def _sit(self, request: page.Request, now: float, *, robot: bool, answer: str = "") -> list[Effect]:
        """The request's page owns the media from now on; the page that did is told."""
        data = self.state
        told: list[Effect] = []
        if data.owner not in ("", request.session) and data.owner in data.sessions:
            self.state = evolve(data, rev=data.rev + 1)
            told.append(Push(data.owner, self.state.rev, page.TakenOver()))
        self.state = evolve(
            self.state,
            owner=request.session,
            owner_lost_at=math.inf,
            robot=robot,
            media=MediaState.ABSENT if robot else self.state.media,
        )
        seated = self.seated(data.owner != "", now)
        leg = "" if robot else self.state.leg
        return [*told, *self.accept(request, answer, leg), *seated]

    @abstractmethod
    def seated(self, taken: bool, now: float) -> list[Effect]:
        """What the agent's state makes of a page that took the seat, which was `taken` before or not."""

    def close_leg(self, leg: str) -> list[Effect]:
        return [Media(media.CloseLeg(leg))] if leg else []

    def _close_legs(self) -> list[Effect]:
        data = self.state
        nothing: frozenset[str] = frozenset()
        media_gone = evolve(data, leg="", old_leg="", media=MediaState.ABSENT, unchecked=False)
        self.state = evolve(media_gone, silent_legs=nothing, deaf_legs=nothing)
        return [*self.close_leg(data.leg), *self.close_leg(data.old_leg)]

    def leave(self) -> list[Effect]:
        """Nobody sits here any more: media closed, no owner."""
        effects = [*self._drop_opening(), *self._close_legs()]
        self.state = evolve(self.state, owner="", owner_lost_at=math.inf, robot=False)
        return effects


def sound_of(data: Data) -> page.CallSound | None:
    """Whose sound gets through in the call, where there is one."""
    if data.phase is not Phase.TALKING or data.call is None:
        return None
    caller = data.caller or CallerSound(data.call.call)
    return page.CallSound(data.call.call, caller.comes, caller.goes, data.hears, caller.silent_since)
