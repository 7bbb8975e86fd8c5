"""The conversation: an agent and the far side hear each other, and what the agent does about it.

From the first agent's answer to the end a call is recorded, the far side left and whoever talks with it right; what the
switch itself says is in no recording. Who hears whom is said anew, all of it, whenever anything of it changes.
"""

from __future__ import annotations

import math
from abc import abstractmethod

from attrs import evolve

from ..switch import protocol as media
from . import agent_state as agents
from . import announcements, records, timeline
from .call_state import AgentDigit, AgentGone, AgentLeg, Data, HangUp, MuteAgent, Phase
from .dialling import Dialling
from .effects import Effect, Log, Media, Tell, Watch


class Conversation(Dialling):
    """The half of a call that has an agent."""

    @abstractmethod
    def without_agent(self, now: float) -> list[Effect]:
        """The agent is gone, and the far side is not."""

    def talk(self, agent: str, leg: str, now: float) -> list[Effect]:
        self.move(Phase.TALKING, now)
        data = self.state
        first = data.entry is not None and data.entry.answered is None
        number = records.LegEntry(self.id, len(data.legs), agent, now)
        away = data.agent_away and data.out is not None
        heard = data.timeline or timeline.begun(self.id, "caller", now)
        self.state = evolve(
            data, agent=agent, agent_leg=leg, agent_away=away, muted=False, legs=(*data.legs, number), timeline=heard
        )
        if first:
            self.note(answered=now, recorded=True)
        name = f"agent:{agent}"
        return [
            *([Media(media.OpenRecording(self.id))] if first else []),
            *self.wire(),
            Watch(name),
            Tell(name, agents.Joined(self.id)),
            Log("call answered", (("call", self.id), ("agent", agent))),
        ]

    def wire(self) -> list[Effect]:
        """Who hears whom between caller and agent now; while the agent is away the caller hears of it."""
        data = self.state
        voice = ((data.agent_leg, 1.0),) if data.agent_leg and not data.muted else ()
        to_agent = (media.Hears(data.agent_leg, ((data.leg, 1.0),)),) if data.agent_leg else ()
        if data.agent_away:
            away = announcements.agent_away(data.language, data.music)
            return [*self.play(away), *self.tape(), *(Media(media.Rewire((each,))) for each in to_agent)]
        return self.hear(*voice, others=(*to_agent, *self._channels(voice)))

    def _channels(self, voice: tuple[tuple[str, float], ...] = ()) -> tuple[media.Hears, ...]:
        """What the recording hears, where there is one: the caller, and the voice that the caller hears."""
        entry = self.state.entry
        if entry is None or not entry.recorded:
            return ()
        customer = media.Hears(media.left(self.id), ((self.state.leg, 1.0),))
        return customer, media.Hears(media.right(self.id), voice)

    def tape(self) -> list[Effect]:
        """The recording goes on while nobody talks with the caller."""
        channels = self._channels()
        return [Media(media.Rewire(channels))] if channels else []

    def mute(self, message: MuteAgent, now: float) -> list[Effect]:
        if message.agent != self.state.agent:
            return []
        self.state = evolve(self.state, muted=message.muted)
        return self.wire()

    def agent_digit(self, message: AgentDigit, now: float) -> list[Effect]:
        return self.send_digit(message.digit) if message.agent == self.state.agent else []

    def agent_leg_moved(self, message: AgentLeg, now: float) -> list[Effect]:
        if message.agent != self.state.agent:
            return []
        self.state = evolve(self.state, agent_leg=message.leg, agent_away=message.away)
        return self.wire()

    def agent_gone(self, message: AgentGone, now: float) -> list[Effect]:
        if message.agent != self.state.agent:
            return []
        return self.without_agent(now)

    def hang_up(self, message: HangUp, now: float) -> list[Effect]:
        if message.agent != self.state.agent:
            return []
        return self.end("agent", "hung up", now)

    def agent_told(self, before: Data) -> list[Effect]:
        """How the caller's sound fares, where that is news to the agent of the conversation."""
        data = self.state
        if data.phase is not Phase.TALKING:
            return []
        known = _sound(before) if before.phase is Phase.TALKING else (True, True, None)
        sound = _sound(data)
        return [] if sound == known else [Tell(f"agent:{data.agent}", agents.CallerSound(self.id, *sound))]


def _sound(data: Data) -> tuple[bool, bool, float | None]:
    """The caller's, as its agent hears of it: a caller who holds may send nothing."""
    silent = data.silent_since < math.inf and not data.on_hold
    return data.comes, data.goes, data.silent_since if silent else None
