"""Legs of plain RTP at a switch that speaks SIP: each is a call of its own, by an endpoint of ours."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import trio

from ...sip import sdp
from ...sip.endpoint import Endpoint, Settings, TrunkSettings
from ...sip.events import CallAnswered, CallEnded, CallFailed, Output
from ...sip.message import Address
from ...sip.transport import SipTransport, serve

HOST: Final = "127.0.0.1"
UP_SECONDS: Final = 10.0


class RefusedError(RuntimeError):
    """The switch did not take a call, or ended it."""


class _Calls:
    """What became of them: where each wants its RTP."""

    def __init__(self) -> None:
        self.offers: dict[str, sdp.SessionDescription] = {}
        self.remotes: dict[str, tuple[str, int]] = {}
        self.failed = ""
        self._news = trio.Event()

    def tell(self, output: Output) -> None:
        match output:
            case CallAnswered(call=call, answer=answer) if answer is not None:
                remote = sdp.accept(self.offers[call], answer).remote
                if remote is None:
                    self.failed = "a call was answered on hold"
                else:
                    self.remotes[call] = remote
            case CallFailed(status=status, reason=reason):
                self.failed = f"{status} {reason}".strip()
            case CallEnded(cause=cause):
                self.failed = f"a call ended: {cause}"
            case _:
                return
        self._news.set()
        self._news = trio.Event()

    async def at(self, call: str) -> tuple[str, int]:
        while call not in self.remotes:
            if self.failed:
                raise RefusedError(self.failed)
            await self._news.wait()
        return self.remotes[call]


@asynccontextmanager
async def legs(port: int, numbers: Sequence[str], ports: Sequence[int]) -> AsyncIterator[list[tuple[str, int]]]:
    """A call to each number at the switch on this machine, with RTP at the port given: where the switch wants its
    own, in the same order. They are not hung up: the switch ends after them. Raises RefusedError, and
    trio.TooSlowError."""
    settings = Settings(lambda host: (HOST, transport.addresses[0].port), user_agent="Cordboard load")
    endpoint = Endpoint(settings, lambda: secrets.token_hex(16))
    endpoint.set_trunks({"switch": TrunkSettings((HOST,))})
    calls, switch = _Calls(), Address(HOST, port)
    async with trio.open_nursery() as nursery:
        transport: SipTransport = await nursery.start(serve, endpoint, [(HOST, 0)], calls.tell)

        async def dial(call: str, number: str, rtp_port: int) -> tuple[str, int]:
            offer = sdp.offer(HOST, rtp_port, session_id=secrets.randbits(31), codecs=("pcmu",))
            calls.offers[call] = offer
            transport.command(
                lambda now: endpoint.dial(call, f"sip:{number}@{HOST}:{port}", switch, "1000", offer, now)
            )
            with trio.fail_after(UP_SECONDS):
                return await calls.at(call)

        wanted = [(str(leg), *one) for leg, one in enumerate(zip(numbers, ports, strict=True))]
        remotes = [await dial(*one) for one in wanted]
        yield remotes
        nursery.cancel_scope.cancel()
