import numpy as np
import pytest
from cordboard.codecs import g711
from numpy.typing import NDArray

ALL = np.arange(256, dtype=np.uint8)
SAMPLES = np.arange(-32768, 32768).astype(np.int16)


# ITU-T G.711 tables 1 and 2: character signals and decoder output values, in 16 bits.
@pytest.mark.parametrize(
    ("octet", "sample"),
    [
        (0x80, 32124),
        (0x00, -32124),
        (0xFF, 0),
        (0x7F, 0),
        (0xFE, 8),
        (0x7E, -8),
        (0x8F, 16764),
        (0xF0, 120),
        (0xEF, 132),
    ],
)
def test_ulaw_decoder_values(octet: int, sample: int) -> None:
    assert g711.decode_ulaw(np.array([octet], np.uint8))[0] == sample


@pytest.mark.parametrize(
    ("octet", "sample"),
    [(0xAA, 32256), (0x2A, -32256), (0xD5, 8), (0x55, -8), (0xD4, 24), (0xC5, 264), (0xF5, 528), (0x80, 5504)],
)
def test_alaw_decoder_values(octet: int, sample: int) -> None:
    assert g711.decode_alaw(np.array([octet], np.uint8))[0] == sample


# The reference of ITU-T G.191 (alaw_compress, ulaw_compress), followed sample by sample as it is specified.
def ulaw_reference(x: int) -> int:
    magnitude = min((~x if x < 0 else x) // 4 + 33, 0x1FFF)
    segment = 0
    while magnitude >> segment + 6:
        segment += 1
    code = (8 - segment - 1) << 4 | 15 - (magnitude >> segment + 1 & 15)
    return code | (0x80 if x >= 0 else 0)


def alaw_reference(x: int) -> int:
    magnitude = (~x if x < 0 else x) // 16
    code = magnitude
    if magnitude > 15:
        exponent = 1
        while magnitude > 31:
            magnitude >>= 1
            exponent += 1
        code = magnitude - 16 + (exponent << 4)
    return (code | (0x80 if x >= 0 else 0)) ^ 0x55


def test_ulaw_encodes_as_the_reference() -> None:
    assert g711.encode_ulaw(SAMPLES).tolist() == [ulaw_reference(int(x)) for x in SAMPLES]


def test_alaw_encodes_as_the_reference() -> None:
    assert g711.encode_alaw(SAMPLES).tolist() == [alaw_reference(int(x)) for x in SAMPLES]


# The recommendation itself: in segment e (tables 1 and 2, from 0) step m begins at a decision value and is decoded to
# the middle of it. In units of the tables, whose full scale is 4096 for the A-law and 8159 for the mu-law.
SEGMENT, STEP = np.divmod(np.arange(128), 16)
SCALE = np.where(SEGMENT == 0, 1, 1 << np.maximum(SEGMENT - 1, 0))  # the A-law's first two segments have one step
ALAW_DECISIONS = np.where(SEGMENT == 0, 2 * STEP, (2 * STEP + 32) * SCALE)
ALAW_VALUES = np.where(SEGMENT == 0, 2 * STEP + 1, (2 * STEP + 33) * SCALE)
ULAW_DECISIONS = np.maximum(((2 * STEP + 32) << SEGMENT) - 33, 0)
ULAW_VALUES = ((2 * STEP + 33) << SEGMENT) - 33


def character_signals(decisions: NDArray[np.int_], unit: int) -> NDArray[np.int_]:
    """The number of the last decision value that each sample reaches; what is beyond the last is in the last step.

    A sample of `unit` is one of the tables. Negative ones mirror at -1 (ITU-T G.191), so that a decision value itself
    is of the step that lies farther from zero on both sides.
    """
    wide = SAMPLES.astype(int)
    number: NDArray[np.int_] = np.searchsorted(decisions, np.where(wide < 0, ~wide, wide) // unit, side="right") - 1
    return number


def test_every_sample_and_every_code_of_the_alaw() -> None:
    number = character_signals(ALAW_DECISIONS, 8)
    assert np.array_equal(g711.encode_alaw(SAMPLES), (number | np.where(SAMPLES < 0, 0, 0x80)) ^ 0x55)
    signed = np.concatenate([-8 * ALAW_VALUES, 8 * ALAW_VALUES])  # the sign bit is set in positive ones
    assert np.array_equal(g711.decode_alaw(ALL ^ np.uint8(0x55)), signed)


def test_every_sample_and_every_code_of_the_ulaw() -> None:
    number = character_signals(ULAW_DECISIONS, 4)
    assert np.array_equal(g711.encode_ulaw(SAMPLES), ~(number | np.where(SAMPLES < 0, 0x80, 0)) & 0xFF)
    signed = np.concatenate([4 * ULAW_VALUES, -4 * ULAW_VALUES])  # all bits are inverted on the line
    assert np.array_equal(g711.decode_ulaw(~ALL), signed)


def test_codes_survive_a_round_trip() -> None:
    # 0x7F is minus zero, which has no sample of its own.
    again = g711.encode_ulaw(g711.decode_ulaw(ALL))
    assert np.array_equal(np.delete(again, 0x7F), np.delete(ALL, 0x7F))
    assert np.array_equal(g711.encode_alaw(g711.decode_alaw(ALL)), ALL)


def test_what_is_decoded_into_a_matrix_stands_there() -> None:
    octets = np.random.default_rng(1).integers(0, 256, (700, 160)).astype(np.uint8)
    for decode in (g711.decode_ulaw, g711.decode_alaw):
        frames = np.zeros(octets.shape, np.int16)
        assert decode(octets, frames) is frames
        assert np.array_equal(frames, decode(octets))


def test_silence() -> None:
    zero = np.zeros((1, 160), np.int16)
    assert (g711.encode_ulaw(zero) == g711.ULAW_SILENCE).all()
    assert (g711.encode_alaw(zero) == g711.ALAW_SILENCE).all()


def test_error_is_within_half_a_step() -> None:
    error = np.abs(g711.decode_ulaw(g711.encode_ulaw(SAMPLES)).astype(int) - SAMPLES)
    assert (
        error <= np.maximum(np.abs(SAMPLES.astype(int)) / 16, 8) + 4 + 512 * (np.abs(SAMPLES.astype(int)) > 32000)
    ).all()
