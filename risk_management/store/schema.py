"""The tables of the store. They are made by the migrations; a test holds both together."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

__all__ = [
    "EXECUTIONS",
    "JOURNAL",
    "LEASE",
    "METADATA",
    "MODELS",
    "OUTBOX",
    "REQUESTS",
    "SNAPSHOTS",
    "TOKENS",
]

METADATA: Final = MetaData()


def _in_order(length: int) -> String:
    """Text that is compared byte by byte, as SQLite does, whatever language a server sorts by."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


JOURNAL: Final = Table(
    "journal",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", _in_order(32), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("actor", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    Index("journal_kind", "kind", "seq"),
)
"""Everything that happened, in order; no row is ever changed or taken out."""

MODELS: Final = Table(
    "models",
    METADATA,
    Column("digest", String(64), primary_key=True),
    Column("data", LargeBinary, nullable=False),
)
"""Market models by what is in them."""

REQUESTS: Final = Table(
    "requests",
    METADATA,
    Column("request_id", String(128), primary_key=True),
    Column("seq", BigInteger, ForeignKey("journal.seq"), nullable=False),
)
"""Where each request was answered."""

EXECUTIONS: Final = Table(
    "executions",
    METADATA,
    Column("execution_id", String(128), primary_key=True),
    Column("seq", BigInteger, ForeignKey("journal.seq"), nullable=False),
)
"""Where each execution was booked."""

SNAPSHOTS: Final = Table(
    "snapshots",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
)
"""States on the way, so that a start needn't read everything; only a cache."""

TOKENS: Final = Table(
    "tokens",
    METADATA,
    Column("id", String(16), primary_key=True),
    Column("name", String(128), nullable=False),
    Column("scope", String(16), nullable=False),
    Column("bot", String(128)),
    Column("hash", LargeBinary(32), nullable=False, unique=True),
    Column("created_at", String(32), nullable=False),
    Column("created_by", Text, nullable=False),
    Column("revoked_at", String(32)),
    Column("last_used_at", String(32)),
)
"""Who may ask over HTTP. Of a secret only its hash is kept."""

OUTBOX: Final = Table(
    "outbox",
    METADATA,
    Column("key", _in_order(64), primary_key=True),
    Column("channel", String(64), primary_key=True),
    Column("alert_id", String(64), nullable=False),
    Column("seq", BigInteger, ForeignKey("journal.seq")),
    Column("rank", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("made_at", Float, nullable=False),
    Column("next_at", Float, nullable=False),
    Column("sent_at", Float),
    Column("last_error", Text, nullable=False),
    Index("outbox_due", "channel", "state", "next_at"),
)
"""What is to be sent, by message and channel; `seq` is the entry that told it, none for a report.

Times are seconds since 1970 on the book's clock.
"""

LEASE: Final = Table(
    "lease",
    MetaData(),  # a server's alone: the lock of a file ends with the process
    Column("id", Integer, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("expires", DateTime(timezone=True), nullable=False),
    Column("process", Text, nullable=False),
    Column("latch", Text, nullable=False),
    Column("since", BigInteger, nullable=False),
)
"""One row: who may write, in which turn, until when on the database's clock; see `lease`.

`process` is the holder's own, drawn at its start. `latch` names the latch file that holds what the last
holders could not write here, and `since` the first of their turns.
"""
