"""By which address a peer reaches our SIP: of its own family and transport, and the public one only from outside."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from cordboard.actors.control import opened_at, ours_for
from cordboard.sip.grammar import Address
from cordboard.sip.homes import Homes
from cordboard.sip.transport import local_address_for

BOUND = (
    Address("10.0.0.5", 5060),
    Address("2001:db8::5", 5062),
    Address("10.0.0.5", 5064, "tcp"),
    Address("2001:db8::5", 5066, "tcp"),
    Address("10.0.0.5", 5068, "tls"),
)
LOCAL = (ipaddress.ip_network("10.0.0.0/8"),)
NEAR, FAR, SIX = "10.0.0.9", "203.0.113.9", "2001:db8::9"


@pytest.mark.parametrize(
    ("remote", "public", "ours"),
    [
        (Address(NEAR, 5060), "198.51.100.1", ("10.0.0.5", 5060)),
        (Address(NEAR, 40000, "tcp"), "198.51.100.1", ("10.0.0.5", 5064)),
        (Address(FAR, 5060), "", ("10.0.0.5", 5060)),
        (Address(FAR, 40000, "tcp"), "198.51.100.1", ("198.51.100.1", 5064)),
        (Address(FAR, 5060), "sip.example.com", ("sip.example.com", 5060)),
        (Address(NEAR, 40000, "tls"), "", ("10.0.0.5", 5068)),
        (Address(FAR, 40000, "tls"), "sip.example.com", ("sip.example.com", 5068)),
        # what is public for one family is nothing to the other
        (Address(SIX, 5060), "198.51.100.1", ("2001:db8::5", 5062)),
        (Address(SIX, 40000, "tcp"), "2001:db8::1", ("2001:db8::1", 5066)),
        (Address(SIX, 40000, "tcp"), "sip.example.com", ("sip.example.com", 5066)),
        (Address(FAR, 5060), "2001:db8::1", ("10.0.0.5", 5060)),
        (Address("::1", 40000, "tcp"), "2001:db8::1", ("2001:db8::5", 5066)),
    ],
)
def test_a_peer_is_told_an_address_that_it_can_reach(remote: Address, public: str, ours: tuple[str, int]) -> None:
    assert ours_for(remote, Homes(local_address_for, BOUND), public, LOCAL) == ours


def test_an_unspecified_address_is_told_as_that_of_the_route() -> None:
    bound = (Address("0.0.0.0", 5060), Address("::", 5060, "tcp"))
    homes = Homes(local_address_for, bound)
    assert ours_for(Address("127.0.0.1", 40000), homes, "", ()) == ("127.0.0.1", 5060)
    assert ours_for(Address("::1", 40000, "tcp"), homes, "", ()) == ("::1", 5060)
    # no socket of that family: the route knows best
    assert ours_for(Address("::1", 40000), Homes(local_address_for, bound[:1]), "", ()) == ("::1", 5060)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_what_listens_everywhere_is_said_by_an_address_that_can_be_opened(host: str) -> None:
    """It is one of this machine's."""
    named, _, port = opened_at(host, 8443).rpartition(":")
    assert port == "8443"
    family = socket.AF_INET6 if host == "::" else socket.AF_INET
    assert not ipaddress.ip_address(named.strip("[]")).is_unspecified
    with socket.socket(family, socket.SOCK_STREAM) as ours:
        ours.bind((named.strip("[]"), 0))


def test_what_listens_somewhere_is_said_as_it_is() -> None:
    assert (opened_at("127.0.0.2", 5060), opened_at("2001:db8::1", 5060)) == ("127.0.0.2:5060", "[2001:db8::1]:5060")
