"""In which realms the password of a trunk counts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    with op.batch_alter_table("trunks") as trunks:
        trunks.add_column(sa.Column("realms", sa.JSON(), server_default="[]", nullable=False))
    with op.batch_alter_table("trunks") as trunks:
        trunks.alter_column("realms", server_default=None)
