"""Another system: an HTTP server that keeps what is posted to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

# Path, headers by their names in small letters, and body.
Came = tuple[str, dict[str, str], bytes]


class Receiver(BaseHTTPRequestHandler):
    """Another system: it answers 307 at /elsewhere, and 204 at any other path."""

    came: list[Came]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.came.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(307 if self.path == "/elsewhere" else 204)
        self.send_header("location", "/here")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Says nothing."""


@contextmanager
def receiver() -> Iterator[tuple[str, list[Came]]]:
    came: list[Came] = []
    handler = type("Here", (Receiver,), {"came": came})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", came
        finally:
            server.shutdown()
            thread.join()
