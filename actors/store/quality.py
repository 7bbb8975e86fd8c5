"""How a call sounded: the timeline of each of its parties in columns, and when sound went one way.

Queries, synchronous, inside a transaction of the caller's. What was kept are counts and times of a
`timeline.QualityPoint`; loss and scores follow from them here (`switch/emodel.py`).
"""

from __future__ import annotations

from attrs import frozen
from sqlalchemy import Connection, select

from ...switch.emodel import mos
from ..timeline import QualityPoint, unpack
from . import schema

# A packet holds this much sound, which the ear waits for besides the network and the playout, in milliseconds.
PACKET_MS = 20.0

qualities, sounds = schema.qualities, schema.sounds


@frozen
class Track:
    """One party: what came `from` it, and what went to it by its own word (`far_`).

    Columns of one length, a point each: `at` and for how many `seconds`; None where nothing came, or is known.
    """

    party: str
    name: str
    at: tuple[float, ...]
    seconds: tuple[float, ...]
    loss_percent: tuple[float | None, ...]
    jitter_ms: tuple[float | None, ...]
    delay_ms: tuple[float | None, ...]
    mos: tuple[float | None, ...]
    rtt_ms: tuple[float | None, ...]
    far_loss_percent: tuple[float | None, ...]
    far_jitter_ms: tuple[float | None, ...]
    far_mos: tuple[float | None, ...]


@frozen
class Ways:
    """Whether sound came from a party and went to it, from `at` on until the next word of it."""

    party: str
    name: str
    at: float
    comes: bool
    goes: bool


@frozen
class CallQuality:
    """The caller first, then whoever talked with it in their order; `ways` where something did not get through."""

    tracks: tuple[Track, ...]
    ways: tuple[Ways, ...]


def call_quality(connection: Connection, call: str) -> CallQuality:
    """Empty where nothing is kept of it."""
    agents = schema.agents
    rows = connection.execute(
        select(qualities.c.party, qualities.c.began, qualities.c.points, agents.c.name)
        .outerjoin(agents, agents.c.id == qualities.c.party)
        .where(qualities.c.call == call)
        .order_by(qualities.c.began)
    )
    parties: dict[str, tuple[str, list[QualityPoint]]] = {"caller": ("", [])}
    for row in rows:
        _, points = parties.setdefault(row.party, (row.name or "", []))
        points += unpack(row.points, row.began)
    told = connection.execute(
        select(sounds, agents.c.name)
        .outerjoin(agents, agents.c.id == sounds.c.party)
        .where(sounds.c.call == call)
        .order_by(sounds.c.at, sounds.c.party)
    )
    return CallQuality(
        tuple(_track(party, name, points) for party, (name, points) in parties.items() if points),
        tuple(Ways(row.party, row.name or "", row.at, row.comes, row.goes) for row in told),
    )


def _track(party: str, name: str, points: list[QualityPoint]) -> Track:
    def known(value: float, point: QualityPoint) -> float | None:
        return value if point.received else None

    return Track(
        party=party,
        name=name,
        at=tuple(each.at for each in points),
        seconds=tuple(each.seconds for each in points),
        loss_percent=tuple(_loss(each) for each in points),
        jitter_ms=tuple(known(each.jitter_ms, each) for each in points),
        delay_ms=tuple(known(each.delay_ms, each) for each in points),
        mos=tuple(_mos(each) for each in points),
        rtt_ms=tuple(each.rtt_ms for each in points),
        far_loss_percent=tuple(each.far_loss_percent for each in points),
        far_jitter_ms=tuple(each.far_jitter_ms for each in points),
        far_mos=tuple(_far_mos(each) for each in points),
    )


def _loss(point: QualityPoint) -> float | None:
    """Packets that did not come, of those that were sent."""
    sent = point.received + point.lost
    return round(100.0 * point.lost / sent, 2) if sent else None


def _mos(point: QualityPoint) -> float | None:
    """Of what was heard: a packet that came too late is missing too, and then has been concealed."""
    loss = _loss(point)
    if loss is None or point.seconds <= 0:
        return None
    concealed = min(100.0, point.concealed_ms / (10.0 * point.seconds))
    return round(mos(max(loss, concealed), _way_ms(point) + point.delay_ms), 2)


def _far_mos(point: QualityPoint) -> float | None:
    """Of what the far side hears. How long its playout waits it does not say: as long as ours, in the same network."""
    if point.far_loss_percent is None:
        return None
    return round(mos(point.far_loss_percent, _way_ms(point) + point.delay_ms), 2)


def _way_ms(point: QualityPoint) -> float:
    return PACKET_MS + (point.rtt_ms or 0.0) / 2
