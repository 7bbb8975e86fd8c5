"""The link to the engine: who owns which leg, and what an engine that dies or stalls does to them."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Coroutine, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import structlog.testing
import trio
import trio.testing
from attrs import define, evolve, field, frozen
from cordboard.actors import mediaconnection, states
from cordboard.actors.alarms import MUSIC_MISSING
from cordboard.actors.effects import Effect, Media, Record, Started
from cordboard.actors.mediaconnection import MAX_COMMANDS
from cordboard.actors.medialink import MediaLink
from cordboard.actors.runtime import Hands, System
from cordboard.switch import protocol as media
from cordboard.switch.wire import Frames, decode_command, encode

CODEC = media.Codec("pcma", 8)
OPEN = media.OpenRtpLeg("leg", "198.51.100.1", 4000, CODEC)
OPENED = media.LegOpened("leg", "192.0.2.1", 20002)
MUSIC = media.OpenSource("music:hold", media.Music())


@frozen
class Heard:
    facts: tuple[object, ...] = ()


class Ear:
    """An actor that remembers what it hears."""

    def __init__(self) -> None:
        self.state = Heard()

    def receive(self, message: object, now: float) -> list[Effect]:
        if message != Started():
            self.state = evolve(self.state, facts=(*self.state.facts, message))
        return []

    def deadline(self) -> float:
        return math.inf

    def wake(self, now: float) -> list[Effect]:
        return []

    def will(self, reason: str, now: float) -> list[Record]:
        return []


@define
class Scene:
    system: System
    link: MediaLink
    ear: Ear
    sent: list[media.Command] = field(factory=list)

    def do(self, *commands: media.Command) -> None:
        for command in commands:
            self.link.perform("ear", Media(command))

    async def heard(self) -> tuple[object, ...]:
        await trio.testing.wait_all_tasks_blocked()
        facts = self.ear.state.facts
        self.ear.state = Heard()
        return facts

    def start(self, epoch: str, *legs: str, recordings: tuple[str, ...] = (), sources: tuple[str, ...] = ()) -> None:
        """An engine is at the other end."""
        self.sent.clear()
        self.link.connect(self.sent.append)
        self.link.on_fact(media.EngineStarted(epoch, legs, 1, recordings, sources))


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    async with trio.open_nursery() as nursery:
        system = System(trio.current_time, nursery)
        link = MediaLink(system)
        made = Scene(system, link, Ear())

        def nobody(*effect: object) -> None:
            raise AssertionError(effect)

        system.connect(Hands(nobody, link.perform, nobody, nobody, nobody, nobody), on_end=(link.on_end,))
        system.spawn("ear", made.ear)
        yield made
        system.stop()


def story(run: Callable[[Scene], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    async def main() -> None:
        async with scene() as made:
            await run(made)

    def test() -> None:
        trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))

    return test


@story
async def test_facts_go_to_who_opened_the_leg_and_it_is_closed_with_it(made: Scene) -> None:
    made.start("one")
    made.do(OPEN)
    for fact in (OPENED, media.LegConnected("leg"), media.LegConnected("nobody's"), media.Pong(1, ())):
        made.link.on_fact(fact)
    assert await made.heard() == (OPENED, media.LegConnected("leg"))
    made.system.end("ear", "over")
    assert made.sent == [OPEN, media.CloseLeg("leg")]
    assert made.link.legs == 0


@story
async def test_legs_are_closed_in_the_order_they_were_opened(made: Scene) -> None:
    made.start("one")
    names = [f"leg{i}" for i in range(20)]
    made.do(*(evolve(OPEN, leg=name) for name in names))
    made.system.end("ear", "over")
    assert made.sent[20:] == [media.CloseLeg(name) for name in names]


@story
async def test_that_a_far_side_sends_from_elsewhere_is_told_with_whose_leg_it_is(made: Scene) -> None:
    told: list[tuple[str, media.LegElsewhere]] = []
    made.link.on_elsewhere = lambda owner, fact: told.append((owner, fact))
    made.start("one")
    made.do(OPEN)
    fact = media.LegElsewhere("leg", "198.51.100.1", 4000, "198.51.100.2", 5000)
    made.link.on_fact(fact)
    assert told == [("ear", fact)]
    assert await made.heard() == ()


def engines(logs: list[MutableMapping[str, Any]]) -> list[str]:
    return [str(line["event"]) for line in logs if str(line["event"]).startswith("engine ")]


@story
async def test_the_log_says_that_an_engine_has_started_of_no_other(made: Scene) -> None:
    """The first one that a process meets may have served the one before it."""
    with structlog.testing.capture_logs() as logs:
        made.start("one")
        made.start("one")
        assert engines(logs) == ["engine found"]
        made.start("two")
    assert engines(logs) == ["engine found", "engine started"]


@story
async def test_what_is_opened_without_an_engine_is_opened_when_there_is_one(made: Scene) -> None:
    made.do(OPEN, MUSIC, evolve(OPEN, leg="given up"), media.CloseLeg("given up"))
    made.start("one")
    assert made.sent == [MUSIC, OPEN]
    made.link.on_fact(OPENED)
    assert await made.heard() == (OPENED,)


@story
async def test_a_refused_opening_is_forgotten_and_a_refused_update_is_not(made: Scene) -> None:
    made.start("one")
    made.do(OPEN)
    made.link.on_fact(media.LegRefused("leg", "no port"))
    assert made.link.legs == 0
    made.do(OPEN)
    made.link.on_fact(OPENED)
    made.do(media.UpdateRtpLeg("leg", "198.51.100.1", 4002, CODEC))
    made.link.on_fact(media.LegRefused("leg", "in use"))
    assert made.link.legs == 1
    assert len(await made.heard()) == 3


@story
async def test_a_new_engine_has_the_sources_the_legs_at_their_ports_and_who_hears_whom(made: Scene) -> None:
    made.start("one")
    unanswered, hears = evolve(OPEN, leg="unanswered"), media.Rewire((media.Hears("leg", (("music:hold", 1.0),)),))
    made.do(OPEN, MUSIC, MUSIC, unanswered)
    made.link.on_fact(OPENED)
    assert made.sent.count(MUSIC) == 1
    made.do(hears)
    made.link.connect(None)
    made.start("two")
    again = evolve(OPEN, local_port=20002)
    assert made.sent == [MUSIC, again, unanswered, hears]
    made.link.on_fact(OPENED)
    made.link.on_fact(evolve(OPENED, leg="unanswered"))
    # how long the far side was silent, the new engine finds out anew
    assert await made.heard() == (OPENED, media.LegHeard("leg"), evolve(OPENED, leg="unanswered"))
    made.link.connect(None)  # the answer of the second engine was heard: the third is asked the same
    made.start("three")
    assert made.sent == [MUSIC, again, evolve(unanswered, local_port=20002), hears]


@story
async def test_a_leg_that_cannot_be_had_again_at_its_port_has_failed(made: Scene) -> None:
    made.start("one")
    made.do(OPEN, evolve(OPEN, leg="other"))
    made.link.on_fact(OPENED)
    made.link.on_fact(evolve(OPENED, leg="other"))
    made.start("two")
    made.sent.clear()
    made.link.on_fact(evolve(OPENED, port=20004))
    made.link.on_fact(media.LegRefused("other", "no port"))
    assert (await made.heard())[2:] == (
        media.LegFailed("leg", "its port could not be had again"),
        media.LegFailed("other", "no port"),
    )
    assert made.sent == [media.CloseLeg("leg")]
    assert made.link.legs == 0


@story
async def test_a_browsers_leg_dies_with_its_engine_for_its_keys_are_gone(made: Scene) -> None:
    made.start("one")
    browser = media.OpenWebrtcLeg("page", "198.51.100.9", "u", "p", (), CODEC)
    made.do(browser)
    made.link.on_fact(media.WebrtcLegOpened("page", "u", "p", media.Fingerprint("sha-256", "AB"), ()))
    made.start("two")
    assert (await made.heard())[1:] == (media.LegFailed("page", "the media engine was restarted"),)
    made.do(browser)
    made.start("three")  # it had not answered
    assert made.sent == [browser]


@story
async def test_a_leg_follows_its_far_side_also_into_a_new_engine(made: Scene) -> None:
    made.start("one")
    made.do(OPEN)
    made.link.on_fact(OPENED)
    update = media.UpdateRtpLeg("leg", "198.51.100.2", 4002, media.Codec("pcmu", 0))
    made.do(update)
    made.start("one", "leg")  # its answer was lost with the link
    assert made.sent == [update]
    made.link.on_fact(OPENED)
    made.start("two")
    moved = evolve(OPEN, address="198.51.100.2", port=4002, codec=media.Codec("pcmu", 0), local_port=20002)
    assert made.sent == [moved]
    made.link.on_fact(OPENED)
    made.do(evolve(update, port=4004))
    made.link.on_fact(media.LegRefused("leg", "in use"))
    made.start("three")
    assert made.sent == [moved]


@story
async def test_the_same_engine_again_keeps_legs_and_asks_again_what_was_not_answered(made: Scene) -> None:
    made.start("one")
    unanswered = evolve(OPEN, leg="unanswered")
    made.do(OPEN, unanswered)
    made.link.on_fact(OPENED)
    made.link.connect(None)
    made.start("one", "leg", "unanswered", "of an earlier process")
    assert made.sent == [media.CloseLeg("unanswered"), media.CloseLeg("of an earlier process"), unanswered]
    assert await made.heard() == (OPENED,)
    assert made.link.legs == 2


@story
async def test_a_playlist_is_its_actors_and_other_sources_are_everybodys(made: Scene) -> None:
    playlist = media.OpenSource("p", media.Playlist((media.Part(media.Prompt("goodbye", "en")),)))
    made.start("one")
    made.do(playlist, MUSIC)
    made.link.on_fact(media.SourceFinished("p"))
    made.link.on_fact(media.SourceFinished("nobody's"))
    assert await made.heard() == (media.SourceFinished("p"),)
    made.start("two")
    assert made.sent == [playlist, MUSIC]
    made.system.end("ear", "over")
    assert made.sent[2:] == [media.CloseSource("p")]
    made.start("two", sources=("p", "music:hold", "of an earlier process"))
    assert made.sent == [MUSIC, media.CloseSource("p"), media.CloseSource("of an earlier process")]


def hears(leg: str, *sources: str) -> media.Rewire:
    return media.Rewire((media.Hears(leg, tuple((source, 1.0) for source in sources)),))


@story
async def test_what_all_share_is_closed_with_its_last_listener(made: Scene) -> None:
    playlist = media.OpenSource("p", media.Playlist((media.Part(media.Prompt("goodbye", "en")),)))
    other = evolve(OPEN, leg="other")
    made.start("one")
    made.do(OPEN, other, MUSIC, hears("leg", "music:hold"), MUSIC, hears("other", "music:hold"))
    made.sent.clear()
    made.do(hears("leg", "music:hold", "other"), hears("other"))
    assert media.CloseSource("music:hold") not in made.sent
    made.do(playlist, hears("leg", "p"))
    assert made.sent[-2:] == [hears("leg", "p"), media.CloseSource("music:hold")]
    made.do(hears("leg"))  # a playlist is its actor's to close
    assert made.sent[-1] == hears("leg")
    made.do(MUSIC, hears("leg", "music:hold"))
    assert made.sent[-2:] == [MUSIC, hears("leg", "music:hold")]
    made.do(media.CloseLeg("leg"))
    assert made.sent[-2:] == [media.CloseLeg("leg"), media.CloseSource("music:hold")]


@story
async def test_what_all_share_is_closed_when_its_last_listener_has_failed(made: Scene) -> None:
    made.start("one")
    made.do(OPEN, MUSIC, hears("leg", "music:hold"))
    made.link.on_fact(OPENED)
    made.link.on_fact(media.LegFailed("leg", "gone"))
    assert made.sent[-1] == media.CloseSource("music:hold")


@story
async def test_music_that_is_missing_is_an_alarm_until_it_is_there_or_another_engine_is(made: Scene) -> None:
    made.start("one")
    alarm = MUSIC_MISSING.says(name="ours", reason="no such file")
    for end in (media.MusicWell("ours"), media.EngineStarted("two", (), 2)):
        made.link.on_fact(media.MusicTroubled("ours", "no such file"))
        made.link.on_fact(media.MusicTroubled("ours", "no such file"))
        assert made.system.alarms == [alarm]
        made.link.on_fact(end)
        assert made.system.alarms == []
    made.link.on_fact(media.MusicTroubled("ours", "no such file"))
    made.link.on_fact(media.MusicTroubled("ours", "its file is damaged"))
    assert made.system.alarms == [MUSIC_MISSING.says(name="ours", reason="its file is damaged")]


@story
async def test_a_recording_is_its_actors_and_its_end_is_heard_without_it(made: Scene) -> None:
    heard: list[object] = []
    made.link.on_recording = heard.append
    made.start("one")
    made.do(media.OpenRecording("r"))
    troubled = media.RecordingTroubled("r", "the disk is full")
    made.link.on_fact(troubled)
    assert await made.heard() == (troubled,)
    made.system.end("ear", "over")
    assert made.sent == [media.OpenRecording("r"), media.CloseRecording("r")]
    made.link.on_fact(media.RecordingClosed("r", 2.5))
    assert heard == [troubled, media.RecordingClosed("r", 2.5)]
    made.start("two")
    assert len(heard) == 2


@story
async def test_a_new_engine_goes_on_with_the_recordings_that_are_open(made: Scene) -> None:
    heard: list[object] = []
    made.link.on_recording = heard.append
    made.do(media.OpenRecording("r"))  # no engine yet, and no reason to give up
    made.start("one")
    assert made.sent == [media.OpenRecording("r")]
    hears = media.Rewire((media.Hears(media.left("r"), (("leg", 1.0),)),))
    made.do(hears, media.OpenRecording("s"))
    made.link.connect(None)
    made.do(media.CloseRecording("s"))
    made.start("two")
    assert made.sent == [media.OpenRecording("r"), hears]
    assert heard == [media.RecordingClosed("s", 0.0)]  # by nobody any more
    made.link.connect(None)
    made.do(media.OpenRecording("t"))
    made.start("two", recordings=("r", "of an earlier process"))
    assert made.sent == [media.OpenRecording("t"), media.CloseRecording("of an earlier process"), hears]
    assert len(heard) == 1


@story
async def test_a_failed_leg_is_forgotten(made: Scene) -> None:
    made.start("one")
    made.do(OPEN)
    made.link.on_fact(media.LegFailed("leg", "consent gone"))
    made.link.on_fact(media.LegConnected("leg"))
    assert await made.heard() == (media.LegFailed("leg", "consent gone"),)
    assert made.link.legs == 0


@story
async def test_over_a_stream_pings_commands_and_facts_pass_and_a_lost_link_comes_back(made: Scene) -> None:
    ends: list[trio.abc.Stream] = []

    async def connect() -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        if len(ends) == 1:
            ends.append(ends[0])
            raise OSError("not there yet")
        ours, theirs = trio.testing.memory_stream_pair()
        ends.append(theirs)
        return ours

    async with trio.open_nursery() as nursery:
        nursery.start_soon(mediaconnection.run, made.link, connect)
        await trio.testing.wait_all_tasks_blocked()
        assert not made.link.connected  # nothing was heard of it yet
        await ends[0].send_all(encode(media.EngineStarted("one", (), 7)))
        await trio.testing.wait_all_tasks_blocked()
        assert (made.link.connected, made.link.pid) == (True, 7)
        made.do(OPEN)
        await ends[0].send_all(encode(OPENED))
        await trio.sleep_until(2.75)
        frames = list(Frames(decode_command).feed(bytes(await ends[0].receive_some(65536))))
        assert frames == [media.Ping(1), OPEN, *map(media.Ping, range(2, 7))]
        await ends[0].aclose()
        await trio.sleep_until(4)
        assert not made.link.connected
        await ends[2].send_all(encode(media.EngineStarted("two", (), 8)))
        await trio.testing.wait_all_tasks_blocked()
        frames = list(Frames(decode_command).feed(bytes(await ends[2].receive_some(65536))))
        assert [one for one in frames if not isinstance(one, media.Ping)] == [evolve(OPEN, local_port=20002)]
        nursery.cancel_scope.cancel()
    assert not made.link.connected


@story
async def test_an_engine_that_reads_nothing_loses_the_link_and_nobody_crashes(made: Scene) -> None:
    ends: list[trio.abc.Stream] = []

    async def connect() -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        ours, theirs = trio.testing.lockstep_stream_pair()  # sends wait for a reader
        ends.append(theirs)
        return ours

    async with trio.open_nursery() as nursery:
        nursery.start_soon(mediaconnection.run, made.link, connect)
        await trio.testing.wait_all_tasks_blocked()
        await ends[0].send_all(encode(media.EngineStarted("one", (), 7)))
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(MAX_COMMANDS + 10):
            made.do(media.Ping(0))
        assert not made.link.connected
        await trio.sleep_until(1)
        assert len(ends) == 2
        nursery.cancel_scope.cancel()


@story
async def test_commands_of_one_moment_go_out_together(made: Scene) -> None:
    ours, theirs = trio.testing.lockstep_stream_pair()  # each send is one piece for the reader

    async def connect() -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        return ours

    async with trio.open_nursery() as nursery:
        nursery.start_soon(mediaconnection.run, made.link, connect)
        await theirs.send_all(encode(media.EngineStarted("one", (), 7)))
        await trio.testing.wait_all_tasks_blocked()
        wanted = [media.Ping(100 + number) for number in range(mediaconnection.MAX_TOGETHER + 50)]
        made.do(*wanted)
        frames, sizes = Frames(decode_command), []
        heard: list[media.Command] = []
        while len(heard) < len(wanted) + 1:
            read = list(frames.feed(bytes(await theirs.receive_some(1 << 20))))
            sizes.append(len(read))
            heard += read
        assert heard == [media.Ping(1), *wanted]
        assert sizes == [1, mediaconnection.MAX_TOGETHER, 50]
        nursery.cancel_scope.cancel()


KEYS = (media.SrtpKey("AEAD_AES_128_GCM", "A" * 38 + "=="), media.SrtpKey("AES_CM_128_HMAC_SHA1_80", "B" * 40))
HEARD = media.SrtpKey("AES_CM_128_HMAC_SHA1_80", "C" * 40)


@story
async def test_each_new_engine_goes_on_with_the_keys_of_a_leg_and_knows_how_many_have(made: Scene) -> None:
    made.start("one")
    opening = evolve(OPEN, srtp=media.Srtp(HEARD))
    made.do(opening)
    made.link.on_fact(evolve(OPENED, keys=KEYS))
    for engines, epoch in enumerate(("two", "three"), 1):
        made.link.connect(None)
        made.start(epoch)
        again = evolve(opening, local_port=20002, srtp=media.Srtp(HEARD, KEYS, engines))
        assert made.sent == [again]
        made.sent.clear()
        made.link.on_fact(evolve(OPENED, keys=KEYS))


@story
async def test_a_key_that_changed_in_the_call_is_the_one_that_is_gone_on_with(made: Scene) -> None:
    made.start("one")
    made.do(evolve(OPEN, srtp=media.Srtp(HEARD)))
    made.link.on_fact(evolve(OPENED, keys=KEYS))
    made.start("two")
    made.link.on_fact(evolve(OPENED, keys=KEYS))
    other, news = evolve(HEARD, key="D" * 40), tuple(evolve(each, key="E" * len(each.key)) for each in KEYS)
    made.do(media.UpdateRtpLeg("leg", "198.51.100.1", 4002, CODEC, srtp=media.Srtp(other)))
    made.link.on_fact(evolve(OPENED, keys=news))
    made.sent.clear()
    made.start("three")
    assert made.sent == [evolve(OPEN, port=4002, local_port=20002, srtp=media.Srtp(other, news, 2))]


class Book(states.Unwritten):
    """What would be written."""

    def __init__(self) -> None:
        self.records: list[states.Record] = []

    def add(self, record: states.Record) -> None:
        self.records.append(record)


@story
async def test_keys_outlive_this_process_and_so_does_the_count_of_engines(made: Scene) -> None:
    """Whatever process goes on from here, no two engines encrypt with the same key and SSRC."""
    book = Book()
    first = MediaLink(made.system, book)
    opening = evolve(OPEN, srtp=media.Srtp(HEARD))
    first.perform("ear", Media(opening))
    sent: list[media.Command] = []
    first.connect(sent.append)
    first.on_fact(media.EngineStarted("one", (), 1))
    first.on_fact(evolve(OPENED, keys=KEYS))
    first.on_fact(media.EngineStarted("two", (), 1))
    assert sent[-1] == evolve(opening, local_port=20002, srtp=media.Srtp(HEARD, KEYS, 1))
    again = MediaLink(made.system)
    again.perform("ear", Media(opening))
    for record in book.records:
        again.recall(record)
    assert again.state() == first.state()
    again.connect(sent.append)
    again.on_fact(media.EngineStarted("three", (), 1))
    assert sent[-1] == evolve(opening, local_port=20002, srtp=media.Srtp(HEARD, KEYS, 2))
