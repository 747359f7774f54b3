"""Connections to the store, and its tables brought up to date."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import ClauseElement, Connection, Dialect, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool, StaticPool

from risk_management.errors import ConfigurationError, StoreCorrupt, StoreTooNew, StoreUnavailable
from risk_management.store.place import Place, place_of
from risk_management.store.schema import LEASE

__all__ = [
    "PATIENCE",
    "QUICK",
    "by_driver",
    "clear_errors",
    "compiled",
    "connect",
    "first_line",
    "is_there",
    "known_version",
    "look",
    "migrate",
    "newest_version",
    "writer",
]

MIGRATIONS: Final = Path(__file__).parent / "migrations"
BUSY_MS: Final = 2000
NO_STORE: Final = ("SQLITE_NOTADB", "SQLITE_CORRUPT")
PATIENCE: Final = 2.0
"""Seconds for a transaction of an engine on a server: bots wait behind it."""
QUICK: Final = 0.5
"""For a look that stands before every decision or request."""
ADVICE: Final = {
    "password": "set PGPASSWORD, or write the password into ~/.pgpass",
    "permission denied": "let its user own the database: ALTER DATABASE ... OWNER TO ...",
    "no schema has been selected": "let its user own the database: ALTER DATABASE ... OWNER TO ...",
    "read-only": "name the server that can be written, the primary",
    "slots are reserved": "end other clients of the server, or raise its max_connections",
    "too many": "end other clients, or raise the limit (of the server, the role or the database)",
    "not currently accepting": "ALTER DATABASE ... ALLOW_CONNECTIONS true",
    "does not exist": "make it: createdb --owner USER NAME",
}
"""What to do, by words of what a server says."""
MIGRATING: Final = 0x7269736B
"""Name of the lock under which the tables are made."""


@contextmanager
def by_driver(engine: Engine) -> Iterator[None]:
    """For asking the driver itself: its errors come as SQLAlchemy's, whichever database it is."""
    try:
        yield
    except engine.dialect.loaded_dbapi.Error as problem:
        raise DBAPIError(None, None, problem) from problem


@contextmanager
def clear_errors(place: Place | Path) -> Iterator[None]:
    """Errors of the database and of the disk, as one line that names the store.

    Raises
    ------
    StoreCorrupt
        It is no database, or a damaged one.
    StoreUnavailable
        It can't be reached.
    """
    try:
        yield
    except (DBAPIError, sqlite3.Error) as problem:
        said = getattr(problem, "orig", None) or problem  # SQL and its parameters stay out of the text
        if str(getattr(said, "sqlite_errorname", "")).startswith(NO_STORE):
            remedy = "name the store where this is none, or restore a backup"
            raise StoreCorrupt(f"{place} can't be read: {said}; {remedy}") from None
        raise StoreUnavailable(f"{place} can't be used: {first_line(said)}; {_advice(said)}") from None
    except OSError as problem:
        raise StoreUnavailable(f"{place} can't be reached: {problem.strerror}; check the folder") from None


def _advice(said: object) -> str:
    if isinstance(said, sqlite3.Error):
        return "check the file and its folder"
    text = str(said)
    return next((what for words, what in ADVICE.items() if words in text), "check the server and the address")


def first_line(problem: object) -> str:
    """The first line of what a database says; the others hold the statement and its values."""
    return next(iter(str(problem).splitlines()), type(problem).__name__)


def make_file(path: Path) -> None:
    """Make a SQLite file, readable by its owner alone: what SQLite puts beside it follows it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.is_dir():
        raise StoreUnavailable(f"{path} is a folder; name a file in it")
    if path.exists() and not path.is_file():  # a device or a pipe: its rights are not ours to change
        raise StoreUnavailable(f"{path} is no file; name one")
    if not path.exists():  # to close one that SQLite has open in this process would end its locks
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    path.chmod(0o600)


def look(place: Place) -> Engine:
    """For somebody who only looks: every query opens the store anew, and no byte of it or beside it changes.

    While an engine works on a SQLite file its write-ahead log stands beside it and is read too, without a
    right to write. Where there is none nobody works on it, and the file is opened as one that does not
    change: SQLite would else leave a log of its own behind. The chain of the entries shows a file that
    changed all the same.
    """
    if not place.is_file:
        return _server(place, reading=True, patience=None)
    path = place.beside

    def opened() -> sqlite3.Connection:
        in_use = path.with_name(path.name + "-wal").exists()
        way = "mode=ro" if in_use else "mode=ro&immutable=1"
        address = f"file:{quote(str(path))}?{way}"
        return sqlite3.connect(address, uri=True, timeout=BUSY_MS / 1000, check_same_thread=False)

    engine = create_engine("sqlite://", creator=opened, poolclass=NullPool, paramstyle="named")
    _prepared(engine, ["trusted_schema=OFF"], reading=True)
    return engine


def connect(store: str, *, reading: bool = False, patience: float = PATIENCE, alone: bool = False) -> Engine:
    """An engine whose every commit survives a power cut; in a file its transactions take the lock first.

    With `reading` it takes no lock, changes nothing and works beside the process that writes. A server is
    waited for as many seconds as `patience`, from the beginning of a transaction to its end; with `alone`
    every question stands for itself, and takes one way to the server and back.
    """
    place = place_of(store)
    if not place.is_file:
        return _server(place, reading=reading, patience=patience, alone=alone)
    engine = create_engine(
        place.url,
        poolclass=StaticPool,
        connect_args={"check_same_thread": False, "timeout": 0},
        paramstyle="named",
    )
    settings = [f"busy_timeout={BUSY_MS}", "foreign_keys=ON", "trusted_schema=OFF"]
    settings += ["query_only=ON"] if reading else ["journal_mode=WAL", "synchronous=FULL"]
    _prepared(engine, settings, reading=reading)
    return engine


def _server(place: Place, *, reading: bool, patience: float | None, alone: bool = False) -> Engine:
    try:
        from risk_management.store.postgres import server_engine  # noqa: PLC0415 - its driver is an extra
    except ImportError:
        raise ConfigurationError(
            "store: PostgreSQL needs an extra: pip install 'risk-management[postgres]'"
        ) from None
    return server_engine(place, reading=reading, patience=patience, alone=alone)


def writer(place: Place, patience: float | None = None) -> Engine:
    """For acts on a server beside the engine: each opens a connection of its own, or all keep one."""
    return _server(place, reading=False, patience=patience)


def is_there(place: Place) -> bool:
    """Whether the file exists, or the database has tables of ours.

    Raises
    ------
    StoreUnavailable
        The server does not answer.
    """
    if place.is_file:
        return place.beside.is_file()
    engine = look(place)
    with clear_errors(place), engine.connect() as connection:
        return inspect(connection).has_table("alembic_version")


@cache
def _text_of(statement: ClauseElement, dialect: Dialect) -> str:
    return str(statement.compile(dialect=dialect))


def compiled(statement: ClauseElement, engine: Engine) -> str:
    """A statement in the database's own words, made once; its parameters are named."""
    return _text_of(statement, engine.dialect)


def _prepared(engine: Engine, settings: Sequence[str], *, reading: bool) -> None:
    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # transactions are begun below, never by the driver
        if reading:  # what is no text is read as another one: the chain says then which entry it stands in
            connection.text_factory = _as_text
        for pragma in settings:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _as_text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def migrate(engine: Engine, place: Place | None = None) -> None:
    """Bring the tables up to date; each migration is one transaction.

    Those of a server (`place`) go through a connection of their own, which may take longer than bots wait.

    Raises
    ------
    StoreTooNew
        The tables come from a newer version.
    StoreCorrupt
        It is a database of something else, or no database.
    """
    with engine.connect() as connection:
        known = known_version(connection)
    if known == newest_version():
        return
    config = _alembic()
    if place is not None and not place.is_file:
        engine = writer(place)
    with engine.connect() as connection, _alone(connection):
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError:  # the version that it began with was gone when it came to write the next
            raise StoreCorrupt("the tables are not of the version that they say; restore a backup") from None


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """In a file the write lock keeps others out; on a server this does, for two that start at once."""
    if connection.dialect.name == "sqlite":
        yield
        return
    connection.execute(text("SELECT pg_advisory_lock(:name)"), {"name": MIGRATING})
    connection.commit()
    try:
        yield
    finally:
        connection.execute(text("SELECT pg_advisory_unlock(:name)"), {"name": MIGRATING})
        connection.commit()


def newest_version() -> str | None:
    """The version of the tables that this package works with."""
    return _scripts().get_current_head()


def known_version(connection: Connection) -> str | None:
    """The version of the tables, None for a database without any.

    Raises
    ------
    StoreTooNew, StoreCorrupt
    """
    tables = set(inspect(connection).get_table_names()) - {LEASE.name}  # it stands before all others
    if not tables:
        return None
    if "alembic_version" not in tables:
        name = connection.engine.url.database or ""
        raise StoreCorrupt(f"the database {name} belongs to something else; name another".replace("  ", " "))
    row = connection.execute(text("SELECT version_num FROM alembic_version")).first()
    revision: str | None = None if row is None else row[0]
    try:
        if revision is not None:
            _scripts().get_revision(revision)
    except CommandError:
        raise StoreTooNew(
            f"the store has tables of version {revision}, made by a newer version of this package; install it"
        ) from None
    return revision


@cache
def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_alembic())


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config
