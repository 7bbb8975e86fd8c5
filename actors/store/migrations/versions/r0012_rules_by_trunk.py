"""A dialling rule may name the trunks by which its numbers leave."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    with op.batch_alter_table("dialling") as dialling:
        dialling.add_column(sa.Column("trunks", sa.JSON(), server_default="[]", nullable=False))
    with op.batch_alter_table("dialling") as dialling:
        dialling.alter_column("trunks", server_default=None)  # it was for the rules that there are
