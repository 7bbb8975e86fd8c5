"""What an agent does with its call beside talking, and what becomes of the second party.

Whatever changes who is in a call is an input of one total table, by the call's standing (`parties.py`): hold and
retrieve; a second party that is consulted, invited, or given the call; its answer, refusal and end; and the end of the
agent's own part. Each step ends in one standing, and who hears whom follows from that.

Who is offered the call hears what a queue would say, with the call's name as who offers it; `serial` tells this offer
from an earlier one to the same agent. A transfer that nobody takes is offered back to the agent it came from, and then
waits at the front of its queue. One that a queue has sent outside, and no agent has, ends there with a goodbye.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Final

from ..switch import protocol as media
from . import agent_state as agents
from . import announcements, records, signals
from .call_state import (
    Accept,
    AgentGone,
    AgentLeg,
    Cancel,
    Complete,
    Consult,
    Data,
    Divert,
    HangUp,
    Hold,
    Invite,
    Merge,
    Phase,
    Retrieve,
    Swap,
    Transfer,
)
from .effects import Effect, Tell
from .evolving import evolve
from .parties import RINGS, AgentHangsUp, AgentLeaves, Second, SecondFails, SecondLeaves, SecondUp, Standing
from .queue_state import GaveBack, OfferOver
from .referred import Referred
from .seconds import UNASKED_SECONDS
from .table import Bug, Late, Table, each, row

# What an offer came to, as a code of `page.FAILURES`.
_WHY: Final = {
    GaveBack.REFUSED: "not_idle",
    GaveBack.RETURNED: "gone",
    GaveBack.DECLINED: "declined",
    GaveBack.MISSED: "no_answer",
}
TRANSFERRED: Final = "transferred"
# How a call ends that its queue sent to a number where nobody took it.
NOBODY_TOOK_IT: Final = "nobody took it"


class Acts(Referred):
    """The half of a call that knows of more than two."""

    @abstractmethod
    def wait_again(self, now: float, home: agents.QueueKnown | None) -> list[Effect]:
        """Nobody has the call: it goes back to the front of its queue, or to that of `home`."""

    @abstractmethod
    def join_queue(self, queue: agents.QueueKnown, now: float) -> list[Effect]:
        """The call waits in that queue."""

    @abstractmethod
    def say_goodbye(self, cause: str, goodbye: media.Playlist, now: float) -> list[Effect]:
        """The customer hears this, and then the call ends."""

    # --- from messages to inputs ------------------------------------------------------------------------------

    def turn(self, what: object, now: float) -> list[Effect]:
        return PARTIES.take(self, self.state.standing, what, now)

    def act(
        self,
        message: Hold | Retrieve | Consult | Invite | Transfer | Divert | Complete | Cancel | Swap | Merge,
        now: float,
    ) -> list[Effect]:
        """Only the agent whose call it is decides what becomes of it."""
        return self.turn(message, now) if message.agent == self.state.agent else []

    def accepted(self, message: Accept, now: float) -> list[Effect]:
        """By the second party, or by somebody whose offer is over."""
        second = self.state.second
        of_second = second is not None and (message.agent, message.serial) == (second.sits, second.offer.serial)
        if of_second and message.by_call:
            return self.turn(SecondUp(message.leg), now)
        if message.agent == self.state.agent:
            # it was offered the call again before this knew that it has it, and is heard by what it says now
            return self.agent_leg_moved(AgentLeg(message.agent, message.leg), now)
        lost = "taken_back" if message.by_call else "answered_elsewhere"
        return [Tell(f"agent:{message.agent}", agents.Lost(self.id, lost))]

    def offer_over(self, message: OfferOver, now: float) -> list[Effect]:
        second = self.state.second
        if second is None or (message.agent, message.serial) != (second.sits, second.offer.serial):
            return []  # an earlier one, which had been taken back
        return self.turn(SecondFails(_WHY[message.how]), now)

    def hang_up(self, message: HangUp, now: float) -> list[Effect]:
        if message.agent == self.state.agent:
            return self.turn(AgentHangsUp(), now)
        return self.turn(SecondLeaves("hung_up"), now) if self.is_second(message.agent) else []

    def agent_gone(self, message: AgentGone, now: float) -> list[Effect]:
        return [*self.left(message.agent, now), *self.let_agent_go(message, now)]

    def let_agent_go(self, message: AgentGone, now: float) -> list[Effect]:
        return [Tell(f"agent:{message.agent}", agents.LetGo(self.id))]

    def left(self, agent: str, now: float) -> list[Effect]:
        """An agent is gone, and hears no more of this call."""
        if agent == self.state.agent:
            return self.turn(AgentLeaves(), now)
        second = self.state.second
        if second is None or second.sits != agent:
            return []
        rings = self.state.standing in RINGS
        return self.turn(SecondFails("gone") if rings else SecondLeaves("gone"), now)

    def ring_until(self) -> float:
        second = self.state.second
        return second.ring_until if second is not None and self.state.standing in RINGS else float("inf")

    def rang_too_long(self, now: float) -> list[Effect]:
        """Nothing was heard of an offer for longer than it rings: that agent is lost."""
        return self.turn(SecondFails("not_answered" if self.second().line else "no_answer"), now)

    # --- hold -------------------------------------------------------------------------------------------------

    def hold(self, message: Hold, now: float) -> list[Effect]:
        held = {
            Standing.TALKING: Standing.HELD,
            Standing.INVITED: Standing.INVITED_HELD,
            Standing.THREE_WAY: Standing.THREE_WAY_HELD,
        }
        return self.go(held[self.state.standing], None, now)

    def retrieve(self, message: Retrieve, now: float) -> list[Effect]:
        taken = {
            Standing.HELD: Standing.TALKING,
            Standing.INVITED_HELD: Standing.INVITED,
            Standing.THREE_WAY_HELD: Standing.THREE_WAY,
        }
        return self.go(taken[self.state.standing], None, now)

    def so_already(self, message: object, now: float) -> list[Effect]:
        return []

    # --- a second party ---------------------------------------------------------------------------------------

    def consult(self, message: Consult, now: float) -> list[Effect]:
        offered = self.bring(message, Standing.CONSULT_RINGS, now)
        return [*offered, *self.go(Standing.CONSULT_RINGS, None, now)]

    def invite_second(self, message: Invite, now: float) -> list[Effect]:
        return [*self.bring(message, Standing.INVITED, now), *self.go(Standing.INVITED, None, now)]

    def transfer(self, message: Transfer, now: float) -> list[Effect]:
        before = self.state
        offered = self.bring(message, Standing.TRANSFER, now)
        return [*offered, *self._given(before, now)]

    def note_transfer(self, now: float, *, queue: str = "", cause: str = "") -> None:
        """The agent gives the call to its second party, or to a queue; or a queue sends it on for that cause."""
        data, second = self.state, self.state.second
        kind, agent, number = ("queue", "", "") if second is None else (second.kind, second.agent, second.number)
        count = data.transfers + 1
        entry = records.TransferEntry(self.id, count, kind, data.agent, now, agent, queue, number, cause=cause)
        self.state = evolve(data, transfers=count, transfer=entry)

    def _given(self, before: Data, now: float) -> list[Effect]:
        """The agent leaves the call to whoever rings."""
        self.note_transfer(now)
        parted = self.parted(TRANSFERRED, TRANSFERRED, now)
        return [*parted, *self.go(Standing.TRANSFER, before, now)]

    def divert(self, message: Divert, now: float) -> list[Effect]:
        before = self.state
        self.note_transfer(now, queue=message.queue.queue)
        self.transfer_came_to("queued")
        parted = self.parted(TRANSFERRED, TRANSFERRED, now)
        self.stand(Standing.TALKING, now)
        return [*parted, *self.wire(before), *self.join_queue(message.queue, now)]

    def complete_early(self, message: Complete, now: float) -> list[Effect]:
        """While it rings: from here on a blind transfer."""
        before = self.state
        self.state = evolve(before, second=evolve(self.second(), home=message.home))
        return self._given(before, now)

    def complete(self, message: Complete, now: float) -> list[Effect]:
        before = self.state
        self.note_transfer(now)
        self.transfer_came_to("connected")
        parted = self.parted(TRANSFERRED, TRANSFERRED, now)
        if not self.second().sits:
            return [*parted, *self.go(Standing.JOINED, before, now)]
        self.taken_over()
        return [*parted, *self.go(Standing.TALKING, before, now)]

    def cancel(self, message: Cancel, now: float) -> list[Effect]:
        """What the second party was there for is over; a customer whom only that kept waiting is back."""
        before = self.state
        released = self.let_go(now)
        kept = before.standing in (Standing.INVITED_HELD, Standing.THREE_WAY_HELD)
        return [*released, *self.go(Standing.HELD if kept else Standing.TALKING, before, now)]

    def swap(self, message: Swap, now: float) -> list[Effect]:
        consults = self.state.standing is Standing.CONSULT
        return self.go(Standing.SWAPPED if consults else Standing.CONSULT, None, now)

    def merge(self, message: Merge, now: float) -> list[Effect]:
        return self.go(Standing.THREE_WAY, None, now)

    # --- what becomes of it -----------------------------------------------------------------------------------

    def second_up(self, message: SecondUp, now: float) -> list[Effect]:
        up = {
            Standing.CONSULT_RINGS: Standing.CONSULT,
            Standing.INVITED: Standing.THREE_WAY,
            Standing.INVITED_HELD: Standing.THREE_WAY_HELD,
        }
        second = evolve(self.second(), leg=message.leg, since=now)
        self.state = evolve(self.state, second=second)
        self.begin_leg_entry(second.party, now, second.outside)
        joined = [Tell(f"agent:{second.agent}", agents.Joined(self.id))] if second.sits else []
        return [*self.go(up[self.state.standing], None, now), *joined]

    def arrived(self, message: SecondUp, now: float) -> list[Effect]:
        """Whom it rang at has the call; somebody outside talks with the customer alone."""
        second = self.second()
        self.transfer_came_to("connected")
        if not second.sits:
            self.state = evolve(self.state, second=evolve(second, leg=message.leg, since=now))
            self.begin_leg_entry(second.party, now, second.outside)
            return [*self.answer(now), *self.first_answer(now), *self.go(Standing.JOINED, None, now)]
        self.state = evolve(self.state, second=None)
        self.stand(Standing.TALKING, now)
        return self.talk(second.agent, message.leg, now)

    def failed(self, message: SecondFails, now: float) -> list[Effect]:
        """It will not come. A customer who is held stays so until the agent says otherwise."""
        before = self.state
        told = [*self.told_why(message.why, message.status), *self.rang_in_vain(now)]
        return [*told, *self.go(Standing.HELD if before.held else Standing.TALKING, before, now)]

    def offer_back(self, message: SecondFails, now: float) -> list[Effect]:
        """Nobody wants it: it rings at the agent it came from."""
        before = self.second()
        if not before.offer.by:
            return self._sent_out_in_vain(message.why, now)
        self.transfer_came_to("returned", message.why)
        released = self.rang_in_vain(now)
        offer = evolve(
            before.offer,
            purpose="returned",
            ring_seconds=before.offer.return_seconds,
            by=before.agent,
            by_name=before.name,
            by_number=before.number,
            why=message.why,
            status=message.status,
        )
        second = Second(before.offer.by, before.offer.by_name, offer, now, home=before.home)
        return [*released, *self.offer_to(second, now), *self.go(Standing.RETURNED, None, now)]

    # --- without an agent -------------------------------------------------------------------------------------

    def send_out(self, number: str, cause: str, now: float) -> list[Effect]:
        """Its queue does not keep the call: it rings outside, which the customer hears."""
        arrived, entry, came = self.state.arrived, self.state.entry, self.state.came
        self.move(Phase.TALKING, now)
        queue = entry.queue if entry is not None else ""
        offer = agents.Offer(
            self.id, queue, queue, arrived.caller, arrived.caller_name, arrived.dialled, came, UNASKED_SECONDS
        )
        reached = self.offer_to(Second("", "", offer, now, "number", number), now)
        self.note_transfer(now, cause=cause)
        return [*reached, *self.go(Standing.TRANSFER, None, now)]

    def _sent_out_in_vain(self, why: str, now: float) -> list[Effect]:
        """Nobody takes it there either, and the customer hears that."""
        self.transfer_came_to("failed", why)
        released = self.rang_in_vain(now)
        self.stand(Standing.TALKING, now)
        return [*released, *self.say_goodbye(NOBODY_TOOK_IT, announcements.goodbye(self.state.language), now)]

    def returned_in_vain(self, message: SecondFails, now: float) -> list[Effect]:
        home = self.second().home
        released = self.rang_in_vain(now)
        self.stand(Standing.TALKING, now)
        return [*released, *self.wait_again(now, home)]

    def second_left(self, message: SecondLeaves, now: float) -> list[Effect]:
        """The customer is where it was: held where the agent talked with the second party alone."""
        before = self.state
        told, over = self.told_why(message.why), self.second_out("", "hung up", "", now)
        stands = Standing.HELD if before.held else Standing.TALKING
        if message.why == "gone":  # by itself, and its leg may be in another call already
            return [*told, *self.go(stands, None, now)]
        return [*told, *over, *self.go(stands, before, now)]

    def outside_left(self, message: SecondLeaves, now: float) -> list[Effect]:
        """Nobody is left whom the customer could talk to."""
        return self.end("system", "the other party left", now)

    # --- the agent's own end ----------------------------------------------------------------------------------

    def agent_ends(self, message: AgentHangsUp, now: float) -> list[Effect]:
        return self.over_for_the_agent(now)

    def over_for_the_agent(self, now: float) -> list[Effect]:
        """... which ends the call."""
        return self.end("agent", "hung up", now)

    def agent_ends_for_itself(self, message: AgentHangsUp, now: float) -> list[Effect]:
        """In a conversation of three the other agent has the call; one outside is left alone with it only if that is
        set."""
        before, goes_on = self.state, self.state.customs.three_way
        sits = bool(self.second().sits)
        if goes_on == "never" or (goes_on == "agents" and not sits):
            return self.over_for_the_agent(now)
        parted = self.parted("hung up", "", now)
        if not sits:
            return [*parted, *self.go(Standing.JOINED, before, now)]
        self.taken_over()
        return [*parted, *self.go(Standing.TALKING, before, now)]

    def agent_lost(self, message: AgentLeaves, now: float) -> list[Effect]:
        before = evolve(self.state, agent="")  # it has gone by itself, and its leg may be in another call already
        released = self.let_go(now) if before.second is not None else []
        self.state = evolve(self.state, agent="", agent_leg="", agent_away=False, muted=False)
        self.stand(Standing.TALKING, now)
        silenced = self.wire(before) if released else []
        return [*released, *silenced, *self.wait_again(now, None)]

    def agent_lost_of_three(self, message: AgentLeaves, now: float) -> list[Effect]:
        sits = bool(self.second().sits)
        if not sits and self.state.customs.three_way != "all":
            return self.agent_lost(message, now)
        self.close_leg_entries(now, agents_only=True, party=self.state.agent)
        if not sits:
            self.state = evolve(self.state, agent="", agent_leg="", agent_away=False, muted=False)
            return self.go(Standing.JOINED, None, now)
        self.taken_over()
        return self.go(Standing.TALKING, None, now)


_RINGS = "consult_rings invited invited_held"
_THERE = "consult swapped three_way three_way_held"
_TWO = "talking held"
_WITHOUT = "transfer returned"
_LEFT = f"{_WITHOUT} joined"
_NOBODY = Bug("no agent has the call, and an act is that of an agent who has")
_NO_SECOND = Late("the second party had left")
_SECOND = Late("there was a second party already")
_RINGING = Late("it does not talk yet: the page is told so where it is known")
_WAITS = Late("beside whom the agent consults the customer waits")
_UP = Bug("it has answered, and says no more of its offer")
_CONSULTED = Late("nobody is consulted")
_REFERS = Late("the far side wants to be put through, and hears nobody")

PARTIES: Table[Standing] = Table(
    "parties",
    Standing,
    row(
        Hold,
        **each("talking invited three_way", Acts.hold),
        **each("held consult_rings consult invited_held three_way_held", Acts.so_already),
        referred=_REFERS,
        swapped=Late("whom the agent consults waits in the customer's place"),
        **each(_LEFT, _NOBODY),
    ),
    row(
        Retrieve,
        **each("held invited_held three_way_held", Acts.retrieve),
        **each("talking swapped invited three_way", Acts.so_already),
        **each("consult_rings consult", _WAITS),
        referred=_REFERS,
        **each(_LEFT, _NOBODY),
    ),
    row(Consult, **each(_TWO, Acts.consult), **each(f"{_RINGS} {_THERE} referred", _SECOND), **each(_LEFT, _NOBODY)),
    row(
        Invite,
        talking=Acts.invite_second,
        held=Late("the customer is held"),
        **each(f"{_RINGS} {_THERE} referred", _SECOND),
        **each(_LEFT, _NOBODY),
    ),
    row(Transfer, **each(_TWO, Acts.transfer), **each(f"{_RINGS} {_THERE} referred", _SECOND), **each(_LEFT, _NOBODY)),
    row(Divert, **each(_TWO, Acts.divert), **each(f"{_RINGS} {_THERE} referred", _SECOND), **each(_LEFT, _NOBODY)),
    row(
        Complete,
        consult_rings=Acts.complete_early,
        **each("consult swapped", Acts.complete),
        **each(_TWO, _NO_SECOND),
        **each("invited invited_held three_way three_way_held referred", _CONSULTED),
        **each(_LEFT, _NOBODY),
    ),
    row(
        Cancel,
        **each(f"{_RINGS} {_THERE}", Acts.cancel),
        referred=Acts.take_back,
        **each(_TWO, _NO_SECOND),
        **each(_LEFT, _NOBODY),
    ),
    row(
        Swap,
        **each("consult swapped", Acts.swap),
        consult_rings=_RINGING,
        **each(_TWO, _NO_SECOND),
        **each("invited invited_held three_way three_way_held referred", _CONSULTED),
        **each(_LEFT, _NOBODY),
    ),
    row(
        Merge,
        **each("consult swapped three_way_held", Acts.merge),
        three_way=Acts.so_already,
        **each(f"{_RINGS} referred", _RINGING),
        **each(_TWO, _NO_SECOND),
        **each(_LEFT, _NOBODY),
    ),
    row(
        SecondUp,
        **each(_RINGS, Acts.second_up),
        **each(_WITHOUT, Acts.arrived),
        referred=Acts.put_through,
        **each(f"{_THERE} joined", _UP),
        **each(_TWO, Bug("nobody was asked")),
    ),
    row(
        SecondFails,
        **each(_RINGS, Acts.failed),
        transfer=Acts.offer_back,
        returned=Acts.returned_in_vain,
        referred=Acts.not_put_through,
        **each(f"{_THERE} joined", _UP),
        **each(_TWO, Bug("nobody was asked")),
    ),
    row(
        SecondLeaves,
        **each(_THERE, Acts.second_left),
        joined=Acts.outside_left,
        **each(f"{_RINGS} {_WITHOUT} {_TWO} referred", Bug("nobody is there that could leave")),
    ),
    row(
        AgentHangsUp,
        **each(f"{_TWO} {_RINGS} consult swapped referred", Acts.agent_ends),
        **each("three_way three_way_held", Acts.agent_ends_for_itself),
        **each(_LEFT, _NOBODY),
    ),
    row(
        AgentLeaves,
        **each(f"{_TWO} {_RINGS} consult swapped", Acts.agent_lost),
        **each("three_way three_way_held", Acts.agent_lost_of_three),
        referred=Acts.agent_lost_referred,
        **each(_LEFT, _NOBODY),
    ),
    row(
        signals.Referred,
        talking=Acts.refer,
        **each(f"held {_RINGS} {_THERE} {_LEFT} referred", Acts.decline),
    ),
)
