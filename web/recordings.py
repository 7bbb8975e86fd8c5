"""A recording over HTTP: its sound, whole or in ranges, and the peaks of its waveform.

A shell: it opens files of the directory of recordings, reads them in worker threads and sends them piece by piece, so
that neither a slow disk nor a slow line holds up anything else. A recording does not change once it is ready, so its
time and length make a strong ETag. Who may hear it is the business of `actors.store.History`, which also writes the
audit; a browser may keep it but must ask again each time, and so each play is seen.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import structlog
import trio
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ..actors.store import History, Recording, Sound
from .conditional import NotSatisfiableError, Part, part_asked, unchanged
from .errors import error
from .interfaces import Login

TYPES = {"opus": "audio/ogg; codecs=opus", "wav": "audio/wav", "mp3": "audio/mpeg", "flac": "audio/flac"}
CHUNK = 64 * 1024
# When to ask again for a recording, in seconds: the call goes on, or its file is being encoded.
RETRY_AFTER = {Sound.RECORDING: 10, Sound.ENCODING: 2}

log = structlog.get_logger("web")


class SoundFile:
    """One file as the answer to GET and HEAD: an ASGI application."""

    def __init__(self, path: Path, media_type: str, disposition: str) -> None:
        self._path = path
        self._headers = {
            "Content-Type": media_type,
            "Content-Disposition": disposition,
            "Cache-Control": "private, no-cache",
            "Accept-Ranges": "bytes",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            file = await trio.open_file(self._path, "rb")
        except OSError as failed:
            log.error("recording cannot be read", file=self._path.name, error=failed.strerror)
            await error("not_found", "The file cannot be read; this is logged.")(scope, receive, send)
            return
        async with file:
            about = await trio.to_thread.run_sync(os.fstat, file.fileno())
            headers = Headers(scope=scope)
            etag = f'"{about.st_mtime_ns:x}-{about.st_size:x}"'
            self._headers["ETag"] = etag
            if unchanged(headers, etag):
                await Response(status_code=304, headers=self._headers)(scope, receive, send)
                return
            try:
                # only for GET does a range mean anything (RFC 9110 §14.2)
                part = part_asked(headers, etag, about.st_size) if scope["method"] == "GET" else None
            except NotSatisfiableError:
                length = {"Content-Range": f"bytes */{about.st_size}"}
                await error("range_not_satisfiable", headers=length)(scope, receive, send)
                return
            status = 200
            if part is not None:
                status = 206
                last = part.first + part.length - 1
                self._headers["Content-Range"] = f"bytes {part.first}-{last}/{about.st_size}"
            part = part or Part(0, about.st_size)
            self._headers["Content-Length"] = str(part.length)
            head = Response(status_code=status, headers=self._headers)
            if scope["method"] == "HEAD":
                await head(scope, receive, send)
                return
            await send({"type": "http.response.start", "status": status, "headers": head.raw_headers})
            await file.seek(part.first)
            left = part.length
            while left:
                chunk = await file.read(min(CHUNK, left))
                if not chunk:
                    raise EOFError(f"{self._path.name} became shorter")
                left -= len(chunk)
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})


class Recordings:
    """The recordings of one directory; `history` says who may have which."""

    def __init__(self, history: History, directory: Path) -> None:
        self._history = history
        self._directory = directory

    async def sound(self, request: Request, login: Login, address: str) -> ASGIApp:
        """`/api/calls/ID/recording`. Who asks only for the head does not listen."""
        call = request.path_params["call"]
        if request.method == "HEAD":
            found = await self._history.recording(login, call)
        else:
            goes_on = re.match(r"bytes=0*[1-9]", request.headers.get("range", "")) is not None
            found = await self._history.play(login, call, address, goes_on=goes_on)
        if found.state is not Sound.READY:
            return _not_ready(found)
        name = re.sub(r"[^A-Za-z0-9.-]", "_", f"call-{call}.{found.format}")
        return SoundFile(self._directory / found.file, TYPES[found.format], f'inline; filename="{name}"')

    async def peaks(self, request: Request, login: Login) -> ASGIApp:
        """`/api/calls/ID/peaks`."""
        found = await self._history.recording(login, request.path_params["call"])
        if found.state is not Sound.READY:
            return _not_ready(found)
        return SoundFile(self._directory / found.peaks, "application/json", "inline")


def _not_ready(found: Recording) -> Response:
    match found.state:
        case Sound.NONE:
            return error("not_found", "This call is not recorded.")
        case Sound.LOST:
            return error("not_found", f"The recording was lost: {found.reason}.")
        case _:
            return error("not_ready", headers={"Retry-After": str(RETRY_AFTER[found.state])})
