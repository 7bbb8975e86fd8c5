"""Alembic runs this file by its path for each migration; everything it needs is handed to it by `database.py`."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=context.config.attributes["metadata"],
    # SQLite changes a table by making it anew (Alembic, "Running Batch Migrations for SQLite").
    render_as_batch=True,
)
context.run_migrations()
