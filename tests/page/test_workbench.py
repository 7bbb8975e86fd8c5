"""An agent's day at the page, in Chromium against a scripted switch with real media."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.page.scripted import Switch, eventually

pytestmark = pytest.mark.peer("chromium")


@dataclass(frozen=True)
class Names:
    agent: str
    password: str
    log_in: str
    state: str
    time: str
    states: dict[str, str]
    buttons: dict[str, str]


ENGLISH = Names(
    agent="Agent",
    password="Password",
    log_in="Log in",
    state="Agent state",
    time="Call time",
    states={
        "signed_out": "Signed out",
        "idle": "Idle",
        "ringing": "Ringing",
        "talking": "Talking",
        "after_call_work": "After-call work",
        "break": "Break",
    },
    buttons={
        name: name
        for name in (
            "Sign in",
            "Sign out",
            "Idle",
            "Break",
            "Answer",
            "Decline",
            "Hang up",
            "Mute",
            "Unmute",
            "Start answering",
            "Take over",
        )
    },
)

CHINESE = Names(
    agent="坐席",
    password="密码",
    log_in="登录",
    state="坐席状态",
    time="通话时长",
    states={
        "signed_out": "签出",
        "idle": "空闲",
        "ringing": "振铃",
        "talking": "通话",
        "after_call_work": "话后处理",
        "break": "小休",
    },
    buttons={
        "Sign in": "签入",
        "Sign out": "签出",
        "Idle": "空闲",
        "Break": "小休",
        "Answer": "接听",
        "Decline": "拒接",
        "Hang up": "挂断",
        "Mute": "静音",
        "Unmute": "取消静音",
        "Start answering": "开始接听",
        "Take over": "接管",
    },
)


class Desk:
    """The page as a person or a screen reader finds their way in it: by role and name."""

    def __init__(self, page: Page, switch: Switch, names: Names = ENGLISH) -> None:
        self.page, self.switch, self.names = page, switch, names

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=self.names.buttons[name], exact=True)

    @property
    def state(self) -> Locator:
        return self.page.get_by_role("status", name=self.names.state, exact=True)

    def is_in(self, state: str) -> None:
        expect(self.state).to_have_text(self.names.states[state])

    def has_just(self, *names: str) -> None:
        """Exactly these commands can be given now."""
        for name in self.names.buttons:
            found = self.button(name)
            if name in names:
                expect(found).to_have_count(1)
                expect(found).to_be_enabled()
            else:
                expect(found.and_(self.page.locator(":enabled"))).to_have_count(0)

    def log_in(self) -> None:
        self.page.goto(f"{self.switch.url}/?lang={'zh' if self.names is CHINESE else 'en'}")
        self.page.get_by_label(self.names.agent).fill("1001")
        self.page.get_by_label(self.names.password).fill("right")
        self.page.get_by_role("button", name=self.names.log_in).click()
        self.is_in(self.switch.state)

    def sign_in(self) -> None:
        self.log_in()
        self.button("Sign in").click()
        self.is_in("idle")
        expect(self.button("Break")).to_be_enabled()

    def answer(self) -> None:
        self.switch.offer()
        self.button("Answer").click()
        self.is_in("talking")

    def sends(self) -> bool:
        return bool(self.page.evaluate("cordboard.peer.getSenders()[0].track !== null"))

    def rings(self) -> bool:
        return bool(self.page.evaluate("cordboard.ring.playing"))


@pytest.fixture
def desk(page: Page, switch: Switch) -> Desk:
    return Desk(page, switch)


@pytest.mark.parametrize("names", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_every_state_has_its_name_and_its_commands(page: Page, switch: Switch, names: Names) -> None:
    desk = Desk(page, switch, names)
    desk.log_in()
    desk.is_in("signed_out")
    desk.has_just("Sign in")
    desk.button("Sign in").click()
    desk.is_in("idle")
    desk.has_just("Break", "Sign out")
    switch.offer()
    desk.is_in("ringing")
    desk.has_just("Answer", "Decline", "Break", "Sign out")
    desk.button("Answer").click()
    desk.is_in("talking")
    desk.has_just("Mute", "Hang up")
    expect(page.get_by_role("timer", name=names.time)).to_have_text("0:02")
    desk.button("Mute").click()
    desk.has_just("Unmute", "Hang up")
    desk.button("Unmute").click()
    desk.button("Hang up").click()
    desk.is_in("after_call_work")
    desk.has_just("Start answering", "Break", "Sign out")
    desk.button("Start answering").click()
    desk.is_in("idle")
    desk.button("Break").click()
    desk.is_in("break")
    desk.has_just("Idle", "Sign out")
    desk.button("Idle").click()
    desk.button("Sign out").click()
    desk.is_in("signed_out")


def test_the_language_changes_in_the_page_and_is_kept(desk: Desk, page: Page, switch: Switch) -> None:
    desk.sign_in()
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("status", name="坐席状态")).to_have_text("空闲")
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    page.reload()
    expect(page.get_by_role("status", name="坐席状态")).to_have_text("空闲")


def test_the_organisation_s_language_is_used_where_nobody_chose(page: Page, switch: Switch) -> None:
    switch.language = "zh"
    page.goto(switch.url)
    page.get_by_label("Agent").fill("1001")
    page.get_by_label("Password").fill("right")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("status", name="坐席状态")).to_have_text("签出")


def test_login_tells_in_words_what_is_wrong(page: Page, switch: Switch) -> None:
    page.goto(f"{switch.url}/?lang=en")
    page.get_by_label("Agent").fill("1001")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_have_text("Agent or password is not right.")
    switch.retry_after = 7
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("Too many attempts. Try again in")
    expect(page.get_by_role("button", name="Log in")).to_be_disabled()


def test_nothing_is_sent_between_calls_and_the_warm_microphone_with_the_click(desk: Desk, page: Page) -> None:
    desk.sign_in()
    eventually(lambda: page.evaluate("cordboard.peer.connectionState") == "connected")
    assert not desk.sends()
    assert page.evaluate("cordboard.mic.getAudioTracks()[0].readyState") == "live"
    desk.answer()
    assert desk.sends()
    desk.button("Mute").click()
    expect(desk.button("Unmute")).to_be_visible()
    assert page.evaluate("cordboard.mic.getAudioTracks()[0].enabled") is False
    desk.switch.end()
    desk.is_in("after_call_work")
    assert not desk.sends()
    assert page.evaluate("cordboard.mic.getAudioTracks()[0].enabled") is True


def test_a_refused_answer_leaves_no_open_microphone(desk: Desk) -> None:
    desk.sign_in()
    desk.switch.refuse["call.answer"] = "caller_left"
    desk.switch.offer()
    desk.button("Answer").click()
    expect(desk.page.get_by_role("alert")).to_contain_text("The caller left before you answered.")
    eventually(lambda: not desk.sends())
    desk.switch.withdraw("caller left")
    desk.is_in("idle")


def test_a_double_click_on_answer_is_one_answer(desk: Desk) -> None:
    desk.sign_in()
    desk.switch.offer()
    desk.button("Answer").dblclick()
    desk.is_in("talking")
    desk.has_just("Mute", "Hang up")
    assert [one["do"] for one in desk.switch.asked].count("call.answer") == 1


@pytest.mark.parametrize(
    ("reason", "then", "words"),
    [
        ("caller left", "idle", "The caller left."),
        ("answered elsewhere", "idle", "Answered elsewhere."),
        ("no answer", "break", "No answer"),
    ],
)
def test_the_ring_stops_with_the_offer_and_the_page_says_why(desk: Desk, reason: str, then: str, words: str) -> None:
    desk.sign_in()
    desk.switch.offer()
    desk.is_in("ringing")
    eventually(desk.rings)
    eventually(lambda: desk.page.evaluate("cordboard.ring.level()") > -50)
    desk.page.evaluate(
        """() => {
          window.silentAt = null;
          const look = setInterval(() => {
            if (cordboard.ring.playing) return;
            window.silentAt = Date.now() / 1000;
            clearInterval(look);
          }, 2);
        }"""
    )
    withdrawn_at = time.time()
    desk.switch.withdraw(reason, then, reason)
    eventually(lambda: desk.page.evaluate("window.silentAt") is not None)
    assert desk.page.evaluate("window.silentAt") - withdrawn_at < 0.2
    desk.is_in(then)
    expect(desk.page.locator("main")).to_contain_text(words)
    expect(desk.page).not_to_have_title("Incoming")


def test_a_lost_link_shows_and_ends_in_a_snapshot(desk: Desk, page: Page, switch: Switch) -> None:
    desk.sign_in()
    link = page.get_by_role("status", name="Connection to the server")
    expect(link).to_have_text("Connected")
    switch.cut()
    expect(link).to_contain_text("Reconnecting…")
    desk.has_just()
    switch.state, switch.reason = "break", "chosen"
    switch.down = False
    expect(link).to_have_text("Connected", timeout=15_000)
    desk.is_in("break")
    desk.has_just("Idle", "Sign out")  # the page took its audio up again by itself


def test_a_request_without_reply_is_told(desk: Desk, page: Page, switch: Switch) -> None:
    desk.sign_in()
    switch.hold.add("agent.state")
    desk.button("Break").click()
    expect(page.get_by_role("alert")).to_contain_text("did not reply in time", timeout=12_000)
    desk.is_in("idle")


def test_a_second_page_takes_over_and_the_first_is_told(desk: Desk, context: BrowserContext, switch: Switch) -> None:
    desk.log_in()
    switch.be_signed_in_elsewhere()
    desk.page.reload()
    desk.is_in("idle")
    desk.button("Sign in").click()
    expect(desk.page.get_by_role("dialog", name="You are signed in on another page")).to_be_visible()
    desk.button("Take over").click()
    desk.has_just("Break", "Sign out")
    assert switch.asked[-2]["take_over"] is True
    switch.take_over()
    expect(desk.page.get_by_role("dialog", name="Another page took over")).to_be_visible()
    expect(desk.button("Take over")).to_be_enabled()
    assert desk.page.evaluate("cordboard.peer") is None
    assert desk.page.evaluate("cordboard.mic") is None


def test_lost_media_is_offered_anew(desk: Desk, page: Page, switch: Switch) -> None:
    desk.sign_in()
    desk.answer()
    page.evaluate("window.lost = cordboard.peer")
    switch.push("media.failed", reason="no media")
    eventually(lambda: any(one["do"] == "agent.media" for one in switch.asked))
    renewed = "cordboard.peer !== lost && cordboard.peer.connectionState === 'connected'"
    eventually(lambda: page.evaluate(renewed))
    assert page.evaluate("lost.connectionState") == "closed"
    assert desk.sends()
    expect(page.locator("main")).to_contain_text("Audio connected")
    page.get_by_role("tab", name="This page").click()
    expect(page.get_by_role("table", name="On this page today")).to_contain_text("Audio connection restored")


def test_a_reload_in_a_call_goes_on_talking(desk: Desk, page: Page, switch: Switch) -> None:
    desk.sign_in()
    desk.answer()
    desk.button("Mute").click()
    expect(desk.button("Unmute")).to_be_visible()
    page.reload()
    desk.is_in("talking")
    desk.has_just("Unmute", "Hang up")
    eventually(desk.sends)
    assert page.evaluate("cordboard.mic.getAudioTracks()[0].enabled") is False


def test_the_keys_do_what_the_help_says(desk: Desk, page: Page, switch: Switch) -> None:
    desk.sign_in()
    # The state and its call are two events: a key means something as soon as its button does.
    page.keyboard.press("F9")
    desk.is_in("break")
    desk.has_just("Idle", "Sign out")
    page.wait_for_timeout(450)  # sooner it would be the same press, twice
    page.keyboard.press("F9")
    desk.is_in("idle")
    switch.offer()
    desk.has_just("Answer", "Decline", "Break", "Sign out")
    page.keyboard.press("F2")
    desk.is_in("talking")
    desk.has_just("Mute", "Hang up")
    page.keyboard.press("F8")
    desk.has_just("Unmute", "Hang up")
    page.keyboard.press("F4")
    desk.is_in("after_call_work")
    desk.has_just("Start answering", "Break", "Sign out")
    page.keyboard.press("F2")
    desk.is_in("idle")
    switch.offer(call="c2")
    desk.has_just("Answer", "Decline", "Break", "Sign out")
    page.keyboard.press("F4")
    desk.is_in("idle")


def test_nothing_moves_when_a_call_arrives(desk: Desk, page: Page, switch: Switch) -> None:
    desk.sign_in()
    frame = page.get_by_role("region", name="Call", exact=True)
    boxes = [frame.bounding_box()]
    desk.answer()
    boxes.append(frame.bounding_box())
    switch.end()
    desk.is_in("after_call_work")
    boxes.append(frame.bounding_box())
    assert boxes[0] == boxes[1] == boxes[2]


def test_the_queues_stand_in_a_table(desk: Desk, page: Page, switch: Switch) -> None:
    desk.sign_in()
    switch.set_queues(("Support", 3, 65, 2), ("Billing", 0, None, 4))
    rows = page.get_by_role("table", name="Queues").get_by_role("row")
    expect(rows.nth(1)).to_contain_text("Support 3")
    expect(rows.nth(1)).to_contain_text("1:0")
    expect(rows.nth(2)).to_contain_text("Billing 0 –")
    switch.set_queues(("Billing", 1, 1, 4))
    expect(rows.nth(2)).to_contain_text("Billing 1")


def test_a_call_that_was_missed_and_rings_again_has_two_lines(desk: Desk, page: Page) -> None:
    desk.sign_in()
    page.get_by_role("tab", name="This page").click()
    lines = page.get_by_role("table", name="On this page today").get_by_role("row")
    desk.switch.offer(call="c1")
    desk.is_in("ringing")
    desk.switch.withdraw("declined")
    desk.is_in("idle")
    desk.switch.offer(call="c1")
    desk.is_in("ringing")
    page.get_by_role("tab", name="This page").click()
    expect(lines.filter(has_text="Incoming call")).to_have_count(1)
    desk.button("Answer").click()
    desk.is_in("talking")
    desk.switch.end()
    desk.is_in("after_call_work")
    expect(lines.filter(has_text="Not connected: Declined")).to_have_count(1)
    expect(lines.filter(has_text="The caller hung up.")).to_have_count(1)
    expect(lines.nth(1)).to_contain_text("The caller hung up.")


def test_a_demonstration_offers_to_call(page: Page, switch: Switch) -> None:
    switch.demo = True
    desk = Desk(page, switch)
    desk.sign_in()
    page.get_by_role("button", name="Call me now").click()
    eventually(lambda: switch.asked[-1]["do"] == "demo.call")


def test_an_unplugged_headset_falls_back_to_the_default_and_says_so(desk: Desk, page: Page) -> None:
    desk.sign_in()
    page.get_by_role("button", name="Devices").click()
    page.get_by_role("combobox", name="Speaker").click()
    page.get_by_role("option", name="Fake Audio Output 1").click()
    eventually(lambda: page.evaluate("cordboard.audio.sinkId") != "")
    page.evaluate(
        """async () => {
          const all = await navigator.mediaDevices.enumerateDevices();
          const left = all.filter(({ label }) => label !== 'Fake Audio Output 1');
          navigator.mediaDevices.enumerateDevices = async () => left;
          navigator.mediaDevices.dispatchEvent(new Event('devicechange'));
        }"""
    )
    expect(page.get_by_role("alert")).to_contain_text("“Fake Audio Output 1” is gone")
    eventually(lambda: page.evaluate("cordboard.audio.sinkId") == "")


def test_a_hidden_page_calls_by_notification_and_comes_forward(desk: Desk, page: Page, switch: Switch) -> None:
    page.add_init_script(
        """
        window.shown = [];
        window.focus = () => window.shown.push('focus');
        Object.defineProperty(document, 'hidden', { get: () => true });
        window.Notification = class {
          static permission = 'granted';
          constructor(title, { body }) { this.body = body; this.title = title; window.shown.push(this); }
          close() { this.closed = true; }
        };
        """
    )
    desk.sign_in()
    switch.offer(name="Wang")
    eventually(lambda: page.evaluate("shown.length") == 1)
    assert (
        page.evaluate("shown[0].title + ': ' + shown[0].body") == "Incoming call: Wang +86 138 0013 8000 calls Support"
    )
    page.evaluate("shown[0].onclick()")
    assert page.evaluate("shown[1]") == "focus"
    switch.withdraw("caller left")
    desk.is_in("idle")
    assert page.evaluate("shown[0].closed") is True


def test_a_blocked_microphone_is_told_with_what_to_do(desk: Desk, page: Page) -> None:
    page.add_init_script(
        "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'))"
    )
    desk.log_in()
    desk.button("Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("The microphone is blocked.")
    desk.is_in("signed_out")
    desk.has_just("Sign in")


def test_a_screen_reader_hears_of_calls(desk: Desk, page: Page, switch: Switch) -> None:
    desk.sign_in()
    spoken = page.locator("[aria-live=assertive]")
    switch.offer(name="Wang")
    expect(spoken).to_have_text("Incoming call from +86 138 0013 8000, Support.")
    switch.withdraw("caller left")
    expect(spoken).to_have_text("The caller left.")


def test_a_call_s_voice_goes_on_while_the_link_is_lost(desk: Desk, page: Page, switch: Switch) -> None:
    desk.sign_in()
    desk.answer()
    switch.cut()
    expect(page.get_by_role("status", name="Connection to the server")).to_contain_text("Your call goes on")
    assert desk.sends()
    assert page.evaluate("cordboard.peer.connectionState") == "connected"
    switch.down = False
    desk.has_just("Mute", "Hang up")
    assert desk.sends()


def test_measurement_asks_for_unprocessed_audio(page: Page, switch: Switch) -> None:
    desk = Desk(page, switch)
    desk.sign_in()
    asked = "cordboard.mic.getAudioTracks()[0].getConstraints().echoCancellation"
    assert page.evaluate(asked) is True
    page.goto(f"{switch.url}/?lang=en&raw-audio")
    eventually(lambda: page.evaluate("window.cordboard?.mic !== null && window.cordboard?.mic !== undefined"))
    assert page.evaluate(asked) is False


def test_an_event_that_the_snapshot_knows_changes_nothing(desk: Desk, page: Page) -> None:
    desk.log_in()
    kept = page.evaluate(
        """async () => {
          const { after, fromSnapshot } = await import('/static/desk.js');
          const desk = fromSnapshot({ rev: 7, state: 'idle', owner: 'this', queues: [] });
          const old = after(desk, { event: 'agent.state', rev: 7, state: 'break', reason: '', since: 0 }, 0);
          const fresh = after(desk, { event: 'agent.state', rev: 8, state: 'break', reason: '', since: 0 }, 0);
          return [old === desk, fresh.state, fresh.rev];
        }"""
    )
    assert kept == [True, "break", 8]
