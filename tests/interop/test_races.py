"""What crosses: an answer and the caller's leaving, two answers, two offers. Nobody is ever left in between."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable

from .caller import Caller
from .product import Product
from .robot import Message, Robot

MakeRobot = Callable[..., Robot]
MakeCaller = Callable[..., Caller]

CROSSINGS = 40


def outcome(agent: Robot, call: str, answer: Message) -> str:
    """How it ended for the agent, who is then idle again; nothing else may happen to it."""
    if "error" in answer:
        assert answer["error"]["code"] == "caller_left", answer
        assert agent.event("call.withdrawn", call=call)["reason"] == "caller left"
        ended = "refused: caller left"
    else:
        deadline = time.monotonic() + 10
        while True:
            agent.look(0.01)
            names = [event["event"] for event in agent.events if event.get("call") == call]
            if "call.ended" in names or "call.withdrawn" in names:
                break
            assert time.monotonic() < deadline, f"stuck: {agent.events}"
        if "call.withdrawn" in names:
            assert "call.connected" not in names, agent.events
            assert agent.event("call.withdrawn", call=call)["reason"] == "caller left"
            ended = "accepted, then withdrawn: caller left"
        else:
            assert names.index("call.connected") < names.index("call.ended")
            assert agent.event("call.ended", call=call)["by"] == "caller"
            agent.state("after_call_work")
            agent.do("agent.start_answering")
            ended = "connected, then ended"
    assert agent.ask("snapshot")["state"] == "idle", agent.events
    agent.look(0)
    agent.events.clear()
    return ended


def test_an_answer_that_crosses_the_caller_s_leaving(product: Product, robot: MakeRobot, caller: MakeCaller) -> None:
    agent = robot("1001").sign_in()
    agent.state("idle")
    rng = random.Random(1)
    outcomes: Counter[str] = Counter()
    for _ in range(CROSSINGS):
        customer = caller("5001").answered()
        call = agent.event("call.offered")["call"]
        # From the BYE well before the answer to the answer well before the BYE, in a few milliseconds.
        offset = rng.uniform(-0.006, 0.006)
        number = 0
        if offset < 0:
            number = agent.send("call.answer", call=call)
        else:
            customer.hang_up()
        begun = time.perf_counter()
        while time.perf_counter() - begun < abs(offset):
            pass
        if offset < 0:
            customer.hang_up()
        else:
            number = agent.send("call.answer", call=call)
        answer = agent.reply(number)
        outcomes[outcome(agent, call, answer)] += 1
        customer.response("BYE")
    print(f"{CROSSINGS} crossings of answer and BYE:", dict(outcomes))
    product.at_rest()
    assert len(outcomes) >= 2, "the offsets met only one order"
    customer = caller("5001").answered()
    agent.event("call.offered")
    agent.do("call.answer")
    agent.event("call.connected")


def test_many_calls_and_few_agents(product: Product, robot: MakeRobot, caller: MakeCaller) -> None:
    """Eight calls and three agents who all answer as fast as they can: every call is connected once."""
    agents = [robot(name).sign_in() for name in ("1001", "1002", "1003")]
    customers = [caller("5001", number=f"+861391234{n:04}") for n in range(8)]
    connected: list[str] = []
    deadline = time.monotonic() + 30
    while len(connected) < len(customers):
        assert time.monotonic() < deadline, f"only {connected}"
        for agent in agents:
            for event in agent.look(0.005):
                match event["event"]:
                    case "call.offered":
                        agent.send("call.answer", call=event["call"])
                        agent.send("call.answer", call=event["call"])
                    case "call.connected":
                        connected.append(event["call"])
                        agent.send("call.hang_up", call=event["call"])
                    case "agent.state" if event["state"] == "after_call_work":
                        agent.send("agent.start_answering")
            agent.events.clear()
    assert len(set(connected)) == len(customers)
    for customer in customers:
        customer.ended()
    product.at_rest()


def test_both_hang_up_at_once(product: Product, robot: MakeRobot, caller: MakeCaller) -> None:
    agent = robot("1001").sign_in()
    agent.state("idle")
    ends: Counter[str] = Counter()
    for round_ in range(10):
        customer = caller("5001").answered()
        agent.event("call.offered")
        agent.do("call.answer")
        agent.event("call.connected")
        if round_ % 2:
            customer.hang_up()
            number = agent.send("call.hang_up")
        else:
            number = agent.send("call.hang_up")
            customer.hang_up()
        reply = agent.reply(number)
        assert reply.get("ok") or reply["error"]["code"] == "no_call"
        ends[agent.event("call.ended")["by"]] += 1
        agent.state("after_call_work")
        assert not [event for event in agent.look(0) if event["event"] == "call.ended"]
        agent.do("agent.start_answering")
        agent.state("idle")
        product.at_rest()
    print("both hang up at once, who was first:", dict(ends))
