"""All bugs that are planted, by what they are about, and which tests have to catch them.

Those are the tests of the layer in which the bug is, first the ones that are about the same. Left out are those that
need processes of their own, or so much time that nobody would wait for them once for each bug: they are about stores
and files, networks and noise. So is the page of the machines, which only says that a table is another: whoever changes
one draws it anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from attrs import frozen

from .bug import ROOT, Bug
from .of_agents import AGENTS
from .of_calls import CALLS
from .of_media import MEDIA
from .of_queues import QUEUES
from .of_ways_out import WAYS_OUT

LEFT_OUT: Final = (
    "tests/actors/test_cli",
    "tests/actors/test_control.",
    "tests/actors/test_journal",
    "tests/actors/test_machines_page",
    "tests/actors/test_statefile",
    "tests/actors/test_store",
    "tests/actors/test_supervisor",
    "tests/actors/test_tables",
    "tests/actors/test_walk.",
    "tests/actors/test_world_restart",
    "tests/switch/test_attack",
    "tests/switch/test_dtls",
    "tests/switch/test_encoder",
    "tests/switch/test_jitter",
    "tests/switch/test_late",
    "tests/switch/test_playout",
    "tests/switch/test_process",
    "tests/switch/test_recording_process",
    "tests/switch/test_speech",
    "tests/switch/test_srtp",
    "tests/switch/test_udp",
)
WALKS: Final = "tests/planted/walks.py"


@frozen
class Subject:
    """`bugs` of one kind; the tests of `folder` whose names begin with a word of `about` come first, and then, where it
    is `walked`, some random walks last."""

    name: str
    bugs: tuple[Bug, ...]
    folder: str
    about: str
    walked: bool = True

    def stages(self) -> tuple[tuple[str, ...], ...]:
        """The files of tests that are run, one group after the other until something fails."""
        every = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "tests" / self.folder).glob("test_*.py"))]
        tests = [path for path in every if not path.startswith(LEFT_OUT)]
        words = tuple(f"test_{word}" for word in self.about.split())
        first = tuple(path for path in tests if Path(path).name.startswith(words))
        rest = tuple(path for path in tests if path not in first)
        return (first, rest, (WALKS,)) if self.walked else (first, rest)


SUBJECTS: Final = (
    Subject("Agents", AGENTS, "actors", "agent mobile dialling hold."),
    Subject(
        "Calls", CALLS, "actors", "call edges parties consult transfer hold. survey waiting overflow outside referred"
    ),
    Subject("Queues", QUEUES, "actors", "queue acd decisions last_agent overflow"),
    Subject("Ways out", WAYS_OUT, "actors", "gate switchboard line redirects dialling outside referred"),
    Subject("Media", MEDIA, "switch", "rooms engine conformance", walked=False),
)
BUGS: Final = tuple(bug for subject in SUBJECTS for bug in subject.bugs)
