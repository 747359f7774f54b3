"""A store read by somebody who is no engine: nothing of it is locked, made or changed."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import quote

from risk_management.core.standing import Standing, folded
from risk_management.errors import StoreCorrupt, StoreUnavailable
from risk_management.model.events import Event
from risk_management.model.risk_model import RiskModel
from risk_management.store.chain import START, link
from risk_management.store.codec import decode
from risk_management.store.database import store_file
from risk_management.store.model_codec import model_from
from risk_management.store.snapshot import standing_from

__all__ = ["Entry", "StoreReader"]

CHUNK = 1000
NO_STORE = ("SQLITE_NOTADB", "SQLITE_CORRUPT", "SQLITE_ERROR")


class Entry(NamedTuple):
    """One row of the journal."""

    seq: int
    at: str
    kind: str
    actor: str
    body: str
    hash: bytes


class StoreReader:
    """Reads a store, also while an engine writes to it, and leaves every byte of it as it is.

    Parameters
    ----------
    store : str
        Path or address of the file.

    Raises
    ------
    StoreUnavailable, StoreCorrupt
        By every method.

    Notes
    -----
    Every query opens the file anew. While an engine works on the store its write-ahead log stands beside it
    and is read too, without a right to write. Where there is none nobody works on it, and the file is opened
    as one that does not change: SQLite would else leave a log of its own behind. The chain of the entries
    shows a file that changed all the same.
    """

    def __init__(self, store: str) -> None:
        self.path = store_file(store)
        self._models: dict[str, RiskModel] = {}
        if not self.path.is_file():
            raise StoreUnavailable(f"there is no store at {self.path}; name its file")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._models.clear()

    def last(self) -> int:
        """Number of the last entry, -1 in an empty journal."""
        found = self._rows("SELECT max(seq) FROM journal")[0][0]
        return -1 if found is None else int(found)

    def first_since(self, moment: str) -> int:
        """Number of the first entry at or after a moment (ISO 8601, UTC); behind the last without any."""
        found = self._rows("SELECT min(seq) FROM journal WHERE at >= ?", moment)[0][0]
        return self.last() + 1 if found is None else int(found)

    def entries(self, after: int = -1, until: int | None = None) -> Iterator[Entry]:
        """The entries behind a number, oldest first, each held against the one before.

        Raises
        ------
        StoreCorrupt
            The text names the first bad entry.
        """
        before = START if after < 0 else self._hash(after)
        last = self.last() if until is None else until
        while after < last:
            rows = self._rows(
                "SELECT seq, at, kind, actor, body, hash FROM journal WHERE seq > ? AND seq <= ? "
                "ORDER BY seq LIMIT ?",
                after,
                last,
                CHUNK,
            )
            for entry in map(Entry._make, rows):
                if entry.seq != after + 1:
                    raise StoreCorrupt(f"entry {after + 1} of the journal is missing")
                if type(entry.body) is not str or entry.hash != link(before, *entry[:5]):
                    raise StoreCorrupt(f"entry {entry.seq} of the journal was changed")
                after, before = entry.seq, entry.hash
                yield entry
            if not rows:
                raise StoreCorrupt(f"entry {after + 1} of the journal is missing")

    def event(self, entry: Entry) -> Event:
        """What an entry says."""
        return decode(entry.kind, entry.body, self.model)

    def model(self, digest: str) -> RiskModel:
        """The market model of a digest; StoreCorrupt where it is not there, or not what was stored."""
        if digest not in self._models:
            rows = self._rows("SELECT data FROM models WHERE digest = ?", digest)
            if not rows:
                raise StoreCorrupt(f"the market model {digest[:12]} is missing")
            self._models = {digest: model_from(rows[0][0], digest)}  # one model at a time is in use
        return self._models[digest]

    def standing_before(self, seq: int) -> Standing | None:
        """How the book stood before an entry: the newest snapshot before it, and what came since."""
        standing, after = self._snapshot_before(seq)
        for entry in self.entries(after, seq - 1):
            standing = folded(standing, self.event(entry))
        return standing

    def _snapshot_before(self, seq: int) -> tuple[Standing | None, int]:
        rows = self._rows(
            "SELECT s.seq, s.body, s.hash, j.hash FROM snapshots s JOIN journal j ON j.seq = s.seq "
            "WHERE s.seq < ? ORDER BY s.seq DESC",
            seq,
        )
        for at, body, hash_, chained in rows:
            if isinstance(body, bytes) and hash_ == hashlib.sha256(chained + body).digest():
                return standing_from(body, self.model), int(at)
        return None, -1

    def _hash(self, seq: int) -> bytes:
        rows = self._rows("SELECT hash FROM journal WHERE seq = ?", seq)
        if not rows:
            raise StoreCorrupt(f"entry {seq} of the journal is missing")
        return bytes(rows[0][0])

    def _rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        try:
            with closing(_opened(self.path)) as connection:
                return connection.execute(query, values).fetchall()
        except sqlite3.Error as problem:
            if str(getattr(problem, "sqlite_errorname", "")).startswith(NO_STORE):
                raise StoreCorrupt(f"{self.path} is no store that can be read: {problem}") from None
            raise StoreUnavailable(f"{self.path} can't be read: {problem}; check the file") from None


def _opened(path: Path) -> sqlite3.Connection:
    """A connection that may not write; see the notes of `StoreReader`."""
    in_use = path.with_name(path.name + "-wal").exists()
    way = "mode=ro" if in_use else "mode=ro&immutable=1"
    return sqlite3.connect(f"file:{quote(str(path))}?{way}", uri=True, timeout=2.0)
