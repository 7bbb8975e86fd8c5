"""SIP over TLS on the loopback: whom we believe, what is shown, and that all else is as by TCP."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path

import pytest
import trio
import trio.testing
from attrs import evolve
from cordboard.sip import sdp
from cordboard.sip.connections import QUIET
from cordboard.sip.dialog import Dialog
from cordboard.sip.endpoint import TrunkSettings
from cordboard.sip.events import (
    CallAnswered,
    CallConfirmed,
    CallEnded,
    CallFailed,
    IncomingCall,
    Refused,
    Transmit,
    Unconnected,
)
from cordboard.sip.message import Address, Request, Response, Via, reply_otherwise
from cordboard.sip.tcp import HANDSHAKE_TIMEOUT
from cordboard.sip.tls import Tls
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from . import net as n
from .test_transport import Peer, a_call, closed, with_peers

LOOPBACK = ("127.0.0.1", "::1")


def _general(name: str) -> x509.GeneralName:
    return x509.DNSName(name) if name.endswith(".example") else x509.IPAddress(ip_address(name))


def _self_signed(key: ec.EllipticCurvePrivateKey, names: tuple[str, ...], now: datetime) -> x509.Certificate:
    """Good from the day before to the day after."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "carrier")])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    general = [_general(each) for each in names]
    return made.add_extension(x509.SubjectAlternativeName(general), critical=False).sign(key, hashes.SHA256())


class Office:
    """Makes certificates, which are each their own authority."""

    def __init__(self, folder: Path, days: int = 0) -> None:
        """`days` from now is when it makes them."""
        self._folder = folder
        self._now = datetime.now(UTC) + timedelta(days=days)

    def certificate(self, *names: str) -> tuple[str, str]:
        """The files of the one for these names: certificate and key."""
        stem = "-".join(names).replace(":", "_")
        certificate, key = self._folder / f"{stem}.crt", self._folder / f"{stem}.key"
        if not key.exists():
            private = ec.generate_private_key(ec.SECP256R1())
            pem = Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            certificate.write_bytes(_self_signed(private, names, self._now).public_bytes(Encoding.PEM))
            key.write_bytes(private.private_bytes(*pem))
        return str(certificate), str(key)

    def tls(self, *names: str, believes: str = "") -> Tls:
        """Shows a certificate for these names, and believes `believes`, or itself."""
        certificate, key = self.certificate(*names)
        made = Tls(believes or certificate)
        made.load(certificate, key, to_servers=False)
        return made


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def dial(peer: Peer, target: Address, call: str = "first") -> None:
    offer = sdp.offer(peer.host, 4000, session_id=1)
    peer.transport.command(lambda now: peer.endpoint.dial(call, "sip:600@127.0.0.1", target, "1001", offer, now))


async def answered(b: Peer) -> str:
    incoming = await b.hears(IncomingCall)
    assert isinstance(incoming, IncomingCall)
    assert incoming.offer is not None
    answer = sdp.answer(incoming.offer, sdp.negotiate(incoming.offer), b.host, 4002, session_id=2)
    b.transport.command(lambda now: b.endpoint.answer(incoming.call, answer, now))
    return incoming.call


@pytest.mark.parametrize("host", LOOPBACK)
def test_a_call_over_one_connection(office: Office, host: str) -> None:
    async def story(a: Peer, b: Peer) -> None:
        await a_call(a, b, b.by_tls)
        assert b.endpoint.counters["connections accepted"] == a.endpoint.counters["connections opened"] == 1
        assert b.endpoint.counters["connections opened"] == 0

    shared = office.tls(*LOOPBACK)
    with_peers(host, story, secure=(shared, shared))


def test_a_connection_that_breaks_is_made_again_for_the_bye(office: Office) -> None:
    async def story(a: Peer, b: Peer) -> None:
        dial(a, b.by_tls)
        call = await answered(b)
        await a.hears(CallAnswered)
        await b.hears(CallConfirmed)
        # what is no SIP breaks the connection, and both sides know
        a.transport.perform([Transmit(b"\x00", b.by_tls, b.by_tls)])
        while not a.endpoint.counters["connections closed"]:
            await trio.lowlevel.checkpoint()
        b.transport.command(lambda now: b.endpoint.hang_up(call, now))
        await a.hears(CallEnded)
        assert b.endpoint.counters["connections opened"] == 1

    shared = office.tls(*LOOPBACK)
    with_peers("127.0.0.1", story, secure=(shared, shared))


def test_a_trunk_has_the_name_of_its_proxy(office: Office) -> None:
    async def story(a: Peer, b: Peer) -> None:
        a.endpoint.set_trunks({"loop": TrunkSettings(("127.0.0.1",), named={"127.0.0.1": "carrier.example"})})
        await a_call(a, b, b.by_tls)

    carrier = office.tls("carrier.example")
    with_peers(
        "127.0.0.1", story, secure=(office.tls(*LOOPBACK, believes=office.certificate("carrier.example")[0]), carrier)
    )


async def refused(a: Peer, b: Peer, why: str) -> None:
    """Nothing of the call leaves, and the log can say why."""
    dial(a, b.by_tls)
    assert await a.heard.receive() == Refused(b.by_tls, f"connection refused: {why}")
    assert await a.heard.receive() == Unconnected(b.by_tls, why)
    assert await a.heard.receive() == CallFailed("first", 503, "cannot be sent")
    assert a.endpoint.counters["TLS handshake failed"] == 1
    while not b.endpoint.counters["TLS handshake failed"]:
        await trio.lowlevel.checkpoint()
    assert b.endpoint.idle
    # whoever was refused is in nobody's way
    await a_call_by_tcp(a, b)


async def a_call_by_tcp(a: Peer, b: Peer) -> None:
    dial(a, b.by_tcp, "second")
    call = await answered(b)
    await a.hears(CallAnswered)
    b.transport.command(lambda now: b.endpoint.hang_up(call, now))
    await a.hears(CallEnded)


def test_another_name_is_not_believed(office: Office) -> None:
    """Not even by the name that its carrier is known by, at the address of another one."""
    story = partial(refused, why="its certificate is not believed: it is for another address")
    other = office.tls("carrier.example")
    with_peers("127.0.0.1", story, secure=(office.tls("carrier.example"), other))


def test_an_authority_that_nobody_knows_is_not_believed(office: Office) -> None:
    story = partial(refused, why="its certificate is not believed: it is self-signed")
    mine = office.tls("127.0.0.1", believes=office.certificate("192.0.2.1")[0])
    with_peers("127.0.0.1", story, secure=(mine, office.tls("127.0.0.1", "::1")))


@pytest.mark.parametrize(("days", "why"), [(-3, "it has expired"), (3, "it is not valid yet")])
def test_a_certificate_that_is_not_good_today_is_not_believed(tmp_path: Path, days: int, why: str) -> None:
    office = Office(tmp_path, days)
    story = partial(refused, why=f"its certificate is not believed: {why}")
    theirs = office.tls(*LOOPBACK)
    with_peers("127.0.0.1", story, secure=(office.tls(*LOOPBACK), theirs))


def test_what_cannot_be_a_name_is_refused(office: Office) -> None:
    async def story(a: Peer, b: Peer) -> None:
        a.endpoint.set_trunks({"loop": TrunkSettings(("127.0.0.1",), named={"127.0.0.1": "carrier..example"})})
        dial(a, b.by_tls)
        assert await a.hears(CallFailed) == CallFailed("first", 503, "cannot be sent")

    shared = office.tls(*LOOPBACK)
    with_peers("127.0.0.1", story, secure=(shared, shared))


def test_without_tls_of_ours_none_is_spoken(office: Office) -> None:
    async def story(a: Peer, b: Peer) -> None:
        a.ports["tls"] = 5061
        dial(a, Address("127.0.0.1", 5061, "tls"))
        reason = "connection refused: [sip] tls names no address to connect from"
        assert await a.heard.receive() == Refused(Address("127.0.0.1", 5061, "tls"), reason)
        assert await a.heard.receive() == CallFailed("first", 503, "cannot be sent")

    with_peers("127.0.0.1", story)


async def connected(peer: Peer) -> trio.SocketStream:
    return await trio.open_tcp_stream(peer.host, peer.ports["tls"], local_address="127.0.0.1")


def test_what_is_no_tls_ends_itself_alone(office: Office) -> None:
    async def story(a: Peer, b: Peer) -> None:
        for noise in (b"OPTIONS sip:x SIP/2.0\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b"\x00" * 100):
            stream = await connected(b)
            await stream.send_all(noise)
            await closed(stream)
        stream = await connected(b)
        await stream.send_eof()
        await closed(stream)
        assert b.endpoint.counters["TLS handshake failed"] == 4
        await a_call(a, b, b.by_tls)

    shared = office.tls(*LOOPBACK)
    with_peers("127.0.0.1", story, secure=(shared, shared))


def test_a_handshake_has_its_time_and_what_comes_after_it_too(office: Office) -> None:
    clock = trio.testing.MockClock(autojump_threshold=0.05)
    certificate, _ = office.certificate(*LOOPBACK)

    async def story(a: Peer, b: Peer) -> None:
        begun = clock.current_time()
        silent = await connected(b)
        source = Address("127.0.0.1", silent.socket.getsockname()[1], "tls")
        assert await closed(silent) == b""
        assert clock.current_time() - begun == pytest.approx(HANDSHAKE_TIMEOUT, abs=0.1)
        assert await b.heard.receive() == Refused(source, "connection refused: no TLS handshake")
        slow = trio.SSLStream(
            await connected(b), ssl.create_default_context(cafile=certificate), server_hostname="127.0.0.1"
        )
        await slow.send_all(b"OPTIONS sip:")
        begun = clock.current_time()
        with pytest.raises(trio.BrokenResourceError):
            await slow.receive_some()
        await trio.aclose_forcefully(slow)
        assert QUIET <= clock.current_time() - begun <= 30
        assert b.endpoint.counters["slow connection"] == 1

    shared = office.tls(*LOOPBACK)
    with_peers("127.0.0.1", story, clock, (shared, shared))


def test_a_ping_is_answered(office: Office) -> None:
    certificate, _ = office.certificate(*LOOPBACK)

    async def story(a: Peer, b: Peer) -> None:
        line = trio.SSLStream(
            await connected(b), ssl.create_default_context(cafile=certificate), server_hostname="127.0.0.1"
        )
        await line.send_all(b"\r\n\r\n")
        assert await line.receive_some() == b"\r\n"
        await trio.aclose_forcefully(line)

    shared = office.tls(*LOOPBACK)
    with_peers("127.0.0.1", story, secure=(shared, shared))


def test_a_certificate_that_was_renewed_is_shown_from_then_on(office: Office) -> None:
    theirs = office.tls("192.0.2.1")

    async def story(a: Peer, b: Peer) -> None:
        dial(a, b.by_tls)
        assert await a.hears(CallFailed) == CallFailed("first", 503, "cannot be sent")
        theirs.load(*office.certificate("127.0.0.1"), to_servers=False)
        await a_call(a, b, b.by_tls)

    ours = office.tls("::1", believes=office.certificate("127.0.0.1")[0])
    with_peers("127.0.0.1", story, secure=(ours, theirs))


def test_files_that_cannot_be_used_leave_what_was_shown(office: Office, tmp_path: Path) -> None:
    shared = office.tls(*LOOPBACK)
    (tmp_path / "empty").touch()
    for path, why in ((tmp_path / "empty", "PEM|NO_CERTIFICATE"), (tmp_path / "nowhere", "No such file")):
        with pytest.raises(OSError, match=why):
            shared.load(str(path), str(path), to_servers=False)
        with pytest.raises(OSError, match=why):
            Tls(str(path))
    with_peers("127.0.0.1", lambda a, b: a_call(a, b, b.by_tls), secure=(shared, shared))


@pytest.mark.parametrize("shown", [False, True])
def test_a_carrier_that_wants_to_see_a_certificate_is_shown_ours(office: Office, *, shown: bool) -> None:
    files, theirs = office.certificate("pbx.example"), office.certificate("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # of which both sides know the end together
    context.load_cert_chain(*theirs)
    context.load_verify_locations(files[0])
    context.verify_mode = ssl.CERT_REQUIRED
    ours = Tls(theirs[0])
    ours.load(*files, to_servers=shown)

    async def story(a: Peer, b: Peer) -> None:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        dial(a, Address("127.0.0.1", listener.socket.getsockname()[1], "tls"))
        carrier = trio.SSLStream(await listener.accept(), context, server_side=True)
        if shown:
            assert (await carrier.receive_some()).startswith(
                b"INVITE sip:600@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TLS 127"
            )
        else:
            with pytest.raises(trio.BrokenResourceError):
                await carrier.do_handshake()
        await trio.aclose_forcefully(carrier)
        await listener.aclose()
        if not shown:
            assert await a.hears(CallFailed) == CallFailed("first", 503, "cannot be sent")

    with_peers("127.0.0.1", story, secure=(ours, ours))


# --- what messages say (RFC 3261 §8.1.1.8, §12.1.1, §19.1.2) ------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "contact"),
    [("sip:600@192.0.2.2;transport=tls", "<sip:{}@{};transport=tls>"), ("sips:600@192.0.2.2", "<sips:{}@{}>")],
)
def test_via_and_contact_name_the_transport(uri: str, contact: str) -> None:
    net, a, b = n.pair()
    b.react = n.answering
    target = evolve(b.address, transport="tls")
    net.do(a, a.endpoint.dial("out", uri, target, "1001", n.OFFER_A, 0.0))
    net.run(1)
    net.do(b, b.endpoint.hang_up(b.last_call(), net.now))
    net.run(2)
    assert a.events[-1] == CallEnded("out", "bye")
    invite, ok = net.messages()[0], net.messages()[3]
    assert isinstance(invite, Request)
    assert isinstance(ok, Response)
    assert invite.via.transport == "TLS"
    assert invite.get("Contact") == contact.format("1001", "192.0.2.1:5060")
    assert ok.get("Contact") == contact.format("600", "192.0.2.2:5060")
    assert a.endpoint.counters["connections opened"] == b.endpoint.counters["connections accepted"] == 1


@pytest.mark.parametrize(
    ("target", "hop"),
    [
        ("sips:b@192.0.2.2", Address("192.0.2.2", 5061, "tls")),
        ("sips:b@192.0.2.2:5071;transport=tcp", Address("192.0.2.2", 5071, "tls")),
        ("sip:b@192.0.2.2;transport=tls", Address("192.0.2.2", 5061, "tls")),
        ("sip:b@192.0.2.2;transport=tcp", Address("192.0.2.2", 5060, "tcp")),
        ("sip:b@192.0.2.2", Address("192.0.2.2", 5060)),
    ],
)
def test_where_the_next_request_goes(target: str, hop: Address) -> None:
    peer = Address("192.0.2.2", 40000)
    dialog = Dialog("id", "1", "2", "<sip:a@192.0.2.1>", "<sip:b@192.0.2.2>", 0, None, target, (), peer)
    assert dialog.next_hop() == hop
    assert dialog.secure is target.startswith("sips:")


def test_a_response_whose_connection_is_gone_goes_to_the_port_of_tls() -> None:
    source = Address("192.0.2.2", 40000, "tls")
    via = Via.parse("SIP/2.0/TLS 192.0.2.2;branch=z9hG4bK1")
    assert reply_otherwise(via, source) == Address("192.0.2.2", 5061, "tls")
