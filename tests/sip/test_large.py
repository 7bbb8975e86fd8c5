"""Requests that are too long for a datagram go by TCP (RFC 3261 §18.1.1), and by UDP where nobody listens there."""

from __future__ import annotations

import pytest
from attrs import evolve
from cordboard.sip.asking import LONGEST_DATAGRAM, NO_CONNECTION
from cordboard.sip.connections import Connections, Limits
from cordboard.sip.endpoint import TrunkSettings
from cordboard.sip.message import Request

from . import net as n

LONG = tuple(f"<sip:192.0.2.{host};lr;cookie={'x' * (LONGEST_DATAGRAM // 2)}>" for host in (2, 3))


def pair(*, refuses: bool = False) -> tuple[n.Net, n.Peer, n.Peer]:
    """A speaks TCP too; B answers every call, and may let nobody connect."""
    net, a, b = n.pair()
    a.endpoint.settings = evolve(a.endpoint.settings, tcp=True)
    b.react = n.answering
    if refuses:
        endpoint = b.endpoint
        b.connections = Connections(endpoint.counters, endpoint.hears, endpoint.living, Limits(total=0))
    return net, a, b


def dial(net: n.Net, a: n.Peer, call: str = "out", routes: tuple[str, ...] = LONG) -> None:
    dialled = a.endpoint.dial(
        call, "sip:600@192.0.2.2", n.B, "1001", n.OFFER_A, net.now, "Lin", trunk="carrier", routes=routes
    )
    net.do(a, dialled)


def requests(net: n.Net, method: str) -> list[Request]:
    return [each for each in net.messages() if isinstance(each, Request) and each.method == method]


def ways(net: n.Net, method: str = "INVITE") -> list[str]:
    return [each.via.transport for each in requests(net, method)]


def over(net: n.Net, *peers: n.Peer) -> None:
    for peer in peers:
        if "out" in peer.endpoint._calls:
            net.do(peer, peer.endpoint.hang_up("out", net.now))
    net.run(net.now + 100)
    assert all(peer.endpoint.idle for peer in peers)


def test_a_long_invite_goes_by_tcp_and_all_of_its_call_follows() -> None:
    net, a, b = pair()
    dial(net, a)
    net.run(2)
    assert a.kinds() == ["CallProgressed", "CallAnswered"]
    assert ways(net) == ["TCP"]
    # where we are reached is the same as ever: only this message was too long
    assert "transport" not in (requests(net, "INVITE")[0].get("Contact") or "transport")
    net.do(a, a.endpoint.hang_up("out", net.now))
    net.run(4)
    assert b.kinds() == ["IncomingCall", "CallConfirmed", "CallEnded"]
    assert a.endpoint.counters["connections opened"] == 1
    over(net, a, b)


def test_what_fits_stays_a_datagram() -> None:
    """To the octet."""
    net, a, b = pair()
    dial(net, a, "first", ("<sip:192.0.2.2;lr;cookie=>",))
    length = len(bytes(requests(net, "INVITE")[0]))
    for call, more in (("longest", LONGEST_DATAGRAM - length), ("longer", LONGEST_DATAGRAM - length + 1)):
        dial(net, a, call, (f"<sip:192.0.2.2;lr;cookie={'x' * more}>",))
    assert ways(net) == ["UDP", "UDP", "TCP"]
    assert len(bytes(requests(net, "INVITE")[1])) == LONGEST_DATAGRAM
    net.run(3)
    assert a.kinds().count("CallAnswered") == 3
    assert b.endpoint.live_calls == 3


@pytest.mark.parametrize("why", ["the trunk says UDP", "TCP is off"])
def test_who_is_not_spoken_to_by_tcp_gets_datagrams(why: str) -> None:
    net, a, b = pair()
    if why == "TCP is off":
        a.endpoint.settings = evolve(a.endpoint.settings, tcp=False)
    else:
        a.endpoint.set_trunks({"carrier": TrunkSettings(("192.0.2.0/24",), datagrams=True)})
    dial(net, a)
    net.run(2)
    assert ways(net) == ["UDP"]
    assert "CallAnswered" in a.kinds()
    over(net, a, b)


def test_where_nobody_listens_it_comes_as_a_datagram_after_all() -> None:
    """In a transaction of its own, and for some minutes no connection is tried again."""
    net, a, b = pair(refuses=True)
    dial(net, a)
    net.run(2)
    assert ways(net) == ["TCP", "UDP"]
    tried, again = requests(net, "INVITE")
    assert (tried.call_id, tried.cseq) == (again.call_id, again.cseq)
    assert tried.via.branch != again.via.branch
    assert a.kinds() == ["CallProgressed", "CallAnswered"]
    assert b.kinds() == ["IncomingCall", "CallConfirmed"]
    dial(net, a, "second")
    assert ways(net)[2:] == ["UDP"]
    net.run(NO_CONNECTION + 1)
    dial(net, a, "third")
    assert ways(net)[3:] == ["TCP"]
    net.run(net.now + 2)
    assert a.kinds().count("CallAnswered") == 3


def test_what_came_as_a_datagram_after_all_is_cancelled_as_one() -> None:
    net, a, b = pair(refuses=True)
    b.react = None
    dial(net, a)
    net.run(1)
    net.do(a, a.endpoint.hang_up("out", net.now))
    net.run(2)
    assert ways(net, "CANCEL") == ["UDP"]
    assert b.kinds() == ["IncomingCall", "CallCancelled"]
    over(net, a, b)


def test_a_call_that_is_given_up_while_a_connection_is_tried_rings_nowhere() -> None:
    net, a, b = pair(refuses=True)
    dial(net, a)
    net.do(a, a.endpoint.hang_up("out", net.now))
    net.run(60)
    assert ways(net) == ["TCP"]
    assert b.kinds() == []
    over(net, a, b)
    # what it taught is not forgotten
    dial(net, a, "second")
    assert ways(net) == ["TCP", "UDP"]


def test_a_long_invite_is_cancelled_where_it_went() -> None:
    net, a, b = pair()
    b.react = None
    dial(net, a)
    net.run(1)
    net.do(a, a.endpoint.hang_up("out", net.now))
    net.run(2)
    assert ways(net, "CANCEL") == ["TCP"]
    assert b.kinds() == ["IncomingCall", "CallCancelled"]
    over(net, a, b)


def test_a_connection_that_breaks_after_it_was_sent_is_no_reason_to_send_it_again() -> None:
    """The far side may have it: a second one would be another call there, or a merged request."""
    net, a, b = pair()
    b.react = None
    net.delay, net.drop = (0.5, 0.5), lambda what, source: source == n.B
    dial(net, a)
    net.run(0.7)
    net.cut(b)
    net.run(5)
    assert ways(net) == ["TCP"]
    assert a.kinds() == ["CallFailed"]
