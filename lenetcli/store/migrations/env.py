"""The environment of Alembic: it runs revisions on the connection, and in the transaction, of the caller."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table="lenetcli_version",
    render_as_batch=True,
)
context.run_migrations()
