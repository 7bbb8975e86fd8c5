"""The command line, and with controlplane.py the composition root: these two know every part of the house.

`cordboard run` is a supervisor, which starts controlplane.py and mediaplane.py and must begin before they can: it loads
neither the web, nor the store, nor an engine. So each command is loaded as it is asked for.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click
import trio

from .config import Config
from .options import Unusable, config_option, data_option, first_error, read_config
from .preflight import trouble
from .supervisor import AlreadyRunningError, supervise

COMMANDS: Final = ("bench", "check", "demo", "import", "replay", "run", "trace", "why")


class Commands(click.Group):
    """Those of `COMMANDS`, each loaded when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        match cmd_name:
            case "run":
                return run
            case "demo":
                return demo
            case "bench":
                from ..bench.commands import bench

                return bench
            case "check" | "import" | "replay":
                from .commands import commands

                return next(each for each in commands if each.name == cmd_name)
            case "trace":
                from .tracing import trace

                return trace
            case "why":
                from .explaining import why

                return why
        return None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cordboard")
def cli() -> None:
    """Cordboard: a call centre in one process tree."""


@click.command()
@config_option
@data_option
def run(config_file: Path | None, data: Path) -> None:
    """Serve until SIGTERM; prints one line that begins with `ready` when calls can come."""
    config = read_config(config_file)
    sys.exit(trio.run(_supervise, config, config_file, data))


async def _supervise(
    config: Config, config_file: Path | None, data: Path, *more: str, on_ready: Callable[[], None] = lambda: None
) -> int:
    def plane(module: str, *more: str) -> list[str]:
        """The command line of a process."""
        file = ["--config", str(config_file)] if config_file is not None else []
        return [sys.executable, "-m", f"{__package__}.{module}", *file, "--data", str(data), *more]

    media = plane("mediaplane") if config.media.process == "separate" else None
    try:
        control = plane("controlplane", *more)
        return await supervise(config, data, control, media, on_ready=on_ready, preflight=lambda: trouble(config))
    except AlreadyRunningError as error:
        raise Unusable(str(error)) from error
    except OSError as error:  # of the data directory
        raise Unusable(f"{error.filename}: {error.strerror}") from error


@click.command()
@config_option
@data_option
def demo(config_file: Path | None, data: Path) -> None:
    """Serve a sample organisation, with a synthetic customer who calls every half minute."""
    from ..bench import demo as demonstration
    from .store.database import StoreError

    config = read_config(config_file)
    if not config.sip.udp:
        raise Unusable("[sip] udp: the demonstration's customer calls there; it must not be empty")

    async def switch(on_ready: Callable[[], None]) -> int:
        return await _supervise(config, config_file, data, "--demo", on_ready=on_ready)

    try:
        code = trio.run(demonstration.run, config, data, switch)
    except* (StoreError, AlreadyRunningError, Unusable, OSError) as group:
        raise Unusable(first_error(group)) from group
    sys.exit(code)


def main() -> None:
    """`cordboard`; an error nobody foresaw is our own failure."""
    os.umask(0o077)
    cli()


if __name__ == "__main__":
    main()
