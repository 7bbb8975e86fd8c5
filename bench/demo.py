"""`cordboard demo`: a sample organisation in a data directory of its own, and a customer who calls.

The organisation is imported when the data directory has none, and with it some customers are known; what was changed
there stays. Everything is real: the switch as `cordboard run` starts it, and a SIP and RTP client on loopback as the
customer.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import trio
from attrs import evolve

from ..actors.config import Config
from ..actors.organisation import Organisation, parse_organisation
from ..actors.store.store import Store
from ..actors.supervisor import AlreadyRunningError, running
from . import acquaintances, customer

SIP_PORT = 5060  # of a URI without one (RFC 3261 §19.1.2)
# Whoever starts the demonstration has yet to find the page and to sign in.
MANNERS = customer.Manners(patience=(150.0, 210.0))

SAMPLE = """
[organisation]
name = "Harbour Travel"
time_zone = "Asia/Shanghai"
country = "CN"
language = "en"

[[trunk]]
id = "customer"
peers = ["127.0.0.1", "::1"]

[[queue]]
id = "support"
name = "Support"
ring_seconds = 30

[[queue]]
id = "bookings"
name = "Bookings"
ring_seconds = 20
unattended = "overflow"
overflow = "voicemail"

[[agent]]
id = "1001"
name = "Lin"
password = "harbour-1001"
skills = { support = 1, bookings = 2 }

[[agent]]
id = "1002"
name = "Maya"
password = "harbour-1002"
skills = { support = 1 }

[[agent]]
id = "1003"
name = "Chen"
password = "harbour-1003"
skills = { support = 1, bookings = 1 }

[[agent]]
id = "2001"
name = "Sofia"
password = "harbour-2001"
role = "supervisor"

[[agent]]
id = "3001"
name = "Ming"
password = "harbour-3001"
role = "administrator"

[[number]]
number = "+861055501000"
route = "queue:support"
outbound = true

[[number]]
number = "+861055502000"
route = "queue:bookings"
outbound = true

[[number]]
number = "600"
route = "echo"

[[number]]
number = "601"
route = "tone:440"

[[number]]
number = "602"
route = "hold"

[[number]]
pattern = "7\\\\d\\\\d"
route = "room"
"""


async def run(config: Config, data: Path, switch: Callable[[Callable[[], None]], Awaitable[int]]) -> int:
    """Runs `switch` with the sample organisation and the customer beside it; gives the switch's exit code.

    `switch` calls what it is given when calls can come: then there is something to welcome to. Raises
    AlreadyRunningError and StoreError; `config` has an address of SIP over UDP.
    """
    if (pid := running(data, "supervisor")) is not None:  # its customer has the bell
        raise AlreadyRunningError(f"{data}: another cordboard (process {pid}) runs on this data directory")
    async with await Store.open(data) as store:
        organisation = await store.load_organisation()
        if not organisation.agents:
            organisation = parse_organisation(SAMPLE)
            await store.import_organisation(organisation)
            await acquaintances.introduce(store, time.time())
    sip = config.sip.udp[0]
    host = _reached(sip.host)

    def ready() -> None:
        nursery.start_soon(partial(customer.run, manners=MANNERS), (host, sip.port), data)
        with contextlib.suppress(OSError):  # nobody reads it
            print(welcome(config, organisation), flush=True)

    async with trio.open_nursery() as nursery:
        code = await switch(ready)
        nursery.cancel_scope.cancel()
    return code


def _reached(host: str) -> str:
    """Where a listener is found on this machine."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)


def welcome(config: Config, organisation: Organisation) -> str:
    """What is read before anything can be done."""
    web = config.web.listen[0]
    host = str(evolve(web, host=_reached(web.host)))
    sip = evolve(config.sip.udp[0], host=_reached(config.sip.udp[0].host))
    phone = sip.host if sip.port == SIP_PORT else str(sip)
    sample = {each.id: f", password {each.password}" for each in parse_organisation(SAMPLE).agents}
    lines = [
        "",
        f"  {organisation.name}: a demonstration. A synthetic customer calls every half minute where nobody waits.",
        "",
        f"  1. Open  https://{host}/  (the certificate is self-signed: let the browser go on)",
        "  2. Log in as one of",
        *(f"       {each.role} {each.id} ({each.name}){sample.get(each.id, '')}" for each in organisation.agents),
        "  3. Press Sign in and allow the microphone; answer when it rings, or press Call me now.",
        "     Open a second browser as another agent to see calls go to whoever is idle longest.",
        "  4. Supervisors and administrators see everyone's calls, play their recordings, and see why each rang where",
        f"     it did; administrators have a page of their own,  https://{host}/admin",
        "",
        f"  A SIP phone on this machine may call sip:600@{phone} (echo), 601 (tone), 602 (music), 701 (a room),",
        "  +861055501000 for the Support queue, or +861055502000 for Bookings, where a message can be left while",
        "  nobody of it is signed in.   Ctrl-C ends it.",
        "",
    ]
    return "\n".join(lines)
