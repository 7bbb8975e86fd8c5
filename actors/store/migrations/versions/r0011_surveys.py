"""What customers said when they were asked how satisfied they were."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "surveys",
        sa.Column("call", sa.String(), nullable=False),
        sa.Column("agent", sa.String(), nullable=False),
        sa.Column("queue", sa.String(), nullable=False),
        sa.Column("began", sa.Float(), nullable=False),
        sa.Column("answer", sa.String(), nullable=False),
        sa.Column("ended", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("call", name=op.f("pk_surveys")),
    )
    op.create_index(op.f("ix_surveys_agent_began"), "surveys", ["agent", "began"], unique=False)
    op.create_index(op.f("ix_surveys_queue_began"), "surveys", ["queue", "began"], unique=False)
    op.create_index(op.f("ix_surveys_ended"), "surveys", ["ended"], unique=False)
