"""What is said to an encoder and what it answers: what was written is read again, and nothing else is."""

from __future__ import annotations

import pytest
from cordboard.switch.jobs import Answer, Encoded, Progress, Refused, Wanted, Why, parse_answer, to_line


@pytest.mark.parametrize(
    "answer",
    [Progress(61.5), Encoded(90.5, 540000, "a.opus.peaks.json"), *(Refused(why, "so\nit “is”") for why in Why)],
)
def test_an_answer_is_one_line_and_read_as_it_was_written(answer: Answer) -> None:
    line = to_line(answer)
    assert line.index(b"\n") == len(line) - 1
    assert parse_answer(line) == answer


def test_a_job_is_one_line_and_read_as_it_was_written() -> None:
    wanted = Wanted("/录音/a\n.cbr", "/录音/a.opus", "opus")
    assert wanted.line().index(b"\n") == len(wanted.line()) - 1
    assert Wanted.parse(wanted.line()) == wanted


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b"\xff", b"12", b"[1]", b"[]", b"{}", b"null"),
        *(b'{"is": "done"}', b'{"is": "progress"}', b'{"is": "encoded"}'),
        b'{"is": "progress", "seconds": 1, "more": 2}',
        b'{"is": "refused", "why": "tired", "reason": ""}',
    ],
)
def test_what_is_no_answer_raises_what_its_reader_expects(line: bytes) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        parse_answer(line)
