"""What a call of ours says of who calls and where it is to be reached, and what is told of a 3xx."""

from __future__ import annotations

import pytest
from cordboard.sip.digest import Account
from cordboard.sip.endpoint import TrunkSettings
from cordboard.sip.events import CallAnswered, CallFailed
from cordboard.sip.message import LocalSipError

from . import net as n
from .asking import ALICE, TLS, dial, known
from .far import PROXY, Scripted, answered, events, reply, requests, responses


def test_a_redirect_is_told_where_it_stays_with_the_trunk() -> None:
    endpoint = known()
    contacts = (
        "<sip:+86139@evil.example>",
        "<sip:+86900@192.0.2.9:5070>;q=0.4",
        "<sip:+86139@Proxy.Carrier.Example.>;q=0.8",
        "<tel:+8613900000000>",
        "<sip:+86139@192.0.2.10>",  # another trunk
    )
    outputs = reply(endpoint, dial(endpoint), 302, *(("Contact", each) for each in contacts))
    (failed,) = events(outputs)
    assert failed == CallFailed(
        "out", 302, "Moved Temporarily", None, ("sip:+86139@Proxy.Carrier.Example.", "sip:+86900@192.0.2.9:5070")
    )
    assert endpoint.counters["redirect elsewhere"] == 3


@pytest.mark.parametrize(("uri", "kept"), [("sips:1@192.0.2.9", 1), ("sip:1@192.0.2.9", 2)])
def test_who_asked_for_a_secure_uri_is_sent_on_to_no_other(uri: str, kept: int) -> None:
    """RFC 3261 §8.1.3.4."""
    endpoint = known()
    (invite,) = requests(endpoint.dial("out", uri, TLS, "1001", n.OFFER_A, 0.0, trunk="carrier"))
    contacts = ("Contact", "<sips:2@192.0.2.9>;q=0.1, <sip:3@192.0.2.9;transport=tls>;q=0.9")
    failed = events(reply(endpoint, invite, 302, contacts, source=TLS))[-1]
    assert isinstance(failed, CallFailed)
    assert len(failed.redirects) == kept
    assert failed.redirects[-1] == "sips:2@192.0.2.9"


def test_early_media_is_of_whoever_answers_in_the_end() -> None:
    endpoint = known()
    invite = dial(endpoint)
    kind = ("Content-Type", "application/sdp")
    first, second = n.answer_to(n.OFFER_A, "192.0.2.20"), n.answer_to(n.OFFER_A, "192.0.2.21")
    for tag, answer in (("x", first), ("y", second)):
        outputs = reply(endpoint, invite, 183, kind, body=bytes(answer), tag=tag)
        assert [getattr(each, "answer", None) for each in events(outputs)] == [answer]
    kept = endpoint.snapshot("out")
    assert kept is not None
    endpoint = known()
    endpoint.restore(kept, 1.0)
    outputs = reply(endpoint, invite, 200, ("Contact", "<sip:gw@192.0.2.9>"), tag="x", now=1.1)
    assert events(outputs) == [CallAnswered("out", first)]


@pytest.mark.parametrize(
    ("caller", "trusted", "from_uri", "asserted", "privacy"),
    [
        ("1001", True, "sip:1001@192.0.2.1", "<sip:+8610@192.0.2.1>", None),
        ("1001", False, "sip:1001@192.0.2.1", None, None),
        (None, True, "sip:anonymous@anonymous.invalid", "<sip:+8610@192.0.2.1>", "id"),
        (None, False, "sip:anonymous@anonymous.invalid", None, "id"),
    ],
)
def test_who_calls_is_told_to_whom_it_may_be_told(
    caller: str | None, trusted: bool, from_uri: str, asserted: str | None, privacy: str | None
) -> None:
    endpoint = known(trusted=trusted)
    invite = dial(endpoint, caller, asserted="+8610", routes=("<sip:192.0.2.9;lr>",))
    assert invite.from_.uri == from_uri
    assert (invite.get("P-Asserted-Identity"), invite.get("Privacy")) == (asserted, privacy)
    assert invite.values("Route") == ["<sip:192.0.2.9;lr>"]


@pytest.mark.parametrize(("registers", "home"), [(True, "carrier.example"), (False, "192.0.2.1")])
def test_where_we_are_registered_we_call_from_that_domain(registers: bool, home: str) -> None:
    """The address of record that was registered, not where it leads (RFC 3261 §10, §20.20)."""
    endpoint = n.endpoint(n.A)
    endpoint.set_trunks({"carrier": TrunkSettings(("192.0.2.0/24",), trusted=True, registers=registers)})
    uri, now = "sip:+86139@carrier.example", 0.0
    outputs = endpoint.dial("out", uri, PROXY, "+8610", n.OFFER_A, now, trunk="carrier", asserted="+8610")
    (invite,) = requests(outputs)
    assert invite.from_.uri == f"sip:+8610@{home}"
    assert invite.get("P-Asserted-Identity") == f"<sip:+8610@{home}>"
    assert invite.get("Contact") == "<sip:+8610@192.0.2.1:5060>"


# --- our Contact in a call ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("account", "registers", "caller", "user"),
    [
        # some carriers want to see the Contact that they have registered
        (ALICE, True, "+8610", "alice"),
        (Account("Grüße 1#", "secret"), True, "+8610", "Gr%C3%BC%C3%9Fe%201%23"),
        (ALICE, False, "+8610", "+8610"),
        (None, True, "+8610", "+8610"),
        # who is withheld in From is not shown beside it
        (ALICE, True, None, "anonymous"),
        (ALICE, False, None, "anonymous"),
    ],
)
def test_our_contact_names_us_as_the_far_side_knows_us(
    account: Account | None, registers: bool, caller: str | None, user: str
) -> None:
    endpoint = n.endpoint(n.A)
    endpoint.set_trunks({"carrier": TrunkSettings(("192.0.2.0/24",), account=account, registers=registers)})
    outputs = endpoint.dial("out", "sip:600@192.0.2.9", PROXY, caller, n.OFFER_A, 0.0, trunk="carrier")
    (invite,) = requests(outputs)
    assert invite.get("Contact") == f"<sip:{user}@192.0.2.1:5060>"
    answered(endpoint, invite)
    (reinvite,) = requests(endpoint.reoffer("out", n.OFFER_B, 1.0))
    assert reinvite.get("Contact") == invite.get("Contact")


@pytest.mark.parametrize(
    ("to", "user"),
    [
        ("<sip:+861055501000@192.0.2.1>", "+861055501000@"),
        ("<tel:+861055501000>", "+861055501000@"),
        ("<sip:a%0d%0ab@192.0.2.1>", "a%EF%BF%BD%EF%BF%BDb@"),
        ("<sip:192.0.2.1>", ""),
        ("<mailto:a@b>", ""),
    ],
)
def test_our_contact_is_whom_they_call(to: str, user: str) -> None:
    endpoint = n.endpoint(n.A)
    far = Scripted(endpoint, dialled=False, to=to, acknowledges=False)
    (ok,) = responses(far.answered)
    assert ok.get("Contact") == f"<sip:{user}192.0.2.1:5060>"


@pytest.mark.parametrize(
    "options",
    [
        {"asserted": "1>\r\nX: y"},
        {"caller": '1" <sip:x'},
        {"routes": ("<sip:x\r\nX: y>",)},
        {"routes": ("sip:",)},
    ],
)
def test_no_line_break_or_markup_becomes_a_header(options: dict[str, object]) -> None:
    with pytest.raises(LocalSipError):
        dial(known(trusted=True), **options)  # type: ignore[arg-type]
    named = dial(known(), caller_name='<b>"L"\r\nX: y')
    assert named.from_.name == '<b>"L"\ufffd\ufffdX: y'
    assert named.get("X") is None
