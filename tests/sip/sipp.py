"""sipp as the other side: scenarios written as steps, an application of ours that does as the number says, and what
both of them saw.

A scenario is XML for sipp; `send`, `answer` and `recv` write it. What a step needs of an earlier message sipp keeps
itself (`[last_Via:]`), or in a variable where another message comes between (`keep`)."""

from __future__ import annotations

import re
import secrets
import socket
import tempfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

import pytest
import trio
from attrs import field, frozen
from cordboard.sip import sdp
from cordboard.sip.endpoint import Endpoint, Settings, TrunkSettings
from cordboard.sip.events import CallConfirmed, CallReoffered, IncomingCall, Output
from cordboard.sip.message import Address
from cordboard.sip.transaction import Timers
from cordboard.sip.transport import SipTransport, serve

from .breaking import Break

HOST = "127.0.0.1"
# A scenario takes seconds at most; a machine under load takes its time. What is broken is often seen by nothing
# coming.
LIMIT_S = 40
PATIENCE_MS, BROKEN_PATIENCE_MS = 15000, 2500

SDP = """v=0
o=user1 53655765 {version} IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio {port} RTP/AVP 8 0 101
a=rtpmap:8 PCMA/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=sendrecv"""


def description(version: int = 1, port: int = 6000) -> str:
    return SDP.format(version=version, port=port)


def _message(lines: list[str], body: str) -> str:
    if body:
        lines = [*lines, "Content-Type: application/sdp"]
    text = "\n".join([*lines, "Content-Length: [len]", "", body])
    return f"<![CDATA[\n\n{text}\n\n]]>"


def send(
    method: str,
    *rows: str,
    to: str = "600",
    cseq: int = 1,
    body: str = "",
    within: bool = True,
    retrans: bool = True,
    branch: str = "[branch]",
) -> str:
    """A request of sipp's; `within` a dialog: with our tag."""
    tag = "[peer_tag_param]" if within else ""
    lines = [
        f"{method} sip:{to}@[remote_ip]:[remote_port] SIP/2.0",
        f"Via: SIP/2.0/[transport] [local_ip]:[local_port];branch={branch}",
        'From: "Caller" <sip:+8613912345678@[local_ip]:[local_port]>;tag=sipp[call_number]',
        f"To: <sip:{to}@[remote_ip]:[remote_port]>{tag}",
        "Call-ID: [call_id]",
        f"CSeq: {cseq} {method}",
        "Contact: <sip:caller@[local_ip]:[local_port]>",
        "Max-Forwards: 70",
        *rows,
    ]
    again = ' retrans="500"' if retrans and method != "ACK" else ""
    return f"<send{again}>{_message(lines, body)}</send>"


def call(to: str = "600", *rows: str, body: str = "", cseq: int = 1) -> str:
    """The first INVITE."""
    return send("INVITE", *rows, to=to, cseq=cseq, body=body or description(), within=False, branch=invited(cseq))


def invited(cseq: int = 1) -> str:
    """The branch of an INVITE, which its CANCEL and the ACK of its failure repeat (RFC 3261 §17.1.1.3)."""
    return f"z9hG4bK-invite-{cseq}"


def refused(cseq: int = 1) -> str:
    """The ACK of a failure."""
    return send("ACK", cseq=cseq, branch=invited(cseq))


def ask(method: str, *rows: str, to: str = "600", cseq: int = 2, body: str = "") -> str:
    """A request of sipp's in the dialog that we made by calling it: From and To the other way round."""
    lines = [
        f"{method} sip:{to}@[remote_ip]:[remote_port] SIP/2.0",
        "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]",
        "From: [$to];tag=sipp",
        "To: [$from]",
        "Call-ID: [call_id]",
        f"CSeq: {cseq} {method}",
        "Contact: <sip:sipp@[local_ip]:[local_port]>",
        "Max-Forwards: 70",
        *rows,
    ]
    again = ' retrans="500"' if method != "ACK" else ""
    return f"<send{again}>{_message(lines, body)}</send>"


def answer(status: int, *rows: str, body: str = "", tag: str = "sipp", kept: bool = False, to: bool = True) -> str:
    """A response of sipp's to the request it heard last, or to the INVITE that it `kept`. `to`: with its tag."""
    tagged = f";tag={tag}" if to else ""
    lines = [
        f"SIP/2.0 {status} Whatever",
        "Via: [$via]" if kept else "[last_Via:]",
        "From: [$from]" if kept else "[last_From:]",
        f"To: [$to]{tagged}" if kept else f"[last_To:]{tagged}",
        "[last_Call-ID:]",
        "CSeq: [$cseq]" if kept else "[last_CSeq:]",
        "Contact: <sip:sipp@[local_ip]:[local_port]>",
        *rows,
    ]
    return f"<send>{_message(lines, body)}</send>"


def has(header: str, pattern: str, variable: str = "") -> str:
    """The message just received has this header field, and its value looks so; kept in a variable."""
    name = variable or f"seen{zlib.crc32((header + pattern).encode())}"
    return f'<ereg regexp="{pattern}" search_in="hdr" header="{header}:" check_it="true" assign_to="{name}"/>'


def lacks(header: str) -> str:
    """The message just received has no such header field."""
    name = f"seen{zlib.crc32(header.encode())}"
    return f'<ereg regexp="\\n{header}:" search_in="msg" check_it_inverse="true" assign_to="{name}"/>'


def says(pattern: str) -> str:
    """The message just received has this somewhere, in its body too."""
    name = f"seen{zlib.crc32(pattern.encode())}"
    return f'<ereg regexp="{pattern}" search_in="msg" check_it="true" assign_to="{name}"/>'


KEEP = "".join(
    f'<ereg regexp=".*" search_in="hdr" header="{header}:" assign_to="{name}"/>'
    for header, name in (("Via", "via"), ("From", "from"), ("To", "to"), ("CSeq", "cseq"))
)


def recv(what: int | str, *checks: str, optional: bool = False, keep: bool = False, more: str = "") -> str:
    """A response by its status, or a request by its method. `keep`: its header fields are for a later answer."""
    kind = f'response="{what}"' if isinstance(what, int) else f'request="{what}"'
    actions = [*([KEEP] if keep else []), *checks]
    inner = f"<action>{''.join(actions)}</action>" if actions else ""
    wait = 'optional="true"' if optional else f'timeout="{PATIENCE_MS}"'
    return f'<recv {kind} {wait} rrs="true" {more}>{inner}</recv>'


TRYING = recv(100, optional=True)
RINGING = recv(180, optional=True)
ACK = send("ACK", cseq=1)
OK_BYE = (send("BYE", cseq=9), recv(200))
ANSWERED = (TRYING, RINGING, recv(200), ACK)


@frozen
class Scenario:
    """`steps` are sipp's. `act` begins where we do; `told` is what our application heard, by class; `check` looks at it
    more closely. `lost` says how datagrams of ours begin of which the first is lost. `tcp`: sipp speaks that alone, and
    so may we. `broken` takes the behaviour away that this is about: then it must fail."""

    name: str
    steps: tuple[str, ...]
    told: tuple[str, ...]
    broken: Break
    act: Callable[[App], None] | None = None
    check: Callable[[App], None] = lambda app: None
    t1: float = 0.5
    lost: tuple[str, ...] = ()
    tcp: bool = False
    trunks: Mapping[str, TrunkSettings] = field(factory=lambda: {"sipp": TrunkSettings((HOST,))})

    @property
    def xml(self) -> str:
        # sipp refuses a variable that is set and not used otherwise
        kept = sorted(set(re.findall(r'assign_to="(\w+)"', "".join(self.steps))))
        reference = f'<Reference variables="{",".join(kept)}"/>' if kept else ""
        return f'<?xml version="1.0"?>\n<scenario name="{self.name}">\n{"".join(self.steps)}{reference}\n</scenario>\n'


class App:
    """Does as the number says: `ring` only rings, `early` answers early, `bye` hangs up, `reoffer` offers anew, `wait`
    leaves a new offer alone; all others are answered."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.transport: SipTransport
        self.nursery: trio.Nursery
        self.events: list[Output] = []
        self.numbers: dict[str, str] = {}
        # what came, as it came
        self.heard: list[bytes] = []
        # by so many seconds our clock is ahead of sipp's
        self.ahead = 0.0
        # what the story does besides, by the class of an event, or once, by how a message begins
        self.then: dict[type, Callable[[App], None]] = {}
        self.upon: dict[bytes, Callable[[App], None]] = {}

    @property
    def endpoint(self) -> Endpoint:
        return self.transport.endpoint

    @property
    def sipp(self) -> Address:
        return Address(HOST, self.port)

    def command(self, command: Callable[..., list[Output]], *arguments: object) -> None:
        """One of the endpoint's, whose last argument is the time."""
        self.transport.command(lambda now: command(*arguments, now))

    def later(self, seconds: float, act: Callable[[App], None]) -> None:
        async def wait() -> None:
            await trio.sleep(seconds)
            act(self)

        self.nursery.start_soon(wait)

    def clock(self) -> float:
        return trio.current_time() + self.ahead

    def leap(self, seconds: float) -> None:
        """So much time passes here at once."""
        self.ahead += seconds
        self.transport._changed.set()

    def received(self, data: bytes, source: Address, at: float, outputs: Iterable[Output]) -> None:
        self.heard.append(data)
        for begins in [each for each in self.upon if data.startswith(each)]:
            self.upon.pop(begins)(self)

    def sent(self, data: bytes, destination: Address, at: float) -> None:
        pass

    def on_output(self, output: Output) -> None:
        self.events.append(output)
        match output:
            case IncomingCall(call=each, number=number, offer=offer):
                self.numbers[each] = number
                ours = _answer(offer) if offer is not None else sdp.offer(HOST, 40000, session_id=1)
                if number in ("early", "pledge"):
                    self.command(self.endpoint.progress, each, ours)
                else:
                    self.command(self.endpoint.ring, each)
                if number != "ring":
                    self.command(self.endpoint.answer, each, ours)
            case CallConfirmed(call=each) if self.numbers.get(each) == "bye":
                self.command(self.endpoint.hang_up, each)
            case CallConfirmed(call=each) if self.numbers.get(each) == "reoffer":
                self.command(self.endpoint.reoffer, each, sdp.offer(HOST, 40002, session_id=1, version=2))
            case CallReoffered(call=each, offer=offer) if self.numbers.get(each) != "wait":
                ours = _answer(offer) if offer is not None else sdp.offer(HOST, 40000, session_id=1)
                self.command(self.endpoint.reanswer, each, ours)
            case _:
                pass
        if (then := self.then.get(type(output))) is not None:
            then(self)

    def dial(self, user: str = "service", **options: object) -> None:
        offer, caller = sdp.offer(HOST, 40000, session_id=1), options.pop("caller", "1001")
        uri = f"sip:{user}@{self.sipp}"
        self.transport.command(
            lambda now: self.endpoint.dial("out", uri, self.sipp, caller, offer, now, trunk="sipp", **options)  # type: ignore[arg-type]
        )


def _answer(offer: sdp.SessionDescription) -> sdp.SessionDescription:
    return sdp.answer(offer, sdp.negotiate(offer), HOST, 40000, session_id=1)


async def play(scenario: Scenario, breaking: pytest.MonkeyPatch | None = None) -> tuple[App, int, str]:
    """Runs it, `breaking` the build if that is given; the application, sipp's exit code and what it printed."""
    app = App(free_port())
    ports: dict[str, int] = {}
    endpoint = Endpoint(
        Settings(lambda remote: (HOST, ports[remote.transport]), tcp=scenario.tcp),
        lambda: secrets.token_hex(12),
        Timers(t1=scenario.t1),
    )
    endpoint.set_trunks(scenario.trunks)
    if breaking is not None:
        scenario.broken(endpoint, breaking)
    xml = scenario.xml if breaking is None else scenario.xml.replace(str(PATIENCE_MS), str(BROKEN_PATIENCE_MS))
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / f"{scenario.name}.xml"
        await trio.Path(file).write_text(xml)
        with trio.fail_after(LIMIT_S):
            async with trio.open_nursery() as nursery:
                doors = [(HOST, 0)] if scenario.tcp else []
                served = partial(serve, endpoint, [(HOST, 0)], app.on_output, tcp=doors, clock=app.clock, tap=app)
                app.transport = await nursery.start(served)
                ports.update({each.transport: each.port for each in app.transport.addresses})
                app.nursery = nursery
                lose(app.transport, scenario.lost)
                by, mode = ("tcp", "t1") if scenario.tcp else ("udp", "u1")
                command = ["sipp", f"{HOST}:{ports[by]}", "-t", mode, "-i", HOST, "-p", str(app.port), "-m", "1"]
                command += ["-sf", str(file), "-timeout", "30" if breaking is None else "8", "-timeout_error"]
                command += ["-nostdin", "-trace_err", "-error_file", str(Path(directory) / "errors")]
                if scenario.act is not None:
                    scenario.act(app)
                done = await trio.run_process(
                    command, capture_stdout=True, capture_stderr=True, check=False, cwd=directory
                )
                # what sipp said last is still on its way
                await trio.sleep(0.05)
                nursery.cancel_scope.cancel()
        errors = Path(directory) / "errors"
        said = errors.read_text(errors="replace")[-2000:] if errors.exists() else ""
    return app, done.returncode, said + done.stderr.decode()[-1000:]


def lose(transport: SipTransport, lost: tuple[str, ...]) -> None:
    """The first datagram of each kind does not arrive."""
    left = [re.compile(each.encode(), re.DOTALL) for each in lost]
    send = transport._udp.send

    def sent(data: bytes, destination: Address) -> None:
        found = next((each for each in left if each.match(data)), None)
        if found is not None:
            left.remove(found)
        else:
            send(data, destination)

    transport._udp.send = sent  # type: ignore[method-assign]


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def kinds(app: App) -> tuple[str, ...]:
    return tuple(type(event).__name__ for event in app.events)
