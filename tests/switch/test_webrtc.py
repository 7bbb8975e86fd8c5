"""Browsers and the transport on a seeded network in virtual time: connecting, strangers, moving, leaving, limits."""

import heapq
import random
from collections.abc import Callable
from functools import partial

import pytest
from aioice import stun as codec
from cordboard.switch import dtls
from cordboard.switch.protocol import (
    Fingerprint,
    LegChecked,
    LegConnected,
    LegFailed,
    LegRefused,
    LegUnchecked,
    RestartIce,
    WebrtcLegOpened,
)
from cordboard.switch.stun import Address
from cordboard.switch.webrtc import (
    MAX_CHECKS,
    MAX_CHECKS_OF_LEG,
    MAX_DTLS,
    MAX_PROBES,
    Limits,
    WebrtcTransport,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from .webrtc_peer import ELSEWHERE, HERE, IDENTITY, Browser, Door, Heard, Told, rtp, secrets

CANDIDATES = (("127.0.0.1", 20000),)
OTHER_POINT = (("127.0.0.1", 20001),)


class Net:
    """One transport and any number of browsers, 10 ms apart, losing `loss` of what is sent, by seed."""

    def __init__(self, seed: int = 0, loss: float = 0.0, limits: Limits | None = None) -> None:
        self.transport = WebrtcTransport(IDENTITY, secrets(), limits or Limits(), capacity=32)
        self.door = Door(self.transport)
        self.now = 0.0
        self.facts: list[Told] = []
        self.rtp: list[tuple[int, bytes]] = []
        self.browsers: dict[Address, Browser] = {}
        self.heard: dict[Address, list[bytes]] = {}
        self._rng = random.Random(seed)
        self._loss = loss
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0

    def add(self, browser: Browser, row: int = 0, address: Address = HERE) -> None:
        opened = self.transport.open(browser.offer(), row, CANDIDATES, self.now)
        assert isinstance(opened, WebrtcLegOpened)
        browser.answer = opened
        self.browsers[address] = browser

    def connect(self, browser: Browser, address: Address = HERE, *, every: float = 0.05) -> None:
        """Checks until it is connected, then every 2.5 s; flights again at 50 ms, doubling, as Chromium does."""
        self.browsers[address] = browser

        def check() -> None:
            if self.browsers.get(address) is not browser:
                return
            self.send(browser.check(nominate=browser.dtls.done), address)
            self.at(every if not browser.dtls.done else 2.5, check)

        def hello(interval: float) -> None:
            if browser.dtls.done or browser.dtls.error:
                return
            for datagram in browser.dtls.flight or browser.dtls.step():
                self.send(datagram, address)
            self.at(interval, lambda: hello(2 * interval))

        check()
        self.at(0.02, lambda: hello(0.05))

    def at(self, delay: float, action: Callable[[], None]) -> None:
        self._order += 1
        heapq.heappush(self._queue, (self.now + delay, self._order, action))

    def send(self, datagram: bytes, address: Address) -> None:
        if self._rng.random() >= self._loss:
            delay = 0.01 + self._rng.random() * 0.004
            self.at(delay, lambda: self.take(self.door.receive([(datagram, address)], self.now)))

    def take(self, heard: Heard) -> None:
        self.facts += heard.facts
        self.rtp += heard.rtp
        self.deliver(heard.replies)

    def deliver(self, datagrams: list[tuple[bytes, Address]]) -> None:
        for datagram, address in datagrams:
            if self._rng.random() >= self._loss:
                self.at(0.01, partial(self.arrive, datagram, address))

    def arrive(self, datagram: bytes, address: Address) -> None:
        self.heard.setdefault(address, []).append(datagram)
        browser = self.browsers.get(address)
        if browser is not None and 20 <= datagram[0] < 64:
            for answer in browser.dtls.step(datagram):
                self.send(answer, address)

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while True:
            due = min(self._queue[0][0] if self._queue else 1e9, self.transport.deadline())
            if due > end:
                break
            self.now = max(self.now, due)
            if self._queue and self._queue[0][0] <= self.now:
                heapq.heappop(self._queue)[2]()
            else:
                self.take(self.door.wake(self.now))
                assert self.transport.deadline() > self.now
        self.now = end


def test_a_browser_connects_and_audio_goes_both_ways() -> None:
    net, browser = Net(), Browser()
    net.add(browser, row=4)
    net.connect(browser)
    net.run(1.0)
    assert net.facts == [LegConnected("leg-1")]
    out, back = browser.dtls.sessions()
    net.send(out.protect(rtp(1)), HERE)
    net.run(0.1)
    assert net.rtp == [(4, rtp(1))]
    [(sealed, address)] = net.door.protect([(4, rtp(7))])
    assert address == HERE
    assert back.unprotect(sealed) == rtp(7)
    report = bytes.fromhex("80c9000100001234")
    received = net.door.receive([(out.protect_rtcp(report), HERE)], net.now)
    assert received.rtcp == [(4, report)]
    [(sealed, address)] = net.door.protect_rtcp([(4, report)])
    assert back.unprotect_rtcp(sealed) == report
    assert net.transport.last_check(4) == pytest.approx(net.now, abs=2.6)
    assert net.transport.counters == {}


@pytest.mark.parametrize("seed", range(6))
def test_connecting_survives_a_quarter_of_all_datagrams_lost(seed: int) -> None:
    net, browser = Net(seed, loss=0.25), Browser()
    net.add(browser)
    net.connect(browser)
    net.run(10.0)
    assert net.facts == [LegConnected("leg-1")]
    assert browser.dtls.done


def test_media_goes_before_the_nomination_where_dtls_came_from() -> None:
    net, browser = Net(), Browser()
    net.add(browser)
    for address in (ELSEWHERE, HERE):
        net.door.receive([(browser.check(), address)], 0.0)
    datagrams = browser.dtls.step()
    while not browser.dtls.done:
        replies = net.door.receive([(datagram, HERE) for datagram in datagrams], 0.0).replies
        assert {address for _, address in replies} == {HERE}
        datagrams = [answer for reply, _ in replies for answer in browser.dtls.step(reply)]
    assert net.transport.remote(0) == HERE
    net.door.receive([(browser.check(nominate=True), ELSEWHERE)], 0.0)
    assert net.transport.remote(0) == ELSEWHERE


def test_dtls_and_media_from_an_address_without_a_check_are_nobodys() -> None:
    net, browser = Net(), Browser()
    net.add(browser)
    [hello] = browser.dtls.step()
    assert net.door.receive([(hello, HERE), (rtp(1), HERE), (b"\x80\xc9" + bytes(10), HERE)], 0.0) == Heard()
    net.door.receive([(browser.check(), HERE)], 0.0)
    assert net.door.receive([(hello, ELSEWHERE)], 0.0) == Heard()
    # The browser's port is its own: another port of the same machine is another address.
    assert net.door.receive([(hello, (HERE[0], HERE[1] + 1, 0))], 0.0) == Heard()
    assert net.door.receive([(rtp(1), HERE)], 0.0) == Heard()
    assert net.transport.counters == {
        "dtls_from_stranger": 3,
        "rtp_from_stranger": 1,
        "rtcp_from_stranger": 1,
        "srtp_no_keys": 1,
    }


def test_a_wrong_ice_password_opens_nothing() -> None:
    net, browser = Net(), Browser()
    net.add(browser)
    [hello] = browser.dtls.step()
    received = net.door.receive([(browser.check(password="w" * 24), HERE), (hello, HERE)], 0.0)
    [(answer, _)] = received.replies
    assert codec.parse_message(answer).attributes["ERROR-CODE"][0] == 401
    assert net.transport.counters == {"stun_unauthenticated": 1, "dtls_from_stranger": 1}
    assert net.door.receive([(browser.check(user="nobody00:brow"), HERE)], 0.0) == Heard()
    assert net.transport.last_check(0) is None


def test_a_wrong_fingerprint_fails_the_leg_and_only_it() -> None:
    net, right, wrong = Net(), Browser("right"), Browser("wrong")
    net.add(right, row=0)
    answer = net.transport.open(wrong.offer((Fingerprint("sha-256", "00:" * 31 + "00"),)), 1, CANDIDATES, 0.0)
    assert isinstance(answer, WebrtcLegOpened)
    wrong.answer = answer
    net.connect(right)
    net.connect(wrong, ELSEWHERE)
    net.run(2.0)
    assert sorted(net.facts, key=lambda fact: fact.leg) == [
        LegConnected("right"),
        LegFailed("wrong", "the certificate has no fingerprint of the offer"),
    ]
    assert net.transport.remote(1) is None


def test_a_browser_that_moves_is_followed_both_ways() -> None:
    net, browser = Net(), Browser()
    net.add(browser)
    net.connect(browser)
    net.run(1.0)
    out, _ = browser.dtls.sessions()
    net.send(browser.check(nominate=True), ELSEWHERE)
    net.run(0.1)
    assert net.door.protect([(0, rtp(1))])[0][1] == ELSEWHERE
    net.send(out.protect(rtp(5)), ELSEWHERE)
    net.run(0.1)
    assert net.rtp == [(0, rtp(5))]


def test_a_reloaded_page_may_have_its_old_port_again() -> None:
    net, old, new = Net(), Browser("old"), Browser("new")
    net.add(old, row=0)
    net.connect(old)
    net.run(1.0)
    net.add(new, row=1)
    net.connect(new)
    net.run(1.0)
    assert net.facts == [LegConnected("old"), LegConnected("new")]
    net.transport.close(0)
    out, _ = new.dtls.sessions()
    net.send(out.protect(rtp(1)), HERE)
    net.run(0.1)
    assert net.rtp == [(1, rtp(1))]


def restarted(net: Net, browser: Browser, row: int = 0, ufrag: str = "next") -> None:
    """The page asks for new credentials and has them from now on."""
    offer = browser.offer()
    message = RestartIce(offer.leg, offer.peer, ufrag, offer.ice_pwd, offer.fingerprints, offer.codec)
    answer = net.transport.restart(message, row, OTHER_POINT, net.now)
    assert isinstance(answer, WebrtcLegOpened)
    assert answer.candidates == OTHER_POINT
    browser.answer, browser.ufrag = answer, ufrag


def test_ice_restarts_without_losing_a_packet() -> None:
    """Until the browser takes the new way all goes by the old one; keys and leg stay."""
    net, browser = Net(), Browser()
    net.add(browser)
    net.connect(browser)
    net.run(1.0)
    out, back = browser.dtls.sessions()
    sent = heard = 0

    def speak(address: Address) -> None:
        nonlocal sent, heard
        sent += 1
        net.send(out.protect(rtp(sent)), address)
        [(sealed, to)] = net.door.protect([(0, rtp(sent))])
        assert to == address
        assert back.unprotect(sealed) == rtp(sent)
        net.run(0.02)

    speak(HERE)
    restarted(net, browser)
    speak(HERE)
    net.send(browser.check(), ELSEWHERE)  # a check alone moves nothing
    net.run(0.1)
    speak(HERE)
    net.send(browser.check(nominate=True), ELSEWHERE)
    net.run(0.1)
    for _ in range(3):
        speak(ELSEWHERE)
    net.run(0.1)
    assert net.rtp == [(0, rtp(number)) for number in range(1, sent + 1)]
    assert net.facts == [LegConnected("leg-1")]
    assert net.transport.counters == {"ice_restarts": 1}


def test_after_an_ice_restart_the_old_way_is_nobodys() -> None:
    net, browser = Net(), Browser()
    net.add(browser)
    net.connect(browser)
    net.run(1.0)
    net.browsers.clear()  # it checks no more as it did
    old = browser.check(nominate=True)
    restarted(net, browser)
    net.send(browser.check(nominate=True), ELSEWHERE)
    net.run(0.1)
    net.send(old, HERE)
    net.send(browser.dtls.sessions()[0].protect(rtp(1)), HERE)
    net.run(0.1)
    assert net.rtp == []
    assert net.transport.counters == {"ice_restarts": 1, "stun_unknown_ufrag": 1, "rtp_from_stranger": 1}
    # consent is counted for the new way, and the goodbye goes there
    net.run(20.0)
    net.send(browser.check(nominate=True), ELSEWHERE)
    net.run(25.0)
    assert LegFailed not in map(type, net.facts)
    assert {address for _, address in net.transport.close(0)} == {ELSEWHERE}


def test_a_browser_that_was_gone_restarts_its_ice_and_is_there_again() -> None:
    net, browser = Net(), Browser()
    net.add(browser)
    net.connect(browser)
    net.run(1.0)
    net.browsers.clear()
    net.run(15.0)
    restarted(net, browser)
    net.send(browser.check(nominate=True), HERE)
    net.run(1.0)
    assert [type(fact) for fact in net.facts] == [LegConnected, LegUnchecked, LegChecked]
    assert net.transport.remote(0) == HERE


def test_an_ice_restart_that_nobody_follows_changes_nothing() -> None:
    net, browser = Net(), Browser()
    net.add(browser)
    net.connect(browser)
    net.run(1.0)
    answer, ufrag = browser.answer, browser.ufrag
    restarted(net, browser)
    restarted(net, browser, ufrag="more")  # the first is overtaken
    browser.answer, browser.ufrag = answer, ufrag
    net.run(120.0)
    assert net.facts == [LegConnected("leg-1")]
    assert net.transport.remote(0) == HERE
    assert net.transport.counters == {}


def test_an_ice_restart_with_another_certificate_is_refused() -> None:
    net, browser, other = Net(), Browser(), Browser()
    net.add(browser)
    offer = other.offer()
    message = RestartIce("leg-1", offer.peer, "next", offer.ice_pwd, offer.fingerprints, offer.codec)
    assert net.transport.restart(message, 0, CANDIDATES, 0.0) == LegRefused(
        "leg-1", "another certificate is another leg"
    )


def probing(net: Net) -> Browser:
    """A page that only measures."""
    browser, probe = Browser("none"), net.transport.probes.credentials
    browser.answer = WebrtcLegOpened("none", probe.ufrag, probe.pwd, IDENTITY.fingerprint, CANDIDATES)
    return browser


def test_who_measures_is_answered_and_gets_no_further() -> None:
    net = Net()
    browser = probing(net)
    check = browser.check(nominate=True)
    [(answer, address)] = net.door.receive([(check, HERE)], 5.0).replies
    assert address == HERE
    parsed = codec.parse_message(answer)
    assert parsed.attributes["XOR-MAPPED-ADDRESS"] == HERE[:2]
    assert parsed.check_message_integrity(net.transport.probes.credentials.pwd.encode())
    assert len(answer) <= len(check)
    assert net.transport.probes.answered_at == 5.0
    [hello] = browser.dtls.step()
    assert net.door.receive([(hello, HERE), (rtp(1), HERE)], 5.0) == Heard()
    assert net.transport.counters == {"probes_answered": 1, "dtls_from_stranger": 1, "rtp_from_stranger": 1}


@pytest.mark.parametrize(
    ("attributes", "password", "code", "counted"),
    [
        ({"PRIORITY": 1}, "w" * 24, 401, "probes_unauthenticated"),
        ({"PRIORITY": 1, "ICE-CONTROLLED": 7}, None, 487, "probes_role_conflict"),
    ],
)
def test_a_probe_that_is_no_check_is_refused(
    attributes: dict[str, object], password: str | None, code: int, counted: str
) -> None:
    net = Net()
    browser = probing(net)
    assert browser.answer is not None
    datagram = browser.request({"USERNAME": f"{browser.answer.ice_ufrag}:page", **attributes}, password)
    [(answer, _)] = net.door.receive([(datagram, HERE)], 0.0).replies
    assert codec.parse_message(answer).attributes["ERROR-CODE"][0] == code
    assert net.transport.counters == {counted: 1}
    assert net.transport.probes.answered_at == float("-inf")


def test_a_flood_of_probes_is_bounded_and_takes_nothing_from_legs() -> None:
    net, browser = Net(), Browser()
    net.add(browser)
    flood = [(probing(net).check(), ELSEWHERE)] * (MAX_PROBES + 60)
    received = net.door.receive([*flood, (browser.check(), HERE)], 0.0)
    assert len(received.replies) == MAX_PROBES + 1
    assert net.transport.last_check(0) == 0.0
    assert net.transport.counters == {"probes_answered": MAX_PROBES, "probes_deferred": 60}


def test_consent_is_lost_without_checks() -> None:
    net, browser = Net(), Browser()
    net.add(browser)
    net.connect(browser)
    net.run(1.0)
    net.browsers.clear()
    net.run(60.0)
    connected, unchecked, failed = net.facts
    assert (connected, failed) == (LegConnected("leg-1"), LegFailed("leg-1", "the browser's ICE checks stopped"))
    assert isinstance(unchecked, LegUnchecked)
    assert 10.0 <= unchecked.seconds < 10.1
    assert net.transport.deadline() == float("inf")


def test_a_page_that_closes_its_connection_ends_its_leg() -> None:
    net, browser = Net(), Browser()
    net.add(browser)
    net.connect(browser)
    net.run(1.0)
    for datagram in browser.dtls.close():
        net.send(datagram, HERE)
    net.run(0.1)
    assert net.facts[1:] == [LegFailed("leg-1", "the browser closed the connection")]


def test_closing_says_goodbye_and_frees_the_row() -> None:
    net, browser = Net(), Browser()
    net.add(browser)
    net.connect(browser)
    net.run(1.0)
    net.deliver(net.transport.close(0))
    net.run(0.1)
    assert type(browser.dtls.error).__name__ == "ZeroReturnError"
    assert net.transport.close(0) == []
    assert net.door.protect([(0, rtp(1))]) == []
    net.add(Browser("leg-2"), row=0)


def test_limits_refuse_and_defer() -> None:
    net = Net(limits=Limits(legs=2, handshakes=1))
    first, second = Browser("first"), Browser("second")
    net.add(first, row=0)
    net.add(second, row=1, address=ELSEWHERE)
    assert net.transport.open(Browser("third").offer(), 2, CANDIDATES, 0.0) == LegRefused("third", "too many browsers")
    net.connect(first)
    net.connect(second, ELSEWHERE)
    net.run(5.0)
    assert {fact.leg for fact in net.facts} == {"first", "second"}
    assert net.transport.counters["dtls_deferred"] >= 1


def test_a_flood_of_checks_is_not_worth_a_signature() -> None:
    """Of strangers, who know no name of ours, and of one who read names on the wire."""
    net = Net(limits=Limits(legs=MAX_CHECKS))
    browsers = [Browser(f"leg-{row}") for row in range(MAX_CHECKS // MAX_CHECKS_OF_LEG + 1)]
    for row, browser in enumerate(browsers):
        net.add(browser, row=row)
    stranger = [(browsers[0].check(user=f"nobody{n:02}:brow"), ELSEWHERE) for n in range(99)]
    overheard = [(one.check(password="w" * 24), ELSEWHERE) for one in browsers for _ in range(MAX_CHECKS_OF_LEG + 5)]
    net.door.receive(stranger + overheard + [(browsers[0].check(), HERE)], 0.0)
    assert net.transport.counters == {
        "stun_unknown_ufrag": 99,
        "stun_unauthenticated": MAX_CHECKS,
        "stun_deferred": len(overheard) + 1 - MAX_CHECKS,
    }
    net.door.receive([*stranger, (browsers[0].check(), HERE)], 0.05)
    assert net.transport.last_check(0) == 0.05


def test_who_has_read_a_name_on_the_wire_costs_no_page_its_consent_and_keeps_no_other_from_connecting() -> None:
    """Names travel in the clear. With one every check costs a signature, so that a flood of them must be cut; but
    neither are the checks of that page among what is cut, nor those of others."""
    net, page, other = Net(), Browser(), Browser("other")
    net.add(page)
    net.connect(page)
    net.run(1.0)
    flood = [(page.check(password="w" * 24), ELSEWHERE)] * (3 * MAX_CHECKS)
    answered = 0
    for _ in range(40):
        net.run(1.0)
        # In one batch with every check that the page sends.
        received = net.door.receive([*flood, (page.check(), HERE)], net.now)
        answered += len(received.replies) - 1
        assert net.transport.last_check(0) == net.now
    net.browsers.clear()  # ... which is all that keeps its consent from now on
    net.add(other, row=1, address=ELSEWHERE)
    for _ in range(40):
        net.now += 1.0
        received = net.door.receive([*flood, (other.check(), ELSEWHERE), (page.check(), HERE)], net.now)
        assert net.transport.last_check(1) == net.now
        net.take(net.door.wake(net.now))
    assert net.facts == [LegConnected("leg-1")]
    assert answered <= 40 * MAX_CHECKS_OF_LEG


def test_rubbish_under_a_pages_address_is_bounded_and_its_audio_goes_on() -> None:
    net, browser = Net(), Browser()
    net.add(browser)
    net.connect(browser)
    net.run(1.0)
    outbound, _ = browser.dtls.sessions()
    rubbish = b"\x17\xfe\xfd\0\1" + bytes(6) + b"\0\x20" + b"x" * 32
    received = net.door.receive([(rubbish, HERE)] * (MAX_DTLS + 60) + [(outbound.protect(rtp(1)), HERE)], net.now)
    assert received.rtp == [(0, rtp(1))]
    assert received.facts == []
    assert net.transport.counters == {"dtls_deferred": 60}


def test_an_offer_without_a_usable_fingerprint_is_refused() -> None:
    transport = WebrtcTransport(IDENTITY, secrets())
    refused = transport.open(Browser().offer((Fingerprint("sha-1", "AA"),)), 0, CANDIDATES, 0.0)
    assert isinstance(refused, LegRefused)


FUZZED = Net()
PAGE = Browser()
FUZZED.add(PAGE)
FUZZED.connect(PAGE)
FUZZED.run(1.0)
HALF = Browser("half")
FUZZED.add(HALF, row=1, address=ELSEWHERE)
FUZZED.door.receive([(HALF.check(), ELSEWHERE)], 1.0)
SAMPLES = [
    PAGE.check(nominate=True),
    HALF.dtls.step()[0],
    PAGE.dtls.sessions()[0].protect(rtp(1)),
    bytes([22, 0xFE, 0xFD]) + bytes(40),
    bytes([21, 0xFE, 0xFD]) + bytes(8) + bytes([0, 2, 2, 40]),
]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_bytes_make_it_raise(data: st.DataObject) -> None:
    datagrams = []
    for _ in range(data.draw(st.integers(1, 3))):
        datagram = bytearray(data.draw(st.one_of(st.binary(max_size=80), st.sampled_from(SAMPLES))))
        for position, value in data.draw(st.lists(st.tuples(st.integers(0, 90), st.integers(0, 255)), max_size=4)):
            if position < len(datagram):
                datagram[position] = value
        cut = data.draw(st.integers(0, 20))
        datagrams.append((bytes(datagram[: len(datagram) - cut]), data.draw(st.sampled_from([HERE, ELSEWHERE]))))
    if FUZZED.transport.last_check(1) is None:
        # The unfinished handshake was broken off: have a new one.
        half = Browser("half")
        FUZZED.add(half, row=1, address=ELSEWHERE)
        FUZZED.door.receive([(half.check(), ELSEWHERE)], 1.0)
    received = FUZZED.door.receive(datagrams, 1.0)
    assert LegFailed not in {type(fact) for fact in received.facts if fact.leg == "leg-1"}
    FUZZED.door.wake(1.0)


def test_a_handshake_datagram_is_never_longer_than_the_path_takes() -> None:
    assert max(len(datagram) for datagram in Browser().dtls.step()) <= dtls.MTU
