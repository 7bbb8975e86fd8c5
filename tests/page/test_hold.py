"""An agent holds its customer and takes it back: at the page, by key, through a reload, and in the record after it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Error, Locator, Page, expect

from tests.page.callbook import opened
from tests.page.kept import at, call, noon_zone, tones
from tests.page.scripted import Switch, eventually
from tests.page.test_workbench import CHINESE, ENGLISH, Desk, Names

pytestmark = pytest.mark.peer("chromium")

WORDS = {
    ENGLISH.agent: ("Who is in the call", "Hold", "Retrieve", "On hold"),
    CHINESE.agent: ("通话成员", "通话保持", "通话取回", "保持中"),
}


def customer(page: Page, names: Names = ENGLISH) -> Locator:
    return page.get_by_role("list", name=WORDS[names.agent][0]).get_by_role("listitem").first


def done(switch: Switch) -> list[str]:
    """The commands about the call, as the switch heard them."""
    return [one["do"] for one in switch.asked if one["do"].startswith("call.") and one["do"] != "call.answer"]


@pytest.mark.parametrize("names", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_hold_and_retrieve_by_button_and_by_key_and_through_a_reload(page: Page, switch: Switch, names: Names) -> None:
    _, hold, retrieve, on_hold = WORDS[names.agent]
    desk = Desk(page, switch, names)
    desk.sign_in()
    desk.answer()
    expect(customer(page, names)).not_to_contain_text(on_hold)
    page.get_by_role("button", name=hold, exact=True).click()
    expect(customer(page, names)).to_contain_text(on_hold)
    expect(page.get_by_role("button", name=hold, exact=True)).to_have_count(0)
    page.reload()
    expect(customer(page, names)).to_contain_text(on_hold)
    desk.has_just("Mute", "Hang up")
    expect(page.get_by_role("button", name=retrieve, exact=True)).to_be_enabled()
    page.keyboard.press("F7")
    expect(customer(page, names)).not_to_contain_text(on_hold)
    expect(page.get_by_role("button", name=hold, exact=True)).to_be_enabled()
    page.keyboard.press("F7")
    page.get_by_role("button", name=retrieve, exact=True).click()
    expect(page.get_by_role("button", name=hold, exact=True)).to_be_enabled()
    assert done(switch) == ["call.hold", "call.retrieve", "call.hold", "call.retrieve"]


@contextmanager
def at_once(page: Page) -> Iterator[None]:
    """All that is done is done in one moment of the page, however long a crowded machine takes over it; also until it
    stands, which can be no moment that is over by then."""
    for ahead in (1, 4, 16):
        with suppress(Error):
            page.clock.pause_at(datetime.now(UTC) + timedelta(seconds=ahead))
            break
    else:
        page.clock.pause_at(datetime.now(UTC) + timedelta(seconds=60))
    yield
    page.clock.resume()


def test_a_double_click_or_a_key_pressed_twice_holds_and_no_more(switch: Switch, timed: Page) -> None:
    page = timed
    desk = Desk(page, switch)
    desk.sign_in()
    desk.answer()
    button = page.get_by_role("button", name="Hold", exact=True)
    expect(button).to_be_enabled()
    box = button.bounding_box()
    assert box is not None
    with at_once(page):
        page.mouse.click(box["x"] + 9, box["y"] + 9)
        expect(customer(page)).to_contain_text("On hold")
        page.mouse.click(box["x"] + 9, box["y"] + 9)  # meant for the button that stood there
    expect(page.get_by_role("button", name="Retrieve", exact=True)).to_be_enabled()
    with at_once(page):
        page.keyboard.press("F7")
        expect(customer(page)).not_to_contain_text("On hold")
        page.keyboard.press("F7")
    desk.button("Mute").click()
    expect(desk.button("Unmute")).to_be_enabled()
    assert done(switch) == ["call.hold", "call.retrieve", "call.mute"]


def test_a_refused_hold_changes_nothing_and_a_customer_may_leave_it(page: Page, switch: Switch) -> None:
    desk = Desk(page, switch)
    desk.sign_in()
    desk.answer()
    desk.button("Mute").click()
    expect(desk.button("Unmute")).to_be_enabled()
    switch.refuse["call.hold"] = "no_call"
    page.get_by_role("button", name="Hold", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("That call is over.")
    expect(customer(page)).not_to_contain_text("On hold")
    assert page.evaluate("cordboard.mic.getAudioTracks()[0].enabled") is False
    switch.refuse.clear()
    page.get_by_role("button", name="Hold", exact=True).click()
    expect(customer(page)).to_contain_text("On hold")
    switch.end()
    desk.is_in("after_call_work")
    expect(page.get_by_role("region", name="Call", exact=True)).to_contain_text("The caller hung up.")
    desk.button("Start answering").click()
    desk.is_in("idle")
    desk.answer()  # the next one is not on hold
    expect(customer(page)).not_to_contain_text("On hold")
    expect(page.get_by_role("button", name="Hold", exact=True)).to_be_enabled()


def test_the_record_shows_when_the_customer_was_on_hold(page: Page, switch: Switch) -> None:
    switch.time_zone, switch.kept.sound = noon_zone(), tones()
    began = at(0.1)
    answered = began + 20
    holds = [{"began": answered + 15, "ended": answered + 30}, {"began": answered + 50, "ended": began + 85}]
    switch.kept.add(call("c1", began, holds=holds))
    Desk(page, switch).log_in()
    details = opened(page)
    expect(details).to_contain_text("On hold0:30")
    steps = details.get_by_role("list").filter(has_text="The call came in").get_by_role("listitem")
    assert [text.split("\n")[-1] for text in steps.all_inner_texts()][-4:] == [
        "The customer was put on hold.",
        "The customer was taken back after 0:15.",
        "The customer was put on hold.",
        "The caller hung up.",
    ]
    spans = details.locator(".held-span")
    expect(spans).to_have_count(2)
    assert [one.inner_text() for one in spans.all()] == ["On hold from 0:15 to 0:30", "On hold from 0:50 to 1:00"]
    wave, first = details.locator(".wave").bounding_box(), spans.first.bounding_box()
    assert wave is not None
    assert first is not None
    assert abs((first["x"] - wave["x"]) / wave["width"] - 0.25) < 0.01
    assert abs(first["width"] / wave["width"] - 0.25) < 0.01
    details.get_by_role("slider", name="Position").click(position={"x": first["x"] + 9 - wave["x"], "y": 40})
    eventually(lambda: details.get_by_role("slider").get_attribute("aria-valuenow") in ("15", "16"))
