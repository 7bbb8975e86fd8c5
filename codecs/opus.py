"""Opus for a phone call: mono frames of 20 ms in and out, by libopus (RFC 6716, RFC 7587).

An `OpusEncoder` and an `OpusDecoder` belong to one leg each; `OpusRows` has those of many legs, and does what a tick
wants of them in parts (work.py). It is one process's: who has more cores has several (switch/coders.py). Threads would
not do: each call lets go of the GIL for one frame, and those who want it back are in each other's way.

The encoder takes 8, 16 or 48 kHz and gives exactly one packet for each frame of 20 ms, the first included, or two of
10 ms: libopus looks ahead inside (6.5 ms that the far side hears as delay). Longer packets are made of these by whoever
sends them (opuspacket.join): with frames of 60 ms of its own libopus would save 2 % of the bits, and what is in one
could not begin or end, or turn to another rate, in the middle of it.

The decoder always gives 48 kHz, in the place in which they stay (resample.py), and what they are at 8 is made of them
there; it takes packets of any length, and what of one is not wanted yet is kept. What did not come, or is no Opus, is
left to whoever conceals, for all codecs alike (plc.py). What carries no sound, a DTX frame of one or two bytes, is
silence.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from attrs import define, field, frozen

from . import libopus
from .bands import ABOVE, Band, bit
from .opuspacket import FRAME_UNITS, MAX_UNITS, SILENT_OCTETS, UNIT, Frame, length
from .resample import Sound
from .work import Decoded, Encoded, Upper, Work

Pcm = npt.NDArray[np.int16]
Rows = npt.NDArray[np.intp]

OUTPUT_RATE = 48000
FRAME = 960  # samples of 20 ms at 48 kHz
# RFC 7587 §3.1.1 has 8-12 kbit/s for narrow band speech, 16-20 for wideband and 28-40 for full band. That takes as many
# as G.711: with them CELT alone sounds as well as what we send at 16 kHz, and takes half the time of the hybrid of SILK
# and CELT, to which 32 would be enough.
BIT_RATE = {8000: 16_000, 16000: 24_000, 48000: 64_000}
CELT_BIT_RATE = 48_000  # with fewer, the hybrid is better
COMPLEXITY = 5
LEAST_BIT_RATE = 6_000  # no far side may want fewer (RFC 7587 §6.1)
# The longest packet: 120 ms of frames of 1,275 bytes (RFC 6716 §3.2); no more ever reaches libopus.
MAX_PACKET = 6 * 1275 + 13
# At our bit rates no packet that we make is as long.
ROOM = 512
_INT16 = 2

# Legs of which one part of what is encoded is made. libopus leaves nothing in the processor's caches of what is done
# about a part.
TOGETHER = 48
# More parts than this are only more to be handed about: beyond, they are larger instead.
MOST_PARTS = 16

_SILENCE = np.zeros(MAX_UNITS * UNIT, np.int16)
_SILENCE.setflags(write=False)


@frozen
class Tuning:
    """How a far side wants to be sent Opus: at most so many bits a second, 0 for any; packets of one length; frames of
    20 ms or of 10. `rate` is the highest that is ever encoded for it, in Hz."""

    bit_rate: int = 0
    constant: bool = False
    frame_ms: int = 20
    rate: int = OUTPUT_RATE


ANY = Tuning()


class OpusError(Exception):
    """The far side's payload is not Opus. The decoder goes on with the next one."""


class OpusEncoder:
    """One leg's encoder. `rate` 8000, 16000 or 48000 Hz in.

    `complexity` 0, 1, 3, 5, 8 and 10 take 41, 44, 69, 97, 124 and 134 µs for a frame of 8 kHz, and PESQ makes 4.25,
    4.32, 4.35, 4.43, 4.46 and 4.46 of the sentences in bench/voices: beyond 8 nothing is won. At 5 one of 16 kHz takes
    138 µs; one of 48 kHz 77 by CELT, and 162 by the hybrid.
    """

    def __init__(self, rate: int, complexity: int = COMPLEXITY, tuning: Tuning = ANY) -> None:
        self.samples = rate // 50
        self.tuning = tuning
        # Packets of one length are so at every rate of mixing.
        usual = BIT_RATE[tuning.rate if tuning.constant else rate]
        bits = min(usual, max(tuning.bit_rate, LEAST_BIT_RATE)) if tuning.bit_rate else usual
        celt = rate == OUTPUT_RATE and bits >= CELT_BIT_RATE
        self._frame = rate * tuning.frame_ms // 1000
        self._encoder = libopus.Encoder(
            rate,
            libopus.AUDIO if celt else libopus.VOIP,
            bits,
            complexity,
            constant=tuning.constant,
            constrained=celt,  # SILK stays within its bits by itself
        )

    def encode(self, pcm: Pcm) -> Sequence[bytes]:
        """`pcm`: int16 `[rate / 50]`, 20 ms. Returns one packet of it, or two where its frames are of 10 ms: each is an
        RTP payload as it is (RFC 7587 §4.2)."""
        frame = libopus.Memory(np.ascontiguousarray(pcm, np.int16)[None])
        packet = libopus.Memory(np.zeros((1, ROOM), np.uint8))
        lengths = np.array([self.encode_at(frame.rows[0], packet.rows[0])], np.int32)
        return Encoded(np.zeros(1, np.intp), packet.matrix, lengths).packets()[0]

    def encode_at(self, pcm: int, packet: int) -> tuple[int, int]:
        """The same from an address to another, at which there are ROOM octets (libopus.py); the lengths of both
        packets, one behind the other."""
        first = self._encoder.encode(pcm, self._frame, packet, ROOM)
        if self._frame == self.samples:
            return first, 0
        half = pcm + self._frame * _INT16
        return first, self._encoder.encode(half, self._frame, packet + first, ROOM - first)


class OpusDecoder:
    """One leg's decoder."""

    def __init__(self, pcm: Pcm | None = None) -> None:
        """Frames are decoded to `pcm` int16 [960]."""
        frame = libopus.Memory((np.zeros(FRAME, np.int16) if pcm is None else pcm)[None])
        self.pcm: Pcm = frame.matrix[0]
        self._at = frame.rows[0]
        # libopus mixes stereo down itself where it is to give mono.
        self._decoder = libopus.Decoder(OUTPUT_RATE)
        self._packet: bytes | None = None  # the last one, where some of it is still to be played ...
        self._rest = _SILENCE  # ... and all of its sound

    def decode(self, packet: bytes) -> Pcm:
        """All of one as int16 `[120 * units]` (opuspacket.py), 48 kHz, mono; never write into it. Raises OpusError for
        what libopus refuses."""
        if not 0 < len(packet) <= MAX_PACKET:
            raise OpusError("shorter or longer than any Opus packet")
        if len(packet) <= SILENT_OCTETS:
            return _SILENCE[: length(packet) * UNIT]
        pcm = libopus.Memory(np.empty((1, MAX_UNITS * UNIT), np.int16))
        try:
            samples = self._decoder.decode(packet, pcm.rows[0], MAX_UNITS * UNIT)
        except libopus.LibopusError as error:
            raise OpusError(str(error)) from error
        sound: Pcm = pcm.matrix[0, :samples]
        return sound

    def play(self, frame: Frame) -> None:
        """What a frame is made of, its packets in their order and each decoded once, into `pcm`. Raises OpusError as
        `decode` does: then nothing of the frame is worth hearing."""
        at, units, packet, begin = frame[0]
        # Mostly it is one packet of as much.
        if units == FRAME_UNITS and not begin and packet is not self._packet and self._fills(packet):
            self._packet, self._rest = None, _SILENCE
            return
        for at, units, packet, begin in frame:
            if packet is self._packet:
                sound = self._rest
            else:
                self._packet = None
                sound = self.decode(packet)
            end = (begin + units) * UNIT
            if end > len(sound):
                raise OpusError("shorter than its header says")
            self.pcm[at * UNIT : (at + units) * UNIT] = sound[begin * UNIT : end]
            if end == len(sound):
                self._packet, self._rest = None, _SILENCE
            elif packet is not self._packet:
                self._packet, self._rest = packet, sound

    def _fills(self, packet: bytes) -> bool:
        """Whether it is 20 ms and no more: then `pcm` is it, and else nothing is decoded yet."""
        if not SILENT_OCTETS < len(packet) <= MAX_PACKET:
            return False
        try:
            samples = self._decoder.decode(packet, self._at, FRAME)
        except libopus.LibopusError as error:
            if error.code == libopus.TOO_SMALL:
                return False
            raise OpusError(str(error)) from error
        if samples < FRAME:
            raise OpusError("shorter than its header says")
        return True


@define(eq=False)
class _Leg:
    """Both ends of one leg, each made when it is first used: an agent between two calls hears and says nothing. What it
    says is decoded to `pcm`."""

    row: int
    pcm: Pcm
    tuning: Tuning = ANY
    encoder: OpusEncoder | None = field(default=None, init=False)
    decoder: OpusDecoder | None = field(default=None, init=False)


class OpusRows:
    """Encoders and decoders by row. `decode` is done when it returns, `encode` as its results are asked for.

    What one leg's codec raises, whatever it is, is that leg's end (`failed`) and nobody else's. `together`: of how many
    legs a part of what is encoded is made.
    """

    def __init__(self, capacity: int = 4096, complexity: int = COMPLEXITY, together: int = TOGETHER) -> None:
        self._complexity = complexity
        self._together = together
        self._legs: dict[int, _Leg] = {}
        self._broken: list[_Leg] = []
        self._sound = Sound(capacity, OUTPUT_RATE)
        self._packets = libopus.Memory(np.zeros((0, ROOM), np.uint8))  # of the last `encode`
        self._work: Work[Encoded] = Work(())

    def open(self, row: int) -> None:
        self._legs[row] = _Leg(row, self._sound.matrix[row, self._sound.begin :])
        self.forget(np.array([row]))

    def tune(self, row: int, tuning: Tuning) -> None:
        """What is encoded for this row from now on."""
        self._legs[row].tuning = tuning

    def close(self, row: int) -> None:
        del self._legs[row]

    def failed(self) -> list[int]:
        """Rows whose codec has raised; they are to be closed."""
        broken, self._broken = self._broken, []
        return [leg.row for leg in broken if self._legs.get(leg.row) is leg]

    def forget(self, rows: Rows) -> None:
        """What these rows said before is not for who hears them now. What is being decoded is to be taken first."""
        self._sound.forget(rows)

    def decode(self, rows: Rows, frames: Sequence[Frame], bands: npt.NDArray[np.uint8]) -> Work[Decoded]:
        """The next 20 ms of each row of `rows` [n], at 8 kHz and in those above of which the `bands` [n] have the bit.
        All is done when it returns."""
        self._work.drop()  # a tick that crashed in the middle left some
        sound, begins = self._sound, self._sound.next(rows)
        legs = [self._legs[row] for row in rows.tolist()]
        good = np.fromiter(map(self._decode, legs, frames), np.bool_, len(legs))
        if np.count_nonzero(good) < len(good):
            sound.matrix[rows[~good], sound.begin :] = 0
        upper = []
        for band in ABOVE:
            if len(its := (bands & bit(band)).nonzero()[0]):
                upper.append(Upper(band, its, sound.of(rows[its], band), begins[its]))
        return Work([Decoded(np.arange(len(rows)), sound.of(rows, Band.NARROW), good, upper)])

    def encode(self, rows: Rows, frames: Pcm, samples: Rows) -> Work[Encoded]:
        """`frames` int16 [n, at least 960], of which each of `rows` [n] hears so many `samples` [n], 20 ms at 8, 16 or
        48 kHz, to the packets of each, none where it broke. `frames` is to outlive the results, which are good until
        the next call.

        A leg whose rate is another than before gets another encoder. The results are to be taken before anything else
        is begun."""
        self._work.drop()
        n = len(rows)
        if len(self._packets.matrix) < n:
            self._packets = libopus.Memory(np.zeros((2 * n, ROOM), np.uint8))
        heard, said = libopus.Memory(frames), self._packets
        legs = [self._legs[row] for row in rows.tolist()]
        every = np.arange(n)

        def part(some: slice) -> Encoded:
            made = map(self._encode, legs[some], samples[some].tolist(), heard.rows[some], said.rows[some])
            return Encoded(every[some], said.matrix[some], np.array(list(made), np.int32))

        size = max(self._together, -(-n // MOST_PARTS))
        self._work = work = Work(part(slice(i, min(i + size, n))) for i in range(0, n, size))
        return work

    def _decode(self, leg: _Leg, frame: Frame) -> bool:
        """Fills the leg's place; False where nothing is worth hearing there."""
        try:
            if leg.decoder is None:
                leg.decoder = OpusDecoder(leg.pcm)
            leg.decoder.play(frame)
        except OpusError:
            return False
        except Exception:  # whatever it is: this is the leg's supervisor
            self._broken.append(leg)
            return False
        return True

    def _encode(self, leg: _Leg, samples: int, pcm: int, packet: int) -> tuple[int, int]:
        try:
            encoder, tuning = leg.encoder, leg.tuning
            # The same object mostly: to compare what is in it would take longer.
            if (
                encoder is None
                or encoder.samples != samples
                or (encoder.tuning is not tuning and encoder.tuning != tuning)
            ):
                encoder = leg.encoder = OpusEncoder(50 * samples, self._complexity, tuning)
            return encoder.encode_at(pcm, packet)
        except Exception:  # as in decoding: whatever it is, this is the leg's supervisor
            self._broken.append(leg)
            return 0, 0
