"""Every table is total, and every timer has its row."""

from __future__ import annotations

from enum import Enum
from itertools import product
from typing import Any

import pytest
from cordboard.sip import call as calls
from cordboard.sip import exchange, referral, refresh, reliable
from cordboard.sip.machine import Move as OfCall
from cordboard.sip.machine import Plan, Timed
from cordboard.sip.message import Address, LocalSipError, Request, parse
from cordboard.sip.transaction import (
    CLIENT,
    INVITE_CLIENT,
    INVITE_SERVER,
    MACHINES,
    SERVER,
    Bug,
    Deliver,
    Dropped,
    Effect,
    Input,
    Late,
    Machine,
    Move,
    Send,
    State,
    TimedOut,
    Timers,
    Transaction,
)

INVITE = parse(
    b"INVITE sip:bob@biloxi.example SIP/2.0\r\nVia: SIP/2.0/UDP pc33;branch=z9hG4bKnashds8\r\nMax-Forwards: 70\r\n"
    b"To: <sip:bob@biloxi.example>\r\nFrom: <sip:alice@atlanta.example>;tag=1\r\nCall-ID: a\r\nCSeq: 1 INVITE\r\n\r\n"
)
BUSY = parse(
    b"SIP/2.0 486 Busy Here\r\nVia: SIP/2.0/UDP pc33;branch=z9hG4bKnashds8\r\n"
    b"To: <sip:bob@biloxi.example>;tag=2\r\nFrom: <sip:alice@atlanta.example>;tag=1\r\nCall-ID: a\r\n"
    b"CSeq: 1 INVITE\r\n\r\n"
)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_a_transaction_table_is_total(machine: Machine) -> None:
    states = {state for state, _ in machine.table}
    assert set(machine.table) == set(product(states, machine.inputs))
    reachable = {machine.initial} | {row.state for row in machine.table.values() if isinstance(row, Move)}
    assert states == reachable
    for state, timers in machine.timers.items():
        for timer in timers:
            assert isinstance(machine.table[state, Input(f"Timer {timer.value}")], Move)
    for (state, given), row in machine.table.items():
        if given.value.startswith("Timer"):
            runs = given.value[-1] in {timer.value for timer in machine.timers.get(state, ())}
            assert isinstance(row, Move if runs else Bug), (state, given)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_every_pair_of_a_transaction_does_what_its_row_says(machine: Machine) -> None:
    assert isinstance(INVITE, Request)
    for (state, given), row in machine.table.items():
        transaction = Transaction(machine, INVITE, Timers())
        transaction.state = state
        match row:
            case Move(after, do):
                assert len(transaction.receive(given, 1.0, BUSY, b"data")) == len(do)
                assert transaction.state is after
            case Late(name):
                assert transaction.receive(given, 1.0, BUSY) == [Dropped(name)]
                assert transaction.state is state
            case Bug():
                with pytest.raises(LocalSipError):
                    transaction.receive(given, 1.0, BUSY)
                assert transaction.state is state


# With the states that they begin in, and the timers that run by the way.
CALL = (calls.PLAN, calls.State, calls.Input, {calls.State.OFFERED, calls.State.DIALLING}, {calls.Input.EXPIRED})
EXCHANGE = (exchange.PLAN, exchange.State, exchange.Input, {exchange.State.OPENING}, set[Enum]())
REFRESH = (refresh.PLAN, refresh.State, refresh.Input, {refresh.State.OFF}, set[Enum]())
RELIABLE = (reliable.PLAN, reliable.State, reliable.Input, {reliable.State.IDLE}, set[Enum]())
REFERRAL = (referral.PLAN, referral.State, referral.Input, {referral.State.IDLE}, set[Enum]())
OF_A_CALL = [CALL, EXCHANGE, REFRESH, RELIABLE, REFERRAL]
of_a_call = pytest.mark.parametrize(
    ("plan", "states", "inputs", "first", "optional"),
    OF_A_CALL,
    ids=["call", "exchange", "refresh", "reliable", "referral"],
)


@of_a_call
def test_a_table_of_a_call_is_total(
    plan: Plan[Any, Any, Any], states: type[Enum], inputs: type[Enum], first: set[Enum], optional: set[Enum]
) -> None:
    assert set(plan.table) == set(product(states, inputs))
    reachable = first | {row.state for row in plan.table.values() if isinstance(row, OfCall)}
    assert reachable == set(states)
    timers = {timer for each in plan.timers.values() for timer in each}
    for state, timer in product(states, timers - optional):
        row = plan.table[state, timer]
        runs = timer in plan.timers.get(state, ())
        assert isinstance(row, Bug) is not runs, (state, timer)


def machine_of(state: Enum) -> Timed[Any, Any, Any]:
    call = calls.Call("c", "t", calls.State.UP, Timers(), 0.0)
    name = type(state).__module__.rpartition(".")[2]
    machine: Timed[Any, Any, Any] = call if name == "call" else getattr(call, name)
    machine.state = state
    return machine


@of_a_call
def test_every_pair_of_a_call_moves_as_its_row_says(
    plan: Plan[Any, Any, Any], states: type[Enum], inputs: type[Enum], first: set[Enum], optional: set[Enum]
) -> None:
    for (state, given), row in plan.table.items():
        machine = machine_of(state)
        if isinstance(row, Bug):
            with pytest.raises(LocalSipError):
                machine.receive(given, 1.0)
            assert machine.state is state
        else:
            assert machine.receive(given, 1.0) is row
            assert machine.state is (row.state if isinstance(row, OfCall) else state)
            if machine.state is not state:
                assert set(machine.running) == set(plan.timers.get(machine.state, ()))


def test_nothing_leaves_the_end_of_a_call() -> None:
    for given in calls.Input:
        row = calls.TABLE[calls.State.ENDED, given]
        assert not isinstance(row, OfCall) or row.state is calls.State.ENDED


def sends(transaction: Transaction, until: float) -> tuple[list[float], list[Effect]]:
    """When it sends, to the millisecond, and what else it says."""
    times: list[float] = []
    rest: list[Effect] = []
    while (now := transaction.deadline()) <= until:
        for effect in transaction.wake(now):
            if isinstance(effect, Send):
                times.append(round(now, 3))
            else:
                rest.append(effect)
    return times, rest


def client(machine: Machine, *, reliable: bool = False) -> Transaction:
    assert isinstance(INVITE, Request)
    transaction = Transaction(machine, INVITE, Timers(), reliable=reliable)
    assert transaction.start(b"request", 0.0) == [Send(b"request")]
    return transaction


def test_timer_a_doubles_until_timer_b() -> None:
    transaction = client(INVITE_CLIENT)
    assert sends(transaction, 31.9) == ([0.5, 1.5, 3.5, 7.5, 15.5, 31.5], [])
    assert sends(transaction, 99) == ([], [TimedOut()])
    assert transaction.state is State.TERMINATED


def test_timer_e_doubles_up_to_t2_until_timer_f() -> None:
    transaction = client(CLIENT)
    times, rest = sends(transaction, 99)
    assert times == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert rest == [TimedOut()]


def test_timer_e_is_t2_in_proceeding_and_timer_f_runs_on() -> None:
    transaction = client(CLIENT)
    transaction.wake(0.5)
    transaction.receive(Input.RECEIVE_1XX, 0.6, BUSY)
    times, rest = sends(transaction, 99)
    assert times == [1.5, 5.5, 9.5, 13.5, 17.5, 21.5, 25.5, 29.5]
    assert rest == [TimedOut()]


def test_timer_g_doubles_up_to_t2_until_timer_h() -> None:
    assert isinstance(INVITE, Request)
    transaction = Transaction(INVITE_SERVER, INVITE, Timers())
    assert transaction.receive(Input.SEND_FINAL, 0.0, data=b"486") == [Send(b"486")]
    times, rest = sends(transaction, 99)
    assert times == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert rest == [TimedOut()]


def test_timer_i_waits_t4_for_more_acks() -> None:
    assert isinstance(INVITE, Request)
    transaction = Transaction(INVITE_SERVER, INVITE, Timers())
    transaction.receive(Input.SEND_FINAL, 0.0, data=b"486")
    transaction.receive(Input.RECEIVE_ACK, 0.2)
    assert transaction.deadline() == 5.2
    assert transaction.wake(5.2) == []
    assert transaction.state is State.TERMINATED


@pytest.mark.parametrize(
    ("machine", "given", "seconds"),
    [
        (INVITE_CLIENT, Input.RECEIVE_FINAL, 32.0),
        (INVITE_CLIENT, Input.RECEIVE_2XX, 32.0),
        (CLIENT, Input.RECEIVE_2XX, 5.0),
    ],
)
def test_timers_d_m_and_k_wait_for_retransmissions(machine: Machine, given: Input, seconds: float) -> None:
    transaction = client(machine)
    effects = transaction.receive(given, 0.25, BUSY)
    assert Deliver(BUSY) in effects
    assert transaction.deadline() == 0.25 + seconds


def test_timers_j_and_l_wait_64_t1() -> None:
    assert isinstance(INVITE, Request)
    for machine in (SERVER, INVITE_SERVER):
        transaction = Transaction(machine, INVITE, Timers(t1=0.1))
        transaction.receive(Input.SEND_2XX, 0.0, data=b"200")
        assert transaction.deadline() == pytest.approx(6.4)


def test_a_reliable_transport_retransmits_nothing_and_waits_for_nothing() -> None:
    transaction = client(CLIENT, reliable=True)
    assert transaction.deadline() == 32.0
    transaction.receive(Input.RECEIVE_2XX, 1.0, BUSY)
    assert transaction.deadline() == 1.0


def test_the_ack_of_a_failure_repeats_the_invite() -> None:
    """RFC 3261 §17.1.1.3."""
    transaction = client(INVITE_CLIENT)
    send, deliver = transaction.receive(Input.RECEIVE_FINAL, 0.1, BUSY)
    assert isinstance(send, Send)
    assert deliver == Deliver(BUSY)
    ack = parse(send.data)
    assert isinstance(ack, Request)
    assert (ack.method, ack.uri, ack.via, ack.to.tag) == ("ACK", "sip:bob@biloxi.example", INVITE.via, "2")
    assert ack.values("Via") == [INVITE.via.text]
    assert transaction.receive(Input.RECEIVE_FINAL, 0.2, BUSY) == [send]


def test_a_late_wake_sends_once_and_not_a_burst() -> None:
    transaction = client(CLIENT)
    assert len(transaction.wake(10.0)) == 1
    assert transaction.deadline() > 10.0


def test_an_address_prints_as_a_host_and_port() -> None:
    assert str(Address("2001:db8::1", 5060)) == "[2001:db8::1]:5060"
