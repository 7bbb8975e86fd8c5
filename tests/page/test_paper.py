"""The paperwork at the page: the customer as it rings, two who write, tags and tickets, and what is past."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Route, expect

from tests.page.kept import LIN, MAYA, at, call
from tests.page.papers import Papers
from tests.page.scripted import Switch, eventually
from tests.page.test_workbench import CHINESE, Desk

pytestmark = pytest.mark.peer("chromium")

EVIL = '<img src=x onerror="window.evil = 1">'


def box(page: Page, name: str) -> Locator:
    return page.get_by_role("textbox", name=name, exact=True)


def tab(page: Page, name: str) -> Locator:
    return page.get_by_role("tab", name=name, exact=True)


def saved(page: Page) -> Locator:
    return page.locator(".saved[role=status]")


def is_saved(page: Page) -> None:
    expect(saved(page)).to_have_text("Saved")


def talk(desk: Desk) -> None:
    desk.answer()
    expect(box(desk.page, "Note")).to_be_editable()


# --- the pop --------------------------------------------------------------------------------------------------------


def test_a_call_that_rings_brings_its_customer_to_the_front(desk: Desk, page: Page, papers: Papers) -> None:
    papers.writable = False
    before = {"call": "c0", "began": at(30), "direction": "inbound", "class": "normal", "agents": ["Maya"]}
    said = {**before, "call": "c00", "class": "not_connected", "agents": [], "summary": "", "message": True}
    papers.earlier = [{**before, "summary": "Asked.", "message": False}, said]
    papers.write(("summary", "c1", "1002"), "Wants a refund.")
    tab(page, "Colleagues").click()
    desk.switch.offer()
    expect(tab(page, "Customer")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("heading", name="Wang Xiaoming")).to_be_visible()
    expect(box(page, "Note")).to_have_value("Prefers e-mail.")
    expect(box(page, "Note")).not_to_be_editable()
    expect(page.get_by_role("list", name="Tags")).to_have_text("vip")
    expect(page.locator(".summary")).to_contain_text("Wants a refund.")
    expect(page.locator(".earlier li")).to_contain_text(["Asked.", "Voicemail"])
    papers.writable = True
    desk.button("Answer").click()
    expect(box(page, "Note")).to_be_editable()
    assert desk.switch.watched == ["c1"]


def test_of_a_number_that_is_not_known_all_is_blank_and_stays_until_the_next_call(page: Page, switch: Switch) -> None:
    desk = Desk(page, switch)
    desk.sign_in()
    tab(page, "Customer").click()
    expect(page.get_by_role("tabpanel", name="Customer")).to_contain_text("shows here when a call rings")
    talk(desk)
    expect(page.get_by_role("heading", name="+86 138 0013 8000")).to_have_count(2)  # and on the stage
    box(page, "Service summary").fill("Asked for the way.")
    is_saved(page)
    desk.button("Hang up").click()
    desk.button("Start answering").click()
    desk.is_in("idle")
    page.reload()
    expect(box(page, "Service summary")).to_have_value("Asked for the way.")
    switch.offer(call="c2")
    expect(box(page, "Service summary")).to_have_value("")


def test_who_types_as_a_call_comes_finishes_the_word(desk: Desk, page: Page, papers: Papers) -> None:
    talk(desk)
    desk.button("Hang up").click()
    desk.button("Start answering").click()
    desk.is_in("idle")
    summary = box(page, "Service summary")
    summary.press_sequentially("half a")
    desk.switch.offer(call="c2", number="+8613900139000")
    expect(page.locator(".waiting-bar")).to_contain_text("+86 139 0013 9000")
    expect(summary).to_be_focused()
    summary.press_sequentially(" word")
    page.get_by_role("button", name="Show now").click()
    expect(page.locator(".waiting-bar")).to_have_count(0)
    expect(summary).to_have_value("")
    eventually(lambda: papers.value("summary", "c1", "1001") == "half a word")
    assert papers.value("summary", "c2", "1001") == ""


@pytest.mark.parametrize(
    ("role", "place"), [("textbox", "Service summary"), ("combobox", "Add tag"), ("textbox", "Title")]
)
def test_who_composes_as_a_call_is_answered_keeps_what_stands_there(
    desk: Desk, page: Page, papers: Papers, role: Literal["textbox", "combobox"], place: str
) -> None:
    """An input method has not said what it comes to, and takes longer than a pause: the letters are of that call."""
    talk(desk)
    desk.button("Hang up").click()
    desk.button("Start answering").click()
    desk.is_in("idle")
    if place == "Title":
        tab(page, "Tickets").click()
    page.get_by_role(role, name=place, exact=True).focus()
    session = page.context.new_cdp_session(page)
    session.send("Input.imeSetComposition", {"text": "ni hao", "selectionStart": 6, "selectionEnd": 6})
    desk.switch.offer(call="c2", number="+8613900139000")
    page.wait_for_timeout(3500)  # longer than somebody who types is waited for
    expect(page.locator(".waiting-bar")).to_contain_text("+86 139 0013 9000")
    page.keyboard.press("F2")
    desk.is_in("talking")
    tab(page, "Customer").click()
    expect(page.locator(".waiting-bar")).to_have_count(0)
    other = page.get_by_role("region", name="Of an earlier call")
    if place == "Service summary":
        eventually(lambda: papers.value("summary", "c1", "1001") == "ni hao")
        expect(other).to_have_count(0)
    else:
        expect(other.get_by_text("ni hao", exact=True)).to_be_visible()
    assert {one["call"] for one in papers.posted} <= {"c1"}


# --- two who write --------------------------------------------------------------------------------------------------


def test_what_a_colleague_writes_is_shown_as_it_is_saved(desk: Desk, page: Page, papers: Papers) -> None:
    talk(desk)
    papers.write(("customer", "name"), "Wang Daming")
    papers.write(("summary", "c1", "1002"), "Wants a refund.")
    desk.switch.push("paper.changed", call="c1")
    expect(box(page, "Name")).to_have_value("Wang Daming")
    expect(page.locator(".summary")).to_contain_text("Wants a refund.")


@pytest.mark.parametrize("button", ["Keep mine", "Take theirs"])
def test_two_who_write_the_same_lose_nothing(desk: Desk, page: Page, papers: Papers, button: str) -> None:
    talk(desk)
    note = box(page, "Note")
    note.fill("Mine.")
    papers.write(("customer", "note"), "Theirs.")
    expect(saved(page)).to_have_text("Not saved: choose which text stays")
    asked = page.get_by_role("group", name="Which text stays")
    expect(asked).to_contain_text("Maya wrote meanwhile:")
    expect(asked).to_contain_text("Theirs.")
    expect(note).to_have_value("Mine.")
    note.press_sequentially(" More.")
    page.wait_for_timeout(800)  # longer than a pause
    assert papers.value("customer", "note") == "Theirs."
    page.get_by_role("button", name=button).click()
    expect(asked).to_have_count(0)
    expect(note).to_be_focused()
    left = "Mine. More." if button == "Keep mine" else "Theirs."
    expect(note).to_have_value(left)
    is_saved(page)
    assert papers.value("customer", "note") == left


def test_what_stood_there_before_can_be_read(desk: Desk, page: Page, papers: Papers) -> None:
    talk(desk)
    earlier = page.get_by_role("button", name="Earlier texts: Note")
    expect(earlier).to_have_count(0)
    box(page, "Note").fill(EVIL)
    is_saved(page)
    earlier.click()
    texts = page.get_by_role("group", name="Earlier texts: Note")
    expect(texts).to_contain_text("Maya")
    expect(texts).to_contain_text("Prefers e-mail.")
    expect(texts).not_to_contain_text(EVIL)
    papers.write(("customer", "note"), "Theirs.")
    page.keyboard.press("Escape")
    expect(texts).to_be_hidden()
    earlier.click()
    expect(texts.locator("blockquote")).to_have_text([EVIL, "Prefers e-mail."])


def test_a_conflict_in_a_call_that_is_over_waits_beside_the_next(desk: Desk, page: Page, papers: Papers) -> None:
    talk(desk)
    box(page, "Note").fill("Mine.")
    papers.write(("customer", "note"), "Theirs.")
    expect(page.locator(".meanwhile")).to_be_visible()
    desk.button("Hang up").click()
    desk.button("Start answering").click()
    desk.is_in("idle")
    page.wait_for_timeout(3000)  # nobody types any more
    desk.switch.offer(call="c2")
    other = page.get_by_role("region", name="Of an earlier call")
    expect(other).to_contain_text("Note of the call with +86 138 0013 8000 is not saved.")
    expect(other).to_contain_text("Mine.")
    expect(other).to_contain_text("Theirs.")
    other.get_by_role("button", name="Keep mine").click()
    expect(other).to_have_count(0)
    eventually(lambda: papers.value("customer", "note") == "Mine.")


def test_two_tabs_of_one_agent_have_one_draft(desk: Desk, page: Page, context: BrowserContext, papers: Papers) -> None:
    talk(desk)
    second = context.new_page()
    second.goto(desk.switch.url)
    expect(box(second, "Note")).to_have_value("Prefers e-mail.")
    papers.down = True
    box(page, "Note").fill("Of the first tab")
    expect(box(second, "Note")).to_have_value("Of the first tab")
    box(second, "Note").press_sequentially(", and the second")
    expect(box(page, "Note")).to_have_value("Of the first tab, and the second")
    papers.down = False
    eventually(lambda: papers.value("customer", "note") == "Of the first tab, and the second", within=15)
    for each in (page, second):
        expect(each.locator(".meanwhile")).to_have_count(0)


# An edit, the newest of its field, and what becomes of the edit: nothing, since it is there; based on another version;
# as it was. Whether it is contradicted then.
BECOMES = (
    ({"value": "b", "version": 1}, {"value": "a", "version": 1, "agent": "1001"}, "as it was", False),
    ({"value": "b", "version": 1}, {"value": "b", "version": 2, "agent": "1002"}, "nothing", False),
    ({"value": "b", "version": 1}, {"value": "c", "version": 2, "agent": "1002"}, "as it was", True),
    ({"value": "b", "version": 1}, {"value": "c", "version": 2, "agent": "1001"}, "as it was", True),
    ({"value": "bc", "version": 1, "sent": "b"}, {"value": "b", "version": 2, "agent": "1001"}, 2, False),
    ({"value": "bc", "version": 1, "sent": "b"}, {"value": "b", "version": 2, "agent": "1002"}, "as it was", True),
    ({"value": "bc", "version": 1, "sent": "b"}, {"value": "c", "version": 3, "agent": "1001"}, "as it was", True),
    ({"value": "b", "version": 2}, {"value": "a", "version": 1, "agent": "1002"}, "as it was", False),
    ({"value": "a", "version": 2}, {"value": "a", "version": 1, "agent": "1001"}, "as it was", False),
    ({"value": "", "version": 0}, {"value": "", "version": 0, "agent": ""}, "nothing", False),
)
RECONCILE = """async ([edit, newest]) => {
  const { contradicts, reconciled } = await import('/static/drafts.js');
  const now = reconciled(edit, newest, '1001');
  const becomes = now === null ? 'nothing' : now === edit ? 'as it was' : now.version;
  return [becomes, now !== null && contradicts(now, newest)];
}"""


def test_what_becomes_of_an_edit_when_the_newest_is_known(desk: Desk, page: Page) -> None:
    for edit, newest, becomes, contradicted in BECOMES:
        assert page.evaluate(RECONCILE, [edit, newest]) == [becomes, contradicted], (edit, newest)


# --- tags and tickets -----------------------------------------------------------------------------------------------


def test_tags_by_the_keyboard_alone(desk: Desk, page: Page, papers: Papers) -> None:
    talk(desk)
    field = page.get_by_role("combobox", name="Add tag")
    field.focus()
    page.keyboard.type("newsletter")
    page.keyboard.press("Enter")
    page.keyboard.type(" complaint，vip, half")
    tags = page.get_by_role("list", name="Tags").get_by_role("listitem")
    expect(tags).to_have_text(["vip", "newsletter", "complaint"])
    page.keyboard.press("Shift+Tab")
    eventually(lambda: papers.tags == ["vip", "newsletter", "complaint", "half"])
    page.keyboard.press("Enter")
    expect(tags).to_have_count(3)
    is_saved(page)
    assert len(papers.tags) == 3
    expect(field).to_be_focused()


def test_a_ticket_is_opened_once_however_often_it_is_clicked(desk: Desk, page: Page, papers: Papers) -> None:
    talk(desk)
    tab(page, "Tickets").click()
    form = page.get_by_role("form", name="New ticket")
    form.get_by_role("textbox", name="Title").fill("Refund")
    form.get_by_role("textbox", name="Text").fill("Of booking 4711")
    tab(page, "Customer").click()
    page.reload()
    tab(page, "Tickets").click()
    papers.lose = True
    form.get_by_role("button", name="Open ticket").dblclick()
    expect(page.get_by_text("“Refund” is being opened…")).to_be_visible()
    page.wait_for_timeout(1200)  # it is tried again
    papers.lose = False
    ticket = page.get_by_role("list", name="Tickets").get_by_role("listitem", name="Refund")
    expect(ticket).to_have_count(1)
    expect(ticket.get_by_role("textbox", name="Text")).to_have_value("Of booking 4711")
    expect(ticket).to_contain_text("Opened by Lin")
    ticket.get_by_role("combobox", name="Status").select_option("Done")
    is_saved(page)
    assert len(papers.tickets) == 1
    assert papers.value("ticket", papers.tickets[0]["ticket"], "status") == "done"


def test_a_ticket_keeps_its_title_until_there_is_another(desk: Desk, page: Page, papers: Papers) -> None:
    papers.open("k1", "Refund")
    talk(desk)
    tab(page, "Tickets").click()
    ticket = page.get_by_role("list", name="Tickets").get_by_role("listitem")
    title = ticket.get_by_role("textbox", name="Title")
    title.fill("")
    title.blur()
    expect(ticket.get_by_role("alert")).to_have_text("A ticket has a title; it is saved when there is one.")
    expect(saved(page)).to_have_text("Not saved: something is not complete")
    assert papers.value("ticket", "t-k1", "title") == "Refund"
    title.fill("Refund of 4711")
    is_saved(page)
    assert papers.value("ticket", "t-k1", "title") == "Refund of 4711"
    assert "" not in [one["edit"]["value"] for one in papers.posted]


def test_half_a_ticket_waits_beside_the_next_call(desk: Desk, page: Page, papers: Papers) -> None:
    """... and is of the call in which it was written; how many are not done is told at the tab."""
    talk(desk)
    count = tab(page, "Tickets").locator(".count")
    expect(count).to_have_count(0)
    tab(page, "Tickets").click()
    page.get_by_role("form").get_by_role("textbox", name="Title").fill("Refund")
    desk.button("Hang up").click()
    desk.button("Start answering").click()
    desk.is_in("idle")
    page.reload()
    desk.switch.offer(call="c2")
    other = page.get_by_role("region", name="Of an earlier call")
    words = "New ticket of the call with +86 138 0013 8000 is not saved."
    expect(other).to_contain_text(words, timeout=10_000)  # the page before it has to be known to be gone
    other.get_by_role("button", name="Open ticket").click()
    expect(other).to_have_count(0)
    eventually(lambda: len(papers.tickets) == 1)
    assert papers.tickets[0]["call"] == "c1"
    desk.switch.push("paper.changed", call="c2")
    expect(count).to_have_text("1")


# --- who may not, and what is past ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "days"), [("en", ["Mon 24 Nov 2025", "Mon 23 Nov"]), ("zh", ["2025年11月24日周一", "11月23日周一"])]
)
def test_a_call_of_another_year_says_so(page: Page, switch: Switch, language: str, days: list[str]) -> None:
    """The calls of a customer before go back as far as there are any."""
    page.goto(f"{switch.url}/?lang={language}")
    noon = "(year, day) => Date.UTC(year, 10, day, 12) / 1000"
    told = f"""async () => {{
      const {{ dayName }} = await import('/static/i18n.js');
      const noon = {noon};
      const now = noon(2026, 27);
      return [noon(2025, 24), noon(2026, 23)].map((at) => dayName(at, now).replaceAll(',', ''));
    }}"""
    assert page.evaluate(told) == days


def test_what_is_not_there_and_not_allowed_is_said_in_words(desk: Desk, page: Page, papers: Papers) -> None:
    papers.status = {"c1": "403 Forbidden", "c2": "404 Not Found"}
    for name, words in (("c1", "your role does not show its customer"), ("c2", "This call has no customer.")):
        desk.switch.offer(call=name)
        expect(page.get_by_role("tabpanel", name="Customer")).to_contain_text(words)
        desk.switch.withdraw("caller left")


def test_the_details_of_a_past_call_show_its_summaries_and_tags(page: Page, switch: Switch, papers: Papers) -> None:
    switch.role = "supervisor"
    switch.kept.add(call("c1", at(0.02)))
    for who in (LIN, MAYA):
        papers.write(("summary", "c1", who["agent"]), f"By {who['name']}.", who)
    Desk(page, switch).log_in()
    page.locator("[data-call=c1]").click()
    past = page.get_by_role("region", name="Customer")
    expect(past).to_contain_text("Wang Xiaoming")
    expect(past.get_by_role("list", name="Tags")).to_have_text("vip")
    expect(past.locator(".summary")).to_have_count(2)
    expect(past).to_contain_text("By Lin.")
    expect(past.get_by_role("textbox")).to_have_count(0)


def test_chinese_has_the_guide_s_words(page: Page, switch: Switch, papers: Papers) -> None:
    desk = Desk(page, switch, CHINESE)
    desk.sign_in()
    talk_in_chinese = ("姓名", "公司", "邮箱", "地址", "备注", "服务小结")
    desk.answer()
    expect(box(page, "服务小结")).to_be_editable()
    for name in talk_in_chinese:
        expect(box(page, name)).to_be_visible()
    expect(page.get_by_role("combobox", name="添加标签")).to_be_visible()
    expect(tab(page, "客户资料")).to_have_attribute("aria-selected", "true")
    papers.open("k1", "退款")
    tab(page, "工单").click()
    switch.push("paper.changed", call="c1")
    expect(page.get_by_role("button", name="新建工单")).to_be_visible()
    status = page.get_by_role("listitem", name="退款").get_by_role("combobox", name="状态")
    expect(status.locator("option")).to_have_text(["待处理", "等待中", "已完成"])


def test_what_is_refused_is_said_in_chinese(page: Page, switch: Switch, papers: Papers) -> None:
    """... and not as the switch has it for who reads its answers."""
    desk = Desk(page, switch, CHINESE)
    papers.tags = [f"tag {n}" for n in range(20)]
    desk.sign_in()
    desk.answer()
    field = page.get_by_role("combobox", name="添加标签")
    with refusing(page, 400, "bad_request", "The request cannot be read. tag: is one too many: a customer has 20."):
        field.fill("vip")
        field.press("Enter")
        expect(page.get_by_text("每位客户最多 20 个标签。")).to_be_visible()
    with refusing(page, 403, "not_allowed", "Your role does not allow it."):
        box(page, "备注").fill("nothing")
        expect(page.get_by_role("alert").filter(has_text="您不能再填写此通话的资料。")).to_be_visible()
    expect(saved(page)).to_have_text("未保存：内容未被接受")


@contextmanager
def refusing(page: Page, status: int, code: str, text: str) -> Iterator[None]:
    """Of what is posted meanwhile."""

    def refuse(route: Route) -> None:
        if route.request.method == "GET":
            route.continue_()
        else:
            route.fulfill(status=status, json={"error": {"code": code, "text": text}})

    page.route("**/paper", refuse)
    yield
    page.unroute("**/paper", refuse)
