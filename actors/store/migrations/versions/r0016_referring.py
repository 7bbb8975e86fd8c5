"""A trunk may put its calls through to others."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    with op.batch_alter_table("trunks") as table:
        table.add_column(sa.Column("refer", sa.Boolean(), server_default=sa.false(), nullable=False))
    with op.batch_alter_table("trunks") as table:
        table.alter_column("refer", server_default=None)
