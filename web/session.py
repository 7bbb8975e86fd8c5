"""One page's session: what it may still ask, what it has yet to hear, and when it must end.

Bookkeeping without I/O; `web/websocket.py` is the shell that moves frames. A frame goes in through `receive`, which
gives what is to be done about it or puts the error reply into the outbox itself. Events and replies come in through
`push` and `reply`, called synchronously by the hub, and leave in order through `next`.

The outbox is bounded. Of an event that only tells how something stands now (`_coalescing_key`), the newest alone is
kept: it takes the place at the end, so that revisions still leave in growing order. Everything else must be delivered;
a page that reads too slowly for that is closed with 1013, and takes a snapshot when it is back.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from ..actors import page
from .metrics import WebMetrics
from .protocol import (
    DEMO_COMMANDS,
    PAGE_COMMANDS,
    BadFrameError,
    Close,
    DemoCall,
    Message,
    PaperChanged,
    Subprotocol,
    WatchPaper,
    decode,
    event,
    reply,
)

# Must-deliver messages in an outbox: a snapshot and the events of minutes. A page behind by more is not reading.
MAX_OUTBOX = 256
# Malformed frames in a row before the connection is closed: enough to see the errors, too few for a broken loop.
MAX_MALFORMED = 20
# Requests a page may make per second, and at once. People click slower, robots need no more.
REQUESTS_PER_SECOND = 50.0
REQUEST_BURST = 50.0
# Requests of one page that wait for their reply. Agents answer in milliseconds.
MAX_WAITING = 64


@frozen
class DemoRequest:
    """The page asked for the synthetic customer: the shell's to do, not the agent's."""

    id: int


@frozen
class WatchRequest:
    """The page asked to hear of changes of the paperwork of a call, or of none's: the shell's to do, too."""

    id: int
    call: str


class Outbox:
    """Messages on their way to one page, oldest first."""

    def __init__(self, limit: int = MAX_OUTBOX) -> None:
        self._limit = limit
        self._queue: dict[object, Message] = {}  # in order; the key is the coalescing key, or a number of its own
        self._must_deliver = 0
        self._next_number = 0
        self.coalesced = 0

    def put(self, message: Message, key: str = "") -> bool:
        """Adds `message`; with a key, in place of the one that waits with the same key. False: it does not fit."""
        if key:
            if self._queue.pop(key, None) is not None:
                self.coalesced += 1
            self._queue[key] = message
            return True
        if self._must_deliver >= self._limit:
            return False
        self._must_deliver += 1
        self._queue[self._next_number] = message
        self._next_number += 1
        return True

    def take(self) -> Message | None:
        """The oldest, or None."""
        if not self._queue:
            return None
        key = next(iter(self._queue))
        if isinstance(key, int):
            self._must_deliver -= 1
        return self._queue.pop(key)

    def clear(self) -> None:
        self._queue.clear()
        self._must_deliver = 0

    def __len__(self) -> int:
        return len(self._queue)


class Allowance:
    """A token bucket: `rate` per second, `burst` at once."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = burst
        self._at = now

    def spend(self, now: float) -> bool:
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def _coalescing_key(event: page.Event | PaperChanged) -> str:
    """Equal for two events of which only the newer matters; empty for one that must be delivered."""
    match event:
        case page.MediaQuality() | PaperChanged():
            return event.event
        case page.QueueStatus():
            return f"{event.event} {event.queue}"
        case _:
            return ""


class Session:
    """One websocket of a logged-in agent. `on_change` is called when there is something to send or it must close."""

    def __init__(
        self,
        name: str,
        agent: str,
        peer: str,
        token: str,
        subprotocol: Subprotocol,
        metrics: WebMetrics,
        now: float,
        *,
        demo: bool = False,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.id = name
        self.agent = agent
        self.peer = peer
        self.token = token
        self.subprotocol = subprotocol
        # Set once, by whoever finds the reason first: the code to close with and a word for it.
        self.closing: tuple[Close, str] | None = None
        self.outbox = Outbox()
        self._commands = DEMO_COMMANDS if demo else PAGE_COMMANDS
        self._metrics = metrics
        self._on_change = on_change
        self._allowance = Allowance(REQUESTS_PER_SECOND, REQUEST_BURST, now)
        self._waiting: set[int] = set()
        self._malformed_in_a_row = 0

    def receive(self, frame: str | bytes, now: float) -> page.Request | DemoRequest | WatchRequest | None:
        """What a frame asks for; None where it is answered already, or the session ends by it."""
        if self.closing is not None:
            return None
        if isinstance(frame, str) is not (self.subprotocol is Subprotocol.JSON):
            self.close(Close.WRONG_FRAME, f"this is {self.subprotocol.value}")
            return None
        try:
            request, command = decode(frame, self._commands)
            if request in self._waiting:
                # Answering it by its id would look like the answer to the first.
                raise BadFrameError(page.refuse("bad_request", f"id: request {request} still waits for its reply."))
        except BadFrameError as bad:
            self._malformed(bad)
            return None
        self._malformed_in_a_row = 0
        self._metrics.requests.labels(command.do).inc()
        busy = "rate" if not self._allowance.spend(now) else "waiting" if len(self._waiting) >= MAX_WAITING else ""
        self._waiting.add(request)
        if busy:
            self.refuse_busy(request, busy)
            return None
        match command:
            case DemoCall():
                return DemoRequest(request)
            case WatchPaper(call):
                return WatchRequest(request, call)
        return page.Request(self.id, request, self.peer, command)

    def refuse_busy(self, request: int, why: str) -> None:
        """The request cannot be told to the agent now; `why` is for the counter."""
        self._metrics.busy.labels(why).inc()
        self.reply(request, page.refuse("busy"))

    def reply(self, request: int, result: page.Accepted | page.Refused | page.Snapshot) -> None:
        """The one answer to the `request` of that id; a second one, or one nobody asked for, is dropped and counted."""
        if request not in self._waiting:
            self._metrics.dropped.labels("reply").inc()
            return
        self._waiting.remove(request)
        self._put(reply(request, result))

    def push(self, rev: int, pushed: page.Event | PaperChanged) -> None:
        self._put(event(rev, pushed), _coalescing_key(pushed))

    def next(self) -> Message | None:
        """The next message to send, or None."""
        return self.outbox.take()

    def close(self, code: Close, reason: str) -> None:
        """The session must end; what is in the outbox is sent first, unless the page does not read."""
        if self.closing is None:
            self.closing = (code, reason)
            self._metrics.closed.labels(int(code)).inc()
            self._on_change()

    def _put(self, message: Message, key: str = "") -> None:
        if self.closing is not None:
            return
        before = self.outbox.coalesced
        if self.outbox.put(message, key):
            if self.outbox.coalesced > before:
                self._metrics.coalesced.inc(self.outbox.coalesced - before)
            self._on_change()
        else:
            self.outbox.clear()
            self.close(Close.TRY_AGAIN, "the page reads too slowly")

    def _malformed(self, bad: BadFrameError) -> None:
        self._metrics.malformed.inc()
        self._malformed_in_a_row += 1
        self._put(reply(bad.request, bad.refusal))
        if self._malformed_in_a_row >= MAX_MALFORMED:
            self.close(Close.POLICY, "too many malformed frames")
