"""A call in a queue: its place, what it hears there, the answer that counts, and the end of its patience or ours.

Where nobody is signed in the caller is told so at once, and again until somebody is; else it hears music, and its
number in line every so often, and how long it will wait. One that an agent had and lost comes before all others. A call
that its queue does not keep, because it is closed or full, or nobody is there, or it has waited too long, goes on to
another queue, to a number outside or to leave a message, or hears goodbye; an answer that crosses that is told why.
"""

from __future__ import annotations

import math

from ..switch import protocol as media
from . import agent_state as agents
from . import announcements, timeline
from . import queue_state as queues
from .call_state import CLOSED, TOO_LONG, Accept, InLine, Onward, Phase, QueueStands, SentOn, Timeout
from .effects import Effect, Log, Tell, Watch
from .evolving import evolve
from .parties import Standing
from .routes import ToQueue
from .taking_messages import TakingMessages

# The longest last word is half as long; an engine that does not say when it is over has died.
GOODBYE_TIMEOUT = 30.0


class Waiting(TakingMessages):
    """The half of a call that has nobody to talk to."""

    def queue(self) -> str:
        route = self.state.route
        assert isinstance(route, ToQueue), "only a call of a queue waits"
        return f"queue:{route.queue}"

    def wait(self, now: float, *, again: bool = False) -> list[Effect]:
        """Takes its place in the queue; one that an agent had and lost comes before all others."""
        self.move(Phase.WAITING, now)
        self.close_leg_entries(now, agents_only=True)
        self.stand(Standing.TALKING, now)
        heard = self.state.timeline or timeline.begun(self.id, "caller", now)
        nobody = evolve(self.state, agent="", agent_leg="", agent_away=False, muted=False, second=None, attended=True)
        stands = self.state.stands
        self.state = evolve(nobody, timeline=heard, stands=None, announce_seconds=0.0, announce_at=math.inf)
        if stands is not None:
            self._heed(stands, now)
        join = self.joins(again=again, stands=stands)
        return [*self.music(), *self.tape(), Watch(self.queue()), Tell(self.queue(), join)]

    def joins(self, *, again: bool, stands: QueueStands | None = None) -> queues.Join:
        """What its queue is told of it, and how it takes that to stand."""
        arrived, moved = self.state.arrived, self.state.moved
        return queues.Join(
            arrived.call,
            arrived.caller if moved is None else moved.number,
            arrived.caller_name if moved is None else "",
            arrived.dialled,
            self.state.came,
            again,
            arrived.diverted_from,
            "inbound" if self.state.out is None else "outbound",
            self.state.priority,
            stands,
        )

    def wait_again(self, now: float, home: agents.QueueKnown | None) -> list[Effect]:
        """The far side waits for another agent; whom an agent had dialled may have no queue, and hears that it ends."""
        if isinstance(self.state.route, ToQueue):
            return self.wait(now, again=True)
        if home is not None:
            return self.join_queue(home, now, again=True)
        self.close_leg_entries(now, agents_only=True)
        goodbye = announcements.goodbye(self.state.language)
        return [*self.say_goodbye("the agent is gone", goodbye, now), *self.tape()]

    def join_queue(self, queue: agents.QueueKnown, now: float, *, again: bool = False) -> list[Effect]:
        entry = self.state.entry
        if entry is not None and not entry.queue:
            self.note(queue=queue.queue)
        self.state = evolve(self.state, route=ToQueue(queue.queue), music=queue.music)
        return self.wait(now, again=again)

    def let_go_at(self) -> float:
        """When a caller has waited for as long as its queue lets it: what an agent had of it before does not count."""
        data = self.state
        return data.since + data.max_wait_seconds if data.max_wait_seconds > 0 else math.inf

    def queue_stands(self, message: QueueStands, now: float) -> list[Effect]:
        """Where nobody is signed in the caller is told so at once, and again and again until somebody is."""
        before = self.state
        if f"queue:{message.queue}" != self.queue():
            return []  # it waits elsewhere by now
        self._heed(message, now)
        if message.attended == before.attended:
            return []
        if message.attended:
            return self.music()
        return self.play(announcements.nobody_here(self.state.language, self.state.music))

    def _heed(self, message: QueueStands, now: float) -> None:
        before = self.state
        self.state = evolve(
            before,
            attended=message.attended,
            max_wait_seconds=message.max_wait_seconds,
            surveys=message.survey,
            overflow=message.overflow,
        )
        if message.announce_seconds != before.announce_seconds:
            self.state = evolve(self.state, announce_seconds=message.announce_seconds)
            self.announce_again(now)

    def waited(self, message: Timeout, now: float) -> list[Effect]:
        """An offer that rings at this moment is withdrawn by the queue; an answer to it that comes later is lost."""
        if self.gone_at() <= now:
            return self.caller_gone(message, now)
        if self.let_go_at() > now >= self.state.answer_at:
            return self.answer(now)
        if self.let_go_at() > now:
            self.announce_again(now)
            return [Tell(self.queue(), queues.WhereAmI(self.id))]
        left = Tell(self.queue(), queues.Leave(self.id, "waited_too_long"))
        return [left, *self._go_on(TOO_LONG, self.state.overflow, now)]

    def not_kept(self, message: SentOn, now: float) -> list[Effect]:
        if f"queue:{message.queue}" != self.queue():
            return []  # it waits elsewhere by now
        return self._go_on(message.why, message.to, now)

    def _go_on(self, cause: str, to: Onward, now: float) -> list[Effect]:
        """The queue does not keep the call, which goes where that says, but to no queue that has sent it on before."""
        data, route = self.state, self.state.route
        assert isinstance(route, ToQueue), "only a call of a queue waits"
        left = (*data.left_queues, route.queue)
        self.state = evolve(data, left_queues=left)
        if to.queue is not None and to.queue.queue not in left:
            self.note_transfer(now, queue=to.queue.queue, cause=cause)
            self.transfer_came_to("queued")
            return [self._log_sent_on(cause), *self.join_queue(to.queue, now)]
        if to.number:
            return [self._log_sent_on(cause), *self.send_out(to.number, cause, now)]
        if to.voicemail:
            return [self._log_sent_on(cause), *self.answer(now), *self.to_voicemail(cause, now)]
        goodbye = announcements.closed if cause == CLOSED else announcements.goodbye
        return self.say_goodbye(cause, goodbye(data.language), now)

    def _log_sent_on(self, cause: str) -> Effect:
        return Log("call is sent on", (("call", self.id), ("cause", cause)))

    def announce_again(self, now: float) -> None:
        seconds = self.state.announce_seconds
        self.state = evolve(self.state, announce_at=now + seconds if seconds > 0 else math.inf)

    def in_line(self, message: InLine, now: float) -> list[Effect]:
        """Where nobody is signed in, that is what is announced."""
        if not self.state.attended or f"queue:{message.queue}" != self.queue():
            return []
        return self.play(announcements.position(self.state.language, message.number, message.seconds))

    def caller_gone(self, message: Timeout, now: float) -> list[Effect]:
        return self.end("system", "caller silent", now)

    def announced(self, message: media.SourceFinished, now: float) -> list[Effect]:
        return self.music() if message.source == self.state.player else []

    def say_goodbye(self, cause: str, goodbye: media.Playlist, now: float) -> list[Effect]:
        """Nobody takes the call, or nothing: the caller hears that, and then it ends."""
        self.move(Phase.GOODBYE, now)
        self.state = evolve(self.state, cause=cause)
        log = Log("call is let go", (("call", self.id), ("cause", cause)))
        return [log, *self.play(goodbye)]

    def last_word_until(self) -> float:
        """When what the caller hears last must be over, or what it says."""
        until = self.message_until()
        return min(until, self.gone_at()) if until < math.inf else self.state.since + GOODBYE_TIMEOUT

    def goodbye_said(self, message: media.SourceFinished | Timeout, now: float) -> list[Effect]:
        if isinstance(message, media.SourceFinished) and message.source != self.state.player:
            return []  # of what it heard before
        if self.asks:
            return self.asked_in_vain(now)
        if self.takes_message:
            return self.message_goes_on(message, now)
        by = "agent" if self.state.survey is not None else "system"
        return self.end(by, self.state.cause, now)

    def joined(self, message: Accept, now: float) -> list[Effect]:
        if message.by_call:  # and that is over
            return [Tell(f"agent:{message.agent}", agents.Lost(self.id, "taken_back"))]
        queue = self.queue().removeprefix("queue:")
        joined = [*self.answer(now), *self.talk(message.agent, message.leg, now, queue)]
        return [*joined, Tell(self.queue(), queues.Taken(self.id, message.agent, message.serial))]

    def answered_late(self, message: Accept, now: float) -> list[Effect]:
        """The click and the end of the caller's wait crossed: the caller hears goodbye, the agent hears why."""
        code = "waited_too_long" if self.state.cause == TOO_LONG else "caller_left"
        return [Tell(f"agent:{message.agent}", agents.Lost(self.id, code))]
