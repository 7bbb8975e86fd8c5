"""What the HTTP side says when it cannot do as asked: JSON of one shape, `{"error": {"code": ..., "text": ...}}`."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

# The codes of an HTTP error, with what they tell a person; docs/protocol.md lists them.
HTTP_ERRORS: dict[str, tuple[int, str]] = {
    "bad_request": (400, "The request cannot be read."),
    "bad_parameter": (400, "A parameter of the address is wrong."),
    "not_logged_in": (401, "Log in first."),
    "wrong_login": (401, "There is no such agent, or the password is wrong."),
    "forbidden": (403, "Not from here."),
    "not_allowed": (403, "Your role does not allow it."),
    "bad_origin": (403, "This page is of another host; list it under origins."),
    "not_found": (404, "There is nothing here."),
    "method_not_allowed": (405, "Not with this method."),
    "not_ready": (409, "The recording is not ready yet; try again."),
    "conflict": (409, "Somebody else has written it meanwhile."),
    "too_large": (413, "The request is too large."),
    "range_not_satisfiable": (416, "It is not as long as that."),
    "upgrade_required": (426, "This is a websocket."),
    "too_many_attempts": (429, "Too many wrong passwords; try again later."),
    "too_many_changes": (429, "Too many changes in a minute; try again later."),
    "headers_too_large": (431, "The request's headers are too large."),
    "failure": (500, "The switch failed; this is counted and logged."),
    "no_media": (503, "The media engine does not answer; try again."),
    "unavailable": (503, "The database cannot be read or written now; this is logged."),
}


class BadParameterError(Exception):
    """A parameter of a request's query that is not what it must be."""

    def __init__(self, name: str, wrong: str) -> None:
        super().__init__(f"{name}: {wrong}")


def error_body(code: str, detail: str = "") -> dict[str, object]:
    """The JSON of an error response."""
    return {"error": {"code": code, "text": f"{HTTP_ERRORS[code][1]} {detail}".strip()}}


def error(code: str, detail: str = "", headers: dict[str, str] | None = None) -> Response:
    """The whole response."""
    return JSONResponse(
        error_body(code, detail), HTTP_ERRORS[code][0], headers={"Cache-Control": "no-store", **(headers or {})}
    )
