"""Bugs of the media plane: what is mixed, for whom, and how it goes over."""

from __future__ import annotations

from typing import Final

from .bug import Bug

MEDIA: Final = (
    Bug(
        "every gain is one",
        "switch/rooms.py",
        "total[some] += np.rint(pcm[rows] * gain).astype(np.int32)",
        "total[some] += pcm[rows].astype(np.int32)",
    ),
    Bug(
        "in a large room everybody hears itself",
        "switch/rooms.py",
        "(direct if listener in self._hears[listener] else shared).append((listener, len(sums)))",
        "direct.append((listener, len(sums)))",
    ),
    Bug(
        "edits of who hears whom click: there is no ramp",
        "switch/engine.py",
        "edited, self._rooms.edited = self._rooms.edited, set()",
        "edited, self._rooms.edited = set[int](), set()",
        survived=True,
    ),
    Bug(
        "loud voices together overflow into noise",
        "switch/rooms.py",
        "broken = _with(broken, _add(frames[:n], plan.added[:n], plan.result[:n]))",
        "_add(frames[:n], plan.added[:n], plan.result[:n])",
    ),
    Bug(
        "what is left of a room's sum less oneself overflows",
        "switch/rooms.py",
        "    short = _subtract(rest, own)\n",
        "    _subtract(rest, own)\n    short = _EMPTY\n",
    ),
    Bug(
        "who listened to a source that is closed hears what comes in its place",
        "switch/engine.py",
        "        self._rooms.remove(row)\n        self._sources.close(row)",
        "        self._sources.close(row)",
        survived=True,
    ),
    Bug(
        "who speaks alone is taken for silence",
        "switch/rooms.py",
        "return Heard(plan.band, plan.listeners, frames, voices > 0)",
        "return Heard(plan.band, plan.listeners, frames, voices > 1)",
    ),
)
