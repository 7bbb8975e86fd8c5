"""Pseudonyms: nothing private is left, and everything that an actor can see of it is as it was."""

from __future__ import annotations

import ipaddress
from random import Random

import pytest
from attrs import frozen
from cordboard.actors import gate, values
from cordboard.actors.organisation import Organisation, parse_organisation
from cordboard.actors.veil import Veil
from cordboard.sip import sdp
from cordboard.switch import protocol as media
from hypothesis import given
from hypothesis import strategies as st

from ..sip.test_sdp import CHROMIUM, FIREFOX, OURS, TRUNK

NUMBERS = """
[[queue]]
id = "support"
[[number]]
number = "+861055501000"
route = "queue:support"
[[number]]
pattern = "\\\\+8610666\\\\d{5}"
route = "echo"
[[number]]
pattern = "7\\\\d\\\\d"
route = "room"
"""
DIALLING = """
[[trunk]]
id = "carrier"
proxy = "sip:192.0.2.1"
[[dialling]]
allow = "+86139"
"""
CATCH_ALL = '[[number]]\npattern = ".*"\nroute = "hold"\n'


def veil(*texts: str) -> Veil:
    return Veil([parse_organisation(text) for text in texts], Random(1))


def test_every_field_that_can_hold_text_is_private_or_ours() -> None:
    values.packer(veil())


def test_a_field_that_nobody_thought_of_is_refused() -> None:
    @frozen
    class New:
        thing: str

    with pytest.raises(TypeError, match=r"veil\.py whether .*New\.thing is private"):
        veil()(New, "thing")


def test_keys_that_were_pressed_leave_only_how_many_there_were() -> None:
    for kind, field, key in ((media.DigitPressed, "digit", "7"), (media.SendDigits, "digits", "#")):
        veiled = veil()(kind, field)
        assert veiled is not None
        assert veiled(key) == "0"
    assert veil().keys("4111") == "0000"


@pytest.mark.parametrize("number", ["", "701", "1001", "+861055501000", "00861055501000", "01055501000", "*21#"])
def test_what_is_ours_or_short_stays(number: str) -> None:
    assert veil(NUMBERS).number(number) == number


@pytest.mark.parametrize(
    "number", ["+8613912345678", "13912345678", "008613912345678", "alice.wang", "王小明", "+86106661"]
)
@pytest.mark.parametrize("organisation", [NUMBERS, CATCH_ALL, NUMBERS + CATCH_ALL])
def test_a_strangers_number_is_another_that_leads_to_the_same_place(number: str, organisation: str) -> None:
    made, known = veil(organisation), parse_organisation(organisation)
    other = made.number(number)
    assert other != number
    assert len(other) == len(number)
    assert made.number(number) == other
    assert known.route(other) == known.route(number)
    assert other.startswith("+") == number.startswith("+")
    if number[-1].isdigit():
        assert other[-2:] == number[-2:], "as in the log"


@pytest.mark.parametrize("writing", ["13912345678", "008613912345678", "+86 139-1234-5678", "(139)1234.5678"])
@pytest.mark.parametrize("organisation", [NUMBERS, DIALLING])
def test_a_number_in_another_writing_is_the_same_other_number(writing: str, organisation: str) -> None:
    """... and is dialled alike: what the gate makes of it is veiled as what it makes of the pseudonym."""
    made, known = veil(organisation), parse_organisation(organisation)
    other = made.number(writing)
    assert other != writing
    passed, veiled = gate.read(writing, "CN"), gate.read(other, "CN")
    assert passed is not None
    assert veiled is not None
    assert made.number(passed.number) == veiled.number
    assert gate.sights(known, other) == gate.sights(known, writing)


def test_a_pattern_of_ours_keeps_what_it_names_and_no_more() -> None:
    made = veil(NUMBERS).number("+861066612345")
    assert made.startswith("+8610666")
    assert made != "+861066612345"
    only = '[[number]]\npattern = "alice|bob"\nroute = "echo"\n'
    assert {veil(only).number("alice"), veil(only).number("bob")} == {"alice", "bob"}


def test_a_number_leads_to_the_same_place_in_both_organisations() -> None:
    before, after = NUMBERS, '[[number]]\npattern = "\\\\+86139.*"\nroute = "tone:440"\n'
    other = veil(before, after).number("+8613912345678")
    assert other != "+8613912345678"
    assert parse_organisation(before).route(other) is None
    assert parse_organisation(after).route(other) is not None


def test_no_two_share_a_pseudonym() -> None:
    made = veil(NUMBERS)
    numbers = {made.number(f"1390{last:04d}") for last in range(3000)}
    names = {made.name(f"{each}") for each in range(100)}
    addresses = {made.address(f"8.8.{a}.{b}") for a in range(10) for b in range(10)}
    assert (len(numbers), len(names), len(addresses)) == (3000, 100, 100)


def test_numbers_are_found_in_words() -> None:
    made = veil(NUMBERS)
    other = made.number("13912345678")
    assert made.text("no way to 13912345678, try 701") == f"no way to {other}, try 701"


@given(st.ip_addresses())
def test_an_address_is_as_local_as_it_was(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    made = veil()
    other = ipaddress.ip_address(made.address(str(ip)))
    assert other.version == ip.version
    for what in ("is_unspecified", "is_loopback", "is_multicast"):
        assert getattr(other, what) == getattr(ip, what)
    assert made.address(str(ip)) == str(other)


@pytest.mark.parametrize("text", ["198.51.100.7", "2001:db8::7", "2001:DB8::7", "::ffff:198.51.100.7", "pbx.example"])
def test_an_address_is_another_in_the_same_form(text: str) -> None:
    made = veil()
    other = made.address(text)
    assert other != text
    assert "198.51.100.7" not in other
    if text != "pbx.example":
        ip, drawn = ipaddress.ip_address(text), ipaddress.ip_address(other)
        assert made.address(str(ip)) == str(drawn) == other
        mapped = [each.ipv4_mapped for each in (ip, drawn) if isinstance(each, ipaddress.IPv6Address)]
        if any(mapped):
            assert made.address(str(mapped[0])) == str(mapped[1])


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.1", "::", "::1"])
def test_this_machine_and_nowhere_stay(address: str) -> None:
    assert veil().address(address) == address


# --- descriptions -------------------------------------------------------------------------------------------------

PLAIN = values.packer()


def read(text: str) -> bytes:
    """What the parser makes of it, or why it does not."""
    try:
        return PLAIN.pack(sdp.parse(text.encode()))
    except sdp.SdpError as error:
        return f"{error.status} {error}".encode()


def veiled(made: Veil, text: str) -> bytes:
    """What should come of the veiled text: what came of the text, veiled."""
    try:
        return values.packer(made).pack(sdp.parse(text.encode()))
    except sdp.SdpError as error:
        return f"{error.status} {error}".encode()


def private(text: str) -> list[str]:
    """The values in it that are nobody's business."""
    begins = ("a=ice-pwd:", "a=fingerprint:sha-256 ", "a=msid:", "a=crypto:")
    return [line[len(begin) :] for line in text.split("\n") for begin in begins if line.startswith(begin)]


LINES = sorted(
    {
        *CHROMIUM.decode().split("\n"), *FIREFOX.decode().split("\n"), *TRUNK.decode().split("\n"), "", "\r", "x", "a=",
        "a=ice-pwd:", "a=ice-pwd:short", "a=ice-pwd:" + "x" * 300, "a=fingerprint:sha-256 AB", "a=ice-ufrag:", "o=bad",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0", "i=a person", "p=+8613912345678", "k=clear:secret", "v=1",
        "c=IN IP4 198.51.100.300", "c=IN IP4 224.2.36.42/127", "c=IN IP6 2001:db8::9", "c=bad", "m=bad", "a=mid:é",
        "a=candidate:1 1 udp 1 192.0.2.1 99999 typ host", "a=candidate:nonsense", "s=A person's telephone",
        "o=alice 1 1 IN IP4 host.example", "o=alice 1 1 IN IP4 a_b", "a=group:BUNDLE é",
    }
)  # fmt: skip


@given(st.lists(st.sampled_from(LINES), max_size=12), st.sampled_from([CHROMIUM, FIREFOX, TRUNK]), st.data())
def test_a_description_is_read_as_it_was(extra: list[str], base: bytes, data: st.DataObject) -> None:
    lines = base.decode().split("\n")
    for line in extra:
        at = data.draw(st.integers(0, len(lines)))
        if data.draw(st.booleans()):
            lines.insert(at, line)
        else:
            lines[at : at + 1] = [line]
    text = data.draw(st.sampled_from(["\n", "\r\n"])).join(lines)
    made = veil()
    hidden = made.description(text)
    assert read(hidden) == veiled(made, text)
    assert [each for each in private(text) if len(each) > 8 and each in hidden] == []


@pytest.mark.parametrize("text", ["x" * 40_000, "\ud800", CHROMIUM.decode() + "a=x\r\n" * 1100])
def test_what_is_too_long_or_no_text_still_is(text: str) -> None:
    made = veil()
    if "\ud800" in text:
        with pytest.raises(UnicodeEncodeError):
            made.description(text).encode()
    else:
        assert read(made.description(text)) == read(text)


@pytest.mark.parametrize("offer", [CHROMIUM, FIREFOX])
def test_our_answer_to_a_veiled_offer_is_the_veiled_answer(offer: bytes) -> None:
    made = veil()

    def answer(text: bytes, pwd: str, digest: str, address: str) -> str:
        theirs = sdp.parse(text)
        ours = sdp.answer_webrtc(
            theirs,
            sdp.negotiate_webrtc(theirs),
            ice_ufrag="ours",
            ice_pwd=pwd,
            fingerprint=sdp.Fingerprint("sha-256", digest),
            candidates=[(address, 20000)],
            session_id=7,
        )
        return bytes(ours).decode()

    real = answer(offer, "q" * 24, OURS.digest, "203.0.113.5")
    again = answer(
        made.description(offer.decode()).encode(),
        made.secret("q" * 24),
        made.digest(OURS.digest),
        made.address("203.0.113.5"),
    )
    assert made.description(real) == again
    assert "203.0.113.5" not in again


def test_what_nothing_depends_on_is_blank() -> None:
    text = '[[agent]]\nid = "1001"\nname = "Lin"\npassword = "harbour"\n[[window]]\nname = "CRM"\nurl = "https://crm.example/?key=1"\n'
    packed = values.packer(veil()).pack(parse_organisation(text))
    for secret in (b"Lin", b"harbour", b"crm.example"):
        assert secret not in packed
    assert isinstance(PLAIN.unpack(packed), Organisation)
