"""The paperwork of calls: customers, their tags and tickets, and all that is typed, with its versions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    op.create_table(
        "customers",
        sa.Column("customer", sa.String(), nullable=False),
        sa.Column("made", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("customer", name=op.f("pk_customers")),
    )
    op.create_table(
        "customer_numbers",
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("customer", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_customer_numbers")),
        _of_customer("customer_numbers"),
    )
    op.create_index(op.f("ix_customer_numbers_customer"), "customer_numbers", ["customer"], unique=False)
    op.create_table(
        "call_customers",
        sa.Column("call", sa.String(), nullable=False),
        sa.Column("customer", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("call", name=op.f("pk_call_customers")),
        _of_customer("call_customers"),
    )
    op.create_table(
        "customer_tags",
        sa.Column("customer", sa.String(), nullable=False),
        sa.Column("tag", sa.String(), nullable=False),
        *_author(),
        sa.PrimaryKeyConstraint("customer", "tag", name=op.f("pk_customer_tags")),
        _of_customer("customer_tags"),
    )
    op.create_index(op.f("ix_customer_tags_tag"), "customer_tags", ["tag"], unique=False)
    op.create_table(
        "tickets",
        sa.Column("ticket", sa.String(), nullable=False),
        sa.Column("customer", sa.String(), nullable=False),
        sa.Column("call", sa.String(), nullable=False),
        sa.Column("agent", sa.String(), nullable=False),
        sa.Column("opened", sa.Float(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("ticket", name=op.f("pk_tickets")),
        _of_customer("tickets"),
    )
    op.create_index(op.f("ix_tickets_customer_key"), "tickets", ["customer", "key"], unique=True)
    op.create_table(
        "fields",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("of", sa.String(), nullable=False),
        sa.Column("field", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        *_author(),
        sa.Column("since", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "of", "field", name=op.f("pk_fields")),
    )
    op.create_table(
        "field_versions",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("of", sa.String(), nullable=False),
        sa.Column("field", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        *_author(),
        sa.PrimaryKeyConstraint("kind", "of", "field", "version", name=op.f("pk_field_versions")),
    )


def _author() -> tuple[sa.Column[str], sa.Column[str], sa.Column[float]]:
    return (
        sa.Column("agent", sa.String(), nullable=False),
        sa.Column("call", sa.String(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
    )


def _of_customer(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["customer"], ["customers.customer"], name=op.f(f"fk_{table}_customer"))
