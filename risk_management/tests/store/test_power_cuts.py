"""A disk that is cut off at any moment: nothing that was acknowledged is lost, nothing stands half."""

from __future__ import annotations

import random
import shutil
import sqlite3
import tempfile
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import create_engine

from risk_management.core.book import Book
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import StoreError
from risk_management.store import database, sql_journal
from risk_management.store.head import SignedHead
from risk_management.store.small_file import SIZE, SmallFile
from risk_management.store.sql_journal import SqlJournal
from risk_management.tests.store.checks import problems
from risk_management.tests.store.disk import Driver, NotingVFS, Operation, after_a_cut
from risk_management.tests.store.test_kills import soaked
from risk_management.tests.store.workload import Act, Bot, run
from risk_management.tests.store.world import small_foundation

RAM = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - only speed


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(dir=RAM) as made:
        yield Path(made)


class Life(NamedTuple):
    """Everything that a life told its disk, with the answers that were given in between."""

    log: list[Operation]
    key: bytes
    rows: list[tuple]
    """The journal at its end."""
    ends: set[int]
    """Where a batch ended: a journal may end there and nowhere else."""


def noted_life(folder: Path, seed: int, *settings: str, acts: int = 40) -> Life:
    log: list[Operation] = []
    vfs, ends = NotingVFS(log), {-1}
    write, sign = SmallFile.write, SignedHead.write

    def noted_write(file: SmallFile, values: dict, *, sync: bool) -> None:
        write(file, values, sync=sync)
        log.append(Operation("small", file._path.name, int(sync), file._path.read_bytes()))

    def noted_sign(head: SignedHead, seq: int, hash_: bytes, **how: bool) -> None:
        ends.add(seq)
        sign(head, seq, hash_, **how)

    store = folder / "life" / "s.db"
    with pytest.MonkeyPatch.context() as patch:
        # small log files, so that many of the cuts fall into a checkpoint
        driver = Driver([f"PRAGMA wal_autocheckpoint={2 + seed % 20}", *settings])
        patch.setattr(database, "create_engine", partial(create_engine, module=driver))
        patch.setattr(sql_journal, "SNAPSHOT_EVERY", 15)
        patch.setattr(SmallFile, "write", noted_write)
        patch.setattr(SignedHead, "write", noted_sign)
        for half in range(2):
            manager = AdvancedRiskManager.on(small_foundation(), journal=SqlJournal(str(store)))

            def told(act: Act, book: Book = manager.book) -> None:
                log.append(Operation("note", "", book.state.version, note=act))

            run(Bot(manager, f"b{half}", seed), told, acts // 2)
            if half == 0:
                manager.close()
            else:
                manager.book.journal.close()  # as a process ends that was killed: no last snapshot
    key = store.with_name("s.db.key").read_bytes()
    rows = rows_of(store)
    shutil.rmtree(store.parent)
    vfs.unregister()
    return Life(log, key, rows, ends)


def rows_of(store: Path) -> list[tuple]:
    connection = sqlite3.connect(store)
    try:
        assert connection.execute("PRAGMA quick_check").fetchall() == [("ok",)]
        rows = connection.execute("SELECT * FROM journal ORDER BY seq").fetchall()
        for table, kind in (("requests", "TradeDecided"), ("executions", "Filled")):
            named = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            assert named == sum(row[2] == kind for row in rows)
        return rows
    except sqlite3.OperationalError as problem:
        if "no such table" in str(problem):
            return []
        raise
    finally:
        connection.close()


def lost(folder: Path, life: Life, cuts: int, chance: random.Random, *, every: int = 10) -> list[str]:
    """What is wrong with the disks of so many cuts; each `every`-th is taken up as a start does."""
    wrong = []
    for cut in range(cuts):
        end = chance.randrange(1, len(life.log) + 1)
        place = folder / f"cut{cut}"
        place.mkdir()
        for name, data in after_a_cut(life.log, end, chance).items():
            (place / name).write_bytes(data)
        (place / "s.db.key").write_bytes(life.key)
        acts = [op for op in life.log[:end] if op.kind == "note"]
        try:
            if cut % every == 0:
                found = problems(place / "s.db", [op.note for op in acts])
                wrong += [f"cut at {end}: {text}" for text in found]
            rows = rows_of(place / "s.db")
            if rows != life.rows[: len(rows)] or len(rows) - 1 not in life.ends:
                wrong.append(f"cut at {end}: the journal is no beginning of what was written")
            if acts and len(rows) <= acts[-1].at:  # entries are counted from 0
                wrong.append(f"cut at {end}: entries {len(rows)} to {acts[-1].at} were acknowledged")
        except (StoreError, sqlite3.DatabaseError, AssertionError) as problem:
            wrong.append(f"cut at {end}: {problem}")
        shutil.rmtree(place)
    return wrong


@pytest.mark.parametrize(
    ("seed", "lives", "cuts"), soaked((0, 40, 50), large=[(n, 80, 50) for n in range(1, 6)])
)
def test_nothing_is_lost_by_a_power_cut(folder, seed, lives, cuts, record_property):
    chance = random.Random(seed)
    for life in range(lives):
        noted = noted_life(folder, 1000 * seed + life, acts=24)
        assert lost(folder, noted, cuts, chance) == []
    record_property("figure", f"{lives * cuts} cuts of {lives} lives, 0 lost")


@pytest.mark.parametrize("setting", ["PRAGMA synchronous=NORMAL", "PRAGMA synchronous=OFF"])
def test_the_simulated_disk_would_see_what_a_weaker_setting_loses(folder, setting):
    noted = noted_life(folder, 3, setting)
    assert len(lost(folder, noted, 60, random.Random(1))) > 5


def test_a_torn_small_file_was_whole_before(folder):
    """What the notes of the head hold is what stands in the file."""
    log = noted_life(folder, 5, acts=8).log
    assert {len(op.data) for op in log if op.kind == "small"} == {SIZE}
