"""The room that tests share: who tries again is alone in it, and those who come meanwhile come afterwards."""

from __future__ import annotations

from pathlib import Path
from threading import Event, Thread

from tests.room import Room

# Whoever waits for so long, in seconds, does not go in by itself.
STILL = 0.05


class Visitor:
    """As a worker with a test: in the room, wanting it alone, and out again, when it is told."""

    def __init__(self, folder: Path, *, alone: bool = False) -> None:
        self._room = Room(folder)
        self._alone = alone
        self.inside, self.wants, self.alone, self._leaves = Event(), Event(), Event(), Event()
        self._thread = Thread(target=self._visit, daemon=True)
        self._thread.start()

    def _visit(self) -> None:
        with self._room.shared():
            self.inside.set()
            if self._alone:
                self.wants.wait()
                with self._room.alone(), self._room.alone():  # the second is the same
                    self.alone.set()
                    self._leaves.wait()
            self._leaves.wait()

    def leave(self) -> None:
        self._leaves.set()
        self._thread.join(10)
        assert not self._thread.is_alive()


def comes(event: Event) -> bool:
    return event.wait(10)


def waits(event: Event) -> bool:
    return not event.wait(STILL)


def test_who_wants_it_alone_waits_for_the_others_and_they_for_it(tmp_path: Path) -> None:
    one, other = Visitor(tmp_path, alone=True), Visitor(tmp_path)
    assert comes(one.inside)
    assert comes(other.inside)
    one.wants.set()
    assert waits(one.alone)
    late = Visitor(tmp_path)
    assert waits(late.inside)
    other.leave()
    assert comes(one.alone)
    assert waits(late.inside)
    one.leave()
    assert comes(late.inside)
    late.leave()


def test_two_who_want_it_alone_have_it_one_after_the_other(tmp_path: Path) -> None:
    both = [Visitor(tmp_path, alone=True) for _ in range(2)]
    for each in both:
        assert comes(each.inside)
    first, second = both
    first.wants.set()
    assert waits(first.alone)
    second.wants.set()
    assert comes(first.alone)
    assert waits(second.alone)
    first.leave()
    assert comes(second.alone)
    second.leave()
