"""Whom a caller had dialled before it was diverted to us: Diversion (RFC 5806) and History-Info (RFC 7044)."""

from __future__ import annotations

import re

from .message import NameAddr, RemoteSipError, Request, Uri

_PRIVATE = re.compile(r"[?&]privacy=(?!none)", re.IGNORECASE)


def diverted_from(request: Request) -> str:
    """The number that diverted last, "" where nobody did or says so."""
    try:
        return _of_diversion(request) or _of_history(request)
    except RemoteSipError:
        return ""


def _of_diversion(request: Request) -> str:
    for value in request.items("Diversion"):
        address = NameAddr.parse(value)
        # RFC 5806 §9.2: who does not want to be named is not
        if (address.param("privacy") or "off").strip('"').lower() in ("off", "no"):
            return Uri.parse(address.uri).number
    return ""


def _of_history(request: Request) -> str:
    """The last one before us; its entries are in the order in which they were dialled (RFC 7044 §10.3); one that wants
    privacy is nobody's to see (§10.1)."""
    dialled = Uri.parse(request.uri).number
    for value in reversed(request.items("History-Info")):
        address = NameAddr.parse(value)
        number = Uri.parse(address.uri).number
        if number and number != dialled:
            return "" if _PRIVATE.search(address.uri) else number
    return ""
