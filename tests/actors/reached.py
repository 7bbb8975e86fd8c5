"""How often every pair of every table was reached: of a state, and an input that it was given.

What a table calls a bug raises where it is met, and is no pair to be reached. What a queue believes of its agents is
not among them: to what is rarest there, an earlier answer that counts while another offer rings, a thousand histories
did not come, and `test_beliefs.py` comes to each of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any, Final

import pytest
from cordboard.actors import agent, call, line, queue, survey, voicemail
from cordboard.actors.acts import PARTIES
from cordboard.actors.table import Bug, Handler, Late, Table

TABLES: Final[tuple[Table[Any], ...]] = (
    agent.TABLE,
    call.TABLE,
    PARTIES,
    survey.TABLE,
    voicemail.TABLE,
    line.TABLE,
    queue.TABLE,
)

Pair = tuple[str, Enum, type]


class Reached:
    """`counts` by the table's name, the state and the class of the input."""

    def __init__(self) -> None:
        self.counts: Counter[Pair] = Counter()

    @contextmanager
    def counting(self) -> Iterator[None]:
        """All that any table is asked meanwhile."""
        find = Table.find

        def counted(table: Table[Any], state: Any, message: object) -> Handler | Late:
            self.counts[table.name, state, type(message)] += 1
            return find(table, state, message)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Table, "find", counted)
            yield

    def never(self) -> list[str]:
        """The pairs that were not."""
        return [
            f"{table.name} in {state.value}: {message.__name__}"
            for table in TABLES
            for state, message, entry in table.pairs()
            if not isinstance(entry, Bug) and not self.counts[table.name, state, message]
        ]

    def told(self) -> str:
        """A table for each: an input in each row, a state in each column, a dot for what is a bug."""
        lines: list[str] = []
        for table in TABLES:
            entries = {(state, message): entry for state, message, entry in table.pairs()}
            states = list(dict.fromkeys(state for state, _ in entries))
            lines.append(f"\n{table.name:20}" + "".join(f"{state.value[:10]:>11}" for state in states))
            for message in table.messages:
                cells = [
                    "." if isinstance(entries[state, message], Bug) else str(self.counts[table.name, state, message])
                    for state in states
                ]
                lines.append(f"{message.__name__:20}" + "".join(f"{cell:>11}" for cell in cells))
        return "\n".join(lines)
