"""What it costs to look whether the invariants hold, of a centre of 5000 agents and 1000 calls: printed with `-s`."""

from __future__ import annotations

import time
from collections.abc import Iterable
from random import Random
from statistics import median
from typing import Final

import pytest
import trio
from attrs import evolve
from cordboard.actors import agent_state as agents
from cordboard.actors import call_state as calls
from cordboard.actors import queue_state as queues
from cordboard.actors import records, signals, wiring
from cordboard.actors.agent import Agent
from cordboard.actors.call import Call
from cordboard.actors.effects import Behaviour, Media
from cordboard.actors.guard import AT_ONCE, Centre
from cordboard.actors.medialink import MediaLink
from cordboard.actors.queue import Queue
from cordboard.actors.routes import ToQueue
from cordboard.actors.runtime import System, _Cell
from cordboard.actors.shift import standing
from cordboard.actors.signalling import Signalling
from cordboard.actors.watchman import SWEEP, Watchman
from cordboard.sip.endpoint import Endpoint, Settings
from cordboard.switch import protocol as media

AGENTS, TALK, WAIT, QUEUES = 5000, 700, 300, 30
LOOKS: Final = 30
PCMA: Final = media.Codec("pcma", 8)


class Large:
    """The centre, as a process has it that was just taken over: all in the middle of what they do."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.link = MediaLink(system)
        endpoint = Endpoint(Settings(lambda remote: ("192.0.2.1", 5060)), token=lambda: "x")
        self.centre = Centre(system, self.link, Signalling(system, endpoint, lambda: 0.0))
        self.calls = [f"call:c{number:015d}" for number in range(TALK + WAIT)]
        self._waiting: dict[str, dict[str, queues.Waiting]] = {f"q{number}": {} for number in range(QUEUES)}
        people = [self._agent(number) for number in range(AGENTS)]
        for number, name in enumerate(self.calls):
            self._call(number, name.removeprefix("call:"))
        for queue, waiting in self._waiting.items():
            made = Queue(queues.Profile(queue, queue))
            each_stands = {each.profile.agent: standing(each, queue) for each in people}
            stands = {name: one for name, one in each_stands.items() if one is not None}
            made.state = evolve(made.state, agents=stands, calls=waiting)
            self._put(f"queue:{queue}", made)

    def _put(self, name: str, behaviour: Behaviour) -> None:
        self.system._cells[name] = _Cell(name, behaviour, 0.0)

    def _order(self, actor: str, *commands: media.Command) -> None:
        for command in commands:
            self.link.perform(actor, Media(command))

    def _hear(self, actor: str, listener: str, sources: Iterable[str]) -> None:
        self._order(actor, media.Rewire((media.Hears(listener, tuple((each, 1.0) for each in sources)),)))

    def _agent(self, number: int) -> agents.Data:
        name, leg = str(number), f"agent:{number}/1"
        skills = tuple(agents.Skill(f"q{(number + step) % QUEUES}") for step in (0, 7, 14))
        made = Agent(agents.Profile(name, name, skills), 0.0)
        connected = agents.MediaState.CONNECTED
        made.state = evolve(made.state, phase=agents.Phase.IDLE, sessions=("s",), owner="s", leg=leg, media=connected)
        if number < TALK:
            queue = f"q{number % QUEUES}"
            call = agents.Offer(f"c{number:015d}", queue, "", "", "", "", 0.0, 30.0, offerer=f"queue:{queue}")
            made.state = evolve(made.state, phase=agents.Phase.TALKING, call=call)
        self._put(f"agent:{number}", made)
        self._order(f"agent:{number}", media.OpenWebrtcLeg(leg, "192.0.2.7", "u", "p", (), PCMA))
        self._hear(f"agent:{number}", leg, ())
        return made.state

    def _call(self, number: int, name: str) -> None:
        talks, queue, agent = number < TALK, f"q{number % QUEUES}", str(number)
        made = Call(signals.Arrived(name, "carrier", "1", "2", "", None, "192.0.2.10"), 0.0)
        entry = records.CallEntry(name, "carrier", "inbound", "2", "", "1", queue, 0.0, recorded=talks)
        legs = [records.LegEntry(name, 0, "caller", 0.0), *([records.LegEntry(name, 1, agent, 1.0)] if talks else [])]
        phase = calls.Phase.TALKING if talks else calls.Phase.WAITING
        made.state = evolve(made.state, route=ToQueue(queue), entry=entry, legs=tuple(legs), phase=phase)
        actor, leg = f"call:{name}", made.state.leg
        self._put(actor, made)
        self._order(actor, media.OpenRtpLeg(leg, "192.0.2.10", 4000, PCMA))
        if not talks:
            self._waiting[queue][name] = queues.Waiting(queues.Join(name, "", "", "", 0.0))
            music = media.Music(made.state.music)
            self._order(actor, media.OpenSource(f"music:{music.name}", music))
            self._hear(actor, leg, [f"music:{music.name}"])
            return
        made.state = evolve(made.state, agent=agent, agent_leg=f"agent:{agent}/1")
        self._order(actor, media.OpenRecording(name))
        for listener, sound in (*wiring.heard(made.state).items(), *wiring.taped(made.state).items()):
            assert isinstance(sound, tuple)
            self._hear(actor, listener, sound)


@pytest.mark.long
def test_a_look_is_cut_into_parts_and_what_did_not_change_is_left_alone() -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            large = Large(System(trio.current_time, nursery))
            man, chance = Watchman(large.centre), Random(1)
            man.touched.update(large.system.alive())
            print(f"the first: {look(man)[0]:.0f} ms, at {man.looked} of {large.system.living}")
            assert man.standing == 0
            for changed in (0, 100, 500):
                looks: list[tuple[float, float, int]] = []
                for _ in range(LOOKS):
                    for number in chance.sample(range(TALK), changed):
                        change(large, man, large.calls[number])
                        change(large, man, f"agent:{number}")
                    looks.append(look(man))
                took, most, at = (median(each) for each in zip(*looks, strict=True))
                longest = max(each[1] for each in looks)
                print(f"{changed} calls and agents changed: {took:.1f} ms, parts of {most:.1f}, {longest:.1f} at most")
                # ... and their queues
                assert at <= large.system.living / SWEEP + 2 + 2 * changed + QUEUES
            assert man.standing == 0
            assert list(man._seen) == []
            nursery.cancel_scope.cancel()

    def change(large: Large, man: Watchman, name: str) -> None:
        actor = large.system.find(name)
        assert actor is not None
        actor.state = evolve(actor.state, since=actor.state.since + 1.0)
        man.touched.add(name)

    def look(man: Watchman) -> tuple[float, float, int]:
        """Milliseconds of the processor: all of it and its longest part; and at how many it was looked."""
        began, before, longest = time.thread_time(), man.looked, 0.0
        part = began
        man.begin(0.0)
        asked = 0
        while some := man.next(0.0):
            asked += some
            if asked >= AT_ONCE:
                longest, part, asked = max(longest, time.thread_time() - part), time.thread_time(), 0
        assert man.verdict(0.0).stands == ()
        longest = max(longest, time.thread_time() - part)
        return 1000 * (time.thread_time() - began), 1000 * longest, man.looked - before

    trio.run(main)
