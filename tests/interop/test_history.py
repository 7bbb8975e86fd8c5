"""What has happened is kept: real calls, asked for over HTTP, before a restart and after it."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .caller import Caller
from .product import Product, infrastructure, until
from .robot import Robot

CUSTOMER = "+8613912340001"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Product]:
    made = Product(tmp_path / "switch", infrastructure(drain_seconds=0)).start()
    yield made
    made.stop()
    assert made.complaints == []


def listed(product: Product, number: int, agent: str = "1001") -> list[dict[str, Any]]:
    """That agent's calls, the oldest first, when there are so many, all are over and no recording is being encoded."""

    def look() -> list[dict[str, Any]]:
        calls: list[dict[str, Any]] = product.ask("/api/calls?days=7", agent).json["calls"]
        over = all(call["ended"] and call["recording"] not in ("recording", "encoding") for call in calls)
        return calls[::-1] if len(calls) == number and over else []

    return until(look, 15.0, f"{number} calls in the list")


def test_calls_and_states_are_there_after_a_restart(own: Product) -> None:
    with Robot(own, "1001") as agent:
        agent.sign_in()
        with Caller(own.sip_port, "5001", number=CUSTOMER) as customer:  # answered, and the caller hangs up
            customer.dial().answered()
            agent.event("call.offered")
            agent.do("call.answer")
            agent.event("call.connected")
            customer.hears(0.5)
            customer.hang_up()
            agent.event("call.ended")
            over = time.monotonic()
            listed(own, 1)
            print(f"a call and its recording were in the list {time.monotonic() - over:.1f} s after its end")
            agent.do("agent.start_answering")
            agent.state("idle")
        with Caller(own.sip_port, "5001", number=CUSTOMER) as customer:  # the caller leaves while it rings
            customer.dial().answered()
            agent.event("call.offered")
            customer.hang_up()
            agent.event("call.withdrawn")
        with Caller(own.sip_port, "5001", number=CUSTOMER) as customer:  # declined
            customer.dial().answered()
            agent.event("call.offered")
            agent.do("call.decline")
            agent.event("call.withdrawn")
            customer.hang_up()
        with Caller(own.sip_port, "600") as customer:  # a test number
            customer.dial().answered()
            customer.hang_up()
        own.at_rest()
        before = listed(own, 3)
    assert [call["class"] for call in before] == ["normal", "ring_abandoned", "not_connected"]
    assert [(call["number"], call["queue_name"], call["dialled"]) for call in before] == 3 * [
        (CUSTOMER, "Support", "5001")
    ]
    assert (before[0]["ended_by"], before[0]["agents"]) == ("caller", [{"agent": "1001", "name": "Lin"}])
    assert before[0]["talk_seconds"] == pytest.approx(before[0]["ended"] - before[0]["answered"], abs=0.1)
    assert own.ask("/api/calls", "1002").json["calls"] == []
    assert own.ask(f"/api/calls/{before[0]['call']}", "1002").status == 403
    own.stop()
    own.start()
    assert json.dumps(listed(own, 3)) == json.dumps(before)
    whole = own.ask(f"/api/calls/{before[2]['call']}").json
    assert [leg["party"] for leg in whole["legs"]] == ["caller"]
    assert all(leg["ended"] for leg in whole["legs"])
    assert [offer["outcome"] for offer in whole["offers"]] == ["declined"]
    assert [call["class"] for call in whole["history"]] == ["ring_abandoned", "normal"]
    spans = own.ask("/api/agents/1001/states?days=1").json["states"]
    assert all(one["until"] == other["since"] for one, other in itertools.pairwise(spans))
    assert spans[-1]["until"] is None
    # One that is answered is ringing for another reason until both hear each other.
    states = [state for state, _ in itertools.groupby(span["state"] for span in spans) if state != "signed_out"]
    assert states == ["idle", "ringing", "talking", "after_call_work", "idle", "ringing", "idle", "ringing", "idle"]
    assert spans[-1]["state"] == "signed_out"
