"""The processes that code beside the engine's, as they are: what comes out, and what becomes of them."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from cordboard.codecs.opuspacket import whole
from cordboard.switch import coder, codingprocess
from cordboard.switch import process as media_process
from cordboard.switch.coders import Coders
from cordboard.switch.codingprocess import CodingProcess, coding, cores
from cordboard.switch.process import AccessPoint, MediaConfig

from .test_coders import ROWS, encoded, opened, told, tone


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch) -> Iterator[CodingProcess]:
    """One, which has all the time it needs on a busy machine, and is not kept waiting for long when it is lost."""
    monkeypatch.setattr(codingprocess, "PATIENCE", 10.0)
    monkeypatch.setattr(codingprocess, "FIRST_DELAY", 0.01)
    with coding(1, 256) as (one,):
        ready(one)
        yield one


def ready(one: CodingProcess) -> None:
    deadline = time.monotonic() + 30
    while one.requests is None:
        assert time.monotonic() < deadline
        os.sched_yield()
        one.look()


def beside(one: CodingProcess) -> Coders:
    codec = Coders([one], capacity=256)
    for row in ROWS.tolist():
        codec.open(row)
    return codec


def test_another_process_makes_what_this_one_would_and_is_followed_by_a_next_one(
    other: CodingProcess, capfd: pytest.CaptureFixture[str]
) -> None:
    alone, spread = opened([]), beside(other)
    top = (np.arange(len(ROWS)) % 3).astype(np.uint8)
    for tick in range(3):
        frames = [tone(row, tick) for row in ROWS.tolist()]
        packets = encoded(alone, frames)
        assert packets == encoded(spread, frames)
        heard = [whole(its[0]) for its in packets]
        assert told(alone.decode(ROWS, heard, top), len(ROWS)) == told(spread.decode(ROWS, heard, top), len(ROWS))
    first = other.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    told(spread.decode(ROWS, heard, top), len(ROWS))
    assert spread.counters == {"coders_lost": 1}
    assert all(encoded(spread, frames))
    ready(other)
    assert other.pid != first
    assert "media: a coding process was killed, or did not answer; the next one" in capfd.readouterr().err
    assert not os.path.exists(f"/proc/{first}")


def test_one_that_does_not_answer_is_lost(other: CodingProcess) -> None:
    codec = beside(other)
    frames = [tone(row, 0) for row in ROWS.tolist()]
    assert all(encoded(codec, frames))
    assert other.pid is not None
    os.kill(other.pid, signal.SIGSTOP)
    other._socket.settimeout(0.01)
    packets = encoded(codec, frames)
    assert 0 < sum(not its for its in packets) < len(ROWS)
    assert all(encoded(codec, frames))
    assert codec.counters == {"coders_lost": 1}


def test_it_ends_with_whoever_started_it() -> None:
    """... in whatever way, though it minds no signal that its process group is sent."""
    program = (
        "import os, signal\n"
        "from cordboard.switch.codingprocess import coding\n"
        "with coding(1, 16) as (one,):\n"
        "    while one.requests is None:\n"
        "        one.look()\n"
        "    os.kill(one.pid, signal.SIGTERM)\n"
        "    print(one.pid, flush=True)\n"
        "    signal.pause()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        ended = select.poll()
        descriptor = os.pidfd_open(pid)
        ended.register(descriptor, select.POLLIN)
        parent.kill()
    assert ended.poll(10_000)
    os.close(descriptor)


def test_the_media_process_has_one_beside_it_for_each_other_core(tmp_path: Path) -> None:
    config = MediaConfig(
        addresses=("127.0.0.1",), rtp_ports="0", access_points=(AccessPoint(addresses=("127.0.0.1",), port=0),)
    )
    command = [sys.executable, "-m", media_process.__name__, str(tmp_path / "media.sock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as media:
        assert media.stdin is not None
        assert media.stdout is not None
        media.stdin.write(config.to_json() + "\n")
        media.stdin.flush()
        assert media.stdout.readline() == "ready\n"
        children = Path(f"/proc/{media.pid}/task/{media.pid}/children").read_text().split()
        programs = [Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")[2] for child in children]
        assert programs == [coder.__name__.encode()] * cores()
        media.kill()


def test_there_are_none_on_one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    for its, expected in ((1, 0), (2, 1), (4, 3), (64, 3)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid, n=its: set(range(n)))
        assert cores() == expected
