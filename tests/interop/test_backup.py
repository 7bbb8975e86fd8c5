"""The copy that docs/operations.md tells how to make, made while calls live, is a data directory to go on with."""

from __future__ import annotations

import contextlib
import re
import shutil
import sqlite3
from pathlib import Path

from .caller import Caller
from .product import ROOT, Product, infrastructure, until
from .robot import Robot

PAGE = ROOT / "docs" / "operations.md"


def copy(data: Path, backup: Path) -> None:
    """As the page says, with a rsync of our own."""
    said = re.search(r"sqlite3 DATA/cordboard\.db \"(.+)\"\n +rsync -a (.+) BACKUP/\n", PAGE.read_text())
    assert said is not None, f"{PAGE} does not say it"
    backup.mkdir(mode=0o700)
    with contextlib.closing(sqlite3.connect(data / "cordboard.db")) as database:
        database.execute(said[1].replace("BACKUP", str(backup)))
    for folder in said[2].split():
        shutil.copytree(folder.replace("DATA", str(data)), backup / Path(folder).name)


def test_a_copy_made_while_calls_live_is_started_and_plays_what_was_recorded(tmp_path: Path) -> None:
    first = Product(tmp_path / "first", infrastructure(drain_seconds=0)).start()
    with contextlib.ExitStack() as stack:
        stack.callback(first.stop)
        agent = stack.enter_context(Robot(first, "1001"))
        agent.sign_in()
        with Caller(first.sip_port, "5001") as customer:
            customer.dial().answered()
            agent.event("call.offered")
            agent.do("call.answer")
            agent.event("call.connected")
            customer.hears(1)
            customer.hang_up()
            agent.event("call.ended")
        until(lambda: first.ask("/api/calls").json["calls"][0]["recording"] == "ready", 15, "the recording")
        agent.do("agent.start_answering")
        agent.state("idle")
        with Caller(first.sip_port, "5001") as customer:
            customer.dial().answered()
            agent.event("call.offered")
            agent.do("call.answer")
            agent.event("call.connected")
            until(lambda: len(first.ask("/api/calls").json["calls"]) == 2, 5, "the living call in the list")
            second = Product(tmp_path / "second", infrastructure(drain_seconds=0))
            shutil.rmtree(second.data)
            copy(first.data, second.data)
    assert first.complaints == []

    second.start()
    try:
        calls = until(lambda: second.ask("/api/calls").json["calls"], 5, "the calls")
        assert [call["ended"] is None for call in calls] == [False, False]
        living, over = calls
        assert living["ended_by"] == "system"
        sound = second.ask(f"/api/calls/{over['call']}/recording")
        assert sound.status == 200
        assert sound.body.startswith(b"OggS")
    finally:
        second.stop()
    assert second.complaints == []
