"""The browser of the load testers against the switch's own transport, on a seeded network in virtual time."""

from __future__ import annotations

import datetime
import heapq
import itertools
import random
from itertools import product

import pytest
from cordboard.bench.browser import CONSENT_LOST_SECONDS, TABLE, Browser, Input, State
from cordboard.bench.customer import rtp
from cordboard.sip import sdp
from cordboard.switch.dtls import Identity
from cordboard.switch.protocol import (
    Codec,
    Fingerprint,
    LegConnected,
    LegFailed,
    LegUnchecked,
    OpenWebrtcLeg,
    WebrtcLegOpened,
)
from cordboard.switch.webrtc import WebrtcTransport

from ..switch.webrtc_peer import Door, Heard

DAY = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
IDENTITY = Identity(DAY)
HERE = ("192.0.2.7", 50000, 0)
CANDIDATE = ("127.0.0.1", 20000)
TRANSIT = 0.01
PAYLOAD = b"\xd5" * 160


class Net:
    """One switch and one browser; the network loses `loss` of what it carries, and all of it while `cut`."""

    def __init__(self, seed: int = 0, loss: float = 0.0) -> None:
        rng = random.Random(seed)
        self.now = 0.0
        self.cut = False
        self.browser = Browser(["opus", "pcmu"], DAY, rng.randbytes)
        self.transport = WebrtcTransport(IDENTITY, rng.randbytes)
        self.door = Door(self.transport)
        self.facts: list[object] = []
        self.at_switch: list[bytes] = []
        self.at_browser: list[bytes] = []
        self._rng, self._loss = rng, loss
        self._flying: list[tuple[float, int, bool, bytes]] = []
        self._order = itertools.count()

    def sign_in(self, chosen: sdp.CodecName = "pcmu") -> None:
        """The way of an offer and its answer through an agent's seat."""
        offer = sdp.parse(self.browser.offer().encode())
        agreed = sdp.negotiate_webrtc(offer, [chosen])
        prints = tuple(Fingerprint(each.algorithm, each.digest) for each in agreed.fingerprints)
        codec = Codec(agreed.codec, agreed.payload_type)
        opening = OpenWebrtcLeg("leg", HERE[0], agreed.ice_ufrag, agreed.ice_pwd, prints, codec)
        opened = self.transport.open(opening, 0, (CANDIDATE,), self.now)
        assert isinstance(opened, WebrtcLegOpened)
        answer = sdp.answer_webrtc(
            offer,
            agreed,
            ice_ufrag=opened.ice_ufrag,
            ice_pwd=opened.ice_pwd,
            fingerprint=sdp.Fingerprint(opened.fingerprint.algorithm, opened.fingerprint.digest),
            candidates=opened.candidates,
            session_id=1,
        )
        self.browser.accept(bytes(answer).decode(), self.now)

    def say(self, datagram: bytes, *, to_switch: bool) -> None:
        if not self.cut and self._rng.random() >= self._loss:
            heapq.heappush(self._flying, (self.now + TRANSIT, next(self._order), to_switch, datagram))

    def _take(self, heard: Heard) -> None:
        self.facts += heard.facts
        self.at_switch += [packet for _, packet in heard.rtp]
        for datagram, _ in heard.replies:
            self.say(datagram, to_switch=False)

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while True:
            flying = self._flying[0][0] if self._flying else end + 1
            due = min(flying, self.transport.deadline(), self.browser.deadline())
            if due > end:
                break
            self.now = max(self.now, due)
            if flying <= self.now:
                _, _, to_switch, datagram = heapq.heappop(self._flying)
                if to_switch:
                    self._take(self.door.receive([(datagram, HERE)], self.now))
                    continue
                received = self.browser.receive(datagram, self.now)
                self.at_browser += [] if received.packet is None else [received.packet]
                replies = received.replies
            elif self.browser.deadline() <= self.now:
                replies = self.browser.wake(self.now)
                assert self.browser.deadline() > self.now
            else:
                self._take(self.door.wake(self.now))
                continue
            for reply in replies:
                self.say(reply, to_switch=True)
        self.now = end


def test_it_connects_and_audio_goes_both_ways() -> None:
    net = Net()
    net.sign_in()
    net.run(1)
    assert net.browser.state is State.CONNECTED
    assert net.facts == [LegConnected("leg")]
    assert (net.browser.codec, net.browser.remote) == ("pcmu", CANDIDATE)
    there, back = rtp(1, 160, 7, PAYLOAD, first=True), rtp(9, 320, 8, PAYLOAD, first=True)
    net.say(net.browser.seal(there), to_switch=True)
    for datagram, _ in net.door.protect([(0, back)]):
        net.say(datagram, to_switch=False)
    net.run(0.1)
    assert net.at_switch == [there]
    assert net.at_browser == [back]


@pytest.mark.parametrize("seed", range(8))
def test_it_connects_over_a_network_that_loses_a_quarter(seed: int) -> None:
    net = Net(seed, loss=0.25)
    net.sign_in("opus")
    net.run(8)
    assert net.browser.state is State.CONNECTED
    assert net.browser.codec == "opus"
    assert net.facts == [LegConnected("leg")]


def test_its_checks_keep_the_leg_for_hours() -> None:
    net = Net()
    net.sign_in()
    net.run(2 * 3600)
    assert net.browser.state is State.CONNECTED
    assert net.facts == [LegConnected("leg")]


def test_a_cut_cable_ends_both_ends() -> None:
    net = Net()
    net.sign_in()
    net.run(1)
    net.cut = True
    net.run(CONSENT_LOST_SECONDS + 10)
    assert net.browser.state is State.ENDED
    assert "does not answer" in net.browser.reason
    assert [type(fact) for fact in net.facts] == [LegConnected, LegUnchecked, LegFailed]


def test_leaving_is_told_and_ends_the_leg_at_once() -> None:
    net = Net()
    net.sign_in()
    net.run(1)
    for datagram in net.browser.close():
        net.say(datagram, to_switch=True)
    net.run(0.1)
    assert isinstance(net.facts[-1], LegFailed)
    assert net.browser.close() == []


def test_the_switch_closes() -> None:
    net = Net()
    net.sign_in()
    net.run(1)
    for datagram, _ in net.transport.close(0):
        net.say(datagram, to_switch=False)
    net.run(0.1)
    assert net.browser.state is State.ENDED
    assert "closed" in net.browser.reason


def test_an_answer_that_leads_nowhere_is_refused() -> None:
    net = Net()
    answer = net.browser.offer().replace("a=setup:actpass", "a=setup:passive")
    with pytest.raises(sdp.SdpError):
        net.browser.accept(answer, 0.0)


def test_the_table_is_total() -> None:
    """What is no transition and no crossing is a bug: only these can never happen."""
    bugs = set(product(State, Input)) - set(TABLE)
    assert bugs == {
        (State.NEW, Input.CHECKED),
        (State.NEW, Input.KEYED),
        (State.NEW, Input.SILENCE),
        (State.CHECKING, Input.KEYED),
        (State.CONNECTED, Input.KEYED),
        (State.ENDED, Input.KEYED),
        (State.ENDED, Input.SILENCE),
    }
