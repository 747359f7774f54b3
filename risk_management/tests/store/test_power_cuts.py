"""A disk that is cut off at any moment: nothing that was acknowledged is lost, nothing stands half."""

from __future__ import annotations

import random
import shutil
import tempfile
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import StoreError
from risk_management.store import database, sql_journal
from risk_management.store.small_file import SIZE, SmallFile
from risk_management.store.sql_journal import SqlJournal
from risk_management.tests.store.checks import problems
from risk_management.tests.store.disk import Driver, NotingVFS, Operation, after_a_cut
from risk_management.tests.store.test_kills import soaked
from risk_management.tests.store.workload import Bot, run
from risk_management.tests.store.world import small_foundation

RAM = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - only speed


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(dir=RAM) as made:
        yield Path(made)


def noted_life(folder: Path, seed: int, *settings: str, acts: int = 40) -> tuple[list[Operation], bytes]:
    """Everything that a life told its disk, with the answers that were given in between; and its key."""
    log: list[Operation] = []
    vfs = NotingVFS(log)
    real = SmallFile.write

    def write(file: SmallFile, values: dict, *, sync: bool) -> None:
        real(file, values, sync=sync)
        data = file._path.read_bytes()
        log.append(Operation("small", file._path.name, int(sync), data))

    store = folder / "life" / "s.db"
    with pytest.MonkeyPatch.context() as patch:
        # small log files, so that many of the cuts fall into a checkpoint
        driver = Driver([f"PRAGMA wal_autocheckpoint={2 + seed % 20}", *settings])
        patch.setattr(database, "create_engine", partial(create_engine, module=driver))
        patch.setattr(sql_journal, "SNAPSHOT_EVERY", 15)
        patch.setattr(SmallFile, "write", write)
        for half in range(2):
            manager = AdvancedRiskManager.on(small_foundation(), journal=SqlJournal(str(store)))
            bot = Bot(manager, f"b{half}", seed)
            run(bot, lambda act: log.append(Operation("note", "", note=act)), acts // 2)
            if half == 0:
                manager.close()
            else:
                manager.book.journal.close()  # as a process ends that was killed: no last snapshot
    key = store.with_name("s.db.key").read_bytes()
    shutil.rmtree(store.parent)
    vfs.unregister()
    return log, key


def lost(folder: Path, log: list[Operation], key: bytes, cuts: int, chance: random.Random) -> list[str]:
    """What is wrong with the disks of so many cuts."""
    wrong = []
    for cut in range(cuts):
        end = chance.randrange(1, len(log) + 1)
        place = folder / f"cut{cut}"
        place.mkdir()
        for name, data in after_a_cut(log, end, chance).items():
            (place / name).write_bytes(data)
        (place / "s.db.key").write_bytes(key)
        acts = [op.note for op in log[:end] if op.kind == "note"]
        try:
            wrong += [f"cut at {end}: {text}" for text in problems(place / "s.db", acts)]
        except StoreError as problem:
            wrong.append(f"cut at {end}: it does not open: {problem}")
        shutil.rmtree(place)
    return wrong


@pytest.mark.parametrize(
    ("seed", "lives", "cuts"), soaked((0, 20, 100), large=[(n, 40, 100) for n in range(1, 6)])
)
def test_nothing_is_lost_by_a_power_cut(folder, seed, lives, cuts, record_property):
    chance = random.Random(seed)
    for life in range(lives):
        log, key = noted_life(folder, 1000 * seed + life)
        assert lost(folder, log, key, cuts, chance) == []
    record_property("figure", f"{lives * cuts} cuts of {lives} lives, 0 lost")


@pytest.mark.parametrize("setting", ["PRAGMA synchronous=NORMAL", "PRAGMA synchronous=OFF"])
def test_the_simulated_disk_would_see_what_a_weaker_setting_loses(folder, setting):
    log, key = noted_life(folder, 3, setting)
    assert len(lost(folder, log, key, 60, random.Random(1))) > 5


def test_a_torn_small_file_was_whole_before(folder):
    """What the notes of the head hold is what stands in the file."""
    log, _ = noted_life(folder, 5, acts=8)
    assert {len(op.data) for op in log if op.kind == "small"} == {SIZE}
