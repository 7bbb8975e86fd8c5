"""Where a guest is, as a value: what `registrar` keeps, and whoever is told of it."""

from __future__ import annotations

from attrs import frozen

from .grammar import Address, Uri


@frozen
class Binding:
    """`uri` is what the guest is called by, without headers; `address`, `port` and `transport` are where it was heard,
    and is called; `routes` are the Path of the way there (RFC 3327). `instance` is the client and the number of its
    flow (RFC 5626 §4.2), empty where it has none. `call_id` and `cseq` are those of its last REGISTER."""

    uri: str
    address: str
    port: int
    transport: str
    until: float
    call_id: str
    cseq: int
    q: float = 1.0
    routes: tuple[str, ...] = ()
    instance: str = ""

    @property
    def flow(self) -> Address:
        return Address(self.address, self.port, self.transport)

    @property
    def back(self) -> Address | None:
        return way_back(self.uri, self.flow, self.routes)


def way_back(uri: str, flow: Address, routes: tuple[str, ...] = ()) -> Address | None:
    """Where a new connection can be made to whoever was heard by `flow` and has this Contact, None: nowhere. It has to
    name the host that is heard, so that nobody has us connect to others."""
    if routes or not flow.reliable:
        return None
    parsed = Uri.parse(uri)
    transport = "tls" if parsed.scheme == "sips" else (parsed.param("transport") or flow.transport).lower()
    if parsed.host.lower() != flow.host.lower() or transport != flow.transport:
        return None
    return Address.at(flow.host, parsed.port, transport)
