"""The journal, the market models, the indexes of ids and the snapshots."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

MOMENT = sa.String(32).with_variant(sa.String(32, collation="C"), "postgresql")
REFUSAL = "the journal is append-only"


def upgrade() -> None:
    """Make the tables, and let the database itself refuse changes of the journal."""
    op.create_table(
        "journal",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
    )
    op.create_index("journal_kind", "journal", ["kind", "seq"])
    op.create_table(
        "models",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    for name in ("request", "execution"):
        op.create_table(
            f"{name}s",
            sa.Column(f"{name}_id", sa.String(128), primary_key=True),
            sa.Column("seq", sa.BigInteger, sa.ForeignKey("journal.seq"), nullable=False),
        )
    op.create_table(
        "snapshots",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
    )
    for statement in _guards(op.get_bind().dialect.name):
        op.execute(statement)


def _guards(dialect: str) -> list[str]:
    if dialect == "sqlite":
        return [
            f"CREATE TRIGGER journal_no_{verb} BEFORE {verb} ON journal "
            f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
            for verb in ("update", "delete")
        ]
    return [
        "CREATE FUNCTION journal_refuses() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN IF TG_OP = 'DELETE' AND current_setting('risk_management.unanswered', true) = 'on' THEN "
        f"RETURN NULL; END IF; RAISE EXCEPTION '{REFUSAL}'; END $$",
        "CREATE TRIGGER journal_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON journal "
        "FOR EACH STATEMENT EXECUTE FUNCTION journal_refuses()",
    ]
