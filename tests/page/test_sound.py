"""How a call sounds, as its agent sees it: live meters, whose sound does not get through, and the timeline of it."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.page.kept import Message, at, call, noon_zone, tones
from tests.page.scripted import Switch
from tests.page.test_workbench import CHINESE, Desk

pytestmark = pytest.mark.peer("chromium")

BEGAN = at(0.05)


@pytest.fixture
def desk(page: Page, switch: Switch) -> Desk:
    switch.time_zone = noon_zone()
    switch.kept.sound = tones()
    return Desk(page, switch)


# --- meters -------------------------------------------------------------------------------------------------------


def level(meter: Locator) -> float:
    return float(meter.get_attribute("aria-valuenow") or "nan")


def test_both_levels_of_a_call_are_meters_that_move_and_cost_no_traffic(desk: Desk, page: Page) -> None:
    desk.sign_in()
    desk.answer()
    asked = len(desk.switch.asked)
    for name in ("Your level", "What you hear"):
        meter = page.get_by_role("meter", name=name)
        expect(meter).to_have_attribute("aria-valuemin", "-60")
        expect(meter).to_have_attribute("aria-valuetext", f"{level(meter):.0f} dB")
        box = meter.bounding_box()
        page.wait_for_function(
            "meter => Number(meter.ariaValueNow ?? meter.getAttribute('aria-valuenow')) > -50",
            arg=meter.element_handle(),
        )
        assert meter.bounding_box() == box
    assert len(desk.switch.asked) == asked
    desk.button("Hang up").click()
    expect(page.get_by_role("meter")).to_have_count(0)


@pytest.mark.long
def test_the_meters_have_chinese_names(page: Page, switch: Switch) -> None:
    desk = Desk(page, switch, CHINESE)
    desk.sign_in()
    desk.answer()
    for name in ("我的音量", "听到的音量"):
        expect(page.get_by_role("meter", name=name)).to_be_visible()


SPEAKS = {
    "en": ("The switch hears you speak", "There is speech in what you hear"),
    "zh": ("交换机听到您在说话", "听到的声音中有人说话"),
}


@pytest.mark.parametrize("language", SPEAKS)
def test_beside_the_levels_stands_that_the_switch_hears_speech(page: Page, switch: Switch, language: str) -> None:
    desk = Desk(page, switch, CHINESE) if language == "zh" else Desk(page, switch)
    desk.sign_in()
    desk.answer()
    mine, theirs = (page.get_by_role("img", name=name) for name in SPEAKS[language])
    meters = [meter.bounding_box() for meter in page.get_by_role("meter").all()]

    def told(*, speaks: bool, hears_speech: bool) -> None:
        figures = {"loss_percent": 0.0, "jitter_ms": 1.0, "delay_ms": 40.0, "level": -26.0}
        switch.push("media.quality", **figures, speaks=speaks, hears_speech=hears_speech)

    for speaks, hears_speech in ((False, False), (True, False), (False, True), (True, True)):
        told(speaks=speaks, hears_speech=hears_speech)
        expect(mine).to_have_count(int(speaks))
        expect(theirs).to_have_count(int(hears_speech))
        assert [meter.bounding_box() for meter in page.get_by_role("meter").all()] == meters
    # Who has just muted is not told that the switch hears it, though its last word says so.
    desk.button("Mute").click()
    expect(mine).to_have_count(0)
    expect(theirs).to_have_count(1)


# --- sound that goes one way --------------------------------------------------------------------------------------


TOLD: list[tuple[Message, str, str]] = [
    ({"caller_heard": False}, "You cannot hear the customer.", "您听不到客户的声音。"),
    ({"caller_hears": False}, "The customer cannot hear you.", "客户听不到您的声音。"),
    ({"agent_hears": False}, "Your computer gets no sound.", "您的电脑收不到声音。"),
]


@pytest.mark.parametrize("chinese", [False, True], ids=["en", "zh"])
def test_who_hears_nothing_is_said_and_spoken_and_unsaid(page: Page, switch: Switch, chinese: bool) -> None:
    desk = Desk(page, switch, CHINESE) if chinese else Desk(page, switch)
    desk.sign_in()
    desk.answer()
    bar = page.locator(".sound-bar")
    hang_up = desk.button("Hang up").bounding_box()
    for told, english, words in TOLD:
        switch.sound(**told)
        expect(bar).to_contain_text(words if chinese else english)
        expect(page.locator("[aria-live=assertive]")).to_contain_text(words if chinese else english)
        assert desk.button("Hang up").bounding_box() == hang_up
        switch.sound()
        expect(bar).to_have_count(0)


@pytest.mark.long
def test_two_sides_at_once_a_page_that_comes_back_and_the_next_call(desk: Desk, page: Page) -> None:
    desk.sign_in()
    desk.answer()
    desk.switch.sound(caller_hears=False, agent_hears=False)
    bar = page.locator(".sound-bar")
    expect(bar.locator("p")).to_have_count(2)
    page.reload()
    expect(bar.locator("p")).to_have_count(2)
    desk.switch.sound(caller_heard=False, caller_hears=False)
    expect(bar).to_have_text(
        "You and the customer cannot hear each other. No sound gets through between the switch and the customer.",
        use_inner_text=True,
    )
    desk.switch.sound(caller_silent_since=1.0)
    expect(bar).to_contain_text("Nothing comes from the customer’s line.")
    desk.switch.end()
    desk.button("Start answering").click()
    desk.answer()
    expect(bar).to_have_count(0)


# --- the timeline -------------------------------------------------------------------------------------------------


def track(party: str, name: str = "", bad: range = range(0), far: float | None = 0.0) -> dict[str, Any]:
    """Sixteen points of 5 s, of which those of `bad` lost a fifth."""
    count = 16
    return {
        "party": party,
        "name": name,
        "at": [BEGAN + 5 * n for n in range(count)],
        "seconds": [5.0] * count,
        "loss_percent": [20.0 if n in bad else 0.0 for n in range(count)],
        "jitter_ms": [2.0] * count,
        "delay_ms": [40.0] * count,
        "mos": [2.5 if n in bad else 4.4 for n in range(count)],
        "rtt_ms": [20.0] * count,
        "far_loss_percent": [far] * count,
        "far_jitter_ms": [far and 2.0] * count,
        "far_mos": [None if far is None else 4.4] * count,
    }


QUALITY = {
    "tracks": [track("caller", bad=range(6, 10)), track("1001", "Lin", far=None)],
    "ways": [
        {"party": "caller", "name": "", "at": BEGAN + 70, "comes": False, "goes": True},
        {"party": "caller", "name": "", "at": BEGAN + 75, "comes": True, "goes": True},
        {"party": "1001", "name": "Lin", "at": BEGAN + 80, "comes": True, "goes": False},
    ],
}


def details(desk: Desk, page: Page, quality: Message | None) -> Locator:
    desk.switch.kept.add(call("c1", BEGAN))
    if quality is not None:
        desk.switch.kept.qualities["c1"] = quality
    desk.log_in()
    page.locator("tr[data-class] .opener").first.click()
    return page.locator("cb-call-quality")


def red(page: Page, chart: Locator) -> list[float]:
    """Where along the chart there is ink of the loss, each column of it from 0 to 1."""
    drawn: list[float] = chart.locator("canvas").evaluate(
        """canvas => {
          const { width, height } = canvas;
          const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
          const found = [];
          const begin = 30 * devicePixelRatio, end = width - 46 * devicePixelRatio;
          for (let x = Math.ceil(begin); x < end; x++) {
            for (let y = 0; y < height / 2; y++) {
              const at = 4 * (y * width + x);
              if (data[at + 3] > 40 && data[at] > data[at + 1] + 60 && data[at] > data[at + 2] + 60) {
                found.push((x - begin) / (end - begin));
                break;
              }
            }
          }
          return found;
        }"""
    )
    return drawn


def test_loss_of_one_line_is_drawn_where_it_was_and_said(desk: Desk, page: Page) -> None:
    shown = details(desk, page, QUALITY)
    charts = shown.locator(".chart")
    expect(charts.locator("canvas")).to_have_count(2)
    caller = red(page, charts.nth(0))
    # the call lasted 85 s, and from the 30th to the 50th a fifth was lost
    assert min(caller) == pytest.approx(30 / 85, abs=0.02)
    assert max(caller) == pytest.approx(50 / 85, abs=0.02)
    assert red(page, charts.nth(1)) == []
    line = shown.get_by_role("group", name="The customer’s line")
    expect(line.get_by_role("listitem")).to_have_text([
        "From the customer: fair, 3.9 of 5 on the whole. Worst at "
        f"{clock(page, BEGAN + 30)}: poor, 2.5 of 5, 20% lost.",
        "To the customer: good, 4.4 of 5 on the whole.",
    ], use_inner_text=True)  # fmt: skip
    expect(shown.get_by_role("group", name="The line of Lin").get_by_role("listitem")).to_have_text(
        ["From Lin: good, 4.4 of 5 on the whole.", "To Lin: not measured."], use_inner_text=True
    )
    expect(shown.locator(".timeline > .sayings li")).to_have_text([
        f"Nothing came from the customer from {clock(page, BEGAN + 70)} to {clock(page, BEGAN + 75)}.",
        f"Nothing arrived at Lin from {clock(page, BEGAN + 80)} to the end.",
    ], use_inner_text=True)  # fmt: skip


def clock(page: Page, epoch: float) -> str:
    said: str = page.evaluate(
        "([at, timeZone]) => new Intl.DateTimeFormat('en', { timeZone, hour: '2-digit', minute: '2-digit', "
        "second: '2-digit', hourCycle: 'h23' }).format(at * 1000)",
        [epoch, noon_zone()],
    )
    return said


@pytest.mark.long
def test_the_charts_are_drawn_again_in_another_language_and_width(desk: Desk, page: Page) -> None:
    shown = details(desk, page, QUALITY)
    first = shown.locator(".chart").first
    expect(first.locator(".u-legend")).to_contain_text("From the customer")
    wide = first.locator("canvas").bounding_box()
    assert wide is not None
    page.get_by_role("button", name="中文").click()
    expect(first.locator(".u-legend")).to_contain_text("来自客户")
    expect(shown.get_by_role("heading", name="语音质量")).to_be_visible()
    page.set_viewport_size({"width": 1000, "height": 800})
    expect(shown.locator("canvas")).to_have_count(2)
    page.wait_for_function(
        "before => document.querySelector('.chart canvas').getBoundingClientRect().width < before",
        arg=wide["width"],
    )
    assert page.evaluate(
        "document.querySelector('.details').scrollWidth <= document.querySelector('.details').clientWidth"
    )


def test_a_call_without_measurements_says_so_and_a_failure_can_be_tried_again(desk: Desk, page: Page) -> None:
    desk.switch.kept.broken["/api/calls/c1/quality"] = "503 Service Unavailable"
    shown = details(desk, page, None)
    expect(shown.get_by_role("alert")).to_contain_text("The sound quality cannot be loaded now.")
    desk.switch.kept.broken.clear()
    shown.get_by_role("button", name="Try again").click()
    expect(shown).to_contain_text("Nothing was measured in this call.")
    assert [path for path in desk.switch.kept.asked if path.endswith("/quality")] == ["/api/calls/c1/quality"] * 2
