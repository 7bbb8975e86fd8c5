"""The switch for load testers: `cordboard run` in processes of its own, on free ports of loopback, in a folder of ours.

What it says of itself is asked by its own `/metrics`; which files its processes have open is read from /proc. What it
logs as an error, or did not foresee, are its `complaints`.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import ssl
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from ..actors.supervisor import run_directory
from .robot import Door

HOST = "127.0.0.1"
CONFIG = f"""
[sip]
udp = "{HOST}:0"
tcp = ""
[media]
address = "{HOST}"
webrtc_port = 0
rtp_ports = "0"
[web]
listen = "{HOST}:0"
[limits]
drain_seconds = 5
calls = %d
"""
# What a busy machine of two cores is given.
START_SECONDS = 60.0
STOP_SECONDS = 30.0
ANSWER_SECONDS = 10.0
LAST_LINES = 20
COMPLAINTS = ("level='error'", "level='critical'", "Traceback", "Error:", "Exception")


class Centre:
    """One switch that serves."""

    def __init__(self, folder: Path, ready: str) -> None:
        self.folder = folder
        self.exit_code: int | None = None
        words = ready.split()
        self.door = Door(HOST, _port(words, "https:"))
        self.sip = (HOST, _port(words, "sip:"))
        self._context = ssl._create_unverified_context()  # a self-signed certificate on this machine

    def metrics(self) -> dict[str, float]:
        """Every sample by its name with labels. Blocks: call it in a thread. Raises OSError."""
        connection = http.client.HTTPSConnection(
            self.door.host, self.door.port, timeout=ANSWER_SECONDS, context=self._context
        )
        with contextlib.closing(connection):
            connection.request("GET", "/metrics", headers={"Connection": "close"})
            lines = connection.getresponse().read().decode().splitlines()
        pairs = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}

    def pid(self, process: str) -> int:
        """Of `supervisor`, `control` or `media`."""
        return int((run_directory(self.folder / "data") / f"{process}.pid").read_text())

    def open_files(self, process: str) -> Counter[str]:
        """By kind: `sockets`, `database` (its pool opens and keeps connections as it likes), `others`."""
        found: Counter[str] = Counter(sockets=0, database=0, others=0)
        folder = Path(f"/proc/{self.pid(process)}/fd")
        for name in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                target = os.readlink(folder / name)
                database = "cordboard.db" in target
                found["sockets" if target.startswith("socket:") else "database" if database else "others"] += 1
        return found

    @property
    def complaints(self) -> list[str]:
        lines = (self.folder / "stderr.txt").read_text().splitlines()
        return [line for line in lines if any(word in line for word in COMPLAINTS)]


def _port(words: list[str], scheme: str) -> int:
    return next(int(word.rpartition(":")[2]) for word in words if word.startswith(scheme))


@asynccontextmanager
async def serving(folder: Path, organisation: str, calls: int = 0) -> AsyncIterator[Centre]:
    """A switch with that organisation, until the context ends; then `exit_code` is there. `calls` is the limit of it.

    Raises RuntimeError where it does not start."""
    config, data, entries = folder / "cordboard.toml", folder / "data", folder / "organisation.toml"
    config.write_text(CONFIG % calls)
    entries.write_text(organisation)
    places = ["--config", str(config), "--data", str(data)]
    program = [sys.executable, "-m", "cordboard.actors.main"]
    await trio.run_process([*program, "import", str(entries), *places], capture_stdout=True)
    with (folder / "stderr.txt").open("w") as errors:
        process = await trio.lowlevel.open_process(
            [*program, "run", *places], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
        )
    centre: Centre | None = None
    try:
        with trio.fail_after(START_SECONDS):
            centre = Centre(folder, await _ready(process))
        yield centre
    except Exception as error:  # whatever it is, and it goes on: with what the switch said
        said = (folder / "stderr.txt").read_text().splitlines()[-LAST_LINES:]
        error.add_note("\n".join(("The switch said last:", *said)))
        raise
    finally:
        with trio.CancelScope(shield=True):
            process.send_signal(signal.SIGTERM)
            with trio.move_on_after(STOP_SECONDS):
                await process.wait()
            if process.returncode is None:
                process.kill()
                await process.wait()
            if centre is not None:
                centre.exit_code = process.returncode


async def _ready(process: trio.Process) -> str:
    assert process.stdout is not None  # opened with a pipe
    said = b""
    while b"\n" not in said:
        more = await process.stdout.receive_some()
        if not more:
            raise RuntimeError("the switch did not start; what it said is in stderr.txt")
        said += more
    return said.decode().splitlines()[0]
