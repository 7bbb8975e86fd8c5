"""Customers and telephones of a walk, and what the engine finds out about legs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cordboard.sip import sdp
from cordboard.sip.call import State as SipState
from cordboard.sip.events import CallKeyed, CallReanswered, CallReferred, CallReoffered
from cordboard.switch import protocol as media

from .desks import HOTLINE, MAILBOX, NIGHT, SALES, Desks
from .far import Caller
from .world import CARRIER

# The customer who does not hide its number.
CUSTOMER: Final = "+8613912345678"
# What customers dial, the hotlines most often.
DIALLED: Final = {HOTLINE: 10, SALES: 5, NIGHT: 1, MAILBOX: 2, "600": 1, "602": 1, "701": 2, "999": 1}


class Customers(Desks):
    """All who are no agents."""

    # --- customers --------------------------------------------------------------------------------------------

    def dial(self, number: str = "") -> bool:
        number = number or self.rng.choices(list(DIALLED), list(DIALLED.values()))[0]
        caller = self.world.dial(number, caller=self.rng.choice((CUSTOMER, None)))
        if self.chance(0.1):
            self.later(self.rng.uniform(0, 0.05), caller.hang_up)
        return True

    def callers(self) -> list[Caller]:
        return [each for each in self.world.callers.values() if not each.over.is_set()]

    def caller_hangs_up(self) -> bool:
        caller = self.choose(self.callers())
        if caller is not None:
            caller.hang_up()
        return caller is not None

    def caller_offers(self) -> bool:
        """It holds, moves, or is back."""
        caller = self.choose([each for each in self.callers() if each.answered.is_set()])
        if caller is None:
            return False
        self._versions += 1
        way: sdp.Direction = self.rng.choice(("sendrecv", "sendrecv", "sendonly", "inactive"))
        port = 4000 + 2 * self.rng.randrange(400)
        ours = sdp.offer(CARRIER.host, port, session_id=1, version=self._versions, direction=way)
        carrier = self.world.carrier
        carrier.perform(carrier.endpoint.reoffer(caller.call, ours, self.world.now()))
        return True

    def telephone(self) -> bool:
        """Somebody outside does something by hand."""
        outside = self.choose([each for each in self.outside if each.calls])
        if outside is None:
            return False
        call = self.rng.choice(list(outside.calls))
        act = self.rng.choice(
            (outside.ring, outside.announce, outside.answer, outside.answer, outside.hang_up, outside.hang_up,
             outside.offer, outside.offer)
        )  # fmt: skip
        act(call)
        return True

    def key_by_info(self) -> bool:
        """A telephone tells of a key by INFO, which the switch hears of calls that are answered."""
        known = self.world.switch.endpoint._calls
        up = [call for call, each in known.items() if each.state in (SipState.ACCEPTED, SipState.UP)]
        call = self.choose(up)
        if call is not None:
            self.world.signalling.on_output(CallKeyed(call, self.rng.choice("12359#")))
        return call is not None

    # --- the media plane --------------------------------------------------------------------------------------

    def key(self, leg: str | None = None) -> bool:
        leg = leg or self.choose(self.legs())
        if leg is None:
            return False
        key = self.rng.choice("11159*")
        self.world.on_facts(self.world.engine.press(leg, key, 100, "event", self.world.now()))
        return True

    def accept_by_key(self) -> bool:
        """Who is asked for a key presses 1, at times twice."""
        asked = [leg for leg in self.legs() if self.world.engine._is_asked(leg)]
        leg = self.choose(asked)
        if leg is not None:
            for _ in range(self.rng.choice((1, 1, 2))):
                self.world.on_facts(self.world.engine.press(leg, "1", 100, "event", self.world.now()))
        return leg is not None

    def fact_twice(self) -> bool:
        """... and says twice."""
        return self.fact(times=2)

    def fact(self, leg: str | None = None, times: int = 1) -> bool:
        """What the engine finds out about a leg."""
        leg = leg or self.choose(self.legs())
        if leg is None:
            return False
        engine = self.world.engine
        page_leg = leg.startswith("agent:")
        facts: list[Callable[[], list[media.Fact]]] = [
            lambda: engine.silence(leg, 0.5),
            lambda: engine.hear(leg),
            lambda: engine.ways(leg, comes=self.chance(0.7), goes=self.chance(0.7)),
            lambda: engine.ways(leg, comes=True, goes=True),
            lambda: [media.LegQuality(leg, 100, 2, 0.02, 4.0, 60.0, -25.0)],
        ]
        if page_leg:
            facts += [lambda: engine.uncheck(leg, 10.0), lambda: engine.check(leg), lambda: engine.check(leg)]
        self.world.on_facts(self.rng.choice(facts)() * times)
        return True

    def leg_fails(self, leg: str | None = None) -> bool:
        leg = leg or self.choose(self.legs())
        if leg is not None:
            self.world.on_facts(self.world.engine.fail(leg, "consent gone", self.world.now()))
        return leg is not None

    def recording(self) -> bool:
        recording = self.choose(self.world.engine.recordings)
        if recording is None:
            return False
        engine = self.world.engine
        self.world.on_facts(engine.trouble(recording, "disk full") or engine.cure(recording))
        return True

    # --- what SIP tells, and nobody said -----------------------------------------------------------------------

    def offers_nothing(self) -> bool:
        """A far side asks for our offer, and its ACK has the answer."""
        call = self.choose(self._up())
        if call is not None:
            self.world.switch.elsewhere.add(call)
            self.world.signalling.on_output(CallReoffered(call, None))
            ours = sdp.offer(
                CARRIER.host, 6000 + 2 * self.rng.randrange(400), session_id=4, version=2, codecs=("pcma",)
            )
            life = self.world.life
            said = CallReanswered(call, ours)
            self.later(0.01, lambda: None if life.over else self.world.signalling.on_output(said))
        return call is not None

    def rings_elsewhere(self) -> bool:
        """A far side that has not answered makes another offer (RFC 3311)."""
        known = self.world.switch.endpoint._calls
        early = self.choose([call for call, each in known.items() if each.state is SipState.EARLY])
        if early is not None:
            ours = sdp.offer(CARRIER.host, 5000 + 2 * self.rng.randrange(400), session_id=3, version=2)
            self.world.switch.elsewhere.add(early)
            self.world.signalling.on_output(CallReoffered(early, ours))
        return early is not None

    def refers(self) -> bool:
        """A far side wants to be put through to another number (REFER)."""
        call = self.choose(self._up())
        if call is not None:
            self.world.signalling.on_output(CallReferred(call, "+8613800138007"))
        return call is not None

    def all_refer(self) -> None:
        """... and each of them."""
        for call in self._up():
            self.world.signalling.on_output(CallReferred(call, "+8613800138007"))

    def _up(self) -> list[str]:
        return [call for call, each in self.world.switch.endpoint._calls.items() if each.state is SipState.UP]
