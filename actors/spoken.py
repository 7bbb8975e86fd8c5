"""What two descriptions agreed on, in the words of the media plane, and what it says in the words of descriptions."""

from __future__ import annotations

from attrs import evolve

from ..sip import sdp
from ..sip.opus import OpusParameters
from ..switch import protocol as media


def codec(agreed: sdp.Agreed | sdp.WebrtcAgreed) -> media.Codec:
    """How the leg speaks and is spoken to."""
    clock = sdp.CODECS[agreed.codec][1]
    others = agreed.telephone_event is not None and agreed.telephone_event_clock != clock
    made = media.Codec(
        agreed.codec,
        agreed.payload_type,
        agreed.telephone_event,
        event_clock=agreed.telephone_event_clock if others else None,
        opus=_wishes(agreed.opus),
    )
    if isinstance(agreed, sdp.WebrtcAgreed):
        return made
    return evolve(made, packet_ms=agreed.ptime_ms, heard_type=agreed.heard_type, heard_event=agreed.heard_event)


def _wishes(said: OpusParameters) -> media.OpusWishes:
    return media.OpusWishes(said.playback_rate, said.bit_rate, said.constant, said.capture_rate)


def key(agreed: sdp.Agreed) -> media.SrtpKey | None:
    """What the far side encrypts with."""
    return None if agreed.crypto is None else media.SrtpKey(agreed.crypto.suite, agreed.crypto.key)


def keys(fact: media.LegOpened) -> dict[sdp.Suite, str]:
    """What we do, by suite."""
    return {each.suite: each.key for each in fact.keys}
