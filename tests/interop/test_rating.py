"""A survey at every ear: what is asked, what follows each key and none, and what is kept of it; the page is reloaded.

Of who asks and of what is kept otherwise, and of keys by event, INFO and tone: test_survey.py.
"""

from __future__ import annotations

import shutil
import time

import pytest
from playwright.sync_api import expect

from . import sound
from .product import until
from .sound import Pcm
from .stage import RINGS, Stage, details, dial, kept_of, outside_listens, reload, story
from .test_sip import needs_sipp
from .test_waiting import prompt

# A prompt is told from the others by how much of it is heard as it was spoken.
ALIKE = 0.8

pytestmark = [
    pytest.mark.peer("chromium"),
    pytest.mark.peer("baresip"),
    pytest.mark.skipif(shutil.which("baresip") is None, reason="baresip is not installed"),
    needs_sipp,
    pytest.mark.timeout(240),
]


def asked(on: Stage, number: str) -> object:
    """What came of the survey in the newest call with that number, when it is kept."""
    calls = on.centre.ask("/api/calls?days=1").json["calls"]
    newest = next(each["call"] for each in calls if each["number"] == number)
    kept = on.centre.ask(f"/api/calls/{newest}").json["survey"] or {}
    return kept.get("outcome")


def comes_to(on: Stage, number: str, outcome: str) -> None:
    until(lambda: asked(on, number) == outcome, 10, "what came of the survey")


@pytest.mark.long
def test_a_survey_in_a_call_goes_on_through_a_reload(on: Stage) -> None:
    lin, room = on.lin, on.room
    with story(on) as stack:
        customer = on.talks(stack)
        lin.click("Survey")
        lin.is_("After-call work")
        room.hears(customer="music", lin="")  # or words, as here
        reload(lin, "After-call work")
        for key in "94":  # the first is none of those asked for
            customer.hears(1.0)
            customer.press(key)
        customer.ended()
        room.hears(lin="", maya="")
        comes_to(on, customer.number, "4")


def words_of(heard: Pcm) -> str:
    """Which of the survey's prompts it is, by its first two seconds."""
    likeness = {
        name: sound.correlation(prompt(name, "en")[: min(2 * sound.RATE, len(heard))], heard)[0]
        for name in ("survey", "survey-again", "survey-thanks")
    }
    return max(likeness, key=lambda name: likeness[name]) if max(likeness.values()) > ALIKE else f"none: {likeness}"


@pytest.mark.long
def test_who_rates_with_none_of_the_keys_is_asked_three_times_again_and_then_thanked(on: Stage) -> None:
    """Each key ends the question that is being asked; after the fourth there is no other, and the call is over."""
    lin, room = on.lin, on.room
    with story(on) as stack:
        customer = on.talks(stack)
        lin.click("Survey")
        lin.is_("After-call work")
        begins, heard = time.time(), []
        for key in "60*7":
            heard.append(words_of(customer.hears(3.5, since=begins)))
            if key == "*":
                reload(lin, "After-call work")
            customer.press(key)
            begins = time.time()
        customer.ended()
        heard.append(words_of(customer.heard(begins)))
        assert heard == ["survey", "survey-again", "survey-again", "survey-again", "survey-thanks"]
        room.hears(lin="", maya="")
        survey = kept_of(on, customer)["survey"]
        assert (survey["agent"], survey["queue"], survey["outcome"]) == ("1001", "support", "invalid")
        words = "You asked the customer for a rating, and no key pressed was one of those asked for."
        expect(details(on, customer)).to_contain_text(words)
        lin.click("All calls")


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ("abandoned", "and the customer hung up."),
        pytest.param("none", "and no key was pressed.", marks=pytest.mark.long),
    ],
)
def test_who_does_not_rate_leaves_the_agent_in_peace_and_is_kept_as_such(on: Stage, outcome: str, words: str) -> None:
    """One hangs up as it is asked, one hears the question out; the agent has its paperwork at once."""
    lin, room = on.lin, on.room
    with story(on) as stack:
        customer = on.talks(stack)
        lin.click("Survey")
        lin.is_("After-call work")
        expect(lin.page.locator(".stage")).to_contain_text("the customer is asked for a rating")
        room.hears(customer="music", lin="")  # or words, as here
        reload(lin, "After-call work")
        if outcome == "abandoned":
            customer.hang_up()
        else:
            customer.ended(20)
        comes_to(on, customer.number, outcome)
        lin.is_("After-call work")
        room.hears(lin="", maya="")
        expect(details(on, customer)).to_contain_text(f"You asked the customer for a rating, {words}")
        lin.click("All calls")


@pytest.mark.long
def test_a_survey_while_dialling_asks_whoever_answers(on: Stage) -> None:
    lin, room = on.lin, on.room
    with story(on):
        dial(on, RINGS)
        room.hears(lin="ringing")
        lin.click("Survey")
        lin.is_("After-call work")
        reload(lin, "After-call work")
        outside_listens(on)
        on.telephone.pick_up()
        until(lambda: on.room.ears["outside"].hears(0).other.any(), 8, "words at the telephone")
        room.hears(lin="", maya="")
        on.telephone.key("4")
        until(lambda: "session closed" in on.telephone.said.rpartition("established")[2], 15, "the end of the survey")
        comes_to(on, RINGS, "4")
