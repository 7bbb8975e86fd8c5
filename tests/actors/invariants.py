"""What is true of a centre when nothing is on its way (X-5): each caller has an owner, each busy agent a call."""

from __future__ import annotations

from collections.abc import Mapping

from cordboard.actors import agent_state as agents
from cordboard.actors import call_state as calls
from cordboard.actors import line as lines
from cordboard.actors import voicemail
from cordboard.actors.agent import Agent
from cordboard.actors.call import Call
from cordboard.actors.effects import Behaviour
from cordboard.actors.line import Line
from cordboard.actors.parties import LEFT, RINGS
from cordboard.actors.queue import Queue
from cordboard.switch.model import ModelEngine

from .house import what_is_heard
from .oracle import assert_heard


def hold(actors: Mapping[str, Behaviour], engine: ModelEngine) -> None:
    """Of actors without mail."""
    for name, actor in actors.items():
        match actor:
            case Call():
                _look_at_call(name, actor, actors, engine)
            case Agent():
                _look_at_agent(name, actor, actors, engine)
            case Line():
                assert actor.deadline() < float("inf") or actor.state.phase is lines.Phase.UP, name
                assert actor.state.owner in actors, f"{name} is nobody's"
            case Queue():
                assert actor.state.idle == sum(each.doing == "free" for each in actor.state.agents.values()), name
                for call, waiting in actor.state.calls.items():
                    caller = actors[f"call:{call}"]
                    assert isinstance(caller, Call)
                    assert caller.state.phase is calls.Phase.WAITING, (name, call)
                    rung = {agent: actors[f"agent:{agent}"].state.phase for agent in waiting.offers}
                    assert set(rung.values()) <= {agents.Phase.RINGING}, (name, call, rung)
            case _:
                pass


def _look_at_call(name: str, call: Call, actors: Mapping[str, Behaviour], engine: ModelEngine) -> None:
    data = call.state
    match data.phase:
        case calls.Phase.ROUTING | calls.Phase.OPENING:
            assert data.playing == {}
            assert call.deadline() < float("inf"), name
        case calls.Phase.WAITING:
            queue = actors[call.queue()]
            assert isinstance(queue, Queue)
            assert data.arrived.call in queue.state.calls, f"{name} waits and nobody knows"
            attended = any(each.doing != "signed_out" for each in queue.state.agents.values())
            heard = what_is_heard(engine, data.leg)
            assert heard in (("music", "position") if attended else ("nobody-here",)), name
        case calls.Phase.TALKING:
            assert_heard(engine, data)
            assert data.agent or data.standing in LEFT, f"{name} has no owner"
            assert data.moved is None or f"line:{data.moved.line}" in actors, f"{name} was put through to no line"
            there = [data.agent] if data.agent else []
            if data.second is not None and data.second.sits:
                there += [] if data.standing in RINGS else [data.second.agent]
                rings = actors[f"agent:{data.second.agent}"].state.phase is agents.Phase.RINGING
                assert rings is (data.standing in RINGS), f"{name} rings at nobody"
            elif data.second is not None:
                assert data.standing in RINGS or f"line:{data.second.line}" in actors, f"{name} talks to no line"
            for each in there:
                agent = actors[f"agent:{each}"]
                assert isinstance(agent, Agent)
                assert agent.state.phase is agents.Phase.TALKING, f"{name} talks to nobody"
                assert agent.state.call is not None
                assert f"call:{agent.state.call.call}" == name
        case calls.Phase.GOODBYE:
            assert what_is_heard(engine, data.leg) in _last_words(data), name
            assert call.deadline() < float("inf"), name
        case calls.Phase.SERVED:
            pass
        case calls.Phase.SEEKING | calls.Phase.READYING | calls.Phase.CALLING:
            if not data.asks_for:
                agent = actors[f"agent:{data.agent}"]
                assert isinstance(agent, Agent)
                assert agent.state.phase is agents.Phase.DIALLING, f"{name} is dialled by nobody"
            assert call.deadline() < float("inf"), name
            assert what_is_heard(engine, data.leg) == "", f"{name} is heard before it answers"


def _last_words(data: calls.Data) -> set[str]:
    """What a far side may hear that nobody talks to any more."""
    if data.survey is not None:
        return {"survey", "survey-again", "survey-thanks"}
    if data.voicemail is not None:
        return {"" if data.voicemail.phase is voicemail.Phase.RECORDING else "voicemail", "survey-thanks"}
    return {"goodbye", "closed", "tones"}


def _look_at_agent(name: str, agent: Agent, actors: Mapping[str, Behaviour], engine: ModelEngine) -> None:
    data = agent.state
    assert data.phase is not agents.Phase.ANSWERING, f"{name} waits for a call that says nothing"
    if data.line:
        owned = actors.get(f"line:{data.line}")
        assert data.on_the_mobile, f"{name} has a line and no call"
        assert owned is None or owned.state.owner == name
    if data.by_mobile:
        assert data.owner == "", f"{name} has a page's media and answers by mobile"
    if data.phase in (agents.Phase.RINGING, agents.Phase.TALKING):
        assert data.call is not None
        call = actors[f"call:{data.call.call}"]
        assert isinstance(call, Call)
        if data.phase is agents.Phase.RINGING:
            second = call.state.second
            mine = second is not None and f"agent:{second.sits}" == name and call.state.standing in RINGS
            assert mine or call.state.phase is calls.Phase.WAITING, f"{name} rings for nobody"
            assert agent.deadline() < float("inf")
        else:
            there = {call.state.agent, call.state.second.sits if call.state.second is not None else ""}
            assert name.removeprefix("agent:") in there, f"{name} talks to nobody"
    elif data.phase is agents.Phase.DIALLING:
        assert data.call is not None
        assert f"call:{data.call.call}" in actors or data.dial_until < float("inf"), f"{name} dials nobody"
    elif data.voice:
        tests = data.testing_until < float("inf")
        assert set(engine.hears(data.voice)) == ({data.voice} if tests else set()), f"{name} listens after the end"
