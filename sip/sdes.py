"""Keys of SRTP in a session description (RFC 4568): who offers names some suites with a key of its own for each, who
answers takes one of them with a key of its own. Each side encrypts with the key that it wrote.

    a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20

What stands there can be read by whoever reads the message: it is for TLS alone, which is for others to see to.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterable
from typing import Literal, TypeAlias, get_args

from attrs import field, frozen

Suite: TypeAlias = Literal["AEAD_AES_128_GCM", "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"]
# As we offer them, best first.
SUITES: tuple[Suite, ...] = get_args(Suite)
# Octets of the master key and its salt (RFC 4568 §6.2, RFC 7714 §14.2)
LENGTHS: dict[Suite, int] = {
    "AEAD_AES_128_GCM": 28,
    "AES_CM_128_HMAC_SHA1_80": 30,
    "AES_CM_128_HMAC_SHA1_32": 30,
}

_ATTRIBUTE = re.compile(r"([0-9]{1,9}) +([A-Za-z0-9_]+) +inline:([^ ]+)((?: +[^ ]+)*) *", re.ASCII)
# A key, and for how many packets it is: who encrypts with it keeps count of them.
_INLINE = re.compile(r"([A-Za-z0-9+/]+={0,2})(?:\|(?:2\^)?[0-9]{1,20})?", re.ASCII)
# A session parameter that is only a hint (RFC 4568 §6.3.6), or that says of itself that it may be passed over (§6.3.7).
_IDLE = re.compile(r"WSH=[0-9]+|-.*", re.ASCII)


@frozen
class Crypto:
    """One line: `key` is what its writer encrypts with, in base64."""

    tag: int
    suite: Suite
    key: str = field(repr=False)

    def __str__(self) -> str:
        return f"{self.tag} {self.suite} inline:{self.key}"


def read(value: str) -> Crypto | None:
    """None for a line that cannot be used: of another suite, without a key of the right length, with several keys or an
    MKI (§6.1), or with a parameter that would change what is sent (§6.3). It is passed over as if it were not there
    (§5.1.2)."""
    found = _ATTRIBUTE.fullmatch(value)
    inline = _INLINE.fullmatch(found[3]) if found else None
    if found is None or inline is None or not all(_IDLE.fullmatch(each) for each in found[4].split(" ") if each):
        return None
    suite = next((each for each in SUITES if each == found[2]), None)
    if suite is None:
        return None
    key = inline[1].rstrip("=")
    key += "=" * (-len(key) % 4)  # which some leave out
    try:
        length = len(b64decode(key, validate=True))
    except ValueError:
        return None
    return Crypto(int(found[1]), suite, key) if length == LENGTHS[suite] else None


def written(keys: Iterable[tuple[Suite, str]]) -> tuple[Crypto, ...]:
    """The lines of an offer with these keys, best first."""
    given = dict(keys)
    return tuple(Crypto(tag, suite, given[suite]) for tag, suite in enumerate(filter(given.__contains__, SUITES), 1))


def answered(offered: Iterable[Crypto], answer: Iterable[Crypto]) -> Crypto | None:
    """What an answer took of our offer: the one line that it has, of the tag and the suite of one of ours (§5.1.3)."""
    taken = next(iter(answer), None)
    if taken is None or not any((each.tag, each.suite) == (taken.tag, taken.suite) for each in offered):
        return None
    return taken
