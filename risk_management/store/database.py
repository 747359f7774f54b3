"""Connections to the store, and its tables brought up to date."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import StaticPool

from risk_management.errors import ConfigurationError, StoreCorrupt, StoreTooNew

__all__ = ["connect", "migrate", "store_file", "store_url"]

MIGRATIONS: Final = Path(__file__).parent / "migrations"
BUSY_MS: Final = 2000


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
    except ArgumentError:
        raise ConfigurationError("store: not an address; write a path, or sqlite:///path") from None
    if url.get_backend_name() != "sqlite":
        raise ConfigurationError(
            f"store: {url.get_backend_name()} is not served by this version; write a path, or sqlite:///path"
        )
    return url


def store_file(store: str) -> Path:
    """The file of a SQLite store."""
    name = store_url(store).database
    if not name or name == ":memory:":
        raise ConfigurationError("store: a durable store needs a file; leave it out to stay in memory")
    return Path(name)


def connect(store: str) -> Engine:
    """An engine whose every commit survives a power cut, and whose transactions take the write lock first."""
    engine = create_engine(
        store_url(store), poolclass=StaticPool, connect_args={"check_same_thread": False, "timeout": 0}
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # transactions are begun below, never by the driver
        for pragma in (
            f"busy_timeout={BUSY_MS}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "trusted_schema=OFF",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def migrate(engine: Engine) -> None:
    """Bring the tables up to date; each migration is one transaction.

    Raises
    ------
    StoreTooNew
        The tables come from a newer version.
    StoreCorrupt
        It is a database of something else, or no database.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    try:
        with engine.connect() as connection:
            tables = set(inspect(connection).get_table_names())
            if tables and "alembic_version" not in tables:
                raise StoreCorrupt("the database belongs to something else; name another file")
            if tables:
                row = connection.execute(text("SELECT version_num FROM alembic_version")).first()
                _known(ScriptDirectory.from_config(config), None if row is None else row[0])
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except DBAPIError as problem:
        raise StoreCorrupt(f"the store can't be opened: {problem.orig}") from None


def _known(scripts: ScriptDirectory, revision: str | None) -> None:
    try:
        if revision is not None:
            scripts.get_revision(revision)
    except CommandError:
        raise StoreTooNew(
            f"the store has tables of version {revision}, made by a newer version of this package; install it"
        ) from None
