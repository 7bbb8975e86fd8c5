"""The model engine means what the engine does: the same commands to both, the same facts.

That the same hear whom is listened to in test_conformance_heard.py.
"""

# mypy: allow-untyped-calls
# The far sides of conftest.py have no types.

from __future__ import annotations

import numpy as np
from attrs import define, evolve, field
from cordboard.switch import protocol
from cordboard.switch.browsers import Browsers
from cordboard.switch.coders import Coders
from cordboard.switch.engine import Engine
from cordboard.switch.holdings import PARTS
from cordboard.switch.model import ModelEngine
from cordboard.switch.points import Point
from cordboard.switch.ports import LocalPort
from cordboard.switch.protocol import (
    AccessPoint,
    AccessPoints,
    CloseLeg,
    CloseRecording,
    CloseSource,
    Codec,
    Command,
    DigitPressed,
    Fact,
    Fingerprint,
    Hears,
    Holdings,
    KeyAnswered,
    LegFailed,
    LegOpened,
    LegRefused,
    ListAccessPoints,
    ListHoldings,
    Music,
    MusicTroubled,
    MusicWell,
    OpenRecording,
    OpenRtpLeg,
    OpenSource,
    OpenWebrtcLeg,
    Part,
    Pause,
    Ping,
    Playlist,
    Pong,
    PressKey,
    Prompt,
    RecordingClosed,
    RecordingTroubled,
    RestartIce,
    Rewire,
    Ringback,
    SendDigits,
    SourceFinished,
    Tone,
    UpdateRtpLeg,
    WebrtcLegOpened,
)
from cordboard.switch.sealed import SUITES
from cordboard.switch.webrtc import WebrtcTransport

from .conftest import PROMPTS, Books, Shelf
from .webrtc_peer import IDENTITY, secrets

PCMU = Codec("pcmu", 0, 101)
PCMA = Codec("pcma", 8, 101)
OPUS = Codec("opus", 111)
PORTS = (LocalPort("192.0.2.1", 20002), LocalPort("192.0.2.1", 20004), LocalPort("2001:db8::1", 20002))
NAMED = Fingerprint("sha-256", ":".join(["AB"] * 32))
POINTS = (("north", 20000), ("south", 20001))
OUTSIDE, PUBLIC = "203.0.113.9", "203.0.113.1"


def rtp(leg: str, port: int, codec: Codec = PCMU, *, address: str = "198.51.100.7", nat: bool = False) -> OpenRtpLeg:
    return OpenRtpLeg(leg, address, port, codec, nat)


def page(leg: str, codec: Codec = OPUS, fingerprints: tuple[Fingerprint, ...] = (NAMED,)) -> OpenWebrtcLeg:
    return OpenWebrtcLeg(leg, "192.0.2.7", "abcd", "x" * 24, fingerprints, codec)


def rewire(**hears: list[str] | list[tuple[str, float]]) -> Rewire:
    return Rewire(
        tuple(
            Hears(who, tuple(one if isinstance(one, tuple) else (one, 1.0) for one in sources))
            for who, sources in hears.items()
        )
    )


@define
class Both:
    """The engine and the model side by side, on one clock."""

    capacity: int = 16
    now: float = 1000.0
    engine: Engine = field(init=False)
    model: ModelEngine = field(init=False)
    books: Books = field(factory=Books)
    ticks: int = 0

    def __attrs_post_init__(self) -> None:
        def advertise(index: int, peer: str) -> tuple[str, int]:
            return PUBLIC if peer == OUTSIDE else PORTS[index].address, PORTS[index].port

        def point(name: str, port: int) -> Point:
            return Point(name, name.capitalize(), lambda peer: (("192.0.2.1", port),))

        points = [point(*each) for each in POINTS]

        self.engine = Engine(
            ports=PORTS,
            advertise=advertise,
            rng=np.random.default_rng(1),
            now=self.now,
            secure=Browsers(WebrtcTransport(IDENTITY, secrets()), points),
            opus=Coders(),
            token=secrets(2),
            sink=Shelf(),
            prompts=PROMPTS,
            library=self.books,
            capacity=self.capacity,
        )
        self.model = ModelEngine(
            ports=PORTS,
            advertise=advertise,
            now=self.now,
            points=points,
            prompts=PROMPTS,
            capacity=self.capacity,
        )

    def do(self, *commands: Command) -> list[Fact]:
        """What both say, which is the same; reasons for people and a browser's credentials are each one's own."""
        said: list[Fact] = []
        for command in commands:
            real = [comparable(fact) for fact in self.engine.command(command, self.now)]
            assert [comparable(fact) for fact in self.model.command(command, self.now)] == real, command
            said += real
        assert self.model.started("e", 1) == self.engine.started("e", 1)
        assert self.model.standing(self.now) == self.engine.standing(self.now)
        assert self.model.sums() == self.engine.sums()
        return said

    def run(self, seconds: float) -> list[Fact]:
        """Time passes without a packet."""
        said: list[Fact] = []
        for _ in range(round(seconds / 0.02)):
            self.now += 0.02
            real = [fact for fact in self.engine.tick(self.now)[1] if not isinstance(fact, protocol.EngineReport)]
            for fact in real:
                if isinstance(fact, protocol.LegSilent):  # what the network does, the model is told
                    assert self.model.silence(fact.leg, fact.seconds) == [fact]
                if isinstance(fact, protocol.LegWays):
                    assert self.model.ways(fact.leg, comes=fact.comes, goes=fact.goes) == [fact]
                if isinstance(fact, MusicTroubled):  # ... and the disk
                    assert self.model.miss(fact.name, fact.reason) == [fact]
                if isinstance(fact, MusicWell):
                    assert self.model.find(fact.name) == [fact]
            told = protocol.LegSilent | protocol.LegWays | MusicTroubled | MusicWell
            known = [fact for fact in real if not isinstance(fact, told)]
            assert self.model.wake(self.now) == known
            said += known
        return said


def comparable(fact: Fact) -> Fact:
    match fact:
        case LegRefused(leg):
            return LegRefused(leg, "")
        case WebrtcLegOpened(candidates=candidates):
            assert len(fact.ice_ufrag) >= 4  # RFC 8445 §5.3
            assert len(fact.ice_pwd) >= 22
            return evolve(fact, ice_ufrag="", ice_pwd="", fingerprint=NAMED, candidates=candidates)
        case AccessPoints():
            return evolve(fact, ice_ufrag="", ice_pwd="")
        case LegOpened(keys=keys):
            assert len({each.key for each in keys}) == len(keys)
            return evolve(fact, keys=tuple(evolve(each, key="") for each in keys))
        case _:
            return fact


def test_openings_are_answered_or_refused_alike() -> None:
    both = Both()
    assert both.do(rtp("a", 4000)) == [LegOpened("a", "192.0.2.1", 20002)]
    assert both.do(rtp("b", 4000)) == [LegOpened("b", "192.0.2.1", 20004)]  # the same far side: another port
    assert both.do(rtp("c", 4000)) == [LegRefused("c", "")]
    assert both.do(rtp("a", 4002)) == [LegRefused("a", "")]  # the name is taken
    assert both.do(rtp("d", 4002, Codec("pcmu", 128))) == [LegRefused("d", "")]
    assert both.do(rtp("d", 4002, address="example.com")) == [LegRefused("d", "")]
    assert both.do(rtp("d", 70000)) == [LegRefused("d", "")]
    assert both.do(rtp("o", 4002, OPUS)) == [LegOpened("o", "192.0.2.1", 20002)]
    assert both.do(rtp("d", 0, address="2001:db8::7")) == [LegOpened("d", "2001:db8::1", 20002)]
    assert both.do(rtp("e", 4004, address="2001:db8::7", nat=True)) == [LegRefused("e", "")]  # no port of its own left


def test_legs_under_srtp_are_opened_updated_and_refused_alike() -> None:
    both = Both()
    gcm, sha = (protocol.SrtpKey(suite, "A" * 38 + tail) for suite, tail in ((SUITES[0], "=="), (SUITES[1], "AA")))
    ours = (SUITES[0], SUITES[1], SUITES[2])

    def suites(facts: list[Fact]) -> list[tuple[str, ...]]:
        return [tuple(each.suite for each in fact.keys) for fact in facts if isinstance(fact, LegOpened)]

    sealed = evolve(rtp("a", 4000), srtp=protocol.Srtp(gcm))
    assert suites(both.do(sealed)) == [ours]
    assert suites(both.do(UpdateRtpLeg("a", "198.51.100.7", 4000, PCMU, srtp=protocol.Srtp(sha, (sha,))))) == [
        (SUITES[1],)
    ]
    assert suites(both.do(UpdateRtpLeg("a", "198.51.100.7", 4002, PCMU, srtp=protocol.Srtp(gcm)))) == [ours]
    assert both.do(UpdateRtpLeg("a", "198.51.100.7", 4002, PCMU)) == [LegRefused("a", "")]
    assert suites(both.do(rtp("b", 4004))) == [()]
    assert both.do(UpdateRtpLeg("b", "198.51.100.7", 4004, PCMU, srtp=protocol.Srtp(sha))) == [LegRefused("b", "")]
    for bad in (protocol.Srtp(gcm, (sha,)), protocol.Srtp(evolve(gcm, key="?")), protocol.Srtp(gcm, engines=256)):
        assert both.do(evolve(rtp("c", 4006), srtp=bad)) == [LegRefused("c", "")]
    both.do(CloseLeg("a"))
    assert suites(both.do(rtp("a", 4008))) == [()]


def test_who_is_behind_a_nat_is_told_our_address_by_where_its_signalling_comes_from() -> None:
    """Its SDP has an address of its own network, which may be like one of ours; also in a new offer, which names it."""
    both = Both()
    opening = evolve(rtp("a", 4000, address="10.0.0.9", nat=True), peer=OUTSIDE)
    ((told,), (again,)) = both.do(opening), both.do(UpdateRtpLeg("a", "10.0.0.9", 4002, PCMU))
    assert isinstance(told, LegOpened)
    assert told.address == PUBLIC
    assert again == told
    both.do(CloseLeg("a"))
    (without,) = both.do(rtp("b", 4000, address="10.0.0.9"))
    assert isinstance(without, LegOpened)
    assert without.address != PUBLIC
    (media_outside,) = both.do(UpdateRtpLeg("b", OUTSIDE, 4002, PCMU))
    assert isinstance(media_outside, LegOpened)
    assert media_outside.address == PUBLIC


def test_a_far_side_that_moves_takes_its_leg_along() -> None:
    both = Both()
    both.do(rtp("a", 0), rtp("b", 4000), page("w"))
    assert both.do(UpdateRtpLeg("a", "198.51.100.7", 4002, PCMA)) == [LegOpened("a", "192.0.2.1", 20002)]
    assert both.do(UpdateRtpLeg("a", "198.51.100.7", 4002, PCMU)) == [LegOpened("a", "192.0.2.1", 20002)]
    assert both.do(UpdateRtpLeg("a", "198.51.100.7", 4002, OPUS)) == [LegOpened("a", "192.0.2.1", 20002)]
    assert both.do(UpdateRtpLeg("a", "198.51.100.7", 4002, Codec("pcmu", 128))) == [LegRefused("a", "")]
    assert both.do(UpdateRtpLeg("a", "nowhere", 4002, PCMU)) == [LegRefused("a", "")]
    assert both.do(UpdateRtpLeg("a", "2001:db8::7", 4002, PCMU)) == [LegRefused("a", "")]  # another family
    assert both.do(UpdateRtpLeg("w", "198.51.100.7", 4006, PCMU)) == [LegRefused("w", "")]
    assert both.do(UpdateRtpLeg("nobody", "198.51.100.7", 4006, PCMU)) == [LegRefused("nobody", "")]


def test_a_pair_that_was_closed_rests() -> None:
    both = Both()
    both.do(rtp("a", 4000), rtp("b", 4000), CloseLeg("a"), CloseLeg("a"), CloseLeg("nobody"))
    assert both.do(rtp("c", 4000)) == [LegRefused("c", "")]
    both.do(Ping(1))
    both.run(29.9)
    assert both.do(rtp("c", 4000), Ping(2)) == [LegRefused("c", ""), Pong(2, both.model.sums())]
    both.run(0.2)
    assert both.do(rtp("c", 4000)) == [LegOpened("c", "192.0.2.1", 20002)]


def test_a_port_that_the_far_side_knows_is_taken_though_it_rests() -> None:
    both = Both()
    both.do(rtp("a", 4000), rtp("b", 4002), CloseLeg("b"))
    known = evolve(rtp("b", 4002), local_port=20004)
    assert both.do(known) == [LegOpened("b", "192.0.2.1", 20004)]
    assert both.engine.standing(both.now) == [
        protocol.LegHeard("a"),
        protocol.LegConnected("b"),
        protocol.LegHeard("b"),
    ]
    assert both.do(evolve(rtp("c", 4000), local_port=20002)) == [LegOpened("c", "192.0.2.1", 20004)]  # it is in use
    assert both.do(evolve(rtp("d", 4006), local_port=5)) == [LegOpened("d", "192.0.2.1", 20002)]  # not ours any more
    both = Both()
    assert both.do(evolve(rtp("n", 4000, nat=True), local_port=20002)) == [LegOpened("n", "192.0.2.1", 20002)]
    assert both.do(evolve(rtp("o", 4000), local_port=20002)) == [LegOpened("o", "192.0.2.1", 20004)]


def test_recordings_open_close_and_listen_alike() -> None:
    both = Both()
    assert both.do(OpenRecording("r"), OpenRecording("r"), rtp("a", 4000)) == [LegOpened("a", "192.0.2.1", 20002)]
    assert both.model.started("e", 1).recordings == ("r",)
    both.do(Rewire((Hears(protocol.left("r"), (("a", 1.0),)), Hears("a", ((protocol.right("r"), 1.0),)))))
    assert both.model.hears("r/left") == {"a": 1.0}
    assert both.model.counters["unknown_sources"] == both.engine.counters["unknown_sources"] == 1
    both.run(1.5)
    assert both.do(CloseRecording("r"), CloseRecording("r"), CloseRecording("s")) == [
        RecordingClosed("r", 1.5),
        RecordingClosed("r", 0.0),
        RecordingClosed("s", 0.0),
    ]
    both.do(Rewire((Hears(protocol.left("r")),)))
    assert both.model.counters["unknown_listeners"] == both.engine.counters["unknown_listeners"] == 1


def test_a_recording_needs_two_rows() -> None:
    both = Both(capacity=4)
    both.do(rtp("a", 4000), OpenRecording("r"))
    assert both.do(OpenRecording("s")) == [RecordingTroubled("s", "too many legs and recordings")]
    assert both.do(rtp("b", 4002), OpenSource("t", Tone(440))) == [LegOpened("b", "192.0.2.1", 20004)]


def test_browsers_legs_are_opened_alike() -> None:
    both = Both()
    north, south = ("192.0.2.1", 20000), ("192.0.2.1", 20001)
    opened = WebrtcLegOpened("w", "", "", NAMED, (north, south))
    assert both.do(page("w")) == [opened]
    assert both.do(page("w")) == [LegRefused("w", "")]
    assert both.do(page("v", fingerprints=(Fingerprint("md5", "AB"),))) == [LegRefused("v", "")]
    assert both.do(page("v", PCMU)) == [evolve(opened, leg="v")]
    assert both.do(CloseLeg("w"), page("w")) == [opened]
    assert both.do(evolve(page("u"), access_point="south")) == [evolve(opened, leg="u", candidates=(south,))]
    assert both.do(evolve(page("t"), access_point="east")) == [LegRefused("t", "")]


def test_access_points_are_listed_alike() -> None:
    both = Both()
    [listed] = both.do(ListAccessPoints(3, "192.0.2.7"))
    north, south = (AccessPoint(one, one.capitalize(), (("192.0.2.1", port),)) for one, port in POINTS)
    assert listed == AccessPoints(3, "", "", (north, south))


def test_a_leg_restarts_its_ice_and_stays_what_it_is() -> None:
    both = Both()
    both.do(page("w"), rtp("a", 4000))
    restart = RestartIce("w", "192.0.2.7", "efgh", "y" * 24, (NAMED,), OPUS, "south")
    moved = WebrtcLegOpened("w", "", "", NAMED, (("192.0.2.1", 20001),))
    assert both.do(restart, restart) == [moved, moved]
    for wrong in (
        evolve(restart, leg="v"),
        evolve(restart, leg="a"),
        evolve(restart, codec=PCMU),
        evolve(restart, codec=evolve(OPUS, telephone_event=126)),
        evolve(restart, fingerprints=(evolve(NAMED, digest="AB"),)),
        evolve(restart, access_point="east"),
    ):
        assert both.do(wrong) == [LegRefused(wrong.leg, "")]
    assert both.do(CloseLeg("w"), restart) == [LegRefused("w", "")]


def test_rows_are_shared_by_legs_and_sources() -> None:
    both = Both(capacity=3)
    both.do(rtp("a", 4000), OpenSource("s", Tone(440)), OpenSource("t", Music()), OpenSource("u", Ringback()))
    assert both.do(rtp("b", 4002)) == [LegRefused("b", "")]
    assert both.do(CloseSource("s"), CloseSource("s"), rtp("b", 4002)) == [LegOpened("b", "192.0.2.1", 20004)]
    assert both.model.sources == ("t",)
    for counted in ("legs_refused", "sources_refused"):
        assert both.model.counters[counted] == both.engine.counters[counted] == 1


def test_what_is_unknown_is_counted_alike() -> None:
    both = Both(capacity=100)
    both.do(
        rtp("a", 4000),
        OpenSource("s", Tone(440)),
        OpenSource("s", Tone(440)),
        OpenSource("s", Tone(441)),
        OpenSource("a", Tone(440)),
        OpenSource("low", Tone(1)),
        OpenSource("song", Music("none of ours")),
        *(OpenSource(f"t{i}", Tone(100.0 + i)) for i in range(protocol.MAX_HEARD)),
        rewire(nobody=["a"], s=["a"], a=["nobody", "s"]),
        rewire(a=["s", *(f"t{i}" for i in range(protocol.MAX_HEARD))]),
    )
    counted = ("source_ids_taken", "sources_refused", "unknown_listeners", "unknown_sources", "sources_over_limit")
    assert {name: both.model.counters[name] for name in counted} == {
        "source_ids_taken": 2,
        "sources_refused": 2,
        "unknown_listeners": 2,
        "unknown_sources": 1,
        "sources_over_limit": 1,
    }
    assert all(both.model.counters[name] == both.engine.counters[name] for name in counted)
    assert len(both.model.hears("a")) == protocol.MAX_HEARD


def test_music_that_cannot_be_read_is_told_alike() -> None:
    both = Both()
    song = np.zeros(1600, np.int16)
    both.do(rtp("a", 4000), OpenSource("s", Music("ours")), OpenSource("t", Music("lost")), rewire(a=["s", "t"]))
    both.books.come("ours", song)
    both.books.come("lost", None, "no such file")
    both.run(0.04)
    both.do()  # what stands is the same
    assert both.model.standing(both.now)[-1] == MusicTroubled("lost", "no such file")
    both.books.come("lost", None, "another reason")
    both.run(0.04)
    assert both.model.miss("lost", "another reason") == []
    both.books.come("lost", song)
    both.run(0.04)
    both.do()
    assert both.model.find("lost") == []


def test_playlists_are_over_alike() -> None:
    """To the tick."""
    both = Both()

    def a_little_before(*commands: Command) -> None:
        """So that no rounding of 20 ms decides by which tick it is over."""
        both.now -= 0.005
        both.do(*commands)
        both.now += 0.005

    hello, bye = Part(Prompt("hello", "en")), Part(Prompt("bye", "en"))
    a_little_before(
        rtp("a", 4000),
        rtp("b", 4002),
        OpenSource("once", Playlist((hello, Part(Pause(), 0.3), bye))),
        OpenSource("short", Playlist((bye,))),
        OpenSource("for ever", Playlist((bye, Part(Music(), 1.0)), repeat=True)),
        OpenSource("unheard", Playlist((bye,))),
        OpenSource("closed", Playlist((bye,))),
        rewire(a=[("once", 1.0), ("unheard", 0.0)], b=["for ever", "short", "closed"]),
    )
    both.run(0.2)
    a_little_before(CloseSource("closed"), rewire(b=["for ever"]))  # heard or not, it goes on
    assert both.run(3) == [SourceFinished("short"), SourceFinished("once")]
    a_little_before(OpenSource("once", Playlist((hello, Part(Pause(), 0.3), bye))), rewire(a=["unheard"], b=["once"]))
    assert both.run(3) == [SourceFinished("unheard")]
    assert both.model.sources == ("once", "short", "for ever", "unheard")


def test_a_digit_ends_a_prompt_alike() -> None:
    """To the tick, wherever in the playlist it comes."""
    hello, bye, pause = Part(Prompt("hello", "en")), Part(Prompt("bye", "en")), Part(Pause(), 0.1)
    for ticks in (0, 1, 7, 40, 70, 100):
        both = Both()
        both.now -= 0.005
        both.do(
            rtp("a", 4000),
            rtp("b", 4002),
            OpenSource("twice", Playlist((hello, bye), barge_in=True)),
            OpenSource("paused", Playlist((pause, hello, pause, bye), barge_in=True)),
            OpenSource("for ever", Playlist((bye, pause), repeat=True, barge_in=True)),
            OpenSource("deaf", Playlist((hello,))),
            rewire(a=["twice", "paused", "for ever", "deaf"], b=["for ever"]),
        )
        said: list[Fact] = []
        for _ in range(3):
            both.now += 0.005
            said += both.run(ticks * 0.02)
            both.now -= 0.005
            said += both.do(PressKey("a", "1"), PressKey("nobody", "1"))
        both.now += 0.005
        said += both.run(4)
        assert sorted(fact.source for fact in said if isinstance(fact, SourceFinished)) == ["deaf", "paused", "twice"]


def test_a_key_is_an_answer_alike() -> None:
    hello = Part(Prompt("hello", "en"))
    both = Both()
    both.do(
        rtp("a", 4000),
        rtp("b", 4002),
        OpenSource("asks", Playlist((hello,), barge_in=True, asks=True)),
        OpenSource("says", Playlist((hello,))),
        rewire(a=["asks"], b=["says"]),
    )
    both.run(0.1)
    answered = both.do(PressKey("a", "5"), PressKey("b", "5"), PressKey("nobody", "5"))
    assert answered == [KeyAnswered("a", "5"), SourceFinished("asks"), DigitPressed("b", "5", 0, "info")]
    assert both.do(PressKey("a", "6")) == [KeyAnswered("a", "6")]


def test_digits_are_sent_or_refused_alike() -> None:
    both = Both()
    both.do(rtp("a", 4000), page("w"), OpenSource("s", Tone(440)))
    both.do(SendDigits("a", "12"), SendDigits("a", "#"), SendDigits("w", "*", 40, 40))
    assert (both.model.sent("a"), both.model.sent("w")) == ("12#", "*")
    both.do(
        SendDigits("s", "1"), SendDigits("b", "1"), SendDigits("a", "x"), SendDigits("a", ""), SendDigits("a", "1", 1)
    )
    assert both.model.counters["digits_refused"] == both.engine.counters["digits_refused"] == 5
    both.do(CloseLeg("a"), rtp("a", 4004))
    assert both.model.sent("a") == ""


def test_what_is_there_is_told_alike_part_by_part() -> None:
    """... and all of it, each in one part."""
    both = Both()
    both.do(rtp("a", 4000), page("b"), OpenSource("s", Tone(440)), OpenRecording("r"), CloseSource("nothing"))
    both.do(rewire(a=[("b", 1.0), ("s", 0.5)], b=["a"]), Rewire((Hears(protocol.left("r"), (("a", 1.0),)),)))
    told = [both.do(ListHoldings(part, part)) for part in range(PARTS)]
    have = [fact for facts in told for fact in facts if isinstance(fact, Holdings)]
    assert [each.request for each in have] == list(range(PARTS))
    assert sorted(leg for each in have for leg in each.legs) == ["a", "b"]
    assert [source for each in have for source in each.sources] == ["s"]
    assert sorted(channel for each in have for channel in each.channels) == ["r/left", "r/right"]
    hears = {one.listener: one.sources for each in have for one in each.hears}
    assert hears == {"a": (("b", 1.0), ("s", 0.5)), "b": (("a", 1.0),), "r/left": (("a", 1.0),)}
    nothing = (0,) * PARTS
    assert both.model.sums() != nothing
    both.do(CloseLeg("a"), CloseLeg("b"), CloseSource("s"), CloseRecording("r"))
    assert both.model.sums() == nothing


def test_what_was_known_before_is_told_before_a_pong() -> None:
    """So whoever pings knows of what the answer speaks."""
    both = Both()
    both.do(rtp("a", 4000))
    both.engine._facts.append(LegFailed("b", "planted"))
    failed, pong = both.engine.command(Ping(1), both.now)
    assert (failed, pong) == (LegFailed("b", "planted"), Pong(1, both.model.sums()))
    assert not both.engine._facts


def test_playlists_that_cannot_be_are_refused_alike() -> None:
    both = Both()
    for parts in ((), (Part(Prompt("hello", "fr")),), (Part(Music()),), (Part(Tone(440), 1.0), Part(Tone(1), 1.0))):
        both.do(OpenSource("p", Playlist(parts)))
    assert both.model.counters["sources_refused"] == both.engine.counters["sources_refused"] == 4
    assert both.model.sources == ()


def test_an_engine_alone_for_30_s_ends_its_legs() -> None:
    both = Both()
    both.do(rtp("a", 4000), OpenSource("s", Tone(440)), OpenRecording("r"))
    both.run(10)
    both.do(Ping(1))
    # The engine looks at its ticks, so the model is given the one after.
    assert both.model.deadline() == both.now + 30
    assert both.run(29.98) == []
    facts: list[Fact] = []
    while not facts:
        both.now += 0.02
        facts = [fact for fact in both.engine.tick(both.now)[1] if isinstance(fact, LegFailed | RecordingClosed)]
    assert both.model.wake(both.now) == facts
    assert facts[0] == LegFailed("a", "the control plane is gone")
    assert [type(fact) for fact in facts] == [LegFailed, RecordingClosed]
    assert both.do(rtp("b", 4002), OpenSource("s", Tone(880))) == [LegOpened("b", "192.0.2.1", 20002)]
