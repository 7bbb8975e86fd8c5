"""The pictures of docs/screenshots: Chromium works at a running centre, in both languages.

`python -m cordboard.bench.screenshots DIRECTORY`. Nothing is staged: agents are at real pages, and customers and
telephones outside are real (`backstage.py`). Nothing happens but what a scene asks for and then waits for.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from playwright.sync_api import Browser, ViewportSize, sync_playwright

from .backstage import Centre, centre

SIZE = ViewportSize(width=1280, height=800)
NARROW = ViewportSize(width=640, height=800)  # as wide as that at 200 %
NARROWEST = ViewportSize(width=320, height=800)  # ... and at 400 %
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
ARGS = ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
LANGUAGES = {"en": "en-GB", "zh": "zh-CN"}
MOBILE = "138 0013 8000"
# A loaded machine is slow, not broken.
PATIENCE_MS = 180_000
MESSAGES = ".calls .lines tr[data-class]"
# What can be played, in a line of the list.
HEARD = ".sound [role=img]:has(use[href$=volume-2])"
# Long enough for levels and quality to be measured and drawn.
SETTLED_MS = 5_000


class Desk:
    """One agent's page, worked by the accessible roles that both languages share."""

    def __init__(self, browser: Browser, address: str, language: str, directory: Path, page: str = "") -> None:
        self._context = browser.new_context(
            viewport=SIZE,
            locale=LANGUAGES[language],
            ignore_https_errors=True,
        )
        self._context.set_default_timeout(PATIENCE_MS)
        self._context.grant_permissions(["microphone"])
        self._page = self._context.new_page()
        self.language = language
        self._directory = directory
        self._page.goto(f"{address}/{page}?lang={language}")
        self._page.locator("input").first.wait_for()

    def settle(self, ms: int) -> None:
        self._page.wait_for_timeout(ms)

    def shoot(self, name: str, settle_ms: int = 0) -> None:
        self._page.mouse.move(0, 0)  # nothing is pointed at
        self.settle(settle_ms)
        self._page.screenshot(path=self._directory / f"{name}-{self.language}.png")

    def shoot_dark(self, name: str) -> None:
        """The same for who has told the system that it shall be dark."""
        self._page.emulate_media(color_scheme="dark")
        self.shoot(f"{name}-dark", settle_ms=500)
        self._page.emulate_media(color_scheme="light")

    def press(self, english: str, chinese: str) -> None:
        name = english if self.language == "en" else chinese
        self._page.get_by_role("button", name=name, exact=True).first.click()

    def log_in(self, agent: str) -> None:
        self._page.locator("input").nth(0).fill(agent)
        self._page.locator("input").nth(1).fill(f"harbour-{agent}")
        self.press("Log in", "登录")

    def click(self, selector: str) -> None:
        self._page.locator(selector).first.click()

    def wait_for(self, selector: str) -> None:
        self._page.locator(selector).first.wait_for()

    def show(self, selector: str) -> None:
        """Brings to the top what may be out of sight."""
        self._page.locator(selector).first.evaluate("element => element.scrollIntoView()")

    def show_why(self) -> None:
        """Why the call rang where it did, in its details."""
        self.click("cb-call-why summary")
        self.wait_for("cb-call-why .decision")
        self.show("#history-title")

    def wait_in(self, state: str) -> None:
        self.wait_for(f".state[data-state={state}]")

    def shoot_in(self, state: str, settle_ms: int = 1000) -> None:
        """A picture of that agent's state, when it has come and what moves with it has settled."""
        self.wait_in(state)
        self.shoot(state.replace("_", "-"), settle_ms)

    def shoot_call(self, state: str, name: str) -> None:
        """A picture of a call in that state of the agent."""
        self.wait_in(state)
        self.shoot(name, settle_ms=1000)

    def shoot_dialog(self, name: str, settle_ms: int = 1000) -> None:
        self._page.get_by_role("dialog").wait_for()
        self.shoot(name, settle_ms)

    def leave_dialog(self) -> None:
        self._page.keyboard.press("Escape")
        self._page.get_by_role("dialog").wait_for(state="hidden")

    def shoot_keypad(self, keys: str) -> None:
        self.press("Keypad", "拨号键盘")
        self.wait_for(".keypad:focus")
        self._page.keyboard.type(keys)
        self.shoot("keypad", settle_ms=500)
        self._page.keyboard.press("Escape")

    def shoot_narrow(self, name: str = "narrow", size: ViewportSize = NARROW, of: str = "") -> None:
        """`of`: what is scrolled to."""
        self._page.set_viewport_size(size)
        if of:
            self.show(of)
        self.shoot(name, settle_ms=500)
        self._page.set_viewport_size(SIZE)

    def choose(self, selector: str, value: str) -> None:
        self._page.locator(selector).first.select_option(value)

    @contextmanager
    def cut_off(self) -> Iterator[None]:
        """What it would tell of the paperwork does not arrive."""
        self._page.route("**/paper", lambda route: route.abort())
        yield
        self._page.unroute("**/paper")

    def fill(self, selector: str, text: str) -> None:
        self._page.locator(selector).first.fill(text)

    def shoot_away(self) -> None:
        """A picture of a call whose agent is not heard."""
        self.wait_for(".away-bar")
        self.shoot("coming-back", settle_ms=500)

    def close(self) -> None:
        self._context.close()


def take(browser: Browser, at: Centre, language: str, directory: Path) -> None:
    """Every state of the workbench; the agent whom nobody calls shows the quiet ones."""
    quiet = Desk(browser, at.address, language, directory)
    quiet.shoot("login")
    quiet.log_in("1003")
    quiet.shoot_in("signed_out")
    quiet.press("Sign in", "签入")
    quiet.shoot_in("idle")
    quiet.press("Help", "帮助")
    quiet.shoot_dialog("help")
    quiet.leave_dialog()
    quiet.press("Break", "小休")
    quiet.shoot_in("break")
    quiet.shoot_narrow()
    quiet.press("Idle", "空闲")
    take_outward(quiet)
    busy = Desk(browser, at.address, language, directory)
    busy.log_in("1001")
    busy.press("Sign in", "签入")
    busy.wait_in("idle")
    at.patient.call()
    busy.shoot_in("ringing")
    busy.press("Answer", "接听")
    busy.wait_in("talking")
    write_paper(busy)
    busy.shoot("talking", SETTLED_MS)
    busy.shoot_keypad("159#")
    take_together(busy, quiet)
    take_given_away(busy, quiet)
    busy.press("Hang up", "挂断")
    busy.shoot_in("after_call_work")
    busy.shoot_dark("after-call-work")
    busy.shoot_narrow("narrow-paper", NARROWEST, "cb-customer")
    busy.click("#tab-calls")
    take_kept(busy, at)
    for each in (quiet, busy):
        each.press("Sign out", "签出")
        each.wait_in("signed_out")
        each.close()
    first, second, third = (Desk(browser, at.address, language, directory) for _ in range(3))
    take_computers(first, second)
    take_messages(third, at)
    fourth, fifth, overseer = (Desk(browser, at.address, language, directory) for _ in range(3))
    take_overseen(fourth, fifth, overseer, at)
    take_administration(Desk(browser, at.address, language, directory, "admin"))


# What an agent types of a customer, in both languages.
WRITTEN = {
    "en": ("Wang Fang", "Orient Trading", "12 Quay Road, Pudong", "Calls from the office; a text before 9.",
           "Asks where the refund of booking 4711 is. Told: five working days."),
    "zh": ("王芳", "东方贸易公司", "上海市浦东新区港口路 12 号", "上班时间来电，九点前请发短信。",
           "咨询订单 4711 的退款进度，已告知五个工作日内到账。"),
}  # fmt: skip
TAGS = {"en": ("vip", "refund"), "zh": ("重要客户", "退款")}
TICKETS = {
    "en": (("Refund of booking 4711", "The bank has it since Monday."), ("Wrong name on the ticket", "")),
    "zh": (("订单 4711 退款", "周一已提交银行处理。"), ("机票姓名有误", "")),
}


def write_paper(desk: Desk) -> None:
    """What is known of the customer from now on, with two tickets of which one waits."""
    name, company, address, note, summary = WRITTEN[desk.language]
    desk.wait_for("cb-field input:not([readonly])")
    for control, text in (
        ("cb-field:nth-of-type(1) input", name),
        ("cb-field:nth-of-type(2) input", company),
        ("cb-field:nth-of-type(3) input", "fang.wang@orient.example"),
        ("cb-field:nth-of-type(4) textarea", address),
        ("cb-field:nth-of-type(5) textarea", note),
        (".stacked textarea", summary),
    ):
        desk.fill(f"cb-customer {control}", text)
    for tag in TAGS[desk.language]:
        desk.fill("#add-tag", f"{tag},")
    desk.click("#tab-tickets")
    for title, text in reversed(TICKETS[desk.language]):
        desk.fill(".new-ticket textarea", text)
        desk.fill(".new-ticket input", title)
        desk.click(".new-ticket button:enabled")
        desk.wait_for(f"cb-tickets li[aria-label='{title}']")
    desk.choose("cb-tickets li >> nth=0 >> select", "waiting")
    desk.wait_for("[data-saved=saved]")
    desk.shoot("tickets", settle_ms=500)
    desk.click("#tab-customer")


def take_contradiction(lin: Desk, chen: Desk) -> None:
    """Two in one call write the same note; the second, whose network was gone, chooses."""
    note = "cb-customer .fields textarea >> nth=1"
    chen.wait_for("cb-field textarea:not([readonly])")
    with chen.cut_off():
        chen.fill(note, {"en": "Prefers e-mail.", "zh": "请用邮件联系。"}[chen.language])
        lin.fill(note, {"en": "Call back after 18:00.", "zh": "请在 18:00 后回电。"}[lin.language])
        lin.wait_for("[data-saved=saved]")
    chen.wait_for(".meanwhile")
    chen.shoot("meanwhile", settle_ms=500)
    chen.press("Take theirs", "采用对方的")


def take_outward(quiet: Desk) -> None:
    """A call out that rings, and calls that ring on a mobile."""
    quiet.wait_in("idle")
    quiet.fill("#number", MOBILE)
    quiet.press("Dial", "呼叫")
    quiet.wait_for("text=/It rings there|对方振铃中/")
    quiet.shoot("dialling", settle_ms=1000)
    quiet.press("Hang up", "挂断")
    quiet.wait_in("idle")
    quiet.press("Mobile answer", "手机接听")
    quiet.fill("cb-mobile input", MOBILE)
    quiet.shoot_dialog("mobile")
    quiet.press("Confirm", "确认")
    quiet.shoot_in("mobile_answer")
    quiet.press("Idle", "空闲")
    quiet.wait_in("idle")


def take_together(lin: Desk, chen: Desk) -> None:
    """A customer who is held, and a colleague who is consulted about it and then talks with both."""
    lin.press("Mute", "静音")
    lin.wait_for(".stage[data-muted]")
    lin.shoot("muted", settle_ms=500)
    lin.press("Unmute", "取消静音")
    lin.press("Hold", "通话保持")
    lin.wait_for(".stage[data-held]")
    lin.shoot("on-hold", settle_ms=1500)
    lin.press("Consult", "咨询转接")
    lin.wait_for(".chooser .people li")
    lin.shoot("choosing", settle_ms=700)
    lin.click("#choose-tab-outside")
    lin.shoot("choosing-number", settle_ms=700)
    lin.click("#choose-tab-colleagues")
    lin.click(".chooser .people li .button")
    chen.shoot_call("ringing", "asked")
    lin.shoot("consulting", settle_ms=500)
    chen.press("Answer", "接听")
    chen.shoot_call("talking", "consulted")
    take_contradiction(lin, chen)
    lin.shoot_narrow("narrowest", NARROWEST)
    lin.press("Swap", "切换")
    lin.wait_for("[data-who=second][data-stands=held]")
    lin.shoot("swapped", settle_ms=1000)
    lin.press("Merge", "合并通话")
    lin.wait_for("[data-mode=three_way]")
    lin.shoot("three-way", settle_ms=1500)
    chen.press("Hang up", "挂断")
    chen.wait_in("after_call_work")
    lin.wait_for(".over-bar")
    lin.shoot("nobody-joined", settle_ms=500)
    chen.press("Start answering", "开始接听")
    chen.wait_in("idle")


def take_given_away(lin: Desk, chen: Desk) -> None:
    """A colleague is wanted as the third, and then to have the call, does not want it, and it comes back."""
    lin.press("Three-way", "三方通话")
    lin.click(".chooser .people li .button")
    chen.shoot_call("ringing", "invited")
    lin.shoot("inviting", settle_ms=500)
    lin.click(".stage-acts .cancel:enabled")
    chen.wait_in("idle")
    lin.press("Transfer", "直接转接")
    lin.click("#choose-tab-queues")
    lin.shoot("choosing-queue", settle_ms=700)
    lin.click("#choose-tab-colleagues")
    lin.click(".chooser .people li .button")
    chen.shoot_call("ringing", "handed-over")
    chen.press("Decline", "拒接")
    lin.shoot_call("ringing", "returned")
    lin.press("Answer", "接听")
    lin.wait_in("talking")
    lin.settle(SETTLED_MS)


def take_computers(first: Desk, second: Desk) -> None:
    """A call that waits, since it was declined, goes to the agent's second computer, which is switched off, and back to
    the first; then a test call."""
    first.log_in("1002")
    first.press("Sign in", "签入")
    first.wait_in("ringing")
    first.press("Answer", "接听")
    first.wait_in("talking")
    second.log_in("1002")
    second.press("Sign in", "签入")
    second.shoot_dialog("take-over")
    second.press("Take over", "接管")
    first.shoot_dialog("taken-over")
    first.leave_dialog()
    second.close()
    first.shoot_away()
    first.press("Go on here", "在此继续")
    first.press("Survey", "语音满意度")
    first.shoot_call("after_call_work", "survey")
    first.press("Devices", "设备")
    first.press("Test call", "测试一通外呼")
    first.shoot_dialog("test-call", SETTLED_MS)
    first.leave_dialog()
    first.press("Start answering", "开始接听")
    first.wait_in("idle")
    first.press("Sign out", "签出")
    first.wait_in("signed_out")
    first.close()


def take_kept(busy: Desk, at: Centre) -> None:
    """What is kept, of an agent who answered a call, heard one ring that was given up, dialled in vain and declined."""
    busy.press("Start answering", "开始接听")
    busy.wait_in("idle")
    at.hasty.call()
    busy.wait_in("ringing")
    busy.wait_for("cb-customer .earlier li")
    busy.shoot("known", settle_ms=500)
    at.hasty.hang_up()
    busy.wait_in("idle")
    busy.click("#tab-calls")
    busy.fill("#number", MOBILE)
    busy.press("Dial", "呼叫")
    busy.wait_for("text=/It rings there|对方振铃中/")
    busy.press("Hang up", "挂断")
    busy.wait_in("idle")
    at.patient.call()
    busy.wait_in("ringing")
    busy.press("Break", "小休")  # declines it, and nothing rings meanwhile
    busy.wait_in("break")
    busy.click("#tab-calls")
    for kind in ("not_connected", "ring_abandoned"):
        busy.wait_for(f"[data-class={kind}]")
    busy.wait_for(".calls .live")
    busy.wait_for(f"[data-class=normal] {HEARD}")
    busy.shoot("calls", settle_ms=500)
    busy.click("[data-class=normal]")
    busy.click(".player .button:enabled")
    busy.shoot("player", settle_ms=2500)
    busy.show("cb-call-quality")
    busy.shoot("quality", settle_ms=1000)
    busy.show_why()
    busy.shoot("why", settle_ms=500)
    for tab in ("colleagues", "states"):
        busy.click(f"#tab-{tab}")
        busy.shoot(tab, settle_ms=1000)
    busy.click("#tab-calls")


def take_messages(agent: Desk, at: Centre) -> None:
    """Two callers leave messages for a queue that has nobody there; who comes in first hears them, and sees to one."""
    at.leaving_word.call()
    at.leaving_word.call()
    agent.log_in("1003")
    agent.wait_for(".filters .news")
    agent.press("Sign in", "签入")
    agent.wait_in("idle")
    agent.shoot("new-message", settle_ms=500)
    agent.click(".filters button:last-child")
    agent.wait_for(f"{MESSAGES} {HEARD} >> nth=1")
    agent.click(f"{MESSAGES} >> nth=1")
    agent.press("Done", "标为已处理")
    agent.wait_for(".message .fine")
    agent.click(".details-bar .back")
    agent.wait_for(f"{MESSAGES} .what:not([data-open])")
    agent.shoot("voicemail", settle_ms=500)
    agent.click(MESSAGES)
    agent.click(".player .button:enabled")
    agent.shoot("message", settle_ms=4000)
    agent.press("Sign out", "签出")
    agent.wait_in("signed_out")
    agent.close()


def take_overseen(lin: Desk, maya: Desk, overseer: Desk, at: Centre) -> None:
    """A call that either of two could have, and what a supervisor sees of it and of all others."""
    for each, agent in ((lin, "1001"), (maya, "1002")):
        each.log_in(agent)
        each.press("Sign in", "签入")
        each.wait_in("idle")
        each.settle(1000)
    at.patient.call()
    lin.wait_in("ringing")
    lin.press("Answer", "接听")
    lin.wait_in("talking")
    lin.settle(SETTLED_MS)
    lin.shoot_dark("talking")
    lin.press("Hang up", "挂断")
    lin.wait_in("after_call_work")
    overseer.log_in("2001")
    overseer.wait_for(f"[data-class=normal] {HEARD}")
    overseer.shoot("everyone", settle_ms=500)
    overseer.shoot_dark("everyone")
    overseer.click("[data-class=normal]")
    overseer.show_why()
    overseer.shoot("why-everyone", settle_ms=500)
    overseer.shoot_dark("why-everyone")
    for each in (lin, maya):
        each.press("Sign out", "签出")
        each.wait_in("signed_out")
    for each in (lin, maya, overseer):
        each.close()


def take_administration(administrator: Desk) -> None:
    """The systems that are told what happens, of which one is away."""
    administrator.log_in("3001")
    administrator.wait_for(".systems li[data-stands=fails]")
    administrator.wait_for(".systems li[data-stands=well]")
    administrator.press("Send a test", "发送测试")
    administrator.wait_for(".systems .said:not(:empty)")
    administrator.shoot("administration", settle_ms=1000)
    administrator.shoot_dark("administration")
    administrator.close()


@click.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
def main(directory: Path) -> None:
    """Draw the pages as they are, into DIRECTORY."""
    chromium = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    if chromium is None:
        raise click.ClickException("Chromium is not installed: sudo apt-get install chromium")
    fonts = shutil.which("fc-list")
    if fonts is not None and not subprocess.run([fonts, ":lang=zh"], stdout=subprocess.PIPE, check=True).stdout:
        raise click.ClickException("No font has Chinese characters: sudo apt-get install fonts-wqy-zenhei")
    directory.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGS)
        for language in LANGUAGES:
            with centre() as at:
                take(browser, at, language, directory)
        browser.close()
    for name in sorted(os.listdir(directory)):
        print(directory / name)


if __name__ == "__main__":
    main()
