from typing import get_args

import msgpack
import pytest
from cordboard.switch import protocol, wire
from hypothesis import given
from hypothesis import strategies as st

text = st.text(max_size=40)
number = st.floats(allow_nan=False, allow_infinity=False)
count = st.integers(-(2**63), 2**64 - 1)
codec = st.builds(
    protocol.Codec, st.sampled_from(["pcmu", "pcma", "opus"]), st.integers(0, 127), st.none() | st.integers(0, 127)
)
pairs = st.lists(st.tuples(text, number), max_size=4).map(tuple)
prints = st.lists(st.builds(protocol.Fingerprint, text, text), max_size=3).map(tuple)
names = st.lists(text, max_size=3).map(tuple)
endless = st.builds(protocol.Tone, number) | st.builds(protocol.Music, text) | st.builds(protocol.Ringback, text)
sound = endless | st.builds(protocol.Prompt, text, text) | st.builds(protocol.Pause)
parts = st.lists(st.builds(protocol.Part, sound, number), max_size=3).map(tuple)
kind = endless | st.builds(protocol.Playlist, parts, st.booleans())
key = st.builds(protocol.SrtpKey, st.sampled_from(get_args(protocol.Suite)), text)
keys = st.lists(key, max_size=3).map(tuple)
srtp = st.none() | st.builds(protocol.Srtp, st.none() | key, keys, count)
hears = st.lists(st.builds(protocol.Hears, text, pairs), max_size=4).map(tuple)
commands = st.one_of(
    st.builds(protocol.OpenRtpLeg, text, text, count, codec, st.booleans(), count, srtp=srtp),
    st.builds(protocol.UpdateRtpLeg, text, text, count, codec, srtp=srtp),
    st.builds(protocol.OpenWebrtcLeg, text, text, text, text, prints, codec),
    st.builds(protocol.CloseLeg, text),
    st.builds(protocol.OpenSource, text, kind),
    st.builds(protocol.CloseSource, text),
    st.builds(protocol.Rewire, hears),
    st.builds(protocol.OpenRecording, text),
    st.builds(protocol.CloseRecording, text),
    st.builds(protocol.ListHoldings, count, count),
    st.builds(protocol.Ping, count),
)
facts = st.one_of(
    st.builds(protocol.EngineStarted, text, names, count, names, names),
    st.builds(protocol.LegOpened, text, text, count, keys),
    st.builds(
        protocol.WebrtcLegOpened,
        text,
        text,
        text,
        st.builds(protocol.Fingerprint, text, text),
        st.lists(st.tuples(text, count), max_size=3).map(tuple),
    ),
    st.builds(
        protocol.LegQuality,
        text,
        count,
        count,
        number,
        number,
        number,
        number,
        *[st.none() | number] * 3,
        st.booleans(),
        st.booleans(),
    ),
    st.builds(
        protocol.EngineReport, count, count, count, st.tuples(number, number, number), st.dictionaries(text, count)
    ),
    st.builds(protocol.TicksLong, number),
    st.builds(protocol.LegSilent, text, number),
    st.builds(protocol.LegWays, text, st.booleans(), st.booleans()),
    st.builds(protocol.LegElsewhere, text, text, count, text, count),
    st.builds(protocol.LegUnchecked, text, number),
    st.builds(protocol.LegChecked, text),
    st.builds(protocol.SourceFinished, text),
    st.builds(protocol.RecordingClosed, text, number),
    st.builds(protocol.RecordingTroubled, text, text),
    st.builds(protocol.RecordingWell, text),
    st.builds(protocol.Pong, count, st.lists(count, max_size=4).map(tuple)),
    st.builds(protocol.Holdings, count, names, names, names, hears),
)


@given(st.lists(commands, max_size=5), st.integers(1, 50))
def test_commands_survive_the_stream(messages: list[protocol.Command], piece: int) -> None:
    stream = b"".join(wire.encode(message) for message in messages)
    frames = wire.Frames(wire.decode_command)
    got = [m for i in range(0, len(stream), piece) for m in frames.feed(stream[i : i + piece])]
    assert got == messages


@given(facts)
def test_facts_survive(fact: protocol.Fact) -> None:
    assert wire.decode_fact(wire.encode(fact)[4:]) == fact


def refuse(body: bytes) -> str:
    with pytest.raises(wire.WireError) as caught:
        wire.decode_command(body)
    return str(caught.value)


def test_errors_say_what_was_wrong() -> None:
    pack = msgpack.packb
    assert "unknown class Reboot" in refuse(pack(["Reboot", 1]))
    assert "CloseLeg has 1 fields, got 2" in refuse(pack(["CloseLeg", "a", "b"]))
    assert "Ping.number: expected int, got bool" in refuse(pack(["Ping", True]))
    codec = ["g723", 4, None, 20, None, None, None, [48000, 0, False]]
    assert "not one of pcmu" in refuse(pack(["OpenRtpLeg", "a", "b", 1, codec, False, 0, True, True, "", None]))
    assert "OpenSource.kind: unknown class Siren" in refuse(pack(["OpenSource", "a", ["Siren"]]))
    playlist = ["Playlist", [[["Playlist", [], False, False, False], 1.0]], False, False, False]
    assert "Part.sound: unknown class Playlist" in refuse(pack(["OpenSource", "a", playlist]))
    assert "finite" in refuse(pack(["OpenSource", "a", ["Tone", float("nan")]]))
    assert "not msgpack" in refuse(b"\xc1")
    assert refuse(b"")
    assert refuse(pack(["LegOpened", "a", "b", 1]))  # a fact is no command


def test_a_frame_too_long_is_refused_before_it_is_read() -> None:
    with pytest.raises(wire.WireError):
        list(wire.Frames(wire.decode_command).feed(b"\xff\xff\xff\xff"))


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)
names = st.sampled_from(["OpenRtpLeg", "OpenWebrtcLeg", "Rewire", "OpenSource", "Ping", "EngineReport", "LegQuality"])


@given(st.binary(max_size=80) | st.builds(lambda n, v: msgpack.packb([n, *v]), names, st.lists(anything, max_size=7)))
def test_decoding_raises_its_own_error_only(body: bytes) -> None:
    for decode in (wire.decode_command, wire.decode_fact):
        try:
            message = decode(body)
        except wire.WireError:
            continue
        assert decode(wire.encode(message)[4:]) == message
