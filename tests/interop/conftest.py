"""The switch, robots and callers of these tests. A switch serves one module; a test leaves nobody signed in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from .caller import Caller
from .machine import own_address
from .product import Product, infrastructure
from .robot import Robot
from .sound import Pcm
from .stage import Stage, stage


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Product]:
    """A running switch; a module may parametrise it with keywords of `infrastructure`."""
    wanted = getattr(request, "param", {})
    made = Product(tmp_path_factory.mktemp("switch"), infrastructure(**wanted)).start()
    yield made
    made.stop()
    assert made.complaints == []
    assert made.process is not None
    assert made.process.returncode == 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def stack(product: Product, request: pytest.FixtureRequest) -> Iterator[ExitStack]:
    """Everybody a test brings leaves at its end, and then the switch is at rest."""
    with ExitStack() as made:
        yield made
    product.at_rest(legs=None if "browser" in request.fixturenames else 0)


@pytest.fixture
def robot(product: Product, stack: ExitStack) -> Callable[..., Robot]:
    """`robot("1001")`: logged in, not signed in."""

    def make(agent: str, **options: object) -> Robot:
        return stack.enter_context(Robot(product, agent, **options))  # type: ignore[arg-type]

    return make


@pytest.fixture
def caller(product: Product, stack: ExitStack) -> Callable[..., Caller]:
    """`caller("5001", sound)`: has dialled."""

    def make(dialled: str, sound: Pcm | None = None, **options: object) -> Caller:
        return stack.enter_context(Caller(product.sip_port, dialled, sound, **options)).dial()  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="module")
def on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A centre at work, with an ear at everybody (stage.py)."""
    if own_address() == "127.0.0.1":
        pytest.skip("this machine has no address but loopback")
    with stage(tmp_path_factory.mktemp("stage")) as made:
        yield made
