"""Nobody answers, and the caller waits without hearing a gap; and the switch's answers when the caller gives up."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from . import sound
from .caller import Caller
from .machine import Waits
from .product import Product
from .robot import Robot
from .test_numbers import GAP_MS

MakeRobot = Callable[..., Robot]
MakeCaller = Callable[..., Caller]


def test_no_answer_puts_on_break_and_the_call_goes_on(product: Product, robot: MakeRobot, caller: MakeCaller) -> None:
    """The queue rings for 3 s."""
    first = robot("2001").sign_in()
    first.state("idle")
    second = robot("2002").sign_in()
    second.state("idle")
    with Waits(product.pids()["media"]) as waits:
        begun = time.time()
        customer = caller("5002").answered()
        offered = first.event("call.offered")
        missed = first.event("call.withdrawn", 6)
        broken = first.state("break")
        again = second.event("call.offered")
        second.do("call.answer")
        second.event("call.connected")
        customer.hears(0.5)
        end = time.time()
    rang = missed["at"] - offered["at"]
    pause = waits.longest_pause(customer, 0.0, end)
    heard = customer.heard(begun, again["at"])
    quiet = [sound.level(heard[at : at + 1600]) for at in range(1600, len(heard) - 1600, 1600)]
    print(
        f"rang {rang:.2f} s (3 s wanted), next agent after {1000 * (again['at'] - missed['at']):.0f} ms more; "
        f"caller: {len(customer.packets)} packets, longest pause {pause}, quietest 200 ms {min(quiet):.0f} dBFS"
    )
    assert (missed["reason"], broken["reason"]) == ("no answer", "no answer")
    assert rang == pytest.approx(3.0, abs=0.25)
    assert again["call"] == offered["call"]
    assert again["waiting_since"] == offered["waiting_since"], "the call keeps its time in the queue"
    assert pause.own <= GAP_MS
    assert min(quiet) > -60, "the music never stops while it rings"
    assert first.refusal("call.answer", call=offered["call"]) == "no_answer"
    assert not [event for event in first.look() if event["event"] == "call.offered"]


@pytest.mark.parametrize("late", [False, True])
def test_the_last_moment(robot: MakeRobot, caller: MakeCaller, late: bool) -> None:
    """An answer before the time is over wins, one after it does not."""
    agent = robot("2001").sign_in()
    caller("5002").answered()
    offered = agent.event("call.offered")
    moment = offered["ring_until"] + (0.15 if late else -0.25)
    while time.time() < moment:
        time.sleep(0.005)
    if late:
        assert agent.refusal("call.answer", call=offered["call"]) == "no_answer"
        assert agent.ask("snapshot")["state"] == "break"
    else:
        agent.do("call.answer", call=offered["call"])
        agent.event("call.connected")


def test_the_caller_leaves_while_it_rings(robot: MakeRobot, caller: MakeCaller) -> None:
    agent = robot("1001").sign_in()
    agent.state("idle")
    times = []
    for _ in range(5):
        customer = caller("5001").answered()
        call = agent.event("call.offered")["call"]
        agent.state("ringing")
        left = customer.hang_up()
        gone = agent.event("call.withdrawn", call=call)
        assert gone["reason"] == "caller left"
        assert agent.state("idle")["reason"] == "caller left"
        times.append(1000 * (gone["at"] - left))
    print(f"from the BYE to the robot's news: {min(times):.1f} to {max(times):.1f} ms")
    assert sorted(times)[2] < 200


def test_a_robot_s_page_that_vanishes_gives_the_call_back(
    product: Product, robot: MakeRobot, caller: MakeCaller
) -> None:
    first = Robot(product, "1001").sign_in()
    first.state("idle")
    second = robot("1002").sign_in()
    caller("5001").answered()
    call = first.event("call.offered")["call"]
    gone = time.time()
    first.vanish()
    again = second.event("call.offered", call=call)
    print(f"page gone while ringing: the next agent after {1000 * (again['at'] - gone):.0f} ms")
    assert again["at"] - gone < 1.0
    back = robot("1001")
    back.do("agent.sign_in", media="none")
