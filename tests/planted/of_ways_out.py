"""Bugs of whatever leaves: the gate, by each way to it, and the far side that is dialled."""

from __future__ import annotations

from typing import Final

from .bug import Bug

WAYS_OUT: Final = (
    Bug(
        "what a far side wants put through passes by no dialling rule",
        "actors/switchboard.py",
        "target = gate.follow(organisation, number, _id(message), message.trunk)",
        'target = gate.read(number, organisation.country) or gate.Barred("not_a_number")',
    ),
    Bug(
        "what a far side redirects to passes by no dialling rule",
        "actors/switchboard.py",
        "passed = gate.follow(organisation, each.number, message.call, message.trunk, emergency=message.emergency)",
        "passed = gate.read(each.number, organisation.country)",
    ),
    Bug(
        "a far side may have emergency numbers dialled",
        "actors/gate.py",
        "dialled = emergency or not passed.target.emergency",
        "dialled = True",
    ),
    Bug(
        "the shortest prefix decides what may be dialled",
        "actors/gate.py",
        "return max(matching, key=lambda rule: len(rule.begins), default=None)",
        "return min(matching, key=lambda rule: len(rule.begins), default=None)",
    ),
    Bug(
        "calls that are over count as calls that an agent has",
        "actors/switchboard.py",
        "usage = {agent: used.over(gone) for agent, used in self.state.usage.items()}",
        "usage = dict(self.state.usage)",
        survived=True,
    ),
    Bug(
        "any key accepts a call on a mobile, and so does a mailbox",
        "actors/line.py",
        "if fact.key != ACCEPTS and not self.state.any_key:",
        'if fact.key == "":',
    ),
    Bug(
        "a mailbox that presses nothing keeps the caller for ever",
        "actors/line.py",
        "                return self.state.since + self.state.accept_seconds",
        "                return self.gone_at()",
    ),
    Bug(
        "a host that says nothing is not told that the call goes elsewhere, and may answer it too",
        "actors/outward.py",
        "return [released, *self._elsewhere(silent=True, retry_after=None, now=now)]",
        "return self._elsewhere(silent=True, retry_after=None, now=now)",
    ),
    Bug(
        "a call is sent on as often as the far side likes",
        "actors/outward.py",
        "if not new or len(out.followed) >= REDIRECTS:",
        "if not new:",
    ),
)
