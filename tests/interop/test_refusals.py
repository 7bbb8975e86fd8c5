"""Every refusal a client can meet, by robots on the real websocket: in words, and without any harm done."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from .caller import Caller
from .product import Product, until
from .robot import JSON, MSGPACK, RejectedError, Robot

MakeRobot = Callable[..., Robot]
MakeCaller = Callable[..., Caller]

# Whose password is guessed, of whom nobody is tried twice within a minute.
GUESSED = itertools.cycle(("1003", "2001", "2002"))

OFFER = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF {payloads}\r\nc=IN IP4 0.0.0.0\r\na=rtcp-mux\r\na=mid:0\r\na=sendrecv\r\n"
    "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\na=setup:actpass\r\n{more}"
)


@pytest.mark.parametrize("subprotocol", [JSON, MSGPACK])
def test_a_call_on_either_subprotocol(robot: MakeRobot, caller: MakeCaller, subprotocol: str) -> None:
    agent = robot("1001", subprotocol=subprotocol).sign_in()
    agent.state("idle")
    customer = caller("5001").answered()
    offered = agent.event("call.offered")
    assert (offered["number"], offered["dialled"], offered["queue_name"]) == ("+8613912345678", "5001", "Support")
    agent.state("ringing")
    agent.do("call.answer", call=offered["call"])
    agent.state("talking")
    assert agent.event("call.connected")["call"] == offered["call"]
    agent.do("call.hang_up")
    assert agent.event("call.ended")["by"] == "agent"
    agent.state("after_call_work")
    customer.ended()
    agent.do("agent.start_answering")
    agent.state("idle")


def test_without_signing_in_nothing_is_done(robot: MakeRobot) -> None:
    agent = robot("1001")
    commands: dict[str, dict[str, object]] = {
        "agent.sign_out": {},
        "agent.state": {"state": "break"},
        "agent.start_answering": {},
        "call.answer": {},
        "call.decline": {},
        "call.hang_up": {},
        "call.mute": {},
        "call.unmute": {},
        "agent.media": {"sdp": OFFER.format(payloads="0", more="")},
    }
    assert {do: agent.refusal(do, **fields) for do, fields in commands.items()} == dict.fromkeys(
        commands, "not_signed_in"
    )
    assert agent.ask("snapshot")["state"] == "signed_out"


def test_a_second_page_is_told_and_the_first_is_told_when_it_is_taken_over(robot: MakeRobot) -> None:
    first = robot("1001").sign_in()
    first.state("idle")
    second = robot("1001")
    assert second.refusal("agent.sign_in", media="none") == "signed_in_elsewhere"
    assert second.refusal("agent.sign_out") == "not_owner"
    assert second.refusal("agent.state", state="break") == "not_owner"
    assert second.ask("snapshot")["owner"] == "other"
    second.do("agent.sign_in", media="none", take_over=True)
    first.event("agent.taken_over")
    assert first.refusal("agent.state", state="break") == "not_owner"
    assert (first.ask("snapshot")["owner"], second.ask("snapshot")["owner"]) == ("other", "this")
    second.do("agent.state", state="break")
    first.state("break")  # who watches still sees


def test_refusals_around_a_call(robot: MakeRobot, caller: MakeCaller) -> None:
    agent = robot("1001").sign_in()
    agent.state("idle")
    assert agent.refusal("call.answer") == "not_ringing"
    assert agent.refusal("call.decline") == "not_ringing"
    assert agent.refusal("call.hang_up") == "no_call"
    assert agent.refusal("call.mute") == "no_call"
    agent.do("agent.start_answering")  # it is what the agent does already
    customer = caller("5001").answered()
    call = agent.event("call.offered")["call"]
    assert agent.refusal("agent.state", state="idle") == "ringing"
    assert agent.refusal("call.answer", call="nonsense") in ("no_call", "not_ringing")
    assert agent.refusal("call.hang_up", call=call) == "no_call"
    both = [agent.send("call.answer", call=call), agent.send("call.answer", call=call)]
    assert [agent.reply(number).get("ok") for number in both] == [True, True], "a double click is one answer"
    agent.event("call.connected")
    agent.look()
    assert [event["event"] for event in agent.events if event["event"].startswith("call.")] == []
    assert agent.refusal("agent.sign_out") == "in_call"
    assert agent.refusal("agent.state", state="break") == "in_call"
    assert agent.refusal("call.hang_up", call="nonsense") == "no_call"
    assert agent.refusal("call.mute", call="nonsense") == "no_call"
    agent.do("call.mute")
    assert agent.event("call.muted")["muted"] is True
    agent.do("call.unmute")
    assert agent.event("call.muted")["muted"] is False
    customer.hang_up()
    ended = agent.event("call.ended")
    assert (ended["call"], ended["by"]) == (call, "caller")
    agent.state("after_call_work")
    assert agent.refusal("call.hang_up") == "no_call"
    assert agent.refusal("call.answer", call=call) in ("not_ringing", "no_call")


def test_an_answer_after_the_caller_left(robot: MakeRobot, caller: MakeCaller) -> None:
    agent = robot("1001").sign_in()
    customer = caller("5001").answered()
    call = agent.event("call.offered")["call"]
    customer.hang_up()
    assert agent.event("call.withdrawn")["reason"] == "caller left"
    assert agent.refusal("call.answer", call=call) == "caller_left"
    assert agent.refusal("call.answer") == "caller_left"
    assert agent.ask("snapshot")["state"] == "idle"


@pytest.mark.parametrize(
    "sdp",
    [
        "",
        "nonsense",
        "v=0\r\n",
        OFFER.format(payloads="0", more=""),  # no fingerprint
        OFFER.format(payloads="63", more="a=rtpmap:63 red/48000/2\r\na=fingerprint:sha-256 " + ":".join(["AB"] * 32)),
        OFFER.format(payloads="0", more="a=fingerprint:sha-256 AB:CD\r\n"),
        OFFER.format(payloads="0", more="").replace("a=ice-ufrag:abcd\r\n", ""),
        "v=0\r\n" + "a=x\r\n" * 5000,
    ],
)
def test_an_offer_that_cannot_be_used(robot: MakeRobot, sdp: str) -> None:
    agent = robot("1001")
    assert agent.refusal("agent.sign_in", sdp=sdp) in ("media_refused", "bad_request")
    assert agent.ask("snapshot")["state"] == "signed_out"


def test_what_is_no_request(robot: MakeRobot) -> None:
    agent = robot("1001")
    agent.send_raw({"id": 1000})
    assert agent.reply(1000)["error"]["code"] == "bad_request"
    agent.send_raw({"id": 1001, "do": "no.such.command"})
    assert agent.reply(1001)["error"]["code"] == "unknown_command"
    agent.send_raw({"id": 1002, "do": "agent.state", "state": "asleep"})
    assert agent.reply(1002)["error"]["code"] == "bad_request"
    agent.send_raw({"id": 1003, "do": "call.answer", "surprise": 1})
    assert agent.reply(1003)["error"]["code"] == "bad_request"
    for text in ("", "{", "[]", "null", '{"id": "x", "do": "snapshot"}', "[" * 5000, '{"id": 1, "id": 2}', "\u0000"):
        agent.send_raw(text)
        assert agent.reply(None)["error"]["code"] == "bad_request"
    assert agent.ask("snapshot")["state"] == "signed_out", "and the connection goes on"


def test_garbage_without_end_closes_the_connection(robot: MakeRobot) -> None:
    agent = robot("1001")
    for _ in range(25):
        agent.send_raw("garbage")
    assert agent.closed() == 1008


def test_the_other_subprotocol_s_frames_close_the_connection(robot: MakeRobot) -> None:
    text = robot("1001", subprotocol=JSON)
    text.send_raw(b"\x81")
    assert text.closed() == 1003
    binary = robot("1001", subprotocol=MSGPACK)
    binary.send_raw("{}")
    assert binary.closed() == 1003


def test_who_is_not_let_in(product: Product) -> None:
    def status(**options: object) -> int:
        with pytest.raises(RejectedError) as caught:
            Robot(product, **options)  # type: ignore[arg-type]
        return caught.value.status

    assert status(token="") == 401
    assert status(token="no-such-token") == 401
    token = product.log_in("1001")
    assert status(token=token, headers={"Origin": "https://evil.example"}) == 403
    assert status(token=token, headers={"Origin": "null"}) == 403
    assert status(token=token, subprotocol="cordboard.v9.json") == 400
    assert status(token=token, subprotocol="") == 400
    Robot(product, token=token, headers={"Origin": product.url}).close()
    wrong = product.http("/api/login", "POST", {"agent": "1001", "password": "wrong"})
    assert (wrong.status, wrong.json["error"]["code"]) == (401, "wrong_login")
    # A login that ends takes its websockets along.
    robot = Robot(product, token=token)
    assert product.http("/api/logout", "POST", headers={"Authorization": f"Bearer {token}"}).status == 204
    assert robot.closed() == 1008
    robot.vanish()


def test_guessing_is_slowed(product: Product) -> None:
    wrong = {"agent": next(GUESSED), "password": "wrong"}
    statuses = [product.http("/api/login", "POST", wrong).status for _ in range(11)]
    assert statuses == [401] * 10 + [429]
    assert int(product.http("/api/login", "POST", wrong).headers["retry-after"]) > 0
    assert product.log_in("1002"), "others are not slowed"


def test_signing_out_while_it_rings_gives_the_call_back(robot: MakeRobot, caller: MakeCaller) -> None:
    first = robot("1001").sign_in()
    customer = caller("5001").answered()
    call = first.event("call.offered")["call"]
    second = robot("1002").sign_in()
    second.state("idle")
    first.do("agent.sign_out")
    assert first.event("call.withdrawn")["reason"] == "signed out"
    first.state("signed_out")
    again = second.event("call.offered")
    assert again["call"] == call
    second.do("agent.state", state="break")
    assert second.event("call.withdrawn")["reason"] == "break"
    second.state("break")
    second.do("agent.state", state="idle")
    customer.hang_up()
    until(lambda: second.ask("snapshot")["state"] in ("idle", "ringing"))


def test_a_decline_goes_on_to_the_next_agent(robot: MakeRobot, caller: MakeCaller) -> None:
    first = robot("1001").sign_in()
    first.state("idle")
    second = robot("1002").sign_in()
    second.state("idle")
    customer = caller("5001").answered()
    call = first.event("call.offered")["call"]  # idle the longest
    first.do("call.decline", call=call)
    assert first.event("call.withdrawn")["reason"] == "declined"
    first.state("idle")
    second.event("call.offered", call=call)
    second.do("call.answer")
    second.event("call.connected")
    assert first.ask("snapshot")["state"] == "idle"
    assert not [event for event in first.look() if event["event"] == "call.offered"]
    customer.hang_up()
    second.event("call.ended")
