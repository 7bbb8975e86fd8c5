"""SRTP by row: RFC 3711's and RFC 7714's own examples of a key cut, and what is dropped under which name."""

import pytest
from cordboard.switch import srtp
from pylibsrtp import Policy, Session

from .webrtc_peer import Sealing, rtp


def material(profile: srtp.Profile) -> srtp.SrtpKeys:
    return srtp.keys(profile, bytes(range(profile.material_length)))


def browser(cut: srtp.SrtpKeys) -> tuple[Session, Session]:
    kind = cut.profile.policy
    return (
        Session(Policy(cut.client, Policy.SSRC_ANY_OUTBOUND, 0, kind)),
        Session(Policy(cut.server, Policy.SSRC_ANY_INBOUND, 0, kind)),
    )


@pytest.fixture(params=srtp.PROFILES.values(), ids=lambda profile: profile.name)
def profile(request: pytest.FixtureRequest) -> srtp.Profile:
    found: srtp.Profile = request.param
    return found


def test_material_is_cut_in_the_order_of_rfc_5764() -> None:
    cut = srtp.keys(srtp.PROFILES["SRTP_AES128_CM_SHA1_80"], b"C" * 16 + b"S" * 16 + b"c" * 14 + b"s" * 14)
    assert cut.client == b"C" * 16 + b"c" * 14
    assert cut.server == b"S" * 16 + b"s" * 14
    assert srtp.PROFILES["SRTP_AES128_CM_SHA1_80"].material_length == 60
    assert srtp.PROFILES["SRTP_AEAD_AES_128_GCM"].material_length == 56


def test_both_ways_for_several_rows(profile: srtp.Profile) -> None:
    ours = Sealing()
    ours.open(3, material(profile))
    ours.open(5, material(profile))
    out, back = browser(material(profile))
    assert ours.unprotect([(3, out.protect(rtp(1))), (5, out.protect(rtp(2)))]) == [rtp(1), rtp(2)]
    [sealed] = ours.protect([(3, rtp(9))])
    assert back.unprotect(sealed) == rtp(9)
    report = bytes.fromhex("80c90001 00001234".replace(" ", ""))
    assert ours.unprotect([(3, out.protect_rtcp(report))], rtcp=True) == [report]
    [sealed] = ours.protect([(5, report)], rtcp=True)
    assert back.unprotect_rtcp(sealed) == report
    assert ours.counters == {}


def test_what_is_dropped_is_counted(profile: srtp.Profile) -> None:
    ours = Sealing()
    out, _ = browser(material(profile))
    sealed = out.protect(rtp(1))
    assert ours.unprotect([(0, sealed)]) == [None]
    ours.open(0, material(profile))
    stranger, _ = browser(srtp.keys(profile, bytes(profile.material_length)))
    other = out.protect(rtp(3))
    forged = [stranger.protect(rtp(2)), bytes(1501), bytes(12), other[:-1], other[:12] + other[-9:]]
    packets = [(0, sealed), (0, sealed), *((0, one) for one in forged)]
    assert ours.unprotect(packets) == [rtp(1), *[None] * 6]
    assert ours.protect([(0, rtp(1)), (0, rtp(1)), (7, rtp(1))])[1:] == []
    ours.close(0)
    assert ours.unprotect([(0, sealed)], rtcp=True) == [None]
    assert ours.counters == {
        "srtp_no_keys": 2,
        "srtp_replayed": 1,
        "srtp_unauthentic": 5,
        "srtp_unsent_refused": 1,
        "srtp_unsent_no_keys": 1,
    }


def test_a_page_cannot_fill_memory_with_ssrcs(profile: srtp.Profile) -> None:
    ours = Sealing()
    ours.open(0, material(profile))
    out, _ = browser(material(profile))
    packets = [(0, out.protect(rtp(1, ssrc=100 + i))) for i in range(srtp.MAX_SSRCS + 2)]
    assert sum(plain is not None for plain in ours.unprotect(packets)) == srtp.MAX_SSRCS
    assert ours.counters == {"srtp_too_many_ssrcs": 2}
    assert ours.unprotect([(0, out.protect(rtp(2, ssrc=100)))]) == [rtp(2, ssrc=100)]
