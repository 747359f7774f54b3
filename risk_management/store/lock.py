"""One engine serves one store: a lock that a dying process gives back by itself."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from pathlib import Path
from threading import Event
from typing import Final, TextIO
from weakref import WeakSet

from risk_management.errors import StoreInUse, StoreUnavailable
from risk_management.store.place import Place

__all__ = ["StoreLock", "holder", "identity"]

APART: Final = 0.05


class StoreLock:
    """Holds ``<store>.lock`` until it is released or the process ends.

    Parameters
    ----------
    place : Place
        Of the store; the lock file names its holder.
    tries : int
        A twentieth of a second apart: who only changes a token has it for a moment.

    Raises
    ------
    StoreInUse
        Another process holds it.
    StoreUnavailable
        The file can't be made.
    """

    def __init__(self, place: Place, *, tries: int = 1) -> None:
        self._path = place.with_end(".lock")
        self._file = _opened(self._path)
        self._folder = identity(self._path.parent)
        self._process = os.getpid()
        while not self._take():
            tries -= 1
            if not tries:
                said = _holder(self._file)
                self._file.close()
                raise StoreInUse(f"{place} is served by {said} already; stop it first, or ask it over HTTP")
            Event().wait(APART)
        self._file.seek(0)
        self._file.truncate()
        json.dump({"pid": os.getpid(), "host": socket.gethostname()}, self._file)
        self._file.flush()
        _HELD.add(self)

    def _take(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    @property
    def is_of_a_parent(self) -> bool:
        """Whether this process was forked from the one that has it."""
        return os.getpid() != self._process

    @property
    def is_removed(self) -> bool:
        """Whether others would try another file than the one that is locked, and find it free.

        A folder that is gone as a whole, or a disk that can't be asked, was not left to anybody.
        """
        mine = os.fstat(self._file.fileno())
        try:
            return identity(self._path) != (mine.st_dev, mine.st_ino)
        except FileNotFoundError:
            return self._folder == _of_what_is_there(self._path.parent)
        except OSError:
            return False

    def release(self) -> None:
        """Give it back; a second call changes nothing."""
        self._file.close()

    def __del__(self) -> None:
        """Whoever forgot to give it back does so with its end."""
        if hasattr(self, "_file"):
            self._file.close()


_HELD: Final[WeakSet[StoreLock]] = WeakSet()


def _let_go() -> None:
    """In a forked child: the lock is free when its parent ends, whatever becomes of the child."""
    for lock in _HELD:
        lock.release()


os.register_at_fork(after_in_child=_let_go)


def holder(place: Place) -> str | None:
    """Who on this machine works on a store, None where nobody does. Nothing is changed."""
    path = place.with_end(".lock")
    if not path.is_file():
        return None
    try:
        with path.open("r", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return _holder(file)
    except OSError as problem:
        raise StoreUnavailable(f"{path} can't be read ({problem.strerror}); check its rights") from None
    return None


def identity(path: Path) -> tuple[int, int]:
    """What a file is told from another one by under the same name."""
    known = path.lstat()
    return known.st_dev, known.st_ino


def _of_what_is_there(path: Path) -> tuple[int, int] | None:
    try:
        return identity(path)
    except OSError:
        return None


def _opened(path: Path) -> TextIO:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+")
    except OSError as problem:
        raise StoreUnavailable(f"{path} can't be made ({problem.strerror}); check the folder") from None


def _holder(file: TextIO) -> str:
    try:
        known = json.load(file)
        return f"process {known['pid']} on {known['host']}"
    except (ValueError, KeyError, TypeError):
        return "another process"
