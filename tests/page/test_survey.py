"""The button that ends the agent's part of a call and asks for a rating, and what is kept of the answer."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.page.callbook import opened
from tests.page.kept import at, call, noon_zone
from tests.page.scripted import Switch
from tests.page.test_workbench import CHINESE, ENGLISH, Desk, Names

pytestmark = pytest.mark.peer("chromium")

SURVEY = {ENGLISH.agent: "Survey", CHINESE.agent: "语音满意度"}
ASKED = {ENGLISH.agent: "the customer is asked for a rating", CHINESE.agent: "正在请客户评价"}


@pytest.mark.parametrize("names", [ENGLISH, pytest.param(CHINESE, marks=pytest.mark.long)], ids=["en", "zh"])
def test_a_survey_ends_the_agent_s_part_and_two_clicks_do_no_more(page: Page, switch: Switch, names: Names) -> None:
    desk = Desk(page, switch, names)
    desk.sign_in()
    desk.answer()
    button = page.get_by_role("button", name=SURVEY[names.agent], exact=True)
    expect(button).to_be_enabled()
    box = button.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 9)
    desk.is_in("after_call_work")
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 9)  # it would be on Start answering
    expect(page.locator(".stage")).to_contain_text(ASKED[names.agent])
    expect(desk.button("Start answering")).to_be_enabled()
    desk.is_in("after_call_work")
    assert not desk.sends()
    page.reload()
    expect(page.locator(".stage")).to_contain_text(ASKED[names.agent])


def test_a_survey_while_dialling_leaves_the_call_on_its_way(page: Page, switch: Switch) -> None:
    desk = Desk(page, switch)
    desk.sign_in()
    page.get_by_label("Number", exact=True).fill("138 0013 8000")
    page.get_by_label("Number", exact=True).press("Enter")
    desk.is_in("talking")
    switch.progress(rings=True)
    page.get_by_role("button", name="Survey", exact=True).click()
    desk.is_in("after_call_work")
    expect(page.locator(".stage")).to_contain_text("the customer is asked for a rating")
    expect(page.get_by_role("heading", name="138 0013 8000")).to_be_visible()
    expect(page.get_by_role("button", name="Redial", exact=True)).to_be_enabled()
    switch.refuse["call.survey"] = "no_call"
    page.get_by_role("button", name="Redial", exact=True).click()
    desk.is_in("talking")
    page.get_by_role("button", name="Survey", exact=True).click()
    expect(page.get_by_role("alert").first).to_contain_text("That call is over.")
    desk.is_in("talking")


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ("4", "You asked the customer for a rating: 4 of 5."),
        pytest.param("abandoned", "and the customer hung up.", marks=pytest.mark.long),
        pytest.param("none", "and no key was pressed.", marks=pytest.mark.long),
    ],
)
def test_the_record_shows_what_the_customer_answered(page: Page, switch: Switch, outcome: str, words: str) -> None:
    switch.time_zone = noon_zone()
    began = at(0.1)
    survey = {"agent": "1001", "queue": "support", "began": began + 80, "outcome": outcome}
    made = call("c1", began, survey=survey, ended_by="system", cause="survey")
    made["legs"][-1]["ended"] = began + 80
    switch.kept.add(made)
    Desk(page, switch).log_in()
    details = opened(page)
    expect(details).to_contain_text(words)
    assert [one.get_attribute("data-step") for one in details.locator(".course li").all()][2:] == [
        "course.joined",
        "course.survey.rated" if outcome == "4" else f"course.survey.{outcome}",
        "over",
    ]  # who asks for it is not absent
    expect(details).to_contain_text("The survey was over.")
