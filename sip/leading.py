"""Where a request within a dialog goes: to the next hop, whose name may have to be looked up first, and to the next of
its hosts where one fails (RFC 3263 §4).

The first request to a name that nobody has used before is not sent until it is known where that leads (`Sought`, and
`located`); by UDP no longer than until it would be sent again. Then, and where the name leads nowhere, it goes where
the peer was heard, as it does all the time on a connection with the peer that lives. A host that says nothing, to which
nothing can be sent, or that says 503, is followed by the next one of its name, with a transaction of its own (§4.3).

Where there is a next one nothing is waited for any longer than it takes to hear of a host that is there: Timers B and F
would have an agent wait for half a minute, as the far side of an answered call would until it hangs up. An ACK has no
timer and no answer: that it does not arrive is told by the 2xx that comes again and again. What a host says after it
was left is nobody's, but for a 2xx to an INVITE, which `renegotiation` acknowledges.

Where a request has been outlives the process (`snapshot`): another one looks the name up again, and goes on.

The layer of `Endpoint` between `asking` and `sending`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

from attrs import define, evolve

from .asking import Asking, Settings, direct
from .call import Call
from .dialog import Dialog, over
from .events import Output, Sought, Transmit
from .layer import Slot, Way
from .message import Address, Request
from .places import Places
from .transaction import State, Timers

# A 2xx that comes again after so many ACKs has had none of them, and the next one goes to the next host: by UDP 3.5 s
# after the first (RFC 3261 §13.3.1.4).
UNHEARD_ACKS: Final = 3


@define
class Unsent:
    """An ACK that waits for a name: it has no transaction."""

    call: Call
    dialog: Dialog
    request: Request


class Leading(Asking):
    """See the module's docstring."""

    def __init__(self, settings: Settings, token: Callable[[], str], timers: Timers, changed: set[str] | None) -> None:
        super().__init__(settings, token, timers, changed)
        self._places = Places()
        # What waits for a name, in the order in which it was to be sent
        self._unsent: dict[str, list[Slot | Unsent]] = {}

    def name_at(self, address: str) -> str:
        """What the certificate of the host at that address has to be for."""
        return self._trunks.name_at(address) or self._places.named(address) or address

    def located(self, name: str, targets: tuple[Address, ...], seconds: float, now: float) -> list[Output]:
        """To `Sought`: where the name leads, preferred first, and for how long that counts. Nowhere is an answer."""
        self._places.found(name, targets, seconds, now)
        self.counters["next hop not found"] += not targets
        out: list[Output] = []
        for each in self._unsent.pop(name, ()):
            if isinstance(each, Unsent):
                self._send_late(each, out)
            elif each.waits and self._slots.get(each.key) is each:
                self._start_late(each, now, out)
        return out

    def unsent(self, transmit: Transmit, now: float) -> list[Output]:
        self._avoid(transmit)
        return super().unsent(transmit, now)

    def disconnected(self, remote: Address, unwritten: Sequence[Transmit], now: float) -> list[Output]:
        for each in unwritten:
            if each.otherwise in (None, remote):
                self._avoid(each)
        return super().disconnected(remote, unwritten, now)

    def _avoid(self, transmit: Transmit) -> None:
        """An ACK has no transaction that would go elsewhere: the next 2xx asks for it again, and it goes to the next
        host."""
        if transmit.data.startswith(b"ACK "):
            self._places.failed(transmit.otherwise or transmit.destination)

    def _resumed(self, slot: Slot, now: float, out: list[Output]) -> None:
        """A transaction of an earlier life of the process."""
        name, call = slot.name, slot.call
        if not name and slot.answers and call is not None and call.dialog is not None:
            _, name = self._hop(call.dialog)  # its ACK may be asked for again
        if not name:
            return
        self._places.recalled(name, slot.been)
        if self._places.wants(name, now):
            out.append(Sought(name))
        if slot.transaction.asks:
            self._await(slot, now)

    # --- the first request to a name --------------------------------------------------------------------------

    def _hop(self, dialog: Dialog) -> tuple[Way, str]:
        """Where a request in this dialog goes as far as is known, and the name that leads there, "" for none."""
        hop = dialog.next_hop()
        if isinstance(hop, Address):
            return dialog.way(hop), ""
        return dialog.way(next(iter(self._places.targets(hop)), dialog.peer)), hop

    def _seek(self, dialog: Dialog, name: str, now: float, out: list[Output]) -> bool:
        """Has a name looked up. Whether what is to be sent waits for it: not where there is a connection with the peer,
        which goes before."""
        if not name:
            return False
        if self._places.wants(name, now):
            out.append(Sought(name))
        peer = dialog.peer
        return self._places.awaits(name) and not (peer.reliable and name.endswith(f";transport={peer.transport}"))

    def _lead(
        self, dialog: Dialog, hop: tuple[Way, str], call: Call, request: Request, now: float, out: list[Output]
    ) -> Slot:
        """Sends a request of ours in this dialog, as soon as it is known where to."""
        way, name = hop
        waits = self._seek(dialog, name, now, out)
        sent: list[Output] = []
        slot = self._start(request, way, call, now, sent, within=True)
        slot.name = name
        self._await(slot, now)
        if waits:
            slot.waits = True
            self._unsent.setdefault(name, []).append(slot)
            sent = [each for each in sent if not isinstance(each, Transmit)]
        out += sent
        return slot

    def _hop_back(self, dialog: Dialog, source: Address) -> tuple[Way, str]:
        """... of an ACK of what was said from there: to that host, if it is one of the next hop's."""
        way, name = self._hop(dialog)
        return (direct(source) if source in self._places.targets(name) else way), name

    def _lead_ack(
        self, dialog: Dialog, hop: tuple[Way, str], call: Call, request: Request, now: float, out: list[Output]
    ) -> None:
        way, name = hop
        if self._seek(dialog, name, now, out):
            self._unsent.setdefault(name, []).append(Unsent(call, dialog, request))
        else:
            out.append(Transmit(bytes(request), *way))

    def _start_late(self, slot: Slot, now: float, out: list[Output]) -> None:
        slot.waits = False
        target = next(iter(self._places.targets(slot.name)), slot.destination)
        if target == slot.destination:
            self._await(slot, now)
            out.append(Transmit(slot.transaction.last, slot.destination, slot.otherwise))
            return
        self._leave(slot)
        self._elsewhere(slot, target, now, out)

    def _send_late(self, waited: Unsent, out: list[Output]) -> None:
        way, _ = self._hop(waited.dialog)
        before, request = bytes(waited.request), waited.request
        if request.via.transport != way[0].transport.upper():
            request = over(request, self._token(), self._local(way[0]))
        if waited.call.ack == before:
            waited.call.ack = bytes(request)
            self._mark(waited.call)
        out.append(Transmit(bytes(request), *way))

    # --- the next host of a name ------------------------------------------------------------------------------

    def _impatient(self, slot: Slot, now: float, out: list[Output]) -> None:
        """A provisional response is a sign of life: then it is the next hop that waits for others."""
        slot.patience = math.inf
        silent = slot.transaction.state in (State.CALLING, State.TRYING)
        if silent and self._left(slot):
            self.counters[f"no sign of life: {slot.transaction.request.method}"] += 1
            self._leave(slot)
            self._fails_over(slot, now, out)
        elif silent and self._places.awaits(slot.name):
            self._await(slot, now)
        elif slot.transaction.state is not State.TERMINATED:
            self._schedule(slot)

    def _leave(self, slot: Slot) -> None:
        """Nothing that comes of it counts any more, but for a 2xx to an INVITE."""
        self._let_go(slot)

    def _left(self, slot: Slot) -> list[Address]:
        """The hosts of its name where this request was not, for one that belongs to a call, and is not settled."""
        been = _been(slot)
        if slot.call is None or slot.settled:
            return []
        return [each for each in self._places.targets(slot.name) if each not in been]

    def _only_there(self, slot: Slot) -> bool:
        return slot.within and not self._left(slot)

    def _accepted(self, slot: Slot, dialog: Dialog) -> None:
        """A 2xx to our INVITE has come, and is to be acknowledged."""
        slot.answers += 1
        way, name = self._hop(dialog)
        if name and slot.answers > UNHEARD_ACKS:
            self.counters["no sign of life: ACK"] += 1
            self._places.failed(way[0])

    def _fails_over(self, slot: Slot, now: float, out: list[Output]) -> bool:
        """Whether a request that failed where it went goes to another host of the same name."""
        left = self._left(slot)
        if not left:
            return False
        self.counters["next hop failed"] += 1
        been = _been(slot)
        self._places.failed(been[-1])
        self._elsewhere(slot, left[0], now, out).been = been
        return True

    def _elsewhere(self, slot: Slot, target: Address, now: float, out: list[Output]) -> Slot:
        """The same request of a dialog at another host. Our Contact is that by which it reaches us."""
        call = slot.call
        assert call is not None, "a dialog is a call's"
        request = slot.transaction.request
        secure = call.dialog is not None and call.dialog.secure
        contact = self._contact_of(call.trunk, str(request.from_), self._local(target), secure=secure)
        rows = tuple(contact if row[0] == contact[0] else row for row in request.rows)
        return self._anew(slot, evolve(request, rows=rows), direct(target), now, out)


def _been(slot: Slot) -> tuple[Address, ...]:
    """Where this request was, as its name leads there: one that is too long for a datagram goes to the same host."""
    return (*slot.been, slot.instead or slot.destination)
