"""A dialog (RFC 3261 §12): what both sides must remember to send each other requests outside the first transaction.

A `Dialog` is frozen; a step gives a new one, so that it can be stored as it is. `of_invite` makes the callee's side,
`of_response` the caller's. `request` builds the next request with its route, `accepts` judges the CSeq of theirs.
Names are not resolved here: `next_hop` may give one, and `way` is told where it leads.
"""

from __future__ import annotations

from attrs import evolve, frozen

from .binding import way_back
from .grammar import is_ip
from .message import (
    MAGIC_COOKIE,
    Address,
    NameAddr,
    RemoteSipError,
    Request,
    Response,
    Row,
    Uri,
    Via,
    bracket,
)

# RFC 3261 §8.1.1.6
MAX_FORWARDS = 70
# The transports that we speak (RFC 3261 §19.1.1)
TRANSPORTS = frozenset({"udp", "tcp", "tls"})


@frozen
class Dialog:
    """`local` and `remote` are the From and To values without tag; `peer` is where the last message came from.
    `pinned`: that is the only way there, whatever the Contact says, as for one behind a NAT."""

    call_id: str
    local_tag: str
    remote_tag: str
    local: str
    remote: str
    local_cseq: int
    remote_cseq: int | None
    target: str
    routes: tuple[str, ...]
    peer: Address
    pinned: bool = False

    @classmethod
    def of_invite(cls, request: Request, local_tag: str, peer: Address, *, pinned: bool = False) -> Dialog:
        """The UAS side (RFC 3261 §12.1.1). Raises RemoteSipError(400) where Contact or Record-Route cannot be read."""
        return cls(
            call_id=request.call_id,
            local_tag=local_tag,
            remote_tag=request.from_.tag or "",
            local=without_tag(request.to),
            remote=without_tag(request.from_),
            local_cseq=0,
            remote_cseq=request.cseq,
            target=contact_of(request),
            routes=tuple(request.items("Record-Route")),
            peer=peer,
            pinned=pinned,
        )

    @classmethod
    def of_response(cls, request: Request, response: Response, peer: Address) -> Dialog:
        """The UAC side (RFC 3261 §12.1.2): the route set is the Record-Route in reverse. Raises RemoteSipError."""
        routes = tuple(reversed(response.items("Record-Route")))
        return cls._answered(request, response, peer, contact_of(response), routes)

    @classmethod
    def of_nowhere(cls, request: Request, response: Response, peer: Address) -> Dialog:
        """Of a 2xx that does not say where it is to be reached, as it must (RFC 3261 §12.1.1): it is acknowledged and
        let go where it was heard."""
        return cls._answered(request, response, peer, request.uri, (), pinned=True)

    @classmethod
    def _answered(
        cls,
        request: Request,
        response: Response,
        peer: Address,
        target: str,
        routes: tuple[str, ...],
        *,
        pinned: bool = False,
    ) -> Dialog:
        return cls(
            call_id=request.call_id,
            local_tag=request.from_.tag or "",
            remote_tag=response.to.tag or "",
            local=without_tag(request.from_),
            remote=without_tag(response.to),
            local_cseq=request.cseq,
            remote_cseq=None,
            target=target,
            routes=routes,
            peer=peer,
            pinned=pinned,
        )

    def owns(self, request: Request) -> bool:
        """Whether an in-dialog request is of this dialog (RFC 3261 §12.2.2); its To tag found us."""
        return request.call_id == self.call_id and (request.from_.tag or "") == self.remote_tag

    def answers(self, response: Response) -> bool:
        """Whether it is to a request of ours in this dialog."""
        ours = response.call_id == self.call_id and response.from_.tag == self.local_tag
        return ours and (response.to.tag or "") == self.remote_tag and response.cseq <= self.local_cseq

    def accepts(self, request: Request) -> bool:
        """False for a CSeq lower than the last: the answer is 500 (RFC 3261 §12.2.2)."""
        return self.remote_cseq is None or request.cseq >= self.remote_cseq

    def heard(self, request: Request, peer: Address) -> Dialog:
        """After a request of theirs; a re-INVITE or UPDATE may move the remote target (RFC 3261 §12.2.2, RFC 3311
        §5.2). Raises RemoteSipError."""
        moves = request.method == "INVITE" or (request.method == "UPDATE" and request.get("Contact") is not None)
        target = contact_of(request) if moves else self.target
        return Dialog(
            self.call_id,
            self.local_tag,
            self.remote_tag,
            self.local,
            self.remote,
            self.local_cseq,
            request.cseq,
            target,
            self.routes,
            peer,
            self.pinned,
        )

    def moved(self, response: Response) -> Dialog:
        """After a 2xx to a re-INVITE or UPDATE of ours (RFC 3261 §12.2.1.2). Raises RemoteSipError."""
        target = contact_of(response) if response.get("Contact") is not None else self.target
        return evolve(self, target=target)

    def told(self, source: Address) -> Dialog:
        """After a 2xx or an ACK: a connection that it came on lives, which one that was used before need not."""
        follows = self.pinned or (source.reliable and source.transport == self.peer.transport)
        return evolve(self, peer=source) if follows and source != self.peer else self

    def advanced(self) -> Dialog:
        return evolve(self, local_cseq=self.local_cseq + 1)

    def request(
        self, method: str, cseq: int, branch: str, local: Address, rows: tuple[Row, ...] = (), body: bytes = b""
    ) -> Request:
        """A request in this dialog (RFC 3261 §12.2.1.1), with the loose or the strict route."""
        uri, routes = self.target, self.routes
        if routes and Uri.parse(NameAddr.parse(routes[0]).uri).param("lr") is None:
            uri = NameAddr.parse(routes[0]).uri
            routes = (*routes[1:], f"<{self.target}>")
        return build_request(
            method,
            uri,
            branch=branch,
            local=local,
            from_=f"{self.local};tag={self.local_tag}",
            to=f"{self.remote};tag={self.remote_tag}" if self.remote_tag else self.remote,
            call_id=self.call_id,
            cseq=cseq,
            rows=(*(("Route", route) for route in routes), *rows),
            body=body,
        )

    def next_hop(self) -> Address | str:
        """The first route, else the remote target (RFC 3261 §8.1.2), by the transport that it names, else by that of
        the peer. Where it has a name, that has to be looked up: it is given as a SIP URI without a user."""
        if self.pinned:
            return self.peer
        try:
            uri = Uri.parse(NameAddr.parse(self.routes[0]).uri if self.routes else self.target)
        except RemoteSipError:
            return self.peer
        transport = uri.transport if uri.transport in TRANSPORTS else self.peer.transport
        if is_ip(uri.host):
            return Address.at(uri.host, uri.port, transport)
        port = "" if uri.port is None else f":{uri.port}"
        return f"sip:{uri.host.lower().rstrip('.')}{port};transport={transport}"

    def way(self, hop: Address) -> tuple[Address, Address | None]:
        """Where a request goes whose next hop is there: by UDP there; by TCP on the connection where the peer was last
        heard, and where that is gone, on one that is opened to the next hop. Whoever holds that connection is the next
        hop, or forwards to it."""
        if self.pinned:
            return self.peer, way_back(self.target, self.peer, self.routes)
        if not hop.reliable:
            return hop, None
        return self.peer if self.peer.transport == hop.transport else hop, hop

    @property
    def secure(self) -> bool:
        """Whether what leads to the peer is a SIPS URI: ours has to be one too (RFC 3261 §8.1.1.8, §12.1.1)."""
        return is_secure(NameAddr.parse(self.routes[0]).uri if self.routes else self.target)


def is_secure(uri: str) -> bool:
    return uri[:5].lower() == "sips:"


def without_tag(address: NameAddr) -> str:
    return str(NameAddr(address.display, address.uri, tuple([pair for pair in address.params if pair[0] != "tag"])))


def contact_of(message: Request | Response) -> str:
    """The one Contact URI of a message that makes or refreshes a dialog (RFC 3261 §8.1.1.8); a caller of RFC 2543 that
    has none is reached by its From (RFC 4475 §3.4.1)."""
    if contacts := message.items("Contact"):
        uri = NameAddr.parse(contacts[0]).uri
    elif isinstance(message, Request) and not message.via.branch.startswith(MAGIC_COOKIE):
        uri = message.from_.uri
    else:
        raise RemoteSipError("no Contact")
    if Uri.parse(uri).scheme not in ("sip", "sips"):
        raise RemoteSipError("Contact is not a SIP URI")
    for route in message.items("Record-Route"):
        if Uri.parse(NameAddr.parse(route).uri).scheme not in ("sip", "sips"):
            raise RemoteSipError("Record-Route is not a SIP URI")
    return uri


def build_request(
    method: str,
    uri: str,
    *,
    branch: str,
    local: Address,
    from_: str,
    to: str,
    call_id: str,
    cseq: int,
    rows: tuple[Row, ...] = (),
    body: bytes = b"",
    forwards: int = MAX_FORWARDS,
) -> Request:
    """A request of ours. `branch` comes without the magic cookie. Via asks for rport (RFC 3581 §3)."""
    via = via_of(branch, local)
    return Request(
        method,
        uri,
        (
            ("Via", via.text),
            ("Max-Forwards", str(forwards)),
            ("From", from_),
            ("To", to),
            ("Call-ID", call_id),
            ("CSeq", f"{cseq} {method}"),
            *rows,
        ),
        body,
        via,
        NameAddr.parse(from_),
        NameAddr.parse(to),
        call_id,
        cseq,
    )


def via_of(branch: str, local: Address) -> Via:
    branch = MAGIC_COOKIE + branch
    transport = local.transport.upper()
    text = f"SIP/2.0/{transport} {bracket(local.host)}:{local.port};branch={branch};rport"
    return Via(text, transport, local.host, local.port, branch, rport=True)


def over(request: Request, branch: str, local: Address) -> Request:
    """The same request, not yet sent, by another transport (RFC 3261 §18.1.1)."""
    via = via_of(branch, local)
    rows = tuple((name, via.text if name == "Via" else value) for name, value in request.rows)
    return evolve(request, rows=rows, via=via)


def renewed(request: Request, cseq: int, branch: str, local: Address) -> Request:
    """The same request of ours as a transaction of its own."""
    via = via_of(branch, local)
    fresh = {"Via": via.text, "CSeq": f"{cseq} {request.method}"}
    rows = tuple((name, fresh.get(name, value)) for name, value in request.rows)
    return evolve(request, rows=rows, via=via, cseq=cseq)
