"""A PBX by UDP behind a NAT that gives it another port, or the router another address, in the middle of a call: what we
ask goes where it was heard last (RFC 3581 §1)."""

from __future__ import annotations

import pytest
from attrs import evolve
from cordboard.sip.endpoint import Endpoint, TrunkSettings
from cordboard.sip.events import CallAnswered, IncomingCall
from cordboard.sip.message import Address

from . import net as n
from .far import SDP_TYPE, reply, requests, responses
from .hops import asks
from .test_guests import ALICE, PBX, SDP, build, enter, fresh
from .test_registrar import CONTACT, INSTANCE, register
from .test_restart import packed, unpacked

MOVED = Address(PBX.host, 41000)
# The router has another address too, as after the night
AWAY = Address("203.0.113.99", 42000)


def bring(endpoint: Endpoint, now: float = 0.0, source: Address = PBX, **more: str) -> str:
    """It has brought a call, that is up."""
    (incoming,) = [
        each
        for each in enter(endpoint, "INVITE", now=now, source=source, body=SDP, **more)
        if isinstance(each, IncomingCall)
    ]
    tag = responses(endpoint.answer(incoming.call, n.OFFER_B, now))[0].to.tag or ""
    endpoint.receive(build("ACK", cseq=2, branch="ack", tag=tag, **more), source, now)
    return incoming.call


def goes_to(endpoint: Endpoint, call: str, now: float) -> list[Address]:
    return [at for _, at in asks(endpoint.hang_up(call, now), "BYE")]


@pytest.mark.parametrize("contact", [CONTACT, f"{CONTACT}{INSTANCE};reg-id=1"])
@pytest.mark.parametrize("to", [MOVED, AWAY])
def test_it_registers_from_another_port(contact: str, to: Address) -> None:
    endpoint = fresh()
    register(endpoint, contact)
    call = bring(endpoint, 1.0)
    register(endpoint, contact, now=60.0, cseq=10, source=to)
    assert [at for _, at in asks(endpoint.reoffer(call, n.OFFER_A, 61.0), "INVITE")] == [to]
    assert goes_to(endpoint, call, 62.0) == [to]
    assert endpoint.counters["moved behind its NAT"] == 1


def test_one_that_says_in_its_contact_what_its_router_makes_of_it_is_the_same_one() -> None:
    """By the Call-ID of its registration, for it has learnt the other port from our answer (`rport`)."""
    endpoint = fresh()
    register(endpoint, f"<sip:pbx@{PBX}>")
    call = bring(endpoint, 1.0, contact=f"<sip:pbx@{PBX}>")
    register(endpoint, f"<sip:pbx@{MOVED}>", now=60.0, cseq=10, source=MOVED)
    assert goes_to(endpoint, call, 62.0) == [MOVED]


def test_a_call_that_we_made_is_refreshed_and_ended_there_too() -> None:
    endpoint = fresh()
    register(endpoint, CONTACT)
    (invite,) = requests(endpoint.dial("out", "sip:1@10.0.0.5", PBX, "600", n.OFFER_A, 1.0, trunk="office"))
    rows = ("Contact", CONTACT), SDP_TYPE
    out = reply(endpoint, invite, 200, *rows, source=PBX, body=bytes(n.answer_to(n.OFFER_A)), now=1.1)
    assert any(isinstance(each, CallAnswered) for each in out)
    register(endpoint, CONTACT, now=60.0, cseq=10, source=MOVED)
    # its 200 comes again after all: the ACK goes there
    out = reply(endpoint, invite, 200, *rows, source=MOVED, body=bytes(n.answer_to(n.OFFER_A)), now=60.1)
    assert [at for _, at in asks(out, "ACK")] == [MOVED]
    assert goes_to(endpoint, "out", 62.0) == [MOVED]


def test_it_rings_as_its_port_changes_and_is_cancelled_where_it_is() -> None:
    endpoint = fresh()
    register(endpoint, CONTACT)
    (invite,) = requests(endpoint.dial("out", "sip:1@10.0.0.5:5060", PBX, "600", n.OFFER_A, 1.0, trunk="office"))
    reply(endpoint, invite, 180, ("Contact", CONTACT), source=PBX, now=1.1)
    register(endpoint, CONTACT, now=10.0, cseq=10, source=MOVED)
    assert [at for _, at in asks(endpoint.hang_up("out", 11.0), "CANCEL")] == [MOVED]


def test_a_bye_that_nobody_has_answered_goes_after_it() -> None:
    endpoint = fresh()
    register(endpoint, CONTACT)
    call = bring(endpoint, 1.0)
    assert goes_to(endpoint, call, 2.0) == [PBX]
    register(endpoint, CONTACT, now=2.2, cseq=10, source=MOVED)
    ((bye, at),) = asks(endpoint.wake(2.5), "BYE")
    assert at == MOVED
    reply(endpoint, bye, 200, source=MOVED, now=2.6)
    assert asks(endpoint.wake(20.0), "BYE") == []


def test_another_call_of_it_says_where_it_is() -> None:
    """One that does not register, or not yet."""
    endpoint = fresh()
    first = bring(endpoint)
    second = bring(endpoint, 60.0, MOVED, call_id="second")
    assert goes_to(endpoint, first, 61.0) == goes_to(endpoint, second, 61.0) == [MOVED]


def test_its_ack_says_where_it_is() -> None:
    endpoint = fresh()
    incoming = enter(endpoint, "INVITE", body=SDP)[-1]
    assert isinstance(incoming, IncomingCall)
    tag = responses(endpoint.answer(incoming.call, n.OFFER_B, 0.1))[0].to.tag or ""
    endpoint.receive(build("ACK", cseq=2, branch="ack", tag=tag), MOVED, 0.2)
    assert goes_to(endpoint, incoming.call, 1.0) == [MOVED]


def test_what_it_says_in_a_call_after_it_has_registered_is_newer() -> None:
    endpoint = fresh()
    register(endpoint, CONTACT)
    call = bring(endpoint, 1.0)
    register(endpoint, CONTACT, now=60.0, cseq=10, source=MOVED)
    tag = endpoint._calls[call].tag
    third = evolve(MOVED, port=43000)
    endpoint.receive(build("UPDATE", cseq=3, tag=tag), third, 61.0)
    assert goes_to(endpoint, call, 62.0) == [third]


def test_a_port_that_comes_back_is_followed_too() -> None:
    endpoint = fresh()
    call = bring(endpoint)
    endpoint.receive(build("UPDATE", cseq=3, tag=endpoint._calls[call].tag), MOVED, 10.0)
    bring(endpoint, 60.0, call_id="second")
    assert goes_to(endpoint, call, 61.0) == [PBX]


def test_another_pbx_of_the_same_account_moves_nothing_of_it() -> None:
    """In another office, that has the same addresses inside; or behind the same router, with another one."""
    endpoint = fresh()
    register(endpoint, CONTACT)
    call = bring(endpoint, 1.0)
    register(endpoint, CONTACT, now=10.0, call_id="another", source=AWAY)
    register(endpoint, "<sip:pbx@10.0.0.6:5060>", now=11.0, call_id="third", source=MOVED)
    bring(endpoint, 12.0, AWAY, call_id="fourth")
    bring(endpoint, 13.0, MOVED, call_id="fifth", contact="<sip:pbx@10.0.0.6:5060>")
    assert goes_to(endpoint, call, 62.0) == [PBX]


def test_one_that_registers_where_it_always_was_leaves_a_call_where_that_is_heard() -> None:
    """Its calls come by another socket than its registration."""
    endpoint = fresh()
    register(endpoint, CONTACT)
    call = bring(endpoint, 1.0, MOVED, contact="<sip:pbx@10.0.0.5:5070>")
    register(endpoint, CONTACT, now=60.0, cseq=10)
    assert goes_to(endpoint, call, 62.0) == [MOVED]


def test_a_trunk_of_a_known_address_behind_a_nat_follows_its_calls_too() -> None:
    for nat, to in ((True, MOVED), (False, Address("10.0.0.5", 5060))):
        endpoint = n.endpoint(n.A)
        endpoint.set_trunks({"office": TrunkSettings((PBX.host,), nat=nat)})
        incoming = endpoint.receive(build(body=SDP), PBX, 0.0)[-1]
        assert isinstance(incoming, IncomingCall)
        tag = responses(endpoint.answer(incoming.call, n.OFFER_B, 0.1))[0].to.tag or ""
        endpoint.receive(build("ACK", branch="ack", tag=tag), PBX, 0.2)
        endpoint.receive(build(body=SDP, call_id="second"), MOVED, 60.0)
        assert goes_to(endpoint, incoming.call, 61.0) == [to]


def test_after_a_restart_it_is_followed_from_where_it_was() -> None:
    before = fresh()
    register(before, CONTACT)
    call = bring(before, 1.0)
    kept = before.snapshot(call)
    assert kept is not None
    endpoint = n.endpoint(n.A, life=1)
    endpoint.set_trunks({"office": TrunkSettings(guest=ALICE)})
    endpoint.bind("office", before._registrar.told("office").bindings)
    endpoint.restore(unpacked(packed(kept)), 2.0)
    register(endpoint, CONTACT, now=60.0, cseq=10, source=AWAY)
    after = endpoint.snapshot(call)
    assert after is not None
    assert after.dialog is not None
    assert after.dialog.peer == AWAY, "and that is kept"
    assert goes_to(endpoint, call, 62.0) == [AWAY]


def test_not_all_contacts_are_remembered() -> None:
    endpoint = n.endpoint(n.A)
    endpoint.set_trunks({"office": TrunkSettings((PBX.host,), nat=True)})
    for port in range(1, 1200):
        endpoint._heard_from("office", f"sip:pbx@10.0.0.5:{port}", PBX)
    assert len(endpoint._heard_at) == 1000
