"""The pictures of docs/screenshots: Chromium works at the running demonstration, in both languages.

`python -m cordboard.bench.screenshots DIRECTORY`. Nothing is staged: the switch is `cordboard demo` in a data directory
of its own, on free ports, and the synthetic customer is who calls.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from playwright.sync_api import Browser, sync_playwright

SIZE = {"width": 1280, "height": 800}
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
ARGS = ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
LANGUAGES = {"en": "en-GB", "zh": "zh-CN"}
# A loaded machine is slow, not broken.
PATIENCE_MS = 60_000
# Long enough for levels and quality to be measured and drawn.
SETTLED_MS = 5_000


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def demonstration() -> Iterator[str]:
    """The address of a demonstration's pages, while it runs."""
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory) / "config.toml"
        config.write_text(
            f'[sip]\nudp = "127.0.0.1:{free_port(socket.SOCK_DGRAM)}"\ntcp = ""\n'
            f'[media]\nwebrtc_port = {free_port(socket.SOCK_DGRAM)}\nrtp_ports = "0"\n'
            f'[web]\nlisten = "127.0.0.1:{free_port(socket.SOCK_STREAM)}"\n'
            "[limits]\ndrain_seconds = 0\n",
            encoding="utf-8",
        )
        data = Path(directory) / "data"
        argv = [sys.executable, "-m", "cordboard.actors.main", "demo", "--config", str(config), "--data", str(data)]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                ready = next(line for line in process.stdout if line.startswith("ready"))
                found = re.search(r"https://\S+", ready)
                assert found is not None
                yield found[0]
            finally:
                process.send_signal(signal.SIGTERM)


def take(browser: Browser, address: str, language: str, directory: Path) -> None:
    """One agent's way from the login to a call, by the accessible roles that both languages share."""
    context = browser.new_context(viewport=SIZE, locale=LANGUAGES[language], ignore_https_errors=True)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE_MS)
    context.grant_permissions(["microphone"])
    page = context.new_page()

    def shoot(name: str) -> None:
        page.screenshot(path=directory / f"{name}-{language}.png")

    def press(english: str, chinese: str) -> None:
        page.get_by_role("button", name=english if language == "en" else chinese, exact=True).click()

    page.goto(f"{address}/?lang={language}")
    page.locator("input").first.wait_for()
    shoot("login")
    page.locator("input").nth(0).fill("1001")
    page.locator("input").nth(1).fill("harbour-1001")
    press("Log in", "登录")
    press("Sign in", "签入")
    press("Answer", "接听")
    page.get_by_role("timer").wait_for()
    page.wait_for_timeout(SETTLED_MS)
    shoot("talking")
    press("Hang up", "挂断")
    page.wait_for_timeout(1000)
    shoot("paperwork")
    context.close()


@click.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
def main(directory: Path) -> None:
    """Draw the pages as they are, into DIRECTORY."""
    chromium = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    if chromium is None:
        raise click.ClickException("Chromium is not installed: sudo apt-get install chromium")
    directory.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGS)
        for language in LANGUAGES:
            with demonstration() as address:
                take(browser, address, language, directory)
        browser.close()
    for name in sorted(os.listdir(directory)):
        print(directory / name)


if __name__ == "__main__":
    main()
