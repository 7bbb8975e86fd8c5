"""Where guests are: their REGISTER (RFC 3261 §10.3), each with as many bindings as it has ways in (`MAX_BINDINGS`).

A guest is dialled where it was heard from, which behind a NAT is the only way to it: by the flow that the binding came
by (RFC 5626 §5.3), with the Contact that it gave, and over the proxies that want to be passed on the way there (Path,
RFC 3327). A binding ends with its time, when the guest takes it back, and with its connection where no other can be
made to it. It is another one where the Contact is another, or, of a client that has an instance (RFC 5626 §4.2), where
that one and its number of the flow are.

What is bound outlives the process with whoever is told of it (`Registered`), and comes back by `restore`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from .binding import Binding
from .events import Registered
from .grammar import same_host, same_uri
from .message import Address, NameAddr, RemoteSipError, Request, Row, Uri

# In seconds: what is granted where nothing is asked for or too much, and at least (RFC 3261 §10.3, steps 7 and 8). A
# switch that was stopped in good order has forgotten who is there: for so long at most nobody is.
MOST: Final = 600
LEAST: Final = 60
# A guest's ways in; of more the oldest goes. One that begins anew behind a NAT leaves one behind each time.
MAX_BINDINGS: Final = 8
MAX_PATH: Final = 5
# What a REGISTER may require, and what we say that we can (RFC 3327 §5.3, RFC 5626 §6, RFC 6140 §5.2).
OUTBOUND: Final = "outbound"
OPTION_TAGS: Final = frozenset({"gin", "path", OUTBOUND})
# The parameter of a Contact that stands for all numbers of a PBX (RFC 6140 §5.1).
BULK: Final = "bnc"
SUPPORTED: Final[Row] = ("Supported", ", ".join(sorted(OPTION_TAGS)))

_DIGITS = re.compile(r"[0-9]{1,10}", re.ASCII)
_Q = re.compile(r"[01](?:\.[0-9]{0,3})?", re.ASCII)


# A status, its rows, and whether the bindings are others now.
Answer: TypeAlias = tuple[int, tuple[Row, ...], bool]


class Registrar:
    """By trunk, the newest binding first."""

    def __init__(self) -> None:
        self._bindings: dict[str, tuple[Binding, ...]] = {}
        self._guests: dict[str, str] = {}

    def take_up(self, guests: Mapping[str, str]) -> None:
        """The user name of each trunk that is a guest. What another had bound is nobody's."""
        self._bindings = {
            trunk: each for trunk, each in self._bindings.items() if guests.get(trunk) == self._guests.get(trunk)
        }
        self._guests = dict(guests)

    def restore(self, trunk: str, bindings: Iterable[Binding]) -> None:
        """What was bound before this process."""
        if trunk in self._guests:
            self._bindings[trunk] = tuple(bindings)

    def told(self, trunk: str, *, lost: bool = False) -> Registered:
        """Where it is dialled now, preferred first (RFC 3261 §16.6): by `q`, then the newest."""
        return Registered(trunk, tuple(sorted(self._bindings.get(trunk, ()), key=lambda each: -each.q)), lost)

    def nearest(self, trunk: str, target: str) -> list[Binding]:
        """The bindings of a guest, first those of whoever has this Contact in a call: its user may be another there."""
        wanted = Uri.parse(target)

        def near(binding: Binding) -> int:
            uri = Uri.parse(binding.uri)
            return same_host(uri.host, wanted.host) * (1 + (uri.port == wanted.port))

        return sorted(self.told(trunk).bindings, key=lambda each: -near(each))

    def moved(self, trunk: str, known: Iterable[Binding], request: Request) -> list[tuple[str, frozenset[Address]]]:
        """Of each Contact that this REGISTER has bound the flows by which the same client was `known` before."""
        bound = [each for each in self._bindings.get(trunk, ()) if _is_of(each, request)]
        return [(new.uri, frozenset(old.flow for old in known if _is_client(new, old))) for new in bound]

    def at(self, host: str) -> str:
        """The guest that is at this address, empty for none."""
        found = (trunk for trunk, each in self._bindings.items() if any(one.flow.host == host for one in each))
        return next(found, "")

    def flows(self, now: float) -> set[Address]:
        """The connections by which guests are dialled."""
        return {one.flow for each in self._bindings.values() for one in each if one.flow.reliable and one.until > now}

    def disconnected(self, flow: Address) -> list[Registered]:
        """A connection is gone, and with it who can be reached by no other (RFC 5626 §5.3)."""
        told: list[Registered] = []
        for trunk, each in self._bindings.items():
            left = tuple(one for one in each if one.flow != flow or one.back is not None)
            if left != each:
                self._bindings[trunk] = left
                told.append(self.told(trunk, lost=True))
        return told

    # --- REGISTER ---------------------------------------------------------------------------------------------

    def register(self, trunk: str, request: Request, source: Address, now: float) -> Answer:
        """A REGISTER of this guest. Raises RemoteSipError where it cannot be read; then nothing has changed, and
        neither where it is refused (step 7)."""
        Uri.parse(request.uri)  # step 1: 416; 400 for what nobody can read (RFC 5118 §4.2)
        wanted = [tag for tag in request.items("Require") if tag.lower() not in OPTION_TAGS]
        if wanted:
            return 420, (("Unsupported", ", ".join(wanted)),), False
        if Uri.parse(request.to.uri).number != self._guests[trunk]:
            return 404, (), False  # step 5: no address of record of its own
        known = tuple(each for each in self._bindings.get(trunk, ()) if each.until > now)
        contacts = request.items("Contact")
        asked = request.get("Expires")
        if contacts == ["*"]:
            # step 6
            if asked is None or not _DIGITS.fullmatch(asked) or int(asked):
                return 400, (), False
            if any(_late(each, request) for each in known):
                return 500, (), False
            self._bindings.pop(trunk, None)
            return 200, (SUPPORTED,), bool(known)
        routes = _path(request)
        bindings = known
        for text in contacts:
            contact = NameAddr.parse(text)
            expires = contact.param("expires")
            seconds = min(_seconds(expires if expires is not None else asked), MOST)
            if 0 < seconds < LEAST:
                return 423, (("Min-Expires", str(LEAST)),), False
            new = _binding(contact, request, source, now + seconds, routes)
            if any(_replaces(new, each) and _late(each, request) for each in known):
                return 500, (), False
            kept = tuple(each for each in bindings if not _replaces(new, each))
            bindings = (new, *kept)[:MAX_BINDINGS] if seconds else kept
        self._bindings[trunk] = bindings
        paths = tuple(("Path", route) for route in routes)
        rows = (*_listed(bindings, now), *paths, SUPPORTED, *_outbound(request, bindings, source))
        return 200, rows, bool(contacts)


def _binding(contact: NameAddr, request: Request, source: Address, until: float, routes: tuple[str, ...]) -> Binding:
    uri = Uri.parse(contact.uri)
    if uri.scheme != "sip" and not (uri.scheme == "sips" and source.transport == "tls"):
        raise RemoteSipError("Contact is not a SIP URI")
    if uri.param(BULK) is not None and uri.user is not None:
        raise RemoteSipError("Contact with bnc has a user")  # RFC 6140 §5.1
    q = contact.param("q")
    # RFC 5626 §6: an instance alone is that of a client with one flow
    instance = contact.param("+sip.instance") or ""
    flow = contact.param("reg-id") or ""
    return Binding(
        contact.uri.partition("?")[0],
        source.host,
        source.port,
        source.transport,
        until,
        request.call_id,
        request.cseq,
        float(q) if q is not None and _Q.fullmatch(q) else 1.0,
        routes,
        f"{instance} {flow}" if instance and _DIGITS.fullmatch(flow) else "",
    )


def _replaces(new: Binding, old: Binding) -> bool:
    """Whether the two are one place (RFC 3261 §10.3, RFC 5626 §6)."""
    if new.instance or old.instance:
        return new.instance == old.instance
    return same_uri(new.uri, old.uri)


def _is_of(binding: Binding, request: Request) -> bool:
    return (binding.call_id, binding.cseq) == (request.call_id, request.cseq)


def _is_client(new: Binding, old: Binding) -> bool:
    """Whether it is the same one that has bound itself: by its instance, or the one Call-ID of all that it registers
    (RFC 3261 §10.2), or its Contact behind one router."""
    if new.instance or old.instance:
        return new.instance == old.instance
    return new.call_id == old.call_id or (new.address == old.address and same_uri(new.uri, old.uri))


def _late(known: Binding, request: Request) -> bool:
    """Step 7: out of order."""
    return known.call_id == request.call_id and request.cseq <= known.cseq


def _path(request: Request) -> tuple[str, ...]:
    """RFC 3327 §5.3. Raises RemoteSipError."""
    routes = tuple(request.items("Path"))
    if len(routes) > MAX_PATH:
        raise RemoteSipError("Path is too long")
    for route in routes:
        if Uri.parse(NameAddr.parse(route).uri).scheme not in ("sip", "sips"):
            raise RemoteSipError("Path is not of SIP URIs")
    return routes


def _listed(bindings: tuple[Binding, ...], now: float) -> tuple[Row, ...]:
    """Step 8: what is bound, and how long it still is."""
    return tuple(("Contact", f"<{each.uri}>;expires={int(each.until - now)}") for each in bindings)


def _outbound(request: Request, bindings: tuple[Binding, ...], source: Address) -> tuple[Row, ...]:
    """RFC 5626 §6: that we do as the client asks and keep to the flow. One by UDP would ask us by STUN whether it
    lives, and is not promised."""
    asks = any(tag.lower() == OUTBOUND for tag in request.items("Supported"))
    flows = any(each.instance and each.flow == source for each in bindings)
    return (("Require", OUTBOUND),) if asks and flows and source.reliable else ()


def _seconds(value: str | None) -> int:
    """Nonsense is as good as nothing said (RFC 3261 §10.2.1.1)."""
    return int(value) if value is not None and _DIGITS.fullmatch(value) else MOST
