"""Sounds that tests send, and what they look for in what comes back. 8 kHz int16 unless said otherwise."""

from __future__ import annotations

import subprocess
import wave
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Pcm: TypeAlias = NDArray[np.int16]

RATE = 8000
TEXT = "Good morning, Harbour Travel, Lin speaking. Which ferry, please?"


def tone(hertz: float, seconds: float = 1.0, amplitude: float = 8000.0, rate: int = RATE) -> Pcm:
    """A sine; whole periods in whole seconds where the frequency is a whole number, so that it loops."""
    t = np.arange(int(seconds * rate)) / rate
    return (amplitude * np.sin(2 * np.pi * hertz * t)).astype(np.int16)


# --- G.711, by the formulas of ITU-T G.711 and not by the product's tables ----------------------------------------


def _expand(ulaw: bool) -> NDArray[np.int32]:
    code = np.arange(256)
    if ulaw:
        code = ~code & 0xFF
        exponent, mantissa = code >> 4 & 7, code & 15
        magnitude = ((2 * mantissa + 33) << exponent) - 33
        return np.where(code & 0x80, -magnitude, magnitude) * 4
    code = code ^ 0x55
    exponent, mantissa = code >> 4 & 7, code & 15
    magnitude = np.where(exponent == 0, 2 * mantissa + 1, (2 * mantissa + 33) << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude) * 8


_VALUES = {ulaw: _expand(ulaw) for ulaw in (True, False)}


def _nearest(ulaw: bool) -> NDArray[np.uint8]:
    """The code of every int16, by the nearest value."""
    values = _VALUES[ulaw]
    order = np.argsort(values, kind="stable")
    middles = (values[order][1:] + values[order][:-1]) / 2
    return order[np.searchsorted(middles, np.arange(-32768, 32768))].astype(np.uint8)


_CODES = {ulaw: _nearest(ulaw) for ulaw in (True, False)}


def decode(payload: bytes, *, ulaw: bool) -> Pcm:
    return _VALUES[ulaw][np.frombuffer(payload, np.uint8)].astype(np.int16)


def encode(pcm: Pcm, *, ulaw: bool) -> bytes:
    return _CODES[ulaw][pcm.astype(np.int32) + 32768].tobytes()


# --- measures -----------------------------------------------------------------------------------------------------


def level(pcm: Pcm) -> float:
    """Root mean square in dBFS; -120 is nothing at all."""
    if not len(pcm):
        return -120.0
    return float(20 * np.log10(max(1e-6, np.sqrt(np.mean(np.square(pcm / 32768.0))))))


def spectrum(pcm: Pcm) -> NDArray[np.float64]:
    """Magnitudes; a sine of amplitude A shows about A at its bin. The bins are RATE / len(pcm) apart."""
    window = np.hanning(len(pcm))
    made: NDArray[np.float64] = np.abs(np.fft.rfft(pcm * window)) * 2 / window.sum()
    return made


def loudest(pcm: Pcm) -> float:
    """The strongest frequency in Hz, between the bins by a parabola."""
    bins = spectrum(pcm)
    at = int(bins[1:-1].argmax()) + 1
    before, here, after = np.log(bins[at - 1 : at + 2] + 1e-9)
    shift = (before - after) / (2 * (before - 2 * here + after)) if before - 2 * here + after else 0.0
    return float((at + shift) * RATE / len(pcm))


def strength(pcm: Pcm, hertz: float) -> float:
    """The amplitude of the sine at that frequency, give or take 10 Hz."""
    bins, wide = spectrum(pcm), len(pcm) / RATE
    return float(bins[int((hertz - 10) * wide) : int((hertz + 10) * wide) + 1].max())


def correlation(known: Pcm, heard: Pcm) -> tuple[float, int]:
    """The best normalised cross-correlation of `known` within the longer `heard`, and where it begins there."""
    assert len(heard) >= len(known), "too little was heard"
    a = known.astype(np.float64) - known.mean()
    b = heard.astype(np.float64)
    size = 1 << (len(a) + len(b) - 1).bit_length()
    product = np.fft.irfft(np.fft.rfft(b, size) * np.conj(np.fft.rfft(a, size)), size)[: len(b) - len(a) + 1]
    power = np.concatenate([[0.0], np.cumsum(b * b)])
    energy = power[len(a) :] - power[: -len(a)]
    scores = product / np.sqrt(np.maximum(energy, 1.0) * (a * a).sum())
    best = int(scores.argmax())
    return float(scores[best]), best


def likeness(known: Pcm, heard: Pcm) -> tuple[float, float]:
    """The correlation of speech second by second, weighed by energy, and by how many milliseconds it moved.

    A playout that gives back idle delay drops 20 ms in a pause now and then: each second is aligned by itself, within
    100 ms of the whole.
    """
    _, at = correlation(known, heard)
    scores, weights, moved = [], [], []
    reach = RATE // 10
    for begin in range(0, len(known) - RATE + 1, RATE):
        part = known[begin : begin + RATE]
        low = max(0, at + begin - reach)
        score, found = correlation(part, heard[low : at + begin + RATE + reach])
        scores.append(score)
        weights.append(float(np.square(part, dtype=np.float64).sum()))
        moved.append((low + found - at - begin) / RATE * 1000)
    return float(np.average(scores, weights=weights)), max(moved) - min(moved)


# --- speech -------------------------------------------------------------------------------------------------------


def speak(folder: Path) -> tuple[Path, Pcm]:
    """A sentence as a 48 kHz file for a microphone that plays it again and again, and the same at 8 kHz."""
    raw, wide, narrow = folder / "raw.wav", folder / "speech-48k.wav", folder / "speech-8k.wav"
    subprocess.run(["espeak-ng", "-s", "150", "-w", str(raw), TEXT], check=True)
    trim = ["silence", "1", "0.05", "0.5%", "norm", "-6"]
    subprocess.run(["sox", str(raw), "-r", "48000", "-b", "16", str(wide), *trim, "pad", "0", "0.4"], check=True)
    subprocess.run(["sox", str(wide), "-r", "8000", "-b", "16", str(narrow)], check=True)
    return wide, read_wav(narrow)


def read_wav(file: Path) -> Pcm:
    """The samples of the first channel of a 16-bit file."""
    with wave.open(str(file)) as source:
        assert source.getsampwidth() == 2
        return np.frombuffer(source.readframes(source.getnframes()), np.int16)[:: source.getnchannels()]


def write_wav(file: Path, pcm: Pcm, rate: int = RATE, channels: int = 1) -> None:
    """`pcm` of one channel, or [samples, channels]."""
    with wave.open(str(file), "wb") as target:
        target.setnchannels(channels)
        target.setsampwidth(2)
        target.setframerate(rate)
        target.writeframes(pcm.tobytes())
