"""Messages that are still to be sent, one row a message and channel."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

KEY = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table; what an earlier version told is not sent once more."""
    op.create_table(
        "outbox",
        sa.Column("key", KEY, primary_key=True),
        sa.Column("channel", sa.String(64), primary_key=True),
        sa.Column("alert_id", sa.String(64), nullable=False),
        sa.Column("seq", sa.BigInteger, sa.ForeignKey("journal.seq")),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("made_at", sa.Float, nullable=False),
        sa.Column("next_at", sa.Float, nullable=False),
        sa.Column("sent_at", sa.Float),
        sa.Column("last_error", sa.Text, nullable=False),
    )
    op.create_index("outbox_due", "outbox", ["channel", "state", "next_at"])
