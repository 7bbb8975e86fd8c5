"""How a page comes and goes: its audio lives on, is made anew, is lost and found; and the test call."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.page.scripted import Switch, eventually
from tests.page.test_workbench import CHINESE, ENGLISH, Desk, Names

pytestmark = pytest.mark.peer("chromium")

CONNECTED = "cordboard.peer?.connectionState === 'connected'"


@pytest.fixture
def desk(page: Page, switch: Switch) -> Desk:
    return Desk(page, switch)


def asked(switch: Switch, command: str) -> int:
    return sum(one["do"] == command for one in switch.asked)


def fall_asleep(page: Page) -> None:
    """As a computer whose clock went on while nothing ran."""
    page.evaluate("{ const now = Date.now; Date.now = () => now() + 60000; }")


def test_a_lost_link_alone_leaves_the_connection_as_it_is(desk: Desk, page: Page, switch: Switch) -> None:
    desk.sign_in()
    desk.answer()
    page.evaluate("window.first = cordboard.peer")
    switch.cut()
    expect(page.get_by_role("status", name="Connection to the server")).to_contain_text("Reconnecting")
    switch.down = False
    desk.has_just("Mute", "Hang up")
    assert asked(switch, "agent.resume") == 1
    assert asked(switch, "agent.sign_in") == 1
    assert page.evaluate("cordboard.peer === first && cordboard.peer.connectionState") == "connected"
    assert desk.sends()


def test_a_link_that_returns_to_another_connection_leaves_the_call_there(
    desk: Desk, page: Page, switch: Switch
) -> None:
    desk.sign_in()
    desk.answer()
    switch.cut()
    switch.leg = "another computer's"
    switch.take_over()
    switch.down = False
    expect(page.get_by_role("dialog", name="Another page took over")).to_be_visible(timeout=15_000)
    assert page.evaluate("cordboard.peer") is None


def test_a_connection_that_died_with_the_link_is_made_anew(desk: Desk, page: Page, switch: Switch) -> None:
    desk.sign_in()
    desk.answer()
    page.evaluate("window.first = cordboard.peer")
    switch.cut()
    switch.leg = ""  # the switch has given it up
    page.evaluate("first.close()")
    switch.down = False
    desk.has_just("Mute", "Hang up")
    assert asked(switch, "agent.sign_in") == 2
    eventually(lambda: page.evaluate(f"cordboard.peer !== first && {CONNECTED}"))
    assert desk.sends()


def test_the_old_connection_serves_until_the_new_one_does(desk: Desk, page: Page, switch: Switch) -> None:
    desk.sign_in()
    desk.answer()
    page.evaluate(
        """() => {
          window.first = cordboard.peer;
          window.seen = [];
          const connect = RTCPeerConnection.prototype.setRemoteDescription;
          RTCPeerConnection.prototype.setRemoteDescription = async function (description) {
            seen.push(first.connectionState, first.getSenders()[0].track !== null);
            return connect.call(this, description);
          };
        }"""
    )
    switch.push("media.failed", reason="no media")
    eventually(lambda: page.evaluate(f"cordboard.peer !== first && {CONNECTED}"))
    eventually(lambda: page.evaluate("first.connectionState") == "closed")
    assert page.evaluate("seen") == ["connected", True]


def test_a_page_that_is_taken_over_in_a_call_speaks_until_the_other_is_connected(
    desk: Desk, page: Page, switch: Switch
) -> None:
    desk.sign_in()
    desk.answer()
    switch.leg = "another computer's"
    switch.take_over()
    expect(page.get_by_role("dialog", name="Another page took over")).to_be_visible()
    assert desk.sends()
    switch.push("media.connected")
    eventually(lambda: page.evaluate("cordboard.peer === null && cordboard.mic === null"))


@pytest.mark.parametrize("names", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_the_page_that_watches_says_that_the_agent_is_coming_back(page: Page, switch: Switch, names: Names) -> None:
    english = names is ENGLISH
    desk = Desk(page, switch, names)
    desk.sign_in()
    desk.answer()
    switch.go_away(20)
    stage = page.get_by_role("region", name="Call" if english else "通话", exact=True)
    expect(stage).to_contain_text("back to the queue in 1" if english else "秒后回到队列")
    switch.leave_the_seat()
    expect(stage).to_contain_text("The page with this call is gone." if english else "承载本通话的页面已离开。")
    switch.come_back()
    expect(stage).not_to_contain_text("The customer waits" if english else "客户正在等待")


def test_a_page_that_watched_goes_on_with_the_call(desk: Desk, page: Page, switch: Switch) -> None:
    desk.sign_in()
    desk.answer()
    switch.leg = "another tab's"
    switch.take_over()
    switch.push("media.connected")
    page.get_by_role("dialog").get_by_role("button", name="Close", exact=True).last.click()
    switch.go_away()
    expect(page.get_by_role("region", name="Call", exact=True)).to_contain_text("has lost its audio")
    switch.leave_the_seat()
    page.get_by_role("button", name="Go on here").click()
    desk.has_just("Mute", "Hang up")
    eventually(desk.sends)


def test_a_reload_in_after_call_work_loses_nothing(desk: Desk, page: Page, switch: Switch) -> None:
    desk.sign_in()
    desk.answer()
    switch.end()
    desk.is_in("after_call_work")
    stage = page.get_by_role("region", name="Call", exact=True)
    told = stage.inner_text()
    since = switch.since
    page.reload()
    desk.has_just("Start answering", "Break", "Sign out")
    assert stage.inner_text() == told
    assert page.evaluate("cordboard.state.since") == since


def test_a_second_tab_only_watches_and_a_closed_one_is_followed(
    desk: Desk, context: BrowserContext, page: Page, switch: Switch
) -> None:
    """Nothing is taken while the first tab lives, though the switch holds its seat for free for a moment."""
    desk.sign_in()
    desk.answer()
    second = context.new_page()
    other = Desk(second, switch)
    second.goto(f"{switch.url}/?lang=en")
    other.is_in("talking")
    other.has_just("Sign in")
    switch.cut()
    switch.down = False
    desk.has_just("Mute", "Hang up")
    other.has_just("Sign in")
    assert asked(switch, "agent.resume") == 1
    page.close()
    switch.leave_the_seat()
    second.reload()
    other.has_just("Mute", "Hang up")
    eventually(other.sends)


def test_a_tab_whose_websocket_still_seems_alive_is_followed_by_its_next_life(
    desk: Desk, page: Page, switch: Switch
) -> None:
    """A crash while the network was gone: the switch has not noticed when the page is back."""
    desk.sign_in()
    desk.answer()
    switch.keep_the_seat = True
    page.reload()
    desk.has_just("Mute", "Hang up")
    assert switch.asked[-2]["take_over"] is True
    eventually(desk.sends)


def test_a_page_that_wakes_finds_a_dead_link_at_once(desk: Desk, page: Page, switch: Switch) -> None:
    desk.sign_in()
    switch.hold.add("snapshot")
    switch.down = True  # the next one waits, or what is said of it would be over too soon to be seen
    fall_asleep(page)
    expect(page.get_by_role("status", name="Connection to the server")).to_contain_text("Reconnecting", timeout=9_000)
    switch.hold.clear()
    switch.down = False
    desk.has_just("Break", "Sign out")


def test_an_agent_hears_itself_before_the_first_call(desk: Desk, page: Page, switch: Switch) -> None:
    desk.log_in()
    expect(page.locator("main")).to_contain_text("When you are signed in, make a test call here")
    desk.button("Sign in").click()
    desk.is_in("idle")
    eventually(lambda: page.evaluate(CONNECTED))
    page.get_by_role("button", name="Devices").click()
    page.get_by_role("button", name="Test call").click()
    panel = page.locator("cb-devices")  # what is in a dialog's slot is no child of it
    expect(panel).to_contain_text(re.compile(r"Ends in (30|2\d) s\."))
    eventually(desk.sends)
    level = panel.get_by_role("meter", name="What comes back")
    eventually(lambda: int(level.get_attribute("aria-valuenow") or -60) > -40)  # the far end's voice
    page.get_by_role("button", name="End test call").click()
    eventually(lambda: not desk.sends())
    page.get_by_role("button", name="Test call").click()
    eventually(desk.sends)
    switch.testing_until = None
    switch.push("agent.test_call_over")  # an offer, or its time was over
    eventually(lambda: not desk.sends())
    expect(page.get_by_role("button", name="Test call")).to_be_enabled()
