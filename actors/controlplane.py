"""The control process: what `cordboard run` starts beside the engine. A shell, and the composition root of its process.

The pages are given to the control process here, so that no actor imports the web. Calls wait for this process while it
begins, so it loads no more than it needs: neither what others of the commands need, nor an engine that runs elsewhere.
"""

from __future__ import annotations

import ctypes
import logging
import os
import resource
import socket
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
import structlog
import trio
from attrs import evolve
from prometheus_client import CollectorRegistry

from ..web import certificate, server
from ..web.certificate import UnusableCertificateError
from ..web.hub import Hub
from ..web.interfaces import WebSettings
from ..web.metrics import WebMetrics
from . import collecting
from .config import Config
from .control import Control
from .directories import recordings_directory
from .effects import Push, Reply
from .lines import Lines
from .options import Unusable, config_option, data_option, first_error, read_config
from .othersystems import OtherSystems
from .redact import redacted_trace
from .runtime import STOPPING
from .store.database import StoreError

# malloc.h of glibc, and its own first value of both, which setting it keeps.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
LARGE_BLOCK = 128 * 1024


class WebPages:
    """The web as the control process wants it: a hub for the actors' effects, and a server."""

    def __init__(self, config: Config, data: Path, registry: CollectorRegistry, *, demo: bool) -> None:
        self._hub = Hub(WebMetrics(registry))
        self._demo_socket = data / "run" / "customer.sock" if demo else None
        self._accept = config.calls.accept
        self._settings = WebSettings(
            listen=tuple(str(each) for each in config.web.listen),
            certificate=config.web.certificate,
            key=config.web.key,
            names=config.web.names,
            origins=config.web.origins,
            data_dir=data,
            recordings=recordings_directory(config, data),
        )

    def push(self, effect: Push) -> None:
        self._hub.push(effect)

    def reply(self, effect: Reply) -> None:
        self._hub.reply(effect)

    def on_end(self, actor: str, reason: str) -> None:
        kind, _, name = actor.partition(":")
        if kind == "agent" and reason != STOPPING:
            self._hub.end_agent(name)

    async def check_logins(self, control: Control) -> None:
        await self._hub.check_logins(control.store.accounts)

    def certificate(self) -> tuple[str, str]:
        return certificate.files(self._settings, datetime.now(UTC))

    async def serve(self, control: Control, *, task_status: trio.TaskStatus[tuple[tuple[str, int], ...]]) -> None:
        demo = self._demo_socket is not None
        await server.serve(
            self._settings,
            self._hub,
            control,
            control.store.accounts,
            control.health,
            control.store.history,
            control.store.papers,
            OtherSystems(control.store.outbox, control.webhooks),
            control.reach,
            self._call_customer if demo else None,
            site=lambda: {
                "demo": demo,
                "language": control.language,
                "time_zone": control.time_zone,
                "organisation": control.organisation_name,
                "accept": self._accept,
            },
            task_status=task_status,
        )

    def _call_customer(self) -> None:
        """Rings the synthetic customer's bell; one that is not there rings nobody."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as bell, suppress(OSError):
            bell.sendto(b"call", str(self._demo_socket))


# An exception may say what it was about, whoever logs it.
_EXCEPTION: Final = structlog.processors.ExceptionRenderer(lambda raised: redacted_trace(raised[1]))


def _line(logger: object, method: str, fields: structlog.typing.EventDict) -> str:
    """A line of the log: when, how grave and what, then the rest as it was given."""
    level, event = fields.pop("level"), fields.pop("event")
    now = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    rest = "".join([f" {name}={value!r}" for name, value in fields.items()])
    return f"timestamp='{now}Z' level={level!r} event={event!r}{rest}"


# Of each call there are a dozen lines: what makes one is no longer than it has to be.
LOG_PROCESSORS: Final = (structlog.processors.add_log_level, _EXCEPTION, _line)


def _log_to_stderr() -> Lines:
    lines = Lines(sys.stderr)
    structlog.configure(
        processors=LOG_PROCESSORS,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=True,
    )
    return lines


@click.command()
@config_option
@data_option
@click.option("--demo", is_flag=True, help="There is a synthetic customer to be rung.")
def control(config_file: Path | None, data: Path, *, demo: bool) -> None:
    """The control process; started by `run`."""
    lines = _log_to_stderr()
    try:
        _serve(config_file, data, lines, demo=demo)
    finally:
        lines.write()


def _serve(config_file: Path | None, data: Path, lines: Lines, *, demo: bool) -> None:
    _use_all_files()
    _give_memory_back()
    config = read_config(config_file)
    if demo:  # its customer would talk through any patience
        config = evolve(config, limits=evolve(config.limits, drain_seconds=0))
    registry = CollectorRegistry()
    pages = WebPages(config, data, registry, demo=demo)
    try:
        trio.run(Control(config, data, pages, registry).run, _ready, instruments=[lines])
    except* (StoreError, UnusableCertificateError, OSError) as group:
        raise Unusable(first_error(group)) from group


def _use_all_files() -> None:
    """Every page is an open file, and the usual limit of 1024 is there for programs that call select()."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _give_memory_back() -> None:
    """Keeps large blocks out of the heap, and the heap in one piece (mallopt(3)).

    A login hashes in 19 MB. When the first such block is freed, glibc raises both thresholds to its size: from then on
    each thread's arena keeps one for good, five of them after a storm of logins, and nothing is trimmed any more. A
    process with twelve agents took 240 MB so, and takes 140. The small blocks of a worker thread lie in its own arena,
    which returns nothing before its last block is free; with one interpreter's lock one arena serves them all.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # another C library than glibc does none of this
        return
    for parameter, value in ((M_MMAP_THRESHOLD, LARGE_BLOCK), (M_TRIM_THRESHOLD, LARGE_BLOCK), (M_ARENA_MAX, 1)):
        mallopt(parameter, value)


def _ready(line: str) -> None:
    collecting.settle()
    print(line, flush=True)


if __name__ == "__main__":
    os.umask(0o077)
    control()
