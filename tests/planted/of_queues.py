"""Bugs of queues: who waits, in which order, who is rung, and when that is looked at again."""

from __future__ import annotations

from typing import Final

from .bug import Bug

QUEUES: Final = (
    Bug(
        "an agent who may not have the call is offered it",
        "actors/acd.py",
        "asked = [each for each in question.free if each.agent not in barred and each.level not in late]",
        "asked = [each for each in question.free if each.level not in late]",
    ),
    Bug(
        "who came last is served first",
        "actors/queue_line.py",
        "return not join.again, join.priority, join.since",
        "return not join.again, join.priority, -join.since",
    ),
    Bug(
        "who has just become idle is rung first",
        "actors/acd.py",
        "return lambda each: (each.level, each.ready_since, each.place)",
        "return lambda each: (each.level, -each.ready_since, each.place)",
    ),
    Bug(
        "fewest calls goes before the better level",
        "actors/acd.py",
        "return lambda each: (each.level, each.calls, each.ready_since, each.place)",
        "return lambda each: (each.calls, each.level, each.ready_since, each.place)",
    ),
    Bug(
        "round robin begins anew with the same agent",
        "actors/queue_offers.py",
        "                self.state = evolve(self.state, after=free.pop(agent).place)",
        "                free.pop(agent)",
    ),
    Bug(
        "who missed a call is offered it again 10 s later",
        "actors/queue_offers.py",
        "            GaveBack.MISSED: math.inf,",
        "            GaveBack.MISSED: now + self.state.profile.patience.declined,",
    ),
    Bug(
        "a call that the only agent declined is never offered again",
        "actors/queue_state.py",
        "return min(offers, rests, kept)",
        "return min(offers, kept)",
    ),
    Bug(
        "a call is kept without end for who served it last",
        "actors/queue_state.py",
        "return min(offers, rests, kept)",
        "return min(offers, rests)",
    ),
    Bug(
        "where all are rung the others ring on after an answer",
        "actors/queue.py",
        'return [*learned, Unwatch(f"call:{message.call}"), *self.withdraw(over, "answered_elsewhere")]',
        'return [*learned, Unwatch(f"call:{message.call}")]',
    ),
    Bug(
        "who comes back from an agent after closing time is sent away",
        "actors/queue.py",
        "        if not message.again:\n            if not is_open",
        "        if message.call:\n            if not is_open",
    ),
    Bug(
        "who refused because it was busy is asked again at once, and again",
        "actors/queue_agents.py",
        '    Belief.REFUSED: "refused",',
        '    Belief.REFUSED: "free",',
        survived=True,
    ),
    Bug(
        "what an agent says late of an offer that was over bars it from the call",
        "actors/queue_offers.py",
        "        if not waiting.rings(message.agent, message.serial):\n            return []\n        rest",
        "        if message.agent in waiting.resting:\n            return []\n        rest",
        survived=True,
    ),
    Bug(
        "who served the caller last is found too late, and the call is kept back all the same",
        "actors/queue.py",
        "        if waiting.looks_until == math.inf:\n            return []  # that came too late",
        "        if waiting.kept_until < math.inf:\n            return []  # that came too late",
        survived=True,
    ),
)
