"""Whose call centre it is: trunks, queues, agents, numbers and the rest, frozen, from TOML text or from the store.

`parse_organisation` reads the text of one file; every entry is a frozen class read by `keys.py`, and `_check_whole`
holds what they say of each other. `Organisation.route` tells where a dialled SIP user leads: an exact number first,
then the same telephone number written otherwise (+86, 0086 and leading 0 are one number), then the patterns in order.
Passwords of agents are here only between the file and the store; what the store loads has none.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Literal, assert_never, get_args

import phonenumbers
from attrs import AttrsInstance, evolve, field, fields, frozen

from ..sip.grammar import Uri
from . import hours
from .keys import (
    ConfigError,
    IpNetwork,
    check_sections,
    country,
    flag,
    found,
    identifier,
    many,
    nearest,
    network,
    no_duplicates,
    one_of,
    optional_origin,
    parse_toml,
    pattern,
    prefix,
    read_table,
    read_tables,
    seconds,
    sip_uri,
    sip_user,
    some_text,
    text,
    time_zone,
    toml,
    web_address,
    whole,
)

# --- routes -----------------------------------------------------------------------------------------------------


@frozen
class ToQueue:
    """The call waits in this queue."""

    queue: str


@frozen
class Echo:
    """The caller hears itself."""


@frozen
class ToneRoute:
    """The caller hears a sine of `frequency` Hz."""

    frequency: float


@frozen
class Hold:
    """The caller hears the hold music."""


@frozen
class Room:
    """All who dial the same number hear each other."""


@frozen
class ToNumber:
    """The call goes out to this number, if the dialling rules let it."""

    number: str


Route = ToQueue | Echo | ToneRoute | Hold | Room

# A SIP user that is longer is no number, and no pattern is asked about it.
LONGEST_NUMBER = 64
# Above 0 and below half of 8000 Hz, G.711's sampling rate (RFC 3551 §4.5.14).
TONE_HZ = range(20, 4000)


def parse_route(value: object) -> Route:
    """`"queue:support"`, `"echo"`, `"tone:440"`, `"hold"` or `"room"`."""
    kind, colon, rest = text(value).partition(":")
    if kind == "queue" and re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", rest):
        return ToQueue(rest)
    if kind == "tone" and re.fullmatch(r"[0-9]{2,4}(\.[0-9]{1,3})?", rest):
        if TONE_HZ.start <= float(rest) < TONE_HZ.stop:
            return ToneRoute(float(rest))
        raise ConfigError(f"must be a tone of {TONE_HZ.start} to {TONE_HZ.stop - 1} Hz, found {found(value)}")
    simple: dict[str, Route] = {"echo": Echo(), "hold": Hold(), "room": Room()}
    if kind in simple and not colon:
        return simple[kind]
    known = (*simple, "queue:ID", "tone:HZ")
    raise ConfigError(f"must be one of {', '.join(known)}; found {found(value)}{nearest(value, known)}")


def route_text(route: Route) -> str:
    """The text that `parse_route` reads."""
    match route:
        case ToQueue(queue):
            return f"queue:{queue}"
        case ToneRoute(frequency):
            return f"tone:{frequency:g}"
        case Echo():
            return "echo"
        case Hold():
            return "hold"
        case Room():
            return "room"
        case _:
            assert_never(route)


# Where a call goes that its queue does not keep; nowhere: it hears why, and ends.
Onward = ToQueue | ToNumber | None
_ONWARD = ("queue:ID", "number:NUMBER")


def onward(value: object) -> str:
    """The text of an `Onward`. Raises ConfigError."""
    to_onward(text(value))
    return text(value)


def to_onward(written: str) -> Onward:
    """`"queue:support"`, `"number:+861055502000"`, or nothing. Raises ConfigError."""
    kind, _, rest = written.partition(":")
    if not written:
        return None
    if kind == "queue" and re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", rest):
        return ToQueue(rest)
    if kind == "number" and re.fullmatch(r"\+?[0-9*#]{1,25}", rest):
        return ToNumber(rest)
    raise ConfigError(
        f"must be empty or one of {', '.join(_ONWARD)}; found {found(written)}{nearest(written, _ONWARD)}"
    )


# --- values only this file has ----------------------------------------------------------------------------------

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
    return tuple(Skill(identifier(queue), whole(1, 100)(level)) for queue, level in value.items())


def password(value: object) -> str:
    if not 1 <= len(text(value)) <= MAX_PASSWORD:
        raise ConfigError(f"must have 1 to {MAX_PASSWORD} characters; leave it out to keep the one it has")
    return text(value)


# --- the entries ------------------------------------------------------------------------------------------------


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
        default="zh", metadata=toml(one_of("zh", "en"), "zh, en", "What pages and prompts speak until told otherwise.")
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
    username: str = field(
        default="", metadata=toml(text, "text", "Who we are where it asks (digest); without `proxy` who it is.")
    )
    password: str = field(default="", repr=False, metadata=toml(text, "text", "... and that we are it."))
    register: bool = field(
        default=False, metadata=toml(flag, "true, false", "Tell it where we are, with the user name (REGISTER).")
    )
    nat: bool = field(
        default=False,
        metadata=toml(flag, "true, false", "Its media comes from elsewhere than its SDP says: learn from where."),
    )
    number_in: NumberPlace = field(
        default="to",
        metadata=toml(
            one_of(*get_args(NumberPlace)),
            "to, address",
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
        metadata=toml(
            one_of(*get_args(Unattended)),
            "wait, overflow",
            "Where nobody is signed in callers `wait`, and are told so, or go where the `overflow` goes.",
        ),
    )
    overflow: str = field(
        default="",
        metadata=toml(
            onward,
            "queue:ID, number:NUMBER",
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
            onward, "queue:ID, number:NUMBER", "Where callers go who come when it is closed; empty: they are told so."
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


@frozen
class SmsTemplate:
    """A text message that agents may send."""

    id: str = field(metadata=toml(identifier, "id", "Its name in programs.", used=False))
    text: str = field(metadata=toml(some_text, "text", "What is sent; {name} is a variable.", used=False))
    approved: bool = field(
        default=False, metadata=toml(flag, "true, false", "Only approved templates can be sent.", used=False)
    )


@frozen
class Window:
    """A page of another system shown beside the call."""

    name: str = field(metadata=toml(some_text, "text", "The tab's name.", used=False))
    url: str = field(metadata=toml(web_address, "URL", "Where it is; {number} and the like are filled in.", used=False))
    secret: str = field(
        default="", repr=False, metadata=toml(text, "text", "Signs the parameters; empty: no signature.", used=False)
    )
    origin: str = field(
        default="",
        metadata=toml(
            optional_origin, "origin", "Who may hear the same data by postMessage; empty: nobody.", used=False
        ),
    )


# --- the whole --------------------------------------------------------------------------------------------------


@lru_cache(maxsize=2000)  # of one call it is asked again and again, and reading one takes longer than a step
def e164(number: str, region: str) -> str | None:
    """`"+861055501000"` for any writing of that number in the country `region`; None for no full telephone number."""
    # Digits of other scripts and letters are no telephone number here, though phonenumbers would read them.
    if not re.fullmatch(r"\+?[0-9 ().-]{4,25}", number):
        return None
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return None
    if phonenumbers.is_possible_number_with_reason(parsed) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


@frozen
class Organisation:
    """All of it. Tables keep the order of the file."""

    name: str = "Cordboard"
    time_zone: str = "Asia/Shanghai"
    country: str = "CN"
    language: Literal["zh", "en"] = "zh"
    holidays: tuple[str, ...] = ()
    trunks: tuple[Trunk, ...] = ()
    queues: tuple[Queue, ...] = ()
    agents: tuple[Agent, ...] = ()
    numbers: tuple[Number, ...] = ()
    dialling: tuple[Dialling, ...] = ()
    sms_templates: tuple[SmsTemplate, ...] = ()
    windows: tuple[Window, ...] = ()
    _routes: Routes = field(init=False, eq=False, repr=False)

    @_routes.default
    def _index(self) -> Routes:
        exact = {each.number: each for each in self.numbers if each.number}
        same = {e164(number, self.country): each for number, each in exact.items()}
        patterns = tuple((re.compile(each.pattern), each) for each in self.numbers if each.pattern)
        return Routes(exact, {number: each for number, each in same.items() if number}, patterns)

    def route(self, number: str) -> Route | None:
        """Where the SIP user `number` leads, or None where nothing of ours has that number."""
        found = self.dialled(number)
        return found.route if found is not None else None

    def dialled(self, number: str) -> Number | None:
        """Which of ours the SIP user `number` is."""
        found = self._written(number)
        if found is not None or len(number) > LONGEST_NUMBER:
            return found
        return next((each for pattern, each in self._routes.patterns if pattern.fullmatch(number)), None)

    @property
    def outbound(self) -> tuple[str, ...]:
        """The numbers of ours that may be seen where agents call."""
        return tuple(each.number for each in self.numbers if each.outbound and each.number)

    def written(self, number: str) -> Route | None:
        """Where it leads by being one of `numbers`, in whatever writing; patterns are not looked at."""
        found = self._written(number)
        return found.route if found is not None else None

    def _written(self, number: str) -> Number | None:
        routes = self._routes
        return routes.exact.get(number) or routes.same.get(e164(number, self.country))


@frozen
class Routes:
    """The numbers of an organisation, ready to be looked up."""

    exact: dict[str, Number]
    same: dict[str | None, Number]
    patterns: tuple[tuple[re.Pattern[str], Number], ...]


# TOML table to the field of Organisation that has its entries, and their class.
ENTRIES: dict[str, tuple[str, type[AttrsInstance]]] = {
    "trunk": ("trunks", Trunk),
    "queue": ("queues", Queue),
    "agent": ("agents", Agent),
    "number": ("numbers", Number),
    "dialling": ("dialling", Dialling),
    "sms_template": ("sms_templates", SmsTemplate),
    "window": ("windows", Window),
}


def parse_organisation(source: str) -> Organisation:
    """The `Organisation` in the text of a TOML file. Raises ConfigError."""
    document = parse_toml(source)
    check_sections(document, ("organisation", *ENTRIES))
    about = read_table(About, document.get("organisation", {}), "[organisation]")
    tables: dict[str, Any] = {
        each: read_tables(section, document.get(name, []), name) for name, (each, section) in ENTRIES.items()
    }
    tables["queues"] = tuple(evolve(queue, name=queue.name or queue.id) for queue in tables["queues"])
    tables["agents"] = tuple(_completed(agent, about.country) for agent in tables["agents"])
    organisation = Organisation(**{each.name: getattr(about, each.name) for each in fields(About)}, **tables)
    _check_whole(organisation)
    return organisation


def _completed(agent: Agent, region: str) -> Agent:
    if not agent.mobile:
        return evolve(agent, name=agent.name or agent.id)
    number = e164(agent.mobile, region)
    if number is None or not phonenumbers.is_valid_number(phonenumbers.parse(number)):
        raise ConfigError(f"[[agent]] {found(agent.id)} mobile: {found(agent.mobile)} is no telephone number")
    return evolve(agent, name=agent.name or agent.id, mobile=number)


def _check_whole(organisation: Organisation) -> None:
    """What entries say of each other."""
    for name, entries in (
        ("trunk", organisation.trunks),
        ("queue", organisation.queues),
        ("agent", organisation.agents),
        ("sms_template", organisation.sms_templates),
    ):
        no_duplicates(name, "id", (each.id for each in entries))
    no_duplicates("window", "name", (window.name for window in organisation.windows))
    for trunk in organisation.trunks:
        if trunk.register and not (trunk.proxy and trunk.username):
            raise ConfigError(f"[[trunk]] {found(trunk.id)}: register needs proxy and username")
        if trunk.guest and not trunk.password:
            raise ConfigError(f"[[trunk]] {found(trunk.id)}: username without proxy needs password")
        if trunk.number_in != "to" and not trunk.guest:
            raise ConfigError(f"[[trunk]] {found(trunk.id)}: number_in is for one that registers with us")
        if trunk.refer and not (trunk.proxy or trunk.guest):
            raise ConfigError(f"[[trunk]] {found(trunk.id)}: refer needs a way out: proxy, or username and password")
        for proxy in trunk.proxy:
            if trunk.srtp and Uri.parse(proxy).transport != "tls":
                raise ConfigError(
                    f"[[trunk]] {found(trunk.id)} proxy: srtp needs sips: or transport=tls, found {found(proxy)}"
                )
        if trunk.register and not REGISTERED_USER.fullmatch(trunk.username):
            raise ConfigError(
                f"[[trunk]] {found(trunk.id)} username: must be a SIP user to register, found {found(trunk.username)}"
            )
    guests = (trunk.username for trunk in organisation.trunks if trunk.guest)
    no_duplicates("trunk", "username", guests)
    queues = [queue.id for queue in organisation.queues]
    for agent in organisation.agents:
        for skill in agent.skills:
            if skill.queue not in queues:
                raise ConfigError(
                    f"[[agent]] {found(agent.id)} skills: no queue {found(skill.queue)}{nearest(skill.queue, queues)}"
                )
    _check_numbers(organisation, queues)
    _check_onward(organisation, queues)
    trunks = [trunk.id for trunk in organisation.trunks]
    for rule in organisation.dialling:
        if (rule.allow is None) == (rule.deny is None):
            raise ConfigError("[[dialling]]: each entry has either allow or deny")
        if rule.premium and rule.allow is None:
            raise ConfigError(f"[[dialling]] {found(rule.deny)}: premium goes with allow")
        if rule.trunks and rule.allow is None:
            raise ConfigError(f"[[dialling]] {found(rule.deny)}: trunks goes with allow")
        for named in rule.trunks:
            if named not in trunks:
                label = f"[[dialling]] {found(rule.begins)} trunks"
                raise ConfigError(f"{label}: no trunk {found(named)}{nearest(named, trunks)}")
    no_duplicates("dialling", "prefix", (rule.begins for rule in organisation.dialling))


def _check_onward(organisation: Organisation, queues: list[str]) -> None:
    """Calls that a queue does not keep must come to rest somewhere."""
    ways: dict[str, list[str]] = {}
    for queue in organisation.queues:
        for key, written in (("overflow", queue.overflow), ("closed", queue.closed)):
            to = to_onward(written)
            if isinstance(to, ToQueue):
                if to.queue not in queues:
                    near = nearest(to.queue, queues)
                    raise ConfigError(f"[[queue]] {found(queue.id)} {key}: no queue {found(to.queue)}{near}")
                ways.setdefault(queue.id, []).append(to.queue)
        if queue.unattended == "overflow" and not queue.overflow:
            raise ConfigError(f'[[queue]] {found(queue.id)} unattended: "overflow" needs the key "overflow"')
    for queue in organisation.queues:
        reached, todo = set[str](), list(ways.get(queue.id, ()))
        while todo:
            at = todo.pop()
            if at == queue.id:
                raise ConfigError(f"[[queue]] {found(queue.id)}: overflow or closed leads back to it")
            if at not in reached:
                reached.add(at)
                todo += ways.get(at, ())


def _check_numbers(organisation: Organisation, queues: list[str]) -> None:
    written: dict[str, str] = {}
    for each in organisation.numbers:
        if bool(each.number) == bool(each.pattern):
            raise ConfigError("[[number]]: each entry has either number or pattern")
        label = f"[[number]] {found(each.number or each.pattern)}"
        if isinstance(each.route, ToQueue) and each.route.queue not in queues:
            near = nearest(each.route.queue, queues)
            raise ConfigError(f"{label} route: no queue {found(each.route.queue)}{near}")
        if each.number:
            same = e164(each.number, organisation.country) or each.number
            if same in written:
                raise ConfigError(f"{label}: is the same number as {found(written[same])}")
            written[same] = each.number
    no_duplicates("number", "pattern", (each.pattern for each in organisation.numbers if each.pattern))
