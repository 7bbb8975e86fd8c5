"""A call with more than two in it, told without an event loop: who hears whom, by their names."""

from __future__ import annotations

from typing import Any, TypeVar

from attrs import evolve
from cordboard.actors import call_state as calls
from cordboard.actors import page
from cordboard.actors.agent import Agent
from cordboard.actors.call import Call
from cordboard.actors.directory import Directory
from cordboard.actors.effects import Record
from cordboard.actors.parties import Standing
from cordboard.actors.store.entries import key_of

from .house import NOW, House, what_is_heard

T = TypeVar("T")

LEG = "call:c/caller"
OUTSIDE = "line:c+1/caller"
TALKS = {"customer": "lin", "lin": "customer", "left": "customer", "right": "lin"}
HELD = {"customer": "on-hold", "lin": "", "left": "", "right": ""}


class Centre(House):
    """A house with a directory, the queues `support` and `sales`, and the agents `lin`, `wei` and `zoe`, with sound."""

    def begin(self, *agents: str) -> Centre:
        self.spawn("directory", Directory())
        self.queue()
        self.queue("sales")
        for name in agents or ("lin", "wei", "zoe"):
            self.sitting(name)
        return self

    def answered(self) -> Centre:
        """The call `c` came to `lin`, who has answered it at NOW + 5."""
        self.call()
        self.after(5)
        assert self.ask("lin", page.Answer()) == page.Accepted()
        return self

    def do(self, agent: str, *commands: page.Command) -> None:
        """... all of which are accepted."""
        for command in commands:
            assert self.ask(agent, command) == page.Accepted(), command

    @property
    def the_call(self) -> Call:
        call = self.actors["call:c"]
        assert isinstance(call, Call)
        return call

    @property
    def standing(self) -> Standing | calls.Phase:
        """Of the call, where somebody talks or is to; else its phase."""
        data = self.the_call.state
        return data.standing if data.phase is calls.Phase.TALKING else data.phase

    def one(self, name: str) -> Agent:
        agent = self.actors[f"agent:{name}"]
        assert isinstance(agent, Agent)
        return agent

    def phases(self, *names: str) -> tuple[str, ...]:
        return tuple(self.one(name).state.phase.value for name in names or ("lin", "wei"))

    def ears(self) -> dict[str, str]:
        """What the customer, each agent and both channels of the recording hear: names in their order, or one word for
        what the switch says. Agents who hear nothing are left out, but for `lin`."""
        agents = sorted(name.partition(":")[2] for name in self.actors if name.startswith("agent:"))
        legs = {self.one(name).state.voice: name for name in agents} | {LEG: "customer", OUTSIDE: "outside"}
        found = {}
        ears = {"customer": LEG, **{name: leg for leg, name in legs.items() if leg and name != "customer"}}
        channels = {"left": "c/left", "right": "c/right"} if "call:c" in self.actors else {}
        for who, ear in {**ears, **channels}.items():
            words = what_is_heard(self.engine, ear).split()
            found[who] = " ".join(sorted(legs.get(word, word) for word in words))
        return {who: heard for who, heard in found.items() if heard or who in HELD}

    def told(self, agent: str, kind: type[T]) -> list[T]:
        return [event for event in self.events(agent) if isinstance(event, kind)]

    def kept(self, kind: type[T]) -> list[T]:
        """What is recorded of that kind, as it is in the end, in the order in which it began."""
        newest: dict[object, T] = {}
        for _, each in self.said:
            if isinstance(each, Record) and isinstance(each.entry, kind):
                newest[key_of(each.entry)] = each.entry
        return list(newest.values())


def second(name: str, **how: Any) -> page.SecondParty:
    """The second party `name`, as pages see it: consulted, and talking since NOW + 5."""
    talks = page.SecondParty(
        "consult", "agent", name, name.title(), "", "talking", early=False, held=False, since=NOW + 5
    )
    return evolve(talks, **how)
