"""Draws docs/protocol.md from the classes: `python -m cordboard.web.reference > docs/protocol.md`.

Tables come from `actors/page/`, `actors/store/told.py`, `web/protocol.py` and `web/errors.py`; the prose around
them stands here. A test holds that the file is current.
"""

from __future__ import annotations

import inspect
import json
import sys
import typing
from enum import Enum

import attrs

from ..actors import page
from ..actors.store.customers import TAG, TAGS, TICKETS
from ..actors.store.fields import KEPT, RUN_SECONDS, VERSIONS, Field, Version
from ..actors.store.history import HISTORY, PAGE, STATES
from ..actors.store.outbox import Standing
from ..actors.store.paperwork import EARLIER, Paper, Profile, TicketFields
from ..actors.store.quality import Track, Ways
from ..actors.store.told import ListedCall, Span, WholeCall
from ..actors.store.why import NAMED, Decided
from .errors import HTTP_ERRORS
from .history import DEFAULT_DAYS, MAX_DAYS, shown
from .papers import CHANGES_PER_AGENT
from .protocol import (
    CLOSE_REASONS,
    DEMO_COMMANDS,
    MAX_FRAME,
    MAX_ID,
    MAX_NESTING,
    MAX_SDP,
    MAX_TEXT,
    Close,
    Message,
    Own,
    PaperChanged,
    Subprotocol,
    describe,
    encode,
    event,
    reply,
)
from .session import MAX_MALFORMED, MAX_OUTBOX, MAX_WAITING, REQUESTS_PER_SECOND
from .websocket import PING_SECONDS, SILENCE_SECONDS

_OPENING = """# The page protocol

What an agent's page, or a script in its place, says to Cordboard. Drawn from the classes by
`python -m cordboard.web.reference`; do not edit.

## Login

`POST /api/login` with `{"agent": "1001", "password": "…"}` answers `{"agent", "name", "role"}` and sets the cookie
`cordboard` (HttpOnly, Secure, SameSite=Strict). A request without an `Origin` header, which is a script's, is also
given the `token` itself, to be sent as `Authorization: Bearer TOKEN`. `GET /api/me` tells who is logged in, and of the
site the `language`, the `time_zone` and by what a call on a mobile is taken (`accept`); `POST /api/logout` ends the
login and closes its websockets. An `Origin` must be the host itself or one of `[web] origins`.

`GET /api/health` answers 200 when calls can be taken, else 503: `{"ready", "calls", "legs", "failed", "checks"}`. Each
check has `ok` and what it saw: `trunks` (how many are `known`, and by id the `state` of each, its `reason`, `since`
when, and the `calls` it brought and the `calls_out` that live; `inbound` where it has no proxy and is not registered
with us, else `trying`, `up` or `down`), `ticks` (`engine`: it is there and ticks; `late_share` of its last second),
`disk` (`free_bytes` and `trouble` of `data` and `recordings`), `database` (`behind`: rows not yet written; `failing`;
rows `lost`), `alarms` (`standing`). `failed` names those that are not `ok`. Calls cannot be taken without an engine,
nor while the switch starts or stops: then `serving` is in `failed` too. `GET /metrics` is for Prometheus, from the
machine itself or with a bearer token. An HTTP error is `{"error": {"code": …, "text": …}}`:

"""

_ACCESS_POINTS = """
## Access points

`GET /api/access-points`, for who is logged in: where a browser's voice can go, in the order of the configuration, and
what the way there is measured with. `{"ice_ufrag", "ice_pwd", "points": [{"id", "name", "candidates": [[address,
port], …]}]}`; 503 where no engine answers. A peer connection whose remote description has these credentials and the
candidates of one point, `a=ice-lite` and `a=setup:active`, has its ICE checks answered there, and nothing else: the
round trip of its candidate pair is that to the point. No leg is made. The credentials are good as long as the engine
lives. A point is chosen by its `id` in `agent.sign_in` and `agent.media`.
"""

_HISTORY = f"""
## What has happened

For who is logged in. An agent sees the calls it touched: those that rang there, other than in vain because another
was quicker. It hears those in which it talked; of the others the recording is "withheld". Supervisors and
administrators see and hear all. Times are seconds since the Unix epoch; days are those of the organisation's time zone,
and today is one of them.

### `GET /api/calls`

`{{"calls": […], "next": …}}`: {PAGE} calls at most, the newest first. The class of a call is that for the agent whose
list it is: `normal` where that agent answered it, else `ring_abandoned` where the caller left while it rang there,
else `not_connected`. `direction` is "inbound" or "outbound"; `number` is the customer's in both, and `dialled` ours:
what was dialled, or what was shown to the customer. `agents` answered it, or dialled it. `talk_seconds` is how long
that agent was connected: to the transfer, or until the customer is asked for a rating. In the list of all calls class
and talk time are those for the whole centre, where any agent counts, and each moment once; a call that may still be
answered is not in the list. Test numbers and rooms are in none. Of class "voicemail" are the
calls that left a `message`, to the agents of its queue and to who oversees.

| Parameter | Value | If left out |
| --- | --- | --- |
| `days` | a whole number from 1 to {MAX_DAYS} | {DEFAULT_DAYS} |
| `class` | "all" or "normal" or "not_connected" or "ring_abandoned"; "voicemail", without `agent` | "all" |
| `agent` | whose calls; another's only for supervisors and administrators | an agent's own, else all |
| `cursor` | `next` of the page before | the first page |

"""

_CALL = f"""
### `GET /api/calls/ID`

All that is known of one call. `sound` is its recording: `reason` is why it was lost, or why
one that is ready is not whole. `history` up to {HISTORY} calls of the same number before it.
With `agent` its class and talk time are that agent's; another's only for supervisors and administrators.

"""

_QUALITY = """
### `GET /api/calls/ID/quality`

How a call sounded: `{"tracks": […], "ways": […]}`, while it lasts too. A track is one party, the caller first, in
columns of one length, a point each of some 5 s, in a long call of more: what came from the party, and by the last word
of its own reports (`far_`) what arrived there. A score is the `mos` of the E-model (ITU-T G.107), 1 to 4.5, of this leg
alone. null: nothing came, or it is not known.

"""

_WAYS = """
Where sound went one way, `ways` has that it did not come from a party, or not go to it, and when both did again:

"""

_WHY = f"""
### `GET /api/calls/ID/why`

Why a call was offered to whom it was: `{{"decisions": […], "kept_since": …}}`, each by which a queue let it ring
somewhere, the first first. Each is made again from what was kept of it, which was all that the queue knew: `same` is
false where that comes to others now. `candidates` could have the call; of them, and of those who were `passed` over for
one reason, {NAMED} are named. With `agent`, `told` says how that agent stood, another's only for supervisors and
administrators; an agent is always told of itself, and of the others only their number. `kept_since`: what was decided
about the call before then is not kept any more (`[store] decisions_days`); null where all is.

"""

_RECORDING = f"""
### `GET /api/calls/ID/recording`

The sound of a call: two channels, the customer left, the agents right. HEAD, one range of bytes, `If-Range` and
`If-None-Match` are served. While the call lasts or its file is encoded the answer is 409 with `Retry-After`; where
there is none, or it was lost, 404; to an agent who did not talk in it, 403. Each play is in the audit, and each
refusal: who, which call, when, at which address. Where the audit cannot be written nothing is played. The ranges that a
player asks for within an hour of a play belong to that one.

### `GET /api/calls/ID/peaks`

Its waveform, with the same answers: `{{"seconds", "per_second", "channels": [[…], […]]}}`, left first. A peak is an
absolute value, 0 to 127 (full scale); the n-th covers the time from n / `per_second` on.

### `GET /api/agents/ID/states`

`{{"states": […], "next": …}}`: how an agent stood in the last `days` days, {STATES} states at most, the oldest first,
each from where the one before it ended. The first may have begun earlier; the last has no end, and `seconds` counts it
up to now. With `next` as `cursor` comes the next page.

"""

_PAPER = f"""
### `GET /api/calls/ID/paper`

The paperwork of a call: the profile and tags of its customer, what each agent wrote of the call, the customer's tickets
and its {EARLIER} calls before. The customer is found by its number, of which +86, 0086 and a leading 0 are one, and
comes into being with the first thing that is written; of a call that shows no number it is a customer of that call
alone. For who may see the call, from the moment that it rings; test numbers and rooms have none. `writable` is true for
agents who talk or talked in the call, or dialled it, and for supervisors and administrators.

"""

_PAPER_ACTS = f"""
### `POST /api/calls/ID/paper`

One change of it; the answer is the whole paper with the change in it. A value that cannot be stored is 400, and the
text says which field and why.

- `{{"edit": {{"kind", "field", "value", "version"}}}}`, of a "ticket" with its `ticket`. Of a "summary" the `field` is
  "text", and it is one's own. `version` is that of the value which was edited, 0 where there was none. If another was
  stored meanwhile, the answer is 409 with the `paper` as it stands, and nothing is changed: show both, and send what
  was chosen with the new version. The value that stands there already is accepted in any version, so a change whose
  answer was lost may be sent again.
- `{{"tag", "on"}}` adds or removes a tag: 1 to {TAG} characters, without spaces around it, {TAGS} at most.
- `{{"ticket": {{"key", "title", "text"}}}}` opens a ticket. `key` is drawn by chance, 16 to 64 letters, digits, - and
  _: sent again, it opens no second one. A customer has {TICKETS} at most; `status` is "open" or "waiting" or "done".

Each may have "agent" beside it, whose it is: 401 where another is logged in. Pages of one browser have one login, and
one of them may not have heard yet that it is another's.

`limits` of the paper has how many characters each value may have. Control characters are refused, but for line feeds
and tabs in `address`, `note` and `text`, and so are those that turn the writing round (U+202E and the like), but there;
`email` has an @, or nothing; `title` is not blank. An agent who asks for more than {CHANGES_PER_AGENT} changes in a
minute hears 429, with Retry-After.

### `GET /api/calls/ID/paper/versions`

`{{"versions": […]}}`: what a field was, {VERSIONS} values at most of the {KEPT} that are kept, the newest first. `kind`
and `field` as of an edit, of a ticket with `ticket`; of a summary with `agent`, or it is one's own. What one agent
types on in one call within {RUN_SECONDS:.0f} s is one version, unless more than half of the text goes by it.

"""

_WEBHOOKS = """
## Other systems

For administrators; to anybody else 403. A POST is answered for our own pages and for scripts, as any that changes
something.

### `GET /api/webhooks`

How each `[[webhook]]` fares: `{"webhooks": […]}`, in the order of the organisation. Of `url` what stands behind a
question mark is left out, for it may be a secret. `waiting` is how much it has not taken yet, of which the oldest
happened at `oldest`; the next try is at `due`, and the last try of what waits met `trouble`, as "HTTP 500" or why there
was no answer. `taken` is when it last took something, `given_up` how much of the last days it never took.

"""

_WEBHOOK_ACTS = """
### `POST /api/webhooks/ID/test`

Sends it `{"type": "webhook.test", "timestamp": …, "data": {}}` now, signed as all that it is sent, and gives what it
said: `{"taken", "status", "trouble"}`, with a `status` of 0 and a `trouble` where it said nothing. Nothing of it is
kept.

### `POST /api/webhooks/ID/send`

Tries all that waits for it now, and not when it is `due`; 204.
"""

_WEBSOCKET = f"""
## The websocket

`GET /ws` with the cookie or the bearer token, offering one of two subprotocols that carry the same messages:
`{Subprotocol.JSON.value}` in text frames, for people and scripts, and `{Subprotocol.MSGPACK.value}` in binary frames.
A frame holds one map, is at most {MAX_FRAME} bytes long and nests at most {MAX_NESTING} deep.

A request has an `id`, a whole number from 0 to {MAX_ID} (2^53) that no other request of this connection still waits
with, and a `do`; every other field is the command's. Unknown fields, wrong types and repeated keys are errors. Text is
at most {MAX_TEXT} characters long, an `sdp` {MAX_SDP}. Every request has one reply:
`{{"id": 7, "ok": true}}`, or `{{"id": 7, "error": {{"code": …, "text": …}}}}` with an `id` of null where the frame had
none that could be read. A reply means *accepted*; results are events.

An event has an `event`, a `rev` that only grows, and its fields. After connecting, a page asks for a `snapshot` and
drops every event whose `rev` is not greater than the snapshot's; `colleagues` and `paper.changed` have a `rev`
of their own. Of `media.quality` and `paper.changed`, and of `queue.status` for one queue, a page that is behind
gets only the newest. Times are seconds since the Unix epoch.

Limits of one connection: {REQUESTS_PER_SECOND:.0f} requests per second and {MAX_WAITING} waiting for their
reply, beyond that `busy`; {MAX_MALFORMED} malformed frames in a row; {MAX_OUTBOX} messages not yet read. The switch
pings every {PING_SECONDS:.0f} s and gives up a page not heard of, by pong or else, for {SILENCE_SECONDS:.0f} s.
"""

_ANY_REQUEST = """Any request may be refused with `bad_request`, and with `busy` beyond the limits above; what else a
command may be refused with stands beside it. The codes are told in words under Replies."""


def draw() -> str:
    """The whole of docs/protocol.md."""
    parts = [
        _OPENING,
        _table(
            ["Code", "Status", "Text"],
            [[f"`{code}`", str(status), text] for code, (status, text) in HTTP_ERRORS.items()],
        ),
        _ACCESS_POINTS,
        _HISTORY,
        _fields(ListedCall, given=False),
        _CALL,
        _fields(WholeCall, given=False),
        _QUALITY,
        _fields(Track, given=False),
        _WAYS,
        _fields(Ways, given=False),
        _WHY,
        _fields(Decided, given=False),
        _RECORDING,
        _fields(Span, given=False),
        _PAPER,
        _fields(Paper, given=False),
        "\nIts parts:\n\n",
        _table(
            ["Part", "Fields"],
            [
                ["a field", _names(Field)],
                ["`fields` of a customer", _names(Profile)],
                ["`fields` of a ticket", _names(TicketFields)],
            ],
        ),
        _PAPER_ACTS,
        _fields(Version, given=False),
        _WEBHOOKS,
        _fields(Standing, given=False),
        _WEBHOOK_ACTS,
        _WEBSOCKET,
        "\n## Commands\n",
        f"\n{_ANY_REQUEST}\n",
        *(_command(do, command) for do, command in DEMO_COMMANDS.items()),
        "\n## Replies\n",
        "\nThe reply to a command that was accepted has `ok` and these fields, left out where empty:\n\n",
        _fields(page.Accepted, given=False),
        "\nThe reply to `snapshot` has `ok` and these:\n\n",
        _fields(page.Snapshot, given=False),
        "\nA command that was refused has an `error` with one of these codes:\n\n",
        _table(["Code", "Text"], [[f"`{code}`", text] for code, text in page.REFUSALS.items()]),
        "\nA call out that comes to nothing says why by one of these codes (`call.failed`):\n\n",
        _table(["Code", "Text"], [[f"`{code}`", text] for code, text in page.FAILURES.items()]),
        "\n## Events\n",
        *(_section(kind.event, kind, given=False) for kind in (*typing.get_args(page.Event), PaperChanged)),
        "\n## Close codes\n\n",
        _table(["Code", "Why"], [[str(int(code)), CLOSE_REASONS[code]] for code in Close]),
        "\n## An example\n\n",
        _example(),
    ]
    return "".join(parts)


def _section(name: str, kind: type, *, given: bool) -> str:
    # attrs writes a signature where a class has no docstring
    doc = "" if kind.__doc__ is None or "__attrs_own" in kind.__doc__ else inspect.cleandoc(kind.__doc__)
    fields = _fields(kind, given=given)
    return "\n".join(part for part in (f"\n### `{name}`\n", doc and f"{doc}\n", fields) if part)


def _command(do: str, kind: type[page.Command | Own]) -> str:
    refused = f"\nRefused with {', '.join(f'`{code}`' for code in kind.refusals)}.\n" if kind.refusals else ""
    return _section(do, kind, given=True) + refused


def _fields(kind: type, *, given: bool) -> str:
    """A table of the fields; `given` by a page, which may leave some out, or sent to it, always all."""
    hints = typing.get_type_hints(kind)
    rows = []
    for field in attrs.fields(kind):
        row = [f"`{field.name.rstrip('_')}`", _type_in_words(hints[field.name])]
        rows.append([*row, _default_in_words(field.default)] if given else row)
    return _table(["Field", "Type", "If left out"] if given else ["Field", "Type"], rows) if rows else ""


def _type_in_words(kind: typing.Any) -> str:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return " or ".join(f'"{member.value}"' for member in kind)
    if typing.get_origin(kind) is tuple:
        return f"list of: {_type_in_words(typing.get_args(kind)[0])}"
    arms = typing.get_args(kind)
    if type(None) in arms and (attrs.has(arms[0]) or issubclass(arms[0], Enum)):
        return f"{_type_in_words(arms[0])}, or null"
    if kind is ListedCall:
        return "map as in the list of calls"
    if isinstance(kind, type) and attrs.has(kind):
        if hasattr(kind, "event"):
            return f"map with the fields of `{kind.event}`"
        return f"map of {_names(kind)}"
    return describe(kind)


def _names(kind: type[attrs.AttrsInstance]) -> str:
    return ", ".join(f"`{name.rstrip('_')}`" for name in shown(kind))


def _default_in_words(default: object) -> str:
    return "required" if default is attrs.NOTHING else json.dumps(default)


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _example() -> str:
    """A dialogue made with the very functions that make the frames."""
    offered = page.CallOffered(
        call="c81f", queue="support", queue_name="Support", number="+8613912345678", name="", dialled="+861055501000",
        waiting_since=1767225600.0, offered_at=1767225604.5, ring_until=1767225634.5,
    )  # fmt: skip
    connected = page.CallConnected(
        call="c81f", queue="support", queue_name="Support", number="+8613912345678", name="", dialled="+861055501000",
        since=1767225609.0,
    )  # fmt: skip
    snapshot = page.Snapshot(
        rev=3, agent="1001", name="Lin", state=page.State.SIGNED_OUT, reason="login", since=1767225500.0,
        owner="none", media="none", now=1767225590.0,
    )  # fmt: skip
    idle = page.AgentState(page.State.IDLE, "signed in", 1767225591.0)
    talking = page.AgentState(page.State.TALKING, "answered", 1767225609.0)
    after = page.AgentState(page.State.AFTER_CALL_WORK, "hung up", 1767225660.0)
    lines: list[tuple[str, Message]] = [
        (">", {"id": 1, "do": "snapshot"}),
        ("<", reply(1, snapshot)),
        (">", {"id": 2, "do": "agent.sign_in", "media": "none"}),
        ("<", reply(2, page.Accepted())),
        ("<", event(4, idle)),
        ("<", event(5, offered)),
        (">", {"id": 3, "do": "call.answer", "call": "c81f"}),
        ("<", reply(3, page.Accepted())),
        ("<", event(6, talking)),
        ("<", event(7, connected)),
        (">", {"id": 4, "do": "call.answer"}),
        ("<", reply(4, page.refuse("not_ringing"))),
        (">", {"id": 5, "do": "call.hang_up"}),
        ("<", reply(5, page.Accepted())),
        ("<", event(8, page.CallEnded("c81f", "agent", "hung up"))),
        ("<", event(9, after)),
    ]
    drawn = [f"{way} {encode(message, Subprotocol.JSON)!s}" for way, message in lines]
    return "\n".join(["```", *drawn, "```", ""])


if __name__ == "__main__":
    sys.stdout.write(draw())
