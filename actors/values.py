"""All that actors hold, hear and say, for the states and the journal.

A module whose classes are in a state, a message or an effect is named here, and every behaviour.
"""

from __future__ import annotations

from ..sip import binding, description, opus, sdes, sdp
from ..switch import agreed, commands, facts, sounds
from . import (
    acd,
    agent,
    agent_state,
    call,
    call_state,
    customs,
    directory,
    effects,
    entries,
    gateway,
    hours,
    integrations,
    limits,
    line,
    organisation,
    origin,
    pace,
    parties,
    patience,
    queue,
    queue_state,
    records,
    registration,
    routes,
    signals,
    survey,
    switchboard,
    timeline,
    trunk,
    voicemail,
)
from .packing import Packer, Veil, unveiled
from .page import answers, asks, events, snapshot

MODULES = (
    effects, answers, asks, events, snapshot, records, signals, routes, entries, integrations, organisation,
    agent_state, parties, call_state, survey, voicemail, line, queue_state, trunk, gateway, registration, limits,
    directory, switchboard, origin, acd, hours, pace, patience, customs, timeline, agreed, commands, facts, sounds,
    description, sdes, sdp, opus, binding,
)  # fmt: skip
BEHAVIOURS = (agent.Agent, call.Call, line.Line, queue.Queue, trunk.Trunk, directory.Directory, switchboard.Switchboard)


def packer(veil: Veil = unveiled) -> Packer:
    """What packs them, and unpacks them again."""
    return Packer(MODULES, BEHAVIOURS, veil)
