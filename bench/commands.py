"""`cordboard bench NAME`: every measurement by its name."""

from __future__ import annotations

import click

from .acd import command as acd
from .density import command as density
from .latency import command as latency
from .memory import command as memory
from .peer import command as peer
from .quality import command as quality
from .setup import command as setup
from .soak import command as soak


@click.group()
def bench() -> None:
    """Measure the switch on this machine; results are kept in bench/results."""


bench.add_command(acd)
bench.add_command(density)
bench.add_command(latency)
bench.add_command(memory)
bench.add_command(peer)
bench.add_command(quality)
bench.add_command(setup)
bench.add_command(soak)
