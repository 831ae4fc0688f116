"""What commands with ``--remeasure`` have left to measure."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Change a store of schema 0002."""
    op.create_table(
        "measurements",
        sa.Column("key", sa.String(), primary_key=True, nullable=False),
        sa.Column("host", sa.String(), primary_key=True, nullable=False),
        sa.Column("epochs", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("attempt_id", sa.Integer(), sa.ForeignKey("attempts.id", ondelete="SET NULL")),
        sa.Column("epoch", sa.Integer()),
        sa.Column("sha256", sa.String()),
        sa.Column("tensors", sa.LargeBinary()),
        sa.Column("difference", sa.String()),
    )
