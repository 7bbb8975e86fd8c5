"""Draws docs/machines.md: the table of every machine among the actors.

python tools/machines.py        writes the page; a test holds that it is current
"""

from __future__ import annotations

from pathlib import Path

from cordboard.actors import agent, call, queue, switchboard, trunk

PAGE = Path(__file__).parent.parent / "docs" / "machines.md"
TABLES = (agent.TABLE, call.TABLE, queue.TABLE, trunk.TABLE, switchboard.TABLE)

HEAD = """\
# The machines of the actors

Drawn from the tables by `python tools/machines.py`; do not edit.

Each actor is one state machine, and its table is total: for every input (a row) and every state (a column) it names the
method that handles it, or why the input is *late* there (a known crossing, dropped by name) or would be a *bug* of ours
(it raises). A `page.` input is a command of the agent's page; a `Timeout` is the state's own deadline.
"""


def page() -> str:
    """The whole page."""
    return HEAD + "".join(f"\n## {table.name.capitalize()}\n\n{table.draw()}\n" for table in TABLES)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
