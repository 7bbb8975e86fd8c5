"""Voicemail: a caller whom its queue does not keep leaves a message.

It hears why, and a tone; from then on it alone is recorded, and hears nothing, until it hangs up, presses # or has said
all that fits. The message is part of the call's recording, which has the conversations that were before it too.
"""

from __future__ import annotations

import math

from ..switch import protocol as media
from . import announcements, voicemail
from . import queue_state as queues
from .call_state import Phase, Timeout
from .effects import Effect, Media, Tell
from .evolving import evolve
from .routes import ToQueue
from .surveying import Surveying


class TakingMessages(Surveying):
    """The half of a call that leaves a message."""

    def to_voicemail(self, cause: str, now: float) -> list[Effect]:
        route = self.state.route
        assert isinstance(route, ToQueue), "only a call of a queue waits"
        self.state = evolve(self.state, voicemail=voicemail.Data(route.queue))
        return [*self.say_goodbye(cause, announcements.voicemail(self.state.language), now), *self.tape()]

    @property
    def takes_message(self) -> bool:
        """The caller may leave one now, or is leaving it."""
        return self.state.voicemail is not None and self.state.voicemail.phase is not voicemail.Phase.OVER

    def message_until(self) -> float:
        """Until when it may speak; inf where it does not."""
        data = self.state.voicemail
        recording = data is not None and data.phase is voicemail.Phase.RECORDING
        return self.state.since + voicemail.LONGEST if recording else math.inf

    def message_goes_on(self, message: media.SourceFinished | Timeout, now: float) -> list[Effect]:
        """The greeting is over, or the time."""
        if isinstance(message, Timeout):
            return self._message_hears(voicemail.TimeOut(), now)
        entry, opened = self.state.entry, list[Effect]()
        assert entry is not None, "a call begins with its entry"
        if not entry.recorded:
            self.note(recorded=True)
            opened.append(Media(media.OpenRecording(self.id)))
        self.voicemail_hears(voicemail.Said(), now)
        self.move(Phase.GOODBYE, now)
        return [*opened, *self.hear(), *self.tape()]

    def last_key(self, fact: media.DigitPressed, now: float) -> list[Effect]:
        """A key of a caller to whom nobody talks any more."""
        if not self.takes_message:
            return []
        return self._message_hears(voicemail.Pressed(fact.digit), now)

    def message_left(self) -> list[Effect]:
        """The queue is told, where there is one as the call ends."""
        data = self.state.voicemail
        return [Tell(f"queue:{data.queue}", queues.MessageLeft(self.id))] if data is not None and data.left else []

    def _message_hears(self, message: object, now: float) -> list[Effect]:
        self.voicemail_hears(message, now)
        if self.takes_message:
            return []
        return self.say_goodbye(self.state.cause, announcements.thanks(self.state.language), now)
