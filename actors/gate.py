"""The one gate that every call out goes through, whoever wants it: what may leave, and by which trunks, written how.

    decide(organisation, number, call) -> Passed(target, trunks) | Barred(why)
    follow(organisation, number, call, trunk) -> Target | Barred        where a far side sends a call on to
    written(target, trunk, country)       the number as that trunk wants it

Nothing leaves that no rule allows. The longest `[[dialling]]` prefix that a number begins with decides: of a telephone
number in E.164, of any other (a service number, an extension) as it was dialled. Premium-rate numbers pass only by a
rule that says so itself. Emergency numbers of the organisation's country always pass. The ways out are the trunks that
have a proxy or register with us, of a rule that names trunks those alone. Those of the lowest `priority` come first,
and among equals it is by lot: a trunk of twice the `weight` comes first twice as often. The lot is drawn from the id of
the call, so that it is the same whenever it is asked.

A pure function of what the organisation says; how many calls somebody has already is `limits.py`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from random import Random
from typing import Final, Literal

import phonenumbers
from attrs import frozen
from phonenumbers import PhoneNumberFormat, PhoneNumberType, ShortNumberCost

from .entries import Dialling, Trunk
from .organisation import Organisation, e164, read_number

# What may be dialled at all: a telephone number in any writing, or what a keypad has.
_DIALLED: Final = re.compile(r"\+?[0-9*#]{1,32}", re.ASCII)
# What people write between the digits.
_BETWEEN: Final = re.compile(r"[ ()./-]", re.ASCII)

Why = Literal["not_a_number", "not_allowed", "premium_rate", "no_way_out"]

# What a person is told.
WORDS: Final[dict[Why, str]] = {
    "not_a_number": "That is no number that can be dialled.",
    "not_allowed": "The dialling rules do not allow this number.",
    "premium_rate": "This is a premium-rate number, and no dialling rule allows it as such.",
    "no_way_out": "No trunk takes calls out.",
}


@frozen
class Target:
    """A number as we know it: `number` in E.164 where it is a full telephone number, else as it was `dialled`."""

    number: str
    dialled: str
    emergency: bool = False
    premium: bool = False

    @property
    def telephone(self) -> bool:
        """It is a full telephone number."""
        return self.number.startswith("+")


@frozen
class Passed:
    """It may leave, by the `trunks` of these ids, in this order."""

    target: Target
    trunks: tuple[str, ...]


@frozen
class Barred:
    """It may not."""

    why: Why

    @property
    def words(self) -> str:
        return WORDS[self.why]


def decide(organisation: Organisation, number: str, call: str) -> Passed | Barred:
    """Whether the call of that id may go out to `number`, in whatever writing."""
    target = read(number, organisation.country)
    return Barred("not_a_number") if target is None else _decide(organisation, target, call)


def _decide(organisation: Organisation, target: Target, call: str) -> Passed | Barred:
    outward = [trunk for trunk in organisation.trunks if trunk.proxy or trunk.guest]
    if not target.emergency:
        rule = rule_for(organisation, target.number)
        if rule is None or rule.allow is None:
            return Barred("not_allowed")
        if target.premium and not rule.premium:
            return Barred("premium_rate")
        outward = [trunk for trunk in outward if not rule.trunks or trunk.id in rule.trunks]
    outward = _in_order(outward, call)
    return Passed(target, tuple(trunk.id for trunk in outward)) if outward else Barred("no_way_out")


def follow(
    organisation: Organisation, number: str, call: str, trunk: str, *, emergency: bool = False
) -> Target | Barred:
    """Whether a call may be sent on to `number` by whoever is at the far side of that trunk. It stays with the trunk;
    and an emergency number, which passes whoever dials it, is none that others dial for us, but for an `emergency` call
    by another host, or to another such number."""
    passed = decide(organisation, number, call)
    if isinstance(passed, Barred):
        return passed
    dialled = emergency or not passed.target.emergency
    return passed.target if trunk in passed.trunks and dialled else Barred("not_allowed")


def read(number: str, country: str) -> Target | None:
    """The number that somebody in `country` means; None where it is none."""
    dialled = _BETWEEN.sub("", number)
    if not _DIALLED.fullmatch(dialled):
        return None
    # Before all else: in some countries an emergency number is a possible telephone number too.
    if phonenumbers.is_emergency_number(dialled, country):
        return Target(dialled, dialled, emergency=True)
    full = e164(dialled, country)
    if full is None and dialled.startswith("+"):
        return None
    if full is None or _is_service(dialled, country):
        return Target(dialled, dialled, premium=_short_costs_much(dialled, country))
    return Target(full, dialled, premium=kind_of(full)[1] == PhoneNumberType.PREMIUM_RATE)


@lru_cache(maxsize=256)  # who looks at a number looks at it from several sides
def kind_of(full: str) -> tuple[int | None, int]:
    """The country code of a telephone number in E.164, and of which type it is."""
    parsed = read_number(full, "")
    assert parsed is not None, "it is a telephone number"
    return parsed.country_code, phonenumbers.number_type(parsed)


def sights(organisation: Organisation, number: str) -> object:
    """All that anybody can see of a number here but which of its kind it is: who hides numbers keeps this."""
    target = read(number, organisation.country)
    if target is None:
        return None
    decided = _decide(organisation, target, "")
    outcome = decided.why if isinstance(decided, Barred) else decided.trunks
    kind = kind_of(target.number) if target.telephone else None
    return outcome, target.emergency, target.premium, kind, target.number == number


def _is_service(dialled: str, country: str) -> bool:
    """A short number of the country, as 10086, though as many digits could be a subscriber's."""
    short = _parsed(dialled, country)
    return short is not None and phonenumbers.is_valid_short_number_for_region(short, country)


def _short_costs_much(dialled: str, country: str) -> bool:
    short = _parsed(dialled, country)
    if short is None:
        return False
    return phonenumbers.expected_cost_for_region(short, country) == ShortNumberCost.PREMIUM_RATE


def _parsed(dialled: str, country: str) -> phonenumbers.PhoneNumber | None:
    return read_number(dialled, country) if dialled.isdecimal() else None


def rule_for(organisation: Organisation, number: str) -> Dialling | None:
    """The rule of the longest prefix that the number begins with."""
    matching = [rule for rule in organisation.dialling if number.startswith(rule.begins)]
    return max(matching, key=lambda rule: len(rule.begins), default=None)


def written(target: Target, trunk: Trunk, country: str) -> str:
    """The number as that trunk wants it. What is no telephone number is written as it was dialled."""
    if not target.telephone:
        return target.dialled
    return trunk.prefix + _formatted(target, trunk, country)[trunk.strip :]


def _formatted(target: Target, trunk: Trunk, country: str) -> str:
    match trunk.format:
        case "as-dialled":
            return target.dialled
        case "e164":
            return target.number
        case "national":
            number = phonenumbers.parse(target.number)
            if number.country_code == phonenumbers.country_code_for_region(country):
                shown = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
            else:
                shown = phonenumbers.format_out_of_country_calling_number(number, country)
            return re.sub(r"[^0-9+]", "", shown)


def _in_order(trunks: list[Trunk], call: str) -> list[Trunk]:
    if len(trunks) < 2:
        return trunks  # and nothing is drawn, as mostly
    # The highest of u**(1/weight) comes first with a chance of weight by the sum of weights (Efraimidis and Spirakis).
    lot = Random(call)
    drawn = {trunk.id: lot.random() ** (1 / trunk.weight) for trunk in trunks}
    return sorted(trunks, key=lambda trunk: (trunk.priority, -drawn[trunk.id]))
