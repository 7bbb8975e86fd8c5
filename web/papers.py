"""The paperwork of calls, over HTTP, and the pages that hear of its changes.

No rule of who may see and write what: that is `actors.store.Papers`. Here is what a request must look like, each
refusal with the name of what is wrong; how often an agent may change something; and which page watches which call. A
page that watches one hears of a change of all that it would be told of it, whoever made it and in which call of that
customer, and asks anew.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable

from attrs import frozen
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..actors import page
from ..actors.store import BadEditError, ConflictError, NotAllowedError, NotThereError, Papers, StoreError
from ..actors.store.customers import Subject
from ..actors.store.fields import LIMITS, Kind
from ..actors.store.papers import Change, Edit, NewTicket, Tag
from .access import Throttle
from .errors import BadParameterError, error, error_body
from .history import parameters, to_json
from .interfaces import Login
from .metrics import WebMetrics
from .protocol import PaperChanged
from .session import Session

# Changes per minute that one agent may ask for, of all its pages and scripts: a page sends what is typed when its agent
# pauses, and not twice a second. Each is a write of the database, which is not the quickest of disks.
CHANGES_PER_AGENT = 240

_NO_STORE = {"Cache-Control": "no-store"}
_SHAPES = (
    'It must be {"edit": {"kind", "field", "value", "version"}}, of a ticket with "ticket"; '
    '{"tag": text, "on": true or false}; or {"ticket": {"key", "title", "text"}}; and may have "agent".'
)
_KINDS = " or ".join(kind.value for kind in Kind)


@frozen
class Watcher:
    """A page that watches a call; `key` is of all calls of the same customer."""

    session: Session
    call: str
    key: str


class Paperwork:
    """The endpoints, and who watches."""

    def __init__(self, papers: Papers, metrics: WebMetrics, clock: Callable[[], float]) -> None:
        """`clock`: any that runs evenly."""
        self._papers = papers
        self._metrics = metrics
        self._clock = clock
        self._per_agent = Throttle(CHANGES_PER_AGENT)
        self._watchers: dict[str, Watcher] = {}
        self._revisions = itertools.count(1)
        papers.on_change = self._changed

    # --- HTTP ---------------------------------------------------------------------------------------------------

    async def paper(self, request: Request, login: Login) -> Response:
        """`/api/calls/ID/paper`."""
        parameters(request, ())
        found = await self._papers.paper(login, request.path_params["call"])
        return JSONResponse(to_json(found), headers=_NO_STORE)

    async def change(self, request: Request, login: Login) -> Response:
        """POST `/api/calls/ID/paper`."""
        parameters(request, ())
        outcome = "failed"
        try:
            if wait := self._per_agent.charge(login.agent, self._clock()):
                outcome = "too_many"
                return error("too_many_changes", headers={"Retry-After": str(wait)})
            change = _change(await request.body(), login.agent)
            found = await self._papers.change(login, request.path_params["call"], change)
            outcome = "accepted"
            return JSONResponse(to_json(found), headers=_NO_STORE)
        except BadEditError as bad:
            outcome = "bad_request"
            return error("bad_request", str(bad))
        except ConflictError as conflict:
            outcome = "conflict"
            body = {**error_body("conflict"), "paper": to_json(conflict.paper)}
            return JSONResponse(body, 409, headers=_NO_STORE)
        except _AnothersError:
            outcome = "not_allowed"
            return error("not_logged_in")
        except NotAllowedError:
            outcome = "not_allowed"
            raise
        except NotThereError:
            outcome = "not_found"
            raise
        except StoreError:
            outcome = "unavailable"
            raise
        finally:
            self._metrics.papers.labels(outcome).inc()

    async def versions(self, request: Request, login: Login) -> Response:
        """`/api/calls/ID/paper/versions?kind=&field=&ticket=&agent=`."""
        given = parameters(request, {"kind", "field", "ticket", "agent"})
        kind = _kind(given.get("kind"))
        if kind is None:
            raise BadParameterError("kind", f"must be {_KINDS}.")
        field = given.get("field", "")
        if field not in LIMITS[kind]:
            raise BadParameterError("field", f"must be {' or '.join(LIMITS[kind])}.")
        for name, of in (("ticket", Kind.TICKET), ("agent", Kind.SUMMARY)):
            if name in given and kind is not of:
                raise BadParameterError(name, f"is none where the kind is {kind.value}.")
        call, ticket, agent = request.path_params["call"], given.get("ticket", ""), given.get("agent", "")
        found = await self._papers.versions(login, call, kind, field, ticket, agent)
        return JSONResponse({"versions": to_json(found)}, headers=_NO_STORE)

    # --- watching -----------------------------------------------------------------------------------------------

    async def watch(self, session: Session, login: Login, call: str) -> page.Accepted | page.Refused:
        """From now on the session hears of this call, and of no other; empty: of none."""
        self.forget(session)
        if not call:
            return page.Accepted()
        try:
            whose = await self._papers.whose(login, call)
        except (NotThereError, NotAllowedError):
            return page.refuse("not_found")
        except StoreError:
            return page.refuse("unavailable")
        self._watchers[session.id] = Watcher(session, call, whose.key)
        return page.Accepted()

    def forget(self, session: Session) -> None:
        self._watchers.pop(session.id, None)

    def _changed(self, whose: Subject) -> None:
        for watcher in list(self._watchers.values()):
            if watcher.key == whose.key:
                watcher.session.push(next(self._revisions), PaperChanged(watcher.call))


class _AnothersError(Exception):
    """The page that says it is another agent's, who was logged in at that browser before."""


def _change(body: bytes, agent: str) -> Change:
    """What that agent says. Raises BadEditError and _AnothersError."""
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        asked = None
    if isinstance(asked, dict) and asked.pop("agent", agent) != agent:
        raise _AnothersError
    match asked:
        case {"edit": dict(edit), **rest} if not rest:
            return _edit(edit)
        case {"tag": str(tag), "on": bool(on), **rest} if not rest:
            return Tag(tag, on)
        case {"ticket": {"key": str(key), "title": str(title), "text": str(text), **more}, **rest} if not more | rest:
            return NewTicket(key, title, text)
        case _:
            raise BadEditError("body", _SHAPES)


def _edit(edit: dict[str, object]) -> Edit:
    match edit:
        case {"kind": str(kind), "field": str(field), "value": str(value), "version": int(version), **rest}:
            known, ticket = _kind(kind), rest.pop("ticket", "")
            if known is None:
                raise BadEditError("kind", f"is not {_KINDS}.")
            if isinstance(version, bool):
                raise BadEditError("version", "is not a whole number.")
            if rest or not isinstance(ticket, str) or (known is Kind.TICKET) != bool(ticket):
                raise BadEditError("edit", _SHAPES)
            return Edit(known, field, value, version, ticket)
        case _:
            raise BadEditError("edit", _SHAPES)


def _kind(text: str | None) -> Kind | None:
    return next((kind for kind in Kind if kind.value == text), None)
