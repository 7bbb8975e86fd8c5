"""A process that decodes and encodes Opus for the engine's (coders.py), on a core of its own. A shell around coding.py.

    python -m cordboard.switch.coder SOCKET MEMORY SLOTS     descriptors of a stream socket and of a file in memory

Each message is a 32-bit length and so many octets. The first, which is empty, says that it is ready. It ends when the
other end of its socket is closed, which the kernel does for a process that died, and is told by no signal: the engine
drains calls after its process group was told to end.
"""

from __future__ import annotations

import gc
import mmap
import signal
import socket
import sys
from typing import Final

from ..codecs.opus import OpusRows
from .coding import PART, Answers, Columns
from .priority import hurry

_LENGTH: Final = 4
_COLLECTED: Final = 100  # requests, about a second of them, after which garbage is looked for


def send(connection: socket.socket, message: bytes) -> None:
    """Raises OSError."""
    connection.sendall(len(message).to_bytes(_LENGTH, "big") + message)


def receive(connection: socket.socket) -> bytes | None:
    """The next message; None where the other end is closed. Raises OSError."""
    head = _exactly(connection, _LENGTH)
    return None if head is None else _exactly(connection, int.from_bytes(head, "big"))


def _exactly(connection: socket.socket, octets: int) -> bytes | None:
    got = bytearray()
    while len(got) < octets:
        if not (some := connection.recv(octets - len(got))):
            return None
        got += some
    return bytes(got)


def columns(memory: int, slots: int) -> Columns:
    """Those in a file in memory that is large enough."""
    return Columns(memoryview(mmap.mmap(memory, Columns.size(slots))), slots)


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    descriptor, memory, slots = map(int, sys.argv[1:])
    connection = socket.socket(fileno=descriptor)
    answers = Answers(columns(memory, slots), OpusRows(2 * slots, together=PART))
    gc.collect()
    gc.freeze()
    gc.disable()
    hurry()
    requests = 0
    try:
        send(connection, b"")
        while (request := receive(connection)) is not None:
            for answer in answers.to(request):
                send(connection, answer)
            requests += 1
            if requests % _COLLECTED == 0:
                gc.collect(1)
    except (BrokenPipeError, ConnectionResetError):
        return  # the engine's process ended in the middle of it


if __name__ == "__main__":
    main()
