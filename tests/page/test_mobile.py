"""Mobile answer on the page: the number, what rings elsewhere, what may be done about it here, and the way back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.page.scripted import Switch, eventually
from tests.page.test_workbench import CHINESE, ENGLISH, Desk, Names

pytestmark = pytest.mark.peer("chromium")

MOBILE = "+8613800138000"
WORDS = {
    ENGLISH.agent: (
        "Mobile answer",
        "Mobile number",
        "Confirm",
        "It rings on your mobile",
        "Cancel",
        "Your mobile was busy",
    ),
    CHINESE.agent: ("手机接听", "手机号码", "确认", "正在您的手机上振铃", "取消", "手机忙线"),
}
PICTURES = os.environ.get("CORDBOARD_PICTURES", "")


def picture(page: Page, names: Names, name: str) -> None:
    """For who wants to look."""
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"mobile-{'zh' if names is CHINESE else 'en'}-{name}.png")


def choose(page: Page, names: Names, number: str) -> None:
    word, label, confirm, *_ = WORDS[names.agent]
    page.get_by_role("button", name=word, exact=True).click()
    page.locator("cb-mobile").get_by_label(label).fill(number)
    picture(page, names, "dialog")
    page.locator("cb-mobile").get_by_role("button", name=confirm, exact=True).click()
    expect(page.get_by_role("status", name=names.state, exact=True)).to_have_text(word)
    expect(page.locator("cb-mobile")).to_have_count(0)


@pytest.mark.parametrize("names", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_from_idle_to_the_mobile_and_back(page: Page, switch: Switch, names: Names) -> None:
    word, _, _, rings, _, busy = WORDS[names.agent]
    desk = Desk(page, switch, names)
    desk.sign_in()
    picture(page, names, "idle")
    choose(page, names, MOBILE)
    page.wait_for_function("cordboard.peer === null || cordboard.peer.connectionState === 'closed'")
    expect(page.locator(".stage")).to_contain_text("138 0013 8000")
    picture(page, names, "resting")
    desk.has_just("Idle", "Break", "Sign out")
    switch.offer()
    desk.is_in("ringing")
    assert not desk.rings()
    expect(page.locator(".stage")).to_contain_text(rings)
    picture(page, names, "rings")
    desk.has_just("Decline", "Break", "Sign out")
    switch.press_1()
    desk.is_in("talking")
    picture(page, names, "talks")
    desk.has_just("Mute", "Hang up")
    desk.button("Mute").click()
    desk.button("Unmute").click()
    expect(desk.button("Mute")).to_be_enabled()
    page.reload()
    desk.is_in("talking")
    desk.has_just("Mute", "Hang up")
    desk.button("Hang up").click()
    desk.is_in("after_call_work")
    picture(page, names, "paperwork")
    page.locator(".stage").get_by_role("button", name=word, exact=True).click()
    expect(desk.state).to_have_text(word)
    switch.offer(call="c2")
    desk.button("Decline").click()
    expect(desk.state).to_have_text(word)
    switch.offer(call="c3")
    desk.is_in("ringing")
    switch.withdraw("mobile busy", "break")
    desk.is_in("break")
    expect(page.locator(".state")).to_contain_text(busy)
    picture(page, names, "missed")
    desk.button("Sign in").click()
    eventually(lambda: [one["do"] for one in switch.asked].count("agent.sign_in") == 2)


def test_idle_signs_in_again_and_start_answering_too(page: Page, switch: Switch) -> None:
    desk = Desk(page, switch)
    desk.sign_in()
    choose(page, ENGLISH, MOBILE)
    desk.button("Idle").click()
    desk.is_in("idle")
    desk.has_just("Break", "Sign out")
    choose(page, ENGLISH, MOBILE)
    switch.offer()
    desk.is_in("ringing")
    switch.press_1()
    desk.is_in("talking")
    switch.end()
    desk.is_in("after_call_work")
    desk.button("Start answering").click()
    desk.is_in("idle")
    desk.answer()


@pytest.mark.parametrize("names", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_it_says_by_what_a_call_is_taken_there(page: Page, switch: Switch, names: Names) -> None:
    switch.accept = "pick-up"
    desk = Desk(page, switch, names)
    desk.sign_in()
    choose(page, names, MOBILE)
    stage = page.locator(".stage")
    english = names is ENGLISH
    expect(stage).to_contain_text("Whoever answers there has the call." if english else "在手机上接起即可接听来电")
    switch.offer()
    desk.is_in("ringing")
    expect(stage).to_contain_text("Answer it there." if english else "请在手机上接听。")
    picture(page, names, "pick-up")


def test_it_needs_no_sign_in_and_a_number_that_is_refused_stays_in_the_dialog(page: Page, switch: Switch) -> None:
    switch.mobile = MOBILE
    desk = Desk(page, switch)
    desk.log_in()
    page.get_by_role("button", name="Mobile answer", exact=True).click()
    number = page.locator("cb-mobile").get_by_label("Mobile number")
    expect(number).to_have_value(MOBILE)
    expect(number).to_be_focused()
    switch.refuse["agent.mobile"] = "not_allowed"
    page.keyboard.press("Enter")
    told = page.locator("cb-mobile").get_by_role("alert")  # beside the number, not under the dialog's dimming
    expect(told).to_contain_text("The dialling rules do not allow this number.")
    expect(number).to_have_accessible_description("The dialling rules do not allow this number.")
    picture(page, ENGLISH, "refused")
    expect(page.get_by_role("alert")).to_have_count(1)
    expect(number).to_have_value(MOBILE)
    number.press("End")
    number.press("1")  # another number, of which nothing was said
    expect(told).to_have_count(0)
    page.locator("cb-mobile").get_by_role("button", name="Cancel", exact=True).click()
    expect(page.locator("cb-mobile")).to_have_count(0)
    desk.is_in("signed_out")
    switch.refuse.clear()
    choose(page, ENGLISH, MOBILE)
    page.reload()
    expect(desk.state).to_have_text("Mobile answer")
    assert [one["do"] for one in switch.asked if one["do"].startswith("agent.")] == ["agent.mobile"] * 2
