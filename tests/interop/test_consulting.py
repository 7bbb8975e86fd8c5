"""Two agents in two browsers and a customer: held, consulted, swapped, merged, given away; who hears whom, by tones.

Everybody sends a frequency of its own. A page tells the loudest that it hears; at the customer's telephone both agents'
are looked for, and one that must not be there has less than a thousandth of the amplitude that there can be.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from . import sound
from .caller import Caller
from .chromium import Agent, choir
from .product import Product, until

pytestmark = [pytest.mark.peer("chromium"), pytest.mark.timeout(180)]

CUSTOMER, LIN, MAYA = 620.0, 1000.0, 1400.0
AUDIBLE = 300.0  # amplitudes of a sine, of 32767
SILENT = 33.0
SETTLE_S = 0.4  # what is on its way when something changes


@pytest.fixture
def agents(product: Product, tmp_path: Path) -> Iterator[tuple[Agent, Agent]]:
    """Lin, signed in, and Maya, who is logged in; each sings into the microphone of a browser of its own."""
    with contextlib.ExitStack() as stack:
        browsers = stack.enter_context(choir(tmp_path, LIN, MAYA))
        made = [Agent(browser, product, agent) for browser, agent in zip(browsers, ("1001", "1002"), strict=True)]
        for one in made:
            stack.callback(one.leave)
        made[0].log_in().sign_in()
        made[1].log_in()
        yield made[0], made[1]
    product.at_rest()


def is_heard(customer: Caller, *hertz: float) -> None:
    """The customer comes to hear exactly these of the two agents."""

    def as_it_should() -> bool:
        pcm = customer.hears(0.3, since=time.time() - 0.3)
        there = {each: sound.strength(pcm, each) for each in (LIN, MAYA)}
        return all(amplitude > AUDIBLE if each in hertz else amplitude < SILENT for each, amplitude in there.items())

    until(as_it_should, 8, f"{hertz} at the customer")


def hears_nobody(agent: Agent) -> bool:
    """What is loudest at its page is neither of the other two."""
    hertz = agent.listen().hertz
    return min(abs(hertz - each) for each in (CUSTOMER, LIN, MAYA)) > 20


def choose(agent: Agent, act: str, name: str) -> None:
    """Asks a colleague by the dialog."""
    agent.click(act)
    people = agent.page.locator(".chooser").get_by_role("list", name="Colleagues").get_by_role("listitem")
    people.filter(has_text=name).get_by_role("button").click()


def stands(agent: Agent, who: str, state: str) -> None:
    expect(agent.page.locator(f".parties [data-who={who}]")).to_have_attribute("data-stands", state)


@pytest.fixture
def customer(product: Product, agents: tuple[Agent, Agent]) -> Iterator[Caller]:
    """Has dialled, and leaves before the agents do."""
    with Caller(product.sip_port, "5001", sound.tone(CUSTOMER)) as made:
        yield made.dial()


@pytest.mark.long  # tests/interop/test_who_hears_whom.py is stricter, and has G.711 at the pages
def test_held_consulted_swapped_merged_and_given_away(agents: tuple[Agent, Agent], customer: Caller) -> None:
    lin, maya = agents
    lin.is_("Ringing")
    lin.answer()
    lin.hears(CUSTOMER)
    is_heard(customer, LIN)

    lin.click("Hold")
    stands(lin, "customer", "held")
    lin.hears(None)
    is_heard(customer)
    lin.click("Retrieve")
    lin.hears(CUSTOMER)
    is_heard(customer, LIN)

    maya.sign_in()
    choose(lin, "Consult", "Maya")
    stands(lin, "second", "ringing")
    maya.is_("Ringing")
    expect(maya.page.get_by_text("Lin asks you", exact=True)).to_be_visible()
    is_heard(customer)
    maya.answer()
    lin.hears(MAYA)
    maya.hears(LIN)
    is_heard(customer)
    lin.page.reload()
    lin.is_("Talking")
    stands(lin, "customer", "held")
    lin.until("cordboard.peer?.connectionState === 'connected'")
    lin.hears(MAYA)

    lin.click("Swap")
    lin.hears(CUSTOMER)
    until(lambda: hears_nobody(maya), 8, "music for who is held")
    is_heard(customer, LIN)
    lin.click("Merge")
    is_heard(customer, LIN, MAYA)
    maya.click("Hang up")
    maya.is_("After-call work")
    stands(lin, "customer", "talking")
    is_heard(customer, LIN)

    maya.click("Start answering")
    maya.is_("Idle")
    choose(lin, "Transfer", "Maya")
    lin.is_("After-call work")
    expect(maya.page.get_by_text("Transfer from Lin", exact=True)).to_be_visible()
    maya.answer()
    maya.hears(CUSTOMER)
    is_heard(customer, MAYA)
    lin.hears(None)
    customer.hang_up()
    maya.is_("After-call work")


@pytest.mark.long
def test_two_agents_hear_all_of_each_other_and_the_customer_what_telephones_carry(
    product: Product, tmp_path: Path
) -> None:
    """One sings at 12 kHz: the other hears it while they are by themselves, and beside the customer, who does not."""
    high = 12_000.0
    with (
        Caller(product.sip_port, "5001", sound.tone(CUSTOMER)) as customer,
        contextlib.ExitStack() as stack,
    ):
        browsers = stack.enter_context(choir(tmp_path, LIN, high))
        lin, maya = (Agent(one, product, agent) for one, agent in zip(browsers, ("1001", "1002"), strict=True))
        for one in (lin, maya):
            stack.callback(one.leave)
            one.log_in()
        lin.sign_in()
        customer.dial()
        lin.is_("Ringing")
        lin.answer()
        lin.hears(CUSTOMER)
        maya.sign_in()
        choose(lin, "Consult", "Maya")
        maya.answer()
        lin.hears(high)
        maya.hears(LIN)
        # What the microphone gives is -15.3 dBFS; an ear listens to the last 0.7 s.
        until(lambda: abs(lin.listen().db + 15.3) < 1, 8, "12 kHz as loud as it is sung")
        lin.click("Merge")
        is_heard(customer, LIN)
        folded = sound.strength(customer.hears(0.3, since=time.time() - 0.3), 3985.0)
        assert folded < SILENT  # 12 kHz would be at 4
        lin.hears(high)
        customer.hang_up()
    product.at_rest()
