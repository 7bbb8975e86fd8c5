"""Lines of the log are written together, and what is grave at once."""

from __future__ import annotations

import io
import sys
from threading import Thread

import structlog
import trio
from cordboard.actors.lines import Lines


class Paper(io.StringIO):
    """How often something was written on it."""

    writes = 0

    def write(self, text: str) -> int:
        self.writes += 1
        return super().write(text)


def test_a_round_of_the_loop_writes_its_lines_together_and_in_order() -> None:
    paper = Paper()
    lines = Lines(paper)
    log = structlog.wrap_logger(lines, processors=[lambda _, method, fields: f"{method} {fields['event']}"])

    async def main() -> None:
        for number in range(12):
            log.info(number)
        assert paper.getvalue() == ""
        await trio.lowlevel.checkpoint()
        assert paper.getvalue().splitlines() == [f"info {number}" for number in range(12)]
        log.warning("and on")

    trio.run(main, instruments=[lines])
    lines.write()
    assert paper.getvalue().endswith("info 11\nwarning and on\n")
    assert paper.writes == 2


def test_what_is_grave_is_written_at_once_behind_what_came_before() -> None:
    paper = Paper()
    lines = Lines(paper)
    lines.info("a")
    lines.error("b")
    assert paper.getvalue() == "a\nb\n"
    lines.critical("c")
    lines.write()
    assert (paper.getvalue(), paper.writes) == ("a\nb\nc\n", 2)


class FullDisk(io.StringIO):
    """... until somebody has made room."""

    full = True

    def write(self, text: str) -> int:
        if self.full:
            raise OSError("no space left on device")
        return super().write(text)


def test_lines_that_cannot_be_written_are_lost_and_the_log_goes_on_after_them() -> None:
    paper = FullDisk()
    lines = Lines(paper)

    async def main() -> None:
        lines.info("lost")
        await trio.lowlevel.checkpoint()
        lines.error("lost too")
        paper.full = False
        lines.info("heard")
        await trio.lowlevel.checkpoint()
        assert paper.getvalue() == "heard\n"

    trio.run(main, instruments=[lines])


def test_threads_that_have_something_grave_to_say_at_once_say_each_line_once() -> None:
    paper, failed = io.StringIO(), list[str]()
    lines = Lines(paper)

    def say(name: str) -> None:
        try:
            for number in range(1000):
                lines.info(f"{name} {number}")
                lines.error(f"{name} {number}!")
        except IndexError as error:
            failed.append(str(error))

    threads = [Thread(target=say, args=(name,)) for name in "abcd"]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not failed
    said = [f"{name} {number}{grave}" for name in "abcd" for number in range(1000) for grave in ("", "!")]
    assert sorted(paper.getvalue().splitlines()) == sorted(said)
