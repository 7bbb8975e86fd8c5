"""How a call that comes in begins: its route, its media, and what the number that was dialled gives it to hear."""

from __future__ import annotations

from typing import Final, assert_never

from ..sip import sdp
from ..switch import protocol as media
from . import records, routes, signals, switchboard
from .call_state import NotRouted, Phase, Routed, Timeout
from .effects import Effect, Log, Media, Sip, Started, Stop, Tell
from .evolving import evolve
from .routes import Echo, Room, ToneRoute, ToQueue
from .waiting import Waiting

# A route and a media leg are there within milliseconds or not at all; a caller's own patience is about this long.
SETUP_TIMEOUT: Final = 4.0


class Arrival(Waiting):
    """From the INVITE until the caller hears something."""

    def arrives(self, message: Started, now: float) -> list[Effect]:
        arrived = self.state.arrived
        entry = records.CallEntry(
            call=arrived.call,
            trunk=arrived.trunk,
            direction="inbound",
            caller=arrived.caller,
            caller_name=arrived.caller_name,
            dialled=arrived.dialled,
            queue="",
            began=now,
            diverted_from=arrived.diverted_from,
        )
        self.state = evolve(self.state, entry=entry, legs=(records.LegEntry(arrived.call, 0, "caller", now),))
        if arrived.offer is not None:
            try:
                self.state = evolve(self.state, agreed=self.negotiate(arrived.offer))
            except sdp.SdpError as error:
                return self.reject(now, error.status, str(error), phrase=str(error))
        return [Tell("switchboard", switchboard.FindRoute(arrived.call, arrived.dialled, arrived.trunk))]

    def routed(self, message: Routed, now: float) -> list[Effect]:
        self.state = evolve(
            self.state,
            route=message.route,
            nat=message.nat,
            language=message.language,
            music=message.music,
            country=message.country,
            early_seconds=message.early_seconds,
            priority=message.priority,
            stands=message.stands,
            customs=message.customs,
        )
        queue = message.route.queue if isinstance(message.route, ToQueue) else ""
        self.note(queue=queue, test=not queue)
        self.move(Phase.OPENING, now)
        return self.open_leg()

    def not_routed(self, message: NotRouted, now: float) -> list[Effect]:
        return self.reject(now, message.status, message.reason, message.retry_after)

    def reject(self, now: float, status: int, reason: str, retry_after: int = 0, *, phrase: str = "") -> list[Effect]:
        self.close_entries("system", reason, now)
        arrived = self.state.arrived
        where = (("trunk", arrived.trunk), ("dialled", arrived.dialled))
        fields = (("call", self.id), *where, ("status", status), ("reason", reason))
        return [Log("call refused", fields), Sip(signals.Reject(self.id, status, phrase, retry_after)), Stop("refused")]

    def leg_there(self, fact: media.LegOpened, now: float) -> list[Effect]:
        data = self.state
        if not data.early_seconds or not data.arrived.early:
            return [*self.describe(fact, signals.AnswerSip), *self.serve(now)]
        self.state = evolve(data, answer_at=now + data.early_seconds)
        return [*self.describe(fact, signals.AnswerEarly), *self.serve(now)]

    def serve(self, now: float) -> list[Effect]:
        """The leg is open and heard: what the caller dialled begins."""
        data = self.state
        match data.route:
            case ToQueue():
                return self.wait(now)
            case Echo():
                served = self.hear(data.leg)
            case ToneRoute(frequency):
                tone = f"tone:{frequency:g}"
                served = [Media(media.OpenSource(tone, media.Tone(frequency))), *self.hear(tone)]
            case routes.Hold():
                served = self.music()
            case Room():
                joining = switchboard.JoinRoom(self.id, data.arrived.dialled, data.leg)
                served = [Tell("switchboard", joining)]
            case None:
                raise AssertionError("a leg is opened only for a route")
            case _:
                assert_never(data.route)
        self.move(Phase.SERVED, now)
        return served

    def late_setup(self, message: Timeout, now: float) -> list[Effect]:
        return self.reject(now, 503, "set-up took too long", 5)

    def leg_refused(self, fact: media.LegRefused, now: float) -> list[Effect]:
        return self.reject(now, 503, fact.reason, 5)
