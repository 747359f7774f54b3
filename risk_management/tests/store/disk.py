"""A disk that is cut off: everything that SQLite writes is noted, and then replayed up to any moment, with
what was not synced by then dropped, kept or torn at random.

The journal runs as it is, on a SQLite whose file layer takes notes; only the driver stands between.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import apsw

SECTOR = 512


class Operation(NamedTuple):
    """What the disk was told: ``write``, ``truncate``, ``sync``, ``delete``; or a note of the test."""

    kind: str
    name: str
    at: int = 0
    data: bytes = b""
    note: Any = None


class NotingVFS(apsw.VFS):
    """Passes everything on to the real file layer and notes what changes files."""

    def __init__(self, log: list[Operation]) -> None:
        super().__init__("noting", "")
        self.log = log

    def xOpen(self, name: Any, flags: list[int]) -> NotingFile:  # noqa: N802 - SQLite's names
        return NotingFile(self.log, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        self.log.append(Operation("delete", Path(filename).name, int(syncdir)))
        super().xDelete(filename, syncdir)


class NotingFile(apsw.VFSFile):
    """One open file."""

    def __init__(self, log: list[Operation], name: Any, flags: list[int]) -> None:
        self.log = log
        path = Path(name.filename() if isinstance(name, apsw.URIFilename) else name or "temp")
        self.name = path.name
        # SQLite syncs the folder with the first sync of a log or rollback file that it made
        self.syncs_folder = not path.exists() and path.name.endswith(("-wal", "-journal"))
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self.log.append(Operation("write", self.name, offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        self.log.append(Operation("truncate", self.name, newsize))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802
        super().xSync(flags)
        self.log.append(Operation("sync", self.name, int(self.syncs_folder)))
        self.syncs_folder = False


def after_a_cut(log: Sequence[Operation], end: int, chance: random.Random) -> dict[str, bytes]:
    """The files that a disk holds that was cut off after `end` operations.

    What was synced is there. Of what was not, each write is there, is missing, or is there in some of its
    sectors; later writes may be there without earlier ones. A truncation may be missing, and a deletion
    whose folder was not synced. Of a small file any version may stand there since it was synced.
    """
    files: dict[str, bytearray] = {}
    last_sync = {op.name: n for n, op in enumerate(log[:end]) if op.kind == "sync"}
    folder_sync = max((n for n, op in enumerate(log[:end]) if op.kind == "sync" and op.at), default=-1)
    for n, op in enumerate(log[:end]):
        is_synced = n < last_sync.get(op.name, -1)
        if op.kind == "write":
            _write(files.setdefault(op.name, bytearray()), op, chance, is_synced=is_synced)
        elif op.kind == "truncate" and (is_synced or chance.random() < 0.5):
            files.setdefault(op.name, bytearray())[op.at :] = b""
        elif op.kind == "delete" and (op.at or n < folder_sync or chance.random() < 0.5):
            files.pop(op.name, None)
    small: dict[str, list[bytes]] = {}
    for op in log[:end]:
        if op.kind == "small":
            small[op.name] = [op.data] if op.at else [*small.get(op.name, []), op.data]
    return {name: bytes(data) for name, data in files.items()} | {
        name: versions[-1] if chance.random() < 0.5 else chance.choice(versions)
        for name, versions in small.items()
    }


def _write(file: bytearray, op: Operation, chance: random.Random, *, is_synced: bool) -> None:
    luck = chance.random()
    if not is_synced and luck < 0.4:
        return
    if len(file) < op.at + len(op.data):
        file.extend(bytes(op.at + len(op.data) - len(file)))
    if is_synced or luck < 0.8:
        file[op.at : op.at + len(op.data)] = op.data
        return
    for start in range(0, len(op.data), SECTOR):  # torn: only some of its sectors came through
        if chance.random() < 0.5:
            part = op.data[start : start + SECTOR]
            file[op.at + start : op.at + start + len(part)] = part


class Driver:
    """As much of a Python database driver over apsw as SQLAlchemy asks for."""

    paramstyle = "named"
    sqlite_version = apsw.sqlite_lib_version()
    sqlite_version_info = tuple(int(part) for part in sqlite_version.split("."))
    Error = apsw.Error
    DatabaseError = OperationalError = IntegrityError = ProgrammingError = NotSupportedError = apsw.Error
    InterfaceError = InternalError = DataError = apsw.Error
    PARSE_DECLTYPES = PARSE_COLNAMES = 0
    Binary = bytes

    def __init__(self, settings: Iterable[str] = ()) -> None:
        self.settings = tuple(settings)

    def connect(self, filename: str, **_words: Any) -> DriverConnection:
        """A connection whose file layer takes notes."""
        return DriverConnection(filename, self.settings)


class DriverConnection:
    """A connection."""

    isolation_level: str | None = None

    def __init__(self, filename: str, settings: tuple[str, ...]) -> None:
        self.inner = apsw.Connection(filename, vfs="noting")
        self._settings = settings

    def cursor(self) -> DriverCursor:
        return DriverCursor(self.inner)

    def execute(self, statement: str) -> None:
        for pragma in (statement, *(self._settings if "synchronous" in statement else ())):
            self.inner.execute(pragma).fetchall()

    def create_function(self, name: str, number: int, function: Callable[..., Any], **_words: Any) -> None:
        self.inner.create_scalar_function(name, function, number)

    def commit(self) -> None:
        if self.inner.in_transaction:
            self.inner.execute("COMMIT")

    def rollback(self) -> None:
        if self.inner.in_transaction:
            self.inner.execute("ROLLBACK")

    def close(self) -> None:
        self.inner.close()


class DriverCursor:
    """A cursor that reads its rows at once."""

    rowcount = -1
    lastrowid = None

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self.description: Any = None
        self._rows: list[Any] = []

    def execute(self, statement: str, values: Any = ()) -> None:
        cursor = self._connection.cursor()
        cursor.exec_trace = self._describe  # a result without rows can't be asked for its columns later
        before = self._connection.total_changes()
        self._rows = cursor.execute(statement, dict(values) or ()).fetchall()
        self.rowcount = self._connection.total_changes() - before

    def _describe(self, cursor: apsw.Cursor, _statement: str, _values: Any) -> bool:
        columns = cursor.get_description()
        self.description = [(column[0], *[None] * 6) for column in columns] or None
        return True

    def executemany(self, statement: str, rows: Iterable[Any]) -> None:
        self.description = None
        for row in rows:
            self._connection.execute(statement, row)

    def fetchone(self) -> Any:
        return self._rows.pop(0) if self._rows else None

    def fetchall(self) -> list[Any]:
        rows, self._rows = self._rows, []
        return rows

    def fetchmany(self, size: int = 1) -> list[Any]:
        rows, self._rows = self._rows[:size], self._rows[size:]
        return rows

    def close(self) -> None:
        self._rows = []
