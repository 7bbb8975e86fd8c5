"""What the engine was told to have open: legs, sources and recordings, whose each is, and what each listener hears."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from ..switch import protocol as media
from ..switch.holdings import Kind
from .evolving import evolve
from .hearing import Hearing
from .states import LinkState

Opening = media.OpenRtpLeg | media.OpenWebrtcLeg
Update = media.UpdateRtpLeg | media.RestartIce


class Opened:
    """A leg belongs to the actor that opened it, as does a recording, and a playlist, which is for one listener; other
    sources are everybody's."""

    def __init__(self) -> None:
        self._owners: dict[str, str] = {}
        # The legs of each actor in the order they were opened.
        self._legs: defaultdict[str, dict[str, None]] = defaultdict(dict)
        # How each was opened: as the far side wants it now.
        self.openings: dict[str, Opening] = {}
        # Our port of each leg that the engine has answered; 0 for a browser's.
        self.ports: dict[str, int] = {}
        # How legs are to be moved or reached that was not answered yet.
        self.updates: dict[str, Update] = {}
        self.sources: dict[str, media.SourceKind] = {}
        # The actor of each playlist among them.
        self.players: dict[str, str] = {}
        # The actor of each recording.
        self.recordings: dict[str, str] = {}
        # What is open, and what each leg was last told to hear.
        self.hearing = Hearing()

    def __len__(self) -> int:
        """How many legs there are."""
        return len(self._owners)

    @property
    def owners(self) -> set[str]:
        """The actors for which something is open."""
        return {*self._legs, *self.players.values(), *self.recordings.values()}

    def owner_of(self, leg: str) -> str:
        """Whose it is; empty where it is not open."""
        return self._owners.get(leg, "")

    def whose(self, name: str) -> str:
        """Whose leg, channel of a recording or playlist it is, or was by its name; empty where it is everybody's."""
        before = name.rpartition("/")[0]
        return self._owners.get(name) or self.players.get(name) or self.recordings.get(before) or before

    def listens(self, name: str) -> bool:
        """It is a leg, or a channel of a recording, that is open."""
        return name in self._owners or name.rpartition("/")[0] in self.recordings

    def of(self, actor: str) -> tuple[list[str], list[str], list[str]]:
        """All legs, playlists and recordings of an actor."""
        return (
            list(self._legs.get(actor, ())),
            [source for source, owner in self.players.items() if owner == actor],
            [recording for recording, owner in self.recordings.items() if owner == actor],
        )

    # --- legs -------------------------------------------------------------------------------------------------

    def add_leg(self, actor: str, opening: Opening) -> None:
        self._owners[opening.leg] = actor
        self._legs[actor][opening.leg] = None
        self.openings[opening.leg] = opening
        self.hearing.open(Kind.LEG, opening.leg)

    def remove_leg(self, leg: str) -> None:
        """It is open no more, or never was."""
        self.openings.pop(leg, None)
        self.ports.pop(leg, None)
        self.updates.pop(leg, None)
        self.hearing.forget(leg)
        self.hearing.close(leg)
        owner = self._owners.pop(leg, None)
        if owner is not None and owner in self._legs:
            self._legs[owner].pop(leg, None)
            if not self._legs[owner]:
                del self._legs[owner]

    def answered(self, leg: str, port: int, *, moved: bool) -> None:
        """The engine has it at that port of ours, and as it was last asked to have it, unless it was not moved."""
        self.ports[leg] = port
        update, opening = self.updates.pop(leg, None), self.openings[leg]
        if isinstance(update, media.UpdateRtpLeg) and moved and isinstance(opening, media.OpenRtpLeg):
            opening = evolve(opening, codec=update.codec, sends=update.sends, hears=update.hears)
            if update.port:  # 0: it stays where it is
                opening = evolve(opening, address=update.address, port=update.port)
            if update.srtp is not None and opening.srtp is not None:
                opening = evolve(opening, srtp=evolve(update.srtp, engines=opening.srtp.engines))
            self.openings[leg] = opening

    def seal(self, leg: str, srtp: media.Srtp) -> media.OpenRtpLeg:
        """It has those keys: gives how it would be opened with them."""
        opening = self.openings[leg]
        assert isinstance(opening, media.OpenRtpLeg), "a browser's keys are told to nobody"
        self.openings[leg] = sealed = evolve(opening, srtp=srtp)
        return sealed

    # --- sources and recordings -------------------------------------------------------------------------------

    def add_source(self, actor: str, source: str, kind: media.SourceKind) -> bool:
        """False where it is open already, and of that kind."""
        if self.sources.get(source) == kind:
            return False
        self.sources[source] = kind
        self.hearing.open(Kind.SOURCE, source)
        if isinstance(kind, media.Playlist):
            self.players[source] = actor
        return True

    def remove_source(self, source: str) -> None:
        self.sources.pop(source, None)
        self.players.pop(source, None)
        self.hearing.close(source)

    def take_unheard(self) -> Iterator[str]:
        """What is shared, and nobody hears any more: it is open no more."""
        for source in self.hearing.take_unheard():
            if source in self.sources and source not in self.players:
                self.remove_source(source)
                yield source

    def add_recording(self, actor: str, recording: str) -> None:
        self.recordings[recording] = actor
        for channel in (media.left(recording), media.right(recording)):
            self.hearing.open(Kind.CHANNEL, channel)

    def remove_recording(self, recording: str) -> None:
        self.recordings.pop(recording, None)
        for channel in (media.left(recording), media.right(recording)):
            self.hearing.forget(channel)
            self.hearing.close(channel)

    # --- over a restart of this process -----------------------------------------------------------------------

    def state(self) -> LinkState:
        """All of it, as `recall` would have it."""
        return LinkState(
            legs=tuple((self._owners[leg], opening, self.ports.get(leg)) for leg, opening in self.openings.items()),
            updates=tuple(self.updates.values()),
            recordings=tuple((actor, recording) for recording, actor in self.recordings.items()),
            sources=tuple(
                (self.players.get(source, ""), media.OpenSource(source, kind)) for source, kind in self.sources.items()
            ),
            hears=self.hearing.all,
        )

    def recall(self, link: LinkState) -> None:
        """What an earlier process had told."""
        for actor, opening, port in link.legs:
            self.add_leg(actor, opening)
            if port is not None:
                self.ports[opening.leg] = port
        self.updates = {update.leg: update for update in link.updates}
        for actor, recording in link.recordings:
            self.add_recording(actor, recording)
        for actor, each in link.sources:
            self.add_source(actor, each.source, each.kind)
        for one in link.hears:
            self.hearing.tell(one)
