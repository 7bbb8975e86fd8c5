"""Any value that actors hold, hear or say, as octets and back: what the states and the journal are written in.

Values are frozen attrs classes, enums, tuples, frozensets, IP networks, behaviours (by their state alone), and what
msgpack has itself. A list never is a value: in the packed form a list begins with what it stands for. Packing is quick,
because every step of every actor is packed: msgpack walks the value, and asks for a list only where it meets a class.

Who reads is told the `shapes` of who wrote, the fields of every class. A field that is new since then has its default,
one that is gone is dropped, so that a new version reads what the last one left.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from types import ModuleType
from typing import Any, Final

import attrs
import msgpack

# The first item of a packed list: one of these, or the name of a class.
_TUPLE: Final = 0
_SET: Final = 1
_NETWORK: Final = 2

Shapes = Mapping[str, tuple[str, ...]]
# What becomes of one field of one class on the way out: the journal hides what is private.
Veil = Callable[[type, str], Callable[[Any], Any] | None]
_Form = Callable[[Any], list[Any]]


class _Forms(dict[type, _Form]):
    """What each class becomes."""

    def __missing__(self, kind: type) -> _Form:
        raise TypeError(f"{kind.__name__} cannot be packed")


def unveiled(kind: type, field: str) -> None:
    """Nothing is hidden."""


class UnpackError(Exception):
    """Octets that were not packed here, or by a version that is too different."""


def _name(kind: type) -> str:
    return f"{kind.__module__.removeprefix('cordboard.')}.{kind.__name__}"


def _aliases(kind: type) -> tuple[str, ...]:
    return tuple(each.alias or each.name for each in attrs.fields(kind) if each.init)


class Packer:
    """Packs and unpacks values of the classes in `modules`; `behaviours` are rebuilt from their `state`.

    Raises TypeError for a value of any other class: ours, and found by the first test that meets it.
    """

    def __init__(self, modules: Iterable[ModuleType], behaviours: Iterable[type], veil: Veil = unveiled) -> None:
        self._forms = _Forms(
            {
                tuple: lambda value: [_TUPLE, *value],
                frozenset: lambda value: [_SET, *sorted(value)],
                ipaddress.IPv4Network: lambda value: [_NETWORK, str(value)],
                ipaddress.IPv6Network: lambda value: [_NETWORK, str(value)],
            }
        )
        forms = self._forms
        # One for all, as making it takes as long as packing a message.
        self._packer = msgpack.Packer(
            default=lambda value: forms[type(value)](value), strict_types=True, unicode_errors="surrogatepass"
        )
        self._classes: dict[str, type] = {}
        self._names: dict[type, str] = {}
        self._behaviours: dict[str, type] = {}
        self.shapes: dict[str, tuple[str, ...]] = {}
        # The classes that take their fields without their names.
        self._positional: set[str] = set()
        for module in modules:
            for kind in vars(module).values():
                if not isinstance(kind, type) or kind.__module__ != module.__name__:
                    continue
                if attrs.has(kind):
                    self._add(kind, veil)
                elif issubclass(kind, Enum):
                    self._classes[_name(kind)] = kind
                    self._forms[kind] = _enum_form(_name(kind))
        for kind in behaviours:
            self._behaviours[_name(kind)] = kind
            self._forms[kind] = _behaviour_form(_name(kind))

    def _add(self, kind: type, veil: Veil) -> None:
        name = _name(kind)
        self._classes[name], self._names[kind] = kind, name
        self.shapes[name] = _aliases(kind)
        if not any(each.kw_only for each in attrs.fields(kind) if each.init):
            self._positional.add(name)
        fields = [each.name for each in attrs.fields(kind) if each.init]
        self._forms[kind] = _attrs_form(name, fields, [veil(kind, field) for field in fields])

    def pack(self, value: object) -> bytes:
        packed: bytes = self._packer.pack(value)
        return packed

    def pack_made(self, kind: type, *fields: object) -> bytes:
        """What `pack(kind(*fields))` gives where nothing is hidden, of a value that nobody needs."""
        packed: bytes = self._packer.pack([self._names[kind], *fields])
        return packed

    def unpack(self, octets: bytes, shapes: Shapes | None = None) -> Any:
        """The value again. Raises UnpackError."""
        try:
            packed = msgpack.unpackb(octets, strict_map_key=False, unicode_errors="surrogatepass")
            return self._built(packed, self.shapes if shapes is None else shapes)
        except (ValueError, TypeError, KeyError, IndexError, msgpack.UnpackException, UnicodeDecodeError) as error:
            raise UnpackError(f"{type(error).__name__}: {error}") from error

    def _built(self, packed: Any, shapes: Shapes) -> Any:
        """A process begins with the states of the last one: most values are neither lists nor dicts, and most lists are
        classes that have not changed."""
        kind = type(packed)
        if kind is not list:
            if kind is dict:
                return {key: self._built(value, shapes) for key, value in packed.items()}
            return packed
        what = packed[0]
        values = [
            self._built(each, shapes) if type(each) is list or type(each) is dict else each for each in packed[1:]
        ]
        known = self.shapes.get(what)
        if known is not None:
            if known == shapes[what] and what in self._positional:
                if len(values) != len(known):
                    raise ValueError(f"{what} has {len(known)} fields, not {len(values)}")
                return self._classes[what](*values)
            given = dict(zip(shapes[what], values, strict=True))
            return self._classes[what](**{name: given[name] for name in known if name in given})
        match what:
            case 0:
                return tuple(values)
            case 1:
                return frozenset(values)
            case 2:
                return ipaddress.ip_network(values[0])
            case _ if what in self._behaviours:
                return revive(self._behaviours[what], values[0])
            case _:
                return self._classes[what](values[0])


def revive(kind: type, state: Any) -> Any:
    """A behaviour in `state`: nothing else is in it."""
    behaviour: Any = object.__new__(kind)
    behaviour.state = state
    return behaviour


def _enum_form(name: str) -> _Form:
    return lambda value: [name, value._value_]


def _behaviour_form(name: str) -> _Form:
    return lambda value: [name, value.state]


def _attrs_form(name: str, fields: list[str], veils: list[Callable[[Any], Any] | None]) -> _Form:
    """A function written out for the class, as attrs writes its own: in half the time of one that goes through a list
    of fields."""
    given: dict[str, Any] = {f"veil{place}": veil for place, veil in enumerate(veils)}
    terms = [f"veil{at}(value.{field})" if veils[at] else f"value.{field}" for at, field in enumerate(fields)]
    form: _Form = eval(f"lambda value: [{', '.join(['name', *terms])}]", {"name": name, **given})
    return form
