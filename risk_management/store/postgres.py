"""Connections to PostgreSQL: a look sees one moment, a commit is on disk, and no wait is without an end."""

from __future__ import annotations

from time import monotonic
from typing import Any, Final

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.pool import NullPool, StaticPool

from risk_management.store.place import Place

__all__ = ["NoAnswer", "server_engine"]

SETTINGS: Final = {
    "synchronous_commit": "on",
    "statement_timeout": "10s",
    "lock_timeout": "8s",
    "idle_in_transaction_session_timeout": "5s",
    "timezone": "UTC",
    "default_transaction_isolation": "read\\ committed",
}
"""What every connection is set to."""
READING: Final = {
    "default_transaction_read_only": "on",
    "default_transaction_isolation": "repeatable\\ read",  # all questions of one look see one moment
}
TIMEOUTS: Final = {
    "connect_timeout": 2,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "application_name": "risk_management",
}
"""Of the connection itself: a machine that is gone is given up in seconds."""
PATIENCE_OF_TOOLS: Final = 12.0
"""Seconds for the answer to one question; the server's own limits come first."""


class NoAnswer(psycopg.OperationalError, TimeoutError):
    """The server took a question and gave no answer in time."""


class _Limited(psycopg.Connection[Any]):
    """Waits for so long and no longer: a server that stands still answers nothing and ends nothing.

    What is kept for an engine counts from the beginning of a transaction to its end, all else each question.
    """

    patience = PATIENCE_OF_TOOLS
    is_whole = False
    _until = 0.0

    def wait(self, gen: Any, *options: Any, **named: Any) -> Any:
        now = monotonic()
        if not self.is_whole or self.pgconn.transaction_status == TransactionStatus.IDLE:
            self._until = now + self.patience
        named["timeout"] = max(0.0, self._until - now)
        try:
            return super().wait(gen, *options, **named)
        except psycopg.errors._WaitTimeout:
            self.pgconn.finish()  # what comes later would be taken for the answer to another question
            raise NoAnswer(f"the server gave no answer in {self.patience:g} s") from None


def server_engine(place: Place, *, reading: bool, patience: float | None, alone: bool) -> Engine:
    """An engine on a server.

    Parameters
    ----------
    place : Place
    reading : bool
        Nothing can be changed through it.
    patience : float or None
        Seconds for a transaction through one connection that stays open, for those whom bots wait for; with
        None every act opens a connection of its own.
    alone : bool
        Every question stands for itself, without a transaction around it.
    """
    settings = SETTINGS | READING if reading else SETTINGS
    engine = create_engine(
        place.url,
        poolclass=NullPool if patience is None else StaticPool,
        **({"isolation_level": "AUTOCOMMIT"} if alone else {}),
        connect_args={
            **TIMEOUTS,
            "options": " ".join(f"-c {name}={value}" for name, value in settings.items()),
        },
    )

    @event.listens_for(engine, "do_connect")
    def _connect(_dialect: Any, _record: Any, arguments: Any, named: Any) -> psycopg.Connection[Any]:
        made = _Limited.connect(*arguments, **named)
        if patience is not None:
            made.patience, made.is_whole = patience, True
        return made

    return engine
