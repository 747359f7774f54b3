"""The journal in SQL: what it took is on disk, chained, and read back as it was written."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from glob import escape
from pathlib import Path
from threading import Lock, RLock
from typing import Any, Final

from pydantic_core import PydanticSerializationError
from sqlalchemy import Connection, insert, select, text
from sqlalchemy.exc import SQLAlchemyError

from risk_management.core.standing import Standing
from risk_management.core.uncut import uncut
from risk_management.errors import (
    AnswerUnreadable,
    RiskError,
    StoreCorrupt,
    StoreInUse,
    StoreTaken,
    StoreUnavailable,
)
from risk_management.model.events import AlertTold, Event, Filled, TradeDecided
from risk_management.model.risk_model import RiskModel
from risk_management.store.chain import link
from risk_management.store.codec import encode
from risk_management.store.database import (
    QUICK,
    clear_errors,
    connect,
    first_line,
    make_file,
    migrate,
)
from risk_management.store.head import SignedHead, hold_against
from risk_management.store.known_ids import KnownIds
from risk_management.store.lease import RESTORE, Lease, name_of_latch
from risk_management.store.lock import StoreLock, identity
from risk_management.store.model_codec import model_bytes
from risk_management.store.outbox import PUT, SqlOutbox, alert_rows
from risk_management.store.place import Place, place_of
from risk_management.store.reader import BEGINNING, Entry, StoreReader, Tail, snapshot_hash
from risk_management.store.recovery import recovered
from risk_management.store.rows import append, into, storable
from risk_management.store.schema import EXECUTIONS, JOURNAL, MODELS, OUTBOX, REQUESTS, SNAPSHOTS
from risk_management.store.small_file import LONGEST_NOTE, SmallFile
from risk_management.store.snapshot import snapshot_bytes
from risk_management.store.unanswered import Unanswered

__all__ = ["SqlJournal"]

logger = logging.getLogger(__name__)

SNAPSHOT_EVERY: Final = 10_000
KEPT_SNAPSHOTS: Final = 2
APPEND: Final = into(JOURNAL)
ANSWERED: Final = into(REQUESTS, known_stays=True)
"""The first answer to an id stays the answer."""
BOOKED: Final = into(EXECUTIONS, known_stays=True)
TROUBLE: Final = (SQLAlchemyError, sqlite3.Error, OSError, PydanticSerializationError, MemoryError)
BEHIND: Final = (OUTBOX, REQUESTS, EXECUTIONS, SNAPSHOTS, JOURNAL)
"""The tables that name entries, in the order in which entries can be taken out."""
UNSIGNED: Final = "the signed end of the journal is missing: what came last may be cut off"
COPIED: Final = "it is a copy, or was moved: what happened behind its end is not in it"
FIRST_HERE: Final = "this machine serves the book for the first time: its end may be cut off unseen"
LATCHED: Final = ("stopped", "in_memory")
UNANSWERED: Final = text("SET LOCAL risk_management.unanswered = 'on'")
"""Tells the guard of a server's journal that what is taken out was never answered."""
GUARD: Final = text("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = 'journal_no_delete'")


class SqlJournal:
    """Appends events to a SQLite file or a PostgreSQL database and reads them back. One process at a time.

    Parameters
    ----------
    store : str
        Path or address. Beside the file, or in the user's folder for a database, stand ``.lock``,
        ``.latch``, ``.head`` and ``.key``.

    Raises
    ------
    StoreInUse, StoreUnavailable, StoreCorrupt, StoreTooNew
    """

    def __init__(self, store: str) -> None:
        self.place = place_of(store)
        self._store = str(self.place) if self.place.is_file else store  # wherever the process stands later
        self._turn, self._latching = Lock(), RLock()
        self.outbox = SqlOutbox(self._store, self._turn if self.place.is_file else None)
        """What is still to be sent of what was told."""
        self._lock = StoreLock(self.place, tries=6)
        self._lease: Lease | None = None
        self._unanswered: Unanswered | None = None
        self._is_closed = self._is_passed_over = False
        with ExitStack() as failed, clear_errors(self.place):
            failed.callback(self._lock.release)
            self._models: set[str] = set()
            self._latch = SmallFile(self.place.with_end(".latch"))
            failed.callback(self._latch.close)
            if self.place.is_file:
                make_file(self.place.beside)
                _has_one_name(self.place.beside)
            else:
                self._lease = Lease(self.place, name_of_latch(self._latch))
                failed.callback(self._lease.release)
            self._open()
            failed.callback(self._disconnect)
            self._head = SignedHead(self.place)
            self._tail = self.reader.tail()
            if self._tail == BEGINNING and self._lease is not None and self._lease.left_by == RESTORE:
                raise StoreCorrupt(f"{RESTORE} into {self.place} did not come to its end: do it again")
            self._check_head()
            self._requests = KnownIds(self.reader, REQUESTS.c.request_id)
            self._executions = KnownIds(self.reader, EXECUTIONS.c.execution_id)
            failed.pop_all()

    def _open(self) -> None:
        with ExitStack() as failed:
            self.reader = StoreReader.beside_writer(self._store)
            failed.callback(self.reader.close)
            self._gate = StoreReader.beside_writer(self._store, QUICK, alone=True)
            failed.callback(self._gate.close)
            self.reader.version()  # before anything is written: it may be a file of somebody else
            self._engine = connect(self._store)
            failed.callback(self._engine.dispose)
            migrate(self._engine, self.place)
            self._connection = self._engine.connect()
            failed.pop_all()
        self._identity = _identity(self.place)
        self._broken = ""

    # -- writing ------------------------------------------------------------------------------------

    def write(self, events: Sequence[Event], after: Standing | None) -> None:
        """Append events in one transaction; see `Journal.write`."""
        if self._broken:
            raise StoreUnavailable(self._broken)
        batch, before, is_written = _Batch(), self._tail, False
        left_by = "" if self._lease is None else self._lease.left_by
        rows, models, connection = batch.rows, batch.models, self._connection
        unanswered: Unanswered | None = None
        try:
            self._check_place()
            self._fill(batch, events)
            unanswered = self._if_unanswered(rows[-1])
            with self._turn, connection.begin():
                if self._lease is not None:
                    self._lease.fence(connection, self._tail.hash)
                for digest, model in models.items():
                    _keep_model(connection, digest, model)
                append(connection, APPEND, rows)
                append(connection, ANSWERED, batch.requests)
                append(connection, BOOKED, batch.executions)
                append(connection, PUT, batch.messages)
                if self._lease is not None and self._lease.left_by:
                    self._lease.settle(connection)
                if after is not None and rows[-1]["seq"] // SNAPSHOT_EVERY > self._tail.seq // SNAPSHOT_EVERY:
                    _keep_snapshot(connection, after, rows[-1])
            self._tail = Tail(rows[-1]["seq"], rows[-1]["hash"])
            self._sign()
            self._remember(batch)
            is_written = True
        except (*TROUBLE, StoreUnavailable) as problem:
            self._broken = _said(problem)  # what a connection says after it failed is not to be believed
            if isinstance(problem, StoreTaken):
                raise
            raise StoreUnavailable(self._broken) from problem
        finally:  # also where a person's Ctrl-C came between: whoever waits is told that it did not happen
            if not is_written:
                is_signed, self._tail = self._tail != before, before
                self._broken = self._broken or "a write was interrupted"
                if self._lease is not None:
                    self._lease.left_by = left_by
                if unanswered is not None:  # people press it twice: it is known before anything is called
                    self._unanswered = unanswered
                    uncut(partial(self._note_unanswered, unanswered, is_signed=is_signed))

    @property
    def ends_at(self) -> int:
        """Number of the last entry that is kept; see `Journal.ends_at`."""
        return self._tail.seq

    def _remember(self, batch: _Batch) -> None:
        """What the next write needn't ask; of one that did not happen it does no harm."""
        self._models |= batch.models.keys()
        self._requests.add(row["request_id"] for row in batch.requests)
        self._executions.add(row["execution_id"] for row in batch.executions)
        if self._lease is not None:
            self._lease.left_by = ""

    def _sign(self) -> None:
        try:
            self._head.write(*self._tail)
        except OSError as problem:  # the events are on disk: nobody may be told otherwise
            logger.critical("the end of the journal can't be signed: %s", problem)

    def _check_place(self) -> None:
        said = ""
        if self._lock.is_of_a_parent:
            said = (
                f"this process was forked from the one that serves {self.place}: "
                "ask that one over HTTP, or open the book here once it has ended"
            )
        elif self._lock.is_removed:
            said = f"the lock of {self.place} was removed, another engine may have it: end this one"
        if said:
            self._is_passed_over = True
            raise StoreTaken(said)
        if not self._is_in_its_place():
            raise StoreUnavailable(f"{self.place} is gone, or was replaced under the running engine")

    def _fill(self, batch: _Batch, events: Sequence[Event]) -> None:
        seq, before = self._tail
        for event in events:
            seq += 1
            written = encode(event)
            at = event.at.isoformat()
            actor = storable(event.actor)
            before = link(before, seq, at, written.kind, actor, written.body)
            batch.rows.append(
                {
                    "seq": seq,
                    "at": at,
                    "kind": written.kind,
                    "actor": actor,
                    "body": written.body,
                    "hash": before,
                }
            )
            if written.model is not None and written.digest not in self._models:
                batch.models[written.digest] = written.model
            if isinstance(event, TradeDecided):
                batch.requests.append({"request_id": event.request_id, "seq": seq})
            elif isinstance(event, Filled):
                batch.executions.append({"execution_id": event.execution_id, "seq": seq})
            elif isinstance(event, AlertTold):
                batch.messages += alert_rows(event.alert, seq)

    def reopen(self) -> None:
        """Connect anew after a failure; see `Journal.reopen`."""
        try:
            self._check_place()
            self._disconnect()
            if self._lease is not None:
                self._lease.take()  # what was under way has come to its end then, either one
            self._open()
            found = self._settled(self.reader.tail())
        except StoreInUse as problem:
            raise StoreCorrupt(str(problem)) from problem
        except (*TROUBLE, ValueError, StoreUnavailable) as problem:
            raise StoreUnavailable(_said(problem)) from problem
        if found != self._tail:
            self._broken = f"the journal ends at entry {found.seq} and not at {self._tail.seq}"
            if self._lease is not None:
                self._lease.release(in_order=False)  # it is for one that knows the whole journal
            raise StoreCorrupt(f"{self._broken}, which was the last one written")
        self._is_passed_over = False  # whoever brought the lock back, nobody wrote meanwhile

    def _if_unanswered(self, last: dict[str, Any]) -> Unanswered | None:
        """What is to be taken out again where nobody comes to hear of it."""
        if self._tail == BEGINNING:
            return None
        turn, left_by = (0, "") if self._lease is None else (self._lease.turn, self._lease.left_by)
        return Unanswered(self._tail, Tail(last["seq"], last["hash"]), turn, left_by)

    def _note_unanswered(self, unanswered: Unanswered, *, is_signed: bool) -> None:
        """Whoever waits for them is told that they did not happen; a server may have them all the same."""
        try:
            self._note(unanswered)
        except (OSError, ValueError) as problem:
            logger.critical("what was not answered can't be noted: %s", problem)
        if is_signed:
            self._sign()

    def _note(self, unanswered: Unanswered | None) -> None:
        """Beside the store, on disk when it returns: a kill must not make it forgotten."""
        with self._latching:
            known = self._latch.read()
            known.pop("unanswered", None)
            if unanswered is not None:
                known["unanswered"] = unanswered.as_text()
            self._latch.write(known, sync=True)
        self._unanswered = unanswered

    def _settled(self, found: Tail) -> Tail:
        """Where the journal ends once a write of unknown fate is settled: it happened nowhere.

        Its note is gone before anything is written: the same may be written again, and answered.
        """
        known = self._unanswered
        if known is None or known.after != self._tail:
            return found
        is_ours = self._lease is None or self._lease.follows(known.turn)
        if is_ours and found == known.end:
            found = self._without_unanswered(known)
        if found == self._tail:
            self._note(None)
        return found

    def _without_unanswered(self, known: Unanswered) -> Tail:
        """Take out what was committed without our hearing of it, and say where the journal ends now.

        Whoever waited for it was told that it did not happen, and it may have happened anew since. Where it
        ends with such an entry, all behind the last one that was answered are of the same write.
        """
        with self._turn, self._connection.begin():
            if self._lease is not None:
                self._lease.fence(self._connection)
                self._lease.unsettle(self._connection, known.left_by)
            guard = self._connection.scalar(GUARD) if self.place.is_file else None
            self._connection.execute(UNANSWERED if guard is None else text("DROP TRIGGER journal_no_delete"))
            for table in BEHIND:
                self._connection.execute(table.delete().where(table.c.seq > self._tail.seq))
            if guard is not None:
                self._connection.exec_driver_sql(guard)
        logger.warning("the entries behind %d, which nobody was told of, were taken out", self._tail.seq)
        return self.reader.tail()

    def _disconnect(self) -> None:
        if not (self.place.is_file or self._connection.closed):
            self._connection.invalidate()  # a server that is gone needn't be told
        self._connection.close()
        self._engine.dispose()
        self.reader.close()
        self._gate.close()
        self.outbox.close()

    def latch(self, *, stopped: str | None = None, in_memory: str | None = None) -> None:
        """Note what must outlive the process; see `Journal.latch`."""
        if self._lock.is_of_a_parent:
            return
        try:
            with self._latching:
                known = self._latch.read()
                said = {"stopped": stopped, "in_memory": in_memory}
                known.update({name: text[:LONGEST_NOTE] for name, text in said.items() if text is not None})
                self._latch.write(known, sync=True)
        except (OSError, ValueError) as problem:
            logger.critical("the latch file can't be written: %s", problem)

    def may_be_taken(self) -> bool:
        """Whether another engine may have it by now; see `Journal.may_be_taken`."""
        is_out = self._is_closed or self._is_passed_over
        return is_out or (self._lease is not None and self._lease.may_be_over)

    def latched(self) -> dict[str, str]:
        """What was noted, and what the lease says of the last holder."""
        known = {name: str(text) for name, text in self._latch.read().items() if text and name in LATCHED}
        left_by = "" if self._lease is None else self._lease.left_by
        if left_by == RESTORE:
            known["in_memory"] = "it was restored from a backup"
        elif left_by:
            known["left_by"] = left_by
        return known

    def close(self, last: Standing | None = None) -> None:
        """Keep a snapshot for a fast start, close the store, and let another process have it.

        Raises
        ------
        StoreUnavailable
            It is closed, and another file stands in its place, or none: what was written is not there.
        """
        if self._lock.is_of_a_parent:  # all of it is the parent's
            self._end()
            return
        with ExitStack() as parts:  # whatever one of them raises, the others are closed too
            parts.callback(self._lock.release)
            parts.callback(self._head.close)
            parts.callback(self._latch.close)
            if self._lease is not None:
                parts.callback(self._give_back, self._lease)
            parts.callback(self._disconnect)
            parts.callback(self._end)
            if last is not None and not self._broken and last.state.version == self._tail.seq:
                self._keep_last(last)
        if not self._is_in_its_place():
            raise StoreUnavailable(f"{self.place} is gone, or was replaced under the running engine")

    def _end(self) -> None:
        self._is_closed = True

    def _keep_last(self, last: Standing) -> None:
        try:
            with self._connection.begin():
                if self._lease is not None:
                    self._lease.fence(self._connection, self._tail.hash)
                _keep_snapshot(self._connection, last, {"seq": self._tail.seq, "hash": self._tail.hash})
        except (*TROUBLE, StoreUnavailable) as problem:
            logger.warning("no snapshot was kept: %s", _said(problem))

    def _give_back(self, lease: Lease) -> None:
        try:
            is_in_order = not (self._broken or self.latched())
        except OSError as problem:
            logger.critical("the latch file can't be read: %s", problem)
            is_in_order = False
        lease.release(in_order=is_in_order)

    def _is_in_its_place(self) -> bool:
        try:
            return _identity(self.place) == self._identity
        except OSError:
            return False

    # -- reading ------------------------------------------------------------------------------------

    def decided(self, request_id: str) -> TradeDecided | None:
        """What a request was answered; see `Journal.decided`."""
        found = self._event(self._gate.decided, self._requests, request_id)
        return found if isinstance(found, TradeDecided) else None

    def filled(self, execution_id: str) -> Filled | None:
        """What an execution id booked; see `Journal.filled`."""
        found = self._event(self._gate.filled, self._executions, execution_id)
        return found if isinstance(found, Filled) else None

    def _event(self, find: Callable[[str], Entry | None], ids: KnownIds, name: str) -> Event | None:
        if ids.is_whole and name not in ids:
            return None
        try:
            if self._broken and not self.place.is_file:  # everybody waits while a server is asked
                raise StoreUnavailable(self._broken)
            entry = find(name)
        except StoreUnavailable as problem:
            if not (self._broken or self.place.is_file):  # nobody else waits for it, and nothing is written
                logger.warning("the journal could not be read: %s", problem)
                self._broken = str(problem)
            if name in ids:
                raise AnswerUnreadable(
                    f"{name!r} was answered before, and the store that holds the answer can't be read now; "
                    "ask again with the same id"
                ) from problem
            return None
        if entry is None or entry.seq > self._tail.seq:
            return None  # what stands behind the end that is known was lost for the engine: it was told so
        return self.reader.event(entry)

    def recover(self) -> Standing | None:
        """The state at the end of the journal, None for an empty one.

        Raises
        ------
        StoreCorrupt
            The journal contradicts itself; the text names the first bad entry.
        """
        return recovered(self.reader)

    def _check_head(self) -> None:
        """Hold the journal's end against the signed head: a cut tail and a rewritten journal show here."""
        known = self._head.read()
        if known is not None:
            hold_against(known, self.reader)
        if self._head.is_of_a_copy and not self._latch.read().get("in_memory"):
            self.latch(in_memory=COPIED)  # before its end is signed anew
        self._unanswered = Unanswered.from_text(self._latch.read().get("unanswered", ""))
        if self._unanswered is not None and (known is None or known.seq <= self._unanswered.after.seq):
            # what was answered last is signed, or was noted when the next write failed
            found, self._tail = self._tail, self._unanswered.after
            self._tail = self._settled(found)
        if self._unanswered is not None:  # the journal is taken as it stands
            self._note(None)
        if self._tail not in {known, BEGINNING}:
            if self._lease is None or self._lease.is_own:
                logger.warning(
                    "the journal is signed to entry %s and ends at %d: a kill or a power cut leaves that, "
                    "else somebody added to it",
                    "none" if known is None else known.seq,
                    self._tail.seq,
                )
            self._head.write(*self._tail)
        if known is None and self._tail.seq > 0:  # with its tail cut it would look the same
            is_new = self._lease is not None and not self._lease.is_own
            self.latch(in_memory=FIRST_HERE if is_new else UNSIGNED)


class _Batch:
    """The rows of one transaction, by table."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.models: dict[str, RiskModel] = {}
        self.requests: list[dict[str, Any]] = []
        self.executions: list[dict[str, Any]] = []
        self.messages: list[dict[str, Any]] = []


def _identity(place: Place) -> tuple[int, int]:
    """What a file is told from another one by under the same name; a server's name is its own."""
    if not place.is_file:
        return 0, 0
    return identity(place.beside)


def _has_one_name(file: Path) -> None:
    """Raise where a file has a second name on its disk: under that another engine could serve it.

    A restore that was killed leaves one, which is none that anybody serves.
    """
    aside = file.parent.glob(f"{escape(file.name)}.replaced-*")
    names = file.stat().st_nlink - sum(file.samefile(other) for other in aside)
    if names > 1:
        raise StoreInUse(
            f"{file} has {names} names (hard links), and another engine could serve it under another one; "
            "remove all but one"
        )


def _said(problem: BaseException) -> str:
    """One line of what went wrong; SQL and its parameters stay out of it."""
    inner = getattr(problem, "orig", None) or problem
    return f"{type(inner).__name__}: {first_line(inner)}" if not isinstance(inner, RiskError) else str(inner)


def _keep_model(connection: Connection, digest: str, model: RiskModel) -> None:
    known = connection.execute(select(MODELS.c.digest).where(MODELS.c.digest == digest)).first()
    if known is None:
        connection.execute(insert(MODELS), {"digest": digest, "data": model_bytes(model)})


def _keep_snapshot(connection: Connection, standing: Standing, row: dict[str, Any]) -> None:
    body = snapshot_bytes(standing)
    connection.execute(SNAPSHOTS.delete().where(SNAPSHOTS.c.seq == row["seq"]))
    connection.execute(
        insert(SNAPSHOTS), {"seq": row["seq"], "body": body, "hash": snapshot_hash(body, row["hash"])}
    )
    query = select(SNAPSHOTS.c.seq).order_by(SNAPSHOTS.c.seq.desc()).offset(KEPT_SNAPSHOTS)
    old = list(connection.scalars(query))
    if old:
        connection.execute(SNAPSHOTS.delete().where(SNAPSHOTS.c.seq.in_(old)))
