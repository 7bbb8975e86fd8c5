"""The real page of a load test, `desktop.py`, as a process of its own, where Playwright and Chromium are there."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys

import trio
from attrs import define, field

from .robot import Door

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str | None:
    """The browser's program; None where it or Playwright, a development dependency, is not installed."""
    found = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    return found if importlib.util.find_spec("playwright") is not None else None


@define
class News:
    """What the page's process last said: what it `did`, what went wrong in the page, and its heap in bytes."""

    did: dict[str, int] = field(factory=dict)
    problems: list[str] = field(factory=list)
    heap: float | None = None


async def work(program: str, door: Door, agent: str, password: str, seed: int, news: News, leave: trio.Event) -> None:
    """Until `leave`; then the page signs out."""
    url = f"https://{door.host}:{door.port}"
    command = [sys.executable, "-m", "cordboard.bench.desktop", program, url, agent, password, str(seed)]
    process = await trio.lowlevel.open_process(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    stdin, stdout = process.stdin, process.stdout
    assert stdin is not None  # opened with pipes
    assert stdout is not None

    async def hear() -> None:
        said = b""
        while more := await stdout.receive_some():
            *lines, said = (said + more).split(b"\n")
            for line in lines:
                told = json.loads(line)
                news.did, news.problems, news.heap = told["did"], told["problems"], told["heap"]

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hear)
            await leave.wait()
            await stdin.aclose()
            if await process.wait():
                news.problems.append(f"the page's process ended with {process.returncode}")
    finally:
        if process.returncode is None:
            process.kill()
