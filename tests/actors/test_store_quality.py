"""How a call sounded, as it is asked for: columns of each party, scores that follow, and where sound went one way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve
from cordboard.actors.organisation import parse_organisation
from cordboard.actors.records import QualityEntry, SoundEntry
from cordboard.actors.store import entries, organisations
from cordboard.actors.store.database import open_database, writing
from cordboard.actors.store.quality import CallQuality, Track, Ways, call_quality
from cordboard.actors.timeline import QualityPoint, pack
from sqlalchemy import Connection

T0 = 1_800_000_000.0
CENTRE = parse_organisation("""
[[agent]]
id = "1001"
name = "Lin"
""")
CLEAN = QualityPoint(T0, 5.0, 250, 0, 0.0, 2.0, 40.0, 20.0, 0.0, 3.0)


def row(call: str, party: str, began: float, *points: QualityPoint) -> QualityEntry:
    return QualityEntry(call, party, began, b"".join(pack(point, began) for point in points))


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Connection]:
    engine = open_database(tmp_path)
    with writing(engine) as connection:
        organisations.write_organisation(connection, CENTRE, {})
        yield connection
    engine.dispose()


def test_the_pieces_of_each_party_are_one_track(db: Connection) -> None:
    lossy = evolve(CLEAN, at=T0 + 5, received=225, lost=25, concealed_ms=500.0, far_loss_percent=5.0)
    unheard = QualityPoint(T0 + 10, 4.0, 0, 0, 0.0, 2.0, 40.0, None, None, None)
    late = evolve(CLEAN, at=T0 + 60, concealed_ms=1000.0)
    entries.write(
        db,
        [
            row("c1", "1001", T0 + 60, late),
            row("c1", "caller", T0, CLEAN, lossy),
            row("c1", "caller", T0 + 10, unheard),
            row("c2", "caller", T0, CLEAN),
            SoundEntry("c1", "1001", T0 + 70, comes=True, goes=False),
            SoundEntry("c1", "caller", T0 + 12, comes=False, goes=True),
        ],
    )
    assert call_quality(db, "c1") == CallQuality(
        tracks=(
            Track(
                "caller",
                "",
                at=(T0, T0 + 5, T0 + 10),
                seconds=(5.0, 5.0, 4.0),
                loss_percent=(0.0, 10.0, None),
                jitter_ms=(2.0, 2.0, None),
                delay_ms=(40.0, 40.0, None),
                mos=(4.41, 3.41, None),
                rtt_ms=(20.0, 20.0, None),
                far_loss_percent=(0.0, 5.0, None),
                far_jitter_ms=(3.0, 3.0, None),
                far_mos=(4.41, 3.92, None),
            ),
            Track(
                "1001",
                "Lin",
                at=(T0 + 60,),
                seconds=(5.0,),
                loss_percent=(0.0,),
                jitter_ms=(2.0,),
                delay_ms=(40.0,),
                mos=(2.63,),  # a fifth of it came too late to be heard
                rtt_ms=(20.0,),
                far_loss_percent=(0.0,),
                far_jitter_ms=(3.0,),
                far_mos=(4.41,),
            ),
        ),
        ways=(
            Ways("caller", "", T0 + 12, comes=False, goes=True),
            Ways("1001", "Lin", T0 + 70, comes=True, goes=False),
        ),
    )


def test_a_call_of_which_nothing_is_kept_has_nothing(db: Connection) -> None:
    assert call_quality(db, "c1") == CallQuality((), ())
