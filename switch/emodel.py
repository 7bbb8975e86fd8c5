"""The E-model of ITU-T G.107 for what varies here: loss and delay, as a mean opinion score from 1 to 4.5.

All else has the default values of G.107 table 2, which come to a rating of 93.2. Echo is not rated, for browsers cancel
it. Every leg is rated as G.711 with the concealment of its Appendix I, which is what the engine does on all of them
(G.113 Appendix I table I.3). One leg alone is rated: a listener hears through two of them.
"""

from __future__ import annotations

import math
from typing import Final

# R of the default values, without loss and delay.
UNDISTURBED: Final = 93.2
# Bpl of G.711 with packet loss concealment: at so many percent of loss half of the rest of R is gone.
ROBUSTNESS: Final = 25.1
# One-way delay that nobody notices, in milliseconds (G.107 §7.4).
UNNOTICED_MS: Final = 100.0


def mos(loss_percent: float, delay_ms: float) -> float:
    """The score of a way that takes `delay_ms` from mouth to ear and loses `loss_percent` of the sound."""
    return _score(UNDISTURBED - _delay(delay_ms) - _loss(loss_percent))


def _loss(percent: float) -> float:
    """Ie-eff of random loss, with Ie 0 (G.107 §7.5)."""
    return 95.0 * percent / (percent + ROBUSTNESS)


def _delay(delay_ms: float) -> float:
    """Idd, the impairment by too long an absolute delay (G.107 §7.4)."""
    if delay_ms <= UNNOTICED_MS:
        return 0.0
    x = math.log2(delay_ms / UNNOTICED_MS)
    return 25.0 * (math.pow(1.0 + x**6, 1 / 6) - 3.0 * math.pow(1.0 + (x / 3.0) ** 6, 1 / 6) + 2.0)


def _score(rating: float) -> float:
    """MOS-CQE of a rating R (G.107 Annex B)."""
    if rating <= 0.0:
        return 1.0
    score = 1.0 + 0.035 * rating + rating * (rating - 60.0) * (100.0 - rating) * 7e-6
    return max(1.0, min(score, 4.5))
