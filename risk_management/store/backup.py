"""A copy of a store that may be in use, and the way back. A copy is a store like any other."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from risk_management.errors import StoreCorrupt, StoreError, StoreUnavailable
from risk_management.model.events import HoldReleased, HoldSet
from risk_management.model.portfolio import Hold, Scope, TradingMode
from risk_management.store.database import clear_errors, connect, is_there, make_file, migrate, writer
from risk_management.store.head import SignedHead, signed_head
from risk_management.store.lease import RESTORE, Lease, name_of_latch
from risk_management.store.lock import StoreLock
from risk_management.store.place import Place, place_of
from risk_management.store.reader import BEGINNING, StoreReader, Tail
from risk_management.store.small_file import LONGEST_NOTE, SmallFile
from risk_management.store.transfer import transfer
from risk_management.store.verify import Verdict, elsewhere, verify

__all__ = ["back_up", "restore"]

SIGNED: Final = (".head", ".key")
LOG: Final = ("-wal", "-shm")
OF_A_STORE: Final = ("", *LOG, *SIGNED)
RESTORING: Final = ".restoring"


def back_up(store: str, file: Path) -> Verdict:
    """Copy a store into a file, also while an engine works on it, and look through the copy.

    Beside `file` stand its ``.head`` and ``.key``. The copy is signed where the store was; a store that is
    not what was written gives a copy that is not either, and its verdict says so. On a machine that was not
    the last to serve a database it is signed as it was found, and the verdict's note says that.

    Parameters
    ----------
    store : str
        Path or address of the store.
    file : Path
        Where to; nothing is overwritten.

    Raises
    ------
    StoreUnavailable, StoreCorrupt, StoreTooNew
        Nothing was left behind.

    Notes
    -----
    Killed on the way, it leaves a folder ``<file>.making-...`` that nobody takes for a store.
    """
    with StoreReader.of_store(store) as reader, clear_errors(file), _made_whole(file) as made:
        place, has_key = reader.place, reader.place.with_end(".key").exists()
        note = elsewhere(reader)
        if not (has_key or note):
            raise StoreUnavailable(f"the key of {place} is missing: put your copy of it back")
        if place.is_file:
            _copy(place.beside, made)
        else:
            _copy_rows(reader, made)
        if has_key:
            _carry(place.beside, made, ".key")
        with StoreReader.of_store(str(made)) as copy:
            _sign(copy, copy.tail() if note else _signed_end(reader, copy.tail()))
            return replace(verify(copy), note=note)


def restore(file: Path, store: str, *, force: bool = False) -> Path | None:
    """Put a backup in the place of a store, after it was looked through; a database has to be empty.

    The engine that takes it up next only closes until its positions were compared with the broker: what
    happened after the backup is not in it. A stop of the old book holds on.

    Parameters
    ----------
    file : Path
        A backup with its ``.head`` and ``.key``.
    store : str
        Path or address of the store.
    force : bool
        A store that stands there is kept under another name; without it that is refused.

    Returns
    -------
    Path or None
        Where the old store is now.

    Raises
    ------
    StoreInUse, StoreUnavailable, StoreCorrupt, StoreTooNew
        The old store is as it was.

    Notes
    -----
    Killed on the way, it leaves the old store, or one that refuses to start until this is done again.
    """
    place = place_of(store)
    if not file.is_file():
        raise StoreUnavailable(f"there is no backup at {file}; name its file")
    lock = StoreLock(place)
    with ExitStack() as after, clear_errors(place):
        after.callback(lock.release)
        if place.is_file:
            return _into_file(file, place.beside, force=force)
        _into_database(file, place, store)
        return None


def _into_file(file: Path, place: Path, *, force: bool) -> Path | None:
    if place.exists() and not force:
        raise StoreUnavailable(f"{place} exists; with --force it is kept under another name")
    fresh = _with(place, RESTORING)
    with _staged(file, fresh) as last:
        stops = _stops(place)
        aside = _kept_aside(place)
        _note(place, f"restored from a backup that ends at entry {last}", stops)
        for end in SIGNED:  # first: until its journal is there too, a start is refused
            _with(fresh, end).replace(_with(place, end))
        for end in LOG:  # beside another file it would be taken for that one's
            _with(place, end).unlink(missing_ok=True)
        fresh.replace(place)
        _sync_folder(place)
    return aside


def _into_database(file: Path, place: Place, store: str) -> None:
    with ExitStack() as after:
        if is_there(place):
            _is_empty(place, store)  # before the lease is taken: of a book nothing changes
        with closing(SmallFile(place.with_end(".latch"))) as latch:
            lease = Lease(place, name_of_latch(latch), RESTORE)
        after.callback(lease.release)
        engine = writer(place)  # all rows in one transaction: it takes as long as it takes
        after.callback(engine.dispose)
        migrate(engine)
        _is_empty(place, store)
        fresh = place.with_end(RESTORING)
        after.enter_context(_staged(file, fresh))
        with StoreReader.of_store(str(fresh)) as reader, engine.begin() as connection:
            lease.fence(connection)
            transfer(reader, connection)
            for end in SIGNED:  # before its journal is there for others: until then a start is refused
                _with(fresh, end).replace(place.with_end(end))
        lease.release(in_order=False)  # whoever serves next is to learn of it, on any machine


def _is_empty(place: Place, store: str) -> None:
    with StoreReader.of_store(store) as there:
        if there.tail() != BEGINNING:
            raise StoreUnavailable(f"{place} holds a book already; name an empty database")


@contextmanager
def _staged(file: Path, fresh: Path) -> Iterator[int]:
    """A backup copied to where it is restored from, and looked through: its last entry. Nothing stays."""
    _remove(fresh)
    try:
        yield _looked_through(file, fresh)
    finally:
        _remove(fresh)


def _looked_through(file: Path, fresh: Path) -> int:
    """The last entry of a backup's copy, brought up to date; StoreCorrupt where it is not whole."""
    for end in SIGNED:
        if not _with(file, end).is_file():
            raise StoreUnavailable(f"{_with(file, end)} is missing: keep a backup's three files together")
    with clear_errors(file):
        _copy(file, fresh)
        for end in SIGNED:
            _carry(file, fresh, end)
        engine = connect(str(fresh))
        migrate(engine)
        engine.dispose()
        with StoreReader.of_store(str(fresh)) as reader:
            verdict = verify(reader)
    if not verdict.is_clean:
        raise StoreCorrupt(f"{file} is not what was written and was not restored: {verdict.problems[0]}")
    return verdict.entries - 1


def _sign(copy: StoreReader, end: Tail) -> None:
    if end != BEGINNING:
        with closing(SignedHead(copy.place)) as signed:
            signed.write(*end, is_copy=True)


def _signed_end(reader: StoreReader, tail: Tail) -> Tail:
    """The copy's own end where the store's signature covers it; else that signature's, as it is."""
    if tail == BEGINNING:
        return tail
    head = signed_head(reader.place)
    covers = head.seq >= tail.seq and reader.hash_of(head.seq) == head.hash
    return tail if covers and reader.hash_of(tail.seq) == tail.hash else head


def _copy(source: Path, target: Path) -> None:
    """All pages as they stand at one moment, on disk when it returns."""
    make_file(target)
    address = f"{source.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)
        new.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
    with target.open("rb+") as written:
        os.fsync(written.fileno())


def _copy_rows(reader: StoreReader, target: Path) -> None:
    """All rows of a database as they stand at one moment, in a file."""
    make_file(target)
    engine = connect(str(target))
    migrate(engine)
    with engine.begin() as connection:
        transfer(reader, connection)
    engine.dispose()
    with closing(sqlite3.connect(target)) as made:
        made.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
    with target.open("rb+") as written:
        os.fsync(written.fileno())


def _carry(source: Path, target: Path, end: str) -> None:
    number = os.open(_with(target, end), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(number, "wb") as written:
        written.write(_with(source, end).read_bytes())
        written.flush()
        os.fsync(written.fileno())


@contextmanager
def _made_whole(file: Path) -> Iterator[Path]:
    """Where a copy is made that takes its name when it is whole: without its end an engine is refused."""
    _name_is_free(file)
    file.absolute().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f"{file.name}.making-", dir=file.absolute().parent) as folder:
        made = Path(folder, file.name)
        yield made
        _name_is_free(file)
        for end in (*SIGNED, ""):
            if _with(made, end).exists():  # an empty book has no signed end
                _with(made, end).rename(_with(file, end))
        _sync_folder(file)


def _name_is_free(file: Path) -> None:
    for end in OF_A_STORE:
        if _with(file, end).exists():
            raise StoreUnavailable(f"{_with(file, end)} exists; name another file")


def _kept_aside(place: Path) -> Path | None:
    """A second name for every file of a store that is about to be replaced."""
    if not place.exists():
        return None
    number = 1
    while (aside := place.with_name(f"{place.name}.replaced-{number}")).exists():
        number += 1
    for end in OF_A_STORE:
        if _with(place, end).exists():
            os.link(_with(place, end), _with(aside, end))
    _sync_folder(place)
    return aside


def _stops(place: Path) -> str:
    """Who stopped the old book: a stop holds over a restore, although the backup may not know of it."""
    if not place.exists():
        return ""
    stops: dict[tuple[Scope, str, str], Hold] = {}
    try:
        with StoreReader.of_store(str(place)) as reader:
            for event in map(reader.event, reader.of_kinds("HoldSet", "HoldReleased")):
                if isinstance(event, HoldSet):
                    stops[event.hold.key] = event.hold
                elif isinstance(event, HoldReleased):
                    stops.pop((event.scope, event.name, event.cause), None)
    except StoreError as problem:
        return f"the store that was replaced could not be read: {problem}"
    halted = [hold for hold in stops.values() if hold.mode is TradingMode.HALTED]
    return "; ".join(f"{hold.actor}: {hold.reason}" for hold in halted if hold.scope is Scope.PORTFOLIO)


def _note(place: Path, text: str, stops: str) -> None:
    """Let the next start compare positions before it opens any: see `taking_up`."""
    with closing(SmallFile(_with(place, ".latch"))) as latch:
        known = latch.read()
        if stops:
            known["stopped"] = stops[:LONGEST_NOTE]
        latch.write({**known, "in_memory": text}, sync=True)


def _remove(file: Path) -> None:
    for end in OF_A_STORE:
        _with(file, end).unlink(missing_ok=True)


def _with(file: Path, end: str) -> Path:
    return file.with_name(file.name + end)


def _sync_folder(file: Path) -> None:
    number = os.open(file.absolute().parent, os.O_RDONLY)
    os.fsync(number)
    os.close(number)
