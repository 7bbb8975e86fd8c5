"""The torture messages of RFC 4475 and RFC 5118, as octets: read from `vectors`, where they stand in the conventions of
RFC 4475 §2."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_VECTORS: Final = Path(__file__).parent / "vectors"
_TITLE: Final = re.compile(r"=== ([0-9.]+ \S+)")
_REPEAT: Final = re.compile(r"<repeat count=([0-9]+)>(.*?)</repeat>")
_HEX: Final = re.compile(r"<hex>([0-9A-F]*)</hex>")


def messages(rfc: str) -> dict[str, bytes]:
    """By section and the RFC's own name, as `3.1.1.1 wsinv`."""
    lines: dict[str, list[str]] = {}
    taken: list[str] = []
    joining = False
    for line in (_VECTORS / f"{rfc}.txt").read_text("ascii").split("\n")[:-1]:
        if title := _TITLE.fullmatch(line):
            assert title[1] not in lines, f"{title[1]} twice"
            lines[title[1]] = taken = []
        elif line == "<allOneLine>":
            taken.append("")
            joining = True
        elif line == "</allOneLine>":
            joining = False
        elif joining:
            taken[-1] += line
        else:
            taken.append(line)
    return {title: b"".join(_octets(line) + b"\r\n" for line in one) for title, one in lines.items()}


def _octets(line: str) -> bytes:
    line = _REPEAT.sub(lambda found: int(found[1]) * found[2], line)
    parts = _HEX.split(line)
    return b"".join(bytes.fromhex(part) if at % 2 else part.encode("ascii") for at, part in enumerate(parts))
