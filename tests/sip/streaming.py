"""Scenarios of TCP: sipp speaks nothing else, and listens, or comes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import trio
from cordboard.sip import asking
from cordboard.sip.dialog import Dialog
from cordboard.sip.events import CallAnswered

from .breaking import instead
from .dialling import ENDS, hangs_up
from .sipp import ANSWERED, HOST, App, Scenario, answer, call, description, has, recv

# /proc/net/tcp: whoever waits there for connections
LISTENS = "0100007F:{:04X} 00000000:0000 0A"
LONG = "x" * (asking.LONGEST_DATAGRAM // 2)


def as_soon_as_it_listens(do: Callable[[App], None]) -> Callable[[App], None]:
    """A connection that nobody takes is refused, and not tried again."""

    def act(app: App) -> None:
        async def wait() -> None:
            while LISTENS.format(app.port) not in Path("/proc/net/tcp").read_text():
                await trio.sleep(0.02)
            do(app)

        app.nursery.start_soon(wait)

    return act


def dials_at_length(app: App) -> None:
    """By a datagram, if it fitted."""
    app.then[CallAnswered] = hangs_up
    route = f"<sip:{HOST}:{app.port};lr;cookie={LONG}>"
    app.dial(routes=(route, route))


STREAMING = [
    Scenario(
        "invite_that_is_too_long_for_a_datagram",
        (
            recv("INVITE", has("Via", "SIP/2.0/TCP"), has("Route", LONG), keep=True),
            answer(200, body=description()),
            recv("ACK"),
            *ENDS,
        ),
        ("CallAnswered",),
        instead(asking, "LONGEST_DATAGRAM", 65535),
        act=as_soon_as_it_listens(dials_at_length),
        tcp=True,
    ),
    Scenario(
        "caller_who_is_reached_by_its_connection_alone",
        (
            call("bye").replace("caller@[local_ip]:[local_port]", f"caller@{HOST}:9"),
            *ANSWERED,
            recv("BYE"),
            answer(200, to=False),
        ),
        ("IncomingCall", "CallConfirmed"),
        instead(Dialog, "way", lambda self, hop: (hop, None)),
        tcp=True,
    ),
]
