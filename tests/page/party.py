"""Who is in the call of a scripted switch, by the protocol: what each command does to them, and what is refused."""

from __future__ import annotations

import time
from typing import Any

from attrs import define

Message = dict[str, Any]
# Commands that ask somebody into the call, and as what.
ASKING = {"call.consult": "consult", "call.invite": "three_way"}
COMMANDS = {
    *ASKING,
    *(f"call.{name}" for name in ("hold", "retrieve", "transfer", "complete", "cancel", "swap", "merge")),
}


@define
class Parties:
    """Of one call. `second` as in `call.parties`."""

    call: str
    role: str = "agent"
    by: str = ""
    by_name: str = ""
    held_since: float | None = None
    second: Message | None = None
    number: str = ""

    @property
    def told(self) -> Message:
        held = {"customer_held": self.held_since is not None, "held_since": self.held_since}
        return {
            "call": self.call,
            "role": self.role,
            **held,
            "second": self.second,
            "by": self.by,
            "by_name": self.by_name,
            "number": self.number,
        }

    def refer(self, number: str) -> None:
        """The customer's side puts the call through to this number, where it rings."""
        self.second = {
            "purpose": "referred", "kind": "number", "agent": "", "name": "", "number": number, "state": "ringing",
            "early": False, "held": False, "since": time.time(),
        }  # fmt: skip

    def put_through(self) -> None:
        assert self.second is not None
        self.number, self.second = self.second["number"], None

    def hold(self, held: bool) -> None:
        self.held_since = (self.held_since or time.time()) if held else None

    def act(self, request: Message, names: dict[str, str]) -> str:
        """Does it; the code of a refusal where it cannot be done. `names`: of agents."""
        do = request["do"]
        purpose = self.second["purpose"] if self.second else ""
        if self.role == "second":
            return "not_yours"
        match do:
            case "call.hold" | "call.retrieve":
                self.hold(do == "call.hold")
            case "call.consult" | "call.invite" | "call.transfer" if self.second:
                return "second_there"
            case "call.invite" if self.held_since:
                return "on_hold"
            case "call.consult" | "call.invite":
                self.ask(ASKING[do], request, names)
            case "call.transfer":
                pass
            case _ if not self.second:
                return "no_second"
            case "call.swap" | "call.merge" if self.second["state"] == "ringing" or purpose != "consult":
                return "not_answered_yet"
            case "call.swap":
                self.second = {**self.second, "held": self.held_since is not None}
                self.hold(not self.second["held"])
            case "call.merge":
                self.second = {**self.second, "purpose": "three_way", "held": False}
                self.hold(False)
            case "call.cancel":
                self.second = None
                if purpose == "consult":
                    self.hold(False)
        return ""

    def ask(self, purpose: str, target: Message, names: dict[str, str]) -> None:
        agent, number = target.get("agent", ""), target.get("number", "")
        kind = "mobile" if target.get("mobile") else "agent" if agent else "number"
        about = {
            "agent": agent,
            "name": names.get(agent, ""),
            "number": "+8613900139000" if kind == "mobile" else number,
        }
        since = {"state": "ringing", "early": False, "held": False, "since": time.time()}
        self.second = {"purpose": purpose, "kind": kind, **about, **since}
        if purpose == "consult":
            self.hold(True)

    def answered(self, *, early: bool = False) -> None:
        assert self.second is not None
        state = "ringing" if early else "talking"
        self.second = {**self.second, "state": state, "early": early, "since": time.time()}

    def over(self, why: str, status: int) -> Message:
        """The second is gone by itself: what `call.second_over` says of it."""
        assert self.second is not None
        gone, self.second = self.second, None
        about = {key: gone[key] for key in ("purpose", "kind", "agent", "name", "number")}
        return {"call": self.call, **about, "why": why, "text": why, "status": status}
