"""Whoever is dialled, until it answers: one trunk and host after the other.

    SEEKING --a trunk takes it--> READYING --media--> CALLING --answer--> what the call or the line makes of it
       ^                                                 |
       `------- silence, 5xx; the trunk refuses us -------`      busy, declined, no such number: the end

The number has passed the gate before (`switchboard.py`), and its trunks are in order. Each is asked whether it takes
the call, and gives the best of its hosts. A host of which nothing is heard for `FAILOVER` seconds, or that says 5xx
before it rings, is left for the next one, of the same trunk or of another; one that refuses us, as with 401 after our
password, for another trunk. Each attempt is a SIP call and a leg of its own. What rings or is heard is not left any
more: what it says is the end.

An emergency call is over only when somebody answers or is busy, or nobody is left: it goes on to the next
trunk after all else that may be said, also by one that rang or was heard. Trunks and hosts that are up come first, then
all that it has not tried, by turns a host of each trunk: one that is said to be down may be up again. A trunk that only
says that it tries is left after `EMERGENCY` seconds, where there is another, and so is the host of the only one.

A host that sends the call on (3xx), to another number within the trunk, is followed where the gate lets that number
pass, which the switchboard says: never twice to the same, and `REDIRECTS` times at most.

The mechanism of calls that agents dial (`dialling.py`) and of lines (`line.py`), whose phases are the `Stage`s among
others.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from enum import Enum
from typing import Any, Final

from ..sip import sdp
from ..switch import protocol as media
from . import failures, signals
from .call_state import Denied, Follow, Freed, Granted, LetIn, Out, Redirected, Seize, Stay, Timeout, Trouble
from .caller import Caller
from .effects import Effect, Log, Media, Sip, Tell
from .evolving import evolve
from .table import S

# A host that is there says so at once (100): another is tried after this, which is all that it adds.
FAILOVER: Final = 4.0
# What has begun to make its way has so long to be answered: three minutes are a proxy's (RFC 3261 §16.6, Timer C).
PATIENCE: Final = 180.0
# An emergency call has so long to ring, or to be heard, where another trunk or host is left that may do better.
EMERGENCY: Final = 20.0
# A trunk and the engine answer within milliseconds.
SETUP: Final = 4.0
# What makes its way, and where one of several has given up (RFC 6228): nothing rings for that.
NOT_RINGING: Final = (100, 199)
# So often is a call sent on: more is a loop, or somebody who tries numbers.
REDIRECTS: Final = 5


class Stage(Enum):
    """How far it is; each is a phase of whoever dials, by this value."""

    SEEKING = "seeking"
    READYING = "readying"
    CALLING = "calling"


class Outward(Caller[S]):
    """The half of a call or a line that dials."""

    @property
    def out(self) -> Out:
        out = self.state.out
        assert out is not None, "somebody dials in every state of a call out"
        return out

    def _out(self, **changes: Any) -> None:
        self.state = evolve(self.state, out=evolve(self.out, **changes))

    @property
    @abstractmethod
    def calling(self) -> bool:
        """It has been asked, and has not answered."""

    @abstractmethod
    def enter(self, stage: Stage, now: float) -> None:
        """The one door for state changes."""

    @abstractmethod
    def told_progress(self) -> list[Effect]:
        """It rings, or is heard, for the first time, or neither any more: whoever waits for it is told."""

    @abstractmethod
    def answered(self, now: float) -> list[Effect]:
        """It has answered."""

    @abstractmethod
    def fail(self, why: str, status: int, now: float) -> list[Effect]:
        """It comes to nothing: `why` is a code of `page.FAILURES`."""

    def dialling_deadline(self) -> float:
        return self.out.until if self.calling else self.state.since + SETUP

    # --- the trunk --------------------------------------------------------------------------------------------

    def seek(self, now: float) -> list[Effect]:
        """The next trunk is asked, if there is one."""
        if not self.out.trunks:
            self._out(trunks=self.out.later, later=(), again=True)
        out = self.out
        if not out.trunks:
            return self.fail(out.why, out.status, now)
        self.enter(Stage.SEEKING, now)
        return [Tell(f"trunk:{out.trunks[0]}", Seize(self.id, out.tried, out.emergency, out.again))]

    def _leave_trunk(self, now: float, *, exhausted: bool = False) -> list[Effect]:
        """An emergency call comes back to each of them, as long as it is not `exhausted`, as what it was."""
        out = self.out
        left, *trunks = out.trunks
        if out.emergency and not out.again:
            self._out(later=(*out.later, left))
        elif out.emergency and not exhausted:
            trunks.append(left)
        dialled = {"number": out.wanted, "dialled": out.wanted, "wanted": ""} if out.wanted else {}
        self._out(trunks=tuple(trunks), **dialled)
        return [Tell(f"trunk:{left}", Freed(self.id)), *self.seek(now)]

    def denied(self, message: Denied, now: float) -> list[Effect]:
        """What was said by a host that had it before is worth more than that there is no other."""
        if message.trunk != self.out.trunks[0]:
            return []
        if not self.out.status:
            self._out(why=message.why)
        return self._leave_trunk(now, exhausted=True)

    def granted(self, message: Granted, now: float) -> list[Effect]:
        arrived = evolve(self.state.arrived, trunk=message.trunk, srtp=message.srtp)
        self.state = evolve(self.state, arrived=arrived, nat=message.nat)
        self._out(barred=message.barred, more=message.more)
        return self._attempt(message.host, now)

    def _attempt(self, host: signals.Host, now: float) -> list[Effect]:
        """By this host of the trunk, with a leg of its own."""
        self._out(host=host, attempt=self.out.attempt + 1, comes=False)
        arrived = evolve(self.state.arrived, peer=host.address)
        self.state = evolve(self.state, arrived=arrived, agreed=None, ours=None, keys=())
        self.enter(Stage.READYING, now)
        return self.open_leg()

    def sent_on(self, message: Follow, now: float) -> list[Effect]:
        """The gate lets the number pass that the call is sent on to."""
        out = self.out
        wanted = (out.wanted or out.dialled) if out.emergency else ""
        followed = (*out.followed, message.to)
        self._out(number=message.number, dialled=message.dialled, followed=followed, wanted=wanted)
        return self._attempt(message.to.host, now)

    def stays(self, message: Stay, now: float) -> list[Effect]:
        if self.out.emergency:
            return self._leave_trunk(now)
        return self.fail("redirect_barred", self.out.status, now)

    # --- the attempt ------------------------------------------------------------------------------------------

    def invite(self, fact: media.LegOpened, now: float) -> list[Effect]:
        data, out = self.state, self.out
        if fact.leg != data.leg:
            return []
        assert out.host is not None, "a trunk has given it"
        ours = self.offer(fact, out.attempt)
        self.state = evolve(data, ours=ours, keys=fact.keys, version=out.attempt)
        self.enter(Stage.CALLING, now)
        self._out(until=now + FAILOVER)
        trunk = data.arrived.trunk
        dial = signals.Dial(data.sip, trunk, out.host, out.number, out.dialled, out.shown, ours, out.forwards)
        return [Sip(dial)]

    def progressed(self, message: signals.Progressed, now: float) -> list[Effect]:
        if message.call != self.state.sip:
            return []
        out = self.out
        rings = message.status == 180 or (message.status not in NOT_RINGING and message.answer is None)
        reaches = rings or message.answer is not None
        hurries = out.emergency and (out.trunks[1:] or out.more) and not reaches
        until = self.state.since + (EMERGENCY if hurries else PATIENCE)
        if out.until < until:
            self._out(until=until)
        told = self._let_in() if message.status > 100 else []
        if rings and not out.rings:
            self._out(rings=True)
            told += self.told_progress()
        return told if message.answer is None else [*told, *self._agree(message.answer, self._agreed_early, now)]

    def first_heard(self, fact: media.LegConnected, now: float) -> list[Effect]:
        """Media comes from the far side, perhaps before it has said by which codec."""
        heard = self.silence(fact, now)
        if fact.leg != self.state.leg:
            return heard
        self._out(comes=True)
        return [*heard, *self._hears_early(now)]

    def reoffered_early(self, message: signals.Reoffered, now: float) -> list[Effect]:
        """The far side rings elsewhere by now: it has answered our offer so that we know it did (RFC 3262), and makes
        another (RFC 3311)."""
        return self.reoffered(message, now) if message.call == self.state.sip else []

    def _agree(self, answer: sdp.SessionDescription, then: Callable[[float], list[Effect]], now: float) -> list[Effect]:
        """What both speak, and what follows; where nothing fits that is the end."""
        ours = self.state.ours
        assert ours is not None, "it was offered"
        try:
            agreed = sdp.accept(ours, answer, peer=self.state.arrived.peer)
        except sdp.SdpError as error:
            log = Log("no common media", (("call", self.id), ("reason", str(error))))
            return [log, *self._nothing_in_common(now)]
        self.state = evolve(self.state, agreed=agreed)
        return then(now)

    def _nothing_in_common(self, now: float) -> list[Effect]:
        if not self.out.emergency:
            return self.fail("no_common_media", 0, now)
        self._out(why="no_common_media", status=0)
        return [Sip(signals.Release(self.state.sip)), *self._by_another_trunk(now)]

    def _hears_early(self, now: float) -> list[Effect]:
        """The far side is heard before it answers, and hears nobody (RFC 3960 §3.1); as long as nothing comes from it,
        it rings (§3.2)."""
        if self.out.early or not self.out.comes or self.state.agreed is None:
            return []
        self._out(early=True)
        return self.told_progress()

    def _agreed_early(self, now: float) -> list[Effect]:
        return [*self._follow(missed=False), *self._hears_early(now)]

    def _follow(self, *, missed: bool) -> list[Effect]:
        agreed = self.state.agreed
        assert agreed is not None, "it has answered our offer"
        return self.follow(agreed, self.state.keys, missed=missed)

    def picked_up(self, message: signals.PickedUp, now: float) -> list[Effect]:
        if message.call != self.state.sip:
            return []
        let_in = self._let_in()
        if message.answer is not None:
            return [*let_in, *self._agree(message.answer, self._picked_up, now)]
        if self.state.agreed is None:
            return [*let_in, *self._nothing_in_common(now)]
        return [*let_in, *self._picked_up(now)]

    def _let_in(self) -> list[Effect]:
        """A trunk that wanted another password takes this one."""
        if not self.out.barred:
            return []
        self._out(barred=False)
        return [Tell(f"trunk:{self.out.trunks[0]}", LetIn(self.id))]

    def _picked_up(self, now: float) -> list[Effect]:
        if self.state.silent_since < math.inf:  # it need not have said anything before
            self.state = evolve(self.state, silent_since=now)
        return [*self._follow(missed=True), *self.answered(now)]

    def attempt_failed(self, message: signals.Failed, now: float) -> list[Effect]:
        """SIP is done with it."""
        if message.call != self.state.sip:
            return []
        out = self.out
        self._out(why=failures.why_of(message.status, message.cause), status=message.status)
        if message.redirects:
            return self._moved(message.redirects, now)
        elsewhere = failures.asks_elsewhere(message.status, message.cause)
        # of another status it is about this call alone (RFC 3261 §21.5.1), and the callee may have said it
        retry_after = message.retry_after if message.status == 503 else None
        another = failures.asks_another_trunk(message.status, message.cause, emergency=out.emergency)
        stands = (out.rings or out.early) and not out.emergency
        if stands or not (elsewhere or another):
            # a host that says when it takes calls again is left alone until then, also where it rang (RFC 3261 §20.33)
            told = self._trouble(silent=False, retry_after=retry_after)
            rests = told if elsewhere and retry_after is not None else []
            return [*rests, *self.fail(self.out.why, message.status, now)]
        if not elsewhere:
            barred = failures.wants_password(message.status)
            told = self._trouble(silent=False, retry_after=None, barred=True) if barred else []
            return [*told, *self._by_another_trunk(now)]
        silent = message.status == 408
        return self._elsewhere(silent=silent, retry_after=retry_after, now=now)

    def _moved(self, to: tuple[signals.Redirect, ...], now: float) -> list[Effect]:
        """To another number at the same trunk, or to the same at another host of it, where the Contact names none; and
        to no other trunk from here on, but for an emergency call."""
        data, out = self.state, self.out
        named = (each if each.number else evolve(each, number=out.dialled) for each in to)
        new = tuple(each for each in named if each not in out.followed)
        if not new or len(out.followed) >= REDIRECTS:
            return self._by_another_trunk(now) if out.emergency else self.fail(out.why, out.status, now)
        trunk = data.arrived.trunk
        if out.emergency:
            assert out.host is not None, "a trunk has given it"
            self._out(tried=(*out.tried, out.host))
        else:
            self._out(trunks=(trunk,))
        gone = self._over_there()
        self.enter(Stage.SEEKING, now)
        fields = (("call", self.id), ("trunk", trunk), ("status", out.status))
        asked = Tell("switchboard", Redirected(self.id, trunk, new, out.emergency))
        return [Log("call is sent on", fields), *gone, Media(media.CloseLeg(data.leg)), asked]

    def unheard(self, message: Timeout, now: float) -> list[Effect]:
        """Nothing came of this attempt in its time."""
        out = self.out
        released = Sip(signals.Release(self.state.sip, why="timer"))
        made_its_way = out.rings or out.early or out.until >= self.state.since + PATIENCE
        if made_its_way and not out.emergency:
            return [*self.fail("not_answered", 0, now)]
        self._out(why="not_answered" if made_its_way else "unreachable", status=408)
        if out.until >= self.state.since + EMERGENCY:  # it is there: another host of the trunk may take as long
            return [released, *self._trouble(silent=True, retry_after=None), *self._by_another_trunk(now)]
        return [released, *self._elsewhere(silent=True, retry_after=None, now=now)]

    def _elsewhere(self, *, silent: bool, retry_after: int | None, now: float) -> list[Effect]:
        """By another host of the same trunk, where it has one, else by the next trunk."""
        data, out = self.state, self.out
        assert out.host is not None, "a trunk has given it"
        trouble = self._trouble(silent=silent, retry_after=retry_after)
        fields = (("call", self.id), ("trunk", data.arrived.trunk), *out.host.fields, ("status", out.status))
        self._out(tried=(*out.tried, out.host))
        closed = [*self._over_there(), Media(media.CloseLeg(data.leg))]
        return [Log("call goes elsewhere", fields), *closed, *trouble, *self.seek(now)]

    def _by_another_trunk(self, now: float) -> list[Effect]:
        """What this one says all its hosts do: an emergency call asks them when all other trunks were asked."""
        data, out = self.state, self.out
        assert out.host is not None, "a trunk has given it"
        if not (out.trunks[1:] or out.emergency):
            return self.fail(out.why, out.status, now)
        fields = (("call", self.id), ("trunk", data.arrived.trunk), *out.host.fields, ("status", out.status))
        self._out(tried=(*out.tried, out.host))
        closed = [*self._over_there(), Media(media.CloseLeg(data.leg))]
        return [Log("call goes elsewhere", fields), *closed, *self._leave_trunk(now)]

    def _over_there(self) -> list[Effect]:
        """Whoever waits does not hear this host any more, nor that it rings."""
        out = self.out
        self._out(host=None, rings=False, early=False)
        return self.told_progress() if out.rings or out.early else []

    def _trouble(self, *, silent: bool, retry_after: int | None, barred: bool = False) -> list[Effect]:
        """The trunk hears what its host said."""
        out = self.out
        assert out.host is not None, "a trunk has given it"
        trouble = Trouble(self.id, out.host, silent=silent, retry_after=retry_after, barred=barred)
        return [Tell(f"trunk:{out.trunks[0]}", trouble)]

    def not_granted(self, message: Timeout, now: float) -> list[Effect]:
        """A trunk that says nothing is no longer there."""
        return self._leave_trunk(now, exhausted=True)

    def not_ready(self, message: Timeout, now: float) -> list[Effect]:
        return self.fail("no_media", 0, now)

    def leg_not_had(self, fact: media.LegRefused | media.LegFailed, now: float) -> list[Effect]:
        return self.fail("no_media", 0, now)
