"""What the network says of a call that came to nothing, as the code of what a person is told (`page.FAILURES`).

A cause of the telephone network (Q.850, which gateways tell in a Reason header, RFC 3326) goes before the status of
SIP: 480 and 503 stand for many of them. `asks_elsewhere` is whether another host of the same network could do better:
not where it was the callee, or its line, that said so. `asks_another_trunk` is whether another network could, where
this one does not let us through: it wants another password (401 and 407, after ours was shown), money, or another
caller, or it refuses us (403). All its hosts know us alike.
"""

from __future__ import annotations

from typing import Final

# Final answers of SIP (RFC 3261 §21, and those registered since) but for 5xx: what is not named here is `call_failed`.
_BY_STATUS: Final[dict[int, str]] = {
    **dict.fromkeys((300, 301, 302, 305, 380), "number_moved"),
    **dict.fromkeys((401, 402, 403, 407), "trunk_refused"),
    # RFC 8224 §6.2.2: who calls is not proved in the way that the network wants
    **dict.fromkeys((428, 436, 437, 438), "trunk_refused"),
    **dict.fromkeys((404, 410, 484, 485, 604), "no_such_number"),
    **dict.fromkeys((408, 480, 487), "not_answered"),
    **dict.fromkeys((486, 600), "line_busy"),
    **dict.fromkeys((415, 488, 606), "no_common_media"),
    433: "number_wanted",  # RFC 5079 §5
    **dict.fromkeys((603, 607), "call_declined"),  # RFC 8197 §4
    608: "call_blocked",  # RFC 8688 §3.1
    # of 5xx those that say nothing of the network's state
    **dict.fromkeys((501, 505, 513), "call_failed"),
}
# Q.850 §2.2.7.
_BY_CAUSE: Final[dict[int, str]] = {
    **dict.fromkeys((1, 28), "no_such_number"),
    17: "line_busy",
    **dict.fromkeys((18, 19), "not_answered"),
    20: "switched_off",
    21: "call_declined",
    **dict.fromkeys((22, 23), "number_moved"),
    **dict.fromkeys((2, 3, 25, 27, 34, 38, 41, 42, 44, 46, 47, 102), "unreachable"),
    **dict.fromkeys((29, 50, 52, 54, 55, 57, 62, 87), "trunk_refused"),
    **dict.fromkeys((58, 63, 65, 69, 70, 79, 88), "no_common_media"),
}
# The far side cannot: another host of the same network may.
_ELSEWHERE: Final = frozenset({408, 500, 502, 503, 504, 580})
# The network refuses us, and has asked nobody: what gateways make of a callee's word has its cause with it.
_OF_THE_TRUNK: Final = frozenset({401, 402, 403, 407, 428, 436, 437, 438})
# ... because of the password (RFC 3261 §22.2, §22.3).
_OF_THE_PASSWORD: Final = frozenset({401, 407})
# Of a route that there is not.
_NO_ROUTE: Final = frozenset({2, 3})
# What only the callee, or its exchange, says.
_OF_THE_CALLEE: Final = frozenset({1, 17, 18, 19, 20, 21, 22, 23, 28})


def why_of(status: int, cause: int = 0) -> str:
    """The code of a final answer that is none."""
    found = _BY_CAUSE.get(cause) or _BY_STATUS.get(status)
    return found or ("unreachable" if 500 <= status < 600 else "call_failed")


def asks_elsewhere(status: int, cause: int = 0) -> bool:
    return status in _ELSEWHERE and cause not in _OF_THE_CALLEE


def asks_another_trunk(status: int, cause: int = 0, *, emergency: bool = False) -> bool:
    """An emergency call asks for it whatever is said, but that the centre is busy: that a number does not exist, or may
    not be called, is then no more than that nobody there knows where it leads, and nobody there declines a call, while
    PBXs say 603 where they have no better word."""
    if emergency:
        return why_of(status, cause) != "line_busy"
    return cause in _NO_ROUTE or (status in _OF_THE_TRUNK and cause not in _OF_THE_CALLEE)


def wants_password(status: int) -> bool:
    return status in _OF_THE_PASSWORD
