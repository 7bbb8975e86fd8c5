"""The figures of a switch: each is there, and tells of the process and the second it says it tells of."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

import trio
from cordboard.actors.call_state import Dial
from cordboard.actors.guard import Guard
from cordboard.actors.health import Health
from cordboard.actors.journal import Journal
from cordboard.actors.medialink import MediaLink
from cordboard.actors.metrics import SwitchMetrics
from cordboard.actors.organisation import Organisation
from cordboard.actors.recordings import Recordings
from cordboard.actors.runtime import System
from cordboard.actors.setups import USUAL
from cordboard.actors.signalling import Signalling
from cordboard.actors.store import Store
from cordboard.actors.switchboard import BARRED, Switchboard
from cordboard.actors.trunk import Profile, Trunk
from cordboard.actors.truth import What
from cordboard.actors.webhooks import Webhooks
from cordboard.actors.wire import Wire
from cordboard.sip.endpoint import Endpoint, Settings, TrunkSettings
from cordboard.sip.events import Transmit
from cordboard.sip.message import Address
from cordboard.switch import protocol as media
from prometheus_client import CollectorRegistry

REPORT = media.EngineReport(3, 50, 2, (0.1, 0.2, 0.3), {"ticks": 100}, edges=4)
# Their samples begin with the first message of such a code; the page says how to ask for them.
BY_CODE = {"cordboard_trunk_answers_total", "cordboard_sip_messages_total"}
OPTIONS = (
    b"OPTIONS sip:us SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n"
    b"To: <sip:us>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)


def not_begun(registry: CollectorRegistry) -> list[str]:
    """Counters of the table of what to watch that have no sample yet; those by `code` begin with the first answer."""
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")
    watched = re.findall(
        r"`(cordboard_\w+_total)(?:{([^}`]*)})?`", page.partition("What to watch:")[2].partition("\n## ")[0]
    )
    assert len(watched) > 5
    missing = []
    for name, labels in watched:
        if name in BY_CODE:
            continue
        exact = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        every: dict[str, Iterable[str]] = {"why": BARRED, "what": [what.name.lower() for what in What]}
        wanted = (
            [exact] if exact else [{label: each} for label in (labels or "what").split(",") for each in every[label]]
        )
        missing += [f"{name} {each}" for each in wanted if registry.get_sample_value(name, each) is None]
    return missing


def test_figures(tmp_path: Path) -> None:
    async def run() -> None:
        async with await Store.open(tmp_path) as store, trio.open_nursery() as nursery:
            system = System(trio.current_time, nursery)
            link = MediaLink(system)
            endpoint = Endpoint(Settings(lambda remote: ("192.0.2.1", 5060)), token=lambda: "x")
            endpoint.set_trunks({"carrier": TrunkSettings(("192.0.2.9",))})
            registry = CollectorRegistry()
            signalling = Signalling(system, endpoint, trio.current_time)
            health = Health(system, signalling, link, store, {"data": tmp_path})
            recordings = Recordings(tmp_path, "opus", store.ledger, system)
            recordings.on_fact(media.RecordingClosed("c1", 3.0))
            journal = Journal(tmp_path, trio.current_time, lambda text, standing: None)
            tasks, ledger = (lambda: 17), store.ledger
            wire = Wire(endpoint.whose, journal.spoke)
            hooks = Webhooks(store.outbox, system, trio.current_time)
            guard = Guard(system, link, signalling, trio.current_time, lambda name, actors: None)
            registry.register(
                SwitchMetrics(
                    system, signalling, link, endpoint, ledger, health, tasks, journal, recordings, wire, hooks, guard
                )
            )
            value = registry.get_sample_value

            signalling.answers["carrier", "in", "INVITE", 487] = 3
            system.spawn("trunk:carrier", Trunk(Profile("carrier"), 0.0))
            assert value("cordboard_trunk_state", {"trunk": "carrier", "state": "inbound"}) == 1
            assert value("cordboard_trunk_state", {"trunk": "carrier", "state": "down"}) == 0
            assert value("cordboard_trunk_calls", {"trunk": "carrier", "direction": "out"}) == 0
            board = Switchboard(Organisation(), ())
            system.spawn("switchboard", board)
            assert not_begun(registry) == []
            board.receive(Dial("c", "lin", "+8613800138000", ""), 0.0)
            assert value("cordboard_dialling_barred_total", {"why": "not_allowed"}) == 1
            answered = {"trunk": "carrier", "direction": "in", "method": "INVITE", "code": "487"}
            assert value("cordboard_trunk_answers_total", answered) == 3
            assert value("cordboard_tasks") == 17
            system.pressure.setups.begin("c9", 1.0)
            assert (value("cordboard_setups"), value("cordboard_setup_seconds")) == (1, USUAL)
            assert value("cordboard_media_edges") is None
            assert (value("process_resident_memory_bytes") or 0) > 1 << 20
            assert value("cordboard_media_process_resident_memory_bytes") is None

            link.on_fact(media.EngineStarted("epoch", (), os.getpid()))
            link.on_fact(REPORT)
            for source in (Address("192.0.2.9", 5060), Address("203.0.113.5", 5060)):
                outputs = endpoint.receive(OPTIONS, source, 0.0)
                wire.received(OPTIONS, source, 0.0, outputs)
                for each in outputs:
                    assert isinstance(each, Transmit)
                    wire.sent(each.data, each.destination, 0.0)
            await health.look()
            assert value("cordboard_sip_transactions") == 1
            of_trunk = {"trunk": "carrier", "method": "OPTIONS"}
            assert value("cordboard_sip_messages_total", of_trunk | {"direction": "in", "code": ""}) == 1
            assert value("cordboard_sip_messages_total", of_trunk | {"direction": "out", "code": "200"}) == 1
            assert sum(wire.counts.values()) == 2, "none of a stranger"
            assert value("cordboard_journal_total", {"what": "quarantined"}) == 0
            assert value("cordboard_journal_seconds_total") == 0
            assert value("cordboard_media_edges") == 4
            ticks = [value(f"cordboard_media_tick_{name}_ms") for name in ("p50", "p99", "max")]
            assert ticks == [0.1, 0.2, 0.3]
            assert value("cordboard_media_full") == 0
            link.on_fact(media.TicksLong(13.5))
            assert value("cordboard_media_full") == 1
            assert value("cordboard_media_total", {"what": "ticks"}) == 100
            assert (value("cordboard_media_process_resident_memory_bytes") or 0) > 1 << 20
            assert value("cordboard_open_rows", {"table": "calls"}) == 0
            assert value("cordboard_encoding_waiting") == 1
            assert (value("cordboard_encoding_waited_seconds") or 0.0) > 0
            nursery.cancel_scope.cancel()

    trio.run(run)
