"""Where a URI leads: what is asked for, in which order, and what is made of the answers (RFC 3263, RFC 2782)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from random import Random

import pytest
from cordboard.sip.grammar import Address, Uri
from cordboard.sip.locate import MOST, Known, Located, Naptr, Question, Srv, Unknown, locate, ordered

ALL = ("udp", "tcp", "tls")
# RFC 3263 §4.1: its own example
NAPTR = (
    Naptr(50, 50, "s", "SIPS+D2T", "_sips._tcp.example.com"),
    Naptr(90, 50, "s", "SIP+D2T", "_sip._tcp.example.com"),
    Naptr(100, 50, "s", "SIP+D2U", "_sip._udp.example.com"),
)
# ... and §4.2: two servers, the second for when the first is down
SRV = (Srv(1, 1, 5060, "server2.example.com"), Srv(0, 1, 5060, "server1.example.com"))
ONE, TWO = "192.0.2.1", "192.0.2.2"
ADDRESSES = {"server1.example.com": (ONE,), "server2.example.com": (TWO,), "example.com": ("192.0.2.9",)}
DOMAINS = ("_sips._tcp.example.com", "_sip._tcp.example.com", "_sip._udp.example.com")


class World:
    """Answers what is asked, and has nothing for what it does not know."""

    def __init__(
        self,
        naptr: Mapping[str, tuple[Naptr, ...]] | None = None,
        srv: Mapping[str, tuple[Srv, ...]] | None = None,
        addresses: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        self.has = {"naptr": naptr or {}, "srv": srv or {}, "address": ADDRESSES if addresses is None else addresses}
        self.asked: list[list[Question]] = []

    def locate(self, uri: str, speaks: tuple[str, ...] = ALL, seed: int = 1) -> list[Address]:
        told: dict[str, dict[str, tuple[object, ...]]] = {"naptr": {}, "srv": {}, "address": {}}
        known = Known(told["naptr"], told["srv"], told["address"])  # type: ignore[arg-type]
        while isinstance(found := locate(Uri.parse(uri), speaks, known, Random(seed)), Unknown):
            self.asked.append(list(found.questions))
            for question in found.questions:
                told[question.kind][question.name] = self.has[question.kind].get(question.name, ())
        assert isinstance(found, Located)
        return list(found.targets)


@pytest.mark.parametrize(
    ("uri", "target"),
    [
        ("sip:192.0.2.7", Address("192.0.2.7", 5060)),
        ("sip:us@192.0.2.7:5070;transport=TCP", Address("192.0.2.7", 5070, "tcp")),
        ("sip:[2001:DB8::0007]:5070", Address("2001:db8::7", 5070)),
        ("sips:192.0.2.7", Address("192.0.2.7", 5061, "tls")),
        ("sips:192.0.2.7:5070;transport=tcp", Address("192.0.2.7", 5070, "tls")),
        ("sip:192.0.2.7;transport=tls", Address("192.0.2.7", 5061, "tls")),
    ],
)
def test_where_it_is_an_address_nobody_is_asked(uri: str, target: Address) -> None:
    world = World()
    assert world.locate(uri) == [target]
    assert world.asked == []


@pytest.mark.parametrize(
    ("uri", "target"),
    [
        ("sip:Example.COM.:5070", Address("192.0.2.9", 5070)),
        ("sip:example.com:5070;transport=tcp", Address("192.0.2.9", 5070, "tcp")),
        ("sips:example.com:5070", Address("192.0.2.9", 5070, "tls")),
    ],
)
def test_a_name_with_a_port_is_that_of_a_host(uri: str, target: Address) -> None:
    world = World({"example.com": NAPTR}, dict.fromkeys(DOMAINS, SRV))
    assert world.locate(uri) == [target]
    assert world.asked == [[Question("address", "example.com")]]


def test_the_domain_says_which_transport_it_prefers_and_who_serves_it() -> None:
    world = World({"example.com": NAPTR}, {DOMAINS[0]: SRV})
    assert world.locate("sip:example.com") == [Address(ONE, 5060, "tls"), Address(TWO, 5060, "tls")]
    assert world.asked == [
        [Question("naptr", "example.com")],
        [Question("srv", name) for name in DOMAINS],
        [Question("address", "server1.example.com"), Question("address", "server2.example.com")],
    ]


@pytest.mark.parametrize(("speaks", "chosen"), [(("udp", "tcp"), "tcp"), (("udp",), "udp")])
def test_what_we_do_not_speak_is_not_chosen(speaks: tuple[str, ...], chosen: str) -> None:
    world = World({"example.com": NAPTR}, dict.fromkeys(DOMAINS, SRV))
    assert [each.transport for each in world.locate("sip:example.com", speaks)] == [chosen, chosen]


def test_a_sips_uri_leads_to_tls_alone() -> None:
    world = World({"example.com": NAPTR[1:]}, dict.fromkeys(DOMAINS, SRV))
    assert {each.transport for each in world.locate("sips:example.com")} == {"tls"}
    assert world.asked[1] == [Question("srv", "_sips._tcp.example.com")]


@pytest.mark.parametrize(
    ("uri", "domain"),
    [
        ("sip:example.com;transport=udp", "_sip._udp"),
        ("sip:example.com;transport=TCP", "_sip._tcp"),
        ("sip:example.com;transport=tls", "_sips._tcp"),
        ("sips:example.com;transport=tcp", "_sips._tcp"),
    ],
)
def test_a_transport_that_is_named_is_not_asked_for(uri: str, domain: str) -> None:
    world = World({"example.com": NAPTR}, {f"{domain}.example.com": SRV})
    assert [each.host for each in world.locate(uri)] == [ONE, TWO]
    assert world.asked[0] == [Question("srv", f"{domain}.example.com")]


def test_without_naptr_every_transport_of_ours_is_looked_for() -> None:
    world = World(srv={"_sip._tcp.example.com": SRV})
    assert [each.transport for each in world.locate("sip:example.com")] == ["tcp", "tcp"]
    assert world.asked[1] == [Question("srv", "_sip._udp.example.com"), Question("srv", "_sip._tcp.example.com")]


@pytest.mark.parametrize(
    ("uri", "speaks", "target"),
    [
        ("sip:example.com", ALL, Address("192.0.2.9", 5060)),
        ("sip:example.com", ("tcp",), Address("192.0.2.9", 5060, "tcp")),
        ("sips:example.com", ALL, Address("192.0.2.9", 5061, "tls")),
        ("sip:example.com;transport=tls", ALL, Address("192.0.2.9", 5061, "tls")),
        ("sip:example.com;transport=sctp", ALL, Address("192.0.2.9", 5060, "sctp")),
    ],
)
def test_a_domain_that_says_nothing_is_a_host(uri: str, speaks: tuple[str, ...], target: Address) -> None:
    assert World().locate(uri, speaks) == [target]


def test_services_of_other_trades_are_passed_over() -> None:
    others = (
        Naptr(1, 1, "u", "E2U+sip", ""),
        Naptr(2, 1, "a", "SIP+D2T", "server1.example.com"),
        Naptr(3, 1, "s", "SIP+D2S", "_sip._sctp.example.com"),
        Naptr(4, 1, "S", "sip+d2u", "_sip._udp.elsewhere.example"),
    )
    world = World({"example.com": others}, {"_sip._udp.elsewhere.example": SRV})
    assert [each.host for each in world.locate("sip:example.com")] == [ONE, TWO]
    assert world.asked[1] == [Question("srv", "_sip._udp.elsewhere.example")]


def test_who_says_that_nobody_serves_is_believed() -> None:
    world = World(srv={"_sip._udp.example.com": (Srv(0, 0, 0, ""),)})
    assert world.locate("sip:example.com") == []
    assert Question("address", "example.com") not in [each for group in world.asked for each in group]


def test_the_next_transport_serves_where_the_hosts_of_the_first_are_not_found() -> None:
    lost = (Srv(0, 1, 5061, "lost.example.com"),)
    world = World({"example.com": NAPTR}, {DOMAINS[0]: lost, DOMAINS[1]: SRV})
    assert [each.transport for each in world.locate("sip:example.com")] == ["tcp", "tcp"]


def test_a_host_has_all_its_addresses_and_each_target_stands_once() -> None:
    twice = (Srv(0, 1, 5060, "server1.example.com"), Srv(1, 1, 5060, "server1.example.com"))
    world = World(srv={"_sip._udp.example.com": twice}, addresses={"server1.example.com": (ONE, "2001:db8::1")})
    assert world.locate("sip:example.com") == [Address(ONE, 5060), Address("2001:db8::1", 5060)]


def test_heavier_hosts_come_first_more_often_and_idle_ones_seldom() -> None:
    """RFC 2782: of one priority each is first as often as its weight says."""
    records = [
        Srv(0, 60, 5060, "a"),
        Srv(0, 20, 5060, "b"),
        Srv(0, 20, 5060, "c"),
        Srv(0, 0, 5060, "d"),
        Srv(1, 9, 1, "e"),
    ]
    rng = Random(7)
    runs = [ordered(records, rng) for _ in range(4000)]
    firsts = Counter(run[0].target for run in runs)
    assert firsts["a"] / 4000 == pytest.approx(0.6, abs=0.03)
    assert firsts["b"] / 4000 == pytest.approx(0.2, abs=0.03)
    assert 0 < firsts["d"] < 4000 * 0.03
    assert all(run[-1].target == "e" and len(set(run)) == 5 for run in runs)


def test_of_a_crowd_those_that_are_preferred() -> None:
    crowd = [Srv(at, 0, 5060, f"host{at}") for at in reversed(range(300))]
    assert [each.target for each in ordered(crowd, Random(1))] == [f"host{at}" for at in range(MOST)]
