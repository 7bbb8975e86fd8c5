"""Trunks' media under SRTP: legs of the shared sockets whose packets are encrypted with keys of session descriptions.

A leg has a key of ours for each suite, made as it opens, and its far side is told all of them or the one it took; it is
heard with the key that the far side said (RFC 4568 §5.1). Whose a packet is, and where a leg's own go, the pool knows
as it does of plain legs (ports.py); what is in it is one call of libsrtp, as of browsers' (srtp.py). What was not
encrypted with that key is dropped, and counted.

No two packets are encrypted alike. A key of ours is used by one stream: where the far side must be told another, the
SSRC becomes another too, and counts from the beginning. An engine that takes the place of one that died goes on with
its keys, for the far side knows no others, but with numbers of SSRC that none before it may have: the first octet says
which engine it is.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable
from typing import Final, get_args

import numpy as np
from numpy.typing import NDArray
from pylibsrtp import Policy

from .legs import Legs, those
from .matrix import width
from .ports import PortPool
from .protocol import Srtp as Wanted
from .protocol import SrtpKey, Suite
from .seams import NO_PACKETS, Datagrams, Octets, Packets, Rows
from .srtp import TRAILER, Srtp
from .winding import Key

SUITES: Final[tuple[Suite, ...]] = get_args(Suite)
# Of libsrtp; under the last, reports have the long tag too (RFC 4568 §6.2.2).
_POLICIES: Final[dict[Suite, int]] = {
    "AEAD_AES_128_GCM": Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
}
# Octets of a master key and its salt (RFC 4568 §6.2, RFC 7714 §14.2)
LENGTHS: Final[dict[Suite, int]] = {
    "AEAD_AES_128_GCM": 28,
    "AES_CM_128_HMAC_SHA1_80": 30,
    "AES_CM_128_HMAC_SHA1_32": 30,
}
# An SSRC has an octet for the engine and the rest for chance.
MOST_ENGINES: Final = 256
_CHANCE: Final = (1 << 24) - 1


class Sealed:
    """Columns of all legs. `token(n)` gives n octets that nobody can guess, without which no leg is opened; `counters`
    gets what is dropped."""

    def __init__(
        self, legs: Legs, ports: PortPool, counters: Counter[str], token: Callable[[int], bytes] | None
    ) -> None:
        self._srtp = Srtp(counters, legs.capacity)
        self._ports = ports
        self._legs = legs
        self._token = token
        self._keys: dict[int, tuple[SrtpKey, ...]] = {}  # ours, by row
        self._heard: dict[int, SrtpKey] = {}
        self._sent: dict[int, SrtpKey] = {}  # that of ours which is used
        self._engine: dict[int, int] = {}

    @property
    def legs(self) -> int:
        """How many there are."""
        return len(self._keys)

    # --- keys -----------------------------------------------------------------------------------------------------

    def open(self, row: int, wanted: Wanted, *, resumed: bool) -> tuple[SrtpKey, ...]:
        """A leg begins; gives our keys. `resumed`: its far side was heard by another engine. Raises ValueError with a
        text for people."""
        if self._token is None:
            raise ValueError("no SRTP of trunks here")
        check(wanted)
        self._legs.sealed[row] = True
        self._engine[row] = wanted.engines
        return self._settle(row, wanted, resumed=resumed)

    def renews(self, row: int, wanted: Wanted) -> bool:
        """Whether `renew` will make the row encrypt with another key: its stream is then to be another one."""
        return self._chosen(wanted.heard, wanted.sent) != self._sent.get(row)

    def renew(self, row: int, wanted: Wanted) -> tuple[SrtpKey, ...]:
        """The far side has said a key, or another one; gives our keys. `wanted` has passed `check`."""
        return self._settle(row, wanted, resumed=False)

    def close(self, row: int) -> None:
        self._srtp.close(row)
        for known in (self._keys, self._heard, self._sent, self._engine):
            known.pop(row, None)

    def ssrc(self, row: int, drawn: int) -> int:
        """The SSRC of the row, of one that was drawn by chance."""
        engine = self._engine.get(row)
        return drawn if engine is None else engine << 24 | drawn & _CHANCE

    def _settle(self, row: int, wanted: Wanted, *, resumed: bool) -> tuple[SrtpKey, ...]:
        assert self._token is not None, "without it no leg is opened"
        ours = self._keys[row] = wanted.sent or drawn(self._token)
        heard = wanted.heard
        if heard is not None and heard != self._heard.get(row):
            self._heard[row] = heard
            self._srtp.hear(row, _key(heard), resumed=resumed)
        sent = self._chosen(heard, ours)
        if sent is not None and sent != self._sent.get(row):
            self._sent[row] = sent
            self._srtp.send(row, _key(sent))
        return ours

    @staticmethod
    def _chosen(heard: SrtpKey | None, ours: tuple[SrtpKey, ...]) -> SrtpKey | None:
        return None if heard is None else next((each for each in ours if each.suite == heard.suite), None)

    # --- packets --------------------------------------------------------------------------------------------------

    def unprotect(self, packets: Packets, *, rtcp: bool = False) -> Packets:
        """What is in those that verify; they are opened where they lie."""
        if not len(packets.row):
            return NO_PACKETS
        data = packets.data[:, : width(packets.length)]
        length = self._srtp.unprotect(packets.row, data, packets.length, rtcp=rtcp)
        came = those(length > 0)
        return Packets(packets.row[came], data[came], length[came], packets.at[came])

    def protect(self, rows: Rows, data: Octets, length: NDArray[np.int32]) -> Datagrams:
        """n packets `data` uint8 [n, W] with `length` int32 [n] of the legs `rows` [n], as they leave."""
        rows, sealed, length = self._sealed(rows, data, length, rtcp=False)
        return Datagrams(sealed, length, self._ports.port[rows], self._ports.name[rows])

    def protect_reports(self, rows: Rows, octets: Octets) -> Datagrams:
        """n reports uint8 [n, W] of the legs `rows` [n], as they leave by the ports beside."""
        length = np.full(len(rows), octets.shape[1], np.int32)
        rows, sealed, length = self._sealed(rows, octets, length, rtcp=True)
        names, port = self._ports.beside(rows)
        return Datagrams(sealed, length, port, names)

    def _sealed(
        self, rows: Rows, data: Octets, length: NDArray[np.int32], *, rtcp: bool
    ) -> tuple[Rows, Octets, NDArray[np.int32]]:
        n, octets = data.shape
        sealed = np.empty((n, octets + TRAILER), np.uint8)
        sealed[:, :octets] = data
        length = self._srtp.protect(rows, sealed, length, rtcp=rtcp)
        went = those(length > 0)
        return rows[went], sealed[went], length[went]


def drawn(token: Callable[[int], bytes]) -> tuple[SrtpKey, ...]:
    """Keys of ours, one for each suite."""
    return tuple(SrtpKey(suite, b64encode(token(LENGTHS[suite])).decode()) for suite in SUITES)


def check(wanted: Wanted) -> None:
    """Raises ValueError, with a text for people, for keys that are none, or none of which would be used, and for more
    engines than there can be."""
    if not 0 <= wanted.engines < MOST_ENGINES:
        raise ValueError("too many engines have used the keys of this leg")
    for each in (*wanted.sent, *([] if wanted.heard is None else [wanted.heard])):
        _key(each)
    if wanted.heard is not None and wanted.sent and not any(each.suite == wanted.heard.suite for each in wanted.sent):
        raise ValueError(f"the far side was told no key of {wanted.heard.suite}")


def _key(told: SrtpKey) -> Key:
    """Raises ValueError."""
    material = b64decode(told.key, validate=True)
    if len(material) != LENGTHS[told.suite]:
        raise ValueError(f"no key of {told.suite}")
    return Key(_POLICIES[told.suite], material)
