"""What comes too late: the last words of calls, lines, attempts, trunks and queues that are no more, or were left.

Nobody's mail has a bound to its delay, so that any of these may come at any time; to wait until a walk makes somebody
slow enough would take a thousand histories for each. What an agent says of its own call, by what its page showed when
it was clicked, is among them: what the page showed may be of any age.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, Final

from attrs import evolve
from cordboard.actors import agent_state as agents
from cordboard.actors import call_state as calls
from cordboard.actors import line as lines
from cordboard.actors import page, signals
from cordboard.actors import queue_state as queues
from cordboard.actors.acts import PARTIES
from cordboard.actors.call import DIALS, Call
from cordboard.actors.effects import Behaviour, Down
from cordboard.actors.line import Line
from cordboard.actors.queue import Queue
from cordboard.actors.table import Late, Machine, Table
from cordboard.sip import sdp
from cordboard.switch import protocol as media

# A call, a line and a page that there was once.
GONE: Final = "s00000000000000ff"
GONE_LINE: Final = f"{GONE}+1"
NOBODY: Final = "1009"
HOST: Final = signals.Host("sip:198.51.100.1", "198.51.100.1", 5060, "udp")
DESCRIPTION: Final = sdp.offer("198.51.100.1", 9000, session_id=8)
OFFER: Final = agents.Offer(GONE, "support", "Support", "", "", "", 0.0, 30.0)
ACTS: Final = (
    calls.Hold, calls.Retrieve, calls.Consult, calls.Invite, calls.Transfer, calls.Divert, calls.Complete, calls.Cancel,
    calls.Swap, calls.Merge,
)  # fmt: skip
KNOWN: Final = agents.QueueKnown("support", "Support", "hold")


def words(name: str, actor: Behaviour, rng: Random) -> Sequence[object]:
    """What this actor could hear too late."""
    match actor:
        case Call():
            return _to_call(actor, rng)
        case Line():
            slow = _of_trunks() if actor.state.phase is not lines.Phase.SEEKING else []
            before = media.DigitPressed(actor.state.leg, "5", 100, "event")
            early = [before] if actor.state.phase is lines.Phase.CONFIRMING else []
            return [*slow, *early, *_of_an_attempt(actor.id, actor.state.sip, actor.state.phase.value, rng)]
        case Queue():
            waiting = rng.choice([*actor.state.calls, GONE])
            return [
                queues.Leave(GONE),
                queues.LastServed(GONE, NOBODY),
                queues.LastServed(waiting, "1002"),
                queues.Taken(GONE, NOBODY),
                queues.WhereAmI(GONE),
                queues.OfferOver(waiting, NOBODY, queues.GaveBack.DECLINED, 1),
                queues.OfferOver(GONE, NOBODY, queues.GaveBack.DECLINED),
            ]
        case _:
            return _to_agent(actor.state.profile.agent) if name.startswith("agent:") else ()


def _table(actor: object) -> Table[Any]:
    assert isinstance(actor, Machine)
    return actor.table


def dropped(name: str, actor: Behaviour, rng: Random) -> list[object]:
    """Of these, what changes nothing where the actor stands."""
    state, table = actor.state, _table(actor)
    said = [word for word in words(name, actor, rng) if _is_nothing(table.find(state.phase, word), word)]
    if isinstance(actor, Call) and state.phase is calls.Phase.TALKING:
        mine = _of_its_agent(state, rng)
        acts = [word for word in mine if isinstance(word, ACTS)]
        said += [word for word in acts if isinstance(PARTIES.find(state.standing, word), Late)] if state.agent else []
    return said


def _is_nothing(entry: object, word: object) -> bool:
    return isinstance(entry, Late) or isinstance(word, agents.LetGo | agents.Ended | agents.NotConnected)


def _of_trunks() -> list[object]:
    return [calls.Granted("slow", HOST, nat=False), calls.Denied("slow", "trunk_down")]


def _of_an_attempt(call: str, sip: str, phase: str, rng: Random) -> list[object]:
    """Of one that is over while another is sought, and of a leg whose opening nobody has answered."""
    leg = f"{signals.actor(call)}/caller/9"
    facts: list[object] = [
        media.LegConnected(leg),
        media.LegSilent(leg, 3.0),
        media.LegHeard(leg),
        media.LegWays(leg, comes=False, goes=True),
        media.LegQuality(leg, 100, 2, 0.02, 4.0, 60.0, -25.0),
        media.DigitPressed(leg, rng.choice("159"), 100, "event"),
    ]
    attempt = f"{call}/9"
    referred: list[object] = [signals.Referred(attempt, "+8613800138007")] if "+" in call else []
    said: list[object] = [
        signals.Progressed(attempt, 180, None),
        signals.PickedUp(attempt, DESCRIPTION),
        signals.Failed(attempt, 486, "Busy Here"),
        signals.Reoffered(attempt, DESCRIPTION),
        *referred,
    ]
    match phase:
        case "seeking":
            opened = media.LegOpened(leg, "192.0.2.1", 20002)
            return [*facts, opened, media.LegRefused(leg, "no port"), media.LegFailed(leg, "gone"), *said]
        case "readying":
            return [*facts, media.LegFailed(leg, "gone"), *said]
        case "opening":
            return [*facts, media.LegFailed(leg, "gone")]
        case "calling":
            return referred
        case _:
            return []


def _to_call(call: Call, rng: Random) -> list[object]:
    data = call.state
    if data.phase in DIALS or data.phase is calls.Phase.OPENING:
        trunks = _of_trunks() if data.phase not in (calls.Phase.SEEKING, calls.Phase.OPENING) else []
        if data.phase in DIALS and data.agent and rng.random() < 0.2:
            return [calls.AgentGone(data.agent)]
        return [*trunks, *_of_an_attempt(call.id, data.sip, data.phase.value, rng)]
    if data.phase not in (calls.Phase.WAITING, calls.Phase.TALKING, calls.Phase.GOODBYE):
        return []
    trunks = _of_trunks() if data.out is not None else []
    lates: list[object] = [
        lines.LineBegun(GONE_LINE, "+8613800138000"),
        lines.LineRings(GONE_LINE, "+8613800138000", False, f"line:{GONE_LINE}/caller"),
        lines.LineUp(GONE_LINE, f"line:{GONE_LINE}/caller"),
        lines.LineOver(GONE_LINE, "callee", "hung_up"),
        lines.LineDigit(GONE_LINE, "5"),
        queues.OfferOver(call.id, NOBODY, queues.GaveBack.DECLINED, 99),
        media.SourceFinished(f"{data.actor}/play/0"),
        Down("agent:" + NOBODY, "dismissed"),
    ]
    if data.phase is not calls.Phase.WAITING:
        lates += [
            calls.QueueStands("old", attended=False),
            calls.InLine("old", 3),
            calls.SentOn("old", "closed"),
            calls.Accept(NOBODY, "", "queue:old", 1),
        ]
    lates += [calls.Accept(NOBODY, "", f"call:{call.id}", 99)]
    return [*trunks, *lates, *_of_its_agent(data, rng)]


def _of_its_agent(data: calls.Data, rng: Random) -> list[object]:
    """By whoever has the call, or had it, and sees what was."""
    agent = data.agent or NOBODY
    offer = evolve(OFFER, call=data.arrived.call, by=agent)
    number = rng.choice(("13800138005", "13800138006"))
    brings = (calls.Consult, calls.Invite, calls.Transfer)
    return [
        *(kind(agent, "", "", offer, number=number) for kind in brings),
        *(kind(agent) for kind in (calls.Hold, calls.Retrieve, calls.Complete, calls.Cancel, calls.Swap, calls.Merge)),
        calls.Divert(agent, KNOWN),
        calls.MuteAgent(NOBODY, muted=rng.random() < 0.5),
        calls.AgentDigit(agent, "5"),
        calls.HangUp(NOBODY),
        calls.Survey(NOBODY),
        calls.AgentGone(NOBODY),
        calls.AgentLeg(NOBODY, ""),
    ]


def _to_agent(agent: str) -> list[object]:
    over = page.CallSecondOver(GONE, "consult", "agent", "1002", "Wei", "", "declined", page.FAILURES["declined"])
    return [
        agents.Dialled(GONE, "+8613800138000"),
        agents.Progress(GONE, rings=True, early=False),
        agents.NotConnected(GONE, "line_busy", 486),
        agents.Withdraw(GONE, "caller_left"),
        agents.Joined(GONE),
        agents.Lost(GONE, "answered_elsewhere"),
        agents.LetGo(GONE),
        agents.CallerSound(GONE, comes=False),
        agents.PartiesMoved(page.CallParties(GONE)),
        agents.SecondOver(over),
        agents.Sought(NOBODY, "Nobody"),
        agents.Ended(GONE, "caller", "hung up"),
        agents.MobileBarred("not_allowed"),
        evolve(OFFER, offerer="queue:support"),
        lines.LineBegun(GONE_LINE, "+8613800138000"),
        lines.LineRings(GONE_LINE, "+8613800138000", False, ""),
        lines.LineUp(GONE_LINE, ""),
        lines.LineOver(GONE_LINE, "callee", "hung_up"),
        lines.LineDigit(GONE_LINE, "5"),
        Down(f"call:{GONE}", "hung up"),
        *(fact(f"agent:{agent}/1") for fact in (media.LegConnected, media.LegHeard, media.LegChecked)),
        media.LegSilent(f"agent:{agent}/1", 0.5),
        media.LegUnchecked(f"agent:{agent}/1", 10.0),
        media.LegWays(f"agent:{agent}/1", comes=False, goes=False),
        media.LegQuality(f"agent:{agent}/1", 100, 2, 0.02, 4.0, 60.0, -25.0),
        media.LegRefused(f"agent:{agent}/1", "no port"),
        media.LegFailed(f"agent:{agent}/1", "gone"),
        media.DigitPressed(f"agent:{agent}/1", "5", 100, "event"),
    ]
