"""What is private, out of the journal: pseudonyms in place of numbers, names, addresses and secrets.

A replay runs behaviours on veiled messages, and every effect must come out as it was, veiled. So a pseudonym is like
what it stands for in all that an actor can see of it: the same thing always has the same one, two things never share
one, what is empty stays empty, a number leads where the number leads, an address is as local as the address, and a
page's offer is read as the offer is. Pseudonyms are drawn by chance and remembered only as long as the file is written:
afterwards nobody can tell what they stood for.

Which field of which class is what, is told by its name, as in a log line (`redact.py`). Every field that can hold text
is either private or ours: one that nobody thought about does not start.
"""

from __future__ import annotations

import ipaddress
import itertools
import re
import string
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from random import Random
from typing import Any, Final, TypeAlias

import attrs

from ..sip import description, sdp
from ..sip.binding import Binding
from ..sip.privacy import Stand, without_private
from ..switch import protocol as media
from . import agent_state, call_state, effects, entries, gate, integrations, organisation, page, signals, switchboard
from . import queue_state as queues
from .organisation import e164
from .redact import KEYS, LONG_DIGITS, NAMES, NUMBER, NUMBERS, TEXTS

Veiling = Callable[[Any], Any]
_Ip: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

# A number keeps its last two digits, as in the log.
KEPT_DIGITS: Final = 2
# ... and, behind the country's, the digit that tells of which kind it is nearly everywhere: without it most that are
# drawn are of another kind, and to look at one takes longer than a step of an actor.
KEPT_HEAD: Final = 1
# How often a pseudonym is drawn before it may be more like what it stands for by one sign.
DRAWS: Final = 2
_THIS_NETWORK: Final = ipaddress.ip_network("0.0.0.0/8")

# Names of fields that mean nothing, or something else, in a log line.
ADDRESSES: Final = frozenset({"address", "host", "peer", "source", "connection"})
SECRETS: Final = frozenset({"ice_pwd"})
DIGESTS: Final = frozenset({"digest"})
DESCRIPTIONS: Final = frozenset({"sdp"})
PEOPLE: Final = frozenset({"username", "by_name"})
# Nothing that an actor does depends on these, and some are secrets.
BLANK: Final = frozenset({"password", "secret", "url", "origin", "peers", "domain", "login", "realms"})
# SIP addresses of trunks, one or several.
URIS: Final = frozenset({"proxy", "proxies", "routes"})
# Ids, states and words of our own.
OURS: Final = frozenset(
    {
        "access_point", "agent", "agent_leg", "agents", "alarm", "algorithm", "alive", "allow", "answer", "ask",
        "asks_for", "barred", "bundle", "by", "by_mobile", "call", "call_id", "calls", "channels", "choosing", "chosen",
        "city", "code", "codecs", "counters", "country", "deaf_legs", "deny", "direction", "ended_by", "epoch", "event",
        "events", "excluded", "file", "fmtps", "format", "formats", "foundation", "gone", "gone_call", "gone_code",
        "how", "holidays", "hours", "ice_ufrag", "id", "kept_for", "key", "kind", "language", "later", "left_queues",
        "leg", "legs", "line", "line_leg", "listener", "method", "mid", "mobile_of", "moments", "music", "offerer",
        "old_leg", "outcome", "owed", "owner", "party", "pattern", "peaks",
        "playing", "prefix", "protocol", "province", "purpose", "queue", "queue_name", "recording", "recordings",
        "resting", "roster", "rung", "seed", "session", "session_id", "sessions", "silent_legs", "skills", "sources",
        "state", "target", "time_zone", "transport", "trouble", "trunk", "trunk_codecs", "trunks", "turns", "type",
        "usage", "version", "watchers", "watching", "why",
    }
)  # fmt: skip


# The type of a field that can hold text.
_TEXT: Final = re.compile(r"\bstr\b")


def _otherwise() -> dict[tuple[type, str], str]:
    """Fields that are not what others of their name are: the method of `Veil` that veils them, or nothing."""
    ours = [
        (effects.Down, "name"), (effects.Spawn, "name"), (effects.Watch, "name"),
        (effects.Unwatch, "name"), (effects.Tell, "to"), (effects.Stop, "told"),
        (page.QueueStatus, "name"), (page.QueueName, "name"), (agent_state.QueueKnown, "name"),
        (queues.Profile, "name"), (media.Music, "name"), (media.Prompt, "name"),
        (media.MusicTroubled, "name"), (media.MusicWell, "name"),
        (entries.About, "name"), (entries.Queue, "name"), (integrations.Window, "name"),
        (organisation.Organisation, "name"), (integrations.SmsTemplate, "text"),
        (organisation.Routes, "exact"), (organisation.Routes, "same"), (organisation.Routes, "patterns"),
        (description.Rtpmap, "name"), (media.OpenSource, "source"), (media.CloseSource, "source"),
        (media.SourceFinished, "source"),
    ]  # fmt: skip
    return {
        **dict.fromkeys(ours, ""),
        (media.WebrtcLegOpened, "candidates"): "ports",
        (media.AccessPoint, "candidates"): "ports",
        (media.AccessPoint, "name"): "",
        (sdp.Agreed, "remote"): "port",
        # it becomes the `proxy` of a host
        (Binding, "uri"): "uris",
        (Binding, "call_id"): "secret",
        (Binding, "instance"): "secret",
        (sdp.Crypto, "suite"): "",
        (sdp.Crypto, "key"): "secret",
        (media.SrtpKey, "suite"): "",
        (media.SrtpKey, "key"): "secret",
        (call_state.Out, "shown"): "number",
        (call_state.Out, "wanted"): "number",
        (signals.Dial, "shown"): "number",
        (call_state.Dial, "shown"): "number",
        (page.Dial, "shown"): "number",
        # these stay as they are anyway
        (effects.Locate, "ours"): "",
        (switchboard.Choosing, "ours"): "",
        (page.Numbers, "numbers"): "",
        (page.Snapshot, "numbers"): "",
        (agent_state.Profile, "numbers"): "",
        (effects.Log, "fields"): "fields",
        (entries.Queue, "overflow"): "onward",
        (entries.Queue, "closed"): "onward",
        (entries.Queue, "unattended"): "",
        (switchboard.JoinRoom, "room"): "number",
        (switchboard.Data, "rooms"): "rooms",
        (switchboard.Data, "mobiles"): "numbers",
    }


OTHERWISE: Final = _otherwise()


@cache
def kind_of(name: str) -> str | None:
    """The method of `Veil` for a field of this name; empty where it is ours, None where nobody said."""
    kinds = {
        "address": ADDRESSES,
        "secret": SECRETS,
        "digest": DIGESTS,
        "description": DESCRIPTIONS,
        "keys": KEYS,
        "blank": BLANK,
        "uris": URIS,
        "number": NUMBERS,
        "name": NAMES | PEOPLE,
        "text": TEXTS,
        "": OURS,
    }
    return next((kind for kind, names in kinds.items() if name in names), None)


class _Pseudonyms(dict[Any, Any]):
    """What each value of a kind is called, drawn by `new` when it is asked for first: all other times it is looked up
    without a word of Python, in every step some ninety times a call. What is empty or no text stays as it is."""

    def __init__(self, new: Callable[[str], str]) -> None:
        super().__init__()
        self._new = new
        self.taken: set[str] = set()

    def __missing__(self, value: Any) -> Any:
        if not value or not isinstance(value, str):
            return value
        other = self[value] = self._new(value)
        self.taken.add(other)
        return other


class Veil:
    """The pseudonyms of one file. Numbers lead where they led in each of `organisations`.

    Called with a class and the name of a field it gives what veils that field, as `packing.Packer` wants it. Raises
    TypeError for a field that can hold text and of which nobody has said whether it is private.
    """

    def __init__(self, organisations: Sequence[organisation.Organisation], rng: Random) -> None:
        self._organisations = tuple(organisations)
        self._rng = rng
        self._numbers = _Pseudonyms(self._new_number)
        self._names = _Pseudonyms(self._new_name)
        self._addresses = _Pseudonyms(self._new_address)
        self._secrets = _Pseudonyms(self._new_secret)
        self._uris = _Pseudonyms(lambda uri: f"sip:host-{len(self._uris) + 1}")
        # A telephone number or another SIP user: one of ours, or one too short to be private, stays.
        self.number: Veiling = self._numbers.__getitem__
        # What a person, or a person's machine, is called.
        self.name: Veiling = self._names.__getitem__
        # An IP address keeps its first octets and whether it can be called at all; a host name keeps its shape.
        self.address: Veiling = self._addresses.__getitem__
        self.secret: Veiling = self._secrets.__getitem__
        self.digest: Veiling = _Pseudonyms(self._new_digest).__getitem__
        # Words for people: long numbers in them are numbers.
        self.text: Veiling = _Pseudonyms(self._new_text).__getitem__
        self._stand = Stand(self.address, self.name, self.secret, self.digest)

    def __call__(self, kind: type, field: str) -> Veiling | None:
        how = OTHERWISE.get((kind, field))
        if how is None:
            how = kind_of(field)
            if how != "blank" and not _TEXT.search(str(getattr(attrs.fields(kind), field).type)):
                return None
        if how is None:
            raise TypeError(f"nobody has said in veil.py whether {kind.__module__}.{kind.__name__}.{field} is private")
        found: Veiling | None = getattr(self, how) if how else None
        return found

    # --- one value --------------------------------------------------------------------------------------------

    def uris(self, value: Any) -> Any:
        """SIP addresses: whether there are some, and which are one, is all that an actor sees of them."""
        if isinstance(value, tuple):
            return tuple(map(self.uris, value))
        return self._uris[value]

    def description(self, value: Any) -> Any:
        """The text of a session description."""
        return without_private(value, self._stand) if value else value

    def keys(self, value: Any) -> Any:
        """All alike, for nothing that an actor does depends on which they were."""
        return "0" * len(value)

    def blank(self, value: Any) -> Any:
        return None if value is None else type(value)()

    def fields(self, value: tuple[tuple[str, object], ...]) -> tuple[tuple[str, object], ...]:
        """Of a log line."""
        return tuple((name, getattr(self, kind)(each) if (kind := kind_of(name)) else each) for name, each in value)

    def port(self, value: Any) -> Any:
        """An address and a port, or None."""
        return None if value is None else (self.address(value[0]), value[1])

    def ports(self, value: Any) -> Any:
        return tuple(self.port(each) for each in value)

    def rooms(self, value: Any) -> Any:
        """A mapping by number."""
        return {self.number(number): each for number, each in value.items()}

    def onward(self, value: Any) -> Any:
        """Where a queue sends calls on to: a number may be anybody's."""
        kind, colon, rest = value.partition(":")
        return f"{kind}{colon}{self.number(rest)}" if kind == "number" else value

    def numbers(self, value: Any) -> Any:
        """A mapping to numbers."""
        return {each: self.number(number) for each, number in value.items()}

    # --- pseudonyms -------------------------------------------------------------------------------------------

    def _drawn(self, taken: set[str], value: str, alike: Callable[[str], object], tail: int = 0, head: int = 0) -> str:
        """A pseudonym of the same shape that is alike; where none is found it keeps more and more of the beginning,
        and where only the thing itself is like it (a pattern of the organisation names it) it stays."""
        wanted, end = alike(value), len(value) - tail
        for kept in range(min(head, end), end):
            for _ in range(DRAWS):
                drawn = value[:kept] + "".join(map(self._like, value[kept:end])) + value[end:]
                if drawn != value and drawn not in taken and alike(drawn) == wanted:
                    return drawn
        return value

    def _like(self, sign: str) -> str:
        """Another sign of the same kind."""
        for kind in (string.digits, string.ascii_lowercase, string.ascii_uppercase):
            if sign in kind:
                return self._rng.choice(kind)
        return chr(self._rng.randrange(0x4E00, 0x9FA6)) if sign.isalnum() else sign

    def _new_number(self, value: str) -> str:
        """Of a telephone number in another writing than E.164 the pseudonym of that, in the same writing."""
        telephone = NUMBER.fullmatch(value) is not None
        if telephone and not LONG_DIGITS.search(value):
            return value
        if any(each.written(value) for each in self._organisations):
            return value
        full = next((found for each in self._organisations if (found := e164(value, each.country))), None)
        if full is not None and full != value:
            other = _in_writing(value, full, self.number(full))
            if other not in self._numbers.taken and self._leads(other) == self._leads(value):
                return other
        head = len(f"+{gate.kind_of(full)[0]}") + KEPT_HEAD if full == value else 0
        return self._drawn(self._numbers.taken, value, self._leads, KEPT_DIGITS if telephone else 0, head)

    def _leads(self, number: str) -> object:
        """All that an actor can see of a number."""
        return [(each.written(number), each.route(number), gate.sights(each, number)) for each in self._organisations]

    def _new_text(self, value: str) -> str:
        return LONG_DIGITS.sub(lambda found: str(self.number(found.group())), value)

    def _new_name(self, value: str) -> str:
        return f"name-{len(self._names) + 1}" if value.strip(" -") else value

    def _new_secret(self, value: str) -> str:
        return self._drawn(self._secrets.taken, value, lambda each: None)

    def _new_digest(self, value: str) -> str:
        return "".join(sign if sign == ":" else self._rng.choice("0123456789ABCDEF") for sign in value)

    def _new_address(self, value: str) -> str:
        try:
            ip = ipaddress.ip_address(value.partition("%")[0])
        except ValueError:
            return self._drawn(self._addresses.taken, value, _is_ip)
        canonical = str(ip)
        if canonical != value:
            return str(self.address(canonical))
        if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
            return str(ipaddress.ip_address(f"::ffff:{self.address(str(ip.ipv4_mapped))}"))
        if ip.is_unspecified or ip.is_loopback:
            return value
        for draw in itertools.count():
            drawn = self._like_ip(ip, as_long=draw < DRAWS)
            if str(drawn) not in self._addresses.taken and _reach(drawn) == _reach(ip):
                return str(drawn)
        raise AssertionError("there is always another address")

    def _like_ip(self, ip: _Ip, *, as_long: bool) -> _Ip:
        """One that begins as this does; `as_long`: it is as long in writing, so that a description that holds it is."""
        begins, *bounds = (1, 0, 10, 100, 256) if ip.version == 4 else (2, 0, 1, 16, 256)
        parts = list(ip.packed)
        for at in range(begins, len(parts)):
            low, high = next((low, high) for low, high in pairwise(bounds) if parts[at] < high)
            parts[at] = self._rng.randrange(low, high) if as_long else self._rng.randrange(256)
        return type(ip)(bytes(parts))


def _in_writing(value: str, full: str, other: str) -> str:
    """`other` written as `value` writes `full`: the last digits, as many as those two have alike, are its own."""
    signs = list(value)
    places = [at for at, sign in enumerate(value) if sign.isdigit()]
    for place, same, new in zip(reversed(places), reversed(full), reversed(other), strict=False):
        if signs[place] != same:
            break
        signs[place] = new
    return "".join(signs)


def _is_ip(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def _reach(ip: _Ip) -> object:
    """All that an actor can see of an address."""
    mapped = isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None
    return ip.is_unspecified, ip.is_loopback, ip.is_multicast, ip.is_reserved, mapped, ip in _THIS_NETWORK
