"""A trunk's media may be encrypted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    with op.batch_alter_table("trunks") as table:
        table.add_column(sa.Column("srtp", sa.Boolean(), server_default=sa.false(), nullable=False))
    with op.batch_alter_table("trunks") as table:
        table.alter_column("srtp", server_default=None)
