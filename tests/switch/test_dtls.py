"""The passive DTLS end against OpenSSL as the browser, over a network that loses, doubles and delays."""

import heapq
import random
from itertools import product

import pytest
from cordboard.switch import dtls, srtp
from cordboard.switch.dtls import MTU, TABLE, Connected, Crossing, DtlsServer, Ended, Input, Send, State
from cordboard.switch.farewell import SUITES
from cordboard.switch.protocol import Fingerprint

from .webrtc_peer import DAY, IDENTITY, DtlsClient, Sealing


def run(
    client: DtlsClient, server: DtlsServer, *, seed: int = 0, loss: float = 0.0, until: float = 20.0
) -> list[dtls.Output]:
    """Both ends on a seeded network with 20 ms each way and some jitter; the client resends its flight as browsers do:
    at 50 ms, doubling. Returns what the server said beside Send; ends when both are done or nothing can happen."""
    rng = random.Random(seed)
    queue: list[tuple[float, int, str, bytes]] = []
    order = 0
    said: list[dtls.Output] = []
    now, resend, interval = 0.0, 0.05, 0.05

    def put(to: str, datagrams: list[bytes] | tuple[bytes, ...]) -> None:
        nonlocal order
        for datagram in datagrams:
            assert len(datagram) <= MTU
            for _ in range(2 if rng.random() < loss / 4 else 1):
                if rng.random() >= loss:
                    order += 1
                    heapq.heappush(queue, (now + 0.02 + rng.random() * 0.01, order, to, datagram))

    def take(outputs: list[dtls.Output]) -> None:
        for output in outputs:
            if isinstance(output, Send):
                put("client", output.datagrams)
            else:
                said.append(output)

    put("server", client.step())
    while now < until:
        due = min(queue[0][0] if queue else 1e9, server.deadline(), resend if not client.done else 1e9)
        if due >= 1e9:
            break
        now = due
        if queue and queue[0][0] <= now:
            _, _, to, datagram = heapq.heappop(queue)
            if to == "server":
                take(server.receive(datagram, now))
            else:
                before = client.flight
                put("server", client.step(datagram))
                if client.flight is not before:
                    interval = 0.05
                    resend = now + interval
        elif server.deadline() <= now:
            take(server.wake(now))
        else:
            put("server", client.flight)
            interval *= 2
            resend = now + interval
    return said


def pair(profiles: str = ":".join(srtp.PROFILES)) -> tuple[DtlsClient, DtlsServer]:
    client = DtlsClient(profiles)
    return client, DtlsServer(IDENTITY, (client.fingerprint(),))


def test_every_state_and_input_is_a_transition_a_crossing_or_a_named_bug() -> None:
    bugs = {(state, Input.TIMEOUT) for state in (State.WAITING, State.CONNECTED, State.ENDED)}
    bugs |= {(State.WAITING, Input.FINISHED), (State.CONNECTED, Input.FINISHED)}
    assert set(TABLE) == set(product(State, Input)) - bugs
    for (state, what), after in TABLE.items():
        late = state is State.ENDED or (state, what) == (State.CONNECTED, Input.FLIGHT)
        assert isinstance(after, Crossing) == late


@pytest.mark.parametrize("profile", srtp.PROFILES)
def test_both_ends_come_to_the_same_keys(profile: str) -> None:
    client, server = pair(profile)
    [connected] = run(client, server)
    assert isinstance(connected, Connected)
    assert connected.keys.profile.name == profile
    ours = Sealing()
    ours.open(1, connected.keys)
    out, back = client.sessions()
    packet = bytes([0x80, 0]) + bytes(20)
    assert ours.unprotect([(1, out.protect(packet))]) == [packet]
    assert back.unprotect(ours.protect([(1, packet)])[0]) == packet
    assert server.state is State.CONNECTED
    assert server.deadline() == float("inf")


def test_ours_is_the_order_of_profiles() -> None:
    client, server = pair("SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_128_GCM")
    [connected] = run(client, server)
    assert isinstance(connected, Connected)
    assert connected.keys.profile.name == "SRTP_AEAD_AES_128_GCM"


@pytest.mark.parametrize("seed", range(12))
def test_a_handshake_survives_a_third_of_its_datagrams_lost(seed: int) -> None:
    client, server = pair()
    said = run(client, server, seed=seed, loss=0.3)
    assert [type(one) for one in said] == [Connected]
    assert client.done


def test_a_client_hello_in_two_datagrams() -> None:
    client, server = pair()
    [hello] = client.step()
    body = hello[25:]
    cut = len(body) // 2

    def fragment(number: int, offset: int, part: bytes) -> bytes:
        handshake = hello[13:19] + offset.to_bytes(3, "big") + len(part).to_bytes(3, "big") + part
        return hello[:5] + number.to_bytes(6, "big") + len(handshake).to_bytes(2, "big") + handshake

    assert server.receive(fragment(0, 0, body[:cut]), 0.0) == []
    assert server.state is State.WAITING
    [flight] = server.receive(fragment(1, cut, body[cut:]), 0.0)
    assert isinstance(flight, Send)


def test_a_flight_is_sent_again_when_it_was_lost_and_when_it_is_asked_for() -> None:
    client, server = pair()
    [hello] = client.step()
    flight = server.receive(hello, 0.0)
    assert server.receive(hello, 0.01) == []  # one flight of theirs is several datagrams
    assert server.receive(hello, 0.05) == flight
    assert server.deadline() == pytest.approx(0.30)
    assert server.wake(0.2) == []
    assert server.wake(0.30) == flight
    assert server.deadline() == pytest.approx(0.80)
    assert server.wake(20.0) == [Ended("the handshake did not end in time")]


def test_glued_records_are_cut_and_packed() -> None:
    records = [bytes([22, 0xFE, 0xFD]) + bytes(8) + n.to_bytes(2, "big") + bytes(n) for n in (100, 700, 600, 10, 1500)]
    datagrams = dtls.split(b"".join(records))
    assert datagrams == [records[0] + records[1], records[2] + records[3], records[4]]
    assert dtls.split(b"") == []


def test_a_wrong_fingerprint_is_refused_with_an_alert_before_our_finished() -> None:
    client = DtlsClient()
    server = DtlsServer(IDENTITY, (Fingerprint("sha-256", "AA:" * 31 + "AA"),))
    [ended] = run(client, server)
    assert ended == Ended("the certificate has no fingerprint of the offer")
    assert not client.done
    assert client.error is not None
    assert "alert" in str(client.error)


def test_one_fingerprint_of_the_best_hash_must_fit() -> None:
    client = DtlsClient()
    wrong = Fingerprint("sha-256", "AA:" * 31 + "AA")
    sha512 = client.fingerprint("sha-512")
    assert isinstance(run(client, DtlsServer(IDENTITY, (wrong, client.fingerprint())))[0], Connected)
    client = DtlsClient()
    lower = Fingerprint("SHA-512", client.fingerprint("sha-512").digest.lower())
    assert isinstance(run(client, DtlsServer(IDENTITY, (wrong, lower)))[0], Connected)
    # A strong one that does not fit is not helped by a weaker one that does.
    client = DtlsClient()
    assert isinstance(run(client, DtlsServer(IDENTITY, (client.fingerprint(), sha512)))[0], Ended)
    assert dtls.strongest((Fingerprint("sha-1", "AA"), Fingerprint("md5", "BB"))) == ()
    # ... and of a hash that we do not have nothing is concluded.
    client = DtlsClient()
    weaker, unknown = Fingerprint("sha-1", "AA:" * 19 + "AA"), Fingerprint("x-hash-of-tomorrow", "AA")
    three = (weaker, unknown, client.fingerprint("sha-384"))
    assert isinstance(run(client, DtlsServer(IDENTITY, three))[0], Connected)


def test_without_srtp_there_is_nothing_to_connect() -> None:
    client, server = pair(profiles="")
    assert run(client, server) == [Ended("no SRTP profile in common")]


def test_close_notify_of_the_browser_ends_it() -> None:
    client, server = pair()
    run(client, server)
    outputs = [output for datagram in client.close() for output in server.receive(datagram, 30.0)]
    assert outputs[-1] == Ended("the browser closed the connection")
    assert server.state is State.ENDED
    assert server.receive(b"\x16" * 40, 31.0) == []


def test_our_close_says_goodbye_once() -> None:
    client, server = pair()
    run(client, server)
    [goodbye] = server.close()
    assert isinstance(goodbye, Send)
    client.step(goodbye.datagrams[0])
    assert type(client.error).__name__ == "ZeroReturnError"
    assert server.close() == []


@pytest.mark.parametrize("suite", SUITES)
def test_both_ends_say_their_last_word_in_either_suite(suite: str) -> None:
    identity = dtls.Identity(DAY)
    identity.context.set_cipher_list(suite.encode())
    for who in ("browser", "us"):
        client = DtlsClient()
        server = DtlsServer(identity, (client.fingerprint(),))
        run(client, server)
        assert client.ssl.get_cipher_name() == suite
        if who == "us":
            (goodbye,) = server.close()
            assert isinstance(goodbye, Send)
            client.step(goodbye.datagrams[0])
            assert type(client.error).__name__ == "ZeroReturnError"
        else:
            outputs = [output for datagram in client.close() for output in server.receive(datagram, 30.0)]
            assert outputs == [Ended("the browser closed the connection")]


def test_who_sees_the_path_but_has_no_keys_cannot_say_goodbye_for_a_browser() -> None:
    client, server = pair()
    run(client, server)
    (goodbye,) = client.close()
    forged = [bytes([21, 0xFE, 0xFD]) + number.to_bytes(8, "big") + bytes([0, 2, 1, 0]) for number in (7, 7 | 1 << 48)]
    for at in (1, 4, 10, 14, 20, 22, 30):  # version, epoch, sequence number, nonce, alert, tag
        forged.append(goodbye[:at] + bytes([goodbye[at] ^ 1]) + goodbye[at + 1 :])
    forged += [goodbye[:end] for end in range(1, len(goodbye))]
    for datagram in forged:
        assert server.receive(datagram, 30.0) == []
    assert server.state is State.CONNECTED
    assert server.receive(forged[-1] + goodbye, 30.0) == []  # behind half a record there is none
    behind = bytes([23, 0xFE, 0xFD]) + bytes(8) + bytes([0, 3]) + b"any" + goodbye
    assert server.receive(behind, 30.0) == [Ended("the browser closed the connection")]


def test_a_flight_that_was_lost_is_sent_again_without_openssl() -> None:
    client, server = pair()
    run(client, server)
    first = next(one for one in server.receive(client.flight[0], 40.0) if isinstance(one, Send))
    assert any(datagram[0] == 20 for datagram in first.datagrams)  # ChangeCipherSpec, and Finished behind it
    assert server.receive(client.flight[0], 40.001) == []
    (goodbye,) = server.close()
    assert isinstance(goodbye, Send)
    client.step(goodbye.datagrams[0])
    assert type(client.error).__name__ == "ZeroReturnError"


def test_garbage_does_not_disturb_a_connection() -> None:
    client, server = pair()
    run(client, server)
    rng = random.Random(4)
    for length in range(13, 300, 7):
        assert server.receive(bytes([20 + length % 44, 0xFE, 0xFD]) + rng.randbytes(length), 30.0) == []
    assert server.receive(b"\x16" * 5000, 30.0) == []
    assert server.state is State.CONNECTED
