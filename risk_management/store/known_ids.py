"""Which ids an index names, without asking the store: every order asks, also while it can't be read."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Final

from sqlalchemy import Column, select

from risk_management.store.reader import StoreReader

__all__ = ["KnownIds"]

MOST: Final = 100_000


class KnownIds:
    """The newest ids of an index, by their hash: a new one may be taken for known, no known one for new.

    Parameters
    ----------
    reader : StoreReader
    column : Column
        Of an index, beside the `seq` of an entry.
    """

    def __init__(self, reader: StoreReader, column: Column[str]) -> None:
        newest = select(column).order_by(column.table.c.seq.desc()).limit(MOST)
        self._hashes = dict.fromkeys(hash(row[0]) for row in reversed(reader.rows(newest)))
        self.is_whole = len(self._hashes) < MOST
        """Whether no older ones were let go: what is not here was never given out."""

    def __contains__(self, name: str) -> bool:
        return hash(name) in self._hashes

    def add(self, names: Iterable[str]) -> None:
        """Take ids in that were written; the oldest go when there are too many."""
        self._hashes.update(dict.fromkeys(map(hash, names)))
        surplus = len(self._hashes) - MOST
        if surplus > 0:
            self.is_whole = False
            for oldest in list(islice(self._hashes, surplus)):
                del self._hashes[oldest]
