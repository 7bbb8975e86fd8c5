"""A scripted switch and Chromium with a made-up microphone, for every test of the page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.page.scripted import Switch

ARGS = [
    "--no-sandbox",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--host-resolver-rules=MAP plain.test 127.0.0.1",
    "--autoplay-policy=document-user-activation-required",
]


@pytest.fixture
def switch() -> Iterator[Switch]:
    switch = Switch()
    switch.start()
    yield switch
    switch.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=ARGS, ignore_default_args=["--mute-audio"]
        )
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser, switch: Switch) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    context.grant_permissions(["microphone"], origin=switch.url)
    far = context.new_page()
    far.goto(f"{switch.url}/far")
    far.wait_for_function("document.title === 'far end ready'")
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page whose errors fail the test."""
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda told: wrong.append(told.text) if "Content Security Policy" in told.text else None)
    yield page
    assert wrong == []
