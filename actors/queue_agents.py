"""The agents of a queue: how each of them stands, as far as the queue can tell.

Mostly an agent says so. That it rings, and talks, by an offer of the queue it does not say: the queue believes it,
until it hears something else.

    SAID --offered--> RINGS --its answer counts--> TALKS
     ^                | | `-- it refuses: it was not free --> REFUSED
     |                | `-- it says that it is free --> RINGS_FREE
     `--- it says how it stands, or says nothing to the offer at all

From each of these an agent is as it says as soon as it says something, but for one thing: who says that it is free
while an offer rings there has mostly not heard of the offer yet. It still rings, and is free when that offer is over.
"""

from __future__ import annotations

from . import acd
from .effects import Down, Effect
from .evolving import evolve
from .queue_line import Lined
from .queue_state import Answered, Belief, GaveBack, Offered, OfferEnded, Says, Standing
from .table import Bug, Late, Table, always, each, row

# What an agent does of which the queue believes this.
_DOES: dict[Belief, acd.Doing] = {
    Belief.RINGS: "ringing",
    Belief.RINGS_FREE: "ringing",
    Belief.TALKS: "talking",
    Belief.REFUSED: "refused",
}


class Roster(Lined):
    """The agents of a queue."""

    def learn(self, what: Says | Offered | OfferEnded | Answered, now: float) -> list[Effect]:
        """What becomes of the belief about an agent, by the table."""
        standing = self.state.agents.get(what.agent)
        return BELIEFS.take(self, Belief.UNKNOWN if standing is None else standing.belief, what, now)

    def _believe(self, agent: str, standing: Standing, belief: Belief) -> list[Effect]:
        """The one door for beliefs."""
        self._know(agent, evolve(standing, doing=_DOES.get(belief, standing.doing), belief=belief))
        return []

    def heard(self, message: Says, now: float) -> list[Effect]:
        agent, standing = message.agent, message.standing
        rings = standing.doing == "free" and any(agent in each.rung for each in self.ring_somewhere())
        return self._believe(agent, standing, Belief.RINGS_FREE if rings else Belief.SAID)

    def rings(self, message: Offered, now: float) -> list[Effect]:
        return self._believe(message.agent, self.state.agents[message.agent], Belief.RINGS)

    def talks(self, message: Answered, now: float) -> list[Effect]:
        """It hears now that its answer counts."""
        standing = self.state.agents[message.agent]
        who = evolve(standing.who, calls=standing.who.calls + 1)
        return self._believe(message.agent, evolve(standing, who=who), Belief.TALKS)

    def rang(self, message: OfferEnded, now: float) -> list[Effect]:
        """It says itself how it stands now, but for two: who refused was not free although we thought so, and is asked
        no more until it says otherwise; who never said anything may never have had the offer, and nothing more is known
        of it than before."""
        if message.how is GaveBack.REFUSED:
            return self._refused(message.agent)
        return self._as_before(message.agent) if message.how is None else []

    def rang_and_is_free(self, message: OfferEnded, now: float) -> list[Effect]:
        """As it has said, unless it refused the offer: then it has something to do, and will say so."""
        refused = message.how is GaveBack.REFUSED
        return self._refused(message.agent) if refused else self._as_before(message.agent)

    def _refused(self, agent: str) -> list[Effect]:
        return self._believe(agent, self.state.agents[agent], Belief.REFUSED)

    def _as_before(self, agent: str) -> list[Effect]:
        return self._believe(agent, evolve(self.state.agents[agent], doing="free"), Belief.SAID)

    def so_already(self, message: OfferEnded, now: float) -> list[Effect]:
        """It has said since how it stands, or is known to talk."""
        return []

    def _know(self, agent: str, standing: Standing) -> None:
        """How an agent stands from now on."""
        data, before = self.state, self.state.agents.get(agent)
        idle = data.idle + _is_free(standing) - _is_free(before)
        roster = data.roster if before is not None else ""
        self.state = evolve(data, agents={**data.agents, agent: standing}, idle=idle, roster=roster)

    def forget(self, agent: str) -> None:
        data = self.state
        known = {name: each for name, each in data.agents.items() if name != agent}
        self.state = evolve(data, agents=known, idle=data.idle - _is_free(data.agents.get(agent)), roster="")

    def agent_died(self, message: Down, now: float) -> list[Effect]:
        """Nobody will answer what was offered there, though the agent may have said before that it is none of ours any
        more. A call that left the queue as it ended is nobody's name here."""
        if not message.name.startswith("agent:"):
            return []
        agent = message.name.removeprefix("agent:")
        if agent in self.state.agents:
            self.forget(agent)
        for waiting in self.ring_somewhere():
            if agent in waiting.rung:
                self.replace(waiting.without(agent))
        return []

    def at_work(self, agent: str) -> bool:
        standing = self.state.agents.get(agent)
        return standing is not None and standing.at_work

    def attended(self) -> bool:
        return any(each.doing != "signed_out" for each in self.state.agents.values())

    def free(self) -> dict[str, acd.Free]:
        """Who could be offered a call."""
        return {name: each.who for name, each in self.state.agents.items() if each.doing == "free"}


def _is_free(standing: Standing | None) -> bool:
    return standing is not None and standing.doing == "free"


_ASKED = Bug("only who is free is offered a call, and has said so")
_NOBODYS = Late("the agent was none of the queue's any more")

BELIEFS = Table(
    "agents of a queue",
    Belief,
    always(Says, Roster.heard, Belief),
    row(Offered, said=Roster.rings, **each("unknown rings rings_free talks refused", _ASKED)),
    row(
        OfferEnded,
        unknown=_NOBODYS,
        rings=Roster.rang,
        rings_free=Roster.rang_and_is_free,
        **each("said talks", Roster.so_already),
        refused=Bug("that offer was over when it refused, and it was asked no more"),
    ),
    row(Answered, unknown=_NOBODYS, **each("said rings rings_free talks refused", Roster.talks)),
)
