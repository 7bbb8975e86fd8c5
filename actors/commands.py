"""Commands that read files: `cordboard import` and `cordboard check`. The group that has them is in `main.py`.

Unusable input ends with exit code 2 and one line, `FILE: what is wrong`. What is our own failure ends with 1.
"""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import click
import trio

from .config import SECTIONS, Config, parse_config
from .keys import ConfigError, parse_toml
from .organisation import BUILT_STRATEGIES, ENTRIES, Organisation, parse_organisation
from .store import Store, StoreError
from .supervisor import running

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


def read_text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Unusable(f"{path}: is not UTF-8: byte {error.start} is {error.object[error.start]:#04x}") from error


def read_config(path: Path | None) -> Config:
    """The `Config` in a file, or the defaults where none is given. Raises Unusable."""
    if path is None:
        return parse_config("")
    try:
        return parse_config(read_text(path))
    except ConfigError as error:
        raise Unusable(f"{path}: {error}") from error


def read_organisation(path: Path) -> Organisation:
    """The `Organisation` in a file. Raises Unusable."""
    try:
        return parse_organisation(read_text(path))
    except ConfigError as error:
        raise Unusable(f"{path}: {error}") from error


@click.command("import")
@click.argument("organisation", metavar="ORG.toml", type=FILE)
@config_option
@data_option
def import_(organisation: Path, config_file: Path | None, data: Path) -> None:
    """Make ORG.toml the organisation of a data directory.

    What the file does not have is removed, except that agents without a password in it keep theirs. A server that runs
    on the directory takes it up at once.
    """
    read_config(config_file)
    read = read_organisation(organisation)
    try:
        trio.run(_import, read, data)
    except StoreError as error:
        raise Unusable(str(error)) from error
    click.echo(f"imported {described(read)}")
    for line in notes(read):
        click.echo(line)
    pid = running(data, "supervisor")
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            os.kill(pid, signal.SIGHUP)
        click.echo(f"told the running server (process {pid})")


async def _import(organisation: Organisation, data: Path) -> None:
    async with await Store.open(data) as store:
        await store.import_organisation(organisation)


@click.command()
@click.argument("file", metavar="FILE", type=FILE)
def check(file: Path) -> None:
    """Say what is in an infrastructure or organisation file, or what is wrong with it."""
    source = read_text(file)
    try:
        sections = set(parse_toml(source))
        if len(sections & {"organisation", *ENTRIES}) > len(sections & set(SECTIONS)):
            organisation = parse_organisation(source)
            click.echo(f"{file}: {described(organisation)}")
            for line in notes(organisation):
                click.echo(line)
        else:
            click.echo(f"{file}: {described_config(parse_config(source))}")
    except ConfigError as error:
        raise Unusable(f"{file}: {error}") from error


def described(organisation: Organisation) -> str:
    """`organisation "Harbour Travel": 1 trunk, 2 queues, ...`."""
    counts = [
        f"{len(entries)} {word if len(entries) == 1 else plural}"
        for word, plural, entries in (
            ("trunk", "trunks", organisation.trunks),
            ("queue", "queues", organisation.queues),
            ("agent", "agents", organisation.agents),
            ("number", "numbers", organisation.numbers),
            ("dialling rule", "dialling rules", organisation.dialling),
            ("text message template", "text message templates", organisation.sms_templates),
            ("window", "windows", organisation.windows),
        )
        if entries
    ]
    return f'organisation "{organisation.name}": {", ".join(counts) or "empty"}'


def notes(organisation: Organisation) -> list[str]:
    """What is accepted and yet does not do all that it says."""
    return [
        f'note: queue "{queue.id}": {queue.strategy} is not there yet, longest-idle is used'
        for queue in organisation.queues
        if queue.strategy not in BUILT_STRATEGIES
    ]


def described_config(config: Config) -> str:
    """Where everything listens."""
    sip = [
        f"{name} {address}"
        for name, addresses in (("udp", config.sip.udp), ("tcp", config.sip.tcp), ("tls", config.sip.tls))
        for address in addresses
    ]
    rtp = config.media.rtp_ports
    points = [f"{point.id} {point.address}:{point.port}" for point in config.access_points]
    return (
        f"infrastructure: SIP on {', '.join(sip) or 'nothing'}; RTP on {len(rtp)} ports, {rtp[0]} to {rtp[-1]}; "
        f"access points {', '.join(points)}; web on {', '.join(map(str, config.web.listen))}"
    )


commands: list[click.Command] = [import_, check]
