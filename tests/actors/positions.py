"""Every machine of the actors in each of its states, by the way there is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from cordboard.actors import (
    acd,
    agent,
    call,
    directory,
    gateway,
    line,
    page,
    queue,
    records,
    registration,
    signals,
    survey,
    switchboard,
    trunk,
)
from cordboard.actors import agent_state as agents
from cordboard.actors import call_state as calls
from cordboard.actors import queue_state as queues
from cordboard.actors.effects import Behaviour, Down, Started
from cordboard.actors.organisation import Organisation
from cordboard.actors.routes import Echo, ToQueue
from cordboard.actors.table import Machine
from cordboard.sip import sdp
from cordboard.switch import protocol as media

from .house import NOW, House, arrived

LEG = "call:c/caller"
HOST = signals.Host("sip:192.0.2.10", "192.0.2.10", 5060, "udp")
OFFERED = agents.Offer("c", "support", "Support", "", "", "", NOW, 30.0)
KNOWN = agents.QueueKnown("sales", "Sales", "hold")
COLLEAGUE = page.Colleague("lin", "Lin", page.State.IDLE, "signed in", NOW)
STANDS = queues.Standing("free", acd.Free("lin", 1, 0, NOW), follows=True)


def in_house() -> House:
    house = House()
    house.queue()
    house.sitting("lin")
    return house


def an_agent(phase: agents.Phase) -> Behaviour:
    """An agent in that phase by the way there is."""
    house = in_house()
    match phase:
        case agents.Phase.SIGNED_OUT:
            house.ask("lin", page.SignOut())
        case agents.Phase.IDLE:
            pass
        case agents.Phase.ON_BREAK:
            house.ask("lin", page.SetState("break"))
        case agents.Phase.RINGING | agents.Phase.ANSWERING | agents.Phase.TALKING | agents.Phase.AFTER_CALL_WORK:
            house.call()
            if phase is agents.Phase.ANSWERING:
                house.sleep("call:c")
            if phase is not agents.Phase.RINGING:
                house.ask("lin", page.Answer())
            if phase is agents.Phase.AFTER_CALL_WORK:
                house.ask("lin", page.HangUp())
        case agents.Phase.DIALLING:
            house.ask("lin", page.Dial("+8613800138000"))
        case agents.Phase.MOBILE:
            house.ask("lin", page.MobileAnswer("+8613800138000"))
            house.tell("agent:lin", agents.MobileBound("+8613800138000"))
    return house.actors["agent:lin"]


def a_call(phase: calls.Phase) -> Behaviour:
    if phase in call.DIALS:
        return a_call_out(phase)
    made = call.Call(arrived(), NOW)
    steps: list[object] = [
        Started(),
        calls.Routed(Echo() if phase is calls.Phase.SERVED else ToQueue("support"), nat=False),
        media.LegOpened(LEG, "192.0.2.1", 20002),
        calls.Accept("lin", "agent:lin/1"),
    ]
    needed = {
        calls.Phase.ROUTING: 1,
        calls.Phase.OPENING: 2,
        calls.Phase.WAITING: 3,
        calls.Phase.SERVED: 3,
        calls.Phase.TALKING: 4,
        calls.Phase.GOODBYE: 3,
    }
    for message in steps[: needed[phase]]:
        made.receive(message, NOW)
    if phase is calls.Phase.GOODBYE:
        made.receive(Down("queue:support", "dismissed"), NOW)
    return made


def a_call_out(phase: calls.Phase) -> Behaviour:
    out = calls.Out("+8613800138000", "13800138000", trunks=("carrier",))
    made = call.Call.of_agent("c", "lin", "agent:lin/1", out, "en", "CN", ("pcma",), NOW)
    steps: list[object] = [
        Started(),
        calls.Granted("carrier", HOST, nat=False),
        media.LegOpened(LEG, "192.0.2.1", 20002),
    ]
    for message in steps[: 1 + call.DIALS.index(phase)]:
        made.receive(message, NOW)
    return made


def a_queue(place: queues.Place) -> Behaviour:
    """A queue in which the call `c` has that place."""
    made = queue.Queue(queues.Profile("support", "Support"))
    if place is not queues.Place.ABSENT:
        made.receive(queues.Join("c", "", "", "", NOW), NOW)
    if place is queues.Place.OFFERED:
        made.receive(queues.AgentStands("lin", STANDS), NOW)
    return made


def a_trunk(phase: trunk.Phase) -> Behaviour:
    proxy = () if phase is trunk.Phase.INBOUND else (HOST.proxy,)
    made = trunk.Trunk(trunk.Profile("carrier", proxy=proxy), NOW)
    made.receive(Started(), NOW) if proxy else None
    if phase in (trunk.Phase.UP, trunk.Phase.DOWN):
        made.receive(signals.Resolved((HOST,), lasting=True, proxies=proxy), NOW)
        heard = phase is trunk.Phase.UP
        made.receive(signals.Replied(made.state.gateways[0].ask, 200 if heard else 408, heard, 1, "id"), NOW)
    return made


def a_gateway(phase: gateway.Phase) -> Behaviour:
    """A host that has just been asked, where it is asked."""
    made = gateway.Gateway(gateway.begun("carrier", 0, HOST, NOW))
    made.wake(NOW)
    told = {
        gateway.Phase.UP: gateway.Answered(),
        gateway.Phase.DOWN: gateway.Silent(),
        gateway.Phase.RESTING: gateway.Busy(),
    }
    if phase in told:
        made.receive(told[phase], NOW)
    return made


def a_registration(phase: registration.Phase) -> Behaviour:
    made = registration.Registration(registration.Data("carrier", "us", "seed"))
    if phase is registration.Phase.LEAVING:
        held = registration.Data("carrier", "us", "seed", host=HOST, call_id="ours")
        return registration.Registration(registration.begun("carrier", "them", held, NOW))
    told = {registration.Phase.HELD: registration.Granted(600), registration.Phase.WAITING: registration.Refused(403)}
    if phase is not registration.Phase.OFF:
        made.receive(registration.Hosts((HOST,)), NOW)
    if phase in told:
        made.receive(told[phase], NOW)
    return made


def a_survey(phase: survey.Phase) -> Behaviour:
    made = survey.Survey(survey.Data(records.SurveyEntry("c", "lin", "support", NOW)))
    if phase is survey.Phase.OVER:
        made.receive(survey.Silent(), NOW)
    return made


def a_switchboard(phase: switchboard.Phase) -> Behaviour:
    made = switchboard.Switchboard(Organisation(), ("opus",))
    if phase is switchboard.Phase.DRAINING:
        made.receive(switchboard.Drain(), NOW)
    return made


def a_directory(phase: directory.Phase) -> Behaviour:
    made = directory.Directory()
    made.receive(directory.Watchers("lin", ("lin",)), NOW)
    if phase is directory.Phase.OWING:
        made.receive(directory.Stands((COLLEAGUE,)), NOW)  # told at once; the next waits
        made.receive(directory.Stands((attrs.evolve(COLLEAGUE, name="Wei"),)), NOW)
    return made


def a_line(phase: line.Phase) -> Behaviour:
    out = calls.Out("+8613800138000", "13800138000", trunks=("carrier",))
    reach = line.Reach("c+1", "agent:lin", "lin", "13800138000", confirm=phase is line.Phase.CONFIRMING)
    made = line.Line(reach, out, "en", "CN", ("pcma",), NOW)
    answer = sdp.offer("198.51.100.9", 4000, session_id=1, codecs=("pcma",))
    steps: list[object] = [
        Started(),
        calls.Granted("carrier", HOST, nat=False),
        media.LegOpened("line:c+1/caller", "192.0.2.1", 20002),
        signals.PickedUp("c+1/1", answer),
    ]
    needed = {line.Phase.SEEKING: 1, line.Phase.READYING: 2, line.Phase.CALLING: 3}
    for message in steps[: needed.get(phase, 4)]:
        made.receive(message, NOW)
    return made


MACHINES: dict[type[Machine[Any]], Callable[[Any], Behaviour]] = {
    agent.Agent: an_agent,
    call.Call: a_call,
    survey.Survey: a_survey,
    line.Line: a_line,
    queue.Queue: a_queue,
    trunk.Trunk: a_trunk,
    gateway.Gateway: a_gateway,
    registration.Registration: a_registration,
    switchboard.Switchboard: a_switchboard,
    directory.Directory: a_directory,
}
