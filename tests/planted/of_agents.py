"""Bugs of agents: what they do, what they are offered, how they come back, and who may say so."""

from __future__ import annotations

from typing import Final

from .bug import Bug

AGENTS: Final = (
    Bug(
        "who does not answer stays idle, and the next call rings in an empty room",
        "actors/callee.py",
        "            self.move(Phase.ON_BREAK, reason, now)",
        "            self.move(self.state.rest, reason, now)",
    ),
    Bug(
        "an offer rings for ever: the ring time is not timed",
        "actors/agent.py",
        "return min(data.ring_until, data.unrung_since + data.profile.patience.away)",
        "return data.unrung_since + data.profile.patience.away",
    ),
    Bug(
        "the maximum of after-call work is not timed",
        "actors/agent.py",
        "min(self.page_gone_at(), data.work_until, data.testing_until)",
        "min(self.page_gone_at(), data.testing_until)",
    ),
    Bug(
        "a call joined to an agent who had left does not hear so, and waits for that agent for ever",
        "actors/callee.py",
        "effects = [gone, *self.hear_nothing(), *self.stop_testing()]",
        "effects = [*self.hear_nothing(), *self.stop_testing()]",
    ),
    Bug(
        "what takes back an earlier offer takes back the one that rings now",
        "actors/callee.py",
        """\
        if message.call != self._call().call:
            return []
        return self._offer_gone(_GONE_REASON""",
        """\
        if not message.call:
            return []
        return self._offer_gone(_GONE_REASON""",
        survived=True,
    ),
    Bug(
        "going on break while it rings is no decline, and the call rings there again at once after the break",
        "actors/shift.py",
        'self.give_back("break", now, queues.GaveBack.DECLINED)',
        'self.give_back("break", now, queues.GaveBack.RETURNED)',
    ),
    Bug(
        "who refuses an offer, being busy, does not say so to who made it",
        "actors/callee.py",
        "        return [self._tell_offerer(offer, queues.GaveBack.REFUSED)]",
        "        return []",
    ),
    Bug(
        "an offer that came to nothing costs the agent its place among the idle",
        "actors/callee.py",
        "if phase in (Phase.IDLE, Phase.MOBILE) and self.state.phase not in (Phase.RINGING, Phase.ANSWERING):",
        "if phase in (Phase.IDLE, Phase.MOBILE):",
        survived=True,
    ),
    Bug(
        "the time that an agent has talked forgets all calls but the last",
        "actors/callee.py",
        "talked=data.talked + now - data.since",
        "talked=now - data.since",
    ),
    Bug(
        "a page that has come back in time is given up all the same",
        "actors/seat.py",
        """\
            owner=request.session,
            owner_lost_at=math.inf,
""",
        """\
            owner=request.session,
""",
    ),
    Bug(
        "a reloaded page that is heard again loses its call 20 s later: that it was away is not forgotten",
        "actors/callee.py",
        "            self.state = evolve(data, away_since=math.inf)",
        "            self.state = data",
    ),
    Bug(
        "a call is not told by which leg its agent is heard after a reload",
        "actors/agent.py",
        "(before.voice, before.away_since < math.inf) != heard",
        "(after.voice, before.away_since < math.inf) != heard",
    ),
    Bug(
        "signing out while it rings tells the queue nothing",
        "actors/shift.py",
        'return [*self.accept(request), *given, *self.release_seat("signed out", now)]',
        'return [*self.accept(request), *self.release_seat("signed out", now)]',
    ),
    Bug(
        "who dialled in vain from break or paperwork is idle afterwards, and offered calls",
        "actors/dialler.py",
        "self.move(back.phase, IN_VAIN if",
        "self.move(data.rest, IN_VAIN if",
    ),
    Bug(
        "who dials out of the paperwork of a call that began on break is not led back to break",
        "actors/dialler.py",
        "from_break=data.phase is Phase.ON_BREAK or data.may_return,",
        "from_break=data.phase is Phase.ON_BREAK,",
    ),
    Bug(
        "giving up while it rings there leaves the far telephone ringing",
        "actors/dialler.py",
        'return [*self.accept(request), told, *self._back("given_up", 0, now)]',
        'return [*self.accept(request), *self._back("given_up", 0, now)]',
    ),
    Bug(
        "a call that begins after its agent gave it up is dialled for nobody",
        "actors/dialler.py",
        '        return [Tell(f"call:{message.call}", calls.HangUp(self.state.profile.agent))]',
        "        return []",
        survived=True,
    ),
    Bug(
        "a mobile stays off the hook while its agent does the paperwork",
        "actors/mobile.py",
        "_ON_THE_LINE: Final = (Phase.RINGING, Phase.ANSWERING, Phase.TALKING)",
        "_ON_THE_LINE: Final = (Phase.RINGING, Phase.ANSWERING, Phase.TALKING, Phase.AFTER_CALL_WORK)",
    ),
    Bug(
        "a second tab, which does not own the media, may give the call away",
        "actors/agent.py",
        "    page.Invite,\n    page.Transfer,\n    page.Complete,\n    page.Cancel,",
        "    page.Invite,\n    page.Complete,\n    page.Cancel,",
        survived=True,
    ),
    Bug(
        "a queue may ring in the paperwork of the call that it offers again",
        "actors/callee.py",
        'own = data.call is not None and data.call.call == offer.call and offer.purpose == "returned"',
        "own = data.call is not None and data.call.call == offer.call",
        survived=True,
    ),
    Bug(
        "a missed call is kept as a declined one",
        "actors/callee.py",
        '    "no_answer": Outcome.MISSED,',
        '    "no_answer": Outcome.DECLINED,',
    ),
)
