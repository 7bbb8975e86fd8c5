"""Lines of the log are written together, and what is grave at once."""

from __future__ import annotations

import io

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
