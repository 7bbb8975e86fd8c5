"""What carriers and PBXs do, by sipp: a scenario for each behaviour, in both directions, and each of them against a
build in which that behaviour is broken, which must fail."""

from __future__ import annotations

import shutil

import pytest
import trio

from .calling import CALLING
from .dialling import DIALLING
from .entering import ENTERING
from .losing import LOSING
from .naming import NAMING
from .referring import REFERRING
from .refreshing import REFRESHING
from .showing import SHOWING
from .sipp import Scenario, kinds, play
from .streaming import STREAMING

pytestmark = [
    pytest.mark.peer("sipp"),
    pytest.mark.skipif(shutil.which("sipp") is None, reason="sipp is not installed"),
]

SCENARIOS = [*CALLING, *DIALLING, *NAMING, *REFRESHING, *LOSING, *STREAMING, *REFERRING, *ENTERING, *SHOWING]


# What is put in the place of something does not fit there: it would fail whatever the scenario is about.
UNFIT = (TypeError, AttributeError, NameError)


async def _all(scenarios: list[Scenario], results: dict[str, str]) -> None:
    """Eight at a time: each waits more than it works."""
    limit = trio.CapacityLimiter(8)

    async def one(scenario: Scenario) -> None:
        async with limit:
            app, code, said = await play(scenario)
        try:
            assert code == 0, said
            assert kinds(app) == scenario.told
            scenario.check(app)
        except AssertionError as error:
            results[scenario.name] = str(error)

    async with trio.open_nursery() as nursery:
        for scenario in scenarios:
            nursery.start_soon(one, scenario)


def test_every_behaviour_by_sipp() -> None:
    results: dict[str, str] = {}
    trio.run(_all, SCENARIOS, results)
    assert not results, "\n".join(f"{name}: {said}" for name, said in results.items())


@pytest.mark.long
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_sipp_sees_what_is_broken(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        app, code, _ = trio.run(play, scenario, monkeypatch)
    except trio.TooSlowError:
        return
    except BaseExceptionGroup as error:
        if error.subgroup(UNFIT) is None:
            return
        raise
    try:
        scenario.check(app)
    except (AssertionError, ValueError, IndexError):
        return
    assert (code, kinds(app)) != (0, scenario.told)


def test_scenarios_have_names_of_their_own() -> None:
    names = [scenario.name for scenario in SCENARIOS]
    assert len(set(names)) == len(names) >= 100
