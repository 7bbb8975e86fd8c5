"""A far side, the caller of a call above all: the SIP dialog, the media leg, and what it hears while nobody talks with
it.

The half of a call that has nothing to do with agents. Descriptions and new offers are settled here, and whether the
caller is there at all. What it hears alone is music, which all who wait share, or a playlist of its own, which begins
with its first word and is closed when the caller hears something else.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

from ..sip import sdp
from ..switch import protocol as media
from . import signals, spoken
from .call_state import FarSide, Playing
from .effects import Effect, Log, Media, Sip
from .evolving import evolve
from .table import Machine, S

# A caller that is not on hold and has sent nothing for this long is gone, whatever SIP has heard: a lost BYE, a dead
# trunk. No telephone that saves its silence pauses for so long without a comfort noise (RFC 3389 §4), which counts.
MEDIA_TIMEOUT = 60.0
# One that is on hold need not send, not even reports; but a trunk that dies during a hold says nothing either, and
# nobody holds a call centre for hours.
HOLD_TIMEOUT = 2 * 3600.0


# A leg or a channel of the recording, and what it hears: legs and sources, or a playlist of its own.
Ear = tuple[str, tuple[str, ...] | media.Playlist]


class Caller(Machine[S], ABC):
    """One caller; see `FarSide` for what it remembers."""

    state: FarSide

    @property
    def id(self) -> str:
        return self.state.arrived.call

    @abstractmethod
    def end(self, by: str, cause: str, now: float) -> list[Effect]:
        """The call is over."""

    def gone_at(self) -> float:
        """When a caller of whom nothing is heard is given up. One that is not answered yet need not send."""
        if self.state.answer_at < math.inf:
            return math.inf
        return self.state.silent_since + (HOLD_TIMEOUT if self.state.on_hold else MEDIA_TIMEOUT)

    # --- its media --------------------------------------------------------------------------------------------

    def open_leg(self) -> list[Effect]:
        """Aimed at where the caller wants its media; port 0 while it has not said so: our address is then on the way
        to where its SIP comes from."""
        data = self.state
        agreed = data.agreed
        remote = agreed.remote if agreed is not None and agreed.remote is not None else (data.arrived.peer, 0)
        codec = self._offered() if agreed is None else spoken.codec(agreed)
        sends, hears = (True, True) if agreed is None else _ways(agreed)
        peer = data.arrived.peer if data.nat else ""
        srtp = media.Srtp(None if agreed is None else spoken.key(agreed)) if data.arrived.srtp else None
        opening = media.OpenRtpLeg(data.leg, *remote, codec, data.nat, sends=sends, hears=hears, peer=peer, srtp=srtp)
        return [Media(opening)]

    def negotiate(self, offer: sdp.SessionDescription) -> sdp.Agreed:
        """Raises SdpError."""
        arrived = self.state.arrived
        return sdp.negotiate(offer, arrived.codecs, peer=arrived.peer, srtp=arrived.srtp)

    def _offered(self) -> media.Codec:
        """What a far side may send that has not answered our offer yet."""
        first = self.state.arrived.codecs[0]
        return media.Codec(first, sdp.payload_type(first))

    def describe(
        self, fact: media.LegOpened, say: type[signals.AnswerEarly | signals.AnswerSip | signals.Reanswer]
    ) -> list[Effect]:
        """Our description at the leg's address: the answer to their offer, or an offer where they made none."""
        data = self.state
        theirs, agreed = data.reoffer or (data.arrived.offer, data.agreed)
        version = data.version + 1
        if theirs is None or agreed is None:
            ours = self.offer(fact, version)
        else:
            ours = sdp.answer(
                theirs,
                agreed,
                fact.address,
                fact.port,
                session_id=int(data.came),
                version=version,
                keys=spoken.keys(fact),
            )
        self.state = evolve(data, ours=ours, agreed=agreed, keys=fact.keys, version=version, reoffer=None)
        return [Sip(say(data.sip, ours))]

    def answer(self, now: float) -> list[Effect]:
        """The caller is answered that heard us early, if it was not before."""
        data = self.state
        if data.answer_at == math.inf:
            return []
        assert data.ours is not None, "it hears us by our description"
        silent = now if data.silent_since < math.inf else math.inf  # it need not have said anything before
        self.state = evolve(data, answer_at=math.inf, silent_since=silent)
        return [Sip(signals.AnswerSip(data.sip, data.ours))]

    def offer(self, fact: media.LegOpened, version: int) -> sdp.SessionDescription:
        """Ours, at the leg's address."""
        data = self.state
        return sdp.offer(
            fact.address,
            fact.port,
            session_id=int(data.came),
            version=version,
            codecs=data.arrived.codecs,
            keys=spoken.keys(fact),
        )

    def silence(self, fact: media.LegSilent | media.LegHeard | media.LegConnected, now: float) -> list[Effect]:
        """Of the leg, which in an engine that began anew is connected again."""
        since = now - fact.seconds if isinstance(fact, media.LegSilent) else math.inf
        if (since < math.inf) is (self.state.silent_since < math.inf):
            return []  # told again, by a link that was lost meanwhile
        self.state = evolve(self.state, silent_since=since)
        return [Log("caller's media", (("call", self.id), ("fact", type(fact).__name__)))]

    def ways(self, fact: media.LegWays, now: float) -> list[Effect]:
        """Sound goes one way, or both again: for whoever looks after the trunk, and for the agent; the call goes on."""
        self.state = evolve(self.state, comes=fact.comes, goes=fact.goes)
        where = (("call", self.id), ("trunk", self.state.arrived.trunk), ("leg", fact.leg))
        return [Log("caller's sound", (*where, ("comes", fact.comes), ("goes", fact.goes)))]

    # --- what it hears ----------------------------------------------------------------------------------------

    def hear(self, *sources: str) -> list[Effect]:
        """All that the caller hears from now on."""
        return self.say((self.state.leg, sources))

    def say(self, *ears: Ear) -> list[Effect]:
        """What each of these listeners hears from now on, all from the same tick on. A playlist begins with its first
        word, and goes on where it is being played to that listener already."""
        playing, plays = dict(self.state.playing), self.state.plays
        opened: list[Effect] = []
        closed: list[Effect] = []
        hears: list[media.Hears] = []
        for listener, heard in ears:
            before = playing.get(listener)
            if isinstance(heard, media.Playlist):
                if before is not None and before.playlist == heard:
                    # said again: an agent that took its ear out of another call has taken it out of this one too
                    hears.append(media.Hears(listener, ((before.source, 1.0),)))
                    continue
                plays += 1
                now = playing[listener] = Playing(f"{self.state.actor}/play/{plays}", heard)
                opened.append(Media(media.OpenSource(now.source, heard)))
                heard = (now.source,)
            elif before is not None:
                del playing[listener]
            if before is not None:
                closed.append(Media(media.CloseSource(before.source)))
            hears.append(media.Hears(listener, tuple((source, 1.0) for source in heard)))
        if playing != self.state.playing:
            self.state = evolve(self.state, playing=playing, plays=plays)
        return [*opened, *([Media(media.Rewire(tuple(hears)))] if hears else []), *closed]

    def send_digit(self, digit: str) -> list[Effect]:
        """To the far side, all of even length."""
        return [Media(media.SendDigits(self.state.leg, digit))]

    def music(self) -> list[Effect]:
        piece = media.Music(self.state.music)
        source = f"music:{piece.name}"
        return [Media(media.OpenSource(source, piece)), *self.hear(source)]

    def play(self, playlist: media.Playlist) -> list[Effect]:
        """The caller hears this."""
        return self.say((self.state.leg, playlist))

    def stop_playing(self) -> list[Effect]:
        """The playlist that the caller heard is of no more use."""
        data = self.state
        if not data.player:
            return []
        others = {listener: each for listener, each in data.playing.items() if listener != data.leg}
        self.state = evolve(data, playing=others)
        return [Media(media.CloseSource(data.player))]

    # --- new offers -------------------------------------------------------------------------------------------

    def confirmed(self, message: signals.Confirmed, now: float) -> list[Effect]:
        ours = self.state.ours
        if ours is None:
            return []
        try:
            agreed = sdp.accept(ours, message.answer, peer=self.state.arrived.peer)
        except sdp.SdpError as error:
            return self.end("system", str(error), now)
        self.state = evolve(self.state, agreed=agreed)
        self._takes_its_time(now)
        return self.follow(agreed, self.state.keys)

    def follow(self, agreed: sdp.Agreed, keys: tuple[media.SrtpKey, ...], *, missed: bool = True) -> list[Effect]:
        """The leg sends where the far side wants it now, and if it does; an offer that names no address leaves it where
        it is. `keys` are those of ours that the far side knows; without any it will be told new ones. `missed` false:
        it need not send."""
        data = self.state
        remote = agreed.remote or (data.arrived.peer, 0)
        srtp = media.Srtp(spoken.key(agreed), keys) if data.arrived.srtp else None
        sends, hears = _ways(agreed)
        return [Media(media.UpdateRtpLeg(data.leg, *remote, spoken.codec(agreed), sends, hears and missed, srtp))]

    def _keys_for(self, agreed: sdp.Agreed) -> tuple[media.SrtpKey, ...]:
        """The key of ours with which their offer can be answered; none where it has to be a new one: under another
        suite, and where their media is elsewhere, for whoever is there now does not know how far we have counted (RFC
        4568 §7.1.4)."""
        before = self.state.agreed
        if agreed.crypto is None or before is None or agreed.remote not in (None, before.remote):
            return ()
        suite = agreed.crypto.suite
        same = before.crypto is not None and before.crypto.suite == suite
        return tuple(each for each in self.state.keys if each.suite == suite) if same else ()

    def reoffered(self, message: signals.Reoffered, now: float) -> list[Effect]:
        data = self.state
        assert data.ours is not None, "an answered call has a description"
        if message.offer is None:
            return self._offer_anew(data.ours)
        try:
            agreed = self.negotiate(message.offer)
        except sdp.SdpError as error:
            return [Sip(signals.RejectReoffer(data.sip, error.status))]
        self.state = evolve(data, reoffer=(message.offer, agreed))
        return self.follow(agreed, self._keys_for(agreed))

    def _offer_anew(self, before: sdp.SessionDescription) -> list[Effect]:
        """They ask for our offer: first the codec that is spoken, so that nothing changes but what they change."""
        data = self.state
        spoken_now = [each for each in data.arrived.codecs if data.agreed is not None and each == data.agreed.codec]
        codecs = dict.fromkeys((*spoken_now, *data.arrived.codecs))
        keys = {each.suite: each.key for each in data.keys}
        version = data.version + 1
        ours = sdp.offer_anew(before, version=version, codecs=tuple(codecs), keys=keys)
        self.state = evolve(data, ours=ours, version=version)
        return [Sip(signals.Reanswer(data.sip, ours))]

    def leg_moved(self, fact: media.LegOpened, now: float) -> list[Effect]:
        return self._redescribe(fact, now) if self.state.reoffer is not None else []

    def _redescribe(self, fact: media.LegOpened, now: float) -> list[Effect]:
        self._takes_its_time(now)
        return self.describe(fact, signals.Reanswer)

    def _takes_its_time(self, now: float) -> None:
        """A caller that was on hold may be silent anew, for as long as any."""
        if self.state.silent_since < math.inf:
            self.state = evolve(self.state, silent_since=now)

    def move_refused(self, fact: media.LegRefused, now: float) -> list[Effect]:
        if self.state.reoffer is None:
            return self.end("system", fact.reason, now)
        self.state = evolve(self.state, reoffer=None)
        return [Sip(signals.RejectReoffer(self.state.sip, 488))]


def _ways(agreed: sdp.Agreed) -> tuple[bool, bool]:
    """Whether we send, and are to hear: a far side that holds us is sent no media (RFC 3264 §6.1, §8.4)."""
    if agreed.remote is None:
        return False, False
    return agreed.direction in ("sendrecv", "sendonly"), agreed.direction in ("sendrecv", "recvonly")
