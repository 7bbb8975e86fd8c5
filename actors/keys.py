"""Reading TOML tables into frozen attrs classes, with errors a person can act on.

A table is a class; each field that is a key of it carries a `Key`: how to read its value and what it means to whoever
writes it. `read_table` does the rest: it names unknown keys (with the nearest known one), missing ones, wrong types and
values out of range. docs/configuration.md is drawn from the same fields. Every error is a `ConfigError` of one line.
"""

from __future__ import annotations

import ast
import difflib
import ipaddress
import re
import tomllib
import zoneinfo
from collections.abc import Callable, Iterable, Sequence
from datetime import date, time
from typing import Any, TypeVar
from urllib.parse import urlsplit

import phonenumbers
from attrs import NOTHING, Attribute, AttrsInstance, fields, frozen

from ..sip.grammar import RemoteSipError, Uri

T = TypeVar("T")
S = TypeVar("S", bound=AttrsInstance)

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

# The longest text a key may hold: one line of a form, not a document.
MAX_TEXT = 500
_HUGE = 10**100


class ConfigError(ValueError):
    """What a person wrote cannot be used; the message is one line that says where and why."""


# --- reading one value ------------------------------------------------------------------------------------------


@frozen
class Key:
    """How one key is read, what it looks like to people, and what it means.

    `read` raises ConfigError without naming the key. What is not `used` is checked and kept, and does nothing yet.
    """

    read: Callable[[Any], Any]
    shape: str
    meaning: str
    used: bool


KEY = "cordboard.key"


def toml(read: Callable[[Any], Any], shape: str, meaning: str, *, used: bool = True) -> dict[str, Key]:
    """Metadata for an attrs field that is a key of a TOML table."""
    return {KEY: Key(read, shape, meaning if used else f"{meaning} Not used yet.", used)}


def found(value: object) -> str:
    """A TOML value as an error shows it: as one would write it, and short."""
    shown = _written(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def _written(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case list():
            return f"[{', '.join(map(_written, value))}]"
        case dict():
            return f"{{{', '.join(f'{name} = {_written(each)}' for name, each in value.items())}}}"
        case date() | time():
            return value.isoformat()
        case int() if abs(value) >= _HUGE:  # Python writes none of so many digits
            return "a huge number"
        case _:
            return repr(value)


def text(value: object) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"must be a text in quotes, found {found(value)}")
    if len(value) > MAX_TEXT:
        raise ConfigError(f"must have at most {MAX_TEXT} characters, found {len(value)}")
    if not value.isprintable():
        raise ConfigError(f"must be one line of printable characters, found {found(value)}")
    return value


def some_text(value: object) -> str:
    if not text(value).strip():
        raise ConfigError("must not be empty")
    return text(value)


def flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"must be true or false, found {found(value)}")
    return value


def _quoted(value: object) -> str:
    """What is wrong with a number in quotes."""
    number = isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]+(\.[0-9]+)?\s*", value)
    return ": write it without the quotes" if number else ""


def whole(least: int, most: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ConfigError(f"must be a whole number, found {found(value)}{_quoted(value)}")
        if not least <= value <= most:
            raise ConfigError(f"must be {least} to {most}, found {found(value)}")
        return value

    return read


def seconds(most: float, least: float = 0) -> Callable[[object], float]:
    def read(value: object) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise ConfigError(f"must be a number of seconds, found {found(value)}{_quoted(value)}")
        if not least <= value <= most:
            raise ConfigError(f"must be {least:g} to {most:g} seconds, found {found(value)}")
        return float(value)

    return read


def one_of(*names: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        if value not in names:
            raise ConfigError(f"must be one of {', '.join(names)}; found {found(value)}{nearest(value, names)}")
        return str(value)

    return read


def choice(names: Sequence[str], meaning: str) -> dict[str, Key]:
    """Metadata for an attrs field that is a key with one of these values."""
    return toml(one_of(*names), ", ".join(names), meaning)


def many(read: Callable[[object], T]) -> Callable[[object], tuple[T, ...]]:
    """One value or a list of them; the empty text is none."""

    def read_many(value: object) -> tuple[T, ...]:
        values = value if isinstance(value, list) else [] if value == "" else [value]
        result = tuple(read(each) for each in values)
        for at, each in enumerate(result):
            if each in result[:at]:
                raise ConfigError(f"has {found(values[at])} twice")
        return result

    return read_many


def ip(value: object) -> str:
    try:
        return str(ipaddress.ip_address(text(value)))
    except ValueError as error:
        raise ConfigError(f"must be an IP address, found {found(value)}") from error


def optional_ip(value: object) -> str:
    return "" if value == "" else ip(value)


def network(value: object) -> IpNetwork:
    """`"10.0.0.0/8"`, or a single address."""
    try:
        return ipaddress.ip_network(text(value))
    except ValueError as error:
        detail = ": it has bits set after its prefix" if "host bits" in str(error) else ""
        raise ConfigError(f"must be an IP address or a network in CIDR form, found {found(value)}{detail}") from error


# RFC 1123 §2.1: letters, digits and hyphens, in labels of at most 63.
_HOST_NAME = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*\.?"
)


def host(value: object) -> str:
    """An IP address or a host name."""
    named = text(value)
    try:
        return str(ipaddress.ip_address(named))
    except ValueError:
        if _HOST_NAME.fullmatch(named) and not named.rsplit(".", 1)[-1].isdigit():
            return named
    raise ConfigError(f"must be an IP address or a host name, found {found(value)}")


def optional_host(value: object) -> str:
    return "" if value == "" else host(value)


_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")


def origin(value: object) -> str:
    if not _ORIGIN.fullmatch(text(value)):
        raise ConfigError(f'must be an origin, as "https://crm.example", found {found(value)}')
    return text(value).lower()


def identifier(value: object) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", text(value)):
        raise ConfigError(f"must be 1 to 64 of A-Z, a-z, 0-9, _, . and -, found {found(value)}")
    return text(value)


def time_zone(value: object) -> str:
    known = zoneinfo.available_timezones()
    if text(value) not in known:
        raise ConfigError(f'must be a time zone as "Asia/Shanghai", found {found(value)}{nearest(value, known)}')
    return text(value)


def country(value: object) -> str:
    if text(value) not in phonenumbers.SUPPORTED_REGIONS:
        raise ConfigError(f'must be a country as "CN" (ISO 3166), found {found(value)}')
    return text(value)


def sip_user(value: object) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.!~*'()&=+$,;?/#-]{1,64}", text(value)):
        raise ConfigError(f"must be 1 to 64 characters of a SIP user, found {found(value)}")
    return text(value)


def pattern(value: object) -> str:
    try:
        re.compile(some_text(value))
    except (re.error, OverflowError, RecursionError) as error:  # it counts too far, or is nested too deep
        raise ConfigError(f"must be a regular expression, found {found(value)}: {error}") from error
    if _takes_for_ever(text(value)):
        raise ConfigError(f"repeats what is itself repeated or a choice, or more than four times, found {found(value)}")
    return text(value)


# A part of a regular expression: something escaped, a set, a bracket, a repeat, or any other character.
_PART = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?|[*+][?+]?|\{[0-9]*,?[0-9]*\}[?+]?|.", re.DOTALL)
_EXACTLY = re.compile(r"\{[0-9]+\}[?+]?")
_MOST_REPEATS = 4


def _takes_for_ever(expression: str) -> bool:
    """Whether a caller could dial what keeps this busy for minutes: repeats inside of repeats take twice as long with
    each character, and many beside each other grow as a power of their number."""
    repeats = 0
    varies = [False]  # whether what stands in each open bracket can match in several ways
    closed = False  # ... and in the one that was closed just now
    for part in _PART.findall(expression):
        if part[0] in "*+" or (part[0] == "{" and len(part) > 1):
            if closed:
                return True
            if not _EXACTLY.fullmatch(part):
                repeats += 1
                varies[-1] = True
        elif part in "|?":
            varies[-1] = True
        closed = False
        if part[0] == "(":
            varies.append(False)
        elif part == ")":
            closed = varies.pop()
            varies[-1] |= closed
    return repeats > _MOST_REPEATS


def sip_uri(value: object) -> str:
    """Of a host, perhaps with a user, port and parameters."""
    try:
        if Uri.parse(text(value)).scheme != "tel":
            return text(value)
    except RemoteSipError:
        pass
    raise ConfigError(f'must be a SIP address as "sip:carrier.example:5060", found {found(value)}')


def web_address(value: object) -> str:
    address = some_text(value)
    try:
        parts = urlsplit(address)
        there = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:  # of brackets around no IPv6 address
        there = False
    if not there:
        raise ConfigError(f'must be an address as "https://crm.example/pop?number={{number}}", found {found(value)}')
    return address


def http_address(value: object) -> str:
    """One to which requests go as it is written."""
    parts = urlsplit(web_address(value))
    if parts.username is not None or parts.fragment or not re.fullmatch(r"[\x21-\x7e]+", text(value)):
        raise ConfigError(f"must have neither user, # nor characters outside of ASCII, found {found(value)}")
    return text(value)


def prefix(value: object) -> str:
    if not re.fullmatch(r"\+?[0-9*#]{0,20}", text(value)):
        raise ConfigError(f'must be the beginning of a number as "+86", found {found(value)}')
    return text(value)


def optional_origin(value: object) -> str:
    return "" if value == "" else origin(value)


# --- reading a file ---------------------------------------------------------------------------------------------


def nearest(name: object, names: Iterable[str]) -> str:
    """`; did you mean "tcp"?`, or nothing where no known name is close."""
    known = sorted(names)
    if not isinstance(name, str) or not name:
        return ""
    close = difflib.get_close_matches(name, known, n=1) or [each for each in known if each.startswith(name)]
    return f'; did you mean "{close[0]}"?' if close else ""


# How Python's reader names a table: by the tuple of its keys.
_TABLE = re.compile(r"(?<=declare )\(.*\)(?= twice)|(?<=namespace )\(.*\)(?= \(at )")


def _bracketed(table: re.Match[str]) -> str:
    return f"[{'.'.join(ast.literal_eval(table[0]))}]"


# What Python's reader says, and what a person does to be told so.
_SLIPS = {
    "Cannot overwrite a value": "A key stands there twice",
    "Illegal character '\\n'": "A text does not end on its line",
    "Invalid value": 'No value: a text stands in straight quotes, as "text"',
    "Invalid statement": 'No line of such a file: it has [sections] and key = "value"',
}
_LINE = re.compile(r"\(at line ([0-9]+), column [0-9]+\)")
_SECRET = re.compile(r"password|secret", re.IGNORECASE)


def _in_words(error: tomllib.TOMLDecodeError, source: str) -> str:
    """What is wrong, and the line that is, but for one with a secret."""
    said = _TABLE.sub(_bracketed, str(error))
    for theirs, ours in _SLIPS.items():
        said = said.replace(theirs, ours)
    at = _LINE.search(said)
    line = source.split("\n")[int(at[1]) - 1].strip() if at is not None else ""
    return f"{said}: {found(line)}" if line and not _SECRET.search(line) else said


def parse_toml(source: str) -> dict[str, Any]:
    try:
        return tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"is not TOML: {_in_words(error, source)}") from error
    except ValueError as error:  # Python reads no number of more than 4300 digits
        raise ConfigError("is not TOML that can be used: there is a number of thousands of digits") from error
    except RecursionError as error:
        raise ConfigError("is not TOML: nested too deep") from error


def check_sections(document: dict[str, Any], known: Iterable[str]) -> None:
    for name, value in document.items():
        if name not in known and not isinstance(value, dict | list):
            raise ConfigError(f'the key "{name}" stands in no section')
        if name not in known:
            raise ConfigError(f"unknown section [{name}]{nearest(name, known)}")


def table_keys(section: type[AttrsInstance]) -> dict[str, tuple[Attribute[Any], Key]]:
    """The keys of a section's class, by name, in order."""
    return {each.name: (each, each.metadata[KEY]) for each in fields(section) if KEY in each.metadata}


def read_table(section: type[S], table: object, where: str) -> S:
    """A section's class from its TOML table; `where` names it in errors, as `[sip]`."""
    if isinstance(table, list):
        raise ConfigError(f"{where}: must be written with one bracket, and once")
    if not isinstance(table, dict):
        raise ConfigError(f"{where}: must be a section, found {found(table)}")
    known = table_keys(section)
    for name in table:
        if name not in known:
            raise ConfigError(f'{where}: unknown key "{name}"{nearest(name, known)}')
    values = {}
    for name, value in table.items():
        try:
            values[name] = known[name][1].read(value)
        except ConfigError as error:
            raise ConfigError(f"{where} {name}: {error}") from error
    for name, (attribute, _) in known.items():
        if name not in values and attribute.default is NOTHING:
            raise ConfigError(f'{where}: the key "{name}" is missing')
    return section(**values)


def unused(entries: Iterable[AttrsInstance]) -> list[str]:
    """The keys by which some entry, all of one section, asks for what nothing does yet; an empty one asks nothing."""
    names = {
        name: None
        for entry in entries
        for name, (attribute, key) in table_keys(type(entry)).items()
        if not key.used and getattr(entry, name) and getattr(entry, name) != attribute.default
    }
    return list(names)


def read_tables(section: type[S], tables: object, name: str) -> tuple[S, ...]:
    """Every `[[name]]` of a file, in order; errors name the entry by its number and its id where it has one."""
    if not isinstance(tables, list):
        raise ConfigError(f"[[{name}]]: must be written with two brackets, found {found(tables)}")
    return tuple(read_table(section, table, entry(name, at, table)) for at, table in enumerate(tables, 1))


def entry(name: str, at: int, table: object) -> str:
    """`[[queue]] 2 ("support")`."""
    label = ""
    if isinstance(table, dict):
        label = next(
            (f" ({table[each]!r})" for each in ("id", "number", "pattern", "name") if isinstance(table.get(each), str)),
            "",
        )
    return f"[[{name}]] {at}{label}"


def no_duplicates(name: str, what: str, values: Iterable[str]) -> None:
    seen = set()
    for value in values:
        if value in seen:
            raise ConfigError(f'[[{name}]]: two entries have the {what} "{value}"')
        seen.add(value)
