"""How many calls at once, and in a minute."""

from __future__ import annotations

from cordboard.actors.limits import MINUTE, Limits, Usage
from hypothesis import given
from hypothesis import strategies as st


def test_so_many_calls_at_once_and_in_a_minute() -> None:
    limits, usage = Limits(calls=2, per_minute=3), Usage()
    for call in ("a", "b"):
        assert usage.refusal(limits, 100.0) is None
        usage = usage.begun(call, 100.0)
    assert usage.refusal(limits, 100.0) == "too_many_calls"
    usage = usage.over("a").begun("c", 101.0).over("b")
    assert usage.refusal(limits, 100.0 + MINUTE - 0.1) == "too_often"
    assert usage.refusal(limits, 100.0 + MINUTE) is None
    assert usage.refusal(Limits(), 101.0) is None
    assert usage.over("c").over("unknown").calls == frozenset()


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans()), max_size=80), st.integers(1, 5), st.integers(1, 8))
def test_no_minute_has_more_calls_than_the_limit(steps: list[tuple[float, bool]], calls: int, per_minute: int) -> None:
    limits, usage, now, began, living = Limits(calls, per_minute), Usage(), 0.0, list[float](), list[str]()
    for number, (pause, ends) in enumerate(steps):
        now += pause
        if ends and living:
            usage = usage.over(living.pop(0))
        if usage.refusal(limits, now) is None:
            usage = usage.begun(str(number), now)
            living.append(str(number))
            began.append(now)
        assert len(living) <= calls
        assert sum(1 for at in began if at > now - MINUTE) <= per_minute
        assert len(usage.began) <= per_minute
