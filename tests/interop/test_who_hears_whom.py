"""Who hears whom, whatever an agent does with a call: before it, on the way, and after it, at every ear (`ears.py`).

Where each of it is shown with real peers, and with a reload of the page (R); what takes longer runs with `--long`.

| what | where |
| --- | --- |
| hold, retrieve, mute (R); keys in a call as the far side hears them | muted and held |
| consulting a colleague: while it rings (R of both), cancel, swap (R) | consulted, swapped and cancelled |
| ... who hangs up; complete (R) | who is consulted hangs up |
| three-way (R): the third, the agent, the customer leaves | of three each leaves |
| consulting a number (R): merge, it hangs up, complete; then keys both ways | a number is consulted |
| transfer to an agent, a queue, a number, a mobile (R) | a call is given away; whoever does not take it |
| ... to an agent, as it rings there, and where it came from (R of both) | a call given away rings on |
| three-way with a number (R): the agent, the customer leaves | of three with a number |
| a call out: early media (R), no answer (R), busy | what is heard before the answer; a number that rings |
| a survey (R): keys, right and wrong, and none; while dialling (R) | test_rating.py |
| ... by event, INFO and tone | test_survey.py |
| mobile answer (R), with 1; without (R) | a mobile has the call; has it not |
| no answer: the agent is on break, the call goes on | test_ringing.py |
| ringing, talking and paperwork through a reload, a crash, another computer | test_coming_back.py |
"""

from __future__ import annotations

import shutil

import pytest
from playwright.sync_api import expect

from .chromium import Agent
from .product import until
from .stage import (
    ANNOUNCED,
    AUTO,
    MUTE,
    RINGS,
    Stage,
    choose,
    choose_number,
    choose_queue,
    details,
    dial,
    kept_of,
    outside_listens,
    reload,
    stands,
    story,
)
from .test_sip import needs_sipp

# How long somebody who picked up a mobile has to press 1, and a page to say that nobody did.
CONFIRMS_MS = 35_000
pytestmark = [
    pytest.mark.peer("chromium"),
    pytest.mark.peer("baresip"),
    pytest.mark.skipif(shutil.which("baresip") is None, reason="baresip is not installed"),
    needs_sipp,
    pytest.mark.timeout(240),
]


def consults(on: Stage) -> None:
    """Lin asks Maya, who answers."""
    choose(on.lin, "Consult", "Maya")
    on.maya.is_("Ringing")
    on.room.hears(customer="music", lin="ringing", maya="")
    on.maya.answer()
    on.room.hears(customer="music", lin="maya", maya="lin")


# --- one customer -----------------------------------------------------------------------------------------------------


def test_muted_and_held_and_each_after_a_reload(on: Stage) -> None:
    lin, room = on.lin, on.room
    with story(on) as stack:
        customer = on.talks(stack)
        lin.click("Mute")
        room.hears(customer="", lin="customer")
        reload(lin)
        room.hears(customer="", lin="customer")
        lin.click("Unmute")
        room.hears(customer="lin", lin="customer")
        lin.click("Hold")
        room.hears(customer="music", lin="")
        reload(lin)
        stands(lin, "customer", "held")
        room.hears(customer="music", lin="")
        lin.click("Retrieve")
        room.hears(customer="lin", lin="customer")
        lin.click("Keypad")
        lin.page.keyboard.type("159*#0")
        until(lambda: len(customer.keys()) >= 6, 8, "six keys at the customer")
        assert customer.keys() == [(key, 800) for key in "159*#0"]
        lin.page.keyboard.press("Escape")
        lin.click("Hold")
        room.hears(customer="music", lin="")
        customer.hang_up()
        lin.is_("After-call work")
        room.hears(lin="", maya="")


# --- a colleague ------------------------------------------------------------------------------------------------------


def test_consulted_swapped_and_cancelled_with_a_reload_of_each(on: Stage) -> None:
    lin, maya, room = on.lin, on.maya, on.room
    with story(on) as stack:
        on.talks(stack)
        choose(lin, "Consult", "Maya")
        maya.is_("Ringing")
        reload(lin)
        room.hears(customer="music", lin="ringing", maya="")
        reload(maya, "Ringing")
        room.hears(customer="music", lin="ringing", maya="")
        maya.answer()
        room.hears(customer="music", lin="maya", maya="lin")
        reload(lin)
        room.hears(customer="music", lin="maya", maya="lin")
        reload(maya)
        room.hears(customer="music", lin="maya", maya="lin")
        lin.click("Swap")
        room.hears(customer="lin", lin="customer", maya="music")
        reload(lin)
        room.hears(customer="lin", lin="customer", maya="music")
        lin.click("Swap")
        room.hears(customer="music", lin="maya", maya="lin")
        lin.click("Cancel")
        room.hears(customer="lin", lin="customer", maya="")
        maya.is_("After-call work")


def test_who_is_consulted_hangs_up_and_then_has_the_call(on: Stage) -> None:
    lin, maya, room = on.lin, on.maya, on.room
    with story(on) as stack:
        customer = on.talks(stack)
        consults(on)
        maya.click("Hang up")
        room.hears(customer="music", lin="", maya="")
        expect(lin.page.get_by_role("status", name="Why nobody joined")).to_contain_text("Maya hung up.")
        lin.click("Retrieve")
        room.hears(customer="lin", lin="customer", maya="")
        maya.ready()
        consults(on)
        lin.click("Complete")
        lin.is_("After-call work")
        room.hears(customer="maya", lin="", maya="customer")
        reload(maya)
        room.hears(customer="maya", lin="", maya="customer")
        customer.hang_up()
        maya.is_("After-call work")


def test_of_three_each_leaves(on: Stage) -> None:
    lin, maya, room = on.lin, on.maya, on.room
    with story(on) as stack:
        customer = on.talks(stack)
        consults(on)
        lin.click("Merge")
        room.hears(customer="lin maya", lin="customer maya", maya="customer lin")
        reload(lin)
        room.hears(customer="lin maya", lin="customer maya", maya="customer lin")
        maya.click("Hang up")
        room.hears(customer="lin", lin="customer", maya="")
        maya.ready()
        choose(lin, "Three-way", "Maya")
        maya.is_("Ringing")
        room.hears(customer="lin", lin="customer", maya="")
        maya.answer()
        room.hears(customer="lin maya", lin="customer maya", maya="customer lin")
        lin.click("Hang up")
        lin.is_("After-call work")
        room.hears(customer="maya", lin="", maya="customer")
        lin.ready()
        choose(maya, "Three-way", "Lin")
        lin.is_("Ringing")
        lin.answer()
        room.hears(customer="lin maya", lin="customer maya", maya="customer lin")
        customer.hang_up()
        lin.is_("After-call work")
        maya.is_("After-call work")
        room.hears(lin="", maya="")


# --- somebody outside -------------------------------------------------------------------------------------------------


def test_a_number_is_consulted_and_left_with_the_customer(on: Stage) -> None:
    lin, room = on.lin, on.room
    with story(on) as stack:
        customer = on.talks(stack)
        outside_listens(on)
        choose_number(lin, "Consult", AUTO)
        room.hears(customer="music", lin="outside", outside="lin")
        reload(lin)
        room.hears(customer="music", lin="outside", outside="lin")
        lin.click("Merge")
        room.hears(customer="lin outside", lin="customer outside", outside="customer lin")
        on.telephone.hang_up()
        room.hears(customer="lin", lin="customer")
        outside_listens(on)
        choose_number(lin, "Consult", AUTO)
        room.hears(customer="music", lin="outside", outside="lin")
        lin.click("Complete")
        lin.is_("After-call work")
        room.hears(customer="outside", lin="", outside="customer")
        customer.press("5")
        on.telephone.key("7")
        until(lambda: customer.keys() == [("7", 800)], 10, "the key that was pressed outside")
        until(lambda: "received event: '5' (end=1)" in on.telephone.said, 10, "the key of the customer")
        customer.hang_up()
        until(lambda: "session closed" in on.telephone.said.rpartition("established")[2], 10, "the end outside")


@pytest.mark.long
@pytest.mark.parametrize("to", ["agent", "queue", "number", "mobile"])
def test_a_call_is_given_away_without_a_word(on: Stage, to: str) -> None:
    lin, maya, room = on.lin, on.maya, on.room
    with story(on) as stack:
        customer = on.talks(stack)
        outside_listens(on)
        if to == "agent":
            choose(lin, "Transfer", "Maya")
        elif to == "queue":
            choose_queue(lin, "Sales")
        elif to == "number":
            choose_number(lin, "Transfer", AUTO)
        else:
            choose(lin, "Transfer", "Chen", mobile=True)
        lin.is_("After-call work")
        reload(lin, "After-call work")
        if to in ("agent", "queue"):
            maya.is_("Ringing")
            room.hears(customer="ringing" if to == "agent" else "music", lin="", maya="")
            maya.answer()
            room.hears(customer="maya", lin="", maya="customer")
            customer.hang_up()
            maya.is_("After-call work")
            return
        if to == "mobile":
            until(lambda: "established" in on.telephone.said.rpartition("Incoming call")[2], 10, "the mobile's answer")
            room.hears(customer="ringing", lin="")
            outside_listens(on)
            on.telephone.key("1")
        room.hears(customer="outside", lin="", outside="customer")
        on.telephone.hang_up()
        customer.ended()


@pytest.mark.parametrize("taken", [True, pytest.param(False, marks=pytest.mark.long)], ids=["taken", "declined"])
def test_a_call_given_away_rings_on_while_either_page_is_loaded_anew(on: Stage, taken: bool) -> None:
    """Whoever has it in the end: the customer hears it ring, and neither page hears anybody before somebody answers."""
    lin, maya, room = on.lin, on.maya, on.room
    with story(on) as stack:
        customer = on.talks(stack)
        choose(lin, "Transfer", "Maya")
        lin.is_("After-call work")
        maya.is_("Ringing")
        room.hears(customer="ringing", lin="", maya="")
        reload(lin, "After-call work")
        room.hears(customer="ringing", lin="", maya="")
        reload(maya, "Ringing")
        expect(maya.page.get_by_text("Transfer from Lin", exact=True)).to_be_visible()
        expect(maya.button("Answer")).to_be_enabled()
        room.hears(customer="ringing", lin="", maya="")
        if taken:
            maya.answer()
            room.hears(customer="maya", lin="", maya="customer")
            reload(lin, "After-call work")
            reload(maya)
            room.hears(customer="maya", lin="", maya="customer")
            customer.hang_up()
            maya.is_("After-call work")
        else:
            maya.click("Decline")
            lin.is_("Ringing")
            reload(lin, "Ringing")
            expect(lin.page.get_by_text("Back to you", exact=True)).to_be_visible()
            reload(maya, "Idle")
            room.hears(customer="ringing", lin="", maya="")
            lin.answer()
            room.hears(customer="lin", lin="customer", maya="")
            customer.hang_up()
            lin.is_("After-call work")
        room.hears(lin="", maya="")
        (transfer,) = kept_of(on, customer)["transfers"]
        fate = ("connected", "") if taken else ("returned", "declined")
        assert (transfer["by"], transfer["agent"], transfer["outcome"], transfer["why"]) == ("1001", "1002", *fate)


@pytest.mark.long
def test_whoever_does_not_take_it_leaves_it_to_the_first(on: Stage) -> None:
    lin, room = on.lin, on.room
    with story(on) as stack:
        on.talks(stack)
        choose_number(lin, "Transfer", RINGS)
        lin.is_("After-call work")
        until(lambda: "Incoming call" in on.telephone.said, 10, "the ringing outside")
        room.hears(customer="ringing", lin="")
        on.telephone.hang_up()  # declines it
        lin.is_("Ringing")
        expect(lin.page.get_by_text("Back to you", exact=True)).to_be_visible()
        lin.answer()
        room.hears(customer="lin", lin="customer")


@pytest.mark.long
def test_of_three_with_a_number_the_agent_or_the_customer_leaves(on: Stage) -> None:
    lin, room = on.lin, on.room
    for leaves in ("agent", "customer"):
        with story(on) as stack:
            customer = on.talks(stack)
            outside_listens(on)
            choose_number(lin, "Three-way", AUTO)
            room.hears(customer="lin outside", lin="customer outside", outside="customer lin")
            reload(lin)
            room.hears(customer="lin outside", lin="customer outside", outside="customer lin")
            if leaves == "agent":
                lin.click("Hang up")
                customer.ended()
            else:
                customer.hang_up()
            lin.is_("After-call work")
            until(lambda: "session closed" in on.telephone.said.rpartition("established")[2], 10, "the end outside")


# --- calls out --------------------------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.peer("sipp")
def test_what_is_heard_before_the_answer_and_after_it_through_a_reload(on: Stage) -> None:
    lin, room = on.lin, on.room
    with story(on):
        dial(on, ANNOUNCED)
        room.hears(lin="ringing")
        room.hears(lin="outside")
        said = lin.page.get_by_role("status", name="Outgoing call")
        expect(said).to_have_text("You hear the far side; it has not answered yet.")
        reload(lin)
        room.hears(lin="outside")
        expect(lin.button("Hold")).to_be_enabled()
        room.hears(lin="outside")
        lin.click("Hold")
        room.hears(lin="")
        lin.click("Retrieve")
        room.hears(lin="outside")
        lin.click("Hang up")
        lin.is_("After-call work")
        room.hears(lin="", maya="")


@pytest.mark.long
def test_who_could_be_heard_before_the_answer_and_sends_nothing_rings(on: Stage) -> None:
    """RFC 3960 §3.2."""
    lin = on.lin
    with story(on):
        dial(on, MUTE)
        on.room.hears(lin="ringing")
        until(lambda: "Set audio decoder" in on.telephone.said.rpartition("using AF")[2], 10, "the telephone's 183")
        on.room.hears(lin="ringing")
        expect(lin.page.get_by_role("status", name="Outgoing call")).to_have_text("It rings there.")
        lin.click("Hang up")
        lin.is_("Idle")


@pytest.mark.long
def test_a_number_that_rings_is_given_up_and_one_that_is_busy_says_so(on: Stage) -> None:
    lin = on.lin
    with story(on) as stack:
        dial(on, RINGS)
        on.room.hears(lin="ringing")
        reload(lin)
        lin.click("Hang up")
        lin.is_("Idle")
        on.talks(stack)
        choose_number(lin, "Consult", AUTO)
        on.room.hears(customer="music", lin="outside")
        on.maya.page.get_by_label("Number", exact=True).fill(AUTO)
        on.maya.click("Dial")
        expect(on.maya.page.get_by_text("The line is busy. (SIP 486)").first).to_be_visible()
        on.maya.is_("Idle")


# --- by mobile --------------------------------------------------------------------------------------------------------


def answers_by_mobile(agent: Agent) -> None:
    agent.click("Mobile answer")
    agent.page.locator("cb-mobile").get_by_label("Mobile number").fill(AUTO)
    agent.click("Confirm")
    agent.is_("Mobile answer")


@pytest.mark.long
def test_a_mobile_has_the_call_once_1_is_pressed_and_the_page_controls_it(on: Stage) -> None:
    lin, room = on.lin, on.room
    with story(on) as stack:
        answers_by_mobile(lin)
        on.calls_in(stack)
        lin.is_("Ringing")
        until(lambda: "established" in on.telephone.said.rpartition("Incoming call")[2], 10, "the mobile's answer")
        room.hears(customer="music")
        outside_listens(on)
        until(lambda: room.ears["outside"].hears(0).other.any(), 10, "the question at the mobile")
        on.telephone.key("1")
        lin.is_("Talking")
        room.hears(customer="outside", outside="customer")
        lin.page.reload()
        lin.is_("Talking")
        lin.click("Hold")
        room.hears(customer="music", outside="")
        lin.click("Retrieve")
        room.hears(customer="outside", outside="customer")
        lin.click("Hang up")
        lin.is_("After-call work")
        lin.click("Start answering")
        lin.is_("Idle")
        lin.until("cordboard.peer?.connectionState === 'connected'")


@pytest.mark.long
def test_a_mobile_where_nobody_presses_1_has_it_not_and_the_caller_waits_on(on: Stage) -> None:
    """A mailbox, say: it picks up, and speaks. Nobody hears it, and the page says why its agent is on break."""
    lin, room = on.lin, on.room
    with story(on) as stack:
        answers_by_mobile(lin)
        customer = on.calls_in(stack)
        lin.is_("Ringing")
        until(lambda: "established" in on.telephone.said.rpartition("Incoming call")[2], 10, "the mobile's answer")
        room.hears(customer="music")
        lin.page.reload()
        lin.is_("Ringing")
        expect(lin.page.locator(".stage")).to_contain_text("Press 1 there to take the call.")
        expect(lin.status).to_have_text("Break", timeout=CONFIRMS_MS)
        expect(lin.page.locator(".state")).to_contain_text("No answer")
        until(lambda: "session closed" in on.telephone.said.rpartition("established")[2], 10, "the end at the mobile")
        support = lin.page.get_by_role("table", name="Queues").get_by_role("row").filter(has_text="Support")
        expect(support.get_by_role("cell").first).to_have_text("1")
        assert customer.up
        room.hears(customer="music")
        customer.hang_up()
        expect(details(on, customer)).to_contain_text("You did not answer in time.")
        lin.click("All calls")
        lin.click("Sign in")
        lin.is_("Idle")
