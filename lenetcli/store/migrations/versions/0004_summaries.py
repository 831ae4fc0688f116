"""What is known of data sets: images by class, their order, their pixel values."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Change a store of schema 0003."""
    op.add_column("datasets", sa.Column("summary", sa.JSON()))
