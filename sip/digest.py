"""Digest authentication: challenges read and answered (RFC 7616, RFC 8760, RFC 3261 §22.4; RFC 2069 where no qop is
offered).

Pure functions over text. `Challenge.parse` reads the value of a WWW-Authenticate or Proxy-Authenticate, `authorization`
gives the value that answers it; `response_of` is the arithmetic that both sides share.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Final

from attrs import field, frozen

from .grammar import QUOTED, TOKEN, LocalSipError, RemoteSipError

# Strongest first: which challenge is answered where there are several (RFC 8760 §2.4 leaves it to us, and an attacker
# in between must not choose the weakest). A name that ends in -sess is the same hash.
_HASHES: Final[dict[str, Callable[[bytes], str]]] = {
    "SHA-512-256": lambda data: hashlib.new("sha512_256", data).hexdigest(),
    "SHA-256": lambda data: hashlib.sha256(data).hexdigest(),
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
}
_SESSION: Final = "-SESS"

_SCHEME = re.compile(r"[ \t]*[Dd][Ii][Gg][Ee][Ss][Tt][ \t]+")
_PARAM = re.compile(rf"[ \t]*({TOKEN})[ \t]*=[ \t]*(?:({QUOTED})|([^ \t,\"]+))[ \t]*(?:,|$)", re.DOTALL)
_PAIR = re.compile(r"\\(.)", re.DOTALL)
_UNWRITABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


@frozen
class Account:
    """A user somewhere. Without `realms` it is of the first one that is asked for by whoever may ask."""

    username: str
    password: str = field(repr=False)
    realms: tuple[str, ...] = ()


def parameters(value: str) -> dict[str, str]:
    """Those of a Digest challenge or of its answer, names in lower case, values unquoted. Raises RemoteSipError."""
    start = _SCHEME.match(value)
    if not start:
        raise RemoteSipError("not Digest")
    found: dict[str, str] = {}
    position = start.end()
    while position < len(value):
        item = _PARAM.match(value, position)
        if not item:
            raise RemoteSipError("bad Digest")
        name, quoted, bare = item.groups()
        if name.lower() in found:
            raise RemoteSipError("Digest parameter twice")
        found[name.lower()] = _PAIR.sub(r"\1", quoted[1:-1]) if quoted is not None else bare
        position = item.end()
    return found


@frozen
class Challenge:
    """What they ask for. `algorithm` is in capitals; `qop` False: as RFC 2069."""

    realm: str
    nonce: str
    opaque: str | None = None
    algorithm: str = "MD5"
    qop: bool = False
    stale: bool = False

    @classmethod
    def parse(cls, value: str) -> Challenge | None:
        """None for what nobody here can answer: another scheme, an algorithm that we do not have, `auth-int` alone.
        Raises RemoteSipError for a Digest challenge that cannot be read."""
        if not _SCHEME.match(value):
            return None
        given = parameters(value)
        algorithm = given.get("algorithm", "MD5").upper()
        offered = [item.strip(" \t").lower() for item in given["qop"].split(",")] if "qop" in given else []
        if hash_of(algorithm) is None or (offered and "auth" not in offered):
            return None
        if "realm" not in given or "nonce" not in given:
            raise RemoteSipError("challenge without realm or nonce")
        if any(_UNWRITABLE.search(given.get(name, "")) for name in ("realm", "nonce", "opaque")):
            raise RemoteSipError("challenge that cannot be repeated")
        stale = given.get("stale", "").lower() == "true"
        return cls(given["realm"], given["nonce"], given.get("opaque"), algorithm, bool(offered), stale)

    @property
    def strength(self) -> int:
        """The lower the better."""
        return list(_HASHES).index(self.algorithm.removesuffix(_SESSION))


def hash_of(algorithm: str) -> Callable[[bytes], str] | None:
    return _HASHES.get(algorithm.upper().removesuffix(_SESSION))


def response_of(challenge: Challenge, account: Account, method: str, uri: str, cnonce: str = "", count: int = 0) -> str:
    """The `response` (RFC 7616 §3.4.1). Octets are those of UTF-8, as they came."""
    digest = hash_of(challenge.algorithm)
    assert digest is not None, "a challenge is of an algorithm that we have"

    def of(*parts: str) -> str:
        return digest(":".join(parts).encode("utf-8", "surrogateescape"))

    a1 = of(account.username, challenge.realm, account.password)
    if challenge.algorithm.endswith(_SESSION):
        a1 = of(a1, challenge.nonce, cnonce)
    a2 = of(method, uri)
    if not challenge.qop:
        return of(a1, challenge.nonce, a2)
    return of(a1, challenge.nonce, f"{count:08x}", cnonce, "auth", a2)


def authorization(challenge: Challenge, account: Account, method: str, uri: str, cnonce: str, count: int) -> str:
    """The value that answers `challenge` for the `count`th time (RFC 7616 §3.4). Raises LocalSipError for an account
    that no header field can carry."""
    if _UNWRITABLE.search(account.username):
        raise LocalSipError("not a user name")
    rows = [
        f"username={_quoted(account.username)}",
        f"realm={_quoted(challenge.realm)}",
        f"nonce={_quoted(challenge.nonce)}",
        f"uri={_quoted(uri)}",
        f'response="{response_of(challenge, account, method, uri, cnonce, count)}"',
        f"algorithm={_written(challenge.algorithm)}",
    ]
    if challenge.opaque is not None:
        rows.append(f"opaque={_quoted(challenge.opaque)}")
    if challenge.qop:
        rows += ["qop=auth", f"nc={count:08x}"]
    if challenge.qop or challenge.algorithm.endswith(_SESSION):
        rows.append(f'cnonce="{cnonce}"')
    return "Digest " + ", ".join(rows)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _written(algorithm: str) -> str:
    return algorithm.removesuffix(_SESSION) + "-sess" if algorithm.endswith(_SESSION) else algorithm
