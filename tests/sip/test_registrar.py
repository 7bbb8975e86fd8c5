"""Where guests are (RFC 3261 §10.3): several bindings, proxies on the way (RFC 3327), flows (RFC 5626), and what of
that is dialled."""

from __future__ import annotations

import pytest
from attrs import evolve
from cordboard.sip import registrar
from cordboard.sip.binding import Binding
from cordboard.sip.endpoint import Endpoint, TrunkSettings
from cordboard.sip.events import CallAnswered, CallFailed, Output, Registered, Replied, Transmit
from cordboard.sip.message import Address, Request, Response, Row

from . import net as n
from .far import events, reply, requests, responses, statuses
from .test_guests import ALICE, PBX, build, challenge_in, enter, fresh, heard, shown

CONTACT = "<sip:pbx@10.0.0.5:5060>"
TCP = Address("203.0.113.7", 40123, "tcp")
# A client with one flow, as baresip and Linphone write it
INSTANCE = ';+sip.instance="<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>"'


def register(
    endpoint: Endpoint,
    contact: str | None,
    *rows: Row,
    now: float = 0.0,
    call_id: str = "r",
    cseq: int = 1,
    source: Address = PBX,
) -> tuple[Response, list[Output]]:
    first = heard(endpoint, build("REGISTER", *rows, contact=contact, call_id=call_id, cseq=cseq), source, now)
    proof = shown(challenge_in(first), "REGISTER")
    again = build("REGISTER", *rows, proof, contact=contact, call_id=call_id, cseq=cseq + 1)
    out = endpoint.receive(again, source, now)
    (answer,) = responses(out)
    return answer, events(out)


def told(out: list[Output]) -> list[tuple[str, Address]]:
    """What is said of where it is."""
    (registered,) = out
    assert isinstance(registered, Registered)
    assert registered.trunk == "office"
    return [(each.uri, each.flow) for each in registered.bindings]


@pytest.mark.parametrize(
    ("contact", "rows", "seconds"),
    [
        (CONTACT, (), 600),
        (CONTACT, (("Expires", "120"),), 120),
        (f"{CONTACT};expires=240", (("Expires", "120"),), 240),
        (f"{CONTACT};expires=soon", (), 600),
        (f"{CONTACT};expires=999999", (), 600),
    ],
)
def test_a_guest_says_where_it_is_and_is_dialled_there(contact: str, rows: tuple[Row, ...], seconds: int) -> None:
    endpoint = fresh()
    answer, out = register(endpoint, contact, *rows)
    assert (answer.status, answer.get("Contact")) == (200, f"<sip:pbx@10.0.0.5:5060>;expires={seconds}")
    made = Binding("sip:pbx@10.0.0.5:5060", PBX.host, PBX.port, "udp", float(seconds), "r", 2)
    assert out == [Registered("office", (made,))]
    # where it was heard from, whatever its Contact and that of its answers say
    (invite,) = requests(endpoint.dial("out", "sip:1@10.0.0.5", PBX, "600", n.OFFER_A, 1.0, trunk="office"))
    kind = ("Content-Type", "application/sdp")
    said = reply(
        endpoint, invite, 200, ("Contact", CONTACT), kind, source=PBX, body=bytes(n.answer_to(n.OFFER_A)), now=1.1
    )
    assert isinstance(said[-1], CallAnswered)
    assert [each.destination for each in said if isinstance(each, Transmit)] == [PBX]


def test_a_guest_asks_what_is_known_of_it_and_leaves() -> None:
    endpoint = fresh()
    register(endpoint, f"{CONTACT};expires=100")
    answer, out = register(endpoint, None, now=40.0, call_id="ask")
    assert (answer.get("Contact"), out) == (f"{CONTACT};expires=60", [])
    answer, out = register(endpoint, None, now=100.0, call_id="later")
    assert answer.get("Contact") is None
    register(endpoint, f"{CONTACT};expires=100", call_id="again")
    answer, out = register(endpoint, "*", ("Expires", "0"), now=50.0, call_id="gone")
    assert (answer.status, out) == (200, [Registered("office", ())])
    answer, out = register(endpoint, f"{CONTACT};expires=0", now=51.0, call_id="twice")
    assert (answer.status, answer.get("Contact"), out) == (200, None, [Registered("office", ())])


@pytest.mark.parametrize(
    ("contact", "rows", "status", "row"),
    [
        (f"{CONTACT};expires=30", (), 423, ("Min-Expires", "60")),
        ("*", (), 400, None),
        ("*", (("Expires", "60"),), 400, None),
        ("<tel:+8610>", (), 400, None),
        ("<sips:pbx@10.0.0.5>", (), 400, None),
        ("<mailto:x@y>", (), 416, None),
        (f"<sip:other@10.0.0.6>, {CONTACT};expires=30", (), 423, None),
        (CONTACT, (("Require", "gruu, path"),), 420, ("Unsupported", "gruu")),
        (CONTACT, (("Path", "<tel:+8610>"),), 400, None),
        (CONTACT, (("Path", ", ".join(["<sip:p.example;lr>"] * 6)),), 400, None),
    ],
)
def test_what_a_registrar_does_not_take_changes_nothing(
    contact: str, rows: tuple[Row, ...], status: int, row: Row | None
) -> None:
    endpoint = fresh()
    register(endpoint, "<sip:first@10.0.0.5>", call_id="first")
    answer, out = register(endpoint, contact, *rows)
    assert answer.status == status
    assert row is None or answer.get(row[0]) == row[1]
    assert [each for each in out if isinstance(each, Registered)] == []
    answer, _ = register(endpoint, None, call_id="ask")
    assert answer.get("Contact") == "<sip:first@10.0.0.5>;expires=600"


def test_a_registration_is_for_oneself_and_in_its_order() -> None:
    endpoint = fresh()
    out = enter(endpoint, "REGISTER", to="sip:other@192.0.2.1")
    assert statuses(out) == [404]
    register(endpoint, CONTACT, cseq=10)
    answer, _ = register(endpoint, CONTACT, cseq=4)
    assert answer.status == 500
    answer, _ = register(endpoint, "*", ("Expires", "0"), cseq=4)
    assert answer.status == 500
    endpoint.set_trunks({"office": TrunkSettings(guest=evolve(ALICE, username="other"))})
    endpoint.set_trunks({"office": TrunkSettings(guest=ALICE)})
    answer, _ = register(endpoint, None, call_id="ask")
    assert answer.get("Contact") is None


def test_several_contacts_are_dialled_as_the_guest_prefers_and_then_the_newest_first() -> None:
    endpoint = fresh()
    register(endpoint, "<sip:a@10.0.0.5>;q=0.5, <sip:b@10.0.0.6>;q=0.9", call_id="one")
    moved = Address(PBX.host, 40999)
    _, out = register(endpoint, "<sip:c@10.0.0.7>;q=0.5", call_id="two", source=moved)
    assert told(out) == [("sip:b@10.0.0.6", PBX), ("sip:c@10.0.0.7", moved), ("sip:a@10.0.0.5", PBX)]
    # the same place again, from another port: one binding
    _, out = register(endpoint, "<sip:b@10.0.0.6>;q=0.1", call_id="three", source=moved)
    assert told(out) == [("sip:c@10.0.0.7", moved), ("sip:a@10.0.0.5", PBX), ("sip:b@10.0.0.6", moved)]
    _, out = register(endpoint, "<sip:c@10.0.0.7>;expires=0", call_id="four")
    assert [uri for uri, _ in told(out)] == ["sip:a@10.0.0.5", "sip:b@10.0.0.6"]


def test_who_has_a_call_is_looked_for_among_several_by_the_host_and_port_of_its_contact() -> None:
    """Two PBXs may share an account; the user of a Contact is often another in a call."""
    endpoint = fresh()
    for at in (5, 6, 7):
        register(endpoint, f"<sip:pbx@10.0.0.{at}:5060>", call_id=f"box{at}")
    register(endpoint, "<sip:pbx@10.0.0.5:5070>", call_id="neighbour")

    def nearest(target: str) -> list[str]:
        return [each.uri.removeprefix("sip:pbx@10.0.0.") for each in endpoint._registrar.nearest("office", target)]

    assert nearest("sip:asterisk@10.0.0.5:5060;transport=TCP") == ["5:5060", "5:5070", "7:5060", "6:5060"]
    assert nearest("sip:asterisk@10.0.0.6:5060") == ["6:5060", "5:5070", "7:5060", "5:5060"]
    assert nearest("sip:elsewhere.example") == ["5:5070", "7:5060", "6:5060", "5:5060"]


def test_who_begins_anew_again_and_again_has_so_many_places_and_the_oldest_goes() -> None:
    endpoint = fresh()
    for at in range(registrar.MAX_BINDINGS + 3):
        _, out = register(endpoint, f"<sip:pbx@10.0.0.5:{6000 + at}>", call_id=f"life{at}")
    assert [uri for uri, _ in told(out)] == [f"sip:pbx@10.0.0.5:{6000 + at}" for at in range(10, 2, -1)]


def test_a_client_with_an_instance_has_one_place_whatever_its_contact_says() -> None:
    """RFC 5626 §6: a telephone behind a NAT comes with another port each time it begins."""
    endpoint = fresh()
    flow = f"{INSTANCE};reg-id=1"
    register(endpoint, f"<sip:pbx@10.0.0.5:6000>{flow}", call_id="one")
    _, out = register(endpoint, f"<sip:pbx@10.0.0.5:6001>{flow}", call_id="two")
    assert [uri for uri, _ in told(out)] == ["sip:pbx@10.0.0.5:6001"]
    _, out = register(endpoint, f"<sip:pbx@10.0.0.5:6001>{INSTANCE};reg-id=2", call_id="three", source=TCP)
    assert told(out) == [("sip:pbx@10.0.0.5:6001", TCP), ("sip:pbx@10.0.0.5:6001", PBX)]


@pytest.mark.parametrize(("source", "kept"), [(TCP, "outbound"), (PBX, None)])
def test_a_flow_is_promised_where_it_is_a_connection(source: Address, kept: str | None) -> None:
    answer, _ = register(fresh(), f"{CONTACT}{INSTANCE};reg-id=1", ("Supported", "outbound, path"), source=source)
    assert (answer.get("Require"), answer.get("Supported")) == (kept, "gin, outbound, path")


@pytest.mark.parametrize(
    ("contact", "status"), [("<sip:10.0.0.5:5060;bnc>", 200), ("<sip:pbx@10.0.0.5:5060;bnc>", 400)]
)
def test_a_pbx_registers_all_its_numbers_at_once(contact: str, status: int) -> None:
    """RFC 6140 §5.1."""
    answer, out = register(fresh(), contact, ("Require", "gin"))
    assert answer.status == status
    if status == 200:
        assert told(out) == [("sip:10.0.0.5:5060;bnc", PBX)]


def test_proxies_on_the_way_are_passed_on_the_way_back() -> None:
    """RFC 3327 §5.3, §5.4: what was registered through an edge is dialled through it, and asked through it too."""
    endpoint = fresh()
    answer, out = register(endpoint, CONTACT, ("Path", "<sip:edge.example;lr>, <sip:far.example;lr>"))
    assert [answer.values("Path"), answer.get("Supported")] == [
        ["<sip:edge.example;lr>", "<sip:far.example;lr>"],
        "gin, outbound, path",
    ]
    (registered,) = out
    assert isinstance(registered, Registered)
    (binding,) = registered.bindings
    routes = ["<sip:edge.example;lr>", "<sip:far.example;lr>"]
    assert list(binding.routes) == routes
    way = {"trunk": "office", "routes": binding.routes}
    (invite,) = requests(endpoint.dial("out", "sip:1@10.0.0.5", PBX, "600", n.OFFER_A, 1.0, **way))  # type: ignore[arg-type]
    (options,) = requests(endpoint.ask("ping", "office", "OPTIONS", binding.uri, PBX, 1.0, routes=binding.routes))
    assert invite.values("Route") == options.values("Route") == routes


# --- connections ----------------------------------------------------------------------------------------------------


def test_a_connection_lives_as_long_as_somebody_is_dialled_by_it() -> None:
    endpoint = fresh()
    register(endpoint, f"{CONTACT};expires=120", source=TCP)
    endpoint.wake(60.0)
    assert endpoint.living(60.0) == {TCP}
    assert endpoint.living(120.0) == set()


def test_who_was_heard_by_a_connection_is_called_by_it_and_gone_with_it() -> None:
    """Behind a NAT there is no other way (RFC 5626 §5.3): what is asked fails at once."""
    endpoint = fresh()
    register(endpoint, CONTACT, source=TCP)
    (sent,) = endpoint.dial("out", "sip:1@10.0.0.5:5060", TCP, "600", n.OFFER_A, 1.0, trunk="office")
    assert isinstance(sent, Transmit)
    assert (sent.destination, sent.otherwise) == (TCP, None)
    out = endpoint.disconnected(TCP, [], 2.0)
    assert out == [CallFailed("out", 503, "cannot be sent"), Registered("office", (), lost=True)]
    assert endpoint.disconnected(TCP, [], 3.0) == []


def test_who_can_be_connected_to_where_it_is_heard_outlives_its_connection() -> None:
    """A PBX in the same network: its Contact is where it listens."""
    endpoint = fresh()
    _, out = register(endpoint, f"<sip:pbx@{TCP.host}:5070;transport=tcp>", source=TCP)
    assert told(out) == [(f"sip:pbx@{TCP.host}:5070;transport=tcp", TCP)]
    (sent,) = endpoint.ask("ping", "office", "OPTIONS", f"sip:pbx@{TCP.host}:5070;transport=tcp", TCP, 1.0)
    assert isinstance(sent, Transmit)
    assert sent.otherwise == Address(TCP.host, 5070, "tcp")
    out = endpoint.disconnected(TCP, [], 2.0)
    assert [type(each) for each in out] == [Transmit]  # the question goes by a new one


@pytest.mark.parametrize(
    "contact", ["<sip:pbx@198.51.100.66:5070;transport=tcp>", "<sip:pbx@203.0.113.7;transport=tls>"]
)
def test_nobody_has_us_connect_to_others(contact: str) -> None:
    endpoint = fresh()
    register(endpoint, contact, source=TCP)
    (sent,) = endpoint.ask("ping", "office", "OPTIONS", contact.strip("<>"), TCP, 1.0)
    assert isinstance(sent, Transmit)
    assert sent.otherwise is None


def test_what_was_bound_is_bound_after_a_restart() -> None:
    first = fresh()
    _, out = register(first, CONTACT, cseq=10)
    (registered,) = out
    assert isinstance(registered, Registered)
    second = n.endpoint(n.A, life=1)
    second.set_trunks({"office": TrunkSettings(guest=ALICE)})
    second.bind("office", registered.bindings)
    second.bind("stranger", registered.bindings)
    answer, _ = register(second, None, now=100.0, call_id="ask")
    assert answer.get("Contact") == f"{CONTACT};expires=500"
    answer, _ = register(second, CONTACT, now=101.0, cseq=4)
    assert answer.status == 500  # in its order, as before
    assert second.whose(PBX.host, ()) == ("office", "")


def test_a_call_to_a_guest_is_cancelled_by_its_flow() -> None:
    endpoint = fresh()
    register(endpoint, CONTACT, source=TCP)
    (invite,) = requests(endpoint.dial("out", "sip:1@10.0.0.5", TCP, "600", n.OFFER_A, 1.0, trunk="office"))
    reply(endpoint, invite, 180, source=TCP)
    (cancel,) = endpoint.hang_up("out", 1.5)
    assert isinstance(cancel, Transmit)
    assert (cancel.destination, cancel.otherwise) == (TCP, None)


def test_what_a_guest_is_asked_is_answered() -> None:
    endpoint = fresh()
    register(endpoint, CONTACT)
    (options,) = requests(endpoint.ask("ping", "office", "OPTIONS", "sip:pbx@10.0.0.5:5060", PBX, 1.0))
    assert isinstance(options, Request)
    (replied,) = events(reply(endpoint, options, 404, source=PBX, now=1.1))
    assert isinstance(replied, Replied)
    assert (replied.status, replied.source) == (404, PBX)
