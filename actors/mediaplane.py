"""The media process: the engine alone, and what it is told of the configuration.

A program of its own, which loads little, and ahead, as an understudy (child.py): when an engine dies, callers hear
nothing until the next one runs. Started by the supervisor; it ends on SIGTERM, and when its supervisor is gone, as soon
as the control process is gone too: that one lets its calls end first.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

import trio

from ..switch import process as media_process
from ..switch.link import unix_listener
from .child import await_cue, orphaned, say
from .config import Config, parse_config
from .directories import music_directory, recordings_directory
from .supervisor import UNUSABLE, run_directory, running

# How often an engine without a supervisor looks whether there is still a control process.
LOOK_SECONDS = 0.2


def media_config(config: Config, data: Path) -> media_process.MediaConfig:
    """What the media plane is told of the configuration; `data` is the data directory."""
    section = config.media
    return media_process.MediaConfig(
        addresses=section.address,
        public_address=section.public_address,
        local_networks=tuple(str(each) for each in section.local_networks),
        rtp_ports=f"{section.rtp_ports[0]}-{section.rtp_ports[-1]}" if section.rtp_ports[0] else "0",
        access_points=tuple(
            media_process.AccessPoint(
                each.id, each.name, each.address, each.port, each.public_address, each.public_port
            )
            for each in config.access_points
        ),
        recordings=str(recordings_directory(config, data)),
        music=str(music_directory(data)),
    )


async def serve_inline(config: Config, data: Path, link_path: str, task_status: trio.TaskStatus[None]) -> None:
    """The engine in the process that calls this, until it is cancelled."""
    listener = unix_listener(link_path)
    await media_process.serve(media_config(config, data), listener, task_status=task_status)


async def run(config: Config, data: Path) -> None:
    """The engine in a process of its own."""
    directory = run_directory(data)
    async with trio.open_nursery() as nursery:

        async def end_on_signal() -> None:
            with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as received:
                async for _ in received:
                    nursery.cancel_scope.cancel()

        async def end_when_orphaned() -> None:
            await orphaned()
            while running(data, "control") is not None:
                await trio.sleep(LOOK_SECONDS)
            nursery.cancel_scope.cancel()

        nursery.start_soon(end_on_signal)
        nursery.start_soon(end_when_orphaned)
        listener = unix_listener(str(directory / "media.sock"))
        await media_process.serve(media_config(config, data), listener, own_process=True)


def main() -> None:
    """`python -m cordboard.actors.mediaplane --data DIR [--config FILE]`: a file that the supervisor has read."""
    os.umask(0o077)
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    given = parser.parse_args()
    media_process.prepare()
    await_cue()
    text = given.config.read_text(encoding="utf-8") if given.config is not None else ""
    try:
        trio.run(run, parse_config(text), given.data)
    except* OSError as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        say(str(error))
        sys.exit(UNUSABLE)


if __name__ == "__main__":
    main()
