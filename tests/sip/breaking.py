"""Ways to break a build deliberately, so that a test of what is broken has to fail."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, TypeAlias

import pytest
from cordboard.sip import screening
from cordboard.sip.endpoint import Endpoint
from cordboard.sip.events import Output
from cordboard.sip.machine import Move, Plan
from cordboard.sip.message import Address

Break: TypeAlias = Callable[[Endpoint, pytest.MonkeyPatch], None]


def without_row(plan: Plan[Any, Any, Any], state: Enum, given: Enum) -> Break:
    """The table does nothing there."""
    return lambda endpoint, patch: patch.setitem(plan.table, (state, given), Move(state))


def instead(of: object, name: str, value: object) -> Break:
    return lambda endpoint, patch: patch.setattr(of, name, value)


def does_nothing(name: str) -> Break:
    """A method of the endpoint's is none."""
    return lambda endpoint, patch: patch.setattr(endpoint, name, lambda *arguments, **options: None)


def refuses(method: str) -> Break:
    return instead(screening, "METHODS", tuple(each for each in screening.METHODS if each != method))


def ignores(header: str) -> Break:
    """Reads messages as if they had no such header field."""

    def break_(endpoint: Endpoint, patch: pytest.MonkeyPatch) -> None:
        receive = endpoint.receive
        gone = header.encode() + b":"

        def deaf(data: bytes, source: Address, now: float, *, late: bool = False) -> list[Output]:
            return receive(data.replace(gone, b"X-Gone:"), source, now, late=late)

        patch.setattr(endpoint, "receive", deaf)

    return break_
