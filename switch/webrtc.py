"""How all browsers' legs connect, behind the shared browser ports: checks and handshakes in; answers and facts out.

`WebrtcTransport` owns, for each row, the ICE agent and the DTLS handshake, and tells their `media` (secure.py) whose
each address is, where each leg is sent to, and its keys:

    STUN       by the local fragment in USERNAME -> the leg's ICE agent; a check that passes makes its source valid;
               the fragment of the probe (points.py) -> an answer, and nothing more
    DTLS       by its source address, which must be valid -> the leg's handshake (CVE-2023-49786)

An address belongs to the leg whose check passed there last: a page that reloads may get its old port again.

A leg whose ICE restarts has two agents: the old one serves until the browser nominates with the new credentials, then
the new one takes its place, and what DTLS has agreed stays (RFC 8445 §9, RFC 8842 §4).

Media goes to the nominated address; before there is one, to where the far side's DTLS came from, because browsers
start DTLS and media at once and wait with USE-CANDIDATE. A leg that fails says so once and is closed here; the engine
frees its row. No clock, no socket, and no randomness but `secret`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from attrs import define, field, frozen

from . import dtls, ice, stun
from .ice import IceAgent
from .points import Probes
from .protocol import (
    LegChecked,
    LegConnected,
    LegFailed,
    LegRefused,
    LegUnchecked,
    OpenWebrtcLeg,
    RestartIce,
    WebrtcLegOpened,
)
from .secure import SecureMedia
from .sockaddr import host_and_port
from .stun import Address

# One engine process fills a core long before this.
MAX_LEGS = 2000
# A handshake costs 0.6 ms of arithmetic between two ticks, most of it in one datagram. Past this many at once a
# ClientHello is dropped, and the browser's timer brings it back (50 ms, doubling): sign-ins by the hundred are spread
# out instead of making a tick late.
MAX_HANDSHAKES = 16
# A check costs 40 µs between two ticks. Batches come each 10 ms; a page checks every 50 ms while it connects, and then
# every 2 s or so. Past this many in one batch they are dropped, and the browser checks again.
MAX_CHECKS = 100
# ... and past this many of one leg: names travel in the clear, and who has read one must not fill the place of others.
# Checks from an address that has passed one have this many places of their own: consent is not lost in a flood.
MAX_CHECKS_OF_LEG = 8
# ... and a page that measures checks as often at each access point: these many a batch, apart from those of legs.
MAX_PROBES = 40
# What claims to be DTLS costs OpenSSL up to 200 µs, also where it is rubbish under a page's address. The flights of
# MAX_HANDSHAKES pages are two or three datagrams each.
MAX_DTLS = 40


@define
class Received:
    """What followed: `replies` to send, `facts` for the control plane. Legs that have failed are closed here."""

    replies: list[tuple[bytes, Address]] = field(factory=list)
    facts: list[LegConnected | LegUnchecked | LegChecked | LegFailed] = field(factory=list)


# One datagram: its octets, the number of the socket it came to, the sockaddr it came from.
Arrived = tuple[bytes, int, bytes]


@define
class _Leg:
    id: str
    row: int
    ice: IceAgent
    dtls: dtls.DtlsServer
    # Where the far side's DTLS last came from, or where its ICE restarted to.
    dtls_address: Address | None = None
    # The agent that takes the place of `ice` when the browser nominates with its credentials.
    next_ice: IceAgent | None = None

    @property
    def remote(self) -> Address | None:
        """Where media goes."""
        return self.ice.nominated or self.dtls_address

    @property
    def agents(self) -> tuple[IceAgent, ...]:
        return (self.ice,) if self.next_ice is None else (self.ice, self.next_ice)

    def deadline(self) -> float:
        return min(self.dtls.deadline(), *(agent.deadline() for agent in self.agents))


class _Checks:
    """Which checks of one batch are looked at."""

    def __init__(self) -> None:
        # By our fragment, and whether it comes from where one of the leg's has passed.
        self._taken: Counter[tuple[str, bool]] = Counter()
        self._unknown = 0

    def take(self, agent: IceAgent, *, known: bool) -> bool:
        key = agent.local.ufrag, known
        if self._taken[key] >= MAX_CHECKS_OF_LEG or (self._unknown >= MAX_CHECKS and not known):
            return False
        self._taken[key] += 1
        self._unknown += not known
        return True


@frozen
class Limits:
    """How many legs, and how many handshakes at once."""

    legs: int = MAX_LEGS
    handshakes: int = MAX_HANDSHAKES


class WebrtcTransport:
    """Legs of rows less than `capacity`. `secret(n)` gives n random bytes. `counters` counts every datagram that was
    dropped, by its reason."""

    def __init__(
        self,
        identity: dtls.Identity,
        secret: Callable[[int], bytes],
        limits: Limits = Limits(),
        capacity: int = 4096,
    ) -> None:
        self.counters: Counter[str] = Counter()
        self._identity = identity
        self._secret = secret
        self._limits = limits
        self._legs: dict[int, _Leg] = {}
        # As the octets of a USERNAME.
        self._by_ufrag: dict[bytes, tuple[_Leg, IceAgent]] = {}
        self.probes = Probes(ice.draw_credentials(secret))
        self._handshaking: set[int] = set()
        self.media = SecureMedia(self.counters, capacity)
        # Not after the earliest deadline of any leg: checks move a leg's deadline back without telling.
        self._deadline = math.inf

    def open(
        self, message: OpenWebrtcLeg, row: int, candidates: Sequence[tuple[str, int]], now: float
    ) -> WebrtcLegOpened | LegRefused:
        """A new leg in a free row. `candidates`: our `(address, port)` on the routes to it, best first."""
        if row in self._legs:
            raise ValueError(f"row {row} is not free")
        if len(self._legs) >= self._limits.legs:
            return LegRefused(message.leg, "too many browsers")
        if not dtls.strongest(message.fingerprints):
            return LegRefused(message.leg, "the offer has no fingerprint of SHA-256, SHA-384 or SHA-512")
        agent = self._agent(message.ice_ufrag, now)
        leg = self._legs[row] = _Leg(message.leg, row, agent, dtls.DtlsServer(self._identity, message.fingerprints))
        return self._opened(leg, agent, candidates)

    def restart(
        self, message: RestartIce, row: int, candidates: Sequence[tuple[str, int]], now: float
    ) -> WebrtcLegOpened | LegRefused:
        """New credentials for the leg in `row`; the old ones are good until the browser nominates with the new."""
        leg = self._legs[row]
        if not leg.dtls.expects(message.fingerprints):
            return LegRefused(message.leg, "another certificate is another leg")
        if leg.next_ice is not None:
            self._drop_agent(leg, leg.next_ice)
        leg.next_ice = self._agent(message.ice_ufrag, now)
        return self._opened(leg, leg.next_ice, candidates)

    def _agent(self, remote_ufrag: str, now: float) -> IceAgent:
        credentials = ice.draw_credentials(self._secret)
        while (name := credentials.ufrag.encode()) in self._by_ufrag or name == self.probes.name:
            credentials = ice.draw_credentials(self._secret)
        return IceAgent(credentials, remote_ufrag, now)

    def _opened(self, leg: _Leg, agent: IceAgent, candidates: Sequence[tuple[str, int]]) -> WebrtcLegOpened:
        local = agent.local
        self._by_ufrag[local.ufrag.encode()] = leg, agent
        self._deadline = min(self._deadline, leg.deadline())
        return WebrtcLegOpened(leg.id, local.ufrag, local.pwd, self._identity.fingerprint, tuple(candidates))

    def close(self, row: int) -> list[tuple[bytes, Address]]:
        """Ends the leg in `row`; returns its goodbye (close_notify). A row without a leg is no error."""
        leg = self._legs.get(row)
        if leg is None:
            return []
        received = Received()
        self._dtls_outputs(leg, leg.dtls.close(), received)
        self._drop(leg)
        return received.replies

    def check(self, arrived: Iterable[Arrived], now: float, received: Received) -> None:
        """STUN of one batch. No bytes whatever make it raise."""
        checks, probes = _Checks(), 0
        for datagram, port, name in arrived:
            if (user := stun.named(datagram)) == self.probes.name:
                probes += 1
                if probes > MAX_PROBES:
                    self.counters["probes_deferred"] += 1
                elif (request := self._request(datagram, address := _address(port, name))) is not None:
                    answer, counted = self.probes.receive(request, address, now)
                    received.replies.append((answer, address))
                    self.counters[counted] += 1
            elif (named := self._by_ufrag.get(user)) is None:
                # RFC 8489 §9.1.3 would have a 401; a port open to the world does not answer strangers.
                self.counters["stun_unknown_ufrag"] += 1
            elif not checks.take(named[1], known=self.media.owner(port, name) == named[0].row):
                self.counters["stun_deferred"] += 1
            elif (request := self._request(datagram, address := _address(port, name))) is not None:
                self._ice_outputs(*named, named[1].receive(request, address, now), received)

    def shake_hands(self, arrived: Iterable[Arrived], rows: Iterable[int], now: float, received: Received) -> None:
        """DTLS of one batch, and whose each datagram is: no stranger's. No bytes whatever make it raise."""
        for taken, ((datagram, port, name), row) in enumerate(zip(arrived, rows, strict=True)):
            if taken >= MAX_DTLS:
                self.counters["dtls_deferred"] += 1
            elif (leg := self._legs.get(row)) is None:  # another of the batch has ended it
                self.counters["dtls_from_stranger"] += 1
            else:
                self._receive_dtls(leg, datagram, _address(port, name), now, received)

    def deadline(self) -> float:
        """When to call `wake`; now and then too early, never too late."""
        return self._deadline

    def wake(self, now: float) -> Received:
        """What is due by now: flights sent again, handshakes given up, consent lost."""
        received = Received()
        for leg in [leg for leg in self._legs.values() if leg.deadline() <= now]:
            self._dtls_outputs(leg, leg.dtls.wake(now), received)
            for agent in leg.agents:
                if leg.row in self._legs:
                    self._ice_outputs(leg, agent, agent.wake(now), received)
        self._deadline = min((leg.deadline() for leg in self._legs.values()), default=math.inf)
        return received

    def last_check(self, row: int) -> float | None:
        """When the last authenticated STUN check of the leg came; None before the first or without a leg."""
        leg = self._legs.get(row)
        return leg.ice.last_check if leg else None

    def remote(self, row: int) -> Address | None:
        """Where the leg's media goes now; None before ICE and DTLS have found a way."""
        leg = self._legs.get(row)
        return leg.remote if leg else None

    def _request(self, datagram: bytes, address: Address) -> stun.BindingRequest | None:
        """The check in a datagram; None where it is none that can be answered, which is counted."""
        if address[1] == 0:
            # Anyone can send from port 0, but nobody can be answered there; without a check all else is a stranger's.
            self.counters["stun_from_port_zero"] += 1
            return None
        try:
            return stun.parse_request(datagram)
        except stun.RemoteStunError as error:
            self.counters[error.reason] += 1
            return None

    def _receive_dtls(self, leg: _Leg, datagram: bytes, address: Address, now: float, received: Received) -> None:
        if leg.dtls.state is dtls.State.WAITING and len(self._handshaking) >= self._limits.handshakes:
            self.counters["dtls_deferred"] += 1
            return
        leg.dtls_address = address
        self._aim(leg)
        self._dtls_outputs(leg, leg.dtls.receive(datagram, now), received)

    def _ice_outputs(self, leg: _Leg, agent: IceAgent, outputs: list[ice.Output], received: Received) -> None:
        for output in outputs:
            match output:
                case ice.Reply(datagram, address):
                    received.replies.append((datagram, address))
                case ice.Passed(address):
                    self.media.own(address, leg.row)
                case ice.Invalid(address):
                    self._forget(leg, address)
                case ice.Nominated(address):
                    if agent is leg.next_ice:
                        self._restarted(leg, agent, address, received)
                    self._aim(leg)
                case ice.Refused(reason):
                    self.counters[reason] += 1
                case ice.Unchecked(seconds):
                    received.facts.append(LegUnchecked(leg.id, seconds))
                case ice.Checked():
                    received.facts.append(LegChecked(leg.id))
                case ice.Failed(reason):
                    if agent is leg.next_ice:
                        self._drop_agent(leg, agent)  # nobody used the new credentials; the old ones serve on
                        leg.next_ice = None
                    else:
                        self._fail(leg, reason, received)

    def _restarted(self, leg: _Leg, agent: IceAgent, address: Address, received: Received) -> None:
        """The browser took the new way: the agent of the old one, and its addresses, are of no more use."""
        if leg.ice.unchecked:
            received.facts.append(LegChecked(leg.id))
        self._drop_agent(leg, leg.ice)
        leg.ice, leg.next_ice, leg.dtls_address = agent, None, address
        self.counters["ice_restarts"] += 1

    def _dtls_outputs(self, leg: _Leg, outputs: list[dtls.Output], received: Received) -> None:
        for output in outputs:
            match output:
                case dtls.Send(datagrams):
                    # To where its DTLS came from, not to the pair of ICE: that may not be chosen yet.
                    assert leg.dtls_address is not None
                    received.replies.extend((datagram, leg.dtls_address) for datagram in datagrams)
                case dtls.Connected(keys):
                    self.media.open(leg.row, keys)
                    received.facts.append(LegConnected(leg.id))
                case dtls.Ended(reason):
                    self._fail(leg, reason, received)
        if leg.dtls.state is dtls.State.HANDSHAKING:
            self._handshaking.add(leg.row)
            self._deadline = min(self._deadline, leg.dtls.deadline())
        else:
            self._handshaking.discard(leg.row)

    def _aim(self, leg: _Leg) -> None:
        if leg.remote is not None:
            self.media.aim(leg.row, leg.remote)

    def _fail(self, leg: _Leg, reason: str, received: Received) -> None:
        self.counters["legs_failed"] += 1
        received.facts.append(LegFailed(leg.id, reason))
        self._drop(leg)

    def _drop(self, leg: _Leg) -> None:
        for agent in leg.agents:
            self._drop_agent(leg, agent)
        del self._legs[leg.row]
        self._handshaking.discard(leg.row)
        self.media.close(leg.row)

    def _drop_agent(self, leg: _Leg, agent: IceAgent) -> None:
        agent.close()
        del self._by_ufrag[agent.local.ufrag.encode()]
        addresses, agent.valid = agent.valid, {}
        for address in addresses:
            self._forget(leg, address)

    def _forget(self, leg: _Leg, address: Address) -> None:
        """... unless the other agent of the leg has had a check from there."""
        if not any(address in agent.valid for agent in leg.agents):
            self.media.disown(address, leg.row)


def _address(port: int, name: bytes) -> Address:
    return (*host_and_port(name), port)
