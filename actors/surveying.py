"""The last word of a call: the customer is asked how satisfied it was, while the agent does its paperwork.

It begins as the agent asks for it, as it hangs up in a call of a queue that says so, or as the customer answers a call
that the agent has left before that. The customer is then alone with the switch, which plays what `survey.py` is at; the
call ends when that is over and the thanks have been said. What is said and pressed here is in no recording, which ends
with the agent's part.
"""

from __future__ import annotations

from ..switch import protocol as media
from . import agent_state as agents
from . import announcements, records
from . import survey as surveys
from .acts import Acts
from .call_state import Survey
from .effects import Effect, Log, Media, Tell
from .evolving import evolve
from .parties import Standing

# Why such a call ends, and the agent's part of it.
CAUSE = "survey"


class Surveying(Acts):
    """The half of a call that asks."""

    # --- how it begins ----------------------------------------------------------------------------------------

    def ask_for_survey(self, message: Survey, now: float) -> list[Effect]:
        if message.agent != self.state.agent:
            return []
        return self._ask(CAUSE, now)

    def over_for_the_agent(self, now: float) -> list[Effect]:
        return self._ask("hung up", now) if self.state.surveys else super().over_for_the_agent(now)

    def ask_when_answered(self, message: Survey, now: float) -> list[Effect]:
        """The agent leaves a call that is still on its way, and may be in another by now."""
        data = self.state
        if message.agent != data.agent:
            return []
        self.state = evolve(data, agent="", agent_leg="", agent_away=False, asks_for=data.agent)
        if not data.agent_leg:
            return []
        quiet = media.Rewire((media.Hears(data.agent_leg, ()),))
        return [Media(quiet), Tell(f"agent:{data.agent}", agents.LetGo(self.id))]

    def answered(self, now: float) -> list[Effect]:
        data = self.state
        if not data.asks_for:
            return super().answered(now)
        self.note(answered=now)
        return self._begin(data.asks_for, now)

    def _ask(self, cause: str, now: float) -> list[Effect]:
        """The agent of the conversation is free from here on, and a second party too."""
        data = self.state
        if data.left:  # nobody is there who could be asked
            return self.end("agent", "hung up", now)
        over = self.referral_over("given_up", 487)
        legs = [data.agent_leg, data.second.leg if data.second is not None else ""]
        released = self.let_go(now) if data.second is not None else []
        told = [*over, *released, *self.parted(cause, "", now)]
        self.stand(Standing.TALKING, now)
        gone = tuple(media.Hears(leg, ()) for leg in legs if leg)
        if gone:
            told.append(Media(media.Rewire(gone)))
        return [*told, Media(media.CloseRecording(self.id)), *self._begin(data.agent, now)]

    def _begin(self, agent: str, now: float) -> list[Effect]:
        entry = self.state.entry
        assert entry is not None, "a call begins with its entry"
        asked = surveys.Data(
            records.SurveyEntry(self.id, agent, entry.queue, now), again=self.state.customs.survey_again
        )
        self.state = evolve(self.state, survey=asked)
        log = Log("survey", (("call", self.id), ("agent", agent)))
        return [log, *self.say_goodbye(CAUSE, announcements.survey(*self._words()), now)]

    def _words(self) -> tuple[str, float]:
        return self.state.language, self.state.customs.survey_seconds

    # --- what comes of it -------------------------------------------------------------------------------------

    def key_answered(self, fact: media.KeyAnswered, now: float) -> list[Effect]:
        """One that crossed the end of the survey changes nothing."""
        return self._told(surveys.Pressed(fact.key), now) if self.asks else []

    def asked_in_vain(self, now: float) -> list[Effect]:
        return self._told(surveys.Silent(), now)

    @property
    def asks(self) -> bool:
        """The customer is being asked."""
        return self.state.survey is not None and self.state.survey.phase is surveys.Phase.ASKING

    def _told(self, message: object, now: float) -> list[Effect]:
        effects = self.survey_hears(message, now)
        if not self.asks:
            return [*effects, *self.say_goodbye(CAUSE, announcements.thanks(self.state.language), now)]
        again = announcements.survey(*self._words(), again=True)
        return [*effects, *self.stop_playing(), *self.say_goodbye(CAUSE, again, now)]  # from its beginning
