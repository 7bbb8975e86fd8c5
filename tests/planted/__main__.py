"""`python -m tests.planted`: plants each bug in a copy of the source and looks which test catches it.

As many at once as there are cores. `--only WORDS` takes those whose name or file has these words; `--keep` keeps what
came of them, beside what came of the others before, and draws docs/planted.md. Exit code 1 where too few are caught,
2 where nothing of it would mean anything: a bug is outdated, or a test that caught one fails without any too.
"""

from __future__ import annotations

import datetime
import os
import platform
import resource
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
import trio

from .bug import ROOT, Bug, OutdatedError
from .report import Found, Outcome, keep, kept
from .subjects import SUBJECTS, Subject
from .tree import LIMIT, DoesNotLoadError, Failure, Tree, UnknownTestError

# What a run of tests may take, in octets of addresses: a bug may make lists that do not end.
MEMORY: Final = 6 << 30
Planting = tuple[Subject, Bug]


class MeaninglessError(Exception):
    """What would come out means nothing."""


async def look(tree: Tree, subject: Subject, bug: Bug, before: str) -> Outcome:
    """Which test catches it: the one that did `before`, or another."""
    found: Failure | None = None
    with tree.broken(bug):
        try:
            found = await _again(tree, before)
            for tests in subject.stages():
                if found is None:
                    found = await tree.test(tests)
        except DoesNotLoadError as error:
            raise MeaninglessError(f"what nobody could overlook is no bug: {bug.name}\n{error}") from error
        except trio.TooSlowError:
            click.echo(f"in {LIMIT:.0f} s nothing failed that looks for: {bug.name}", err=True)
    return Outcome(bug.name, "" if found is None else found.test)


async def _again(tree: Tree, before: str) -> Failure | None:
    try:
        return await tree.test((before,)) if before else None
    except UnknownTestError:
        return None


async def look_for_all(wanted: Sequence[Planting], trees: Sequence[Tree]) -> list[Outcome]:
    """Of each bug, as many at once as there are trees; said as it comes."""
    outcomes: dict[Bug, Outcome] = {}
    left, before = iter(wanted), kept().by_bug

    async def work(tree: Tree) -> None:
        for subject, bug in left:
            began = trio.current_time()
            outcomes[bug] = await look(tree, subject, bug, before.get(bug.name, ""))
            by = outcomes[bug].caught_by or "NOTHING"
            seconds = trio.current_time() - began
            click.echo(f"[{len(outcomes)}/{len(wanted)}] {bug.name}: {by}, {seconds:.0f} s", err=True)

    async with trio.open_nursery() as nursery:
        for tree in trees:
            nursery.start_soon(work, tree)
    return [outcomes[bug] for _, bug in wanted]


async def whole(tree: Tree, tests: Sequence[str], *options: str) -> None:
    """Without any bug they pass; raises MeaninglessError."""
    try:
        failed = await tree.test(tuple(tests), *options, compiled=True)
    except (DoesNotLoadError, UnknownTestError, trio.TooSlowError) as error:
        raise MeaninglessError(f"the tests do not run without any bug:\n{error}") from error
    if failed is not None:
        raise MeaninglessError(f"{failed.test} fails without any bug: {failed.said}")


async def plant(wanted: Sequence[Planting], jobs: int, folder: Path) -> list[Outcome]:
    """All of it. A test has caught a bug where it fails with it and passes without."""
    for _, bug in wanted:
        bug.planted((ROOT / bug.file).read_text())
    first = Tree.copied(folder / "0")
    first.check()
    click.echo("reading the tests", err=True)
    subjects = dict.fromkeys(subject for subject, _ in wanted)
    tests = dict.fromkeys(test for subject in subjects for stage in subject.stages() for test in stage)
    await whole(first, list(tests), "--collect-only")
    trees = [first, *(Tree.copied(folder / str(number), first.where) for number in range(1, jobs))]
    outcomes = await look_for_all(wanted, trees)
    caught = dict.fromkeys(each.caught_by for each in outcomes if each.caught_by)
    if caught:
        click.echo(f"the {len(caught)} tests that caught them, without any bug", err=True)
        await whole(first, list(caught), "-n", str(jobs))
    return outcomes


@click.command(help=__doc__)
@click.option("--only", default="", metavar="WORDS")
@click.option("--jobs", default=os.cpu_count() or 1, show_default=True)
@click.option("--keep", "keeps", is_flag=True)
def main(only: str, jobs: int, keeps: bool) -> None:
    wanted = [(subject, bug) for subject in SUBJECTS for bug in subject.bugs if only in bug.name or only in bug.file]
    if not wanted:
        raise click.UsageError(f"no bug has {only!r} in its name or its file")
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, most))
    outcomes: list[Outcome] = []
    wrong: tuple[Exception, ...] = ()
    try:
        with tempfile.TemporaryDirectory(prefix="planted-") as folder:
            outcomes = trio.run(plant, wanted, jobs, Path(folder))
    except* (MeaninglessError, OutdatedError) as errors:
        wrong = errors.exceptions
    for error in wrong:
        click.echo(f"nothing was found out: {error}", err=True)
    if wrong:
        sys.exit(2)
    today = datetime.datetime.now(datetime.UTC).date()
    found = Found(f"{today}, {os.cpu_count()} cores, Python {platform.python_version()}", tuple(outcomes))
    if keeps:
        keep(found.beside(kept()))
    for each in outcomes:
        if not each.caught_by:
            click.echo(f"nothing caught: {each.bug}")
    click.echo(found.told)
    sys.exit(not found.enough)


if __name__ == "__main__":
    main()
