"""A trunk that changes its codec, or its payload types, in a call: it hears itself all along, as it says."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest
from attrs import evolve

from . import sound
from .caller import Caller, Said
from .coding import G722, OPUS, PCMA, PCMU, Coding
from .machine import fairly
from .product import Product, until

OFFER_TYPES = re.compile(r"a=rtpmap:(\d+) (\S+)")


class Changing(Caller):
    """Hears itself at the echo number, in one coding after the other. With no offer in its INVITE it takes of the
    switch's what `coding` is, and names a payload type of its own for it."""

    def __init__(self, product: Product, coding: Coding, hertz: float, *, offers: bool = True) -> None:
        self._offers, self._version = offers, 0
        self._will_say(coding, hertz)
        super().__init__(product.sip_port, "600")

    def _will_say(self, coding: Coding, hertz: float) -> None:
        # So long that it does not begin anew in the middle: G.722 would take half a second to be as loud as it is.
        self.coding, self.hertz = coding, hertz
        self._says = coding.encode(sound.tone(hertz, 10.0, rate=coding.rate))

    def sdp(self) -> str:
        return self._described() if self._offers else ""

    def _described(self) -> str:
        self._version += 1
        at = f"IN IP4 {self.address}"
        return (
            f"v=0\r\no=- {self.rtp_port} {self._version} {at}\r\ns=-\r\nc={at}\r\nt=0 0\r\n"
            f"m=audio {self.rtp_port} RTP/AVP {self.coding.kind}\r\n{self.coding.lines}a=ptime:20\r\n"
        )

    def change(self, coding: Coding, hertz: float) -> None:
        """By a new offer; from its answer on we say something else."""
        self._will_say(coding, hertz)
        self.reinvite(self._described())
        assert self._final_of_last().status == 200

    def change_refused(self, name: str) -> int:
        """The status of the answer to an offer of a codec that nobody has."""
        self.reinvite(self._described().replace(self.coding.name, name))
        return self._final_of_last().status

    def _final_of_last(self) -> Said:
        cseq = f"{self._cseq} INVITE"
        return until(lambda: [one for one in self.said if one.header("CSeq") == cseq and one.status >= 200], 5)[0]

    def taken(self, said: Said) -> str:
        named = {name: int(kind) for kind, name in OFFER_TYPES.findall(said.text)}
        self.codec, self.step, self._frames = named[self.coding.name], self.coding.step, self._says
        return "" if self._offers else self._described()

    def heard_itself(self) -> str:
        """What comes in the next 0.7 s, of which the last 0.4 are what was agreed on last; in words."""
        begin = time.time()
        until(lambda: (last := self.packets[-1:]) and last[0].at > begin + 0.7, 5, "0.7 s of sound")
        assert {packet.kind for packet in self.between(begin + 0.2, begin + 0.7)} == {self.coding.kind}
        packets = [packet for packet in self.between(begin, begin + 0.7) if packet.kind == self.coding.kind]
        steps = np.diff(np.array([packet.timestamp for packet in packets], np.uint32))
        assert set(steps[-20:].tolist()) == {self.coding.step}
        pcm = self.coding.decode([packet.payload for packet in packets])[-2 * self.coding.rate // 5 :]
        hertz = sound.loudest(pcm) * self.coding.rate / sound.RATE
        level = sound.level(pcm) - sound.level(sound.tone(self.hertz))
        told = f"{self.coding.name} as {self.coding.kind}, said as {self.codec}: {hertz:.0f} Hz at {level:+.1f} dB"
        assert abs(hertz - self.hertz) < 8, told
        assert abs(level) < 2, told
        return told


def test_codecs_and_payload_types_change_in_a_call_and_back(product: Product) -> None:
    changes = [
        (G722, 500.0),
        (OPUS, 600.0),
        (evolve(OPUS, kind=121, fmtp="maxplaybackrate=8000;cbr=1"), 700.0),
        (PCMU, 800.0),
        (evolve(OPUS, kind=98), 900.0),
        (PCMA, 1000.0),
    ]
    with Changing(product, PCMA, 400.0) as customer:
        customer.dial().answered()
        print(fairly(customer.heard_itself))
        for coding, hertz in changes:
            customer.change(coding, hertz)
            print(fairly(customer.heard_itself))
    product.at_rest()


@pytest.mark.parametrize("coding", [evolve(OPUS, kind=120), PCMU], ids=["opus", "pcmu"])
def test_each_side_is_sent_the_payload_types_that_it_named(product: Product, coding: Coding) -> None:
    """The switch's offer has a number for Opus, the answer another; then a new offer has a third for both ways."""
    with Changing(product, coding, 440.0, offers=False) as customer:
        customer.dial().answered()
        print(fairly(customer.heard_itself))
        if coding.rate == 48000:
            assert customer.codec != coding.kind
        customer.change(evolve(OPUS, kind=97), 550.0)
        print(fairly(customer.heard_itself))
        assert customer.codec == 97
    product.at_rest()


def test_what_cannot_be_had_leaves_the_call_as_it_was(product: Product) -> None:
    with Changing(product, OPUS, 440.0) as customer:
        customer.dial().answered()
        fairly(customer.heard_itself)
        assert customer.change_refused("iLBC/8000") == 488
        print(fairly(customer.heard_itself))
    product.at_rest()
