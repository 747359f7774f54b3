"""Places at which a worker kills itself: the n-th time it comes there."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, event

from risk_management.core.book import Book
from risk_management.core.commit import GroupCommit, Unit
from risk_management.store import database, sql_journal
from risk_management.store.sql_journal import SqlJournal


def die(when: int) -> Callable[..., None]:
    """Something to call that kills this process at its n-th call."""
    left = [when]

    def count(*_args: Any, **_words: Any) -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return count


def _before(owner: Any, name: str) -> Callable[[int], None]:
    def arm(when: int) -> None:
        real, deadly = getattr(owner, name), die(when)

        def wrapped(*args: Any, **words: Any) -> Any:
            deadly()
            return real(*args, **words)

        setattr(owner, name, wrapped)

    return arm


def _after(owner: Any, name: str) -> Callable[[int], None]:
    def arm(when: int) -> None:
        real, deadly = getattr(owner, name), die(when)

        def wrapped(*args: Any, **words: Any) -> Any:
            result = real(*args, **words)
            deadly()
            return result

        setattr(owner, name, wrapped)

    return arm


def _statement(words: str) -> Callable[[int], None]:
    """Before the n-th SQL statement that begins so."""

    def arm(when: int) -> None:
        deadly = die(when)

        @event.listens_for(Engine, "before_cursor_execute")
        def _listen(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            if statement.startswith(words):
                deadly()

    return arm


def _indexing(when: int) -> None:
    """Between the n-th journal rows and the index of their requests."""
    deadly, append = die(when), sql_journal.append

    def wrapped(connection: Any, statement: Any, rows: Any) -> None:
        if rows and statement is sql_journal.ANSWERED:
            deadly()
        append(connection, statement, rows)

    sql_journal.append = wrapped


def _any(when: int) -> None:
    """Before the n-th statement, whoever sends it."""
    deadly, append = die(when), sql_journal.append

    def wrapped(*args: Any) -> None:
        deadly()
        append(*args)

    sql_journal.append = wrapped
    event.listen(Engine, "before_cursor_execute", deadly)


def _commit(when: int) -> None:
    deadly = die(when)

    @event.listens_for(Engine, "commit")
    def _listen(_connection: Any) -> None:
        deadly()


def _too_early(when: int) -> None:
    """A mutant for the tests of the tests: nobody waits until the disk has it."""
    deadly = die(when)

    def wait(commit: GroupCommit, _unit: Unit) -> None:
        deadly()
        if len(commit.queue) > 10:
            with commit.turn:
                commit._write()

    GroupCommit.wait = wait  # type: ignore[method-assign]


def _never_synced(_when: int) -> None:
    """A mutant for the tests of the tests: the disk is told of nothing in particular."""
    prepared = database._prepared

    def weaker(engine: Engine, settings: list[str], *, reading: bool) -> None:
        prepared(engine, [text.replace("=FULL", "=OFF") for text in settings], reading=reading)

    database._prepared = weaker


FAILPOINTS: dict[str, Callable[[int], None]] = {
    "before append": _before(SqlJournal, "write"),
    "between append and indexes": _indexing,
    "before commit": _commit,
    "after fsync, before reply": _after(SqlJournal, "write"),
    "after fsync, before readers see it": _before(Book, "_kept"),
    "before the head is signed": _before(sql_journal.SignedHead, "write"),
    "before a snapshot": _before(sql_journal, "_keep_snapshot"),
    "in a snapshot, before it is stored": _statement("INSERT INTO snapshots"),
    "in a snapshot, before old ones go": _statement("DELETE FROM snapshots"),
    "before a model is stored": _statement("INSERT INTO models"),
    "while a store is opened": _before(sql_journal, "migrate"),
    "any statement": _any,
    "while the store is closed": _before(SqlJournal, "close"),
    "mutant: answers at once": _too_early,
    "mutant: nothing is synced": _never_synced,
}
