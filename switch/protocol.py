"""What the control plane may ask of the media plane, and what it hears back.

The two planes speak nothing else. A command names legs and sources by ids that the control plane chose; it is carried
out in the order it came. Opening a leg answers at once (`LegOpened`, `LegRefused`); who hears whom (`Rewire`) changes
between two ticks, all of one command at the same tick.

    Command  control -> media      OpenRtpLeg OpenWebrtcLeg UpdateRtpLeg RestartIce CloseLeg OpenSource CloseSource
                                   OpenRecording CloseRecording Rewire SendDigits PressKey ListAccessPoints Ping
    Fact     media -> control      EngineStarted LegOpened LegRefused LegConnected LegSilent LegHeard LegWays
                                   LegUnchecked LegChecked LegFailed LegQuality DigitPressed KeyAnswered SourceFinished
                                   MusicTroubled MusicWell RecordingClosed RecordingTroubled RecordingWell
                                   AccessPoints EngineReport Pong

On the wire (a stream socket between the two processes) a message is one frame: a 32-bit big-endian length, then a
msgpack array `[class name, field, field, ...]` in the order of the class; nested attrs classes are arrays
of their fields, with the class name first where the field may be one of several classes (`SourceKind`, `Sound`).
"""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

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

CodecName = Literal["pcmu", "pcma", "g722", "opus"]

# Every id (leg, source, recording) is at most this many characters; a longer one is a bug of the control plane.
MAX_ID = 120
# The most parts of a playlist, and the longest one of them, in seconds.
MAX_PARTS = 64
MAX_PART = 3600.0
# The most sources one listener may hear at once: a room larger than this is refused by the switchboard.
MAX_HEARD = 64
# The most digits that wait to be sent on one leg, and how short and how long a digit or a gap may be: below 40 ms far
# sides need not take it for one (ITU-T Q.24).
MAX_DIGITS = 64
MIN_DIGIT_MS = 40
MAX_DIGIT_MS = 10_000


@frozen
class OpusWishes:
    """What a far side says of its Opus (RFC 7587 §6.1): of what it is sent the highest rate that it plays, in Hz, the
    most bits a second, 0 where it sets no bound, and whether all packets shall be of one length; and the highest rate
    of what it sends."""

    playback_rate: int = 48_000
    bit_rate: int = 0
    constant: bool = False
    capture_rate: int = 48_000


@frozen
class Codec:
    """One direction-less choice of SDP negotiation: what both sides send on this leg (RFC 3264 §6)."""

    name: CodecName
    payload_type: int
    # RTP payload type of telephone-event (RFC 4733), or None where none was agreed.
    telephone_event: int | None = None
    # How long the packets are that the far side asks for: 10 to 60, in whole tens.
    packet_ms: int = 20
    # The payload types of what the far side sends, where they are others than those of what it is sent (RFC 3264 §5.1).
    heard_type: int | None = None
    heard_event: int | None = None
    # The clock of events in Hz, where it is another than the codec's.
    event_clock: int | None = None
    opus: OpusWishes = OpusWishes()


@frozen
class Fingerprint:
    """`a=fingerprint` of RFC 8122: a hash function's name in lower case and the digest as `AB:CD:...` in upper case."""

    algorithm: str
    digest: str


Suite = Literal["AEAD_AES_128_GCM", "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"]


@frozen
class SrtpKey:
    """What one side encrypts with: a suite (RFC 4568 §6.2, RFC 7714 §14.2), and its master key and salt in base64."""

    suite: Suite
    key: str = field(repr=False)


@frozen
class Srtp:
    """A trunk's leg under SRTP, whose keys are in descriptions (RFC 4568).

    `heard` is the far side's key; None while it has not said one, and nothing is heard or sent. `sent` are ours that it
    was told, each of another suite, of which the one of its suite is used; empty: the engine makes new ones. `engines`
    is how many engines before this one have encrypted with them: no two may do so with the same SSRC.
    """

    heard: SrtpKey | None = None
    sent: tuple[SrtpKey, ...] = ()
    engines: int = 0


# --- commands ---------------------------------------------------------------------------------------------------


@frozen
class OpenRtpLeg:
    """Plain RTP to a trunk. Heard only from exactly `address:port`. Answer: LegOpened with our address and port.

    `port` 0: where the far side will be is not known yet (our offer comes first). The leg has its port and waits for an
    UpdateRtpLeg; `address` is then the peer's, on the route to which our address is chosen.

    `nat`: the leg gets a port of its own and learns its source once, within 2 s: from the first valid packet that comes
    from `address`, or from `peer`, where its signalling comes from; or from a stream from elsewhere that goes on.

    `local_port`: our port that the far side was told already, by an engine that died; taken if it can be had, also
    while it rests. LegOpened says which one it is. The leg counts as connected: silence of its far side is told from
    the beginning. 0: any.

    `sends` false: the far side holds us, it wants to hear nothing (RFC 3264 §8.4). It is sent reports alone. `hears`
    false: it said that it sends nothing, and is not missed.

    `srtp`: its media is encrypted, with keys that LegOpened gives, and nothing else of it is heard.
    """

    leg: str
    address: str
    port: int
    codec: Codec
    nat: bool = False
    local_port: int = 0
    sends: bool = True
    hears: bool = True
    peer: str = ""
    srtp: Srtp | None = None


@frozen
class UpdateRtpLeg:
    """The far side moved, changed codec or holds by a new offer (RFC 3264 §8); answered by LegOpened as an opening is.

    `port` 0: it stays where it is. `srtp` as in the opening: a leg is encrypted from its beginning to its end. Where
    our key becomes another, so does our SSRC: both sides then count its packets from the beginning.
    """

    leg: str
    address: str
    port: int
    codec: Codec
    sends: bool = True
    hears: bool = True
    srtp: Srtp | None = None


@frozen
class OpenWebrtcLeg:
    """A browser's leg: ICE-lite, DTLS (we are `passive`), SRTP. Answer: WebrtcLegOpened, later LegConnected.

    `peer` is the IP address the browser's websocket came from; the candidates offered are ours on the route to it:
    those of `access_point`, or of all where it is empty.
    """

    leg: str
    peer: str
    ice_ufrag: str
    ice_pwd: str
    fingerprints: tuple[Fingerprint, ...]
    codec: Codec
    access_point: str = ""


@frozen
class RestartIce:
    """A browser's leg finds a new way: its network or its access point changed (RFC 8445 §9). Answer: WebrtcLegOpened.

    Fields as in the opening. Codec and certificate are those that the leg has, else it is refused: keys and sound go on
    as they were. Media goes the old way until the browser has nominated the new one.
    """

    leg: str
    peer: str
    ice_ufrag: str
    ice_pwd: str
    fingerprints: tuple[Fingerprint, ...]
    codec: Codec
    access_point: str = ""


@frozen
class CloseLeg:
    """The leg and all edges to and from it are gone at the next tick. Closing what is not open is no error."""

    leg: str


@frozen
class OpenSource:
    """A row that speaks. Opening an id again with the same kind is no error, and begins nothing anew."""

    source: str
    kind: SourceKind


@frozen
class CloseSource:
    source: str


@frozen
class OpenRecording:
    """Two listeners appear, `left(recording)` and `right(recording)`; what they hear goes to a file, on one clock.

    A recording that was begun by an engine that died, or by this one before, is continued where the time is now: what
    was between is silence of the right length. Opening one that is open is no error. The id names the file: letters,
    digits, `.`, `_` and `-`. What cannot be written is told by RecordingTroubled; the listeners are there all the same.
    """

    recording: str


@frozen
class CloseRecording:
    """Its listeners are gone at the next tick; RecordingClosed follows, also where no such recording is open."""

    recording: str


def left(recording: str) -> str:
    """The listener whose sound is the left channel: it hears the customer."""
    return f"{recording}/left"


def right(recording: str) -> str:
    """The listener whose sound is the right channel: it hears the agents."""
    return f"{recording}/right"


@frozen
class Hears:
    """All that one listener hears from now on: `(source or leg id, gain)` each; gain 1.0 is as it came.

    A listener is a leg or a channel of a recording. An empty `sources` is silence. A leg that lists itself hears itself
    (echo). Unknown ids are left out and counted.
    """

    listener: str
    sources: tuple[tuple[str, float], ...] = ()


@frozen
class Rewire:
    """Replaces what each named listener hears, all between the same two ticks. Other listeners are left alone."""

    hears: tuple[Hears, ...]


@frozen
class SendDigits:
    """Sends `digits` (of `0123456789*#ABCD`) one after the other, after those that were sent before: as telephone
    events where the leg has them, else as tones in place of what it hears.

    Each lasts `duration_ms`, with `gap_ms` or a little more behind it: all begin with a tick. What cannot be sent, on a
    leg that is not there too, is counted and no more. A leg that changes its codec forgets what it was still to send.
    """

    leg: str
    digits: str
    duration_ms: int = 100
    gap_ms: int = 100


@frozen
class PressKey:
    """A key of this leg was pressed that came by another way (SIP INFO): to what it hears it is as one of its own. It
    is told where it is an answer, and not as DigitPressed."""

    leg: str
    digit: str


@frozen
class ListAccessPoints:
    """Where the browser at the IP address `peer` reaches us; answered by AccessPoints with the same `request`."""

    request: int
    peer: str


@frozen
class Ping:
    """Sent every second; an engine that hears none for 30 s ends its legs."""

    number: int


Command = (
    OpenRtpLeg
    | UpdateRtpLeg
    | OpenWebrtcLeg
    | RestartIce
    | CloseLeg
    | OpenSource
    | CloseSource
    | OpenRecording
    | CloseRecording
    | Rewire
    | SendDigits
    | PressKey
    | ListAccessPoints
    | Ping
)

# --- facts ------------------------------------------------------------------------------------------------------


@frozen
class EngineStarted:
    """The first fact on every link: what is open. `epoch` is new for each engine process; legs of an older are gone.

    What may have been missed follows: of every leg that is connected LegConnected, LegSilent or LegHeard, of a
    browser's LegUnchecked or LegChecked, and LegWays where sound goes one way; SourceFinished of what has, and
    MusicTroubled of every piece that is missing.
    """

    epoch: str
    legs: tuple[str, ...]
    pid: int
    recordings: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


@frozen
class LegOpened:
    """Where the far side must send its RTP: goes into our SDP, as do the `keys` that we encrypt with under SRTP, one of
    each suite."""

    leg: str
    address: str
    port: int
    keys: tuple[SrtpKey, ...] = ()


@frozen
class WebrtcLegOpened:
    """What goes into our SDP answer: `candidates` are `(address, port)` of UDP host candidates, best first."""

    leg: str
    ice_ufrag: str
    ice_pwd: str
    fingerprint: Fingerprint
    candidates: tuple[tuple[str, int], ...]


@frozen
class LegRefused:
    """The opening failed: no port free, the codec unknown, too many legs. `reason` is for people."""

    leg: str
    reason: str


@frozen
class LegConnected:
    """WebRTC: the DTLS handshake is done and media may flow. RTP: the first packet was accepted."""

    leg: str


@frozen
class LegSilent:
    """Nothing from the far side for `seconds`. Told once per silence; in a browser's leg only once it was connected.

    A browser's leg is silent after 0.5 s without RTP (it is told within 0.6 s). A plain RTP leg is silent after 3 s
    without RTP and RTCP: a peer that is on hold sends reports alone, and is there.
    """

    leg: str
    seconds: float


@frozen
class LegHeard:
    """What was missed is back after a LegSilent."""

    leg: str


@frozen
class LegWays:
    """Whether sound `comes` from the far side and `goes` to it; told when that changes, first when one does not.

    Nothing `comes`, of a plain RTP leg that should be heard: no packet 3 s after the far side was reached, or none
    between two of its reports of which the second says that there were some. Nothing `goes`: we have sent for 2 s, and
    its report says that nothing arrives.
    """

    leg: str
    comes: bool
    goes: bool


@frozen
class LegUnchecked:
    """WebRTC: no authenticated STUN check for `seconds`: the browser or the way to it is gone. Told once, after 10 s.

    Only LegFailed ends the leg (consent is kept for 30 s, RFC 7675 §5.1).
    """

    leg: str
    seconds: float


@frozen
class LegChecked:
    """The browser's checks are back after a LegUnchecked."""

    leg: str


@frozen
class LegFailed:
    """The leg is dead: handshake failed or timed out, consent gone (RFC 7675), closed by the far side. It is closed."""

    leg: str
    reason: str


@frozen
class LegQuality:
    """Every 2 s per connected leg: what was heard since the last one, levels in dBov (0 loudest, -127 silence).

    `speaks`: in these 2 s there was speech in it. `hears_speech`: ... in what one of the legs said that it hears, be it
    its own. A leg that nobody hears, be it muted, held or between two calls, is not listened to: its level is that of
    silence, and it does not speak.

    What the far side's last RTCP report said of how it hears us (RFC 3550 §6.4) is None before the first, and new about
    every 5 s. `rtt_ms` is the time there and back, without what a report lay there.
    """

    leg: str
    received: int
    lost: int
    concealed_ms: float
    jitter_ms: float
    delay_ms: float
    level: float
    rtt_ms: float | None = None
    far_loss_percent: float | None = None
    far_jitter_ms: float | None = None
    speaks: bool = False
    hears_speech: bool = False


@frozen
class DigitPressed:
    """The far side pressed a key and let it go; told once. `digit` is one of `0123456789*#ABCD`.

    `duration_ms` is as it was sent, which browsers do not say truly; `how`: as a telephone event (RFC 4733), or as a
    tone, on a leg without events.
    """

    leg: str
    digit: str
    duration_ms: int
    how: Literal["event", "tone"]


@frozen
class KeyAnswered:
    """The far side pressed a key while it was asked for one (`Playlist.asks`); told once, in the place of DigitPressed.

    What is pressed elsewhere may be a secret between the far sides and is hidden in every log; this was said to us.
    """

    leg: str
    key: str


@frozen
class SourceFinished:
    """The last frame of a playlist that does not repeat was sent to who hears it. The source is still open."""

    source: str


@frozen
class MusicTroubled:
    """A piece of music cannot be read, and the built-in one is heard in its place; `reason` is for people.

    Told once per trouble; it is tried again whenever a source of it is opened.
    """

    name: str
    reason: str


@frozen
class MusicWell:
    """It is heard after a MusicTroubled."""

    name: str


@frozen
class RecordingClosed:
    """The file is complete, and synced where no RecordingTroubled says otherwise. `seconds` long; 0.0 where nothing of
    it could be written or none was open. `lost` are seconds of sound that are not in the file."""

    recording: str
    seconds: float
    lost: float = 0.0


@frozen
class RecordingTroubled:
    """What should be written is not, or may not be on the disk though it was: the disk is full, not writable, too slow,
    broken. Told once per trouble; `reason` is for people.

    The time that is not written is silence of the right length in the file. The calls go on.
    """

    recording: str
    reason: str


@frozen
class RecordingWell:
    """It is written again after a RecordingTroubled."""

    recording: str


@frozen
class AccessPoint:
    """One of the addresses at which browsers reach us: `candidates` are `(address, port)` of UDP, best first."""

    id: str
    name: str
    candidates: tuple[tuple[str, int], ...]


@frozen
class AccessPoints:
    """All of them, in the order of the configuration. ICE checks with these credentials are answered at each, and
    nothing else: the round trip of a leg that is not there can be measured. Good as long as the engine lives.
    """

    request: int
    ice_ufrag: str
    ice_pwd: str
    points: tuple[AccessPoint, ...]


@frozen
class EngineReport:
    """Every second: how the tick fares. `tick_ms` are p50, p99, max of that second; `counters` by name; `edges` is how
    many pairs of a listener and what it hears there are."""

    legs: int
    ticks: int
    late_ticks: int
    tick_ms: tuple[float, float, float]
    counters: dict[str, int] = field(factory=dict)
    edges: int = 0


@frozen
class Pong:
    number: int


Fact = (
    EngineStarted
    | LegOpened
    | WebrtcLegOpened
    | LegRefused
    | LegConnected
    | LegSilent
    | LegHeard
    | LegWays
    | LegUnchecked
    | LegChecked
    | LegFailed
    | LegQuality
    | DigitPressed
    | KeyAnswered
    | SourceFinished
    | MusicTroubled
    | MusicWell
    | RecordingClosed
    | RecordingTroubled
    | RecordingWell
    | AccessPoints
    | EngineReport
    | Pong
)
