"""Scenarios in which a datagram of ours is lost, or goes where nobody answers."""

from __future__ import annotations

from collections.abc import Callable

from cordboard.sip import call as calls
from cordboard.sip import leading
from cordboard.sip.endpoint import Endpoint
from cordboard.sip.events import CallAnswered, Sought
from cordboard.sip.message import Address
from cordboard.sip.transaction import CLIENT, INVITE_CLIENT, SERVER, Machine, Move, Timers
from cordboard.sip.transaction import Input as TransactionInput
from cordboard.sip.transaction import State as TransactionState

from .breaking import Break, instead, without_row
from .calling import CALL, UP, by
from .dialling import ENDS, INVITE, dials, dials_and, failed, hangs_up
from .sipp import ACK, ANSWERED, HOST, OK_BYE, RINGING, TRYING, App, Scenario, answer, call, description, recv

S, IN = calls.State, calls.Input
TS, TIN = TransactionState, TransactionInput
# What comes again comes soon, and 64*T1 is six seconds
BRISK = 0.1
# A port of this machine that says nothing
SILENT = Address(HOST, 9)


def inert(machine: Machine, state: TransactionState, given: TransactionInput) -> Break:
    """The transaction does nothing there."""
    return lambda endpoint, patch: patch.setitem(machine.table, (state, given), Move(state))


def patient(status: int, *, body: str = "", to: bool = True) -> str:
    """A response that sipp sends again until it is acknowledged."""
    return answer(status, body=body, to=to).replace("<send>", '<send retrans="200">')


def leads(act: Callable[[App], None] | None = None, *, last: bool = True) -> Callable[[App], None]:
    """The name of the next hop leads to a host that says nothing, and to sipp, which comes `last`."""

    def begin(app: App) -> None:
        def found(app: App) -> None:
            (sought,) = [event for event in app.events if isinstance(event, Sought)]
            targets = (SILENT, app.sipp) if last else (app.sipp, SILENT)
            app.transport.command(lambda now: app.endpoint.located(sought.name, targets, 60.0, now))

        app.then[Sought] = found
        if act is not None:
            act(app)

    return begin


LOSING = [
    Scenario(
        "our_bye_is_lost",
        (call("bye"), *ANSWERED, recv("BYE"), answer(200, to=False)),
        UP,
        inert(CLIENT, TS.TRYING, TIN.TIMER_E),
        lost=("BYE ",),
        t1=BRISK,
    ),
    Scenario(
        "our_200_is_lost",
        (call(), TRYING, RINGING, recv(200), ACK, *OK_BYE),
        CALL,
        without_row(calls.PLAN, S.ACCEPTED, IN.RETRANSMIT),
        lost=("SIP/2.0 200 .*CSeq: 1 INVITE",),
        t1=BRISK,
        check=by("bye"),
    ),
    Scenario(
        "our_200_to_their_bye_is_lost",
        (call(), *ANSWERED, *OK_BYE),
        CALL,
        inert(SERVER, TS.COMPLETED, TIN.RECEIVE_REQUEST),
        lost=("SIP/2.0 200 .*CSeq: 9 BYE",),
        check=by("bye"),
    ),
    Scenario(
        "our_ack_is_lost",
        (INVITE, patient(200, body=description()), recv("ACK"), *ENDS),
        ("CallAnswered",),
        without_row(calls.PLAN, S.UP, IN.SUCCESS),
        lost=("ACK ",),
        act=dials_and(CallAnswered, lambda app: app.later(1.0, hangs_up)),
    ),
    Scenario(
        "our_ack_of_a_failure_is_lost",
        (INVITE, patient(486), recv("ACK")),
        ("CallFailed",),
        inert(INVITE_CLIENT, TS.COMPLETED, TIN.RECEIVE_FINAL),
        lost=("ACK ",),
        act=dials(),
        check=failed(486),
    ),
    Scenario(
        "our_invite_is_lost",
        (INVITE, answer(200, body=description()), recv("ACK"), *ENDS),
        ("CallAnswered",),
        inert(INVITE_CLIENT, TS.CALLING, TIN.TIMER_A),
        lost=("INVITE ",),
        t1=BRISK,
        act=dials_and(CallAnswered, hangs_up),
    ),
    Scenario(
        "next_hop_of_our_bye_that_says_nothing",
        (call("bye", "Record-Route: <sip:edge.example;lr>"), *ANSWERED, recv("BYE"), answer(200, to=False)),
        (*UP, "Sought"),
        instead(Timers, "patience", property(lambda self: 60.0)),
        t1=BRISK,
        act=leads(),
    ),
    Scenario(
        "next_hop_of_our_ack_that_says_nothing",
        (
            INVITE,
            patient(200, body=description()).replace("sipp@[local_ip]:[local_port]", "sipp@gate.example:5099"),
            recv("ACK"),
        ),
        ("Sought", "CallAnswered"),
        instead(leading, "UNHEARD_ACKS", 99),
        act=leads(dials()),
    ),
    Scenario(
        "next_hop_that_answers_our_offer_after_it_was_left",
        (
            call("reoffer", "Record-Route: <sip:edge.example;lr>"),
            *ANSWERED,
            recv("INVITE"),
            '<pause milliseconds="1500"/>',
            patient(200, body=description(2), to=False),
            recv("ACK"),
            *OK_BYE,
        ),
        (*UP, "Sought", "CallReanswered", "CallEnded"),
        instead(Endpoint, "_answered_late", lambda *arguments: False),
        t1=BRISK,
        act=leads(last=False),
    ),
]
