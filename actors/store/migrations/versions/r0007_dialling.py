"""Calls leave: by the proxies of trunks, in the numbers they want, within limits."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

# For the entries that there are; new ones say it themselves.
_FOR_ALL: dict[str, list[tuple[str, sa.types.TypeEngine[Any], Any]]] = {
    "trunks": [
        ("trusted", sa.Boolean(), sa.false()),
        ("weight", sa.Integer(), "1"),
        ("format", sa.String(), "e164"),
        ("strip", sa.Integer(), "0"),
        ("prefix", sa.String(), ""),
        ("calls", sa.Integer(), "0"),
        ("calls_per_minute", sa.Integer(), "0"),
    ],
    "agents": [("calls", sa.Integer(), "3"), ("calls_per_minute", sa.Integer(), "20")],
    "dialling": [("premium", sa.Boolean(), sa.false())],
}


def upgrade() -> None:
    for name, columns in _FOR_ALL.items():
        with op.batch_alter_table(name) as table:
            for column, kind, value in columns:
                table.add_column(sa.Column(column, kind, server_default=value, nullable=False))
        with op.batch_alter_table(name) as table:
            for column, _, _ in columns:
                table.alter_column(column, server_default=None)
    trunks = sa.table("trunks", sa.column("id", sa.String), sa.column("proxy", sa.String))
    connection = op.get_bind()
    for id_, proxy in connection.execute(sa.select(trunks.c.id, trunks.c.proxy)).all():
        several = json.dumps([proxy] if proxy else [])
        connection.execute(sa.update(trunks).where(trunks.c.id == id_).values(proxy=several))
    with op.batch_alter_table("trunks") as table:
        table.alter_column("proxy", type_=sa.JSON(), existing_type=sa.String(), existing_nullable=False)
