"""The paperwork that a scripted switch keeps, as its HTTP answers it: of one customer, with whoever writes about it."""

from __future__ import annotations

import json
import time
from typing import Any

from attrs import define, field

from tests.page.kept import LIN, MAYA, Answer

Message = dict[str, Any]

PROFILE = ("name", "company", "email", "address", "note")
LIMITS = {
    "name": 100,
    "company": 100,
    "email": 254,
    "address": 4000,
    "note": 4000,
    "summary": 4000,
    "title": 200,
    "text": 4000,
    "tag": 32,
    "tags": 20,
    "tickets": 200,
}
BLANK: Message = {"value": "", "version": 0, "agent": "", "name": "", "at": 0.0}


def written(value: str, who: Message, version: int) -> Message:
    return {"value": value, "version": version, **who, "at": time.time()}


@define
class Papers:
    """All calls are of one customer. `down`: nothing is answered but 503, as without a database; `lose`: what is posted
    is done, and the answer is lost; `failing`: edits of this field fail, as by a program error."""

    writable: bool = True
    number: str = "+8613800138000"
    fields: dict[tuple[str, ...], Message] = field(factory=dict)  # of the customer, of summaries, of tickets
    past: dict[tuple[str, ...], list[Message]] = field(factory=dict)  # the newest first
    tags: list[str] = field(factory=list)
    known_tags: list[str] = field(factory=lambda: ["vip", "newsletter", "complaint"])
    tickets: list[Message] = field(factory=list)
    earlier: list[Message] = field(factory=list)
    posted: list[Message] = field(factory=list)  # all that was, with its call
    status: dict[str, str] = field(factory=dict)  # call -> what it is answered instead
    down: bool = False
    lose: bool = False
    failing: str = ""

    def write(self, of: tuple[str, ...], value: str, who: Message = MAYA) -> None:
        """`of`: ("customer", "note"), ("summary", call, agent) or ("ticket", ticket, field)."""
        self.fields[of] = written(value, who, self.fields.get(of, BLANK)["version"] + 1)
        self.past.setdefault(of, []).insert(0, self.fields[of])

    def value(self, *of: str) -> str:
        return str(self.fields.get(of, BLANK)["value"])

    def versions(self, call: str, kind: str, name: str, ticket: str = "") -> Answer:
        return Answer(
            "200 OK", json.dumps({"versions": self.past.get(self._of(call, kind, name, ticket), [])}).encode()
        )

    @staticmethod
    def _of(call: str, kind: str, name: str, ticket: str) -> tuple[str, ...]:
        places = {"customer": ("customer", name), "summary": ("summary", call, LIN["agent"])}
        return places.get(kind, ("ticket", ticket, name))

    def answer(self, call: str, body: bytes) -> Answer:
        """`body`: what is posted, or nothing."""
        if self.down:
            return Answer("503 Service Unavailable")
        if call in self.status:
            return Answer(self.status[call])
        if self.failing and f'"field":"{self.failing}"'.encode() in body:
            return Answer("500 Internal Server Error")
        done = self._post(call, json.loads(body)) if body else True
        if self.lose and body:
            return Answer("503 Service Unavailable")
        paper = self._paper(call)
        if done:
            return Answer("200 OK", json.dumps(paper).encode())
        error = {"code": "conflict", "text": "Somebody wrote meanwhile."}
        return Answer("409 Conflict", json.dumps({"error": error, "paper": paper}).encode())

    def _post(self, call: str, change: Message) -> bool:
        self.posted.append({"call": call, **change})
        match change:
            case {"edit": {"kind": kind, "field": name, "value": value, "version": version, **more}}:
                of = self._of(call, kind, name, str(more.get("ticket", "")))
                newest = self.fields.get(of, BLANK)
                if value == newest["value"]:
                    return True
                if version != newest["version"]:
                    return False
                self.write(of, value, LIN)
            case {"tag": tag, "on": on}:
                self.tags = [*(one for one in self.tags if one != tag), *([tag] if on else [])]
            case {"ticket": {"key": key, "title": title, "text": text}}:
                self.open(key, title, text, call, LIN)
        return True

    def open(self, key: str, title: str, text: str = "", call: str = "c0", who: Message = MAYA) -> None:
        if any(one["key"] == key for one in self.tickets):
            return
        self.tickets = [{"ticket": f"t-{key}", "key": key, "opened": time.time(), "call": call, **who}, *self.tickets]
        for name, value in (("title", title), ("text", text), ("status", "open")):
            self.write(("ticket", f"t-{key}", name), value, who)

    def _paper(self, call: str) -> Message:
        summaries = [
            {**who, "text": self.fields.get(("summary", call, who["agent"]), BLANK)}
            for who in (LIN, MAYA)
            if ("summary", call, who["agent"]) in self.fields or (who == LIN and self.writable)
        ]
        return {
            "call": call,
            "number": self.number,
            "direction": "inbound",
            "writable": self.writable,
            "customer": {
                "customer": "k1",
                "numbers": [self.number],
                "fields": {name: self.fields.get(("customer", name), BLANK) for name in PROFILE},
                "tags": self.tags,
            },
            "summaries": summaries,
            "tickets": [
                {
                    **{key: value for key, value in one.items() if key != "key"},
                    "fields": {
                        name: self.fields.get(("ticket", one["ticket"], name), BLANK)
                        for name in ("title", "text", "status")
                    },
                }
                for one in self.tickets
            ],
            "earlier": self.earlier,
            "known_tags": self.known_tags,
            "limits": LIMITS,
        }
