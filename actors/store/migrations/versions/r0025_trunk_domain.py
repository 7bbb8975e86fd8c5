"""In which domain the users of a trunk are, and by which name its password goes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    with op.batch_alter_table("trunks") as trunks:
        for name in ("domain", "login"):
            trunks.add_column(sa.Column(name, sa.String(), server_default="", nullable=False))
    with op.batch_alter_table("trunks") as trunks:
        for name in ("domain", "login"):
            trunks.alter_column(name, server_default=None)
