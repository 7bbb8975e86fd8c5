"""Draws docs/machines.md from the table of every machine: `python -m cordboard.actors.machines > docs/machines.md`.

A test holds that the page is current.
"""

from __future__ import annotations

import sys
from typing import Any

from . import (
    acts,
    agent,
    call,
    directory,
    gateway,
    line,
    queue,
    queue_agents,
    registration,
    survey,
    switchboard,
    trunk,
    voicemail,
)
from .table import Table

TABLES: tuple[Table[Any], ...] = (
    agent.TABLE,
    call.TABLE,
    acts.PARTIES,
    survey.TABLE,
    voicemail.TABLE,
    line.TABLE,
    queue.TABLE,
    queue_agents.BELIEFS,
    trunk.TABLE,
    gateway.TABLE,
    registration.TABLE,
    switchboard.TABLE,
    directory.TABLE,
)

HEAD = """\
# The machines of the actors

Drawn from the tables by `python -m cordboard.actors.machines`; do not edit.

Each actor is one state machine; a trunk has one more for each of its hosts (gateway) and one for its registration, a
call one for its survey, and a queue has one for what it believes of each agent.
Each table is total: for every input (a row) and every state (a column) it names the method that handles it, or why the
input is *late* there (a known crossing, dropped by name) or would be a *bug* of ours (it raises). An `asks.` input is a
command of the agent's page; a `Timeout` is the state's own deadline.
"""


CROSSINGS = """
# The late crossings

What comes so late that its hearer has gone on is dropped, each for a reason that is its name: in the journal, and here,
with the inputs that it is about and the states in which they are met. All that is not here is handled, or is a bug. A
seeded random walk (`tests/actors/test_walk.py`) meets every one of the agent, the call, its parties, the line and the
queue, and says how often.
"""


def page() -> str:
    """The whole page."""
    tables = "".join(f"\n## {table.name.capitalize()}\n\n{table.draw()}\n" for table in TABLES)
    return HEAD + tables + CROSSINGS + "".join(_crossings(table) for table in TABLES if table.late())


def _crossings(table: Table[Any]) -> str:
    """Those of one machine, by their names."""
    lines = [
        f"- **{why}**: " + "; ".join(f"{message.__name__} in {', '.join(states)}" for message, states in met)
        for why, met in table.late().items()
    ]
    return f"\n## Late for the {table.name}\n\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
