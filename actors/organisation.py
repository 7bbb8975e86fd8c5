"""Whose call centre it is: its trunks, queues, agents and numbers, frozen, from TOML text or from the store.

`parse_organisation` reads the text of one file into what `entries.py` has, and `_check_whole` holds what they say of
each other. `Organisation.route` tells where a dialled SIP user leads: an exact number first, then the same telephone
number written otherwise (+86, 0086 and leading 0 are one number), then the patterns in order.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Literal

import phonenumbers
from attrs import evolve, field, fields, frozen

from ..sip.grammar import Uri
from .entries import ENTRIES, REGISTERED_USER, About, Agent, Dialling, Number, Queue, Trunk
from .integrations import SmsTemplate, Webhook, Window
from .keys import (
    ConfigError,
    check_sections,
    found,
    nearest,
    no_duplicates,
    parse_toml,
    read_table,
    read_tables,
)
from .routes import LONGEST_NUMBER, Route, ToQueue, to_onward

# A request is sent again for each of them, and the numbers of a registration's have room for that (`CSEQ_ROOM`).
MAX_REALMS = 4


@lru_cache(maxsize=256)  # whoever looks at a number looks at it from several sides, and each time it would be read anew
def read_number(number: str, region: str) -> phonenumbers.PhoneNumber | None:
    """As phonenumbers has it, for who changes nothing in it. `region` is empty where the number begins with `+`."""
    try:
        return phonenumbers.parse(number, region or None)
    except phonenumbers.NumberParseException:
        return None


@lru_cache(maxsize=2000)  # of one call it is asked again and again, and reading one takes longer than a step
def e164(number: str, region: str) -> str | None:
    """`"+861055501000"` for any writing of that number in the country `region`; None for no full telephone number."""
    # Digits of other scripts and letters are no telephone number here, though phonenumbers would read them.
    if not re.fullmatch(r"\+?[0-9 ().-]{4,25}", number):
        return None
    parsed = read_number(number, "" if number.startswith("+") else region)
    if parsed is None:
        return None
    if phonenumbers.is_possible_number_with_reason(parsed) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


@frozen
class Organisation:
    """All of it. Tables keep the order of the file."""

    name: str = "Cordboard"
    time_zone: str = "Asia/Shanghai"
    country: str = "CN"
    language: Literal["zh", "en"] = "zh"
    holidays: tuple[str, ...] = ()
    trunks: tuple[Trunk, ...] = ()
    queues: tuple[Queue, ...] = ()
    agents: tuple[Agent, ...] = ()
    numbers: tuple[Number, ...] = ()
    dialling: tuple[Dialling, ...] = ()
    sms_templates: tuple[SmsTemplate, ...] = ()
    windows: tuple[Window, ...] = ()
    webhooks: tuple[Webhook, ...] = ()
    _routes: Routes = field(init=False, eq=False, repr=False)

    @_routes.default
    def _index(self) -> Routes:
        exact = {each.number: each for each in self.numbers if each.number}
        same = {e164(number, self.country): each for number, each in exact.items()}
        patterns = tuple((re.compile(each.pattern), each) for each in self.numbers if each.pattern)
        return Routes(exact, {number: each for number, each in same.items() if number}, patterns)

    def route(self, number: str) -> Route | None:
        """Where the SIP user `number` leads, or None where nothing of ours has that number."""
        found = self.dialled(number)
        return found.route if found is not None else None

    def dialled(self, number: str) -> Number | None:
        """Which of ours the SIP user `number` is."""
        found = self._written(number)
        if found is not None or len(number) > LONGEST_NUMBER:
            return found
        return next((each for pattern, each in self._routes.patterns if pattern.fullmatch(number)), None)

    @property
    def outbound(self) -> tuple[str, ...]:
        """The numbers of ours that may be seen where agents call."""
        return tuple(each.number for each in self.numbers if each.outbound and each.number)

    def written(self, number: str) -> Route | None:
        """Where it leads by being one of `numbers`, in whatever writing; patterns are not looked at."""
        found = self._written(number)
        return found.route if found is not None else None

    def _written(self, number: str) -> Number | None:
        routes = self._routes
        return routes.exact.get(number) or routes.same.get(e164(number, self.country))


@frozen
class Routes:
    """The numbers of an organisation, ready to be looked up."""

    exact: dict[str, Number]
    same: dict[str | None, Number]
    patterns: tuple[tuple[re.Pattern[str], Number], ...]


def parse_organisation(source: str) -> Organisation:
    """The `Organisation` in the text of a TOML file. Raises ConfigError."""
    document = parse_toml(source)
    check_sections(document, ("organisation", *ENTRIES))
    about = read_table(About, document.get("organisation", {}), "[organisation]")
    tables: dict[str, Any] = {
        each: read_tables(section, document.get(name, []), name) for name, (each, section) in ENTRIES.items()
    }
    tables["queues"] = tuple(evolve(queue, name=queue.name or queue.id) for queue in tables["queues"])
    tables["agents"] = tuple(_completed(agent, about.country) for agent in tables["agents"])
    organisation = Organisation(**{each.name: getattr(about, each.name) for each in fields(About)}, **tables)
    _check_whole(organisation)
    return organisation


def _completed(agent: Agent, region: str) -> Agent:
    if not agent.mobile:
        return evolve(agent, name=agent.name or agent.id)
    number = e164(agent.mobile, region)
    if number is None or not phonenumbers.is_valid_number(phonenumbers.parse(number)):
        raise ConfigError(f"[[agent]] {found(agent.id)} mobile: {found(agent.mobile)} is no telephone number")
    return evolve(agent, name=agent.name or agent.id, mobile=number)


def _check_whole(organisation: Organisation) -> None:
    """What entries say of each other."""
    for name, entries in (
        ("trunk", organisation.trunks),
        ("queue", organisation.queues),
        ("agent", organisation.agents),
        ("sms_template", organisation.sms_templates),
        ("webhook", organisation.webhooks),
    ):
        no_duplicates(name, "id", (each.id for each in entries))
    no_duplicates("window", "name", (window.name for window in organisation.windows))
    for trunk in organisation.trunks:
        if trunk.register and not (trunk.proxy and trunk.username):
            raise ConfigError(f"[[trunk]] {found(trunk.id)}: register needs proxy and username")
        for key, value in (("domain", trunk.domain), ("login", trunk.login), ("realms", trunk.realms)):
            if value and not trunk.proxy:
                raise ConfigError(f"[[trunk]] {found(trunk.id)}: {key} needs proxy")
            if value and key != "domain" and not trunk.username:
                raise ConfigError(f"[[trunk]] {found(trunk.id)}: {key} needs username")
        if len(trunk.realms) > MAX_REALMS:
            raise ConfigError(
                f"[[trunk]] {found(trunk.id)}: has at most {MAX_REALMS} realms, found {len(trunk.realms)}"
            )
        if trunk.guest and not trunk.password:
            raise ConfigError(f"[[trunk]] {found(trunk.id)}: username without proxy needs password")
        if trunk.number_in != "to" and not trunk.guest:
            raise ConfigError(f"[[trunk]] {found(trunk.id)}: number_in is for one that registers with us")
        if trunk.refer and not (trunk.proxy or trunk.guest):
            raise ConfigError(f"[[trunk]] {found(trunk.id)}: refer needs a way out: proxy, or username and password")
        for proxy in trunk.proxy:
            if trunk.srtp and Uri.parse(proxy).transport != "tls":
                raise ConfigError(
                    f"[[trunk]] {found(trunk.id)} proxy: srtp needs sips: or transport=tls, found {found(proxy)}"
                )
        if trunk.register and not REGISTERED_USER.fullmatch(trunk.username):
            raise ConfigError(
                f"[[trunk]] {found(trunk.id)} username: must be a SIP user to register, found {found(trunk.username)}"
            )
    guests = (trunk.username for trunk in organisation.trunks if trunk.guest)
    no_duplicates("trunk", "username", guests)
    queues = [queue.id for queue in organisation.queues]
    for agent in organisation.agents:
        for skill in agent.skills:
            if skill.queue not in queues:
                raise ConfigError(
                    f"[[agent]] {found(agent.id)} skills: no queue {found(skill.queue)}{nearest(skill.queue, queues)}"
                )
    _check_numbers(organisation, queues)
    _check_onward(organisation, queues)
    trunks = [trunk.id for trunk in organisation.trunks]
    for rule in organisation.dialling:
        if (rule.allow is None) == (rule.deny is None):
            raise ConfigError("[[dialling]]: each entry has either allow or deny")
        if rule.premium and rule.allow is None:
            raise ConfigError(f"[[dialling]] {found(rule.deny)}: premium goes with allow")
        if rule.trunks and rule.allow is None:
            raise ConfigError(f"[[dialling]] {found(rule.deny)}: trunks goes with allow")
        for named in rule.trunks:
            if named not in trunks:
                label = f"[[dialling]] {found(rule.begins)} trunks"
                raise ConfigError(f"{label}: no trunk {found(named)}{nearest(named, trunks)}")
    no_duplicates("dialling", "prefix", (rule.begins for rule in organisation.dialling))


def _check_onward(organisation: Organisation, queues: list[str]) -> None:
    """Calls that a queue does not keep must come to rest somewhere."""
    ways: dict[str, list[str]] = {}
    for queue in organisation.queues:
        for key, written in (("overflow", queue.overflow), ("closed", queue.closed)):
            to = to_onward(written)
            if isinstance(to, ToQueue):
                if to.queue not in queues:
                    near = nearest(to.queue, queues)
                    raise ConfigError(f"[[queue]] {found(queue.id)} {key}: no queue {found(to.queue)}{near}")
                ways.setdefault(queue.id, []).append(to.queue)
        if queue.unattended == "overflow" and not queue.overflow:
            raise ConfigError(f'[[queue]] {found(queue.id)} unattended: "overflow" needs the key "overflow"')
    for queue in organisation.queues:
        reached, todo = set[str](), list(ways.get(queue.id, ()))
        while todo:
            at = todo.pop()
            if at == queue.id:
                raise ConfigError(f"[[queue]] {found(queue.id)}: overflow or closed leads back to it")
            if at not in reached:
                reached.add(at)
                todo += ways.get(at, ())


def _check_numbers(organisation: Organisation, queues: list[str]) -> None:
    written: dict[str, str] = {}
    for each in organisation.numbers:
        if bool(each.number) == bool(each.pattern):
            raise ConfigError("[[number]]: each entry has either number or pattern")
        label = f"[[number]] {found(each.number or each.pattern)}"
        if isinstance(each.route, ToQueue) and each.route.queue not in queues:
            near = nearest(each.route.queue, queues)
            raise ConfigError(f"{label} route: no queue {found(each.route.queue)}{near}")
        if each.number:
            same = e164(each.number, organisation.country) or each.number
            if same in written:
                raise ConfigError(f"{label}: is the same number as {found(written[same])}")
            written[same] = each.number
    no_duplicates("number", "pattern", (each.pattern for each in organisation.numbers if each.pattern))
