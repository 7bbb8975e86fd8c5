"""The one answer to each request, and in words what is refused and what fails."""

from __future__ import annotations

from attrs import frozen

from .. import gate


@frozen
class Accepted:
    """`{"id": ..., "ok": true}`; `sdp` and `leg` are there where a WebRTC offer was answered."""

    sdp: str = ""
    leg: str = ""


# Every code a reply's error may have, with what it tells a person; docs/protocol.md lists them.
REFUSALS: dict[str, str] = {
    "bad_request": "The message is not a request of this protocol.",
    "unknown_command": "There is no such command.",
    "not_signed_in": "Sign in first.",
    "not_owner": "Another page of this agent is signed in; take over first.",
    "signed_in_elsewhere": "This agent is signed in on another page; take over to use this one.",
    "media_refused": "The media offer cannot be used.",
    "media_lost": "That media connection is gone; sign in again.",
    "in_call": "Not while in a call.",
    "ringing": "Not while a call is ringing.",
    "not_in_after_call_work": "There is no after-call work to end.",
    "no_call": "There is no such call here.",
    "not_answered_yet": "The far side has not answered yet.",
    "not_ringing": "No call is ringing.",
    "caller_left": "The caller left before the answer.",
    "answered_elsewhere": "Another agent answered this call.",
    "no_answer": "The call was not answered in time.",
    "bad_target": "Name one target: a colleague or a number, or a queue for a transfer.",
    "no_such_agent": "There is no such colleague.",
    "own_self": "That is yourself.",
    "agent_not_idle": "This colleague is not idle.",
    "no_such_queue": "There is no such queue.",
    "second_there": "Somebody else is in this call; end that first.",
    "no_second": "You consult nobody, and nobody is invited.",
    "not_yours": "Who is consulted or invited does not control the call.",
    "on_hold": "Not while the customer is held.",
    "too_many_transfers": "This call has been transferred as often as a call may be.",
    "taken_back": "The other agent took it back.",
    "waited_too_long": "The caller had waited for as long as the queue allows.",
    "busy": "The switch is busy; try again.",
    "on_mobile": "Not while a call is on the mobile.",
    "no_mobile": "No mobile number is known of that agent.",
    "not_found": "There is no such call, or you may not see it.",
    "unavailable": "The database cannot be read now; try again.",
    **{str(why): words for why, words in gate.WORDS.items()},
}


# Every code that a call out may fail with, with what it tells a person; docs/protocol.md lists them.
FAILURES: dict[str, str] = {
    **{str(why): words for why, words in gate.WORDS.items()},
    "number_not_ours": "The caller number that you chose is no longer available; choose another.",
    "too_many_calls": "You have as many calls out as you may have.",
    "too_often": "You have dialled as often as you may in a minute.",
    "trunk_down": "The trunk that would take this call is down.",
    "not_registered": "The telephone system that would take this call is not connected.",
    "trunk_busy": "The trunk has as many calls as it may have.",
    "switch_busy": "The switch takes no more calls for now; try again.",
    "no_such_number": "The number is not in service.",
    "line_busy": "The line is busy.",
    "not_answered": "Nobody answered.",
    "switched_off": "The telephone is switched off, or out of reach.",
    "call_declined": "The call was declined.",
    "call_blocked": "A network on the way blocks this call as unwanted.",
    "number_wanted": "The other side takes no calls that show no number.",
    "trunk_refused": "The trunk does not let this call through.",
    "no_common_media": "The far side speaks nothing that the switch speaks.",
    "number_moved": "The number has moved.",
    "redirect_barred": "The number is forwarded to one that the dialling rules do not allow.",
    "unreachable": "The network cannot reach this number now.",
    "no_media": "The switch has no sound for this call.",
    "no_mobile": "No mobile number is known of that agent.",
    "not_accepted": "The call was picked up, and nobody pressed 1 to take it.",
    "given_up": "You hung up before there was an answer.",
    "call_failed": "The call failed.",
    "declined": "Your colleague declined.",
    "no_answer": "Your colleague did not answer.",
    "not_idle": "Your colleague is not idle any more.",
    "hung_up": "The other party hung up.",
    "gone": "The other party is gone.",
}


@frozen
class Refused:
    """`{"id": ..., "error": {"code": ..., "text": ...}}`; `code` is one of `REFUSALS`."""

    code: str
    text: str


def refuse(code: str, detail: str = "") -> Refused:
    """The refusal of that code, with `detail` after the text it always has."""
    return Refused(code, f"{REFUSALS[code]} {detail}".strip())
