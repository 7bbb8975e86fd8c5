"""What identifies a person does not get into the log."""

from __future__ import annotations

import ast
import inspect
import io
import re
from pathlib import Path

import pytest
import structlog
import trio
import trio.testing
from cordboard.actors import agent, page
from cordboard.actors.controlplane import LOG_PROCESSORS
from cordboard.actors.effects import Effect
from cordboard.actors.redact import NAMES, NUMBERS, TEXTS, redact_number, redacted
from cordboard.actors.runtime import Hands, System
from structlog.testing import capture_logs

from .playing import play
from .test_runtime import Actor, Crash
from .test_world import HOTLINE, organisation
from .world import World

# What a Log may say of anything without being redacted: ids and words of our own.
OURS = {"call", "agent", "leg", "trunk", "state", "status", "waiting", "how", "by", "fact", "input", "why", "comes"}
OURS |= {"goes", "failures", "line", "owner", "contacts"}


def test_keys_that_were_pressed_leave_nothing() -> None:
    assert redacted({"digit": "7", "digits": "4111"}) == {"digit": "<keys>", "digits": "<keys>"}


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("+8613912345678", "***78"),
        ("13912345678", "***78"),
        ("sip:+8613912345678@198.51.100.1", "sip:***78@198.51.100.1"),
        ("no route to 8613912345678, twice 8613912345678", "no route to ***78, twice ***78"),
        ("701", "701"),
        ("12345", "***45"),
        ("", ""),
        ("١٢٣٤٥٦", "١٢٣٤٥٦"),  # not a number that can be dialled here
    ],
)
def test_a_number_keeps_its_last_two_digits(value: str, kept: str) -> None:
    assert redact_number(value) == kept


def test_fields_are_redacted_by_their_names() -> None:
    assert redacted(
        {
            "number": "+8613912345678",
            "dialled": "600",
            "caller": "alice.wang",
            "name": "王小明",
            "address": "198.51.100.1",
            "email": "",
            "reason": "busy: 13912345678",
            "call": "a1b2c3d4e5f60718",
            "status": 404,
        }
    ) == {
        "number": "***78",
        "dialled": "600",
        "caller": "<10 characters>",
        "name": "<3 characters>",
        "address": "<12 characters>",
        "email": "",
        "reason": "busy: ***78",
        "call": "a1b2c3d4e5f60718",
        "status": 404,
    }


def test_every_field_of_every_log_line_is_known() -> None:
    """A new field is either one of the redacted or put among ours here, on purpose."""
    found: set[str] = set()
    for path in sorted(Path(inspect.getfile(agent)).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            is_log = isinstance(node, ast.Call) and ast.unparse(node.func) == "Log"
            if is_log or (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "fields"):
                for pair in ast.walk(node):
                    if isinstance(pair, ast.Tuple) and isinstance(pair.elts[0], ast.Constant):
                        found.add(str(pair.elts[0].value))
    assert {"call", "reason", "state", "by"} <= found
    assert found <= NAMES | NUMBERS | TEXTS | OURS


def test_a_whole_call_leaves_no_number_and_no_name_in_the_log() -> None:
    async def run(world: World) -> None:
        lin = await world.sign_in("1001")
        caller = world.dial(HOTLINE)
        await lin.hears(page.CallOffered)
        await lin.ask(page.Answer())
        await lin.hears(page.CallConnected)
        caller.hang_up()
        await lin.hears(page.CallEnded)
        refused = world.dial("13900000000")
        await refused.over.wait()

    with capture_logs() as lines:
        play(run, organisation())
    assert len(lines) > 8
    for secret in ("13912345678", "Wang", HOTLINE.removeprefix("+86"), "13900000000", "p" * 24):
        assert secret not in str(lines)


def test_what_an_exception_says_is_redacted_too() -> None:
    class Careless(Actor):
        def receive(self, message: object, now: float) -> list[Effect]:
            if isinstance(message, Crash):
                raise KeyError("+8613912345678")
            return []

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            system = System(trio.current_time, nursery)

            def nobody(*effect: object) -> None:
                raise AssertionError(effect)

            system.connect(Hands(nobody, nobody, nobody, nobody, nobody, nobody))
            system.spawn("a", Careless())
            system.tell("a", Crash())
            await trio.testing.wait_all_tasks_blocked()
            system.stop()

    with capture_logs() as lines:
        trio.run(main)
    assert [line["event"] for line in lines] == ["actor crashed"]
    assert "KeyError: '***78'" in lines[0]["trace"]
    assert "13912345678" not in str(lines)


def test_what_an_exception_says_is_redacted_whoever_logs_it() -> None:
    written = io.StringIO()
    log = structlog.wrap_logger(structlog.PrintLogger(written), processors=LOG_PROCESSORS)
    try:
        raise KeyError("+8613912345678")
    except KeyError as error:
        log.error("connection_failed", exc_info=True)
        log.error("sip crashed", exc_info=error)
    log.exception("none")  # nothing was raised, and yet it is a line
    *_, last = written.getvalue().splitlines()
    assert written.getvalue().count("exception='Traceback") == 2
    assert re.fullmatch(r"timestamp='[0-9-]{10}T[0-9:.]{15}Z' level='error' event='none'.*", last)
    assert "13912345678" not in written.getvalue()
