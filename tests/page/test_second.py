"""Two agents and a customer, or an outside number: consulting, transferring and three-way calls at the page."""

from __future__ import annotations

import time

import pytest
from attrs import fields
from cordboard.actors.page import Consult, Invite, Transfer
from playwright.sync_api import Locator, Page, expect

from tests.page.scripted import Message, Switch, eventually
from tests.page.test_workbench import CHINESE, ENGLISH, Desk, Names

pytestmark = pytest.mark.peer("chromium")

ACTS = {
    ENGLISH.agent: ("Consult", "Swap", "Merge", "Cancel", "Three-way", "Hold", "Retrieve"),
    CHINESE.agent: (
        "咨询转接",
        "切换",
        "合并通话",
        "取消转接",
        "完成转接",
        "直接转接",
        "三方通话",
        "通话保持",
        "通话取回",
    ),
}


def stands(agent: str, name: str, state: str = "idle", *, mobile: bool = False, ago: float = 60) -> Message:
    return {"agent": agent, "name": name, "state": state, "reason": "", "since": time.time() - ago, "mobile": mobile}


@pytest.fixture
def desk(page: Page, switch: Switch) -> Desk:
    switch.colleagues = [
        stands("1001", "Lin", mobile=True),
        stands("1002", "Maya", mobile=True),
        stands("1003", "Chen", "talking"),
        stands("1004", "Wang"),
        stands("1005", "Ada", "signed_out", mobile=True),
    ]
    return Desk(page, switch)


def in_call(desk: Desk) -> None:
    desk.sign_in()
    desk.answer()
    act(desk.page, "Consult")


def act(page: Page, name: str) -> Locator:
    """The button of an act, which can be done."""
    button = page.get_by_role("group", name="What to do with the call").get_by_role("button", name=name, exact=True)
    expect(button).to_be_enabled()
    return button


def can(page: Page) -> list[str]:
    """What can be done with the call, when all buttons have stood for a moment."""
    expect(page.locator("[data-settling]")).to_have_count(0)
    return [text.strip() for text in page.locator(".stage-acts .button:enabled span").all_inner_texts()]


def line(page: Page) -> list[str]:
    """Who is in the call, and how they stand: "customer held", "you", "second ringing"."""
    at_once = "(all) => all.map(({ dataset }) => [dataset.who, dataset.stands])"  # one may go while we look
    found = page.locator(".parties li").evaluate_all(at_once)
    return [f"{who} {state}" if state != "talking" else who for who, state in found]


def is_line(page: Page, *expected: str) -> None:
    eventually(lambda: line(page) == list(expected))


def chooser(page: Page) -> Locator:
    """What is in the dialog, while it is open."""
    return page.locator(".chooser")


def is_closed(page: Page) -> None:
    expect(chooser(page).get_by_role("tablist")).to_have_count(0)


def row(page: Page, name: str) -> Locator:
    people = chooser(page).get_by_role("list", name="Colleagues")
    return people.get_by_role("listitem").filter(has_text=name)


def ask(page: Page, button: str, name: str) -> None:
    act(page, button).click()
    row(page, name).first.get_by_role("button").click()
    is_closed(page)


# Clicks a button, and again at that place as soon as another one stands there: the second half of a double click.
TWICE = """async (button) => {
  const { x, y, width, height } = button.getBoundingClientRect();
  const there = () => document.elementFromPoint(x + width / 2, y + height / 2)?.closest('button');
  const name = button.innerText;
  button.click();
  const stays = () => !there() || there().innerText === name;
  for (let n = 0; n < 300 && stays(); n++) await new Promise(requestAnimationFrame);
  const then = there();
  then?.click();
  return then?.innerText ?? '';
}"""


def asked(switch: Switch) -> list[Message]:
    """The commands about the call, without their ids."""
    ours = [one for one in switch.asked if one["do"].startswith("call.") and one["do"] != "call.answer"]
    return [{key: value for key, value in one.items() if key not in ("id", "at", "call")} for one in ours]


# --- put through by the other side --------------------------------------------------------------------------------


def test_the_other_side_puts_the_call_through(desk: Desk, page: Page, switch: Switch) -> None:
    """... to another number, which rings and then has its place; or does not, and the agent keeps who is there."""
    in_call(desk)
    assert switch.parties is not None
    switch.parties.refer("+8613800138001")
    switch.push("call.parties", **switch.parties.told)
    is_line(page, "customer leaving", "you", "second ringing")
    assert can(page) == ["Cancel"]
    expect(page.locator(".mode")).to_have_text("Put through")
    switch.parties.put_through()
    switch.push("call.parties", **switch.parties.told)
    is_line(page, "customer", "you")
    expect(page.locator(".parties [data-who=customer]")).to_contain_text("+86 138 0013 8001")
    expect(page.get_by_text("You are talking to +86 138 0013 8001 now.").first).to_be_attached()
    act(page, "Hold")
    switch.parties.refer("+8613800138002")
    switch.push("call.parties", **switch.parties.told)
    act(page, "Cancel").click()
    is_line(page, "customer", "you")
    assert asked(switch)[-1] == {"do": "call.cancel"}


# --- consulting -------------------------------------------------------------------------------------------------------


def test_a_colleague_is_consulted_by_keyboard_alone_and_gets_the_call(desk: Desk, page: Page, switch: Switch) -> None:
    in_call(desk)
    page.keyboard.press("F6")
    expect(page.get_by_role("searchbox")).to_be_focused()
    for key in ("F7", "F4", "F8"):  # the dialog has the keys, but for the one of the agent's own voice
        page.keyboard.press(key)
    expect(page.locator(".muted-bar")).to_be_attached()
    page.keyboard.press("F8")
    expect(page.locator(".muted-bar")).to_have_count(0)
    page.keyboard.type("wan")
    page.keyboard.press("Enter")
    is_line(page, "customer held", "you", "second ringing")
    expect(page.locator(".parties [data-who=second]")).to_contain_text("Wang")
    assert can(page) == ["Complete", "Cancel"]
    switch.second_answers()
    is_line(page, "customer held", "you", "second")
    assert can(page) == ["Swap", "Complete", "Cancel", "Merge"]
    page.keyboard.press("F7")
    is_line(page, "customer", "you", "second held")
    page.keyboard.press("F2")
    desk.is_in("after_call_work")
    expect(page.get_by_role("region", name="Call", exact=True)).to_contain_text("You handed the call over.")
    expected = ["call.mute", "call.unmute", "call.consult", "call.swap", "call.complete"]
    assert [one["do"] for one in asked(switch)] == expected
    assert {"do": "call.consult", "agent": "1004"} in asked(switch)


def test_a_key_goes_on_with_its_button_and_is_never_for_one_that_took_its_place(
    desk: Desk, page: Page, switch: Switch
) -> None:
    in_call(desk)
    act(page, "Hold").focus()
    for name in ("Retrieve", "Hold"):  # the same button: it takes the focus again as soon as it can be pressed
        page.keyboard.press("Space")
        expect(act(page, name)).to_be_focused()
    act(page, "Consult").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("wan")
    page.keyboard.press("Enter")
    is_closed(page)
    act(page, "Complete")  # where the focus was before the dialog
    expect(page.locator(".stage")).to_be_focused()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    is_line(page, "customer held", "you", "second ringing")
    act(page, "Cancel").focus()
    page.keyboard.press("Space")
    is_line(page, "customer", "you")
    act(page, "Transfer")
    expect(page.locator(".stage")).to_be_focused()
    page.keyboard.press("Space")
    page.keyboard.press("F7")  # what was pressed before has had its time
    is_line(page, "customer held", "you")
    is_closed(page)
    assert [one["do"] for one in asked(switch)] == [
        "call.hold",
        "call.retrieve",
        "call.consult",
        "call.cancel",
        "call.hold",
    ]


@pytest.mark.parametrize("names", [ENGLISH, pytest.param(CHINESE, marks=pytest.mark.long)], ids=["en", "zh"])
def test_every_state_is_drawn_again_after_a_reload(page: Page, switch: Switch, names: Names) -> None:
    consult, swap, merge, cancel, invite, hold, retrieve = ACTS[names.agent]
    switch.colleagues = [stands("1004", "Wang", mobile=True)]
    desk = Desk(page, switch, names)
    desk.sign_in()
    desk.answer()

    def press(name: str) -> None:
        page.locator(".stage-acts").get_by_role("button", name=name, exact=True).click()

    def first() -> None:
        page.locator(".chooser .people .button").first.click()
        expect(page.locator(".chooser .people")).to_have_count(0)

    def look(*expected: str) -> None:
        is_line(page, *expected)
        before = can(page)
        page.reload()
        is_line(page, *expected)
        expect(page.locator(".audio[data-media=connected]")).to_be_visible()
        assert can(page) == before

    press(consult)
    first()
    look("customer held", "you", "second ringing")
    switch.second_answers(early=True)
    look("customer held", "you", "second early")
    switch.second_answers()
    look("customer held", "you", "second")
    press(swap)
    look("customer", "you", "second held")
    press(merge)
    look("customer", "you", "second")
    press(hold)
    look("customer held", "you", "second")
    press(retrieve)
    press(cancel)
    is_line(page, "customer", "you")
    press(invite)
    first()
    look("customer", "you", "second ringing")
    switch.end()
    desk.is_in("after_call_work")


def test_two_clicks_on_complete_or_cancel_are_one_act(desk: Desk, page: Page, switch: Switch) -> None:
    in_call(desk)
    for name, then, follows in (("Cancel", "talking", "Transfer"), ("Complete", "after_call_work", "Start answering")):
        ask(page, "Consult", "Wang")
        assert follows in act(page, name).evaluate(TWICE)
        is_closed(page)
        desk.is_in(then)
    assert [one["do"] for one in asked(switch)] == ["call.consult", "call.cancel", "call.consult", "call.complete"]


def test_why_nobody_joined_stays_until_it_is_dismissed_or_somebody_else_is_asked(
    desk: Desk, page: Page, switch: Switch
) -> None:
    in_call(desk)
    told = page.get_by_role("status", name="Why nobody joined")
    ask(page, "Consult", "Wang")
    switch.second_leaves("declined")
    expect(told).to_contain_text("Wang declined. The customer is still on hold.")
    assert can(page) == ["Retrieve", "Consult", "Transfer", "Survey"]
    switch.push("queue.status", queue="q", name="Q", waiting=0, oldest_since=None, agents_idle=0, message_at=None)
    expect(told).to_be_visible()
    ask(page, "Consult", "Maya")
    expect(told).to_have_count(0)
    switch.second_answers()
    switch.second_leaves("hung_up")
    expect(told).to_contain_text("Maya hung up.")
    told.get_by_role("button", name="Dismiss").click()
    expect(told).to_have_count(0)
    act(page, "Retrieve").click()
    is_line(page, "customer", "you")


def test_an_outside_number_by_the_keypad_and_its_failure_in_words(desk: Desk, page: Page, switch: Switch) -> None:
    in_call(desk)
    act(page, "Consult").click()
    page.get_by_role("tab", name="Outside number").click()
    dialog = chooser(page)
    field = dialog.get_by_label("Outside number", exact=True).and_(dialog.locator("input"))
    expect(field).to_be_focused()
    for key in "1109":
        dialog.get_by_role("group", name="Keypad").get_by_role("button", name=key, exact=True).click()
    dialog.get_by_role("button", name="Delete the last digit").click()
    expect(field).to_have_value("110")
    field.press("Enter")
    is_line(page, "customer held", "you", "second ringing")
    switch.second_leaves("line_busy", 486)
    told = page.get_by_role("status", name="Why nobody joined")
    expect(told).to_contain_text("110: The line is busy. (SIP 486) The customer is still on hold.")
    assert asked(switch) == [{"do": "call.consult", "number": "110"}]


def test_the_switch_takes_every_target_that_the_page_names() -> None:
    for command in (Consult, Invite, Transfer):
        assert {"agent", "mobile", "number"} <= {each.name for each in fields(command)}
    assert "queue" in {each.name for each in fields(Transfer)}


# --- whom to ask ------------------------------------------------------------------------------------------------------


def test_the_list_is_live_and_nobody_moves_in_it(desk: Desk, page: Page, switch: Switch) -> None:
    in_call(desk)
    act(page, "Transfer").click()
    rows = chooser(page).get_by_role("list", name="Colleagues").get_by_role("listitem")
    names = page.locator(".chooser .person")
    expect(rows).to_have_count(4)
    words = ["Maya", "Wang", "Ada on the mobile", "Maya on the mobile"]  # not Lin, who asks, nor Chen, who talks
    assert [" ".join(text.split()) for text in names.all_inner_texts()] == words
    switch.stand(stands("1004", "Wang", "ringing"), stands("1003", "Chen"), stands("1006", "Bo", "break"))
    expect(rows).to_have_count(5)
    assert [" ".join(text.split()) for text in names.all_inner_texts()] == [*words, "Chen"]
    expect(rows.nth(1)).to_contain_text("Ringing")
    expect(rows.nth(1).get_by_role("button", name="Transfer")).to_be_disabled()
    page.get_by_role("searchbox").fill("100")  # sorted anew
    assert [" ".join(text.split()) for text in names.all_inner_texts()] == ["Chen", "Maya", *words[2:]]
    page.get_by_role("searchbox").press("ArrowDown")
    expect(rows.nth(0).get_by_role("button", name="Transfer")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(rows.nth(2).get_by_role("button", name="Transfer")).to_be_focused()
    page.keyboard.press("Enter")
    desk.is_in("after_call_work")
    assert asked(switch) == [{"do": "call.transfer", "agent": "1005", "mobile": True}]


def test_a_target_that_has_just_left_is_told_and_the_customer_hears_nothing_of_it(
    desk: Desk, page: Page, switch: Switch
) -> None:
    in_call(desk)
    switch.refuse["call.consult"] = "agent_not_idle"
    act(page, "Consult").click()
    row(page, "Wang").get_by_role("button").click()
    dialog = chooser(page)
    expect(dialog.get_by_role("alert")).to_contain_text("This colleague is no longer idle. The call has not changed.")
    switch.refuse.clear()
    row(page, "Maya").first.get_by_role("button").click()
    is_closed(page)
    is_line(page, "customer held", "you", "second ringing")


def test_two_clicks_transfer_once_and_end_no_paperwork(desk: Desk, page: Page, switch: Switch) -> None:
    in_call(desk)
    act(page, "Transfer").click()
    page.get_by_role("tab", name="Queues").click()
    queue = page.get_by_role("list", name="Queues").get_by_role("listitem").filter(has_text="Bookings")
    queue.get_by_role("button", name="Transfer").dblclick()
    desk.is_in("after_call_work")
    is_closed(page)
    expect(desk.button("Start answering")).to_be_enabled()
    assert asked(switch) == [{"do": "call.transfer", "queue": "bookings"}]


def test_a_customer_who_leaves_closes_the_choice(desk: Desk, page: Page, switch: Switch) -> None:
    in_call(desk)
    act(page, "Three-way").click()
    expect(chooser(page).get_by_role("tablist")).to_be_visible()
    switch.end()
    desk.is_in("after_call_work")
    is_closed(page)
    assert asked(switch) == []


# --- the one who is asked ---------------------------------------------------------------------------------------------


def test_one_who_is_consulted_controls_nothing_until_it_has_the_call(desk: Desk, page: Page, switch: Switch) -> None:
    desk.sign_in()
    switch.offer(purpose="consult", by="1004", by_name="Wang")
    stage = page.get_by_role("region", name="Call", exact=True)
    expect(stage).to_contain_text("Wang asks you")
    expect(stage).to_contain_text("Wang wants to talk to you about this customer, who is on hold.")
    desk.button("Answer").click()
    is_line(page, "customer", "agent", "you")
    desk.has_just("Mute", "Hang up")
    expect(page.get_by_role("button", name="Keypad")).to_be_enabled()
    assert can(page) == []
    page.keyboard.press("F7")
    page.reload()
    is_line(page, "customer", "agent", "you")
    expect(page.locator(".audio[data-media=connected]")).to_be_visible()
    assert can(page) == []
    switch.become_the_agent()
    is_line(page, "customer", "you")
    assert can(page) == ["Hold", "Consult", "Transfer", "Three-way", "Survey"]
    assert asked(switch) == []
    switch.end("agent", "the other agent ended it")
    expect(stage).to_contain_text("Your colleague let you go.")


def test_a_long_name_and_a_quality_that_is_not_known_push_nothing_out_of_the_stage(
    desk: Desk, page: Page, switch: Switch
) -> None:
    desk.sign_in()
    switch.offer(purpose="consult", by="1002", by_name="Maya Konstantinopoulou-Featherstonehaugh")
    desk.button("Answer").click()
    expect(page.get_by_role("button", name="Measuring…")).to_be_visible()
    stage = page.locator(".stage").bounding_box()
    assert stage is not None
    for one in (desk.button("Hang up"), page.locator("#quality"), page.get_by_role("timer", name="Call time")):
        box = one.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= stage["x"] + stage["width"] - 16
        assert box["width"] > 30


def test_every_offer_says_what_it_is_for(desk: Desk, page: Page, switch: Switch) -> None:
    desk.sign_in()
    stage = page.get_by_role("region", name="Call", exact=True)
    spoken = page.locator("[aria-live=assertive]")
    for purpose, title, text in (
        ("transfer", "Transfer from Wang", "Wang hands this customer over to you."),
        ("three_way", "Wang invites you", "Wang and the customer are talking; you join them."),
        ("returned", "Back to you", "Your transfer to Wang did not succeed: The line is busy. (SIP 486)"),
    ):
        why, status = ("line_busy", 486) if purpose == "returned" else ("", 0)
        switch.offer(call=purpose, purpose=purpose, by="1004", by_name="Wang", why=why, status=status)
        expect(stage).to_contain_text(title)
        expect(stage).to_contain_text(text)
        expect(spoken).to_have_text(f"{title}: +86 138 0013 8000")
        switch.withdraw("caller left")
        desk.is_in("idle")
