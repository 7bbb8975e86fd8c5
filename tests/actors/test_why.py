"""Why a call rang where it did, from the database: as the command tells it, and as a page is told."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import trio
from attrs import evolve
from click.testing import CliRunner, Result
from cordboard.actors.acd import Doing, Free, Question
from cordboard.actors.decisions import pack, roster_key
from cordboard.actors.journal import JOURNAL
from cordboard.actors.main import cli
from cordboard.actors.organisation import parse_organisation
from cordboard.actors.records import CallEntry, DecisionEntry, Entry, OfferEntry, Outcome, RosterEntry
from cordboard.actors.store import Store, StoreError
from cordboard.actors.store.database import FILE
from cordboard.actors.store.told import Who
from cordboard.actors.store.why import Candidate, Passed, Told, reasons

T0 = 1_800_000_000.0  # 2027-01-15 16:00:00 in Shanghai
CENTRE = parse_organisation("""
[organisation]
time_zone = "Asia/Shanghai"
[[queue]]
id = "support"
name = "Support"
[[agent]]
id = "1001"
name = "Lin"
[[agent]]
id = "1002"
name = "Maya"
[[agent]]
id = "1003"
[[agent]]
id = "elsewhere"
""")
ROSTER = ["1001", "1002", "1003", "1004"]
LIN, MAYA = Free("1001", 1, 0, T0 - 300.5), Free("1002", 1, 1, T0 - 20)
FIRST = Question("c1", "longest-idle", T0 - 12.5, T0, free=(LIN, MAYA))
# Lin declined it.
SECOND = evolve(FIRST, now=T0 + 4, offered=1, free=(LIN, MAYA), barred={"1001": "declined"})


def decided(question: Question, chosen: str, *doing: Doing) -> DecisionEntry:
    facts = pack(question, ROSTER, doing)
    return DecisionEntry("c1", "support", question.now, question.offered, chosen, roster_key(ROSTER), facts)


STATED: tuple[Entry, ...] = (
    CallEntry("c1", "carrier", "inbound", "+8613912345678", "", "+861055501000", "support", T0 - 13),
    RosterEntry(roster_key(ROSTER), "\n".join(ROSTER), T0),
    decided(FIRST, "1001", "free", "free", "talking", "break"),
    decided(SECOND, "1002", "free", "free", "talking", "break"),
    OfferEntry("c1", "1001", "support", T0 + 0.001, Outcome.DECLINED, T0 + 4),
    OfferEntry("c1", "1002", "support", T0 + 4.001, Outcome.ANSWERED, T0 + 9),
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    async def keep() -> None:
        async with await Store.open(tmp_path) as store:
            await store.import_organisation(CENTRE)
            await store.apply(STATED)

    trio.run(keep)
    return tmp_path


def why(data: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["why", *arguments, "--data", str(data)])


def test_each_offer_is_told_with_what_came_of_it_and_why_not_the_others(data: Path) -> None:
    told = why(data, "c1")
    assert told.exit_code == 0
    assert told.output.splitlines() == [
        "2027-01-15 16:00:00.000+08:00  support (longest-idle): the call had waited for 12.5 s",
        "  offered to Lin (1001): declined",
        "       1  Lin (1001): level 1, idle for 300.5 s",
        "       2  Maya (1002): level 1, idle for 20.0 s",
        "  1 talking: 1003",
        "  1 on break: 1004",
        "  made again: the same",
        "",
        "2027-01-15 16:00:04.000+08:00  support (longest-idle): the call had waited for 16.5 s, offered 1 times before",
        "  offered to Maya (1002): answered",
        "       1  Maya (1002): level 1, idle for 24.0 s",
        "  1 free, had declined it: Lin (1001)",
        "  1 talking: 1003",
        "  1 on break: 1004",
        "  made again: the same",
    ]


@pytest.mark.parametrize(
    ("agent", "answers"),
    [
        ("1002", ["number 2 of 2 who could have it", "number 1 of 1 who could have it"]),
        ("1001", ["number 1 of 2 who could have it", "free, had declined it"]),
        ("1003", ["talking", "talking"]),
        ("1004", ["on break", "on break"]),  # is no agent any more
        ("elsewhere", ["not in the queue", "not in the queue"]),
    ],
)
def test_why_not_me(data: Path, agent: str, answers: list[str]) -> None:
    told = why(data, "c1", "--agent", agent).output.splitlines()
    assert [line.removeprefix(f"  {agent}: ") for line in told if line.startswith(f"  {agent}: ")] == answers


def test_an_agent_whom_nobody_has_is_told_as_such(data: Path) -> None:
    told = why(data, "c1", "--agent", "999")
    assert (told.exit_code, told.output) == (2, f"{data}: there is no agent 999\n")


def test_a_decision_that_comes_out_otherwise_is_told_so(data: Path) -> None:
    with sqlite3.connect(data / FILE) as connection:
        connection.execute("UPDATE decisions SET chosen = '1003' WHERE number = 1")
    told = why(data, "c1")
    assert told.exit_code == 1
    assert [line for line in told.output.splitlines() if "made again" in line] == [
        "  made again: the same",
        "  made again: comes to others; the record or the code has changed",
    ]
    assert "  offered to 1003: was not free any more" in told.output.splitlines()


def test_a_call_that_nobody_was_offered_and_what_cannot_be_read_end_with_one_line(data: Path) -> None:
    told = why(data, "c9")
    assert (told.exit_code, told.output) == (2, f"{data}: no queue has offered a call c9 to anybody\n")
    with sqlite3.connect(data / FILE) as connection:
        connection.execute("DELETE FROM rosters")
    told = why(data, "c1")
    assert told.exit_code == 2
    assert "nobody knows who was in the queue" in told.output
    assert len(told.output.splitlines()) == 1


@pytest.mark.parametrize(
    ("there", "said"), [(False, "No such file or directory"), (True, "there is no database in it")]
)
def test_a_data_directory_that_is_not_there_is_not_made(tmp_path: Path, there: bool, said: str) -> None:
    data = tmp_path / "dta"
    if there:
        data.mkdir()
    told = why(data, "c1")
    assert (told.exit_code, told.output) == (2, f"{data}: {said}\n")
    assert [each.name for each in tmp_path.rglob("*")] == (["dta"] if there else [])


@pytest.mark.parametrize(
    ("revision", "said"),
    [
        ("0001", "an older version of Cordboard; `cordboard run` brings it to this one"),
        ("9999", "a newer version of Cordboard"),
    ],
)
@pytest.mark.parametrize("command", [("why", "c1"), ("trace", "--trunk", "carrier")])
def test_a_database_of_another_version_is_left_as_it_is(
    data: Path, command: tuple[str, ...], revision: str, said: str
) -> None:
    (data / JOURNAL).mkdir()
    with closing(sqlite3.connect(data / FILE)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    before = {path.name: path.read_bytes() for path in data.iterdir() if path.is_file()}
    told = CliRunner().invoke(cli, [*command, "--data", str(data)])
    assert (told.exit_code, told.output) == (2, f"{data / FILE}: was made by {said}\n")
    assert {path.name: path.read_bytes() for path in data.iterdir() if path.is_file()} == before


def test_who_asks_changes_nothing(data: Path) -> None:
    async def ask() -> None:
        async with await Store.asked(data) as store:
            assert (await store.load_organisation()).agents
            with pytest.raises(StoreError, match="readonly"):
                await store.import_organisation(CENTRE)

    (data / FILE).chmod(0o640)
    before = (data / FILE).read_bytes()
    trio.run(ask)
    assert ((data / FILE).read_bytes(), (data / FILE).stat().st_mode & 0o777) == (before, 0o640)


def test_a_page_is_told_the_same_in_columns(data: Path) -> None:
    async def ask() -> None:
        async with await Store.open(data) as store:
            first, second = (await store.read(lambda connection: reasons(connection, "c1", "1001"))).decisions
        assert (first.chosen, first.candidates, first.same, first.queue_name) == (
            (Who("1001", "Lin"),),
            2,
            True,
            "Support",
        )
        assert first.ranked[1] == Candidate("1002", "Maya", 2, 1, 20.0, None, None)
        assert first.passed == (
            Passed("talking", 1, (Who("1003", "1003"),)),
            Passed("break", 1, (Who("1004", "1004"),)),
        )
        assert (first.told, second.told) == (Told("1001", 1, ""), Told("1001", None, "declined"))

    trio.run(ask)
