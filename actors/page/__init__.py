"""What an agent's page may ask of its agent actor, and what it hears back.

The classes are the protocol: `web/protocol.py` puts them on the wire by their `do` and `event` names and draws
docs/protocol.md from them; the agent actor receives a `Request` and answers it with effects. A reply means *accepted*;
results are events. Every event of one agent carries a revision that only grows, so that a page which took a snapshot at
revision n can drop what it hears up to n. All times are seconds since the Unix epoch.
"""

from __future__ import annotations

from .answers import (
    FAILURES as FAILURES,
)
from .answers import (
    REFUSALS as REFUSALS,
)
from .answers import (
    Accepted as Accepted,
)
from .answers import (
    Refused as Refused,
)
from .answers import (
    refuse as refuse,
)
from .asks import (
    Answer as Answer,
)
from .asks import (
    Attached as Attached,
)
from .asks import (
    Cancel as Cancel,
)
from .asks import (
    Command as Command,
)
from .asks import (
    Complete as Complete,
)
from .asks import (
    Consult as Consult,
)
from .asks import (
    Decline as Decline,
)
from .asks import (
    Detached as Detached,
)
from .asks import (
    Dial as Dial,
)
from .asks import (
    GetSnapshot as GetSnapshot,
)
from .asks import (
    HangUp as HangUp,
)
from .asks import (
    Hold as Hold,
)
from .asks import (
    Invite as Invite,
)
from .asks import (
    Merge as Merge,
)
from .asks import (
    MobileAnswer as MobileAnswer,
)
from .asks import (
    Mute as Mute,
)
from .asks import (
    RenewMedia as RenewMedia,
)
from .asks import (
    Request as Request,
)
from .asks import (
    Resume as Resume,
)
from .asks import (
    Retrieve as Retrieve,
)
from .asks import (
    SetState as SetState,
)
from .asks import (
    SignIn as SignIn,
)
from .asks import (
    SignOut as SignOut,
)
from .asks import (
    StartAnswering as StartAnswering,
)
from .asks import (
    Survey as Survey,
)
from .asks import (
    Swap as Swap,
)
from .asks import (
    TestCall as TestCall,
)
from .asks import (
    Transfer as Transfer,
)
from .asks import (
    Unmute as Unmute,
)
from .asks import (
    WatchColleagues as WatchColleagues,
)
from .events import (
    AgentState as AgentState,
)
from .events import (
    CallAway as CallAway,
)
from .events import (
    CallBack as CallBack,
)
from .events import (
    CallConnected as CallConnected,
)
from .events import (
    CallDialling as CallDialling,
)
from .events import (
    CallEnded as CallEnded,
)
from .events import (
    CallFailed as CallFailed,
)
from .events import (
    CallMuted as CallMuted,
)
from .events import (
    CallOffered as CallOffered,
)
from .events import (
    CallParties as CallParties,
)
from .events import (
    CallSecondOver as CallSecondOver,
)
from .events import (
    CallSound as CallSound,
)
from .events import (
    CallWithdrawn as CallWithdrawn,
)
from .events import (
    Colleague as Colleague,
)
from .events import (
    Colleagues as Colleagues,
)
from .events import (
    Event as Event,
)
from .events import (
    Kind as Kind,
)
from .events import (
    MediaConnected as MediaConnected,
)
from .events import (
    MediaFailed as MediaFailed,
)
from .events import (
    MediaQuality as MediaQuality,
)
from .events import (
    Numbers as Numbers,
)
from .events import (
    Purpose as Purpose,
)
from .events import (
    QueueStatus as QueueStatus,
)
from .events import (
    Seat as Seat,
)
from .events import (
    SecondParty as SecondParty,
)
from .events import (
    State as State,
)
from .events import (
    TakenOver as TakenOver,
)
from .events import (
    TestCallBegun as TestCallBegun,
)
from .events import (
    TestCallOver as TestCallOver,
)
from .snapshot import (
    LastCall as LastCall,
)
from .snapshot import (
    QueueName as QueueName,
)
from .snapshot import (
    Snapshot as Snapshot,
)
