"""Against the real sipp: our transport on the loopback, its scenarios beside this file."""

from __future__ import annotations

import secrets
import shutil
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import trio
from cordboard.sip import sdp
from cordboard.sip.endpoint import Endpoint, Settings, TrunkSettings
from cordboard.sip.events import (
    CallAnswered,
    CallConfirmed,
    CallEnded,
    CallReoffered,
    IncomingCall,
    Output,
)
from cordboard.sip.message import Address, RemoteSipError
from cordboard.sip.transport import SipTransport, serve

SCENARIOS = Path(__file__).parent / "scenarios"
# A scenario takes well under a second; a machine under load takes its time.
LIMIT_S = 30

pytestmark = [
    pytest.mark.peer("sipp"),
    pytest.mark.skipif(shutil.which("sipp") is None, reason="sipp is not installed"),
]


class App:
    """Answers every call; `ring` only rings, `bye` is hung up as soon as it is up."""

    def __init__(self) -> None:
        self.transport: SipTransport | None = None
        self.events: list[Output] = []
        self.numbers: dict[str, str] = {}
        self.directions: list[str] = []

    def on_output(self, output: Output) -> None:
        transport = self.transport
        assert transport is not None
        endpoint = transport.endpoint
        self.events.append(output)
        match output:
            case IncomingCall(call=call, number=number, offer=offer):
                self.numbers[call] = number
                transport.command(lambda now: endpoint.ring(call, now))
                if number != "ring":
                    self._answer(call, offer, endpoint.answer, endpoint.reject)
            case CallReoffered(call=call, offer=offer):
                self._answer(call, offer, endpoint.reanswer, endpoint.reject_reoffer)
            case CallConfirmed(call=call) if self.numbers.get(call) == "bye":
                transport.command(lambda now: endpoint.hang_up(call, now, "Q.850;cause=16"))
            case _:
                pass

    def _answer(
        self,
        call: str,
        offer: sdp.SessionDescription | None,
        accept: Callable[[str, sdp.SessionDescription, float], list[Output]],
        refuse: Callable[[str, int, float], list[Output]],
    ) -> None:
        assert self.transport is not None
        assert offer is not None
        try:
            agreed = sdp.negotiate(offer)
        except RemoteSipError as error:
            status = error.status
            self.transport.command(lambda now: refuse(call, status, now))
            return
        self.directions.append(agreed.direction)
        ours = sdp.answer(offer, agreed, "127.0.0.1", 40000, session_id=1, version=len(self.directions))
        self.transport.command(lambda now: accept(call, ours, now))


async def against(
    app: App,
    scenario: str | None,
    *arguments: str,
    act: Callable[[App, int], None] | None = None,
    by: str = "u1",
    host: str = "127.0.0.1",
) -> None:
    """Runs sipp; without a scenario it is the callee that `act` dials at the port. `by` is sipp's word for how it
    connects: u1 for UDP, t1 for one TCP connection, tn for one for each call."""
    ports: dict[str, int] = {}
    endpoint = Endpoint(Settings(lambda remote: (host, ports[remote.transport])), lambda: secrets.token_hex(12))
    endpoint.set_trunks({"sipp": TrunkSettings((host,))})
    address = f"[{host}]" if ":" in host else host
    with trio.fail_after(LIMIT_S):
        async with trio.open_nursery() as nursery:
            bound = [(host, 0)]
            app.transport = await nursery.start(partial(serve, endpoint, bound, app.on_output, tcp=bound))
            assert app.transport is not None
            ports |= {each.transport: each.port for each in app.transport.addresses}
            local = free_port()
            port = ports["udp" if by == "u1" else "tcp"]
            command = ["sipp", f"{address}:{port}", "-t", by, "-i", address, "-p", str(local), "-m", "1", "-nostdin"]
            command += ["-max_socket", "1000", "-timeout", "20", "-timeout_error", *arguments]
            if scenario is not None:
                command += ["-sf", str(SCENARIOS / f"{scenario}.xml")]
            if act is not None:
                nursery.start_soon(later, app, local, act)
            done = await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)
            nursery.cancel_scope.cancel()
    assert done.returncode == 0, done.stdout.decode()[-3000:] + done.stderr.decode()


async def later(app: App, port: int, act: Callable[[App, int], None]) -> None:
    """The INVITE is sent again until sipp listens: no need to know when."""
    await trio.lowlevel.checkpoint()
    act(app, port)


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def kinds(app: App) -> list[str]:
    return [type(event).__name__ for event in app.events]


def test_a_call_of_sipp_is_answered_and_ends_with_its_bye() -> None:
    app = App()
    trio.run(against, app, "call")
    assert kinds(app) == ["IncomingCall", "CallConfirmed", "CallEnded"]
    incoming = app.events[0]
    assert isinstance(incoming, IncomingCall)
    assert (incoming.number, incoming.caller, incoming.caller_name) == ("600", "+8613912345678", "Caller")
    assert isinstance(app.events[-1], CallEnded)


@pytest.mark.parametrize(("by", "host"), [("u1", "::1"), ("t1", "127.0.0.1"), ("tn", "127.0.0.1"), ("t1", "::1")])
@pytest.mark.parametrize("scenario", ["call", "callee_hangs_up", "cancel", "hold", "options"])
def test_sipp_by_every_transport_and_family(scenario: str, by: str, host: str) -> None:
    app = App()
    trio.run(partial(against, app, scenario, by=by, host=host))
    assert app.transport is not None
    counters = app.transport.endpoint.counters
    assert counters["connections accepted"] == (by != "u1")
    assert counters["connections opened"] == 0
    assert not any(name.startswith(("late: ", "malformed", "bad framing")) for name in counters)


def test_fifty_calls_over_one_connection_and_over_as_many() -> None:
    for by, connections in (("t1", 1), ("tn", 50)):
        app = App()
        trio.run(partial(against, app, "call", "-m", "50", "-r", "50", by=by))
        assert kinds(app).count("CallEnded") == 50
        assert app.transport is not None
        assert app.transport.endpoint.counters["connections accepted"] == connections


def test_a_hundred_calls_at_once() -> None:
    app = App()
    trio.run(against, app, "call", "-m", "100", "-r", "100")
    assert kinds(app).count("CallEnded") == 100


def test_we_hang_up() -> None:
    app = App()
    trio.run(against, app, "callee_hangs_up")
    assert kinds(app) == ["IncomingCall", "CallConfirmed"]


def test_sipp_cancels_while_it_rings() -> None:
    app = App()
    trio.run(against, app, "cancel")
    assert kinds(app) == ["IncomingCall", "CallCancelled"]


def test_sipp_holds_and_retrieves() -> None:
    app = App()
    trio.run(against, app, "hold")
    assert app.directions == ["sendrecv", "recvonly", "sendrecv"]
    assert kinds(app) == ["IncomingCall", "CallConfirmed", "CallReoffered", "CallReoffered", "CallEnded"]


@pytest.mark.parametrize("scenario", ["options", "unknown_method", "require", "bye_of_nothing"])
def test_what_is_refused_never_becomes_a_call(scenario: str) -> None:
    app = App()
    trio.run(against, app, scenario)
    assert "IncomingCall" not in kinds(app)


def test_no_common_codec_is_488() -> None:
    app = App()
    trio.run(against, app, "no_codec")
    assert kinds(app) == ["IncomingCall"]


def test_we_dial_sipp() -> None:
    app = App()

    def dial(app: App, port: int) -> None:
        transport = app.transport
        assert transport is not None
        offer = sdp.offer("127.0.0.1", 40000, session_id=1)
        target = Address("127.0.0.1", port)
        transport.command(
            lambda now: transport.endpoint.dial("out", f"sip:service@127.0.0.1:{port}", target, "1001", offer, now)
        )

    inner = app.on_output

    def on_output(output: Output) -> None:
        inner(output)
        if isinstance(output, CallAnswered):
            transport = app.transport
            assert transport is not None
            transport.command(lambda now: transport.endpoint.hang_up("out", now))

    app.on_output = on_output  # type: ignore[method-assign] # the story's own ending

    async def run() -> None:
        await against(app, None, "-sn", "uas", act=dial)

    trio.run(run)
    assert kinds(app) == ["CallProgressed", "CallAnswered"]
