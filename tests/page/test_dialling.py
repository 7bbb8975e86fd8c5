"""An agent dials at the page: the number, what is told on the way, and every end there is, in both languages."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.page.callbook import cells, lines, listed
from tests.page.kept import call
from tests.page.scripted import Switch
from tests.page.test_workbench import CHINESE, ENGLISH, Desk, Names

pytestmark = pytest.mark.peer("chromium")

# Where pictures go that somebody wants to look at; nowhere else.
PICTURES = os.environ.get("CORDBOARD_PICTURES", "")
WORDS = {
    ENGLISH.agent: (
        "Number",
        "Dial",
        "Redial",
        "Outgoing call",
        "It rings there.",
        "The line is busy. (SIP 486)",
        "The dialling rules do not allow this number.",
    ),
    CHINESE.agent: (
        "号码",
        "呼叫",
        "再次拨打",
        "外呼",
        "对方振铃中。",
        "对方正忙。（SIP 486）",
        "拨号规则不允许呼叫此号码。",
    ),
}


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png")


@pytest.mark.parametrize("names", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_a_number_is_dialled_rings_answers_and_is_dialled_again(page: Page, switch: Switch, names: Names) -> None:
    number, dial, redial, outgoing, rings, busy, barred = WORDS[names.agent]
    language = "zh" if names is CHINESE else "en"
    desk = Desk(page, switch, names)
    desk.sign_in()
    field, button = page.get_by_label(number, exact=True), page.get_by_role("button", name=dial, exact=True)
    expect(button).to_be_disabled()
    field.fill("138 0013 8000")
    picture(page, f"dial-idle-{language}")
    field.press("Enter")
    desk.is_in("talking")
    told = page.get_by_role("status", name=outgoing, exact=True)
    expect(told).to_be_visible()
    expect(field).to_have_value("")
    expect(button).to_be_disabled()
    switch.progress(rings=True)
    expect(told).to_have_text(rings)
    picture(page, f"dial-rings-{language}")
    switch.pick_up()
    expect(page.get_by_role("timer", name=names.time)).to_be_visible()
    assert desk.sends()
    desk.has_just("Mute", "Hang up")
    picture(page, f"dial-talks-{language}")
    switch.end("callee", "hung up")
    desk.is_in("after_call_work")
    assert not desk.sends()
    picture(page, f"dial-paperwork-{language}")
    page.get_by_role("button", name=redial, exact=True).click()
    desk.is_in("talking")
    assert switch.asked[-1]["number"] == "138 0013 8000"
    switch.fail("line_busy", 486)
    desk.is_in("after_call_work")
    expect(page.get_by_text(busy).first).to_be_visible()
    expect(page.get_by_role("button", name=redial, exact=True)).to_be_enabled()
    picture(page, f"dial-busy-{language}")
    desk.button("Start answering").click()
    desk.is_in("idle")
    field.fill("0900 5550")
    field.press("Enter")
    desk.is_in("talking")
    switch.fail("not_allowed", 0)
    desk.is_in("idle")
    expect(page.locator(".stage")).to_contain_text(barred)  # and not how the call before it ended
    page.get_by_role("button", name=redial, exact=True).click()
    desk.is_in("talking")
    assert switch.asked[-1]["number"] == "0900 5550"
    picture(page, f"dial-barred-{language}")


def test_it_is_given_up_by_button_and_by_key(page: Page, switch: Switch) -> None:
    desk = Desk(page, switch)
    desk.sign_in()
    for by_key in (False, True):
        page.get_by_label("Number", exact=True).fill("110")
        page.get_by_role("button", name="Dial", exact=True).click()
        desk.is_in("talking")
        desk.has_just("Hang up")
        page.keyboard.press("F8")  # nothing to be muted yet
        if by_key:
            page.keyboard.press("F4")
        else:
            desk.button("Hang up").click()
        desk.is_in("idle")
        expect(page.get_by_text("You hung up before there was an answer.").first).to_be_visible()
    assert not desk.sends()


def test_a_refused_number_stays_written_and_a_reload_finds_the_call(page: Page, switch: Switch) -> None:
    desk = Desk(page, switch)
    desk.sign_in()
    switch.refuse["call.dial"] = "media_lost"
    page.get_by_label("Number", exact=True).fill("110")
    page.get_by_role("button", name="Dial", exact=True).click()
    expect(page.get_by_role("alert").first).to_be_visible()
    expect(page.get_by_label("Number", exact=True)).to_have_value("110")
    switch.refuse.clear()
    page.get_by_role("button", name="Dial", exact=True).click()
    desk.is_in("talking")
    page.reload()
    desk.is_in("talking")
    expect(page.get_by_role("heading", name="110")).to_be_visible()
    expect(desk.button("Hang up")).to_be_enabled()


@pytest.mark.parametrize("names", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_the_number_that_is_shown_is_chosen_kept_and_never_another(page: Page, switch: Switch, names: Names) -> None:
    number, dial = WORDS[names.agent][:2]
    shown, automatic = {
        ENGLISH.agent: ("Caller number", "Automatic caller number"),
        CHINESE.agent: ("外呼号码", "自动选择外呼号码"),
    }[names.agent]
    ours = ("+861055501000", "+862155502000")
    switch.numbers = [*ours[:1]]
    desk = Desk(page, switch, names)
    desk.sign_in()
    choice = page.get_by_label(shown, exact=True)
    expect(choice).to_have_count(0)  # there is nothing to choose
    switch.set_numbers(*ours)
    expect(choice.get_by_role("option")).to_have_text([automatic, *ours])

    def dialled() -> str:
        page.get_by_label(number, exact=True).fill("138 0013 8000")
        page.get_by_role("button", name=dial, exact=True).click()
        desk.is_in("talking")
        switch.fail("line_busy", 486)
        desk.is_in("idle")
        return str(switch.asked[-1]["shown"])

    assert dialled() == ""
    choice.select_option(ours[1])
    picture(page, f"dial-shown-{names.agent}")
    assert dialled() == ours[1]
    switch.set_numbers(*ours[:1])
    expect(choice).to_have_value(ours[1])
    expect(choice.get_by_role("option").last).not_to_have_text(ours[1])  # it says that it is gone
    picture(page, f"dial-gone-{names.agent}")
    assert dialled() == ours[1]
    choice.select_option("")
    assert dialled() == ""


def test_a_call_out_that_came_to_nothing_is_in_the_list_at_once(page: Page, switch: Switch) -> None:
    desk = Desk(page, switch)
    desk.sign_in()
    expect(page.get_by_text("No calls in the last 7 days.")).to_be_visible()
    asked = len(listed(switch))
    page.get_by_label("Number", exact=True).fill("138 0013 8000")
    page.get_by_label("Number", exact=True).press("Enter")
    desk.is_in("talking")
    out = call("out", time.time() - 5, "not_connected", direction="outbound", queue="", queue_name="")
    switch.kept.add(out | {"ended": time.time()})
    switch.fail("given_up")
    expect(lines(page)).to_have_count(1)
    assert cells(lines(page).first)[1:4] == ["+86 138 0013 8000", "Outgoing", "Not connected"]
    assert len(listed(switch)) == asked + 1
