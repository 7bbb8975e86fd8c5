"""The paperwork of real calls at real pages: the pop, two agents who write at once, a page that dies with its network.

Agents are in profiles of their own, as at computers of their own.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from . import sound
from .cable import Cable
from .caller import Caller
from .chromium import Agent, singing
from .product import Product, centre, infrastructure, until
from .stage import choose

pytestmark = [pytest.mark.peer("chromium"), pytest.mark.timeout(180)]

VOICE, TONE = 1000.0, 620.0
# Telephones: each story has one that nobody knows, each time that it is told.
TELEPHONES = itertools.count(13912340061)
OVERSEER = '\n[[agent]]\nid = "3001"\nname = "Dai"\npassword = "harbour-3001"\nrole = "supervisor"\n'

Person = Callable[[str], Agent]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    made = Product(tmp_path_factory.mktemp("switch"), infrastructure(), centre().text + OVERSEER).start()
    yield made
    made.stop()
    assert made.complaints == []


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with singing(VOICE, tmp_path_factory.mktemp("voice")) as made:
        yield made


@pytest.fixture
def stack(product: Product) -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made
    product.at_rest()


@pytest.fixture
def person(product: Product, browser: Browser, stack: ExitStack) -> Person:
    """`person("1001")`: logged in at a page."""

    def make(agent: str) -> Agent:
        made = Agent(browser, product, agent)
        stack.callback(made.leave)
        return made.log_in()

    return make


@pytest.fixture
def abroad() -> str:
    """The number of somebody new, as one trunk may write it."""
    return f"+86{next(TELEPHONES)}"


def at_home(number: str) -> str:
    """... as another may."""
    return f"0{number.removeprefix('+86')}"


def calls(product: Product, stack: ExitStack, number: str) -> Caller:
    return stack.enter_context(Caller(product.sip_port, "5001", sound.tone(TONE), number=number)).dial()


def box(agent: Agent, name: str) -> Locator:
    return agent.page.get_by_role("textbox", name=name, exact=True)


def is_saved(agent: Agent) -> None:
    expect(agent.page.locator(".saved[role=status]")).to_have_text("Saved")


def paper(product: Product, agent: str = "1001", more: str = "") -> Any:
    """Of that agent's last call, as the switch has it."""
    headers = {"Authorization": f"Bearer {product.log_in(agent)}"}
    call = product.http(f"/api/calls?days=1&agent={agent}", headers=headers).json["calls"][0]["call"]
    return product.http(f"/api/calls/{call}/paper{more}", headers=headers).json


def test_two_agents_write_of_one_customer_who_calls_again(
    product: Product, person: Person, stack: ExitStack, abroad: str
) -> None:
    """What the first writes is at the second's page when it is asked, as it is typed; both write the note after the
    call was given away, and one chooses; a reload loses nothing; the next call shows the customer as it rings; and the
    supervisor reads."""
    lin = person("1001").sign_in()
    customer = calls(product, stack, abroad)
    lin.is_("Ringing")
    expect(lin.page.get_by_role("tab", name="Customer")).to_have_attribute("aria-selected", "true")
    expect(box(lin, "Name")).to_have_value("")
    lin.answer()
    box(lin, "Name").fill("Wang Xiaoming")
    box(lin, "Service summary").fill("Asks for a refund")
    is_saved(lin)
    maya = person("1002").sign_in()
    choose(lin, "Consult", "Maya")
    maya.is_("Ringing")
    expect(box(maya, "Name")).to_have_value("Wang Xiaoming")
    expect(maya.page.locator(".summary")).to_contain_text("Asks for a refund")
    box(lin, "Service summary").press_sequentially(" of 4711")
    expect(maya.page.locator(".summary")).to_contain_text("Asks for a refund of 4711")
    maya.answer()
    expect(box(maya, "Note")).to_be_editable()
    lin.click("Complete")
    lin.is_("After-call work")

    maya.page.route("**/paper", lambda route: route.abort())
    box(maya, "Note").fill("Maya's note.")
    box(lin, "Note").fill("Lin's note.")
    is_saved(lin)
    maya.page.unroute("**/paper")
    expect(maya.page.get_by_role("group", name="Which text stays")).to_contain_text("Lin's note.")
    maya.click("Keep mine")
    is_saved(maya)
    expect(box(lin, "Note")).to_have_value("Maya's note.")
    kept = paper(product, more="/versions?kind=customer&field=note")["versions"]
    assert [(one["value"], one["name"]) for one in kept] == [("Maya's note.", "Maya"), ("Lin's note.", "Lin")]
    box(maya, "Company").press_sequentially("Harbour Trav")
    maya.page.reload()
    expect(box(maya, "Company")).to_have_value("Harbour Trav")
    until(lambda: paper(product)["customer"]["fields"]["company"]["value"] == "Harbour Trav")
    maya.tab("Tickets")
    box(maya, "Title").fill("Refund of 4711")
    maya.button("Open ticket").dblclick()
    expect(maya.page.get_by_role("listitem", name="Refund of 4711")).to_have_count(1)
    first = paper(product)["call"]
    customer.hang_up()
    maya.is_("After-call work")

    lin.ready()
    calls(product, stack, at_home(abroad))
    lin.is_("Ringing")
    expect(box(lin, "Name")).to_have_value("Wang Xiaoming")
    expect(lin.page.locator(".earlier")).to_contain_text("Asks for a refund of 4711")
    lin.tab("Tickets")
    expect(box(lin, "Title")).to_have_value("Refund of 4711")
    lin.answer()
    assert len(paper(product)["tickets"]) == 1
    dai = person("3001")
    dai.page.locator(f".calls [data-call='{first}']").click()
    expect(dai.page.get_by_role("region", name="Customer")).to_contain_text("Asks for a refund of 4711")


def test_a_page_that_dies_without_a_network_loses_nothing(
    product: Product, browser: Browser, stack: ExitStack, abroad: str
) -> None:
    media_port = re.search(r"webrtc_port = (\d+)", product.config.read_text())
    assert media_port is not None
    cable = stack.enter_context(Cable(product.web_port, int(media_port[1])))
    lin = Agent(browser, product, "1001", script=cable.script, port=cable.tcp_port)
    stack.callback(lin.leave)
    lin.log_in().sign_in()
    customer = calls(product, stack, at_home(abroad))
    lin.is_("Ringing")
    lin.answer()
    expect(box(lin, "Note")).to_be_editable()
    customer.hang_up()
    lin.is_("After-call work")
    cable.pull()
    box(lin, "Address").press_sequentially("12 Quay")
    expect(box(lin, "Address")).to_have_value("12 Quay")
    lin.crash()
    cable.put_back()
    lin.open()
    lin.until("cordboard.peer?.connectionState === 'connected'")  # else it is about to be signed in where it was
    expect(box(lin, "Address")).to_have_value("12 Quay")
    until(lambda: paper(product)["customer"]["fields"]["address"]["value"] == "12 Quay", 15.0)
    lin.ready()
