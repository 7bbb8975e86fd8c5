"""What the page says of two agents and a customer: aloud as it happens, and in the record afterwards."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.page.callbook import opened
from tests.page.kept import LIN, MAYA, at, call, noon_zone, offer
from tests.page.scripted import Switch
from tests.page.test_second import is_line, stands
from tests.page.test_workbench import CHINESE, ENGLISH, Desk, Names

pytestmark = pytest.mark.peer("chromium")

# --- what is said of them -------------------------------------------------------------------------------------------

SAID = {
    ENGLISH.agent: {
        "music": "The customer is on hold and hears music.",
        "apart": "You are on hold: Wang talks to the customer.",
        "together": "You are no longer on hold.",
        "heard": "The customer hears you.",
        "back": "The customer is no longer on hold.",
        "in": "Wang is in the call.",
        "gone": "Wang is no longer in the call.",
        "unasked": "It no longer rings at Wang.",
        "hung up": "Wang hung up.",
        "silent": "You cannot hear the customer.",
    },
    CHINESE.agent: {
        "music": "客户已保持，正在听等待音。",
        "apart": "您已被保持，Wang 正在与客户通话。",
        "together": "您已结束保持。",
        "heard": "客户可以听到您说话。",
        "back": "客户已结束保持。",
        "in": "Wang 已加入通话。",
        "gone": "Wang 已不在通话中。",
        "unasked": "已停止呼叫 Wang。",
        "hung up": "Wang 已挂断。",
        "silent": "您听不到客户的声音。",
    },
}
BOTH = pytest.mark.parametrize("names", [ENGLISH, pytest.param(CHINESE, marks=pytest.mark.long)], ids=["en", "zh"])


def spoken(page: Page) -> Locator:
    return page.locator("[aria-live=assertive]")


@BOTH
def test_one_who_is_consulted_is_told_with_whom_it_is(page: Page, switch: Switch, names: Names) -> None:
    said = SAID[names.agent]
    desk = Desk(page, switch, names)
    desk.sign_in()
    switch.offer(purpose="consult", by="1004", by_name="Wang")
    desk.button("Answer").click()
    is_line(page, "customer", "agent", "you")
    parties = switch.parties
    assert parties is not None
    parties.ask("consult", {"agent": "1001"}, {"1001": "Lin"})
    parties.answered()
    second = parties.second
    assert second is not None
    switch.push("call.parties", **parties.told)
    expect(spoken(page)).to_have_text(said["music"])
    for held, heard in ((True, said["apart"]), (False, f"{said['music']} {said['together']}")):
        parties.second = {**second, "held": held}
        parties.hold(not held)
        switch.push("call.parties", **parties.told)
        expect(spoken(page)).to_have_text(heard)
    parties.second = {**second, "purpose": "three_way"}
    parties.hold(False)
    switch.push("call.parties", **parties.told)
    expect(spoken(page)).to_have_text(said["heard"])


@BOTH
def test_the_one_who_is_gone_is_said_to_be_and_in_the_language_of_the_page(
    page: Page, switch: Switch, names: Names
) -> None:
    said, other = SAID[names.agent], SAID[(CHINESE if names is ENGLISH else ENGLISH).agent]
    switch.colleagues = [stands("1004", "Wang")]
    desk = Desk(page, switch, names)
    desk.sign_in()
    desk.answer()

    def invite() -> None:
        page.locator(".stage-acts .button.invite:enabled").click()
        page.locator(".chooser .people .button").click()
        is_line(page, "customer", "you", "second ringing")
        expect(page.locator(".chooser .people")).to_have_count(0)

    invite()
    page.keyboard.press("F9")
    expect(spoken(page)).to_have_text(said["unasked"])
    invite()
    switch.second_answers()
    expect(spoken(page)).to_have_text(said["in"])
    page.locator(".stage-acts .button.cancel:enabled").click()
    expect(spoken(page)).to_have_text(said["gone"])
    page.get_by_role("button", name="中文" if names is ENGLISH else "English").click()
    expect(spoken(page)).to_have_text(other["gone"])
    invite()
    switch.second_answers()
    switch.second_leaves("hung_up")  # which says why
    expect(page.locator(".parties li")).to_have_count(2)
    expect(spoken(page)).to_have_text(other["hung up"])


@BOTH
def test_nothing_is_missed_of_a_customer_on_hold_and_the_customer_hears_nobody_who_is_muted(
    page: Page, switch: Switch, names: Names
) -> None:
    said = SAID[names.agent]
    desk = Desk(page, switch, names)
    desk.sign_in()
    desk.answer()
    bar = page.locator(".sound-bar")

    def press(act: str) -> None:
        page.locator(f".stage-acts .button.{act}:enabled").click()

    switch.sound(caller_heard=False)
    expect(bar).to_contain_text(said["silent"])
    press("hold")
    expect(spoken(page)).to_have_text(said["music"])
    expect(bar).to_have_count(0)
    switch.sound(agent_hears=False, caller_heard=False)
    expect(bar).to_have_attribute("data-sound", "agent_deaf")
    switch.sound(caller_heard=False)
    press("retrieve")
    expect(spoken(page)).to_contain_text(said["silent"])
    expect(bar).to_contain_text(said["silent"])
    press("hold")
    expect(spoken(page)).to_have_text(said["music"])
    switch.sound()  # it comes again, and nobody had been told otherwise
    desk.button("Mute").click()
    expect(desk.button("Unmute")).to_be_enabled()
    press("retrieve")
    expect(spoken(page)).to_have_text(said["back"])
    press("hold")
    expect(spoken(page)).to_have_text(said["music"])
    desk.button("Unmute").click()
    expect(desk.button("Mute")).to_be_enabled()
    press("retrieve")
    expect(spoken(page)).to_have_text(said["heard"])


# --- the record -------------------------------------------------------------------------------------------------------


def test_the_record_tells_who_was_asked_and_to_whom_the_call_was_given(page: Page, switch: Switch) -> None:
    switch.time_zone = noon_zone()
    began = at(0.1)
    wang = {"agent": "1004", "name": "Wang"}
    made = call("c1", began)
    made["offers"] += [
        {**offer(MAYA, began + 30, "answered", began + 34, began + 50), "purpose": "consult"},
        {**offer(wang, began + 54, "returned", began + 57), "purpose": "three_way"},
        {**offer(wang, began + 60, "missed", began + 65), "purpose": "transfer"},
        {**offer(LIN, began + 65, "answered", began + 67, began + 80), "purpose": "returned"},
    ]
    made["legs"][-1]["ended"] = began + 60  # which is told by the giving
    made["legs"].append({"party": "1002", "name": "Maya", "began": began + 34, "ended": began + 50})
    outside = {"party": "outside", "name": "", "began": began + 52, "ended": began + 58, "to": "+862155502000"}
    made["legs"].append(outside)
    made["legs"].append({"party": "1001", "name": "Lin", "began": began + 67, "ended": began + 85})
    gone = {"kind": "agent", "by": "1001", "at": began + 60, "agent": "1004", "queue": "", "to": "", "why": "no_answer"}
    gone["queue_name"] = ""
    made["transfers"].append({**gone, "outcome": "returned"})
    switch.kept.add(made)
    Desk(page, switch).log_in()
    steps = opened(page).locator(".course li span")
    expect(steps.last).to_be_visible()
    assert steps.all_inner_texts() == [
        "The call came in for +86 10 5550 1000 and waited for Support.",
        "It rang at you.",
        "You and the customer were connected.",
        "Maya was asked for advice.",
        "Maya answered.",
        "Maya left; the call went on without them.",
        "+86 21 5550 2000 answered.",
        "Wang was invited to the call.",
        "It no longer rang at Wang.",
        "+86 21 5550 2000 left; the call went on without them.",
        "You handed the call to Wang.",
        "Nobody took it there: Your colleague did not answer.",
        "It rang at you again.",
        "You and the customer were connected.",
    ]


YOU = {
    ENGLISH.agent: (
        "You were asked for advice.",
        "You answered.",
        "You left; the call went on without you.",
        "You were invited to the call.",
    ),
    CHINESE.agent: (
        "同事向您咨询。",
        "您已接听。",
        "您中途离开，通话继续进行。",
        "同事邀请您加入通话。",
    ),
}


@pytest.mark.parametrize("names", [ENGLISH, pytest.param(CHINESE, marks=pytest.mark.long)], ids=["en", "zh"])
def test_who_was_asked_reads_of_itself_as_one_speaks_to_it(page: Page, switch: Switch, names: Names) -> None:
    switch.time_zone = noon_zone()
    began = at(0.1)
    offers = [
        offer(MAYA, began + 12, "answered", began + 20, began + 85),
        {**offer(LIN, began + 30, "answered", began + 34, began + 50), "purpose": "consult"},
        {**offer(LIN, began + 60, "missed", began + 65), "purpose": "three_way"},
    ]
    legs = [
        {"party": "caller", "name": "", "began": began, "ended": began + 85},
        {"party": "1002", "name": "Maya", "began": began + 20, "ended": began + 85},
        {"party": "1001", "name": "Lin", "began": began + 34, "ended": began + 50},
    ]
    switch.kept.add(call("c1", began, offers=offers, legs=legs))
    Desk(page, switch, names).log_in()
    page.locator("[data-call=c1]").click()
    steps = page.locator(".course li span")
    expect(steps.last).to_be_visible()
    assert steps.all_inner_texts()[3:7] == list(YOU[names.agent])


GIVEN = {
    ENGLISH.agent: (
        "It rang at 林晓.",
        "林晓 and the customer were connected.",
        "林晓 handed the call to the queue Bookings.",
        "It rang at Maya.",
    ),
    CHINESE.agent: ("向林晓振铃。", "林晓与客户接通。", "林晓将通话转接到技能组“Bookings”。", "向 Maya 振铃。"),
}


@pytest.mark.parametrize("names", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_a_queue_is_told_by_its_name_and_chinese_stands_apart_from_latin_names_alone(
    page: Page, switch: Switch, names: Names
) -> None:
    switch.time_zone = noon_zone()
    began = at(0.1)
    xiao = {"agent": "1004", "name": "林晓"}
    given = {"kind": "queue", "by": "1004", "at": began + 40, "agent": "", "queue": "q7", "queue_name": "Bookings"}
    legs = [
        {"party": "caller", "name": "", "began": began, "ended": began + 85},
        {"party": "1004", "name": "林晓", "began": began + 20, "ended": began + 40},
    ]
    offers = [
        offer(xiao, began + 12, "answered", began + 20, began + 40),
        offer(MAYA, began + 41, "missed", began + 60),
        offer(LIN, began + 60, "missed", began + 85),
    ]
    transfers = [{**given, "to": "", "outcome": "queued", "why": "", "cause": ""}]
    switch.kept.add(call("c1", began, offers=offers, legs=legs, transfers=transfers))
    Desk(page, switch, names).log_in()
    page.locator("[data-call=c1]").click()
    steps = page.locator(".course li span")
    expect(steps.last).to_be_visible()
    assert steps.all_inner_texts()[1:5] == list(GIVEN[names.agent])
