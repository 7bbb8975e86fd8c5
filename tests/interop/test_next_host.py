"""The first host of a trunk does not do its part, and the next one, or that of another trunk, is a real sipp: it has
our call, or our registration, four seconds later at the most. Where a host sends a call on, it stays with the trunk's
own; one that wants to be left alone for a while is. Each of it is looked at in a build too in which it is broken."""

from __future__ import annotations

import math
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from attrs import frozen

from tests.planted.bug import ROOT, Bug
from tests.planted.tree import Tree

from .carrier import Carrier
from .product import Organisation, Product, free_port, until
from .robot import Robot
from .test_dialling import state
from .test_sip import OURS

pytestmark = [
    pytest.mark.peer("sipp"),
    pytest.mark.skipif(shutil.which("sipp") is None, reason="sipp is not installed"),
]

# What a host that says nothing adds, in seconds (one that refuses adds nothing), and what a busy machine may.
FAILOVER, CROWDED = 4.0, 2.0
OUTSIDE, WITHIN, FOLLOWED = "+8613800138007", "+8613800138008", "+8613800138009"


@frozen
class Story:
    """What comes to an end by the trunk of this name, and what of the product it rests on. `number` is called; where
    there is none the trunk is to be registered."""

    name: str
    bug: Bug
    number: str = ""

    @property
    def within(self) -> float:
        return CROWDED + FAILOVER * self.name.endswith("silent")


STORIES = (
    Story(
        "call-silent",
        Bug("waits", "actors/outward.py", "FAILOVER: Final = 4.0", "FAILOVER: Final = 40.0"),
        "+8613800138001",
    ),
    Story(
        "call-503",
        Bug("stays", "actors/failures.py", "frozenset({408, 500, 502, 503, 504, 580})", "frozenset({408, 500, 502})"),
        "+8613800138002",
    ),
    Story(
        "call-closed",
        Bug("hopes", "sip/layer.py", "self._feed(slot, TransactionInput.TRANSPORT_ERROR, now, out)", "pass"),
        "+8613800138003",
    ),
    Story(
        "trunk-silent",
        Bug("knows one trunk", "actors/outward.py", "left, *trunks = out.trunks", "left, trunks = out.trunks[0], ()"),
        "+8613800138004",
    ),
    Story(
        "registration-silent",
        Bug("waits", "actors/registration.py", "FAILOVER: Final = 4.0", "FAILOVER: Final = 40.0"),
    ),
    Story(
        "registration-503",
        Bug("stays", "actors/registration.py", "if message.status == 503:", "if message.status == 599:"),
    ),
    Story(
        "registration-closed",
        Bug("hopes", "sip/layer.py", "self._feed(slot, TransactionInput.TRANSPORT_ERROR, now, out)", "pass"),
    ),
    Story(
        "redirect",
        Bug(
            "follows",
            "sip/trunks.py",
            'return parsed.scheme in ("sip", "sips") and self.owns(trunk, parsed.host)',
            "return True",
        ),
        OUTSIDE,
    ),
)


@contextmanager
def takes_all(folder: Path, port: int, elsewhere: str) -> Iterator[None]:
    command = ["sipp", "-sf", str(OURS / "next_host.xml"), "-i", "127.0.0.1", "-p", str(port), "-nostdin"]
    command += ["-key", "elsewhere", elsewhere, "-deadcall_wait", "0"]
    with (folder / "sipp.txt").open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=folder)
        try:
            yield
        finally:
            process.terminate()
            process.wait(20)


class Hosts:
    """The first of each trunk. Where calls go it answers OPTIONS; where we are to be registered it need not."""

    def __init__(self, stack: ExitStack) -> None:
        self.uris: dict[str, str] = {}
        self.closing = stack.enter_context(ExitStack())
        silent = self._made("call-silent", stack)
        busy = self._made("call-503", stack)
        self._made("call-closed", self.closing, "tcp")
        alone = self._made("trunk-silent", stack)
        waits = self._made("registration-silent", stack)
        full = self._made("registration-503", stack)
        self.uris["registration-closed"] = f"sip:127.0.0.1:{free_port()};transport=tcp"
        del silent.says["INVITE"], alone.says["INVITE"]
        busy.says["INVITE"] = full.says["REGISTER"] = 503, "Retry-After: 30"
        waits.says.clear()

    def _made(self, trunk: str, stack: ExitStack, transport: str = "udp") -> Carrier:
        port = free_port()
        self.uris[trunk] = f"sip:127.0.0.1:{port};transport={transport}"
        return stack.enter_context(Carrier(port, transport))


def organised(hosts: Hosts, last: str) -> Organisation:
    """A trunk for each story, and an agent for each that calls. One has no other host, but another trunk."""
    organisation = Organisation().queue("support")
    for at, story in enumerate(STORIES):
        first = [hosts.uris[story.name]] if story.name in hosts.uris else []
        account = {} if story.number else {"username": "harbour", "password": "open sesame", "register": True}
        alone = story.name == "trunk-silent"
        proxies, others = (first, ["redirect"]) if alone else ([*first, last], [])
        organisation.trunk(story.name, f"192.0.2.{at + 1}", proxy=proxies, priority=1 if alone else 2, **account)
        if story.number:
            organisation.may_dial(story.number, story.name, *others).agent(story.name, support=1)
    return organisation.may_dial(WITHIN, "redirect").may_dial(FOLLOWED, "redirect")


def played(folder: Path) -> tuple[dict[str, float], str]:
    """How long each took, in seconds, where it came to the end that it should in time; and what the switch told."""
    port, took = free_port(), dict[str, float]()
    with ExitStack() as stack:
        stranger = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        stranger.bind(("127.0.0.2", 0))
        stranger.setblocking(False)
        stack.enter_context(takes_all(folder, port, f"127.0.0.2:{stranger.getsockname()[1]}"))
        hosts = Hosts(stack)
        product = Product(folder / "centre", organisation=organised(hosts, f"sip:127.0.0.1:{port}").text)
        stack.callback(product.stop)
        product.start()
        begun = time.monotonic()
        agents = {
            each.name: stack.enter_context(Robot(product, each.name)).sign_in() for each in STORIES if each.number
        }
        until(lambda: all(state(product, each) == "up" for each in agents), 20, "the trunks to call by")
        hosts.closing.close()
        dialled = time.monotonic()
        for story in STORIES:
            if story.number:
                agents[story.name].do("call.dial", number=story.number)
        while len(took) < len(STORIES) and (now := time.monotonic()) < dialled + FAILOVER + CROWDED:
            for name, agent in agents.items():
                ends = "call.failed" if name == "redirect" else "call.connected"
                if name not in took and any(each["event"] == ends for each in agent.look(0.02)):
                    took[name] = now - dialled
            for story in STORIES:
                if not story.number and story.name not in took and state(product, story.name) == "up":
                    took[story.name] = now - begun
        with suppress(BlockingIOError):
            stranger.recv(4096)
            took.pop("redirect", None)
        if "redirect" in took:
            agents["redirect"].do("call.dial", number=WITHIN)
            agents["redirect"].event("call.connected")
        in_time = {each.name: took[each.name] for each in STORIES if took.get(each.name, math.inf) <= each.within}
        return in_time, product.log.read_text()


def test_the_next_host_has_it_four_seconds_later_at_the_most(tmp_path: Path) -> None:
    took, told = played(tmp_path)
    print(", ".join(f"{name} {seconds:.1f} s" for name, seconds in took.items()))
    assert set(took) == {story.name for story in STORIES}
    assert told.count("event='call goes elsewhere'") == 4, "each of them was given to its first host"


def broken(bug: Bug, folder: Path, patch: pytest.MonkeyPatch) -> None:
    """What is started from now on has it."""
    tree = Tree.copied(folder / "tree")
    file = tree.where / bug.file
    file.write_text(bug.planted(file.read_text()))
    patch.setenv("PYTHONPATH", str(tree.where / ".import"))


@pytest.mark.long
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_build_in_which_it_is_broken_does_not(story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(story.bug, tmp_path, monkeypatch)
    took, _ = played(tmp_path)
    assert story.name not in took


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_it_can_still_be_broken(story: Story) -> None:
    story.bug.planted((ROOT / story.bug.file).read_text())


# --- a host that wants to be left alone ------------------------------------------------------------------------------

HURRIES = Bug(
    "a host that says when it takes calls again is asked at once",
    "actors/trunk.py",
    "return self._to_gateway(known, gateway.Busy(message.retry_after), now)",
    "return []",
)


def left_alone(folder: Path) -> list[str]:
    """What became of three calls: one that is told so, one right after it, as sipp would take it, and one later."""
    port = free_port()
    organisation = Organisation().trunk("busy", proxy=f"sip:127.0.0.1:{port}").may_dial("+86").queue("support")
    product = Product(folder / "centre", organisation=organisation.agent("1001", support=1).text)
    with ExitStack() as stack:
        stack.callback(product.stop)
        product.start()
        agent = stack.enter_context(Robot(product, "1001")).sign_in()

        def called() -> str:
            agent.events.clear()
            agent.do("call.dial", number=FOLLOWED)
            ends = ("call.failed", "call.connected")
            (event,) = until(
                lambda: [each for each in agent.look(0.02) if each["event"] in ends], 10, "what becomes of it"
            )
            if event["event"] == "call.failed":
                return str(event["why"])
            agent.do("call.hang_up")
            agent.state("after_call_work")
            agent.do("agent.start_answering")
            return "connected"

        with Carrier(port) as busy:
            busy.says["INVITE"] = 503, "Retry-After: 5"
            until(lambda: state(product, "busy") == "up", 20, "the trunk")
            became = [called()]
        stack.enter_context(takes_all(folder, port, "127.0.0.2"))
        became.append(called())
        until(lambda: state(product, "busy") == "up", 30, "the trunk, when its time has come")
        return [*became, called()]


@pytest.mark.long
def test_a_host_is_left_alone_as_long_as_it_says(tmp_path: Path) -> None:
    assert left_alone(tmp_path) == ["unreachable", "trunk_down", "connected"]


@pytest.mark.long
def test_a_build_that_hurries_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(HURRIES, tmp_path, monkeypatch)
    assert left_alone(tmp_path)[1] == "connected"
