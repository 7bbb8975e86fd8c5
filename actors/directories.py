"""Where things are that the configuration may put elsewhere, or that several processes look for."""

from __future__ import annotations

from pathlib import Path

from .config import Config


def recordings_directory(config: Config, data: Path) -> Path:
    """Where the media plane writes recordings, and where they are when they are encoded."""
    return Path(config.recording.directory or data / "recordings")


def music_directory(data: Path) -> Path:
    """Where the pieces of music are that an import took in."""
    return data / "music"
