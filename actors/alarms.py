"""The alarms: all that an operator has to know at once, what each means, and what to do about it.

A shell that meets one says `system.alarm(RECORDINGS_UNWRITTEN.says(reason))`, and clears the same text when it is over.
docs/operations.md has the catalogue, drawn by `python -m cordboard.actors.alarms docs/operations.md`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

from attrs import frozen


@frozen
class Alarm:
    """One kind: its `text` with the names of what differs in braces, what it `means` and what to `do`."""

    text: str
    means: str
    do: str

    def says(self, **details: object) -> str:
        """The text of this one."""
        return self.text.format(**details)


RECORDINGS_UNWRITTEN: Final = Alarm(
    "recordings are not written: {reason}",
    "The sound of the calls that live is not on the disk: it is full, read-only, too slow or broken. The calls go on, "
    "and their sound waits in memory, half an hour of it for all calls together. What is beyond that, or still waits "
    "when its call is over, is silence of the right length in the recording, or missing at its end; the call's record "
    "says so.",
    "Make room, or mend the disk of the recordings; writing goes on by itself. It stands until something was written "
    "again, which may be the next call.",
)
ENCODING_WAITS: Final = Alarm(
    "recordings wait unencoded in {directory}: {reason}",
    "Calls that are over cannot be encoded for now: their disk is full, read-only or not to be reached, or the process "
    "may start no other. Nothing of them is lost.",
    "Mend that; it is tried again every minute.",
)
ENCODING_BEHIND: Final = Alarm(
    "recordings wait for more than {minutes} minutes to be encoded",
    "More calls end than can be encoded beside them, or the encoder stands still. Nothing is lost: the `.cbr` files "
    "wait, each five times as long as what is made of it.",
    "Look at what else the machine does, and at `cordboard_encoding_waiting`, which says whether it grows. It is over "
    "when none waits so long any more.",
)
UNENCODED: Final = Alarm(
    "recordings could not be encoded: they are kept in {directory}",
    "An encoder failed several times for some recording; the log has its last words. The `.cbr` file stays.",
    "Look at the log; after mending the cause start the control process anew, which encodes all that is left.",
)
DAMAGED: Final = Alarm(
    "recordings could not be read: they are kept in {directory}",
    "A recording's file is no recording: a disk lost its beginning; or it ends earlier than what was written. It is "
    "not tried again.",
    "Check the disk. What is in that directory cannot be played; delete it when you have seen it.",
)
UNSEEN: Final = Alarm(
    "recordings cannot be looked for in {directory}: {reason}",
    "What an earlier process left unencoded was not found, because the directory cannot be read.",
    "Mend its path or its rights, and start the control process anew.",
)
RECORDS_UNWRITTEN: Final = Alarm(
    "records cannot be written: {reason}",
    "The database is locked, full, read-only or damaged. Calls go on; their records wait in memory, up to "
    "100,000 rows.",
    "Make room, end what locks it, or restore it. All that waits is written as soon as that goes.",
)
RECORDS_LOST: Final = Alarm(
    "records are lost: {number} rows wait for the database, and no more can",
    "The database could not be written for so long that there is no room left. Rows of calls, legs, offers and states "
    "that begin now are dropped; those that wait already still change. The calls themselves go on.",
    "Mend the database. `cordboard_ledger_total` says how many rows were lost. It stands until the next start.",
)
STATES_UNWRITTEN: Final = Alarm(
    "the states cannot be written: a restart of the control process would lose the calls",
    "The file of the states cannot be written: it is in memory (`/dev/shm`), or in `DATA/run` where that has none for "
    "files. Calls go on, but could not be taken up by a new process.",
    "Make room there; all is written anew some seconds after that.",
)
UNRECALLED: Final = Alarm(
    "the calls of the process before could not be gone on with: {reason}",
    "The control process began anew and could not use what the last one had written: it was of another version, or "
    "killed several processes. Its calls were ended with BYE as far as they are known, and agents sign in again.",
    "Keep the log and report it, unless you have just changed the version. It stands until the next start.",
)
ROWS_UNENDED: Final = Alarm(
    "what an earlier process left open could not be ended: {reason}",
    "The database could not be written at the start: rows of calls and states that nobody goes on with are open.",
    "Make room, or end what locks the database, and start the control process anew.",
)
JOURNAL_UNWRITTEN: Final = Alarm(
    "the journal cannot be written: what happens now could not be replayed",
    "`DATA/journal` is on a disk that is full, read-only or too slow, or a message could not be packed: the log says "
    "which. Calls go on.",
    "Make room or mend the disk; another file is begun within five seconds of that.",
)
ISOLATED: Final = Alarm(
    "{actor} crashed {times} times in {seconds:g} s and is isolated",
    "An error of ours meets this agent, queue or trunk again and again. It is ended; the rest of the centre goes on.",
    "Keep the log and report it. An import of the organisation or a start brings it back.",
)
FLOODED: Final = Alarm(
    "mailbox of {actor} is full",
    "An actor was told more than it could hear, and messages to it were dropped: an error of ours, or a machine "
    "that is far too slow.",
    "Look at the machine's load; keep the log and report it. It stands until the next start.",
)

MEDIA_FULL: Final = Alarm(
    "the media plane is full: new calls are refused",
    "For three seconds in a row the engine's ticks filled their 20 ms, or for 0.4 s the usual one took 13. Another "
    "call would be heard in all: new ones get 503 with Retry-After until there was room for five seconds. Those that "
    "live go on.",
    "Look at what else the machine does; else a faster one, or a second switch for the trunk to try.",
)

BUSY: Final = Alarm(
    "the control process is busy: new calls are refused",
    "More calls come than one core sets up, or the engine answers: whatever happened waited for longer than `[limits] "
    "busy_ms`, so many are in set-up that one more would wait for a quarter of a second, or those that were let in "
    "will want all of the core when they end. New calls get 503 with Retry-After, before they cost anything; those "
    "that live go on. `cordboard_sip_total` says how many, `cordboard_setups` how many are in set-up. It is over ten "
    "seconds after the last one.",
    "Look at who calls so often, and at what else the machine does; else a faster core, or a second switch for the "
    "trunk to try.",
)

MUSIC_MISSING: Final = Alarm(
    "the music {name} cannot be played: {reason}",
    "The file that an import put into `DATA/music` cannot be read. Callers hear the built-in piece in its place.",
    "Import the organisation again, which writes the file anew; it is played to whoever waits next.",
)

TRUNK_DOWN: Final = Alarm(
    "the trunk {trunk} is down: {reason}",
    "None of its hosts answered OPTIONS for 15 s, or takes our connection, or shows a certificate that is believed, or "
    "their names are not found, or it does not let us register, or "
    "ends each connection as soon as it has registered us by it, or a PBX that had registered with us no longer has; "
    "the reason says which. No call goes out by it, but for an emergency call that nobody takes who is up. Calls that "
    "it brings are taken, and those that live go on.",
    "Look at the network, also at what stands between and ends connections, at `proxy`, `domain`, `username`, `login` "
    "and `password`, and ask the carrier. Hosts are tried again every five "
    "seconds, a registration at least every five minutes; the alarm ends when the trunk is up. A PBX has to register "
    "again, or to say goodbye.",
)

TRUNK_WANTS_PASSWORD: Final = Alarm(
    "the trunk {trunk} does not let our calls out: it wants another password",
    "It answered a call with 401 or 407 after our password, or asked for one where we have none. Calls go on to the "
    "next trunk, where there is one, and each asks this one first.",
    "Correct `username`, `login` and `password` of its `[[trunk]]`, name its `realms` where it asks in more than one "
    "(the log has them), or ask the carrier. The alarm ends when a call rings, is heard or is answered there, and when "
    "its account or its `proxy` is another.",
)

WEBHOOK_FAILS: Final = Alarm(
    "the webhook {webhook} does not take what it is told: {reason}",
    "Another system did not answer several times in a row, or answered with an error. What it is to be told waits in "
    "the database and is tried again, ever more rarely, up to once an hour; after three days it is given up. No call "
    "notices.",
    "Look at that system, and at `url` and `secret` of its `[[webhook]]`; at `/admin` an administrator may send it a "
    "test, and then all that waits at once. It is over when something was taken, or nothing waits any more; "
    "`cordboard_webhooks_waiting` says how many.",
)

UNTRUE: Final = Alarm(
    "this must never be: {what} ({who})",
    "Something holds no longer that always holds, whatever callers and agents do: an error of ours, or of a state that "
    "was taken over from an earlier process. It has stood for two looks of a second, with nothing on its way between "
    "those who are named; of the media engine at one instant on both sides. Where one of them is gone, or knows "
    "better, the other has been told so again, and an engine by a link that is made anew once in ten minutes at most; "
    "where not, it stands until the call is over, or the agent has signed out.",
    "Keep the files that `DATA/quarantine` has of it and report it: `.txt` says what those who are named heard and did "
    "last, `.journal` can be replayed. `cordboard_invariants_total` counts them, also those that were over at once; of "
    "several at a time 20 are named. Who is stuck is free when the call is hung up or the agent signs out.",
)

CATALOGUE: Final = (
    RECORDINGS_UNWRITTEN,
    ENCODING_WAITS,
    ENCODING_BEHIND,
    UNENCODED,
    DAMAGED,
    UNSEEN,
    RECORDS_UNWRITTEN,
    RECORDS_LOST,
    STATES_UNWRITTEN,
    UNRECALLED,
    ROWS_UNENDED,
    JOURNAL_UNWRITTEN,
    ISOLATED,
    FLOODED,
    MEDIA_FULL,
    BUSY,
    MUSIC_MISSING,
    TRUNK_DOWN,
    TRUNK_WANTS_PASSWORD,
    WEBHOOK_FAILS,
    UNTRUE,
)


def table() -> str:
    """The catalogue as Markdown."""
    rows = ("| " + " | ".join((f"`{_plain(each.text)}`", each.means, each.do)) + " |" for each in CATALOGUE)
    return "\n".join(["| alarm | it means | do |", "| --- | --- | --- |", *rows])


def _plain(text: str) -> str:
    """Without the formats within braces."""
    return re.sub(r"\{(\w+)[^}]*\}", r"{\1}", text)


def drawn(page: str) -> str:
    """`page` with the catalogue between its marks."""
    begin, end = "<!-- alarms -->", "<!-- end of alarms -->"
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{table()}\n{end}{after}"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        Path(name).write_text(drawn(Path(name).read_text(encoding="utf-8")), encoding="utf-8")
