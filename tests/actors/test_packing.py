"""Whatever actors hear can be packed and is the same again, also under a veil."""

from __future__ import annotations

from random import Random

import pytest
from cordboard.actors import values
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
