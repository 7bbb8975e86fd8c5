"""What the network pushes: whose each packet is, and where it goes, before anything of it is played.

    receive(batch)           from the pool's sockets     whose? -> [SRTP] -> RTP parse  -> playout, digits
    take(packets)            decrypted, of known rows                        RTP parse  -> playout, digits
    hear_beside(batch)       from the ports beside       whose? -> [SRTP] -> RTCP parse -> reports
    hear_reports(packets)    decrypted, of known rows                        RTCP parse -> reports

Whole batches at a time: a packet is an index into columns. What is of nobody, of the wrong type or no packet at all is
counted by its reason and dropped. The payloads are stored as they came; they are decoded when they are played.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from ..codecs.opuspacket import SILENT_OCTETS
from . import rtcp, rtp
from .comfort import PAYLOAD_TYPE as COMFORT
from .comfort import Comfort
from .demux import Kind, kinds
from .digits import Digits
from .elsewhere import LOOKED_AT, Elsewhere
from .jitter import Playout
from .legs import CodecId, Legs, those
from .lifetimes import Lifetimes
from .ports import PortPool
from .reports import Reports
from .sealed import Sealed
from .seams import Batch, Octets, Packets, Rows, part
from .store import Arrivals


@frozen(kw_only=True, eq=False)
class Intake:
    """The way in of all legs. What it hands packets to is the engine's own, and so are `counters`."""

    _legs: Legs
    _ports: PortPool
    _playout: Playout
    _digits: Digits
    _comfort: Comfort
    _reports: Reports
    _sealed: Sealed
    _lifetimes: Lifetimes
    _elsewhere: Elsewhere
    _counters: Counter[str]

    def receive(self, batch: Batch, now: float) -> None:
        """Datagrams on the sockets of the pool: RTP of trunks."""
        rows, opened = self._ports.find(batch.port, batch.name), []
        if self._ports.learning:
            opened = self._learn(batch, rtp.parse(batch.data, batch.length), rows, now)
        if strangers := int(np.count_nonzero(rows < 0)):
            self._counters["packets_from_strangers"] += strangers
            if self._elsewhere.wanted:
                self._note_strangers(batch, np.flatnonzero(rows < 0)[:LOOKED_AT])
        if self._sealed.legs and np.count_nonzero(sealed := (rows >= 0) & self._legs.sealed[rows]):
            self._open(batch, rows, sealed, opened, now)
            if not len(rest := np.flatnonzero(~sealed)):
                return
            batch, rows = part(batch, rest), rows[rest]
        self._arrive(Packets(rows, batch.data, batch.length, batch.at), now, known=not strangers)

    def _note_strangers(self, batch: Batch, some: NDArray[np.intp]) -> None:
        """Those that send RTP: one of them may be the far side of who hears nothing."""
        for i in some[rtp.parse(batch.data[some], batch.length[some]).valid]:
            self._elsewhere.note(int(batch.port[i]), batch.name[i].tobytes())

    def _open(self, batch: Batch, rows: Rows, sealed: NDArray[np.bool_], opened: list[int], now: float) -> None:
        """What is under SRTP, but for what was `opened`. Reports may come by the port of the media as well."""
        kind = kinds(batch.data, batch.length)
        kind[opened] = Kind.OTHER
        for what, hear in ((Kind.RTP, self.take), (Kind.RTCP, self.hear_reports)):
            some = np.flatnonzero(sealed & (kind == int(what)))
            packets = Packets(rows[some], batch.data[some], batch.length[some], batch.at[some])
            if len((packets := self._sealed.unprotect(packets, rtcp=what is Kind.RTCP)).row):
                hear(packets, now)

    def take(self, packets: Packets, now: float) -> None:
        """RTP that came decrypted, by row."""
        self._arrive(packets, now, known=True)

    def hear_beside(self, batch: Batch, now: float) -> None:
        """Datagrams on the ports beside the pool's: RTCP of plain legs, and whoever's it is, is there."""
        rows = self._ports.find_beside(batch.port, batch.name)
        known = np.flatnonzero(rows >= 0)
        self._counters["packets_from_strangers"] += len(rows) - len(known)
        sealed = self._legs.sealed[rows[known]]
        for of, under in ((known[~sealed], False), (known[sealed], True)):
            packets = Packets(rows[of], batch.data[of], batch.length[of], batch.at[of])
            if under:
                packets = self._sealed.unprotect(packets, rtcp=True)
            if len(packets.row):
                self.hear_reports(packets, now)

    def hear_reports(self, packets: Packets, now: float) -> None:
        """RTCP of legs, by row: what their far sides say, and that they are there."""
        legs = self._legs
        heard = rtcp.parse(packets.data, packets.length, legs.ssrc[packets.row])
        sound = np.flatnonzero(heard.valid)
        self._counters["packets_rtcp"] += len(sound)
        self._counters["packets_rtcp_invalid"] += len(heard.valid) - len(sound)
        rows = packets.row[sound]
        legs.heard_at[rows] = now
        self._reports.hear(rows, heard.select(sound), packets.at[sound])
        if np.count_nonzero(ours := heard.ssrc[sound] == legs.ssrc[rows]):
            self._lifetimes.collide(rows[ours], now)

    def _learn(self, batch: Batch, headers: rtp.Headers, rows: Rows, now: float) -> list[int]:
        """Legs behind NATs: their first packets say where they are. Changes `rows` in place; gives those of the batch
        that were opened for it, for whoever has the key of a leg under SRTP is its far side, wherever it is."""
        opened: list[int] = []
        for i in np.flatnonzero(headers.valid & np.isin(batch.port, self._ports.port[list(self._ports.learning)])):
            row = self._ports.learner(int(batch.port[i]))
            if row is None or headers.payload_type[i] != self._legs.heard_type[row] or headers.length[i] <= 0:
                continue
            sealed = bool(self._legs.sealed[row])
            if sealed:
                of = np.array([i])
                packets = Packets(np.array([row]), batch.data[of], batch.length[of], batch.at[of])
                opened.append(int(i))
                if not len((packets := self._sealed.unprotect(packets)).row):
                    continue
                self.take(packets, now)
            name, ssrc, sequence = batch.name[i].tobytes(), int(headers.ssrc[i]), int(headers.sequence[i])
            if self._ports.learn(row, name, ssrc, sequence, now, proven=sealed):
                self._lifetimes.reach(row, now)
                rows[:] = self._ports.find(batch.port, batch.name)
        return opened

    def _arrive(self, packets: Packets, now: float, *, known: bool) -> None:
        """Takes in a batch; where not all of it is `known` to be of legs, the others have the row -1."""
        legs, rows = self._legs, packets.row
        plain = rtp.plain(packets.data, packets.length, legs.heard_begins[rows]) if known else None
        if plain is None:
            arrivals = self._sort_out(rows, rtp.parse(packets.data, packets.length), packets.data, packets.at, now)
            if not len(arrivals.row):
                return
        else:
            if np.count_nonzero(ours := plain.ssrc == legs.ssrc[rows]):
                self._lifetimes.collide(rows[ours], now)
            arrivals = Arrivals(
                rows,
                np.arange(len(rows)),
                plain.sequence,
                plain.timestamp,
                plain.ssrc,
                packets.data,
                np.full(len(rows), rtp.HEADER, np.int32),
                packets.length - np.int32(rtp.HEADER),
                packets.at,
            )
        self._counters["packets_received"] += len(arrivals.row)
        rows = arrivals.row
        legs.heard_at[rows] = legs.media_at[rows] = now
        legs.heard_ever[rows] = legs.media_ever[rows] = True
        self._playout.insert(arrivals)
        short = arrivals.length <= SILENT_OCTETS
        if np.count_nonzero(short) and np.count_nonzero(silent := short & (legs.codec[rows] == CodecId.OPUS)):
            self._comfort.pause(rows[silent], arrivals.timestamp[silent])

    def _sort_out(
        self, rows: Rows, headers: rtp.Headers, data: Octets, at: NDArray[np.float64], now: float
    ) -> Arrivals:
        """What of a batch is media of its leg; whatever else there may be goes its own way."""
        legs = self._legs
        known = rows >= 0
        mine = known & headers.valid
        right = mine & (headers.payload_type == legs.heard_type[rows]) & (headers.length > 0)
        if np.count_nonzero(ours := right & (headers.ssrc == legs.ssrc[rows])):
            self._lifetimes.collide(rows[ours], now)
        if np.count_nonzero(right) < len(right):
            event = mine & ~right & (headers.payload_type == legs.heard_event[rows])
            comfort = mine & ~right & (headers.payload_type == COMFORT) & (legs.codec[rows] != CodecId.OPUS)
            counts = self._counters
            counts["packets_rtcp"] += int((known & headers.rtcp).sum())
            counts["packets_invalid"] += int((known & ~headers.valid & ~headers.rtcp).sum())
            counts["packets_telephone_event"] += int(event.sum())
            counts["packets_comfort_noise"] += int(comfort.sum())
            counts["packets_of_wrong_type"] += int((mine & ~right & ~event & ~comfort).sum())
            if len(some := np.flatnonzero(event)):
                self._digits.arrive(rows[some], some, headers, data)
            if len(some := np.flatnonzero(comfort)):
                self._comfort.arrive(rows[some], some, headers, data)
            beside = rows[event | comfort]
            legs.heard_at[beside] = legs.media_at[beside] = now
            legs.media_ever[beside] = True
            legs.heard_at[rows[known & headers.rtcp]] = now
            self._playout.count(beside, headers.sequence[event | comfort])
        return Arrivals(
            row=rows,
            packet=np.arange(len(rows)),
            sequence=headers.sequence,
            timestamp=headers.timestamp,
            ssrc=headers.ssrc,
            data=data,
            offset=headers.offset,
            length=headers.length,
            at=at,
        ).select(those(right))
