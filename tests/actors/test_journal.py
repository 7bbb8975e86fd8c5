"""What actors do is written down and can be done again, and nothing private is in it."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result
from cordboard.actors import page
from cordboard.actors.commands import replay
from cordboard.actors.journal import JOURNAL

from .house import PAGE_OFFER
from .test_world import HOTLINE, organisation, settle
from .world import World, play


def replayed(where: Path, *options: str) -> Result:
    return CliRunner().invoke(replay, [str(where), *options])


async def a_day(world: World) -> None:
    """Calls that are answered, missed, refused and moved, and pages that come and go."""
    lin, wei = await world.sign_in("1001"), await world.sign_in("1002", sound=False)
    caller = world.dial(HOTLINE)
    await lin.hears(page.CallOffered)
    await lin.ask(page.Answer())
    await settle(world, 3)
    await lin.ask(page.Mute())
    caller.hang_up()
    await lin.hears(page.CallEnded)
    await lin.ask(page.StartAnswering())
    world.dial("01055501000", caller=None)
    await wei.hears(page.CallOffered)
    lin.close()
    await settle(world, 31)
    refused = world.dial("13900000000", caller="alice.wang")
    await refused.over.wait()
    world.dial("600", caller="+8613812345678")
    await settle(world, 50)


def test_a_day_can_be_replayed(tmp_path: Path) -> None:
    play(a_day, organisation(), data=tmp_path)
    result = replayed(tmp_path)
    assert result.output.endswith("all effects equal\n"), result.output
    assert result.exit_code == 0
    (file,) = (tmp_path / JOURNAL).iterdir()
    octets = file.read_bytes()
    for private in ("13912345678", "Wang", "13900000000", "alice.wang", "13812345678", "p" * 24, "198.51.100.1"):
        assert private.encode() not in octets, private
    assert HOTLINE.encode() in octets  # a number of our own
    assert PAGE_OFFER.split("a=fingerprint:sha-256 ")[1][:30].encode() not in octets
