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

A guest has no name: it is reached by the connection that it was heard by. Where that is gone, as all are that an
earlier process had, a request goes by the one that it has registered by since (RFC 5626 §5.3: any flow of the same
instance), else by a new one to where it listens, if that is known (`way_back`). Where nothing leads to it the request
waits for it to register, for as long as its transaction lives. What failed with its connection goes the same ways. An
ACK has no time to wait: the next 2xx asks for it again.

The layer of `Endpoint` between `asking` and `sending`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

from attrs import define, evolve

from .asking import Asking, Settings, direct
from .binding import Binding
from .call import Call
from .dialog import Dialog, is_secure, over
from .events import Output, Sought, Transmit
from .layer import Key, Slot, Way
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
        # The far ends of connections on which something was heard, and that are not gone
        self._alive: set[Address] = set()
        # What waits for its guest to register
        self._unreached: dict[Key, Slot] = {}

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
        self._alive.discard(transmit.destination)
        self._avoid(transmit)
        return super().unsent(transmit, now)

    def disconnected(self, remote: Address, unwritten: Sequence[Transmit], now: float) -> list[Output]:
        self._alive.discard(remote)
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
            _, name = self._hop(call.dialog, call.trunk)  # its ACK may be asked for again
        if not name:
            return
        self._places.recalled(name, slot.been)
        if self._places.wants(name, now):
            out.append(Sought(name))
        if slot.transaction.asks:
            self._await(slot, now)

    # --- the first request to a name --------------------------------------------------------------------------

    def _hop(self, dialog: Dialog, trunk: str) -> tuple[Way, str]:
        """Where a request in this dialog goes as far as is known, and the name that leads there, "" for none."""
        hop = dialog.next_hop()
        if isinstance(hop, Address):
            return self._reached(trunk, dialog.target, dialog.way(hop)), ""
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
        unreached = self._is_unreached(call.trunk, way)
        sent: list[Output] = []
        slot = self._start(request, way, call, now, sent, within=True)
        slot.name = name
        self._await(slot, now)
        if waits:
            slot.waits = True
            self._unsent.setdefault(name, []).append(slot)
        if unreached:
            self._await_guest(slot)
        out += [each for each in sent if not (slot.waits and isinstance(each, Transmit))]
        return slot

    def _hop_back(self, dialog: Dialog, trunk: str, source: Address) -> tuple[Way, str]:
        """... of an ACK of what was said from there: to that host, if it is one of the next hop's."""
        way, name = self._hop(dialog, trunk)
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
        self._let_go(slot)  # nothing that comes of it counts, but for a 2xx to an INVITE
        self._elsewhere(slot, direct(target), now, out)

    def _send_late(self, waited: Unsent, out: list[Output]) -> None:
        way, _ = self._hop(waited.dialog, waited.call.trunk)
        before, request = bytes(waited.request), waited.request
        if request.via.transport != way[0].transport.upper():
            request = over(request, self._token(), self._local(way[0]))
        if waited.call.ack == before:
            waited.call.ack = bytes(request)
            self._mark(waited.call)
        out.append(Transmit(bytes(request), *way))

    # --- the next connection of a guest -----------------------------------------------------------------------

    def _is_gone(self, remote: Address) -> bool:
        """Whether that is the far end of no connection any more."""
        return remote.reliable and remote not in self._alive

    def _reached(self, trunk: str, target: str, way: Way) -> Way:
        """That way, or by which a guest whose connection is gone is reached now."""
        return next(iter(self._ways(trunk, target, way)), way) if self._is_gone(way[0]) else way

    def _ways(self, trunk: str, target: str, way: Way) -> list[Way]:
        """By which a guest is reached who has this Contact and was heard on a connection that is gone, best first."""
        if self._trunks.settings(trunk).guest is None:
            return []
        bound = self._registrar.nearest(trunk, target)
        ways: list[Way] = [(each.flow, each.back) for each in bound if each.flow in self._alive]
        ways += [direct(each) for each in (way[1], *map(_otherwise, bound)) if each is not None]
        return [each for each in ways if each[0].transport == "tls" or not is_secure(target)]

    def _is_unreached(self, trunk: str, way: Way) -> bool:
        """Whether nothing leads to this guest until it registers."""
        return way[1] is None and self._is_gone(way[0]) and self._trunks.settings(trunk).guest is not None

    def _await_guest(self, slot: Slot) -> None:
        """It is not sent before."""
        if slot.key in self._slots:  # else it may not be sent at all
            slot.waits = True
            self._unreached[slot.key] = slot

    def _let_go(self, slot: Slot) -> None:
        super()._let_go(slot)
        self._unreached.pop(slot.key, None)

    def _guest_came(self, trunk: str, now: float, out: list[Output]) -> None:
        """It has registered: what waited for that is sent."""
        for slot in list(self._unreached.values()):
            assert slot.call is not None, "a dialog is a call's"
            way = self._reached(slot.call.trunk, slot.transaction.request.uri, (slot.destination, slot.otherwise))
            if slot.call.trunk == trunk and not self._is_unreached(trunk, way):
                self._let_go(slot)
                self._elsewhere(slot, way, now, out)

    # --- the next host of a name ------------------------------------------------------------------------------

    def _impatient(self, slot: Slot, now: float, out: list[Output]) -> None:
        """A provisional response is a sign of life: then it is the next hop that waits for others."""
        slot.patience = math.inf
        silent = slot.transaction.state in (State.CALLING, State.TRYING)
        if silent and self._left(slot):
            self.counters[f"no sign of life: {slot.transaction.request.method}"] += 1
            self._let_go(slot)
            self._fails_over(slot, now, out)
        elif silent and self._places.awaits(slot.name):
            self._await(slot, now)
        elif slot.transaction.state is not State.TERMINATED:
            self._schedule(slot)

    def _left(self, slot: Slot) -> list[Way]:
        """The hosts of its name, or the ways to its guest, where this request was not, for one that belongs to a call,
        and is not settled."""
        been = _been(slot)
        if slot.call is None or slot.settled:
            return []
        ways = [direct(each) for each in self._places.targets(slot.name)]
        if slot.within and self._is_gone(slot.destination):
            ways += self._ways(slot.call.trunk, slot.transaction.request.uri, (slot.destination, None))
        return [each for each in ways if each[0] not in been]

    def _only_there(self, slot: Slot) -> bool:
        return slot.within and not self._left(slot)

    def _accepted(self, slot: Slot, call: Call) -> None:
        """A 2xx to our INVITE has come, and is to be acknowledged (RFC 3261 §13.2.2.4). By TCP it comes again too
        (§13.3.1.4), and what is written on a connection need not arrive."""
        slot.answers += 1
        self._mark(call)
        assert call.dialog is not None, "a 2xx makes one"
        way, name = self._hop(call.dialog, call.trunk)
        if name and slot.answers > UNHEARD_ACKS:
            self.counters["no sign of life: ACK"] += 1
            self._places.failed(way[0])
            if way[0].reliable:
                call.dialog = evolve(call.dialog, peer=next(iter(self._places.targets(name)), way[0]))

    def _fails_over(self, slot: Slot, now: float, out: list[Output]) -> bool:
        """Whether a request that failed where it went goes to another host of the same name, or to its guest as soon as
        that is there."""
        been, left = _been(slot), self._left(slot)
        if left:
            self.counters["next hop failed"] += 1
            self._places.failed(been[-1])
            self._elsewhere(slot, left[0], now, out).been = been
            return True
        if slot.call is None or slot.settled or slot.waits or not slot.within:
            return False
        way = slot.destination, None
        if not self._is_unreached(slot.call.trunk, way):
            return False
        again = self._anew(slot, slot.transaction.request, way, now, [])
        again.been = been
        self._await_guest(again)
        return True

    def _elsewhere(self, slot: Slot, way: Way, now: float, out: list[Output]) -> Slot:
        """The same request of a dialog by another way. Our Contact is that by which it reaches us."""
        call = slot.call
        assert call is not None, "a dialog is a call's"
        request = slot.transaction.request
        secure = call.dialog is not None and call.dialog.secure
        contact = self._contact_of(call.trunk, str(request.from_), self._local(way[0]), secure=secure)
        rows = tuple(contact if row[0] == contact[0] else row for row in request.rows)
        return self._anew(slot, evolve(request, rows=rows), way, now, out)


def _otherwise(binding: Binding) -> Address | None:
    """Where a guest is called that has bound itself so, whatever became of its connection."""
    return binding.back if binding.flow.reliable else binding.flow


def _been(slot: Slot) -> tuple[Address, ...]:
    """Where this request was, as its name leads there: one that is too long for a datagram goes to the same host."""
    return (*slot.been, slot.instead or slot.destination)
