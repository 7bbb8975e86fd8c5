"""Rows to the frozen classes of `entries.py` and back. Runs inside a transaction of the caller's.

An import replaces: what the new organisation has not is deleted, what it has is inserted or updated in place, so that
rows that refer to a kept agent (its logins) stay.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

import attrs
from sqlalchemy import Connection, RowMapping, Table, delete, insert, select, update

from ..entries import Agent, Dialling, Number, Queue, Skill, Trunk
from ..integrations import SmsTemplate, Webhook, Window
from ..organisation import Organisation
from ..routes import parse_route, route_text
from . import schema

Row = dict[str, Any]


def write_organisation(connection: Connection, organisation: Organisation, hashes: Mapping[str, str]) -> None:
    """Replaces what is stored.

    `hashes` has the new password hash of each agent whose password changed: it must log in again; others keep theirs.
    """
    about = {name: getattr(organisation, name) for name in ("name", "time_zone", "country", "language")}
    _replace(connection, schema.organisation, [about | {"id": 1, "holidays": list(organisation.holidays)}])
    trunks = [
        _row(trunk, at)
        | {
            "peers": [str(peer) for peer in trunk.peers],
            "proxy": list(trunk.proxy),
            "realms": list(trunk.realms),
        }
        for at, trunk in enumerate(organisation.trunks)
    ]
    _replace(connection, schema.trunks, trunks)
    queues = [_row(queue, at) | {"hours": list(queue.hours)} for at, queue in enumerate(organisation.queues)]
    _replace(connection, schema.queues, queues)
    _replace(connection, schema.agents, [_agent_row(agent, at, hashes) for at, agent in enumerate(organisation.agents)])
    connection.execute(delete(schema.logins).where(schema.logins.c.agent.in_(list(hashes))))
    skills = [
        attrs.asdict(skill) | {"agent": agent.id, "position": at}
        for agent in organisation.agents
        for at, skill in enumerate(agent.skills)
    ]
    _replace(connection, schema.skills, skills)
    numbers = [_row(number, at) | {"route": route_text(number.route)} for at, number in enumerate(organisation.numbers)]
    _replace(connection, schema.numbers, numbers)
    rules = [_row(rule, at) | {"trunks": list(rule.trunks)} for at, rule in enumerate(organisation.dialling)]
    _replace(connection, schema.dialling, rules)
    _replace(connection, schema.sms_templates, [_row(each, at) for at, each in enumerate(organisation.sms_templates)])
    _replace(connection, schema.windows, [_row(window, at) for at, window in enumerate(organisation.windows)])
    hooks = [_row(hook, at) | {"events": list(hook.events)} for at, hook in enumerate(organisation.webhooks)]
    _replace(connection, schema.webhooks, hooks)


def _row(entry: attrs.AttrsInstance, position: int) -> Row:
    return attrs.asdict(entry, recurse=False) | {"position": position}


def _agent_row(agent: Agent, position: int, hashes: Mapping[str, str]) -> Row:
    row = _row(agent, position)
    del row["password"], row["skills"]
    return row | ({"password_hash": hashes[agent.id]} if agent.id in hashes else {})


def _replace(connection: Connection, table: Table, rows: list[Row]) -> None:
    """Makes `rows` all that the table has; columns that a row leaves out keep their value."""
    names = [column.name for column in table.primary_key.columns]
    stored = {tuple(row) for row in connection.execute(select(*table.primary_key.columns))}
    wanted = {tuple(row[name] for name in names) for row in rows}
    for key in stored - wanted:
        connection.execute(delete(table).where(*_is(table, names, key)))
    for row in rows:
        key = tuple(row[name] for name in names)
        if key in stored:
            connection.execute(update(table).where(*_is(table, names, key)).values(row))
        else:
            connection.execute(insert(table).values(row))


def _is(table: Table, names: list[str], key: tuple[Any, ...]) -> list[Any]:
    return [table.c[name] == value for name, value in zip(names, key, strict=True)]


def read_organisation(connection: Connection) -> Organisation:
    """What `write_organisation` wrote, without passwords of agents; the default where nothing was written yet."""
    about = connection.execute(select(schema.organisation)).mappings().first()
    if about is None:
        return Organisation()
    skills: dict[str, list[Skill]] = {}
    for row in connection.execute(select(schema.skills).order_by(schema.skills.c.position)).mappings():
        skills.setdefault(row["agent"], []).append(Skill(row["queue"], row["level"]))
    return Organisation(
        **_fields(about, "id", "holidays"),
        holidays=tuple(about["holidays"]),
        trunks=tuple(
            Trunk(
                **_fields(row, "peers", "proxy", "realms"),
                peers=tuple(ipaddress.ip_network(peer) for peer in row["peers"]),
                proxy=tuple(row["proxy"]),
                realms=tuple(row["realms"]),
            )
            for row in _rows(connection, schema.trunks)
        ),
        queues=tuple(
            Queue(**_fields(row, "hours"), hours=tuple(row["hours"])) for row in _rows(connection, schema.queues)
        ),
        agents=tuple(
            Agent(**_fields(row, "password_hash"), skills=tuple(skills.get(row["id"], ())))
            for row in _rows(connection, schema.agents)
        ),
        numbers=tuple(
            Number(**_fields(row, "route"), route=parse_route(row["route"]))
            for row in _rows(connection, schema.numbers)
        ),
        dialling=tuple(
            Dialling(**_fields(row, "trunks"), trunks=tuple(row["trunks"]))
            for row in _rows(connection, schema.dialling)
        ),
        sms_templates=tuple(SmsTemplate(**_fields(row)) for row in _rows(connection, schema.sms_templates)),
        windows=tuple(Window(**_fields(row)) for row in _rows(connection, schema.windows)),
        webhooks=tuple(
            Webhook(**_fields(row, "events"), events=tuple(row["events"])) for row in _rows(connection, schema.webhooks)
        ),
    )


def _rows(connection: Connection, table: Table) -> list[RowMapping]:
    return list(connection.execute(select(table).order_by(table.c.position)).mappings())


def _fields(row: RowMapping, *without: str) -> Row:
    return {name: value for name, value in row.items() if name not in ("position", *without)}
