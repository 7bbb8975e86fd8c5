"""Where the names lead that far sides give as the next hop of a dialog (RFC 3263 §4): asked for, and kept.

A name is a SIP URI without its user, as `Dialog.next_hop` gives it; whoever can look names up says what was found. What
is known counts while it is asked for again, however old it is, and a host that failed comes after the others until
then. So a request waits for a name that nobody has used before, and for no other.
"""

from __future__ import annotations

from typing import Final

from attrs import frozen

from .grammar import Address, Uri

# Names that are remembered: far sides choose them.
REMEMBERED: Final = 1000
# ... and of so many it is asked at once where they lead; another one leads nowhere meanwhile.
MOST_ASKED: Final = 64
# How long what was found counts at least, in seconds, whatever DNS says: a name is asked for by each request.
LEAST_SECONDS: Final = 10.0


@frozen
class Place:
    """`targets`, preferred first; they count until then."""

    targets: tuple[Address, ...]
    until: float


class Places:
    """See the module's docstring."""

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}
        self._asked: set[str] = set()
        # Hosts of a name that had failed before a restart, until it is found
        self._failed: dict[str, tuple[Address, ...]] = {}

    def wants(self, name: str, now: float) -> bool:
        """Whether it is to be asked for; from then on it is, until it is `found`."""
        place = self._places.get(name)
        if name in self._asked or (place is not None and now < place.until) or len(self._asked) >= MOST_ASKED:
            return False
        self._asked.add(name)
        return True

    def awaits(self, name: str) -> bool:
        """It is asked for, and was never found before."""
        return name in self._asked and name not in self._places

    def targets(self, name: str) -> tuple[Address, ...]:
        """Where it leads as far as is known, preferred first."""
        place = self._places.get(name)
        return () if place is None else place.targets

    def found(self, name: str, targets: tuple[Address, ...], seconds: float, now: float) -> None:
        """Hosts that are known are not given up for none."""
        self._asked.discard(name)
        old = self._places.pop(name, None)
        if len(self._places) >= REMEMBERED:
            del self._places[next(iter(self._places))]
        kept = targets or (() if old is None else old.targets)
        self._places[name] = Place(kept, now + max(seconds, LEAST_SECONDS))
        for each in self._failed.pop(name, ()):
            self.failed(each)

    def recalled(self, name: str, failed: tuple[Address, ...]) -> None:
        """These had failed in an earlier life of the process: they come after the others where the name leads."""
        if failed and (name in self._failed or len(self._failed) < MOST_ASKED):
            self._failed[name] = failed

    def failed(self, target: Address) -> None:
        """Whatever its name: it comes after the others."""
        for name, place in self._places.items():
            if target in place.targets:
                others = tuple(each for each in place.targets if each != target)
                self._places[name] = Place((*others, target), place.until)

    def named(self, address: str) -> str:
        """The name that led to this address, "" for none: what the certificate of who is there has to be for."""
        found = (name for name, place in self._places.items() if any(each.host == address for each in place.targets))
        name = next(found, "")
        return Uri.parse(name).host if name else ""
