"""Frames in and out: every class round trip, everything wrong named, nothing else ever raised."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal, get_args, get_type_hints

import attrs
import msgpack
import pytest
from cordboard.actors import page
from cordboard.web import reference
from cordboard.web.protocol import (
    COMMANDS,
    DEMO_COMMANDS,
    MAX_ID,
    MAX_SDP,
    MAX_TEXT,
    BadFrameError,
    DemoCall,
    Message,
    Own,
    PaperChanged,
    Subprotocol,
    WatchPaper,
    decode,
    encode,
    event,
    framed,
    reply,
)
from hypothesis import given
from hypothesis import strategies as st
from wsproto.frame_protocol import FrameProtocol, Opcode

TEXT = st.text(max_size=MAX_TEXT)
COMMAND = st.one_of(
    st.builds(page.SignIn, sdp=TEXT, media=st.sampled_from(["", "none"]), take_over=st.booleans()),
    st.builds(page.SignOut),
    st.builds(page.RenewMedia, sdp=TEXT),
    st.builds(page.SetState, state=st.sampled_from(["idle", "break"])),
    st.builds(page.StartAnswering),
    st.builds(page.MobileAnswer, TEXT),
    st.builds(page.Survey, call=TEXT),
    st.builds(page.Answer, call=TEXT),
    st.builds(page.Decline, call=TEXT),
    st.builds(page.HangUp, call=TEXT),
    st.builds(page.Mute, call=TEXT),
    st.builds(page.Unmute, call=TEXT),
    st.builds(page.Hold, call=TEXT),
    st.builds(page.Retrieve, call=TEXT),
    st.builds(page.Consult, agent=TEXT, call=TEXT, mobile=st.booleans(), number=TEXT),
    st.builds(page.Invite, agent=TEXT, call=TEXT, mobile=st.booleans(), number=TEXT),
    st.builds(page.Transfer, agent=TEXT, queue=TEXT, call=TEXT, mobile=st.booleans(), number=TEXT),
    st.builds(page.Complete, call=TEXT),
    st.builds(page.Cancel, call=TEXT),
    st.builds(page.Swap, call=TEXT),
    st.builds(page.Merge, call=TEXT),
    st.builds(page.Dial, number=TEXT),
    st.builds(page.GetSnapshot),
    st.builds(page.WatchColleagues),
    st.builds(DemoCall),
    st.builds(WatchPaper, call=TEXT),
)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
FIELD = {
    str: TEXT,
    bool: st.booleans(),
    int: st.integers(0, MAX_ID),
    float: NUMBER,
    float | None: NUMBER | st.none(),
    page.State: st.sampled_from(page.State),
    Literal["inbound", "outbound"]: st.sampled_from(["inbound", "outbound"]),
    Literal["agent", "second"]: st.sampled_from(["agent", "second"]),
    page.Kind: st.sampled_from(get_args(page.Kind)),
    page.Purpose: st.sampled_from(get_args(page.Purpose)),
    page.SecondParty | None: st.none()
    | st.builds(
        page.SecondParty,
        st.sampled_from(["consult", "three_way"]),
        st.just("agent"),
        TEXT,
        TEXT,
        TEXT,
        st.sampled_from(["ringing", "talking"]),
        st.booleans(),
        st.booleans(),
        NUMBER,
    ),
    tuple[str, ...]: st.lists(TEXT, max_size=3).map(tuple),
    tuple[page.Colleague, ...]: st.lists(
        st.builds(page.Colleague, TEXT, TEXT, st.sampled_from(page.State), TEXT, NUMBER), max_size=3
    ).map(tuple),
}


def any_of(kind: type[page.Event | PaperChanged]) -> st.SearchStrategy[page.Event | PaperChanged]:
    hints = get_type_hints(kind)
    return st.builds(kind, **{field.name: FIELD[hints[field.name]] for field in attrs.fields(kind)})


EVENT = st.one_of(*(any_of(kind) for kind in (*get_args(page.Event), PaperChanged)))
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["id", "do", "sdp", "call", "state", "media", "take_over", "q"])
VALUES = VALUE | st.sampled_from(list(DEMO_COMMANDS)) | st.sampled_from(["", "none", "idle", "\ud800"])
ALMOST = st.dictionaries(NAMES, VALUES)


def unpack(frame: str | bytes) -> dict[str, object]:
    unpacked = json.loads(frame) if isinstance(frame, str) else msgpack.unpackb(frame)
    assert isinstance(unpacked, dict)
    return unpacked


@pytest.mark.parametrize("subprotocol", Subprotocol)
@given(request=st.integers(0, MAX_ID), command=COMMAND)
def test_every_command_arrives_as_it_was_sent(
    subprotocol: Subprotocol, request: int, command: page.Command | Own
) -> None:
    message: Message = {"id": request, "do": command.do, **attrs.asdict(command)}
    assert decode(encode(message, subprotocol), DEMO_COMMANDS) == (request, command)


def test_every_command_is_in_the_round_trip() -> None:
    assert set(DEMO_COMMANDS) == {*COMMANDS, "paper.watch", "demo.call"}
    assert len(COMMANDS) == len(get_args(page.Command)) == 26


@pytest.mark.parametrize("subprotocol", Subprotocol)
def test_a_message_is_framed_as_any_peer_reads_it(subprotocol: Subprotocol) -> None:
    """Of every length about those at which the head becomes longer."""
    peer = FrameProtocol(client=True, extensions=[])
    for size in (*range(80, 130), *range(65_500, 65_540)):
        message: Message = {"name": "\udc80 林", "text": "x" * size}
        peer.receive_bytes(framed(message, subprotocol))
        (frame,) = peer.received_frames()
        assert frame.opcode is (Opcode.TEXT if subprotocol is Subprotocol.JSON else Opcode.BINARY)
        assert (frame.frame_finished, frame.message_finished) == (True, True)
        assert frame.payload == encode(message, subprotocol)


@pytest.mark.parametrize("subprotocol", Subprotocol)
@given(rev=st.integers(0, 2**53), pushed=EVENT)
def test_every_event_leaves_with_all_its_fields(subprotocol: Subprotocol, rev: int, pushed: page.Event) -> None:
    left = unpack(encode(event(rev, pushed), subprotocol))
    assert (left.pop("event"), left.pop("rev")) == (pushed.event, rev)
    assert left == attrs.asdict(pushed, value_serializer=lambda _, __, value: on_the_wire(value))


def on_the_wire(value: object) -> object:
    if isinstance(value, page.State):
        return value.value
    return list(value) if isinstance(value, tuple) else value


def decode_or_refuse(frame: str | bytes) -> None:
    """Either a command of ours, or a refusal that can be sent; no other exception."""
    try:
        request, command = decode(frame, DEMO_COMMANDS)
    except BadFrameError as error:
        bad = error
    else:
        assert 0 <= request <= MAX_ID
        assert type(command) in DEMO_COMMANDS.values()
        return
    assert bad.refusal.code in ("bad_request", "unknown_command")
    for subprotocol in Subprotocol:
        assert unpack(encode(reply(bad.request, bad.refusal), subprotocol))["id"] == bad.request


@given(st.text() | st.binary())
def test_garbage_raises_its_own_error_only(frame: str | bytes) -> None:
    decode_or_refuse(frame)


@given(ALMOST)
def test_what_is_almost_a_command_raises_its_own_error_only(message: dict[str, object]) -> None:
    decode_or_refuse(json.dumps(message, default=repr))
    packed: bytes = msgpack.packb(message, unicode_errors="surrogatepass")
    decode_or_refuse(packed)


@pytest.mark.parametrize(
    ("frame", "request_id", "code", "detail"),
    [
        ("{", None, "bad_request", "It is not JSON."),
        ("", None, "bad_request", "It is not JSON."),
        ("[" * 60_000, None, "bad_request", "It is not JSON."),
        ("1" * 5000, None, "bad_request", "It is not JSON."),
        (b"\xc1", None, "bad_request", "It is not msgpack."),
        (b"\x91" * 60_000, None, "bad_request", "It is not msgpack."),
        (b"\xdd\xff\xff\xff\xff", None, "bad_request", "It is not msgpack."),
        (b"\x01\x01", None, "bad_request", "It is not msgpack."),
        (b"\x81\xa2do\xa1\xff", None, "bad_request", "It is not msgpack."),
        ("[]", None, "bad_request", "It is not a map."),
        ('{"id": 1, "a": [[[[0]]]]}', None, "bad_request", "It nests deeper than 4."),
        ('{"id": 1, "id": 2}', None, "bad_request", "id: stands there twice."),
        ('{"do": "snapshot"}', None, "bad_request", "id: is missing."),
        ('{"id": -1, "do": "snapshot"}', None, "bad_request", f"id: is not a whole number from 0 to {MAX_ID}."),
        ('{"id": true, "do": "snapshot"}', None, "bad_request", f"id: is not a whole number from 0 to {MAX_ID}."),
        ('{"id": 1.0, "do": "snapshot"}', None, "bad_request", f"id: is not a whole number from 0 to {MAX_ID}."),
        ('{"id": 1}', 1, "bad_request", "do: is not the name of a command."),
        ('{"id": 1, "do": "call.\u0430nswer"}', 1, "unknown_command", "call.\\u0430nswer"),
        ('{"id": 1, "do": "snapshot", "q": 1}', 1, "bad_request", "q: there is no such field."),
        ('{"id": 1, "do": "agent.state"}', 1, "bad_request", "state: is missing."),
        ('{"id": 1, "do": "agent.state", "state": 1}', 1, "bad_request", 'state: is not "idle" or "break".'),
        ('{"id": 1, "do": "agent.state", "state": []}', 1, "bad_request", 'state: is not "idle" or "break".'),
        ('{"id": 1, "do": "call.mute", "call": 1}', 1, "bad_request", "call: is not text."),
        ('{"id": 1, "do": "call.mute", "call": "\\ud800"}', 1, "bad_request", "call: is not text."),
        ('{"id": 1, "do": "agent.sign_in", "take_over": 1}', 1, "bad_request", "take_over: is not true or false."),
        (json.dumps({"id": 1, "do": "call.mute", "call": "x" * 257}), 1, "bad_request",
         "call: is longer than 256 characters."),
        (json.dumps({"id": 1, "do": "agent.media", "sdp": "x" * (MAX_SDP + 1)}), 1, "bad_request",
         "sdp: is longer than 49152 characters."),
        ('{"id": 1, "do": "demo.call"}', 1, "unknown_command", "demo.call"),
    ],
    ids=lambda value: repr(value)[:40],
)  # fmt: skip
def test_what_is_wrong_is_named(frame: str | bytes, request_id: int | None, code: str, detail: str) -> None:
    with pytest.raises(BadFrameError) as raised:
        decode(frame)
    assert (raised.value.request, raised.value.refusal) == (request_id, page.refuse(code, detail))


def test_replies() -> None:
    assert reply(7, page.Accepted()) == {"id": 7, "ok": True}
    assert reply(7, page.Accepted("v=0")) == {"id": 7, "ok": True, "sdp": "v=0"}
    refused = reply(None, page.Refused("busy", "later"))
    assert refused == {"id": None, "error": {"code": "busy", "text": "later"}}
    snapshot = page.Snapshot(
        3, "1001", "Lin", page.State.IDLE, "", 1.0, "this", "connected",
        queues=(page.QueueStatus("q", "Q", 1, None, 2),),
    )  # fmt: skip
    left = unpack(encode(reply(8, snapshot), Subprotocol.MSGPACK))
    assert (left["id"], left["ok"], left["rev"], left["state"]) == (8, True, 3, "idle")
    assert left["queues"] == [
        {"queue": "q", "name": "Q", "waiting": 1, "oldest_since": None, "agents_idle": 2, "message_at": None}
    ]


@pytest.mark.parametrize("subprotocol", Subprotocol)
def test_a_trunk_that_sends_no_unicode_does_not_cost_the_page(subprotocol: Subprotocol) -> None:
    frame = encode(event(1, page.CallEnded("c", "caller", "\udc80 林")), subprotocol)
    assert unpack(frame)["cause"] == "? 林"


def test_the_reference_in_docs_is_current() -> None:
    drawn = Path(__file__).parents[2] / "docs" / "protocol.md"
    assert drawn.read_text() == reference.draw()
