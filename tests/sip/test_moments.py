"""When each wants to be woken, and that nobody who is gone is kept for it."""

from __future__ import annotations

import gc
import math
from random import Random

from attrs import define
from cordboard.sip.call import Call
from cordboard.sip.moments import LOOKED_THROUGH, Moments

from . import net as n


@define(eq=False)
class One:
    scheduled: float = math.inf


def test_whoever_waits_is_woken_once_at_its_earliest_moment() -> None:
    """Against a list that is looked through."""
    rng = Random(3)
    moments: Moments[One] = Moments()
    everybody = [One() for _ in range(300)]
    wanted: dict[One, float] = {}
    for now in range(3000):
        for one in rng.sample(everybody, 5):
            if rng.random() < 0.4:
                moments.drop(one)
                wanted.pop(one, None)
            else:
                moment = now + rng.uniform(0, 200)
                moments.add(one, moment)
                wanted[one] = min(moment, wanted.get(one, math.inf))
        assert moments.next() <= min(wanted.values(), default=math.inf)
        due = sorted((moment, id(one)) for one, moment in wanted.items() if moment <= now)
        found = []
        while (taken := moments.take(now)) is not None:
            found.append((wanted.pop(taken), id(taken)))
        assert found == due
        assert len(moments) <= max(LOOKED_THROUGH, 2 * len(wanted)) + 5


def test_a_call_that_is_over_is_not_kept_for_the_session_timer_that_it_had() -> None:
    """It would be for a quarter of an hour: of a busy one there are thousands."""
    net, a, b = n.pair()
    b.react = n.answering
    for number in range(3 * LOOKED_THROUGH):
        call = f"out{number}"
        n.dial(net, a, b, call)
        net.run(net.now + 0.1)
        assert b.endpoint.deadline() < net.now + 1000  # the timer runs
        net.do(a, a.endpoint.hang_up(call, net.now))
        net.run(net.now + 0.1)
    net.run(net.now + 40)
    assert (a.endpoint.idle, b.endpoint.idle) == (True, True)
    gc.collect()
    assert sum(isinstance(each, Call) for each in gc.get_objects()) <= 2 * LOOKED_THROUGH
