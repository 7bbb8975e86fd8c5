"""What came of the planted bugs: kept for the next time in found.json, and drawn as docs/planted.md.

A bug is mostly caught again by the test that caught it before: that one is asked first, so that it is soon known.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs
from attrs import frozen

from .bug import ROOT, Bug
from .subjects import BUGS, SUBJECTS

# Of the bugs so many at least are to be caught.
ENOUGH: Final = 0.9
FOUND: Final = Path(__file__).parent / "found.json"
PAGE: Final = ROOT / "docs" / "planted.md"

HEAD: Final = """\
# Planted bugs

Drawn by `python -m tests.planted --keep`; do not edit.

Do the tests catch a bug? Each of these is one, a line of the product as a hurried colleague could have written it: a
transition to the wrong state, a timer that is not set or not cancelled, an event that nobody tells, something late
that acts, somebody who hears what is not for it. They were chosen without looking at the tests. `make planted` makes
them one at a time in a copy of the source and runs tests of that layer until one fails: first the one that caught it
before, then those that are about the same, then the others, then random walks from all over the centre. A test counts
that fails with the bug and, run once more in the end, passes without it. Tests that need processes of their own, or
minutes, do not take part, nor do linters, types, and the page of the machines, which only says that a table is
another.
"""


@frozen
class Outcome:
    """Of a bug, by its name: the test that caught it, empty where none did."""

    bug: str
    caught_by: str


@frozen
class Found:
    """All that came of one run on that day and machine."""

    when: str
    outcomes: tuple[Outcome, ...]

    @property
    def caught(self) -> int:
        return sum(each.caught_by != "" for each in self.outcomes)

    @property
    def enough(self) -> bool:
        """As many were caught as are to be."""
        return self.caught >= ENOUGH * len(self.outcomes)

    @property
    def told(self) -> str:
        return f"{self.caught} of {len(self.outcomes)} planted bugs were caught."

    @property
    def by_bug(self) -> Mapping[str, str]:
        return {each.bug: each.caught_by for each in self.outcomes}

    def beside(self, before: Found) -> Found:
        """With what came of the other bugs before, of those that there still are."""
        caught = {**before.by_bug, **self.by_bug}
        return Found(self.when, tuple(Outcome(bug.name, caught[bug.name]) for bug in BUGS if bug.name in caught))


NOTHING: Final = Found("", ())


def kept(file: Path = FOUND) -> Found:
    """What was found last."""
    if not file.exists():
        return NOTHING
    said = json.loads(file.read_text())
    return Found(said["when"], tuple(Outcome(**each) for each in said["outcomes"]))


def keep(found: Found) -> None:
    FOUND.write_text(json.dumps(attrs.asdict(found), indent=1, ensure_ascii=False) + "\n")
    PAGE.write_text(page(found))


def page(found: Found) -> str:
    """The whole page."""
    first = sum(bug.survived for subject in SUBJECTS for bug in subject.bugs)
    intro = f"""\
{found.when}: {found.told}
When they were first planted {first} of them, marked *, were caught by no test that is about the same; what was missing
there is tested since.
"""
    tables = (_table(subject.name, subject.bugs, found.by_bug) for subject in SUBJECTS)
    return f"{HEAD}\n{intro}" + "".join(tables)


def _table(name: str, bugs: Sequence[Bug], caught: Mapping[str, str]) -> str:
    rows = [
        f"| {bug.name}{' *' if bug.survived else ''} | `{bug.file}` | {_caught(caught.get(bug.name, ''))} |"
        for bug in bugs
    ]
    return "\n".join([f"\n## {name}\n", "| bug | in | caught by |", "| --- | --- | --- |", *rows]) + "\n"


def _caught(by: str) -> str:
    file, _, test = by.partition("::")
    return f"`{file.rpartition('/')[2]}`: `{test}`" if test else "**nothing**"
