"""A far side that says anything at any moment: every method, every status, header fields that fit together or not, on
the right dialog or beside it. Nothing that it says raises, and in the end nothing of it is left.

What the two of `test_chaos` say to each other is always right; here one side is a script, and mad."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from random import Random

import pytest
from attrs import evolve
from cordboard.sip.call import Call
from cordboard.sip.digest import Account
from cordboard.sip.endpoint import TrunkSettings
from cordboard.sip.events import IncomingCall, Output, Sought, Transmit
from cordboard.sip.message import Address, LocalSipError, Request, Row, parse, respond

from . import net as n

UDP, TCP, OTHER = Address("192.0.2.9", 5060), Address("192.0.2.9", 5060, "tcp"), Address("192.0.2.10", 5060)
SDP = ("Content-Type", "application/sdp")
BODIES = (b"", b"", bytes(n.OFFER_A), bytes(n.OFFER_B), bytes(n.answer_to(n.OFFER_A)), b"v=0\r\nbroken")
STATUSES = (100, 180, 183, 183, 199, 200, 200, 202, 302, 401, 407, 408, 422, 481, 486, 487, 491, 500, 503, 603)
METHODS = (
    "INVITE",
    "INVITE",
    "ACK",
    "ACK",
    "BYE",
    "CANCEL",
    "PRACK",
    "UPDATE",
    "INFO",
    "OPTIONS",
    "REFER",
    "NOTIFY",
    "X",
)
# How often a field is there, and what may stand in it.
FIELDS: dict[str, tuple[float, tuple[str, ...]]] = {
    "Contact": (0.7, ("<sip:a@192.0.2.9>", "<sip:a@gw.example;transport=tcp>", "<sips:a@192.0.2.9>", "*", "<tel:1>")),
    "Record-Route": (0.3, ("<sip:192.0.2.8;lr>", "<sip:192.0.2.8>, <sip:p.example;lr>", "<sip:[::1];lr>", "junk")),
    "Session-Expires": (0.3, ("90", "90;refresher=uac", "90;refresher=uas", "0", "5", "x", "99999999999")),
    "Supported": (0.3, ("timer", "timer, 100rel", "100rel", "norefersub")),
    "Require": (0.3, ("100rel", "timer", "x")),
    "RSeq": (0.3, ("1", "2", "3", "4294967295", "x")),
    "Allow": (0.2, ("INVITE", "UPDATE, INVITE, PRACK")),
    "Retry-After": (0.2, ("0", "3", "x", "999999999")),
    "Min-SE": (0.2, ("90", "3600", "x")),
    "WWW-Authenticate": (0.1, ('Digest realm="a", nonce="b", qop="auth"', "Digest x", 'Basic realm="a"')),
    "Proxy-Authenticate": (0.1, ('Digest realm="c", nonce="d", algorithm=SHA-256, stale=true',)),
    "Refer-To": (0.1, ("<sip:1@192.0.2.9>", "<tel:+86>", "<sip:1@x?Replaces=a>")),
    "Expires": (0.1, ("0", "1", "x")),
}


class Story:
    def __init__(self, seed: int) -> None:
        rng = self.rng = Random(seed)
        self.endpoint = n.endpoint(n.A)
        expires = rng.choice((90, 1800))
        self.endpoint.settings = evolve(
            self.endpoint.settings, tcp=rng.random() < 0.5, session_expires=expires, max_transactions=500
        )
        self.trunks = {
            "carrier": TrunkSettings(
                ("192.0.2.0/24",),
                ("gw.example",),
                Account("u", "p") if rng.random() < 0.5 else None,
                refers=True,
                nat=rng.random() < 0.3,
            )
        }
        self.endpoint.set_trunks(self.trunks)
        self.now = 0.0
        self.calls: list[str] = []
        self.asked: list[tuple[Request, Address]] = []
        self.sought: list[str] = []
        self.serial = itertools.count()

    def take(self, outputs: list[Output]) -> None:
        """What we say can be read, and what we ask may be answered."""
        for output in outputs:
            if isinstance(output, Transmit):
                message = parse(output.data, ours=True)
                if isinstance(message, Request) and message.method != "ACK":
                    self.asked.append((message, output.destination))
            elif isinstance(output, IncomingCall):
                self.calls.append(output.call)
            elif isinstance(output, Sought):
                self.sought.append(output.name)

    def command(self, act: Callable[[], list[Output]]) -> None:
        with suppress(LocalSipError):  # an application as mad as that
            self.take(act())

    def rows(self) -> list[Row]:
        rng = self.rng
        return [(name, rng.choice(values)) for name, (often, values) in FIELDS.items() if rng.random() < often]

    def source(self) -> Address:
        return self.rng.choice((UDP, UDP, UDP, TCP, OTHER))

    def says(self, method: str, call_id: str, tag: str, to: str, cseq: int, branch: str, *rows: Row) -> None:
        body, source = self.rng.choice(BODIES), self.source()
        said = [*rows, *self.rows(), *([SDP] if body else [])]
        head = "".join(f"{name}: {value}\r\n" for name, value in said)
        via = f"SIP/2.0/{source.transport.upper()} 192.0.2.9;branch={branch}"
        data = (
            f"{method} sip:600@192.0.2.1 SIP/2.0\r\nVia: {via}\r\n"
            f"To: <sip:600@192.0.2.1>{to}\r\nFrom: <sip:a@192.0.2.9>;tag={tag}\r\nCall-ID: {call_id}\r\n"
            f"CSeq: {cseq} {method}\r\n{head}Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body
        for _ in range(self.rng.choice((1, 1, 2))):
            self.take(self.endpoint.receive(data, source, self.now))

    def new_call(self) -> None:
        serial = next(self.serial)
        self.says("INVITE", f"in{serial}", "f", "", 1, f"z9hG4bKi{serial}")

    def answer(self) -> None:
        if not self.asked:
            return
        rng = self.rng
        request, _ = rng.choice(self.asked[-6:])
        body = rng.choice(BODIES)
        rows = (*self.rows(), *([SDP] if body else []))
        tag = rng.choice(("t1", "t2", "t3", None))
        answer = bytes(respond(request, rng.choice(STATUSES), n.A, tag=tag, rows=rows, body=body))
        source = self.source()
        for _ in range(rng.choice((1, 1, 2))):
            self.take(self.endpoint.receive(answer, source, self.now))

    def in_call(self) -> None:
        if not self.endpoint._by_tag:
            return
        rng = self.rng
        tag, call = rng.choice(list(self.endpoint._by_tag.items()))
        method = rng.choice(METHODS)
        call_id, theirs, cseq = self._dialog(call)
        cseq += rng.choice((-1, 0, 1, 1, 1, 2))
        branch, rows = f"z9hG4bKd{next(self.serial)}", list[Row]()
        if method in ("ACK", "CANCEL") and call.invite is not None:
            branch, cseq = call.invite.via.branch, call.invite_cseq
        if method == "PRACK":
            rows.append(("RAck", rng.choice((f"{call.reliable.rseq} {call.invite_cseq} INVITE", "1 1 INVITE", "x"))))
        to = "" if method == "CANCEL" and rng.random() < 0.7 else f";tag={tag}"
        self.says(method, call_id, theirs, to, max(cseq, 0), branch, *rows)

    def _dialog(self, call: Call) -> tuple[str, str, int]:
        early = next((each.dialog for each in call.early.values() if each.dialog is not None), None)
        dialog = call.dialog or early
        if dialog is not None:
            return dialog.call_id, dialog.remote_tag or "f", dialog.remote_cseq or 0
        assert call.invite is not None
        return call.invite.call_id, "t1", 0

    def application(self) -> None:
        rng, endpoint, now = self.rng, self.endpoint, self.now
        if not self.calls or rng.random() < 0.2:
            call = f"out{next(self.serial)}"
            self.calls.append(call)
            way, caller = rng.choice((UDP, TCP)), rng.choice(("1001", None))
            self.command(lambda: endpoint.dial(call, "sip:6@192.0.2.9", way, caller, n.OFFER_A, now, trunk="carrier"))
            return
        call = rng.choice(self.calls)
        acts: list[Callable[[], list[Output]]] = [
            lambda: endpoint.ring(call, now),
            lambda: endpoint.progress(call, n.OFFER_B, now),
            lambda: endpoint.answer(call, n.OFFER_B, now),
            lambda: endpoint.answer(call, n.OFFER_B, now),
            lambda: endpoint.reject(call, 486, now),
            lambda: endpoint.hang_up(call, now),
            lambda: endpoint.reoffer(call, n.OFFER_B, now),
            lambda: endpoint.reanswer(call, n.OFFER_B, now),
            lambda: endpoint.reject_reoffer(call, 488, now),
            lambda: endpoint.accept_referral(call, now),
            lambda: endpoint.reject_referral(call, 603, now),
            lambda: endpoint.referral_stands(call, 180, now),
            lambda: endpoint.referral_stands(call, 486, now),
        ]
        self.command(rng.choice(acts))

    def network(self) -> None:
        """A connection breaks, something cannot be sent, a name leads somewhere, or the process is another."""
        chance = self.rng.random()
        if self.sought and chance < 0.6:
            targets = tuple(self.rng.sample((UDP, TCP, OTHER), self.rng.randrange(4)))
            self.take(self.endpoint.located(self.sought.pop(), targets, self.rng.choice((0.0, 60.0)), self.now))
        elif chance < 0.4:
            self.take(self.endpoint.disconnected(TCP, [], self.now))
        elif chance < 0.8 and self.asked:
            request, way = self.rng.choice(self.asked)
            self.take(self.endpoint.unsent(Transmit(bytes(request), way), self.now))
        else:
            before, self.endpoint = self.endpoint, n.endpoint(n.A, life=next(self.serial) + 1)
            self.endpoint.settings = before.settings
            self.endpoint.set_trunks(self.trunks)
            for _, kept in before.snapshots():
                self.take(self.endpoint.restore(kept, self.now))

    def wake(self, until: float) -> None:
        for _ in range(100_000):
            if self.endpoint.deadline() > until:
                return
            self.take(self.endpoint.wake(self.endpoint.deadline()))
        raise AssertionError("its timers never end")

    def run(self) -> None:
        rng = self.rng
        acts = (self.new_call, self.answer, self.answer, self.in_call, self.in_call, self.application, self.network)
        for _ in range(rng.randint(10, 80)):
            self.now += rng.choice((0, 0, 0.01, 0.1, 0.6, 5, 40, 100, 1000)) * rng.random()
            self.wake(self.now)
            rng.choices(acts, (15, 15, 15, 15, 15, 15, 3))[0]()
        for call in self.calls:
            self.command(partial(self.endpoint.hang_up, call, self.now))
        self.wake(self.now + 100_000)
        endpoint = self.endpoint
        assert endpoint.idle
        assert endpoint.live_calls == 0
        kept = (endpoint._by_tag, endpoint._merged, endpoint._connected, endpoint._unreached, endpoint._moments)
        assert not any(kept)
        assert endpoint._moments._stale == 0


@pytest.mark.parametrize("start", range(0, 100, 20))
def test_nothing_that_is_said_raises_and_nothing_is_left(start: int) -> None:
    for seed in range(start, start + 20):
        try:
            Story(seed).run()
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error


@pytest.mark.long
@pytest.mark.parametrize("start", range(0, 10_000, 500))
def test_nothing_that_is_said_raises_in_ten_thousand_stories(start: int) -> None:
    for seed in range(start, start + 500):
        try:
            Story(seed).run()
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error
