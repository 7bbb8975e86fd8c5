"""What has happened, over HTTP: lists of calls, one call whole, an agent's states; JSON of the classes of the store.

No rule of who may see what: that is `actors.store.History`. Here are the parameters of the addresses, each checked and
named where it is wrong, and the JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from enum import Enum

import attrs
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..actors.store import CallClass, Cursor, History, Recording, cursor
from .errors import BadParameterError, error
from .interfaces import Login

DEFAULT_DAYS = 7
MAX_DAYS = 366
# Beside the classes: the calls that left a message.
VOICEMAIL = "voicemail"

_NO_STORE = {"Cache-Control": "no-store"}
_DAYS = re.compile(r"[1-9][0-9]{0,2}")
_NUMBER = re.compile(r"[0-9]{1,18}")
_NO_CURSOR = "must be the next of the page before."


class Histories:
    """The endpoints."""

    def __init__(self, history: History) -> None:
        self._history = history

    async def calls(self, request: Request, login: Login) -> Response:
        """`/api/calls?days=&class=&agent=&cursor=`."""
        given = parameters(request, {"days", "class", "agent", "cursor"})
        if given.get("class") == VOICEMAIL:
            if "agent" in given:
                raise BadParameterError("agent", f"is none where the class is {VOICEMAIL}: messages are a queue's.")
            found = await self._history.messages(login, _days(given), _cursor(given.get("cursor")))
            return JSONResponse(to_json(found), headers=_NO_STORE)
        listing = await self._history.calls(
            login, _days(given), given.get("agent"), _class(given.get("class", "all")), _cursor(given.get("cursor"))
        )
        return JSONResponse(to_json(listing), headers=_NO_STORE)

    async def call(self, request: Request, login: Login) -> Response:
        """`/api/calls/ID?agent=`."""
        given = parameters(request, {"agent"})
        whole = await self._history.call(login, request.path_params["call"], given.get("agent"))
        return JSONResponse(to_json(whole), headers=_NO_STORE)

    async def handle(self, request: Request, login: Login) -> Response:
        """POST `/api/calls/ID/message`, `{"handled": true}`."""
        parameters(request, ())
        try:
            asked = json.loads(await request.body())
        except (ValueError, RecursionError):
            asked = None
        match asked:
            case {"handled": bool(handled), **rest} if not rest:
                await self._history.handle(login, request.path_params["call"], handled=handled)
                return Response(status_code=204, headers=_NO_STORE)
            case _:
                return error("bad_request", 'It must be {"handled": true} or {"handled": false}.')

    async def quality(self, request: Request, login: Login) -> Response:
        """`/api/calls/ID/quality`."""
        parameters(request, ())
        found = await self._history.quality(login, request.path_params["call"])
        return JSONResponse(to_json(found), headers=_NO_STORE)

    async def why(self, request: Request, login: Login) -> Response:
        """`/api/calls/ID/why?agent=`."""
        given = parameters(request, {"agent"})
        found = await self._history.why(login, request.path_params["call"], given.get("agent"))
        return JSONResponse(to_json(found), headers=_NO_STORE)

    async def states(self, request: Request, login: Login) -> Response:
        """`/api/agents/ID/states?days=&cursor=`."""
        given = parameters(request, {"days", "cursor"})
        after = given.get("cursor")
        if after is not None and not _NUMBER.fullmatch(after):
            raise BadParameterError("cursor", _NO_CURSOR)
        found = await self._history.states(
            login, request.path_params["agent"], _days(given), int(after) if after is not None else None
        )
        return JSONResponse(to_json(found), headers=_NO_STORE)


def parameters(request: Request, known: Collection[str]) -> dict[str, str]:
    """Those of the address, which may have none but the known ones. Raises BadParameterError."""
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in known:
            raise BadParameterError(name, "is no parameter here.")
        if name in given:
            raise BadParameterError(name, "is there twice.")
        given[name] = value
    return given


def _days(given: dict[str, str]) -> int:
    text = given.get("days", str(DEFAULT_DAYS))
    if not _DAYS.fullmatch(text) or int(text) > MAX_DAYS:
        raise BadParameterError("days", f"must be a whole number from 1 to {MAX_DAYS}.")
    return int(text)


def _class(text: str) -> CallClass | None:
    names = [each.value for each in CallClass]
    if text not in ("all", *names):
        raise BadParameterError("class", f"must be all, {', '.join([*names, VOICEMAIL])}.")
    return None if text == "all" else CallClass(text)


def _cursor(text: str | None) -> Cursor | None:
    if text is None:
        return None
    found = cursor(text)
    if found is None:
        raise BadParameterError("cursor", _NO_CURSOR)
    return found


def to_json(value: object) -> object:
    """The JSON of a value of the store: classes as maps, `class_` as `class`."""
    kind = type(value)
    if isinstance(value, Cursor):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [to_json(each) for each in value]
    if attrs.has(kind):
        return {name.rstrip("_"): to_json(getattr(value, name)) for name in shown(kind)}
    return value


def shown(kind: type[attrs.AttrsInstance]) -> list[str]:
    """The fields of a class that leave the house: where a file lies does not."""
    hidden = ("file", "peaks") if kind is Recording else ()
    return [field.name for field in attrs.fields(kind) if field.name not in hidden]
