"""The Unix socket between the two planes: its two ends, however long its path is. A shell."""

from __future__ import annotations

import contextlib
import os
import socket

import trio


def unix_listener(path: str) -> trio.SocketListener:
    """A listening Unix socket at `path`, mode 0600, however long the path is; what stood there before is replaced."""
    folder, name = os.path.split(os.path.abspath(path))
    # sockaddr_un holds 107 octets: a long folder is reached by its descriptor.
    fd = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        short = f"/proc/self/fd/{fd}/{name}"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(short)
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o177)
        try:
            made.bind(short)
        finally:
            os.umask(mask)
    finally:
        os.close(fd)
    made.listen(4)
    return trio.SocketListener(trio.socket.from_stdlib_socket(made))


async def connect_unix(path: str) -> trio.SocketStream:
    """The control plane's end of the link. Raises OSError."""
    folder, name = os.path.split(os.path.abspath(path))
    fd = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    made = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        await made.connect(f"/proc/self/fd/{fd}/{name}")
    except BaseException:
        made.close()
        raise
    finally:
        os.close(fd)
    return trio.SocketStream(made)
