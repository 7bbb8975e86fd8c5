"""The systems that are told by webhooks, over HTTP: how each fares, a test of one, and what waits for it sent now.

Whose they are to see and to touch is not decided here: that is `actors.othersystems`.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..actors.othersystems import OtherSystems
from .history import to_json
from .interfaces import Login

_NO_STORE = {"Cache-Control": "no-store"}


class Systems:
    """The endpoints."""

    def __init__(self, systems: OtherSystems) -> None:
        self._systems = systems

    async def listed(self, request: Request, login: Login) -> Response:
        """`/api/webhooks`."""
        found = await self._systems.standings(login)
        return JSONResponse({"webhooks": to_json(found)}, headers=_NO_STORE)

    async def test(self, request: Request, login: Login) -> Response:
        """POST `/api/webhooks/ID/test`."""
        answer = await self._systems.test(login, request.path_params["webhook"])
        said = {"taken": answer.took, "status": answer.status, "trouble": answer.trouble}
        return JSONResponse(said, headers=_NO_STORE)

    async def hurry(self, request: Request, login: Login) -> Response:
        """POST `/api/webhooks/ID/send`."""
        await self._systems.hurry(login, request.path_params["webhook"])
        return Response(status_code=204, headers=_NO_STORE)
