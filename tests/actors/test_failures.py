"""What networks say of calls that came to nothing, and what people are told."""

from __future__ import annotations

import pytest
from cordboard.actors import page
from cordboard.actors.failures import asks_another_trunk, asks_elsewhere, why_of


@pytest.mark.parametrize(
    ("status", "cause", "why"),
    [
        (404, 0, "no_such_number"),
        (404, 1, "no_such_number"),
        (404, 3, "unreachable"),  # no route to the destination: not the number's fault
        (410, 22, "number_moved"),
        (480, 0, "not_answered"),
        (480, 18, "not_answered"),
        (480, 20, "switched_off"),
        (480, 21, "call_declined"),
        (486, 17, "line_busy"),
        (486, 16, "line_busy"),  # normal clearing says nothing
        (487, 127, "not_answered"),
        (403, 57, "trunk_refused"),
        (433, 0, "number_wanted"),
        (438, 0, "trunk_refused"),
        (488, 65, "no_common_media"),
        (500, 17, "line_busy"),
        (500, 41, "unreachable"),
        (503, 0, "unreachable"),
        (503, 34, "unreachable"),
        (503, 1, "no_such_number"),
        (501, 0, "call_failed"),
        (603, 0, "call_declined"),
        (607, 0, "call_declined"),
        (608, 0, "call_blocked"),
        (699, 0, "call_failed"),
    ],
)
def test_the_cause_of_the_network_goes_before_the_status(status: int, cause: int, why: str) -> None:
    assert why_of(status, cause) == why


def test_everything_that_can_be_said_has_words() -> None:
    assert {why_of(status, cause) for status in range(300, 700) for cause in range(128)} <= set(page.FAILURES)


@pytest.mark.parametrize(("status", "cause", "elsewhere"), [
    (503, 0, True), (503, 34, True), (500, 41, True), (408, 0, True),
    (503, 17, False), (500, 1, False), (503, 20, False), (486, 0, False), (404, 3, False),
])  # fmt: skip
def test_what_the_callee_says_no_other_host_makes_better(status: int, cause: int, elsewhere: bool) -> None:
    assert asks_elsewhere(status, cause) is elsewhere


@pytest.mark.parametrize(("status", "cause", "another"), [
    (401, 0, True), (407, 0, True), (402, 0, True), (403, 0, True), (403, 57, True), (438, 0, True),
    (404, 3, True), (480, 2, True),  # it has no route there
    # what gateways make of the word of a callee, or of its exchange
    (403, 21, False), (403, 17, False), (403, 1, False),
    (404, 0, False), (404, 1, False), (484, 0, False), (604, 0, False), (486, 0, False), (480, 0, False),
    (488, 0, False), (600, 0, False), (603, 0, False), (607, 0, False),
])  # fmt: skip
def test_a_trunk_that_refuses_us_has_asked_nobody(status: int, cause: int, another: bool) -> None:
    assert asks_another_trunk(status, cause) is another


@pytest.mark.parametrize("status", sorted({*range(300, 700)}))
def test_an_emergency_call_goes_on_unless_the_centre_is_busy(status: int) -> None:
    """486 of a network that has no line free has its cause with it (34)."""
    assert asks_another_trunk(status, emergency=True) is (status not in {486, 600})
    assert asks_another_trunk(status, 1, emergency=True)
    assert asks_another_trunk(status, 34, emergency=True)
    assert not asks_another_trunk(status, 17, emergency=True)
