"""Alembic's way into our engine: the connection comes from `Store.upgrade`, in whose transaction all of it happens."""

from alembic import context

from ccserver.store.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,  # SQLite alters a table by copying it
)
with context.begin_transaction():
    context.run_migrations()
