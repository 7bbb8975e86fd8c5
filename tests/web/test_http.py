"""HTTP against the real server: logging in, files, and everything a peer may do wrong."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

import h11
import pytest
import structlog
import trio
import trio.testing
from cordboard.web.access import WRONG_PER_AGENT
from cordboard.web.api import SECURITY_HEADERS, build_app
from cordboard.web.asgi import MAX_BODY, MAX_HEAD, HttpStream, Timeouts
from cordboard.web.files import Files
from cordboard.web.hub import Hub
from cordboard.web.interfaces import WebSettings
from cordboard.web.metrics import WebMetrics
from cordboard.web.papers import Paperwork
from cordboard.web.server import Limits
from prometheus_client import CollectorRegistry

from .support import Book, Entry, House, house, no_history, no_papers, no_systems


async def test_a_browser_logs_in_and_out(data_dir: Path) -> None:
    async with house(data_dir) as h:
        client = await h.http()
        origin = [("Origin", f"https://localhost:{h.port}")]
        answer = await client.login("1001", "sesame", origin)
        assert (answer.status, answer.json) == (200, {"agent": "1001", "name": "Agent 1001", "role": "agent"})
        cookie = answer.headers["set-cookie"]
        assert {part.strip().lower() for part in cookie.split(";")[1:]} == {
            "httponly", "secure", "samesite=strict", "path=/",
        }  # fmt: skip
        carried = [("Cookie", cookie.split(";")[0])]
        assert (await client.ask("GET", "/api/me", headers=carried)).json["agent"] == "1001"
        out = await client.ask("POST", "/api/logout", headers=[*carried, *origin])
        assert out.status == 204
        assert out.body == b""
        again = await client.ask("GET", "/api/me", headers=carried)
        assert (again.status, again.code) == (401, "not_logged_in")


async def test_an_address_in_use_is_told_with_the_key_that_names_it(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = f"[web] listen: cannot listen on TCP 127.0.0.1 port {port}: "
        with pytest.RaisesGroup(pytest.RaisesExc(OSError, match=re.escape(said))):
            async with house(data_dir, listen=f"127.0.0.1:{port}"):
                pass


async def test_access_points_are_told_to_who_is_logged_in(data_dir: Path) -> None:
    async with house(data_dir) as h:
        client = await h.http()
        nobody = await client.ask("GET", "/api/access-points")
        assert (nobody.status, nobody.code) == (401, "not_logged_in")
        token = (await client.login("1001", "sesame")).json["token"]
        known = [("Authorization", f"Bearer {token}")]
        told = await client.ask("GET", "/api/access-points", headers=known)
        assert (told.status, told.json["peer"], told.json["points"]) == (200, "127.0.0.1", [])
        h.facts["ready"] = False
        dead = await client.ask("GET", "/api/access-points", headers=known)
        assert (dead.status, dead.code) == (503, "no_media")


async def test_a_script_without_origin_gets_the_token(data_dir: Path) -> None:
    async with house(data_dir) as h:
        client = await h.http()
        token = (await client.login("1001", "sesame")).json["token"]
        me = await client.ask("GET", "/api/me", headers=[("Authorization", f"Bearer {token}")])
        assert me.json == {"agent": "1001", "name": "Agent 1001", "role": "agent"}


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://localhost:{port}", 200),
        ("https://desk.example", 200),
        ("https://DESK.example:443", 200),
        ("http://localhost:{port}", 403),
        ("https://localhost", 403),
        ("https://evil.example", 403),
        ("null", 403),
        ("https://desk.example.evil.example", 403),
    ],
)
async def test_the_origin_of_a_login(data_dir: Path, origin: str, status: int) -> None:
    async with house(data_dir, origins=("https://desk.example",)) as h:
        client = await h.http()
        answer = await client.login("1001", "sesame", [("Origin", origin.format(port=h.port))])
        assert answer.status == status
        assert h.book.asked == (1 if status == 200 else 0)


async def test_a_wrong_password_and_then_too_many(data_dir: Path, clock: trio.testing.MockClock) -> None:
    async with house(data_dir) as h:
        client = await h.http()
        for _ in range(WRONG_PER_AGENT):
            wrong = await client.login("1001", "guess")
            assert (wrong.status, wrong.code) == (401, "wrong_login")
            assert "set-cookie" not in wrong.headers
        stopped = await client.login("1001", "sesame")
        assert (stopped.status, stopped.code) == (429, "too_many_attempts")
        assert h.book.asked == WRONG_PER_AGENT
        assert (await client.login("1002", "open")).status == 200
        clock.jump(int(stopped.headers["retry-after"]))
        assert (await client.login("1001", "sesame")).status == 200
        await client.stream.aclose()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"[" * 30000,
        b'{"agent": "1001"}',
        b'{"agent": 1001, "password": "sesame"}',
        b'{"agent": "1001", "password": "sesame", "more": 1}',
        b'{"agent": "", "password": "sesame"}',
        b'{"agent": "\\ud800", "password": "sesame"}',
        json.dumps({"agent": "1001", "password": "x" * 257}).encode(),
    ],
)
async def test_a_login_that_is_none(data_dir: Path, body: bytes) -> None:
    async with house(data_dir) as h:
        client = await h.http()
        answer = await client.ask("POST", "/api/login", body)
        assert (answer.status, answer.code) == (400, "bad_request")
        assert (await client.ask("GET", "/api/health")).status == 200


async def test_health_says_whether_calls_can_come(data_dir: Path) -> None:
    async with house(data_dir) as h:
        client = await h.http()
        ready = await client.ask("GET", "/api/health")
        assert (ready.status, ready.json) == (200, {"ready": True, "calls": 0})
        h.facts["ready"] = False
        assert (await client.ask("GET", "/api/health")).status == 503


async def test_metrics_are_shown_to_the_machine_itself(data_dir: Path) -> None:
    async with house(data_dir) as h:
        client = await h.http()
        answer = await client.ask("GET", "/metrics")
        assert answer.status == 200
        assert b"cordboard_web_connections 1.0" in answer.body
        assert b"cordboard_web_malformed_frames_total 0.0" in answer.body
        assert b"_created" not in answer.body


async def test_pages_and_their_files(data_dir: Path) -> None:
    (data_dir / "index.html").write_text("<script type=importmap>{}</script><script src=/static/app/a.js></script>")
    (data_dir / "app").mkdir()
    (data_dir / "app" / "a.js").write_text("1")
    async with house(data_dir) as h:
        client = await h.http()
        index = await client.ask("GET", "/?lang=en")
        assert index.headers["content-type"] == "text/html; charset=utf-8"
        # the digest of "{}", the one inline script
        assert "'sha256-RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o='" in index.headers["content-security-policy"]
        assert index.headers["content-security-policy"].count("sha256-") == 1
        script = await client.ask("GET", "/static/app/a.js")
        assert (script.body, script.headers["content-type"]) == (b"1", "text/javascript; charset=utf-8")
        for name, value in SECURITY_HEADERS.items():
            assert script.headers[name.lower()] == value
        same = await client.ask("GET", "/static/app/a.js", headers=[("If-None-Match", script.headers["etag"])])
        assert (same.status, same.body) == (304, b"")
        (data_dir / "app" / "a.js").write_text("22")
        changed = await client.ask("GET", "/static/app/a.js", headers=[("If-None-Match", script.headers["etag"])])
        assert (changed.status, changed.body) == (200, b"22")
        assert (await client.ask("GET", "/wall")).status == 404
        assert (await client.ask("GET", "/admin")).status == 404


@pytest.mark.parametrize(
    "name",
    [
        "../tls/key.pem",
        "%2e%2e/tls/key.pem",
        "tls%2f..%2f..%2fetc%2fpasswd",
        ".hidden",
        "",
        "app/",
        "a%00.js",
        "link.pem",
    ],
)
async def test_no_way_out_of_the_files(data_dir: Path, name: str) -> None:
    static = data_dir / "static"
    (static / "app").mkdir(parents=True)
    (static / ".hidden").write_text("secret")
    (static / "link.pem").symlink_to(data_dir / "tls" / "key.pem")
    async with house(data_dir, static=static) as h:
        client = await h.http()
        assert (await client.ask("GET", f"/static/{name}")).status == 404


async def test_head_has_a_length_and_no_body(data_dir: Path) -> None:
    (data_dir / "index.html").write_text("hello")
    async with house(data_dir) as h:
        client = await h.http()
        for _ in range(2):
            head = await client.ask("HEAD", "/")
            assert (head.status, head.headers["content-length"], head.body) == (200, "5", b"")
        assert (await client.ask("HEAD", "/nothing")).status == 404
        assert (await client.ask("GET", "/")).body == b"hello"


async def test_not_there_and_not_so(data_dir: Path) -> None:
    async with house(data_dir) as h:
        client = await h.http()
        assert (await client.ask("GET", "/nothing")).code == "not_found"
        wrong = await client.ask("GET", "/api/login")
        assert (wrong.status, wrong.code, wrong.headers["allow"]) == (405, "method_not_allowed", "POST")
        no_websocket = await client.ask("GET", "/ws")
        assert (no_websocket.status, no_websocket.code) == (426, "upgrade_required")


async def test_requests_in_one_write_are_answered_in_order(data_dir: Path) -> None:
    async with house(data_dir) as h:
        stream = await h.tls()
        one = b"GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n"
        two = b"POST /api/login HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n{"
        three = b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        await stream.send_all(one + two + three)
        answer = b""
        while piece := await stream.receive_some(65536):
            answer += piece
        assert re.findall(rb"HTTP/1.1 (\d+) ", answer) == [b"200", b"400", b"404"]


async def test_a_body_that_is_too_large(data_dir: Path, clock: trio.testing.MockClock) -> None:
    async with house(data_dir) as h:
        client = await h.http()
        told = await client.ask("POST", "/api/login", b"x" * (MAX_BODY + 1))
        assert (told.status, told.code) == (413, "too_large")

        stream = await h.tls()
        chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
        await stream.send_all(b"POST /api/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 3)
        assert b" 413 " in await stream.receive_some(100)
        await stream.aclose()
        assert h.book.asked == 0


async def test_headers_that_are_too_large(data_dir: Path, clock: trio.testing.MockClock) -> None:
    async with house(data_dir) as h:
        client = await h.http()
        await client.stream.send_all(b"GET / HTTP/1.1\r\nX: " + b"x" * MAX_HEAD)
        await trio.testing.wait_all_tasks_blocked()
        await client.stream.send_all(b"xxxxxx")
        assert b" 431 " in await client.stream.receive_some(100)
        await client.stream.aclose()


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: \xd9\xa1\r\n\r\n",
        b"GET https://other/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    ],
)
async def test_what_is_not_http(data_dir: Path, clock: trio.testing.MockClock, request_bytes: bytes) -> None:
    async with house(data_dir) as h:
        stream = await h.tls()
        await stream.send_all(request_bytes)
        assert b" 400 " in await stream.receive_some(100)
        await stream.aclose()


async def plain(h: House, request: bytes) -> bytes:
    stream = await h.tcp()
    await stream.send_all(request)
    answer = b""
    while piece := await stream.receive_some(65536):
        answer += piece
        if b"\r\n\r\n" in answer:
            await stream.aclose()
            break
    return answer


async def test_plain_http_is_sent_to_https(data_dir: Path) -> None:
    async with house(data_dir) as h:
        answer = await plain(h, b"GET /wall?lang=en HTTP/1.1\r\nHost: desk.example:8443\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 308 ")
        assert b"Location: https://desk.example:8443/wall?lang=en\r\n" in answer
        answer = await plain(h, b"HEAD / HTTP/1.0\r\nHost: [::1]\r\n\r\n")
        assert b"Location: https://[::1]:%d/\r\n" % h.port in answer


@pytest.mark.parametrize("host", [b"a/b", b"a@b", b"a b", b"[::1", b"a:b", b"a:99999", "a:١".encode(), b"", b"-"])
async def test_plain_http_with_a_host_that_is_none(data_dir: Path, host: bytes) -> None:
    async with house(data_dir) as h:
        assert (await plain(h, b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")).startswith(b"HTTP/1.1 400 ")


async def ended(stream: trio.abc.Stream) -> bool:
    try:
        return await stream.receive_some(1) == b""
    except trio.BrokenResourceError:
        return True


async def test_a_peer_that_takes_its_time_is_closed(data_dir: Path, clock: trio.testing.MockClock) -> None:
    limits = Timeouts()
    async with house(data_dir) as h:
        mute = await h.tcp()
        no_handshake = await h.tcp()
        await no_handshake.send_all(b"\x16\x03\x01")
        slow_headers = await h.tls()
        await slow_headers.send_all(b"GET / HTTP/1.1\r\n")
        slow_body = await h.tls()
        await slow_body.send_all(b"POST /api/login HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
        idle = await h.http()
        assert (await idle.ask("GET", "/api/health")).status == 200
        await trio.testing.wait_all_tasks_blocked()
        clock.jump(limits.handshake - 0.1)
        await trio.testing.wait_all_tasks_blocked()
        await slow_headers.send_all(b"X: drip\r\n")
        await trio.testing.wait_all_tasks_blocked()
        assert h.count("connections") == 5
        clock.jump(0.2)
        for stream in (mute, no_handshake, slow_headers, slow_body):
            assert await ended(stream)
        await trio.testing.wait_all_tasks_blocked()
        assert h.count("connections") == 1
        for reason in ("said nothing", "no handshake", "slow headers", "slow body"):
            assert h.count("turned_away_total", reason=reason) == 1
        assert (await idle.ask("GET", "/api/health")).status == 200
        await trio.testing.wait_all_tasks_blocked()
        clock.jump(limits.idle + 0.1)
        assert await ended(idle.stream)


async def test_a_crash_ends_its_own_connection_only(data_dir: Path) -> None:
    async with house(data_dir, crashes=1) as h:
        bystander = await h.http()
        assert (await bystander.ask("GET", "/api/health")).status == 200
        victim = await h.http()
        with structlog.testing.capture_logs() as logs:
            answer = await victim.login("1001", "crash")
            assert (answer.status, answer.code) == (500, "failure")
            assert b"broken" not in answer.body
            assert await ended(victim.stream)
        assert [entry["event"] for entry in logs] == ["connection_failed"]
        assert (await bystander.ask("GET", "/api/health")).status == 200


async def test_a_store_that_cannot_tell(data_dir: Path) -> None:
    async with house(data_dir) as h:
        client = await h.http()
        token = await h.token()
        h.book.full = True
        with structlog.testing.capture_logs() as logs:
            for _ in range(WRONG_PER_AGENT + 1):
                answer = await client.login("1001", "sesame")
                assert (answer.status, answer.code) == (503, "unavailable")
                assert b"cordboard.db" not in answer.body
            me = await client.ask("GET", "/api/me", headers=[("Authorization", f"Bearer {token}")])
            assert me.status == 503
        assert {entry["event"] for entry in logs} == {"store"}
        h.book.full = False
        # Nobody had guessed: no attempt is counted.
        assert (await client.login("1001", "sesame")).status == 200
        await client.stream.aclose()


async def test_more_connections_than_there_may_be(data_dir: Path) -> None:
    async with house(data_dir, limits=Limits(connections=10, per_address=2)) as h:
        first, second = await h.http(), await h.http()
        third = await h.tcp()
        assert await ended(third)
        assert h.count("turned_away_total", reason="full") == 1
        await first.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        fourth = await h.http()
        assert (await fourth.ask("GET", "/api/health")).status == 200
        assert (await second.ask("GET", "/api/health")).status == 200


async def test_a_peer_that_wants_to_be_asked_for_its_body(data_dir: Path) -> None:
    async with house(data_dir) as h:
        stream = await h.tls()
        body = b'{"agent": "1001", "password": "sesame"}'
        await stream.send_all(
            b"POST /api/login HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
        )
        assert (await stream.receive_some(100)).startswith(b"HTTP/1.1 100 ")
        await stream.send_all(body)
        assert (await stream.receive_some(100)).startswith(b"HTTP/1.1 200 ")


async def test_a_peer_that_does_not_take_its_answer(data_dir: Path, clock: trio.testing.MockClock) -> None:
    (data_dir / "large.txt").write_bytes(b"x" * 8_000_000)
    async with house(data_dir) as h:
        stream = await h.tls()
        await stream.send_all(b"GET /static/large.txt HTTP/1.1\r\nHost: x\r\n\r\n")
        await trio.testing.wait_all_tasks_blocked()
        clock.jump(Timeouts().write + 0.1)
        await trio.testing.wait_all_tasks_blocked()
        assert h.count("turned_away_total", reason="slow reader") == 1
        assert h.count("connections") == 0


async def test_a_peer_that_leaves_in_the_middle(data_dir: Path) -> None:
    (data_dir / "large.txt").write_bytes(b"x" * 8_000_000)
    async with house(data_dir) as h:
        for said in (b"GET /static/large.txt HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HT", b"GARBAGE\r\n\r\n"):
            stream = await h.tls()
            await stream.send_all(said)
            await trio.aclose_forcefully(stream)
            await trio.testing.wait_all_tasks_blocked()
        assert h.count("connections") == 0


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("192.0.2.1", {}, 403),
        ("fe80::1%eth0", {}, 403),
        ("192.0.2.1", {"cookie": "cordboard=token"}, 403),
        ("192.0.2.1", {"authorization": "Bearer nonsense"}, 403),
        ("192.0.2.1", {"authorization": "Bearer token"}, 200),
    ],
)
async def test_who_may_see_the_metrics(data_dir: Path, peer: str, headers: dict[str, str], status: int) -> None:
    book = Book(logins={"token": Entry("1001", "Lin", "agent", "token")})
    hub = Hub(WebMetrics(CollectorRegistry()))

    async def reach(peer: str) -> dict[str, object] | None:
        return None

    kept = (no_history(), Paperwork(no_papers(), hub.metrics, trio.current_time), no_systems())
    app = build_app(
        WebSettings(), hub, book, lambda: (True, {}), *kept, reach, dict, Files(data_dir), trio.current_time
    )
    here, there = trio.testing.memory_stream_pair()
    asked = h11.Request(method="GET", target="/metrics", headers=[("Host", "x"), *headers.items()])
    client = h11.Connection(h11.CLIENT)
    await there.send_all((client.send(asked) or b"") + (client.send(h11.EndOfMessage()) or b""))
    http = HttpStream(here, Timeouts())
    request = await http.next_request(first=True)
    assert request is not None
    assert await http.run(app, request, (peer, 1), ("192.0.2.2", 8443)) == status
