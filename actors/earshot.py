"""Whether everybody hears what the standing of a call allows, and nothing else.

What the link has told the engine stands beside what `wiring.py` says of who talks, and the phase of a call of whoever
waits, or is alone with the switch. `invariants.py` asks this of each call, and of each agent in none.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..switch import protocol as media
from . import call_state as calls
from . import wiring
from .effects import Tell
from .routes import Echo, Hold, Room, ToneRoute
from .switchboard import Switchboard
from .truth import Centre, Untrue, What


def of_ears(name: str, data: calls.Data, centre: Centre) -> Iterator[Untrue]:
    """Of all who are in the call, and of its recording."""
    phases = calls.Phase
    talks = data.phase is phases.TALKING
    # whatever an agent's voice does, the call says anew who hears whom
    cure = calls.AgentLeg(data.agent, data.agent_leg, data.agent_away) if talks and data.agent else None
    if talks or data.phase in (phases.WAITING, phases.GOODBYE):
        for channel, legs in wiring.taped(data).items():
            yield from hears(name, channel, centre, legs=legs, cure=cure)
    match data.phase:
        case phases.TALKING:
            for leg, sound in wiring.heard(data).items():
                yield from _hears_sound(name, data, leg, sound, cure, centre)
        case phases.WAITING:
            yield from hears(name, data.leg, centre, source=data.player or f"music:{data.music}")
        case phases.GOODBYE:  # nothing where it speaks itself
            yield from hears(name, data.leg, centre, source=data.player)
        case phases.SERVED:
            yield from _hears_what_it_dialled(name, data, centre)
        case phases.SEEKING | phases.READYING | phases.CALLING:
            yield from hears(name, data.leg, centre)
        case _:
            pass


def _hears_sound(
    name: str, data: calls.Data, leg: str, sound: wiring.Sound, cure: object, centre: Centre
) -> Iterator[Untrue]:
    match sound:
        case media.Playlist():
            playing = data.playing.get(leg)
            played = playing.source if playing is not None and playing.playlist == sound else "nothing"
            yield from hears(name, leg, centre, source=played, cure=cure)
        case media.OpenSource():
            yield from hears(name, leg, centre, source=sound.source, cure=cure)
        case legs:
            yield from hears(name, leg, centre, legs=legs, cure=cure)


def _hears_what_it_dialled(name: str, data: calls.Data, centre: Centre) -> Iterator[Untrue]:
    match data.route:
        case Echo():
            yield from hears(name, data.leg, centre, legs=(data.leg,))
        case ToneRoute(frequency):
            yield from hears(name, data.leg, centre, source=f"tone:{frequency:g}")
        case Hold():
            yield from hears(name, data.leg, centre, source=f"music:{data.music}")
        case Room():
            switchboard = centre.glance("switchboard")
            if isinstance(switchboard, Switchboard):
                members = switchboard.state.rooms.get(data.arrived.dialled, {})
                others = tuple(leg for call, leg in members.items() if call != data.arrived.call)
                yield from hears(name, data.leg, centre, legs=others)
        case _:
            pass


def hears(
    name: str,
    listener: str,
    centre: Centre,
    *,
    legs: tuple[str, ...] = (),
    source: str = "",
    cure: object = None,
) -> Iterator[Untrue]:
    """Those legs and that source, and nothing else. One that is not open hears nothing and is not heard: it is missed
    elsewhere."""
    heard = centre.hears(listener)
    wanted = {leg for leg in legs if centre.holds(leg)} | ({source} if source else set())
    if heard is not None and heard != wanted:
        owner = centre.holds(listener)
        names = (name, owner) if owner not in ("", name) else (name,)
        yield Untrue(What.HEARS_OTHERWISE, names, listener, None if cure is None else Tell(name, cure))
