"""The journal in SQL: what it took is on disk, chained, and read back as it was written."""

from __future__ import annotations

import hashlib
import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Lock
from typing import Any, Final, NamedTuple

from pydantic_core import PydanticSerializationError
from sqlalchemy import Connection, Select, insert, select
from sqlalchemy.exc import SQLAlchemyError

from risk_management.core.standing import Standing, folded
from risk_management.errors import RiskError, StoreCorrupt, StoreUnavailable
from risk_management.model.events import Event, Filled, TradeDecided
from risk_management.model.risk_model import RiskModel
from risk_management.store.chain import START, link
from risk_management.store.codec import decode, encode
from risk_management.store.database import connect, migrate, store_file
from risk_management.store.head import SignedHead
from risk_management.store.lock import StoreLock
from risk_management.store.model_codec import model_bytes, model_from
from risk_management.store.schema import EXECUTIONS, JOURNAL, MODELS, REQUESTS, SNAPSHOTS
from risk_management.store.small_file import SmallFile
from risk_management.store.snapshot import snapshot_bytes, standing_from

__all__ = ["Entry", "SqlJournal"]

logger = logging.getLogger(__name__)

SNAPSHOT_EVERY: Final = 10_000
KEPT_SNAPSHOTS: Final = 2
TROUBLE: Final = (SQLAlchemyError, sqlite3.Error, OSError, PydanticSerializationError, MemoryError)


class Entry(NamedTuple):
    """One row of the journal."""

    seq: int
    at: str
    kind: str
    actor: str
    body: str
    hash: bytes


class _Tail(NamedTuple):
    """Where the journal ends: number and hash of its last entry."""

    seq: int
    hash: bytes


class SqlJournal:
    """Appends events to a SQLite file and reads them back. One process at a time.

    Parameters
    ----------
    store : str
        Path or address of the file. Beside it stand ``.lock``, ``.latch``, ``.head`` and ``.key``.

    Raises
    ------
    StoreInUse, StoreUnavailable, StoreCorrupt, StoreTooNew
    """

    def __init__(self, store: str) -> None:
        self._store = store
        self.path = store_file(store)
        self._lock = StoreLock(self.path.with_name(self.path.name + ".lock"))
        with ExitStack() as failed:
            failed.callback(self._lock.release)
            self._reading = Lock()
            self._models: set[str] = set()
            self._open()
            self._latch = SmallFile(self.path.with_name(self.path.name + ".latch"))
            self._head = SignedHead(self.path)
            self._tail = self._read_tail()
            self._check_head()
            failed.pop_all()

    def _open(self) -> None:
        self._engine = connect(self._store)
        migrate(self._engine)
        self._reads = connect(self._store)
        self.path.chmod(0o600)
        self._identity = _identity(self.path)
        self._is_broken = False

    # -- writing ------------------------------------------------------------------------------------

    def write(self, events: Sequence[Event], after: Standing) -> None:
        """Append events in one transaction; see `Journal.write`."""
        if self._is_broken:
            raise StoreUnavailable("the store failed before and was not reached again yet")
        try:
            if _identity(self.path) != self._identity:
                raise StoreUnavailable(f"{self.path} was replaced under the running engine")
            rows, models, requests, executions = self._rows(events)
            with self._engine.begin() as connection:
                for digest, model in models.items():
                    _keep_model(connection, digest, model)
                connection.execute(insert(JOURNAL), rows)
                if requests:
                    connection.execute(insert(REQUESTS), requests)
                if executions:
                    connection.execute(insert(EXECUTIONS).prefix_with("OR IGNORE"), executions)
                if rows[-1]["seq"] // SNAPSHOT_EVERY > self._tail.seq // SNAPSHOT_EVERY:
                    _keep_snapshot(connection, after, rows[-1])
        except (*TROUBLE, StoreUnavailable) as problem:
            self._is_broken = True  # what a connection says after it failed once is not to be believed
            raise StoreUnavailable(_said(problem)) from problem
        self._tail = _Tail(rows[-1]["seq"], rows[-1]["hash"])
        self._models |= models.keys()
        self._head.write(self._tail.seq, self._tail.hash)

    def _rows(
        self, events: Sequence[Event]
    ) -> tuple[list[dict[str, Any]], dict[str, RiskModel], list[dict[str, Any]], list[dict[str, Any]]]:
        seq, before = self._tail
        rows, models, requests, executions = [], {}, [], []
        for event in events:
            seq += 1
            text = encode(event)
            at = event.at.isoformat()
            before = link(before, seq, at, text.kind, event.actor, text.body)
            rows.append(
                {
                    "seq": seq,
                    "at": at,
                    "kind": text.kind,
                    "actor": event.actor,
                    "body": text.body,
                    "hash": before,
                }
            )
            if text.model is not None and text.digest not in self._models:
                models[text.digest] = text.model
            if isinstance(event, TradeDecided):
                requests.append({"request_id": event.request_id, "seq": seq})
            elif isinstance(event, Filled):
                executions.append({"execution_id": event.execution_id, "seq": seq})
        return rows, models, requests, executions

    def reopen(self) -> None:
        """Connect anew after a failure; see `Journal.reopen`."""
        tail = self._tail
        try:
            self._engine.dispose()
            self._reads.dispose()
            if _identity(self.path) != self._identity:
                raise StoreUnavailable(f"{self.path} was replaced under the running engine")
            self._open()
            found = self._read_tail()
        except (*TROUBLE, StoreUnavailable) as problem:
            raise StoreUnavailable(_said(problem)) from problem
        if found != tail:
            raise StoreCorrupt(
                f"the journal ends at entry {found.seq} and not at {tail.seq}, which was the last one written"
            )

    def latch(self, *, stopped: str | None = None, in_memory: str | None = None) -> None:
        """Note what must outlive the process; see `Journal.latch`."""
        try:
            known = self.latched()
            said = {"stopped": stopped, "in_memory": in_memory}
            known.update({name: text for name, text in said.items() if text is not None})
            self._latch.write(known, sync=True)
        except (OSError, ValueError) as problem:
            logger.critical("the latch file can't be written: %s", problem)

    def latched(self) -> dict[str, str]:
        """What was noted."""
        return {name: str(text) for name, text in self._latch.read().items() if text}

    def close(self, last: Standing | None = None) -> None:
        """Keep a snapshot for a fast start, close the store, and let another process have it."""
        if last is not None and not self._is_broken and last.state.version == self._tail.seq:
            try:
                with self._engine.begin() as connection:
                    _keep_snapshot(connection, last, {"seq": self._tail.seq, "hash": self._tail.hash})
            except TROUBLE as problem:
                logger.warning("no snapshot was kept: %s", _said(problem))
        self._engine.dispose()
        self._reads.dispose()
        self._latch.close()
        self._head.close()
        self._lock.release()

    # -- reading ------------------------------------------------------------------------------------

    def decided(self, request_id: str) -> TradeDecided | None:
        """What a request was answered; see `Journal.decided`."""
        query = select(JOURNAL).join(REQUESTS).where(REQUESTS.c.request_id == request_id)
        found = self._event(query)
        return found if isinstance(found, TradeDecided) else None

    def filled(self, execution_id: str) -> Filled | None:
        """What an execution id booked; see `Journal.filled`."""
        query = select(JOURNAL).join(EXECUTIONS).where(EXECUTIONS.c.execution_id == execution_id)
        found = self._event(query)
        return found if isinstance(found, Filled) else None

    def _event(self, query: Select[Any]) -> Event | None:
        if self._is_broken:
            return None
        try:
            with self._reading, self._reads.connect() as connection:
                row = connection.execute(query).first()
        except TROUBLE as problem:
            logger.warning("the journal could not be read: %s", _said(problem))
            return None
        return None if row is None else decode(row.kind, row.body, self.model)

    def entries(self, after: int = -1, *, chunk: int = 1000) -> Iterator[Entry]:
        """The entries behind a number, oldest first."""
        while True:
            query = select(JOURNAL).where(JOURNAL.c.seq > after).order_by(JOURNAL.c.seq).limit(chunk)
            with self._reading, self._reads.connect() as connection:
                rows = [Entry(*row) for row in connection.execute(query)]
            yield from rows
            if len(rows) < chunk:
                return
            after = rows[-1].seq

    def events(self) -> Iterator[Event]:
        """All events, oldest first."""
        return (decode(entry.kind, entry.body, self.model) for entry in self.entries())

    def model(self, digest: str) -> RiskModel:
        """The market model of a digest.

        Raises
        ------
        StoreCorrupt
            It is not there, or not what was stored.
        """
        with self._reading, self._reads.connect() as connection:
            row = connection.execute(select(MODELS.c.data).where(MODELS.c.digest == digest)).first()
        if row is None:
            raise StoreCorrupt(f"the market model {digest[:12]} is missing")
        return model_from(row.data, digest)

    def recover(self) -> Standing | None:
        """The state at the end of the journal, None for an empty one.

        Raises
        ------
        StoreCorrupt
            The journal contradicts itself; the text names the first bad entry.
        """
        standing, tail = self._newest_snapshot()
        for entry in self.entries(tail.seq):
            tail = _checked(entry, tail)
            standing = folded(standing, decode(entry.kind, entry.body, self.model))
        return standing

    def _newest_snapshot(self) -> tuple[Standing | None, _Tail]:
        """The newest snapshot that is whole and stands on the journal; without one the very beginning."""
        query = (
            select(SNAPSHOTS.c.seq, SNAPSHOTS.c.body, SNAPSHOTS.c.hash, JOURNAL.c.hash.label("chained"))
            .join(JOURNAL, JOURNAL.c.seq == SNAPSHOTS.c.seq)
            .order_by(SNAPSHOTS.c.seq.desc())
        )
        with self._reading, self._reads.connect() as connection:
            rows = connection.execute(query).all()
        for row in rows:
            try:
                if row.hash != _snapshot_hash(row.body, row.chained):
                    raise StoreCorrupt("its hash is wrong")
                return standing_from(row.body, self.model), _Tail(row.seq, row.chained)
            except StoreCorrupt as problem:
                logger.warning("the snapshot at entry %d is left out: %s", row.seq, problem)
        return None, _Tail(-1, START)

    def _read_tail(self) -> _Tail:
        query = select(JOURNAL.c.seq, JOURNAL.c.hash).order_by(JOURNAL.c.seq.desc()).limit(1)
        with self._reading, self._reads.connect() as connection:
            row = connection.execute(query).first()
        return _Tail(-1, START) if row is None else _Tail(row.seq, row.hash)

    def _check_head(self) -> None:
        """Hold the journal's end against the signed head: a cut tail and a rewritten journal show here."""
        known = self._head.read()
        if known is None:
            return
        seq, hash_ = known
        with self._reading, self._reads.connect() as connection:
            row = connection.execute(select(JOURNAL.c.hash).where(JOURNAL.c.seq == seq)).first()
        if row is None:
            raise StoreCorrupt(
                f"the journal ends at entry {self._tail.seq}, but entry {seq} was written: it was cut"
            )
        if row.hash != hash_:
            raise StoreCorrupt(f"entry {seq} of the journal is not the one that was written")


def _identity(path: Path) -> tuple[int, int]:
    known = path.stat()
    return known.st_dev, known.st_ino


def _said(problem: BaseException) -> str:
    """One line of what went wrong; SQL and its parameters stay out of it."""
    inner = getattr(problem, "orig", None) or problem
    return f"{type(inner).__name__}: {inner}" if not isinstance(inner, RiskError) else str(inner)


def _checked(entry: Entry, tail: _Tail) -> _Tail:
    """The end of the journal after an entry; StoreCorrupt where it does not follow."""
    if entry.seq != tail.seq + 1:
        raise StoreCorrupt(f"entry {tail.seq + 1} of the journal is missing")
    if entry.hash != link(tail.hash, *entry[:5]):
        raise StoreCorrupt(f"entry {entry.seq} of the journal was changed")
    return _Tail(entry.seq, entry.hash)


def _keep_model(connection: Connection, digest: str, model: RiskModel) -> None:
    known = connection.execute(select(MODELS.c.digest).where(MODELS.c.digest == digest)).first()
    if known is None:
        connection.execute(insert(MODELS), {"digest": digest, "data": model_bytes(model)})


def _keep_snapshot(connection: Connection, standing: Standing, row: dict[str, Any]) -> None:
    body = snapshot_bytes(standing)
    connection.execute(SNAPSHOTS.delete().where(SNAPSHOTS.c.seq == row["seq"]))
    connection.execute(
        insert(SNAPSHOTS), {"seq": row["seq"], "body": body, "hash": _snapshot_hash(body, row["hash"])}
    )
    query = select(SNAPSHOTS.c.seq).order_by(SNAPSHOTS.c.seq.desc()).offset(KEPT_SNAPSHOTS)
    old = list(connection.scalars(query))
    if old:
        connection.execute(SNAPSHOTS.delete().where(SNAPSHOTS.c.seq.in_(old)))


def _snapshot_hash(body: bytes, chained: bytes) -> bytes:
    """Binds a snapshot to the entry that it stands on."""
    return hashlib.sha256(chained + body).digest()
