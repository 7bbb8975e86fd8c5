"""What all tests share: the long ones are asked for, the real peers are there or said to be missing, and counted.

A test that drives a real program says `@pytest.mark.peer("sipp")`. Where the program is missing the test is skipped
with a reason that is printed; where CI=true it fails, for there a missing peer is a hole in the tests. Tests marked
`long` run with `--long` only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import structlog
from attrs import frozen
from hypothesis import HealthCheck, settings

from tests.room import room

# The same examples in every run, however slow the machine is.
settings.register_profile("cordboard", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("cordboard")


@pytest.fixture
def unlogged() -> Iterator[None]:
    """What actors log is not what is looked at."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    yield
    structlog.configure(**before)


@frozen
class Peer:
    """A program that tests drive: its names on the path, and how to ask its version."""

    commands: tuple[str, ...]
    version: tuple[str, ...]

    def path(self) -> str | None:
        return next((path for name in self.commands if (path := shutil.which(name))), None)

    def asked_version(self) -> str:
        """The first line that it says of its version; some say it with a failing exit code."""
        path = self.path()
        if path is None:
            return "missing"
        try:
            asked = subprocess.run([path, *self.version], capture_output=True, text=True, timeout=30, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"cannot say its version: {error}"
        lines = (line.strip() for line in (asked.stdout + asked.stderr).splitlines())
        return next((line for line in lines if any(sign.isdigit() for sign in line)), "unknown version")


PEERS = {
    "sipp": Peer(("sipp",), ("-v",)),
    "baresip": Peer(("baresip",), ("-h",)),
    "kamailio": Peer(("kamailio",), ("-v",)),
    "chromium": Peer(("chromium", "chromium-browser", "google-chrome"), ("--version",)),
    "firefox": Peer(("firefox", "firefox-esr"), ("--version",)),
    "pulseaudio": Peer(("pulseaudio",), ("--version",)),
    "espeak-ng": Peer(("espeak-ng",), ("--version",)),
    "sox": Peer(("sox",), ("--version",)),
    "asterisk": Peer(("asterisk",), ("-V",)),
    "freeswitch": Peer(("freeswitch",), ("-version",)),
}
# Processes of others in real time, on a machine that others use too: what fails is tried again, without the tests of
# other workers beside it (room.py), and said to have been. Everything else has to pass at once.
RERUNS = 3
# What all tries of one have together, in seconds, with what they wait for the others; where the test does not say.
ALL_TRIES = 300
# What a test that may be tried again stays in.
STAY = pytest.StashKey[ExitStack]()
# What takes longest begins first, so that nobody does the last long file while others have nothing to do. First what
# waits for minutes or works for the better part of one. Then files that drive real programs, which wait more than they
# work; those with a browser in them work the most, and stand apart from each other. What is not here is short.
FIRST = (
    "bench/test_soak.py",
    "actors/test_walk.py",
    "interop/test_coming_back.py",
    "interop/test_drills.py",
    "interop/test_next_host.py",
    "interop/test_nat.py",
    "interop/test_waiting.py",
    "interop/test_call.py",
    "interop/test_numbers.py",
    "interop/test_srtp.py",
    "interop/test_baresip.py",
    "interop/test_who_hears_whom.py",
    "interop/test_rating.py",
    "interop/test_survey.py",
    "interop/test_music.py",
    "interop/test_processes.py",
    "interop/test_firefox.py",
    "interop/test_voicemail.py",
    "interop/test_kamailio.py",
    "interop/test_dialling.py",
    "interop/test_journal.py",
    "interop/test_paper.py",
    "interop/test_digits.py",
    "interop/test_ringing.py",
    "interop/test_transports.py",
    "interop/test_races.py",
)
# The property of a test whose value is printed when all are through, and that which names a peer it has driven. They
# come with its report, from whichever process ran it.
PRINTED = "printed"
DROVE = "drove"
# So much is said of why a test was tried again, in characters.
WHY = 240
IN_CI = os.environ.get("CI", "").lower() == "true"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the tests that take minutes too")
    parser.addoption("--walk", metavar="LINE", help="take that random walk again (tests/actors/test_walk.py)")


def pytest_configure(config: pytest.Config) -> None:
    gone = [file for file in FIRST if not (Path(__file__).parent / file).is_file()]
    if gone:
        raise pytest.UsageError(f"tests/conftest.py begins with what is not there: {', '.join(gone)}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if "interop" in item.path.parts or peers_of(item):
            item.add_marker(pytest.mark.flaky(reruns=RERUNS))
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(ALL_TRIES))
    rank = {file: at for at, file in enumerate(FIRST)}
    items.sort(key=lambda item: rank.get(f"{item.path.parent.name}/{item.path.name}", len(FIRST)))
    if config.getoption("--long"):
        return
    long = [item for item in items if item.get_closest_marker("long")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]


def peers_of(item: pytest.Item) -> list[str]:
    return [name for mark in item.iter_markers("peer") for name in mark.args]


# Outside of the timeout: nobody's time is what it waits at the door.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item):  # type: ignore[no-untyped-def] # a pluggy wrapper yields
    with ExitStack() as item.stash[STAY]:
        if item.get_closest_marker("flaky"):
            item.stash[STAY].enter_context(room().shared())
        return (yield)


# First, so that a test is not skipped for its own reason where CI demands that it run.
@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if getattr(item, "execution_count", 1) > 1:
        item.stash[STAY].enter_context(room().alone())
    for name in peers_of(item):
        if name not in PEERS:
            pytest.fail(f"{name} is no peer that tests/conftest.py knows", pytrace=False)
        if PEERS[name].path() is None:
            reason = f"{name} is not installed: see make tools"
            if IN_CI:
                pytest.fail(reason, pytrace=False)
            pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item):  # type: ignore[no-untyped-def] # a pluggy wrapper yields
    item.user_properties += [(DROVE, name) for name in peers_of(item)]
    return (yield)


def why_again(report: pytest.TestReport) -> str:
    """What failed first: whoever leaves while that is told may fail in turn, and the last to fail says the least."""
    chain = getattr(report.longrepr, "chain", None)
    crash = chain[0][1] if chain else getattr(report.longrepr, "reprcrash", None)
    lines = crash.message.splitlines() if crash is not None else report.longreprtext.splitlines()[-1:]
    return lines[0]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    used: dict[str, set[str]] = {}
    for report in [*terminalreporter.stats.get("passed", []), *terminalreporter.stats.get("failed", [])]:
        for name, value in report.user_properties:
            if name == PRINTED:
                terminalreporter.section(report.nodeid)
                terminalreporter.write_line(value)
            elif name == DROVE:
                used.setdefault(value, set()).add(report.nodeid)
    again = terminalreporter.stats.get("rerun", [])
    skipped = terminalreporter.stats.get("skipped", [])
    missing = {report.longrepr[2] for report in skipped if isinstance(report.longrepr, tuple)}
    if not used and not missing and not again:
        return
    terminalreporter.section("real peers")
    for name, tests in sorted(used.items()):
        terminalreporter.write_line(f"{name}: {PEERS[name].asked_version()}: {len(tests)} tests")
    for report in again:
        terminalreporter.write_line(f"tried again: {report.nodeid}: {why_again(report)[:WHY]}")
    for reason in sorted(missing):
        terminalreporter.write_line(reason)
