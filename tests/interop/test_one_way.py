"""A customer of whom nothing comes is named in the log within three seconds, and one who speaks is not."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack

from . import sound
from .caller import Caller
from .product import Product, until

TOLD_S = 3.0


def told(product: Product) -> list[str]:
    """The lines of the log about sound that goes one way."""
    return [line for line in product.log.read_text().splitlines() if re.search("comes=False|goes=False", line)]


def test_a_customer_of_whom_nothing_comes_is_named(product: Product) -> None:
    before = len(told(product))
    with ExitStack() as stack:
        speaks, mute = (stack.enter_context(Caller(product.sip_port, "601", sound.tone(500))) for _ in range(2))
        speaks.dial().answered()
        mute.silence()
        mute.dial().answered()
        answered = time.monotonic()
        until(lambda: len(told(product)) > before, 6, "the line of the log")
        took = time.monotonic() - answered
        time.sleep(max(0.0, 4.0 - took))  # as long as the other could be wronged
        (line,) = told(product)[before:]
        leg = re.search(r"leg='?([^' ]+)", line)
        print(f"told {took:.2f} s after the answer: {line}")
        assert leg is not None
        assert leg[1].startswith("call:")
        assert took < TOLD_S
        for each in (speaks, mute):
            each.hang_up()
    product.at_rest()
