"""Websockets against the real server: who is let in, what is carried, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import msgpack
import pytest
import structlog
import trio
import trio.testing
from cordboard.actors import page
from cordboard.web import server
from cordboard.web.protocol import MAX_FRAME
from cordboard.web.session import MAX_MALFORMED, MAX_OUTBOX
from cordboard.web.websocket import CLOSE_SECONDS, FLUSH_SECONDS, PING_SECONDS, SILENCE_SECONDS
from trio_websocket import ConnectionClosed, WebSocketConnection

from .support import JSON, MSGPACK, House, Response, house

UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "keep-alive, Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",  # of RFC 6455 §1.3
    "Sec-WebSocket-Protocol": JSON,
}


async def upgrade(h: House, changed: dict[str, str]) -> Response:
    client = await h.http()
    headers = {**UPGRADE, **changed}
    return await client.ask("GET", "/ws", headers=[(name, value) for name, value in headers.items() if value])


async def closed_with(connection: WebSocketConnection) -> int:
    """The code the server closes with; what it says before is read and forgotten."""
    try:
        while True:
            await connection.get_message()
    except ConnectionClosed as closed:
        reason = closed.reason
    assert reason is not None
    return reason.code


async def say(connection: WebSocketConnection, message: dict[str, object]) -> None:
    await connection.send_message(json.dumps(message))


async def hear(connection: WebSocketConnection) -> dict[str, object]:
    heard = json.loads(await connection.get_message())
    assert isinstance(heard, dict)
    return heard


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"Cookie": ""}, 401, "not_logged_in"),
        ({"Cookie": "cordboard=nonsense"}, 401, "not_logged_in"),
        ({"Cookie": "", "Authorization": "Bearer nonsense"}, 401, "not_logged_in"),
        ({"Authorization": "Basic nonsense"}, 401, "not_logged_in"),
        ({"Origin": "https://evil.example"}, 403, "bad_origin"),
        ({"Origin": "null"}, 403, "bad_origin"),
        ({"Sec-WebSocket-Protocol": ""}, 400, "bad_request"),
        ({"Sec-WebSocket-Protocol": "cordboard.v2.json, chat"}, 400, "bad_request"),
        ({"Sec-WebSocket-Key": ""}, 400, "bad_request"),
        ({"Sec-WebSocket-Key": "short"}, 400, "bad_request"),
        ({"Sec-WebSocket-Version": "8"}, 426, "upgrade_required"),
        ({"Upgrade": "h2c"}, 426, "upgrade_required"),
        ({"Connection": "close"}, 426, "upgrade_required"),
    ],
)
async def test_who_is_not_let_in(data_dir: Path, changed: dict[str, str], status: int, code: str) -> None:
    async with house(data_dir) as h:
        token = await h.token()
        answer = await upgrade(h, {"Cookie": f"cordboard={token}", **changed})
        assert (answer.status, answer.code) == (status, code)
        assert h.desk.heard == []


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"Origin": "https://localhost:{port}"},
        {"Origin": "https://desk.example"},
        {"Cookie": "", "Authorization": "Bearer {token}"},
        {"Sec-WebSocket-Protocol": f"chat, {JSON}, {MSGPACK}"},
    ],
)
async def test_who_is_let_in(data_dir: Path, changed: dict[str, str]) -> None:
    async with house(data_dir, origins=("https://desk.example",)) as h:
        token = await h.token()
        headers = {**UPGRADE, "Cookie": f"cordboard={token}", **changed}
        lines = [f"{name}: {value.format(port=h.port, token=token)}" for name, value in headers.items() if value]
        stream = await h.tls()
        await stream.send_all("\r\n".join(["GET /ws HTTP/1.1", f"Host: localhost:{h.port}", *lines, "", ""]).encode())
        answer = await stream.receive_some(4096)
        assert answer.startswith(b"HTTP/1.1 101 ")
        assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in answer
        assert f"Sec-WebSocket-Protocol: {JSON}".lower().encode() in answer.lower()


async def test_what_follows_the_request_at_once_is_not_lost(data_dir: Path) -> None:
    async with house(data_dir) as h:
        lines = [f"{name}: {value}" for name, value in {**UPGRADE, "Cookie": f"cordboard={await h.token()}"}.items()]
        text = b'{"id":1,"do":"snapshot"}'
        frame = bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text  # masked with zeroes
        stream = await h.tls()
        await stream.send_all("\r\n".join(["GET /ws HTTP/1.1", "Host: x", *lines, "", ""]).encode() + frame)
        answer = b""
        while b'{"id":1,"ok":true}' not in answer:
            answer += await stream.receive_some(4096)


def frame(first: int, payload: bytes) -> bytes:
    """Of a page; masked with zeroes."""
    return bytes([first, 0x80 | len(payload), 0, 0, 0, 0]) + payload


async def said_after(stream: trio.SSLStream[trio.SocketStream], octets: bytes, wanted: bytes) -> None:
    """Octet by octet, each by itself; the switch says what is wanted then."""
    answer = b""
    async with trio.open_nursery() as nursery:

        async def say() -> None:
            for octet in octets:
                await stream.send_all(bytes([octet]))
                await trio.testing.wait_all_tasks_blocked()

        nursery.start_soon(say)
        while wanted not in answer:
            more = await stream.receive_some(4096)
            assert more, answer
            answer += more


async def test_a_message_in_parts_is_one_and_a_ping_between_them_is_answered(data_dir: Path) -> None:
    async with house(data_dir) as h:
        stream = await silent_page(h)
        await said_after(stream, frame(0x01, b'{"id":1,') + frame(0x89, b"there?"), bytes([0x8A, 6]) + b"there?")
        await said_after(stream, frame(0x80, b'"do":"snapshot"}'), b'{"id":1,"ok":true}')
        await said_after(stream, frame(0x88, b"\x03\xe8bye"), b"\x88\x05\x03\xe8bye")
        await h.desk.detached.wait()
        assert await stream.receive_some(4096) == b""


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (frame(0xC1, b"x"), 1002),  # a bit that no extension was agreed on for
        (frame(0x83, b"x"), 1002),  # an opcode that there is not
        (bytes([0x81, 0x01]) + b"x", 1002),  # not masked
        (frame(0x80, b"x"), 1002),  # goes on with nothing
        (frame(0x81, b"\xff"), 1007),  # no text
    ],
)
async def test_what_is_no_frame_is_told_so(data_dir: Path, octets: bytes, code: int) -> None:
    async with house(data_dir) as h:
        stream = await silent_page(h)
        answer = b""
        await stream.send_all(octets)
        while more := await stream.receive_some(4096):
            answer += more
        said = answer.partition(b"\r\n\r\n")[2]
        assert said[:1] == b"\x88"
        assert int.from_bytes(said[2:4]) == code
        await h.desk.detached.wait()


@pytest.mark.parametrize("subprotocol", [JSON, MSGPACK])
async def test_a_request_its_reply_and_an_event(data_dir: Path, subprotocol: str) -> None:
    async with house(data_dir) as h, h.page(subprotocol) as connection:
        wire = json if subprotocol == JSON else msgpack
        asked = {"id": 7, "do": "agent.state", "state": "break"}
        await connection.send_message(json.dumps(asked) if wire is json else msgpack.packb(asked))
        first = await connection.get_message()
        h.desk.push(8, page.AgentState(page.State.BREAK, "asked", 1.5))
        second = await connection.get_message()
        replied, pushed = (
            (json.loads(first), json.loads(second))
            if wire is json
            else (msgpack.unpackb(first), msgpack.unpackb(second))
        )
        assert replied == {"id": 7, "ok": True}
        state = {
            "state": "break",
            "reason": "asked",
            "since": 1.5,
            "until": None,
            "from_break": False,
            "by_mobile": False,
        }
        assert pushed == {"event": "agent.state", "rev": 8, **state}
        session = h.desk.session
        assert h.desk.heard == [
            page.Attached(session),
            page.Request(session, 7, "127.0.0.1", page.SetState("break")),
        ]


async def test_the_agent_hears_of_the_page_and_of_its_end(data_dir: Path) -> None:
    async with house(data_dir) as h:
        async with h.page():
            await h.desk.attached.wait()
            assert len(h.hub) == 1
        await h.desk.detached.wait()
        session = h.desk.session
        assert h.desk.heard == [page.Attached(session), page.Detached(session)]
        assert len(h.hub) == 0


async def test_the_agent_hears_it_too_when_the_page_just_vanishes(data_dir: Path) -> None:
    async with house(data_dir) as h, h.page():
        await h.desk.attached.wait()
        await trio.aclose_forcefully(h.streams[-1])
        await h.desk.detached.wait()


async def test_errors_go_back_and_the_page_stays(data_dir: Path) -> None:
    async with house(data_dir) as h, h.page() as connection:
        for frame, request, code in [
            ("garbage", None, "bad_request"),
            ('{"do": "snapshot"}', None, "bad_request"),
            ('{"id": 1, "do": "fly"}', 1, "unknown_command"),
            ('{"id": 2, "do": "demo.call"}', 2, "unknown_command"),
            ('{"id": 3, "do": "call.mute", "loud": true}', 3, "bad_request"),
            ('{"id": 4, "do": "call.mute", "call": 5}', 4, "bad_request"),
        ]:
            await connection.send_message(frame)
            answer = await hear(connection)
            assert answer["id"] == request
            assert isinstance(answer["error"], dict)
            assert answer["error"]["code"] == code
        await say(connection, {"id": 5, "do": "snapshot"})
        assert await hear(connection) == {"id": 5, "ok": True}
        assert h.count("malformed_frames_total") == 6


async def test_a_full_mailbox_is_busy(data_dir: Path) -> None:
    async with house(data_dir) as h, h.page() as connection:
        await h.desk.attached.wait()
        h.desk.full = True
        await say(connection, {"id": 1, "do": "snapshot"})
        assert await hear(connection) == {"id": 1, "error": {"code": "busy", "text": page.REFUSALS["busy"]}}
        h.desk.full = False


async def test_an_agent_that_cannot_take_a_page(data_dir: Path) -> None:
    async with house(data_dir) as h:
        h.desk.full = True
        async with h.page() as connection:
            assert await closed_with(connection) == 1013


async def test_the_synthetic_customer(data_dir: Path) -> None:
    async with house(data_dir, demo=True) as h, h.page() as connection:
        await say(connection, {"id": 1, "do": "demo.call"})
        assert await hear(connection) == {"id": 1, "ok": True}
        assert h.demo_calls == [1]


async def test_garbage_for_ever(data_dir: Path) -> None:
    async with house(data_dir) as h, h.page(MSGPACK) as connection:
        for _ in range(MAX_MALFORMED):
            await connection.send_message(b"\xc1")
        for _ in range(MAX_MALFORMED):
            assert "error" in msgpack.unpackb(await connection.get_message())
        assert await closed_with(connection) == 1008
        assert h.count("closed_total", code="1008") == 1


@pytest.mark.parametrize(("subprotocol", "frame"), [(JSON, b"\x80"), (MSGPACK, "{}")])
async def test_the_wrong_kind_of_frame(data_dir: Path, subprotocol: str, frame: str | bytes) -> None:
    async with house(data_dir) as h, h.page(subprotocol) as connection:
        await connection.send_message(frame)
        assert await closed_with(connection) == 1003


@pytest.mark.parametrize("length", [MAX_FRAME + 1, 10 * MAX_FRAME])
async def test_a_frame_that_is_too_long(data_dir: Path, length: int) -> None:
    async with house(data_dir) as h, h.page() as connection:
        await connection.send_message(" " * length)
        assert await closed_with(connection) == 1009
        await h.desk.detached.wait()


async def test_a_page_that_is_too_slow(data_dir: Path) -> None:
    async with house(data_dir) as h, h.page() as connection:
        await h.desk.attached.wait()
        for rev in range(MAX_OUTBOX + 2):
            h.desk.push(rev, page.MediaConnected())
        assert await closed_with(connection) == 1013
        await h.desk.detached.wait()
        assert h.count("closed_total", code="1013") == 1


async def test_a_page_that_takes_nothing_at_all(data_dir: Path, clock: trio.testing.MockClock) -> None:
    async with house(data_dir) as h:
        await silent_page(h)
        # More than the sockets between the two hold, so that the writer is stuck when the outbox overflows.
        large = page.CallEnded("c", "system", "x" * 100_000)
        for rev in range(2 * MAX_OUTBOX):
            h.desk.push(rev, large)
            if rev < MAX_OUTBOX:
                await trio.testing.wait_all_tasks_blocked()
        assert h.count("closed_total", code="1013") == 1
        await pass_time(clock, FLUSH_SECONDS + CLOSE_SECONDS + 2)
        assert h.desk.detached.is_set()
        assert h.count("connections") == 0


async def test_a_ping_that_crosses_the_close_is_no_failure(data_dir: Path) -> None:
    async with house(data_dir, crashes=0) as h:
        lines = [f"{name}: {value}" for name, value in {**UPGRADE, "Cookie": f"cordboard={await h.token()}"}.items()]
        stream = await h.tls()
        masked = bytes(4)
        garbage = bytes([0x81, 0x81]) + masked + b"x"
        await stream.send_all("\r\n".join(["GET /ws HTTP/1.1", "Host: x", *lines, "", ""]).encode())
        await stream.send_all(garbage * MAX_MALFORMED)
        answer = b""
        while bytes([0x03, 0xF0]) not in answer:  # 1008, in the switch's close frame
            answer += await stream.receive_some(4096)
        with structlog.testing.capture_logs() as logs:
            await stream.send_all(bytes([0x89, 0x80]) + masked)
            while await stream.receive_some(4096):
                pass
            await trio.testing.wait_all_tasks_blocked()
        assert logs == []
        assert h.count("closed_total", code="1008") == 1


async def test_a_failure_of_the_switch_costs_one_page(data_dir: Path) -> None:
    async with house(data_dir, crashes=1) as h, h.page() as bystander:
        await h.desk.attached.wait()
        await trio.testing.wait_all_tasks_blocked()

        def fail(request: page.Request) -> page.Accepted:
            raise RuntimeError("a bug")

        async with h.page() as victim:
            h.desk.answer = fail
            with structlog.testing.capture_logs() as logs:
                await say(victim, {"id": 1, "do": "snapshot"})
                assert await closed_with(victim) == 1011
                await trio.testing.wait_all_tasks_blocked()
        assert [entry["event"] for entry in logs] == ["connection_failed"]
        h.desk.answer = lambda request: page.Accepted()
        await say(bystander, {"id": 1, "do": "snapshot"})
        assert await hear(bystander) == {"id": 1, "ok": True}


async def test_logging_out_closes_the_pages_of_that_login(data_dir: Path) -> None:
    async with house(data_dir) as h, h.page() as mine, h.page() as other:
        while len(h.hub) < 2:
            await trio.testing.wait_all_tasks_blocked()
        [token, _] = h.book.logins
        client = await h.http()
        out = await client.ask("POST", "/api/logout", headers=[("Authorization", f"Bearer {token}")])
        assert out.status == 204
        assert await closed_with(mine) == 1008
        await say(other, {"id": 1, "do": "snapshot"})
        assert await hear(other) == {"id": 1, "ok": True}


async def test_an_agent_that_ends_takes_its_pages_along(data_dir: Path) -> None:
    async with house(data_dir) as h, h.page() as mine:
        await h.desk.attached.wait()
        h.hub.end_agent("1002")
        await say(mine, {"id": 1, "do": "snapshot"})
        assert await hear(mine) == {"id": 1, "ok": True}
        h.hub.end_agent("1001")
        assert await closed_with(mine) == 1008
        await h.desk.detached.wait()


async def test_a_page_ends_with_its_login(data_dir: Path) -> None:
    async with house(data_dir) as h, h.page() as mine, h.page() as other:
        while len(h.hub) < 2:
            await trio.testing.wait_all_tasks_blocked()
        h.book.full = True
        await h.hub.check_logins(h.book)  # who cannot be looked up stays
        h.book.full = False
        await h.hub.check_logins(h.book)
        del h.book.logins[next(iter(h.book.logins))]
        await h.hub.check_logins(h.book)
        assert await closed_with(mine) == 1008
        await say(other, {"id": 1, "do": "snapshot"})
        assert await hear(other) == {"id": 1, "ok": True}


async def test_logins_of_open_pages_are_looked_at_now_and_then(
    data_dir: Path, clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_LOGIN_CHECK_SECONDS", 5.0)
    async with house(data_dir) as h, h.page() as mine:
        await h.desk.attached.wait()
        h.book.logins.clear()
        await pass_time(clock, 6)
        assert await closed_with(mine) == 1008


async def test_a_page_while_the_store_cannot_tell(data_dir: Path) -> None:
    async with house(data_dir) as h:
        h.book.full = True
        stream = await h.tls()
        lines = [f"{name}: {value}" for name, value in {**UPGRADE, "Cookie": "cordboard=any"}.items()]
        await stream.send_all("\r\n".join(["GET /ws HTTP/1.1", "Host: x", *lines, "", ""]).encode())
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 503 ")
        h.book.full = False


async def silent_page(h: House) -> trio.SSLStream[trio.SocketStream]:
    """An upgraded connection whose owner never answers a ping."""
    lines = [f"{name}: {value}" for name, value in {**UPGRADE, "Cookie": f"cordboard={await h.token()}"}.items()]
    stream = await h.tls()
    await stream.send_all("\r\n".join(["GET /ws HTTP/1.1", "Host: x", *lines, "", ""]).encode())
    await h.desk.attached.wait()
    return stream


async def pass_time(clock: trio.testing.MockClock, seconds: float) -> None:
    """In steps short enough that every ping and pong gets through."""
    for _ in range(int(seconds * 2)):
        clock.jump(0.5)
        await trio.testing.wait_all_tasks_blocked()


async def test_a_silent_page_is_given_up_and_one_that_answers_is_not(
    data_dir: Path, clock: trio.testing.MockClock
) -> None:
    async with house(data_dir) as h:
        await silent_page(h)
        async with h.page() as alive:
            await trio.testing.wait_all_tasks_blocked()
            assert len(h.hub) == 2
            await pass_time(clock, SILENCE_SECONDS - 1)
            assert len(h.hub) == 2
            await pass_time(clock, 3)
            assert len(h.hub) == 1
            await pass_time(clock, 3 * SILENCE_SECONDS)
            await say(alive, {"id": 1, "do": "snapshot"})
            assert await hear(alive) == {"id": 1, "ok": True}


async def test_a_busy_page_that_answers_no_ping_is_not_killed(data_dir: Path, clock: trio.testing.MockClock) -> None:
    async with house(data_dir) as h:
        stream = await silent_page(h)
        text = b'{"id":1,"do":"snapshot"}'
        for _ in range(10):
            await pass_time(clock, PING_SECONDS)
            await stream.send_all(bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text)
        await trio.testing.wait_all_tasks_blocked()
        assert len(h.hub) == 1


async def test_the_switch_stops(data_dir: Path) -> None:
    async with trio.open_nursery() as nursery:
        running = trio.CancelScope()
        inside = trio.Event()
        heard: list[int] = []

        async def client(h: House) -> None:
            async with h.page() as connection:
                await h.desk.attached.wait()
                inside.set()
                heard.append(await closed_with(connection))

        with running:
            async with house(data_dir) as h:
                nursery.start_soon(client, h)
                await inside.wait()
                opened = h.streams.copy()
                h.streams.clear()  # else they would be closed before the switch has said anything
                running.cancel()
                await trio.sleep_forever()
    assert heard == [1001]
    for stream in opened:
        await trio.aclose_forcefully(stream)
