"""The conversation: an agent and the far side hear each other, and what the agent does about it.

From the first agent's answer to the end a call is recorded, the far side left and whoever talks with it right; what the
switch itself says is in no recording, nor what anybody says during a hold. Who hears whom follows from who is in the
call (`edges.py`), and is said anew, all of it, whenever anything of that changes.
"""

from __future__ import annotations

import math
from abc import abstractmethod

from ..switch import protocol as media
from . import agent_state as agents
from . import announcements, edges, page, records, timeline
from .call_state import AgentDigit, AgentGone, AgentLeg, Data, HangUp, Hold, MuteAgent, Phase, Retrieve
from .dialling import Dialling
from .edges import Alone, Party, Seat
from .effects import Effect, Log, Media, Tell, Watch
from .evolving import evolve


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

    def _seats(self) -> edges.Seats:
        data = self.state
        customer = Seat(data.leg, held=data.held)
        if not data.agent:
            return {Party.CUSTOMER: customer}
        return {Party.CUSTOMER: customer, Party.AGENT: Seat(data.agent_leg, muted=data.muted, away=data.agent_away)}

    def wire(self) -> list[Effect]:
        """Who hears whom now, all of it between the same two ticks."""
        data, seats = self.state, self._seats()
        to_agent = edges.heard(Party.AGENT, seats)
        assert not isinstance(to_agent, Alone), "the far side is never away, and the agent not held"
        others = (*([_hears(data.agent_leg, to_agent)] if data.agent_leg else []), *self._channels(seats))
        match edges.heard(Party.CUSTOMER, seats):
            case Alone.HOLD:
                return self.play(announcements.on_hold(data.language, data.music), others)
            case Alone.AWAY:
                return self.play(announcements.agent_away(data.language, data.music), others)
            case Alone.RINGBACK:
                raise AssertionError("nobody is called")
            case legs:
                return self.hear(*((leg, 1.0) for leg in legs), others=others)

    def _channels(self, seats: edges.Seats) -> tuple[media.Hears, ...]:
        """What the recording hears, where there is one."""
        entry = self.state.entry
        if entry is None or not entry.recorded:
            return ()
        left, right = edges.taped(seats)
        return _hears(media.left(self.id), left), _hears(media.right(self.id), right)

    def tape(self) -> list[Effect]:
        """The recording goes on while nobody talks with the caller."""
        channels = self._channels(self._seats())
        return [Media(media.Rewire(channels))] if channels else []

    # --- hold -------------------------------------------------------------------------------------------------

    def put_on_hold(self, message: Hold, now: float) -> list[Effect]:
        data = self.state
        if message.agent != data.agent or data.held:
            return []
        number = data.hold.number + 1 if data.hold is not None else 1
        self.state = evolve(data, held_since=now, hold=records.HoldEntry(self.id, number, now))
        return self.wire()

    def retrieve(self, message: Retrieve, now: float) -> list[Effect]:
        if message.agent != self.state.agent or not self.state.held:
            return []
        self.release_hold(now)
        return self.wire()

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
        """Who is in the call, and how the caller's sound fares, where that is news to the agent of the conversation."""
        data = self.state
        if data.phase is not Phase.TALKING:
            return []
        talked, agent = before.phase is Phase.TALKING, f"agent:{data.agent}"
        told: list[Effect] = []
        if (parties := _parties(data)) != (_parties(before) if talked else page.CallParties(self.id)):
            told.append(Tell(agent, agents.PartiesMoved(parties)))
        if (sound := _sound(data)) != (_sound(before) if talked else (True, True, None)):
            told.append(Tell(agent, agents.CallerSound(self.id, *sound)))
        return told


def _hears(listener: str, legs: edges.Heard) -> media.Hears:
    assert not isinstance(legs, Alone), "what nobody says is a source of its own"
    return media.Hears(listener, tuple((leg, 1.0) for leg in legs))


def _parties(data: Data) -> page.CallParties:
    return page.CallParties(data.arrived.call, data.held, data.held_since if data.held else None)


def _sound(data: Data) -> tuple[bool, bool, float | None]:
    """The caller's, as its agent hears of it: a caller who holds may send nothing."""
    silent = data.silent_since < math.inf and not data.on_hold
    return data.comes, data.goes, data.silent_since if silent else None
