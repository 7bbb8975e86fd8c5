"""The functions of libopus, called as they are: on memory of ours, without an object for each frame. A shell.

PyAV has libopus, and its codec contexts are made for files: for each frame they make a packet and a frame, and what is
to be encoded they send through a graph of filters, the end of which is an exception. Of the 103 µs that a
leg of Opus takes that way for its 20 ms both ways 23 are theirs, on a busy machine 59 of 147 (bench/alone.py). libopus
itself reads and writes where it is told.

It is the library that PyAV's wheel brings, so that nothing else has to be installed, and every process of ours codes
alike; where PyAV was built on a system's FFmpeg, it is the system's. The state of a codec is memory of numpy's: it goes
when nobody has it any more.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
from typing import Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", np.int16, np.uint8)

_SYSTEM: Final = "libopus.so.0"
_MONO: Final = 1
_NO_FEC: Final = 0
# opus_defines.h
_OK: Final = 0
TOO_SMALL: Final = -2  # there is more in a packet than there is room for
VOIP: Final = 2048
AUDIO: Final = 2049
_SET_BITRATE: Final = 4002
_SET_VBR: Final = 4006
_SET_COMPLEXITY: Final = 4010
_SET_VBR_CONSTRAINT: Final = 4020


class LibopusError(Exception):
    """libopus refuses `what` was wanted: the `code` of the error (opus_errorcodes)."""

    def __init__(self, code: int, what: str) -> None:
        super().__init__(f"libopus refuses {what}: {code}")
        self.code = code


def _library() -> ctypes.CDLL:
    for file in importlib.metadata.files("av") or ():
        if file.name.startswith("libopus"):
            return ctypes.CDLL(str(file.locate()))
    return ctypes.CDLL(_SYSTEM)


_lib: Final = _library()
_pointer, _int, _int32 = ctypes.c_void_p, ctypes.c_int, ctypes.c_int32
for _name, _arguments in {
    "opus_encoder_get_size": (_int,),
    "opus_encoder_init": (_pointer, _int32, _int, _int),
    "opus_encoder_ctl": (_pointer, _int),  # what follows may be of any type
    "opus_encode": (_pointer, _pointer, _int, _pointer, _int32),
    "opus_decoder_get_size": (_int,),
    "opus_decoder_init": (_pointer, _int32, _int),
    "opus_decode": (_pointer, ctypes.c_char_p, _int32, _pointer, _int, _int),
}.items():
    getattr(_lib, _name).argtypes = _arguments
_encode, _decode = _lib.opus_encode, _lib.opus_decode


class Memory(Generic[Number]):
    """A matrix whose columns lie without gaps, and where its rows begin: by address, as C has it. Whoever hands on an
    address has this, so that there is something at it."""

    def __init__(self, matrix: NDArray[Number]) -> None:
        assert not matrix.size or matrix.strides[1] == matrix.itemsize
        begin, stride = matrix.ctypes.data, matrix.strides[0] or 1  # where there is nothing it may be any
        self.matrix: NDArray[Number] = matrix
        self.rows: Final = range(begin, begin + len(matrix) * stride, stride)


class Encoder:
    """Of mono sound at `rate`, for an `application`, at `bit_rate` and `complexity`. Packets of one length are
    `constant`; those of others are `constrained` to what one of them may take."""

    def __init__(
        self, rate: int, application: int, bit_rate: int, complexity: int, *, constant: bool, constrained: bool
    ) -> None:
        self._state = Memory(np.zeros((1, _lib.opus_encoder_get_size(_MONO)), np.uint8))
        self._at = self._state.rows[0]
        _check(_lib.opus_encoder_init(self._at, rate, _MONO, application), "an encoder")
        for request, value in {
            _SET_BITRATE: bit_rate,
            _SET_COMPLEXITY: complexity,
            _SET_VBR: not constant,
            _SET_VBR_CONSTRAINT: constrained,
        }.items():
            _check(_lib.opus_encoder_ctl(self._at, request, _int32(value)), f"request {request}")

    def encode(self, pcm: int, samples: int, packet: int, room: int) -> int:
        """One frame, of which int16 [samples] stand at the address `pcm`, into at most `room` octets at `packet`; how
        many they are. Raises LibopusError."""
        octets: int = _encode(self._at, pcm, samples, packet, room)
        if octets <= 0:
            raise LibopusError(octets, "encode")
        return octets


class Decoder:
    """To mono sound at `rate`, whatever the packets have."""

    def __init__(self, rate: int) -> None:
        self._state = Memory(np.zeros((1, _lib.opus_decoder_get_size(_MONO)), np.uint8))
        self._at = self._state.rows[0]
        _check(_lib.opus_decoder_init(self._at, rate, _MONO), "a decoder")

    def decode(self, packet: bytes, pcm: int, room: int) -> int:
        """All of a packet into at most `room` int16 at the address `pcm`; how many they are. Raises LibopusError."""
        samples: int = _decode(self._at, packet, len(packet), pcm, room, _NO_FEC)
        if samples <= 0:
            raise LibopusError(samples, "decode")
        return samples


def _check(code: int, what: str) -> None:
    if code != _OK:
        raise LibopusError(code, what)
