"""One real page for load testers: Chromium at the agent's workbench, worked as its buttons allow, by chance and seed.

`python -m cordboard.bench.desktop CHROMIUM URL AGENT PASSWORD SEED` works until its standard input ends, then signs
out. It is a process of its own, since Playwright brings its own event loop. Every few seconds it prints a line of JSON:
what it has done, what went wrong in the page, and the size of the page's heap in bytes after a collection.
"""

from __future__ import annotations

import json
import random
import select
import sys
import time
from collections import Counter

from playwright.sync_api import CDPSession, Error, Page, sync_playwright

ARGS = ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
PATIENCE_MS = 30_000
LOOK_SECONDS = 0.2
REPORT_SECONDS = 5.0
RELOADS = 0.1
# What is pressed in a state, and after how many seconds.
PRESSES = {
    "Signed out": ("Sign in", (0.5, 2.0)),
    "Ringing": ("Answer", (0.3, 2.0)),
    "Talking": ("Hang up", (3.0, 25.0)),
    "After-call work": ("Start answering", (0.5, 3.0)),
    "Break": ("Idle", (0.5, 2.0)),
}


class Desktop:
    """The page, and what it is about to do."""

    def __init__(self, page: Page, heap: CDPSession, rng: random.Random) -> None:
        self.did: Counter[str] = Counter()
        self.problems: list[str] = []
        self._page = page
        self._heap = heap
        self._rng = rng
        self._state = ""
        self._at = 0.0
        self._press = ""
        page.on("pageerror", lambda error: self.problems.append(str(error)))

    def log_in(self, url: str, agent: str, password: str) -> None:
        self._page.goto(f"{url}/?lang=en")
        self._page.get_by_label("Agent", exact=True).fill(agent)
        self._page.get_by_label("Password", exact=True).fill(password)
        self._page.get_by_role("button", name="Log in", exact=True).click()

    def look(self) -> None:
        """Does what is due in the state that the page shows."""
        now = time.monotonic()
        shown = self._page.get_by_role("status", name="Agent state")
        state = (shown.text_content() or "").strip() if shown.count() else ""
        if state != self._state:
            self._state = state
            self._press, wait = PRESSES.get(state, ("", (0.0, 0.0)))
            self._at = now + self._rng.uniform(*wait)
        if not self._press or now < self._at:
            return
        self._at = now + PATIENCE_MS / 1000
        if state == "Talking" and self._rng.random() < RELOADS:
            self.did["reload"] += 1
            self._page.reload()
            self._state = ""
            return
        self.did[self._press] += self._click(self._press)

    def leave(self) -> None:
        self._click("Hang up")
        self._page.wait_for_timeout(500)
        self._click("Sign out")
        self._page.wait_for_timeout(500)

    def _click(self, name: str) -> bool:
        """False where the button went away meanwhile."""
        try:
            self._page.get_by_role("button", name=name, exact=True).click(timeout=1000)
        except Error:
            return False
        return True

    def report(self) -> str:
        self._heap.send("HeapProfiler.collectGarbage")
        metrics = {each["name"]: each["value"] for each in self._heap.send("Performance.getMetrics")["metrics"]}
        return json.dumps({"did": self.did, "problems": self.problems, "heap": metrics["JSHeapUsedSize"]})


def main() -> None:
    chromium, url, agent, password, seed = sys.argv[1:]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGS)
        page = browser.new_context(ignore_https_errors=True, locale="en-GB").new_page()
        page.set_default_timeout(PATIENCE_MS)
        heap = page.context.new_cdp_session(page)
        heap.send("Performance.enable")
        desktop = Desktop(page, heap, random.Random(int(seed)))
        desktop.log_in(url, agent, password)
        told = time.monotonic()
        while not select.select([sys.stdin], [], [], 0)[0]:
            desktop.look()
            page.wait_for_timeout(LOOK_SECONDS * 1000)
            if time.monotonic() - told >= REPORT_SECONDS:
                told = time.monotonic()
                print(desktop.report(), flush=True)
        desktop.leave()
        print(desktop.report(), flush=True)
        browser.close()


if __name__ == "__main__":
    main()
