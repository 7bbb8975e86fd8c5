"""Two endpoints and a network: the stories of RFC 3261 and of every switch that got them wrong."""

from __future__ import annotations

from cordboard.sip.events import CallConfirmed, CallEnded, IncomingCall

from . import net as n


def test_a_call_is_set_up_and_released() -> None:
    net, a, b = n.pair()
    b.react = n.answering
    n.dial(net, a, b)
    net.run(1)
    incoming = b.events[0]
    assert isinstance(incoming, IncomingCall)
    assert (incoming.trunk, incoming.number, incoming.caller, incoming.caller_name) == ("carrier", "600", "1001", "Lin")
    assert incoming.offer == n.OFFER_A
    assert a.kinds() == ["CallProgressed", "CallProgressed", "CallAnswered"]
    assert b.events[1:] == [CallConfirmed(incoming.call, None)]
    net.do(a, a.endpoint.hang_up("out", net.now, "Q.850;cause=16"))
    net.run(2)
    assert b.events[-1] == CallEnded(incoming.call, "bye", "Q.850;cause=16")
    assert [what for _, _, what in net.log] == [
        "INVITE", "100 INVITE", "180 INVITE", "200 INVITE", "ACK", "BYE", "200 BYE",
    ]  # fmt: skip
    net.run(100)
    assert a.endpoint.live_calls == b.endpoint.live_calls == 0
    assert a.endpoint.idle
    assert b.endpoint.idle
