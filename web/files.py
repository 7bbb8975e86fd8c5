"""The pages' files: read from `web/static`, kept in memory, served with a strong ETag.

A shell: it looks at the file's time and size on every request, 2 µs, and reads it again only when they changed. The
files are few and small, so reading one holds up nobody. An HTML page gets a Content-Security-Policy with the hashes of
its own inline scripts (the import map must be inline), so that no other inline script can ever run in it.
"""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from attrs import frozen

# Named here, because the operating system's own table differs from machine to machine.
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".wav": "audio/wav",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}

_INLINE_SCRIPT = re.compile(rb"<script(?![^>]*\ssrc\s*=)[^>]*>(.*?)</script>", re.DOTALL | re.IGNORECASE)


def page_policy(html: bytes) -> str:
    """The Content-Security-Policy of a page: everything from this host, and what the component kit needs.

    The kit sets style attributes and fetches its own icons from data: URLs; tones and waveforms are blobs.
    """
    scripts = [base64.b64encode(hashlib.sha256(inline).digest()).decode() for inline in _INLINE_SCRIPT.findall(html)]
    hashes = "".join(f" 'sha256-{digest}'" for digest in scripts)
    return (
        "default-src 'self'; "
        f"script-src 'self'{hashes}; "
        "style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; "
        "font-src 'self' data:; "
        "connect-src 'self' data:; "
        "media-src 'self' blob: data:; "
        "worker-src 'self' blob:; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


@frozen
class File:
    """One file as it is served."""

    body: bytes
    etag: str
    type: str
    # Of an HTML page; empty for any other file.
    policy: str


class Files:
    """The files under one directory."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._kept: dict[str, tuple[tuple[int, int], File]] = {}

    def get(self, name: str) -> File | None:
        """The file of that relative name (`app/main.js`); None where there is none, or it would lie outside."""
        parts = name.split("/")
        if any(part in ("", "..") or part.startswith(".") or "\0" in part or "\\" in part for part in parts):
            return None
        path = self._root.joinpath(*parts)
        try:
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            kept = self._kept.get(name)
            if kept is not None and kept[0] == stamp:
                return kept[1]
            if not path.is_file() or not path.resolve().is_relative_to(self._root):
                return None
            body = path.read_bytes()
        except OSError:
            return None
        file = File(
            body=body,
            etag=f'"{hashlib.sha256(body).hexdigest()[:32]}"',
            type=TYPES.get(path.suffix, "application/octet-stream"),
            policy=page_policy(body) if path.suffix == ".html" else "",
        )
        self._kept[name] = (stamp, file)
        return file
