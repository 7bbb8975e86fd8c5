"""Messages that callers leave, and who has seen to them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.create_table(
        "messages",
        sa.Column("call", sa.String(), nullable=False),
        sa.Column("queue", sa.String(), nullable=False),
        sa.Column("began", sa.Float(), nullable=False),
        sa.Column("ended", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("call", name=op.f("pk_messages")),
    )
    op.create_index(op.f("ix_messages_queue_began"), "messages", ["queue", "began"], unique=False)
    op.create_index(op.f("ix_messages_ended"), "messages", ["ended"], unique=False)
    op.create_table(
        "handled",
        sa.Column("call", sa.String(), nullable=False),
        sa.Column("agent", sa.String(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("call", name=op.f("pk_handled")),
    )
