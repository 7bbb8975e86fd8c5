"""Who may import whom, read from the source itself (ast).

Imports go one way: web -> actors -> switch -> codecs, and actors -> sip. Only the composition roots, which are the
command line and the control process, may import web and bench; bench may import everything. What is not a shell is
pure: it can wait for nothing, read no clock, open nothing and toss no coin of its own.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen

ROOT = Path(__file__).parents[1]

# Folder: the other folders that it may import.
LAYERS: dict[str, frozenset[str]] = {
    "codecs": frozenset(),
    "sip": frozenset(),
    "switch": frozenset({"codecs"}),
    "actors": frozenset({"switch", "sip"}),
    "web": frozenset({"actors"}),
    "bench": frozenset({"codecs", "sip", "switch", "actors", "web"}),
}
COMPOSITION_ROOTS = frozenset({"actors/main.py", "actors/controlplane.py"})

# The shells: they may import trio, open sockets and files, and read clocks. A folder is all its modules.
SHELLS: frozenset[str] = frozenset(
    {
        "codecs/libopus.py",
        "switch/timer.py",
        "switch/udp.py",
        "switch/priority.py",
        "switch/process.py",
        "switch/link.py",
        "switch/disksync.py",
        "switch/writer.py",
        "switch/encoder.py",
        "switch/coder.py",
        "switch/codingprocess.py",
        "switch/prompts.py",
        "switch/musicfile.py",
        "switch/voices",
        "sip/tcp.py",
        "sip/tls.py",
        "sip/transport.py",
        "sip/udp.py",
        "actors/runtime.py",
        "actors/journal.py",
        "actors/resting.py",
        "actors/lines.py",
        "actors/statefile.py",
        "actors/standings.py",
        "actors/past.py",
        "actors/mediaplane.py",
        "actors/memory.py",
        "actors/growing.py",
        "actors/largepages.py",
        "actors/store",
        "actors/main.py",
        "actors/preflight.py",
        "actors/controlplane.py",
        "actors/control.py",
        "actors/certificate.py",
        "actors/health.py",
        "actors/signalling.py",
        "actors/medialink.py",
        "actors/mediaconnection.py",
        "actors/music.py",
        "actors/reach.py",
        "actors/recordings.py",
        "actors/encoding.py",
        "actors/gazetteer.py",
        "actors/geography.py",
        "actors/resolver.py",
        "actors/lookup.py",
        "actors/child.py",
        "actors/collecting.py",
        "actors/supervisor.py",
        "actors/commands.py",
        "actors/tracing.py",
        "actors/explaining.py",
        "actors/guard.py",
        "actors/evidence.py",
        "actors/recollection.py",
        "actors/webhooks.py",
        "web/session.py",
        "web/api.py",
        "web/recordings.py",
        "web/server.py",
        "web/asgi.py",
        "web/certificate.py",
        "web/websocket.py",
        "web/pagesocket.py",
        "web/tunnel.py",
        "web/hub.py",
        "web/vendor.py",
        "bench",
    }
)

# Modules that wait, read clocks, reach outside or draw chance: no core imports them, nor what is inside them.
IMPURE: frozenset[str] = frozenset(
    {
        "asyncio", "concurrent", "ctypes", "fcntl", "multiprocessing", "os", "queue", "secrets", "select",
        "selectors", "shutil", "signal", "socket", "ssl", "subprocess", "tempfile", "threading", "time", "trio",
        "trio_websocket", "uuid",
    }
)  # fmt: skip
# Of these, a core may have only the named things: a generator that it is given.
ONLY: dict[str, frozenset[str]] = {"random": frozenset({"Random"})}
# Moments are values, and the methods that ask the clock for one are not.
CLOCKS: frozenset[str] = frozenset({"now", "utcnow", "today"})


@frozen
class Import:
    """One import: `module` absolute, with cordboard's own as `cordboard.folder.module`; `name` of it, if any."""

    file: str
    line: int
    module: str
    name: str | None

    def __str__(self) -> str:
        what = f"{self.module}.{self.name}" if self.name else self.module
        return f"{self.file}:{self.line} imports {what}"


def sources() -> list[Path]:
    return sorted(path for folder in LAYERS for path in (ROOT / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def is_shell(file: str) -> bool:
    return any(file == shell or file.startswith(f"{shell}/") for shell in SHELLS)


def imports(file: str, source: str) -> Iterator[Import]:
    """Every import of a source, wherever it stands, except those for types only."""
    package = ["cordboard", *file.split("/")[:-1]]
    tree = ast.parse(source)
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(file, node.lineno, alias.name, None)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield Import(file, node.lineno, module, alias.name)


def wrong_way(one: Import) -> bool:
    """Whether an import goes from a folder to one that it may not know."""
    parts = [*one.module.split("."), *([one.name] if one.name else [])]
    if parts[0] != "cordboard" or len(parts) < 2:
        return False
    here = one.file.split("/")[0]
    there = parts[1]
    allowed = {here, *LAYERS[here], *(LAYERS if one.file in COMPOSITION_ROOTS else ())}
    return there in LAYERS and there not in allowed


def impure(one: Import) -> bool:
    """Whether a core would get at the world by it."""
    top = one.module.split(".")[0]
    if top in ONLY:
        return one.name not in ONLY[top]
    return top in IMPURE


def clocks_read(source: str) -> list[str]:
    """Where a source asks `datetime` or `date` for the time."""
    calls = (node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return [
        ast.unparse(call)
        for call in calls
        if isinstance(call, ast.Attribute) and call.attr in CLOCKS and "date" in ast.unparse(call.value)
    ]


@pytest.mark.parametrize("path", sources(), ids=name_of)
def test_imports_go_one_way_and_cores_are_pure(path: Path) -> None:
    file = name_of(path)
    source = path.read_text(encoding="utf-8")
    found = list(imports(file, source))
    assert [str(one) for one in found if wrong_way(one)] == []
    if not is_shell(file):
        assert [str(one) for one in found if impure(one)] == []
        assert clocks_read(source) == []


# --- the rules themselves ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("codecs/g711.py", "from ..switch import rtp"),
        ("sip/message.py", "from .. import actors"),
        ("switch/rtp.py", "from ..sip.message import parse"),
        ("switch/rtp.py", "import cordboard.actors.call"),
        ("actors/call.py", "from ..web import protocol"),
        ("actors/call.py", "from ..bench.customer import run"),
        ("actors/call.py", "def late():\n    from ..codecs import g711"),
        ("actors/store/store.py", "from ...web import api"),
        ("web/api.py", "from ..switch import protocol"),
    ],
)
def test_an_import_the_wrong_way_is_seen(file: str, source: str) -> None:
    assert [wrong_way(one) for one in imports(file, source)] == [True]


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("switch/rtp.py", "from ..codecs import g711"),
        ("actors/call.py", "from . import queue"),
        ("actors/call.py", "from ..switch.protocol import Command"),
        ("actors/store/store.py", "from ..organisation import Organisation"),
        ("actors/controlplane.py", "from ..web import server"),
        ("bench/customer.py", "from ..sip.endpoint import Endpoint"),
    ],
)
def test_an_import_the_right_way_is_let_through(file: str, source: str) -> None:
    assert [wrong_way(one) for one in imports(file, source)] == [False]


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("import trio", True),
        ("import os.path", True),
        ("from time import monotonic", True),
        ("import random", True),
        ("from random import choice", True),
        ("from random import Random", False),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import trio", False),
        ("import math", False),
        ("from .transport import serve", False),
    ],
)
def test_what_a_core_may_not_have_is_seen(source: str, seen: bool) -> None:
    assert any(impure(one) for one in imports("sip/message.py", source)) == seen


def test_a_clock_that_is_read_is_seen() -> None:
    assert clocks_read("datetime.datetime.now(UTC)") == ["datetime.datetime.now"]
    assert clocks_read("date.today()") == ["date.today"]
    assert clocks_read("self.now() + timedelta(days=1)") == []


def test_the_table_of_shells_names_what_could_be_there() -> None:
    for shell in SHELLS:
        assert shell.split("/")[0] in LAYERS
