"""Where a store is: a SQLite file, or a PostgreSQL database with a folder of this machine beside it."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from platformdirs import user_data_path
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from risk_management.errors import ConfigurationError

__all__ = ["Place", "place_of", "store_file"]

POSTGRESQL: Final = "postgresql"
DRIVER: Final = "postgresql+psycopg"
NO_FILE: Final = "store: a durable store needs a file; leave it out to stay in memory"
OPTIONS: Final = (
    "host",
    "port",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "sslcrl",
    "channel_binding",
    "gssencmode",
    "krbsrvname",
    "target_session_attrs",
    "passfile",
)
"""What may stand behind the question mark; the rest is ours to set, or would show a secret."""
LIKE_AN_ADDRESS: Final = re.compile(
    r"^(//|\w+:/|postgres\w*[:/]|sqlite:)|^[^/]*@|:\d+/|\b(host|dbname|user|password)\s*=", re.IGNORECASE
)
FORMS: Final = "write a path, sqlite:///path or postgresql://user@host/database"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a store is; as text it is what people call it.

    Parameters
    ----------
    url : URL
        For the database's driver.
    beside : Path
        What the names of the lock, latch, head, key and sessions begin with: the SQLite file itself, or a
        name in the user's folder on this machine.
    """

    url: URL
    beside: Path

    @property
    def is_file(self) -> bool:
        """Whether it is a SQLite file."""
        return self.url.get_backend_name() == "sqlite"

    def with_end(self, end: str) -> Path:
        """The file beside it with this ending, such as ``.lock``."""
        return self.beside.with_name(self.beside.name + end)

    def __str__(self) -> str:
        return str(self.beside) if self.is_file else _plain(self.url)


def place_of(store: str) -> Place:
    """The place of a store that was named by a path, or by an address.

    Raises
    ------
    ConfigurationError
        It means nothing, or holds a password.
    """
    if "://" not in store and LIKE_AN_ADDRESS.search(store):  # its file name would show what it holds
        raise ConfigurationError(f"store: it looks like an address and is none; {FORMS}")
    if "://" not in store:
        return _of_a_file(Path(store).expanduser())
    try:
        url = make_url(store)
    except (ArgumentError, ValueError):
        raise ConfigurationError(f"store: not an address; {FORMS}") from None
    backend = url.get_backend_name()
    if backend == "sqlite":
        if not url.database:
            raise ConfigurationError(NO_FILE)
        return _of_a_file(Path(url.database))
    if backend != POSTGRESQL:
        raise ConfigurationError(f"store: {backend} is not served; {FORMS}")
    return _of_a_server(url)


def store_file(store: str) -> Path:
    """The file of a SQLite store.

    Raises
    ------
    ConfigurationError
        It is none.
    """
    place = place_of(store)
    if not place.is_file:
        raise ConfigurationError(
            f"store: {place} is no file; name one: a book can be moved to a server (docs/postgresql.md)"
        )
    return place.beside


def _of_a_file(path: Path) -> Place:
    if path.name == ":memory:":
        raise ConfigurationError(NO_FILE)
    try:
        path = path.resolve()  # two names of one file must not have two locks
    except (RuntimeError, ValueError):  # links in a circle, a name that is none
        raise ConfigurationError("store: the path leads nowhere; name a file") from None
    return Place(URL.create("sqlite", database=str(path)), path)


def _of_a_server(url: URL) -> Place:
    if url.password is not None or any("password" in name.casefold() for name in url.query):
        raise ConfigurationError(  # an address stands in logs, answers and lists of processes
            "store: leave the password out of the address; PGPASSWORD or ~/.pgpass holds it"
        )
    if set(url.query) - set(OPTIONS):  # unnamed: it may be a secret itself
        raise ConfigurationError(f"store: behind the ? of an address stand only {', '.join(OPTIONS)}")
    if not url.database:
        raise ConfigurationError("store: name the database, as in postgresql://user@host/database")
    if "=" in url.database or "://" in url.database:  # the driver would read settings out of it
        raise ConfigurationError("store: the name of a database has no = and no ://")
    host = url.query.get("host") or url.host or os.environ.get("PGHOST") or "local"
    port = url.query.get("port") or url.port or os.environ.get("PGPORT") or "5432"
    digest = hashlib.sha256(f"{host} {port} {url.database}".encode()).hexdigest()[:8]
    folder = Path(user_data_path("risk_management", appauthor=False)) / POSTGRESQL
    name = re.sub(r"[^0-9A-Za-z]", "-", f"{url.database}-{host}")
    return Place(url.set(drivername=DRIVER), folder / f"{name[:80]}-{digest}")


def _plain(url: URL) -> str:
    return url.set(drivername=POSTGRESQL).render_as_string(hide_password=True)
