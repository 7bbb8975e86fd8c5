"""The controls of the phone: where they stand, what a click too many does, and the keypad."""

from __future__ import annotations

from itertools import combinations

import pytest
from playwright.sync_api import Page, expect

from tests.page.scripted import Switch, eventually
from tests.page.test_workbench import CHINESE, Desk

pytestmark = pytest.mark.peer("chromium")

# Keys that the page hands to the browser, with their lengths, and what it had not begun to send by then.
PRESSED = """
window.pressed = [];
const insert = RTCDTMFSender.prototype.insertDTMF;
RTCDTMFSender.prototype.insertDTMF = function (...what) {
  window.pressed.push([...what, this.toneBuffer]);
  return insert.apply(this, what);
};
"""


@pytest.fixture
def desk(page: Page, switch: Switch) -> Desk:
    return Desk(page, switch)


# --- places -------------------------------------------------------------------------------------------------------


def places(page: Page) -> dict[str, tuple[float, float, float, float]]:
    """The corners of each button that changes the agent's state, by its name."""
    found = {}
    for button in page.locator(".state").get_by_role("button").all():
        box = button.bounding_box()
        assert box is not None
        name = button.get_attribute("aria-label") or button.locator("span").inner_text()
        found[name] = (box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"])
    return found


def apart(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[2] <= other[0] + 1 or other[2] <= one[0] + 1 or one[3] <= other[1] + 1 or other[3] <= one[1] + 1


def test_every_control_has_one_place_and_no_other_stands_there(desk: Desk, page: Page, switch: Switch) -> None:
    seen: dict[str, set[tuple[float, float, float, float]]] = {}

    def look() -> None:
        for name, place in places(page).items():
            seen.setdefault(name, set()).add(place)

    desk.log_in()
    look()
    desk.button("Sign in").click()
    desk.is_in("idle")
    look()
    desk.answer()
    look()
    switch.end()
    desk.is_in("after_call_work")
    look()
    desk.button("Break").click()
    desk.is_in("break")
    look()
    switch.leave_the_seat()
    expect(desk.button("Sign in")).to_be_visible()
    look()
    assert set(seen) == {"Sign in", "Sign out", "Idle", "Break", "Mobile answer"}
    for (one, its), (other, theirs) in combinations(seen.items(), 2):
        assert all(apart(a, b) for a in its for b in theirs), (one, its, other, theirs)


def test_a_double_click_signs_in_and_no_more(desk: Desk, page: Page, switch: Switch) -> None:
    desk.log_in()
    desk.button("Sign in").dblclick()
    desk.is_in("idle")
    desk.has_just("Break", "Sign out")
    desk.button("Sign out").dblclick()
    desk.is_in("signed_out")
    assert [one["do"] for one in switch.asked if one["do"] != "snapshot"] == ["agent.sign_in", "agent.sign_out"]


@pytest.mark.long
def test_a_double_click_ends_the_paperwork_and_calls_nobody(desk: Desk, page: Page, switch: Switch) -> None:
    switch.demo = True
    desk.sign_in()
    desk.answer()
    switch.end()
    desk.button("Start answering").dblclick()
    desk.is_in("idle")
    expect(page.get_by_role("button", name="Call me now")).to_be_enabled()
    assert not any(one["do"] == "demo.call" for one in switch.asked)


# --- after-call work ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["button", pytest.param("key", marks=pytest.mark.long)])
def test_from_the_paperwork_straight_to_break(desk: Desk, page: Page, switch: Switch, by: str) -> None:
    desk.sign_in()
    desk.answer()
    switch.end()
    desk.has_just("Start answering", "Break", "Sign out")
    if by == "button":
        desk.button("Break").click()
    else:
        page.keyboard.press("F9")
    desk.is_in("break")
    assert [one["state"] for one in switch.asked if one["do"] == "agent.state"] == ["break"]
    desk.has_just("Idle", "Sign out")


@pytest.mark.long
def test_the_paperwork_of_a_call_that_began_on_break_leads_back_to_it(desk: Desk, page: Page, switch: Switch) -> None:
    switch.from_break = True
    desk.sign_in()
    desk.answer()
    switch.end()
    expect(desk.button("Start answering")).to_be_enabled()
    page.reload()
    page.get_by_role("button", name="中文").click()
    page.get_by_role("button", name="返回小休", exact=True).click()
    expect(page.get_by_role("status", name="坐席状态")).to_have_text("小休")
    page.get_by_role("button", name="English").click()
    desk.button("Idle").click()
    switch.from_break = False
    desk.answer()
    switch.end()
    expect(desk.button("Start answering")).to_be_enabled()
    expect(page.get_by_role("button", name="Return to break")).to_have_count(0)


@pytest.mark.long
def test_paperwork_that_ends_by_itself_says_when(desk: Desk, page: Page, switch: Switch) -> None:
    switch.work_seconds = 90
    desk.sign_in()
    desk.answer()
    switch.end()
    stage = page.get_by_role("region", name="Call", exact=True)
    expect(stage).to_contain_text("Calls reach you again in 89 s.")
    page.reload()
    expect(stage).to_contain_text("Calls reach you again in 8")
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("region", name="通话", exact=True)).to_contain_text("秒后将自动开始接听。")


# --- the keypad ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chinese", [pytest.param(False, id="en"), pytest.param(True, id="zh", marks=pytest.mark.long)])
def test_keys_go_the_way_of_the_voice_one_after_the_other(page: Page, switch: Switch, chinese: bool) -> None:
    page.add_init_script(PRESSED)
    desk = Desk(page, switch, CHINESE) if chinese else Desk(page, switch)
    desk.sign_in()
    desk.answer()
    name = "拨号键盘" if chinese else "Keypad"
    pad = page.get_by_role("group", name=name)
    expect(pad).to_be_hidden()
    page.get_by_role("button", name=name, exact=True).click()
    expect(pad).to_be_focused()
    page.keyboard.type("15x9")  # no key of a telephone is no key here
    for key in "*#":
        pad.get_by_role("button", name=key, exact=True).click()
    expect(page.get_by_role("status", name="已发送的按键" if chinese else "Keys sent")).to_have_text("159*#")
    pressed = page.evaluate("pressed")
    # what was not begun yet goes on before the new key
    assert [tones[-1] for tones, _, _, _ in pressed] == list("159*#")
    assert all(tones == waiting + tones[-1] for tones, _, _, waiting in pressed)
    assert {(length, gap) for _, length, gap, _ in pressed} == {(100, 70)}
    eventually(lambda: page.evaluate("cordboard.peer.getSenders()[0].dtmf.toneBuffer") == "")
    page.keyboard.press("Escape")
    expect(pad).to_be_hidden()
    desk.button("Hang up").click()
    desk.is_in("after_call_work")
    expect(page.get_by_role("button", name=name, exact=True)).to_have_count(0)


@pytest.mark.long
def test_keys_need_no_link_and_work_while_muted(desk: Desk, page: Page, switch: Switch) -> None:
    page.add_init_script(PRESSED)
    desk.sign_in()
    desk.answer()
    desk.button("Mute").click()
    expect(desk.button("Unmute")).to_be_visible()
    switch.cut()
    expect(page.get_by_role("status", name="Connection to the server")).to_contain_text("Your call goes on")
    page.get_by_role("button", name="Keypad").click()
    page.keyboard.press("7")
    assert page.evaluate("pressed.length") == 1
    switch.down = False
    desk.has_just("Unmute", "Hang up")
    assert page.evaluate("cordboard.mic.getAudioTracks()[0].enabled") is False
