"""How Alembic runs the revisions: on the connection, and in the transaction, that it is given."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table="lenetcli_version",
    render_as_batch=True,
)
context.run_migrations()
