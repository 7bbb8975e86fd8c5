"""How each party of a call was heard over time, and where sound went one way."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "qualities",
        sa.Column("call", sa.String(), nullable=False),
        sa.Column("party", sa.String(), nullable=False),
        sa.Column("began", sa.Float(), autoincrement=False, nullable=False),
        sa.Column("points", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("call", "party", "began", name=op.f("pk_qualities")),
    )
    op.create_table(
        "sounds",
        sa.Column("call", sa.String(), nullable=False),
        sa.Column("party", sa.String(), nullable=False),
        sa.Column("at", sa.Float(), autoincrement=False, nullable=False),
        sa.Column("comes", sa.Boolean(), nullable=False),
        sa.Column("goes", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("call", "party", "at", name=op.f("pk_sounds")),
    )
