"""A carrier on a socket of its own, by UDP or TCP: it answers each method as the test says, and may hang up at once."""

from __future__ import annotations

import re
import selectors
import socket
import threading
from contextlib import suppress
from types import TracebackType

HOST = "127.0.0.1"
# What a response repeats (RFC 3261 §8.2.6.2), and the user's agent would not know itself by otherwise.
_ECHOED = re.compile(r"^(?:Via|From|To|Call-ID|CSeq|Contact):[^\r\n]*", re.MULTILINE)


class Carrier:
    """`says` has the status and further lines of the response to each method, none for silence; `granted` is for how
    long it registers who asks. `heard` are the requests in their order, `connections` how many were made to it."""

    def __init__(self, port: int, transport: str = "udp", *, granted: int = 1800) -> None:
        self.transport = transport
        self.hangs_up = False
        self.granted = granted
        self.says: dict[str, tuple[int, str]] = {"OPTIONS": (200, ""), "REGISTER": (200, ""), "INVITE": (486, "")}
        self.heard: list[str] = []
        self.connections = 0
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        self._socket = socket.socket(socket.AF_INET, kind)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((HOST, port))
        if transport == "tcp":
            self._socket.listen(50)
        self._over = threading.Event()
        self._lines: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Carrier:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(10)
        for each in (self._socket, *self._lines):
            each.close()

    def end_all(self) -> None:
        """The connections that are there."""
        for each in list(self._lines):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def requests(self, method: str) -> list[str]:
        return [each for each in self.heard if each.startswith(f"{method} ")]

    def _run(self) -> None:
        with selectors.DefaultSelector() as ready:
            ready.register(self._socket, selectors.EVENT_READ)
            while not self._over.is_set():
                for key, _ in ready.select(0.05):
                    assert isinstance(key.fileobj, socket.socket)
                    with suppress(OSError):
                        self._serve(key.fileobj, ready)

    def _serve(self, which: socket.socket, ready: selectors.BaseSelector) -> None:
        if self.transport == "udp":
            data, source = which.recvfrom(65536)
            if answer := self._answer(data.decode()):
                which.sendto(answer, source)
        elif which is self._socket:
            made, _ = which.accept()
            self.connections += 1
            if self.hangs_up and not self.says:
                made.close()
                return
            self._lines.add(made)
            ready.register(made, selectors.EVENT_READ)
        else:
            data = which.recv(65536)
            if answer := self._answer(data.decode()):
                which.sendall(answer)
            if not data or self.hangs_up:
                ready.unregister(which)
                self._lines.discard(which)
                which.close()

    def _answer(self, text: str) -> bytes:
        method = text.partition(" ")[0]
        if not text.strip("\r\n") or method in ("SIP/2.0", "ACK"):
            return b""
        self.heard.append(text)
        said = self.says.get(method)
        if said is None:
            return b""
        status, more = said
        rows = [line + (";tag=carrier" if line.startswith("To:") else "") for line in _ECHOED.findall(text)]
        rows += [f"Expires: {self.granted}"] if method == "REGISTER" else []
        head = "\r\n".join([f"SIP/2.0 {status} Whatever", *rows, *filter(None, [more])])
        return f"{head}\r\nContent-Length: 0\r\n\r\n".encode()
