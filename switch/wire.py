"""Messages of protocol.py as octets on a stream, and back.

A frame is a 32-bit big-endian length and a msgpack array `[class name, field, field, ...]`. A field that is an attrs
class is an array of its fields; where it may be one of several classes (`SourceKind`), that array begins with the
name too. Decoding is strict: a class that is not in the closed union, a missing or surplus field, a value of another
type, or octets that are no msgpack raise WireError, which says what was wrong; nothing else is ever raised.

The codecs of all classes are worked out from their annotations once, when this module is loaded.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from typing import Any, Final, Generic, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import attrs
import msgpack

from . import protocol
from .protocol import Command, Fact

LENGTH: Final = 4
# A room of 64 listeners that hear 64 is 300 kB; more is a bug or an attack.
MAX_FRAME: Final = 1 << 20

M = TypeVar("M")
Read = Callable[[Any], Any]
Form = Callable[[Any], list[Any]]


class WireError(Exception):
    """The other side sent what is not in protocol.py."""


def _exactly(kind: type) -> Read:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise WireError(f"expected {kind.__name__}, got {type(value).__name__}")
        return value

    return read


def _read_float(value: Any) -> float:
    if type(value) is int and abs(value) < 2**53:
        return float(value)
    if type(value) is not float or value != value or value in (float("inf"), float("-inf")):
        raise WireError(f"expected a finite number, got {type(value).__name__}")
    return value


def _items(value: Any) -> list[Any]:
    if type(value) is not list:
        raise WireError(f"expected an array, got {type(value).__name__}")
    return value


def _reader(hint: Any) -> Read:
    """How a field of this annotation is read."""
    origin, args = get_origin(hint), get_args(hint)
    if hint is float:
        return _read_float
    if hint in (int, str, bool):
        return _exactly(hint)
    if origin is Literal:
        return _one_of(args)
    if origin in (Union, types.UnionType):
        return _union(args)
    if origin is tuple:
        return _tuple(args)
    if origin is dict:
        return _mapping(_reader(args[0]), _reader(args[1]))
    if isinstance(hint, type) and attrs.has(hint):
        fields = _fields(hint)
        return lambda value: fields(_items(value))
    raise TypeError(f"no wire form for {hint}")  # ours: a field of the contract that nobody taught this module


def _one_of(choices: tuple[Any, ...]) -> Read:
    def read(value: Any) -> Any:
        if not isinstance(value, str) or value not in choices:
            raise WireError(f"not one of {', '.join(choices)}")
        return value

    return read


def _union(args: tuple[Any, ...]) -> Read:
    classes = {kind.__name__: _fields(kind) for kind in args if attrs.has(kind)}
    if len(classes) > 1:
        return lambda value: _named(classes, value)
    (inner,) = (_reader(kind) for kind in args if kind is not type(None))
    return lambda value: None if value is None else inner(value)


def _tuple(args: tuple[Any, ...]) -> Read:
    if len(args) == 2 and args[1] is Ellipsis:
        each = _reader(args[0])
        return lambda value: tuple(each(item) for item in _items(value))
    readers = [_reader(arg) for arg in args]

    def read(value: Any) -> Any:
        if len(_items(value)) != len(readers):
            raise WireError(f"expected {len(readers)} items, got {len(value)}")
        return tuple(one(item) for one, item in zip(readers, value, strict=True))

    return read


def _mapping(key: Read, item: Read) -> Read:
    def read(value: Any) -> Any:
        if type(value) is not dict:
            raise WireError(f"expected a map, got {type(value).__name__}")
        return {key(k): item(v) for k, v in value.items()}

    return read


def _fields(kind: type) -> Callable[[list[Any]], Any]:
    hints = get_type_hints(kind)
    readers = [(a.name, _reader(hints[a.name])) for a in attrs.fields(kind)]

    def read(values: list[Any]) -> Any:
        if len(values) != len(readers):
            raise WireError(f"{kind.__name__} has {len(readers)} fields, got {len(values)}")
        made = []
        for (name, one), value in zip(readers, values, strict=True):
            try:
                made.append(one(value))
            except WireError as error:
                raise WireError(f"{kind.__name__}.{name}: {error}") from None
        return kind(*made)

    return read


def _named(classes: dict[str, Callable[[list[Any]], Any]], value: Any) -> Any:
    items = _items(value)
    if not items or not isinstance(items[0], str) or items[0] not in classes:
        raise WireError(f"unknown class {str(items[0])[:40] if items else 'of an empty array'}")
    return classes[items[0]](items[1:])


def _is_choice(hint: Any) -> bool:
    return get_origin(hint) in (Union, types.UnionType) and sum(map(attrs.has, get_args(hint))) > 1


# Classes of fields that are tuples or single values of one class, or None.
_NESTED: Final = (
    protocol.AccessPoint,
    protocol.Codec,
    protocol.Fingerprint,
    protocol.Hears,
    protocol.OpusWishes,
    protocol.Part,
    protocol.Srtp,
    protocol.SrtpKey,
)
_COMMANDS: Final = {kind.__name__: _fields(kind) for kind in get_args(Command)}
_FACTS: Final = {kind.__name__: _fields(kind) for kind in get_args(Fact)}
_NAMED_FIELDS: Final[dict[type, frozenset[str]]] = {
    kind: frozenset(name for name, hint in get_type_hints(kind).items() if _is_choice(hint))
    for kind in (*get_args(Command), *get_args(Fact), *_NESTED)
}


def _form(kind: type) -> Form:
    """A function written out for the class, since each call has a dozen commands: what its fields hold, in their order,
    and in front of one that may be of several classes the name of its own."""
    named = _NAMED_FIELDS.get(kind, frozenset())
    names = [each.name for each in attrs.fields(kind)]
    terms = [f"named(value.{name})" if name in named else f"value.{name}" for name in names]
    form: Form = eval(f"lambda value: [{', '.join(terms)}]", {"named": _with_name})
    return form


def _with_name(value: Any) -> list[Any] | None:
    return None if value is None else [type(value).__name__, *_FORMS[type(value)](value)]


class _Forms(dict[type, Form]):
    """Of every class that has been met."""

    def __missing__(self, kind: type) -> Form:
        if not attrs.has(kind):
            raise TypeError(f"no wire form for {kind.__name__}")
        self[kind] = form = _form(kind)
        return form


_FORMS: Final = _Forms()
# One for all, as making it takes as long as packing a message. It walks tuples, and asks only where it meets a class.
_PACKER: Final = msgpack.Packer(default=lambda value: _FORMS[type(value)](value))


def encode(message: Command | Fact) -> bytes:
    """A message as one frame, its length in front."""
    body = cast(bytes, _PACKER.pack(_with_name(message)))
    if len(body) > MAX_FRAME:
        raise ValueError(f"a {type(message).__name__} of {len(body)} octets")
    return len(body).to_bytes(LENGTH, "big") + body


def _decode(body: bytes, classes: dict[str, Callable[[list[Any]], Any]]) -> Any:
    try:
        value = msgpack.unpackb(body, raw=False, strict_map_key=True, use_list=True)
    except Exception as error:  # msgpack has no common class for what it raises on bad input
        raise WireError(f"not msgpack: {error}") from error
    return _named(classes, value)


def decode_command(body: bytes) -> Command:
    """A frame's body, without its length. Raises WireError."""
    return cast(Command, _decode(body, _COMMANDS))


def decode_fact(body: bytes) -> Fact:
    """A frame's body, without its length. Raises WireError."""
    return cast(Fact, _decode(body, _FACTS))


class Frames(Generic[M]):
    """Cuts a stream into messages: `feed` takes octets as they come and yields what is whole."""

    def __init__(self, decode: Callable[[bytes], M]) -> None:
        self._decode = decode
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[M]:
        """Raises WireError, after which the stream is not to be trusted any further."""
        self._buffer += data
        while len(self._buffer) >= LENGTH:
            length = int.from_bytes(self._buffer[:LENGTH], "big")
            if length > MAX_FRAME:
                raise WireError(f"a frame of {length} octets")
            if len(self._buffer) < LENGTH + length:
                return
            body = bytes(self._buffer[LENGTH : LENGTH + length])
            del self._buffer[: LENGTH + length]
            yield self._decode(body)
