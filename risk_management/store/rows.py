"""Many rows by the driver itself: everybody waits for this, and SQLAlchemy takes four times as long."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any, NamedTuple

from sqlalchemy import ARRAY, Connection, Table, bindparam, func, select
from sqlalchemy.dialects.postgresql import Insert, insert

from risk_management.store.database import by_driver, compiled

__all__ = ["Into", "append", "into", "storable"]


def storable(text: str) -> str:
    """A text without what one of the databases refuses: a NUL, half a pair of UTF-16."""
    return text.encode("utf-8", "replace").decode().replace("\0", "?")


class Into(NamedTuple):
    """How rows come into a table.

    Parameters
    ----------
    each : Insert
        Of one row.
    whole : Insert
        Of all rows in one statement, a list a column. Many small ones are sent to PostgreSQL as a pipeline,
        and an engine that is frozen within one holds its locks for ever: no timeout counts there.
    """

    each: Insert
    whole: Insert


def into(table: Table, *, known_stays: bool = False) -> Into:
    """Rows into a table; with `known_stays` those whose key is there already change nothing.

    SQLite says it in PostgreSQL's words.
    """
    names = [column.name for column in table.columns]
    lists = (bindparam(column.name, type_=ARRAY(column.type)) for column in table.columns)
    rows = func.unnest(*lists).table_valued(*names).render_derived()
    each, whole = insert(table), insert(table).from_select(names, select(*rows.c))
    if known_stays:
        return Into(each.on_conflict_do_nothing(), whole.on_conflict_do_nothing())
    return Into(each, whole)


def append(connection: Connection, target: Into, rows: Sequence[dict[str, Any]]) -> None:
    """Put rows in, within the connection's transaction; every column is named in each."""
    if not rows:
        return
    engine = connection.engine
    with by_driver(engine), closing(connection.connection.cursor()) as cursor:
        if engine.dialect.name == "sqlite":
            cursor.executemany(compiled(target.each, engine), rows)
        else:
            lists = {name: [row[name] for row in rows] for name in rows[0]}
            cursor.execute(compiled(target.whole, engine), lists)
