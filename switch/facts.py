"""What the control plane hears back from the media plane (protocol.py)."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from .agreed import Fingerprint, SrtpKey
from .commands import Hears


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
class LegElsewhere:
    """Nothing comes from the far side of a plain RTP leg, whose description says `address` and `port`; and to our port
    of it a stream comes from `source` and `source_port`, which nobody is known to be. Told once for a leg."""

    leg: str
    address: str
    port: int
    source: str
    source_port: int


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

    `concealed_ms` is sound that was sent and not there when it was due; what may be a pause is told when it is over.

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

    `duration_ms` is as it was sent, which browsers do not say truly; `how`: as a telephone event (RFC 4733), as a tone,
    on a leg without events, or by INFO (PressKey), whose duration is not known. What comes in two ways is told as it
    came first.
    """

    leg: str
    digit: str
    duration_ms: int
    how: Literal["event", "tone", "info"]


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
class TicksLong:
    """The usual one of the last ticks took so many ms, most of its 20: told five times a second while that is so."""

    usual_ms: float


@frozen
class Pong:
    """Answers a Ping: the sums of what the engine has (holdings.py). All that it knew before was told before, so it is
    what it has by every command before the Ping and every fact before this."""

    number: int
    sums: tuple[int, ...]


@frozen
class Holdings:
    """Answers ListHoldings as a Pong does a Ping: the rows of that part, and what its listeners hear that hear
    anything."""

    request: int
    legs: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    hears: tuple[Hears, ...] = ()


Fact = (
    EngineStarted
    | LegOpened
    | WebrtcLegOpened
    | LegRefused
    | LegConnected
    | LegSilent
    | LegHeard
    | LegWays
    | LegElsewhere
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
    | TicksLong
    | Pong
    | Holdings
)
