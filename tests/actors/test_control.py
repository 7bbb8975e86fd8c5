"""One control process with its engine, in the process of the test."""

from __future__ import annotations

import os
import re
import signal
import ssl
import time
from collections.abc import MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
import trio
from cordboard.actors import acd
from cordboard.actors.alarms import UNTRUE
from cordboard.actors.config import parse_config
from cordboard.actors.control import Control
from cordboard.actors.customs import Customs
from cordboard.actors.effects import Media, Push, Reply
from cordboard.actors.organisation import Organisation, parse_organisation
from cordboard.actors.patience import Patience
from cordboard.actors.queue_state import AgentStands, Join, Standing
from cordboard.actors.store.store import Store
from cordboard.actors.switchboard import Switchboard
from cordboard.switch import protocol as media
from cordboard.web.certificate import ensure
from prometheus_client import CollectorRegistry

INFRASTRUCTURE = """
[sip]
udp = "127.0.0.1:0"
tcp = "127.0.0.1:0"
[media]
process = "inline"
address = "127.0.0.1"
webrtc_port = 0
rtp_ports = "0"
[[access_point]]
id = "main"
address = "127.0.0.1"
port = 0
"""


# For a start, which takes a second on a machine that does nothing else, and many on another.
PATIENCE = 100.0


class Ready:
    """What the process says when it takes calls."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self._event = trio.Event()

    def __call__(self, line: str) -> None:
        self.said.append(line)
        self._event.set()

    async def line(self) -> str:
        await self._event.wait()
        return self.said[0]


class NoPages:
    """A web that nobody visits. Its certificate is of the tests' own making."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def push(self, effect: Push) -> None:
        raise AssertionError(effect)

    def reply(self, effect: Reply) -> None:
        raise AssertionError(effect)

    def on_end(self, actor: str, reason: str) -> None:
        pass

    async def check_logins(self, control: Control) -> None:
        pass

    def certificate(self) -> tuple[str, str]:
        certificate, key = ensure(self._folder, (), datetime.now(UTC))
        return str(certificate), str(key)

    async def serve(self, control: Control, *, task_status: trio.TaskStatus[tuple[tuple[str, int], ...]]) -> None:
        task_status.started((("127.0.0.1", 8443),))
        await trio.sleep_forever()


def test_a_disk_that_does_not_answer_keeps_no_process_from_its_calls(tmp_path: Path) -> None:
    """The calls of a process that died wait for the next one for 30 s: it must not wait for recordings' disk."""

    async def main() -> None:
        threads = trio.to_thread.current_default_thread_limiter()
        control = Control(parse_config(INFRASTRUCTURE), tmp_path, NoPages(tmp_path / "tls"), CollectorRegistry())
        ready = Ready()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(control.run, ready)
            while not hasattr(control, "store"):
                await trio.lowlevel.checkpoint()
            threads.total_tokens = 1
            threads.acquire_on_behalf_of_nowait(threads)  # nobody comes back from a look
            with trio.move_on_after(PATIENCE):
                await ready.line()
            threads.release_on_behalf_of(threads)
            nursery.cancel_scope.cancel()
        assert len(ready.said) == 1
        assert ready.said[0].startswith("ready ")

    trio.run(main)


OPTIONS = """OPTIONS sip:600@127.0.0.1 SIP/2.0
Via: SIP/2.0/TLS 127.0.0.1:5061;branch=z9hG4bK1
Max-Forwards: 70
From: <sip:carrier@127.0.0.1>;tag=1
To: <sip:600@127.0.0.1>
Call-ID: 1
CSeq: 1 OPTIONS
Content-Length: 0

"""


def test_a_trunk_over_tls_both_ways(tmp_path: Path) -> None:
    """What we show is the certificate of the pages, and a trunk whose proxy shows one that we believe is up."""
    certificate, key = ensure(tmp_path / "tls", (), datetime.now(UTC))
    carrier = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    carrier.load_cert_chain(certificate, key)
    config = INFRASTRUCTURE.replace("[sip]", f'[sip]\ntls = "127.0.0.1:0"\nauthorities = "{certificate}"')

    async def port_of(ready: Ready) -> int:
        """The port of TLS."""
        found = re.search(r"sip:127\.0\.0\.1:([0-9]+);transport=tls", await ready.line())
        assert found
        return int(found[1])

    async def main() -> None:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        proxy = f"sips:127.0.0.1:{listener.socket.getsockname()[1]}"
        async with await Store.open(tmp_path) as store:
            await store.import_organisation(
                parse_organisation(f'[[trunk]]\nid = "carrier"\npeers = "127.0.0.1"\nproxy = "{proxy}"\n')
            )
        control = Control(parse_config(config), tmp_path, NoPages(tmp_path / "tls"), CollectorRegistry())
        ready = Ready()
        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(control.run, ready)
                asked = trio.SSLStream(await listener.accept(), carrier, server_side=True)
                request = bytes(await asked.receive_some()).decode()
                port = await port_of(ready)
                plain = await trio.open_tcp_stream("127.0.0.1", port)
                trust = ssl.create_default_context(cafile=certificate)
                asking = trio.SSLStream(plain, trust, server_hostname="127.0.0.1")
                await asking.send_all(OPTIONS.replace("\n", "\r\n").encode())
                answer = bytes(await asking.receive_some()).decode()
                nursery.cancel_scope.cancel()
        for stream in (asked, asking, listener):
            await trio.aclose_forcefully(stream)
        assert request.startswith(f"OPTIONS {proxy} SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:{port};")
        assert f"\r\nContact: <sips:127.0.0.1:{port}>\r\n" in request
        assert answer.startswith("SIP/2.0 200 OK\r\n")

    trio.run(main)


def test_a_queue_hears_from_the_database_who_served_a_caller_last(tmp_path: Path) -> None:
    """It has the call no more by then, and says that the answer came late."""
    organisation = parse_organisation('[[queue]]\nid = "support"\nlast_agent_seconds = 20\n')
    now = time.time()

    async def main() -> None:
        async with await Store.open(tmp_path) as store:
            await store.import_organisation(organisation)
        control = Control(parse_config(INFRASTRUCTURE), tmp_path, NoPages(tmp_path / "tls"), CollectorRegistry())
        ready = Ready()
        with trio.fail_after(PATIENCE), structlog.testing.capture_logs() as logs:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(control.run, ready)
                await ready.line()
                control.system.tell("queue:support", Join("c", "+8613912345678", "", "+861055501000", now))
                while not any(each["event"] == "late" and each["input"] == "LastServed" for each in logs):
                    await trio.sleep(0.01)
                nursery.cancel_scope.cancel()

    trio.run(main)


def test_what_an_organisation_lacks_or_gets_wrong_is_said_as_it_is_taken_up(tmp_path: Path) -> None:
    """With the command that helps; and not again where it is well."""
    trunk = '[[trunk]]\nid = "carrier"\npeers = "192.0.2.1"\n'
    wrong = parse_organisation(f'{trunk}[[dialling]]\nallow = "110"\ntrunks = "carrier"\n')
    well = parse_organisation(f'{trunk}[[agent]]\nid = "1001"\n[[number]]\nnumber = "600"\nroute = "echo"\n')
    said: list[list[MutableMapping[str, Any]]] = []

    async def main() -> None:
        async with await Store.open(tmp_path) as store:
            await store.import_organisation(Organisation())
        control = Control(parse_config(INFRASTRUCTURE), tmp_path, NoPages(tmp_path / "tls"), CollectorRegistry())
        ready = Ready()
        with trio.fail_after(PATIENCE), structlog.testing.capture_logs() as logs:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(control.run, ready)
                await ready.line()
                for each in (wrong, well):
                    said.append([line for line in logs if line["event"].startswith("organisation")])
                    logs.clear()
                    await control.store.import_organisation(each)
                    os.kill(os.getpid(), signal.SIGHUP)
                    while not any(line["event"] == "organisation taken up" for line in logs):
                        await trio.sleep(0.01)
                said.append([line for line in logs if line["event"].startswith("organisation")])
                nursery.cancel_scope.cancel()

    trio.run(main)
    empty, half, whole = said
    assert [line["missing"] for line in empty] == [
        "no [[trunk]]: no call comes in, and none goes out; no [[agent]]: nobody can log in"
    ]
    assert empty[0]["do"] == f"cordboard import ORG.toml --data {tmp_path}"
    assert [line["event"] for line in half] == ["organisation is incomplete", "organisation", "organisation taken up"]
    assert half[0]["missing"].startswith("no [[agent]]: nobody can log in; no [[number]]")
    assert half[1]["says"].startswith('dialling rule "110": its trunks do not count')
    assert [line["event"] for line in whole] == ["organisation taken up"]


def test_what_the_file_says_of_calls_is_told_to_whoever_decides(tmp_path: Path) -> None:
    """At the start, and as the organisation is read again: what a call begins with is the switchboard's."""
    written = '[calls]\naccept = "any-key"\naccept_seconds = 33\nthree_way = "all"\n[recording]\nhold = "recorded"\n'
    config = parse_config(INFRASTRUCTURE + written)

    async def main() -> None:
        control = Control(config, tmp_path, NoPages(tmp_path / "tls"), CollectorRegistry())
        ready = Ready()
        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(control.run, ready)
                await ready.line()
                board = control.system._cells["switchboard"].behaviour
                assert isinstance(board, Switchboard)
                customs = Customs(accept="any-key", three_way="all", tapes_holds=True)
                assert (board.state.customs, board.state.patience) == (customs, Patience(accept=33.0))
                again = control._configuration(board.state.organisation)
                assert (again.customs, again.patience) == (customs, Patience(accept=33.0))
                nursery.cancel_scope.cancel()

    trio.run(main)


def test_what_must_never_be_is_found_in_a_process_that_works_and_mended(tmp_path: Path) -> None:
    """A leg is opened for a call that is not there, and a queue believes that somebody is free who is signed out."""
    organisation = parse_organisation('[[queue]]\nid = "support"\n[[agent]]\nid = "lin"\nskills = { support = 1 }\n')
    config, registry = parse_config(INFRASTRUCTURE), CollectorRegistry()
    leg = media.OpenRtpLeg("call:ghost/caller", "127.0.0.1", 40000, media.Codec("pcma", 8))
    free = Standing("free", acd.Free("lin", 1, 0, 1.0), follows=False)

    def counted(name: str, what: str) -> float:
        return registry.get_sample_value(f"cordboard_{name}_total", {"what": what}) or 0.0

    async def main() -> None:
        async with await Store.open(tmp_path) as store:
            await store.import_organisation(organisation)
        control = Control(config, tmp_path, NoPages(tmp_path / "tls"), registry)
        ready = Ready()
        seen: set[str] = set()
        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(control.run, ready)
                await ready.line()
                control.link.perform("call:ghost", Media(leg))
                control.system.tell("queue:support", AgentStands("lin", free))
                standing = {""}
                while len(seen) < 2 or standing or control.link.legs:
                    standing = {text for text in control.system.alarms if text.startswith(UNTRUE.text[:10])}
                    seen |= standing
                    await trio.sleep(0.01)
                while len(list((tmp_path / "quarantine").glob("*-not_offered.txt"))) < 1:
                    await trio.sleep(0.01)
                assert counted("invariants", "media_unowned") == counted("invariants_cured", "media_unowned") == 1
                assert counted("invariants", "not_offered") == counted("invariants_cured", "not_offered") == 1
                assert registry.get_sample_value("cordboard_invariants_standing") == 0
                nursery.cancel_scope.cancel()
        assert seen == {
            UNTRUE.says(what="media is open for nobody", who="call:ghost"),
            UNTRUE.says(what="a queue does not know what an agent does", who="agent:lin, queue:support"),
        }
        (told,) = (tmp_path / "quarantine").glob("*-not_offered.txt")
        assert "AgentStands(agent='lin', standing=Standing(doing='free'" in told.read_text(encoding="utf-8")

    trio.run(main)
