"""The ACK of a 2xx where the way there has changed: by a connection that is another now, and after a host was left (RFC
3261 §13.2.2.4, §13.3.1.4)."""

from __future__ import annotations

from attrs import evolve
from cordboard.sip.endpoint import Endpoint
from cordboard.sip.events import CallEnded
from cordboard.sip.message import Address, Request

from . import net as n
from .far import SDP_TYPE, reply, requests
from .hops import asks, by_tcp, silence, sought
from .test_flows import World
from .test_next_host import reborn

ONE, TWO, THREE = (Address(f"192.0.2.{last}", 5070, "tcp") for last in (21, 22, 23))
CONTACT = ("Contact", "<sip:gw@gate.carrier.example:5070;transport=tcp>")


def accepted(endpoint: Endpoint, invite: Request, source: Address, now: float) -> list[tuple[Request, Address]]:
    """The ACKs of a 200 that comes from there."""
    body = bytes(n.answer_to(n.OFFER_A))
    return asks(reply(endpoint, invite, 200, CONTACT, SDP_TYPE, source=source, body=body, tag="far", now=now), "ACK")


def dialled(*hosts: Address) -> tuple[Endpoint, Request]:
    """A call that was answered on a connection with the first of these hosts."""
    endpoint = n.endpoint(n.A)
    (invite,) = requests(endpoint.dial("out", "sip:600@192.0.2.9", hosts[0], "1001", n.OFFER_A, 0.0))
    body = bytes(n.answer_to(n.OFFER_A))
    out = reply(endpoint, invite, 200, CONTACT, SDP_TYPE, source=hosts[0], body=body, tag="far")
    (name,) = sought(out)
    endpoint.located(name, hosts, 600.0, 0.1)
    return endpoint, invite


# --- after a host was left ------------------------------------------------------------------------------------------


def test_an_offer_that_has_gone_to_the_next_host_is_acknowledged_there_by_tcp() -> None:
    """The connection with the first host lives, and says nothing."""
    endpoint, _ = dialled(ONE, TWO)
    endpoint.reoffer("out", n.OFFER_B, 1.0)
    ((again, at),) = asks(silence(endpoint, 5.0), "INVITE")
    assert at == TWO
    for now in (5.1, 5.6):
        ((ack, at),) = accepted(endpoint, again, TWO, now)
        assert (at, ack.cseq) == (TWO, again.cseq)
    # and so does what comes after it
    ((_, at),) = asks(endpoint.hang_up("out", 6.0), "BYE")
    assert at == TWO


def test_a_host_that_was_left_is_acknowledged_on_its_own_connection() -> None:
    """It had opened that itself, from a port that its name does not lead to."""
    endpoint = n.endpoint(n.A)
    call, peer = by_tcp(endpoint)
    out = endpoint.reoffer(call, n.OFFER_B, 1.0)
    ((first, at),), (name,) = asks(out, "INVITE"), sought(out)
    assert at == peer
    endpoint.located(name, (ONE, TWO), 600.0, 1.1)
    ((second, at),) = asks(silence(endpoint, 5.0), "INVITE")
    assert at == ONE
    for invite, source, now in ((second, ONE, 5.1), (first, peer, 5.2), (second, ONE, 5.6), (first, peer, 5.7)):
        ((_, at),) = accepted(endpoint, invite, source, now)
        assert at == source


def test_two_hosts_that_answer_the_same_offer_are_each_acknowledged_where_they_are() -> None:
    endpoint, _ = dialled(ONE, TWO)
    ((first, _),) = asks(endpoint.reoffer("out", n.OFFER_B, 1.0), "INVITE")
    ((second, _),) = asks(silence(endpoint, 5.0), "INVITE")
    for invite, source, now in ((first, ONE, 5.1), (second, TWO, 5.2), (first, ONE, 5.6), (second, TWO, 5.7)):
        ((ack, at),) = accepted(endpoint, invite, source, now)
        assert (at, ack.cseq) == (source, first.cseq)


def test_a_host_that_was_left_before_a_restart_is_acknowledged_after_it_by_tcp() -> None:
    before, _ = dialled(ONE, TWO)
    ((first, _),) = asks(before.reoffer("out", n.OFFER_B, 1.0), "INVITE")
    ((second, _),) = asks(silence(before, 5.0), "INVITE")
    endpoint, outputs = reborn(before, "out", 5.5)
    endpoint.located(sought(outputs)[0], (ONE, TWO), 600.0, 5.6)
    # each by a connection of its own, for those that there were are gone with the process
    for invite, host, now in ((first, ONE, 6.0), (second, TWO, 6.1)):
        ((_, at),) = accepted(endpoint, invite, host, now)
        assert at == host


# --- an ACK that gets lost ------------------------------------------------------------------------------------------


def test_an_ack_that_does_not_arrive_by_tcp_goes_to_the_next_host_and_to_the_next() -> None:
    """What it is written on may lead nowhere for as long as the kernel knows nothing of it."""
    endpoint, invite = dialled(ONE, TWO, THREE)
    been = [at for now in (0.6, 1.6, 3.6, 7.6, 11.6) for _, at in accepted(endpoint, invite, ONE, now)]
    assert been == [ONE, ONE, TWO, THREE, ONE]
    assert endpoint.counters["no sign of life: ACK"] == 3


def test_the_ack_of_a_new_offer_goes_to_the_next_host_by_tcp_too() -> None:
    endpoint, _ = dialled(ONE, TWO)
    ((invite, _),) = asks(endpoint.reoffer("out", n.OFFER_B, 1.0), "INVITE")
    been = [at for now in (1.1, 1.6, 2.6, 4.6) for _, at in accepted(endpoint, invite, ONE, now)]
    assert been == [ONE, ONE, ONE, TWO]


def test_a_200_that_comes_again_by_a_new_connection_is_acknowledged_on_that() -> None:
    """Theirs broke after the first one (RFC 3261 §18.2.2)."""
    endpoint, invite = dialled(ONE)
    endpoint.disconnected(ONE, [], 0.3)
    new = evolve(ONE, port=40001)
    ((_, at),) = accepted(endpoint, invite, new, 0.6)
    assert at == new
    ((_, at),) = asks(endpoint.hang_up("out", 1.0), "BYE")
    assert at == new


def test_an_ack_by_a_new_connection_brings_the_call_there() -> None:
    """A PBX behind a NAT, whose connection broke after our 200; it has not registered again yet."""
    world = World()
    world.net.drop = lambda what, source: what == "ACK"
    world.net.do(world.pbx, world.pbx.endpoint.reoffer("out", n.OFFER_A, world.net.now))
    world.run(0.2)
    world.cut()
    world.net.drop = lambda what, source: False
    # our 200 comes again, and it acknowledges that
    ok = next(data for source, data in reversed(world.net.sent) if source == n.A and data.startswith(b"SIP/2.0 200"))
    world.net.do(world.pbx, world.pbx.endpoint.receive(ok, world.there, world.net.now))
    world.run(1)
    world.hang_up()
    world.run(1)
    assert world.pbx.events[-1] == CallEnded("out", "bye")
    world.over()
