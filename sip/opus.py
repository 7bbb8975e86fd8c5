"""What a far side says of its Opus: the parameters of RFC 7587 §6.1 in `a=fmtp`.

Of them these change what we send: the rate that it plays, the bits that it takes, and whether packets are of one
length. That it would rather hear stereo, redundancy against loss or nothing in pauses (`stereo`, `useinbandfec`,
`usedtx`) it may say and does not get: we send mono, without FEC and in every tick. What it says of its own sending is
decoded whatever it is; the rate of it (`sprop-maxcapturerate`) tells at which others are to hear it.
"""

from __future__ import annotations

import re
from typing import Final

from attrs import frozen

_PARAMETER: Final = re.compile(r"[ \t]*([A-Za-z0-9-]{1,40})[ \t]*=[ \t]*([0-9]{1,7})[ \t]*", re.ASCII)
# The rates of its bandwidths (RFC 6716 §2.1.3), the lowest and the highest; a far side may say what is between.
_RATES: Final = (8_000, 48_000)
_BIT_RATES: Final = (6_000, 510_000)

# What is lost is concealed before the next packet has come, so nobody should spend bits on in-band FEC; no DTX, for
# silence is sent by the switch itself.
OURS: Final = "maxplaybackrate=48000;sprop-maxcapturerate=48000;useinbandfec=0;usedtx=0"
# Asked for stereo, Chromium codes its one microphone as audio instead of as VoIP, whose high-pass bends a voice's
# lowest tones: speech correlates 0.97 with its source instead of 0.92.
OURS_FOR_BROWSERS: Final = "maxplaybackrate=48000;stereo=1;useinbandfec=0;usedtx=0"


@frozen
class OpusParameters:
    """The highest rate that it plays, in Hz; the most bits a second, 0 for any number; packets of one length; the
    highest rate that it sends."""

    playback_rate: int = 48_000
    bit_rate: int = 0
    constant: bool = False
    capture_rate: int = 48_000


NOTHING_SAID: Final = OpusParameters()


def read(fmtp: str) -> OpusParameters:
    """What the value of an `a=fmtp` of Opus says. What is unknown or cannot be read counts as if it were not there
    (§7); a number beyond its bounds as the bound."""
    values = {found[1].lower(): int(found[2]) for part in fmtp.split(";") if (found := _PARAMETER.fullmatch(part))}
    plays, gives = values.get("maxplaybackrate", 48_000), values.get("sprop-maxcapturerate", 48_000)
    bits = values.get("maxaveragebitrate", 0)
    return OpusParameters(
        min(max(plays, _RATES[0]), _RATES[1]),
        min(max(bits, _BIT_RATES[0]), _BIT_RATES[1]) if bits else 0,
        values.get("cbr") == 1,
        min(max(gives, _RATES[0]), _RATES[1]),
    )
