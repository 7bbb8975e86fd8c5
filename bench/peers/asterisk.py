"""Asterisk as a switch that the same calls are made to: conferences, a number that answers, and a queue of telephones.

It runs with a configuration of its own in a folder of ours, everything else as it is installed: all modules, no
recording, no call records. What it logs is in `log/messages` there.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import click
import trio
from attrs import frozen

from ..media import cpu_seconds

HOST: Final = "127.0.0.1"
START_SECONDS: Final = 60.0
LOOK: Final = 0.5
# Away from the ports that the kernel gives out by itself, as which those of a load are.
RTP_PORTS: Final = (20100, 31900)
ROOM: Final = "7"  # begins the number of a conference
TONE, QUEUE = "601", "5001"

_FOLDERS: Final = ("run", "log", "spool", "db", "keys")
_ASTERISK: Final = """
[directories]
astetcdir => {folder}
astrundir => {folder}/run
astlogdir => {folder}/log
astspooldir => {folder}/spool
astdbdir => {folder}/db
astkeydir => {folder}/keys
"""
_MODULES: Final = "[modules]\nautoload=yes\n"
_LOGGER: Final = "[logfiles]\nmessages => error,warning\n"
_RTP: Final = "[general]\nrtpstart={first}\nrtpend={last}\n"
# What a conference says to its members is not what is weighed.
_CONFBRIDGE: Final = "[default_user]\ntype=user\nquiet=yes\n[default_bridge]\ntype=bridge\n"
_PJSIP: Final = f"""
[udp]
type=transport
protocol=udp
bind={HOST}:{{port}}
[load](!)
type=endpoint
context=load
disallow=all
allow=ulaw
direct_media=no
[carrier](load)
[carrier]
type=identify
endpoint=carrier
match=127.0.0.0/8
"""
_TELEPHONE: Final = f"[{{name}}](load)\naors={{name}}\n[{{name}}]\ntype=aor\ncontact=sip:{{name}}@{HOST}:{{port}}\n"
_EXTENSIONS: Final = f"""
[load]
exten => _{ROOM}.,1,Answer()
 same => n,ConfBridge(${{EXTEN}})
exten => {TONE},1,Answer()
 same => n,Playtones(440)
 same => n,Wait(3600)
exten => {QUEUE},1,Queue(support)
"""
_QUEUES: Final = """
[general]
autofill=yes
[support]
strategy=leastrecent
ringinuse=no
timeout=10
wrapuptime=0
"""


@frozen
class Running:
    """One that serves: its process, and where it hears SIP over UDP."""

    pid: int
    port: int

    def cpu_seconds(self) -> float:
        """Of all its threads."""
        return cpu_seconds(self.pid)


def program(wanted: str) -> str:
    """The path of the program. Raises click.UsageError where it is not here."""
    found = shutil.which(wanted)
    if found is None:
        raise click.UsageError(f"{wanted} is not installed here; --program says where it is")
    return found


def version(path: str) -> str:
    return subprocess.run([path, "-V"], capture_output=True, text=True, check=True).stdout.strip()


def configure(folder: Path, port: int, telephones: Sequence[str] = (), telephones_port: int = 0) -> None:
    """Writes what it needs into a folder; all telephones are at one port of this machine."""
    for name in _FOLDERS:
        (folder / name).mkdir()
    members = "".join(f"member => PJSIP/{name}\n" for name in telephones)
    files = {
        "asterisk": _ASTERISK.format(folder=folder),
        "modules": _MODULES,
        "logger": _LOGGER,
        "rtp": _RTP.format(first=RTP_PORTS[0], last=RTP_PORTS[1]),
        "confbridge": _CONFBRIDGE,
        "pjsip": _PJSIP.format(port=port)
        + "".join(_TELEPHONE.format(name=name, port=telephones_port) for name in telephones),
        "extensions": _EXTENSIONS,
        "queues": _QUEUES + members,
    }
    for name, text in files.items():
        (folder / f"{name}.conf").write_text(text)


@asynccontextmanager
async def serving(
    path: str, folder: Path, core: int, telephones: Sequence[str] = (), telephones_port: int = 0
) -> AsyncIterator[Running]:
    """One on that core, until the context ends. Raises RuntimeError where it does not start."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind((HOST, 0))
        port: int = free.getsockname()[1]
    configure(folder, port, telephones, telephones_port)
    command = [path, "-C", str(folder / "asterisk.conf")]
    nothing = subprocess.DEVNULL
    process = subprocess.Popen([*command, "-f"], stdin=nothing, stdout=nothing, stderr=nothing)
    try:
        os.sched_setaffinity(process.pid, {core})  # before it makes threads
        with trio.move_on_after(START_SECONDS) as starting:
            while not await _booted(command):
                if process.poll() is not None:
                    raise RuntimeError(f"{path} does not run: it ended with {process.returncode}")
                await trio.sleep(LOOK)
        if starting.cancelled_caught:
            raise RuntimeError(f"{path} does not serve within {START_SECONDS:g} s")
        yield Running(process.pid, port)
    finally:
        process.terminate()
        process.wait()


async def _booted(command: Sequence[str]) -> bool:
    asked = [*command, "-rx", "core waitfullybooted"]
    done = await trio.run_process(asked, check=False, capture_stdout=True, capture_stderr=True)
    return done.returncode == 0
