"""What becomes of a recording when its call is over. A shell."""

from __future__ import annotations

from typing import Protocol


class RecordingStore(Protocol):
    """Where it is kept what there is of each call's recording. Takes at once and does not wait or raise.

    Told again after a crash: the last word counts. `call` is the recording's id.
    """

    def recording_ready(self, call: str, file: str, format_: str, seconds: float, size: int, peaks: str, /) -> None:
        """`file` and `peaks` are names within the recordings' directory; `size` in bytes; `format_` opus, wav, mp3 or
        flac. The peaks of a waveform are described in switch/peaks.py."""
        ...

    def recording_lost(self, call: str, reason: str, /) -> None:
        """Nothing of it can be played; `reason` is for people."""
        ...
