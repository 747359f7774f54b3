"""Whatever rots in the files of a store, a start finds the right state or refuses in one clear line."""

from __future__ import annotations

import random
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import StoreError
from risk_management.store import sql_journal
from risk_management.store.snapshot import snapshot_bytes
from risk_management.store.sql_journal import SqlJournal
from risk_management.tests.store.test_kills import soaked
from risk_management.tests.store.test_power_cuts import RAM
from risk_management.tests.store.workload import Bot, run
from risk_management.tests.store.world import small_foundation

Damage = Callable[[Path, random.Random], None]


def flip(file: Path, chance: random.Random, start: int = 0) -> None:
    data = bytearray(file.read_bytes())
    for _ in range(chance.choice((1, 1, 8, 64))):
        data[chance.randrange(start, len(data))] ^= 1 << chance.randrange(8)
    file.write_bytes(data)


def flip_the_log(store: Path, chance: random.Random) -> None:
    flip(store.with_name("s.db-wal"), chance)


def cut_the_log(store: Path, chance: random.Random) -> None:
    log = store.with_name("s.db-wal")
    log.write_bytes(log.read_bytes()[: chance.randrange(log.stat().st_size)])


def lose_the_log(store: Path, _chance: random.Random) -> None:
    store.with_name("s.db-wal").unlink()


def flip_the_file(store: Path, chance: random.Random) -> None:
    flip(store, chance)


def cut_the_file(store: Path, chance: random.Random) -> None:
    store.write_bytes(store.read_bytes()[: chance.randrange(store.stat().st_size)])


def zero_a_page(store: Path, chance: random.Random) -> None:
    data = bytearray(store.read_bytes())
    page = chance.randrange(len(data) // 4096)
    data[4096 * page : 4096 * (page + 1)] = bytes(4096)
    store.write_bytes(data)


def flip_the_head(store: Path, chance: random.Random) -> None:
    flip(store.with_name("s.db.head"), chance)


def flip_the_key(store: Path, chance: random.Random) -> None:
    flip(store.with_name("s.db.key"), chance)


def change(store: Path, statement: str, *values: object) -> None:
    connection = sqlite3.connect(store, isolation_level=None)
    connection.execute(statement, values)
    connection.close()


def flip_a_snapshot(store: Path, chance: random.Random) -> None:
    place = chance.randrange(1, 3000)
    which = chance.choice(("(SELECT max(seq) FROM snapshots)", "(SELECT min(seq) FROM snapshots)"))
    change(
        store,
        "UPDATE snapshots SET body = CAST(substr(body, 1, ?) || X'07' || substr(body, ?) AS BLOB) "
        f"WHERE seq = {which}",
        place,
        place + 2,
    )


def lose_a_snapshot(store: Path, _chance: random.Random) -> None:
    """The oldest stays, with a long tail behind it."""
    change(store, "DELETE FROM snapshots WHERE seq = (SELECT max(seq) FROM snapshots)")


def lose_all_snapshots(store: Path, _chance: random.Random) -> None:
    change(store, "DELETE FROM snapshots")


def swap_the_snapshots(store: Path, _chance: random.Random) -> None:
    change(store, "UPDATE snapshots SET seq = (SELECT sum(seq) FROM snapshots) - seq + 1000")
    change(store, "UPDATE snapshots SET seq = seq - 1000")


DAMAGES: tuple[Damage, ...] = (
    flip_the_log,
    cut_the_log,
    lose_the_log,
    flip_the_file,
    cut_the_file,
    zero_a_page,
    flip_the_head,
    flip_the_key,
    flip_a_snapshot,
    lose_a_snapshot,
    lose_all_snapshots,
    swap_the_snapshots,
)
HARMLESS = {flip_a_snapshot, lose_a_snapshot, lose_all_snapshots, swap_the_snapshots}


@pytest.fixture(scope="module")
def killed():
    """A store as a kill left it, with a log that holds a part of it, and the state that it leads to."""
    with tempfile.TemporaryDirectory(dir=RAM) as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sql_journal, "SNAPSHOT_EVERY", 60)
        store = Path(folder) / "life" / "s.db"
        for bot, acts in (("a", 60), ("b", 50)):
            manager = AdvancedRiskManager.on(small_foundation(), journal=SqlJournal(str(store)))
            run(Bot(manager, bot, 1), lambda act: None, acts)
            if bot == "a":
                manager.close()
        state = snapshot_bytes(manager.book.standing)
        shutil.copytree(store.parent, Path(folder) / "killed")
        manager.close()
        yield Path(folder) / "killed" / "s.db", state


def started_after(killed: Path, damage: Damage, chance: random.Random) -> bytes | str:
    """The state that a start finds, or what it says."""
    place = killed.parent.parent / "damaged"
    shutil.copytree(killed.parent, place)
    try:
        damage(place / "s.db", chance)
        journal = SqlJournal(str(place / "s.db"))
        try:
            found = journal.recover()
        finally:
            journal.close()
        return snapshot_bytes(found) if found is not None else b""
    except StoreError as problem:
        return str(problem)
    finally:
        shutil.rmtree(place)


@pytest.mark.parametrize(("seed", "number"), soaked((0, 240), large=[(1, 10_000)]))
def test_a_start_finds_the_right_state_or_refuses_in_one_line(killed, seed, number, record_property):
    store, state = killed
    chance, seen = random.Random(seed), Counter()
    for n in range(number):
        damage = DAMAGES[n % len(DAMAGES)]
        found = started_after(store, damage, chance)
        if isinstance(found, str):
            assert damage not in HARMLESS, found
            assert "\n" not in found
            assert len(found) < 400
            seen["refused"] += 1
        else:
            assert found == state, damage.__name__
            seen["right"] += 1
    assert seen["refused"] > number // 5
    assert seen["right"] > number // 4
    record_property("figure", f"{number} corruptions: {seen['right']} right, {seen['refused']} refused")
