"""The file of the states: what is in it when a process dies, and what becomes of it where nothing can be written."""

from __future__ import annotations

import math
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve, field
from cordboard.actors import past, statefile, trunk
from cordboard.actors.effects import Effect, Log, Record, Tell
from cordboard.actors.packing import Packer, UnpackError
from cordboard.actors.records import Entry, LegEntry
from cordboard.actors.statefile import States, read
from cordboard.actors.states import ActorState, Alive, Committed, Step, Told, Whole
from cordboard.actors.trunk import Profile, Trunk

ENTRY = LegEntry("c", 0, "caller", 1.0)


@cache
def packer() -> Packer:
    """One for all: to make it takes longer than most of what is read with it."""
    return past.packer()


@define
class Keeper:
    """Somebody who writes down a trunk."""

    path: Path
    now: float = 100.0
    # How many actors there are, all like this trunk.
    living: int = 1
    trunk: Trunk = field(factory=lambda: Trunk(Profile("carrier"), 0.0))
    alarms: list[bool] = field(factory=list)
    # What was stated, as whoever keeps it has it, and how much of it is safe.
    stated: list[Entry] = field(factory=list)
    safe: int = 0
    states: States = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.states = States(lambda: self.path, packer(), lambda: self.now, lambda text, on: self.alarms.append(on))
        self.states.begin(self.whole, lambda: self.living)

    def whole(self) -> Whole:
        unsafe = tuple(enumerate(self.stated, 1))[self.safe :]
        actors = (ActorState("trunk:carrier", self.now, self.trunk),) * self.living
        return Whole(self.now, actors, unsafe=unsafe, stated=len(self.stated))

    def step(self, *effects: Effect, told: bool = True) -> None:
        before = self.trunk.state
        self.trunk.state = evolve(before, hosts_had=before.hosts_had + 1)
        self.states.step("trunk:carrier", self.now, told, before, self.trunk.state, effects)
        self.stated += [each.entry for each in effects if isinstance(each, Record)]

    def commit(self, upto: int) -> None:
        self.safe = upto
        self.states.add(Committed(upto))

    def lacks(self) -> list[Entry]:
        """What the next process would write into the database."""
        return past.read(self.path, packer(), self.now).entries

    def counted(self) -> list[object]:
        """What a reader finds: how often it was in a whole or a step."""
        found: list[object] = []
        for record in read(self.path, packer()):
            match record:
                case Whole(actors=actors):
                    found.append(("whole", actors[0].behaviour.state.hosts_had))
                case Step(changes=changes):
                    found.append(("step", changes.get("hosts_had")))
                case _:
                    found.append(record)
        return found


def test_a_step_is_in_the_file_before_its_effects_and_without_what_is_said_to_people(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "states")
    told = Tell("call:c", trunk.Dismiss())
    keeper.step(told, Log("something"), Record(ENTRY))
    keeper.states.add(Told("trunk:carrier", 101.0, trunk.Recalled(101.0)))
    whole, step, last = read(keeper.path, packer())
    assert isinstance(whole, Whole)
    assert step == Step("trunk:carrier", 100.0, True, {"hosts_had": 1}, (told, Record(ENTRY)))
    assert last == Told("trunk:carrier", 101.0, trunk.Recalled(101.0))
    assert keeper.path.stat().st_mode & 0o777 == 0o600


def test_a_file_is_read_as_far_as_it_is_whole(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "states")
    for _ in range(5):
        keeper.step()
    data = keeper.path.read_bytes().rstrip(b"\0") + b"\0"  # the last octet of a record; behind it is room
    for cut in range(1, 200):
        for rest in (b"", bytes(cut), bytes(5000)):
            keeper.path.write_bytes(data[:-cut] + rest)
            found = keeper.counted()
            assert found == [("whole", 0), *(("step", i) for i in range(1, 6))][: len(found)]
            assert len(found) >= 1
    keeper.path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert keeper.counted()[-1] == ("step", 4)
    keeper.path.write_bytes(b"")
    with pytest.raises(UnpackError):
        keeper.counted()


def test_when_it_has_grown_it_is_begun_anew_between_what_was_done_and_what_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statefile, "ROTATE_BYTES", 0)
    monkeypatch.setattr(statefile, "ROTATE_TIMES", 1)
    keeper = Keeper(tmp_path / "states")
    wanted = Tell("call:c", trunk.Dismiss())
    keeper.step(wanted)
    keeper.step(wanted, Record(ENTRY))  # the file is longer than it began: all is written, then what this step wants
    whole, step = read(keeper.path, packer())
    assert isinstance(whole, Whole)
    assert whole.unsafe == ()
    assert step == Step("trunk:carrier", 100.0, False, {}, (wanted, Record(ENTRY)))
    assert keeper.counted()[0] == ("whole", 2)
    keeper.step()
    (whole, *_) = read(keeper.path, packer())
    assert isinstance(whole, Whole)
    assert (whole.unsafe, whole.stated) == (((1, ENTRY),), 1)


def test_what_many_took_that_live_no_more_is_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statefile, "ROTATE_BYTES", 1000)
    keeper = Keeper(tmp_path / "states", living=100)
    crowded = keeper.path.stat().st_ino
    for _ in range(5):
        keeper.states.alive(101.0)
    assert keeper.path.stat().st_ino == crowded
    keeper.living = 20
    keeper.states.alive(102.0)  # though no actor has anything to do
    assert keeper.path.stat().st_ino != crowded
    whole, last = read(keeper.path, packer())
    assert isinstance(whole, Whole)
    assert (len(whole.actors), last) == (20, Alive(102.0))


def test_what_the_database_lacks_is_known_whenever_the_file_was_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = [evolve(ENTRY, number=number) for number in range(9)]
    keeper = Keeper(tmp_path / "states")
    keeper.step(Record(entries[0]), Record(entries[1]))
    keeper.states.said(entries[2])
    keeper.stated.append(entries[2])
    assert keeper.lacks() == entries[:3]
    keeper.commit(1)
    assert keeper.lacks() == entries[1:3]
    monkeypatch.setattr(statefile, "ROTATE_BYTES", 0)
    monkeypatch.setattr(statefile, "ROTATE_TIMES", 0)
    keeper.step(Record(entries[3]))  # while a commit of what was there before is under way
    monkeypatch.undo()
    keeper.step(Record(entries[4]))
    assert keeper.lacks() == entries[1:5]
    keeper.commit(3)
    assert keeper.lacks() == entries[3:5]
    keeper.commit(5)
    assert keeper.lacks() == []


def test_what_takes_long_to_write_in_vain_is_tried_more_seldom(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "states")
    asked: list[float] = []

    def slow() -> Whole:
        asked.append(keeper.now)
        keeper.now += 0.5  # there is that much
        nobody_can_pack_it: Any = object()
        return evolve(keeper.whole(), actors=(nobody_can_pack_it,))

    keeper.states.begin(slow, lambda: 1)
    for _ in range(600):
        keeper.now += 0.1
        keeper.step()
    spent = 0.5 * len(asked)
    assert 1 <= spent <= statefile.SHARE * (keeper.now - asked[0]) + 0.5


def test_where_nothing_can_be_written_there_is_no_file_that_tells_what_was(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "states")
    keeper.step()
    keeper.step(Tell("call:c", object()))  # nobody can pack that
    assert not keeper.path.exists()
    assert keeper.alarms == [False, True]
    keeper.now += statefile.RETRY / 2
    keeper.step()
    assert not keeper.path.exists()
    keeper.now += statefile.RETRY
    keeper.step()
    assert keeper.counted()[0] == ("whole", 4)
    assert keeper.alarms == [False, True, False]


def test_one_that_somebody_deleted_is_begun_anew_at_the_place_of_then(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "memory" / "states")
    assert keeper.alarms == [True]  # the directory is not there either
    for number in range(2):
        keeper.path = tmp_path / f"memory{number}" / "states"
        keeper.path.parent.mkdir()
        keeper.now += statefile.RETRY
        keeper.step()
        keeper.step()
        assert keeper.counted() == [("whole", 2 * number + 1), ("step", None), ("step", 2 * number + 2)]
        shutil.rmtree(keeper.path.parent)
    assert keeper.alarms == [True, False, False]


def test_a_directory_that_is_not_there_stops_nobody(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "gone" / "states")
    keeper.step()
    assert keeper.alarms == [True]
    (tmp_path / "gone").mkdir()
    keeper.now += statefile.RETRY
    keeper.step()
    assert keeper.counted()[0] == ("whole", 2)
    assert keeper.alarms[-1] is False


def test_an_orderly_end_leaves_nothing(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "states")
    keeper.step()
    keeper.states.end()
    keeper.step()
    assert list(tmp_path.iterdir()) == []


def test_what_changed_nothing_and_wants_nothing_is_not_written(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "states")
    state = keeper.trunk.state
    keeper.states.step("trunk:carrier", 100.0, False, state, state, (Log("late"),))
    assert len(keeper.counted()) == 1
    keeper.states.step("trunk:carrier", 100.0, True, state, state, ())  # but that a message was taken is
    assert len(keeper.counted()) == 2
    assert keeper.trunk.deadline() == math.inf
