"""What Alembic runs: the migrations, on the connection that it was given, in the transaction that is open there."""

from alembic import context

from probe.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
