"""What actors do is written down and can be done again, and nothing private is in it."""

from __future__ import annotations

import errno
import itertools
import stat
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest
import trio
from attrs import evolve
from click.testing import CliRunner, Result
from cordboard.actors import agent_state, call, journal, page
from cordboard.actors import queue_state as queues
from cordboard.actors.alarms import JOURNAL_UNWRITTEN
from cordboard.actors.commands import replay
from cordboard.actors.effects import Effect, Log
from cordboard.actors.entries import Number
from cordboard.actors.frames import framed
from cordboard.actors.journal import JOURNAL, QUARANTINE, RECORDS, Journal, Part, write
from cordboard.actors.queue import Queue
from cordboard.actors.routes import ToQueue
from cordboard.actors.runtime import System
from cordboard.actors.states import ActorState
from cordboard.actors.steps import Begins
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .house import PAGE_OFFER
from .playing import play
from .test_runtime import Actor
from .test_world import HOTLINE, hour, organisation, settle
from .world import World

PRIVATE = ("13912345678", "Wang", "13900000000", "alice.wang", "13812345678", "p" * 24, "198.51.100.1", "192.0.2.7")


def replayed(where: Path, *options: str) -> Result:
    return CliRunner().invoke(replay, [str(where), *options])


def all_equal(where: Path, *options: str) -> int:
    """How many steps were replayed, all of them equal."""
    result = replayed(where, *options)
    assert result.exit_code == 0, result.output
    assert result.output.endswith("actors: all effects equal\n")
    return int(result.output.splitlines()[-1].split()[0])


def octets(data: Path, directory: str = JOURNAL) -> bytes:
    return b"".join(path.read_bytes() for path in sorted((data / directory).iterdir()))


async def a_day(world: World) -> None:
    """Calls that are answered, missed and refused, numbers in several writings, and pages that come and go."""
    lin, wei = await world.sign_in("1001"), await world.sign_in("1002", sound=False)
    caller = world.dial(HOTLINE)
    await lin.hears(page.CallOffered)
    await lin.ask(page.Answer())
    await settle(world, 3)
    await lin.ask(page.Mute())
    world.on_facts(world.engine.press(world.agent("1001").leg, "7", 100, "event", world.now()))
    await settle(world)
    caller.hang_up()
    await lin.hears(page.CallEnded)
    await lin.ask(page.StartAnswering())
    world.dial("01055501000", caller=None)
    await wei.hears(page.CallOffered)
    lin.close()
    await settle(world, 31)
    refused = world.dial("13900000000", caller="alice.wang")
    await refused.over.wait()
    world.dial("600", caller="+8613812345678")
    await settle(world, 50)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The journal of a day, a file."""
    data = tmp_path_factory.mktemp("day")
    play(a_day, organisation(), data=data)
    (file,) = (data / JOURNAL).iterdir()
    return file


def test_a_day_can_be_replayed(day: Path) -> None:
    steps = all_equal(day)
    assert steps > 80
    assert all_equal(day.parent) == all_equal(day.parent.parent) == steps
    assert 0 < all_equal(day, "--actor", "agent:1001") < steps


def test_nothing_private_is_in_it(day: Path) -> None:
    written = day.read_bytes()
    assert [private for private in PRIVATE if private.encode() in written] == []
    assert PAGE_OFFER.partition("sha-256 ")[2][:30].encode() not in written
    assert HOTLINE.encode() in written, "a number of our own"
    assert stat.S_IMODE(day.stat().st_mode) == 0o600


def test_two_journals_have_no_pseudonym_in_common(day: Path, tmp_path: Path) -> None:
    play(a_day, organisation(), data=tmp_path)
    assert len(octets(tmp_path)) == day.stat().st_size
    assert octets(tmp_path) != day.read_bytes()


def test_chance_in_a_behaviour_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a step depends on and is neither state, nor message, nor time."""
    tickets = itertools.count(1)
    join = Queue._join

    def _join(self: Queue, message: queues.Join, now: float) -> list[Effect]:
        return [*join(self, message, now), Log("call waits", (("waiting", next(tickets)),))]

    monkeypatch.setitem(Queue.table._entries, (queues.Place.ABSENT, queues.Join), _join)
    play(a_day, organisation(), data=tmp_path)
    result = replayed(tmp_path)
    assert result.exit_code == 1
    head, step, expected, got = result.output.splitlines()
    assert head.endswith(".journal: a step came out otherwise")
    assert "queue:support at 2023-11-14T22:1" in step
    assert "told Join(call=" in step
    assert "('waiting', 1)" in expected
    assert "('waiting', 3)" in got
    assert all_equal(tmp_path, "--actor", "agent:1001") > 0


def test_a_step_that_goes_wrong_only_then_is_found(day: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def _join(self: Queue, message: queues.Join, now: float) -> list[Effect]:
        raise KeyError("here")

    monkeypatch.setitem(Queue.table._entries, (queues.Place.ABSENT, queues.Join), _join)
    result = replayed(day)
    assert result.exit_code == 1
    assert "  expected  goes well\n  got       raises KeyError: 'here'\n" in result.output


def test_a_timer_that_is_not_due_then_is_found(day: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Queue, "deadline", lambda self: float("inf"))
    result = replayed(day)
    assert result.exit_code == 1
    assert "  expected  woken\n  got       wants to be woken at inf\n" in result.output


@pytest.mark.parametrize(("seed", "agents"), [(21, 12), (22, 3)])
def test_an_hour_by_chance_can_be_replayed(tmp_path: Path, seed: int, agents: int) -> None:
    play(hour(60, agents, {}), organisation(agents, wrap_up=60, max_wait=150.0), seed, data=tmp_path)
    steps = all_equal(tmp_path)
    print(f"an hour of 60 calls and {agents} agents: {steps} steps, {len(octets(tmp_path))} octets")
    assert steps > 1000


# --- files --------------------------------------------------------------------------------------------------------


def test_what_a_kill_tore_is_left_out(day: Path, tmp_path: Path) -> None:
    torn = tmp_path / "torn.journal"
    torn.write_bytes(day.read_bytes()[:-5])
    result = replayed(torn)
    assert result.exit_code == 0
    assert "the last record was not finished" in result.output
    assert result.output.endswith("all effects equal\n")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0), bit=st.integers(0, 7))
def test_a_file_cut_anywhere_is_replayed_so_far_and_one_changed_anywhere_is_not_taken_for_whole(
    day: Path, tmp_path: Path, cut: int, bit: int
) -> None:
    whole, file = day.read_bytes(), tmp_path / "x.journal"
    at = cut % len(whole)
    file.write_bytes(whole[:at])
    assert replayed(file).exit_code == 0
    changed = bytearray(whole)
    changed[at] ^= 1 << bit
    file.write_bytes(changed)
    result = replayed(file)
    assert result.exit_code == 2 or "was not finished" in result.output
    assert len(result.output.splitlines()) <= 2


def test_what_cannot_be_replayed_is_one_line_and_2(day: Path, tmp_path: Path) -> None:
    for name, begins, said in (
        ("other", Begins(journal.FORMAT, "another", 1.0), "written by another version of the code"),
        ("old", Begins(0, journal.code_version(), 1.0), "is not a journal of this format"),
    ):
        file = tmp_path / f"{name}.journal"
        file.write_bytes(framed(RECORDS.pack(begins)))
        result = replayed(file)
        assert (result.exit_code, result.output) == (2, f"{file}: {said}\n")
    for path, said in (
        (tmp_path / "none.journal", "No such file or directory"),
        (day.parent.parent.parent, "there is no journal in it"),
    ):
        result = replayed(path)
        assert (result.exit_code, result.output) == (2, f"{path}: {said}\n")
    result = replayed(day, "--actor", "agent:nobody")
    assert (result.exit_code, result.output) == (2, f"{day}: there is no agent:nobody in it\n")
    (tmp_path / "old.journal").unlink()
    (tmp_path / "day.journal").write_bytes(day.read_bytes())
    result = replayed(tmp_path)
    assert result.exit_code == 0
    assert result.output.startswith("left out 1 of 2 files, written by another version of the code\n")


def test_each_of_many_files_can_be_replayed_alone_and_the_oldest_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "FILE_BYTES", 24_000)  # twenty of them are the shapes
    monkeypatch.setattr(journal, "ALL_BYTES", 360_000)

    async def long(world: World) -> None:
        assert world.journal is not None
        lin = await world.sign_in("1001")
        for _ in range(40):
            caller = world.dial(HOTLINE)
            await lin.hears(page.CallOffered)
            world.journal.look()
            await lin.ask(page.Answer())
            await settle(world, 1)
            write(world.journal.take())
            world.journal.look()
            caller.hang_up()
            await lin.hears(page.CallEnded)
            await lin.ask(page.StartAnswering())
        assert world.journal.counters["files"] > 20

    play(long, organisation(), data=tmp_path)
    files = sorted((tmp_path / JOURNAL).iterdir())
    assert 5 < len(files) < 20
    assert sum(file.stat().st_size for file in files) <= 360_000
    assert sum(all_equal(file) for file in files) == all_equal(tmp_path)


def test_a_number_that_becomes_ours_leads_there_in_the_replay_too(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        lin = await world.sign_in("1001")
        refused = world.dial("13900000000")
        await refused.over.wait()
        late = world.dial("13900000000")  # on its way while the organisation changes
        before = organisation()
        world.configure(evolve(before, numbers=(*before.numbers, Number("+8613900000000", route=ToQueue("support")))))
        await settle(world, 1)
        assert not late.over.is_set()
        world.dial("008613900000000")
        world.dial("013900000000")
        await lin.hears(page.CallOffered)
        await settle(world, 1)

    play(story, organisation(), data=tmp_path)
    first, second = sorted((tmp_path / JOURNAL).iterdir())
    assert b"13900000000" not in first.read_bytes()
    assert b"13900000000" in second.read_bytes(), "it is ours now"
    assert all_equal(tmp_path) > 40


# --- what crashes -------------------------------------------------------------------------------------------------


async def crashing(world: World) -> None:
    lin = await world.sign_in("1001")
    for _ in range(3):
        caller = world.dial(HOTLINE)
        await lin.hears(page.CallOffered)
        await lin.ask(page.Answer())
        await caller.over.wait()
        await settle(world, 1)
        if world.agent("1001").phase is not agent_state.Phase.IDLE:
            await lin.ask(page.StartAnswering())


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls crash when they are answered."""

    def _joined(self: call.Call, message: object, now: float) -> list[Effect]:
        raise KeyError(self.state.arrived.caller)

    phase = next(phase for phase in call.Call.table.states if phase.name == "WAITING")
    accept = next(each for each in call.Call.table.messages if each.__name__ == "Accept")
    monkeypatch.setitem(call.Call.table._entries, (phase, accept), _joined)
    monkeypatch.setattr(World, "look", lambda self: None)


def test_a_message_that_crashed_its_actor_is_kept_and_crashes_again(tmp_path: Path, broken: None) -> None:
    play(crashing, organisation(), data=tmp_path)
    files = sorted((tmp_path / QUARANTINE).iterdir())
    assert len(files) == 3
    assert all(file.name.endswith("-call.journal") for file in files)
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    for file in files:
        assert replayed(file).output == "1 steps of 1 actors: all effects equal\n"
    assert all_equal(tmp_path / JOURNAL) > 50
    for directory in (QUARANTINE, JOURNAL):
        written = octets(tmp_path, directory)
        assert b"test_journal.py" in written, "where it came from"
        assert [private for private in PRIVATE if private.encode() in written] == []


def test_a_crash_that_was_mended_is_a_difference(tmp_path: Path, broken: None, monkeypatch: pytest.MonkeyPatch) -> None:
    play(crashing, organisation(), data=tmp_path)
    monkeypatch.undo()
    result = replayed(tmp_path / QUARANTINE)
    assert result.exit_code == 1
    assert "  expected  raises KeyError\n  got       goes well\n" in result.output


def test_quarantine_is_bounded(tmp_path: Path, broken: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "MAX_QUARANTINED", 2)
    play(crashing, organisation(), data=tmp_path)
    assert len(list((tmp_path / QUARANTINE).iterdir())) == 2


def test_a_storm_of_crashes_is_in_the_journal_alone(disk: Disk, tmp_path: Path) -> None:
    support = Queue(queues.Profile("support", "Support"))
    for _ in range(100):
        disk.journal.crashed("queue:support", disk.now, queues.Leave("c"), False, support, KeyError("+8613912345678"))
    trio.run(disk.journal._flush)
    assert disk.journal.counters["quarantined"] == 100
    assert len(list((tmp_path / QUARANTINE).iterdir())) == journal.MAX_AT_ONCE
    assert octets(tmp_path).count(b"KeyError") == 100
    assert b"13912345678" not in octets(tmp_path)


# --- what cannot be written ---------------------------------------------------------------------------------------


class Disk:
    """A journal on a disk that may be full; its alarms, its time."""

    def __init__(self, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_700_000_000.0
        self.full = False
        self.alarms: list[str] = []
        self.journal = Journal(data, lambda: self.now, self._alarm)
        monkeypatch.setattr(journal, "write", self._write)

    def _alarm(self, text: str, standing: bool) -> None:
        if standing and text not in self.alarms:
            self.alarms.append(text)
        elif not standing:
            self.alarms.remove(text)

    def _write(self, parts: Iterable[Part]) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(parts)

    def steps(self, count: int) -> None:
        for _ in range(count):
            self.journal.took("queue:support", self.now, queues.Profile("support", "Support"), False, [])


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    made = Disk(tmp_path, monkeypatch)
    support = Queue(queues.Profile("support", "Support"))
    made.journal.begin(lambda: [ActorState("queue:support", made.now, support)])
    return made


def test_a_full_disk_is_an_alarm_and_the_journal_goes_on_with_another_file(disk: Disk, tmp_path: Path) -> None:
    def wait(seconds: float) -> None:
        disk.now += seconds
        disk.journal.look()
        trio.run(disk.journal._flush)

    disk.steps(3)
    wait(0.2)
    disk.full = True
    disk.steps(3)
    wait(0.2)
    assert disk.alarms == [JOURNAL_UNWRITTEN.text]
    disk.steps(3)
    wait(0.2)
    wait(journal.RETRY)
    assert disk.alarms == [JOURNAL_UNWRITTEN.text]
    disk.full = False
    wait(journal.RETRY)
    disk.steps(4)
    wait(0.2)
    assert disk.alarms == []
    assert (disk.journal.counters["failures"], disk.journal.counters["files"]) == (2, 3)
    assert len(list((tmp_path / JOURNAL).iterdir())) == 2
    assert all_equal(tmp_path) == 3 + 4


def test_one_that_was_deleted_is_not_gone_on_with(disk: Disk, tmp_path: Path) -> None:
    disk.steps(1)
    trio.run(disk.journal._flush)
    for path in (tmp_path / JOURNAL).iterdir():
        path.unlink()
    disk.steps(1)
    trio.run(disk.journal._flush)
    assert list((tmp_path / JOURNAL).iterdir()) == []
    disk.now += journal.RETRY
    disk.journal.look()
    disk.steps(2)
    trio.run(disk.journal._flush)
    assert disk.alarms == []
    assert all_equal(tmp_path) == 2


def test_a_disk_that_hangs_holds_nobody(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    hangs = threading.Event()
    monkeypatch.setattr(journal, "PATIENCE", 0.02)
    monkeypatch.setattr(journal, "write", lambda parts: hangs.wait())
    disk.steps(1)
    trio.run(disk.journal._flush)
    assert disk.alarms == [JOURNAL_UNWRITTEN.text]
    hangs.set()


def test_a_disk_that_is_too_slow_costs_no_memory(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "MAX_WAITING", 10_000)
    disk.steps(1000)
    assert disk.alarms == [JOURNAL_UNWRITTEN.text]
    assert sum(len(part.octets) for part in disk.journal.take()) < 11_000


def test_a_step_that_cannot_be_packed_is_taken_all_the_same(disk: Disk, tmp_path: Path) -> None:
    class Unknown:
        pass

    disk.journal.took("queue:support", disk.now, Unknown(), False, [])
    disk.journal.look()
    assert disk.alarms == [JOURNAL_UNWRITTEN.text]
    disk.journal.crashed("queue:support", disk.now, Unknown(), False, Queue(queues.Profile("a", "A")), KeyError())
    assert disk.journal.counters["quarantined"] == 1


def test_what_is_put_aside_is_as_it_was_then(disk: Disk, tmp_path: Path) -> None:
    support, begun = Queue(queues.Profile("support", "Support")), disk.journal.counters["octets"]
    disk.journal.born("queue:support", disk.now, support)
    support.receive(queues.Profile("support", "Renamed"), disk.now)
    assert disk.journal.counters["octets"] == begun, "it is packed with what comes after it"
    disk.steps(journal.TOGETHER)
    assert disk.journal.counters["octets"] > begun
    trio.run(disk.journal._flush)
    assert b"Renamed" not in octets(tmp_path)


def test_the_journal_is_written_by_itself_and_the_rest_of_it_at_the_end(tmp_path: Path) -> None:
    async def main() -> int:
        async with trio.open_nursery() as nursery:
            kept = Journal(tmp_path, lambda: 1_700_000_000 + trio.current_time(), lambda text, standing: None)
            system = System(trio.current_time, nursery, journal=kept)
            kept.begin(system.actor_states)
            nursery.start_soon(kept.run)
            kept.took("a", 0.0, None, False, [])
            early = 0
            while not early:  # a thread writes, in its own time
                await trio.sleep(journal.FLUSH)
                early = len(octets(tmp_path)) if (tmp_path / "journal").exists() else 0
            kept.ended("a", 0.0, "stopped", [])
            nursery.cancel_scope.cancel()
        return early

    early = trio.run(main, clock=trio.testing.MockClock(rate=20))
    assert early < len(octets(tmp_path))


def test_a_behaviour_of_a_test_is_no_reason_to_stop(tmp_path: Path) -> None:
    kept = Journal(tmp_path, lambda: 0.0, lambda text, standing: None)
    kept.begin(lambda: [ActorState("a", 0.0, Actor())])
    assert kept.counters["failures"] == 1


def test_the_code_version_is_that_of_what_steps_depend_on(monkeypatch: pytest.MonkeyPatch) -> None:
    version = journal.code_version()
    journal.code_version.cache_clear()
    assert journal.code_version() == version
    journal.code_version.cache_clear()
    monkeypatch.setattr(journal, "version", lambda package: "0")
    assert journal.code_version() != version
    journal.code_version.cache_clear()
