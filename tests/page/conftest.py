"""A scripted switch and Chromium with a made-up microphone, for every test of the page.

The browser, its one profile, the port and the far end are there for a whole run: to make them, and to load a hundred
modules into an empty profile, took longer than most tests. What a page leaves in the profile goes with its test.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, sync_playwright

from tests.page.door import Door
from tests.page.papers import Papers
from tests.page.scripted import Switch
from tests.page.test_workbench import Desk

ARGS = [
    "--no-sandbox",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--host-resolver-rules=MAP plain.test 127.0.0.1",
    "--autoplay-policy=document-user-activation-required",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=ARGS, ignore_default_args=["--mute-audio"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def door(browser: Browser) -> Iterator[Door]:
    """With its far end, which has a profile of its own."""
    door = Door()
    door.start()
    context = browser.new_context()
    context.grant_permissions(["microphone"], origin=door.url)
    far = context.new_page()
    far.goto(f"{door.url}/far")
    far.wait_for_function("document.title === 'far end ready'")
    yield door
    context.close()
    door.stop()


@pytest.fixture
def switch(door: Door) -> Iterator[Switch]:
    switch = Switch(door)
    door.open(switch)
    yield switch
    door.close()


@contextmanager
def visited(browser: Browser, door: Door) -> Iterator[BrowserContext]:
    """A profile, as it is before anybody was here."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    context.grant_permissions(["microphone"], origin=door.url)
    yield context
    context.close()


@pytest.fixture(scope="session")
def profile(browser: Browser, door: Door) -> Iterator[tuple[BrowserContext, CDPSession]]:
    """What all tests share, and a way to empty it between them."""
    with visited(browser, door) as context:
        yield context, context.new_cdp_session(context.new_page())


@pytest.fixture
def timed(browser: Browser, door: Door) -> Iterator[Page]:
    """A page in a profile of its own, with a clock that can be made to stand: it stands for the whole profile, and the
    pages of all other tests that came there would wait for ever."""
    with visited(browser, door) as context:
        page = context.new_page()
        page.clock.install()
        yield page


@pytest.fixture
def context(profile: tuple[BrowserContext, CDPSession], switch: Switch) -> Iterator[BrowserContext]:
    """The browser as a person finds it who has never been here, but for the files that it has kept."""
    context, session = profile
    yield context
    for page in context.pages[1:]:
        page.close()
    context.clear_cookies()
    session.send("Storage.clearDataForOrigin", {"origin": switch.url, "storageTypes": "local_storage"})


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page whose errors fail the test."""
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda told: wrong.append(told.text) if "Content Security Policy" in told.text else None)
    yield page
    assert wrong == []


@pytest.fixture
def papers(switch: Switch) -> Papers:
    """Of a customer who is known."""
    papers = switch.papers
    papers.write(("customer", "name"), "Wang Xiaoming")
    papers.write(("customer", "note"), "Prefers e-mail.")
    papers.tags = ["vip"]
    return papers


@pytest.fixture
def desk(page: Page, switch: Switch, papers: Papers) -> Desk:
    """Of an agent who is signed in, and whose customers are known."""
    desk = Desk(page, switch)
    desk.sign_in()
    return desk
