"""G.711: one octet per sample of 8 kHz speech, by the A-law and the mu-law (ITU-T G.711).

Both laws are tables made once from the recommendation's arithmetic. Samples are int16, left-justified: the 14 bits of
the mu-law and the 13 bits of the A-law are the high bits. Encoding is a lookup of 65536 entries indexed by the sample's
bits as uint16; so is decoding, of two octets at once, which takes half as long as one of 256 for each. Both take arrays
of any shape, so a tick codes all of its legs in one call.
"""

from __future__ import annotations

from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]
Octets = NDArray[np.uint8]
_Entry = TypeVar("_Entry", np.uint8, np.uint32)

# What an encoder sends for silence: the codes of the sample 0.
ULAW_SILENCE: Final = 0xFF
ALAW_SILENCE: Final = 0xD5

# A sine at the mu-law's overload point is +3.17 dBm0 (G.711 table 6) and has this amplitude in int16.
ULAW_OVERLOAD: Final = 32124
_BLOCK: Final = 8192  # lookups at once


def _ulaw_expansion() -> Pcm:
    """G.711 table 2a/2b, decoder output values, in 16 bits."""
    code = ~np.arange(256) & 0xFF
    exponent, mantissa = code >> 4 & 7, code & 15
    magnitude = (((mantissa << 1) + 33) << exponent + 2) - 132
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw_expansion() -> Pcm:
    """G.711 table 1a/1b, decoder output values, in 16 bits; even bits are inverted on the line."""
    code = np.arange(256) ^ 0x55
    exponent, mantissa = code >> 4 & 7, code & 15
    step = (mantissa << 4) + 8
    magnitude = np.where(exponent == 0, step, step + 256 << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _samples() -> NDArray[np.int64]:
    """Every int16 in the order of its bits as uint16."""
    return np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int64)


def _ulaw_compression() -> Octets:
    sample = _samples()
    # Negative values mirror at -1, not at 0 (one's complement), as the reference of ITU-T G.191 does.
    biased = np.minimum((np.where(sample < 0, ~sample, sample) >> 2) + 33, 0x1FFF)
    exponent = np.floor(np.log2(biased)).astype(np.int64) - 5
    mantissa = (biased >> exponent + 1) & 15
    code = exponent << 4 | mantissa
    octets: Octets = ((~code & 0x7F) | np.where(sample < 0, 0, 0x80)).astype(np.uint8)
    return octets


def _alaw_compression() -> Octets:
    sample = _samples()
    magnitude = np.where(sample < 0, ~sample, sample) >> 4
    exponent = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int64) - 3, 0)
    shifted = magnitude >> np.maximum(exponent - 1, 0)
    code = exponent << 4 | shifted & 15
    octets: Octets = ((code | np.where(sample < 0, 0, 0x80)) ^ 0x55).astype(np.uint8)
    return octets


def _pairs(expansion: Pcm) -> NDArray[np.uint32]:
    """What two octets that lie together, read as uint16, decode to: two int16, as uint32."""
    octets = np.arange(65536, dtype=np.uint16).view(np.uint8).reshape(-1, 2)
    pairs: NDArray[np.uint32] = expansion[octets].view(np.uint32)[:, 0].copy()
    return pairs


_ULAW_TO_PCM: Final = _ulaw_expansion()
_ALAW_TO_PCM: Final = _alaw_expansion()
_ULAW_PAIRS: Final = _pairs(_ULAW_TO_PCM)
_ALAW_PAIRS: Final = _pairs(_ALAW_TO_PCM)
_PCM_TO_ULAW: Final = _ulaw_compression()
_PCM_TO_ALAW: Final = _alaw_compression()
for _table in (_ULAW_TO_PCM, _ALAW_TO_PCM, _ULAW_PAIRS, _ALAW_PAIRS, _PCM_TO_ULAW, _PCM_TO_ALAW):
    _table.setflags(write=False)


def decode_ulaw(octets: Octets, out: Pcm | None = None) -> Pcm:
    """mu-law octets of any shape to int16 samples of the same shape; into `out`, C-contiguous, if it is given."""
    return _decode(_ULAW_TO_PCM, _ULAW_PAIRS, octets, out)


def decode_alaw(octets: Octets, out: Pcm | None = None) -> Pcm:
    """A-law octets of any shape to int16 samples of the same shape; into `out`, C-contiguous, if it is given."""
    return _decode(_ALAW_TO_PCM, _ALAW_PAIRS, octets, out)


def _decode(table: Pcm, pairs: NDArray[np.uint32], octets: Octets, out: Pcm | None) -> Pcm:
    pcm = np.empty(octets.shape, np.int16) if out is None else out
    assert pcm.flags.c_contiguous
    source, samples = octets.reshape(-1), pcm.reshape(-1)
    whole = len(source) & ~1
    _look_up(pairs, source[:whole].view(np.uint16), samples[:whole].view(np.uint32))
    samples[whole:] = table[source[whole:]]
    return pcm


def _encode(table: Octets, pcm: Pcm) -> Octets:
    octets = np.empty(pcm.shape, np.uint8)
    _look_up(table, pcm.reshape(-1).view(np.uint16), octets.reshape(-1))
    return octets


def _look_up(table: NDArray[_Entry], index: NDArray[np.uint16], found: NDArray[_Entry]) -> None:
    # In blocks, because numpy widens the indices to 64 bits on the way: so they stay in the cache.
    for i in range(0, len(index), _BLOCK):
        table.take(index[i : i + _BLOCK], out=found[i : i + _BLOCK], mode="wrap")


def encode_ulaw(pcm: Pcm) -> Octets:
    """int16 samples of any shape (C-contiguous) to mu-law octets of the same shape."""
    return _encode(_PCM_TO_ULAW, pcm)


def encode_alaw(pcm: Pcm) -> Octets:
    """int16 samples of any shape (C-contiguous) to A-law octets of the same shape."""
    return _encode(_PCM_TO_ALAW, pcm)
