"""What the pictures are taken of: a centre as `cordboard run` serves it, and whoever calls it or is called by it.

Everything is real, and nothing happens by itself. A customer calls when a scene wants one, by the SIP and with the
voices of the demonstration's (`customer.py`), and waits and talks for as long as the scene takes, however slow the
machine is. Calls out ring at a telephone that nobody picks up.
"""

from __future__ import annotations

import http.server
import math
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

import trio
from attrs import frozen

from ..actors.supervisor import run_directory
from . import customer
from .demo import SAMPLE

# Nobody is put through to the Bookings queue: an agent who has no other is left alone in each state for as long as a
# picture takes.
CALLED = 'name = "Chen"\npassword = "harbour-1003"\nskills = { support = 1, bookings = 1 }'
QUIET = 'name = "Chen"\npassword = "harbour-1003"\nskills = { bookings = 1 }'
assert CALLED in SAMPLE
# The way out, to what answers at an address of its own.
OUTWARD = '\n[[trunk]]\nid = "carrier"\nproxy = "sip:127.0.0.2:{port}"\n\n[[dialling]]\nallow = "+86"\n'
# Systems that are told of what happens: one takes it all, and one is away.
SYSTEMS = """
[[webhook]]
id = "crm"
url = "http://127.0.0.1:{port}/cordboard"
secret = "c2VlbiBieSBub2JvZHkgaW4gYSBwaWN0dXJl"

[[webhook]]
id = "reports"
url = "http://127.0.0.1:{closed}/surveys"
events = ["survey.ended"]
"""
SUPPORT, BOOKINGS = customer.NUMBER, "+861055502000"
HOUR = 3600.0
# Long enough to be asked for a message, and to leave one of two sentences.
MESSAGE_SECONDS = 18.0


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- whoever calls ------------------------------------------------------------------------------------------------


class Callers:
    """Customers of one number and of one kind: `patience` is how long each waits for somebody, and then talks."""

    def __init__(self, folder: Path, sip_port: int, number: str, patience: float) -> None:
        manners = customer.Manners((patience, patience), enough=HOUR)
        self._run = partial(customer.run, ("127.0.0.1", sip_port), folder, math.inf, number, manners=manners)
        self._bell = run_directory(folder) / customer.SOCKET
        self._there = threading.Event()
        self._over = trio.CancelScope()
        self._thread = threading.Thread(target=trio.run, args=(self._live,))

    def call(self) -> None:
        """The next of them dials now."""
        if self._thread.ident is None:  # it begins with the first
            self._thread.start()
            self._there.wait()
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell:
            bell.sendto(customer.CALL, str(self._bell))

    def hang_up(self) -> None:
        """All of them do, and no other calls any more."""
        if self._thread.is_alive():
            trio.from_thread.run_sync(self._over.cancel, trio_token=self._token)
            self._thread.join()

    async def _live(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        with self._over:
            async with trio.open_nursery() as nursery:
                await nursery.start(self._run)
                self._there.set()


# --- whoever is called --------------------------------------------------------------------------------------------


def _answers(request: str) -> list[str]:
    """What a telephone says that rings, and that nobody picks up (RFC 3261 §13.3.1.1, §9.2)."""
    method = request.partition(" ")[0]
    given = [line for line in request.split("\r\n") if re.match("(Via|From|To|Call-ID|CSeq):", line)]
    head = [f"{line};tag=rings" if line.startswith("To:") and ";tag=" not in line else line for line in given]
    said = {"INVITE": ["180 Ringing"], "ACK": []}.get(method, ["200 OK"])
    made = ["\r\n".join([f"SIP/2.0 {status}", *head, "Content-Length: 0\r\n\r\n"]) for status in said]
    if method == "CANCEL":
        made.append(made[0].replace("200 OK", "487 Request Terminated").replace("CANCEL", "INVITE"))
    return made


@contextmanager
def telephone() -> Iterator[int]:
    """Rings whenever it is called; gives its port."""

    def serve() -> None:
        while not done.is_set():
            with suppress(TimeoutError):
                data, switch = udp.recvfrom(65536)
                for said in _answers(data.decode(errors="replace")):
                    udp.sendto(said.encode(), switch)

    done = threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(0.2)
        udp.bind(("127.0.0.2", 0))
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield int(udp.getsockname()[1])
        finally:
            done.set()
            thread.join()


# --- whoever is told ----------------------------------------------------------------------------------------------


class _Takes(http.server.BaseHTTPRequestHandler):
    """Whatever is posted."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(204)
        self.end_headers()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nobody reads it."""


@contextmanager
def system() -> Iterator[int]:
    """Takes all that it is told; gives its port."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Takes) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


# --- the centre ---------------------------------------------------------------------------------------------------


@frozen
class Centre:
    """`address` is that of its pages."""

    address: str
    # Two kinds that call Support, of which one can hang up alone; and who calls Bookings and leaves a message.
    patient: Callers
    hasty: Callers
    leaving_word: Callers


@contextmanager
def centre() -> Iterator[Centre]:
    """Runs the sample organisation, on free ports and in a data directory of its own."""
    with ExitStack() as stack:
        outside = stack.enter_context(telephone())
        systems = SYSTEMS.format(port=stack.enter_context(system()), closed=free_port(socket.SOCK_STREAM))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sip_port = free_port(socket.SOCK_DGRAM)
        config, data, organisation = folder / "config.toml", folder / "data", folder / "org.toml"
        config.write_text(
            f'[sip]\nudp = "127.0.0.1:{sip_port}"\ntcp = ""\n'
            f'[media]\nwebrtc_port = {free_port(socket.SOCK_DGRAM)}\nrtp_ports = "0"\n'
            f'[web]\nlisten = "127.0.0.1:{free_port(socket.SOCK_STREAM)}"\n'
            "[limits]\ndrain_seconds = 0\n",
            encoding="utf-8",
        )
        entries = SAMPLE.replace(CALLED, QUIET) + OUTWARD.format(port=outside) + systems
        organisation.write_text(entries, encoding="utf-8")
        cordboard = [sys.executable, "-m", "cordboard.actors.main"]
        subprocess.run([*cordboard, "import", str(organisation), "--data", str(data)], check=True)
        argv = [*cordboard, "run", "--config", str(config), "--data", str(data)]
        process = stack.enter_context(subprocess.Popen(argv, stdout=subprocess.PIPE, text=True))
        stack.callback(process.send_signal, signal.SIGTERM)
        assert process.stdout is not None
        ready = next(line for line in process.stdout if line.startswith("ready"))
        found = re.search(r"https://\S+", ready)
        assert found is not None
        kinds = [(SUPPORT, HOUR), (SUPPORT, HOUR), (BOOKINGS, MESSAGE_SECONDS)]
        callers = [Callers(folder / str(n), sip_port, *kind) for n, kind in enumerate(kinds)]
        for each in callers:
            stack.callback(each.hang_up)
        yield Centre(found[0], *callers)
