"""A narrow window, or large letters: everything is there, and nobody scrolls sideways (WCAG 2.2, 1.4.10)."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.page.kept import LIN, MAYA, at, call, decided, noon_zone, tones
from tests.page.scripted import Switch
from tests.page.test_workbench import CHINESE, ENGLISH, Desk, Names

pytestmark = pytest.mark.peer("chromium")

# How far the window's content reaches beyond it, and what does: elements that do not scroll or hide it themselves.
BEYOND = """() => {
  const wide = document.documentElement.clientWidth;
  const clips = (one) => one && (getComputedStyle(one).overflowX !== 'visible' || clips(one.parentElement));
  return [...document.querySelectorAll('body *')]
    .filter((one) => one.getBoundingClientRect().right > wide + 1 && one.checkVisibility() && !clips(one.parentElement))
    .map((one) => one.tagName + '.' + one.className);
}"""


def fits(page: Page) -> None:
    assert page.evaluate(BEYOND) == []
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


# Of those of them that are not whole between the sides of the window when they are scrolled to, their names.
OUTSIDE = """(controls) => controls.filter((one) => {
  one.scrollIntoView({ block: 'center' });
  const { left, right } = one.getBoundingClientRect();
  return left < 0 || right > document.documentElement.clientWidth;
}).map((one) => one.ariaLabel ?? one.innerText)"""


def test_a_wide_window_does_not_scroll_whatever_the_queues(page: Page, switch: Switch) -> None:
    desk = Desk(page, switch)
    desk.sign_in()
    switch.set_queues(*((f"Queue {number}", number, None, 0) for number in range(30)))
    expect(page.get_by_role("table", name="Queues").get_by_role("row")).to_have_count(31)
    height = "document.documentElement.scrollHeight - document.documentElement.clientHeight"
    assert page.evaluate(height) == 0
    box = page.get_by_role("region", name="What happened").bounding_box()
    assert box is not None
    assert box["height"] > 350
    fits(page)


@pytest.mark.parametrize("names", [ENGLISH, pytest.param(CHINESE, marks=pytest.mark.long)], ids=["en", "zh"])
def test_a_consultation_in_a_narrow_window(page: Page, switch: Switch, names: Names) -> None:
    """All of the choice, and of who is in the call, is within reach at 1280 px and 400 %."""
    switch.colleagues = [
        {"agent": f"10{n:02}", "name": name, "state": "idle", "reason": "", "since": at(1), "mobile": n == 2}
        for n, name in enumerate(("Maya Konstantinopoulou", "欧阳娜娜", "Chen"), 2)
    ]
    page.set_viewport_size({"width": 320, "height": 256})
    desk = Desk(page, switch, names)
    desk.sign_in()
    desk.answer()
    page.locator(".stage-acts .button:enabled").first.wait_for()
    chooser = page.locator(".chooser")
    for key, tabs in (("F6", ("colleagues", "outside")), ("F3", ("queues", "outside", "colleagues"))):
        page.keyboard.press(key)
        for tab in tabs:
            page.locator(f"#choose-tab-{tab}").click()
            expect(page.locator(f"#choose-panel-{tab}")).to_be_visible()
            fits(page)
            assert chooser.locator("button, input").evaluate_all(OUTSIDE) == []
        page.keyboard.press("Escape")
        expect(chooser.get_by_role("tablist")).to_have_count(0)
    page.keyboard.press("F6")
    chooser.locator(".people .button").first.click()
    expect(page.locator(".parties [data-who=second]")).to_be_visible()
    fits(page)
    switch.second_answers()
    expect(page.locator(".stage-acts .button:enabled")).to_have_count(4)
    fits(page)
    assert page.locator(".stage-acts .button").evaluate_all(OUTSIDE) == []
    page.keyboard.press("F10")
    expect(page.locator("[data-mode=three_way]")).to_be_visible()
    fits(page)
    switch.second_leaves("hung_up")
    expect(page.locator(".over-bar")).to_be_visible()
    fits(page)


# How many lines each heading of the tables takes.
LINES = """() => [...document.querySelectorAll('thead th:not(:has(.unseen))')].map((one) => {
  const range = document.createRange();
  range.selectNodeContents(one);
  return new Set([...range.getClientRects()].map(({ top }) => Math.round(top))).size;
})"""


def test_no_chinese_heading_is_broken_within_its_word(page: Page, switch: Switch) -> None:
    page.set_viewport_size({"width": 320, "height": 256})
    desk = Desk(page, switch, CHINESE)
    desk.sign_in()
    switch.set_queues(("Support", 3, 65, 2))
    expect(page.locator(".queues tbody tr")).to_have_count(1)
    assert page.evaluate(LINES) == [1, 1, 1]
    fits(page)


# Of each act of the call: its lines, and how far its words are from the sides of its button, in pixels.
ROOM = """() => [...document.querySelectorAll('.stage-acts .button')].map((button) => {
  const range = document.createRange();
  range.selectNodeContents(button.querySelector('span'));
  const [words, box] = [range.getBoundingClientRect(), button.getBoundingClientRect()];
  return [range.getClientRects().length, Math.min(words.left - box.left, box.right - words.right)];
})"""


@pytest.mark.parametrize("names", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_the_words_of_the_acts_keep_off_the_sides_of_their_buttons(page: Page, switch: Switch, names: Names) -> None:
    desk = Desk(page, switch, names)
    desk.sign_in()
    desk.answer()
    expect(page.locator(".stage-acts .button")).to_have_count(5)
    for width, lines, room in ((1366, 1, 4), (900, 2, 1)):
        page.set_viewport_size({"width": width, "height": 768})
        found = page.evaluate(ROOM)
        assert max(count for count, _ in found) <= lines, found
        assert min(gap for _, gap in found) >= room, found
        fits(page)


@pytest.mark.parametrize("names", [ENGLISH, pytest.param(CHINESE, marks=pytest.mark.long)], ids=["en", "zh"])
def test_why_a_call_rang_there_in_a_narrow_window(page: Page, switch: Switch, names: Names) -> None:
    """... with names as long as they are, and the most that a strategy looks at."""
    many = [
        {"agent": f"10{n:02}", "name": name, "rank": n, "level": 1, "idle_seconds": 3725.0, "calls": None}
        for n, name in enumerate(("Lin", "Maya Konstantinopoulou", "Oyinkansola Adebayo-Featherstonehaugh"), 1)
    ]
    ranked = [{**each, "talk_seconds": 20_000.0} for each in many]
    passed = [{"why": "kept", "count": 14, "agents": [{"agent": each["agent"], "name": each["name"]} for each in many]}]
    switch.time_zone = noon_zone()
    switch.role = "supervisor"
    switch.kept.add(call("a", at(0.02)))
    switch.kept.reasons["a"] = [decided(at(0.02), [LIN], None, ranked=ranked, passed=passed, candidates=9)]
    page.set_viewport_size({"width": 320, "height": 720})
    Desk(page, switch, names).log_in()
    page.locator("[data-call=a]").click()
    page.locator("cb-call-why summary").click()
    expect(page.locator(".decision tbody tr")).to_have_count(3)
    page.locator(".decision").scroll_into_view_if_needed()
    fits(page)
    inside = page.locator(".decision").evaluate("one => one.scrollWidth - one.clientWidth")
    assert inside <= 0


# 1280 px at 400 %, at 200 %, and two columns as narrow as they become
@pytest.mark.parametrize(
    "width", [320, pytest.param(640, marks=pytest.mark.long), pytest.param(860, marks=pytest.mark.long)]
)
@pytest.mark.parametrize("names", [ENGLISH, pytest.param(CHINESE, marks=pytest.mark.long)], ids=["en", "zh"])
def test_a_day_in_a_narrow_window(page: Page, switch: Switch, width: int, names: Names) -> None:
    switch.time_zone = noon_zone()
    switch.kept.sound = tones()
    switch.kept.add(call("a", at(0.02), name="Wang Xiaoming"), call("b", at(0.04), "ring_abandoned"))
    switch.colleagues = [{**MAYA, "state": "break", "reason": "no answer", "since": at(1)}]
    page.set_viewport_size({"width": width, "height": 256 if width == 320 else 720})
    desk = Desk(page, switch, names)
    page.goto(switch.url)
    fits(page)
    desk.log_in()
    fits(page)
    desk.button("Sign in").click()
    desk.is_in("idle")
    switch.set_queues(("Support in every language", 3, 65, 2))
    fits(page)
    switch.offer(name="Wang Xiaoming of Harbour Travel")
    desk.is_in("ringing")
    fits(page)
    desk.button("Answer").click()
    desk.is_in("talking")
    desk.button("Mute").click()
    expect(desk.button("Unmute")).to_be_enabled()
    page.keyboard.press("F7")
    expect(page.locator(".stage[data-held]")).to_be_visible()
    fits(page)
    switch.sound(caller_heard=False)
    fits(page)
    page.locator("#keypad").click()
    page.keyboard.press("5")
    expect(page.locator(".sent")).to_have_text("5")
    fits(page)
    page.keyboard.press("Escape")
    page.locator("#quality").click()
    expect(page.locator(".figures")).to_be_visible()
    fits(page)
    page.keyboard.press("Escape")
    desk.button("Hang up").click()
    desk.is_in("after_call_work")
    fits(page)
    for tab in ("customer", "tickets", "colleagues", "states", "log", "calls"):
        page.locator(f"#tab-{tab}").click()
        fits(page)
    page.locator("[data-call=a]").click()
    page.locator(".player .button:enabled").wait_for()
    fits(page)
    page.locator("#number").fill("138 0013 8000")
    page.locator("#number").press("Enter")
    desk.is_in("talking")
    switch.pick_up()
    fits(page)
    switch.end("callee", "hung up")
    desk.is_in("after_call_work")
    fits(page)
    desk.button("Break").click()
    desk.is_in("break")
    desk.button("Idle").click()
    desk.is_in("idle")
    desk.button("Sign out").click()
    desk.is_in("signed_out")
