"""Whether the switch is well: each check says what is true, and only what stops calls says that it does."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import structlog.testing
import trio
import trio.testing
from attrs import define, evolve
from cordboard.actors.effects import Record
from cordboard.actors.health import (
    BEHIND,
    COUNTED_SECONDS,
    LOW_BYTES,
    SILENT_SECONDS,
    STRANGERS_SECONDS,
    Disk,
    Health,
    look_at,
)
from cordboard.actors.medialink import MediaLink
from cordboard.actors.records import CallEntry, LegEntry, OfferEntry, Outcome, RecordingEntry
from cordboard.actors.runtime import Hands, System
from cordboard.actors.signalling import Signalling
from cordboard.actors.signals import Host, Replied, Resolved
from cordboard.actors.store import Sound, Store
from cordboard.actors.trunk import Profile, Trunk
from cordboard.sip.endpoint import Endpoint, Settings
from cordboard.sip.grammar import Address
from cordboard.switch import protocol as media

from tests.sip.test_guests import build

T0 = 1_800_000_000.0
CALL = CallEntry("c1", "carrier", "inbound", "1", "", "2", "support", T0, T0 + 1, T0 + 9, recorded=True)
PROFILE = Profile("carrier")
HOST = Host("sip:192.0.2.1", "192.0.2.1", 5060, "udp")
REPORT = media.EngineReport(0, 50, 0, (0.1, 0.2, 0.3))


@define
class Scene:
    system: System
    link: MediaLink
    store: Store
    health: Health
    endpoint: Endpoint

    def failed(self) -> list[str]:
        return [name for name, check in self.health.checks().items() if not check.ok]

    def stops(self) -> list[str]:
        return [name for name, check in self.health.checks().items() if check.stops]


def _ignore(*effect: object) -> None:
    """Nothing is asked of anybody."""


@asynccontextmanager
async def scene(data: Path) -> AsyncIterator[Scene]:
    async with await Store.open(data) as store, trio.open_nursery() as nursery:
        system = System(trio.current_time, nursery)
        link = MediaLink(system)
        endpoint = Endpoint(Settings(lambda remote: ("192.0.2.1", 5060)), token=lambda: "x")
        signalling = Signalling(system, endpoint, trio.current_time)
        watch = Health(system, signalling, link, store, {"data": data, "recordings": data / "not" / "yet"})
        made = Scene(system, link, store, watch, endpoint)
        nobody = Hands(_ignore, _ignore, _ignore, _ignore, _ignore, _ignore)
        system.connect(nobody)
        system.spawn("trunk:carrier", Trunk(PROFILE, trio.current_time()))
        await trio.testing.wait_all_tasks_blocked()
        link.connect(lambda command: None)
        link.on_fact(REPORT)
        await watch.look()
        yield made
        nursery.cancel_scope.cancel()


def story(data: Path, tell: Callable[[Scene], Awaitable[None]], clock: trio.abc.Clock | None = None) -> None:
    async def run() -> None:
        async with scene(data) as made:
            await tell(made)

    trio.run(run, clock=clock)


def test_all_is_well(tmp_path: Path) -> None:
    async def tell(s: Scene) -> None:
        assert s.failed() == s.stops() == []
        checks = s.health.checks()
        since = s.health.trunks()["carrier"].since
        carrier = {"state": "inbound", "reason": "no proxy", "since": since, "calls": 0, "calls_out": 0}
        assert checks["trunks"].facts == {"known": 1, "trunks": {"carrier": carrier}}
        assert checks["ticks"].facts == {"engine": True, "late_share": 0.0}
        assert checks["database"].facts == {"behind": 0, "failing": False, "lost": 0}
        disks = checks["disk"].facts
        assert set(disks) == {"data", "recordings"}

    story(tmp_path, tell)


def test_that_strangers_call_is_said_once_in_ten_minutes(tmp_path: Path) -> None:
    """Nothing else says so, and it may be a carrier from an address that nobody has told."""

    async def tell(s: Scene) -> None:
        invite = build("INVITE", to="sip:600@192.0.2.1")
        said: list[int] = []
        for pause in (0.0, STRANGERS_SECONDS / 2, STRANGERS_SECONDS / 2, STRANGERS_SECONDS):
            await trio.sleep(pause)
            if pause < STRANGERS_SECONDS:
                for _ in range(2):
                    assert s.endpoint.receive(invite, Address("203.0.113.9", 5060), trio.current_time()) == []
            with structlog.testing.capture_logs() as logs:
                await s.health.look()
            said.append(sum(line["requests"] for line in logs if line["event"] == "calls of strangers had no answer"))
        assert said == [2, 0, 4, 0]

    story(tmp_path, tell, trio.testing.MockClock(autojump_threshold=0.1))


def test_what_is_wrong_and_stops_no_call(tmp_path: Path) -> None:
    async def tell(s: Scene) -> None:
        s.system.tell("trunk:carrier", evolve(PROFILE, proxy=("sip:192.0.2.1",)))
        await trio.testing.wait_all_tasks_blocked()
        assert s.failed() == []  # nobody knows yet
        s.system.tell("trunk:carrier", Resolved((HOST,), lasting=True, proxies=("sip:192.0.2.1",)))
        await trio.testing.wait_all_tasks_blocked()
        (gateway,) = s.health.trunks()["carrier"].gateways
        s.system.tell("trunk:carrier", Replied(gateway.ask, 408, False, 1, ""))
        await trio.testing.wait_all_tasks_blocked()
        assert s.failed() == ["trunks", "alarms"]
        assert s.stops() == []
        s.system.tell("trunk:carrier", PROFILE)
        await trio.testing.wait_all_tasks_blocked()
        assert s.failed() == []
        s.system.alarm("a lamp is out")
        assert s.failed() == ["alarms"]
        s.system.clear_alarm("a lamp is out")
        s.link.on_fact(evolve(REPORT, late_ticks=10))
        assert s.failed() == ["ticks"]
        assert s.health.checks()["ticks"].facts["late_share"] == 0.2
        s.system.end("trunk:carrier", "dismissed")
        assert s.failed() == ["trunks", "ticks"]
        assert s.stops() == []

    story(tmp_path, tell)


def test_an_engine_that_is_gone_or_says_nothing_stops_calls(tmp_path: Path) -> None:
    clock = trio.testing.MockClock()

    async def tell(s: Scene) -> None:
        s.link.connect(None)
        assert s.failed() == s.stops() == ["ticks"]
        s.link.connect(lambda command: None)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(s.health.run)
            for legs in range(10):
                await trio.testing.wait_all_tasks_blocked()
                clock.jump(1.0)
                s.link.on_fact(evolve(REPORT, legs=legs))
                assert s.stops() == []
            await trio.testing.wait_all_tasks_blocked()
            clock.jump(SILENT_SECONDS)
            assert s.stops() == ["ticks"]
            nursery.cancel_scope.cancel()

    story(tmp_path, tell, clock)


def test_what_waits_for_the_database_and_what_was_lost(tmp_path: Path) -> None:
    async def tell(s: Scene) -> None:
        ledger = s.store.ledger
        for number in range(BEHIND + 1):
            ledger.keep(Record(evolve(CALL, call=f"c{number}")))
        assert s.failed() == ["database"]
        await ledger.flush()
        assert s.failed() == []
        ledger.failing = "data/cordboard.db: disk I/O error"
        assert s.failed() == ["database"]
        assert "cordboard" not in str(s.health.checks())

    story(tmp_path, tell)


def test_a_directory_that_cannot_be_written_and_a_disk_that_is_nearly_full(tmp_path: Path) -> None:
    above = look_at(tmp_path / "not" / "yet")
    assert (above.trouble, above.free > 0) == ("", True)
    # No file can be made there, whoever asks.
    assert look_at(Path("/proc/self")).trouble

    async def tell(s: Scene) -> None:
        s.health.disks["recordings"] = Disk(LOW_BYTES - 1)
        assert s.failed() == ["disk"]
        s.health.disks["recordings"] = Disk(LOW_BYTES, "No space left on device")
        assert s.failed() == ["disk"]
        assert s.health.checks()["disk"].facts["recordings"] == {
            "free_bytes": LOW_BYTES, "trouble": "No space left on device",
        }  # fmt: skip

    story(tmp_path, tell)


def test_recordings_are_counted_by_how_far_they_are(tmp_path: Path) -> None:
    async def tell(s: Scene) -> None:
        now = time.time()
        calls = [evolve(CALL, call=f"c{number}", began=now - number) for number in range(6)]
        calls[4] = evolve(calls[4], ended=None)
        calls[5] = evolve(calls[5], recorded=False)
        old = evolve(CALL, call="old", began=now - 2 * COUNTED_SECONDS)
        ready = [RecordingEntry(f"c{number}", f"c{number}.opus", "opus") for number in range(2)]
        await s.store.apply([*calls, old, *ready, RecordingEntry("c2", reason="damaged")])
        await s.health.look()
        assert s.health.recordings == {
            Sound.RECORDING: 1, Sound.ENCODING: 1, Sound.READY: 2, Sound.LOST: 1,
        }  # fmt: skip

    story(tmp_path, tell)


def test_open_rows_are_counted_by_table(tmp_path: Path) -> None:
    async def tell(s: Scene) -> None:
        now = time.time()
        live = evolve(CALL, began=now, answered=now, ended=None)
        over = evolve(CALL, call="over", began=now - 9)
        old = evolve(CALL, call="old", began=now - 2 * COUNTED_SECONDS, ended=None)
        legs = [LegEntry("c1", 0, "caller", now), LegEntry("c1", 1, "1002", now)]
        legs.append(LegEntry("over", 0, "caller", now, now))
        offers = [
            OfferEntry("c1", "1001", "support", now, Outcome.DECLINED, now),
            OfferEntry("c1", "1002", "support", now, Outcome.ANSWERED, now),
            OfferEntry("over", "1003", "support", now),
            OfferEntry("over", "1001", "support", now, Outcome.ANSWERED, now, now),
            OfferEntry("old", "1001", "support", now),
        ]
        await s.store.apply([live, over, old, *legs, *offers])
        await s.health.look()
        assert s.health.open_rows == {"calls": 2, "legs": 2, "offers": 3}

    story(tmp_path, tell)


def test_a_disk_that_hangs_is_said_while_it_does(tmp_path: Path) -> None:
    async def tell(s: Scene) -> None:
        threads = trio.to_thread.current_default_thread_limiter()
        all_of_them, threads.total_tokens = threads.total_tokens, 1
        async with trio.open_nursery() as nursery:
            threads.acquire_on_behalf_of_nowait(threads)  # nobody comes back from a look
            nursery.start_soon(s.health.run)
            await trio.sleep(SILENT_SECONDS + 2)
            assert "disk" in s.failed()
            assert s.health.disks["data"] == Disk(0, "it does not answer")
            assert s.health.disks["recordings"].trouble == ""
            threads.release_on_behalf_of(threads)
            threads.total_tokens = all_of_them
            while s.health.disks["data"].trouble:
                await trio.sleep(0.1)
            nursery.cancel_scope.cancel()

    story(tmp_path, tell, trio.testing.MockClock(autojump_threshold=0.01))
