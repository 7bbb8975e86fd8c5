"""A real process writes as fast as it can and is killed, or finds the disk full: the file opens, nothing is lost."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cordboard.actors.store.database import FILE, open_database

KILLS = 20

# Forks a writer for each line it is given and says its process id; a writer says how many it has committed.
FORKING = """
import os, sys, trio
from pathlib import Path
from cordboard.actors.effects import Record
from cordboard.actors.records import CallEntry
from cordboard.actors.store import Store

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

async def write(data, first):
    async with await Store.open(data) as store, trio.open_nursery() as nursery:
        store.ledger.on_commit = lambda committed: say(first + committed)
        nursery.start_soon(store.ledger.run, lambda text: say("alarm", text), lambda text: say("clear"))
        for number in range(first, 10**9):
            call = CallEntry(f"c{number}", "t", "inbound", "+8613912345678", "", "1", "q", 1e9, ended=float(number))
            store.ledger.keep(Record(call))
            await trio.sleep(0)

for line in sys.stdin:
    child = os.fork()
    if not child:
        trio.run(write, Path(sys.argv[1]), int(line))
    say("pid", child)
    os.waitpid(child, 0)
    say("gone")
"""


@contextmanager
def process(source: str, data: Path) -> Iterator[subprocess.Popen[str]]:
    # It imports what this one imports.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(each for each in sys.path if each)}
    with subprocess.Popen(
        [sys.executable, "-c", source, str(data)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        env=environment,
    ) as started:
        try:
            yield started
        finally:
            started.kill()


def test_killed_at_any_moment_the_database_opens_with_all_that_was_committed(tmp_path: Path) -> None:
    rng = random.Random(1)
    committed = 0
    with process(FORKING, tmp_path) as forking:
        assert forking.stdin is not None
        assert forking.stdout is not None
        for _ in range(KILLS):
            began = committed
            forking.stdin.write(f"{committed}\n")
            pid = 0
            while pid == 0 or committed == began:  # it has begun to commit
                match forking.stdout.readline().split():
                    case ["pid", number]:
                        pid = int(number)
                    case [number]:
                        committed = int(number)
            time.sleep(rng.uniform(0, 0.12))  # any moment between two commits
            os.kill(pid, signal.SIGKILL)
            while (line := forking.stdout.readline()) != "gone\n":
                committed = int(line)
            with sqlite3.connect(tmp_path / FILE) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                whole = "SELECT count(*) FROM calls WHERE ended < ? AND ended = CAST(substr(call, 2) AS REAL)"
                assert connection.execute(whole, (committed,)).fetchone() == (committed,)
            connection.close()
        # Each writer but the first has opened what the one before it left.
    open_database(tmp_path).dispose()
    print(f"killed {KILLS} times while {committed} rows were committed")


# The system refuses what makes a file longer than this, as a full disk does; then there is room again.
FULL = """
import os, resource, sys, trio
from pathlib import Path
from cordboard.actors.effects import Record
from cordboard.actors.records import CallEntry
from cordboard.actors.store import Store

async def main(data):
    alarms = []
    async with await Store.open(data) as store, trio.open_nursery() as nursery:
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
        nursery.start_soon(store.ledger.run, alarms.append, lambda text: alarms.append("clear"))
        for number in range(5000):
            store.ledger.keep(Record(CallEntry(f"c{number}", "t", "inbound", "1", "", "1", "q", float(number))))
            if number % 500 == 0:
                await trio.sleep(0.06)
        while not store.ledger.failing:
            await trio.sleep(0.01)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        while store.ledger.behind:
            await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    print(alarms[0].rpartition(": ")[2], len(alarms), alarms[-1], sep="|")

trio.run(main, Path(sys.argv[1]))
"""


def test_a_disk_that_is_full_for_a_while_loses_nothing(tmp_path: Path) -> None:
    with process(FULL, tmp_path) as filling:
        assert filling.stdout is not None
        said = filling.stdout.read().strip().split("|")
    assert said[0] in ("disk I/O error", "database or disk is full")
    assert said[1:] == ["2", "clear"]
    with sqlite3.connect(tmp_path / FILE) as connection:
        assert connection.execute("SELECT count(*) FROM calls").fetchone() == (5000,)
    connection.close()
