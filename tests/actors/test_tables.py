"""Every machine's table, pair by pair: behaviours brought into each state by real messages, given each input.

A handler returns effects; a late crossing only says so; a bug raises, and leaves the state as it was. A machine is told
nothing that its table does not know.
"""

from __future__ import annotations

import ast
import copy
import inspect
import subprocess
import sys
from collections.abc import Iterator
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import attrs
import pytest
from cordboard.actors import (
    agent,
    call,
    line,
    page,
    queue,
    signals,
    switchboard,
    trunk,
)
from cordboard.actors import agent_state as agents
from cordboard.actors import call_state as calls
from cordboard.actors import queue_state as queues
from cordboard.actors.effects import Behaviour, Effect, Log, Started
from cordboard.actors.routes import Echo
from cordboard.actors.table import Bug, ImpossibleInputError, Late, Machine, Table, always, row
from cordboard.switch import protocol as media

from .house import NOW
from .positions import MACHINES
from .samples import BY_CLASS


def pairs() -> Iterator[Any]:
    for machine in MACHINES:
        for state, message, _ in machine.table.pairs():
            yield pytest.param(machine, state, message, id=f"{machine.table.name}-{state.value}-{message.__name__}")


def given(message: type) -> object:
    """The sample as the actor receives it: a page's command inside its request."""
    sample: Any = copy.deepcopy(BY_CLASS[message])
    if message in get_args(page.Command):
        return page.Request("lin", 99, "192.0.2.7", sample)
    return sample


@pytest.mark.parametrize(("machine", "state", "message"), list(pairs()))
def test_every_pair_does_what_its_row_says(machine: type[Machine[Any]], state: Enum, message: type) -> None:
    entry = next(each for s, m, each in machine.table.pairs() if (s, m) == (state, message))
    behaviour = MACHINES[machine](state)
    assert isinstance(behaviour, machine)
    assert place_of(behaviour, state) is state
    before = behaviour.state
    if isinstance(entry, Bug):
        with pytest.raises(ImpossibleInputError, match=entry.why):
            behaviour.dispatch(state, given(message), NOW + 1)
        assert behaviour.state is before
    elif isinstance(entry, Late):
        assert behaviour.dispatch(state, given(message), NOW + 1) == [
            Log("late", (("input", message.__name__), ("state", state.value), ("why", entry.why)), "debug")
        ]
        assert behaviour.state is before
    else:
        effects = behaviour.receive(given(message), NOW + 1)
        assert all(isinstance(effect, get_args(Effect)) for effect in effects)
        assert is_frozen(behaviour.state)
        assert behaviour.deadline() > NOW - 1  # and it is a number


def place_of(behaviour: Behaviour, state: Enum) -> object:
    if isinstance(behaviour, queue.Queue):
        waiting = behaviour.state.calls.get("c")
        return (
            queues.Place.ABSENT if waiting is None else queues.Place.OFFERED if waiting.rung else queues.Place.WAITING
        )
    data: Any = behaviour.state
    return data.phase


def is_frozen(state: Any) -> bool:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(state, attrs.fields(type(state))[0].name, None)
    return True


def test_every_input_has_a_sample_and_no_sample_is_nobodys() -> None:
    inputs = {message for machine in MACHINES for message in machine.table.messages}
    assert inputs == set(BY_CLASS)


# --- nobody is told what its table does not know ----------------------------------------------------------------------

ACTORS = Path(inspect.getfile(agent)).parent
PACKAGE = agent.__name__.rpartition(".")[0]
KINDS: dict[str, type[Machine[Any]]] = {each.table.name: each for each in MACHINES}
# Where a message is put into a variable first, what it may be.
VARIABLES: dict[str, set[type]] = {
    "join": {queues.Join},
    "joining": {switchboard.JoinRoom},
    "routed": {calls.Routed},
    "stands": {calls.QueueStands},
    "self._stands()": {calls.QueueStands},
    "new": {agents.Profile, queues.Profile, trunk.Profile},
    "message": {
        calls.Accept,
        calls.HangUp,
        calls.MuteAgent,
        calls.Hold,
        calls.Retrieve,
        calls.AgentDigit,
        calls.AgentLeg,
        calls.AgentGone,
    },
    "asked": {calls.Dial},
    "offer": {agents.Offer},
    "sought": {agents.Sought},
    "reach": {line.Reach},
    "told": {agents.QueueStarted},
    "trouble": {calls.Trouble},
    "granted": {calls.Granted},
    "said": {line.LineBegun, line.LineRings, line.LineUp, line.LineOver, line.LineDigit},
    "call.joins(again=True)": {queues.Join},
    # What is told again to whoever missed it (invariants.py).
    "cure": {agents.Withdraw, agents.Lost, agents.Ended, agents.NotConnected, agents.LetGo, calls.AgentLeg},
    "failed": {media.LegFailed},
    "over": {queues.OfferOver},
    "dismissal": {agents.Dismiss, queues.Dismiss, trunk.Dismiss},
}
NAMES: dict[str, str] = {
    "agent": "agent",
    "name": "any",
    "each": "agent",
    "self.queue()": "queue",
    "call.queue()": "queue",
    "offer.offerer": "queue",
}
# Whoever owns the SIP call, and whoever owns a line: each of them knows it.
NAMES |= {
    "call": "caller",
    "signals.actor(message.call)": "caller",
    "self.state.owner": "owner",
    "message.owner": "owner",
}
SEVERAL: dict[str, tuple[str, ...]] = {"caller": ("call", "line"), "owner": ("agent",)}


def tells() -> Iterator[tuple[str, str, ast.expr]]:
    """(file, to whom, message) of every `Tell(...)` in the actors' source."""
    for path in sorted(ACTORS.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Tell":
                to, message = node.args
                text = ast.unparse(to)
                kind = text[2:].partition(":")[0] if text.startswith("f'") else NAMES.get(text, text.strip("'"))
                yield path.stem, kind, message


def classes_of(file: str, message: ast.expr) -> set[type]:
    name = message.func if isinstance(message, ast.Call) else message
    if ast.unparse(message) in VARIABLES:
        return VARIABLES[ast.unparse(message)]
    if isinstance(name, ast.Name) and name.id in VARIABLES:
        return VARIABLES[name.id]
    found: object = import_module(f"{PACKAGE}.{file}")
    for part in ast.unparse(name).split("."):
        found = getattr(found, part)
    assert isinstance(found, type)
    return {found}


def test_every_tell_has_a_row_in_the_table_of_whom_it_tells() -> None:
    found = list(tells())
    assert len(found) >= 25
    for file, kind, message in found:
        told = classes_of(file, message)
        if kind == "any":
            assert told <= {message for machine in MACHINES for message in machine.table.messages}
            continue
        for one in SEVERAL.get(kind, (kind,)):
            assert told <= set(KINDS[one].table.messages), (file, one, ast.unparse(message))


def test_shells_say_nothing_that_a_table_does_not_know() -> None:
    for machine in (call.Call, line.Line):
        assert set(get_args(signals.SipSignal)) - {signals.Arrived} <= set(machine.table.messages)
        assert set(get_args(signals.DialledSignal)) <= set(machine.table.messages)
    assert set(get_args(signals.TrunkSignal)) <= set(trunk.Trunk.table.messages)
    of_a_leg = {fact for fact in get_args(media.Fact) if attrs.fields(fact)[0].name == "leg"}
    of_a_leg.remove(media.LegElsewhere)  # a line of the log, for no actor
    of_a_browser = {media.WebrtcLegOpened, media.LegUnchecked, media.LegChecked}
    assert of_a_leg - of_a_browser <= set(line.Line.table.messages)
    assert of_a_leg - of_a_browser <= set(call.Call.table.messages)
    assert of_a_leg - {media.LegOpened, media.KeyAnswered} <= set(agent.Agent.table.messages)
    assert {*get_args(page.Command), page.Attached, page.Detached} <= set(agent.Agent.table.messages)


# --- the table itself -------------------------------------------------------------------------------------------------


class Light(Enum):
    RED = "red"
    GREEN = "green"


def test_a_table_that_forgets_a_state_or_says_a_thing_twice_does_not_start() -> None:
    with pytest.raises(TypeError, match="the row of Started is not total: green"):
        Table("light", Light, row(Started, red=Late("x")))
    with pytest.raises(TypeError, match="not total: blue"):
        Table("light", Light, row(Started, red=Late("x"), green=Late("x"), blue=Late("x")))
    with pytest.raises(TypeError, match="two rows for Started"):
        Table("light", Light, always(Started, Late("x"), Light), always(Started, Late("y"), Light))


def test_what_a_table_does_not_know_is_our_bug() -> None:
    with pytest.raises(ImpossibleInputError, match="trunk knows no Echo"):
        MACHINES[trunk.Trunk](trunk.Phase.INBOUND).receive(Echo(), NOW)


ANY_ORDER = """
import importlib, sys
for first in sys.argv[1:]:
    for known in [name for name in sys.modules if name.startswith("cordboard.actors")]:
        del sys.modules[known]
    importlib.import_module("cordboard.actors." + first)
"""


def test_actors_import_each_other_in_any_order() -> None:
    """They know each other's messages, in circles; no module needs another to be complete as it is read."""
    modules = [
        "agent",
        "agent_state",
        "announcements",
        "call",
        "call_state",
        "caller",
        "conversation",
        "dialler",
        "dialling",
        "gateway",
        "line",
        "mobile",
        "outward",
        "survey",
        "surveying",
        "queue",
        "registration",
        "trunk",
        "switchboard",
        "seat",
        "signalling",
        "runtime",
        "table",
    ]
    subprocess.run([sys.executable, "-c", ANY_ORDER, *modules], check=True)
