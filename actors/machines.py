"""Draws docs/machines.md from the table of every machine: `python -m cordboard.actors.machines > docs/machines.md`.

A test holds that the page is current.
"""

from __future__ import annotations

import sys

from . import acts, agent, call, directory, gateway, line, queue, registration, survey, switchboard, trunk

TABLES = (
    agent.TABLE,
    call.TABLE,
    acts.PARTIES,
    survey.TABLE,
    line.TABLE,
    queue.TABLE,
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
call one for its survey.
Each table is total: for every input (a row) and every state (a column) it names the method that handles it, or why the
input is *late* there (a known crossing, dropped by name) or would be a *bug* of ours (it raises). An `asks.` input is a
command of the agent's page; a `Timeout` is the state's own deadline.
"""


def page() -> str:
    """The whole page."""
    return HEAD + "".join(f"\n## {table.name.capitalize()}\n\n{table.draw()}\n" for table in TABLES)


if __name__ == "__main__":
    sys.stdout.write(page())
