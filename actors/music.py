"""Music that queues have of their own: files beside the organisation's, taken in once by an import. A shell.

An import decodes each file and keeps the piece in `DATA/music` under a name made of the file's and of what is heard, so
that a piece never changes under its name: callers who wait with it go on with it, whatever is imported meanwhile. What
neither the organisation nor the one before it has is deleted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from attrs import evolve

from ..switch.musicfile import SUFFIX, Piece, UnusableMusicError, decode, load, save
from .keys import ConfigError, found
from .organisation import Organisation

# All that one organisation has; in memory it takes 16 kB a second.
MAX_SECONDS: Final = 3600.0


def take_in(organisation: Organisation, base: Path) -> tuple[Organisation, dict[str, Piece]]:
    """The organisation with the names of pieces in place of files, which are found from the directory `base`, and the
    pieces. Raises ConfigError, also for a file that cannot be read."""
    names: dict[str, str] = {}
    pieces: dict[str, Piece] = {}
    for queue in organisation.queues:
        if not queue.music or queue.music in names:
            continue
        where = f"[[queue]] {found(queue.id)} music: {queue.music}"
        try:
            with (base / queue.music).open("rb") as file:
                piece = decode(file)
        except UnusableMusicError as error:
            raise ConfigError(f"{where} {error}") from error
        except OSError as error:
            raise ConfigError(f"{where}: {error.strerror}") from error
        names[queue.music] = name = _name(Path(queue.music).stem, piece)
        pieces[name] = piece
        seconds = sum(each.seconds for each in pieces.values())
        if seconds > MAX_SECONDS:
            raise ConfigError(
                f"{where}: the music of all queues lasts {seconds / 60:.0f} minutes; at most {MAX_SECONDS / 60:.0f}"
            )
    queues = tuple(evolve(queue, music=names.get(queue.music, "")) for queue in organisation.queues)
    return evolve(organisation, queues=queues), pieces


def _name(stem: str, piece: Piece) -> str:
    """For people and files: what it was called, and what tells it from others that were called so."""
    return f"{re.sub('[^A-Za-z0-9_-]+', '-', stem)[:32].strip('-') or 'music'}-{piece.digest[:10]}"


def keep(pieces: Mapping[str, Piece], directory: Path) -> None:
    """Each in its file; one that is whole is left alone. Raises OSError.

    The directory is made in any case: whoever copies the data names it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for name, piece in pieces.items():
        path = directory / f"{name}{SUFFIX}"
        if not _is_whole(path):
            save(piece, path)


def _is_whole(path: Path) -> bool:
    try:
        load(path)
    except (UnusableMusicError, OSError):
        return False
    return True


def drop_others(organisations: Iterable[Organisation], directory: Path) -> None:
    """Deletes what none of them has; what cannot be deleted stays."""
    kept = {queue.music for organisation in organisations for queue in organisation.queues}
    for path in directory.glob(f"*{SUFFIX}"):
        if path.stem not in kept:
            with suppress(OSError):
                path.unlink()
