"""A survey on a real trunk: what the customer presses by event, INFO and tone is what is kept, and what it hears."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from . import sound
from .caller import Caller
from .product import Organisation, Product, infrastructure, until
from .robot import Robot
from .test_digits import tones
from .test_waiting import prompt


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    organisation = Organisation("zh").trunk("carrier", "127.0.0.1").queue("support", survey=True)  # as `prompt` speaks
    organisation.agent("1001", "Lin", support=1).number("5001", "queue:support")
    made = Product(tmp_path_factory.mktemp("survey"), infrastructure(), organisation.text).start()
    yield made
    made.stop()
    assert made.complaints == []


@contextmanager
def in_a_call(asking: Product, lin: Robot, **customer: Any) -> Iterator[tuple[Caller, str]]:
    with Caller(asking.sip_port, "5001", **customer) as caller:
        caller.dial().answered()
        call = str(lin.event("call.offered", 10)["call"])
        lin.do("call.answer")
        lin.event("call.connected")
        yield caller, call


def answer(asking: Product, call: str) -> dict[str, Any]:
    """What is kept of it, when it is over."""

    def kept() -> dict[str, Any]:
        found: dict[str, Any] = asking.ask(f"/api/calls/{call}").json.get("survey") or {}
        return found

    until(lambda: kept().get("outcome"), 30, "the survey's end")
    return kept()


@pytest.mark.parametrize("how", ["events", "info", "tones"])
def test_a_key_is_kept_however_it_is_sent(asking: Product, how: str) -> None:
    """Asked for by the agent, by its button; a wrong key comes first."""
    with Robot(asking, "1001") as lin:
        lin.sign_in()
        lin.state("idle")
        silence = np.zeros(16000, np.int16)
        spoken = np.concatenate([silence, tones("9"), silence, tones("4"), np.zeros(160_000, np.int16)])
        sends: dict[str, Any] = {"sound": spoken, "events": False} if how == "tones" else {}
        with in_a_call(asking, lin, **sends) as (customer, call):
            lin.do("call.survey")
            assert lin.event("call.ended")["cause"] == "survey"
            lin.state("after_call_work")
            for key in "94" if how != "tones" else "":
                customer.hears(0.8)
                customer.press(key) if how == "events" else customer.tell_of_key(key)
            kept = answer(asking, call)
            until(lambda: customer.ended_by, 10, "BYE")
        lin.do("agent.start_answering")
        lin.do("agent.sign_out")
    assert (kept["agent"], kept["queue"], kept["outcome"]) == ("1001", "support", "4")


def test_the_customer_hears_it_within_a_second_and_who_hangs_up_has_abandoned_it(asking: Product) -> None:
    """The queue asks by itself, when the agent hangs up."""
    with Robot(asking, "1001") as lin:
        lin.sign_in()
        lin.state("idle")
        with in_a_call(asking, lin) as (customer, call):
            lin.do("call.hang_up")
            ended = lin.event("call.ended")["at"]
            customer.hears(4.0)
            heard = customer.heard(ended, ended + 4.0)
            customer.hang_up()
            kept = answer(asking, call)
        lin.do("agent.start_answering")
        lin.do("agent.sign_out")
    words = prompt("survey")[: 2 * sound.RATE]
    likeness, at = sound.correlation(words, heard)
    print(f"the prompt begins {at / sound.RATE:.2f} s after the agent hung up, correlation {likeness:.3f}")
    assert likeness > 0.8
    assert at / sound.RATE <= 1.0
    assert kept["outcome"] == "abandoned"


@pytest.mark.long
def test_who_presses_nothing_is_none(asking: Product) -> None:
    with Robot(asking, "1001") as lin:
        lin.sign_in()
        lin.state("idle")
        with in_a_call(asking, lin) as (customer, call):
            lin.do("call.hang_up")
            kept = answer(asking, call)
            until(lambda: customer.ended_by, 10, "BYE")
        lin.do("agent.sign_out")
    assert kept["outcome"] == "none"
