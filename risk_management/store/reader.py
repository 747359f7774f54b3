"""Reading a store: its entries, events, market models and snapshots, also while an engine writes to it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from threading import Lock
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Executable,
    Row,
    Select,
    bindparam,
    func,
    or_,
    select,
)

from risk_management.errors import StoreCorrupt, StoreUnavailable
from risk_management.model.events import Event
from risk_management.model.risk_model import RiskModel
from risk_management.store.chain import START, link
from risk_management.store.codec import decode
from risk_management.store.database import (
    PATIENCE,
    by_driver,
    clear_errors,
    compiled,
    connect,
    is_there,
    known_version,
    look,
    newest_version,
)
from risk_management.store.model_codec import model_from
from risk_management.store.place import Place, place_of
from risk_management.store.rows import storable
from risk_management.store.schema import EXECUTIONS, JOURNAL, MODELS, REQUESTS, SNAPSHOTS

__all__ = ["BEGINNING", "Entry", "Snapshot", "StoreReader", "Tail", "checked", "snapshot_hash"]


class Entry(NamedTuple):
    """One row of the journal."""

    seq: int
    at: str
    kind: str
    actor: str
    body: Any
    """Text, unless somebody put something else there."""
    hash: bytes


class Tail(NamedTuple):
    """Where a journal ends, or a walk over it has come to: number and hash of an entry."""

    seq: int
    hash: bytes


BEGINNING = Tail(-1, START)
"""Before the first entry."""


class Snapshot(NamedTuple):
    """A state that was kept on the way."""

    seq: int
    body: Any
    """Bytes, unless somebody put something else there."""
    hash: bytes
    chained: bytes
    """Hash of the entry that it stands on."""

    @property
    def is_whole(self) -> bool:
        """Whether it is the one that was kept at that entry."""
        return isinstance(self.body, bytes) and self.hash == snapshot_hash(self.body, self.chained)


def snapshot_hash(body: bytes, chained: bytes) -> bytes:
    """Binds a snapshot to the entry that it stands on."""
    return hashlib.sha256(chained + body).digest()


def checked(entry: Entry, tail: Tail) -> Tail:
    """Where a walk has come to with one more entry.

    Raises
    ------
    StoreCorrupt
        It does not follow what came before.
    """
    if entry.seq != tail.seq + 1:
        raise StoreCorrupt(f"entry {tail.seq + 1} of the journal is missing")
    if not isinstance(entry.body, str) or entry.hash != link(tail.hash, *entry[:5]):
        raise StoreCorrupt(f"entry {entry.seq} of the journal was changed")
    return Tail(entry.seq, entry.hash)


def _by(actor: str) -> ColumnElement[bool]:
    actor = storable(actor)
    named, text = JOURNAL.c.actor, _literal(actor)
    return or_(
        named == actor,
        named.like(f"{text} (token %", escape="!"),
        named.like(f"% (token {text})", escape="!"),
    )


def _literal(text: str) -> str:
    """A text for LIKE that stands for itself."""
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


_OF_REQUEST: Final = select(JOURNAL).join(REQUESTS).where(REQUESTS.c.request_id == bindparam("name"))
_OF_EXECUTION: Final = select(JOURNAL).join(EXECUTIONS).where(EXECUTIONS.c.execution_id == bindparam("name"))


class StoreReader:
    """Reads a store and changes nothing in it. Its methods may be called from many threads.

    Parameters
    ----------
    place : Place
    engine : Engine
        Reads it.

    Raises
    ------
    StoreUnavailable, StoreCorrupt, StoreTooNew
        By every method.
    """

    def __init__(self, place: Place, engine: Engine) -> None:
        self.place = place
        self._engine = engine
        self._lock = Lock()

    @classmethod
    def beside_writer(cls, store: str, patience: float = PATIENCE, *, alone: bool = False) -> Self:
        """A reader for the engine that writes the store: one connection, kept open; see `connect`."""
        return cls(place_of(store), connect(store, reading=True, patience=patience, alone=alone))

    @classmethod
    def of_store(cls, store: str) -> Self:
        """A reader for anybody else, of a store that has to be there, with tables of this version."""
        place = place_of(store)
        if not is_there(place):
            other = "name its file, or " if place.is_file else ""
            raise StoreUnavailable(f"there is no store at {place}; {other}start the engine on it")
        reader = cls(place, look(place))
        known, wanted = reader.version(), newest_version()
        if known != wanted:
            reader.close()
            raise StoreCorrupt(
                f"{place} holds tables of version {known}, this version reads {wanted}: start the "
                "engine on it once, that brings them up to date"
            )
        return reader

    def close(self) -> None:
        """Close the connection."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def version(self) -> str | None:
        """The version of its tables, None for an empty file."""
        with clear_errors(self.place), self._lock, self._engine.connect() as connection:
            return known_version(connection)

    @contextmanager
    def looking(self) -> Iterator[Connection]:
        """One look with several questions: all of them see the store as it is now."""
        with clear_errors(self.place), self._lock, self._engine.connect() as connection:
            yield connection

    def rows(self, query: Executable, **values: Any) -> list[Row[Any]]:
        """What a query finds."""
        with clear_errors(self.place), self._lock, self._engine.connect() as connection:
            return list(connection.execute(query, values))

    def entries(self, after: int = -1, until: int | None = None, *, chunk: int = 1000) -> Iterator[Entry]:
        """The entries behind a number, up to another and with it, oldest first."""
        within = JOURNAL.c.seq > bindparam("after")
        if until is not None:
            within &= JOURNAL.c.seq <= until
        while True:
            query = select(JOURNAL).where(within).order_by(JOURNAL.c.seq).limit(chunk)
            rows = self.rows(query, after=after)
            yield from map(Entry._make, rows)
            if len(rows) < chunk:
                return
            after = rows[-1].seq

    def newest(
        self,
        number: int,
        *,
        kind: str | None = None,
        actor: str | None = None,
        without: Collection[str] = (),
    ) -> list[Entry]:
        """The newest entries, oldest first, of one kind or actor where named, `without` some kinds.

        An actor is named whole, or of a token its name or its id alone.
        """
        query = select(JOURNAL).order_by(JOURNAL.c.seq.desc()).limit(number)
        if without:
            query = query.where(JOURNAL.c.kind.not_in(without))
        if kind is not None:
            query = query.where(JOURNAL.c.kind == kind)
        if actor is not None:
            query = query.where(_by(actor))
        return [Entry._make(row) for row in reversed(self.rows(query))]

    def search(
        self,
        number: int,
        *,
        before: int | None = None,
        kinds: Collection[str] = (),
        text: str = "",
        within: int = 20_000,
    ) -> list[Entry]:
        """The newest entries that fit, the newest first.

        Parameters
        ----------
        number : int
            So many at most.
        before : int, optional
            Only entries with a smaller number.
        kinds : collection of str
            Of these kinds alone, where any is named.
        text : str
            What stands in the actor or the body, whatever its case; of so many of the newest that fit else.
        within : int
        """
        query = select(JOURNAL).order_by(JOURNAL.c.seq.desc()).limit(within if text else number)
        if before is not None:
            query = query.where(JOURNAL.c.seq < before)
        if kinds:
            query = query.where(JOURNAL.c.kind.in_(kinds))
        if text:
            newest, wanted = query.subquery(), f"%{_literal(storable(text))}%"
            fits = newest.c.actor.ilike(wanted, escape="!") | newest.c.body.ilike(wanted, escape="!")
            query = select(newest).where(fits).order_by(newest.c.seq.desc()).limit(number)
        return [Entry._make(row) for row in self.rows(query)]

    def of_kinds(self, *kinds: str, after: int = -1) -> list[Entry]:
        """All entries of some kinds behind a number, oldest first."""
        query = (
            select(JOURNAL).where(JOURNAL.c.kind.in_(kinds), JOURNAL.c.seq > after).order_by(JOURNAL.c.seq)
        )
        return [Entry._make(row) for row in self.rows(query)]

    def chain(self, tail: Tail = BEGINNING, until: int | None = None) -> Iterator[Entry]:
        """The entries behind one that is known, up to another, each held against the one before.

        Raises
        ------
        StoreCorrupt
            The text names the first bad entry.
        """
        for entry in self.entries(tail.seq, until):
            tail = checked(entry, tail)
            yield entry

    def event(self, entry: Entry, *, lean: bool = False) -> Event:
        """What an entry says; see `decode`."""
        return decode(entry.kind, entry.body, self.model, lean=lean)

    def events(self) -> Iterator[Event]:
        """All events, oldest first."""
        return map(self.event, self.entries())

    def decided(self, request_id: str) -> Entry | None:
        """The entry that answered a request."""
        return self._named(_OF_REQUEST, request_id)

    def filled(self, execution_id: str) -> Entry | None:
        """The entry that booked an execution."""
        return self._named(_OF_EXECUTION, execution_id)

    def tail(self, until: int | None = None) -> Tail:
        """Where the journal ends, or the entry of a number stands."""
        query = select(JOURNAL.c.seq, JOURNAL.c.hash).order_by(JOURNAL.c.seq.desc()).limit(1)
        if until is not None:
            query = query.where(JOURNAL.c.seq <= until)
        rows = self.rows(query)
        return Tail._make(rows[0]) if rows else BEGINNING

    def first_since(self, moment: str) -> int:
        """Number of the first entry at or after a moment (ISO 8601, UTC); behind the last without any."""
        found = self.rows(select(func.min(JOURNAL.c.seq)).where(JOURNAL.c.at >= moment))[0][0]
        return self.tail().seq + 1 if found is None else int(found)

    def hash_of(self, seq: int) -> bytes | None:
        """The hash of an entry, None where there is none."""
        found = self.rows(select(JOURNAL.c.hash).where(JOURNAL.c.seq == seq))
        return bytes(found[0].hash) if found else None

    def model(self, digest: str) -> RiskModel:
        """The market model of a digest.

        Raises
        ------
        StoreCorrupt
            It is not there, or not what was stored.
        """
        rows = self.rows(select(MODELS.c.data).where(MODELS.c.digest == digest))
        if not rows:
            raise StoreCorrupt(f"the market model {digest[:12]} is missing")
        return model_from(rows[0].data, digest)

    def snapshots(self, until: int | None = None) -> Iterator[Snapshot]:
        """The snapshots that stand on an entry, newest first; `until` one and with it."""
        query = (
            select(SNAPSHOTS.c.seq, SNAPSHOTS.c.body, SNAPSHOTS.c.hash, JOURNAL.c.hash.label("chained"))
            .join(JOURNAL, JOURNAL.c.seq == SNAPSHOTS.c.seq)
            .order_by(SNAPSHOTS.c.seq.desc())
        )
        if until is not None:
            query = query.where(SNAPSHOTS.c.seq <= until)
        return map(Snapshot._make, self.rows(query))

    def _named(self, query: Select[Any], name: str) -> Entry | None:
        """By the driver itself, in a tenth of SQLAlchemy's time: the gate asks before every decision."""
        with clear_errors(self.place), self._lock, by_driver(self._engine):
            try:
                row = self._asked(query, name)
            except self._engine.dialect.loaded_dbapi.Error as problem:
                if self.place.is_file or isinstance(problem, TimeoutError):
                    raise
                row = self._asked(query, name)  # a connection may have been ended while nobody used it
        return None if row is None else Entry._make(row)

    def _asked(self, query: Select[Any], name: str) -> Any:
        connection = self._engine.raw_connection()
        try:
            with closing(connection.cursor()) as cursor:
                cursor.execute(compiled(query, self._engine), {"name": storable(name)})
                return cursor.fetchone()
        except self._engine.dialect.loaded_dbapi.Error:
            connection.invalidate()  # the next question opens another
            raise
        finally:
            connection.close()
