"""What an earlier control process left, and how this one goes on with it. A shell.

    past = read(...)                what the file tells, as far as it can be read
    past.recall(system, link)       actors, mailboxes, watches, timers, legs, recordings, as they were in the end
    past.take_up(...)               SIP calls; who cannot go on is told; from here on it lives

What is too old, of another version, or has killed processes before, is not recalled: its SIP calls are ended as far as
they are known, and `trouble` says why.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import structlog
from attrs import define, field

from ..sip import grammar, snapshot
from ..sip.endpoint import Endpoint
from ..sip.message import LocalSipError, RemoteSipError
from ..sip.snapshot import CallSnapshot
from . import effects, page, signals, statefile, states, values
from .effects import Sip
from .medialink import MediaLink
from .packing import Packer, UnpackError
from .records import Entry
from .runtime import Hands, System
from .signalling import Signalling
from .states import Committed, Dialog, Record, Said, Step, Whole
from .trunk import Recalled

FILE: Final = "states"
# Everything that was open a minute ago is gone: the engine alone ends its legs after 30 s, and who is on the telephone
# and hears nothing hangs up.
STALE: Final = 30.0
# So often a file is gone on with in this time. One that ends each process at once must not end the next one too; the
# supervisor gives up a little later.
RECALLS: Final = 3
RECALLS_WITHIN: Final = 20.0

log = structlog.get_logger()


class RecallError(Exception):
    """The records cannot be gone on with; the text is for people."""


def packer() -> Packer:
    """For all that actors and shells hold."""
    return Packer((*values.MODULES, states, grammar, snapshot), values.BEHAVIOURS)


@define
class Past:
    """`at` is the last moment that is told of, `dialogs` are the SIP calls."""

    trouble: str = ""
    at: float = 0.0
    recalls: tuple[float, ...] = ()
    dialogs: dict[str, CallSnapshot] = field(factory=dict)
    _stated: int = 0
    # With their numbers among all that were stated; of one key the last counts.
    _entries: list[tuple[int, Entry]] = field(factory=list)
    _records: list[Record] = field(factory=list)
    # What the last step wanted of SIP, and no dialog tells that it was done.
    _commands: list[tuple[str, signals.CallCommand]] = field(factory=list)

    @property
    def entries(self) -> list[Entry]:
        """What the database may lack."""
        return [entry for _, entry in self._entries]

    def _state(self, *entries: Entry) -> None:
        self._entries += enumerate(entries, self._stated + 1)
        self._stated += len(entries)

    def take(self, record: Record) -> None:
        """One more record, the next."""
        self._records.append(record)
        self.at = max(self.at, getattr(record, "at", 0.0))
        match record:
            case Whole(recalls=recalls, unsafe=unsafe, stated=stated, dialogs=dialogs):
                self.recalls = recalls
                self._entries, self._stated = list(unsafe), stated
                self.dialogs.update((id_, each) for id_, each in dialogs if isinstance(each, CallSnapshot))
            case Dialog(id_, CallSnapshot() as kept):
                self.dialogs[id_] = kept
            case Dialog(id_):
                self.dialogs.pop(id_, None)
            case Step(effects=wanted):
                self._state(*(each.entry for each in wanted if isinstance(each, effects.Record)))
            case Said(entry):
                self._state(entry)
            case Committed(upto):
                self._entries = [each for each in self._entries if each[0] > upto]
            case _:
                pass

    def recall(self, system: System, link: MediaLink) -> None:
        """Raises RecallError: then both are of no more use, and nothing is gone on with."""

        def remember(actor: str, effect: Sip) -> None:
            if isinstance(effect.command, signals.CallCommand):  # a trunk asks again
                self._commands.append((actor, effect.command))

        hands = Hands(remember, link.perform, _ignore, _ignore, _ignore, _ignore_of)
        system.connect(hands, on_end=(link.on_end,))
        try:
            for record in self._records:
                if isinstance(record, Step):
                    self._commands.clear()  # those of the step before were carried out
                elif isinstance(record, Dialog):
                    self._commands = [one for one in self._commands if one[1].call != record.call]
                link.recall(record)
                system.recall(record)
        except Exception as error:  # whatever another version has written must not keep this one from starting
            self.trouble = f"{type(error).__name__}: {error}"
            self.forget()
            raise RecallError(self.trouble) from error
        self._records.clear()

    def forget(self) -> None:
        """Nothing is gone on with."""
        self._records.clear()
        self._commands.clear()

    def take_up(self, system: System, signalling: Signalling, now: float) -> None:
        """The SIP calls again; what was recalled goes on from the next checkpoint. The hands are those of now."""
        system.go(dict.fromkeys(system.alive("trunk:"), Recalled(now)))
        calls, lines = system.alive("call:"), system.alive("line:")
        actors = {*calls, *lines}
        for id_, dialog in self.dialogs.items():
            actor = signals.actor(id_)
            try:
                signalling.restore(dialog, actor if actor in actors else None)
            except (RemoteSipError, LocalSipError, KeyError, ValueError) as error:
                log.error("sip call not taken up", call=id_, error=str(error))
        for actor, command in self._commands:
            if actor in actors:
                signalling.perform(actor, Sip(command))
        for actor in actors:
            id_ = actor.partition(":")[2]
            if not signalling.lives(id_):
                system.tell(actor, signals.Released(id_, "lost in a restart", by_caller=False))
        for agent_actor in system.alive("agent:"):
            for session in system.state_of(agent_actor).sessions:
                system.tell(agent_actor, page.Detached(session))
        if actors or self.dialogs:
            log.warning("goes on with the calls of an earlier process", calls=len(calls), sip_calls=len(self.dialogs))


def whole(
    now: float,
    system: System,
    endpoint: Endpoint,
    link: MediaLink,
    unsafe: Iterable[tuple[int, Entry]],
    stated: int,
    recalls: tuple[float, ...],
) -> Whole:
    """All that there is now, as `Past` would have it. Of all entries that were `stated`, the
    database lacks those that are `unsafe`."""
    return Whole(
        at=now,
        actors=system.actor_states(),
        dialogs=tuple(endpoint.snapshots()),
        link=link.state(),
        unsafe=tuple(unsafe),
        stated=stated,
        recalls=recalls,
    )


def read(path: Path, pack: Packer, now: float) -> Past:
    """What the file tells, where there is one. Raises nothing: `trouble` is why nothing of it can be recalled."""
    past = Past()
    try:
        for record in statefile.read(path, pack):
            if isinstance(record, UnpackError):
                past.trouble = past.trouble or f"it is of another version: {record}"
            else:
                past.take(record)
    except FileNotFoundError:
        return past
    except (UnpackError, OSError) as error:
        past.trouble = str(error)
    past.recalls = tuple(at for at in past.recalls if now - at < RECALLS_WITHIN)
    if len(past.recalls) >= RECALLS:
        past.trouble = past.trouble or f"{RECALLS} processes that went on with it have ended soon after"
    if past.trouble or now - past.at > STALE:
        log.warning("nothing is gone on with", seconds_ago=round(now - past.at), trouble=past.trouble)
        past.forget()
    return past


def _ignore_of(actor: str, effect: object) -> None:
    """Whoever asked asks again, or does without."""


def _ignore(effect: object) -> None:
    """Of pages that are gone, and entries that are taken from the records."""
