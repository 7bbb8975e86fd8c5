"""What an organisation has: trunks, queues, agents, numbers and the rest, each a frozen class read by `keys.py`.

Passwords of agents are here only between the file and the store; what the store loads has none.
"""

from __future__ import annotations

import re
from typing import Literal, get_args

from attrs import AttrsInstance, field, frozen

from . import hours
from .integrations import SmsTemplate, Webhook, Window
from .keys import (
    ConfigError,
    IpNetwork,
    choice,
    country,
    flag,
    found,
    identifier,
    many,
    network,
    one_of,
    optional_host,
    pattern,
    prefix,
    seconds,
    sip_uri,
    sip_user,
    some_text,
    text,
    time_zone,
    toml,
    whole,
)
from .routes import Route, onward, parse_route

Strategy = Literal["longest-idle", "round-robin", "fewest-calls", "least-talk-time", "random", "ring-all", "top-down"]
Unattended = Literal["wait", "overflow"]
# The priority of a call where nothing is said of it.
NORMAL = 5
Role = Literal["agent", "supervisor", "administrator"]

NumberFormat = Literal["e164", "national", "as-dialled"]
NumberPlace = Literal["to", "address"]

# RFC 3261 §25.1, user, without escapes.
REGISTERED_USER = re.compile(r"[A-Za-z0-9\-_.!~*'()&=+$,;?/]{1,128}")

# More calls than a process holds: a limit beyond it is none.
MAX_CALLS = 10_000
# The longest that a caller is kept waiting or an agent is kept in paperwork by a clock: a day.
MAX_SECONDS = 86400
# Networks give up a call that nobody answers, the most patient after three minutes (RFC 3261 §16.6, Timer C).
MAX_EARLY_SECONDS = 170
# An offer that rings shorter puts everybody on break before they can move.
MIN_RING_SECONDS = 1
# Long passphrases are welcome; a password of megabytes would keep argon2 busy for nothing.
MAX_PASSWORD = 256


@frozen
class Skill:
    """An agent belongs to `queue`; of two free agents the one with the lower level is the better."""

    queue: str
    level: int


def skills(value: object) -> tuple[Skill, ...]:
    if not isinstance(value, dict):
        raise ConfigError(f"must be a table as {{support = 1}}, found {found(value)}")
    return tuple(Skill(identifier(queue), _level(queue, level)) for queue, level in value.items())


def _level(queue: str, level: object) -> int:
    try:
        return whole(1, 100)(level)
    except ConfigError as error:
        raise ConfigError(f"{queue} {error}") from error


def password(value: object) -> str:
    if not 1 <= len(text(value)) <= MAX_PASSWORD:
        raise ConfigError(f"must have 1 to {MAX_PASSWORD} characters; leave it out to keep the one it has")
    return text(value)


@frozen
class About:
    """The organisation itself."""

    name: str = field(default="Cordboard", metadata=toml(some_text, "text", "What it is called."))
    time_zone: str = field(
        default="Asia/Shanghai",
        metadata=toml(time_zone, "time zone", "Days, and the times that pages show, follow this clock."),
    )
    country: str = field(
        default="CN", metadata=toml(country, "ISO 3166 code", "How numbers without a country code are read; its tones.")
    )
    language: Literal["zh", "en"] = field(
        default="zh", metadata=choice(("zh", "en"), "What pages and prompts speak until told otherwise.")
    )
    holidays: tuple[str, ...] = field(
        default=(),
        metadata=toml(many(hours.holiday), "day or a list", "On these days queues with `hours` are closed."),
    )


@frozen
class Trunk:
    """A carrier or PBX that connects by SIP."""

    id: str = field(metadata=toml(identifier, "id", "Its name in programs and logs."))
    peers: tuple[IpNetwork, ...] = field(
        default=(),
        metadata=toml(many(network), "network or a list", "Where its calls come from: IP addresses or CIDR."),
    )
    proxy: tuple[str, ...] = field(
        default=(),
        metadata=toml(
            many(sip_uri),
            "SIP address or a list",
            "Where our calls go, to the first that answers; empty: where it registers, if it does.",
        ),
    )
    domain: str = field(
        default="",
        metadata=toml(
            optional_host, "host", "In which both numbers of a call are, where that is not the host of its `proxy`."
        ),
    )
    username: str = field(
        default="", metadata=toml(text, "text", "Who we are where it asks (digest); without `proxy` who it is.")
    )
    login: str = field(default="", metadata=toml(text, "text", "... where the password has a name of its own."))
    password: str = field(default="", repr=False, metadata=toml(text, "text", "... and that we are it."))
    realms: tuple[str, ...] = field(
        default=(),
        metadata=toml(many(some_text), "text or a list", "... in these realms; empty: in the first that it asks for."),
    )
    register: bool = field(
        default=False,
        metadata=toml(
            flag, "true, false", "Tell it where we are, with the user name (REGISTER); calls are from its domain then."
        ),
    )
    nat: bool = field(
        default=False,
        metadata=toml(
            flag,
            "true, false",
            "It is behind a NAT: its media and what it says in a call are answered where they come from, whatever it "
            "says itself.",
        ),
    )
    number_in: NumberPlace = field(
        default="to",
        metadata=choice(
            get_args(NumberPlace),
            "Where it registers with us: its address is called as it gave it, and the number is in To; or the number "
            "is the user of that address.",
        ),
    )
    srtp: bool = field(
        default=False,
        metadata=toml(
            flag,
            "true, false",
            "Its media is encrypted (SRTP, RFC 4568), or there is no call; what it says it says by TLS.",
        ),
    )
    refer: bool = field(
        default=False,
        metadata=toml(
            flag,
            "true, false",
            "It may put its calls through to other numbers of its own (REFER), as far as the dialling rules allow.",
        ),
    )
    trusted: bool = field(
        default=False,
        metadata=toml(flag, "true, false", "It is told the caller's number where that is withheld too (RFC 3325)."),
    )
    priority: int = field(
        default=1, metadata=toml(whole(1, 1000), "number", "Calls go out by the lowest number that works.")
    )
    weight: int = field(
        default=1,
        metadata=toml(whole(1, 1000), "number", "Of trunks of one priority, twice the weight takes twice the calls."),
    )
    format: NumberFormat = field(
        default="e164",
        metadata=toml(
            one_of(*get_args(NumberFormat)),
            "format",
            "How it wants numbers: `e164` (+861055501000), `national` (01055501000; 0044... for abroad), `as-dialled`.",
        ),
    )
    strip: int = field(
        default=0,
        metadata=toml(whole(0, 20), "number", "So many signs are taken from the number's beginning, the + is one."),
    )
    prefix: str = field(default="", metadata=toml(prefix, "prefix", "... and this is put there."))
    calls: int = field(default=0, metadata=toml(whole(0, MAX_CALLS), "number", "Calls out at once; 0: no limit."))
    calls_per_minute: int = field(
        default=0, metadata=toml(whole(0, MAX_CALLS), "number", "Calls out in any minute; 0: no limit.")
    )

    @property
    def guest(self) -> bool:
        """A PBX without a fixed address, that shows who it is, and registers with us where it wants to be called."""
        return bool(self.username) and not self.proxy


@frozen
class Queue:
    """A skill group."""

    id: str = field(metadata=toml(identifier, "id", "Its name in programs and logs."))
    name: str = field(default="", metadata=toml(text, "text", "What people see; empty: the id."))
    strategy: Strategy = field(
        default="longest-idle",
        metadata=toml(
            one_of(*get_args(Strategy)),
            "strategy",
            f"Whom a call is offered first: {', '.join(get_args(Strategy))}.",
        ),
    )
    widen_seconds: float = field(
        default=0.0,
        metadata=toml(
            seconds(MAX_SECONDS),
            "seconds",
            "So long a call waits for agents of level 1 before those of level 2 are asked too, and so on; 0: at once.",
        ),
    )
    priority: int = field(
        default=NORMAL,
        metadata=toml(whole(1, 9), "number", "An agent of several queues takes the calls of the lowest number first."),
    )
    ring_seconds: float = field(
        default=30.0,
        metadata=toml(
            seconds(MAX_SECONDS, MIN_RING_SECONDS),
            "seconds",
            "How long an offer rings before the agent is put on break.",
        ),
    )
    wrap_up_seconds: float = field(
        default=0.0, metadata=toml(seconds(MAX_SECONDS), "seconds", "The most after-call work may take; 0: no limit.")
    )
    survey: bool = field(
        default=False,
        metadata=toml(flag, "true, false", "Ask the caller for a rating when the agent hangs up."),
    )
    max_wait_seconds: float = field(
        default=0.0, metadata=toml(seconds(MAX_SECONDS), "seconds", "The most a caller waits; 0: no limit.")
    )
    max_waiting: int = field(
        default=0,
        metadata=toml(whole(0, MAX_CALLS), "number", "So many may wait; who comes then does not. 0: no limit."),
    )
    unattended: Unattended = field(
        default="wait",
        metadata=choice(
            get_args(Unattended),
            "Where nobody is signed in callers `wait`, and are told so, or go where the `overflow` goes.",
        ),
    )
    overflow: str = field(
        default="",
        metadata=toml(
            onward,
            "queue:ID, number:NUMBER, voicemail",
            "Where callers go who have waited too long, or find too many; empty: they hear goodbye.",
        ),
    )
    last_agent_seconds: float = field(
        default=0.0,
        metadata=toml(
            seconds(MAX_SECONDS),
            "seconds",
            "So long a caller is kept for the agent who served it last, where that one is at work; 0: not at all.",
        ),
    )
    last_agent_days: int = field(
        default=7, metadata=toml(whole(1, 366), "number", "... if that was within so many days.")
    )
    hours: tuple[str, ...] = field(
        default=(),
        metadata=toml(
            many(hours.opening), "hours or a list", 'When it is open, as "Mon-Fri 09:00-18:00"; empty: always.'
        ),
    )
    closed: str = field(
        default="",
        metadata=toml(
            onward,
            "queue:ID, number:NUMBER, voicemail",
            "Where callers go who come when it is closed; empty: they are told so.",
        ),
    )
    announce_seconds: float = field(
        default=60.0,
        metadata=toml(
            seconds(MAX_SECONDS), "seconds", "How often a caller that waits hears its number in line; 0: never."
        ),
    )
    announce_wait: bool = field(
        default=True,
        metadata=toml(flag, "true, false", "... and how long it will wait, as soon as that can be told."),
    )
    early_seconds: float = field(
        default=0.0,
        metadata=toml(
            seconds(MAX_EARLY_SECONDS),
            "seconds",
            "So long a caller waits before its call is answered, which may cost it nothing; 0: answered at once.",
        ),
    )
    music: str = field(
        default="",
        metadata=toml(
            text, "file", "What callers hear while they wait, again and again; empty: the piece that is built in."
        ),
    )


@frozen
class Agent:
    """Someone who answers, helps or administers."""

    id: str = field(metadata=toml(identifier, "id", "What the agent logs in with."))
    name: str = field(default="", metadata=toml(text, "text", "What people see; empty: the id."))
    email: str = field(default="", metadata=toml(text, "text", "Sent along to CRM pages.", used=False))
    password: str | None = field(
        default=None,
        repr=False,
        metadata=toml(password, "text", "Kept as an argon2 hash; left out: the one it has stays."),
    )
    role: Role = field(
        default="agent",
        metadata=toml(one_of("agent", "supervisor", "administrator"), "role", "agent, supervisor or administrator."),
    )
    mobile: str = field(
        default="",
        metadata=toml(text, "number", "Where mobile answer rings until the agent binds another; kept as E.164."),
    )
    skills: tuple[Skill, ...] = field(
        default=(),
        metadata=toml(skills, "{queue = level}", "The queues it answers; level 1 is the best."),
    )
    calls: int = field(default=3, metadata=toml(whole(0, MAX_CALLS), "number", "Calls out at once; 0: no limit."))
    calls_per_minute: int = field(
        default=20, metadata=toml(whole(0, MAX_CALLS), "number", "Calls out in any minute; 0: no limit.")
    )


@frozen
class Number:
    """Where a dialled SIP user leads: either `number` or `pattern`."""

    number: str = field(
        default="", metadata=toml(sip_user, "SIP user", "A number dialled; the same number in any writing.")
    )
    pattern: str = field(
        default="",
        metadata=toml(pattern, "regular expression", "Any number it matches in full; tried after `number`s, in order."),
    )
    priority: int = field(
        default=NORMAL,
        metadata=toml(whole(1, 9), "number", "Of calls that wait in a queue the lowest number is first."),
    )
    route: Route = field(metadata=toml(parse_route, "route", "queue:ID, echo, tone:HZ, hold or room."), kw_only=True)
    outbound: bool = field(
        default=False,
        metadata=toml(flag, "true, false", "Calls of agents may show it: of several the one nearest to who is called."),
    )


@frozen
class Dialling:
    """One rule of what may be dialled; the longest prefix wins, and nothing listed means nothing leaves."""

    allow: str | None = field(default=None, metadata=toml(prefix, "prefix", "Numbers that begin so may be dialled."))
    deny: str | None = field(default=None, metadata=toml(prefix, "prefix", "Numbers that begin so may not."))
    premium: bool = field(default=False, metadata=toml(flag, "true, false", "Premium-rate numbers among them too."))
    trunks: tuple[str, ...] = field(
        default=(),
        metadata=toml(many(identifier), "id or a list", "They leave by these trunks alone; empty: by any."),
    )

    @property
    def begins(self) -> str:
        """The prefix, of either kind."""
        return self.allow or self.deny or ""


# TOML table to the field of Organisation that has its entries, and their class.
ENTRIES: dict[str, tuple[str, type[AttrsInstance]]] = {
    "trunk": ("trunks", Trunk),
    "queue": ("queues", Queue),
    "agent": ("agents", Agent),
    "number": ("numbers", Number),
    "dialling": ("dialling", Dialling),
    "sms_template": ("sms_templates", SmsTemplate),
    "window": ("windows", Window),
    "webhook": ("webhooks", Webhook),
}
