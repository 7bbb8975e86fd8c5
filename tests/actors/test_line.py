"""A line: what it says to its owner and wants of the world, step by step."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from attrs import evolve
from cordboard.actors import line as lines
from cordboard.actors import outward, signals
from cordboard.actors.announcements import accept_call
from cordboard.actors.call_state import Denied, Follow, Freed, Granted, LetIn, Out, Redirected, Seize, Stay, Trouble
from cordboard.actors.customs import CUSTOMS, Customs
from cordboard.actors.effects import Down, Effect, Log, Media, Record, Sip, Started, Stop, Tell, Watch
from cordboard.actors.line import EndLine, Line, LineBegun, LineDigit, LineOver, LineRings, LineUp, Phase, Reach
from cordboard.actors.patience import PATIENCE, Patience
from cordboard.actors.records import QualityEntry, SoundEntry
from cordboard.actors.timeline import unpack
from cordboard.sip import sdp
from cordboard.switch import protocol as media

from .dialler import CUSTOMER
from .house import NOW

OWNER = "agent:lin"
HOST = signals.Host("sip:192.0.2.10", "192.0.2.10", 5060, "udp")
OTHER_HOST = signals.Host("sip:192.0.2.11", "192.0.2.11", 5060, "udp")
LEG = "line:c+1/caller"
ANSWER = sdp.offer("198.51.100.9", 4000, session_id=1, codecs=("pcma",))


def begun(
    *,
    confirm: bool = False,
    trunks: tuple[str, ...] = ("carrier",),
    emergency: bool = False,
    patience: Patience = PATIENCE,
    customs: Customs = CUSTOMS,
) -> Line:
    reach = Reach("c+1", OWNER, "lin", CUSTOMER, confirm=confirm)
    out = Out(CUSTOMER, CUSTOMER, emergency=emergency, trunks=trunks)
    return Line(reach, out, "en", "CN", ("pcma",), NOW, patience, customs)


def hears(made: Line, *messages: object, at: float = NOW) -> list[Effect]:
    """What it wants of the last of these."""
    for message in messages[:-1]:
        made.receive(message, at)
    return made.receive(messages[-1], at)


CALLED = (Started(), Granted("carrier", HOST, nat=False), media.LegOpened(LEG, "192.0.2.1", 20002))


def test_it_is_dialled_and_is_up() -> None:
    made = begun()
    assert hears(made, Started()) == [
        Watch(OWNER),
        Tell(OWNER, LineBegun("c+1", CUSTOMER)),
        Tell("trunk:carrier", Seize("c+1")),
    ]
    codec = media.Codec("pcma", 8)
    assert hears(made, CALLED[1]) == [Media(media.OpenRtpLeg(LEG, "192.0.2.10", 0, codec, False, peer=""))]
    offer = sdp.offer("192.0.2.1", 20002, session_id=int(NOW), version=1, codecs=("pcma",))
    assert hears(made, CALLED[2]) == [Sip(signals.Dial("c+1/1", "carrier", HOST, CUSTOMER, CUSTOMER, "", offer))]
    assert hears(made, signals.Progressed("c+1/1", 180, None)) == [
        Tell(OWNER, LineRings("c+1", CUSTOMER, early=False, leg=LEG))
    ]
    assert hears(made, signals.Progressed("c+1/1", 180, None)) == []
    (followed,) = hears(made, signals.Progressed("c+1/1", 183, ANSWER))
    assert isinstance(followed, Media)
    assert hears(made, media.LegConnected(LEG)) == [Tell(OWNER, LineRings("c+1", CUSTOMER, early=True, leg=LEG))]
    assert hears(made, signals.PickedUp("c+1/1", ANSWER))[1:] == [
        Log("line is up", (("line", "c+1"), ("owner", OWNER))),
        Tell(OWNER, LineUp("c+1", LEG)),
    ]
    assert made.state.phase is Phase.UP


@pytest.mark.parametrize("first", ["the answer", "the media"])
def test_who_could_be_heard_rings_until_something_comes(first: str) -> None:
    """RFC 3960 §3.2; media may be quicker than the answer that says what it is."""
    made = begun()
    answer, comes = signals.Progressed("c+1/1", 180, ANSWER), media.LegConnected(LEG)
    told = hears(made, *CALLED, *((answer, comes) if first == "the answer" else (comes, answer)))
    assert told[-1] == Tell(OWNER, LineRings("c+1", CUSTOMER, early=True, leg=LEG))
    assert made.out.rings
    assert hears(made, comes) == []


def test_who_need_not_send_before_it_answers_is_not_missed() -> None:
    made = begun()
    followed = hears(made, *CALLED, signals.Progressed("c+1/1", 183, ANSWER))
    answered = hears(made, signals.PickedUp("c+1/1", None))
    updates = [
        each.command
        for each in (*followed, *answered)
        if isinstance(each, Media) and isinstance(each.command, media.UpdateRtpLeg)
    ]
    assert [each.hears for each in updates] == [False, True]


def test_nobody_is_there_before_somebody_has_pressed_1() -> None:
    made = begun(confirm=True)
    prompt = hears(made, *CALLED, signals.PickedUp("c+1/1", ANSWER))
    player = "line:c+1/play/1"
    assert prompt[1:] == [
        Media(media.OpenSource(player, accept_call("en"))),
        Media(media.Rewire((media.Hears(LEG, ((player, 1.0),)),))),
    ]
    assert hears(made, media.KeyAnswered(LEG, "5")) == []
    assert hears(made, signals.KeyPressed("c+1/1", "1")) == [Media(media.PressKey(LEG, "1"))]
    assert hears(made, media.KeyAnswered(LEG, "1")) == [
        Media(media.Rewire((media.Hears(LEG, ()),))),
        Media(media.CloseSource(player)),
        Log("line is up", (("line", "c+1"), ("owner", OWNER))),
        Tell(OWNER, LineUp("c+1", LEG)),
    ]
    assert hears(made, media.DigitPressed(LEG, "7", 100, "event")) == [Tell(OWNER, LineDigit("c+1", "7"))]
    assert hears(made, media.DigitPressed(LEG, "7", 100, "tone")) == [Tell(OWNER, LineDigit("c+1", "7", sounded=True))]
    assert hears(made, signals.KeyPressed("c+1/1", "8")) == [Media(media.PressKey(LEG, "8"))]
    assert hears(made, media.DigitPressed(LEG, "8", 0, "info")) == [Tell(OWNER, LineDigit("c+1", "8"))]
    assert hears(made, lines.SendDigit("c+1", "9")) == [Media(media.SendDigits(LEG, "9"))]


def over(by: str, why: str, status: int = 0, said: signals.Why = "cleared", attempt: int = 1) -> list[Effect]:
    fields = (("line", "c+1"), ("by", by), ("why", why), ("status", status))
    released = Sip(signals.Release(f"c+1/{attempt}", why, said))
    return [Log("line over", fields), released, Tell(OWNER, LineOver("c+1", by, why, status)), Stop(f"{by}: {why}")]


def test_who_does_not_press_it_within_20_s_or_hangs_up_has_not_taken_it() -> None:
    made = begun(confirm=True)
    hears(made, *CALLED, signals.PickedUp("c+1/1", ANSWER), at=NOW + 5)
    assert made.deadline() == NOW + 25
    assert made.wake(NOW + 25) == over("system", "not_accepted")
    made = begun(confirm=True)
    hears(made, *CALLED, signals.PickedUp("c+1/1", ANSWER))
    assert hears(made, signals.Released("c+1/1", "hung up", by_caller=True)) == over("callee", "not_accepted")


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        (signals.Released("c+1/1", "hung up", by_caller=True), over("callee", "hung_up")),
        (signals.Released("c+1/1", "lost in a restart", by_caller=False), over("system", "gone")),
        (media.LegFailed(LEG, "its port could not be had again"), over("system", "gone", said="failed")),
        (EndLine("c+1"), over("owner", "given_up")),
        (EndLine("c+1", elsewhere=True), over("owner", "given_up", said="elsewhere")),
        (Down(OWNER, "crashed"), [Sip(signals.Release("c+1/1")), Stop("its owner is gone")]),
    ],
)
def test_however_it_ends_its_owner_hears_it_once(ends: object, told: list[Effect]) -> None:
    made = begun()
    hears(made, *CALLED, signals.PickedUp("c+1/1", ANSWER))
    assert hears(made, ends) == told


def test_one_of_whom_nothing_comes_is_given_up_after_a_minute() -> None:
    made = begun()
    hears(made, *CALLED, signals.PickedUp("c+1/1", ANSWER), media.LegSilent(LEG, 3.0))
    assert made.deadline() == NOW - 3 + 60
    assert made.wake(NOW + 57) == over("system", "gone", said="timer")


@pytest.mark.parametrize(
    ("status", "why"), [(486, "line_busy"), (404, "no_such_number"), (480, "not_answered"), (603, "call_declined")]
)
def test_what_the_far_side_says_is_why(status: int, why: str) -> None:
    made = begun()
    said: signals.Why = (
        "no_answer" if why == "not_answered" else "cleared"
    )  # to whoever is still there, which is nobody
    assert hears(made, *CALLED, signals.Failed("c+1/1", status, "")) == over("system", why, status, said)


def test_a_host_that_cannot_is_left_for_the_next_trunk() -> None:
    made = begun(trunks=("first", "carrier"))
    hears(made, Started(), Granted("first", HOST, nat=False), CALLED[2])
    assert hears(made, signals.Failed("c+1/1", 503, "", 30))[1:] == [
        Media(media.CloseLeg(LEG)),
        Tell("trunk:first", Trouble("c+1", HOST, silent=False, retry_after=30)),
        Tell("trunk:first", Seize("c+1", (HOST,))),
    ]
    assert hears(made, Denied("first", "unreachable")) == [
        Tell("trunk:first", Freed("c+1")),
        Tell("trunk:carrier", Seize("c+1", (HOST,))),
    ]
    assert made.wake(NOW + 4)[1:] == over("system", "unreachable", 503)


def test_a_trunk_that_refuses_us_is_left_for_the_next_one() -> None:
    made = begun(trunks=("first", "carrier"))
    hears(made, Started(), Granted("first", HOST, nat=False), CALLED[2])
    assert hears(made, signals.Failed("c+1/1", 401, "")) == [
        Tell("trunk:first", Trouble("c+1", HOST, silent=False, barred=True)),
        Log("call goes elsewhere", (("call", "c+1"), ("trunk", "first"), *HOST.fields, ("status", 401))),
        Media(media.CloseLeg(LEG)),
        Tell("trunk:first", Freed("c+1")),
        Tell("trunk:carrier", Seize("c+1", (HOST,))),
    ]
    hears(made, Granted("carrier", OTHER_HOST, nat=False))
    hears(made, media.LegOpened(made.state.leg, "192.0.2.1", 20004))
    # of the last one it is the end, in its own words
    assert hears(made, signals.Failed("c+1/2", 403, "")) == over("system", "trunk_refused", 403, attempt=2)


@pytest.mark.parametrize("said", [signals.Progressed("c+1/1", 180, None), signals.PickedUp("c+1/1", ANSWER)])
def test_a_trunk_that_wanted_another_password_hears_that_it_takes_a_call(said: object) -> None:
    made = begun()
    hears(made, Started(), Granted("carrier", HOST, nat=False, barred=True), CALLED[2])
    assert hears(made, signals.Progressed("c+1/1", 100, None)) == []
    assert hears(made, said)[0] == Tell("trunk:carrier", LetIn("c+1"))
    assert not made.out.barred


def test_a_trunk_that_refuses_us_when_it_rang_or_was_heard_is_not_left() -> None:
    made = begun(trunks=("first", "carrier"))
    hears(made, Started(), Granted("first", HOST, nat=False), CALLED[2], signals.Progressed("c+1/1", 180, None))
    assert hears(made, signals.Failed("c+1/1", 403, "")) == over("system", "trunk_refused", 403)


@pytest.mark.parametrize("rang", [False, True])
@pytest.mark.parametrize("status", [401, 403, 404, 480, 488, 501, 603, 604, 607])
def test_an_emergency_call_goes_on_whatever_a_trunk_says(status: int, rang: bool) -> None:
    """... first by those that are up, and then by all that it has not tried."""
    made = begun(trunks=("dead", "first", "carrier"), emergency=True)
    assert hears(made, Started())[-1] == Tell("trunk:dead", Seize("c+1", (), emergency=True))
    denied = hears(made, Denied("dead", "trunk_down"))
    assert denied == [Tell("trunk:dead", Freed("c+1")), Tell("trunk:first", Seize("c+1", (), emergency=True))]
    hears(made, Granted("first", HOST, nat=False), CALLED[2])
    if rang:
        hears(made, signals.Progressed("c+1/1", 180, None))
    assert hears(made, signals.Failed("c+1/1", status, ""))[-1] == Tell(
        "trunk:carrier", Seize("c+1", (HOST,), emergency=True)
    )
    hears(made, Granted("carrier", OTHER_HOST, nat=False))
    hears(made, media.LegOpened(made.state.leg, "192.0.2.1", 20004))
    tried = (HOST, OTHER_HOST)
    again = [Tell(f"trunk:{each}", Seize("c+1", tried, True, True)) for each in ("dead", "first", "carrier")]
    assert hears(made, signals.Failed("c+1/2", status, ""))[-1] == again[0]
    assert hears(made, Denied("dead", "unreachable"))[-1] == again[1]
    assert hears(made, Denied("first", "unreachable"))[-1] == again[2]
    end = hears(made, Denied("carrier", "unreachable"))
    assert end[0] == Tell("trunk:carrier", Freed("c+1"))
    assert (made.out.status, isinstance(end[-1], Stop)) == (status, True)


@pytest.mark.parametrize(("status", "cause"), [(486, 0), (486, 17), (600, 0), (503, 17)])
def test_an_emergency_centre_that_is_busy_has_said_so(status: int, cause: int) -> None:
    made = begun(trunks=("first", "carrier"), emergency=True)
    hears(made, Started(), Granted("first", HOST, nat=False), CALLED[2])
    assert isinstance(hears(made, signals.Failed("c+1/1", status, "", None, (), cause))[-1], Stop)


def test_an_emergency_call_that_is_sent_on_in_vain_is_what_it_was_at_the_next_trunk() -> None:
    made = begun(trunks=("first", "carrier"), emergency=True)
    hears(made, Started(), Granted("first", HOST, nat=False), CALLED[2])
    redirect = signals.Redirect("+861055501999", OTHER_HOST)
    asked = hears(made, signals.Failed("c+1/1", 302, "", None, (redirect,)))
    assert asked[-1] == Tell("switchboard", Redirected("c+1", "first", (redirect,), emergency=True))
    hears(made, Follow("+861055501999", "01055501999", redirect))
    hears(made, media.LegOpened(made.state.leg, "192.0.2.1", 20004))
    assert made.out.number == "+861055501999"
    hears(made, signals.Failed("c+1/2", 404, ""))
    assert (made.out.number, made.out.dialled, made.out.trunks) == (CUSTOMER, CUSTOMER, ("carrier",))


def test_an_emergency_call_that_may_not_be_sent_on_goes_to_the_next_trunk() -> None:
    made = begun(trunks=("first", "carrier"), emergency=True)
    hears(made, Started(), Granted("first", HOST, nat=False), CALLED[2])
    hears(made, signals.Failed("c+1/1", 302, "", None, (signals.Redirect("+861055501999", OTHER_HOST),)))
    assert hears(made, Stay())[-1] == Tell("trunk:carrier", Seize("c+1", (HOST,), emergency=True))


def test_an_emergency_call_that_is_answered_in_nothing_that_we_speak_goes_on() -> None:
    made = begun(trunks=("first", "carrier"), emergency=True)
    hears(made, Started(), Granted("first", HOST, nat=False), CALLED[2])
    opus = evolve(ANSWER, media=(evolve(ANSWER.media[0], formats=("99",)),))
    said = hears(made, signals.PickedUp("c+1/1", opus))
    assert Sip(signals.Release("c+1/1")) in said
    assert said[-1] == Tell("trunk:carrier", Seize("c+1", (HOST,), emergency=True))


def test_an_emergency_call_that_rings_in_vain_for_three_minutes_goes_on() -> None:
    made = begun(trunks=("first", "carrier"), emergency=True)
    hears(made, Started(), Granted("first", HOST, nat=False), CALLED[2], signals.Progressed("c+1/1", 180, None))
    said = made.wake(NOW + outward.PATIENCE)
    assert said[0] == Sip(signals.Release("c+1/1", why="timer"))
    assert Tell("trunk:first", Trouble("c+1", HOST, silent=True)) in said
    assert said[-1] == Tell("trunk:carrier", Seize("c+1", (HOST,), emergency=True))


def test_an_emergency_call_comes_back_to_each_host_of_each_trunk_by_turns() -> None:
    """All hosts of one that refuses us do, as a rule; and it need not be so."""
    made = begun(trunks=("first", "carrier"), emergency=True)
    hosts = [evolve(HOST, address=f"192.0.2.{20 + number}") for number in range(5)]
    trunks = ("first", "carrier", "first", "carrier", "first")
    asked = hears(made, Started())[-1:]
    for number, (trunk, host) in enumerate(zip(trunks, hosts, strict=True)):
        assert asked == [Tell(f"trunk:{trunk}", Seize("c+1", tuple(hosts[:number]), True, number > 1))]
        hears(made, Granted(trunk, host, nat=False))
        hears(made, media.LegOpened(made.state.leg, "192.0.2.1", 20002))
        asked = hears(made, signals.Failed(made.state.sip, 403, ""))[-1:]
    assert hears(made, Denied("carrier", "unreachable"))[-1] == Tell(
        "trunk:first", Seize("c+1", tuple(hosts), True, True)
    )
    assert isinstance(hears(made, Denied("first", "unreachable"))[-1], Stop)


def test_what_comes_again_later_is_a_call_and_no_host_where_it_does_not_say_503() -> None:
    """Else whoever is called has the trunk left alone for an hour, for everybody."""
    made = begun(trunks=("first", "carrier"))
    hears(made, Started(), Granted("first", HOST, nat=False), CALLED[2])
    said = hears(made, signals.Failed("c+1/1", 500, "", 3600))
    assert Tell("trunk:first", Trouble("c+1", HOST, silent=False, retry_after=None)) in said


@pytest.mark.parametrize(
    ("status", "retry_after", "cause", "told"),
    [
        (503, 30, 0, [Tell("trunk:carrier", Trouble("c+1", HOST, silent=False, retry_after=30))]),
        (503, None, 0, []),
        # it was the callee's exchange, or the callee, and no host of the trunk
        (503, 30, 17, []),
        (480, 30, 0, []),
        (500, 30, 0, []),
    ],
)
def test_a_host_that_says_when_it_takes_calls_again_is_left_alone_though_it_rang(
    status: int, retry_after: int | None, cause: int, told: list[Effect]
) -> None:
    made = begun()
    hears(made, *CALLED, signals.Progressed("c+1/1", 180, None))
    said = hears(made, signals.Failed("c+1/1", status, "", retry_after, (), cause))
    assert [each for each in said if isinstance(each, Tell) and isinstance(each.message, Trouble)] == told
    assert isinstance(said[-1], Stop)


def test_who_was_left_for_another_trunk_refers_nobody_any_more() -> None:
    """... however late its word comes: a walk heard it as the next one was called already."""
    made = begun(trunks=("carrier", "spare"))
    hears(made, *CALLED, signals.Failed("c+1/1", 503, ""), Denied("carrier", "unreachable"))
    hears(made, Granted("spare", HOST, nat=False))
    hears(made, media.LegOpened(made.state.leg, "192.0.2.1", 20004))
    assert made.state.phase is Phase.CALLING
    before = made.state
    (said,) = hears(made, signals.Referred("c+1/1", "+8613800138007"))
    assert isinstance(said, Log)
    assert (said.event, made.state) == ("late", before)


def test_an_answer_that_we_cannot_speak_is_the_end() -> None:
    made = begun()
    opus = evolve(ANSWER, media=(evolve(ANSWER.media[0], formats=("99",)),))
    assert hears(made, *CALLED, signals.PickedUp("c+1/1", opus))[1:] == over("system", "no_common_media")


def records(effects: Sequence[Effect]) -> list[object]:
    return [effect.entry for effect in effects if isinstance(effect, Record)]


@pytest.mark.parametrize(("mobile_of", "party"), [("", "outside"), ("chen", "chen")])
def test_how_it_sounds_is_kept_with_the_call_from_the_answer_to_the_end(mobile_of: str, party: str) -> None:
    reach = Reach("c+1", "call:c", "lin", CUSTOMER, mobile_of)
    made = Line(reach, Out(CUSTOMER, CUSTOMER, trunks=("carrier",)), "en", "CN", ("pcma",), NOW)
    report = media.LegQuality(LEG, 90, 10, 200.0, 3.0, 40.0, -30.0)
    for message in (*CALLED, report):
        assert records(made.receive(message, NOW)) == []
    assert records(made.receive(signals.PickedUp("c+1/1", ANSWER), NOW + 5)) == []
    kept: list[object] = []
    for at in (7, 9, 11):
        kept += records(made.receive(report, NOW + at))
    assert records(made.receive(media.LegWays(LEG, comes=False, goes=True), NOW + 12)) == [
        SoundEntry("c", party, NOW + 12, comes=False, goes=True)
    ]
    kept += records(made.receive(media.LegWays(LEG, comes=True, goes=True), NOW + 13))[1:]
    made.receive(report, NOW + 13)
    kept += records(made.receive(signals.Released("c+1/1", "hung up", by_caller=True), NOW + 14))
    assert all(isinstance(entry, QualityEntry) and (entry.call, entry.party) == ("c", party) for entry in kept)
    last = kept[-1]
    assert isinstance(last, QualityEntry)
    points = list(unpack(last.points, last.began))
    assert [(each.at - NOW, each.seconds, each.received, each.lost) for each in points] == [
        (5.0, 4.0, 180, 20),
        (9.0, 4.0, 180, 20),
    ]
    assert records(made.will("crashed", NOW + 15)) == []


def test_what_is_known_of_a_line_that_dies_is_kept() -> None:
    for crashes in (True, False):
        made = begun()
        hears(made, *CALLED, signals.PickedUp("c+1/1", ANSWER))
        made.receive(media.LegWays(LEG, comes=True, goes=False), NOW + 1)
        made.receive(media.LegQuality(LEG, 100, 0, 0.0, 1.0, 20.0, -30.0), NOW + 2)
        ends = made.will("crashed", NOW + 8) if crashes else made.receive(Down(OWNER, "ended"), NOW + 8)
        (kept,) = records(ends)
        assert isinstance(kept, QualityEntry)
        assert len(kept.points) == 30


def test_sound_that_went_one_way_before_the_answer_is_kept_with_it() -> None:
    made = begun()
    assert records(hears(made, *CALLED, media.LegWays(LEG, comes=False, goes=True))) == []
    (kept,) = records(hears(made, signals.PickedUp("c+1/1", ANSWER)))
    assert kept == SoundEntry("c", "outside", NOW, comes=False, goes=True)
