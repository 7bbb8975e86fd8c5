"""What a behaviour may want done: the only way an actor touches the world.

`receive(message, now)` and `wake(now)` return a list of these; the runtime carries them out in order, each by the
shell that knows how: `Tell`, `Spawn`, `Watch`, `Unwatch`, `Stop` by the runtime itself, `Sip` by the signalling shell,
`Media` by the link to the engine, `Push` and `Reply` by the hub of page sessions, `Record` by the store, `Locate` by
the shell that knows geography, `LookBack` by the one that asks the database. Media legs and SIP calls belong to the
actor that opened them: when it ends, however it ends, they are closed.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

from attrs import frozen

from ..switch import protocol as media
from . import page, records, signals


class Behaviour(Protocol):
    """A pure state machine: cannot await, read a clock or touch a socket.

    All that changes is in `state`, one frozen value that each step replaces; the runtime keeps the reference from
    before a step, so a message that crashes the behaviour leaves it as it was.
    """

    state: Any

    def receive(self, message: object, now: float) -> list[Effect]:
        """One message at `now`, in seconds since the Unix epoch that never run backwards."""
        ...

    def deadline(self) -> float:
        """When it wants to be woken, or `math.inf`."""
        ...

    def wake(self, now: float) -> list[Effect]:
        """`deadline()` has come. Timers at or before a message's time are served before the message."""
        ...

    def will(self, reason: str, now: float) -> list[Record]:
        """What is kept of an actor that ends though it did not say so: isolated, crashed, or the centre stops."""
        ...


@frozen
class Started:
    """Message, not effect: the first one of every actor."""


@frozen
class Down:
    """Message, not effect: the actor that was watched has ended."""

    name: str
    reason: str


@frozen
class Tell:
    """Puts a message into another actor's mailbox; to one that is gone, it is counted and dropped."""

    to: str
    message: object


@frozen
class Spawn:
    name: str
    behaviour: Behaviour


@frozen
class Watch:
    """From now on a `Down(name, reason)` comes when that actor ends; at once where there is none."""

    name: str


@frozen
class Unwatch:
    """No `Down` of that actor comes any more, but one that is on its way."""

    name: str


@frozen
class Stop:
    """The actor is done; what it opened is closed and its watchers hear `reason`, but for those that it has `told` of
    its end itself, in the same step."""

    reason: str
    told: tuple[str, ...] = ()


@frozen
class Sip:
    command: signals.SipCommand


@frozen
class Media:
    command: media.Command


@frozen
class Push:
    """An event for one page session, with the agent's revision."""

    session: str
    rev: int
    event: page.Event


@frozen
class Reply:
    """The one answer to a page's request."""

    session: str
    id: int
    result: page.Accepted | page.Refused | page.Snapshot


@frozen
class Record:
    """Keeps what is stated, also when the process dies in the next moment; saying it again changes nothing."""

    entry: records.Entry


@frozen
class Log:
    """One line for people: a state change or a refusal. Values named number, name or address are redacted. What is as
    it should be, and comes again and again, is of the level `debug`: the journal has it, and the log has not."""

    event: str
    fields: tuple[tuple[str, object], ...] = ()
    level: Literal["debug", "info"] = "info"


@frozen
class Alarm:
    """What an operator has to know: it stands, or no longer. `text` is what one of `alarms.CATALOGUE` says."""

    text: str
    standing: bool


@frozen
class Locate:
    """Asks where the telephone `number` is at home, and where `ours` are: `origin.Located` comes back."""

    ask: str
    number: str
    ours: tuple[str, ...]


@frozen
class LookBack:
    """Asks who served the customer's `number` last, in a call that began at `since` or later and is not `ask`:
    `queue.LastServed` comes back."""

    ask: str
    number: str
    since: float


Effect = Tell | Spawn | Watch | Unwatch | Stop | Sip | Media | Push | Reply | Record | Log | Alarm | Locate | LookBack
