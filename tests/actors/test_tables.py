"""Every machine's table, pair by pair: behaviours brought into each state by real messages, given each input.

A handler returns effects; a late crossing only says so; a bug raises, and leaves the state as it was. A machine is told
nothing that its table does not know.
"""

from __future__ import annotations

import ast
import copy
import inspect
import subprocess
import sys
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any, get_args

import attrs
import pytest
from cordboard.actors import (
    acd,
    acts,
    agent,
    call,
    callee,
    controls,
    conversation,
    dialler,
    dialling,
    directory,
    gateway,
    line,
    mobile,
    origin,
    outward,
    page,
    queue,
    records,
    registration,
    signals,
    survey,
    surveying,
    switchboard,
    trunk,
    waiting,
)
from cordboard.actors import agent_state as agents
from cordboard.actors import call_state as calls
from cordboard.actors.effects import Behaviour, Down, Effect, Log, Started
from cordboard.actors.organisation import Echo, Organisation, ToQueue
from cordboard.actors.table import Bug, ImpossibleInputError, Late, Machine, Table, always, row
from cordboard.sip import binding, sdp
from cordboard.switch import protocol as media

from .house import NOW, OFFER, PAGE_OFFER, House, arrived

LEG = "call:c/caller"
HOST = signals.Host("sip:192.0.2.10", "192.0.2.10", 5060, "udp")
OFFERED = agents.Offer("c", "support", "Support", "", "", "", NOW, 30.0)
KNOWN = agents.QueueKnown("sales", "Sales", "hold")
COLLEAGUE = page.Colleague("lin", "Lin", page.State.IDLE, "signed in", NOW)
STANDS = queue.Standing(signed_in=True, at_work=True, free=acd.Free("lin", 1, 0, NOW), follows=True)


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


def a_queue(place: queue.Place) -> Behaviour:
    """A queue in which the call `c` has that place."""
    made = queue.Queue(queue.Profile("support", "Support"))
    if place is not queue.Place.ABSENT:
        made.receive(queue.Join("c", "", "", "", NOW), NOW)
    if place is queue.Place.OFFERED:
        made.receive(queue.AgentStands("lin", STANDS), NOW)
    return made


def a_trunk(phase: trunk.Phase) -> Behaviour:
    proxy = () if phase is trunk.Phase.INBOUND else (HOST.proxy,)
    made = trunk.Trunk(trunk.Profile("carrier", proxy=proxy), NOW)
    made.receive(Started(), NOW) if proxy else None
    if phase in (trunk.Phase.UP, trunk.Phase.DOWN):
        made.receive(signals.Resolved((HOST,), lasting=True), NOW)
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
        made.receive(directory.Stands(COLLEAGUE), NOW)  # told at once; the next waits
        made.receive(directory.Stands(attrs.evolve(COLLEAGUE, name="Wei")), NOW)
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

# A plausible message of every class: about the call `c` and the agent `lin`, as it would come.
SAMPLES: list[object] = [
    Started(),
    Down("call:c", "crashed"),
    agents.Profile("lin", "Lin", (agents.Skill("support"), agents.Skill("sales"))),
    agents.Dismiss(),
    agents.QueueStarted("support"),
    OFFERED,
    agents.Withdraw("c", "caller_left"),
    agents.Joined("c"),
    agents.Lost("c", "answered_elsewhere"),
    agents.Ended("c", "caller", "hung up"),
    agents.QueueMoved(page.QueueStatus("support", "Support", 1, NOW, 0)),
    agents.Timeout(),
    page.Attached("another"),
    page.Detached("lin"),
    page.SignIn(sdp=PAGE_OFFER),
    page.Resume("agent:lin/1"),
    page.SignOut(),
    page.RenewMedia(PAGE_OFFER),
    page.TestCall(on=True),
    page.SetState("break"),
    page.MobileAnswer("+8613800138000"),
    agents.MobileBound("+8613800138000"),
    agents.MobileBarred("not_allowed"),
    agents.AnswerByMobile(),
    agents.BindMobile("lin", "+8613800138000"),
    page.StartAnswering(),
    page.Answer(),
    page.Decline(),
    page.HangUp(),
    page.Survey(),
    page.Mute(),
    page.Unmute(),
    page.Hold(),
    page.Retrieve(),
    page.Consult("wei"),
    page.Invite("wei"),
    page.Transfer("wei"),
    page.Complete(),
    page.Cancel(),
    page.Swap(),
    page.Merge(),
    page.GetSnapshot(),
    page.WatchColleagues(),
    agents.CallerSound("c", comes=False),
    agents.PartiesMoved(page.CallParties("c", "agent", True, NOW)),
    agents.SecondOver(page.CallSecondOver("c", "consult", "agent", "wei", "Wei", "", "declined", "Declined.")),
    agents.Sought("wei", "Wei"),
    agents.Dialled("c", "+8613800138000"),
    agents.Progress("c", rings=True, early=False),
    agents.NotConnected("c", "line_busy", 486),
    page.Dial("+8613800138000"),
    calls.Granted("carrier", HOST, nat=False),
    calls.Denied("carrier", "trunk_down"),
    signals.Progressed("c/1", 180, None),
    signals.PickedUp("c/1", OFFER),
    signals.Failed("c/1", 486, "Busy Here"),
    origin.Located("c", None, (None,)),
    calls.Redirected("c", "carrier", (signals.Redirect("+8613800138001", HOST),)),
    calls.Follow("+8613800138001", "+8613800138001", signals.Redirect("+8613800138001", HOST)),
    calls.Stay(),
    signals.Registered((signals.Contact(HOST, binding.Binding("sip:pbx@h", "h", 5060, "udp", NOW + 60, "r", 1)),)),
    calls.Seize("c"),
    calls.Freed("c"),
    calls.Trouble("c", HOST, silent=True),
    calls.Dial("c", "lin", "+8613800138000", "agent:lin/1"),
    calls.Routed(Echo(), nat=False),
    calls.NotRouted(404, "no such number"),
    calls.Accept("wei", "agent:wei/1"),
    calls.HangUp("lin"),
    calls.Survey("lin"),
    calls.MuteAgent("lin", muted=True),
    calls.Hold("lin"),
    calls.Retrieve("lin"),
    calls.Consult("lin", "wei", "Wei", OFFERED),
    calls.Invite("lin", "wei", "Wei", OFFERED),
    calls.Transfer("lin", "wei", "Wei", OFFERED, KNOWN),
    calls.Divert("lin", KNOWN),
    calls.Complete("lin", KNOWN),
    calls.Cancel("lin"),
    calls.Swap("lin"),
    calls.Merge("lin"),
    calls.AgentDigit("lin", "5"),
    calls.AgentLeg("lin", "agent:lin/2"),
    calls.AgentGone("lin"),
    calls.RoomFull(),
    calls.QueueStands(attended=False, max_wait_seconds=60.0),
    calls.InLine(12),
    calls.Timeout(),
    signals.Cancelled("c"),
    signals.Released("c", "hung up", by_caller=True),
    signals.Confirmed("c", None),
    signals.Reoffered("c", OFFER),
    queue.Profile("support", "Support", 20.0),
    queue.Dismiss(),
    queue.AgentStands("lin", STANDS),
    queue.Join("c", "", "", "", NOW),
    queue.Leave("c"),
    queue.WhereAmI("c"),
    queue.Taken("c", "lin"),
    queue.OfferOver("c", "lin", queue.GaveBack.DECLINED),
    queue.Timeout(),
    trunk.Profile("carrier", nat=True),
    trunk.Admit("c", "600"),
    trunk.Recalled(),
    trunk.Dismiss(),
    trunk.Timeout(),
    signals.Resolved((HOST,), lasting=True),
    signals.Replied("carrier host 0 1", 200, True, 1, "id"),
    gateway.Answered(),
    gateway.Busy(20),
    gateway.Silent(),
    gateway.PatienceOver(),
    gateway.PingDue(),
    registration.Hosts((HOST,)),
    registration.Granted(600),
    registration.TooBrief(1200),
    registration.Refused(403),
    registration.Silent(),
    registration.PatienceOver(),
    registration.RenewDue(),
    registration.PauseOver(),
    switchboard.Configure(Organisation(), ("opus",)),
    switchboard.Open(),
    switchboard.MediaFull(full=True),
    switchboard.FindRoute("c", "600", nat=False),
    switchboard.JoinRoom("c", "701", LEG),
    switchboard.Drain(),
    directory.Stands(COLLEAGUE),
    directory.Watchers("lin", ("lin", "another")),
    directory.Seek("wei", "lin"),
    directory.Timeout(),
    media.LegOpened(LEG, "192.0.2.1", 20002),
    media.WebrtcLegOpened("agent:lin/9", "u", "p", media.Fingerprint("sha-256", "AB"), (("192.0.2.1", 20000),)),
    media.LegRefused(LEG, "no port"),
    media.LegConnected("agent:lin/1"),
    media.LegSilent("agent:lin/1", 3.0),
    media.LegHeard("agent:lin/1"),
    media.LegWays("agent:lin/1", comes=False, goes=True),
    media.LegUnchecked("agent:lin/1", 10.0),
    media.LegChecked("agent:lin/1"),
    media.LegFailed("agent:lin/1", "consent gone"),
    media.LegQuality("agent:lin/1", 100, 0, 0.0, 1.0, 20.0, -30.0),
    signals.KeyPressed("c", "5"),
    media.DigitPressed("agent:lin/1", "5", 100, "event"),
    media.KeyAnswered("line:c+1/caller", "1"),
    line.Reach("c+1", "agent:lin", "lin", "13800138000"),
    survey.Pressed("5"),
    survey.Silent(),
    survey.Gone(hung_up=True),
    line.EndLine("c+1"),
    line.LineBegun("c+1", "+8613800138000"),
    line.LineRings("c+1", "+8613800138000", early=False, leg="line:c+1/caller"),
    line.LineUp("c+1", "line:c+1/caller"),
    line.LineOver("c+1", "system", "line_busy", 486),
    line.LineDigit("c+1", "5"),
    line.SendDigit("c+1", "5"),
    media.SourceFinished("call:c/play/1"),
    media.RecordingClosed("c", 1.0),
    media.RecordingTroubled("c", "disk full"),
    media.RecordingWell("c"),
]
BY_CLASS = {type(sample): sample for sample in SAMPLES}


def pairs() -> Iterator[Any]:
    for machine in MACHINES:
        for state, message, _ in machine.table.pairs():
            yield pytest.param(machine, state, message, id=f"{machine.table.name}-{state.value}-{message.__name__}")


def given(message: type) -> object:
    """The sample as the actor receives it: a page's command inside its request."""
    sample = copy.deepcopy(BY_CLASS[message])
    if message in get_args(page.Command):
        return page.Request("lin", 99, "192.0.2.7", sample)  # type: ignore[arg-type]
    return sample


@pytest.mark.parametrize(("machine", "state", "message"), list(pairs()))
def test_every_pair_does_what_its_row_says(machine: type[Machine[Any]], state: Enum, message: type) -> None:
    entry = next(each for s, m, each in machine.table.pairs() if (s, m) == (state, message))
    behaviour = MACHINES[machine](state)
    assert isinstance(behaviour, machine)
    assert place_of(behaviour, state) is state
    before = behaviour.state
    if isinstance(entry, Bug):
        with pytest.raises(ImpossibleInputError, match=entry.why):
            behaviour.dispatch(state, given(message), NOW + 1)
        assert behaviour.state is before
    elif isinstance(entry, Late):
        assert behaviour.dispatch(state, given(message), NOW + 1) == [
            Log("late", (("input", message.__name__), ("state", state.value), ("why", entry.why)))
        ]
        assert behaviour.state is before
    else:
        effects = behaviour.receive(given(message), NOW + 1)
        assert all(isinstance(effect, get_args(Effect)) for effect in effects)
        assert is_frozen(behaviour.state)
        assert behaviour.deadline() > NOW - 1  # and it is a number


def place_of(behaviour: Machine[Any], state: Enum) -> object:
    if isinstance(behaviour, queue.Queue):
        waiting = behaviour.state.calls.get("c")
        return queue.Place.ABSENT if waiting is None else queue.Place.OFFERED if waiting.offers else queue.Place.WAITING
    return behaviour.state.phase  # type: ignore[attr-defined]


def is_frozen(state: Any) -> bool:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(state, attrs.fields(type(state))[0].name, None)
    return True


def test_every_input_has_a_sample_and_no_sample_is_nobodys() -> None:
    inputs = {message for machine in MACHINES for message in machine.table.messages}
    assert inputs == set(BY_CLASS)


# --- nobody is told what its table does not know ----------------------------------------------------------------------

ACTORS = Path(inspect.getfile(agent)).parent
KINDS: dict[str, type[Machine[Any]]] = {each.table.name: each for each in MACHINES}
# Where a message is put into a variable first, what it may be.
VARIABLES: dict[str, set[type]] = {
    "admit": {trunk.Admit},
    "join": {queue.Join},
    "joining": {switchboard.JoinRoom},
    "routed": {calls.Routed},
    "stands": {calls.QueueStands},
    "self._stands()": {calls.QueueStands},
    "new": {agents.Profile, queue.Profile, trunk.Profile},
    "message": {
        calls.Accept,
        calls.HangUp,
        calls.MuteAgent,
        calls.Hold,
        calls.Retrieve,
        calls.AgentDigit,
        calls.AgentLeg,
        calls.AgentGone,
    },
    "asked": {calls.Dial},
    "offer": {agents.Offer},
    "sought": {agents.Sought},
    "reach": {line.Reach},
    "told": {agents.QueueStarted},
    "trouble": {calls.Trouble},
    "said": {line.LineBegun, line.LineRings, line.LineUp, line.LineOver, line.LineDigit},
    "_dismissal": {agents.Dismiss, queue.Dismiss, trunk.Dismiss},
}
NAMES: dict[str, str] = {
    "agent": "agent",
    "name": "any",
    "each": "agent",
    "self.queue()": "queue",
    "offer.offerer": "queue",
}
# Whoever owns the SIP call, and whoever owns a line: each of them knows it.
NAMES |= {
    "call": "caller",
    "signals.actor(message.call)": "caller",
    "self.state.owner": "owner",
    "message.owner": "owner",
}
SEVERAL: dict[str, tuple[str, ...]] = {"caller": ("call", "line"), "owner": ("agent",)}


def tells() -> Iterator[tuple[str, str, ast.expr]]:
    """(file, to whom, message) of every `Tell(...)` in the actors' source."""
    for path in sorted(ACTORS.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Tell":
                to, message = node.args
                text = ast.unparse(to)
                kind = text[2:].partition(":")[0] if text.startswith("f'") else NAMES.get(text, text.strip("'"))
                yield path.stem, kind, message


def classes_of(file: str, message: ast.expr) -> set[type]:
    name = message.func if isinstance(message, ast.Call) else message
    if ast.unparse(message) in VARIABLES:
        return VARIABLES[ast.unparse(message)]
    if isinstance(name, ast.Name) and name.id in VARIABLES:
        return VARIABLES[name.id]
    module = {
        "agent": agent,
        "acts": acts,
        "call": call,
        "waiting": waiting,
        "controls": controls,
        "directory": directory,
        "callee": callee,
        "conversation": conversation,
        "dialler": dialler,
        "dialling": dialling,
        "mobile": mobile,
        "surveying": surveying,
        "outward": outward,
        "queue": queue,
        "seat": agent,
        "trunk": trunk,
        "switchboard": switchboard,
        "control": switchboard,
    }[file]
    found: object = module
    for part in ast.unparse(name).split("."):
        found = getattr(found, part)
    assert isinstance(found, type)
    return {found}


def test_every_tell_has_a_row_in_the_table_of_whom_it_tells() -> None:
    found = list(tells())
    assert len(found) >= 25
    for file, kind, message in found:
        told = classes_of(file, message)
        if kind == "any":
            assert told <= {message for machine in MACHINES for message in machine.table.messages}
            continue
        for one in SEVERAL.get(kind, (kind,)):
            assert told <= set(KINDS[one].table.messages), (file, one, ast.unparse(message))


def test_shells_say_nothing_that_a_table_does_not_know() -> None:
    for machine in (call.Call, line.Line):
        assert set(get_args(signals.SipSignal)) - {signals.Arrived} <= set(machine.table.messages)
        assert set(get_args(signals.DialledSignal)) <= set(machine.table.messages)
    assert set(get_args(signals.TrunkSignal)) <= set(trunk.Trunk.table.messages)
    of_a_leg = {fact for fact in get_args(media.Fact) if attrs.fields(fact)[0].name == "leg"}
    of_a_browser = {media.WebrtcLegOpened, media.LegUnchecked, media.LegChecked}
    assert of_a_leg - of_a_browser <= set(line.Line.table.messages)
    assert of_a_leg - of_a_browser <= set(call.Call.table.messages)
    assert of_a_leg - {media.LegOpened, media.KeyAnswered} <= set(agent.Agent.table.messages)
    assert {*get_args(page.Command), page.Attached, page.Detached} <= set(agent.Agent.table.messages)


# --- the table itself -------------------------------------------------------------------------------------------------


class Light(Enum):
    RED = "red"
    GREEN = "green"


def test_a_table_that_forgets_a_state_or_says_a_thing_twice_does_not_start() -> None:
    with pytest.raises(TypeError, match="the row of Started is not total: green"):
        Table("light", Light, row(Started, red=Late("x")))
    with pytest.raises(TypeError, match="not total: blue"):
        Table("light", Light, row(Started, red=Late("x"), green=Late("x"), blue=Late("x")))
    with pytest.raises(TypeError, match="two rows for Started"):
        Table("light", Light, always(Started, Late("x"), Light), always(Started, Late("y"), Light))


def test_what_a_table_does_not_know_is_our_bug() -> None:
    with pytest.raises(ImpossibleInputError, match="trunk knows no Echo"):
        a_trunk(trunk.Phase.INBOUND).receive(Echo(), NOW)


ANY_ORDER = """
import importlib, sys
for first in sys.argv[1:]:
    for known in [name for name in sys.modules if name.startswith("cordboard.actors")]:
        del sys.modules[known]
    importlib.import_module("cordboard.actors." + first)
"""


def test_actors_import_each_other_in_any_order() -> None:
    """They know each other's messages, in circles; no module needs another to be complete as it is read."""
    modules = [
        "agent",
        "agent_state",
        "announcements",
        "call",
        "call_state",
        "caller",
        "conversation",
        "dialler",
        "dialling",
        "gateway",
        "line",
        "mobile",
        "outward",
        "survey",
        "surveying",
        "queue",
        "registration",
        "trunk",
        "switchboard",
        "seat",
        "signalling",
        "runtime",
        "table",
    ]
    subprocess.run([sys.executable, "-c", ANY_ORDER, *modules], check=True)
