"""A copy of the source in which a bug can be planted while nobody else notices, and the tests that are run there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import trio
from attrs import frozen

from .bug import ROOT, Bug

PRODUCT: Final = ("actors", "bench", "codecs", "sip", "switch", "web")
_COPIED: Final = (*PRODUCT, "docs", "tests", "pyproject.toml", "README.md")
_LEFT_BEHIND: Final = shutil.ignore_patterns("__pycache__", "screenshots", "results", ".*")
# What fails is named so at the end of a run.
_FAILED: Final = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - (.*))?$", re.MULTILINE)
# A group of tests that takes so long, in seconds, waits for something that will not come.
LIMIT: Final = 600.0
# How pytest says that some failed, and that it does not know the tests that it was given.
SOME_FAILED: Final = 1
UNKNOWN: Final = 4


class UnknownTestError(Exception):
    """A test that caught a bug once is not there any more."""


class DoesNotLoadError(Exception):
    """The tests could not even begin: a bug that nobody could overlook is none."""


@frozen
class Failure:
    """The first test that failed, and what it said."""

    test: str
    said: str


class Tree:
    """A copy at `where`, by whose name the product is imported there though it is installed from elsewhere."""

    def __init__(self, where: Path) -> None:
        self.where = where

    @classmethod
    def copied(cls, where: Path, source: Path = ROOT) -> Tree:
        where.mkdir()
        for name in _COPIED:
            if (source / name).is_dir():
                shutil.copytree(source / name, where / name, ignore=_LEFT_BEHIND if source == ROOT else None)
            else:
                shutil.copy2(source / name, where / name)
        package = where / ".import" / "cordboard"
        package.mkdir(parents=True)
        for name in PRODUCT:
            (package / name).symlink_to(Path("..", "..", name))
        return cls(where)

    def _environment(self, *, compiled: bool) -> Mapping[str, str]:
        """What is broken for a moment must not be there compiled when it is whole again."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "PYTHON"))}
        kept = {} if compiled else {"PYTHONDONTWRITEBYTECODE": "1"}
        return {**ours, **kept, "PYTHONPATH": str(self.where / ".import")}

    def check(self) -> None:
        """That what is imported here is what is here: else nothing that follows would mean anything."""
        said = subprocess.run(
            [sys.executable, "-c", "import cordboard.actors; print(cordboard.actors.__file__)"],
            cwd=self.where,
            env=self._environment(compiled=True),
            capture_output=True,
            text=True,
            check=True,
        )
        found = Path(said.stdout.strip()).resolve()
        if not found.is_relative_to(self.where.resolve()):
            raise RuntimeError(f"the tests would be those of {found}, not of {self.where}")

    @contextmanager
    def broken(self, bug: Bug) -> Iterator[None]:
        """With the bug in it; raises OutdatedError."""
        path = self.where / bug.file
        whole, times = path.read_bytes(), path.stat()
        path.write_text(bug.planted(whole.decode()))
        try:
            yield
        finally:
            path.write_bytes(whole)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    async def test(self, tests: tuple[str, ...], *options: str, compiled: bool = False) -> Failure | None:
        """Runs them until one fails; raises DoesNotLoadError, UnknownTestError, and trio.TooSlowError."""
        command = [sys.executable, "-m", "pytest", "-q", "-x", "--tb=line", "-p", "no:cacheprovider", *options, *tests]
        with trio.fail_after(LIMIT):
            done = await trio.run_process(
                command,
                cwd=self.where,
                env=self._environment(compiled=compiled),
                capture_stdout=True,
                stderr=subprocess.STDOUT,
                check=False,
            )
        return failure(done.stdout.decode(errors="replace"), done.returncode)


def failure(output: str, code: int) -> Failure | None:
    """The first test that failed, None where all passed; raises DoesNotLoadError and UnknownTestError."""
    if code == 0:
        return None
    if code == UNKNOWN:
        raise UnknownTestError(output[-2000:])
    found = _FAILED.search(output)
    if code != SOME_FAILED or found is None or "::" not in found[1]:
        raise DoesNotLoadError(output[-2000:])
    return Failure(found[1], found[2] or "")
