"""Keys on a real trunk: what is pressed reaches the switch, whichever way it is sent, and the echo sends it back."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from cordboard.switch.twice import APART

from . import sound
from .caller import EVENT, KEYS, Caller
from .product import Product, until
from .test_sip import OURS, needs_sipp, sipp

LOW, HIGH = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
KEYPAD = "123A456B789C*0#D"


def heard(product: Product, how: str) -> int:
    return int(product.metrics().get(f'cordboard_media_total{{what="digits_by_{how}"}}', 0))


def tones(keys: str) -> sound.Pcm:
    """80 ms of each key's two tones, 80 ms of silence behind each (ITU-T Q.23)."""
    t = 2 * np.pi * np.arange(640) / 8000
    pairs = [(LOW[at // 4], HIGH[at % 4]) for at in map(KEYPAD.index, keys)]
    parts = [np.r_[5000 * (np.sin(low * t) + np.sin(high * t)), np.zeros(640)] for low, high in pairs]
    pcm: sound.Pcm = np.rint(np.concatenate(parts)).astype(np.int16)
    return pcm


def test_the_echo_sends_keys_back_as_events(product: Product, caller: Callable[..., Caller]) -> None:
    customer = caller("600", sound.tone(440)).answered()
    before = heard(product, "event")
    customer.press(KEYS)
    until(lambda: not customer._pressing)
    customer.hears(APART + 0.5)  # or they would be the same presses, told again
    for key in "9#":
        customer.tell_of_key(key)
    until(lambda: len(customer.keys()) == len(KEYS) + 2, 15, "all keys")
    back = customer.keys()
    print("600 sent back", " ".join(f"{key} {units / 8:.0f} ms" for key, units in back))
    assert sorted(key for key, _ in back) == sorted([*KEYS, "9", "#"])
    assert "".join(key for key, _ in back).startswith(KEYS[:-1])
    assert {units for _, units in back} == {800}
    sequence = [packet.sequence for packet in customer.between()]
    assert {(later - earlier) % 65536 for earlier, later in pairwise(sequence)} == {1}

    def ends() -> int:
        return sum(packet.kind == EVENT and packet.payload[1] >= 0x80 for packet in customer.between())

    until(lambda: ends() >= 3 * len(back), 1, "three last packets of each")
    customer.hears(0.3)
    assert ends() == 3 * len(back)
    until(lambda: heard(product, "event") == before + len(KEYS), 5, "the count of keys")
    assert abs(sound.loudest(customer.hears(0.5)) - 440) < 5


def test_keys_are_heard_as_tones_where_no_events_were_agreed_on(
    product: Product, caller: Callable[..., Caller]
) -> None:
    before = heard(product, "tone")
    spoken = np.concatenate([np.zeros(4000, np.int16), tones(KEYPAD), np.zeros(80_000, np.int16)])
    customer = caller("602", spoken, events=False).answered()
    until(lambda: heard(product, "tone") >= before + len(KEYPAD), 15, "sixteen keys")
    customer.hears(1.5)
    assert heard(product, "tone") == before + len(KEYPAD)


@pytest.mark.peer("sipp")
@needs_sipp
@pytest.mark.parametrize(("scenario", "keys"), [("keys", 5), ("captured_key", 1)])
def test_sipp_presses_keys(product: Product, scenario: str, keys: int) -> None:
    before = heard(product, "event")
    done = sipp(product, OURS / f"{scenario}.xml", "-m", "1", "-timeout_error")
    assert done.returncode == 0, done.stdout[-2500:] + done.stderr
    until(lambda: heard(product, "event") >= before + keys, 5, f"{keys} keys")
    product.at_rest()
    assert heard(product, "event") == before + keys
