"""What an agent does with its call beside talking, and what becomes of the second party.

Whatever changes who is in a call is an input of one total table, by the call's standing (`parties.py`): hold and
retrieve; a second party that is consulted, invited, or given the call; its answer, refusal and end; and the end of the
agent's own part. Each step ends in one standing, and who hears whom follows from that.

Who is offered the call hears what a queue would say, with the call's name as who offers it; `serial` tells this offer
from an earlier one to the same agent. A transfer that nobody takes is offered back to the agent it came from, and then
waits at the front of its queue.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Final

from . import agent_state as agents
from . import page, records
from .call_state import (
    Accept,
    AgentGone,
    Cancel,
    Complete,
    Consult,
    Data,
    Divert,
    HangUp,
    Hold,
    Invite,
    Merge,
    Retrieve,
    Swap,
    Transfer,
)
from .conversation import Conversation
from .effects import Effect, Log, Tell, Watch
from .evolving import evolve
from .line import EndLine, LineBegun, LineOver, LineRings, LineUp, Reach
from .parties import (
    RINGS,
    AgentHangsUp,
    AgentLeaves,
    Second,
    SecondFails,
    SecondLeaves,
    SecondUp,
    Standing,
    purpose_of,
)
from .queue import OFFER_GRACE, GaveBack, OfferOver
from .table import Bug, Late, Table, each, row

# How long a second party rings, and an agent to whom its call comes back, in seconds.
RING_SECONDS: Final = 30.0
RETURN_SECONDS: Final = 20.0
# ... and somebody outside, whose telephone takes its time before it rings.
LINE_SECONDS: Final = 60.0
# What an offer came to, as a code of `page.FAILURES`.
_WHY: Final = {
    GaveBack.REFUSED: "not_idle",
    GaveBack.RETURNED: "gone",
    GaveBack.DECLINED: "declined",
    GaveBack.MISSED: "no_answer",
}
TRANSFERRED: Final = "transferred"


class Acts(Conversation):
    """The half of a call that knows of more than two."""

    @abstractmethod
    def wait_again(self, now: float, home: agents.QueueKnown | None) -> list[Effect]:
        """Nobody has the call: it goes back to the front of its queue, or to that of `home`."""

    @abstractmethod
    def join_queue(self, queue: agents.QueueKnown, now: float) -> list[Effect]:
        """The call waits in that queue."""

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
        if second is not None and (message.agent, message.serial) == (second.sits, second.offer.serial):
            return self.turn(SecondUp(message.leg), now)
        if message.agent == self.state.agent:
            return []  # it has the call; its second answer changes nothing
        return [Tell(f"agent:{message.agent}", agents.Lost(self.id, _lost(message)))]

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
        return self.left(message.agent, now)

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

    # --- by a line --------------------------------------------------------------------------------------------

    def _by(self, line: str) -> Second | None:
        """The second party, if it is reached by this one."""
        second = self.state.second
        return second if second is not None and second.line == line else None

    def line_begun(self, message: LineBegun, now: float) -> list[Effect]:
        """One that nobody wanted any more when it began did not hear so."""
        name, second = f"line:{message.line}", self._by(message.line)
        if second is None:
            return [Tell(name, EndLine(message.line))]
        number = message.number if second.kind == "number" else ""
        self.state = evolve(self.state, second=evolve(second, number=number))
        return [Watch(name)]

    def line_rings(self, message: LineRings, now: float) -> list[Effect]:
        second = self._by(message.line)
        if second is None or self.state.standing not in RINGS:
            return []
        self.state = evolve(self.state, second=evolve(second, early=message.early, leg=message.leg))
        return self.wire()

    def line_up(self, message: LineUp, now: float) -> list[Effect]:
        return self.turn(SecondUp(message.leg), now) if self._by(message.line) is not None else []

    def line_over(self, message: LineOver, now: float) -> list[Effect]:
        return self.line_lost(message.line, message.why, message.status, now)

    def line_lost(self, line: str, why: str, status: int, now: float) -> list[Effect]:
        """It hears no more of this call."""
        second = self._by(line)
        if second is None:
            return []
        self.state = evolve(self.state, second=evolve(second, line=""))
        if self.state.standing in RINGS:
            return self.turn(SecondFails(why, status), now)
        return self.turn(SecondLeaves("hung_up" if why == "hung_up" else "gone"), now)

    # --- steps ------------------------------------------------------------------------------------------------

    def _go(self, standing: Standing, before: Data | None, now: float) -> list[Effect]:
        """There, and who was in the call `before` hears no more of it; None: all went by themselves."""
        self.stand(standing, now)
        log = Log("call stands", (("call", self.id), ("state", standing.value)))
        return [log, *self.wire(before)]

    def _bring(self, message: Consult | Invite | Transfer, standing: Standing, now: float) -> list[Effect]:
        """It is offered to the target, in the name of the agent who has it."""
        home = message.home if isinstance(message, Transfer) else None
        offer = evolve(message.offer, purpose=purpose_of(standing), ring_seconds=RING_SECONDS, by=message.agent)
        kind: page.Kind = "number" if message.number else "mobile" if message.mobile else "agent"
        second = Second(message.target, message.name, offer, now, kind, message.number, home=home)
        return self._offer(second, now)

    def _offer(self, second: Second, now: float) -> list[Effect]:
        serial = self.state.brought + 1
        offer = evolve(second.offer, offerer=f"call:{self.id}", serial=serial)
        until = now + (offer.ring_seconds + OFFER_GRACE if second.sits else LINE_SECONDS)
        line = "" if second.sits else f"{self.id}+{serial}"
        self.state = evolve(self.state, brought=serial, second=evolve(second, offer=offer, ring_until=until, line=line))
        if line:
            mobile = second.kind == "mobile"
            reach = Reach(line, f"call:{self.id}", offer.by, second.number, second.agent if mobile else "", mobile)
            return [Tell("switchboard", reach)]
        agent = f"agent:{second.agent}"
        return [Watch(agent), Tell(agent, offer)]

    def _second_out(self, code: str, cause: str, reason: str, now: float) -> list[Effect]:
        """The second party is no longer in the call: one that rings hears the `code`, one that talks the `cause`."""
        second, rings = self.second(), self.state.standing in RINGS
        self.state = evolve(self.state, second=None)
        if not rings:
            self.close_leg_entries(now, agents_only=True, party=second.party)
        if not second.sits:
            return [Tell(f"line:{second.line}", EndLine(second.line))] if second.line else []
        agent = f"agent:{second.agent}"
        if rings:
            return [Tell(agent, agents.Withdraw(self.id, code))]
        return [Tell(agent, agents.Ended(self.id, "agent", cause, reason))]

    def let_go(self, now: float) -> list[Effect]:
        return self._second_out("taken_back", "the other agent ended it", "released", now)

    def _rang_in_vain(self, now: float) -> list[Effect]:
        """Whatever it thinks of the offer: it is over."""
        return self._second_out("no_answer", "", "", now)

    def _told_why(self, why: str, status: int = 0) -> list[Effect]:
        """The agent hears why the second party is not there."""
        second = self.second()
        over = page.CallSecondOver(
            call=self.id,
            purpose=purpose_of(self.state.standing),
            kind=second.kind,
            agent=second.agent,
            name=second.name,
            number=second.number,
            why=why,
            text=page.FAILURES[why],
            status=status,
        )
        return [Tell(f"agent:{self.state.agent}", agents.SecondOver(over))]

    def parted(self, cause: str, reason: str, now: float) -> list[Effect]:
        """The agent's part is over, and its paperwork begins; the call goes on."""
        agent = self.state.agent
        self.close_leg_entries(now, agents_only=True, party=agent)
        self.state = evolve(self.state, agent="", agent_leg="", agent_away=False, muted=False)
        return [Tell(f"agent:{agent}", agents.Ended(self.id, "agent", cause, reason))]

    def _taken_over(self) -> None:
        """The second party is the agent of the call from now on."""
        second = self.second()
        self.state = evolve(
            self.state,
            agent=second.agent,
            agent_leg=second.leg,
            agent_away=second.away,
            muted=second.muted,
            second=None,
        )

    # --- hold -------------------------------------------------------------------------------------------------

    def hold(self, message: Hold, now: float) -> list[Effect]:
        held = {
            Standing.TALKING: Standing.HELD,
            Standing.INVITED: Standing.INVITED_HELD,
            Standing.THREE_WAY: Standing.THREE_WAY_HELD,
        }
        return self._go(held[self.state.standing], None, now)

    def retrieve(self, message: Retrieve, now: float) -> list[Effect]:
        taken = {
            Standing.HELD: Standing.TALKING,
            Standing.INVITED_HELD: Standing.INVITED,
            Standing.THREE_WAY_HELD: Standing.THREE_WAY,
        }
        return self._go(taken[self.state.standing], None, now)

    def so_already(self, message: object, now: float) -> list[Effect]:
        return []

    # --- a second party ---------------------------------------------------------------------------------------

    def consult(self, message: Consult, now: float) -> list[Effect]:
        offered = self._bring(message, Standing.CONSULT_RINGS, now)
        return [*offered, *self._go(Standing.CONSULT_RINGS, None, now)]

    def invite_second(self, message: Invite, now: float) -> list[Effect]:
        return [*self._bring(message, Standing.INVITED, now), *self._go(Standing.INVITED, None, now)]

    def transfer(self, message: Transfer, now: float) -> list[Effect]:
        before = self.state
        offered = self._bring(message, Standing.TRANSFER, now)
        return [*offered, *self._given(before, now)]

    def _note_transfer(self, now: float, *, queue: str = "") -> None:
        """The agent gives the call to its second party, or to a queue."""
        data, second = self.state, self.state.second
        kind, agent, number = ("queue", "", "") if second is None else (second.kind, second.agent, second.number)
        count = data.transfers + 1
        entry = records.TransferEntry(self.id, count, kind, data.agent, now, agent, queue, number)
        self.state = evolve(data, transfers=count, transfer=entry)

    def _given(self, before: Data, now: float) -> list[Effect]:
        """The agent leaves the call to whoever rings."""
        self._note_transfer(now)
        parted = self.parted(TRANSFERRED, TRANSFERRED, now)
        return [*parted, *self._go(Standing.TRANSFER, before, now)]

    def divert(self, message: Divert, now: float) -> list[Effect]:
        before = self.state
        self._note_transfer(now, queue=message.queue.queue)
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
        self._note_transfer(now)
        self.transfer_came_to("connected")
        parted = self.parted(TRANSFERRED, TRANSFERRED, now)
        if not self.second().sits:
            return [*parted, *self._go(Standing.JOINED, before, now)]
        self._taken_over()
        return [*parted, *self._go(Standing.TALKING, before, now)]

    def cancel(self, message: Cancel, now: float) -> list[Effect]:
        """What the second party was there for is over; a customer whom only that kept waiting is back."""
        before = self.state
        released = self.let_go(now)
        kept = before.standing in (Standing.INVITED_HELD, Standing.THREE_WAY_HELD)
        return [*released, *self._go(Standing.HELD if kept else Standing.TALKING, before, now)]

    def swap(self, message: Swap, now: float) -> list[Effect]:
        consults = self.state.standing is Standing.CONSULT
        return self._go(Standing.SWAPPED if consults else Standing.CONSULT, None, now)

    def merge(self, message: Merge, now: float) -> list[Effect]:
        return self._go(Standing.THREE_WAY, None, now)

    # --- what becomes of it -----------------------------------------------------------------------------------

    def second_up(self, message: SecondUp, now: float) -> list[Effect]:
        up = {
            Standing.CONSULT_RINGS: Standing.CONSULT,
            Standing.INVITED: Standing.THREE_WAY,
            Standing.INVITED_HELD: Standing.THREE_WAY_HELD,
        }
        second = evolve(self.second(), leg=message.leg, since=now)
        self.state = evolve(self.state, second=second)
        self.begin_leg_entry(second.party, now)
        joined = [Tell(f"agent:{second.agent}", agents.Joined(self.id))] if second.sits else []
        return [*self._go(up[self.state.standing], None, now), *joined]

    def arrived(self, message: SecondUp, now: float) -> list[Effect]:
        """Whom it rang at has the call; somebody outside talks with the customer alone."""
        second = self.second()
        self.transfer_came_to("connected")
        if not second.sits:
            self.state = evolve(self.state, second=evolve(second, leg=message.leg, since=now))
            self.begin_leg_entry(second.party, now)
            return self._go(Standing.JOINED, None, now)
        self.state = evolve(self.state, second=None)
        self.stand(Standing.TALKING, now)
        return self.talk(second.agent, message.leg, now)

    def failed(self, message: SecondFails, now: float) -> list[Effect]:
        """It will not come. A customer who is held stays so until the agent says otherwise."""
        before = self.state
        told = [*self._told_why(message.why, message.status), *self._rang_in_vain(now)]
        return [*told, *self._go(Standing.HELD if before.held else Standing.TALKING, before, now)]

    def offer_back(self, message: SecondFails, now: float) -> list[Effect]:
        """Nobody wants it: it rings at the agent it came from."""
        before = self.second()
        self.transfer_came_to("returned", message.why)
        released = self._rang_in_vain(now)
        offer = evolve(
            before.offer,
            purpose="returned",
            ring_seconds=RETURN_SECONDS,
            by=before.agent,
            by_name=before.name,
            by_number=before.number,
            why=message.why,
            status=message.status,
        )
        second = Second(before.offer.by, before.offer.by_name, offer, now, home=before.home)
        return [*released, *self._offer(second, now), *self._go(Standing.RETURNED, None, now)]

    def returned_in_vain(self, message: SecondFails, now: float) -> list[Effect]:
        home = self.second().home
        released = self._rang_in_vain(now)
        self.stand(Standing.TALKING, now)
        return [*released, *self.wait_again(now, home)]

    def second_left(self, message: SecondLeaves, now: float) -> list[Effect]:
        """The customer is where it was: held where the agent talked with the second party alone."""
        before = self.state
        told, over = self._told_why(message.why), self._second_out("", "hung up", "", now)
        stands = Standing.HELD if before.held else Standing.TALKING
        if message.why == "gone":  # by itself, and its leg may be in another call already
            return [*told, *self._go(stands, None, now)]
        return [*told, *over, *self._go(stands, before, now)]

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
        """In a conversation of three the other agent has the call; one outside is not left alone with it (F-51)."""
        before = self.state
        if not self.second().sits:
            return self.over_for_the_agent(now)
        parted = self.parted("hung up", "", now)
        self._taken_over()
        return [*parted, *self._go(Standing.TALKING, before, now)]

    def agent_lost(self, message: AgentLeaves, now: float) -> list[Effect]:
        before = evolve(self.state, agent="")  # it has gone by itself, and its leg may be in another call already
        released = self.let_go(now) if before.second is not None else []
        self.state = evolve(self.state, agent="", agent_leg="", agent_away=False, muted=False)
        self.stand(Standing.TALKING, now)
        silenced = self.wire(before) if released else []
        return [*released, *silenced, *self.wait_again(now, None)]

    def agent_lost_of_three(self, message: AgentLeaves, now: float) -> list[Effect]:
        if not self.second().sits:
            return self.agent_lost(message, now)
        self.close_leg_entries(now, agents_only=True, party=self.state.agent)
        self._taken_over()
        return self._go(Standing.TALKING, None, now)


def _lost(message: Accept) -> str:
    """What an agent hears whose answer came too late: 0 is an offer of a queue."""
    return "taken_back" if message.serial else "answered_elsewhere"


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
_UP = Late("it talks already")
_CONSULTED = Late("nobody is consulted")

PARTIES: Table[Standing] = Table(
    "parties",
    Standing,
    row(
        Hold,
        **each("talking invited three_way", Acts.hold),
        **each("held consult_rings consult invited_held three_way_held", Acts.so_already),
        swapped=Late("whom the agent consults waits in the customer's place"),
        **each(_LEFT, _NOBODY),
    ),
    row(
        Retrieve,
        **each("held invited_held three_way_held", Acts.retrieve),
        **each("talking swapped invited three_way", Acts.so_already),
        **each("consult_rings consult", _WAITS),
        **each(_LEFT, _NOBODY),
    ),
    row(Consult, **each(_TWO, Acts.consult), **each(f"{_RINGS} {_THERE}", _SECOND), **each(_LEFT, _NOBODY)),
    row(
        Invite,
        talking=Acts.invite_second,
        held=Late("the customer is held"),
        **each(f"{_RINGS} {_THERE}", _SECOND),
        **each(_LEFT, _NOBODY),
    ),
    row(Transfer, **each(_TWO, Acts.transfer), **each(f"{_RINGS} {_THERE}", _SECOND), **each(_LEFT, _NOBODY)),
    row(Divert, **each(_TWO, Acts.divert), **each(f"{_RINGS} {_THERE}", _SECOND), **each(_LEFT, _NOBODY)),
    row(
        Complete,
        consult_rings=Acts.complete_early,
        **each("consult swapped", Acts.complete),
        **each(_TWO, _NO_SECOND),
        **each("invited invited_held three_way three_way_held", _CONSULTED),
        **each(_LEFT, _NOBODY),
    ),
    row(
        Cancel,
        **each(f"{_RINGS} {_THERE}", Acts.cancel),
        **each(_TWO, _NO_SECOND),
        **each(_LEFT, _NOBODY),
    ),
    row(
        Swap,
        **each("consult swapped", Acts.swap),
        consult_rings=_RINGING,
        **each(_TWO, _NO_SECOND),
        **each("invited invited_held three_way three_way_held", _CONSULTED),
        **each(_LEFT, _NOBODY),
    ),
    row(
        Merge,
        **each("consult swapped three_way_held", Acts.merge),
        three_way=Acts.so_already,
        **each(_RINGS, _RINGING),
        **each(_TWO, _NO_SECOND),
        **each(_LEFT, _NOBODY),
    ),
    row(
        SecondUp,
        **each(_RINGS, Acts.second_up),
        **each(_WITHOUT, Acts.arrived),
        **each(f"{_THERE} joined", _UP),
        **each(_TWO, Bug("nobody was asked")),
    ),
    row(
        SecondFails,
        **each(_RINGS, Acts.failed),
        transfer=Acts.offer_back,
        returned=Acts.returned_in_vain,
        **each(f"{_THERE} joined", _UP),
        **each(_TWO, Bug("nobody was asked")),
    ),
    row(
        SecondLeaves,
        **each(_THERE, Acts.second_left),
        joined=Acts.outside_left,
        **each(f"{_RINGS} {_WITHOUT} {_TWO}", Bug("nobody is there that could leave")),
    ),
    row(
        AgentHangsUp,
        **each(f"{_TWO} {_RINGS} consult swapped", Acts.agent_ends),
        **each("three_way three_way_held", Acts.agent_ends_for_itself),
        **each(_LEFT, _NOBODY),
    ),
    row(
        AgentLeaves,
        **each(f"{_TWO} {_RINGS} consult swapped", Acts.agent_lost),
        **each("three_way three_way_held", Acts.agent_lost_of_three),
        **each(_LEFT, _NOBODY),
    ),
)
