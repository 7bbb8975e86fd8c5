"""Whatever actors hear can be packed and is the same again, also under a veil."""

from __future__ import annotations

from random import Random

import msgpack
import pytest
from cordboard.actors import records, values
from cordboard.actors.journal import RECORDS
from cordboard.actors.packing import Packer, UnpackError
from cordboard.actors.steps import Begins
from cordboard.actors.veil import Veil

from .samples import SAMPLES

PLAIN = values.packer()


@pytest.mark.parametrize("message", SAMPLES, ids=lambda message: type(message).__name__)
def test_every_message_is_the_same_again(message: object) -> None:
    assert PLAIN.unpack(PLAIN.pack(message)) == message
    veiled = values.packer(Veil((), Random(1))).pack(message)
    assert type(PLAIN.unpack(veiled)) is type(message)
    assert PLAIN.pack(PLAIN.unpack(veiled)) == veiled


def test_what_cannot_be_packed_leaves_nothing_behind() -> None:
    for nothing in (object(), ("begun", object()), 2**70):
        with pytest.raises((TypeError, OverflowError)):
            PLAIN.pack(nothing)
        assert PLAIN.unpack(PLAIN.pack(("well", 1))) == ("well", 1)


def test_what_was_packed_by_another_version_is_read_by_its_shapes() -> None:
    """Its classes had other numbers, and its fields other places."""
    about = records.LegEntry("c", 3, "caller", 1.0, to="600")
    ours = Packer((records,), ())
    theirs = dict(reversed(ours.shapes.items()))
    name = "actors.records.LegEntry"
    theirs[name] = ("to", "forgotten", "number", "call", "party", "began")
    numbered = [3 + list(theirs).index(name), "600", "what nobody asks for any more", 3, "c", "caller", 1.0]
    read = ours.reader(theirs)
    assert read(msgpack.packb(numbered)) == read(msgpack.packb([name, *numbered[1:]])) == about
    gone = ours.reader({**theirs, "actors.records.Gone": ()})
    for packed in ([3 + len(theirs)], [4 + len(theirs)], numbered[:-1], []):
        with pytest.raises(UnpackError):
            gone(msgpack.packb(packed))


def test_what_is_read_before_the_shapes_has_names() -> None:
    begins = Begins(2, "code", 1.0, {"a": ("b", "c")})
    octets = RECORDS.pack(begins)
    assert b"actors.steps.Begins" in octets
    assert RECORDS.unpack(octets) == begins
    assert b"actors" not in PLAIN.pack(tuple(SAMPLES))
