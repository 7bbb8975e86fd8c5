"""In which order datagrams are heard that wait, and who comes too late."""

from __future__ import annotations

import math
from collections import Counter

from cordboard.sip.arrivals import LONGEST, Arrivals
from cordboard.sip.message import Address

THEIRS = Address("192.0.2.1", 5060)
OURS = Address("192.0.2.2", 5060)


def request(method: str, call: str, tag: str = "") -> bytes:
    to = f"<sip:600@192.0.2.2>;tag={tag}" if tag else "<sip:600@192.0.2.2>"
    return f"{method} sip:600@192.0.2.2 SIP/2.0\r\nTo: {to}\r\nCall-ID: {call}\r\n\r\n".encode()


def heard(arrivals: Arrivals) -> list[tuple[bytes, bool]]:
    found = []
    while (each := arrivals.next()) is not None:
        found.append((each.data, each.late))
    return found


def test_what_is_of_a_call_is_heard_before_what_begins_one() -> None:
    arrivals = Arrivals(lambda: math.inf, Counter())
    one, two, taken_back = request("INVITE", "1"), request("INVITE", "2"), request("CANCEL", "1")
    again, bye, ack = request("INVITE", "3", "ours"), request("BYE", "4", "ours"), request("ACK", "5", "ours")
    ringing = b"SIP/2.0 180 Ringing\r\nTo: <sip:600@192.0.2.2>\r\n\r\n"
    for data in (one, again, two, bye, taken_back, ack, ringing, b"\r\n"):
        arrivals.add(data, THEIRS, OURS)
    assert len(arrivals) == 8
    begins = [(one, False), (two, False), (taken_back, False)]
    assert heard(arrivals) == [*((data, False) for data in (again, bye, ack, ringing, b"\r\n")), *begins]
    assert len(arrivals) == 0


def test_where_there_is_no_room_for_all_those_are_late_that_have_waited_longest() -> None:
    rooms = [3]

    def room() -> float:
        return rooms[0]

    arrivals = Arrivals(room, Counter())
    for number in range(8):
        arrivals.add(request("INVITE", f"{number}"), THEIRS, OURS)
        arrivals.add(request("CANCEL", f"{number}"), THEIRS, OURS)
    found = []
    while (each := arrivals.next()) is not None:
        found.append((each.data, each.late))
        if each.data.startswith(b"INVITE") and not each.late:
            rooms[0] -= 1
    assert [late for data, late in found if data.startswith(b"INVITE")] == [True] * 5 + [False] * 3
    assert not any(late for data, late in found if data.startswith(b"CANCEL"))
    # each CANCEL came right behind its INVITE
    assert [data.split()[0] for data, _ in found] == [b"INVITE", b"CANCEL"] * 8


def test_a_flood_is_held_for_some_seconds_and_no_longer() -> None:
    counters: Counter[str] = Counter()
    arrivals = Arrivals(lambda: math.inf, counters)
    for number in range(LONGEST + 5):
        arrivals.add(request("INVITE", f"{number}"), THEIRS, OURS)
    arrivals.add(request("BYE", "x", "ours"), THEIRS, OURS)
    found = [data for data, _ in heard(arrivals)]
    assert (len(found), found[1]) == (LONGEST + 1, request("INVITE", "5"))
    assert counters["dropped, too many"] == 5
