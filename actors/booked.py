"""What is kept of a call: its row, one for each leg and each hold it had, how its far side was heard, and where sound
went one way.

A step changes the entries in the state; what has become another is recorded with the step (`recorded`).
"""

from __future__ import annotations

import math
from abc import ABC
from typing import Any, Final

from ..switch import protocol as media
from . import records, timeline, voicemail
from . import survey as surveys
from .call_state import Data, Phase
from .caller import Caller
from .effects import Effect, Record
from .evolving import evolve
from .parties import Standing

# Who is at the far end, as the record says who ended it.
FAR: Final = ("caller", "callee")


class Booked(Caller[Phase], ABC):
    """The books of one call."""

    state: Data

    def will(self, reason: str, now: float) -> list[Record]:
        """What is kept of a call that cannot say itself that it ends."""
        before = self.state
        self.close_entries("system", reason, now)
        return self.recorded(before)

    def recorded(self, before: Data) -> list[Record]:
        after = self.state
        entries: list[records.Entry] = [leg for leg in after.legs if leg not in before.legs]
        for new, old in ((after.hold, before.hold), (after.transfer, before.transfer)):
            if new is not None and new != old:
                entries.append(new)
        if after.survey is not None and (before.survey is None or after.survey.entry != before.survey.entry):
            entries.append(after.survey.entry)
        message = after.voicemail.entry if after.voicemail is not None else None
        if message is not None and (before.voicemail is None or before.voicemail.entry != message):
            entries.append(message)
        if after.entry is not None and after.entry != before.entry:
            entries.insert(0, after.entry)
        return [*(Record(entry) for entry in entries), *timeline.recorded(before.timeline, after.timeline)]

    def sound_recorded(self, before: Data, now: float) -> list[Record]:
        data = self.state
        same = (data.comes, data.goes) == (before.comes, before.goes)
        if same or data.entry is None or data.entry.test:
            return []
        return [Record(records.SoundEntry(self.id, "caller", now, data.comes, data.goes))]

    def heard(self, fact: media.LegQuality, now: float) -> list[Effect]:
        """How the caller is heard: of a call that is kept, from its place in the queue on."""
        heard = self.state.timeline
        if heard is not None:
            self.state = evolve(self.state, timeline=heard.heard(fact, now))
        return []

    def note(self, **changes: Any) -> None:
        """Changes what is recorded of the call."""
        entry = self.state.entry
        assert entry is not None, "a call begins with its entry"
        self.state = evolve(self.state, entry=evolve(entry, **changes))

    def survey_hears(self, message: object, now: float) -> list[Effect]:
        """The survey takes a step."""
        assert self.state.survey is not None, "it is asked"
        machine = surveys.Survey(self.state.survey)
        effects = machine.receive(message, now)
        self.state = evolve(self.state, survey=machine.state)
        return effects

    def voicemail_hears(self, message: object, now: float) -> None:
        """The caller's message takes a step."""
        assert self.state.voicemail is not None, "it leaves one"
        machine = voicemail.Voicemail(self.state.voicemail, self.id)
        machine.receive(message, now)
        self.state = evolve(self.state, voicemail=machine.state)

    def stand(self, standing: Standing, now: float) -> None:
        """The one door for the standing: a hold begins and ends with it."""
        data = self.state
        self.state = evolve(data, standing=standing)
        if self.state.held and not data.held:
            number = data.hold.number + 1 if data.hold is not None else 1
            self.state = evolve(self.state, held_since=now, hold=records.HoldEntry(self.id, number, now))
        elif data.held and not self.state.held and data.hold is not None:
            self.state = evolve(self.state, held_since=math.inf, hold=evolve(data.hold, ended=now))

    def transfer_came_to(self, outcome: str, why: str = "") -> None:
        """What became of the last transfer, while that is open."""
        transfer = self.state.transfer
        if transfer is not None and transfer.outcome == "ringing":
            self.state = evolve(self.state, transfer=evolve(transfer, outcome=outcome, why=why))

    def begin_leg_entry(self, party: str, now: float, to: str = "") -> None:
        legs = self.state.legs
        self.state = evolve(self.state, legs=(*legs, records.LegEntry(self.id, len(legs), party, now, to=to)))

    def close_leg_entries(self, now: float, *, agents_only: bool, party: str = "") -> None:
        """Of all, of all but the far side's, or of one `party`."""
        moved = self.state.moved
        far = 0 if moved is None else moved.place

        def closed(leg: records.LegEntry) -> records.LegEntry:
            stays = leg.ended is not None or (agents_only and leg.number == far) or party not in ("", leg.party)
            return leg if stays else evolve(leg, ended=now)

        self.state = evolve(self.state, legs=tuple(map(closed, self.state.legs)))

    def close_entries(self, by: str, cause: str, now: float) -> None:
        if self.state.entry is not None and self.state.entry.ended is None:
            self.note(ended=now, ended_by=by, cause=cause)
        if self.state.survey is not None and self.state.survey.phase is surveys.Phase.ASKING:
            self.survey_hears(surveys.Gone(hung_up=by in FAR), now)
        if self.state.voicemail is not None and self.state.voicemail.phase is not voicemail.Phase.OVER:
            self.voicemail_hears(voicemail.Gone(), now)
        self.stand(Standing.TALKING, now)
        self.close_leg_entries(now, agents_only=False)
        self.transfer_came_to("abandoned")
        if self.state.timeline is not None:
            self.state = evolve(self.state, timeline=self.state.timeline.over())
