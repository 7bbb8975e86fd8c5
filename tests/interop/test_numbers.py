"""The numbers that need no agent: echo, tone, music, rooms. A customer dials them and hears what it should."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from . import sound
from .caller import PCMA, PCMU, Caller
from .machine import Waits, fairly
from .product import Product, centre, until

# A pause that a listener notices; the switch's own pace is 20 ms.
GAP_MS = 60
# A-law has no zero: its silence is 8 of 32768, -72 dBFS.
SILENT_DB = -65


@pytest.mark.timeout(300)  # of three turns, on a crowded machine
@pytest.mark.parametrize("codec", [PCMA, PCMU])
def test_the_echo_gives_the_speech_back(tmp_path: Path, product: Product, codec: int) -> None:
    _, speech = sound.speak(tmp_path)
    speech = speech[: 2 * sound.RATE]

    def measure() -> None:
        with Waits(product.pids()["media"]) as waits, Caller(product.sip_port, "600", speech, codec=codec) as customer:
            customer.dial().answered()
            heard = customer.hears(4.2)
        score, _ = sound.correlation(speech, heard)
        pause = waits.longest_pause(customer)
        print(f"600 echo, payload type {codec}: correlation {score:.3f}; longest pause {pause}")
        assert {packet.kind for packet in customer.packets} == {codec}
        assert pause.own <= GAP_MS
        assert score >= 0.9

    fairly(measure)


def test_the_tone_is_440_hz(caller: Callable[..., Caller]) -> None:
    customer = caller("601").answered()
    heard = customer.hears(1.0)
    print(f"601 tone: {sound.loudest(heard):.2f} Hz at {sound.level(heard):.1f} dBFS")
    assert abs(sound.loudest(heard) - 440) < 5
    assert sound.level(heard) > -40


def test_the_music_plays_without_a_gap(product: Product, caller: Callable[..., Caller]) -> None:
    customer = caller("602").answered()
    begin = time.time()
    with Waits(product.pids()["media"]) as waits:
        heard = customer.hears(4.0, since=begin)
    pause = waits.longest_pause(customer, begin, begin + 4.0)
    seconds = heard[: len(heard) // 8000 * 8000].reshape(-1, 8000)
    levels = [sound.level(second) for second in seconds]
    print(f"602 music: levels {', '.join(f'{one:.0f}' for one in levels)} dBFS; longest pause {pause}")
    assert min(levels) > -45
    assert pause.own <= GAP_MS
    sequence = [packet.sequence for packet in customer.between(begin, begin + 4.0)]
    assert set(np.diff(sequence) % 65536) == {1}


def test_three_in_a_room_hear_the_other_two(product: Product) -> None:
    def measure() -> None:
        with ExitStack() as stack:

            def enters(room: str, hertz: float) -> Caller:
                return stack.enter_context(Caller(product.sip_port, room, sound.tone(hertz))).dial()

            tones = (400.0, 700.0, 1100.0)
            members = [enters("701", hertz) for hertz in tones]
            elsewhere = enters("702", 1500.0).answered()
            for member in members:
                member.answered()
            begin = time.time() + 0.5  # all are wired and settled
            table = {}
            for own, member in zip(tones, members, strict=True):
                heard = member.hears(1.0, since=begin)
                table[own] = [sound.strength(heard, hertz) for hertz in (*tones, 1500.0)]
                print(f"701, who sends {own:.0f} Hz, hears", " ".join(f"{one:6.0f}" for one in table[own]))
            for own, strengths in table.items():
                for hertz, strength in zip((*tones, 1500.0), strengths, strict=True):
                    if hertz in (own, 1500.0):
                        assert strength < 150, f"{own} Hz hears {hertz} Hz"
                    else:
                        assert strength == pytest.approx(8000, rel=0.15), f"{own} Hz hears {hertz} Hz"
            assert sound.level(elsewhere.hears(0.5)) < SILENT_DB, "alone in a room there is nothing to hear"
            # One leaves, the others go on without it.
            members[0].hang_up()
            gone = members[0].response("BYE").at
            heard = members[1].hears(1.0, since=gone + 0.3)
            assert sound.strength(heard, 400.0) < 150
            assert sound.strength(heard, 1100.0) == pytest.approx(8000, rel=0.15)

    fairly(measure)
    product.at_rest()


def test_a_new_number_works_at_once(product: Product, caller: Callable[..., Caller]) -> None:
    assert caller("603").refused().status == 404

    def works() -> bool:
        with Caller(product.sip_port, "603") as customer:
            customer.dial()
            until(lambda: customer.up or customer.ended_by)
            return customer.up

    try:
        said = product.import_organisation(centre().number("603", "tone:880").text)
        assert "told the running server" in said
        begun = time.monotonic()
        until(works, 2.0, "the new number")
        print(f"import: the new number worked {1000 * (time.monotonic() - begun):.0f} ms after the command")
        customer = caller("603").answered()
        assert abs(sound.loudest(customer.hears(0.5)) - 880) < 5
    finally:
        product.import_organisation(centre().text)
    until(lambda: caller("603").refused().status == 404)
