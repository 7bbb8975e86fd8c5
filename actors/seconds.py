"""The second party of a call: offered the call or reached by a line, let go, and told of.

What is done here follows from a step of `acts.py`; what becomes of the second party comes back as an input of the
table that is there.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Final

from . import agent_state as agents
from . import page
from .call_state import Consult, Data, Invite, Transfer
from .conversation import Conversation
from .effects import Effect, Log, Tell, Watch
from .evolving import evolve
from .line import EndLine, LineBegun, LineOver, LineRings, LineUp, Reach
from .parties import RINGS, AgentLeaves, Second, SecondFails, SecondLeaves, SecondUp, Standing, purpose_of
from .queue_state import OFFER_GRACE

# How long a number outside is called that no agent asked for, in seconds: nobody is there whom the call could go back
# to before, and a telephone takes its time before it rings.
UNASKED_SECONDS: Final = 60.0


class Seconds(Conversation):
    """The half of a call that has a second party."""

    @abstractmethod
    def turn(self, what: object, now: float) -> list[Effect]:
        """An input of the table of the parties."""

    @abstractmethod
    def agent_lost(self, message: AgentLeaves, now: float) -> list[Effect]:
        """The agent is gone, and the customer waits for another."""

    @property
    @abstractmethod
    def far(self) -> str:
        """Who is at the far end, as the record says who ended it."""

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
        self.state = evolve(self.state, second=evolve(second, number=number, begun=True))
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
        if (moved := self.state.moved) is not None and moved.line == line:
            return self.end(self.far if why == "hung_up" else "system", self.state.cause or "hung up", now)
        second = self._by(line)
        if second is None:
            return []
        self.state = evolve(self.state, second=evolve(second, line=""))
        if self.state.standing in RINGS:
            return self.turn(SecondFails(why, status), now)
        return self.turn(SecondLeaves("hung_up" if why == "hung_up" else "gone"), now)

    # --- steps ------------------------------------------------------------------------------------------------

    def go(self, standing: Standing, before: Data | None, now: float) -> list[Effect]:
        """There, and who was in the call `before` hears no more of it; None: all went by themselves."""
        self.stand(standing, now)
        log = Log("call stands", (("call", self.id), ("state", standing.value)))
        return [log, *self.wire(before)]

    def bring(self, message: Consult | Invite | Transfer, standing: Standing, now: float) -> list[Effect]:
        """It is offered to the target, in the name of the agent who has it."""
        home = message.home if isinstance(message, Transfer) else None
        offer = evolve(message.offer, purpose=purpose_of(standing), by=message.agent)
        kind: page.Kind = "number" if message.number else "mobile" if message.mobile else "agent"
        second = Second(message.target, message.name, offer, now, kind, message.number, home=home)
        return self.offer_to(second, now)

    def offer_to(self, second: Second, now: float, *, trunk: str = "") -> list[Effect]:
        """By a line of that `trunk` alone, or of any."""
        serial = self.state.brought + 1
        offer = evolve(second.offer, offerer=f"call:{self.id}", serial=serial)
        until = now + offer.ring_seconds + (OFFER_GRACE if second.sits else 0.0)  # a line says nothing itself
        line = "" if second.sits else f"{self.id}+{serial}"
        self.state = evolve(self.state, brought=serial, second=evolve(second, offer=offer, ring_until=until, line=line))
        if line:
            mobile = second.kind == "mobile"
            whose = second.agent if mobile else ""
            left = self.state.arrived.forwards
            reach = Reach(line, f"call:{self.id}", offer.by, second.number, whose, mobile, trunk, left)
            return [Tell("switchboard", reach)]
        agent = f"agent:{second.agent}"
        return [Watch(agent), Tell(agent, offer)]

    def second_out(self, code: str, cause: str, reason: str, now: float) -> list[Effect]:
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
        return self.second_out("taken_back", "the other agent ended it", "released", now)

    def rang_in_vain(self, now: float) -> list[Effect]:
        """Whatever it thinks of the offer: it is over."""
        return self.second_out("no_answer", "", "", now)

    def told_why(self, why: str, status: int = 0) -> list[Effect]:
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

    def taken_over(self) -> None:
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
