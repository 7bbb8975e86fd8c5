"""Voicemail, as an agent sees it: that there is a new message, the list, one heard and seen to."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import Page, expect

from tests.page.callbook import cells, four_calls, lines, listed
from tests.page.kept import at, message, tones
from tests.page.scripted import Switch
from tests.page.test_workbench import Desk

pytestmark = pytest.mark.peer("chromium")


@pytest.fixture
def desk(page: Page, switch: Switch) -> Desk:
    made = four_calls(page, switch)
    switch.kept.add(message("m1", at(0.1), number="+8675512345678"))
    switch.kept.sound = tones(24.0)
    return made


def left(switch: Switch, at_: float) -> None:
    switch.push(
        "queue.status",
        queue="support",
        name="Support",
        waiting=0,
        oldest_since=None,
        agents_idle=0,
        message_at=at_,
    )


def test_among_all_calls_a_message_is_what_it_is(desk: Desk, page: Page, switch: Switch) -> None:
    """... and no call that simply came to nothing."""
    switch.role = "supervisor"
    desk.log_in()
    line = lines(page).filter(has=page.locator('[data-call="m1"]'))
    expect(line.locator(".class")).to_have_text("Voicemail")
    page.get_by_role("button", name="Not connected").click()
    expect(line.locator(".class")).to_have_text("Voicemail")


def test_a_new_message_shows_until_it_is_looked_at_and_is_seen_to(desk: Desk, page: Page, switch: Switch) -> None:
    news = page.get_by_role("img", name="New voicemail")
    filter_ = page.get_by_role("button", name="Voicemail")
    desk.sign_in()
    expect(lines(page)).to_have_count(4)
    expect(news).to_have_count(0)
    left(switch, time.time())
    expect(filter_.locator(news)).to_be_visible()
    filter_.click()
    expect(lines(page)).to_have_count(1)
    expect(news).to_have_count(0)
    assert cells(lines(page).first)[1:] == ["+86 755 1234 5678", "Support", "New", "0:24", ""]
    assert "agent=" not in listed(switch)[-1]
    switch.kept.add(message("m2", time.time() - 40))
    left(switch, time.time() + 1)  # while it is looked at
    expect(lines(page)).to_have_count(2)
    expect(news).to_have_count(0)
    page.get_by_role("button", name="+86 755 1234 5678").click()
    details = page.get_by_role("article", name="Call details")
    told = details.get_by_role("region", name="Voicemail")
    expect(told).to_contain_text("The caller left a message of 0:24 for Support.")
    expect(details).to_contain_text("The message was over.")
    expect(details.locator(".badge")).to_have_text("Voicemail")
    expect(details.locator(".facts div", has_text="Waited")).to_contain_text("0:09")
    expect(details.locator(".lanes")).to_have_text("Customer")
    expect(details.get_by_role("button", name="Play", exact=True)).to_be_enabled()
    told.get_by_role("button", name="Done", exact=True).click()
    expect(told).to_contain_text("Done by Lin, Today")
    page.get_by_role("button", name="All calls").click()
    expect(lines(page).nth(1)).to_contain_text("Done by Lin")
    page.get_by_role("button", name="+86 755 1234 5678").click()
    told.get_by_role("button", name="Not done").click()
    expect(told.get_by_role("button", name="Done", exact=True)).to_be_visible()
    page.get_by_role("button", name="All calls").click()
    page.get_by_role("button", name="All", exact=True).click()
    expect(lines(page)).to_have_count(4)
    page.reload()
    expect(lines(page)).to_have_count(4)
    expect(news).to_have_count(0)


def test_what_cannot_be_marked_says_so(desk: Desk, page: Page, switch: Switch) -> None:
    desk.sign_in()
    page.get_by_role("button", name="Voicemail").click()
    page.get_by_role("button", name="+86 755 1234 5678").click()
    switch.kept.broken["/api/calls/m1/message"] = "503 Service Unavailable"
    page.get_by_role("button", name="Done", exact=True).click()
    expect(page.get_by_role("alert").filter(has_text="cannot be loaded")).to_be_visible()
    expect(page.get_by_role("region", name="Voicemail").get_by_role("button", name="Done", exact=True)).to_be_enabled()
