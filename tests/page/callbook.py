"""The calls of an agent as its page lists them."""

from __future__ import annotations

from playwright.sync_api import Locator, Page

from tests.page.kept import at, call, noon_zone, tones
from tests.page.scripted import Switch
from tests.page.test_workbench import Desk


def four_calls(page: Page, switch: Switch) -> Desk:
    """Three calls of Lin's of today and one of six days ago, newest first c1, c2, c3, c4."""
    kept = switch.kept
    kept.sound = tones()
    switch.time_zone = noon_zone()
    kept.add(call("c1", at(0.02)), call("c2", at(0.04), "not_connected", number="+8675512345678"))
    kept.add(call("c3", at(0.06), "ring_abandoned", number="", name=""), call("c4", at(144), name="Wang"))
    return Desk(page, switch)


def lines(page: Page) -> Locator:
    """The calls of the list, without headings."""
    return page.get_by_role("table", name="Calls").locator("tr[data-class]")


def cells(row: Locator) -> list[str]:
    return [text.strip() for text in row.inner_text().split("\t")]


def listed(switch: Switch) -> list[str]:
    return [target for target in switch.kept.asked if target.startswith("/api/calls?")]


def opened(page: Page, number: str = "+86 138 0013 8000") -> Locator:
    """Opens the newest call of this number."""
    page.get_by_role("button", name=number).first.click()
    return page.get_by_role("article", name="Call details")
