"""Async tests run on Trio, those that ask for a `clock` on a virtual one; a data directory with a certificate in it."""

from __future__ import annotations

import inspect
import shutil
from pathlib import Path

import pytest
import trio
import trio.testing

from .support import trusted


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    clock = arguments.get("clock")

    async def run() -> None:
        await pyfuncitem.obj(**arguments)

    trio.run(run, clock=clock if isinstance(clock, trio.abc.Clock) else None)
    return True


@pytest.fixture
def clock() -> trio.testing.MockClock:
    return trio.testing.MockClock()


@pytest.fixture(scope="session")
def _certified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("certified")
    trusted(directory)
    return directory


@pytest.fixture
def data_dir(tmp_path: Path, _certified: Path) -> Path:
    """A fresh data directory that has a certificate."""
    shutil.copytree(_certified / "tls", tmp_path / "tls")
    return tmp_path
