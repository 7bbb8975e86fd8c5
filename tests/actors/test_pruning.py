"""Why calls rang is kept for so many days: what is older is taken away in small batches, and who asks is told so."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random
from statistics import median
from typing import Final

import pytest
import trio
from attrs import evolve
from click.testing import CliRunner
from cordboard.actors.acd import Free, Question
from cordboard.actors.decisions import pack, roster_key
from cordboard.actors.main import cli
from cordboard.actors.records import ROSTER_SECONDS, CallEntry, DecisionEntry, OfferEntry, Outcome, RosterEntry
from cordboard.actors.store import Store
from cordboard.actors.store.entries import Kept
from cordboard.actors.store.pruning import DAY, HOLDS, LEAST, MOST, MOST_OCTETS, Pruning, _next_size, prune
from cordboard.actors.store.schema import decisions, rosters
from cordboard.actors.store.why import Reasons, reasons
from sqlalchemy import Connection, func, select

NOW: Final = 1_800_000_000.0  # 2027-01-15 16:00:00 in Shanghai
DAYS: Final = 90
ROSTER: Final = ["1001", "1002"]


def call(name: str, at: float, *offered: float, roster: str = "", facts: bytes = b"") -> list[Kept]:
    """One that came `at`, and rang at 1001 each time it was `offered`, by decisions that can be made again."""
    question = Question(name, "longest-idle", at, at, free=(Free("1001", 1, 0, at - 60), Free("1002", 1, 1, at - 20)))
    stated: list[Kept] = [CallEntry(name, "carrier", "inbound", "+8613912345678", "", "600", "support", at)]
    for number, when in enumerate(offered):
        kept = pack(evolve(question, now=when), ROSTER, ["free", "free"])
        stated += [
            DecisionEntry(name, "support", when, number, "1001", roster or roster_key(ROSTER), facts or kept),
            OfferEntry(name, "1001", "support", when + 0.001, Outcome.MISSED, when + 30),
        ]
    return stated


def count(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(decisions)).scalar() or 0


def names(connection: Connection) -> list[str]:
    return list(connection.execute(select(rosters.c.roster).order_by(rosters.c.roster)).scalars())


async def told(store: Store, name: str) -> Reasons:
    return await store.read(lambda connection: reasons(connection, name))


def test_what_is_older_is_taken_away_and_who_asks_is_told(tmp_path: Path) -> None:
    old, since = NOW - (DAYS + 1) * DAY, NOW - DAYS * DAY

    async def main() -> None:
        async with await Store.open(tmp_path) as store:
            await store.apply(
                [
                    *call("old", old, old + 5),
                    *call("both", since - 10, since - 5, since + 25),
                    *call("new", NOW - 60, NOW - 59),
                    *call("unheard", old),  # no queue let it ring
                    RosterEntry(roster_key(ROSTER), "\n".join(ROSTER), NOW - 60),
                ]
            )
            assert (await told(store, "old")).kept_since is None
            await Pruning(store, DAYS, lambda: NOW).once()
            assert await told(store, "old") == Reasons((), since)
            both = await told(store, "both")
            assert ([each.at for each in both.decisions], both.kept_since) == ([since + 25], since)
            new = await told(store, "new")
            assert (len(new.decisions), new.kept_since, new.decisions[0].same) == (1, None, True)
            assert await told(store, "unheard") == Reasons(())
            # what was taken away once does not come back when it is to be kept for longer
            await Pruning(store, 2 * DAYS, lambda: NOW).once()
            assert (await told(store, "old")).kept_since == since
            await Pruning(store, 1, lambda: NOW).once()
            assert (await told(store, "both")).kept_since == NOW - DAY

    trio.run(main)
    runner = CliRunner()
    gone = runner.invoke(cli, ["why", "old", "--data", str(tmp_path)])
    words = r"why it rang before 2027-01-14 \S+ is not kept any more \(\[store\] decisions_days\)\n"
    assert gone.exit_code == 0
    assert re.fullmatch(words, gone.output)
    assert runner.invoke(cli, ["why", "unheard", "--data", str(tmp_path)]).exit_code == 2
    assert "not kept" not in runner.invoke(cli, ["why", "new", "--data", str(tmp_path)]).output


def test_who_was_in_a_queue_is_kept_for_as_long_as_a_decision_speaks_of_it(tmp_path: Path) -> None:
    since = NOW - DAYS * DAY

    async def main() -> None:
        async with await Store.open(tmp_path) as store:
            await store.apply(
                [
                    *call("new", since + 1, since + 1, roster="yesterday"),
                    RosterEntry("yesterday", "1001\n1002", since + 2 - ROSTER_SECONDS),
                    RosterEntry("before", "1001\n1003", since - 1 - ROSTER_SECONDS),
                ]
            )
            await Pruning(store, DAYS, lambda: NOW).once()
            assert await store.read(names) == ["yesterday"]
            assert len((await told(store, "new")).decisions) == 1

    trio.run(main)


def test_nothing_is_taken_away_where_it_is_to_be_kept_for_ever(tmp_path: Path) -> None:
    async def main() -> None:
        async with await Store.open(tmp_path) as store:
            await store.apply(call("old", 1000.0, 1005.0))
            await Pruning(store, 0, lambda: NOW).run()
            assert await store.read(count) == 1

    trio.run(main)


def test_a_batch_has_so_many_rows_and_so_many_octets_and_the_oldest_of_all(tmp_path: Path) -> None:
    rng = Random(7)
    times = rng.sample(range(1000), 200)

    async def main() -> None:
        async with await Store.open(tmp_path) as store:
            await store.apply([each for at in times for each in call(f"c{at}", at, at, facts=rng.randbytes(40_000))])
            assert await store.write(lambda connection: prune(connection, decisions, 1000.0, 5)) == 5
            oldest = select(func.min(decisions.c.at))
            assert await store.read(lambda connection: connection.execute(oldest).scalar()) == sorted(times)[5]
            assert await store.write(lambda connection: prune(connection, decisions, 1000.0, MOST)) == (
                MOST_OCTETS // 40_000
            )
            await store.apply(call("large", -1.0, -1.0, facts=rng.randbytes(2 * MOST_OCTETS)))
            assert await store.write(lambda connection: prune(connection, decisions, 1000.0, MOST)) == 1, "or never"

    trio.run(main)


def test_a_batch_that_took_long_makes_the_next_one_smaller() -> None:
    assert _next_size(LEAST, HOLDS / 10) == 2 * LEAST
    assert _next_size(4 * LEAST, HOLDS / 2) == 4 * LEAST
    assert _next_size(4 * LEAST, 2 * HOLDS) == 2 * LEAST
    assert _next_size(LEAST, 2 * HOLDS) == LEAST, "however busy the machine is, it comes to an end"
    assert _next_size(MOST, 0.0) == MOST


def test_others_write_meanwhile(tmp_path: Path) -> None:
    """Between any two batches, however many rows there are to be taken away."""

    async def main() -> None:
        async with await Store.open(tmp_path) as store, trio.open_nursery() as nursery:
            await store.apply([each for at in range(400) for each in call(f"c{at}", at, at)])
            left = list[int]()

            async def others() -> None:
                while True:
                    left.append(await store.write(count))
                    await trio.sleep(0.001)

            nursery.start_soon(others)
            await Pruning(store, DAYS, lambda: NOW).once()
            nursery.cancel_scope.cancel()
        seen = sorted(set(left), reverse=True)
        assert seen[0] == 400
        assert all(before - after <= MOST for before, after in zip(seen, [*seen[1:], 0], strict=True))
        assert len(seen) >= 400 // MOST + 2

    trio.run(main)


@pytest.mark.long
@pytest.mark.parametrize(("octets", "rows"), [(2_000, 4_000), (37_000, 1_000)])
def test_how_long_a_batch_has_the_writer(tmp_path: Path, octets: int, rows: int) -> None:
    """Of decisions as a busy centre leaves them, and as one at night does: printed with `-s`."""
    facts = Random(8).randbytes(octets)

    async def main() -> None:
        async with await Store.open(tmp_path) as store:
            await store.apply([entry for at in range(rows) for entry in call(f"c{at}", at, at, facts=facts)])
            batches, waited = list[float](), list[float]()

            async def others() -> None:
                while True:
                    began = trio.current_time()
                    await store.write(lambda connection: None)
                    waited.append(trio.current_time() - began)
                    await trio.sleep(0.005)

            pruning = Pruning(store, DAYS, lambda: NOW)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(others)
                began, batch = trio.current_time(), LEAST
                while (gone := await pruning.batch(decisions, NOW, batch))[0]:
                    batches.append(1000 * gone[1])
                    batch = _next_size(batch, gone[1])
                took = trio.current_time() - began
                nursery.cancel_scope.cancel()
        print(
            f"{rows} of {octets} octets: {took:.1f} s, {len(batches)} batches of {median(batches):.1f} ms, "
            f"{max(batches):.1f} at most; who wrote beside them had it after {1000 * median(waited):.1f} ms, "
            f"{1000 * max(waited):.1f} at most"
        )

    trio.run(main)
