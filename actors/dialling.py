"""An agent dials: what the books and the agent have of a call out (`outward.py`), until it is answered.

The agent hears the ringing tone of its country, or what the far side lets it hear before it answers.
"""

from __future__ import annotations

from abc import abstractmethod

from ..switch import protocol as media
from . import agent_state as agents
from . import records
from .booked import Booked
from .call_state import AgentGone, AgentLeg, Data, Granted, HangUp, Phase
from .effects import Effect, Media, Started, Tell, Watch
from .evolving import evolve
from .outward import Outward, Stage


class Dialling(Booked, Outward[Phase]):
    """The half of a call that an agent dials."""

    state: Data

    @abstractmethod
    def move(self, phase: Phase, now: float) -> None:
        """The one door for state changes."""

    @abstractmethod
    def talk(self, agent: str, leg: str, now: float) -> list[Effect]:
        """The agent and the far side hear each other."""

    @property
    def calling(self) -> bool:
        return self.state.phase is Phase.CALLING

    def enter(self, stage: Stage, now: float) -> None:
        self.move(Phase(stage.value), now)

    def dial(self, message: Started, now: float) -> list[Effect]:
        data, out = self.state, self.out
        entry = records.CallEntry(
            call=self.id,
            trunk="",
            direction="outbound",
            caller=out.number,
            caller_name="",
            dialled=out.shown,
            queue="",
            began=now,
        )
        self.state = evolve(data, entry=entry, legs=(records.LegEntry(self.id, 0, "caller", now),))
        agent = f"agent:{data.agent}"
        return [Watch(agent), Tell(agent, agents.Dialled(self.id, out.number)), *self.seek(now)]

    def granted(self, message: Granted, now: float) -> list[Effect]:
        self.note(trunk=message.trunk)
        return super().granted(message, now)

    # --- the agent --------------------------------------------------------------------------------------------

    def told_progress(self) -> list[Effect]:
        data, out = self.state, self.out
        if not data.agent:
            return []  # who left it to a survey
        told = Tell(f"agent:{data.agent}", agents.Progress(self.id, rings=out.rings, early=out.early))
        return [told, *self.dialling_tone()]

    def dialling_tone(self) -> list[Effect]:
        """What the agent hears of an attempt, as far as it has come."""
        data, out = self.state, self.out
        if not data.agent_leg:
            return []
        if out.early:
            return [Media(media.Rewire((media.Hears(data.agent_leg, ((data.leg, 1.0),)),)))]
        if not out.rings:
            return []
        tone = f"ringback:{data.country}"
        ringing = Media(media.OpenSource(tone, media.Ringback(data.country)))
        return [ringing, Media(media.Rewire((media.Hears(data.agent_leg, ((tone, 1.0),)),)))]

    def answered(self, now: float) -> list[Effect]:
        return self.talk(self.state.agent, self.state.agent_leg, now)

    def given_up(self, message: HangUp | AgentGone, now: float) -> list[Effect]:
        """The agent hangs up before there is an answer, or is gone."""
        if message.agent != self.state.agent:
            return []
        self._out(why="given_up", status=0)
        return self.end("agent", "given up", now)

    def agent_moved(self, message: AgentLeg, now: float) -> list[Effect]:
        if message.agent != self.state.agent:
            return []
        self.state = evolve(self.state, agent_leg=message.leg, agent_away=message.away)
        return self.dialling_tone()

    def fail(self, why: str, status: int, now: float) -> list[Effect]:
        """It comes to nothing, and the agent is told why."""
        self._out(why=why, status=status)
        cause = why.replace("_", " ") + (f" (SIP {status})" if status else "")
        return self.end("system", cause, now)
