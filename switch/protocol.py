"""What the control plane may ask of the media plane, and what it hears back.

The two planes speak nothing else. A command names legs and sources by ids that the control plane chose; it is carried
out in the order it came. Opening a leg answers at once (`LegOpened`, `LegRefused`); who hears whom (`Rewire`) changes
between two ticks, all of one command at the same tick.

    Command  control -> media      OpenRtpLeg OpenWebrtcLeg UpdateRtpLeg RestartIce CloseLeg OpenSource CloseSource
                                   OpenRecording CloseRecording Rewire SendDigits PressKey ListAccessPoints
                                   ListHoldings Ping
    Fact     media -> control      EngineStarted LegOpened LegRefused LegConnected LegSilent LegHeard LegWays
                                   LegElsewhere LegUnchecked LegChecked LegFailed LegQuality DigitPressed KeyAnswered
                                   SourceFinished MusicTroubled MusicWell RecordingClosed RecordingTroubled
                                   RecordingWell AccessPoints EngineReport TicksLong Pong Holdings

On the wire (a stream socket between the two processes) a message is one frame: a 32-bit big-endian length, then a
msgpack array `[class name, field, field, ...]` in the order of the class; nested attrs classes are arrays
of their fields, with the class name first where the field may be one of several classes (`SourceKind`, `Sound`).
"""

from __future__ import annotations

from .agreed import Codec as Codec
from .agreed import CodecName as CodecName
from .agreed import Fingerprint as Fingerprint
from .agreed import OpusWishes as OpusWishes
from .agreed import Srtp as Srtp
from .agreed import SrtpKey as SrtpKey
from .agreed import Suite as Suite
from .commands import MAX_DIGIT_MS as MAX_DIGIT_MS
from .commands import MAX_DIGITS as MAX_DIGITS
from .commands import MAX_HEARD as MAX_HEARD
from .commands import MAX_ID as MAX_ID
from .commands import MAX_PART as MAX_PART
from .commands import MAX_PARTS as MAX_PARTS
from .commands import MIN_DIGIT_MS as MIN_DIGIT_MS
from .commands import CloseLeg as CloseLeg
from .commands import CloseRecording as CloseRecording
from .commands import CloseSource as CloseSource
from .commands import Command as Command
from .commands import Hears as Hears
from .commands import ListAccessPoints as ListAccessPoints
from .commands import ListHoldings as ListHoldings
from .commands import OpenRecording as OpenRecording
from .commands import OpenRtpLeg as OpenRtpLeg
from .commands import OpenSource as OpenSource
from .commands import OpenWebrtcLeg as OpenWebrtcLeg
from .commands import Ping as Ping
from .commands import PressKey as PressKey
from .commands import RestartIce as RestartIce
from .commands import Rewire as Rewire
from .commands import SendDigits as SendDigits
from .commands import UpdateRtpLeg as UpdateRtpLeg
from .commands import left as left
from .commands import right as right
from .facts import AccessPoint as AccessPoint
from .facts import AccessPoints as AccessPoints
from .facts import DigitPressed as DigitPressed
from .facts import EngineReport as EngineReport
from .facts import EngineStarted as EngineStarted
from .facts import Fact as Fact
from .facts import Holdings as Holdings
from .facts import KeyAnswered as KeyAnswered
from .facts import LegChecked as LegChecked
from .facts import LegConnected as LegConnected
from .facts import LegElsewhere as LegElsewhere
from .facts import LegFailed as LegFailed
from .facts import LegHeard as LegHeard
from .facts import LegOpened as LegOpened
from .facts import LegQuality as LegQuality
from .facts import LegRefused as LegRefused
from .facts import LegSilent as LegSilent
from .facts import LegUnchecked as LegUnchecked
from .facts import LegWays as LegWays
from .facts import MusicTroubled as MusicTroubled
from .facts import MusicWell as MusicWell
from .facts import Pong as Pong
from .facts import RecordingClosed as RecordingClosed
from .facts import RecordingTroubled as RecordingTroubled
from .facts import RecordingWell as RecordingWell
from .facts import SourceFinished as SourceFinished
from .facts import TicksLong as TicksLong
from .facts import WebrtcLegOpened as WebrtcLegOpened
from .sounds import Busy as Busy
from .sounds import Music as Music
from .sounds import Part as Part
from .sounds import Pause as Pause
from .sounds import Playlist as Playlist
from .sounds import Prompt as Prompt
from .sounds import Ringback as Ringback
from .sounds import Sound as Sound
from .sounds import SourceKind as SourceKind
from .sounds import Tone as Tone
