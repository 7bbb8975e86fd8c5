"""What follows when something happens to a call, in each standing that an agent's call can be in: docs/races.md.

    python -m tests.actors.races > docs/races.md

Each pair is played in a whole centre on a virtual clock, in which the invariants hold after every step of an actor
(`world.py`): above all, that nobody hears what the standing does not allow. Of each the page has the first row of a
table that the happening met, and in which state all are when it has had its time. Then all hang up, and nothing may be
left.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Final, Literal

import structlog
import trio
from attrs import frozen
from cordboard.actors import agent_state as agents
from cordboard.actors import call_state as calls
from cordboard.actors import page
from cordboard.actors.table import Bug, drawn

from .beginnings import ALONE, IN, LIN, ORGANISATION, OUTSIDE, TALKS, WEI, Step
from .desks import HOTLINE
from .histories import History
from .house import PAGE_OFFER
from .outside import Outside
from .playing import play
from .reached import TABLES, Reached
from .walk import Walk
from .world import World

# As long as anything of this takes: a page that does not come back has 20 s, what rings has 30, and what comes back
# from there 20 more. A number outside that was dialled may ring for three minutes.
SETTLED: Final = 75.0
SETTLED_OUTSIDE: Final = 200.0

HEAD: Final = """\
# Races

Drawn by `python -m tests.actors.races > docs/races.md`; do not edit.

Lin has the call of a customer, Wei is the colleague whom she has asked, and the number is somebody outside whom she
has asked, or dialled. Whom she asks for is refused her by name; who turns away just then has been offered the call, and
refuses that. `tests/actors/test_races.py` plays every line in a whole centre on a virtual clock, where nobody
may hear, after any step of anybody, what the standing does not allow. The row is the first of a table
([machines.md](machines.md)) that the happening meets. The last columns say in which one true state it ends when it has
had its time: 75 s, or 200 where a number rings, in which nobody does anything more. Then all hang up, and nothing is
left.
"""


@frozen
class Standing:
    """How it comes about; the button that is pressed twice, and the opposite of it; whether Wei rings or talks, and
    whether the number does; whether Lin still has the call."""

    steps: tuple[Step, ...]
    twice: page.Command
    opposite: tuple[page.Command, page.Command]
    wei: Literal["", "rings", "talks"] = ""
    number: Literal["", "rings", "talks"] = ""
    hers: bool = True

    @property
    def alone(self) -> bool:
        """Lin talks with the customer, and nobody else was asked."""
        return self.hers and not self.wei and not self.number


# What Lin does with her paperwork.
AFTERWARDS: Final = (page.StartAnswering(), (page.StartAnswering(), page.SetState("break")))
STANDINGS: Final[dict[str, Standing]] = {
    "ringing": Standing(ALONE["rings"], page.Answer(), (page.Answer(), page.Decline()), hers=False),
    "talking": Standing(TALKS, page.Hold(), (page.Hold(), page.Retrieve())),
    "muted": Standing((*TALKS, (LIN, page.Mute())), page.Mute(), (page.Unmute(), page.Mute())),
    "held": Standing(ALONE["is held"], page.Hold(), (page.Retrieve(), page.Hold())),
    "consulting, and it rings": Standing(
        ALONE["consulted one rings"], page.Complete(), (page.Complete(), page.Cancel()), "rings"
    ),
    "consulting": Standing(ALONE["consults"], page.Swap(), (page.Complete(), page.Cancel()), "talks"),
    "swapped": Standing(ALONE["swapped"], page.Complete(), (page.Swap(), page.Merge()), "talks"),
    "consulting outside, and it rings": Standing(
        ALONE["rings outside"], page.Complete(), (page.Complete(), page.Cancel()), number="rings"
    ),
    "consulting outside": Standing(
        ALONE["consults outside"], page.Swap(), (page.Complete(), page.Cancel()), number="talks"
    ),
    "inviting a third": Standing(ALONE["is invited"], page.Cancel(), (page.Hold(), page.Cancel()), "rings"),
    "inviting one outside": Standing(
        (*TALKS, "rings for ever", (LIN, page.Invite(number=OUTSIDE))),
        page.Cancel(),
        (page.Hold(), page.Cancel()),
        number="rings",
    ),
    "three-way": Standing(ALONE["three"], page.Cancel(), (page.Hold(), page.Retrieve()), "talks"),
    "three-way with one outside": Standing(
        ALONE["three with outside"], page.Cancel(), (page.Hold(), page.Retrieve()), number="talks"
    ),
    "given away, and it rings": Standing(ALONE["transfer rings"], *AFTERWARDS, "rings", hers=False),
    "given outside, and it rings": Standing(ALONE["transfer outside"], *AFTERWARDS, number="rings", hers=False),
    "survey": Standing(ALONE["is asked"], *AFTERWARDS, hers=False),
    "paperwork": Standing(ALONE["after-call work"], *AFTERWARDS, hers=False),
    "dialling out": Standing(ALONE["dials"], page.HangUp(), (page.Survey(), page.HangUp()), number="rings"),
    "early media": Standing(ALONE["dials and hears"], page.HangUp(), (page.Survey(), page.HangUp()), number="rings"),
}
# There Lin called the customer.
DIALLED: Final = ("dialling out", "early media")

Happening = Callable[[Walk, Standing], None]


def _click(walk: Walk, agent: str, *commands: page.Command) -> None:
    robot = walk.walkers.owner(agent)
    assert robot is not None
    for command in commands:
        walk.walkers.click(robot, command)


def _customer_leaves(walk: Walk, standing: Standing) -> None:
    callers = list(walk.world.callers.values())
    for caller in callers:
        caller.hang_up()
    if not callers:  # Lin called it
        _number(walk, standing, does=Outside.hang_up)


def _number(walk: Walk, standing: Standing, *, does: Callable[[Outside, str], object]) -> None:
    """Somebody outside, whom Lin has asked or dialled."""
    for outside in walk.walkers.outside:
        for call in list(outside.calls):
            does(outside, call)


def _page_dies(walk: Walk, standing: Standing, *, agent: str, back: bool) -> None:
    """Its websocket, and its media with it; `back`: it comes again within a second, to the same leg."""
    world, robot, state = walk.world, walk.walkers.owner(agent), walk.walkers.state_of(agent)
    assert robot is not None
    assert state is not None
    leg = state.voice
    walk.walkers.close(robot)
    world.on_facts(world.engine.silence(leg, 0.5))

    def comes() -> None:
        again = walk.walkers.open_page(agent)
        assert again is not None
        world.on_facts(world.engine.hear(leg))
        walk.walkers.click(again, page.Resume(leg))

    if back:
        world.later(1.0, comes)


def _leg_fails(walk: Walk, standing: Standing, *, whose: str) -> None:
    world = walk.world
    for leg in [leg for leg in world.engine.legs if leg.startswith(whose)]:
        world.on_facts(world.engine.fail(leg, "consent gone", world.now()))


def _takes_over(walk: Walk, standing: Standing) -> None:
    other = walk.walkers.open_page(LIN)
    assert other is not None
    walk.walkers.click(other, page.SignIn(sdp=PAGE_OFFER, take_over=True))


def _both_hang_up(walk: Walk, standing: Standing) -> None:
    _click(walk, LIN, page.HangUp())
    _customer_leaves(walk, standing)


def _answer_crosses(walk: Walk, standing: Standing) -> None:
    """... of whoever is rung, and the customer leaves in the same moment."""
    _answers(walk, standing)
    _customer_leaves(walk, standing)


def _answers(walk: Walk, standing: Standing) -> None:
    if standing.number:
        _number(walk, standing, does=Outside.answer)
    else:
        _click(walk, WEI if standing.wei else LIN, page.Answer())


def _given_up_as_it_answers(walk: Walk, standing: Standing) -> None:
    _answers(walk, standing)
    state = walk.walkers.state_of(LIN)
    assert state is not None
    _click(walk, LIN, page.Cancel() if state.dial is None else page.HangUp())


def _step(step: Step) -> Happening:
    return lambda walk, standing: (walk.take(step), None)[1]


def _by(agent: str, *commands: page.Command) -> Happening:
    return lambda walk, standing: _click(walk, agent, *commands)


# What Lin may ask of Wei, and what keeps Wei from it: of each the steps that bring it there.
ASKS: Final[dict[str, page.Command]] = {
    "consults": page.Consult(WEI),
    "invites": page.Invite(WEI),
    "gives it to": page.Transfer(WEI),
}
_HAS_ANOTHER: Final[tuple[Step, ...]] = ((WEI, IN), HOTLINE, (WEI, page.Answer()))
OTHERWISE: Final[dict[str, tuple[Step, ...]]] = {
    "is signed out": (),
    "is on break": ((WEI, IN), (WEI, page.SetState("break"))),
    "is rung by another call": ((WEI, IN), HOTLINE),
    "has another call": _HAS_ANOTHER,
    "dials": ((WEI, IN), "rings for ever", (WEI, page.Dial(OUTSIDE))),
    "does paperwork": (*_HAS_ANOTHER, (WEI, page.HangUp())),
}
# ... and what takes Wei away in the same moment: the directory has not heard of it, and the offer finds it so.
AT_ONCE: Final[dict[str, page.Command]] = {
    "signs out just then": page.SignOut(),
    "goes on break just then": page.SetState("break"),
    "dials just then": page.Dial(OUTSIDE),
}


def _as_wei_turns(walk: Walk, standing: Standing, *, asks: page.Command, turns: page.Command) -> None:
    walk.take(f"nap agent:{WEI} 0.2")
    _click(walk, WEI, turns)
    _click(walk, LIN, asks)


# No call relies on it any more once it lives.
TRUNK_DIES: Final = "the trunk dies"
UNHEARD: Final = "nobody of them hears of it"
HAPPENINGS: Final[dict[str, Happening]] = {
    "the customer hangs up": _customer_leaves,
    "Lin hangs up": _by(LIN, page.HangUp()),
    "both hang up at once": _both_hang_up,
    "an answer crosses the customer's hanging up": _answer_crosses,
    "an answer crosses Lin's giving up": _given_up_as_it_answers,
    "Wei hangs up": _by(WEI, page.HangUp()),
    "Wei declines": _by(WEI, page.Decline()),
    "Wei goes on break": _by(WEI, page.SetState("break")),
    "Wei signs out": _by(WEI, page.SignOut()),
    **{f"Lin {asks} Wei, who {is_so}": _by(LIN, act) for asks, act in ASKS.items() for is_so in OTHERWISE},
    **{
        f"Lin {asks} Wei, who {turns}": partial(_as_wei_turns, asks=act, turns=turn)
        for asks, act in ASKS.items()
        for turns, turn in AT_ONCE.items()
    },
    "the number is busy": partial(_number, does=lambda outside, call: outside.refuse(call, 486)),
    "the number refuses": partial(_number, does=lambda outside, call: outside.refuse(call, 603)),
    "the number fails": partial(_number, does=lambda outside, call: outside.refuse(call, 500)),
    "the number hangs up": partial(_number, does=Outside.hang_up),
    "nobody answers": lambda walk, standing: None,
    "Lin's page reloads": partial(_page_dies, agent=LIN, back=True),
    "Lin's page dies": partial(_page_dies, agent=LIN, back=False),
    "Wei's page reloads": partial(_page_dies, agent=WEI, back=True),
    "Wei's page dies": partial(_page_dies, agent=WEI, back=False),
    "Lin's second tab takes over": _takes_over,
    "the customer's leg fails": partial(_leg_fails, whose="call:"),
    "Lin's leg fails": partial(_leg_fails, whose=f"agent:{LIN}"),
    "Wei's leg fails": partial(_leg_fails, whose=f"agent:{WEI}"),
    "the number's leg fails": partial(_leg_fails, whose="line:"),
    "nothing comes from the number any more": _step("silence line:"),
    "nothing comes from the customer any more": _step("silence call:"),
    TRUNK_DIES: _step("isolate trunk:carrier"),
    "the call crashes": _step("end call:"),
    "the same button twice": lambda walk, standing: _click(walk, LIN, standing.twice, standing.twice),
    "a button and the opposite one": lambda walk, standing: _click(walk, LIN, *standing.opposite),
}


# What happens to a call that is there.
OF_A_CALL: Final = (
    "the customer hangs up", "both hang up at once", "the customer's leg fails", TRUNK_DIES, "the call crashes",
    "nothing comes from the customer any more",
)  # fmt: skip


def fits(standing: str, happening: str) -> bool:
    """Whether there is anybody to whom it can happen."""
    here = STANDINGS[standing]
    rings, out = "rings" in (here.wei, here.number), standing in DIALLED
    if standing == "paperwork" and happening in OF_A_CALL:
        return False
    match happening:
        case "Wei hangs up":
            return here.wei == "talks"
        case "the number hangs up" | "the number's leg fails" | "nothing comes from the number any more":
            return here.number == "talks"
        case "an answer crosses Lin's giving up":
            return rings and here.hers
        case "Wei declines" | "Wei goes on break" | "Wei signs out":
            return here.wei == "rings"
        case "the number is busy" | "the number refuses" | "the number fails":
            return here.number == "rings"
        case "nobody answers":
            return rings or standing == "ringing"
        case "an answer crosses the customer's hanging up":
            return (rings and not out) or standing == "ringing"
        case _ if "Wei, who " in happening:
            return here.alone
        case _:
            return bool(here.wei) or "Wei" not in happening


def played(standing: str, happening: str) -> str:
    """Its line of the page."""
    told = ""

    async def story(world: World) -> None:
        nonlocal told
        world.silent = True
        walk = Walk(world, History("nothing", 1, ()))
        walk.walkers.diligence = 0.0
        await trio.sleep(0.4)
        for step in (*STANDINGS[standing].steps, *_before(happening)):
            await trio.sleep(walk.take(step))
        reached = Reached()
        with reached.counting():
            HAPPENINGS[happening](walk, STANDINGS[standing])
            await trio.sleep(SETTLED_OUTSIDE if STANDINGS[standing].number == "rings" else SETTLED)
        told = f"| {happening} | {_row(reached, happening)}{_refused(walk, happening)} | {_stands(walk)} |"
        await walk.end()

    play(story, ORGANISATION)
    return told


def _before(happening: str) -> tuple[Step, ...]:
    """What Wei has come to, where Lin asks for it."""
    who = happening.partition("Wei, who ")[2]
    return OTHERWISE.get(who, ((WEI, IN), "rings for ever") if who else ())


def _refused(walk: Walk, happening: str) -> str:
    """Why, where Lin asks for Wei and is told at once that it cannot have it."""
    robot = walk.walkers.owner(LIN)
    if "Wei, who " not in happening or robot is None:
        return ""
    _, reply = robot.last_reply()
    return f", refused: `{reply.code}`" if isinstance(reply, page.Refused) else ""


def _row(reached: Reached, happening: str) -> str:
    """The first that was met, of those who are concerned; how long others wait happens all the time."""
    for name, state, message in reached.counts:
        entry = _ROWS.get((name, state, message))
        if entry is not None:
            return f"{name}, {state.value}: {message.__name__}: {entry}"
    assert happening == TRUNK_DIES, "nothing has happened"
    return UNHEARD


# Of agents and calls; a queue or a trunk has a part in what follows, and not in what happens.
_ROWS: Final = {
    (table.name, state, message): drawn(entry)
    for table in TABLES
    if table.name != "queue"
    for state, message, entry in table.pairs()
    if not isinstance(entry, Bug) and message is not agents.QueueMoved
}


def _stands(walk: Walk) -> str:
    """The agents, and the calls."""
    words = []
    for agent in (LIN, WEI):
        state = walk.walkers.state_of(agent)
        words.append("gone" if state is None else state.phase.value.replace("_", " "))
    found = [_call(each.state) for each in walk.walkers.calls()]
    return " | ".join((*words, "; ".join(found) or "over"))


def _call(data: calls.Data) -> str:
    if data.phase is not calls.Phase.TALKING:
        return f"{data.phase.value}"
    standing = f"{data.standing.value}".replace("_", " ")
    return f"{standing}, muted" if data.muted else standing


def section(standing: str) -> str:
    lines = [played(standing, happening) for happening in HAPPENINGS if fits(standing, happening)]
    head = "| what happens | row | Lin | Wei | the call |\n| --- | --- | --- | --- | --- |\n"
    return f"\n## {standing.capitalize()}\n\n{head}" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    sys.stdout.write(HEAD + "".join(map(section, STANDINGS)))
