"""Kamailio in between: the switch registers with it, and calls go through it both ways. It stays in the way of each
dialog by Record-Route, and refuses what comes in one without its Route. The far side is sipp, which looks whether all
came through.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from attrs import frozen

from .product import Organisation, Product, free_port, until
from .robot import Robot
from .test_registration import stands

pytestmark = [
    pytest.mark.peer("kamailio"),
    pytest.mark.peer("sipp"),
    pytest.mark.skipif(shutil.which("kamailio") is None, reason="kamailio is not installed"),
    pytest.mark.skipif(shutil.which("sipp") is None, reason="sipp is not installed"),
]

CONFIG = Path(__file__).parent / "kamailio.cfg"
CUSTOMER = "+8613800138000"
LATER = 1.5  # seconds, in which the far side has held the call

SDP = """v=0
o=sipp 1 {version} IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio [media_port] RTP/AVP 8
a={direction}"""


@frozen
class Proxy:
    port: int
    far: int  # where sipp is


@contextmanager
def kamailio(folder: Path) -> Iterator[Proxy]:
    port, far = free_port(), free_port()
    config = folder / "kamailio.cfg"
    config.write_text(CONFIG.read_text().replace("PORT", str(port)).replace("FAR", str(far)))
    with (folder / "kamailio.txt").open("w") as output:
        process = subprocess.Popen(
            ["kamailio", "-DD", "-E", "-m", "16", "-M", "4", "-Y", str(folder), "-f", str(config)],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield Proxy(port, far)
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with kamailio(tmp_path_factory.mktemp("kamailio")) as made:
        yield made


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory, proxy: Proxy) -> Iterator[Product]:
    organisation = Organisation().trunk(
        "carrier",
        proxy=f"sip:127.0.0.1:{proxy.port}",
        username="harbour",
        password="open sesame",
        register=True,
    )
    organisation.may_dial("+86").queue("support").agent("1001", "Lin", support=1)
    organisation.number("5001", "queue:support").number("+861055501000", "queue:support", outbound=True)
    made = Product(tmp_path_factory.mktemp("through"), organisation=organisation.text).start()
    until(lambda: stands(made)["state"] == "up", 20, "the trunk")
    yield made
    made.stop()
    assert made.complaints == []


# --- what sipp says -----------------------------------------------------------------------------------------------


def message(*lines: str, body: str = "") -> str:
    typed = ("Content-Type: application/sdp",) if body else ()
    text = "\n".join((*lines, *typed, "Content-Length: [len]", "", body))
    return f"<![CDATA[\n\n{text}\n\n]]>"


def request(method: str, uri: str, cseq: int, *rows: str, body: str = "") -> str:
    again = "" if method == "ACK" else ' retrans="500"'
    lines = (
        f"{method} {uri} SIP/2.0",
        "Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]",
        "Call-ID: [call_id]",
        f"CSeq: {cseq} {method}",
        "Contact: <sip:sipp@[local_ip]:[local_port]>",
        "Max-Forwards: 70",
        *rows,
    )
    return f"<send{again}>{message(*lines, body=body)}</send>"


def response(status: str, *rows: str, body: str = "") -> str:
    copied = tuple(f"[last_{name}:]" for name in ("Via", "From", "Call-ID", "CSeq", "Record-Route"))
    lines = (f"SIP/2.0 {status}", *copied, "[last_To:]", "Contact: <sip:sipp@[local_ip]:[local_port]>", *rows)
    return f"<send>{message(*lines, body=body)}</send>"


def receive(what: str, *, through: int = 0, keeps: str = "", routes: bool = False) -> str:
    """`through`: the proxy's Via is on it, as on all that it has passed on. `routes`: it makes the dialog."""
    kind = f'response="{what}"' if what.isdigit() else f'request="{what}"'
    checks = f'<ereg regexp="127.0.0.1:{through};" search_in="hdr" header="Via:" check_it="true" assign_to="via"/>'
    action = f"<action>{checks if through else ''}{keeps}</action>" if through or keeps else ""
    optional = ' optional="true"' if what in ("100", "180") else ' timeout="15000"'
    taken = ' rrs="true"' if routes else ""
    return f"<recv {kind}{optional}{taken}>{action}</recv>"


def scenario(name: str, *steps: str) -> str:
    kept = sorted(set(re.findall(r'assign_to="(\w+)"', "".join(steps))))
    variables = f'<Reference variables="{",".join(kept)}"/>' if kept else ""
    return f'<?xml version="1.0"?>\n<scenario name="{name}">\n{"".join(steps)}{variables}\n</scenario>\n'


OURS = ('From: "Customer" <sip:+8613912345678@127.0.0.1>;tag=sipp[call_number]', "To: <sip:5001@127.0.0.1>")
WITHIN = (OURS[0], f"{OURS[1]}[peer_tag_param]", "[routes]")
# In the dialog of a call that came to sipp
TURNED = ("From: [$to]", "To: [$from]", "[routes]")
KEPT = "".join(
    f'<ereg regexp=".*" search_in="hdr" header="{header}:" assign_to="{name}"/>'
    for header, name in (("From", "from"), ("To", "to"))
)


def sdp(direction: str = "sendrecv", version: int = 1) -> str:
    return SDP.format(direction=direction, version=version)


def calls_in(proxy: Proxy, *, hangs_up: bool) -> str:
    """It calls, holds by a re-INVITE, and hangs up, or is hung up on."""
    began = (
        request("INVITE", "sip:5001@[remote_ip]:[remote_port]", 1, *OURS, body=sdp()),
        receive("100"),
        receive("180"),
        receive("200", routes=True),
        request("ACK", "[next_url]", 1, *WITHIN),
        '<pause milliseconds="300"/>',
        request("INVITE", "[next_url]", 2, *WITHIN, body=sdp("sendonly", 2)),
        receive("100"),
        receive("200"),
        request("ACK", "[next_url]", 2, *WITHIN),
    )
    ends = (
        (request("BYE", "[next_url]", 3, *WITHIN), receive("200"))
        if hangs_up
        else (receive("BYE", through=proxy.port), response("200 OK"))
    )
    return scenario("calls_in", *began, *ends)


def is_called(proxy: Proxy, *, hangs_up: bool) -> str:
    """It is called, answers, holds, and hangs up, or is hung up on."""
    began = (
        receive("INVITE", through=proxy.port, keeps=KEPT, routes=True),
        response("180 Ringing").replace("[last_To:]", "[last_To:];tag=sipp[call_number]"),
        response("200 OK", body=sdp()).replace("[last_To:]", "[last_To:];tag=sipp[call_number]"),
        receive("ACK", through=proxy.port),
        '<pause milliseconds="300"/>',
        request("INVITE", "[next_url]", 1, *_tagged(TURNED), body=sdp("sendonly", 2)),
        receive("100"),
        receive("200"),
        request("ACK", "[next_url]", 1, *_tagged(TURNED)),
    )
    ends = (
        (request("BYE", "[next_url]", 2, *_tagged(TURNED)), receive("200"))
        if hangs_up
        else (receive("BYE", through=proxy.port), response("200 OK"))
    )
    return scenario("is_called", *began, *ends)


def _tagged(rows: tuple[str, ...]) -> tuple[str, ...]:
    return (f"{rows[0]};tag=sipp[call_number]", *rows[1:])


@contextmanager
def sipp(folder: Path, proxy: Proxy, text: str, *, calls: bool) -> Iterator[subprocess.Popen[str]]:
    file = folder / "scenario.xml"
    file.write_text(text)
    command = ["sipp", *([f"127.0.0.1:{proxy.port}"] if calls else []), "-i", "127.0.0.1", "-p", str(proxy.far)]
    command += ["-sf", str(file), "-m", "1", "-nostdin", "-timeout", "30", "-timeout_error", "-mp", str(free_port())]
    command += ["-trace_err", "-error_file", str(folder / "errors.txt")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder)
    try:
        yield process
        said, _ = process.communicate(timeout=40)
        errors = folder / "errors.txt"
        assert process.returncode == 0, (errors.read_text() if errors.exists() else "") + said[-2000:]
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("far_hangs_up", [True, False])
def test_calls_come_through_the_proxy(centre: Product, proxy: Proxy, tmp_path: Path, far_hangs_up: bool) -> None:
    """To where the switch registered; what either side says in the call goes by the Route set."""
    with Robot(centre, "1001") as lin:
        lin.sign_in()
        with sipp(tmp_path, proxy, calls_in(proxy, hangs_up=far_hangs_up), calls=True):
            lin.event("call.offered", 15)
            lin.do("call.answer")
            lin.event("call.connected")
            if not far_hangs_up:
                lin.look(LATER)  # the hold
                lin.do("call.hang_up")
            lin.state("after_call_work", 15)
    centre.at_rest()


@pytest.mark.parametrize("far_hangs_up", [True, False])
def test_calls_go_out_through_the_proxy(centre: Product, proxy: Proxy, tmp_path: Path, far_hangs_up: bool) -> None:
    """It asks for the password, too (407)."""
    with Robot(centre, "1001") as lin:
        lin.sign_in()
        with sipp(tmp_path, proxy, is_called(proxy, hangs_up=far_hangs_up), calls=False):
            lin.do("call.dial", number=CUSTOMER)
            lin.event("call.connected", 15)
            if not far_hangs_up:
                lin.look(LATER)
                lin.do("call.hang_up")
            lin.state("after_call_work", 15)
    centre.at_rest()
