"""The engine with browsers' legs, in memory: datagrams to datagrams, through the seam, with G.711 and with Opus."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from cordboard.codecs import dtmf, g711, g722
from cordboard.codecs.opus import OpusDecoder, OpusEncoder
from cordboard.switch import protocol
from cordboard.switch.browsers import Browsers
from cordboard.switch.coders import Coders
from cordboard.switch.engine import Engine
from cordboard.switch.points import Point
from cordboard.switch.ports import LocalPort
from cordboard.switch.protocol import Codec, Hears, LegConnected, LegFailed, LegRefused, Rewire, WebrtcLegOpened
from cordboard.switch.seams import Batch, Datagram
from cordboard.switch.sockaddr import socket_name
from cordboard.switch.webrtc import Limits, WebrtcTransport

from .conftest import each
from .webrtc_peer import IDENTITY, Browser, rtp, secrets

POOL = (LocalPort("127.0.0.1", 20002),)
BROWSERS_PORT = len(POOL)  # the sockets are numbered on from the pool's
PAGE = socket_name("192.0.2.7", 50000)
SIX = socket_name("2001:db8::7", 50001)


def batch(datagrams: list[bytes], name: bytes = PAGE, port: int = BROWSERS_PORT) -> Batch:
    data = np.zeros((len(datagrams), 1536), np.uint8)
    for i, datagram in enumerate(datagrams):
        data[i, : len(datagram)] = np.frombuffer(datagram, np.uint8)
    length = np.array([len(datagram) for datagram in datagrams], np.int32)
    names = np.tile(np.frombuffer(name, np.uint8), (len(datagrams), 1))
    return Batch(data, length, np.full(len(datagrams), port, np.int32), names, np.zeros(len(datagrams)))


class Switch:
    """An engine, its transport, and pages in memory."""

    def __init__(self) -> None:
        self.transport = WebrtcTransport(IDENTITY, secrets(), Limits(legs=2))
        self.browsers = Browsers(self.transport, [Point("main", "Main", lambda peer: (("127.0.0.1", 20000),))])
        self.engine = Engine(
            ports=POOL,
            advertise=lambda index, peer: ("127.0.0.1", 20002),
            rng=np.random.default_rng(1),
            now=0.0,
            secure=self.browsers,
            opus=Coders(),
            capacity=16,
        )
        self.now = 0.0
        self.facts: list[protocol.Fact] = []

    def open(self, browser: Browser, codec: Codec) -> list[protocol.Fact]:
        offer = browser.offer()
        command = protocol.OpenWebrtcLeg(
            offer.leg, offer.peer, offer.ice_ufrag, offer.ice_pwd, offer.fingerprints, codec
        )
        facts = self.engine.command(command, self.now)
        for fact in facts:
            if isinstance(fact, WebrtcLegOpened):
                browser.answer = fact
        return facts

    def connect(self, browser: Browser, name: bytes = PAGE) -> None:
        replies = self.engine.receive(batch([browser.check(nominate=True)], name), self.now)
        assert [(one.port, one.name) for one in replies] == [(BROWSERS_PORT, name)]
        datagrams = browser.dtls.step()
        while not browser.dtls.done:
            replies = self.engine.receive(batch(datagrams, name), self.now)
            datagrams = [answer for one in replies for answer in browser.dtls.step(one.data)]

    def tick(self) -> list[Datagram]:
        self.now += 0.02
        outgoing, facts = self.engine.tick(self.now)
        self.facts += facts
        return each(itertools.chain(outgoing.parts, outgoing.later))


def tone(n: int, frequency: float) -> g711.Pcm:
    t = (np.arange(160) + 160 * n) / 8000
    pcm: g711.Pcm = np.rint(8000 * np.sin(2 * np.pi * frequency * t)).astype(np.int16)
    return pcm


def loudest(pcm: np.ndarray, rate: int) -> float:
    return float(np.abs(np.fft.rfft(pcm * np.hanning(len(pcm)))).argmax()) * rate / len(pcm)


@pytest.mark.parametrize("codec", [Codec("pcmu", 0), Codec("pcma", 8), Codec("g722", 9), Codec("opus", 111)])
@pytest.mark.parametrize("name", [PAGE, SIX])
def test_a_page_hears_its_own_tone(codec: Codec, name: bytes) -> None:
    switch, browser = Switch(), Browser()
    switch.open(browser, codec)
    switch.connect(browser, name)
    out, back = browser.dtls.sessions()
    switch.engine.command(Rewire((Hears("leg-1", (("leg-1", 1.0),)),)), switch.now)
    encoder, decoder = OpusEncoder(8000), OpusDecoder()
    voice, ear, one = g722.Encoders(), g722.Decoders(), np.array([0])
    heard = []
    for n in range(60):
        pcm = tone(n, 500.0)
        match codec.name:
            case "g722":
                payload = voice.encode(one, pcm.repeat(2)[None]).tobytes()
            case "pcmu":
                payload = g711.encode_ulaw(pcm).tobytes()
            case "pcma":
                payload = g711.encode_alaw(pcm).tobytes()
            case "opus":
                (payload,) = encoder.encode(pcm)
        step = 960 if codec.name == "opus" else 160
        packet = bytearray(rtp(n, payload=payload))
        packet[1] = codec.payload_type
        packet[4:8] = (n * step).to_bytes(4, "big")
        switch.engine.receive(batch([out.protect(bytes(packet))], name), switch.now + 0.01)
        for datagram in switch.tick():
            assert (datagram.port, datagram.name) == (BROWSERS_PORT, name)
            plain = back.unprotect(datagram.data)
            assert plain[1] & 0x7F == codec.payload_type
            heard.append(plain[12:])
    assert switch.facts[0] == LegConnected("leg-1")
    assert len(heard) == 60
    match codec.name:
        case "pcmu":
            sound = g711.decode_ulaw(np.frombuffer(b"".join(heard[10:]), np.uint8))
        case "pcma":
            sound = g711.decode_alaw(np.frombuffer(b"".join(heard[10:]), np.uint8))
        case "g722":
            octets = np.frombuffer(b"".join(heard), np.uint8).reshape(-1, 1, 160)
            sound = np.concatenate([ear.decode(one, frame)[0] for frame in octets])[3200:]
        case "opus":
            sound = np.concatenate([decoder.decode(payload) for payload in heard])[9600:]
    assert loudest(sound, {"opus": 48000, "g722": 16000}.get(codec.name, 8000)) == pytest.approx(500, abs=5)
    assert np.abs(sound).max() == pytest.approx(8000, rel=0.25)


def test_a_page_that_hears_nothing_is_sent_opus_silence_in_one_stream() -> None:
    switch, browser = Switch(), Browser()
    switch.open(browser, Codec("opus", 111))
    switch.connect(browser)
    _, back = browser.dtls.sessions()
    packets = [back.unprotect(datagram.data) for _ in range(5) for datagram in switch.tick()]
    assert len(packets) == 5
    timestamps = [int.from_bytes(packet[4:8], "big") for packet in packets]
    assert {(b - a) % 2**32 for a, b in itertools.pairwise(timestamps)} == {960}
    decoder = OpusDecoder()
    assert not any(decoder.decode(packet[12:]).any() for packet in packets)


@pytest.mark.parametrize(("codec", "step"), [(Codec("pcmu", 0, 126), 160), (Codec("opus", 111, 110), 960)])
def test_keys_of_a_page_are_ends_only_and_those_sent_to_it_count_on_its_clock(codec: Codec, step: int) -> None:
    switch, browser = Switch(), Browser()
    switch.open(browser, codec)
    switch.connect(browser)
    out, back = browser.dtls.sessions()
    for n, key in enumerate("15#"):
        report = bytes([dtmf.DIGITS.index(key), 0x8A]) + (960).to_bytes(2, "big")
        ends = [bytearray(rtp(3 * n + i, payload=report)) for i in range(3)]
        for end in ends:
            end[1] = 0x80 | (codec.telephone_event or 0)
            end[4:8] = (9 * n * step).to_bytes(4, "big")
        switch.engine.receive(batch([out.protect(bytes(end)) for end in ends]), switch.now)
        for _ in range(9):
            switch.tick()
    told = [fact for fact in switch.facts if isinstance(fact, protocol.DigitPressed)]
    assert [(fact.digit, fact.how, fact.duration_ms) for fact in told] == [
        (key, "event", 960 * 20 // step) for key in "15#"
    ]

    switch.engine.command(protocol.SendDigits("leg-1", "42", 60, 60), switch.now)
    packets = [back.unprotect(datagram.data) for _ in range(16) for datagram in switch.tick()]
    assert [packet[1] & 0x7F == codec.telephone_event for packet in packets] == ([True] * 5 + [False]) * 2 + [False] * 4
    sequence = [int.from_bytes(packet[2:4], "big") for packet in packets]
    assert {later - earlier for earlier, later in itertools.pairwise(sequence)} == {1}
    reports = [packet for packet in packets if packet[1] & 0x7F == codec.telephone_event]
    assert [packet[12] for packet in reports] == [4] * 5 + [2] * 5
    assert [int.from_bytes(packet[14:16], "big") // step for packet in reports] == [1, 2, 3, 3, 3] * 2
    assert [packet[13] >= 0x80 for packet in reports] == [False, False, True, True, True] * 2
    first, second = (int.from_bytes(packet[4:8], "big") for packet in (reports[0], reports[5]))
    assert (second - first) % 2**32 == 6 * step


def test_without_events_a_page_says_and_hears_keys_as_tones_in_opus() -> None:
    switch, browser = Switch(), Browser()
    switch.open(browser, Codec("opus", 111))
    switch.connect(browser)
    out, back = browser.dtls.sessions()
    encoder, decoder = OpusEncoder(8000), OpusDecoder()
    switch.engine.command(protocol.SendDigits("leg-1", "7", 400), switch.now)
    seven = np.array([7], np.uint8)
    heard = []
    for n in range(40):
        first = (n - 10) * 160
        pcm = dtmf.tones(seven, np.array([first]), np.array([800]))[0] if 0 <= first < 800 else np.zeros(160, np.int16)
        packet = bytearray(rtp(n, payload=encoder.encode(pcm)[0]))
        packet[1], packet[4:8] = 111, (n * 960).to_bytes(4, "big")
        switch.engine.receive(batch([out.protect(bytes(packet))]), switch.now + 0.01)
        heard += [decoder.decode(back.unprotect(datagram.data)[12:]) for datagram in switch.tick()]
    [told] = [fact for fact in switch.facts if isinstance(fact, protocol.DigitPressed)]
    assert (told.digit, told.how) == ("7", "tone")
    assert told.duration_ms == pytest.approx(100, abs=20)
    spectrum = np.abs(np.fft.rfft(np.concatenate(heard[4:19]) * np.hanning(15 * 960)))
    strongest = sorted(round(float(hertz)) for hertz in np.argsort(spectrum)[-2:] * 48000 / (15 * 960))
    assert spectrum[: 1000 * 3 // 10].argmax() * 10 / 3 == pytest.approx(852, abs=5)
    assert max(strongest) == pytest.approx(1209, abs=5)


def test_a_goodbye_frees_the_row_and_its_name() -> None:
    switch, browser = Switch(), Browser()
    switch.open(browser, Codec("opus", 111))
    switch.connect(browser)
    switch.engine.receive(batch(browser.dtls.close()), switch.now)
    switch.tick()
    assert switch.facts == [LegConnected("leg-1"), LegFailed("leg-1", "the browser closed the connection")]
    assert switch.engine.started("", 0).legs == ()
    assert isinstance(switch.open(Browser(), Codec("opus", 111))[0], WebrtcLegOpened)


def test_closing_a_leg_says_goodbye_with_the_next_tick() -> None:
    switch, browser = Switch(), Browser()
    switch.open(browser, Codec("pcmu", 0))
    switch.connect(browser)
    switch.engine.command(protocol.CloseLeg("leg-1"), switch.now)
    [goodbye] = switch.tick()
    browser.dtls.step(goodbye.data)
    assert type(browser.dtls.error).__name__ == "ZeroReturnError"


def test_an_unfinished_leg_fails_by_the_ticks_and_refusals_are_answers() -> None:
    switch = Switch()
    switch.open(Browser("one"), Codec("pcmu", 0))
    switch.open(Browser("two"), Codec("pcmu", 0))
    assert switch.open(Browser("three"), Codec("pcmu", 0)) == [LegRefused("three", "too many browsers")]
    switch.now = 29.9
    for _ in range(10):
        switch.engine.command(protocol.Ping(1), switch.now)
        switch.tick()
    failed = [fact for fact in switch.facts if isinstance(fact, LegFailed)]
    assert failed == [LegFailed("one", "no ICE check came"), LegFailed("two", "no ICE check came")]


def test_what_was_dropped_is_in_the_engines_counters() -> None:
    switch = Switch()
    switch.engine.receive(batch([rtp(1)]), 0.0)
    for _ in range(50):
        switch.tick()
    [report] = [fact for fact in switch.facts if isinstance(fact, protocol.EngineReport)]
    assert report.counters["rtp_from_stranger"] == 1


def test_a_check_from_port_zero_is_not_answered() -> None:
    switch, browser = Switch(), Browser()
    switch.open(browser, Codec("pcmu", 0))
    nowhere = PAGE[:2] + b"\0\0" + PAGE[4:]
    assert switch.engine.receive(batch([browser.check()], nowhere), 0.0) == []
