"""Where a random walk begins: an organisation, and short scripts that bring a call into each standing there is.

What a table calls rare has a script of its own, so that a walk comes there in a few histories and not in a thousand.
"""

from __future__ import annotations

from typing import Final

from cordboard.actors import page
from cordboard.actors.organisation import parse_organisation
from cordboard.sip.message import Address
from cordboard.switch.protocol import MAX_HEARD

from .desks import HOTLINE, MAILBOX, NIGHT, SALES
from .house import PAGE_OFFER
from .world import CARRIER

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
    last_agent_seconds = 10
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

# An agent and its command, a number that a customer dials, what befalls the centre, or what all telephones do from here
# on (`walk.py` takes them).
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

# As long as an answer about a mobile is waited for, and until it comes.
OWED: Final[tuple[Step, ...]] = ("sleep 5", "sleep 4")

# Each by itself: what is true of a call when its steps were taken.
ALONE: Final[dict[str, tuple[Step, ...]]] = {
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
    "is never ready": ((LIN, IN), "engine 9", (LIN, page.Dial(OUTSIDE)), "sleep 6"),
    "is never opened": ("engine 40", HOTLINE, "sleep 31"),
    "its agent ends": (*DIALS, "isolate agent:1001", "recording", "recording", "recording"),
    "a line seeks": (*TALKS, "nap trunk: 3.5", (LIN, page.Consult(number=OUTSIDE))),
    "a line is made ready": (*TALKS, "engine 3.5", (LIN, page.Consult(number=OUTSIDE))),
    "a line is never ready": (*TALKS, "engine 9", (LIN, page.Consult(number=OUTSIDE)), "sleep 6"),
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
    "asks for a mobile and talks": (*BINDS, (MO, page.SetState("idle")), (MO, page.Answer()), *OWED),
    "asks for a mobile and answers": (*BINDS, (MO, page.SetState("idle")), "nap call: 20", (MO, page.Answer()), *OWED),
    "asks for a mobile and dials": (*BINDS, "nap trunk: 9", (MO, page.Dial(OUTSIDE)), *OWED),
    "asks for a mobile and works": (
        *BINDS,
        (MO, page.SetState("idle")),
        (MO, page.Answer()),
        (MO, page.HangUp()),
        *OWED,
    ),
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
    "a line that talks moves in vain": (*ASKS_OUTSIDE, "no update", *("telephones offer",) * 3),
    "is sent on": ((LIN, IN), "forwards", (LIN, page.Dial(OUTSIDE))),
    "a line is sent on": (*TALKS, "forwards", (LIN, page.Consult(number=OUTSIDE))),
    "nobody is there, and it is known": (HOTLINE, "known"),
    "nobody is there, and the call ends": (HOTLINE, "end call:"),
    "rings, and the call ends": ((LIN, IN), HOTLINE, "end call:"),
    "is dismissed as it rings": ((LIN, IN), HOTLINE, "dismiss"),
    "a mobile is asked, and its agent ends": (*MOBILE, f"isolate agent:{MO}"),
    "signed out": ((LIN, IN), (LIN, page.SignOut())),
    "answers by a mobile": ((MO, page.MobileAnswer()),),
    "is recorded, and the disk is full": (*TALKS, *("recording",) * 4),
    "is given to a queue, and hears what is late": (*DIALS, (LIN, page.Transfer(queue="support")), "late"),
    "a line rings and is heard": (*TALKS, "rings for ever", (LIN, page.Consult(number=OUTSIDE)), "facts line:"),
    "is served and vanishes": ("600", "silence call:", "sleep 61"),
    "talks and vanishes": (*TALKS, "silence call:", "sleep 61"),
    "talks and moves in vain": (*TALKS, "no update", "caller offers"),
    "is to be asked as it seeks": ((LIN, IN), "nap trunk: 3.5", (LIN, page.Dial(OUTSIDE)), (LIN, page.Survey())),
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
# An agent in each of its states.
AT_A_DESK: Final = (
    "signed out", "idle", "rings", "answers", "talks", "after-call work", "on break", "dials", "answers by a mobile",
)  # fmt: skip
INVITED: Final = ("consulted one rings", "is invited", "is invited and held", "transfer rings")
SEEKING: Final = ("seeks", "a line seeks", "is made ready", "a line is made ready", "is to be opened")
# What happens to many of them next.
AFTER: Final[tuple[tuple[str, tuple[str, ...], tuple[Step, ...]], ...]] = (
    ("hears what is late", (*SEEKING, "dialled"), ("late",)),
    ("every grey button is pressed", AT_A_DESK, ("tab", "new queues", "grey")),
    ("the second answers", INVITED, ((WEI, page.Answer()),)),
    ("the agent leaves", STANDINGS, ("silence agent:1001", "close", "wait")),
    ("the second hangs up", SECOND_THERE, ((WEI, page.HangUp()),)),
    ("the agent ends", STANDINGS, ("isolate agent:1001",)),
    ("the agent hangs up", STANDINGS, ((LIN, page.HangUp()),)),
    ("its page is old", STANDINGS, ("late", "refer", "late", "child")),
    ("the process dies", (*STANDINGS, "rings", "seeks", "is to be opened"), ("restart",)),
    ("both processes die", STANDINGS, ("restart both",)),
)
POSITIONS: Final[dict[str, tuple[Step, ...]]] = ALONE | {
    f"{begins}, and {what}": (*ALONE[begins], *then) for what, many, then in AFTER for begins in many
}
