"""Any value that actors hold, hear or say, as octets and back: what the states and the journal are written in.

Values are frozen attrs classes, enums, tuples, frozensets, IP networks, behaviours (by their state alone), and what
msgpack has itself. A list never is a value: in the packed form a list begins with what it stands for, a number of three
for what is no class, and of the others for each class. Packing is quick, because every step of every actor is packed:
msgpack walks the value, and asks for a list only where it meets a class.

Who reads is told the `shapes` of who wrote: every class in the order of its numbers, with its fields. A field that is
new since then has its default, one that is gone is dropped, so that a new version reads what the last one left. What is
read before the shapes has the names of its classes instead.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from functools import cache, cached_property
from types import ModuleType
from typing import Any, Final

import attrs
import msgpack

# The first item of a packed list: one of these, or the number of a class, or its name.
_TUPLE: Final = 0
_SET: Final = 1
_NETWORK: Final = 2
_CLASSES: Final = 3

Shapes = Mapping[str, tuple[str, ...]]
# What becomes of one field of one class on the way out: the journal hides what is private.
Veil = Callable[[type, str], Callable[[Any], Any] | None]
_Form = Callable[[Any], list[Any]]
# What becomes of the rest of a packed list.
_Made = Callable[[list[Any]], Any]


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

    Raises TypeError for a value of any other class: ours, and found by the first test that meets it. `named`: who reads
    need not be told the shapes.
    """

    def __init__(
        self,
        modules: Iterable[ModuleType],
        behaviours: Iterable[type],
        veil: Veil = unveiled,
        *,
        named: bool = False,
    ) -> None:
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
        self._behaviours: dict[str, type] = {}
        self._named = named
        self._marks: dict[type, int | str] = {}
        self.shapes: dict[str, tuple[str, ...]] = {}
        for module in modules:
            for kind in vars(module).values():
                if not isinstance(kind, type) or kind.__module__ != module.__name__:
                    continue
                if attrs.has(kind):
                    fields = [each.name for each in attrs.fields(kind) if each.init]
                    mark = self._mark(kind, _aliases(kind))
                    self._forms[kind] = _attrs_form(mark, fields, [veil(kind, field) for field in fields])
                    self._classes[_name(kind)] = kind
                elif issubclass(kind, Enum):
                    self._forms[kind] = _enum_form(self._mark(kind, ()))
                    self._classes[_name(kind)] = kind
        for kind in behaviours:
            self._forms[kind] = _behaviour_form(self._mark(kind, ()))
            self._behaviours[_name(kind)] = kind

    def _mark(self, kind: type, fields: tuple[str, ...]) -> int | str:
        """How the packed values of one more class begin."""
        name = _name(kind)
        mark = self._marks[kind] = name if self._named else _CLASSES + len(self.shapes)
        self.shapes[name] = fields
        return mark

    def pack(self, value: object) -> bytes:
        packed: bytes = self._packer.pack(value)
        return packed

    def pack_made(self, kind: type, *fields: object) -> bytes:
        """What `pack(kind(*fields))` gives where nothing is hidden, of a value that nobody needs."""
        packed: bytes = self._packer.pack([self._marks[kind], *fields])
        return packed

    @cached_property
    def _own(self) -> Callable[[bytes], Any]:
        return self.reader(self.shapes)

    def unpack(self, octets: bytes) -> Any:
        """The value again, of one that was packed here or by its equal. Raises UnpackError."""
        return self._own(octets)

    def reader(self, shapes: Shapes) -> Callable[[bytes], Any]:
        """`unpack` for what was packed where the classes had these shapes."""
        made: dict[int | str, _Made] = {
            _TUPLE: tuple,
            _SET: frozenset,
            _NETWORK: lambda values: ipaddress.ip_network(*values),
        }
        for number, (name, fields) in enumerate(shapes.items(), _CLASSES):
            made[number] = made[name] = self._maker(name, tuple(fields))
        return lambda octets: _unpacked(octets, made)

    def _maker(self, name: str, fields: tuple[str, ...]) -> _Made:
        """What makes a value of the class, of its fields as they were then."""
        if name in self._behaviours:
            behaviour = self._behaviours[name]
            return lambda values: revive(behaviour, *values)
        kind = self._classes.get(name)
        if kind is None:
            return _gone(name)
        if self._named or not attrs.has(kind):
            return lambda values: kind(*values)
        known = self.shapes[name]
        if fields == known and not any(each.kw_only for each in attrs.fields(kind) if each.init):
            return _by_place(kind, len(known))

        def by_name(values: list[Any]) -> Any:
            given = zip(fields, values, strict=True)
            return kind(**{field: value for field, value in given if field in known})

        return by_name


def _gone(name: str) -> _Made:
    def made(values: list[Any]) -> Any:
        raise KeyError(name)

    return made


def _by_place(kind: type, count: int) -> _Made:
    """Most values are of classes that have not changed."""

    def made(values: list[Any]) -> Any:
        if len(values) != count:
            raise ValueError(f"{_name(kind)} has {count} fields, not {len(values)}")
        return kind(*values)

    return made


def _unpacked(octets: bytes, made: Mapping[int | str, _Made]) -> Any:
    try:
        return _built(msgpack.unpackb(octets, strict_map_key=False, unicode_errors="surrogatepass"), made)
    except (ValueError, TypeError, KeyError, IndexError, msgpack.UnpackException, UnicodeDecodeError) as error:
        raise UnpackError(f"{type(error).__name__}: {error}") from error


def _built(packed: Any, made: Mapping[int | str, _Made]) -> Any:
    """A process begins with the states of the last one: most values are neither lists nor dicts."""
    kind = type(packed)
    if kind is list:
        values = [_built(each, made) if type(each) is list or type(each) is dict else each for each in packed[1:]]
        return made[packed[0]](values)
    if kind is dict:
        return {key: _built(value, made) for key, value in packed.items()}
    return packed


def revive(kind: type, state: Any) -> Any:
    """A behaviour in `state`: nothing else is in it."""
    behaviour: Any = object.__new__(kind)
    behaviour.state = state
    return behaviour


def _enum_form(mark: int | str) -> _Form:
    return lambda value: [mark, value._value_]


def _behaviour_form(mark: int | str) -> _Form:
    return lambda value: [mark, value.state]


def _attrs_form(mark: int | str, fields: list[str], veils: list[Callable[[Any], Any] | None]) -> _Form:
    hidden = tuple(at for at, veil in enumerate(veils) if veil)
    return _written_out(mark, tuple(fields), hidden)(*filter(None, veils))


@cache  # to write them takes ten times as long as all else that makes a packer, and each file of the journal has one
def _written_out(mark: int | str, fields: tuple[str, ...], hidden: tuple[int, ...]) -> Callable[..., _Form]:
    """Takes the veils of the fields at those places, and gives a function written out for the class, as attrs writes
    its own: it takes half the time of one that goes through a list of fields."""
    terms = [f"veil{at}(value.{field})" if at in hidden else f"value.{field}" for at, field in enumerate(fields)]
    veils = ", ".join([f"veil{at}" for at in hidden])
    made: Callable[..., _Form] = eval(f"lambda {veils}: lambda value: [{', '.join([repr(mark), *terms])}]")
    return made
