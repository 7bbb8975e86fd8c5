"""What attackers and evil names leave behind: ladders that still draw, labels that stay few, and nothing of theirs."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Final
from xml.etree import ElementTree

import pytest
from cordboard.actors import ladder, page, signals, tracing
from cordboard.actors.journal import JOURNAL
from cordboard.actors.steps import Spoke
from cordboard.actors.tracing import Tail, shown
from cordboard.sip.events import IncomingCall, Transmit
from cordboard.sip.message import PHRASES, Address, RemoteSipError
from cordboard.sip.screening import KNOWN_METHODS

from tests.sip.mutation import Mutator
from tests.sip.test_siege import corpus

from .dialler import CUSTOMER, Far, dialling, rings_and_answers
from .playing import play
from .test_world import HOTLINE, organisation, settle
from .world import CARRIER, World

# A name, a user, a phrase and a header as whoever attacks a page, a terminal or a log writes them
MARKUP: Final = "<script>alert(1)</script>"
ESCAPE: Final = "\x1b[2J\x07\x9b"
# ... and what a reason phrase may hold (RFC 3261 §25.1: UTF-8)
WORDS: Final = "\u202e<b>\u00e9"
EVIL: Final = (MARKUP, "script", "alert", "evil", "\x1b", "\x9b", "\x07", "203.0.113", "X-Injected")


def invite(number: int, user: str, name: str) -> bytes:
    body = "v=0\r\no=- 1 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
    return (
        f"INVITE sip:{HOTLINE}@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.1;branch=z9hG4bK-{number}\r\n"
        f'From: "{name}" <sip:{user}@evil.example>;tag=t{number}\r\nTo: <sip:{HOTLINE}@192.0.2.1>\r\n'
        f"Call-ID: {number}{MARKUP}\r\nCSeq: 1 INVITE\r\nContact: <sip:{user}@198.51.100.1>\r\nMax-Forwards: 70\r\n"
        f"Subject: {name}\r\nUser-Agent: {name}\r\nX-Injected-{number}: {name}\r\nContent-Type: application/sdp\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


NAMES: Final = (
    (MARKUP, "evil"),
    (f"evil{ESCAPE}", "evil%0d%0aX-Injected%3a%20y"),
    ("evil\\\r\\\nX-Injected: y", "evil"),
    ("evil\u2028\u202e&amp;]]>", "%3Cscript%3E"),
    ("evil" * 500, "evil" * 30),
)


async def besieged(world: World) -> None:
    """A call that is answered, one of each evil name, and a thousand messages of a scanner and of a trunk gone mad."""
    carry = world.carry

    def carried(source: Address, output: Transmit) -> None:
        if output.destination in world.hosts:  # nobody is at home elsewhere
            with suppress(RemoteSipError):  # what is refused is said again as it came
                carry(source, output)

    world.carry = carried  # type: ignore[method-assign] # an attacker on the way
    lin = await world.sign_in("1001")
    customer = world.dial(HOTLINE)
    await lin.hears(page.CallOffered)
    await lin.ask(page.Answer())
    mutator, rng = Mutator(Random(5), corpus()), Random(6)
    for number, (name, user) in enumerate(NAMES):
        world.switch.receive(invite(number, user, name), CARRIER)
        await settle(world, 0.1)
    for number in range(1000):
        scanner = Address(f"203.0.113.{rng.randrange(256)}", rng.randrange(1024, 65536))
        world.switch.receive(mutator.message(), scanner if number % 2 else Address("198.51.100.66", 5060))
    await settle(world, 2)
    customer.hang_up()
    await lin.hears(page.CallEnded)
    check_labels(world)
    world.nursery.cancel_scope.cancel()


def check_labels(world: World) -> None:
    """Whatever was sent, the labels of /metrics are from sets that no sender can make longer."""
    tap = world.switch.tap
    assert tap is not None
    codes = {"", *map(str, PHRASES), *(f"{first}xx" for first in "123456")}
    for trunk, direction, method, code in tap.counts:
        assert (trunk, direction) in {("carrier", "in"), ("carrier", "out")}
        assert method in {*KNOWN_METHODS, "other"}
        assert code in codes
    assert {trunk for trunk, *_ in world.signalling.answers} == {"carrier"}
    told = [*world.switch.endpoint.counters, *world.system.counters, *(world.journal.counters if world.journal else ())]
    assert [each for each in told if not re.fullmatch(r"[A-Za-z0-9 :;,.*'()\-_]{1,80}", each)] == []
    assert len(told) < 150
    assert world.switch.endpoint.counters["stranger INVITE"] > 20, "the scanner was there"
    assert tap.counts["carrier", "in", "INVITE", ""] > 20, "... and the trunk gone mad"
    assert tap.untold > 100, "what is of no call pushes no call out of the journal"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("siege")
    play(besieged, organisation(), data=directory)
    return directory


def spoken(data: Path) -> list[Spoke]:
    tail = Tail(data / JOURNAL)
    tail._at = 0
    return tail.look()


def test_every_ladder_draws_and_has_nothing_of_theirs(data: Path) -> None:
    calls = {each.call for each in spoken(data) if each.call}
    assert len(calls) > len(NAMES)
    for call in sorted(calls):
        traced = tracing._traced(call, data)
        text, picture = ladder.text(traced), ladder.svg(traced)
        assert re.fullmatch(r"[\x20-\x7e\n]*", text)
        assert ElementTree.fromstring(picture) is not None
        assert [each for each in EVIL if each in text or each in picture] == []


def test_what_is_followed_is_printable_and_has_of_theirs_what_their_program_calls_itself(data: Path) -> None:
    messages = [shown(each) for each in spoken(data)]
    assert [text for text in messages if not re.fullmatch(r"[\x20-\x7e\n]*", text)] == []
    lines = [line for text in messages for line in text.split("\n") if any(each in line for each in EVIL)]
    # of a header that is not known its name is shown, and no more
    names = {line.strip().partition(":")[0] if ":" in line else "" for line in lines if not line.startswith("    (")}
    assert names == {"User-Agent"}
    assert {each.trunk for each in spoken(data)} == {"carrier"}, "strangers are shown nowhere"


def test_a_call_that_an_agent_dials_is_drawn_with_what_sip_tells_of_it(tmp_path: Path) -> None:
    """... and a carrier's words are no commands to a terminal."""

    async def tell(world: World) -> None:
        lin = await world.sign_in("1001")
        far = Far(world, rings_and_answers)
        await lin.ask(page.Dial(CUSTOMER))
        await lin.hears(page.CallConnected)
        await lin.ask(page.HangUp())
        await settle(world)
        await lin.ask(page.StartAnswering())
        far.act = refuses
        await lin.ask(page.Dial(CUSTOMER))
        await lin.hears(page.CallFailed)

    def refuses(far: Far, call: IncomingCall) -> None:
        far.do(lambda now: far.world.carrier.endpoint.reject(call.call, 486, now, reason=f"gone{WORDS}"))

    play(tell, dialling(), data=tmp_path)
    answered, refused = dict.fromkeys(signals.call_of(each.call) for each in spoken(tmp_path) if each.call)
    traced = tracing._traced(answered, tmp_path)
    lines = [f"{line.source} > {line.target}: {line.text}" for line in traced.lines]
    heard = ["sip > call: Progressed 180", "sip > call: PickedUp"]
    assert [line for line in lines if line in heard] == heard
    text = ladder.text(tracing._traced(refused, tmp_path))
    assert "Failed 486" in text
    assert re.fullmatch(r"[\x20-\x7e\n]*", text)


def test_what_was_refused_before_it_was_a_call_is_drawn_by_its_call_id(tmp_path: Path) -> None:
    async def tell(world: World) -> None:
        world.switch.receive(invite(1, "1", "x").replace(b"Subject:", b"Require: nobody\r\nSubject:"), CARRIER)
        await settle(world)

    play(tell, organisation(), data=tmp_path)
    traced = tracing._traced(f"1{MARKUP}", tmp_path)
    assert ladder.title(traced).startswith("no call, trunk carrier, began ")
    assert {line.text for line in traced.lines} == {"INVITE ***00 + SDP", "420 Bad Extension"}


def test_the_call_beside_them_is_drawn_as_ever(data: Path) -> None:
    first = spoken(data)[0].call
    lines = [f"{line.source} > {line.target}: {line.text}" for line in tracing._traced(first, data).lines]
    assert "carrier (SIP) > sip: INVITE ***00 + SDP" in lines
    assert "carrier (SIP) > sip: BYE ***00" in lines
