"""What is typed of a customer is saved and stays, whatever happens to the page, the network and the login."""

from __future__ import annotations

import pytest
from playwright.sync_api import APIResponse, BrowserContext, Error, Page, Route, expect

from tests.page.papers import Papers
from tests.page.scripted import eventually
from tests.page.test_paper import EVIL, box, is_saved, saved, tab, talk
from tests.page.test_workbench import Desk

pytestmark = pytest.mark.peer("chromium")


def test_what_is_typed_is_saved_when_the_typing_pauses(desk: Desk, page: Page, papers: Papers) -> None:
    talk(desk)
    box(page, "Name").fill("Wang Daming")
    box(page, "Company").press_sequentially("Harbour")
    box(page, "E-mail").fill("wang@")
    box(page, "Address").fill("12 Quay\nHarbour")
    expect(saved(page)).to_have_text("Not saved: something is not complete")
    expect(page.get_by_role("alert").filter(has_text="name@example.com")).to_be_visible()
    box(page, "E-mail").fill("wang@harbour.example")
    is_saved(page)
    kept = {name: papers.value("customer", name) for name in ("name", "company", "email", "address")}
    assert kept == {
        "name": "Wang Daming",
        "company": "Harbour",
        "email": "wang@harbour.example",
        "address": "12 Quay\nHarbour",
    }
    assert "Harbo" not in [one["edit"]["value"] for one in papers.posted]


def test_what_is_typed_is_there_after_a_reload_without_waiting(desk: Desk, page: Page, papers: Papers) -> None:
    talk(desk)
    papers.down = True
    box(page, "Service summary").press_sequentially("not yet sen")
    page.reload()
    papers.down = False
    expect(box(page, "Service summary")).to_have_value("not yet sen")
    eventually(lambda: papers.value("summary", "c1", "1001") == "not yet sen", within=10)


def test_a_page_that_dies_without_a_network_loses_nothing(
    desk: Desk, page: Page, context: BrowserContext, papers: Papers
) -> None:
    talk(desk)
    desk.button("Hang up").click()
    desk.is_in("after_call_work")
    page.route("**/api/**", lambda route: route.abort())
    box(page, "Note").fill("Typed without a network.")
    expect(saved(page)).to_have_text("Not saved yet; trying again")
    with page.expect_event("crash"), pytest.raises(Error, match="crash"):
        page.goto("chrome://crash")
    again = context.new_page()
    again.goto(desk.switch.url)
    eventually(lambda: papers.value("customer", "note") == "Typed without a network.", within=15)
    expect(box(again, "Note")).to_have_value("Typed without a network.")


def test_an_answer_that_is_lost_is_no_conflict_with_oneself(desk: Desk, page: Page, papers: Papers) -> None:
    talk(desk)
    papers.lose = True
    box(page, "Note").fill("one")
    eventually(lambda: papers.value("customer", "note") == "one")
    expect(saved(page)).to_have_text("Not saved yet; trying again")
    papers.lose = False
    box(page, "Note").press_sequentially(" two")
    is_saved(page)
    assert papers.value("customer", "note") == "one two"
    expect(page.locator(".meanwhile")).to_have_count(0)


def test_what_is_refused_is_not_what_was_typed_on_meanwhile(desk: Desk, page: Page, papers: Papers) -> None:
    talk(desk)
    held: list[Route] = []
    page.route(
        "**/paper", lambda route: route.continue_() if held or route.request.method == "GET" else held.append(route)
    )
    with page.expect_request(lambda asked: asked.method == "POST" and asked.url.endswith("/paper")):
        box(page, "Note").fill("no")
    box(page, "Note").press_sequentially("thing")
    held[0].fulfill(status=400, json={"error": {"code": "bad_request", "text": "note: is no good."}})
    is_saved(page)
    assert papers.value("customer", "note") == "nothing"


def test_who_logs_out_leaves_nothing_in_the_browser_that_can_be_saved(desk: Desk, page: Page, papers: Papers) -> None:
    talk(desk)
    desk.button("Hang up").click()
    desk.is_in("after_call_work")
    papers.down = True
    box(page, "Note").fill("Typed at the end.")
    expect(saved(page)).to_have_text("Not saved yet; trying again")
    desk.button("Sign out").click()
    desk.is_in("signed_out")
    papers.down = False
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    assert papers.value("customer", "note") == "Typed at the end."
    assert "Typed at the end." not in page.evaluate("JSON.stringify(localStorage)")


def test_who_logs_out_before_all_is_saved_is_told_so(desk: Desk, page: Page, papers: Papers) -> None:
    talk(desk)
    desk.button("Hang up").click()
    desk.button("Sign out").click()
    desk.is_in("signed_out")
    papers.down = True
    box(page, "Note").fill("Typed at the end.")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("alert")).to_have_text(
        "Not all that you typed is saved. It is kept in this browser until you log in here again."
    )
    papers.down = False
    desk.log_in()
    eventually(lambda: papers.value("customer", "note") == "Typed at the end.", within=10)
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_text("")


def test_a_page_of_whom_another_has_logged_in_after_is_that_one_s(desk: Desk, page: Page, papers: Papers) -> None:
    """In another tab, while this one heard of nothing. What it had not sent is not sent as the other's."""
    talk(desk)
    desk.button("Hang up").click()
    desk.button("Sign out").click()
    desk.is_in("signed_out")
    desk.switch.agent, desk.switch.name, desk.switch.last = "1002", "Maya", None
    box(page, "Note").fill("Typed by Lin.")
    expect(saved(page)).to_have_text("Not saved yet; trying again")
    desk.switch.cut()
    desk.switch.down = False
    expect(page.get_by_role("banner")).to_contain_text("Maya")
    desk.is_in("signed_out")
    expect(page.get_by_role("textbox", name="Note")).to_have_count(0)
    page.wait_for_timeout(1500)  # it would have been tried again
    assert papers.value("customer", "note") == "Prefers e-mail."
    desk.switch.agent, desk.switch.name = "1001", "Lin"
    desk.switch.cut()
    desk.switch.down = False
    eventually(lambda: papers.value("customer", "note") == "Typed by Lin.", within=15)


def test_who_logs_out_as_an_edit_is_under_way_saves_what_was_typed_on(desk: Desk, page: Page, papers: Papers) -> None:
    talk(desk)
    desk.button("Hang up").click()
    desk.button("Sign out").click()
    desk.is_in("signed_out")
    held: list[tuple[Route, APIResponse]] = []
    page.route(
        "**/paper",
        lambda route: (
            route.continue_() if held or route.request.method == "GET" else held.append((route, route.fetch()))
        ),
    )
    with page.expect_request(lambda asked: asked.method == "POST" and asked.url.endswith("/paper")):
        box(page, "Note").fill("one")
    box(page, "Note").press_sequentially(" two")
    assert papers.value("customer", "note") == "one"
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    ((route, answer),) = held
    route.fulfill(response=answer)
    assert papers.value("customer", "note") == "one two"
    assert "one" not in page.evaluate("JSON.stringify(localStorage)")


def test_what_cannot_be_saved_holds_up_nothing_else(desk: Desk, page: Page, papers: Papers) -> None:
    talk(desk)
    papers.failing = "note"
    box(page, "Note").fill("A text that the switch fails at.")
    expect(saved(page)).to_have_text("Not saved yet; trying again")
    box(page, "Name").fill("Wang Daming")
    eventually(lambda: papers.value("customer", "name") == "Wang Daming")
    expect(saved(page)).to_have_text("Not saved yet; trying again")
    papers.failing = ""
    eventually(lambda: papers.value("customer", "note") == "A text that the switch fails at.", within=15)
    is_saved(page)


def test_an_input_method_is_not_saved_half(desk: Desk, page: Page, papers: Papers) -> None:
    """Letters of a word that is being composed are nobody's text, and what a colleague writes meanwhile is not lost."""
    talk(desk)
    note = box(page, "Note")
    note.fill("")
    is_saved(page)
    before = len(papers.posted)
    session = page.context.new_cdp_session(page)
    note.focus()
    session.send("Input.imeSetComposition", {"text": "ni hao", "selectionStart": 6, "selectionEnd": 6})
    papers.write(("customer", "company"), "Harbour")
    desk.switch.push("paper.changed", call="c1")
    expect(box(page, "Company")).to_have_value("Harbour")
    page.wait_for_timeout(800)  # longer than a pause
    expect(note).to_have_value("ni hao")
    assert len(papers.posted) == before
    session.send("Input.insertText", {"text": "你好"})
    is_saved(page)
    assert papers.value("customer", "note") == "你好"
    assert len(papers.posted) == before + 1


def test_text_is_text(desk: Desk, page: Page, papers: Papers) -> None:
    papers.tags = [EVIL]
    papers.known_tags = [EVIL, "'\"><b>"]
    papers.write(("summary", "c1", "1002"), EVIL, {"agent": "1002", "name": EVIL})
    papers.open("k1", EVIL, EVIL)
    talk(desk)
    box(page, "Name").fill(EVIL)
    is_saved(page)
    expect(page.get_by_role("heading", name=EVIL)).to_be_visible()
    expect(page.locator(".summary blockquote")).to_have_text(EVIL)
    expect(page.locator(".tags")).to_have_text(EVIL)
    tab(page, "Tickets").click()
    expect(box(page, "Title").nth(1)).to_have_value(EVIL)
    assert page.locator("img[src=x]").count() == 0
    assert page.evaluate("window.evil") is None


def test_what_turns_the_writing_round_is_in_no_name(desk: Desk, page: Page, papers: Papers) -> None:
    """It may be in a text of several lines, where it makes of no name another."""
    talk(desk)
    box(page, "Name").fill("Wang\u202egnaW\u2066")
    box(page, "Note").fill("a\u200fb")
    is_saved(page)
    assert (papers.value("customer", "name"), papers.value("customer", "note")) == ("WanggnaW", "a\u200fb")
