"""A call from its INVITE to its end, told without an event loop."""

from __future__ import annotations

import pytest
from attrs import evolve
from cordboard.actors import agent_state as agents
from cordboard.actors import announcements, page, signals, switchboard, trunk
from cordboard.actors import call_state as calls
from cordboard.actors import queue_state as queues
from cordboard.actors.call import Call
from cordboard.actors.call_state import Phase
from cordboard.actors.caller import HOLD_TIMEOUT, MEDIA_TIMEOUT
from cordboard.actors.effects import Down, Effect, Log, Media, Record, Sip, Started, Stop, Tell, Watch
from cordboard.actors.routes import Echo, Hold, Room, Route, ToneRoute, ToQueue
from cordboard.sip import sdp
from cordboard.sip.description import Direction
from cordboard.switch import protocol as media

from .house import G711, NOW, OFFER, House, arrived

LEG = "call:c/caller"
LEFT = signals.Released("c", "hung up", by_caller=True)
PCMA = media.Codec("pcma", 8, 101)


def phase(call: Call) -> Phase:
    return call.state.phase


def important(effects: list[Effect]) -> list[Effect]:
    return [effect for effect in effects if not isinstance(effect, Log | Record)]


def taped(agent_leg: str = "") -> tuple[media.Hears, ...]:
    """What the recording of the call hears: the caller, and the agent by that leg."""
    voice = ((agent_leg, 1.0),) if agent_leg else ()
    return media.Hears("c/left", ((LEG, 1.0),)), media.Hears("c/right", voice)


def rejected(status: int, retry_after: int = 0, phrase: str = "") -> list[Effect]:
    return [Sip(signals.Reject("c", status, phrase, retry_after)), Stop("refused")]


def opened(call: Call, route: Route | None = None) -> Call:
    """A call of that route, by its own messages alone."""
    call.receive(Started(), NOW)
    call.receive(calls.Routed(route or ToQueue("support"), nat=False), NOW)
    call.receive(media.LegOpened(LEG, "192.0.2.1", 20002), NOW)
    return call


# --- set-up -------------------------------------------------------------------------------------------------------


def test_a_call_asks_for_its_route_opens_its_leg_answers_and_waits() -> None:
    call = Call(arrived(), NOW)
    assert important(call.receive(Started(), NOW)) == [
        Tell("switchboard", switchboard.FindRoute("c", "+861055501000", "carrier"))
    ]
    assert important(call.receive(calls.Routed(ToQueue("support"), nat=True), NOW)) == [
        Media(media.OpenRtpLeg(LEG, "198.51.100.1", 4000, PCMA, nat=True, peer="192.0.2.10"))
    ]
    effects = call.receive(media.LegOpened(LEG, "192.0.2.1", 20002), NOW + 0.1)
    answer = sdp.answer(OFFER, sdp.negotiate(OFFER), "192.0.2.1", 20002, session_id=int(NOW))
    assert effects == [
        Sip(signals.AnswerSip("c", answer)),
        Media(media.OpenSource("music:hold", media.Music("hold"))),
        Media(media.Rewire((media.Hears(LEG, (("music:hold", 1.0),)),))),
        Watch("queue:support"),
        Tell("queue:support", queues.Join("c", "+8613912345678", "Wang", "+861055501000", NOW)),
    ]
    assert (phase(call), call.deadline()) == (Phase.WAITING, float("inf"))


def test_a_number_that_leads_nowhere_is_404() -> None:
    call = Call(arrived(), NOW)
    call.receive(Started(), NOW)
    assert important(call.receive(calls.NotRouted(404, "no such number"), NOW)) == rejected(404)


def test_an_offer_without_our_codecs_is_488_before_anybody_is_asked() -> None:
    odd = evolve(OFFER, media=(evolve(OFFER.media[0], formats=("18",), rtpmaps=()),))
    says = rejected(488, phrase="SDP: no codec in common")
    assert important(Call(arrived(offer=odd), NOW).receive(Started(), NOW)) == says


def test_no_media_is_503() -> None:
    for fact in (media.LegRefused(LEG, "no port"), media.LegFailed(LEG, "the media engine was restarted")):
        call = Call(arrived(), NOW)
        call.receive(Started(), NOW)
        call.receive(calls.Routed(Echo(), nat=False), NOW)
        assert important(call.receive(fact, NOW)) == rejected(503, 5)


def test_a_route_that_never_comes_is_503_after_4_s() -> None:
    call = Call(arrived(), NOW)
    call.receive(Started(), NOW)
    assert call.deadline() == NOW + 4
    assert important(call.wake(NOW + 4)) == rejected(503, 5)


def test_test_numbers_hear_what_they_dialled() -> None:
    house = House()
    for name, route in (("echo", Echo()), ("tone", ToneRoute(440)), ("hold", Hold())):
        house.call(name, route)
        assert house.actors[f"call:{name}"].state.phase is Phase.SERVED
    hears = {name: dict(house.engine.hears(f"call:{name}/caller")) for name in ("echo", "tone", "hold")}
    assert hears == {"echo": {"call:echo/caller": 1.0}, "tone": {"tone:440": 1.0}, "hold": {"music:hold": 1.0}}


def test_a_caller_of_a_full_room_hears_the_busy_tone_of_the_country_and_leaves() -> None:
    house = House()
    call = house.call("c", Room())
    assert phase(call) is Phase.SERVED
    house.tell("call:c", calls.RoomFull())
    assert phase(call) is Phase.GOODBYE
    (source,) = house.engine.hears("call:c/caller")
    assert house.engine.kind(source) == announcements.busy("CN")
    house.after(announcements.BUSY - 0.1)
    assert house.sip("c")[1:] == []
    house.after(0.2)
    assert house.sip("c")[1:] == [signals.Release("c", "the room is full")]
    assert (house.engine.legs, house.engine.sources) == ((), ())


# --- crossings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("steps", "told"), [(0, ()), (1, ()), (2, ("queue:support",)), (3, ("agent:lin",))])
def test_a_cancel_ends_the_call_wherever_it_is(steps: int, told: tuple[str, ...]) -> None:
    """SIP reports a CANCEL only where no answer went out, also when the call itself had said that it answered."""
    call = Call(arrived(), NOW)
    story: list[object] = [
        Started(),
        calls.Routed(ToQueue("support"), nat=False),
        media.LegOpened(LEG, "192.0.2.1", 20002),
        calls.Accept("lin", "leg"),
    ]
    for message in story[: steps + 1]:
        call.receive(message, NOW)
    assert call.receive(signals.Cancelled("c"), NOW)[-1] == Stop("caller: cancelled", told)


def test_a_cancel_behind_the_opening_of_the_leg_leaves_no_ghost() -> None:
    house = House()
    house.queue()
    lin = house.robot("lin")
    house.spawn("trunk:carrier", trunk.Trunk(trunk.Profile("carrier"), NOW))
    house.spawn("call:c", Call(arrived(), NOW))
    house.run()
    house.sleep("call:c")
    house.mail["call:c"].append(calls.Routed(ToQueue("support"), nat=False))
    house._perform("call:c", house.actors["call:c"].receive(house.mail["call:c"].popleft(), NOW))
    house.tell("call:c", signals.Cancelled("c"))
    house.wake("call:c")
    assert "call:c" not in house.actors
    assert (house.engine.legs, house.actors["queue:support"].state.calls) == ((), {})
    house.after(100)
    assert lin.state.phase is agents.Phase.IDLE


def test_a_second_answer_of_the_same_agent_changes_no_more_than_its_leg() -> None:
    """It was offered the call again before this one knew that it has it."""
    call = opened(Call(arrived(), NOW))
    call.receive(calls.Accept("lin", "leg"), NOW)
    call.receive(calls.Accept("lin", "another"), NOW)
    assert (call.state.agent, call.state.agent_leg) == ("lin", "another")
    assert call.receive(calls.Accept("wei", "leg"), NOW) == [Tell("agent:wei", agents.Lost("c", "answered_elsewhere"))]


def test_words_of_an_agent_who_is_not_in_the_call_change_nothing() -> None:
    call = opened(Call(arrived(), NOW))
    call.receive(calls.Accept("lin", "leg"), NOW)
    before = call.state
    for message in (calls.HangUp("wei"), calls.MuteAgent("wei", muted=True), calls.AgentLeg("wei", "x")):
        assert call.receive(message, NOW) == []
    assert call.receive(calls.AgentGone("wei"), NOW) == [Tell("agent:wei", agents.LetGo("c"))]
    assert call.receive(Down("agent:wei", "dismissed"), NOW) == []
    assert call.state is before


# --- the agent's side ---------------------------------------------------------------------------------------------


@pytest.fixture
def house() -> House:
    house = House()
    house.queue()
    return house


@pytest.mark.parametrize("reason", ["crashed", "dismissed"])
def test_a_call_whose_agent_dies_waits_again_with_its_old_time(house: House, reason: str) -> None:
    house.sitting("lin")
    call = house.call()
    house.after(7)
    house.ask("lin", page.Answer())
    house.end("agent:lin", reason)
    house.run()
    assert phase(call) is Phase.WAITING
    assert house.heard() == "nobody-here"
    waiting = house.actors["queue:support"].state.calls["c"]
    assert (waiting.join.since, waiting.rung) == (NOW, {})


def test_a_mute_outlives_the_agents_leg(house: House) -> None:
    call = opened(Call(arrived(), NOW))
    call.receive(calls.Accept("lin", "one"), NOW)
    call.receive(calls.MuteAgent("lin", muted=True), NOW)
    assert call.receive(calls.AgentLeg("lin", "two"), NOW) == [
        Media(media.Rewire((media.Hears(LEG, ()), media.Hears("two", ((LEG, 1.0),)), *taped())))
    ]


def test_the_next_agent_is_not_muted_by_the_last() -> None:
    call = opened(Call(arrived(), NOW))
    call.receive(calls.Accept("lin", "one"), NOW)
    call.receive(calls.MuteAgent("lin", muted=True), NOW)
    call.receive(calls.AgentGone("lin"), NOW)
    assert important(call.receive(calls.Accept("wei", "two"), NOW))[0] == Media(
        media.Rewire((media.Hears(LEG, (("two", 1.0),)), media.Hears("two", ((LEG, 1.0),)), *taped("two")))
    )


def test_the_far_side_may_not_acknowledge_or_may_lose_its_media(house: House) -> None:
    lin = house.robot("lin")
    for message, released in (
        (signals.Released("c", "the answer was never acknowledged", by_caller=False), True),
        (media.LegFailed(LEG, "the media engine was restarted"), True),
        (LEFT, False),
    ):
        house.call()
        house.ask("lin", page.Answer())
        house.said.clear()
        house.tell("call:c", message)
        assert lin.state.phase is agents.Phase.AFTER_CALL_WORK
        assert any(isinstance(command, signals.Release) for command in house.sip()) is released
        house.ask("lin", page.StartAnswering())
    assert house.engine.legs == ()


# --- descriptions -------------------------------------------------------------------------------------------------


def test_an_invite_without_an_offer_gets_ours_and_the_ack_brings_the_answer() -> None:
    call = Call(arrived(offer=None), NOW)
    call.receive(Started(), NOW)
    (opening,) = important(call.receive(calls.Routed(Echo(), nat=False), NOW))
    assert isinstance(opening, Media)
    assert isinstance(opening.command, media.OpenRtpLeg)
    assert opening.command.port == 0
    (answering, *_) = call.receive(media.LegOpened(LEG, "192.0.2.1", 20002), NOW)
    ours = sdp.offer("192.0.2.1", 20002, session_id=int(NOW))
    assert answering == Sip(signals.AnswerSip("c", ours))
    theirs = sdp.answer(ours, sdp.negotiate(ours, ("pcmu",)), "198.51.100.1", 4000, session_id=2)
    pcmu = media.Codec("pcmu", 0, 101)
    assert call.receive(signals.Confirmed("c", theirs), NOW) == [
        Media(media.UpdateRtpLeg(LEG, "198.51.100.1", 4000, pcmu))
    ]
    assert call.receive(media.LegOpened(LEG, "192.0.2.1", 20002), NOW) == []


@pytest.mark.parametrize("early", [False, True])
def test_a_caller_without_an_offer_hears_the_queue_early_where_it_can(early: bool) -> None:
    call = Call(evolve(arrived(offer=None), early=early), NOW)
    call.receive(Started(), NOW)
    call.receive(calls.Routed(ToQueue("support"), nat=False, early_seconds=60.0), NOW)
    (said, *_) = call.receive(media.LegOpened(LEG, "192.0.2.1", 20002), NOW)
    ours = sdp.offer("192.0.2.1", 20002, session_id=int(NOW))
    assert said == Sip((signals.AnswerEarly if early else signals.AnswerSip)("c", ours))
    theirs = sdp.answer(ours, sdp.negotiate(ours, ("pcmu",)), "198.51.100.1", 4000, session_id=2)
    heard = Media(media.UpdateRtpLeg(LEG, "198.51.100.1", 4000, media.Codec("pcmu", 0, 101)))
    assert call.receive(signals.Confirmed("c", theirs), NOW) == [heard]
    answered = [each for each in call.receive(calls.Accept("wei", "leg"), NOW + 5) if isinstance(each, Sip)]
    assert answered == ([Sip(signals.AnswerSip("c", ours))] if early else [])


def test_an_answer_in_the_ack_that_cannot_be_used_ends_the_call() -> None:
    call = opened(Call(arrived(offer=None), NOW), Echo())
    refused = evolve(OFFER, media=(evolve(OFFER.media[0], port=0),))
    effects = call.receive(signals.Confirmed("c", refused), NOW)
    assert [type(effect) for effect in important(effects)] == [Sip, Stop]


@pytest.mark.parametrize("answered", [False, True])
def test_a_caller_whose_trunk_died_without_a_word_is_released_after_a_minute(house: House, answered: bool) -> None:
    lin = house.robot("lin")
    call = house.call()
    if answered:
        house.ask("lin", page.Answer())
    house.fact(media.LegSilent(LEG, 3.0))
    house.after(20)
    house.fact(media.LegHeard(LEG))
    house.after(40)
    assert "call:c" in house.actors
    house.fact(media.LegSilent(LEG, 3.0))
    house.after(MEDIA_TIMEOUT - 3.1)
    assert "call:c" in house.actors
    house.after(0.2)
    assert "call:c" not in house.actors
    assert isinstance(house.sip()[-1], signals.Release)
    assert lin.state.phase is (agents.Phase.AFTER_CALL_WORK if answered else agents.Phase.ON_BREAK)
    assert call.deadline() <= house.now


def test_a_caller_who_put_us_on_hold_may_be_silent(house: House) -> None:
    call = house.call()
    held = evolve(OFFER, media=tuple(evolve(each, direction="inactive") for each in OFFER.media))
    house.tell("call:c", signals.Reoffered("c", held))
    house.fact(media.LegSilent(LEG, 3.0))
    house.after(3600)
    house.tell("call:c", signals.Reoffered("c", OFFER))
    assert call.deadline() == house.now + MEDIA_TIMEOUT
    house.fact(media.LegHeard(LEG))
    house.after(3600)
    assert "call:c" in house.actors


def test_who_takes_us_back_by_asking_for_our_offer_may_take_its_time(house: House) -> None:
    call = house.call()
    held = evolve(OFFER, media=tuple(evolve(each, direction="inactive") for each in OFFER.media))
    house.tell("call:c", signals.Reoffered("c", held))
    house.fact(media.LegSilent(LEG, 3.0))
    house.after(3600)
    house.tell("call:c", signals.Reoffered("c", None))
    ours = call.state.ours
    assert ours is not None
    answer = sdp.answer(ours, sdp.negotiate(ours), "192.0.2.10", 4000, session_id=5)
    house.tell("call:c", signals.Confirmed("c", answer))
    assert call.deadline() == house.now + MEDIA_TIMEOUT
    house.fact(media.LegHeard(LEG))
    house.after(3600)
    assert "call:c" in house.actors


@pytest.mark.parametrize("direction", ["inactive", "sendonly"])
def test_a_trunk_that_dies_while_its_caller_holds_us_is_found_out(house: House, direction: Direction) -> None:
    house.call()
    held = evolve(OFFER, media=tuple(evolve(each, direction=direction) for each in OFFER.media))
    house.tell("call:c", signals.Reoffered("c", held))
    house.fact(media.LegSilent(LEG, 3.0))
    house.after(HOLD_TIMEOUT - 4.0)
    assert "call:c" in house.actors
    house.after(1.0)
    assert "call:c" not in house.actors
    assert isinstance(house.sip()[-1], signals.Release)


def test_a_reoffer_moves_the_leg_and_is_answered_when_it_has() -> None:
    call = opened(Call(arrived(), NOW), Echo())
    again = sdp.offer("198.51.100.9", 4444, session_id=1, version=2, codecs=G711)
    assert call.receive(signals.Reoffered("c", again), NOW) == [
        Media(media.UpdateRtpLeg(LEG, "198.51.100.9", 4444, PCMA))
    ]
    answer = sdp.answer(again, sdp.negotiate(again), "192.0.2.1", 20002, session_id=int(NOW), version=2)
    assert call.receive(media.LegOpened(LEG, "192.0.2.1", 20002), NOW) == [Sip(signals.Reanswer("c", answer))]


def test_a_hold_that_names_no_address_leaves_the_leg_where_it_is() -> None:
    call = opened(Call(arrived(), NOW), Echo())
    held = sdp.offer("0.0.0.0", 4000, session_id=1, version=2, codecs=G711)
    assert call.receive(signals.Reoffered("c", held), NOW) == [
        Media(media.UpdateRtpLeg(LEG, "192.0.2.10", 0, PCMA, sends=False, hears=False))
    ]
    (reanswer,) = call.receive(media.LegOpened(LEG, "192.0.2.1", 20002), NOW)
    assert isinstance(reanswer, Sip)
    assert isinstance(reanswer.command, signals.Reanswer)
    (stream,) = reanswer.command.description.media
    assert (stream.connection, stream.port, stream.direction) == ("192.0.2.1", 20002, "recvonly")


@pytest.mark.parametrize("direction", ["sendrecv", "sendonly", "inactive"])
def test_a_reoffer_without_an_offer_is_given_ours_as_if_nobody_held_us(direction: Direction) -> None:
    """RFC 6337 §5.1: who holds us and takes us back so would stay on hold, were it offered what it had wanted."""
    call = opened(Call(arrived(), NOW), Echo())
    held = evolve(OFFER, media=tuple(evolve(each, direction=direction) for each in OFFER.media))
    call.receive(signals.Reoffered("c", held), NOW)
    call.receive(media.LegOpened(LEG, "192.0.2.1", 20002), NOW)
    (asked,) = call.receive(signals.Reoffered("c", None), NOW)
    assert isinstance(asked, Sip)
    assert isinstance(asked.command, signals.Reanswer)
    ours = asked.command.description
    assert (ours.version, call.state.ours) == ("3", ours)
    (stream,) = ours.media
    # the codec that is spoken comes first, and all others that it may have instead
    assert (stream.direction, stream.port, stream.formats[:2]) == ("sendrecv", 20002, ("8", "9"))
    answer = sdp.answer(ours, sdp.negotiate(ours), "192.0.2.10", 4000, session_id=5)
    assert call.receive(signals.Confirmed("c", answer), NOW) == [
        Media(media.UpdateRtpLeg(LEG, "192.0.2.10", 4000, PCMA))
    ]
    assert not call.state.on_hold


def test_a_reoffer_that_cannot_be_had_is_refused_and_the_call_goes_on() -> None:
    call = opened(Call(arrived(), NOW), Echo())
    odd = evolve(OFFER, media=(evolve(OFFER.media[0], formats=("18",), rtpmaps=()),))
    assert call.receive(signals.Reoffered("c", odd), NOW) == [Sip(signals.RejectReoffer("c", 488))]
    call.receive(signals.Reoffered("c", OFFER), NOW)
    assert call.receive(media.LegRefused(LEG, "in use"), NOW) == [Sip(signals.RejectReoffer("c", 488))]
    assert phase(call) is Phase.SERVED
    assert call.state.agreed == sdp.negotiate(OFFER)


def test_a_refused_reoffer_leaves_what_was_agreed() -> None:
    call = opened(Call(arrived(), NOW), Echo())
    before = call.state.agreed
    call.receive(signals.Reoffered("c", sdp.offer("198.51.100.9", 4444, session_id=1, version=2, codecs=G711)), NOW)
    call.receive(media.LegRefused(LEG, "in use"), NOW)
    assert (call.state.agreed, call.state.reoffer) == (before, None)


# --- a caller that is gone ----------------------------------------------------------------------------------------


def test_a_caller_of_whom_nothing_is_heard_for_a_minute_is_gone(house: House) -> None:
    """A lost BYE, a dead trunk: nobody stays in a queue or in a conversation for ever."""
    lin = house.robot("lin")
    call = house.call()
    house.ask("lin", page.Answer())
    house.call("waits")
    house.after(3)
    for name in ("c", "waits"):
        house.fact(*house.engine.connect(f"call:{name}/caller"))
        house.fact(*house.engine.silence(f"call:{name}/caller", 3.0))
    house.until(NOW + MEDIA_TIMEOUT - 0.001)
    assert phase(call) is Phase.TALKING
    house.until(NOW + MEDIA_TIMEOUT)
    assert {"call:c", "call:waits"}.isdisjoint(house.actors)
    assert house.sip()[-1] == signals.Release("c", "caller silent", "timer")
    assert (lin.state.phase, lin.state.reason) == (agents.Phase.AFTER_CALL_WORK, "system hung up")


def test_a_caller_that_is_heard_again_stays(house: House) -> None:
    house.call()
    house.fact(*house.engine.connect(LEG), *house.engine.silence(LEG, 3.0))
    house.after(50)
    house.fact(*house.engine.hear(LEG))
    house.after(1000)
    assert "call:c" in house.actors


def test_a_caller_on_hold_need_not_send(house: House) -> None:
    call = house.call()
    house.fact(*house.engine.connect(LEG))
    offer = sdp.offer("198.51.100.1", 4002, session_id=1, version=2, direction="inactive", codecs=G711)
    house.tell("call:c", signals.Reoffered("c", offer))
    house.fact(*house.engine.silence(LEG, 3.0))
    house.after(3600)
    assert phase(call) is Phase.WAITING
    again = sdp.offer("198.51.100.1", 4002, session_id=1, version=3, codecs=G711)
    house.tell("call:c", signals.Reoffered("c", again))
    house.after(MEDIA_TIMEOUT - 0.001)
    assert phase(call) is Phase.WAITING
    house.after(0.001)
    assert "call:c" not in house.actors


# --- digits -------------------------------------------------------------------------------------------------------


def test_an_echo_sends_the_keys_back_and_no_other_number_does() -> None:
    key = media.DigitPressed(LEG, "7", 240, "event")
    call = opened(Call(arrived(), NOW), Echo())
    assert call.receive(key, NOW + 1) == [Media(media.SendDigits(LEG, "7"))]
    assert call.receive(signals.KeyPressed("c", "#"), NOW + 1) == [Media(media.PressKey(LEG, "#"))]
    assert call.receive(evolve(key, digit="#", how="info"), NOW + 1) == [Media(media.SendDigits(LEG, "#"))]
    assert call.receive(evolve(key, how="tone"), NOW + 1) == []  # it has come back as it was heard
    for route in (Hold(), ToneRoute(440), Room(), ToQueue("support")):
        assert opened(Call(arrived(), NOW), route).receive(key, NOW + 1) == []


def test_the_agents_keys_go_to_the_caller_whose_call_it_has() -> None:
    call = opened(Call(arrived(), NOW))
    call.receive(calls.Accept("lin", "agent:lin/1"), NOW + 1)
    assert call.receive(calls.AgentDigit("lin", "7"), NOW + 2) == [Media(media.SendDigits(LEG, "7"))]
    assert call.receive(calls.AgentDigit("wei", "7"), NOW + 2) == []


def test_a_key_that_sip_tells_of_is_the_engines_to_tell() -> None:
    call, key = opened(Call(arrived(), NOW)), signals.KeyPressed("c", "7")
    assert call.receive(key, NOW + 1) == [Media(media.PressKey(LEG, "7"))]
