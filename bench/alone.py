"""What the given libraries take of a core by themselves, in a bare loop over as many legs as the switch has.

    python -m cordboard.bench.alone opus LEGS SECONDS       PyAV, decode and encode 20 ms at 48 kHz, recorded packets
    python -m cordboard.bench.alone libopus LEGS SECONDS    ... by the functions of libopus alone, as the switch does
    python -m cordboard.bench.alone srtp LEGS SECONDS       pylibsrtp's unprotect and protect of a G.711 packet

Prints the CPU seconds of one leg's 20 ms. Every leg has codecs or sessions of its own, they take turns as they do in a
tick, and between two ticks it sleeps, as the switch and the floor do: caches are as cold as they are there. (In a loop
without a pause pylibsrtp takes less than half, 4 µs a leg instead of 9 on one machine.)
"""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Callable
from typing import Final

import numpy as np
from pylibsrtp import Policy, Session

from ..codecs import g711, libopus
from ..codecs.bands import RATES, SAMPLES, Band
from ..codecs.g711 import Pcm
from ..codecs.opus import BIT_RATE, COMPLEXITY, ROOM
from ..switch import srtp
from ..switch.priority import hurry
from . import customer, pyav
from .pages import STRIDE, Ladder, speech

TICK: Final = 0.020
FRAMES: Final = 250  # recorded: 5 s


def _sound() -> Pcm:
    """What legs hear of those in a room of three, the sum of two others: int16 [n, 960]. Rooms of pages are mixed at
    48 kHz."""
    ladder = Ladder()
    pcm = np.stack([ladder.up(frame) for frame in g711.decode_ulaw(customer.speech("en"))]).astype(np.int32)
    mixed: Pcm = np.clip(pcm + np.roll(pcm, STRIDE, axis=0), -32768, 32767).astype(np.int16)
    return mixed


def opus(legs: int) -> Callable[[int], None]:
    """What a tick does for each leg."""
    payloads, mixed = speech("opus"), _sound()
    encoders, decoders = [pyav.Encoder() for _ in range(legs)], [pyav.Decoder() for _ in range(legs)]
    places = np.arange(legs) * STRIDE % len(payloads)

    def tick(number: int) -> None:
        for leg, place in enumerate(places):
            at = (int(place) + number) % len(payloads)
            decoders[leg].decode(payloads[at])
            encoders[leg].encode(mixed[at])

    return tick


def libopus_alone(legs: int) -> Callable[[int], None]:
    payloads, mixed = speech("opus"), libopus.Memory(_sound())
    rate, samples = RATES[Band.FULL], SAMPLES[Band.FULL]
    decoders = [libopus.Decoder(rate) for _ in range(legs)]
    encoders = [
        libopus.Encoder(rate, libopus.AUDIO, BIT_RATE[rate], COMPLEXITY, constant=False, constrained=True)
        for _ in range(legs)
    ]
    places = np.arange(legs) * STRIDE % len(payloads)
    heard, packet = libopus.Memory(np.zeros((legs, samples), np.int16)), libopus.Memory(np.zeros((1, ROOM), np.uint8))

    def tick(number: int) -> None:
        for leg, place in enumerate(places):
            at = (int(place) + number) % len(payloads)
            decoders[leg].decode(payloads[at], heard.rows[leg], samples)
            encoders[leg].encode(mixed.rows[at], samples, packet.rows[0], ROOM)

    return tick


def srtp_alone(legs: int) -> Callable[[int], None]:
    profile = next(iter(srtp.PROFILES.values()))
    ours, theirs = (
        [secrets.token_bytes(profile.key_length + profile.salt_length) for _ in range(legs)] for _ in range(2)
    )

    def sessions(keys: list[bytes], kind: int) -> list[Session]:
        return [Session(Policy(key, kind, 0, profile.policy)) for key in keys]

    inbound, outbound = sessions(theirs, Policy.SSRC_ANY_INBOUND), sessions(ours, Policy.SSRC_ANY_OUTBOUND)
    far = sessions(theirs, Policy.SSRC_ANY_OUTBOUND)
    plain = [[customer.rtp(n, 160 * n, leg + 1, bytes(160), first=not n) for leg in range(legs)] for n in range(FRAMES)]
    sealed = [[far[leg].protect(packet) for leg, packet in enumerate(packets)] for packets in plain]

    def tick(number: int) -> None:
        for session, packet in zip(inbound, sealed[number], strict=True):
            session.unprotect(packet)
        for session, packet in zip(outbound, plain[number], strict=True):
            session.protect(packet)

    return tick


def main() -> None:
    what, legs, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    hurry()
    tick = {"opus": opus, "libopus": libopus_alone, "srtp": srtp_alone}[what](legs)
    ticks = min(FRAMES, round(seconds / TICK))
    begun, start = time.process_time(), time.monotonic()
    for number in range(ticks):
        time.sleep(max(0.0, start + number * TICK - time.monotonic()))
        tick(number)
    print((time.process_time() - begun) / ticks / legs, flush=True)


if __name__ == "__main__":
    main()
