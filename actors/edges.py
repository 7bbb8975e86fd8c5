"""Who hears whom in a call: one pure function of who is in it.

All who are there and are not held hear each other. Who is held hears the hold prompt, whatever goes on beside it, and
nobody hears who is held. A muted one is heard by nobody, and hears. One whose sound is away is heard by nobody either:
where that leaves somebody alone, a prompt says so. Who has nobody to talk to hears how it rings at whoever is called,
or what that one lets be heard before it answers. Who rings hears nothing of us yet, and who leaves nothing any more.

The right channel of the recording is what the customer hears of others; while it is held both channels are silent, or,
where holds are recorded too, have the customer and what the others say meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from attrs import frozen


class Party(Enum):
    CUSTOMER = "customer"
    AGENT = "agent"
    SECOND = "second"


class Alone(Enum):
    """What somebody hears to whom nobody speaks."""

    HOLD = "hold"
    AWAY = "away"
    RINGBACK = "ringback"


@frozen
class Seat:
    """How one party is in the call; `leg` is empty where it has none, as a robot."""

    leg: str
    held: bool = False
    muted: bool = False
    away: bool = False
    rings: bool = False
    # It rings, and is heard already.
    early: bool = False
    # It has left, or is about to: whoever rings is to have its place.
    leaves: bool = False

    @property
    def there(self) -> bool:
        return not self.held and not self.rings and not self.leaves

    @property
    def speaks(self) -> bool:
        return self.leg != "" and not self.muted and not self.away


Seats = Mapping[Party, Seat]
# Legs, none for silence.
Heard = tuple[str, ...] | Alone


def company(who: Party, seats: Seats) -> tuple[Party, ...]:
    """With whom that party is, be they muted or away; who is not there itself is with nobody."""
    return tuple(party for party, seat in seats.items() if party is not who and seat.there and seats[who].there)


def heard(who: Party, seats: Seats) -> Heard:
    """What that party hears; one that rings hears nothing."""
    if seats[who].rings or seats[who].leaves:
        return ()
    if seats[who].held:
        return Alone.HOLD
    others = [seats[party] for party in company(who, seats)]
    if others:
        return Alone.AWAY if all(seat.away for seat in others) else tuple(s.leg for s in others if s.speaks)
    called = [seat for party, seat in seats.items() if party is not who and seat.rings]
    if not called:
        return ()
    return tuple(seat.leg for seat in called if seat.early and seat.leg) or Alone.RINGBACK


def taped(seats: Seats, *, holds: bool = False) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the recording hears: the left channel the customer, the right all that it hears of others; `holds`: while it
    is held, all that they say."""
    customer = seats[Party.CUSTOMER]
    if customer.leaves or (customer.held and not holds):
        return (), ()
    if customer.held:
        others = (seat for party, seat in seats.items() if party is not Party.CUSTOMER)
        return (customer.leg,), tuple(seat.leg for seat in others if seat.there and seat.speaks)
    right = heard(Party.CUSTOMER, seats)
    return (customer.leg,), () if isinstance(right, Alone) else right
