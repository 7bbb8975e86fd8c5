"""No text, whoever it is of, becomes a header field of its own; what Python takes for blanks is no grammar."""

from __future__ import annotations

import ast
import re
from contextlib import suppress
from pathlib import Path
from typing import Final

import cordboard.sip
import pytest
from cordboard.sip import sdp
from cordboard.sip.dialog import build_request
from cordboard.sip.events import IncomingCall, Output, Transmit
from cordboard.sip.message import LocalSipError, RemoteSipError, Request, Uri, parse, quote, serialise
from hypothesis import example, given, settings
from hypothesis import strategies as st

from . import net as n

# Line ends as somebody, somewhere, understands them.
BREAKS: Final = ("\r\n", "\r", "\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\r\n ", "\n\r\n")
TEXTS: Final = st.tuples(st.text(max_size=5), st.sampled_from(BREAKS), st.text(max_size=5)).map("X".join)
_CLASS: Final = re.compile(r"\\[dwsDWS]")


def lines(data: bytes) -> list[str]:
    """The names of the lines of a head, as the most careless reader tells lines apart."""
    head = data.partition(b"\r\n\r\n")[0].decode("utf-8", "surrogateescape")
    return [line.partition(":")[0] for line in head.splitlines()[1:]]


def assert_clean(outputs: list[Output]) -> None:
    for each in outputs:
        if isinstance(each, Transmit):
            assert "X" not in "".join(lines(each.data)), each.data
            assert parse(each.data)


@settings(max_examples=40)
@given(TEXTS)
@example("a\r\nX-Evil: 1")
@example('"\r\nX-Evil: 1')
def test_no_command_writes_a_line_break(text: str) -> None:
    usual = {
        "caller": "1001",
        "name": "Lin",
        "asserted": "1001",
        "route": "<sip:proxy;lr>",
        "user": "us",
        "Call-ID": "1",
    }
    for place in usual:
        said = usual | {place: text}
        dialled, asked = n.endpoint(n.A), n.endpoint(n.A)
        who = said["caller"], n.OFFER_A, 0.0, said["name"]
        asserted, routes = said["asserted"], (said["route"],)
        with suppress(LocalSipError):
            assert_clean(dialled.dial("c", "sip:600@h", n.B, *who, trunk="carrier", asserted=asserted, routes=routes))
        user, call_id = said["user"], said["Call-ID"]
        with suppress(LocalSipError):
            assert_clean(
                asked.ask("r", "carrier", "REGISTER", "sip:h", n.B, 0.0, user=user, expires=60, call_id=call_id)
            )
    for uri in ("sip:{}@h", "sip:6@{}", "sip:6@h;{}", "sip:6@h?{}", "tel:{}", "sip:6:{}@h", "{}"):
        with suppress(LocalSipError):
            assert_clean(n.endpoint(n.A).dial("c", uri.format(text), n.B, "1001", n.OFFER_A, 0.0))
        with suppress(LocalSipError):
            assert_clean(n.endpoint(n.A).ask("r", "carrier", "OPTIONS", uri.format(text), n.B, 0.0))
    for refused in (True, False):
        net, a, b = n.pair()
        n.dial(net, a, b)
        net.run(0.1)
        call = b.last_call()
        try:
            command = b.endpoint.reject(call, 486, 0.2, reason=text) if refused else b.endpoint.hang_up(call, 0.2, text)
        except LocalSipError:
            continue
        assert_clean(command)


@given(TEXTS)
def test_what_is_written_has_the_lines_that_were_meant(text: str) -> None:
    """The one door to the wire, whatever comes to it."""
    for start, rows in ((text, [("To", "a")]), ("S", [(text, "a")]), ("S", [("To", text)])):
        try:
            data = serialise(f"S {start}", rows, b"")
        except LocalSipError:
            assert "\r" in text or "\n" in text
            continue
        assert data.count(b"\r\n") == data.count(b"\r") == data.count(b"\n") == 4
    try:
        body = bytes(sdp.offer(text, 4000, session_id=1))
    except LocalSipError:
        return
    assert body.count(b"\n") == body.count(b"\r\n") == body.count(b"\r")


def test_what_is_echoed_has_no_line_break() -> None:
    """A caller's words in every header field that an answer repeats."""
    request = build_request(
        "INVITE", "sip:600@192.0.2.1", branch="b", local=n.B, from_=f'{quote("a")} <sip:x@h>;tag=1', to="<sip:6@h>",
        call_id="c", cseq=1,
    )  # fmt: skip
    for name in ("Via", "From", "To", "Call-ID", "CSeq"):
        for evil in BREAKS:
            rows = tuple((key, f"{value}{evil}X-Evil: 1" if key == name else value) for key, value in request.rows)
            data = b"".join(f"{key}: {value}\r\n".encode() for key, value in rows)
            outputs = n.endpoint(n.A).receive(b"INVITE sip:6@h SIP/2.0\r\n" + data + b"\r\n", n.B, 0.0)
            for each in outputs:
                assert not isinstance(each, IncomingCall) or "\n" not in (each.caller or "") + each.caller_name
                if isinstance(each, Transmit):
                    assert b"\nX-Evil" not in each.data
                    assert b"\rX-Evil" not in each.data


@pytest.mark.parametrize("evil", ["\r", "\n", "\r ", "\n\t"])
def test_a_start_line_is_one_line(evil: str) -> None:
    rows = b"Via: SIP/2.0/UDP h\r\nFrom: <sip:a@h>\r\nTo: <sip:b@h>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n"
    data = b"INVITE sip:a%sb@h SIP/2.0\r\n" + rows + b"\r\n"
    assert isinstance(parse(data % b""), Request)
    with pytest.raises(RemoteSipError):
        parse(data % evil.encode())
    with pytest.raises(RemoteSipError):
        Uri.parse(f"sip:a{evil}b@h")


def test_nothing_in_sip_reads_the_wire_as_python_would() -> None:
    """`strip`, `split` and their like without arguments take \\x1c, \\x85 and U+2028 for blanks, `isdigit` \u0663 for a
    digit, and so does \\s or \\d of an expression without ASCII."""
    bare = {"strip", "lstrip", "rstrip", "split", "rsplit"}
    never = {"splitlines", "isdigit", "isdecimal", "isnumeric", "isspace", "isalnum", "isalpha", "isidentifier"}
    found = []
    for path in sorted(Path(cordboard.sip.__path__[0]).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            name = node.func.attr
            if name in never or (name in bare and not node.args):
                found.append(f"{path.name}:{node.lineno} {name}")
            if name == "compile" and "ASCII" not in ast.unparse(node):
                pattern = ast.unparse(node.args[0])
                found += [f"{path.name}:{node.lineno} {pattern}"] if _CLASS.search(pattern) else []
    assert found == []
