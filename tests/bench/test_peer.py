"""The bench beside another switch: its calls, to an endpoint of ours, its verdict, and what it writes for Asterisk."""

from __future__ import annotations

import configparser
from pathlib import Path
from xml.etree import ElementTree

import attrs
import pytest
import trio
from click.testing import CliRunner
from cordboard.bench.commands import bench
from cordboard.bench.peer import Beside, Rooms, Side, picture, table
from cordboard.bench.peers import asterisk
from cordboard.bench.peers.legs import RefusedError, legs
from cordboard.bench.rtpload import Heard
from cordboard.bench.waves import Step
from cordboard.sip.endpoint import Endpoint, Settings, TrunkSettings
from cordboard.sip.events import IncomingCall, Output
from cordboard.sip.transport import SipTransport, serve
from rich.console import Console

from ..sip.net import answer_to

ROOMS = Rooms(150, 0.04, 1.0, 0, ())
STRANGE = attrs.evolve(ROOMS, wrongly_heard=("leg 1 heard leg 9",))
STEP = Step(50.0, 500, 500, 0, 0, 0, 0, 3.0, 9.0, 3.0, 0.2)
SIDE = Side(ROOMS, STEP, STEP)
FOUND = Beside("2026-01-02 03:04 UTC", "a machine", 2, "3.11", "Asterisk 22", 0.02, 0.1, SIDE, ROOMS, SIDE)


async def called(numbers: list[str], *, taken: int) -> tuple[list[tuple[str, int]], list[Output]]:
    """Legs at an endpoint that answers so many calls, each at a port of its own, and refuses the next."""
    heard: list[Output] = []

    def hears(output: Output) -> None:
        heard.append(output)
        if not isinstance(output, IncomingCall) or output.offer is None:
            return
        place = sum(isinstance(each, IncomingCall) for each in heard)
        if place > taken:
            transport.command(lambda now: endpoint.reject(output.call, 486, now))
            return
        sdp = answer_to(output.offer, "127.0.0.1", 4000 + place)
        transport.command(lambda now: endpoint.answer(output.call, sdp, now))

    async with trio.open_nursery() as nursery:
        tokens = iter(range(100_000))
        endpoint = Endpoint(Settings(lambda remote: ("127.0.0.1", 5060)), lambda: f"token{next(tokens):08}")
        endpoint.set_trunks({"carrier": TrunkSettings(("127.0.0.1",))})
        transport: SipTransport = await nursery.start(serve, endpoint, [("127.0.0.1", 0)], hears)
        async with legs(transport.addresses[0].port, numbers, range(30000, 30000 + len(numbers))) as remotes:
            pass
        nursery.cancel_scope.cancel()
    return remotes, heard


def test_what_a_switch_never_sent_is_as_lost_as_what_did_not_come() -> None:
    """For both by the same count, at the load: a switch may send less, and all of that may come."""
    load = Heard(sent=1500, received=1500, in_time=1350, gaps=0, stall_ms=0.0, late_ms=0.0, tones={})
    assert load.share(3, 10.0) == 0.9


def test_each_leg_is_a_call_to_its_number_from_its_port() -> None:
    remotes, heard = trio.run(lambda: called(["7000", "7000", "7001"], taken=3))
    assert remotes == [("127.0.0.1", 4001), ("127.0.0.1", 4002), ("127.0.0.1", 4003)]
    came = [each for each in heard if isinstance(each, IncomingCall)]
    assert [each.number for each in came] == ["7000", "7000", "7001"]
    assert [each.offer.media[0].port for each in came if each.offer] == [30000, 30001, 30002]


def test_a_call_that_is_refused_ends_the_bench_with_what_was_said() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        trio.run(lambda: called(["7000", "7000"], taken=1))
    assert caught.group_contains(RefusedError, match="486 Busy Here")


def test_asterisk_is_told_its_folders_its_rooms_and_every_telephone(tmp_path: Path) -> None:
    asterisk.configure(tmp_path, 5070, ["t0", "t1"], 5090)
    for folder in ("run", "log", "spool", "db", "keys"):
        assert (tmp_path / folder).is_dir()
    places = configparser.ConfigParser()
    places.read_string((tmp_path / "asterisk.conf").read_text())
    assert places["directories"]["astetcdir"] == f"> {tmp_path}"
    assert "bind=127.0.0.1:5070" in (tmp_path / "pjsip.conf").read_text()
    for name in ("t0", "t1"):
        assert f"contact=sip:{name}@127.0.0.1:5090" in (tmp_path / "pjsip.conf").read_text()
        assert f"member => PJSIP/{name}\n" in (tmp_path / "queues.conf").read_text()
    assert "exten => _7.,1,Answer()\n same => n,ConfBridge(${EXTEN})" in (tmp_path / "extensions.conf").read_text()


def test_a_program_that_is_not_there_is_unusable_input() -> None:
    result = CliRunner().invoke(bench, ["peer", "--program", "no-such-switch"])
    assert result.exit_code == 2
    assert "no-such-switch is not installed here" in result.output


@pytest.mark.parametrize(
    ("found", "problems"),
    [
        (FOUND, []),
        (attrs.evolve(FOUND, many=attrs.evolve(ROOMS, heard=0.9)), ["ours: of 150 legs 90.00 % of the packets came"]),
        (attrs.evolve(FOUND, theirs=attrs.evolve(SIDE, rooms=STRANGE)), ["Asterisk 22: leg 1 heard leg 9"]),
        (
            attrs.evolve(FOUND, theirs=attrs.evolve(SIDE, queued=attrs.evolve(STEP, up=10))),
            ["Asterisk 22: 10 of 500 queued calls came up, p99 9.0 ms"],
        ),
    ],
)  # fmt: skip
def test_what_does_not_compare_is_said(found: Beside, problems: list[str]) -> None:
    assert found.problems == problems


def test_the_picture_has_a_bar_for_each_and_the_longest_is_the_widest() -> None:
    found = attrs.evolve(FOUND, theirs=attrs.evolve(SIDE, rooms=attrs.evolve(ROOMS, percent_per_leg=0.4)))
    svg = ElementTree.fromstring(picture(found))
    bars = [each for each in svg.iter("{http://www.w3.org/2000/svg}rect") if each.get("fill") != "white"]
    assert len(bars) == 4 + 2 + 3 + 2
    floor, ours, many, theirs = (float(each.get("width", "")) for each in bars[:4])
    assert ours == many == pytest.approx(theirs / 10, abs=0.1)
    assert floor == pytest.approx(ours / 2, abs=0.1)


def test_the_table_says_what_each_takes() -> None:
    console = Console(record=True, width=120)
    console.print(table(FOUND))
    said = console.export_text()
    assert "0.0400" in said
    assert "3.0 / 9.0" in said
