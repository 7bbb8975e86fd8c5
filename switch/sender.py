"""What every leg is sent: encode what it hears, or silence, behind a header of its own, in the order of the sockets.

The packets of all G.711 and G.722 legs are one matrix that stays from tick to tick: a leg's row of it moves only when
legs come or go, and holds silence until something is written there. Plain legs stand first, by port, so that each
socket's packets lie together; SRTP legs follow. G.722 has no octets that are always silence: such a leg that hears
nothing is encoded like the others. Opus payloads vary in length and have a matrix of their own: silence and digits go
with the rest, and what is to be encoded is begun before the others' packets are made, and follows as it is ready. Who
wants all of one length, from which nobody can tell when somebody speaks (RFC 6562), is sent silence encoded, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from ..codecs import g711, g722
from ..codecs.bands import SAMPLES, Band
from ..codecs.opus import ROOM
from ..codecs.work import Encoded, Work
from . import rtp
from .gather import Gather, OpusGather, frame_ms
from .keying import Keyed
from .leaving import Leaving
from .legs import LEAST_MS, SILENCE, TICK_MS, CodecId, Legs, those
from .matrix import width
from .ports import PortPool
from .rooms import Heard
from .seams import Datagrams, OpusCodec, Outgoing, Rows

PACKET: Final = rtp.HEADER + 160
EVENT_PACKET: Final = rtp.HEADER + 4
OPUS_PACKET: Final = rtp.HEADER + ROOM
_LAWS: Final = (CodecId.PCMU, CodecId.PCMA)
# By CodecId, of the codecs in the matrix; what stands there for G.722 is always written over.
_SILENCE: Final = np.array([*(SILENCE[law] for law in _LAWS), 0], np.uint8)
_ENCODE: Final = {CodecId.PCMU: g711.encode_ulaw, CodecId.PCMA: g711.encode_alaw}
# One 20 ms frame of digital silence in Opus: TOC octet of CELT, full band, 20 ms, mono, one frame (RFC 6716 §3.1);
# and the same as one packet, or as two of 10 ms.
_OPUS_SILENCE: Final = np.frombuffer(b"\xf8\xff\xfe", np.uint8)
_OPUS_SILENT: Final = {TICK_MS: (_OPUS_SILENCE.tobytes(),), LEAST_MS: (b"\xf0\xff\xfe",) * 2}
# Packets of Opus that leave together, as they are made: what is done about a group finds nothing of it in the caches
# (codecs/opus.py). There are no more groups than so many: beyond, they are larger instead.
TOGETHER: Final = 48
MOST_GROUPS: Final = 6
_SAMPLES: Final = np.array(SAMPLES, np.intp)
_NOWHERE: Final = np.zeros(0, np.intp)
_PAYLOAD: Final = np.dtype("V160")  # as in the store
SILENT_PACKET: Final = rtp.HEADER + len(_OPUS_SILENCE)


@frozen
class _Order:
    """Which rows are sent to, in the order of their sockets, and where in the packet matrix they stand."""

    rows: Rows  # narrow rows, plain ones first, by port
    plain: int  # how many of them are plain
    even: int  # ... and have packets of a tick's length: those of others stand behind (gather.py)
    odd: Rows
    place: NDArray[np.intp]  # [capacity]: index in `rows`, or -1
    g722: Rows  # places of rows of G.722, ascending
    opus: Rows  # plain ones first, by port
    opus_even: int  # ... as above
    constant: NDArray[np.intp]  # places of those of which all packets are of one length
    opus_place: NDArray[np.intp]  # [capacity]: index in `opus`, or -1
    held: Rows  # not sent to, though there is somewhere: their time goes on
    port: NDArray[np.int32]  # [plain]
    name: NDArray[np.uint8]  # [plain, 32]
    length: NDArray[np.int32]  # [rows]
    silence: NDArray[np.uint8]  # [rows, 1]: an octet of it in each row's law
    payload_type: NDArray[np.uint8]  # [rows]
    ssrc: NDArray[np.uint32]  # [rows]


@frozen
class _Route:
    """Which of the listeners of a tick in one band have a place in the packet matrix, where, and by law; the same until
    edges or legs change."""

    listeners: Rows
    placed: Rows | slice  # of listeners
    place: NDArray[np.intp]  # [placed]
    laws: tuple[tuple[int, Rows | slice, NDArray[np.intp]], ...]  # law, which of the placed, their places
    g722: Rows | slice  # which of the placed
    g722_at: NDArray[np.intp]  # ... and which of the order's rows of it they are
    opus: Rows  # of listeners
    opus_place: NDArray[np.intp]  # ... and where they stand


@frozen
class _Coming:
    """What is being encoded: for which of the order's Opus rows, in the order of the `work`."""

    place: NDArray[np.intp]
    work: Work[Encoded]


class Sender:
    """The packet matrix, and how the rows stand in it."""

    def __init__(self, legs: Legs, ports: PortPool, leaving: Leaving, opus: OpusCodec | None) -> None:
        self._legs = legs
        self._ports = ports
        self._leaving = leaving
        self._opus = opus
        self._g722 = g722.Encoders()
        self._gather = Gather(legs)
        self._opus_gather = OpusGather(legs)
        self._out = np.zeros((legs.capacity, PACKET), np.uint8)
        self._payloads = self._out[:, rtp.HEADER :].view(_PAYLOAD)[:, 0]
        self._out_silent = np.zeros(legs.capacity, np.bool_)
        self._wide = np.zeros((legs.capacity, OPUS_PACKET), np.uint8)
        self._heard = np.zeros((legs.capacity, SAMPLES[Band.FULL]), np.int16)  # what is being encoded
        self._ordered: _Order | None = None
        self._routes: list[_Route | None] = [None] * len(SAMPLES)  # by band
        self.sent = 0  # packets

    def begin(self, row: int) -> None:
        """A leg begins or ends in this row, or begins anew with another codec."""
        self._g722.forget(row)
        self._gather.forget(np.array([row]))
        self._opus_gather.forget((row,))
        self.changed()

    def changed(self) -> None:
        """Legs came, went, or are elsewhere: the order is to be made anew."""
        self._ordered = None
        self._routes = [None] * len(SAMPLES)

    def _order(self) -> _Order:
        legs = self._legs
        rows = np.flatnonzero(legs.sending)
        opus = legs.codec[rows] == CodecId.OPUS
        even = legs.packet_ms[rows] == TICK_MS
        odd, wide_odd = rows[~opus & ~even], rows[opus & ~even]
        self._gather.keep(odd)
        self._opus_gather.keep(wide_odd)
        plain, secured = self._by_way(rows[~opus & even])
        narrow = np.concatenate([plain, secured, odd])
        wide = np.concatenate([*self._by_way(rows[opus & even]), wide_odd])
        place = np.full(legs.capacity, -1, np.intp)
        place[narrow] = np.arange(len(narrow))
        opus_place = np.full(legs.capacity, -1, np.intp)
        opus_place[wide] = np.arange(len(wide))
        # The packets stand in another order now: all begin with silence, this tick's sound is written over it.
        silence = _SILENCE[legs.codec[narrow]][:, None]
        self._out[: len(narrow), rtp.HEADER :] = silence
        self._out_silent[:] = True
        return _Order(
            rows=narrow,
            plain=len(plain),
            even=len(narrow) - len(odd),
            odd=odd,
            place=place,
            g722=np.flatnonzero(legs.codec[narrow] == CodecId.G722),
            opus=wide,
            opus_even=len(wide) - len(wide_odd),
            constant=np.flatnonzero(legs.constant[wide]),
            opus_place=opus_place,
            held=np.flatnonzero(legs.reached & ~legs.sending),
            port=self._ports.port[plain],
            name=np.ascontiguousarray(self._ports.name[plain]),
            length=np.full(len(narrow), PACKET, np.int32),
            silence=silence,
            payload_type=legs.payload_type[narrow],
            ssrc=legs.ssrc[narrow],
        )

    def _by_way(self, rows: Rows) -> tuple[Rows, Rows]:
        """Those of plain RTP, by port, and the others."""
        rows = rows[np.argsort(self._ports.port[rows], kind="stable")]
        plain = self._leaving.plain(rows)
        return rows[plain], rows[~plain]

    def _route(self, order: _Order, heard: Heard) -> _Route:
        listeners, known = heard.listeners, self._routes[heard.band]
        if known is not None and known.listeners is listeners:
            return known
        place = order.place[listeners]
        placed = those(place >= 0)
        place = place[placed]
        codec = self._legs.codec[listeners[placed]]
        by_law = ((law, those(codec == law)) for law in _LAWS if (codec == law).any())
        laws = tuple((law, some, place[some]) for law, some in by_law)
        adpcm = those(codec == CodecId.G722)
        opus = np.flatnonzero(order.opus_place[listeners] >= 0)
        self._routes[heard.band] = made = _Route(
            listeners,
            placed,
            place,
            laws,
            adpcm,
            np.searchsorted(order.g722, place[adpcm]),
            opus,
            order.opus_place[listeners[opus]],
        )
        return made

    def _send_odd(self, order: _Order, keyed: Keyed | None) -> Iterator[Datagrams]:
        """Packets of other lengths, of those whose octets stand behind the others."""
        rows, out = order.odd, self._out[order.even : len(order.rows)]
        if keyed is not None and np.count_nonzero(now := np.isin(rows, keyed.rows)):
            self._gather.forget(rows[now])
            yield from self._report_keys(rows[now], out[now], keyed)
            rows, out = rows[~now], out[~now]
        for some, packets, length in self._gather.take(rows, out[:, rtp.HEADER :]):
            self.sent += len(some)
            yield from self._leaving.media(some, packets, length)

    def _report_keys(self, rows: Rows, packets: NDArray[np.uint8], keyed: Keyed) -> Iterator[Datagrams]:
        """The reports of events of `rows` [n], which are among the `keyed`, in `packets` uint8 [n, W]."""
        legs, length = self._legs, np.full(len(rows), EVENT_PACKET, np.int32)
        self._write_headers(packets, rows, legs.payload_type[rows], legs.ssrc[rows], length, keyed)
        self.sent += len(rows)
        yield from self._leaving.media(rows, packets, length)

    def _send_odd_opus(self, order: _Order, coming: _Coming, keyed: Keyed | None) -> Iterator[Datagrams]:
        """What can go now of the Opus rows whose packets are of other lengths: reports of events, and silence."""
        legs, rows = self._legs, order.opus[order.opus_even :]
        silent = np.ones(len(rows), np.bool_)
        silent[coming.place[coming.place >= order.opus_even] - order.opus_even] = False
        timed = rows
        if keyed is not None and np.count_nonzero(now := np.isin(rows, keyed.rows)):
            self._opus_gather.forget(rows[now].tolist())
            yield from self._report_keys(rows[now], self._wide[order.opus_even : len(order.opus)][now], keyed)
            silent &= ~now
            timed = rows[~now]
        legs.timestamp[timed] += legs.clock_step[timed]
        quiet = rows[silent]
        yield from self._send_gathered(quiet, [_OPUS_SILENT[frame_ms(ms)] for ms in legs.packet_ms[quiet].tolist()])

    def _send_gathered(self, rows: Rows, made: Sequence[Sequence[bytes]]) -> Iterator[Datagrams]:
        some, packets, length = self._opus_gather.take(rows, made)
        if len(some):
            self.sent += len(some)
            yield from self._leaving.media(some, packets, length)

    def send(self, heard: Sequence[Heard], beside: Sequence[Datagrams], keyed: Keyed | None = None) -> Outgoing:
        """This tick's packets, and the datagrams `beside` them, from what is `heard`, by band from 8 kHz on; every
        other leg, and who is not audible, is sent silence. Where events are `keyed` their reports are sent instead."""
        if self._ordered is None:
            self._ordered = self._order()
        sending = self._ordered
        routes = [self._route(sending, one) for one in heard]
        n, narrow, route = len(sending.rows), heard[Band.NARROW], routes[Band.NARROW]
        # Begun first, for others do it meanwhile.
        coming = self._begin_opus(sending, heard, routes, keyed) if len(sending.opus) else None
        silent = ~np.zeros(n, np.bool_)
        speaks, frames = narrow.audible[route.placed], narrow.pcm[route.placed]
        silent[route.place] = ~speaks
        for law, some, place in route.laws:
            loud = those(speaks[some])
            self._payloads[place[loud]] = _ENCODE[law](frames[some][loud]).view(_PAYLOAD)[:, 0]
        if len(sending.g722):
            self._out[sending.g722, rtp.HEADER :] = self._encode_g722(sending, heard, routes)
            silent[sending.g722] = False
        if np.count_nonzero(turned := silent & ~self._out_silent[:n]):
            self._out[:n][turned, rtp.HEADER :] = sending.silence[turned]
        self._out_silent[:n] = silent
        even = sending.even
        length = self._write_headers(
            self._out[:even],
            sending.rows[:even],
            sending.payload_type[:even],
            sending.ssrc[:even],
            sending.length[:even],
            keyed,
        )
        if keyed is not None:
            self._out_silent[:even] &= length == sending.length[:even]
        if len(sending.held):
            self._legs.timestamp[sending.held] += self._legs.clock_step[sending.held]
        plain = sending.plain
        parts = [Datagrams(self._out[:plain], length[:plain], sending.port, sending.name), *beside]
        if even > plain:
            parts += self._leaving.encrypted(sending.rows[plain:even], self._out[plain:even], length[plain:])
        if len(sending.odd):
            parts += self._send_odd(sending, keyed)
        self.sent += even + sending.opus_even
        later: Iterable[Datagrams] = ()
        if coming is not None:
            at_once, later = self._send_opus(sending, coming, keyed)
            parts += at_once
            if len(sending.opus) > sending.opus_even:
                parts += self._send_odd_opus(sending, coming, keyed)
        return Outgoing(parts, later=later)

    def _begin_opus(
        self, order: _Order, heard: Sequence[Heard], routes: Sequence[_Route], keyed: Keyed | None
    ) -> _Coming:
        assert self._opus is not None  # without it no such leg is opened
        places, bands = [], []
        n = 0
        for one, route in zip(heard, routes, strict=True):
            some, place = route.opus, route.opus_place
            speaks = one.audible[some]
            if keyed is not None and len(keyed.rows):
                speaks &= ~np.isin(order.opus[place], keyed.rows)
            of = some[speaks]
            if not len(of):
                continue
            self._heard[n : n + len(of), : one.pcm.shape[1]] = one.pcm[of]
            n += len(of)
            places.append(place[speaks])
            bands.append(np.full(len(of), one.band))
        if len(order.constant):
            some = order.constant[~np.isin(order.constant, np.concatenate([order.opus[:0], *places]))]
            if keyed is not None:
                some = some[~np.isin(order.opus[some], keyed.rows)]
            self._heard[n : n + len(some)] = 0
            n += len(some)
            places.append(some)
            bands.append(self._legs.band[order.opus[some]].astype(np.intp))
        place, band = (np.concatenate([_NOWHERE, *each]) for each in (places, bands))
        return _Coming(place, self._opus.encode(order.opus[place], self._heard[:n], _SAMPLES[band]))

    def _encode_g722(self, order: _Order, heard: Sequence[Heard], routes: Sequence[_Route]) -> NDArray[np.uint8]:
        """What each of the order's G.722 rows hears, or silence: uint8 [g722, 160]."""
        frames = np.zeros((len(order.g722), g722.FRAME), np.int16)
        if len(heard) > Band.WIDE:
            wide, route = heard[Band.WIDE], routes[Band.WIDE]
            loud = those(wide.audible[route.placed][route.g722])
            frames[route.g722_at[loud]] = wide.pcm[route.placed][route.g722][loud]
        return self._g722.encode(order.rows[order.g722], frames)

    def _send_opus(
        self, order: _Order, coming: _Coming, keyed: Keyed | None
    ) -> tuple[Iterator[Datagrams], Iterator[Datagrams]]:
        """What can go now of the rows whose packets are of a tick, and what follows, of all."""
        rows = order.opus[: order.opus_even]
        packets = self._wide[: len(rows)]
        length = np.full(len(rows), SILENT_PACKET, np.int32)
        length[coming.place[coming.place < len(rows)]] = rtp.HEADER
        now = length > rtp.HEADER
        packets[now, rtp.HEADER : SILENT_PACKET] = _OPUS_SILENCE
        length = self._write_headers(packets, rows, self._legs.payload_type[rows], self._legs.ssrc[rows], length, keyed)
        return self._leaving.media(rows[now], packets[now], length[now]), self._follow(order, coming)

    def _follow(self, order: _Order, coming: _Coming) -> Iterator[Datagrams]:
        made: list[Encoded] = []
        n, together = 0, max(TOGETHER, -(-len(coming.place) // MOST_GROUPS))
        for part in coming.work.results():
            made.append(part)
            n += len(part.index)
            if n >= together:
                yield from self._send_made(order, coming.place, made)
                n, made = 0, []
        if made:
            yield from self._send_made(order, coming.place, made)

    def _send_made(self, order: _Order, places: NDArray[np.intp], made: Sequence[Encoded]) -> Iterator[Datagrams]:
        """Packets of the order's Opus rows, of which those that were to be encoded stand at `places`."""
        rows, out, legs = order.opus, self._wide, self._legs
        for part in made:
            place, octets = places[part.index], part.lengths[:, 0]
            end = width(octets)
            out[place, rtp.HEADER : rtp.HEADER + end] = part.octets[:, :end]
        place = np.concatenate([places[part.index] for part in made])
        octets = np.concatenate([part.lengths[:, 0] for part in made])
        if len(odd := np.flatnonzero(place >= order.opus_even)):
            packets = [its for part in made for its in part.packets()]
            yield from self._send_gathered(rows[place[odd]], [packets[i] for i in odd.tolist()])
            even = np.flatnonzero(place < order.opus_even)
            place, octets = place[even], octets[even]
        legs.octets[rows[place]] += octets.astype(np.uint32)
        came = those(octets > 0)
        place, length = place[came], rtp.HEADER + octets[came]
        yield from self._leaving.media(rows[place], out[place, : width(length)], length)

    def _write_headers(
        self,
        packets: NDArray[np.uint8],
        rows: Rows,
        payload_type: NDArray[np.uint8],
        ssrc: NDArray[np.uint32],
        length: NDArray[np.int32],
        keyed: Keyed | None,
    ) -> NDArray[np.int32]:
        """The headers of all `packets`, and the reports of events into those of `keyed`; gives what `length` is then.

        What they say of themselves is in their headers; the leg's own clock goes on beside them, and what follows them
        is like the first after a pause (RFC 3551 §4.1).
        """
        legs = self._legs
        sequence, timestamp, marker = legs.sequence[rows], legs.timestamp[rows], legs.marker[rows]
        legs.marker[rows] = False
        legs.sequence[rows] = sequence + np.uint16(1)
        legs.timestamp[rows] = timestamp + legs.clock_step[rows]
        if keyed is not None and len(keyed.rows):
            which, at = np.nonzero(keyed.rows[:, None] == rows)
            packets[at, rtp.HEADER : EVENT_PACKET] = keyed.payload[which]
            length, payload_type = length.copy(), payload_type.copy()
            length[at] = EVENT_PACKET
            payload_type[at] = legs.telephone_event[rows[at]]
            timestamp[at], marker[at] = keyed.timestamp[which], keyed.marker[which]
            legs.marker[rows[at]] = True
        legs.packets[rows] += np.uint32(1)
        legs.octets[rows] += (length - rtp.HEADER).astype(np.uint32)
        rtp.write(packets, payload_type, marker, sequence, timestamp, ssrc)
        return length
