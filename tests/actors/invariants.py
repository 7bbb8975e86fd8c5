"""What is true of a centre when nothing is on its way: each caller has an owner, each busy agent a call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cordboard.actors import agent_state as agents
from cordboard.actors import call_state as calls
from cordboard.actors import voicemail
from cordboard.actors.agent import Agent
from cordboard.actors.call import Call
from cordboard.actors.effects import Behaviour
from cordboard.actors.invariants import SHELLS, untrue
from cordboard.actors.queue import Queue
from cordboard.actors.truth import Untrue
from cordboard.actors.watchman import Watched
from cordboard.switch.model import ModelEngine

from .house import what_is_heard
from .oracle import assert_heard

# Without a call that could be heard.
AT_REST = frozenset(agents.Phase) - {agents.Phase.RINGING, agents.Phase.TALKING, agents.Phase.DIALLING}


class StandIn:
    """Whom a test puts in the place of an actor, and who knows nothing of what that would know."""


def untrue_of(centre: Watched, actors: Iterable[str]) -> list[Untrue]:
    """What is looked at in production too, of all at once."""
    open_ = (each for look in SHELLS.values() for each in look(centre))
    found = [*open_, *(each for name in actors for each in untrue(name, centre))]
    return [each for each in found if not any(isinstance(centre.find(name), StandIn) for name in each.names)]


def hold(actors: Mapping[str, Behaviour], engine: ModelEngine) -> None:
    """Of actors without mail, what only a test can know: above all whom they hear by the model engine."""
    for name, actor in actors.items():
        match actor:
            case Call():
                _look_at_call(name, actor, actors, engine)
            case Agent(state=data):
                assert not data.by_mobile or data.owner == "", f"{name} has a page's media and answers by mobile"
                if data.phase in AT_REST and data.voice:
                    tests = data.testing_until < float("inf")
                    heard = set(engine.hears(data.voice))
                    assert heard == ({data.voice} if tests else set()), f"{name} listens after the end"
            case Queue(state=data):
                assert data.idle == sum(each.doing == "free" for each in data.agents.values()), name
            case _:
                pass


def _look_at_call(name: str, call: Call, actors: Mapping[str, Behaviour], engine: ModelEngine) -> None:
    data = call.state
    match data.phase:
        case calls.Phase.ROUTING | calls.Phase.OPENING:
            assert data.playing == {}
        case calls.Phase.WAITING:
            queue = actors[call.queue()]
            assert isinstance(queue, Queue)
            attended = any(each.doing != "signed_out" for each in queue.state.agents.values())
            heard = what_is_heard(engine, data.leg)
            assert heard in (("music", "position") if attended else ("nobody-here",)), name
        case calls.Phase.TALKING:
            assert_heard(engine, data)
        case calls.Phase.GOODBYE:
            assert what_is_heard(engine, data.leg) in _last_words(data), name
        case calls.Phase.SERVED:
            pass
        case calls.Phase.SEEKING | calls.Phase.READYING | calls.Phase.CALLING:
            assert what_is_heard(engine, data.leg) == "", f"{name} is heard before it answers"


def _last_words(data: calls.Data) -> set[str]:
    """What a far side may hear that nobody talks to any more."""
    if data.survey is not None:
        return {"survey", "survey-again", "survey-thanks"}
    if data.voicemail is not None:
        return {"" if data.voicemail.phase is voicemail.Phase.RECORDING else "voicemail", "survey-thanks"}
    return {"goodbye", "closed", "tones"}
