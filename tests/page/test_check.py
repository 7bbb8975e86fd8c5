"""What a browser that cannot do the work is told, before anything else."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.page.door import STATIC
from tests.page.scripted import Switch

pytestmark = pytest.mark.peer("chromium")


def test_an_old_browser_is_told_what_is_needed(page: Page, switch: Switch) -> None:
    page.add_init_script("delete HTMLElement.prototype.popover")
    page.goto(f"{switch.url}/?lang=en")
    expect(page.get_by_role("alert")).to_contain_text("This browser is too old")
    expect(page.get_by_role("alert")).to_contain_text("Chrome")
    expect(page.get_by_label("Agent")).to_have_count(0)


def test_a_browser_without_webrtc_is_told(page: Page, switch: Switch) -> None:
    page.add_init_script("delete window.RTCPeerConnection")
    page.goto(f"{switch.url}/?lang=zh")
    expect(page.get_by_role("alert")).to_contain_text("此浏览器无法进行语音通话")


def test_plain_http_is_told_and_the_right_address_given(context: BrowserContext, switch: Switch) -> None:
    page = context.new_page()
    page.goto(f"http://plain.test:{switch.door.port}/?lang=en")
    expect(page.get_by_role("alert")).to_contain_text("not opened over https")
    expect(page.get_by_role("link")).to_have_attribute("href", f"https://plain.test:{switch.door.port}/?lang=en")


def test_without_javascript_there_are_words() -> None:
    # Playwright's switch for JavaScript leaves <noscript> unread, so this looks at the page itself.
    words = (STATIC / "index.html").read_text().partition("<noscript>")[2]
    assert "This page needs JavaScript" in words
    assert "本页面需要 JavaScript" in words
