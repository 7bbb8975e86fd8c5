"""A call is drawn as it was: SIP, actors, pages and media in one order, with the states, and nothing private."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import pytest
from attrs import evolve
from click.testing import CliRunner, Result
from cordboard.actors import evidence, ladder, page, tracing, values
from cordboard.actors.effects import Push
from cordboard.actors.frames import Frames, framed
from cordboard.actors.journal import JOURNAL, RECORDS, Part, write
from cordboard.actors.packing import Packer
from cordboard.actors.steps import Begins, Lives, Spoke, Took
from cordboard.actors.trace import Trace
from cordboard.actors.tracing import Tail, shown, trace
from cordboard.actors.wire import digest_of
from cordboard.switch import protocol

from .playing import play
from .test_journal import PRIVATE, a_day
from .test_world import HOTLINE, organisation, settle
from .world import World

# Of the first call of the day: answered by 1001, muted, a key pressed, hung up by the caller.
STORY: Final = [
    "carrier (SIP) > sip: INVITE ***00 + SDP", "sip > carrier (SIP): 100 Trying", "call: routing",
    "call > switchboard: FindRoute", "switchboard > call: Routed ToQueue", "call: opening",
    "call > media: OpenRtpLeg", "media > call: LegOpened", "call: waiting", "call > sip: AnswerSip",
    "call > queue:support: Join", "sip > carrier (SIP): 200 OK + SDP", "queue:support > agent:1001: Offer",
    "agent:1001 > page 1001: call.offered", "agent:1001: ringing: offer", "page 1001 > agent:1001: call.answer",
    "agent:1001 > page 1001: accepted", "agent:1001 > call: Accept 1001", "call: talking",
    "call > media: OpenRecording",
    "agent:1001 > page 1001: call.connected", "agent:1001: talking: answered", "carrier (SIP) > sip: ACK ***00",
    "page 1001 > agent:1001: call.mute", "agent:1001 > call: MuteAgent 1001", "carrier (SIP) > sip: BYE ***00",
    "sip > carrier (SIP): 200 OK", "sip > call: Released hung up",
    "call > agent:1001: Ended hung up",
    "call: ended: caller: hung up",
    "agent:1001 > page 1001: call.ended", "agent:1001: after_call_work: caller hung up",
]  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("day")
    play(a_day, organisation(), data=directory)
    return directory


def first_of(data: Path) -> str:
    return spoke(data)[0].call


def asked(*arguments: object) -> Result:
    return CliRunner().invoke(trace, [str(each) for each in arguments])


def told(traced: Trace) -> list[str]:
    return [
        f"{line.source}: {line.text}" if line.source == line.target else f"{line.source} > {line.target}: {line.text}"
        for line in traced.lines
    ]


def in_order(story: list[str], lines: list[str]) -> list[str]:
    """What of the story is not there, or not in its place."""
    rest = iter(lines)
    return [each for each in story if each not in rest]


def test_a_call_is_told_in_order(data: Path) -> None:
    traced = tracing._traced(first_of(data), data)
    assert in_order(STORY, told(traced)) == []
    assert traced.trunk == "carrier"
    assert traced.unread == 0
    assert [line.at for line in traced.lines] == sorted(line.at for line in traced.lines)
    others = {each for line in traced.lines for each in (line.source, line.target)}
    assert "agent:1002" not in others, "who had no part in it"


def test_a_call_is_found_by_its_call_id_too(data: Path) -> None:
    """The carrier's tokens are numbered here: one of them is the Call-ID."""
    first = tracing._traced(first_of(data), data)
    spoken = [each for each in spoke(data) if each.call == first.call]
    (call_id,) = {each.call_id for each in spoken}
    said = next(f"c{number:016x}" for number in range(100) if digest_of(b"c%016x" % number) == call_id)
    again = tracing._traced(said, data)
    assert (again.call, again.lines) == (first.call, first.lines)


def spoke(data: Path) -> list[Spoke]:
    tail = Tail(data / JOURNAL)
    tail._at = 0
    return tail.look()


def test_what_is_drawn(data: Path, tmp_path: Path) -> None:
    first = first_of(data)
    result = asked(first, "--data", data)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0] == f"call {first}, trunk carrier, began 2023-11-14 22:13:20 UTC"
    names = [
        "carrier (SIP)",
        "sip",
        "call",
        "switchboard",
        "queue:support",
        "agent:1001",
        "page 1001",
        "media",
    ]
    assert [each.strip() for each in lines[2].split("  ") if each.strip()] == names
    assert lines[-1] == lines[2]
    assert lines[3].split("|")[1] == "-- INVITE ***00 + SDP >"
    assert lines[4].split("|")[1] == "<----- 100 Trying -----"
    picture = tmp_path / "call.svg"
    drawn = asked(first, "--data", data, "--svg", picture)
    assert drawn.output == f"{picture}: {lines[0]}, {len(lines) - 4} lines\n"
    root = ElementTree.fromstring(picture.read_text())
    words = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    above = words[: words.index("carrier (SIP)")]  # the title and the key to colours
    assert [words.count(name) - above.count(name) for name in names] == [2] * len(names)
    assert "talking: answered" in words
    shapes = {kind: len(list(root.iter(f"{{http://www.w3.org/2000/svg}}{kind}"))) for kind in ("polygon", "circle")}
    assert shapes["polygon"] + shapes["circle"] == len(lines) - 4
    assert [each for each in PRIVATE if each in result.output + picture.read_text()] == []


def test_every_call_of_the_day_can_be_drawn(data: Path) -> None:
    calls = {each.call for each in spoke(data)}
    assert len(calls) == 4
    for call in calls:
        traced = tracing._traced(call, data)
        assert len(ladder.text(traced).splitlines()) == len(traced.lines) + 4
        assert ElementTree.fromstring(ladder.svg(traced)) is not None


def test_a_call_goes_on_in_the_next_file(tmp_path: Path) -> None:
    """Another begins with all actors as they then are: here, because the organisation is another."""

    async def story(world: World) -> None:
        lin = await world.sign_in("1001")
        caller = world.dial(HOTLINE)
        await lin.hears(page.CallOffered)
        world.configure(organisation(wrap_up=5))
        await lin.ask(page.Answer())
        await settle(world, 3)
        caller.hang_up()
        await lin.hears(page.CallEnded)

    play(story, organisation(), data=tmp_path)
    assert len(list((tmp_path / JOURNAL).iterdir())) == 2
    without_mute = [each for each in STORY if "ute" not in each or "Routed" in each]
    lines = told(tracing._traced(first_of(tmp_path), tmp_path))
    assert in_order(without_mute, lines) == []
    assert lines.count("call: waiting") == lines.count("call: talking") == 1


def test_reports_are_counted_and_not_drawn(data: Path) -> None:
    traced = tracing._traced(first_of(data), data)
    lines = len(traced.lines)
    quality = protocol.LegQuality(f"call:{traced.call}/caller", 100, 0, 0.0, 1.0, 40.0, -20.0)
    pushed = Push("1001#1", 9, page.MediaQuality(0.0, 1.0, 40.0, -20.0))
    packer = traced.packer
    traced.take(Took(f"call:{traced.call}", 1e9, packer.pack(quality), True, packer.pack((pushed,))))
    assert len(traced.lines) == lines
    assert ladder.text(traced).endswith("not drawn: reports of how it sounded, 2\n")


def test_what_another_version_wrote_is_read_by_its_own_numbers(data: Path, tmp_path: Path) -> None:
    ours, theirs = values.packer(), Packer(values.MODULES[::-1], values.BEHAVIOURS)
    (file,) = (data / JOURNAL).iterdir()
    frames = []
    for frame in Frames(file.read_bytes()):
        match entry := RECORDS.unpack(frame):
            case Begins():
                entry = evolve(entry, shapes=theirs.shapes)
            case Lives(behaviour=behaviour):
                entry = evolve(entry, behaviour=theirs.pack(ours.unpack(behaviour)))
            case Took(message=message, effects=effects):
                told_by_them = theirs.pack(ours.unpack(message)) if message else b""
                entry = evolve(entry, message=told_by_them, effects=theirs.pack(ours.unpack(effects)))
        frames.append(framed(RECORDS.pack(entry)))
    write([Part(tmp_path / JOURNAL / file.name, b"".join(frames), first=True)])
    call = first_of(data)
    assert ladder.text(tracing._traced(call, tmp_path)) == ladder.text(tracing._traced(call, data))
    assert evidence.told_of([map(RECORDS.unpack, Frames(b"".join(frames)))], "x", [f"call:{call}"]) == (
        evidence.told_of([map(RECORDS.unpack, Frames(file.read_bytes()))], "x", [f"call:{call}"])
    )


def test_what_another_version_wrote_is_drawn_as_far_as_it_can_be_read(data: Path) -> None:
    """Fields and classes that are not there any more: SIP is drawn all the same."""
    traced = Trace(values.packer(), first_of(data))
    for each in spoke(data):
        traced.take(each)
    sip = [line for line in traced.lines if line.source.endswith("(SIP)") or line.target.endswith("(SIP)")]
    assert len(sip) == len(traced.lines) == 6


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give CALL or --trunk ID"),
        (("x", "--trunk", "y"), "give CALL or --trunk ID"),
        (("--trunk", "y", "--svg", "z"), "--svg draws a CALL"),
        (("x", "--data", "/nowhere"), "/nowhere: No such file or directory"),
        (("--trunk", "y", "--data", "/nowhere"), "/nowhere: there is no journal in it"),
    ],
)
def test_what_cannot_be_asked(arguments: tuple[str, ...], said: str) -> None:
    result = asked(*arguments)
    assert result.exit_code == 2
    assert said in result.output


def test_a_call_that_is_not_there(data: Path) -> None:
    result = asked("s0", "--data", data)
    assert result.exit_code == 2
    assert f"there is no call s0 in its journal; the last in it: {first_of(data)}, " in result.output


def test_who_follows_hears_what_is_written_from_then_on(tmp_path: Path) -> None:
    """Over a record that is only half there, and into the file of the next process."""

    def message(number: int) -> bytes:
        return framed(RECORDS.pack(Spoke(1.5 + number, "carrier", "", "d", number % 2 == 0, f"OPTIONS {number}")))

    directory = tmp_path / JOURNAL
    write([Part(directory / "a.journal", message(0), first=True)])
    tail = Tail(directory)
    assert tail.look() == []
    write([Part(directory / "a.journal", message(1) + message(2)[:10], first=False)])
    assert [each.text for each in tail.look()] == ["OPTIONS 1"]
    write(
        [
            Part(directory / "a.journal", message(2)[10:], first=False),
            Part(directory / "b.journal", message(3), first=True),
        ]
    )
    heard = tail.look()
    assert [each.text for each in heard] == ["OPTIONS 2", "OPTIONS 3"]
    assert shown(heard[0]) == "00:00:03.500 --> carrier, no call\n    OPTIONS 2\n"
    assert tail.look() == []


def test_who_follows_waits_for_the_first_file(tmp_path: Path) -> None:
    tail = Tail(tmp_path)
    assert tail.look() == []
    write([Part(tmp_path / "a.journal", framed(RECORDS.pack(Spoke(1.0, "t", "c", "d", False, "x"))), first=True)])
    assert [each.call for each in tail.look()] == ["c"]
