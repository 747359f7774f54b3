"""The files of a store: who may read them, who holds them, and one clear line for what can't be opened."""

from __future__ import annotations

import json
import multiprocessing
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from risk_management.errors import (
    ConfigurationError,
    StoreCorrupt,
    StoreError,
    StoreInUse,
    StoreTooNew,
    StoreUnavailable,
)
from risk_management.store.database import connect
from risk_management.store.lock import StoreLock
from risk_management.store.place import place_of
from risk_management.store.small_file import LONGEST_NOTE, SIZE, SmallFile
from risk_management.store.sql_journal import SqlJournal


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_the_owner_reads_a_store(tmp_path):
    old = os.umask(0)
    try:
        journal = SqlJournal(str(tmp_path / "new" / "folder" / "s.db"))
        files = sorted(p.name for p in journal.place.beside.parent.iterdir())
        modes = {mode(p) for p in journal.place.beside.parent.iterdir()}
        journal.close()
    finally:
        os.umask(old)
    beside = ("-shm", "-wal", ".head", ".key", ".latch", ".lock")
    assert files == sorted(["s.db", *(f"s.db{end}" for end in beside)])
    assert modes == {0o600}
    assert mode(journal.place.beside.parent) == 0o700


def test_a_file_that_others_could_read_is_closed_to_them(lived):
    lived.path.chmod(0o644)
    SqlJournal(str(lived.path)).close()
    assert mode(lived.path) == 0o600


def test_every_commit_waits_for_the_disk(tmp_path):
    journal = SqlJournal(str(tmp_path / "s.db"))
    with journal._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    journal.close()


def test_the_journal_itself_refuses_changes(lived):
    with sqlite3.connect(lived.path) as connection:
        for statement in ("UPDATE journal SET actor = 'x'", "DELETE FROM journal"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                connection.execute(statement)
    connection.close()


def test_readers_change_nothing(lived):
    engine = connect(str(lived.path), reading=True)
    with engine.connect() as connection, pytest.raises(Exception, match="readonly"):
        connection.exec_driver_sql("DELETE FROM snapshots")
    engine.dispose()


def test_a_reader_does_not_keep_the_engine_from_writing(lived):
    """A read that is open for long takes no lock."""
    journal = SqlJournal(str(lived.path))
    entries = journal.reader.entries(chunk=1)
    next(entries)
    with connect(str(lived.path), reading=True).connect() as connection:
        connection.exec_driver_sql("SELECT * FROM journal").fetchone()
        event = journal.reader.event(next(entries))
        journal.write([event], journal.recover())
    journal.close()


def test_a_second_process_is_refused_and_told_who_holds_it(tmp_path):
    journal = SqlJournal(str(tmp_path / "s.db"))
    code = (
        "import sys; from risk_management.store.sql_journal import SqlJournal\n"
        "from risk_management.errors import StoreInUse\n"
        "try: SqlJournal(sys.argv[1])\n"
        "except StoreInUse as said: print(said)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(journal.place.beside)], capture_output=True, text=True, check=True
    )
    assert f"s.db is served by process {os.getpid()} on " in done.stdout
    journal.close()


def test_a_second_engine_in_this_process_is_refused_too(tmp_path):
    journal = SqlJournal(str(tmp_path / "s.db"))
    with pytest.raises(StoreInUse):
        SqlJournal(str(tmp_path / "s.db"))
    journal.close()
    SqlJournal(str(tmp_path / "s.db")).close()


def test_a_lock_of_a_dead_process_is_free(tmp_path):
    place = place_of(str(tmp_path / "s"))
    pid = os.fork()
    if pid == 0:
        try:
            StoreLock(place)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    lock = StoreLock(place)
    lock.release()
    lock.release()


def test_a_store_that_failed_to_open_gives_its_lock_back(tmp_path):
    path = tmp_path / "s.db"
    path.write_bytes(b"no database, but long enough to be taken for one" * 100)
    for _ in range(2):
        with pytest.raises(StoreCorrupt):
            SqlJournal(str(path))


def another_database(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()


def from_the_future(path: Path) -> None:
    SqlJournal(str(path)).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()


def torn(path: Path) -> None:
    SqlJournal(str(path)).close()
    data = bytearray(path.read_bytes())
    data[4096 : 4096 * 9] = os.urandom(4096 * 8)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("make", "kind", "told"),
    [
        (another_database, StoreCorrupt, "belongs to something else"),
        (from_the_future, StoreTooNew, "version 9999, made by a newer version of this package"),
        (lambda p: p.write_text("hello " * 100), StoreCorrupt, "not a database"),
        (torn, StoreCorrupt, "malformed|can't be read"),
        (Path.mkdir, StoreUnavailable, "is a folder"),
        (lambda p: p.symlink_to("/proc/nothing/there"), StoreUnavailable, "can't be made"),
        (lambda p: p.with_name("s.db.key").mkdir(), StoreUnavailable, "can't be reached"),
        (lambda p: p.with_name("s.db.latch").mkdir(), StoreUnavailable, "can't be reached"),
        (lambda p: p.with_name("s.db.lock").mkdir(), StoreUnavailable, "can't be made"),
    ],
)
def test_what_can_not_be_opened_is_one_clear_line(tmp_path, make, kind, told):
    path = tmp_path / "s.db"
    make(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(kind, match=told) as raised:
        SqlJournal(str(path))
    text = str(raised.value)
    assert "\n" not in text
    assert "SELECT" not in text
    assert "sqlalche" not in text
    if before is not None:
        assert path.read_bytes() == before  # a file of somebody else is left as it is


@pytest.mark.parametrize(
    ("store", "told"),
    [
        ("postgresql://u:secret@h/d", "leave the password out"),
        ("postgresql://u@h/d?sslpassword=secret", "leave the password out"),
        ("postgresql://u@h", "name the database"),
        ("mysql://u:secret@h/d", "mysql is not served"),
        ("sqlite://", "needs a file"),
        (":memory:", "needs a file"),
        ("nonsense://", "not served"),
        ("http://x:y:z/", "not"),
    ],
)
def test_what_is_no_address_is_told_without_its_secret(store, told):
    with pytest.raises(ConfigurationError, match=told) as raised:
        SqlJournal(store)
    assert "secret" not in str(raised.value)


def test_a_folder_that_can_not_be_written_is_told(tmp_path):
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    told = multiprocessing.get_context("fork").Queue()

    def without_rights() -> None:
        os.setgid(65534)
        os.setuid(65534)
        try:
            SqlJournal(str(folder / "s.db"))
        except StoreError as problem:
            told.put((type(problem).__name__, str(problem)))

    if os.geteuid() != 0:
        with pytest.raises(StoreUnavailable, match="check the folder"):
            SqlJournal(str(folder / "s.db"))
        return
    for parent in (tmp_path, *tmp_path.parents):
        if parent != Path("/") and parent.stat().st_uid == 0 and parent != Path("/tmp"):  # noqa: S108
            parent.chmod(parent.stat().st_mode | 0o011)
    process = multiprocessing.get_context("fork").Process(target=without_rights)
    process.start()
    kind, text = told.get(timeout=30)
    process.join()
    assert kind == "StoreUnavailable"
    assert "check the folder" in text


def test_a_store_that_is_replaced_is_not_written_to(lived):
    journal = SqlJournal(str(lived.path))
    standing, event = journal.recover(), next(journal.reader.events())
    lived.path.rename(lived.path.with_name("moved.db"))
    with pytest.raises(StoreUnavailable, match=r"No such file|replaced"):
        journal.write([event], standing)
    lived.path.write_bytes(b"")
    with pytest.raises(StoreUnavailable, match=r"No such file|replaced"):
        journal.write([event], standing)
    with pytest.raises(StoreUnavailable, match="was replaced"):
        journal.reopen()
    lived.path.unlink()
    lived.path.with_name("moved.db").rename(lived.path)
    journal.reopen()
    journal.write([event], standing)
    journal.close()


# -- the latch ------------------------------------------------------------------------------------------


def test_the_latch_outlives_the_process(tmp_path):
    journal = SqlJournal(str(tmp_path / "s.db"))
    journal.latch(stopped="anna: fire", in_memory="disk full")
    journal.latch(in_memory="")
    journal.close()
    journal = SqlJournal(str(tmp_path / "s.db"))
    assert journal.latched() == {"stopped": "anna: fire"}
    journal.latch(stopped="")
    assert journal.latched() == {}
    journal.close()


@pytest.mark.parametrize("text", ["x" * 10_000, "\U0001f525" * 10_000, "\ud83d" * 5000, '"\\\n\0' * 2000])
def test_whatever_is_said_a_stop_is_latched(tmp_path, text):
    journal = SqlJournal(str(tmp_path / "s.db"))
    journal.latch(stopped=text, in_memory=text)
    assert journal.latched()["stopped"] == text[:LONGEST_NOTE]
    assert journal.latched()["in_memory"] == text[:LONGEST_NOTE]
    journal.close()


def test_a_latch_that_fails_raises_nothing(tmp_path, caplog):
    journal = SqlJournal(str(tmp_path / "s.db"))
    journal._latch.close()
    journal.latch(stopped="now")
    assert "the latch file can't be written" in caplog.text
    journal.close()


def test_a_small_file_needs_no_space_after_it_was_made(tmp_path):
    file = SmallFile(tmp_path / "f")
    blocks = (tmp_path / "f").stat().st_blocks
    for number in range(50):
        file.write({"n": "x" * number}, sync=False)
        assert file.read() == {"n": "x" * number}
        assert (tmp_path / "f").stat().st_size == SIZE
        assert (tmp_path / "f").stat().st_blocks == blocks
    with pytest.raises(ValueError, match="holds 4096 bytes"):
        file.write({"n": "x" * SIZE}, sync=False)
    assert file.read() == {"n": "x" * 49}
    file.close()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\0" * SIZE, json.dumps({"a": 1}).encode()[:-1]])
def test_a_torn_small_file_is_empty(tmp_path, content):
    (tmp_path / "f").write_bytes(content.ljust(SIZE, b"\0"))
    file = SmallFile(tmp_path / "f")
    assert file.read() == {}
    file.close()


def test_reads_and_writes_at_once_wait_for_nobody(lived):
    """Many readers beside a writer: a deferred read never turns into a failed write."""
    journal, failed = SqlJournal(str(lived.path)), []
    standing, event = journal.recover(), next(journal.reader.events())
    end = time.monotonic() + 1.0

    def read() -> None:
        try:
            while time.monotonic() < end:
                journal.decided("a.0.1")
                list(journal.reader.entries(100))
        except StoreError as problem:
            failed.append(problem)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    while time.monotonic() < end:
        journal.write([event], standing)
    for thread in threads:
        thread.join()
    assert failed == []
    journal.close()


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_a_second_name_of_a_file_serves_no_second_engine(tmp_path, link):
    """Its lock would be another one."""
    one, two = tmp_path / "book.db", tmp_path / "other" / "name.db"
    two.parent.mkdir()
    journal = SqlJournal(str(one))
    link(two, one)
    with pytest.raises(StoreInUse, match=r"is served by process|has 2 names"):
        SqlJournal(str(two))
    journal.close()
    if link is Path.symlink_to:
        SqlJournal(str(two)).close()
        assert [p.name for p in two.parent.iterdir()] == ["name.db"]


def test_an_address_of_a_file_is_where_the_process_stood_then(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert place_of("sqlite:///book.db") == place_of("book.db") == place_of(f"sqlite:///{tmp_path}/book.db")


def test_an_engine_waits_for_who_only_changes_a_token(tmp_path):
    """Both are started at once where a machine comes up."""
    store = str(tmp_path / "book.db")
    SqlJournal(store).close()
    short = StoreLock(place_of(store))
    threading.Timer(0.1, short.release).start()
    SqlJournal(store).close()
