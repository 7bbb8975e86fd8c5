"""A random walk: some minutes of a whole centre in which agents, customers, outside parties and faults do anything.

A history is its seed, and nothing else. It begins at a position (a short script that brings a call into one standing),
goes on with rounds of acts (`walkers.py`), several in one instant at times, some between two turns of the actors, and
is brought to its end: all hang up, the clock runs, and nothing may be left. How often a history does what is drawn
anew for each (swarm testing): one is full of reloads, the next has none, so that rare things meet rare things.

After every step of an actor the invariants hold (`world.py`), and what every table was asked is counted (`reached.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from random import Random
from typing import Final

import trio
from cordboard.actors import page
from cordboard.actors.agent_state import Phase
from cordboard.actors.alarms import TRUNK_DOWN
from cordboard.actors.call import DIALS as OUTWARD
from cordboard.actors.call_state import AgentGone
from cordboard.actors.organisation import parse_organisation
from cordboard.actors.queue_state import LastServed
from cordboard.actors.records import MobileEntry
from cordboard.actors.switchboard import MediaFull, Open
from cordboard.sip.message import Address
from cordboard.switch import protocol as media
from cordboard.switch.protocol import MAX_HEARD

from .books import books
from .house import PAGE_OFFER
from .walkers import ACTS, HOTLINE, MAILBOX, NIGHT, SALES, Walkers
from .world import CARRIER, World, play

SPARE: Final = Address("198.51.100.2", 5060)
ORGANISATION: Final = parse_organisation(
    f"""
    [[trunk]]
    id = "carrier"
    peers = ["{CARRIER.host}"]
    proxy = "sip:{CARRIER.host}"
    [[trunk]]
    id = "spare"
    peers = ["{SPARE.host}"]
    proxy = "sip:{SPARE.host}"
    priority = 2
    [[queue]]
    id = "support"
    name = "Support"
    announce_seconds = 15
    [[queue]]
    id = "sales"
    name = "Sales"
    strategy = "ring-all"
    ring_seconds = 15
    wrap_up_seconds = 20
    max_wait_seconds = 40
    announce_seconds = 10
    early_seconds = 5
    survey = true
    [[queue]]
    id = "night"
    hours = "Mon-Fri 20:00-21:00"
    closed = "queue:support"
    [[queue]]
    id = "mailbox"
    hours = "Mon-Fri 20:00-21:00"
    closed = "voicemail"
    [[number]]
    number = "{MAILBOX}"
    route = "queue:mailbox"
    [[number]]
    number = "{NIGHT}"
    route = "queue:night"
    [[number]]
    number = "{HOTLINE}"
    route = "queue:support"
    outbound = true
    [[number]]
    number = "{SALES}"
    route = "queue:sales"
    [[number]]
    number = "600"
    route = "echo"
    [[number]]
    number = "602"
    route = "hold"
    [[number]]
    pattern = "7\\\\d\\\\d"
    route = "room"
    [[dialling]]
    allow = "+86"
    [[dialling]]
    deny = "+86139"
    [[agent]]
    id = "1001"
    skills = {{ support = 1, sales = 2 }}
    [[agent]]
    id = "1002"
    mobile = "+8613800138002"
    skills = {{ support = 1, sales = 1 }}
    [[agent]]
    id = "1003"
    skills = {{ sales = 1 }}
    [[agent]]
    id = "1004"
    mobile = "+8613800138004"
    skills = {{ support = 1 }}
    """
)

# --- positions --------------------------------------------------------------------------------------------------------

# An agent and its command, a number that a customer dials, or what all telephones do from here on.
Step = tuple[str, page.Command] | str

LIN, WEI, ZOE, MO = "1001", "1002", "1003", "1004"
IN: Final = page.SignIn(sdp=PAGE_OFFER)
ROBOT: Final = page.SignIn(media="none")
OUTSIDE: Final = "13800138005"
TALKS: Final[tuple[Step, ...]] = ((LIN, IN), HOTLINE, (LIN, page.Answer()))
CONSULTS: Final[tuple[Step, ...]] = (*TALKS, (WEI, IN), (LIN, page.Consult(WEI)))
ASKS_OUTSIDE: Final[tuple[Step, ...]] = (*TALKS, "answers at once", (LIN, page.Consult(number=OUTSIDE)))
THREE: Final[tuple[Step, ...]] = (*CONSULTS, (WEI, page.Answer()), (LIN, page.Merge()))
MOBILE: Final[tuple[Step, ...]] = ("answers at once", (MO, page.MobileAnswer()), HOTLINE)

# Of its message, after greeting and tone.
LEAVES: Final = ("sleep 9", "key call:", "sleep 2")

DIALS: Final[tuple[Step, ...]] = ((LIN, IN), "answers at once", (LIN, page.Dial(OUTSIDE)))
BINDS: Final[tuple[Step, ...]] = (
    (MO, IN), (MO, page.SetState("break")), HOTLINE, "nap switchboard 9", (MO, page.MobileAnswer()),
)  # fmt: skip

POSITIONS: Final[dict[str, tuple[Step, ...]]] = {
    "nothing": (),
    "idle": ((LIN, IN), (WEI, IN), (ZOE, ROBOT), (MO, IN)),
    "nobody is there": (HOTLINE, SALES),
    "rings": ((LIN, IN), HOTLINE),
    "rings at all": ((LIN, IN), (WEI, IN), (ZOE, IN), SALES),
    "talks": TALKS,
    "is held": (*TALKS, (LIN, page.Hold())),
    "consulted one rings": CONSULTS,
    "consults": (*CONSULTS, (WEI, page.Answer())),
    "swapped": (*CONSULTS, (WEI, page.Answer()), (LIN, page.Swap())),
    "is invited": (*TALKS, (WEI, IN), (LIN, page.Invite(WEI))),
    "is invited and held": (*TALKS, (WEI, IN), (LIN, page.Invite(WEI)), (LIN, page.Hold())),
    "three": THREE,
    "three and held": (*THREE, (LIN, page.Hold())),
    "transfer rings": (*TALKS, (WEI, IN), (LIN, page.Transfer(WEI))),
    "comes back": (*TALKS, (WEI, IN), (LIN, page.Transfer(WEI)), (WEI, page.Decline())),
    "consults outside": ASKS_OUTSIDE,
    "swapped outside": (*ASKS_OUTSIDE, (LIN, page.Swap())),
    "three with outside": (*ASKS_OUTSIDE, (LIN, page.Merge())),
    "three with outside and held": (*ASKS_OUTSIDE, (LIN, page.Merge()), (LIN, page.Hold())),
    "outside has it": (*ASKS_OUTSIDE, (LIN, page.Complete())),
    "rings outside": (*TALKS, "rings for ever", (LIN, page.Consult(number=OUTSIDE))),
    "announces outside": (*TALKS, "announces", (LIN, page.Consult(number=OUTSIDE))),
    "transfer outside": (*TALKS, "rings for ever", (LIN, page.Transfer(number=OUTSIDE))),
    "consults a mobile": (*TALKS, "answers at once", (LIN, page.Consult(MO, mobile=True))),
    "mobile is asked": MOBILE,
    "mobile talks": (*MOBILE, "press 1"),
    "dials": ((LIN, IN), "rings for ever", (LIN, page.Dial(OUTSIDE))),
    "dials and hears": ((LIN, IN), "announces", (LIN, page.Dial(OUTSIDE))),
    "dials to nobody": ((LIN, IN), "says nothing", (LIN, page.Dial(OUTSIDE))),
    "dialled": ((LIN, IN), "answers at once", (LIN, page.Dial(OUTSIDE))),
    "is asked": (*TALKS, (LIN, page.Survey())),
    "hears goodbye": (SALES, "wait", "wait"),
    "after-call work": (*TALKS, (LIN, page.HangUp())),
    "on break": ((LIN, IN), (LIN, page.SetState("break")), (WEI, IN), (WEI, page.SetState("break"))),
    "is closed": (NIGHT, NIGHT),
    "is greeted": (MAILBOX, "key call:", "sleep 2", "hang up"),
    "leaves a message": (MAILBOX, *LEAVES, "hang up"),
    "leaves a message and presses hash": (MAILBOX, *LEAVES, *("info",) * 12),
    "leaves a long message": (MAILBOX, *LEAVES, "sleep 175"),
    "is greeted for ever": (MAILBOX, "sleep 1", "engine 40", "sleep 32"),
    "refers": (*TALKS, "rings for ever", "refer"),
    "a mobile refers": (*MOBILE, "refer", "refer", "press 1", "refer", "refer"),
    "a line refers": (*ASKS_OUTSIDE, *("refer",) * 5),
    "in a room": ("701", "701", "600"),
    "a full room": ("701",) * (MAX_HEARD + 12),
    # Mail that waits: what comes meanwhile finds them there.
    "is looked for": ("nap switchboard 3.5", HOTLINE),
    "is to be opened": ("engine 3", HOTLINE, "600"),
    "is opened as it cancels": ("engine 3", "600", "nap call: 6", "sleep 3.4", "hang up"),
    "hears goodbye as it cancels": (SALES, "nap call: 1", "no sales", "hang up"),
    "hears goodbye as it is answered": (SALES, "sleep 4.616", "no sales"),
    "its trunk ends as it opens": ("engine 3", HOTLINE, "isolate trunk:carrier"),
    "answers": ((LIN, IN), HOTLINE, "nap call: 60", (LIN, page.Answer())),
    "answers and is gone": ((LIN, IN), HOTLINE, "nap call: 60", (LIN, page.Answer()), "close", "wait", "wait"),
    "answers by mobile": (*MOBILE, "nap call: 60", "press 1"),
    "seeks": ((LIN, IN), (WEI, IN), "nap trunk: 3.5", (LIN, page.Dial(OUTSIDE))),
    "its agent ends as it seeks": ((LIN, IN), "nap trunk: 3.5", (LIN, page.Dial(OUTSIDE)), "isolate agent:1001"),
    "seeks in vain": ((LIN, IN), "nap trunk:carrier 30", "answers", (LIN, page.Dial(OUTSIDE)), "wait"),
    "is made ready": ((LIN, IN), "engine 3.5", (LIN, page.Dial(OUTSIDE))),
    "its agent ends as it is made ready": ((LIN, IN), "engine 3", (LIN, page.Dial(OUTSIDE)), "isolate agent:1001"),
    "is never ready": ((LIN, IN), "engine 9", (LIN, page.Dial(OUTSIDE))),
    "its agent ends": (*DIALS, "isolate agent:1001", "recording", "recording", "recording"),
    "a line seeks": (*TALKS, "nap trunk: 3.5", (LIN, page.Consult(number=OUTSIDE))),
    "a line is made ready": (*TALKS, "engine 3.5", (LIN, page.Consult(number=OUTSIDE))),
    "a line is never ready": (*TALKS, "engine 9", (LIN, page.Consult(number=OUTSIDE))),
    "a line moves in vain": (*TALKS, "announces", "no update", (LIN, page.Consult(number=OUTSIDE))),
    "a call out moves in vain": ((LIN, IN), "announces", "no update", (LIN, page.Dial(OUTSIDE))),
    "a mobile moves in vain": (*MOBILE, "no update", "telephones offer"),
    "a mobile's key is pressed twice": (*MOBILE, "press 1 1"),
    "a line says nothing": (*ASKS_OUTSIDE, "silence line:", "sleep 61"),
    "is given to a queue": (*DIALS, (LIN, page.Transfer(queue="support"))),
    "comes back to a queue": (*TALKS, "isolate agent:1001", "recording", "recording"),
    "leaves a call that sleeps": (*ASKS_OUTSIDE, "nap call: 40", (LIN, page.Hold()), "silence agent:", "wait"),
    "leaves a line that sleeps": (*ASKS_OUTSIDE, "nap line: 40", (LIN, page.Cancel())),
    "asks a queue that sleeps": ((LIN, IN), (WEI, IN), (MO, IN), "nap queue: 20", HOTLINE, SALES),
    "asks for a mobile": (*BINDS, (MO, page.SetState("idle"))),
    "asks for a mobile and talks": (*BINDS, (MO, page.SetState("idle")), (MO, page.Answer())),
    "asks for a mobile and answers": (*BINDS, (MO, page.SetState("idle")), "nap call: 20", (MO, page.Answer())),
    "asks for a mobile and dials": (*BINDS, "nap trunk: 9", (MO, page.Dial(OUTSIDE))),
    "asks for a mobile and works": (*BINDS, (MO, page.SetState("idle")), (MO, page.Answer()), (MO, page.HangUp())),
    "binds another": (
        (MO, page.MobileAnswer()),
        "nap switchboard 9",
        (MO, page.MobileAnswer("13800138001")),
        "wait",
    ),
    "binds as it talks": (
        *BINDS[:3],
        "nap switchboard 3",
        *BINDS[4:],
        (MO, page.SetState("idle")),
        (MO, page.Answer()),
    ),
    "asks for somebody": (*TALKS, "nap directory 4", (LIN, page.Consult(WEI))),
    "is opened and nobody hears it": ("lose", HOTLINE, "600", "link"),
    "a line is opened and nobody hears it": (*TALKS, "lose", (LIN, page.Consult(number=OUTSIDE)), "link"),
    "a call out is opened and nobody hears it": ((LIN, IN), "lose", (LIN, page.Dial(OUTSIDE)), "link"),
    "cancels as it is answered": ((LIN, IN), SALES, "nap call: 1", (LIN, page.Answer()), "hang up"),
    "its line is lost as it seeks": (*TALKS, "nap trunk: 3", (LIN, page.Consult(number=OUTSIDE)), "lost line:"),
    "its line is lost as it is made ready": (*TALKS, "engine 3", (LIN, page.Consult(number=OUTSIDE)), "lost line:"),
    "its trunk ends as it is served": ("600", "602", "isolate trunk:carrier"),
    "is served and moves in vain": ("600", "no update", "caller offers"),
    "is asked and moves in vain": (*TALKS, (LIN, page.Survey()), "no update", "caller offers"),
    "is asked and nothing is said": (*TALKS, "engine 40", (LIN, page.Survey()), "sleep 31"),
    "a line has no port": (*TALKS, "no open", (LIN, page.Consult(number=OUTSIDE))),
    "a line seeks in vain": (*TALKS, "nap trunk: 9", (LIN, page.Consult(number=OUTSIDE)), "sleep 6"),
    "is lost as it is looked for": ("nap switchboard 3", HOTLINE, "lost call:"),
    "is lost as it is opened": ("engine 3", HOTLINE, "lost call:"),
    "is lost as it rings": ((LIN, IN), "rings for ever", (LIN, page.Dial(OUTSIDE)), "lost call:"),
    "is dialled and asked": (*DIALS, (LIN, page.Survey()), "late"),
    "a line that talks moves in vain": (*ASKS_OUTSIDE, "no update", "telephones offer"),
    "is recorded, and the disk is full": (*TALKS, *("recording",) * 4),
    "is given to a queue, and hears what is late": (*DIALS, (LIN, page.Transfer(queue="support")), "late"),
    "a line rings and is heard": (*TALKS, "rings for ever", (LIN, page.Consult(number=OUTSIDE)), "facts line:"),
    "is served and vanishes": ("600", "silence call:", "sleep 61"),
    "rings and is known": ((LIN, IN), HOTLINE, "known"),
    "a key is for a line": (*ASKS_OUTSIDE, "key agent:"),
    "is dismissed as it answers": ((LIN, IN), HOTLINE, "nap call: 60", (LIN, page.Answer()), "dismiss"),
    "asks for a mobile on break": (*BINDS, "sleep 5"),
    "is dismissed as it dials": ((LIN, IN), "rings for ever", (LIN, page.Dial(OUTSIDE)), "dismiss"),
    "its agent is gone as it seeks": ((LIN, IN), "nap trunk: 3", (LIN, page.Dial(OUTSIDE)), "gone"),
    "its agent is gone as it is made ready": ((LIN, IN), "engine 3", (LIN, page.Dial(OUTSIDE)), "gone"),
    "its line is lost as it rings": (*TALKS, "rings for ever", (LIN, page.Consult(number=OUTSIDE)), "lost line:"),
    "a mobile is heard": (*MOBILE, "facts line:", "facts line:"),
    "asks for a mobile and rings": (*BINDS, (MO, page.SetState("idle")), "sleep 5"),
    "asks for a mobile and rings on": (*BINDS, (MO, page.SetState("idle")), "sleep 5"),
    "a mobile asks for our offer": (*MOBILE, *("offers nothing",) * 3),
    "one asks for our offer": ("600", HOTLINE, *("offers nothing",) * 4),
    "who is asked asks for our offer": (*TALKS, (LIN, page.Survey()), "offers nothing", "offers nothing"),
    "leaves a call and talks in another": (
        *TALKS,
        "nap call: 50",
        "silence agent:",
        "wait",
        (LIN, page.StartAnswering()),
        SALES,
        (LIN, page.Answer()),
    ),
    "leaves a call and answers another": (
        *TALKS,
        "nap call: 24",
        "silence agent:",
        "wait",
        (LIN, page.StartAnswering()),
        SALES,
        "nap call: 9",
        (LIN, page.Answer()),
        "wait",
    ),
    "leaves a call and dials": (
        *TALKS,
        "nap call: 22",
        "silence agent:",
        "wait",
        "rings for ever",
        (LIN, page.Dial(OUTSIDE)),
        "sleep 3",
    ),
    "leaves a call and rests": (
        *TALKS,
        "nap call: 24",
        "silence agent:",
        "wait",
        (LIN, page.SetState("break")),
        "wait",
    ),
    "a line asks for our offer": (*ASKS_OUTSIDE, *("offers nothing",) * 4),
    "its call is lost as it seeks": ((LIN, IN), "nap trunk: 3", (LIN, page.Dial(OUTSIDE)), "lost call:"),
    "its call is lost as it is made ready": ((LIN, IN), "engine 3", (LIN, page.Dial(OUTSIDE)), "lost call:"),
}
STANDINGS: Final = (
    "is held", "consulted one rings", "consults", "swapped", "is invited", "is invited and held", "three",
    "three and held", "transfer rings", "comes back", "consults outside", "three with outside", "outside has it",
    "dials", "answers", "refers", "talks",
)  # fmt: skip
SECOND_THERE: Final = ("consults", "swapped", "three", "three and held")
SEEKING: Final = ("seeks", "a line seeks", "is made ready", "a line is made ready", "is to be opened")
for _each in SEEKING:
    POSITIONS[f"{_each}, and hears what is late"] = (*POSITIONS[_each], "late")
for _each in SECOND_THERE:
    POSITIONS[f"{_each}, and the second hangs up"] = (*POSITIONS[_each], (WEI, page.HangUp()))
for _each in STANDINGS:
    POSITIONS[f"{_each}, and the agent ends"] = (*POSITIONS[_each], "isolate agent:1001")
    POSITIONS[f"{_each}, and the agent hangs up"] = (*POSITIONS[_each], (LIN, page.HangUp()))
    POSITIONS[f"{_each}, and its page is old"] = (*POSITIONS[_each], "late", "refer", "late", "child")
# Between the steps of a position, in seconds: a page's handshake takes its time.
PACE: Final = 0.4
WHILE: Final = 21.0
# ... and between the rounds of a history, from one instant to what is longer than anybody rings.
WAITS: Final = (0.0, 0.0005, 0.004, 0.008, 0.012, 0.05, 0.3, 1.0, 3.0, 6.0, 16.0, 31.0)
OFTEN: Final = (10, 8, 8, 8, 8, 8, 10, 12, 10, 5, 4, 2)
# At the end: for an INVITE that nobody answered, for who vanished during a hold and will not be missed for two hours.
END: Final = 70.0
VANISHED: Final = 7300.0
AT_REST: Final = (Phase.SIGNED_OUT, Phase.IDLE, Phase.ON_BREAK, Phase.AFTER_CALL_WORK, Phase.MOBILE)


class History:
    """One walk; see the module's docstring."""

    def __init__(self, world: World, rng: Random) -> None:
        self.world = world
        self.rng = rng
        spare = world.add_host(SPARE)
        assert spare is not world.carrier
        self.walkers = Walkers(world, rng)
        # This history's own weights.
        self._weights = [weight * 2.0 ** rng.uniform(-2.5, 2.5) for weight, _ in ACTS.values()]
        self._waits = [weight * 2.0 ** rng.uniform(-2.0, 2.0) for weight in OFTEN]

    async def live(self, position: Sequence[Step]) -> None:
        await trio.sleep(PACE)
        for step in position:
            await trio.sleep(self._take(step))
        for outside in self.walkers.outside:
            outside.habit = ""
        for _ in range(self.rng.randint(8, 24)):
            self._round()
            await trio.sleep(self.rng.choices(WAITS, self._waits)[0])
        await self._end()

    def _take(self, step: Step) -> float:
        """Does that; gives how long it takes."""
        walkers, world = self.walkers, self.world
        if isinstance(step, tuple):
            agent, command = step
            robot = walkers.owner(agent) or walkers.open_page(agent)
            if robot is not None:
                walkers.click(robot, command)
            return PACE
        match step.split():
            case ["press", *keys]:
                for _ in keys:
                    walkers.accept_by_key()
            case ["wait"]:
                return WHILE
            case ["sleep", seconds]:
                return float(seconds)
            case ["engine", seconds]:
                world.link.connect(None)
                world.later(float(seconds), lambda: world.start_engine("second"))
            case ["silence", whose]:
                for leg in [leg for leg in world.engine.legs if leg.startswith(whose)]:
                    world.on_facts(world.engine.silence(leg, 0.5))
            case ["nap", kind, seconds]:
                for name in world.system.alive(kind):
                    walkers.sleep(name, float(seconds))
            case ["isolate", name]:
                world.system.end(name, "crashed")
            case ["close"]:
                for pages in list(walkers.pages.values()):
                    for robot in list(pages):
                        walkers.close(robot)
            case ["no", "sales"]:
                world.configure(walkers.without_sales())
            case ["no", "update"]:
                world.refuses[media.UpdateRtpLeg] += 1
            case ["no", "open"]:
                world.refuses[media.OpenRtpLeg] += 1
            case ["caller", "offers"]:
                walkers.caller_offers()
            case ["hang", "up"]:
                walkers.caller_hangs_up()
            case ["lose"]:
                world.deaf = True
            case ["link"]:
                walkers.link_is_lost()
            case ["lost", whose]:
                walkers.dialog_is_lost(whose)
            case ["offers", "nothing"]:
                walkers.offers_nothing()
            case ["key", whose]:
                for leg in [leg for leg in world.engine.legs if leg.startswith(whose)]:
                    walkers.key(leg)
            case ["known"]:
                for call in walkers.calls():
                    world.system.tell(call.queue(), LastServed(call.id, WEI))
            case ["dismiss"]:
                walkers.dismiss(LIN)
            case ["gone"]:
                for call in walkers.calls():
                    if call.state.phase in OUTWARD and call.state.agent:
                        world.system.tell(f"call:{call.id}", AgentGone(call.state.agent))
            case ["facts", whose]:
                for leg in [leg for leg in world.engine.legs if leg.startswith(whose)]:
                    for _ in range(12):
                        walkers.fact(leg)
            case ["refer"]:
                walkers.refers()
            case ["info"]:
                walkers.key_by_info()
            case ["late"]:
                for kind in ("call:", "agent:1001", "agent:1002", "line:"):
                    walkers.late_words(kind)
            case ["child"]:
                walkers.press_all()
            case ["recording"]:
                walkers.recording()
            case ["telephones", "offer"]:
                for outside in walkers.outside:
                    for rung in list(outside.calls):
                        outside.offer(rung)
            case [number] if number[-1].isdigit():
                walkers.dial(number)
            case _:
                for outside in walkers.outside:
                    outside.habit = step
        return PACE

    def _round(self) -> None:
        for _ in range(self.rng.choice((1, 1, 1, 2, 2, 3, 5))):
            (act,) = self.rng.choices([act for _, act in ACTS.values()], self._weights)
            if self.rng.random() < 0.3:
                self.world.system.between(self.rng.randint(1, 6), partial(act, self.walkers))
            else:
                act(self.walkers)

    # --- the end ----------------------------------------------------------------------------------------------

    async def _end(self) -> None:
        world, walkers = self.world, self.walkers
        walkers.over = True
        await trio.sleep(46)  # whatever was to begin again has
        world.configure(walkers.whole)
        for outside in walkers.outside:
            outside.closes()
            world.plug(outside.host.address)
        world.system.tell("switchboard", Open())
        world.system.tell("switchboard", MediaFull(full=False))
        for caller in list(world.callers.values()):
            caller.hang_up()
        await trio.sleep(END)
        for leg in [leg for leg in world.engine.legs if not leg.startswith("agent:")]:
            world.on_facts(world.engine.silence(leg, 3.0))
        await trio.sleep(END)
        if world.system.alive("call:"):
            await trio.sleep(VANISHED)
        self._nothing_is_left()

    def _nothing_is_left(self) -> None:
        world = self.world
        world.assert_no_calls()
        assert [text for text in world.system.alarms if not text.startswith(TRUNK_DOWN.text[:9])] == []
        for agent in self.walkers.whole_agents():
            state = self.walkers.state_of(agent)
            assert state is None or state.phase in AT_REST, (agent, state.phase)
        books(world)


def position_of(seed: int) -> str:
    """Where that history begins."""
    names = list(POSITIONS)
    return names[seed % len(names)]


def walk(seed: int, *, silent: bool = True) -> list[str]:
    """That history; gives its log, which is empty where it is `silent`."""

    async def live(world: World) -> None:
        world.silent = silent
        await History(world, Random(seed)).live(POSITIONS[position_of(seed)])

    mobiles = (MobileEntry(MO, "+8613800138004", True),) if seed % 7 == 0 else ()
    return play(live, ORGANISATION, seed, mobiles=mobiles)
