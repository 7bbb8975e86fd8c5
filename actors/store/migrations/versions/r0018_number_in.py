"""Where a PBX that registers with us finds the number that is called."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    with op.batch_alter_table("trunks") as table:
        table.add_column(sa.Column("number_in", sa.String(), server_default="to", nullable=False))
    with op.batch_alter_table("trunks") as table:
        table.alter_column("number_in", server_default=None)
