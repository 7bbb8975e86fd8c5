"""A centre in which everybody gives a tone: two agents at pages, customers, and a real telephone outside, baresip.

One switch, two browsers and one telephone serve a module; a test begins with both agents idle and leaves nobody. All
speak G.711, which leaves a tone a tone. Beside the telephone is a network, sipp, which is heard before it answers.
"""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from attrs import frozen
from playwright.sync_api import Locator, expect

from . import sound
from .caller import Caller
from .chromium import Agent, choir
from .ears import AMPLITUDE, SCRIPT, VOICES, CustomerEar, PageEar, Room, TelephoneEar
from .machine import own_address
from .product import Organisation, Product, free_port, infrastructure, until
from .test_dialling import CUSTOMER, called, state
from .test_sip import OURS

# What the telephone does with calls for these: it picks up, rings, or says that it can be heard before it answers (183)
# and sends nothing.
AUTO, RINGS, MUTE = CUSTOMER, "+8613800138001", "+8613800138002"
# ... and where something is heard, before the network answers for whoever is called.
ANNOUNCED = "+8621555501000"


@frozen
class Telephone:
    """Outside: its keys go to `port`."""

    folder: Path
    port: int

    def key(self, key: str) -> None:
        """Down, and let go: at the number that rings or talks. By itself baresip means the number that rang last, and
        one that picks up does not ring."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as keypad:
            for sign in (f"/uafind sip:{self._busy}@{own_address()}\n".encode(), key.encode(), b"\x04"):
                keypad.sendto(sign, ("127.0.0.1", self.port))

    @property
    def _busy(self) -> str:
        """Whose call was the last that came."""
        came: list[str] = re.findall(r"(\+\d+)@\S+: (?:Call established|Incoming call)", self.said)
        return came[-1]

    def hang_up(self) -> None:
        self.key("b")

    def pick_up(self) -> None:
        self.key("a")

    @property
    def said(self) -> str:
        return (self.folder / "said.txt").read_text()


@frozen
class Stage:
    """Everybody, and a room of their ears."""

    centre: Product
    lin: Agent
    maya: Agent
    telephone: Telephone
    room: Room

    def calls_in(self, stack: ExitStack, number: str = "5001") -> Caller:
        """A customer dials, who leaves at the end, and hears."""
        customer = stack.enter_context(Caller(self.centre.sip_port, number, sound.tone(VOICES["customer"])))
        customer.dial()
        self.room.has("customer", CustomerEar(customer))
        return customer

    def talks(self, stack: ExitStack) -> Caller:
        """... and Lin has answered."""
        customer = self.calls_in(stack)
        self.lin.is_("Ringing")
        self.lin.answer()
        self.room.hears(customer="lin", lin="customer")
        return customer


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    here, port, keys = own_address(), free_port(2, "0.0.0.0"), free_port()
    switch = folder / "switch"
    switch.mkdir()
    steady = sound.tone(VOICES["music"], 20, AMPLITUDE, 44100)
    sound.write_wav(switch / "steady.wav", steady, 44100)
    announces = free_port(2, "0.0.0.0")
    organisation = Organisation().trunk("carrier", here, "127.0.0.1", proxy=f"sip:{here}:{port}")
    organisation.trunk("network", "198.51.100.99", proxy=f"sip:{here}:{announces}")
    organisation.may_dial("+86", "carrier").may_dial("+8621", "network")
    organisation.queue("support", music="steady.wav").queue("sales", music="steady.wav")
    organisation.agent("1001", "Lin", support=1).agent("1002", "Maya", sales=1).mobile("1003", "Chen", AUTO)
    organisation.number("5001", "queue:support").number("+861055501000", "queue:support", outbound=True)
    with ExitStack() as stack:
        centre = Product(switch, infrastructure(address="0.0.0.0", codecs=["pcma"]), organisation.text).start()
        stack.callback(centre.stop)
        # Longer than anybody is asked to press 1: at its end the telephone hangs up.
        says = sound.tone(VOICES["outside"], 60)
        more = f"module_app cons.so\ncons_listen 127.0.0.1:{keys}\n"
        phone = folder / "phone"
        beside = {RINGS: "manual", MUTE: "early"}
        stack.enter_context(called(phone, port, says=says, beside=beside, more=more))
        stack.enter_context(network(folder / "network", announces))
        browsers = stack.enter_context(choir(folder, VOICES["lin"], VOICES["maya"]))
        room = Room()
        agents = []
        for browser, agent, name in zip(browsers, ("1001", "1002"), ("lin", "maya"), strict=True):
            agents.append(Agent(browser, centre, agent, script=SCRIPT).log_in().sign_in())
            stack.callback(agents[-1].leave)
            room.has(name, PageEar(agents[-1]))
        until(lambda: {state(centre, each) for each in ("carrier", "network")} == {"up"}, 20, "the trunks")
        lin, maya = agents
        yield Stage(centre, lin, maya, Telephone(phone, keys), room)
    assert [line for line in centre.complaints if not re.search("the trunk (carrier|network) is down", line)] == []


@contextmanager
def network(folder: Path, port: int) -> Iterator[None]:
    """sipp: it rings, is heard, and answers in the end."""
    folder.mkdir()
    (folder / "says.alaw").write_bytes(sound.encode(sound.tone(VOICES["outside"], 20), ulaw=False))
    here = own_address()
    command = ["sipp", "-sf", str(OURS / "announcement.xml"), "-i", here, "-p", str(port), "-mi", here, "-nostdin"]
    command += ["-mp", str(free_port(2, "0.0.0.0"))]
    with (folder / "said.txt").open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=folder)
        try:
            yield
        finally:
            process.terminate()
            process.wait(20)


@contextmanager
def story(on: Stage) -> Iterator[ExitStack]:
    """Both agents are idle before it; what the stack has leaves after it, and nothing is left of the call."""
    for agent in (on.lin, on.maya):
        agent.ready()
    on.room.clear("lin", "maya")
    on.room.hears(lin="", maya="")
    with ExitStack() as stack:
        yield stack
    on.centre.at_rest(legs=None)


def reload(agent: Agent, state: str = "Talking") -> None:
    agent.page.reload()
    agent.is_(state)
    agent.until("cordboard.peer?.connectionState === 'connected'")


def is_closed(agent: Agent) -> None:
    """Until the dialog is gone, with the last of how it goes: a key before that is nobody's."""
    expect(agent.page.locator(".chooser dialog[open]")).to_have_count(0)


def choose(agent: Agent, act: str, name: str, *, mobile: bool = False) -> None:
    """Asks a colleague by the dialog."""
    agent.click(act)
    people = agent.page.locator(".chooser").get_by_role("list", name="Colleagues").get_by_role("listitem")
    rows = people.filter(has_text=name)
    (rows.filter(has_text="on the mobile") if mobile else rows.first).get_by_role("button").click()
    is_closed(agent)


def choose_number(agent: Agent, act: str, number: str) -> None:
    agent.click(act)
    agent.page.get_by_role("tab", name="Outside number").click()
    field = agent.page.locator("#choose-number")
    field.fill(number)
    field.press("Enter")
    is_closed(agent)


def choose_queue(agent: Agent, name: str) -> None:
    agent.click("Transfer")
    agent.page.get_by_role("tab", name="Queues", exact=True).click()
    queues = agent.page.get_by_role("list", name="Queues").get_by_role("listitem")
    queues.filter(has_text=name).get_by_role("button").click()
    is_closed(agent)


def stands(agent: Agent, who: str, state: str) -> None:
    expect(agent.page.locator(f".parties [data-who={who}]")).to_have_attribute("data-stands", state)


def dial(on: Stage, number: str) -> None:
    on.lin.page.get_by_label("Number", exact=True).fill(number)
    on.lin.click("Dial")
    on.lin.is_("Talking")


def outside_listens(on: Stage) -> None:
    on.room.has("outside", TelephoneEar(on.telephone.folder))


def kept(on: Stage, customer: Caller) -> str:
    """That call, as soon as it is over and kept."""
    dialled, _ = customer.sent[0]

    def newest() -> str:
        calls = on.centre.ask("/api/calls?days=1").json["calls"]
        return next((each["call"] for each in calls if each["ended"] and each["began"] > dialled - 0.1), "")

    return until(newest, 10, "the call among all that are over")


def kept_of(on: Stage, customer: Caller) -> dict[str, Any]:
    """All of it."""
    whole: dict[str, Any] = on.centre.ask(f"/api/calls/{kept(on, customer)}").json
    return whole


def details(on: Stage, customer: Caller) -> Locator:
    """Lin opens that call."""
    call = kept(on, customer)
    on.lin.tab("Calls")
    on.lin.page.get_by_role("table", name="Calls").locator(f'.opener[data-call="{call}"]').click()
    return on.lin.page.get_by_role("article", name="Call details")
