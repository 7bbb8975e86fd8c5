"""Commands that read files: `cordboard import`, `check` and `replay`. The group that has them is in `main.py`.

Unusable input ends with exit code 2 and one line, `FILE: what is wrong`; of several certificates, with a line for each.
What is our own failure ends with 1.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click
import trio
from attrs import AttrsInstance

from ..switch.musicfile import Piece
from . import consistency, gate, lookup, music, preflight, values
from .config import Config, parse_config
from .directories import music_directory
from .entries import ENTRIES, About
from .frames import DamagedError, Frames
from .journal import FORMAT, JOURNAL, RECORDS, SUFFIX, code_version
from .keys import ConfigError, parse_toml, table_keys, unused
from .options import (
    FILE,
    INFRASTRUCTURE,
    ORGANISATION,
    Unusable,
    config_option,
    data_option,
    infrastructure,
    read_config,
    read_text,
    refuse_sections,
)
from .organisation import Organisation, parse_organisation
from .oversights import warnings
from .packing import UnpackError
from .replay import Replay
from .steps import Begins
from .store import Store, StoreError
from .supervisor import running


def read_organisation(path: Path) -> Organisation:
    """The `Organisation` in a file. Raises Unusable."""
    try:
        return _organisation(read_text(path))
    except ConfigError as error:
        raise Unusable(f"{path}: {error}") from error


def _organisation(source: str) -> Organisation:
    refuse_sections(source, INFRASTRUCTURE, "the infrastructure, the file of `cordboard run --config`")
    return parse_organisation(source)


@click.command("import")
@click.argument("organisation", metavar="ORG.toml", type=FILE)
@config_option
@data_option
def import_(organisation: Path, config_file: Path | None, data: Path) -> None:
    """Make ORG.toml the organisation of a data directory.

    What the file does not have is removed, except that agents without a password in it keep theirs. A server that runs
    on the directory takes it up at once.
    """
    config = read_config(config_file)
    read, pieces = _with_music(read_organisation(organisation), organisation)
    try:
        trio.run(_import, read, pieces, data)
    except StoreError as error:
        raise Unusable(str(error)) from error
    except OSError as error:  # of the pieces' directory
        raise Unusable(f"{error.filename or music_directory(data)}: {error.strerror}") from error
    click.echo(f"imported {described(read)}")
    for line in (*notes(read), *([] if config_file is None else consistency.warnings(config, read))):
        click.echo(line)
    pid = running(data, "supervisor")
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            os.kill(pid, signal.SIGHUP)
        click.echo(f"told the running server (process {pid})")


async def _import(organisation: Organisation, pieces: Mapping[str, Piece], data: Path) -> None:
    async with await Store.open(data) as store:
        before = await store.load_organisation()
        music.keep(pieces, music_directory(data))
        await store.import_organisation(organisation)
        music.drop_others((organisation, before), music_directory(data))


def _with_music(organisation: Organisation, file: Path) -> tuple[Organisation, dict[str, Piece]]:
    """Raises Unusable for music that cannot be played."""
    try:
        return music.take_in(organisation, file.parent)
    except ConfigError as error:
        raise Unusable(f"{file}: {error}") from error


@click.command()
@click.argument("file", metavar="FILE", type=FILE)
@config_option
@click.option(
    "--dial", "numbers", metavar="NUMBER", multiple=True, help="Whether this may be dialled, and how it leaves."
)
@click.option("--offline", is_flag=True, help="Look up no names.")
def check(file: Path, config_file: Path | None, numbers: Sequence[str], *, offline: bool) -> None:
    """Say what is in an infrastructure or organisation file, or what is wrong with it.

    With --config beside an organisation file: also what the two want of each other. Names are looked up, for 5 s at
    most: one that is not found is no error, as it may be found elsewhere or later.
    """
    source = read_text(file)
    beside = None if config_file is None else read_config(config_file)
    try:
        sections = set(parse_toml(source))
        if len(sections & ORGANISATION) > len(sections & INFRASTRUCTURE):
            organisation, _ = _with_music(_organisation(source), file)
            lines = [f"{file}: {described(organisation)}", *notes(organisation)]
            lines += [] if beside is None else consistency.warnings(beside, organisation)
            lines += [] if offline else _unfound(lookup.names_of(organisation), beside or parse_config(""))
            lines += [f"{number}: {dialled(organisation, number)}" for number in numbers]
        elif numbers:
            raise ConfigError("has no dialling rules; give the organisation's file")
        elif beside is not None:
            raise ConfigError("is an infrastructure file itself; --config goes with the organisation's")
        else:
            config = infrastructure(source)
            if trouble := [f"{file}: {each}" for each in preflight.certificates(config)]:
                raise Unusable("\n".join(trouble))
            lines = [f"{file}: {described_config(config)}", *notes_of_config(config)]
            lines += [] if offline else _unfound(lookup.names_of_config(config), config)
    except ConfigError as error:
        raise Unusable(f"{file}: {error}") from error
    for line in lines:
        click.echo(line)


def _unfound(names: Sequence[lookup.Named], config: Config) -> list[str]:
    speaks = [way for way in ("udp", "tcp", "tls") if getattr(config.sip, way)]
    return trio.run(lookup.unfound, names, speaks) if names else []


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
            ("webhook", "webhooks", organisation.webhooks),
        )
        if entries
    ]
    return f'organisation "{organisation.name}": {", ".join(counts) or "empty"}'


def dialled(organisation: Organisation, number: str) -> str:
    """`+8613800138000 leaves by "carrier" as 013800138000`, or why it does not."""
    decided = gate.decide(organisation, number, "")
    if isinstance(decided, gate.Barred):
        return decided.words
    trunks = {trunk.id: trunk for trunk in organisation.trunks}
    ways = [
        f'"{name}" as {gate.written(decided.target, trunks[name], organisation.country)}' for name in decided.trunks
    ]
    kind = ", an emergency number," if decided.target.emergency else ""
    order = "; who is up comes first" if decided.target.emergency and len(ways) > 1 else ""
    return f"{decided.target.number}{kind} leaves by {', else by '.join(ways)}{order}"


def notes(organisation: Organisation) -> list[str]:
    """What is accepted and yet is not all that it may be taken for."""
    about = About(organisation.name, organisation.time_zone, organisation.country, organisation.language)
    return [
        *(
            f'warning: agent "{agent.id}": has no password here; without one of an earlier import it cannot log in'
            for agent in organisation.agents
            if agent.password is None
        ),
        *(f"warning: {each}" for each in warnings(organisation)),
        *_unused("[organisation]", [about]),
        *(line for name, (each, _) in ENTRIES.items() for line in _unused(f"[[{name}]]", getattr(organisation, each))),
    ]


def notes_of_config(config: Config) -> list[str]:
    unused_keys = [*_unused("[sip]", [config.sip]), *_unused("[recording]", [config.recording])]
    return [*_unreadable(config), *consistency.of_config(config), *unused_keys]


def _unreadable(config: Config) -> Iterator[str]:
    """... and yet not used, so that `cordboard run` begins without them: SIP by TLS is off."""
    for key in ("authorities", "certificate", "key"):
        file = getattr(config.sip, key)
        if file and not os.access(file, os.R_OK):
            yield f"warning: [sip] {key}: cannot be read here: {file}"


def _unused(section: str, entries: Sequence[AttrsInstance]) -> list[str]:
    names = unused(entries)
    if entries and not any(key.used for _, key in table_keys(type(entries[0])).values()):
        return [f"note: {section} is not used yet"] if names else []
    return [f"note: {section} {name} is not used yet" for name in names]


def described_config(config: Config) -> str:
    """Where everything listens."""
    ways = (("udp", config.sip.udp), ("tcp", config.sip.tcp), ("tls", config.sip.tls))
    sip = [f"{way} {address}" for way, addresses in ways for address in addresses]
    ports = config.media.rtp_ports
    rtp = f"{len(ports)} free ports" if 0 in ports else f"{len(ports)} ports, {ports[0]} to {ports[-1]}"
    points = [f"{point.id} {','.join(point.address)}:{point.port}" for point in config.access_points]
    return (
        f"infrastructure: SIP on {', '.join(sip) or 'nothing'}; RTP on {rtp}; "
        f"access points {', '.join(points)}; web on {', '.join(map(str, config.web.listen))}"
    )


# How often a long replay says how far it is, in records: every few seconds.
PROGRESS = 50_000


@click.command()
@click.argument("journal", metavar="FILE|DIR", type=click.Path(path_type=Path))
@click.option("--actor", metavar="NAME", help="This one alone, as agent:1001.")
def replay(journal: Path, actor: str | None) -> None:
    """Take every step in a journal again and compare every effect, byte for byte.

    DIR is the data directory, or its `journal` or `quarantine`. Exit code 1: a step came out otherwise; 2: a file is
    damaged, or of another version of the code.
    """
    replayed = Replay(values.packer(), actor)
    files = journal_files(journal)
    others = [path for path in files if not _replay(path, replayed)]
    if len(others) == len(files):
        raise Unusable(f"{others[-1]}: written by another version of the code")
    if actor is not None and not replayed.actors:
        raise Unusable(f"{journal}: there is no {actor} in it")
    if others:
        click.echo(f"left out {len(others)} of {len(files)} files, written by another version of the code")
    click.echo(f"{replayed.steps} steps of {len(replayed.actors)} actors: all effects equal")


def journal_files(where: Path) -> list[Path]:
    """The files of a journal, the oldest first. Raises Unusable."""
    if not where.is_dir():
        return [where]
    inside = where / JOURNAL if (where / JOURNAL).is_dir() else where
    files = sorted(inside.glob(f"*{SUFFIX}"))
    if not files:
        raise Unusable(f"{where}: there is no journal in it")
    return files


def _replay(path: Path, replayed: Replay) -> bool:
    """Replays one file; False: it is of another version. The first difference ends everything."""
    try:
        frames = Frames(path.read_bytes())
        for number, frame in enumerate(frames):
            entry = RECORDS.unpack(frame)
            if number == 0 and (not isinstance(entry, Begins) or entry.format != FORMAT):
                raise Unusable(f"{path}: is not a journal of this format")
            if isinstance(entry, Begins) and entry.code != code_version():
                return False
            difference = replayed.take(entry)
            if difference is not None:
                click.echo(f"{path}: a step came out otherwise\n{difference}")
                raise SystemExit(1)
            if number and number % PROGRESS == 0:
                click.echo(f"{path}: {number} records so far", err=True)
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror}") from error
    except (DamagedError, UnpackError) as error:
        raise Unusable(f"{path}: is damaged: {error}") from error
    if frames.torn:
        click.echo(f"{path}: the last record was not finished, {frames.torn} octets")
    return True


commands: list[click.Command] = [import_, check, replay]
