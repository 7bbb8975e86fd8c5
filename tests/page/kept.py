"""What a scripted switch keeps: calls, recordings and states, as its HTTP answers them."""

from __future__ import annotations

import io
import json
import re
import time
import wave
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
from attrs import define, field, frozen

Message = dict[str, Any]

PAGE = 100
RATE = 8000
PER_SECOND = 20
LIN = {"agent": "1001", "name": "Lin"}
MAYA = {"agent": "1002", "name": "Maya"}


@frozen
class Answer:
    status: str
    body: bytes = b""
    kind: str = "application/json"
    headers: tuple[str, ...] = ()


def offer(who: Message, offered: float, outcome: str, decided: float | None, ended: float | None = None) -> Message:
    return {**who, "queue": "support", "offered": offered, "outcome": outcome, "decided": decided, "ended": ended}


def call(id_: str, began: float, kind: str = "normal", **more: object) -> Message:
    """A whole call of Lin's, 20 s of waiting and, where it is normal, 65 s of talk; `more` replaces fields."""
    answered = began + 20 if kind == "normal" else None
    ended = began + (85 if kind == "normal" else 30)
    outcome = {"normal": "answered", "not_connected": "missed", "ring_abandoned": "caller_left"}[kind]
    made: Message = {
        "call": id_,
        "class": kind,
        "direction": "inbound",
        "number": "+8613800138000",
        "name": "",
        "dialled": "+861055501000",
        "queue": "support",
        "queue_name": "Support",
        "began": began,
        "answered": answered,
        "ended": ended,
        "ended_by": "caller",
        "cause": "hung up",
        "talk_seconds": 65.0 if kind == "normal" else 0.0,
        "recording": "ready" if kind == "normal" else "none",
        "agents": [LIN] if kind == "normal" else [],
        "trunk": "carrier",
        "diverted_from": "",
        "legs": [{"party": "caller", "name": "", "began": began, "ended": ended}],
        "holds": [],
        "survey": None,
        "transfers": [],
        "offers": [offer(LIN, began + 12, outcome, answered or ended, ended if answered else None)],
        "sound": {"state": "none", "format": "", "seconds": 0.0, "size": 0, "reason": ""},
        "history": [],
        "message": None,
    }
    if kind == "normal":
        made["legs"].append({"party": "1001", "name": "Lin", "began": answered, "ended": ended})
        made["sound"] = {"state": "ready", "format": "wav", "seconds": 60.0, "size": 1, "reason": ""}
    return made | more


def message(id_: str, began: float, **more: object) -> Message:
    """A call that left a message of 24 s for Support, and rang nowhere."""
    left = {"queue": "support", "queue_name": "Support", "began": began + 9, "ended": began + 33}
    sound = {"state": "ready", "format": "wav", "seconds": 24.0, "size": 1, "reason": ""}
    made = call(
        id_, began, "not_connected", ended=began + 33, cause="closed", offers=[], recording="ready", sound=sound
    )
    return made | {"message": {**left, "handled_by": None, "handled_at": None}} | more


def tones(seconds: float = 60.0) -> tuple[bytes, bytes]:
    """A recording, customer at 400 Hz on the left and agent at 700 Hz on the right taking turns, and its peaks."""
    at = np.arange(int(seconds * RATE)) / RATE
    turn = (at % 8 < 5).astype(float)
    sides = np.stack([turn * np.sin(2 * np.pi * 400 * at), (1 - turn) * np.sin(2 * np.pi * 700 * at)])
    pcm = (sides * 12000).astype(np.int16)
    file = io.BytesIO()
    with wave.open(file, "wb") as target:
        target.setnchannels(2)
        target.setsampwidth(2)
        target.setframerate(RATE)
        target.writeframes(pcm.T.tobytes())
    loud = np.abs(pcm).reshape(2, -1, RATE // PER_SECOND).max(axis=2) >> 8
    peaks = {"seconds": seconds, "per_second": PER_SECOND, "channels": loud.tolist()}
    return file.getvalue(), json.dumps(peaks).encode()


def decided(at_: float, chosen: list[Message], told: Message | None, **more: object) -> Message:
    """A decision as the switch tells it to one who oversees: Lin before Maya, and three who were not asked."""
    ranked = [
        {**who, "rank": rank, "level": rank, "idle_seconds": 300.0 / rank, "calls": None, "talk_seconds": None}
        for rank, who in enumerate((LIN, MAYA), 1)
    ]
    made: Message = {
        "at": at_,
        "queue": "support",
        "queue_name": "Support",
        "strategy": "longest-idle",
        "waited": 12.5,
        "offered": 0,
        "chosen": chosen,
        "candidates": 2,
        "ranked": ranked,
        "passed": [
            {
                "why": "talking",
                "count": 2,
                "agents": [{"agent": "1003", "name": "Chen"}, {"agent": "1004", "name": "Ada"}],
            },
            {"why": "break", "count": 1, "agents": [{"agent": "1005", "name": "Bo"}]},
        ],
        "told": told,
        "same": True,
    }
    return made | more


def webhook(id_: str, **more: object) -> Message:
    """A system of which all is well."""
    made: Message = {
        "id": id_,
        "url": f"https://{id_}.example/cordboard",
        "signed": True,
        "events": ["survey.ended", "voicemail.left"],
        "waiting": 0,
        "oldest": None,
        "due": None,
        "trouble": "",
        "taken": time.time() - 60,
        "given_up": 0,
    }
    return made | more


@define
class Kept:
    """`calls` are whole calls, `qualities` how they sounded, `reasons` why they rang where they did, all of it since
    `kept_since`; `states` the spans of today; `webhooks` who is told, each with the same to say to a test; `broken` the
    beginnings of paths that fail, and how."""

    calls: list[Message] = field(factory=list)
    states: list[Message] = field(factory=list)
    qualities: dict[str, Message] = field(factory=dict)
    reasons: dict[str, list[Message]] = field(factory=dict)
    kept_since: float | None = None
    webhooks: list[Message] = field(factory=list)
    test_answer: Message = field(factory=lambda: {"taken": True, "status": 204, "trouble": ""})
    broken: dict[str, str] = field(factory=dict)
    asked: list[str] = field(factory=list)  # every request, path and query
    ranges: list[str] = field(factory=list)  # of the recording
    sound: tuple[bytes, bytes] = (b"", b"")
    sound_type: str = "audio/wav"

    def add(self, *calls: Message) -> None:
        self.calls = sorted([*self.calls, *calls], key=lambda one: (one["began"], one["call"]), reverse=True)

    def answer(self, target: str, head: str, body: bytes = b"") -> Answer:
        url = urlsplit(target)
        self.asked.append(target)
        for path, status in self.broken.items():
            if url.path.startswith(path):
                return Answer(status)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        match [unquote(part) for part in url.path.split("/")[2:]]:
            case ["calls"]:
                return self._json(self._list(query))
            case ["calls", name]:
                return self._json(next((one for one in self.calls if one["call"] == name), None))
            case ["calls", name, "message"]:
                return self._handle(name, json.loads(body)["handled"])
            case ["calls", name, "quality"]:
                return self._json(self.qualities.get(name, {"tracks": [], "ways": []}))
            case ["calls", name, "why"]:
                return self._json({"decisions": self.reasons.get(name, []), "kept_since": self.kept_since})
            case ["calls", _, "peaks"]:
                return Answer("200 OK", self.sound[1])
            case ["calls", _, "recording"]:
                return self._part(head)
            case ["webhooks"]:
                return self._json({"webhooks": self.webhooks})
            case ["webhooks", _, "test"]:
                return self._json(self.test_answer)
            case ["webhooks", name, "send"]:
                self.webhooks = [webhook(name) if one["id"] == name else one for one in self.webhooks]
                return Answer("204 No Content")
            case ["agents", "1001", "states"]:
                return self._json({"states": self.states})
            case _:
                return Answer("404 Not Found")

    @staticmethod
    def _json(value: object) -> Answer:
        return Answer("404 Not Found") if value is None else Answer("200 OK", json.dumps(value).encode())

    def _list(self, query: dict[str, str]) -> Message:
        wanted = query.get("class", "all")
        mine = [
            one
            for one in self.calls
            if (one["message"] is not None if wanted == "voicemail" else wanted in ("all", one["class"]))
            and ("agent" not in query or any(each["agent"] == query["agent"] for each in one["offers"]))
        ]
        first = int(query.get("cursor", "0"))
        more = first + PAGE < len(mine)
        return {"calls": mine[first : first + PAGE], "next": str(first + PAGE) if more else None}

    def _handle(self, name: str, handled: bool) -> Answer:
        one = next(one for one in self.calls if one["call"] == name)
        by = {"handled_by": LIN, "handled_at": time.time()} if handled else {"handled_by": None, "handled_at": None}
        one["message"] = {**one["message"], **by}
        return Answer("204 No Content")

    def _part(self, head: str) -> Answer:
        whole = self.sound[0]
        asked = re.search(r"^range: bytes=(\d+)-(\d*)\r?$", head, re.M | re.I)
        self.ranges.append(asked[0].strip() if asked else "whole")
        headers = ("Accept-Ranges: bytes",)
        if asked is None:
            return Answer("200 OK", whole, self.sound_type, headers)
        first, last = int(asked[1]), int(asked[2] or len(whole) - 1)
        part = f"Content-Range: bytes {first}-{last}/{len(whole)}"
        return Answer("206 Partial Content", whole[first : last + 1], self.sound_type, (*headers, part))


def at(hours_ago: float) -> float:
    return time.time() - 3600 * hours_ago


def noon_zone() -> str:
    """A time zone in which it is about noon, so that no test meets midnight."""
    ahead = 12 - time.gmtime().tm_hour
    return f"Etc/GMT{-ahead:+d}"  # their signs are the other way round
