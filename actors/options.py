"""What the commands share: their options, the infrastructure that they read, and how input ends that cannot be used.

Every process begins with this, so it loads little.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from .config import SECTIONS, Config, parse_config
from .entries import ENTRIES
from .keys import ConfigError, parse_toml

DATA = Path("data")

FILE = click.Path(dir_okay=False, path_type=Path)
config_option = click.option("--config", "config_file", metavar="FILE", type=FILE, help="The infrastructure, TOML.")
data_option = click.option(
    "--data",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    default=DATA,
    show_default=True,
    help="The data directory.",
)


class Unusable(click.ClickException):
    """Input that cannot be used: one line on standard error and exit code 2."""

    exit_code = 2

    def show(self, file: object = None) -> None:
        click.echo(self.message, err=True)


# What editors put before a text to say how it is written.
UTF_8: Final = b"\xef\xbb\xbf"
UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")


def read_text(path: Path) -> str:
    """Raises Unusable."""
    try:
        written = path.read_bytes()
        if written.startswith(UTF_16):
            raise Unusable(f"{path}: is UTF-16: it has to be saved as UTF-8")
        return written.removeprefix(UTF_8).decode("utf-8")
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Unusable(f"{path}: is not UTF-8: byte {error.start} is {error.object[error.start]:#04x}") from error


def read_config(path: Path | None) -> Config:
    """The `Config` in a file, or the defaults where none is given. Raises Unusable."""
    if path is None:
        return parse_config("")
    try:
        return infrastructure(read_text(path))
    except ConfigError as error:
        raise Unusable(f"{path}: {error}") from error


ORGANISATION = frozenset({"organisation", *ENTRIES})
INFRASTRUCTURE = frozenset(SECTIONS)


def infrastructure(source: str) -> Config:
    """Raises ConfigError."""
    refuse_sections(source, ORGANISATION, "the organisation, the file that `cordboard import` reads")
    return parse_config(source)


def refuse_sections(source: str, foreign: frozenset[str], owner: str) -> None:
    """Two files with sections of their own are easily taken for each other. Raises ConfigError."""
    for name in parse_toml(source):
        if name in foreign:
            raise ConfigError(f"[{name}] belongs to {owner}")


def first_error(group: BaseExceptionGroup[BaseException]) -> str:
    """What it says, in one line."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
