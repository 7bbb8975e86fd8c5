"""The conversation: an agent and the far side hear each other, and what the agent does about it.

From the first agent's answer to the end a call is recorded, the far side left and whoever talks with it right; what the
switch itself says is in no recording, nor what anybody says during a hold, unless that is set. Who hears whom follows
from who is in the call (`edges.py`), and is said anew, all of it, whenever anything of that changes.
"""

from __future__ import annotations

import math
from collections.abc import Collection

from ..switch import protocol as media
from . import agent_state as agents
from . import edges, page, timeline, wiring
from .call_state import AgentDigit, AgentLeg, Data, MuteAgent, Phase
from .caller import Ear
from .dialling import Dialling
from .edges import Party
from .effects import Effect, Log, Media, Tell, Watch
from .evolving import evolve
from .line import LineDigit, SendDigit
from .parties import LEFT, RINGS, THREE, Second, Standing


class Conversation(Dialling):
    """The half of a call that has an agent."""

    def talk(self, agent: str, leg: str, now: float, queue: str = "") -> list[Effect]:
        """`queue`: in which it waited, and which is told of it."""
        self.move(Phase.TALKING, now)
        data = self.state
        away = data.agent_away and data.out is not None
        heard = data.timeline or timeline.begun(self.id, "caller", now)
        there = evolve(data, agent=agent, agent_leg=leg, agent_away=away, muted=False, timeline=heard)
        self.state = evolve(there, left_queues=())
        self.begin_leg_entry(agent, now)
        name = f"agent:{agent}"
        return [
            *self.first_answer(now),
            *self.wire(),
            Watch(name),
            Tell(name, agents.Joined(self.id, queue)),
            Log("call answered", (("call", self.id), ("agent", agent))),
        ]

    def first_answer(self, now: float) -> list[Effect]:
        """Somebody talks with the far side: from the first time on it is recorded."""
        entry = self.state.entry
        if entry is None or entry.answered is not None:
            return []
        self.note(answered=now, recorded=True)
        return [Media(media.OpenRecording(self.id))]

    # --- who hears whom ---------------------------------------------------------------------------------------

    def wire(self, before: Data | None = None) -> list[Effect]:
        """Who hears whom now, all of it between the same two ticks; who was in the call `before` and has left hears
        nothing."""
        heard = wiring.heard(self.state)
        shared = [sound for sound in heard.values() if isinstance(sound, media.OpenSource)]
        ears: list[Ear] = [
            (leg, (sound.source,) if isinstance(sound, media.OpenSource) else sound) for leg, sound in heard.items()
        ]
        left = {} if before is None else {seat.leg: None for seat in wiring.seats(before).values() if seat.leg}
        gone: list[Ear] = [(leg, ()) for leg in left if leg not in heard]
        said = self.say(*ears, *wiring.taped(self.state).items(), *gone)
        return [*map(Media, shared), *said, *self._hush(heard)]

    def _hush(self, listeners: Collection[str]) -> list[Effect]:
        """What is played to anybody else is of no more use."""
        data = self.state
        useless = {each: playing for each, playing in data.playing.items() if each not in listeners}
        if not useless:
            return []
        self.state = evolve(data, playing={each: at for each, at in data.playing.items() if each not in useless})
        return [Media(media.CloseSource(playing.source)) for playing in useless.values()]

    def tape(self) -> list[Effect]:
        """The recording goes on while nobody talks with the caller, who alone hears what is played."""
        return [*self.say(*wiring.taped(self.state).items()), *self._hush({self.state.leg})]

    # --- what an agent of it says -----------------------------------------------------------------------------

    def is_second(self, agent: str) -> bool:
        """Whether that agent is here as the second party, and no more ringing."""
        data = self.state
        return data.second is not None and data.standing not in RINGS and data.second.sits == agent

    def second(self) -> Second:
        second = self.state.second
        assert second is not None, "there is a second party in every standing that has one"
        return second

    def mute(self, message: MuteAgent, now: float) -> list[Effect]:
        if message.agent == self.state.agent:
            self.state = evolve(self.state, muted=message.muted)
        elif self.is_second(message.agent):
            self.state = evolve(self.state, second=evolve(self.second(), muted=message.muted))
        else:
            return []
        return self.wire()

    def agent_digit(self, message: AgentDigit, now: float) -> list[Effect]:
        if message.agent == self.state.agent:
            return self.pass_on(Party.AGENT, message.digit)
        return self.pass_on(Party.SECOND, message.digit) if self.is_second(message.agent) else []

    def far_digit(self, fact: media.DigitPressed, now: float) -> list[Effect]:
        """What it does to a prompt it has done when it is told. One that was a tone has been heard as that."""
        if fact.leg != self.state.leg or fact.how == "tone":
            return []
        return self.pass_on(Party.CUSTOMER, fact.digit)

    def line_digit(self, message: LineDigit, now: float) -> list[Effect]:
        """Of whoever is in the place of the far side, or of the second party."""
        second, moved = self.state.second, self.state.moved
        if message.asked or message.sounded:
            return []
        if moved is not None and moved.line == message.line:
            return self.pass_on(Party.CUSTOMER, message.digit)
        if second is not None and second.line == message.line:
            return self.pass_on(Party.SECOND, message.digit)
        return []

    def pass_on(self, who: Party, digit: str) -> list[Effect]:
        """To the far sides with whom that one is: keys are no sound, and pages have no use for them."""
        sent, second = list[Effect](), self.state.second
        for party in edges.company(who, wiring.seats(self.state)):
            if party is Party.CUSTOMER:
                sent += self.send_digit(digit)
            elif party is Party.SECOND and second is not None and second.line:
                sent.append(Tell(f"line:{second.line}", SendDigit(second.line, digit)))
        return sent

    def send_digit(self, digit: str) -> list[Effect]:
        moved = self.state.moved
        return (
            super().send_digit(digit) if moved is None else [Tell(f"line:{moved.line}", SendDigit(moved.line, digit))]
        )

    def agent_leg_moved(self, message: AgentLeg, now: float) -> list[Effect]:
        if message.agent == self.state.agent:
            self.state = evolve(self.state, agent_leg=message.leg, agent_away=message.away)
        elif self.is_second(message.agent):
            moved = evolve(self.second(), leg=message.leg, away=message.away)
            self.state = evolve(self.state, second=moved)
        else:
            return []
        return self.wire()

    def agent_told(self, before: Data) -> list[Effect]:
        """Who is in the call, and how the caller's sound fares, where that is news to an agent of it."""
        data = self.state
        if data.phase is not Phase.TALKING:
            return []
        told: list[Effect] = []
        known = _views(before) if before.phase is Phase.TALKING else {}
        sound = _sound(data)
        for agent, parties in _views(data).items():
            if parties != known.get(agent, (page.CallParties(self.id), 0)):
                told.append(Tell(f"agent:{agent}", agents.PartiesMoved(*parties)))
            if sound != (_sound(before) if agent in known else (True, True, None)):
                told.append(Tell(f"agent:{agent}", agents.CallerSound(self.id, *sound)))
        return told


def _views(data: Data) -> dict[str, tuple[page.CallParties, int]]:
    """Who is in the call, as each agent of it sees it, and how often it was given to another."""
    second, standing = data.second, data.standing
    held_since = data.held_since if data.held else None
    shown = None
    if second is not None and standing not in LEFT:
        shown = page.SecondParty(
            purpose="three_way" if standing in THREE else "referred" if standing is Standing.REFERRED else "consult",
            kind=second.kind,
            agent=second.agent,
            name=second.name,
            number=second.number,
            state="ringing" if standing in RINGS else "talking",
            early=second.early and standing in RINGS,
            held=standing is Standing.SWAPPED,
            since=second.since,
        )
    views = {}
    if data.agent:
        number = data.moved.number if data.moved is not None else ""
        parties = page.CallParties(data.arrived.call, "agent", data.held, held_since, shown, number=number)
        views[data.agent] = parties, data.transfers
        if second is not None and second.sits and standing not in RINGS:
            by, by_name = second.offer.by, second.offer.by_name
            views[second.sits] = evolve(parties, role="second", by=by, by_name=by_name), data.transfers
    return views


def _sound(data: Data) -> tuple[bool, bool, float | None]:
    """The caller's, as the agents of its call hear of it: a caller who holds may send nothing."""
    silent = data.silent_since < math.inf and not data.on_hold
    return data.comes, data.goes, data.silent_since if silent else None
