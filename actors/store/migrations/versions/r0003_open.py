"""Indices of what is open and of the last moments: a start must not read years of history."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_index(op.f("ix_calls_ended"), "calls", ["ended"], unique=False)
    op.create_index(op.f("ix_legs_ended"), "legs", ["ended"], unique=False)
    op.create_index(op.f("ix_offers_ended"), "offers", ["ended"], unique=False)
    op.create_index(op.f("ix_agent_states_since"), "agent_states", ["since"], unique=False)
