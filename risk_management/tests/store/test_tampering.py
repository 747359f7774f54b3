"""Whoever changes a journal is found, and the first entry that is not as it was written is named."""

from __future__ import annotations

import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import StoreCorrupt
from risk_management.store import sql_journal
from risk_management.store import verify as looking
from risk_management.store.chain import START, link
from risk_management.store.head import SignedHead
from risk_management.store.reader import StoreReader
from risk_management.store.schema import EXECUTIONS, REQUESTS
from risk_management.store.sql_journal import SqlJournal
from risk_management.store.verify import Verdict, verify
from risk_management.tests.store.test_kills import soaked
from risk_management.tests.store.test_power_cuts import RAM
from risk_management.tests.store.workload import Bot, run
from risk_management.tests.store.world import small_foundation

Change = Callable[[sqlite3.Connection, random.Random, int], int | None]
"""Changes a journal that ends at an entry; returns the first bad entry, None where only the head can tell."""
COLUMNS = ("at", "kind", "actor", "body")


def flip(connection: sqlite3.Connection, chance: random.Random, last: int) -> int:
    seq, column = chance.randint(0, last), chance.choice((*COLUMNS, "hash"))
    value = connection.execute(f"SELECT {column} FROM journal WHERE seq = ?", (seq,)).fetchone()[0]
    if column == "hash":
        changed = bytearray(value)
        changed[chance.randrange(32)] ^= 1 << chance.randrange(8)
        value = bytes(changed)
    else:
        place = chance.randrange(len(value)) if value else 0
        value = value[:place] + chr(ord((value + "x")[place]) ^ 1) + value[place + 1 :]
    connection.execute(f"UPDATE journal SET {column} = ? WHERE seq = ?", (value, seq))
    return seq


def turn_into_bytes(connection: sqlite3.Connection, chance: random.Random, last: int) -> int:
    """The same letters in a column of another type."""
    seq = chance.randint(0, last)
    connection.execute("UPDATE journal SET body = CAST(body AS BLOB) WHERE seq = ?", (seq,))
    return seq


def delete(connection: sqlite3.Connection, chance: random.Random, last: int) -> int | None:
    seq = chance.randint(0, last)
    connection.execute("DELETE FROM journal WHERE seq = ?", (seq,))
    return seq if seq < last else None


def cut(connection: sqlite3.Connection, chance: random.Random, last: int) -> None:
    """Take away the tail with all that names it."""
    seq = chance.randint(0, last - 1)
    for table in ("journal", "requests", "executions", "snapshots"):
        connection.execute(f"DELETE FROM {table} WHERE seq > ?", (seq,))


def insert(connection: sqlite3.Connection, chance: random.Random, last: int) -> int:
    """Put a copy of an entry behind the last one."""
    connection.execute(
        "INSERT INTO journal SELECT ?, at, kind, actor, body, hash FROM journal WHERE seq = ?",
        (last + 1, chance.randint(0, last)),
    )
    return last + 1


def insert_between(connection: sqlite3.Connection, chance: random.Random, last: int) -> int:
    """Move a tail up and put a copy in between, with everything that names it."""
    seq = chance.randint(1, last)
    for n in range(last, seq - 1, -1):
        connection.execute("UPDATE journal SET seq = ? WHERE seq = ?", (n + 1, n))
    connection.execute(
        "INSERT INTO journal SELECT ?, at, kind, actor, body, hash FROM journal WHERE seq = ?", (seq, seq - 1)
    )
    return seq


def append_well(connection: sqlite3.Connection, chance: random.Random, last: int) -> None:
    """Put a copy behind the last entry, rightly chained."""
    known = connection.execute("SELECT hash FROM journal WHERE seq = ?", (last,)).fetchone()[0]
    kinds = ("CashMoved", "QuotesReceived", "HoldSet")
    row = connection.execute(
        f"SELECT at, kind, actor, body FROM journal WHERE kind IN {kinds} ORDER BY abs(random()) LIMIT 1"
    ).fetchone()
    connection.execute(
        "INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?)",
        (last + 1, *row, link(known, last + 1, *row)),
    )


def swap(connection: sqlite3.Connection, chance: random.Random, last: int) -> int:
    one, two = sorted(chance.sample(range(last + 1), 2))
    for old, new in ((one, -1), (two, one), (-1, two)):
        connection.execute("UPDATE journal SET seq = ? WHERE seq = ?", (new, old))
    return one


def rewrite(connection: sqlite3.Connection, chance: random.Random, last: int) -> None:
    """Change what an entry says, and give it and all behind it hashes that fit."""
    seq = chance.randint(0, last)
    connection.execute("UPDATE journal SET actor = actor || '!' WHERE seq = ?", (seq,))
    before = START
    for row in connection.execute("SELECT * FROM journal ORDER BY seq").fetchall():
        before = link(before, *row[:5])
        connection.execute("UPDATE journal SET hash = ? WHERE seq = ?", (before, row[0]))


def hide(connection: sqlite3.Connection, chance: random.Random, last: int) -> None:
    """Put an entry before the first one, where a walk from 0 does not come."""
    connection.execute(
        "INSERT INTO journal SELECT ?, at, kind, actor, body, hash FROM journal WHERE seq = ?",
        (-chance.randint(1, 9), chance.randint(0, last)),
    )


def misname(connection: sqlite3.Connection, chance: random.Random, _last: int) -> None:
    """Let an id name another entry, or none, or one that nobody gave out."""
    table, name = chance.choice((("requests", "request_id"), ("executions", "execution_id")))
    some = f"SELECT {name} FROM {table} ORDER BY {name} LIMIT 1 OFFSET {chance.randrange(3)}"
    connection.execute(
        chance.choice(
            (
                f"UPDATE {table} SET seq = seq + 1 WHERE {name} = ({some})",
                f"DELETE FROM {table} WHERE {name} = ({some})",
                f"INSERT INTO {table} VALUES ('forged', 1)",
                f"UPDATE {table} SET {name} = {name} || '!' WHERE {name} = ({some})",
            )
        )
    )


def touch_a_model(connection: sqlite3.Connection, chance: random.Random, _last: int) -> int:
    data = bytearray(connection.execute("SELECT data FROM models").fetchone()[0])
    start = data.index(b"NUMPY") + 200  # within an array
    data[chance.randrange(start, start + 500)] ^= 1 << chance.randrange(8)
    connection.execute("UPDATE models SET data = ?", (bytes(data),))
    return 0  # the first entry names it


def touch_a_snapshot(connection: sqlite3.Connection, chance: random.Random, _last: int) -> None:
    place = chance.randint(2, 3000)
    connection.execute(
        "UPDATE snapshots SET body = CAST(substr(body, 1, ?) || X'21' || substr(body, ?) AS BLOB) "
        "WHERE seq = (SELECT max(seq) FROM snapshots)",
        (place - 1, place + 1),
    )


def name_what_never_came(connection: sqlite3.Connection, chance: random.Random, last: int) -> None:
    """A row of an index that the journal has not grown to: the id is taken before anybody used it."""
    table = chance.choice(("requests", "executions"))
    connection.execute(f"INSERT INTO {table} VALUES ('planted', ?)", (last + chance.choice((1, 2, 10**5)),))


CHANGES: dict[str, Change] = {
    change.__name__: change
    for change in (
        flip,
        turn_into_bytes,
        delete,
        cut,
        insert,
        insert_between,
        append_well,
        swap,
        rewrite,
        hide,
        misname,
        name_what_never_came,
        touch_a_model,
        touch_a_snapshot,
    )
}


@pytest.fixture(scope="module")
def short_life():
    """A store of some twenty entries, so that thousands of looks through it take seconds."""
    with tempfile.TemporaryDirectory(dir=RAM) as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sql_journal, "SNAPSHOT_EVERY", 8)
        store = Path(folder) / "life" / "s.db"
        manager = AdvancedRiskManager.on(small_foundation(), journal=SqlJournal(str(store)))
        run(Bot(manager, "a", 2), lambda act: None, 18)
        manager.close()
        yield store


def looked_through(store: Path) -> Verdict:
    with StoreReader.of_store(str(store)) as reader:
        return verify(reader)


def tampered(store: Path, change: Change, chance: random.Random) -> tuple[int | None, Verdict]:
    place = store.parent.parent / "tampered"
    shutil.copytree(store.parent, place)
    try:
        connection = sqlite3.connect(place / store.name, isolation_level=None)
        for trigger in ("journal_no_update", "journal_no_delete"):
            connection.execute(f"DROP TRIGGER {trigger}")
        last = connection.execute("SELECT max(seq) FROM journal").fetchone()[0]
        connection.execute("BEGIN")
        wanted = change(connection, chance, last)
        connection.execute("COMMIT")
        connection.close()
        return wanted, looked_through(place / store.name)
    finally:
        shutil.rmtree(place)


def test_an_untouched_store_is_clean(short_life, lived):
    for store in (short_life, lived.path):
        verdict = looked_through(store)
        assert verdict.problems == ()
        assert verdict.first_bad is None
        assert verdict.is_clean
        assert verdict.entries > 15


@pytest.mark.parametrize("name", CHANGES)
def test_every_kind_of_change_is_found(short_life, name):
    chance = random.Random(name)
    for _ in range(10):
        wanted, verdict = tampered(short_life, CHANGES[name], chance)
        assert not verdict.is_clean
        assert verdict.first_bad == wanted, verdict.problems


@pytest.mark.parametrize(("seed", "number"), soaked((0, 1000), large=[(n, 10_000) for n in range(1, 11)]))
def test_all_changes_are_found(short_life, seed, number, record_property):
    chance = random.Random(seed)
    for _ in range(number):
        name = chance.choice(list(CHANGES))
        wanted, verdict = tampered(short_life, CHANGES[name], chance)
        assert not verdict.is_clean, name
        assert verdict.first_bad == wanted, (name, verdict.problems)
    record_property("figure", f"{number} changes, all found")


def test_problems_are_one_line_each(short_life):
    for name, change in CHANGES.items():
        for text in tampered(short_life, change, random.Random(1))[1].problems:
            assert "\n" not in text, name
            assert len(text) < 300, name


def test_a_journal_that_was_emptied_is_told(lived):
    for table in ("snapshots", "requests", "executions", "journal"):
        lived.change(f"DELETE FROM {table}")
    assert "it was cut" in looked_through(lived.path).problems[0]


def test_a_store_that_nothing_was_written_to_is_clean(tmp_path):
    SqlJournal(str(tmp_path / "s.db")).close()
    assert looked_through(tmp_path / "s.db") == Verdict(0, None, ())


def test_what_an_engine_writes_meanwhile_is_no_tampering(short_life, tmp_path, monkeypatch):
    """An entry is on disk a moment before the end is signed anew; a look may fall into that moment."""
    shutil.copytree(short_life.parent, tmp_path / "running")
    store = tmp_path / "running" / short_life.name
    manager = AdvancedRiskManager.on(small_foundation(), journal=SqlJournal(str(store)))
    of_the_file, of_the_head = looking._of_the_file, looking._of_the_head

    def written_meanwhile(reader):
        with monkeypatch.context() as unsigned:
            unsigned.setattr(SignedHead, "write", lambda *_, **__: None)
            manager.register_bot("late")
        return of_the_file(reader)

    def answered_meanwhile(reader, tail):
        """Behind the walk, and before the indexes are looked at."""
        yield from of_the_head(reader, tail)
        run(Bot(manager, "late", 3), lambda act: None, 18)
        rows = len(reader.rows(select(REQUESTS).where(REQUESTS.c.seq > tail.seq)))
        rows += len(reader.rows(select(EXECUTIONS).where(EXECUTIONS.c.seq > tail.seq)))
        assert rows > 1

    monkeypatch.setattr(looking, "_of_the_file", written_meanwhile)
    monkeypatch.setattr(looking, "_of_the_head", answered_meanwhile)
    assert looked_through(store).problems == ()
    manager.close()


@pytest.mark.parametrize("end", [".head", ".key"])
def test_a_missing_or_empty_head_or_key_is_told(lived, end):
    file = lived.path.with_name(lived.path.name + end)
    file.write_bytes(b"")
    assert not looked_through(lived.path).is_clean
    file.unlink()
    assert "can't be held against its signature" in looked_through(lived.path).problems[0]
    assert not file.exists()  # a look makes nothing


def test_a_page_that_is_damaged_is_told(lived):
    """A bit of the file itself, below the tables."""
    chance = random.Random(4)
    size = lived.path.stat().st_size
    found = 0
    for _ in range(40):
        whole = lived.path.read_bytes()
        place = chance.randrange(4096, size)
        lived.path.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
        try:
            verdict = looked_through(lived.path)
        except StoreCorrupt as problem:
            said = str(problem)
            assert "can't be read" in said
            found += 1
        else:
            found += not verdict.is_clean
        lived.path.write_bytes(whole)
    assert found > 20  # the others stood in space that no table uses


def test_an_outbox_that_was_changed_is_found(tmp_path):
    """A message that is taken out would never be sent, one that is put in tells what nobody told."""
    from dataclasses import replace  # noqa: PLC0415

    foundation = small_foundation()
    told = foundation.config.update(alert_config={"webhook_url": "https://example.com/x"})
    path = tmp_path / "s.db"
    manager = AdvancedRiskManager.on(replace(foundation, config=told), journal=SqlJournal(str(path)))
    manager.emergency_stop("one")
    manager.release_emergency("me", "over")
    manager.close()

    def found(statement: str) -> tuple[str, ...]:
        copy = tmp_path / "copy.db"
        for end in ("", ".head", ".key"):
            shutil.copy(f"{path}{end}", f"{copy}{end}")
        with sqlite3.connect(copy) as connection:
            assert connection.execute(statement).rowcount > 0
        connection.close()
        with StoreReader.of_store(str(copy)) as reader:
            return verify(reader).problems

    assert found("UPDATE outbox SET state = 'sent'") == ()
    for change in ("DELETE FROM outbox WHERE seq = (SELECT min(seq) FROM outbox)", "DELETE FROM outbox"):
        assert any("the outbox does not hold it" in text for text in found(change))
    for seq in ("0", "seq + 1000"):
        assert any("which does not tell it" in text for text in found(f"UPDATE outbox SET seq = {seq}"))
    assert any("which does not tell it" in text for text in found("UPDATE outbox SET key = 'x'||seq"))
