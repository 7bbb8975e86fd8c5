"""Bugs of calls: who hears whom, the second party, what is kept, and the survey."""

from __future__ import annotations

from typing import Final

from .bug import Bug

CALLS: Final = (
    Bug(
        "the customer is not held while its agent consults a colleague",
        "actors/parties.py",
        "        Standing.CONSULT,\n        Standing.INVITED_HELD,",
        "        Standing.INVITED_HELD,",
    ),
    Bug(
        "who is held is heard",
        "actors/edges.py",
        "return not self.held and not self.rings and not self.leaves",
        "return not self.rings and not self.leaves",
    ),
    Bug(
        "who is muted is heard",
        "actors/edges.py",
        'return self.leg != "" and not self.muted and not self.away',
        'return self.leg != "" and not self.away',
    ),
    Bug(
        "a colleague who muted itself is heard once the call is its own",
        "actors/seconds.py",
        "            muted=second.muted,\n            second=None,",
        "            muted=False,\n            second=None,",
        survived=True,
    ),
    Bug(
        "after a swap the one who is held is the wrong one",
        "actors/wiring.py",
        "            held=standing is Standing.SWAPPED,\n            muted=second.muted,",
        "            held=standing is Standing.CONSULT,\n            muted=second.muted,",
    ),
    Bug(
        "a swap forgets that somebody is consulted",
        "actors/acts.py",
        "return self.go(Standing.SWAPPED if consults else Standing.CONSULT, None, now)",
        "return self.go(Standing.TALKING if consults else Standing.CONSULT, None, now)",
    ),
    Bug(
        "of three each hears one other",
        "actors/edges.py",
        "tuple(s.leg for s in others if s.speaks)",
        "tuple(s.leg for s in others if s.speaks)[:1]",
    ),
    Bug(
        "an invited colleague who answers opens the line of a customer who is held",
        "actors/acts.py",
        "            Standing.INVITED_HELD: Standing.THREE_WAY_HELD,\n        }\n        second =",
        "            Standing.INVITED_HELD: Standing.THREE_WAY,\n        }\n        second =",
    ),
    Bug(
        "a cancelled consultation leaves the customer on hold",
        "actors/acts.py",
        "kept = before.standing in (Standing.INVITED_HELD, Standing.THREE_WAY_HELD)",
        "kept = before.held",
    ),
    Bug(
        "whoever was consulted hangs up, and the customer hears the agent who does not expect it",
        "actors/acts.py",
        "stands = Standing.HELD if before.held else Standing.TALKING",
        "stands = Standing.TALKING",
    ),
    Bug(
        "a call may be given on without end",
        "actors/acts.py",
        "self.state = evolve(data, transfers=count, transfer=entry)",
        "self.state = evolve(data, transfer=entry)",
    ),
    Bug(
        "a far side may have its call put through without end",
        "actors/referred.py",
        "if data.transfers >= data.customs.transfers:",
        "if data.transfers < 0:",
    ),
    Bug(
        "who gives a call away goes on talking in the record",
        "actors/seconds.py",
        """\
        agent = self.state.agent
        self.close_leg_entries(now, agents_only=True, party=agent)
""",
        """\
        agent = self.state.agent
""",
    ),
    Bug(
        "a hold never ends in the record",
        "actors/booked.py",
        "self.state = evolve(self.state, held_since=math.inf, hold=evolve(data.hold, ended=now))",
        "self.state = evolve(self.state, held_since=math.inf)",
    ),
    Bug(
        "the recording hears a customer who is held",
        "actors/edges.py",
        "    if customer.leaves or (customer.held and not holds):\n        return (), ()",
        "    if customer.leaves:\n        return (), ()",
    ),
    Bug(
        "the customer is on the right of the recording",
        "actors/wiring.py",
        "return {media.left(call): left, media.right(call): right}",
        "return {media.left(call): right, media.right(call): left}",
    ),
    Bug(
        "a prompt that nobody hears any more is never closed",
        "actors/caller.py",
        "                closed.append(Media(media.CloseSource(before.source)))",
        "                pass",
    ),
    Bug(
        "the agent of three hangs up, and the customer loses the other agent too",
        "actors/acts.py",
        '        **each("three_way three_way_held", Acts.agent_ends_for_itself),',
        '        **each("three_way three_way_held", Acts.agent_ends),',
    ),
    Bug(
        "an agent of three dies, and the customer waits though the other agent is there",
        "actors/acts.py",
        '        **each("three_way three_way_held", Acts.agent_lost_of_three),',
        '        **each("three_way three_way_held", Acts.agent_lost),',
    ),
    Bug(
        "what became of an earlier offer ends the one that the same agent has now",
        "actors/acts.py",
        "if second is None or (message.agent, message.serial) != (second.sits, second.offer.serial):",
        "if second is None or message.agent != second.sits:",
    ),
    Bug(
        "an answer to an offer that was taken back takes the one that rings now",
        "actors/acts.py",
        "of_second = second is not None and (message.agent, message.serial) == (second.sits, second.offer.serial)",
        "of_second = second is not None and message.agent == second.sits",
        survived=True,
    ),
    Bug(
        "the customer leaves, and a colleague goes on hearing the agent",
        "actors/call.py",
        "silenced = [Media(media.Rewire((media.Hears(second.leg, ()),)))] if second.leg else []",
        "silenced = list[Effect]()",
    ),
    Bug(
        "what is pressed in the survey is in the recording",
        "actors/surveying.py",
        "return [*told, Media(media.CloseRecording(self.id)), *self._begin(data.agent, now)]",
        "return [*told, *self._begin(data.agent, now)]",
    ),
    Bug(
        "the agent goes on hearing the customer who is asked",
        "actors/surveying.py",
        'legs = [data.agent_leg, data.second.leg if data.second is not None else ""]',
        'legs = [data.second.leg if data.second is not None else ""]',
    ),
    Bug(
        "the survey asks once less",
        "actors/survey.py",
        "if self.state.asked > self.state.again:",
        "if self.state.asked >= self.state.again:",
    ),
    Bug(
        "who presses nothing is kept as who hung up",
        "actors/survey.py",
        'return self._over("none", now)',
        'return self._over("abandoned", now)',
    ),
    Bug(
        "who comes back from an agent has waited too long at once",
        "actors/waiting.py",
        "return data.since + data.max_wait_seconds if",
        "return data.came + data.max_wait_seconds if",
    ),
    Bug(
        "who loses its agent waits behind all others",
        "actors/waiting.py",
        "            return self.wait(now, again=True)\n        if home",
        "            return self.wait(now)\n        if home",
    ),
    Bug(
        "the end of an earlier prompt ends the call in mid-goodbye",
        "actors/waiting.py",
        """\
        if isinstance(message, media.SourceFinished) and message.source != self.state.player:
            return []""",
        """\
        if isinstance(message, media.SourceFinished) and message.source == "":
            return []""",
    ),
    Bug(
        "a queue in which the call no longer waits sends it on",
        "actors/waiting.py",
        """\
            return []  # it waits elsewhere by now
        return self._go_on(message.why, message.to, now)""",
        """\
            pass  # it waits elsewhere by now
        return self._go_on(message.why, message.to, now)""",
    ),
    Bug(
        "two full queues send a caller to each other for ever",
        "actors/waiting.py",
        "if to.queue is not None and to.queue.queue not in left:",
        "if to.queue is not None:",
    ),
    Bug(
        "a caller who was silent and is heard again is hung up on all the same",
        "actors/caller.py",
        "        self.state = evolve(self.state, silent_since=since)\n",
        "        self.state = evolve(self.state, silent_since=min(since, self.state.silent_since))\n",
    ),
    Bug(
        "keys that an agent presses reach a customer who is held",
        "actors/conversation.py",
        "for party in edges.company(who, wiring.seats(self.state)):",
        "for party in wiring.seats(self.state).keys() - {who}:",
    ),
    Bug(
        "a colleague in the call is not heard after a reload",
        "actors/conversation.py",
        "moved = evolve(self.second(), leg=message.leg, away=message.away)",
        "moved = evolve(self.second(), away=message.away)",
        survived=True,
    ),
    Bug(
        "a call that an agent dialled, gave away in vain and is not taken back ends, and waits nowhere",
        "actors/acts.py",
        "return [*released, *self.wait_again(now, home)]",
        "return [*released, *self.wait_again(now, None)]",
        survived=True,
    ),
    Bug(
        "who wants its call put through is heard while it rings there",
        "actors/wiring.py",
        "held=data.held, leaves=data.standing is Standing.REFERRED)",
        "held=data.held)",
    ),
    Bug(
        "in a conference room everybody hears itself",
        "actors/switchboard.py",
        "tuple((other, 1.0) for other in legs if other != leg)",
        "tuple((other, 1.0) for other in legs)",
    ),
)
