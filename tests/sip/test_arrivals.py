"""In which order datagrams are heard that wait, and who comes too late."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

from cordboard.sip.arrivals import LONGEST, MOST_OCTETS, Arrivals
from cordboard.sip.message import Address

THEIRS = Address("192.0.2.1", 5060)
STRANGER = Address("198.51.100.1", 5060)
OURS = Address("192.0.2.2", 5060)


def request(method: str, call: str, tag: str = "") -> bytes:
    to = f"<sip:600@192.0.2.2>;tag={tag}" if tag else "<sip:600@192.0.2.2>"
    return f"{method} sip:600@192.0.2.2 SIP/2.0\r\nTo: {to}\r\nCall-ID: {call}\r\n\r\n".encode()


def waiting(room: Callable[[], float] = lambda: math.inf) -> Arrivals:
    """Of one trunk, and of a call whose tag of ours is "ours"."""
    return Arrivals(lambda data, source: source == THEIRS or b";tag=ours" in data, room, Counter())


def heard(arrivals: Arrivals) -> list[tuple[bytes, bool]]:
    found = []
    while (each := arrivals.next()) is not None:
        found.append((each.data, each.late))
    return found


def test_what_is_of_a_call_is_heard_before_what_begins_one() -> None:
    arrivals = waiting()
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

    arrivals = waiting(room)
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
    arrivals = Arrivals(lambda data, source: source == THEIRS, lambda: math.inf, counters)
    for number in range(LONGEST + 5):
        arrivals.add(request("INVITE", f"{number}"), THEIRS, OURS)
        arrivals.add(request("OPTIONS", f"{number}"), STRANGER, OURS)
    arrivals.add(request("BYE", "x", "ours"), THEIRS, OURS)
    found = [data for data, _ in heard(arrivals)]
    assert (len(found), found[1:3]) == (2 * LONGEST + 1, [request("INVITE", "5"), request("OPTIONS", "5")])
    assert counters["dropped, too many"] == 10


def test_what_is_long_takes_the_room_of_many() -> None:
    arrivals = waiting()
    for _ in range(1000):
        arrivals.add(request("BYE", "x", "ours") + bytes(60_000), STRANGER, OURS)
        if arrivals.full:
            break
        arrivals.add(bytes(60_000), STRANGER, OURS)
    for number in range(100):
        arrivals.add(bytes(60_000 + number), STRANGER, OURS)
    found = [data for data, _ in heard(arrivals)]
    assert 2 * MOST_OCTETS <= sum(map(len, found)) < 2 * (MOST_OCTETS + 65536)
    assert found[-1] == bytes(60_099)


def test_what_is_of_calls_is_left_to_the_system_where_too_much_of_it_waits() -> None:
    arrivals = waiting()
    for number in range(LONGEST):
        assert not arrivals.full
        arrivals.add(request("BYE", f"{number}", "ours"), STRANGER, OURS)
    assert arrivals.full
    arrivals.next()
    assert not arrivals.full


def test_who_is_not_known_is_heard_in_turn_with_calls_that_begin_and_makes_none_late() -> None:
    """Nor is it heard before them, whatever it says: else a flood of anybody's would leave the switch without calls."""
    arrivals = waiting(lambda: 2)
    calls = [request("INVITE", f"{number}") for number in range(2)]
    noise = [request(method, method) for method in ("INVITE", "REGISTER", "BYE", "INVITE")]
    noise += [
        request("BYE", "guessed", "theirs"),
        b"SIP/2.0 200 OK\r\nTo: <sip:600@192.0.2.2>;tag=guessed\r\n\r\n",
        b"",
    ]
    for data in noise:
        arrivals.add(data, STRANGER, OURS)
    for data in calls:
        arrivals.add(data, THEIRS, OURS)
    of_a_call = request("BYE", "x", "ours")
    arrivals.add(of_a_call, STRANGER, OURS)
    order = [of_a_call, calls[0], noise[0], calls[1], *noise[1:]]
    assert heard(arrivals) == [(data, False) for data in order]
