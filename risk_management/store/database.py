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
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import NullPool, StaticPool

from risk_management.errors import ConfigurationError, StoreCorrupt, StoreTooNew, StoreUnavailable

__all__ = [
    "clear_errors",
    "compiled",
    "connect",
    "known_version",
    "look",
    "make_file",
    "migrate",
    "newest_version",
    "store_file",
    "store_url",
]

MIGRATIONS: Final = Path(__file__).parent / "migrations"
BUSY_MS: Final = 2000
NO_STORE: Final = ("SQLITE_NOTADB", "SQLITE_CORRUPT")


def store_url(store: str) -> URL:
    """The address of a store: a path of a SQLite file, or an address that SQLAlchemy knows.

    Raises
    ------
    ConfigurationError
    """
    if "://" not in store:
        return URL.create("sqlite", database=str(Path(store).expanduser().absolute()))
    try:
        url = make_url(store)
    except (ArgumentError, ValueError):
        raise ConfigurationError("store: not an address; write a path, or sqlite:///path") from None
    if url.get_backend_name() != "sqlite":
        raise ConfigurationError(
            f"store: {url.get_backend_name()} is not served by this version; write a path, or sqlite:///path"
        )
    return url


def store_file(store: str) -> Path:
    """The file of a SQLite store."""
    name = store_url(store).database
    if not name or Path(name).name == ":memory:":
        raise ConfigurationError("store: a durable store needs a file; leave it out to stay in memory")
    return Path(name)


@contextmanager
def clear_errors(path: Path) -> Iterator[None]:
    """Errors of the database and of the disk, as one line that names the file.

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
            raise StoreCorrupt(f"{path} can't be read: {said}; restore a backup") from None
        raise StoreUnavailable(f"{path} can't be reached: {said}; check the file and its folder") from None
    except OSError as problem:
        raise StoreUnavailable(f"{path} can't be reached: {problem.strerror}; check the folder") from None


def make_file(path: Path) -> None:
    """Make the file of a store, readable by its owner alone: what SQLite puts beside it follows it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.is_dir():
        raise StoreUnavailable(f"{path} is a folder; name a file in it")
    if path.exists() and not path.is_file():  # a device or a pipe: its rights are not ours to change
        raise StoreUnavailable(f"{path} is no file; name one")
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    path.chmod(0o600)


def look(path: Path) -> Engine:
    """For somebody who only looks: every query opens the file anew, and no byte of it or beside it changes.

    While an engine works on the store its write-ahead log stands beside it and is read too, without a right
    to write. Where there is none nobody works on it, and the file is opened as one that does not change:
    SQLite would else leave a log of its own behind. The chain of the entries shows a file that changed all
    the same.
    """

    def opened() -> sqlite3.Connection:
        in_use = path.with_name(path.name + "-wal").exists()
        way = "mode=ro" if in_use else "mode=ro&immutable=1"
        address = f"file:{quote(str(path))}?{way}"
        return sqlite3.connect(address, uri=True, timeout=BUSY_MS / 1000, check_same_thread=False)

    engine = create_engine("sqlite://", creator=opened, poolclass=NullPool, paramstyle="named")
    _prepared(engine, ["trusted_schema=OFF"], reading=True)
    return engine


def connect(store: str, *, reading: bool = False) -> Engine:
    """An engine whose every commit survives a power cut, and whose transactions take the write lock first.

    With `reading` it takes no lock, changes nothing and works beside the process that writes.
    """
    engine = create_engine(
        store_url(store),
        poolclass=StaticPool,
        connect_args={"check_same_thread": False, "timeout": 0},
        paramstyle="named",
    )
    settings = [f"busy_timeout={BUSY_MS}", "foreign_keys=ON", "trusted_schema=OFF"]
    settings += ["query_only=ON"] if reading else ["journal_mode=WAL", "synchronous=FULL"]
    _prepared(engine, settings, reading=reading)
    return engine


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


def migrate(engine: Engine) -> None:
    """Bring the tables up to date; each migration is one transaction.

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
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError:  # the version that it began with was gone when it came to write the next
            raise StoreCorrupt("the tables are not of the version that they say; restore a backup") from None


def newest_version() -> str | None:
    """The version of the tables that this package works with."""
    return _scripts().get_current_head()


def known_version(connection: Connection) -> str | None:
    """The version of the tables, None for a database without any.

    Raises
    ------
    StoreTooNew, StoreCorrupt
    """
    tables = set(inspect(connection).get_table_names())
    if not tables:
        return None
    if "alembic_version" not in tables:
        raise StoreCorrupt("the database belongs to something else; name another file")
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
