"""One engine serves one database, on whatever machine: the right to write it, for seconds at a time."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import time
from contextlib import ExitStack
from datetime import datetime
from threading import Event, Lock, Thread
from typing import Any, Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from risk_management.errors import StoreInUse, StoreTaken, StoreUnavailable
from risk_management.store.chain import START
from risk_management.store.database import clear_errors, first_line, known_version, look, writer
from risk_management.store.place import Place
from risk_management.store.reader import StoreReader
from risk_management.store.schema import LEASE
from risk_management.store.small_file import SmallFile

__all__ = ["RESTORE", "Lease", "holder_of", "latch_of", "name_of_latch"]

logger = logging.getLogger(__name__)

SECONDS: Final = 10.0
"""For how long the right is given."""
RENEWED_EVERY: Final = 3.0
LOOK_EVERY: Final = 0.25
TICKS: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Goes on while the machine sleeps, where there is such a clock."""

RESTORE: Final = "a restore of a backup"
"""A holder that is no engine: whoever serves next only closes, or is refused where it was not finished."""
PATIENCE: Final = 8.0
"""Seconds for one act: a taker waits for the end of what a frozen writer has begun."""
PATIENCE_AT_END: Final = 2.0
FIRST: Final = text("INSERT INTO lease VALUES (1, '', 0, to_timestamp(0), '', '', 0) ON CONFLICT DO NOTHING")
LOCKED: Final = text("SELECT holder, process, latch FROM lease WHERE id = 1 FOR UPDATE")
TAKE: Final = text(
    "UPDATE lease SET holder = :holder, process = :process, epoch = epoch + 1, latch = :latch, "
    "since = CASE WHEN :is_own THEN since ELSE epoch + 1 END, "
    "expires = clock_timestamp() + make_interval(secs => :seconds) "
    "WHERE id = 1 AND (expires < clock_timestamp() OR process = :process) RETURNING epoch, since"
)
RENEW: Final = text(
    "UPDATE lease SET expires = clock_timestamp() + make_interval(secs => :seconds) "
    "WHERE id = 1 AND epoch = :mine AND process = :process"
)
SETTLE: Final = text("UPDATE lease SET latch = :latch WHERE id = 1")
GIVE_BACK: Final = text(
    "UPDATE lease SET expires = to_timestamp(0), holder = CASE WHEN :in_order THEN '' ELSE :left_by END "
    "WHERE id = 1 AND epoch = :mine AND process = :process"
)
SEEN: Final = text(
    "SELECT holder, epoch, expires, expires > clock_timestamp() AS holds FROM lease WHERE id = 1"
)
HELD: Final = text(
    "SELECT holder, process, epoch, expires > clock_timestamp() AS holds, "
    "(SELECT hash FROM journal ORDER BY seq DESC LIMIT 1) AS ending "
    "FROM lease WHERE id = 1 FOR SHARE OF lease"
)


class Lease:
    """Holds the right to write a PostgreSQL store until it is released; renewed beside the engine.

    Parameters
    ----------
    place : Place
    latch : str
        Names the latch file of this machine.
    holder : str, optional
        How it is called; by default by its process and machine.

    Raises
    ------
    StoreInUse
        Another engine holds it and lives.
    StoreUnavailable, StoreCorrupt, StoreTooNew

    Notes
    -----
    A lease alone is decoration: its holder may be frozen past its end and write on when it wakes. So every
    write looks at it in its own transaction (`fence`), under a lock that a taker waits for. What is done
    without the database looks at this machine's clock (`may_be_over`): it counts from before the database
    was asked, and so is never later than the database's own.
    """

    def __init__(self, place: Place, latch: str, holder: str = "") -> None:
        self._place, self._latch = place, latch
        self._engine = writer(place, PATIENCE)
        self.left_by = ""
        """Who had it last, under another latch file, and did not give it back; empty once that is settled."""
        self.is_own = False
        """Whether the last holder wrote the files that stand beside this engine."""
        self._since = 0
        self._process = secrets.token_hex(8)
        self._turn = Lock()
        self._sure_until = 0.0
        self._holder = holder or f"process {os.getpid()} on {socket.gethostname()}"
        self._epoch = -1
        self._ended = Event()
        with ExitStack() as failed:
            failed.callback(self._engine.dispose)
            with clear_errors(place), self._engine.begin() as connection:
                known_version(connection)  # before anything is written: it may be a database of others
            self.take()
            failed.pop_all()
        self._thread = Thread(target=self._renewing, name="store lease", daemon=True)
        self._thread.start()

    def take(self) -> None:
        """Take it, or take it anew: of all that was written under the last turn the fate is known then.

        A holder that renews it lives and is left alone; one that does not is waited for until its time is
        over.

        Raises
        ------
        StoreInUse, StoreUnavailable
        """
        if self._ended.is_set():
            raise StoreInUse(f"{self._place} was given up by this engine: end it")
        holder, known = "another engine", None
        for _ in range(int(SECONDS / LOOK_EVERY) + 2):
            held = self._tried()
            if held is None:
                return
            holder, *turn = held
            if known not in (None, turn):
                break
            if known is None:
                logger.warning("%s has %s: waiting for %.0f s whether it lives", holder, self._place, SECONDS)
            known = turn
            self._ended.wait(LOOK_EVERY)
        raise StoreInUse(f"{self._place} is served by {holder} already; stop it first, or ask it over HTTP")

    def _tried(self) -> tuple[str, int, datetime] | None:
        """Take it if it is free; else who holds it, since which turn and until when."""
        values: dict[str, Any] = {"holder": self._holder, "seconds": SECONDS, "process": self._process}
        with clear_errors(self._place), self._turn, self._engine.begin() as connection:
            LEASE.create(connection, checkfirst=True)
            connection.execute(FIRST)
            before = connection.execute(LOCKED).one()  # it may have to wait for a frozen writer, so first
            asked, is_new = _now(), before.process != self._process
            if is_new and before.process and self._epoch >= 0:  # it was ours, and another had a turn since
                raise StoreInUse(self._passed_over(before.holder or "another engine"))
            is_own = before.latch == self._latch if is_new else self.is_own
            is_left = not is_own or before.holder == RESTORE
            left_by = (before.holder if is_left else "") if is_new else self.left_by
            theirs = "" if left_by == RESTORE else before.latch  # that one is nobody's until it is settled
            values |= {"latch": theirs if left_by else self._latch, "is_own": is_own or not is_new}
            taken = connection.execute(TAKE, values).first()
            if taken is None:
                row = connection.execute(SEEN).one()
                return row.holder, row.epoch, row.expires
        self._epoch, self._since = taken
        self.is_own, self.left_by, self._sure_until = is_own, left_by, asked + SECONDS
        return None

    @property
    def turn(self) -> int:
        """Number of the present turn."""
        return self._epoch

    def follows(self, turn: int) -> bool:
        """Whether no other machine had it since an earlier turn, which was this machine's."""
        return turn >= self._since

    def settle(self, connection: Connection) -> None:
        """Note, in the transaction that says what `left_by` means, that this latch file is the one now."""
        connection.execute(SETTLE, {"latch": self._latch})

    def unsettle(self, connection: Connection, left_by: str) -> None:
        """Take back what `settle` noted: the transaction that said it is taken out."""
        self.left_by = left_by
        if left_by:
            connection.execute(SETTLE, {"latch": ""})

    @property
    def may_be_over(self) -> bool:
        """Whether another engine may have taken it by now, as far as can be told without the database."""
        return _now() > self._sure_until

    def fence(self, connection: Connection, ending: bytes | None = None) -> None:
        """Let a transaction go on only while the lease is held; nobody takes it before that one has ended.

        Parameters
        ----------
        connection : Connection
        ending : bytes, optional
            Hash of the last entry that the journal must have.

        Raises
        ------
        StoreTaken
            Another engine has it.
        StoreUnavailable
            Its time was over, it can be taken anew; or the journal ends elsewhere.
        """
        row = connection.execute(HELD).first()
        if row is None or (row.epoch, row.process) != (self._epoch, self._process):
            said = "another engine" if row is None or not row.holder else row.holder
            raise StoreTaken(self._passed_over(said))
        if not row.holds:
            said = "this process, or the server, stood still"
            raise StoreUnavailable(f"the lease of {self._place} ran out: {said}")
        if ending is not None and bytes(row.ending or START) != ending:
            raise StoreUnavailable(f"the journal of {self._place} was replaced under the running engine")

    def release(self, *, in_order: bool = True) -> None:
        """Give it back, so that another needn't wait; a second call changes nothing.

        Without `in_order`, or where what another machine left was not settled, the next holder on another
        machine still learns of it.
        """
        if self._ended.is_set():
            return
        self._ended.set()
        self._thread.join(PATIENCE_AT_END)
        if not (self._thread.is_alive() or self.may_be_over):  # else it runs out by itself, or has
            self._give_back(in_order=in_order and not self.left_by)
        self._engine.dispose()

    def _give_back(self, *, in_order: bool) -> None:
        left_by = self.left_by or self._holder  # who could not settle it leaves it as it was
        values = {"mine": self._epoch, "process": self._process, "in_order": in_order, "left_by": left_by}
        try:
            with self._turn, self._engine.begin() as connection:
                connection.execute(GIVE_BACK, values)
        except SQLAlchemyError as problem:
            logger.warning("the lease could not be given back: %s", first_line(problem))

    def _renewing(self) -> None:
        while not self._ended.wait(RENEWED_EVERY):
            try:
                with self._turn:
                    self._renew()
            except SQLAlchemyError as problem:
                logger.warning("the lease was not renewed: %s", first_line(problem))

    def _renew(self) -> None:
        values = {"seconds": SECONDS, "mine": self._epoch, "process": self._process}
        asked = _now()
        with self._engine.begin() as connection:
            done = connection.execute(RENEW, values)
        if done.rowcount:
            self._sure_until = asked + SECONDS
        elif self._sure_until > 0.0:
            self._sure_until = 0.0
            logger.critical("%s", self._passed_over("another engine"))

    def _passed_over(self, holder: str) -> str:
        return f"{holder} has taken {self._place} over: end this engine"


def _now() -> float:
    return time.clock_gettime(TICKS)


def name_of_latch(latch: SmallFile) -> str:
    """Tells a latch file from those of other machines; made once."""
    known = latch.read()
    if not known.get("name"):
        known["name"] = secrets.token_hex(8)
        latch.write(known, sync=True)
    return str(known["name"])


def holder_of(place: Place) -> str | None:
    """Who holds the lease of a database now, None where nobody does.

    Raises
    ------
    StoreUnavailable
    """
    with clear_errors(place), look(place).connect() as connection:
        if not connection.dialect.has_table(connection, LEASE.name):
            return None
        row = connection.execute(SEEN).first()
    return row.holder if row is not None and row.holds else None


def latch_of(reader: StoreReader) -> str:
    """Name of the latch file of whoever served a database last, empty where that is not known."""
    found = reader.rows(text("SELECT latch FROM lease WHERE id = 1"))
    return found[0][0] if found else ""
