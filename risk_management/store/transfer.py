"""All rows of a store into an empty one, whatever databases they lie in."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, insert, select

from risk_management.store.reader import StoreReader
from risk_management.store.schema import METADATA

__all__ = ["transfer"]

ROWS: Final = 1000


def transfer(source: StoreReader, target: Connection) -> None:
    """Copy every table as it stands at one moment, within the target's transaction.

    Parameters
    ----------
    source : StoreReader
    target : Connection
        Of a database with the newest tables, all empty.
    """
    with source.looking() as connection:
        for table in METADATA.sorted_tables:
            query = select(table).order_by(*table.primary_key.columns)
            rows = connection.execution_options(yield_per=ROWS).execute(query)
            for part in rows.mappings().partitions(ROWS):
                target.execute(insert(table), [dict(row) for row in part])
