"""Which number somebody outside had who was in a call."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    with op.batch_alter_table("legs") as table:
        table.add_column(sa.Column("to", sa.String(), server_default="", nullable=False))
    with op.batch_alter_table("legs") as table:
        table.alter_column("to", server_default=None)
