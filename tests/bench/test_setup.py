"""The load of the set-up bench against an endpoint of ours, and how its result is judged."""

from __future__ import annotations

import json
from collections.abc import Callable

import attrs
import pytest
import trio
from cordboard.bench import leftovers, setup, setupload
from cordboard.bench.leftovers import Left
from cordboard.bench.media import process, told
from cordboard.bench.series import Standing
from cordboard.bench.setup import Found
from cordboard.bench.setupload import Caller, Heard, Load, Wave
from cordboard.bench.waves import Step
from cordboard.sip.endpoint import Endpoint, Settings, TrunkSettings
from cordboard.sip.events import CallConfirmed, CallEnded, IncomingCall, Output
from cordboard.sip.transport import SipTransport, serve

from ..sip.net import answer_to


async def waved(
    wanted: Wave, calls: int, port: Callable[[SipTransport], int] = lambda t: t.addresses[0].port
) -> tuple[Heard, list[Output]]:
    """A wave against an endpoint that answers up to so many calls at once."""
    heard: list[Output] = []
    serial = iter(range(100_000))

    def hears(output: Output) -> None:
        heard.append(output)
        if isinstance(output, IncomingCall) and output.offer is not None:
            sdp = answer_to(output.offer, "127.0.0.1")
            transport.command(lambda now: endpoint.answer(output.call, sdp, now))

    async with trio.open_nursery() as nursery:
        endpoint = Endpoint(
            Settings(lambda remote: ("127.0.0.1", 5060), max_calls=calls), lambda: f"token{next(serial):08}"
        )
        endpoint.set_trunks({"carrier": TrunkSettings(("127.0.0.1",))})
        transport: SipTransport = await nursery.start(serve, endpoint, [("127.0.0.1", 0)], hears)
        with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as udp:
            await udp.bind(("127.0.0.1", 0))
            caller = Caller(udp, Load(port(transport)))
            nursery.start_soon(caller.listen)
            found = await caller.wave(wanted)
            nursery.cancel_scope.cancel()
    return found, heard


def test_every_call_comes_up_and_is_hung_up() -> None:
    found, heard = trio.run(waved, Wave(100.0, 0.2, 0.1, "601"), 100)
    assert (found.made, len(found.setup), found.refused, found.lost) == (20, 20, {}, 0)
    kinds = [type(each) for each in heard]
    assert kinds.count(CallConfirmed) == kinds.count(CallEnded) == 20
    offers = [each.offer.media[0].connection for each in heard if isinstance(each, IncomingCall) and each.offer]
    assert len(set(offers)) == 20, "an address of its own for each"


def test_what_is_too_much_is_refused_and_said_when_to_come_again() -> None:
    found, _ = trio.run(waved, Wave(100.0, 0.1, 0.5, "601"), 4)
    assert (found.made, len(found.setup), found.refused, found.unsaid, found.lost) == (10, 4, {"503": 6}, 0, 0)


def test_who_is_not_there_is_called_again_and_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setupload, "T1", 0.05)
    monkeypatch.setattr(setupload, "TAIL", 0.2)
    found, _ = trio.run(waved, Wave(100.0, 0.05, 0.0, "601"), 4, lambda transport: 9)
    assert (found.made, found.lost, found.setup) == (5, 5, [])
    assert found.again >= 5


def test_the_floor_answers_all_of_a_call() -> None:
    async def run() -> Heard:
        with process("answering", core=None) as answering:
            port = int(told(answering))
            async with trio.open_nursery() as nursery:
                with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as udp:
                    await udp.bind(("127.0.0.1", 0))
                    caller = Caller(udp, Load(port))
                    nursery.start_soon(caller.listen)
                    found = await caller.wave(Wave(100.0, 0.1, 0.05, "601"))
                    nursery.cancel_scope.cancel()
            return found

    found = trio.run(run)
    assert (len(found.setup), found.lost, found.again) == (10, 0, 0)


GOOD = Step(200.0, 1600, 1600, 0, 0, 0, 0, 5.0, 20.0, 3.0, 0.5)
BEYOND = attrs.evolve(GOOD, up=800, refused=800)
WHERE = ("2026-11-26 04:00 UTC", "a machine", 2, "3.11", "queued", 120)
FOUND = Found(*WHERE, 0.1, 200.0, (GOOD,), BEYOND, BEYOND, 90.0, 95.0, 95.5, 50.0)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (FOUND, []),
        (attrs.evolve(FOUND, sustained=150.0), ["150 calls a second are sustained, less than 200"]),
        (
            attrs.evolve(FOUND, steps=(attrs.evolve(GOOD, p99_ms=120.0),)),
            ["at 200 a second p99 is 120.0 ms, more than 100"],
        ),
        (
            attrs.evolve(FOUND, steps=(attrs.evolve(GOOD, cpu_ms=4.5),)),
            ["a call takes 4.5 ms of the core, more than 4"],
        ),
        (attrs.evolve(FOUND, kb_per_call=61.0), ["a call takes 61.0 kB, more than 60"]),
        (
            attrs.evolve(FOUND, beyond=attrs.evolve(BEYOND, lost=3, unsaid=1)),
            ["beyond the limit 3 heard nothing, 1 no Retry-After"],
        ),
        (attrs.evolve(FOUND, beyond=attrs.evolve(BEYOND, refused=0)), ["beyond the limit nobody was refused"]),
        (
            attrs.evolve(FOUND, beyond=attrs.evolve(BEYOND, p99_ms=700.0)),
            ["beyond the limit p99 is 700.0 ms, more than 500"],
        ),
        (attrs.evolve(FOUND, after_mb=101.0), ["a minute later 101.0 MB are in use, 90.0 were before"]),
        (attrs.evolve(FOUND, again_mb=98.0), ["a second flood leaves 3.0 MB more, more than 2"]),
        (
            attrs.evolve(FOUND, again=attrs.evolve(BEYOND, lost=2)),
            ["beyond the limit 2 heard nothing, 0 no Retry-After"],
        ),
    ],
)
def test_the_verdict(found: Found, said: list[str]) -> None:
    assert found.problems == said
    assert setup.picture(found).startswith("<svg")
    assert setup.table(found).row_count == 3
    assert json.loads(json.dumps(attrs.asdict(found)))["scene"] == "queued"


STANDING = Standing(20, 5, 9, 2, 4, 130, 0, 0, 0, 0, 120, 0, 0, 0)
MEMORY = [90.0, 95.0, *[96.0] * 9, 96.0]
LEFT = Left(
    *WHERE, 100.0, 1003.0, 1000, 1000, 0, 0, 0, 1000, 4.0, STANDING, STANDING, {}, 33.0, MEMORY, [50.0] * 12, ()
)


def many(calls: int, control_mb: list[float]) -> Left:
    return attrs.evolve(LEFT, made=calls, up=calls, rows=calls, control_mb=control_mb)


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (LEFT, []),
        (attrs.evolve(LEFT, missing={"legs": (0, 2)}), ["legs: 0 before, 2 after"]),
        (attrs.evolve(LEFT, up=990), ["10 of 1000 calls did not come up"]),
        (attrs.evolve(LEFT, rows=998, refused=1, up=999), ["998 rows of 1000 calls, of which 1 were refused"]),
        (many(100_000, [95.0] * 11 + [103.5]), ["control grew by 8.5 MB after its first 10000 calls"]),
        (many(20_000, [60.0, 80.0, 90.0, 94.0] + [96.0] * 8), []),  # as long as transactions end more slowly than begin
        (many(20_000, [95.0] * 11 + [103.5]), ["control grew by 8.5 MB after its first 8000 calls"]),
        (attrs.evolve(LEFT, complaints=("Traceback",)), ["the switch complains: Traceback"]),
    ],
)
def test_what_may_be_left(left: Left, said: list[str]) -> None:
    assert left.problems == said
    assert leftovers.picture(left).startswith("<svg")
    assert leftovers.table(left).row_count == 19
    assert json.loads(json.dumps(attrs.asdict(left)))["before"]["actors"] == 130


def test_a_rate_is_sustained_while_hardly_any_call_fails() -> None:
    assert GOOD.sustained
    assert attrs.evolve(GOOD, up=1597).sustained
    assert not attrs.evolve(GOOD, up=1596).sustained
    assert not attrs.evolve(GOOD, p99_ms=501.0).sustained
