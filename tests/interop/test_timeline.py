"""A real call with loss on one of its lines: the timeline that is kept has it there, and so has what the page draws."""

from __future__ import annotations

import itertools
import os
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from . import sound
from .caller import Caller
from .chromium import CHROMIUM, Agent, singing
from .machine import fairly
from .product import Product

pytestmark = [
    pytest.mark.peer("chromium"),
    pytest.mark.long,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not os.path.exists(CHROMIUM), reason="no Chromium here"),
]

# Telephones: each call has one of its own, by which it is found among those of before.
TELEPHONES = itertools.count(13800138077)
# Seconds of each part of the call; one packet in five is lost in the middle one.
WELL, LOSSY = 12.0, 14.0
EVERY = 5
# From a packet to the report that counts it, and to the end of a point.
BLUR = 8.0
# 3 s without a packet, looked for every 100 ms; and what a busy machine makes of that.
TOLD_S = 3.5

# Where the chart of the customer's line has ink of the loss, of its time from 0 to 1.
RED = """
() => {
  const canvas = document.querySelector('.chart canvas');
  const { width, height } = canvas;
  const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
  const found = [];
  for (let x = 30; x < width - 46; x++) {
    for (let y = 0; y < height - 30; y++) {
      const at = 4 * (y * width + x);
      if (data[at + 3] > 40 && data[at] > data[at + 1] + 60 && data[at] > data[at + 2] + 60) {
        found.push((x - 30) / (width - 76));
        break;
      }
    }
  }
  return found;
}
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with singing(900, tmp_path_factory.mktemp("voice")) as made:
        yield made


def test_loss_on_one_line_is_kept_and_drawn_where_it_was(product: Product, browser: Browser) -> None:
    def turn() -> None:
        number = str(next(TELEPHONES))
        with ExitStack() as stack:
            agent = Agent(browser, product, "1001")
            stack.callback(agent.leave)
            agent.log_in().sign_in()
            customer = stack.enter_context(Caller(product.sip_port, "5001", sound.tone(500), number=f"+86{number}"))
            customer.dial().answered()
            agent.is_("Ringing")
            agent.answer()
            agent.page.wait_for_timeout(WELL * 1000)
            begin = customer.lose(EVERY)
            agent.page.wait_for_timeout(LOSSY * 1000)
            end = customer.lose(0)
            agent.page.wait_for_timeout(WELL * 1000)
            agent.click("Hang up")
            customer.ended()
            look(agent, f"{number[:3]} {number[3:7]} {number[7:]}", begin, end)

    fairly(turn)


def look(agent: Agent, number: str, begin: float, end: float) -> None:
    page = agent.page
    agent.tab("Calls")
    row = page.get_by_role("table", name="Calls").locator("tr[data-class]").filter(has_text=number)
    expect(row).to_contain_text(re.compile(r"\b0:[3-5]\d"))  # over: while it lasts it is in progress
    with page.expect_response(lambda answer: answer.url.endswith("/quality")) as told:
        row.get_by_role("button").click()
    kept = told.value.json()
    tracks = {track["party"]: track for track in kept["tracks"]}
    assert list(tracks) == ["caller", "1001"]
    inside, outside = parts(tracks["caller"], begin, end)
    agents = [loss for loss in tracks["1001"]["loss_percent"] if loss is not None]
    print(f"loss of the customer's line: {inside} % where it was, {outside} % elsewhere; of the agent's {agents} %")
    assert len(inside) >= 2
    assert all(abs(loss - 100 / EVERY) < 4 for loss in inside)
    assert max(outside) < 1.0
    assert max(agents) < 3.0
    call = page.evaluate("() => document.querySelector('cb-call-quality').whole")
    whole = call["ended"] - call["began"]
    agent.until("document.querySelector('.chart canvas')")
    page.wait_for_timeout(300)
    red = [call["began"] + part * whole for part in page.evaluate(RED)]
    print(f"drawn from {red[0] - begin:+.1f} s of its beginning to {red[-1] - end:+.1f} s of its end")
    assert abs(red[0] - begin) < BLUR
    assert abs(red[-1] - end) < BLUR
    line = page.get_by_role("group", name="The customer’s line")
    expect(line).to_contain_text(f"{100 / EVERY:.0f}% lost")
    expect(page.get_by_role("group", name="The line of Lin")).to_contain_text("From Lin: good")


def parts(track: dict[str, list[float]], begin: float, end: float) -> tuple[list[float], list[float]]:
    """The loss of the points that lie within that time, and of those that lie without."""
    rows = list(zip(track["at"], track["seconds"], track["loss_percent"], strict=True))
    inside = [loss for at, seconds, loss in rows if begin + 0.2 < at and at + seconds < end - 0.2]
    outside = [loss for at, seconds, loss in rows if (at + seconds < begin or at > end + 2.2) and loss is not None]
    return inside, outside


def test_the_agent_is_told_of_a_customer_of_whom_nothing_comes(product: Product, browser: Browser) -> None:
    def turn() -> None:
        with ExitStack() as stack:
            agent = Agent(browser, product, "1001")
            stack.callback(agent.leave)
            agent.log_in().sign_in()
            customer = stack.enter_context(Caller(product.sip_port, "5001", np.zeros(160, np.int16)))
            customer.silence()
            customer.dial().answered()
            answered = time.monotonic()
            agent.is_("Ringing")
            agent.answer()
            expect(agent.page.locator(".sound-bar")).to_contain_text("You cannot hear the customer.")
            took = time.monotonic() - answered
            print(f"told {took:.2f} s after the customer was reached")
            assert took < TOLD_S

    fairly(turn)
