"""What ``risk doctor`` looks at in and around a store. It changes nothing there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import func, select, text

from risk_management.cli._findings import Found, failed, fine, warning
from risk_management.errors import StoreError, StoreUnavailable
from risk_management.store.database import clear_errors, is_there, known_version, look
from risk_management.store.head import signed_head
from risk_management.store.lease import holder_of
from risk_management.store.lock import holder
from risk_management.store.place import Place, place_of
from risk_management.store.reader import BEGINNING, StoreReader
from risk_management.store.schema import TOKENS
from risk_management.store.verify import elsewhere

__all__ = ["last_quote", "of_files", "of_store", "worker_of"]

OTHERS: Final = 0o077
WRITABLE_BY_OTHERS: Final = 0o022
LITTLE: Final = 10**9
TOO_LITTLE: Final = 10**8
BESIDE: Final = ("", ".key", ".head")
RIGHTS: Final = text(
    "SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false), pg_is_in_recovery()"
)
DURABLE: Final = ("fsync", "full_page_writes")


def of_store(store: str) -> Iterator[Found]:
    """The file, its end, who works on it, the disk and the tokens."""
    place = place_of(store)
    yield from _disk(place.beside)
    try:
        if not is_there(place):
            makes = "'risk serve' or 'risk import' makes it" if place.is_file else "'risk serve' makes it"
            if place.is_file or (found := _empty_database(place)) is None:
                found = warning("store", f"there is none at {place} yet", makes)
            yield found
            return
        yield from of_files([place.with_end(end) for end in BESIDE], "store", OTHERS)
        worker = worker_of(store)
        yield fine("store", f"{worker} works on it" if worker else "no process works on it")
        with StoreReader.of_store(store) as reader:
            if not place.is_file:
                yield from _server(reader)
            yield _end(reader, place)
            yield _tokens(reader)
    except StoreUnavailable as problem:
        yield failed("store", str(problem), "the text says what to do; what is stored was not looked at")
    except StoreError as problem:
        yield failed("store", str(problem), "restore a backup (risk restore), or start the engine on it once")


def worker_of(store: str) -> str | None:
    """The process that works on a store, as its lock or lease names it; None where none does.

    Raises
    ------
    StoreUnavailable
        The lock or the server can't be read.
    """
    place = place_of(store)
    return holder(place) if place.is_file else holder_of(place)


def last_quote(store: str) -> datetime | None:
    """When the newest prices of a store came; None without any."""
    try:
        if not is_there(place_of(store)):
            return None
        with StoreReader.of_store(store) as reader:
            found = reader.newest(1, kind="QuotesReceived")
    except StoreError:  # told already
        return None
    return datetime.fromisoformat(found[0].at) if found else None


def of_files(paths: list[Path], area: str, mask: int = WRITABLE_BY_OTHERS) -> Iterator[Found]:
    """Files that others may read or change although they should not."""
    for path in paths:
        if not path.is_file():
            continue
        mode = path.stat().st_mode & 0o777
        if mode & mask:
            may = "change" if mode & WRITABLE_BY_OTHERS else "read"
            yield failed(area, f"others may {may} {path} ({mode:03o})", f"chmod 600 {path}")


def _empty_database(place: Place) -> Found | None:
    """Why no store can be made in a database; None where it can."""
    with clear_errors(place), look(place).connect() as connection:
        known_version(connection)
        may, is_copy = connection.execute(RIGHTS).one()
    if is_copy:
        return failed("store", f"{place} is a copy that follows another server", "name the primary server")
    if not may:
        said = f"its user may make no tables in {place}"
        return failed("store", said, "let its user own the database: ALTER DATABASE ... OWNER TO ...")
    return None


def _server(reader: StoreReader) -> Iterator[Found]:
    number = reader.rows(text("SHOW server_version"))[0][0]
    unsafe = [name for name in DURABLE if reader.rows(text(f"SHOW {name}"))[0][0] != "on"]
    if unsafe:
        said = f"PostgreSQL {number} runs without {', '.join(unsafe)}: a power cut may lose what was answered"
        yield failed("store", said, "set it on in postgresql.conf and restart the server")
    else:
        yield fine("store", f"PostgreSQL {number}, {' and '.join(DURABLE)} on")


def _end(reader: StoreReader, place: Place) -> Found:
    tail = reader.tail()
    if tail == BEGINNING:
        return fine("store", f"{place} is empty")
    if note := elsewhere(reader):
        return warning("store", f"{place}: {tail.seq + 1:,} entries; {note}", "look there")
    head = signed_head(place)
    if head.seq > tail.seq or reader.hash_of(head.seq) != head.hash:
        return failed(
            "store",
            f"its end is not the one that was signed (entry {head.seq})",
            "risk audit verify names the first bad entry; risk restore puts a backup back",
        )
    return fine("store", f"{place}: {tail.seq + 1:,} entries, signed to entry {head.seq:,}")


def _tokens(reader: StoreReader) -> Found:
    query = select(func.count()).select_from(TOKENS).where(TOKENS.c.revoked_at.is_(None))
    count = int(reader.rows(query)[0][0])
    if count == 0:
        return warning("tokens", "there is none: nobody can ask the service", "risk token create --bot NAME")
    return fine("tokens", f"{count} in use")


def _disk(path: Path) -> Iterator[Found]:
    folder = next((one for one in path.parents if one.is_dir()), None)
    if folder is None:
        return
    free = shutil.disk_usage(folder).free
    said = f"{free / 1e9:,.1f} GB free under {folder}"
    if free < TOO_LITTLE:
        yield failed("disk", said, "make room: without a disk nothing opens")
    elif free < LITTLE:
        yield warning("disk", said, "make room")
    else:
        yield fine("disk", said)
