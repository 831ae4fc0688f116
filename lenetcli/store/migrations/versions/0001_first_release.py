"""The schema of the first release, which creates it: nothing leads to it."""

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Nothing to do: every store has at least this schema."""
