"""Requests of ours, and the credentials that go with them: OPTIONS and REGISTER outside dialogs, and all that is sent
again because a trunk challenged it (RFC 3261 §10.2, §11.1, §22).

`Asking` stands on the transactions; `sessions` sends what belongs to calls through it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, Literal

from attrs import evolve, frozen

from .accounts import CREDENTIALS, Accounts, Tried
from .binding import way_back
from .call import Call, State
from .dialog import build_request, is_secure, over, renewed
from .digest import Account
from .events import FlowLost, Output, Refused, Replied, Transmit
from .grammar import same_uri
from .guests import ALGORITHMS, Guard
from .identity import checked_user, contact_user
from .layer import Asked, Slot, TransactionLayer, Way
from .message import (
    MAGIC_COOKIE,
    Address,
    LocalSipError,
    NameAddr,
    RemoteSipError,
    Request,
    Response,
    Row,
    Uri,
    bracket,
)
from .refresh import SESSION_EXPIRES
from .registrar import Registrar
from .screening import ACCEPT, OFFERING, able
from .transaction import Input as TransactionInput
from .transaction import Timers
from .trunks import Trunks

# Two of a 2-core machine's worth of legs are 3000 (DESIGN.md); a call more is refused with 503.
MAX_CALLS = 3000
# A transaction lives 32 s after its work; at 100 calls/s with INVITE and BYE this is 6400. Three times that is a flood.
MAX_TRANSACTIONS = 20000
# A longer request does not go by UDP, where it would come in pieces, or not at all, in octets (RFC 3261 §18.1.1: nobody
# knows what the way takes).
LONGEST_DATAGRAM: Final = 1300
# ... of so many hosts at once.
MAX_DATAGRAM_HOSTS: Final = 1000
# To where no connection could be made none is tried for so long, in seconds: each would cost its caller the time.
NO_CONNECTION: Final = 3600.0
# What a binding lasts of which a registrar says nothing, in seconds (RFC 3261 §10.2.1.1 leaves it to the registrar;
# its examples have an hour)
UNSAID_EXPIRES: Final = 3600
# Proxies that a registrar may want our calls to pass: an access network has two or three.
MAX_SERVICE_ROUTES: Final = 8

_SECONDS = re.compile(r"([0-9]{1,9})(?![0-9])", re.ASCII)
_HEADER_TEXT = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]{1,1000}")
_CALL_ID = re.compile(r"[A-Za-z0-9\-.@]{1,128}", re.ASCII)


@frozen
class Settings:
    """`local_address(remote)` gives the host and port that this remote should use for us, by its transport: Via,
    Contact, From. `session_expires` is the session interval that we ask for, in seconds (RFC 4028). `tcp`: it is
    spoken, and what is too long for a datagram goes by it. `challenges` are the algorithms of the passwords that we ask
    for."""

    local_address: Callable[[Address], tuple[str, int]]
    user_agent: str = "Cordboard"
    max_calls: int = MAX_CALLS
    max_transactions: int = MAX_TRANSACTIONS
    session_expires: int = SESSION_EXPIRES
    tcp: bool = False
    challenges: tuple[str, ...] = ALGORITHMS


class Asking(TransactionLayer):
    """The middle of `Endpoint`."""

    def __init__(self, settings: Settings, token: Callable[[], str], timers: Timers, changed: set[str] | None) -> None:
        super().__init__(timers, changed)
        self.settings = settings
        self._token = token
        self._trunks = Trunks({})
        self._accounts = Accounts(token)
        # question -> those that answer for it in place of its trunk's
        self._others: dict[str, Accounts] = {}
        self._guard = Guard(token, settings.challenges)
        self._registrar = Registrar()
        self._asking: set[str] = set()
        # Where the hosts are that were asked, and for which trunk: its peers may not name them.
        self._hosts: dict[str, str] = {}
        # ... and those that took no connection, and until when none is tried: by trunk, for these are few.
        self._datagrams: dict[tuple[str, Address], float] = {}
        # By which connection the registrar of a trunk reaches us, and until when (RFC 5626 §3.1)
        self._flows: dict[str, tuple[Address, float]] = {}

    def disconnected(self, remote: Address, unwritten: Sequence[Transmit], now: float) -> list[Output]:
        out = super().disconnected(remote, unwritten, now)
        lost = [trunk for trunk, (flow, until) in self._flows.items() if flow == remote and until > now]
        for trunk in lost:
            del self._flows[trunk]
            out.append(FlowLost(trunk))
        return out

    def _start(
        self,
        request: Request,
        way: Way,
        owner: Call | Asked,
        now: float,
        out: list[Output],
        tried: Tried = (),
        *,
        within: bool = False,
    ) -> Slot:
        """By TCP where it is too long for a datagram, and the trunk does not want it otherwise (RFC 3261 §18.1.1)."""
        instead, settings = way[0], self._trunks.settings(owner.trunk)
        if settings.private and request.body and request.method in OFFERING and instead.transport != "tls":
            # the far side leads elsewhere than its trunk may: keys do not go there (RFC 4568 §8.3)
            self.counters["keys not sent but by TLS"] += 1
            slot = super()._start(request, way, owner, now, [], tried, within=within)
            self._feed(slot, TransactionInput.TRANSPORT_ERROR, now, out)
            return slot
        if (
            instead.reliable
            or not self.settings.tcp
            or request.method == "CANCEL"  # it goes the way of its INVITE (§9.1)
            or settings.datagrams
            or settings.pinned  # it is reached where it was heard
            or self._datagrams.get((owner.trunk, instead), 0.0) > now
            or len(bytes(request)) <= LONGEST_DATAGRAM
        ):
            return super()._start(request, way, owner, now, out, tried, within=within)
        self.counters["too long for a datagram"] += 1
        by = evolve(instead, transport="tcp")
        branch = request.via.branch.removeprefix(MAGIC_COOKIE)
        request = over(request, branch, self._local(by))
        slot = super()._start(request, direct(by), owner, now, out, tried, within=within)
        slot.instead = instead
        return slot

    def _by_datagrams(self, slot: Slot, instead: Address, now: float, out: list[Output]) -> None:
        owner = slot.asked or slot.call
        assert owner is not None, "what is asked is somebody's"
        self.counters["no connection, so by a datagram"] += 1
        if len(self._datagrams) >= MAX_DATAGRAM_HOSTS:
            self._datagrams.clear()
        self._datagrams[owner.trunk, instead] = now + NO_CONNECTION
        if slot.call is not None and slot.call.state is State.WITHDRAWN:  # nobody wants it to ring any more
            self._feed(slot, TransactionInput.TRANSPORT_ERROR, now, out)
            return
        self._let_go(slot)  # what it waited for does not come any more
        self._anew(slot, slot.transaction.request, (instead, None), now, out)

    def _anew(self, slot: Slot, request: Request, way: Way, now: float, out: list[Output]) -> Slot:
        """The request of this transaction in another one, by another way (RFC 3263 §4.3)."""
        owner = slot.asked or slot.call
        assert owner is not None, "what is asked is somebody's"
        request = over(request, self._token(), self._local(way[0]))
        again = self._start(request, way, owner, now, out, slot.tried, within=slot.within)
        if (call := slot.call) is not None:
            if call.transaction is slot.transaction:
                call.transaction, call.invite = again.transaction, again.transaction.request
                call.peer = again.destination
            if call.exchange.transaction is slot.transaction:
                call.exchange.transaction = again.transaction
            self._mark(call)
        again.name, again.been = slot.name, slot.been
        self._await(again, now)
        return again

    def ask(
        self,
        request: str,
        trunk: str,
        method: Literal["OPTIONS", "REGISTER"],
        uri: str,
        destination: Address,
        now: float,
        *,
        user: str = "",
        expires: int | None = None,
        call_id: str = "",
        cseq: int = 1,
        routes: tuple[str, ...] = (),
        account: Account | None = None,
    ) -> list[Output]:
        """A request outside any dialog, answered by one `Replied` of the same id. REGISTER binds our Contact to `user`
        at the registrar `uri` for `expires` seconds, 0 ends it; who binds again keeps `call_id` and lets `cseq` rise
        (RFC 3261 §10.2.4). `routes` are Route values. Challenges are answered by
        `account`, or by the trunk's where there is none. Nothing of it outlives the process."""
        if request in self._asking:
            raise LocalSipError("a request of this id is open")
        if call_id and not _CALL_ID.fullmatch(call_id):
            raise LocalSipError("not a Call-ID")
        try:
            registrar = Uri.parse(uri)
        except RemoteSipError as error:
            raise LocalSipError(f"cannot be asked: {error.text}") from None
        way = route_rows(routes)
        local = self._local(destination)
        name = checked_user(user) + "@" if user else ""
        tag = f";tag={self._token()}"
        if method == "REGISTER":
            # RFC 3261 §10.2: the address of record is in To, and in From where nobody else registers it
            to = f"<sip:{name}{bracket(registrar.host)}>"
            from_ = to + tag
            rows: tuple[Row, ...] = (self._contact(local, user, expires, secure=is_secure(uri)),)
        else:
            to, from_ = f"<{uri}>", f"<sip:{name}{bracket(local.host)}>{tag}"
            rows = (self._contact(local, user, secure=is_secure(uri)), ACCEPT)
        out: list[Output] = []
        asked = Asked(request, trunk)
        if account is not None:
            self._others[request] = Accounts(self._token)
            self._others[request].set({trunk: account})
        if self._trunks.settings(trunk).guest is None:
            self._hosts[destination.host] = trunk
        self._asking.add(request)
        made = build_request(
            method,
            uri,
            branch=self._token(),
            local=local,
            from_=from_,
            to=to,
            call_id=call_id or self._token(),
            cseq=cseq,
            rows=(*way, *rows, *self._able(trunk), self._agent()),
        )
        self._start(self._signed(made, asked), self._way(trunk, uri, destination, routes), asked, now, out)
        return out

    def _replied(
        self,
        slot: Slot,
        asked: Asked,
        status: int,
        phrase: str,
        now: float,
        out: list[Output],
        response: Response | None = None,
    ) -> None:
        """The final answer, or that there is none."""
        self._asking.discard(asked.id)
        self._others.pop(asked.id, None)
        request = slot.transaction.request
        source = None if response is None else slot.destination
        replied = Replied(asked.id, status, phrase, source, request.cseq, request.call_id)
        if response is not None:
            least = _seconds(response.get("Min-Expires"))
            replied = evolve(replied, min_expires=least, retry_after=retry_after(response))
            if request.method == "REGISTER" and 200 <= status < 300:
                granted = _granted(request, response)
                self._reached_by(slot, asked.trunk, now + granted)
                replied = evolve(replied, expires=granted, routes=self._service_route(response))
        out.append(replied)

    def _service_route(self, response: Response) -> tuple[str, ...]:
        """RFC 3608 §6.1, §5: loose routes all of them, in their order, or none where one cannot be read."""
        try:
            routes = tuple(response.items("Service-Route"))
            route_rows(routes)  # calls will have to say them so
            uris = [Uri.parse(NameAddr.parse(each).uri) for each in routes]
        except (RemoteSipError, LocalSipError):
            uris, routes = [], ("",)
        usable = all(each.scheme in ("sip", "sips") and each.param("lr") is not None for each in uris)
        if len(uris) == len(routes) <= MAX_SERVICE_ROUTES and usable:
            return routes
        self.counters["Service-Route not usable"] += 1
        return ()

    def _reached_by(self, slot: Slot, trunk: str, until: float) -> None:
        """Our Contact is bound until then; who is told one of a connection reaches us by that (RFC 5626 §5.3)."""
        flow = slot.destination
        if flow.reliable and slot.instead is None:
            self._flows[trunk] = flow, until
        else:
            self._flows.pop(trunk, None)

    # --- credentials ------------------------------------------------------------------------------------------

    def _accounts_for(self, owner: Asked | Call) -> Accounts:
        return self._others.get(owner.id, self._accounts) if isinstance(owner, Asked) else self._accounts

    def _signed(self, request: Request, owner: Asked | Call) -> Request:
        """With the credentials that its trunk knows us by, and no others."""
        shown = self._accounts_for(owner).rows(owner.trunk, request.method, request.uri)
        kept = tuple(row for row in request.rows if row[0] not in CREDENTIALS)
        return evolve(request, rows=(*kept, *shown))

    def _challenged(self, slot: Slot, response: Response, source: Address, out: list[Output]) -> Tried | None:
        """What the slot's request has been tried with when it is sent again, None where `response` is its end."""
        if response.status not in (401, 407) or slot.transaction.request.method == "CANCEL":
            return None  # a CANCEL cannot be sent again (RFC 3261 §22.1)
        owner = slot.asked or slot.call
        assert owner is not None, "what is asked is somebody's"
        own = source.host == slot.destination.host or self._trunks.owns(owner.trunk, source.host)
        accounts = self._accounts_for(owner)
        tried = accounts.challenged(owner.trunk, response, slot.tried, own=own)
        if tried is None and (realm := accounts.unnamed(owner.trunk, response)):
            out.append(Refused(source, f"{response.status}: no password for the realm {realm!r}"))
        self.counters["challenge answered" if tried else "challenge not answered"] += 1
        return tried

    def _renew(self, request: Request, cseq: int, owner: Asked | Call, remote: Address) -> Request:
        """The same request as another transaction (RFC 3261 §8.1.3.5), with the credentials asked for."""
        return self._signed(renewed(request, cseq, self._token(), self._local(remote)), owner)

    def _ask_again(self, slot: Slot, asked: Asked, tried: Tried, now: float, out: list[Output]) -> None:
        request = slot.transaction.request
        again = self._renew(request, request.cseq + 1, asked, slot.destination)
        self._start(again, (slot.destination, slot.otherwise), asked, now, out, tried)

    # --- our side ---------------------------------------------------------------------------------------------

    def _way(self, trunk: str, uri: str, destination: Address, routes: tuple[str, ...]) -> Way:
        """To where no dialog leads yet: a guest is reached where it was heard, and else only where it says itself."""
        if self._trunks.settings(trunk).guest is not None:
            return destination, way_back(uri, destination, routes)
        return direct(destination)

    def _local(self, remote: Address) -> Address:
        host, port = self.settings.local_address(remote)
        return Address(host, port, remote.transport)

    def _contact(self, local: Address, user: str = "", expires: int | None = None, *, secure: bool = False) -> Row:
        """`secure`: what asks for it is a SIPS URI, and so is ours then (RFC 3261 §8.1.1.8, §12.1.1)."""
        name = f"{user}@" if user else ""
        if secure and local.transport == "tls":
            uri = f"sips:{name}{local}"
        else:
            # RFC 3261 §19.1.5: a URI that names no transport is reached by UDP
            uri = f"sip:{name}{local}" + (f";transport={local.transport}" if local.reliable else "")
        return ("Contact", f"<{uri}>" + ("" if expires is None else f";expires={expires}"))

    def _contact_of(self, trunk: str, ours: str, local: Address, *, secure: bool) -> Row:
        """Our Contact in a call; `ours` is its From, or the To of one that came."""
        settings = self._trunks.settings(trunk)
        return self._contact(local, contact_user(ours, settings.us if settings.registers else ""), secure=secure)

    def _able(self, trunk: str) -> tuple[Row, Row]:
        """What we let this trunk do, in every message that begins something or answers it (RFC 3261 §20.5, §20.37)."""
        return able(refers=self._trunks.settings(trunk).refers)

    def _agent(self, *, server: bool = False) -> Row:
        return ("Server" if server else "User-Agent", self.settings.user_agent)


def direct(destination: Address) -> Way:
    """The way to where no dialog leads yet: by TCP on a connection with it, old or new."""
    return destination, destination if destination.reliable else None


def route_rows(routes: tuple[str, ...]) -> tuple[Row, ...]:
    """Raises LocalSipError for one that is no SIP URI."""
    try:
        for route in routes:
            Uri.parse(NameAddr.parse(route).uri)
    except RemoteSipError as error:
        raise LocalSipError(f"cannot be asked: {error.text}") from None
    return tuple(("Route", header_text(route)) for route in routes)


def header_text(value: str) -> str:
    """What may stand in a header field as it is. Raises LocalSipError."""
    if not _HEADER_TEXT.fullmatch(value):
        raise LocalSipError("not the text of a header field")
    return value


def retry_after(response: Response) -> int | None:
    return _seconds(response.get("Retry-After"))


def _seconds(value: str | None) -> int | None:
    found = _SECONDS.match(value or "")
    return int(found[1]) if found else None


def _granted(request: Request, response: Response) -> int:
    """How long a registrar keeps our Contact, in seconds (RFC 3261 §10.2.4): what it says of ours, or of the only one
    there is, for it may have been rewritten on the way."""
    ours = NameAddr.parse(request.get("Contact") or "")
    try:
        listed = [NameAddr.parse(item) for item in response.items("Contact")]
    except RemoteSipError:
        listed = []
    found = next((each for each in listed if same_uri(each.uri, ours.uri)), listed[0] if len(listed) == 1 else None)
    said = found.param("expires") if found is not None else None
    for value in (said, response.get("Expires"), ours.param("expires")):
        if (seconds := _seconds(value)) is not None:
            return seconds
    return UNSAID_EXPIRES
