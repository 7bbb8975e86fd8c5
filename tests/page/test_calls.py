"""What is kept, as an agent sees it: the list of calls, one call, colleagues, the day's states."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Page, expect

from tests.page.callbook import cells, four_calls, lines, listed, opened
from tests.page.kept import LIN, MAYA, Message, at, call, decided, offer, tones
from tests.page.scripted import Switch, eventually
from tests.page.test_workbench import CHINESE, Desk

pytestmark = pytest.mark.peer("chromium")


@pytest.fixture
def desk(page: Page, switch: Switch) -> Desk:
    return four_calls(page, switch)


def test_who_sent_the_caller_on_is_shown_when_it_rings_in_the_call_and_in_its_details(desk: Desk, page: Page) -> None:
    """A number that was forwarded to ours: the agent sees whose customer it is."""
    forwarded = page.locator(".facts div").filter(has_text="Forwarded by")
    desk.sign_in()
    desk.switch.offer()
    expect(page.locator(".facts div").filter(has_text="Dialled")).to_have_count(1)
    expect(forwarded).to_have_count(0)
    desk.switch.withdraw("caller left")
    desk.switch.offer(call="c8", diverted_from="+861055509000")
    expect(forwarded).to_contain_text("+86 10 5550 9000")
    page.get_by_role("button", name="Answer", exact=True).click()
    desk.is_in("talking")
    expect(forwarded).to_contain_text("+86 10 5550 9000")
    page.get_by_role("button", name="Hang up").click()
    desk.switch.kept.add(call("c8", time.time(), diverted_from="+861055509000"))
    desk.switch.push("call.ended", call="other", by="caller", cause="hung up")
    page.get_by_role("tab", name="Calls").click()
    expect(lines(page)).to_have_count(5)
    lines(page).first.get_by_role("button").first.click()
    expect(page.locator(".details").locator(forwarded)).to_contain_text("+86 10 5550 9000")


def test_a_name_or_number_is_never_markup(desk: Desk, page: Page) -> None:
    """Whoever calls writes both."""
    evil = '<img src=x onerror="window.evil = 1">\'&amp;'
    desk.switch.kept.add(call("c8", time.time(), name=evil, number=f"{evil}1", diverted_from=evil))
    desk.sign_in()
    desk.switch.offer(call="c9", name=evil, number=f"{evil}1", diverted_from=evil)
    expect(page.locator(".caller-name")).to_have_text(evil)
    page.get_by_role("button", name="Answer", exact=True).click()
    desk.is_in("talking")
    expect(page.locator(".caller-name")).to_have_text(evil)
    page.get_by_role("tab", name="Calls").click()
    lines(page).first.get_by_role("button").first.click()
    expect(page.locator(".details-head")).to_contain_text(evil)
    assert page.locator("img[src=x]").count() == 0
    assert page.evaluate("window.evil") is None


# --- the list -----------------------------------------------------------------------------------------------------


def test_the_calls_of_seven_days_newest_first_and_by_class(desk: Desk, page: Page) -> None:
    desk.log_in()
    expect(lines(page)).to_have_count(4)
    assert cells(lines(page).nth(0))[1:] == ["+86 138 0013 8000", "Support", "Normal", "1:05", ""]
    expect(lines(page).nth(2)).to_contain_text("Withheld number")
    expect(page.get_by_role("rowheader", name="Today")).to_have_count(1)
    expect(page.get_by_role("img", name="There is a recording")).to_have_count(2)
    for name, left in (("Normal", 2), ("Not connected", 1), ("Ring-abandoned", 1), ("All", 4)):
        page.get_by_role("button", name=name, exact=True).click()
        expect(lines(page)).to_have_count(left)
        expect(page.get_by_role("button", name=name, exact=True)).to_have_attribute("aria-pressed", "true")
        for one in lines(page).all() if name != "All" else []:
            expect(one).to_contain_text(name)
    kinds = [target.partition("class=")[2].partition("&")[0] for target in listed(desk.switch)]
    assert kinds == ["all", "normal", "not_connected", "ring_abandoned", "all"]


def test_chinese_has_the_guide_s_words(page: Page, switch: Switch) -> None:
    switch.kept.add(call("c1", at(0.02), "ring_abandoned"), call("c2", at(0.04)))
    switch.kept.sound = tones()
    desk = Desk(page, switch, CHINESE)
    desk.log_in()
    table = page.get_by_role("table", name="通话记录")
    expect(table.locator("tr[data-class]").first).to_contain_text("振铃放弃")
    for name in ("全部", "正常", "未接通", "振铃放弃"):
        expect(page.get_by_role("button", name=name, exact=True)).to_be_visible()
    page.get_by_role("button", name="138 0013 8000").last.click()
    expect(page.get_by_role("button", name="播放", exact=True)).to_be_enabled()
    expect(page.get_by_role("article", name="通话详情")).to_contain_text("客户挂断。")


def test_a_hundred_calls_and_more(desk: Desk, page: Page, switch: Switch) -> None:
    switch.kept.add(*(call(f"m{number:03}", at(1 + number / 60)) for number in range(130)))
    desk.log_in()
    expect(lines(page)).to_have_count(100)
    page.get_by_role("button", name="More").click()
    expect(lines(page)).to_have_count(134)
    expect(page.get_by_role("button", name="More")).to_have_count(0)
    # A call that comes now leaves the further page where it is.
    switch.kept.add(call("new", time.time()))
    switch.push("call.ended", call="new", by="caller", cause="hung up")
    expect(lines(page)).to_have_count(135)
    assert len(listed(switch)) == 3


def test_a_call_that_ends_appears_by_itself_and_many_are_one_request(desk: Desk, page: Page, switch: Switch) -> None:
    desk.sign_in()
    expect(lines(page)).to_have_count(4)
    before = len(listed(switch))
    for number in range(20):
        switch.kept.add(call(f"n{number}", time.time() - number))
        switch.push("call.withdrawn", call=f"n{number}", reason="caller left")
    expect(lines(page)).to_have_count(24)
    assert len(listed(switch)) == before + 1
    # One that is in progress says so, and then how long it was.
    switch.kept.add(call("c9", time.time(), ended=None, ended_by="", recording="recording"))
    switch.push("call.connected", call="c9", queue="support", queue_name="Support", number="", name="", dialled="",
                since=time.time(), muted=False)  # fmt: skip
    expect(lines(page).nth(0)).to_contain_text("In progress")


def test_a_call_that_is_not_written_yet_is_asked_for_once_more(desk: Desk, page: Page, switch: Switch) -> None:
    desk.log_in()
    expect(lines(page)).to_have_count(4)
    switch.push("call.ended", call="late", by="caller", cause="hung up")
    eventually(lambda: len(listed(switch)) == 2)
    switch.kept.add(call("late", time.time()))
    expect(lines(page)).to_have_count(5)
    assert len(listed(switch)) == 3


def test_a_hidden_page_asks_for_nothing_until_it_is_seen(desk: Desk, page: Page, switch: Switch) -> None:
    page.add_init_script("window.away = false; Object.defineProperty(document, 'hidden', { get: () => window.away })")
    desk.log_in()
    expect(lines(page)).to_have_count(4)
    seen = "(away) => { window.away = away; document.dispatchEvent(new Event('visibilitychange')); }"
    page.evaluate(seen, True)
    before = len(listed(switch))
    switch.kept.add(call("new", time.time()))
    switch.push("call.withdrawn", call="new", reason="caller left")
    switch.state = "break"  # who is no longer signed out is asked for a snapshot
    switch.push("agent.state", state="break", reason="no answer", since=time.time())
    desk.is_in("break")
    page.wait_for_timeout(2600)  # longer than the list ever waits
    assert len(listed(switch)) == before
    page.evaluate(seen, False)
    expect(lines(page)).to_have_count(5)


def test_no_calls_no_answer_and_an_answer_again(page: Page, switch: Switch) -> None:
    switch.kept.broken["/api/calls"] = "503 Service Unavailable"
    desk = Desk(page, switch)
    desk.log_in()
    expect(page.get_by_role("alert")).to_contain_text("The calls cannot be loaded now.")
    switch.kept.broken.clear()
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("No calls in the last 7 days.")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    page.get_by_role("button", name="Normal", exact=True).click()
    expect(page.get_by_text("No such calls in the last 7 days.")).to_be_visible()


def test_a_list_that_cannot_be_renewed_stays_and_says_so(desk: Desk, page: Page, switch: Switch) -> None:
    desk.log_in()
    expect(lines(page)).to_have_count(4)
    switch.kept.broken["/api/calls"] = "503 Service Unavailable"
    switch.push("call.withdrawn", call="c1", reason="caller left")
    expect(page.get_by_role("alert")).to_contain_text("The list may be out of date.")
    expect(lines(page)).to_have_count(4)
    switch.kept.broken.clear()
    switch.cut()
    switch.down = False  # a link that comes back brings the list up to date
    expect(page.get_by_role("alert")).to_have_count(0)


def test_times_are_the_organisation_s(page: Page, switch: Switch) -> None:
    switch.time_zone = "Asia/Tokyo"  # nine hours before us, and no summer time
    began = at(0.05)
    switch.kept.add(call("c1", began))
    Desk(page, switch).log_in()
    there = time.strftime("%H:%M", time.gmtime(began + 9 * 3600))
    expect(lines(page).nth(0)).to_contain_text(there)
    expect(page.get_by_text("Times of Asia/Tokyo")).to_be_visible()


# --- whose calls --------------------------------------------------------------------------------------------------


def others(switch: Switch) -> None:
    """A call of Maya's."""
    switch.kept.add(call("m1", at(0.01), agents=[MAYA], offers=[offer(MAYA, at(0.01), "answered", at(0.005))]))


def test_an_agent_s_page_asks_for_its_own_calls_alone(desk: Desk, page: Page, switch: Switch) -> None:
    others(switch)
    desk.log_in()
    expect(lines(page)).to_have_count(4)
    expect(page.get_by_role("button", name="Everyone’s")).to_have_count(0)
    expect(page.get_by_role("table", name="Calls")).not_to_contain_text("Maya")
    opened(page)
    eventually(lambda: any("/peaks" in target for target in switch.kept.asked))
    assert all("agent=1001" in target for target in listed(switch))
    assert [target for target in switch.kept.asked if target.startswith("/api/calls/c1?")] == [
        "/api/calls/c1?agent=1001"
    ]


@pytest.mark.parametrize(("role", "tab"), [("supervisor", "Calls"), ("administrator", "Calls"), ("agent", "Customer")])
def test_who_oversees_begins_with_everyone_s_calls_and_not_with_a_blank_paper(
    desk: Desk, page: Page, switch: Switch, role: str, tab: str
) -> None:
    """... whoever sat at that computer before."""
    switch.role = role
    page.add_init_script("localStorage.setItem('cordboard.tab', 'customer')")
    desk.log_in()
    expect(page.get_by_role("tab", name=tab)).to_have_attribute("aria-selected", "true")
    if role != "agent":
        expect(page.get_by_role("button", name="Everyone’s")).to_have_attribute("aria-pressed", "true")


def test_a_supervisor_sees_everyone_s_calls_or_its_own(desk: Desk, page: Page, switch: Switch) -> None:
    others(switch)
    switch.role = "supervisor"
    desk.log_in()
    expect(lines(page)).to_have_count(5)
    expect(lines(page).nth(0)).to_contain_text("Maya")
    # Others' calls end without an event of their own: how colleagues stand tells of them.
    switch.kept.add(call("m2", time.time(), agents=[MAYA], offers=[]))
    switch.stand({**MAYA, "state": "after_call_work", "reason": "caller hung up", "since": time.time()})
    expect(lines(page)).to_have_count(6)
    page.get_by_role("button", name="My calls").click()
    expect(lines(page)).to_have_count(4)
    page.reload()
    expect(page.get_by_role("button", name="My calls")).to_have_attribute("aria-pressed", "true")
    expect(lines(page)).to_have_count(4)


def test_a_number_is_written_as_people_of_its_country_write_it(desk: Desk, page: Page) -> None:
    written = {
        "+8613800138000": "+86 138 0013 8000",
        "13800138000": "138 0013 8000",
        "+861055501000": "+86 10 5550 1000",
        "+8675512345678": "+86 755 1234 5678",
        "+864008106666": "+86 400 810 6666",
        "+447700900142": "+44 7700 900142",
        "+442079460123": "+44 20 7946 0123",
        "+33123456789": "+33 1 23 45 67 89",
        "+14155551234": "+1 415 555 1234",
        "+85223456789": "+852 2345 6789",
        # of no country, and no telephone number
        "+999123456": "+999123456",
        "10086": "10086",
        "alice": "alice",
    }
    desk.log_in()
    shown = page.evaluate(
        """async (numbers) => {
          const { telephone } = await import('/static/i18n.js');
          return numbers.map(telephone);
        }""",
        list(written),
    )
    assert dict(zip(written, shown, strict=True)) == written


# --- one call -----------------------------------------------------------------------------------------------------


def test_the_details_tell_the_call_in_words(desk: Desk, page: Page, switch: Switch) -> None:
    began = time.time() - 300
    history = [call("c4", at(144), name="Wang"), call("m1", at(100), agents=[MAYA])]
    told = call(
        "story",
        began,
        number="+447911123456",
        ended_by="agent",
        offers=[
            offer(MAYA, began + 5, "declined", began + 8),
            offer({"agent": "1003", "name": "Chen"}, began + 8, "answered_elsewhere", began + 20),
            offer(LIN, began + 8, "answered", began + 20, began + 85),
        ],
        history=history,
    )
    switch.kept.add(told)
    desk.log_in()
    details = opened(page, "+44")
    expect(details.get_by_role("heading", name="+44 7911 123456")).to_be_visible()
    steps = details.get_by_role("listitem").locator("span, strong")
    expect(steps).to_have_text(
        [
            "The call came in for +86 10 5550 1000 and waited for Support.",
            "It rang at Maya.",
            "Maya declined it.",
            "It rang at you.",
            "You and the customer were connected.",
            "You hung up.",
        ]
    )
    facts = details.locator("dl").inner_text().replace("\n", " ")
    assert "Waited 0:20 Talk time 1:05 Queue Support Dialled +86 10 5550 1000" in facts
    earlier = details.get_by_role("table", name="Earlier calls of this number").get_by_role("row")
    expect(earlier).to_have_count(2)
    expect(earlier.nth(1)).to_contain_text("Maya")
    expect(earlier.nth(1).get_by_role("button")).to_have_count(0)  # it rang at somebody else
    earlier.nth(0).get_by_role("button").click()
    expect(details.get_by_role("heading", name="+86 138 0013 8000")).to_be_visible()
    page.get_by_role("button", name="All calls").click()
    expect(lines(page)).to_have_count(5)


def test_why_it_rang_there_is_told_to_who_oversees_and_of_itself_to_an_agent(
    desk: Desk, page: Page, switch: Switch
) -> None:
    switch.kept.reasons["c1"] = [
        decided(at(0.03), [LIN], {"agent": "1001", "rank": 1, "why": ""}, ranked=[]),
        decided(at(0.02), [MAYA], {"agent": "1001", "rank": None, "why": "declined"}, ranked=[], same=False),
        decided(at(0.01), [LIN], None, ranked=[], candidates=1, waited=0.4),
        decided(at(0.01), [MAYA], None, ranked=[], candidates=1),
    ]
    desk.log_in()
    details = opened(page)
    why = details.get_by_text("Why it rang there")
    why.click()
    steps = details.locator(".decision")
    expect(steps).to_have_count(4)
    expect(steps.nth(0)).to_contain_text("After 0:12 in Support: you came first of 2 who could take it (longest idle).")
    expect(steps.nth(0)).not_to_contain_text("You were")
    expect(steps.nth(1)).to_contain_text("After 0:12 in Support: Maya came first of 2 who could take it")
    expect(steps.nth(1)).to_contain_text("You had declined it.")
    expect(steps.nth(1)).to_contain_text("Made again, this decision comes to others")
    expect(steps.nth(2)).to_contain_text("At once in Support: you were the only one who could take it.")
    expect(steps.nth(3)).to_contain_text("After 0:12 in Support: Maya was the only one who could take it.")
    expect(details.get_by_role("table").filter(has_text="Idle for")).to_have_count(0)
    assert "/api/calls/c1/why?agent=1001" in switch.kept.asked
    switch.kept.broken["/api/calls/c1/why"] = "503 Service Unavailable"
    why.click()
    why.click()
    expect(details.get_by_role("alert")).to_contain_text("This could not be loaded.")
    switch.kept.broken.clear()
    switch.kept.reasons["c1"] = [decided(at(0.03), [LIN, MAYA], None)]
    details.get_by_role("button", name="Try again").click()
    expect(steps).to_have_count(1)  # what was there before stays until the answer comes
    expect(steps).to_contain_text("it rang at you, Maya, of 2 who could take it")
    table = details.get_by_role("table").filter(has_text="Idle for")
    expect(table.get_by_role("row")).to_have_text(
        [re.compile(words, re.S) for words in ("No..*Idle for", "1.*Lin.*5:00", "2.*Maya.*2:30")]
    )
    expect(steps.locator(".passed li")).to_have_text(["2 talkingChen, Ada", "1 on breakBo"])


def test_of_a_call_from_long_ago_it_is_said_that_why_it_rang_is_not_kept(
    desk: Desk, page: Page, switch: Switch
) -> None:
    """... of all of it, or of what was decided before, which is not the same as that no queue let it ring."""
    switch.kept.kept_since = 1_800_012_600.0  # the same day wherever it is noon
    desk.log_in()
    details = opened(page)
    why = details.get_by_text("Why it rang there")
    why.click()
    gone = "Why it rang before 15 January 2027 is not kept any more."
    expect(details.get_by_text(gone)).to_be_visible()
    expect(details.get_by_text("No queue let it ring at anybody.")).to_have_count(0)
    switch.kept.reasons["c1"] = [decided(at(0.03), [LIN], None)]
    why.click()
    why.click()
    expect(details.locator(".decision")).to_have_count(1)
    expect(details.get_by_text(gone)).to_be_visible()


def test_a_keyboard_goes_into_a_call_and_back_to_its_line(desk: Desk, page: Page) -> None:
    desk.log_in()
    line = page.get_by_role("button", name="+86 755 1234 5678")
    line.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="All calls")).to_be_focused()
    expect(page.get_by_role("article", name="Call details")).to_contain_text("This call was not recorded.")
    page.keyboard.press("Enter")
    expect(line).to_be_focused()


def test_a_call_that_cannot_be_had_says_why(desk: Desk, page: Page, switch: Switch) -> None:
    desk.log_in()
    expect(lines(page)).to_have_count(4)
    for status, words in (
        ("403 Forbidden", "This is another agent’s call; your role does not show it."),
        ("404 Not Found", "There is no such call any more."),
        ("503 Service Unavailable", "This call cannot be loaded now."),
        ("401 Unauthorized", "Your login has expired. Log in again."),
    ):
        switch.kept.broken["/api/calls/c1"] = status
        expect(opened(page).get_by_role("alert")).to_contain_text(words)
        page.get_by_role("button", name="All calls").click()


# --- colleagues, states -------------------------------------------------------------------------------------------


def stands(who: Message, state: str, since: float, reason: str = "") -> Message:
    return {**who, "state": state, "reason": reason, "since": time.time() - since}


def test_colleagues_stand_live(desk: Desk, page: Page, switch: Switch) -> None:
    chen = {"agent": "1003", "name": "Chen"}
    switch.colleagues = [stands(LIN, "signed_out", 5), stands(MAYA, "break", 65, "no answer"), stands(chen, "idle", 3)]
    desk.log_in()
    assert not any(one["do"] == "colleagues.watch" for one in switch.asked)
    page.get_by_role("tab", name="Colleagues").click()
    people = page.get_by_role("list", name="Colleagues").get_by_role("listitem")
    expect(people).to_have_count(3)
    assert [one.inner_text().split("\n")[0] for one in people.all()] == ["Chen", "Maya", "Lin you"]
    expect(people.nth(1)).to_contain_text("Break No answer")
    expect(people.nth(1)).to_contain_text("1:0")
    switch.stand(stands(chen, "talking", 0))
    expect(people.nth(0)).to_contain_text("Talking")
    switch.stand(gone=("1002",))
    expect(people).to_have_count(2)
    # The list comes whole again with a new connection, and an event of the agent is not lost to its revisions.
    switch.colleagues = [stands(MAYA, "idle", 1)]
    switch.cut()
    switch.down = False
    expect(people).to_have_count(1)
    expect(people.nth(0)).to_contain_text("Maya")
    switch.move("idle", "signed in")
    desk.is_in("idle")


def test_the_day_s_states_with_reasons_and_lengths(desk: Desk, page: Page, switch: Switch) -> None:
    now = time.time()
    midnight = now - (12 * 3600 + now % 3600)  # where it is noon
    step = (now - midnight) / 10

    def span(state: str, reason: str, begin: float, end: float | None, call_: str = "") -> Message:
        since, until = midnight + begin * step, None if end is None else midnight + end * step
        return {"state": state, "reason": reason, "call": call_, "since": since, "until": until, "seconds": 0.0}

    switch.kept.states = [
        span("signed_out", "signed out", -5, 2),
        span("idle", "signed in", 2, 3),
        span("ringing", "offer", 3, 3.8, "c1"),
        span("ringing", "answer", 3.8, 4, "c1"),
        span("talking", "answered", 4, 7, "c1"),
        span("after_call_work", "caller hung up", 7, 8),
        span("idle", "start answering", 8, None),
    ]
    desk.log_in()
    page.get_by_role("tab", name="My states").click()
    rows = page.get_by_role("table", name="My states").locator("tbody tr")
    expect(rows).to_have_count(5)
    assert [cells(row)[2:4] for row in rows.all()] == [
        ["Idle", "Started answering"],
        ["After-call work", "The caller hung up"],
        ["Talking", "Answered"],
        ["Ringing", "A call came"],
        ["Idle", "Signed in"],
    ]
    expect(rows.nth(0)).to_contain_text("now")
    bar = page.get_by_role("img", name="The day from").locator("span")
    widths = [float(one.evaluate("one => parseFloat(one.style.inlineSize)")) for one in bar.all()]
    assert widths == pytest.approx([12.5, 12.5, 37.5, 12.5, 25], abs=0.2)
    # A change is there when it has been written, though it was said before.
    switch.push("agent.state", state="break", reason="no answer", since=now)
    eventually(lambda: sum("/states" in target for target in switch.kept.asked) == 2)
    switch.kept.states[-1]["until"] = now
    switch.kept.states.append({**span("break", "no answer", 0, None), "since": now})
    expect(rows).to_have_count(6)
    expect(rows.nth(0)).to_contain_text("Break")
    expect(rows.nth(0)).to_contain_text("No answer")


def test_states_that_cannot_be_had_say_so(desk: Desk, page: Page, switch: Switch) -> None:
    switch.kept.broken["/api/agents"] = "503 Service Unavailable"
    desk.log_in()
    page.get_by_role("tab", name="My states").click()
    expect(page.get_by_role("alert")).to_contain_text("Your states cannot be loaded now.")
    switch.kept.broken.clear()
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("You have not signed in today.")).to_be_visible()


def test_arrows_go_along_the_tabs_and_the_last_one_is_kept(desk: Desk, page: Page) -> None:
    desk.log_in()
    tabs = page.get_by_role("tab")
    expect(tabs).to_have_text(["Customer", "Tickets", "Calls", "Colleagues", "My states", "This page"])
    tabs.nth(2).focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowLeft")
    expect(tabs.nth(5)).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("tab", selected=True)).to_have_text("Colleagues")
    page.reload()
    expect(page.get_by_role("tab", selected=True)).to_have_text("Colleagues")
    expect(page.get_by_role("tabpanel", name="Colleagues")).to_be_visible()
