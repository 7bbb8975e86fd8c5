"""What the control plane may ask of the media plane (protocol.py)."""

from __future__ import annotations

from attrs import frozen

from .agreed import Codec, Fingerprint, Srtp
from .sounds import SourceKind

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
    leg that is not there too, is counted and no more. A leg that agrees on other events, or on another clock of them,
    forgets what it was still to send.
    """

    leg: str
    digits: str
    duration_ms: int = 100
    gap_ms: int = 100


@frozen
class PressKey:
    """A key of this leg was pressed that came by another way (SIP INFO): it is as one of its own, and told as one;
    where the leg says the same by itself, once."""

    leg: str
    digit: str


@frozen
class ListAccessPoints:
    """Where the browser at the IP address `peer` reaches us; answered by AccessPoints with the same `request`."""

    request: int
    peer: str


@frozen
class ListHoldings:
    """The rows and edges of one part (holdings.py); answered by Holdings with the same `request`."""

    request: int
    part: int


@frozen
class Ping:
    """Sent twice a second; an engine that hears none for 30 s ends its legs."""

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
    | ListHoldings
    | Ping
)
