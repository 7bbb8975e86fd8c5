"""Why calls were offered to whom they were."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.create_table(
        "decisions",
        sa.Column("call", sa.String(), nullable=False),
        sa.Column("queue", sa.String(), nullable=False),
        sa.Column("at", sa.Float(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("chosen", sa.String(), nullable=False),
        sa.Column("roster", sa.String(), nullable=False),
        sa.Column("facts", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("call", "queue", "at", "number", name=op.f("pk_decisions")),
    )
    op.create_table(
        "rosters",
        sa.Column("roster", sa.String(), nullable=False),
        sa.Column("agents", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("roster", name=op.f("pk_rosters")),
    )
