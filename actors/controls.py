"""What an agent's page asks about who is in its call: refused with a reason, or passed on to the call.

The agent knows who is in its call as the call told it last (`PartiesMoved`), and refuses by that; what the call has
come to in the same moment the call itself settles, and says by events. Whether a colleague can come at all the
directory knows: until it has answered, the page's request waits.
"""

from __future__ import annotations

import math
from typing import Final

from . import call_state as calls
from . import directory, page
from .agent_state import PartiesMoved, Phase, QueueKnown, SecondOver, Seeking, Sought
from .dialler import Dialler
from .effects import Effect, Tell
from .evolving import evolve

# The directory answers within milliseconds.
SEEK_TIMEOUT: Final = 5.0

Bring = page.Consult | page.Invite | page.Transfer
Control = (
    page.Hold
    | page.Retrieve
    | page.Consult
    | page.Invite
    | page.Transfer
    | page.Complete
    | page.Cancel
    | page.Swap
    | page.Merge
)


def refusal(command: Control, parties: page.CallParties, *, given: bool) -> str:
    """The code of `page.REFUSALS` for which a call of these parties takes no such command; empty where it does.
    `given`: as often as a call may be."""
    second = parties.second
    if parties.role == "second":
        return "not_yours"
    consulted = second if second is not None and second.purpose == "consult" else None
    rings = second is not None and second.state == "ringing"
    gives = isinstance(command, page.Transfer | page.Complete)
    match command:
        case page.Hold():
            code = "second_there" if consulted is not None and consulted.held else ""
        case page.Retrieve():
            code = "second_there" if consulted is not None and not consulted.held else ""
        case page.Consult() | page.Transfer():
            code = "second_there" if second is not None else ""
        case page.Invite():
            code = "second_there" if second is not None else "on_hold" if parties.customer_held else ""
        case page.Complete():
            code = "no_second" if consulted is None else ""
        case page.Cancel():
            code = "no_second" if second is None else ""
        case page.Swap():
            code = "no_second" if consulted is None else "not_answered_yet" if rings else ""
        case page.Merge():
            code = "no_second" if second is None else "not_answered_yet" if rings else ""
    return code or ("too_many_transfers" if gives and given else "")


class Controls(Dialler):
    """The agent's hand on its call."""

    def control(self, request: page.Request, now: float) -> list[Effect]:
        command, data = request.command, self.state
        assert isinstance(command, Control), "the table names no other"
        if not self._names(request, self._call()):
            return self.refuse(request, "no_call")
        parties = data.parties or page.CallParties(self._call().call)
        code = refusal(command, parties, given=data.transfers >= data.profile.customs.transfers)
        if not code and data.seeking is not None and isinstance(command, Bring):
            code = "second_there"
        if code:
            return self.refuse(request, code)
        agent = data.profile.agent
        match command:
            case page.Hold():
                return [*self.accept(request), self.tell_call(calls.Hold(agent))]
            case page.Retrieve():
                return [*self.accept(request), self.tell_call(calls.Retrieve(agent))]
            case page.Complete():
                return [*self.accept(request), self.tell_call(calls.Complete(agent, self._home()))]
            case page.Cancel():
                return [*self.accept(request), self.tell_call(calls.Cancel(agent))]
            case page.Swap():
                return [*self.accept(request), self.tell_call(calls.Swap(agent))]
            case page.Merge():
                return [*self.accept(request), self.tell_call(calls.Merge(agent))]
            case page.Consult() | page.Invite() | page.Transfer():
                return self._bring(request, command, now)

    def _bring(self, request: page.Request, command: Bring, now: float) -> list[Effect]:
        """Of a colleague the directory knows whether it can come; the gate decides about a number as it is dialled."""
        queue = command.queue if isinstance(command, page.Transfer) else ""
        named = [each for each in (command.agent, command.number, queue) if each]
        if len(named) != 1 or (command.mobile and not command.agent):
            return self.refuse(request, "bad_target")
        if queue:
            return self._divert(request, queue)
        if command.number:
            return [*self.accept(request), *self._ask_for(command, "", "")]
        return self._seek(request, command, now)

    def _home(self) -> QueueKnown | None:
        """The first of the agent's own queues."""
        mine = [each.queue for each in self.state.profile.skills[:1]]
        return next((each for each in self.state.profile.queues if each.queue in mine), None)

    def _divert(self, request: page.Request, queue: str) -> list[Effect]:
        profile = self.state.profile
        found = next((each for each in profile.queues if each.queue == queue), None)
        if found is None:
            return self.refuse(request, "no_such_queue")
        return [*self.accept(request), self.tell_call(calls.Divert(profile.agent, found))]

    # --- a colleague ------------------------------------------------------------------------------------------

    def _seek(self, request: page.Request, command: Bring, now: float) -> list[Effect]:
        agent, target = self.state.profile.agent, command.agent
        if target == agent:
            return self.refuse(request, "own_self")
        self.state = evolve(self.state, seeking=Seeking(request, target, now + SEEK_TIMEOUT))
        return [Tell("directory", directory.Seek(agent, target, command.mobile))]

    def sought(self, message: Sought, now: float) -> list[Effect]:
        seeking = self.state.seeking
        if seeking is None or seeking.agent != message.agent:
            return []  # that request was answered
        self.state = evolve(self.state, seeking=None)
        if message.code:
            return self.refuse(seeking.request, message.code)
        command = seeking.request.command
        assert isinstance(command, Bring), "nobody else is sought"
        return [*self.accept(seeking.request), *self._ask_for(command, message.agent, message.name)]

    def _ask_for(self, command: Bring, target: str, name: str) -> list[Effect]:
        """The call is told whom this agent wants in it: wherever that one is, it has the same time to answer."""
        agent, number, mobile = self.state.profile.agent, command.number, command.mobile
        profile = self.state.profile
        ring, back = profile.patience.ring, profile.patience.back
        offer = evolve(self._call(), by_name=profile.name, ring_seconds=ring, return_seconds=back, why="", status=0)
        match command:
            case page.Consult():
                return [self.tell_call(calls.Consult(agent, target, name, offer, number, mobile))]
            case page.Invite():
                return [self.tell_call(calls.Invite(agent, target, name, offer, number, mobile))]
            case page.Transfer():
                home = self._home()
                return [self.tell_call(calls.Transfer(agent, target, name, offer, home, number, mobile))]

    def seek_until(self) -> float:
        return self.state.seeking.until if self.state.seeking is not None else math.inf

    def stop_seeking(self) -> list[Effect]:
        """Nobody is wanted any more, or the directory says nothing: the request has its answer."""
        seeking = self.state.seeking
        if seeking is None:
            return []
        self.state = evolve(self.state, seeking=None)
        return self.refuse(seeking.request, "busy" if self.state.phase is Phase.TALKING else "no_call")

    # --- from the call ----------------------------------------------------------------------------------------

    def parties_moved(self, message: PartiesMoved, now: float) -> list[Effect]:
        if message.parties.call != self._call().call:
            return []
        self.state = evolve(self.state, parties=message.parties, transfers=message.transfers)
        return self.push(message.parties)

    def second_over(self, message: SecondOver, now: float) -> list[Effect]:
        return self.push(message.over) if message.over.call == self._call().call else []
