"""Who comes in: what is heard of an address, and the answers that concern no call.

A trunk is known by its address, a guest by its password (see `guests`); whoever is neither hears nothing, and is
counted. The layer of `Endpoint` that stands before its requests.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence, Set

from attrs import evolve

from .arrivals import TAG_OF_TO
from .asking import Settings
from .binding import Binding
from .call import Call
from .connections import Standing
from .events import Output, Refused, Transmit
from .grammar import same_place
from .guests import Admitted, Challenged, Ignored
from .layer import server_key
from .message import (
    Address,
    RemoteSipError,
    Request,
    Response,
    Row,
    parse,
    refusal,
    reply_address,
    reply_otherwise,
    respond,
)
from .screening import KNOWN_METHODS, Refusal
from .sessions import Sessions, owns
from .transaction import Input as TransactionInput
from .transaction import Timers
from .trunks import Trunks, TrunkSettings

# What an overloaded endpoint asks for, in seconds: long enough to shed, short enough to be tried again (RFC 3261
# §21.5.4)
RETRY_AFTER = 5
# Of so many Contacts behind NATs it is remembered where they were heard last.
MAX_HEARD = 1000
# What a guest may begin with
_BEGINNING = frozenset({"INVITE", "OPTIONS", "REGISTER"})

_METHOD = re.compile(rb"[\r\n]*([A-Z]{3,10}) ")


class Doors(Sessions):
    """See the module's docstring."""

    def __init__(self, settings: Settings, token: Callable[[], str], timers: Timers, changed: set[str] | None) -> None:
        super().__init__(settings, token, timers, changed)
        # (trunk, Contact) -> where that was heard last
        self._heard_at: dict[tuple[str, str], Address] = {}

    @abstractmethod
    def _request(
        self, request: Request, source: Address, trunk: str, now: float, out: list[Output], *, late: bool
    ) -> None:
        """A request of this trunk; `late` as in `receive`. May raise RemoteSipError."""

    @abstractmethod
    def _response(self, response: Response, source: Address, now: float, out: list[Output]) -> None:
        """A response, whose branch is to be ours. May raise RemoteSipError."""

    def set_trunks(self, trunks: Mapping[str, TrunkSettings]) -> None:
        """Raises LocalSipError and changes nothing for a peer that is neither an address nor a network."""
        self._trunks = Trunks(trunks)
        self._accounts.set({trunk: each.account for trunk, each in trunks.items() if each.account is not None})
        guests = {trunk: each.guest for trunk, each in trunks.items() if each.guest is not None}
        self._guard.set(guests)
        self._registrar.take_up({trunk: account.username for trunk, account in guests.items()})
        self._flows = {
            trunk: each for trunk, each in self._flows.items() if trunk in trunks and trunks[trunk].registers
        }

    def bind(self, trunk: str, bindings: Iterable[Binding]) -> None:
        """Where a guest is, as an earlier process was told (`Registered`)."""
        self._registrar.restore(trunk, bindings)

    def is_peer(self, host: str) -> bool:
        """Whether this address is a trunk's by what is said of it, and not because somebody has shown a password."""
        return self._trunks.match(host) is not None

    def hears(self, host: str, now: float) -> Standing:
        """Whose connections are kept: a trunk's, and those of others as long as one of them may be a guest."""
        if self._trunks.match(host) is not None:
            return Standing.TRUNK
        return Standing.STRANGER if self._guard.hears(host, now) else Standing.NOBODY

    def expects(self, data: bytes, source: Address) -> bool:
        """Whether it comes from a trunk, or belongs to a call that lives."""
        return self._trunks.match(source.host) is not None or self._of_a_call(data)

    def disconnected(self, remote: Address, unwritten: Sequence[Transmit], now: float) -> list[Output]:
        return [*super().disconnected(remote, unwritten, now), *self._registrar.disconnected(remote)]

    def receive(self, data: bytes, source: Address, now: float, *, late: bool = False) -> list[Output]:
        """One message: a datagram, or what was framed in a stream. `late`: there is no room for a call that it begins.
        Raises nothing."""
        out: list[Output] = []
        if source.reliable:
            self._alive.add(source)
        if not data.strip(b"\r\n\x00 "):
            self.counters["keepalive"] += 1
            return out
        trunk = None
        if data[:4].upper() != b"SIP/":
            trunk = self._trunks.match(source.host)
            if trunk is None and not self._guard.hears(source.host, now) and not self._of_a_call(data):
                found = _METHOD.match(data)
                self._stranger(found[1].decode() if found else "")
                return out
        try:
            message = parse(data)
        except RemoteSipError as error:
            self._malformed(error, source, trunk, out)
            return out
        try:
            if isinstance(message, Response):
                self._response(message, source, now, out)
            else:
                trunk = trunk if trunk is not None else self._admit(message, source, now, out)
                if trunk is not None:
                    self._request(message, source, trunk, now, out, late=late)
        except RemoteSipError as error:
            # a part that is read only where it is used: Contact, Route, the body
            if isinstance(message, Request):
                self._refuse(message, source, Refusal(error.status, error.text), now, out)
            else:
                self.counters["bad response"] += 1
        return out

    def _of_a_call(self, data: bytes) -> bool:
        """Whether it has a tag of ours, which nobody else knows: a call that lives is heard from an address, too, where
        somebody has tried passwords since it began. Behind a NAT that is the address of all who are there."""
        found = TAG_OF_TO.search(data)
        return found is not None and found[1].decode() in self._by_tag

    def _stranger(self, method: str) -> None:
        self.counters[f"stranger {method if method in KNOWN_METHODS else 'other'}"] += 1

    def _admit(self, request: Request, source: Address, now: float, out: list[Output]) -> str | None:
        """The trunk of a request from an address that is nobody's; None: it has had its answer, or has none. What
        belongs to a guest's call is told by its tags, which nobody else knows; what begins something has to show who it
        is. Nothing of a challenge is remembered (RFC 3261 §8.2.7)."""
        method = request.method
        if server_key(request, method) in self._slots:
            return ""
        call = self._by_tag.get(request.to.tag or "")
        of_guest = call is not None and owns(call, request) and self._trunks.settings(call.trunk).guest is not None
        # nobody says within a call where a guest is: behind a proxy its telephones know their calls' tags too
        if call is not None and of_guest and method != "REGISTER":
            return call.trunk
        if method == "CANCEL" and server_key(request, "INVITE") in self._slots:
            return ""
        if request.to.tag is not None or method not in _BEGINNING or not self._guard.hears(source.host, now):
            self._stranger(method)
            return None
        match self._guard.check(request, source, now, known=bool(self._registrar.at(source.host))):
            case Admitted(trunk):
                return trunk
            case Challenged(rows, reason):
                if reason:
                    out.append(Refused(source, reason))
                self.counters[f"challenged {method}"] += 1
                answer = respond(request, 401, source, tag=self._guard.tag(request), rows=rows)
                way = reply_address(request.via, source), reply_otherwise(request.via, source)
                out.append(Transmit(bytes(answer), *way))
            case Ignored(""):
                self._stranger(method)
            case Ignored(reason):
                self.counters["banned"] += 1
                out.append(Refused(source, reason))
        return None

    def _heard_from(self, trunk: str, contact: str, source: Address, left: Set[Address] = frozenset()) -> None:
        """Where a trunk behind a NAT begins something by UDP. Its router gives it another port now and then, in the
        middle of its calls too, and what came by the one before reaches it no more: what we ask in them goes where it
        was heard last (RFC 3581 §1), as what goes on connections does (RFC 5626 §5.3). They are known by the Contact,
        where the address of the router is the same; `left` are the flows that this client had registered by before."""
        if source.transport != "udp" or not self._trunks.settings(trunk).pinned:
            return
        left -= {source}
        if not left and self._heard_at.get((trunk, contact)) == source:
            return
        self._heard_at.pop((trunk, contact), None)
        if len(self._heard_at) >= MAX_HEARD:
            del self._heard_at[next(iter(self._heard_at))]
        self._heard_at[trunk, contact] = source

        def moves(at: Address, uri: str) -> bool:
            here = at.host == source.host and at.transport == "udp" and same_place(uri, contact)
            return at != source and (here or at in left)

        for call in self._calls.values():
            if call.trunk == trunk:
                self._follow(call, source, moves)

    def _follow(self, call: Call, source: Address, moves: Callable[[Address, str], bool]) -> None:
        """What we ask in this call goes there from now on, and what has no answer yet goes there again."""
        dialog = call.dialog
        if dialog is not None and moves(dialog.peer, dialog.target):
            self.counters["moved behind its NAT"] += 1
            call.dialog = evolve(dialog, peer=source)
            self._mark(call)
        for early in call.early.values():
            if early.dialog is not None and moves(early.dialog.peer, early.dialog.target):
                early.dialog = evolve(early.dialog, peer=source)
                self._mark(call)
        for slot in [self._slots[key] for key in call.open]:
            if slot.key[0] == "client" and moves(slot.destination, slot.transaction.request.uri):
                slot.destination = source
                self._mark(call)

    def _malformed(self, error: RemoteSipError, source: Address, trunk: str | None, out: list[Output]) -> None:
        self.counters["malformed"] += 1
        if trunk is None:
            return
        out.append(Refused(source, error.text))
        answer = refusal(error, source, self._token())
        if answer:
            out.append(Transmit(*answer))

    # --- answers without a call ---

    def _reply(
        self,
        request: Request,
        source: Address,
        status: int,
        now: float,
        out: list[Output],
        *,
        rows: tuple[Row, ...] = (),
    ) -> None:
        slot = self._serve(request, source, None)
        slot.tag = self._token()
        response = respond(request, status, source, tag=slot.tag, rows=(*rows, self._agent(server=True)))
        given = TransactionInput.SEND_2XX if status < 300 else TransactionInput.SEND_FINAL
        self._send(slot, given, response, now, out)

    def _refuse(self, request: Request, source: Address, refused: Refusal, now: float, out: list[Output]) -> None:
        self.counters[f"refused {refused.status}"] += 1
        out.append(Refused(source, f"{refused.status}: {refused.reason}"))
        if request.method != "ACK":
            self._reply(request, source, refused.status, now, out, rows=refused.rows)

    def _overload(self, request: Request, source: Address, now: float, out: list[Output]) -> None:
        """503 without a transaction: overload must not cost memory. Said again it is the same (RFC 3261 §8.2.7)."""
        self.counters["refused 503"] += 1
        self._refusals.add(server_key(request, request.method), now)
        out.append(Refused(source, "503: overload"))
        response = respond(
            request, 503, source, tag=self._guard.tag(request), rows=(("Retry-After", str(RETRY_AFTER)),)
        )
        way = reply_address(request.via, source), reply_otherwise(request.via, source)
        out.append(Transmit(bytes(response), *way))
