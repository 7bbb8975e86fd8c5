"""A bug to plant: a line of the product's source, and what a hurried colleague would have written there."""

from __future__ import annotations

import ast
from pathlib import Path

from attrs import frozen

ROOT = Path(__file__).parents[2]


class OutdatedError(Exception):
    """The source is another by now: the bug has to be planted anew, elsewhere or otherwise."""


@frozen
class Bug:
    """In `file`, what `was` there, once, `becomes` something else; `name` says what users would make of it. `survived`:
    no test that is about the same caught it when it was first planted."""

    name: str
    file: str
    was: str
    becomes: str
    survived: bool = False

    def planted(self, source: str) -> str:
        """The source with the bug in it; raises OutdatedError where it would be none."""
        found = source.count(self.was)
        if found != 1:
            raise OutdatedError(f"{self.name}: {self.file} has {found} times, not once: {self.was!r}")
        broken = source.replace(self.was, self.becomes)
        try:
            same = ast.dump(ast.parse(broken)) == ast.dump(ast.parse(source))
        except SyntaxError as error:
            raise OutdatedError(f"{self.name}: {self.file} would be no Python: {error}") from error
        if same:
            raise OutdatedError(f"{self.name}: {self.file} would mean the same")
        return broken
