"""`cordboard why`: why a call was offered to whom it was, and why not to another.

Each decision of a queue about the call is made again from what was kept of it, by the function that made it; where that
comes to another agent now the exit code is 1. The switch itself is asked nothing, and may run meanwhile.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

import click
import trio
from sqlalchemy import Connection

from .decisions import UnreadableError
from .keys import nearest
from .options import Unusable, data_option
from .organisation import Organisation
from .store import Store, StoreError
from .store.parts import offers_of
from .store.told import Offer, Who
from .store.why import Candidate, Decided, Passed, Reasons, reasons

# So many agents stand in a line, and lines in a list.
SHOWN: Final = 8
# What an agent did who was not asked, of one and of several.
WORDS: Final = {
    "signed_out": "signed out",
    "break": "on break",
    "ringing": "ringing",
    "talking": "talking",
    "after_call_work": "in after-call work",
    "dialling": "dialling",
    "unreachable": "idle, but could not hear it ring",
    "refused": "had just begun something else",
    "declined": "free, had declined it",
    "missed": "free, had missed it",
    "level": "free, of a level that was not asked yet",
    "kept": "free, while it was kept for who served the caller last",
    "elsewhere": "not in the queue",
}


@click.command()
@click.argument("call")
@click.option("--agent", metavar="ID", help="Why not this one.")
@data_option
def why(call: str, agent: str | None, data: Path) -> None:
    """Say why CALL rang where it did, and not elsewhere.

    CALL is its id, as in the log and in /api/calls. Exit code 1: a decision comes out otherwise now; 2: nothing was
    decided about such a call.
    """
    try:
        found, offers, organisation = trio.run(_ask, data, call, agent)
    except StoreError as error:
        raise Unusable(str(error)) from error
    except UnreadableError as error:
        raise Unusable(f"{data}: {error}") from error
    if not found.decisions and found.kept_since is None:
        raise Unusable(f"{data}: no queue has offered a call {call} to anybody")
    known = {each.id for each in organisation.agents}
    told = {each.told.why for each in found.decisions if each.told is not None}
    if agent is not None and agent not in known and told <= {"elsewhere"}:
        raise Unusable(f"{data}: there is no agent {agent}{nearest(agent, known)}")
    for line in lines(found, offers, zoneinfo.ZoneInfo(organisation.time_zone)):
        click.echo(line)
    if not all(each.same for each in found.decisions):
        raise SystemExit(1)


async def _ask(data: Path, call: str, agent: str | None) -> tuple[Reasons, tuple[Offer, ...], Organisation]:
    def ask(connection: Connection) -> tuple[Reasons, tuple[Offer, ...]]:
        return reasons(connection, call, agent), offers_of(connection, call)

    async with await Store.asked(data) as store:
        found, offers = await store.read(ask)
        return found, offers, await store.load_organisation()


def lines(found: Reasons, offers: tuple[Offer, ...], zone: zoneinfo.ZoneInfo) -> Iterator[str]:
    """For a terminal."""
    if found.kept_since is not None:
        since = datetime.fromtimestamp(found.kept_since, zone).isoformat(" ", "seconds")
        yield f"why it rang before {since} is not kept any more ([store] decisions_days)"
        if found.decisions:
            yield ""
    for number, each in enumerate(found.decisions):
        later = found.decisions[number + 1 :]
        until = min((one.at for one in later if one.at > each.at), default=float("inf"))
        if number:
            yield ""
        when = datetime.fromtimestamp(each.at, zone).isoformat(" ", "milliseconds")
        before = f", offered {each.offered} times before" if each.offered else ""
        yield f"{when}  {each.queue} ({each.strategy}): the call had waited for {each.waited:.1f} s{before}"
        for one in each.chosen:
            yield f"  offered to {_named(one)}: {_became(one, each.at, until, offers)}"
        for candidate in each.ranked[:SHOWN]:
            yield f"  {candidate.rank:>6}  {_named(candidate)}: {_scores(candidate)}"
        if each.candidates > SHOWN:
            yield f"          and {each.candidates - SHOWN} more who were free"
        for passed in each.passed:
            yield f"  {_passed(passed)}"
        if each.told is not None:
            yield f"  {each.told.agent}: {_told(each)}"
        yield f"  made again: {'the same' if each.same else 'comes to others; the record or the code has changed'}"


def _named(who: Who | Candidate) -> str:
    return who.agent if who.name == who.agent else f"{who.name} ({who.agent})"


def _became(who: Who, at: float, until: float, offers: tuple[Offer, ...]) -> str:
    """What came of it, by the first offer that this agent had from then on."""
    mine = (each for each in offers if each.agent == who.agent and at <= each.offered < until)
    offer = next(mine, None)
    return "was not free any more" if offer is None else offer.outcome.value.replace("_", " ")


def _scores(one: Candidate) -> str:
    told = [f"level {one.level}"]
    if one.calls is not None:
        told.append(f"{one.calls} calls")
    if one.talk_seconds is not None:
        told.append(f"talked for {one.talk_seconds:.0f} s")
    if one.idle_seconds is not None:
        told.append(f"idle for {one.idle_seconds:.1f} s")
    return ", ".join(told)


def _passed(passed: Passed) -> str:
    some = ", ".join(_named(each) for each in passed.agents[:SHOWN])
    more = f" and {passed.count - SHOWN} more" if passed.count > SHOWN else ""
    return f"{passed.count} {WORDS[passed.why]}: {some}{more}"


def _told(decided: Decided) -> str:
    told = decided.told
    assert told is not None, "an agent was asked for"
    if told.rank is None:
        return WORDS[told.why]
    return f"number {told.rank} of {decided.candidates} who could have it"
