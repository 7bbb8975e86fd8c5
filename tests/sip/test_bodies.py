"""Session descriptions among what networks put beside them (RFC 3261 §7.4.1, §20.11, RFC 5621, RFC 2046 §5.1)."""

from __future__ import annotations

from random import Random

import pytest
from cordboard.sip import bodies
from cordboard.sip.events import CallAnswered, CallConfirmed, CallReoffered, IncomingCall, Output
from cordboard.sip.message import RemoteSipError, Request, parse

from . import net as n
from .far import reply, requests
from .test_endpoint import CARRIER, build, fresh, responses, statuses, up

SDP = bytes(n.OFFER_A).decode()
ISUP = "\x01\x00\x60"


def part(kind: str, body: str, disposition: str = "", more: str = "") -> str:
    said = f"Content-Disposition: {disposition}\r\n" if disposition else ""
    return f"Content-Type: {kind}\r\n{said}{more}\r\n{body}"


SESSION = part("application/sdp", SDP)
EXCHANGE = part("application/isup;version=itu-t92+", ISUP, "signal;handling=optional")


def boxed(*parts: str, boundary: str = "b", before: str = "", after: str = "") -> str:
    return before + "".join(f"--{boundary}\r\n{each}\r\n" for each in parts) + f"--{boundary}--\r\n" + after


def mixed(*parts: str, kind: str = "multipart/mixed;boundary=b", disposition: str = "") -> bytes:
    said = f"Content-Disposition: {disposition}\r\n" if disposition else ""
    return build(body=boxed(*parts), extra=f"Content-Type: {kind}\r\n{said}")


def incoming(out: list[Output]) -> IncomingCall:
    found = out[-1]
    assert isinstance(found, IncomingCall)
    return found


@pytest.mark.parametrize(
    "data",
    [
        mixed(SESSION),
        mixed(SESSION, EXCHANGE),
        mixed(EXCHANGE, SESSION),
        mixed(part("application/pidf+xml", "<presence/>"), SESSION, EXCHANGE),
        mixed(SESSION, EXCHANGE, kind='Multipart/Mixed ; boundary="b"'),
        mixed(SESSION, EXCHANGE, kind="multipart/related; type=application/sdp; BOUNDARY=b"),
        mixed(part("application/sdp", SDP, "session;handling=required", "Content-Transfer-Encoding: binary\r\n")),
        # for something else (RFC 3959), and the last of alternatives is the best
        mixed(part("application/sdp", "v=0", "early-session;handling=optional"), SESSION),
        mixed(part("application/sdp", "v=0"), SESSION, kind="multipart/alternative;boundary=b"),
        # boxes in boxes
        mixed(EXCHANGE, part("multipart/alternative;boundary=c", boxed(SESSION, boundary="c"))),
        # what is around it is for nobody
        build(
            body=boxed(SESSION, before="words\r\n", after="words"), extra="Content-Type: multipart/mixed;boundary=b\r\n"
        ),
    ],
)
def test_the_description_is_found(data: bytes) -> None:
    assert incoming(fresh().receive(data, CARRIER, 0.0)).offer == n.OFFER_A


@pytest.mark.parametrize(
    "data",
    [
        mixed(EXCHANGE),
        mixed(part("application/sdp", SDP, "early-session;handling=optional")),
        build(body="<p/>", extra="Content-Type: text/xml\r\nContent-Disposition: render;handling=optional\r\n"),
        mixed(part("application/sdp", "H4sI", "session;handling=optional", "Content-Transfer-Encoding: base64\r\n")),
    ],
)  # fmt: skip
def test_what_need_not_be_understood_is_passed_over(data: bytes) -> None:
    """And then it is an INVITE without an offer."""
    assert incoming(fresh().receive(data, CARRIER, 0.0)).offer is None


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (mixed(SESSION, part("application/isup", ISUP, "signal;handling=required")), 415),
        (build(body="<presence/>", extra="Content-Type: application/pidf+xml\r\n"), 415),
        (build(body=SDP, extra="Content-Type: application/sdp\r\nContent-Disposition: early-session\r\n"), 415),
        (build(body=SDP, extra="Content-Type: sdp\r\n"), 415),
        (mixed(part("application/sdp", "H4sI", "", "Content-Transfer-Encoding: base64\r\n")), 415),
        (mixed(SESSION, kind="multipart/mixed"), 400),
        (mixed(SESSION, kind="multipart/mixed;boundary=other"), 400),
        (build(body=f"--b\r\n{SESSION}\r\n", extra="Content-Type: multipart/mixed;boundary=b\r\n"), 400),
        (build(body=f"--bc\r\n{SESSION}\r\n--b--", extra="Content-Type: multipart/mixed;boundary=b\r\n"), 400),
        (mixed(*([EXCHANGE] * (bodies.MAX_PARTS + 1)), SESSION), 400),
        (mixed(part("application/sdp", SDP, more=f"X: {'x' * bodies.MAX_PART_HEAD}\r\n")), 400),
        (mixed("no head"), 400),
        (mixed(part("application/sdp", "v=1\r\n")), 400),
    ],
)
def test_what_must_be_understood_and_is_not_is_refused(data: bytes, status: int) -> None:
    endpoint = fresh()
    out = endpoint.receive(data, CARRIER, 0.0)
    assert statuses(out) == [status]
    if status == 415:
        assert responses(out)[0].get("Accept") == "application/sdp, multipart/mixed"
    assert endpoint.live_calls == 0


def test_boxes_in_boxes_have_an_end() -> None:
    body, kind = SDP, "application/sdp"
    for depth in range(bodies.MAX_DEPTH + 1):
        body, kind = boxed(part(kind, body), boundary=f"b{depth}b"), f"multipart/mixed;boundary=b{depth}b"
        out = fresh().receive(build(body=body, extra=f"Content-Type: {kind}\r\n"), CARRIER, 0.0)
        assert (incoming(out).offer is not None) == (depth < bodies.MAX_DEPTH)


def test_an_answer_may_stand_in_a_box_too() -> None:
    endpoint = n.endpoint(n.A)
    (invite,) = requests(endpoint.dial("out", "sip:600@192.0.2.9", CARRIER, "1001", n.OFFER_A, 0.0))
    answer = n.answer_to(n.OFFER_A)
    kind = ("Content-Type", "multipart/mixed;boundary=b")
    body = boxed(EXCHANGE, part("application/sdp", bytes(answer).decode())).encode()
    out = reply(endpoint, invite, 200, ("Contact", "<sip:gw@192.0.2.9>"), kind, body=body)
    assert out[-1] == CallAnswered("out", answer)
    # ... and an offer within the call, and the answer in an ACK
    head = "Content-Type: multipart/mixed;boundary=b\r\n"
    taken, call, tag = up()
    again = build(tag=tag, cseq=2, branch="z9hG4bK2", body=boxed(EXCHANGE, SESSION), extra=head)
    assert taken.receive(again, CARRIER, 1.0)[-1] == CallReoffered(call, n.OFFER_A)
    late = fresh()
    call = incoming(late.receive(build(), CARRIER, 0.0)).call
    tag = responses(late.answer(call, n.OFFER_B, 0.1))[0].to.tag or ""
    ours = bytes(n.answer_to(n.OFFER_B)).decode()
    said = build("ACK", tag=tag, branch="z9hG4bKa", body=boxed(part("application/sdp", ours)), extra=head)
    assert late.receive(said, CARRIER, 0.2) == [CallConfirmed(call, n.answer_to(n.OFFER_B))]


def test_any_body_is_read_or_refused() -> None:
    """Mutations of boxes: nothing but RemoteSipError comes of them."""
    rng = Random(7)
    seeds = [
        mixed(SESSION, EXCHANGE),
        mixed(EXCHANGE, part("multipart/alternative;boundary=c", boxed(SESSION, boundary="c"))),
    ]
    found = 0
    for _ in range(2000):
        message = parse(rng.choice(seeds))
        assert isinstance(message, Request)
        data = bytearray(bytes(message))
        start = data.index(b"\r\n\r\n") + 4
        for _ in range(rng.randint(1, 6)):
            at = rng.randrange(start, len(data))
            data[at : at + rng.choice((0, 1, 1, 9))] = rng.choice(
                (b"", b"\r\n", b"--b", b"--", bytes([rng.randrange(256)]))
            )
        head, _, body = bytes(data).partition(b"\r\n\r\n")
        whole = head.partition(b"Content-Length")[0] + f"Content-Length: {len(body)}\r\n\r\n".encode() + body
        try:
            mutated = parse(whole)
            found += bodies.session_in(mutated) is not None
        except RemoteSipError:
            pass
    assert found > 100
