"""The administration: who is let in, and the systems that are told by webhooks."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.page.kept import webhook
from tests.page.scripted import Switch, eventually

pytestmark = pytest.mark.peer("chromium")

PICTURES = os.environ.get("CORDBOARD_PICTURES", "")


def picture(page: Page, name: str) -> None:
    """For who wants to look."""
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"admin-{name}.png")


def log_in(page: Page, switch: Switch, language: str = "en") -> None:
    page.goto(f"{switch.url}/admin?lang={language}")
    agent, password = ("Agent", "Password") if language == "en" else ("坐席", "密码")
    page.get_by_label(agent).fill("1001")
    page.get_by_label(password).fill("right")
    page.keyboard.press("Enter")


def test_who_is_no_administrator_is_told_so_and_asks_for_nothing(page: Page, switch: Switch) -> None:
    switch.role = "supervisor"
    log_in(page, switch)
    expect(page.get_by_role("alert")).to_contain_text("Only administrators can work here.")
    assert switch.kept.asked == []
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_label("Agent")).to_be_visible()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_each_system_says_how_it_fares(page: Page, switch: Switch, language: str) -> None:
    now = time.time()
    switch.role = "administrator"
    switch.kept.webhooks = [
        webhook("crm", waiting=12, oldest=now - 900, due=now + 60, trouble="HTTP 500", given_up=3),
        webhook("bi", url="https://bi.example/in?…", signed=False, events=["voicemail.left"]),
        webhook("new", taken=None),
    ]
    log_in(page, switch, language)
    systems = page.get_by_role("listitem")
    expect(systems).to_have_count(3)
    crm, bi, new = (page.get_by_role("listitem", name=name, exact=True) for name in ("crm", "bi", "new"))
    words = {
        "en": ("Waiting: 12, since", "Given up in the last days: 3.", "Is told of: voicemail. Not signed.", "yet."),
        "zh": ("等待发送：12", "近日放弃发送：3", "通知内容：语音留言。", "还没有需要通知的事件。"),
    }[language]
    for text in (words[0], "HTTP 500", words[1]):
        expect(crm).to_contain_text(text)
    expect(bi).to_contain_text(words[2])
    expect(new).to_contain_text(words[3])
    picture(page, language)
    page.set_viewport_size({"width": 320, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    picture(page, f"{language}-narrow")


def test_a_test_says_what_it_came_to_and_what_waits_is_sent(page: Page, switch: Switch) -> None:
    now = time.time()
    switch.role = "administrator"
    switch.kept.webhooks = [webhook("crm", waiting=2, oldest=now - 900, due=now + 60, trouble="HTTP 500")]
    log_in(page, switch)
    crm = page.get_by_role("listitem", name="crm")
    said = crm.get_by_role("status")
    test, send = crm.get_by_role("button", name="Send a test"), crm.get_by_role("button", name="Send what waits now")
    test.click()
    expect(said).to_have_text("It took the test (HTTP 204).")
    switch.kept.test_answer = {"taken": False, "status": 403, "trouble": ""}
    test.click()
    expect(said).to_have_text("It refused the test (HTTP 403).")
    switch.kept.test_answer = {"taken": False, "status": 0, "trouble": "connection refused"}
    test.click()
    expect(said).to_have_text("It could not be reached: connection refused")
    picture(page, "tested")
    send.click()
    expect(crm).to_contain_text("Everything was taken")
    expect(send).to_be_disabled()
    switch.kept.broken["/api/webhooks/crm/test"] = "503 Service Unavailable"
    test.click()
    expect(page.get_by_role("alert")).to_contain_text("That could not be done now.")
    switch.kept.broken["/api/webhooks"] = "401 Unauthorized"
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("alert")).to_contain_text("Your login has expired.")


@pytest.mark.parametrize(("name", "act"), [("Send a test", "test"), ("Send what waits now", "send")])
def test_a_login_that_is_over_is_told_by_whatever_is_pressed(page: Page, switch: Switch, name: str, act: str) -> None:
    """... where one logs in again, and not beside a button that can only fail again."""
    switch.role = "administrator"
    switch.kept.webhooks = [webhook("crm", waiting=2, oldest=time.time() - 900)]
    log_in(page, switch)
    switch.kept.broken[f"/api/webhooks/crm/{act}"] = "401 Unauthorized"
    page.get_by_role("listitem", name="crm").get_by_role("button", name=name).click()
    expect(page.get_by_role("alert")).to_contain_text("Your login has expired.")
    expect(page.get_by_label("Password")).to_be_visible()


def test_an_administrator_finds_it_from_the_workbench_and_others_do_not(page: Page, switch: Switch) -> None:
    switch.role = "administrator"
    log_in(page, switch)
    page.get_by_role("link", name="Workbench").click()
    link = page.get_by_role("link", name="Administration")
    expect(link).to_have_attribute("href", "/admin")
    switch.role = "supervisor"
    page.reload()
    expect(page.get_by_role("status", name="Agent state")).to_have_text("Signed out")
    expect(link).to_have_count(0)
    eventually(lambda: switch.kept.asked != [])
