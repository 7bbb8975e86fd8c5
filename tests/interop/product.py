"""The product as its users start it: `cordboard run` in a process of its own, on free ports, and its command line.

Nothing here imports the product. What it says on standard error is kept, and `complaints` are its error lines: a test
that passes while the switch has crashed behind it has not passed.
"""

from __future__ import annotations

import atexit
import contextlib
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from attrs import frozen

ROOT = Path(__file__).parents[2]
# A process that starts on a busy machine of two cores takes its time; what a test measures, it measures itself.
START_S = 30.0
PASSWORD = "harbour-{}"
# Of the switch under test and of the customers that measure it; see `first_in_line`.
PRIORITY = -10

T = TypeVar("T")


def until(look: Callable[[], T], seconds: float = 10.0, what: str = "") -> T:
    """The first true value of `look`, asked every 10 ms. Raises AssertionError when the time is over."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what or look} has not come true within {seconds:g} s")
        time.sleep(0.01)
    return found


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


class Organisation:
    """The text of an organisation, entry by entry: `Organisation().queue("support").agent("1001", support=1)`."""

    def __init__(self, language: str = "en") -> None:
        self._entries: list[str] = []
        self._add("[organisation]", name="Harbour Travel", language=language)

    def _add(self, head: str, **fields: object) -> Organisation:
        self._entries.append("\n".join([head, *(f"{key} = {_toml(each)}" for key, each in fields.items())]))
        return self

    def trunk(self, id_: str = "carrier", *peers: str, **fields: object) -> Organisation:
        return self._add("[[trunk]]", id=id_, peers=list(peers) or ["127.0.0.1", "::1"], **fields)

    def queue(self, id_: str, **fields: object) -> Organisation:
        return self._add("[[queue]]", id=id_, name=id_.capitalize(), **fields)

    def agent(self, id_: str, name: str = "", **skills: int) -> Organisation:
        """Its password is `harbour-ID`."""
        return self._add("[[agent]]", id=id_, name=name or id_, password=PASSWORD.format(id_), skills=skills)

    def mobile(self, id_: str, name: str, number: str) -> Organisation:
        """An agent of no queue, who can be reached there."""
        return self._add("[[agent]]", id=id_, name=name, password=PASSWORD.format(id_), mobile=number)

    def number(self, number: str, route: str, **fields: object) -> Organisation:
        return self._add("[[number]]", number=number, route=route, **fields)

    def may_dial(self, prefix: str, *trunks: str) -> Organisation:
        return self._add("[[dialling]]", allow=prefix, trunks=list(trunks))

    def numbers(self, pattern: str, route: str) -> Organisation:
        return self._add("[[number]]", pattern=pattern, route=route)

    def webhook(self, id_: str, url: str, secret: str) -> Organisation:
        return self._add("[[webhook]]", id=id_, url=url, secret=secret)

    @property
    def text(self) -> str:
        return "\n\n".join(self._entries) + "\n"


def centre() -> Organisation:
    """What most tests run on: two queues, one of which rings for 3 s only, and the test numbers."""
    made = Organisation().trunk()
    made.queue("support").queue("quick", ring_seconds=3)
    for agent, name in (("1001", "Lin"), ("1002", "Maya"), ("1003", "Chen")):
        made.agent(agent, name, support=1)
    made.agent("2001", "Ada", quick=1).agent("2002", "Bo", quick=1)
    made.number("5001", "queue:support").number("5002", "queue:quick")
    made.number("600", "echo").number("601", "tone:440").number("602", "hold")
    return made.numbers(r"7\d\d", "room")


@frozen
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def infrastructure(
    *,
    process: str = "separate",
    codecs: Sequence[str] = ("opus", "pcmu", "pcma"),
    drain_seconds: float = 5,
    address: str = "127.0.0.1",
    web: str = "127.0.0.1",
    sip_port: int = 0,
    web_port: int = 0,
    webrtc_port: int = 0,
    rtp_ports: str = "0",
    tls: bool = False,
) -> str:
    """Free ports, of loopback unless another address is given: `address` for SIP and media, `web` for the pages."""
    host = f"[{address}]" if ":" in address else address
    return f"""
[sip]
udp = "{host}:{sip_port}"
tcp = "{host}:{sip_port}"
tls = "{f"{host}:0" if tls else ""}"
[media]
address = "{address}"
webrtc_port = {webrtc_port}
rtp_ports = "{rtp_ports}"
process = "{process}"
webrtc_codecs = {json.dumps(list(codecs))}
[web]
listen = "{web}:{web_port}"
[limits]
drain_seconds = {drain_seconds}
"""


def free_port(count: int = 1, address: str = "127.0.0.1") -> int:
    """A port that is free now, for UDP and TCP, or the first of so many in a row. They are not of those that the kernel
    gives out by itself, or somebody else would have them before whoever they are for."""
    for first in random.sample(range(21000, 32000, 20), 100):
        with contextlib.ExitStack() as held, contextlib.suppress(OSError):
            for port in range(first, first + count):
                for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                    held.enter_context(socket.socket(socket.AF_INET, kind)).bind((address, port))
            return first
    raise AssertionError(f"no {count} ports in a row are free")


def lasting(**options: Any) -> str:
    """Ports that stay the same when a process is started again, as those of a centre do."""
    first = free_port(20)
    given = {"sip_port": first, "web_port": first + 1, "webrtc_port": first + 2, **options}
    return infrastructure(rtp_ports=f"{first + 4}-{first + 18}", **given)


def environment() -> dict[str, str]:
    """Ours, without what belongs to the test run alone."""
    ours = ("PYTEST", "PYTHONDONTWRITEBYTECODE")  # with the second each process would compile the product anew
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "PYTHONPATH": os.environ.get("PYTHONPATH", str(ROOT / ".typing"))}


def command_line(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "cordboard.actors.main", *arguments]


def cordboard(*arguments: str) -> subprocess.CompletedProcess[str]:
    """One command."""
    return subprocess.run(
        command_line(*arguments),
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=START_S,
        check=False,
    )


@cache
def _imported_centre() -> Path:
    """A data directory for copies: what most tests run on is imported once."""
    folder = Path(tempfile.mkdtemp(prefix="cordboard-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    file, data = folder / "organisation.toml", folder / "data"
    file.write_text(centre().text)
    done = cordboard("import", str(file), "--data", str(data))
    assert done.returncode == 0, done.stderr
    return data


class Product:
    """One data directory and the processes that run on it."""

    def __init__(self, folder: Path, config: str | None = None, organisation: str | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.data = folder / "data"
        self.config = folder / "cordboard.toml"
        self.config.write_text(infrastructure() if config is None else config)
        self.log = folder / "stderr.txt"
        self.output = folder / "stdout.txt"
        # What a test does on purpose and the switch rightly tells as an error.
        self.expected: list[str] = []
        self.ready = ""
        self.web_port = self.sip_port = self.tcp_port = self.tls_port = 0
        self.process: subprocess.Popen[bytes] | None = None
        self._ssl = ssl._create_unverified_context()
        self._tokens: dict[str, str] = {}
        if organisation is None:
            shutil.copytree(_imported_centre(), self.data)
        else:
            self.import_organisation(organisation)

    # --- the command line ---------------------------------------------------------------------------------------

    def cordboard(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One command with our configuration and data directory."""
        return cordboard(*arguments, "--config", str(self.config), "--data", str(self.data))

    def import_organisation(self, text: str) -> str:
        file = self.folder / "organisation.toml"
        file.write_text(text)
        done = self.cordboard("import", str(file))
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, command: str = "run") -> Product:
        with self.log.open("a") as errors, self.output.open("w") as output, first_in_line():
            self.process = subprocess.Popen(
                [*command_line(command), "--config", str(self.config), "--data", str(self.data)],
                env=environment(),
                cwd=ROOT,
                stdout=output,
                stderr=errors,
            )
            try:
                self.ready = until(self._ready_line, START_S, "the ready line")
            except BaseException:
                self.stop()
                raise
        words = self.ready.split()
        self.web_port = next(int(word.rpartition(":")[2]) for word in words if word.startswith("https:"))
        found = (re.fullmatch(r"sip:.*:([0-9]+)(?:;transport=(tcp|tls))?", word) for word in words)
        ports = {each[2] or "udp": int(each[1]) for each in found if each}
        self.sip_port, self.tcp_port, self.tls_port = (ports.get(each, 0) for each in ("udp", "tcp", "tls"))
        return self

    def _ready_line(self) -> str:
        assert self.process is not None
        assert self.process.poll() is None, f"it ended: {self.said}{self.log.read_text()}"
        lines = self.said.splitlines(keepends=True)
        return next((line.strip() for line in lines if line.startswith("ready") and line.endswith("\n")), "")

    @property
    def said(self) -> str:
        """Its standard output so far."""
        return self.output.read_text()

    def terminate(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float = START_S) -> int:
        """The exit code."""
        assert self.process is not None
        return self.process.wait(seconds)

    def stop(self) -> None:
        """Ends it, politely first; whoever shares the machine is spared orphans."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.terminate()
            try:
                self.process.wait(START_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    # --- what it says of itself ---------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.web_port}"

    def http(self, path: str, method: str = "GET", body: object = None, headers: dict[str, str] | None = None) -> Reply:
        connection = http.client.HTTPSConnection("127.0.0.1", self.web_port, timeout=10, context=self._ssl)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {"Content-Type": "application/json", **(headers or {})})
            response = connection.getresponse()
            return Reply(
                response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
            )
        finally:
            connection.close()

    def log_in(self, agent: str) -> str:
        """The agent's bearer token."""
        reply = self.http("/api/login", "POST", {"agent": agent, "password": PASSWORD.format(agent)})
        assert reply.status == 200, reply.body
        token: str = reply.json["token"]
        return token

    def ask(self, path: str, agent: str = "1001") -> Reply:
        """What that agent gets there, who logs in once: a password takes its time, and somebody who asks again and
        again with it leaves the switch, and what encodes recordings when nobody else works, little of the machine."""
        if agent not in self._tokens:
            self._tokens[agent] = self.log_in(agent)
        reply = self.http(path, headers={"Authorization": f"Bearer {self._tokens[agent]}"})
        if reply.status == 401:  # the switch has begun anew since
            del self._tokens[agent]
            return self.ask(path, agent)
        return reply

    def metrics(self) -> dict[str, float]:
        """Every sample by its name with labels, as `cordboard_calls`."""
        lines = self.http("/metrics").body.decode().splitlines()
        pairs = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}

    def figure(self, name: str) -> float:
        return self.metrics()[name]

    def at_rest(self, legs: int | None = 0, seconds: float = 5.0) -> None:
        """No call, and no leg but those of agents who are signed in with media (None: however many those are)."""

        def rests() -> bool:
            now = self.metrics()
            return now["cordboard_calls"] == 0 and legs in (None, now["cordboard_legs"])

        until(rests, seconds, f"no call and {legs} legs in /metrics")

    def pids(self) -> dict[str, int]:
        run = self.data / "run"
        return {file.stem: int(file.read_text()) for file in sorted(run.glob("*.pid"))}

    @property
    def complaints(self) -> list[str]:
        """What it logged as an error, or did not foresee, but for what a test wanted it to tell (`expected`)."""
        bad = ("level='error'", "level='critical'", "Traceback", "Error:", "Exception")
        told = (line for line in self.log.read_text().splitlines() if any(word in line for word in bad))
        return [line for line in told if not any(text in line for text in self.expected)]


@contextlib.contextmanager
def first_in_line() -> Iterator[None]:
    """What is started meanwhile, and what that starts, goes before other work of this machine, where we may.

    Pauses are measured in single milliseconds, and a machine of two cores runs compilers, browsers and other tests
    beside the switch. What the switch does to itself is still measured. Who begins a session of its own, as browsers
    and the processes of the switch do, is of a group that Linux weighs against the others first (sched(7), autogroups).
    """
    before, there = os.getpriority(os.PRIO_PROCESS, 0), _descendants()
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, before)
        ours = _autogroup("self")
        for pid in _descendants() - there:
            if _autogroup(pid) != ours:
                with contextlib.suppress(OSError):
                    Path(f"/proc/{pid}/autogroup").write_text(str(PRIORITY))


def _autogroup(pid: str) -> str:
    """Its name, empty where there is none."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/autogroup").read_text().partition(" ")[0]
    return ""


def _descendants() -> set[str]:
    """All that this process began, and that these began."""
    found, last = set[str](), {str(os.getpid())}
    while last:
        begun = set[str]()
        for pid in last:
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                with contextlib.suppress(OSError):
                    begun.update(task.read_text().split())
        last = begun - found
        found |= begun
    return found


def cpu_seconds(pid: int) -> float:
    """What a process has used, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
