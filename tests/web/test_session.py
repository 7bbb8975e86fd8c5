"""A session's bookkeeping, without a socket."""

from __future__ import annotations

import json

import pytest
import trio
from cordboard.actors import page
from cordboard.actors.effects import Push, Reply
from cordboard.web.access import Throttle
from cordboard.web.hub import Hub
from cordboard.web.metrics import WebMetrics
from cordboard.web.protocol import Close, Message, Subprotocol
from cordboard.web.session import (
    MAX_MALFORMED,
    MAX_OUTBOX,
    MAX_WAITING,
    REQUEST_BURST,
    REQUESTS_PER_SECOND,
    DemoRequest,
    Session,
)
from prometheus_client import CollectorRegistry


@pytest.fixture
def metrics() -> WebMetrics:
    return WebMetrics(CollectorRegistry())


@pytest.fixture
def session(metrics: WebMetrics) -> Session:
    return Session("s", "1001", "192.0.2.1", "token", Subprotocol.JSON, metrics, now=0.0)


def snapshot(request: int) -> str:
    return json.dumps({"id": request, "do": "snapshot"})


def sent(session: Session) -> list[Message]:
    taken = []
    while (message := session.next()) is not None:
        taken.append(message)
    return taken


def code(session: Session) -> Close | None:
    return session.closing[0] if session.closing else None


def quality(level: float) -> page.MediaQuality:
    return page.MediaQuality(0.0, 1.0, 20.0, level)


def queue(name: str, waiting: int) -> page.QueueStatus:
    return page.QueueStatus(name, name, waiting, None, 0)


def test_a_request_is_told_and_answered_once(session: Session, metrics: WebMetrics) -> None:
    assert session.receive(snapshot(7), 0.0) == page.Request("s", 7, "192.0.2.1", page.GetSnapshot())
    session.reply(7, page.Accepted())
    session.reply(7, page.Accepted())
    session.reply(8, page.Accepted())
    assert sent(session) == [{"id": 7, "ok": True}]
    assert metrics.registry.get_sample_value("cordboard_web_dropped_total", {"kind": "reply"}) == 2


def test_an_id_that_still_waits_cannot_be_used_again(session: Session) -> None:
    assert session.receive(snapshot(7), 0.0) is not None
    assert session.receive(snapshot(7), 0.0) is None
    session.reply(7, page.Accepted())
    [error, answer] = sent(session)
    assert (error["id"], answer) == (None, {"id": 7, "ok": True})
    assert session.receive(snapshot(7), 0.0) is not None


def test_of_what_only_shows_how_things_stand_the_newest_is_kept(session: Session, metrics: WebMetrics) -> None:
    session.push(1, quality(-30))
    session.push(2, queue("a", 1))
    session.push(3, page.MediaConnected())
    session.push(4, queue("b", 1))
    session.push(5, quality(-20))
    session.push(6, queue("a", 2))
    assert [message["rev"] for message in sent(session)] == [3, 4, 5, 6]
    assert metrics.registry.get_sample_value("cordboard_web_coalesced_total") == 2


def test_a_page_that_does_not_read_is_closed(session: Session) -> None:
    for rev in range(MAX_OUTBOX):
        session.push(rev, page.MediaConnected())
        session.push(rev, quality(0))
    assert code(session) is None
    session.push(0, page.MediaConnected())
    assert code(session) is Close.TRY_AGAIN
    assert sent(session) == []
    session.push(1, quality(0))
    assert sent(session) == []


def test_a_page_that_reads_may_have_any_number(session: Session) -> None:
    for rev in range(10 * MAX_OUTBOX):
        session.push(rev, page.MediaConnected())
        assert session.next() is not None
    assert code(session) is None


def test_malformed_frames_in_a_row(session: Session) -> None:
    for _ in range(MAX_MALFORMED - 1):
        assert session.receive("{", 0.0) is None
    assert session.receive(snapshot(1), 0.0) is not None
    for _ in range(MAX_MALFORMED - 1):
        session.receive("{", 0.0)
    assert code(session) is None
    session.receive("{", 0.0)
    assert code(session) is Close.POLICY
    assert session.receive(snapshot(2), 0.0) is None
    # the errors can still be sent
    assert len(sent(session)) == 2 * MAX_MALFORMED - 1


def test_the_wrong_kind_of_frame(session: Session) -> None:
    assert session.receive(b"\x80", 0.0) is None
    assert code(session) is Close.WRONG_FRAME


def test_more_requests_than_a_person_makes(session: Session) -> None:
    for request in range(int(REQUEST_BURST)):
        assert session.receive(snapshot(request), 0.0) is not None
        session.reply(request, page.Accepted())
    sent(session)
    assert session.receive(snapshot(100), 0.0) is None
    [refused] = sent(session)
    assert refused == {"id": 100, "error": {"code": "busy", "text": page.REFUSALS["busy"]}}
    assert session.receive(snapshot(101), 1.01 / REQUESTS_PER_SECOND) is not None


def test_more_requests_than_may_wait(session: Session) -> None:
    for request in range(MAX_WAITING):
        assert session.receive(snapshot(request), float(request)) is not None
    assert session.receive(snapshot(MAX_WAITING), 1000.0) is None
    assert [message["id"] for message in sent(session)] == [MAX_WAITING]


def test_the_synthetic_customer_is_there_for_demonstrations_only(session: Session, metrics: WebMetrics) -> None:
    frame = json.dumps({"id": 1, "do": "demo.call"})
    assert session.receive(frame, 0.0) is None
    demo = Session("d", "1001", "192.0.2.1", "token", Subprotocol.JSON, metrics, 0.0, demo=True)
    assert demo.receive(frame, 0.0) == DemoRequest(1)


def test_the_hub_finds_the_page_or_counts(session: Session, metrics: WebMetrics) -> None:
    hub = Hub(metrics)
    hub.add(session)
    session.receive(snapshot(1), 0.0)
    hub.push(Push("s", 5, page.MediaConnected()))
    hub.reply(Reply("s", 1, page.Accepted()))
    hub.push(Push("gone", 5, page.MediaConnected()))
    hub.reply(Reply("gone", 1, page.Accepted()))
    assert sent(session) == [{"event": "media.connected", "rev": 5}, {"id": 1, "ok": True}]
    for kind in ("event", "reply"):
        assert metrics.registry.get_sample_value("cordboard_web_dropped_total", {"kind": kind}) == 1
    hub.end_login("another")
    assert code(session) is None
    hub.end_login("token")
    assert code(session) is Close.POLICY
    hub.remove(session)
    assert len(hub) == 0


async def test_what_fails_at_one_page_ends_that_page_alone(session: Session, metrics: WebMetrics) -> None:
    hub, said = Hub(metrics), trio.Event()
    hub.add(session)

    def fails() -> None:
        raise ValueError("a page")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hub.run)
        hub.owe("s", fails)
        hub.owe("another", said.set)
        await said.wait()
        nursery.cancel_scope.cancel()
    assert code(session) is Close.INTERNAL
    assert metrics.registry.get_sample_value("cordboard_web_crashes_total") == 1


def test_a_throttle_frees_one_attempt_at_a_time() -> None:
    throttle = Throttle(2, window=60.0)
    assert [throttle.charge("a", 0.0) for _ in range(3)] == [0, 0, 30]
    assert throttle.charge("b", 0.0) == 0
    assert throttle.charge("a", 29.0) == 1
    assert throttle.charge("a", 30.0) == 0
    assert throttle.charge("a", 30.0) == 30
    throttle.give_back("a", 30.0)
    assert throttle.charge("a", 30.0) == 0
