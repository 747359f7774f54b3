"""The state is the fold of the journal, by whatever way a start comes to it."""

from __future__ import annotations

import random
import re
import sqlite3
import time
from contextlib import closing
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.core.standing import folded
from risk_management.core.steps import records
from risk_management.errors import StoreCorrupt
from risk_management.store.chain import START, link
from risk_management.store.reader import Entry, StoreReader, snapshot_hash
from risk_management.store.snapshot import snapshot_bytes, standing_from, state_hash
from risk_management.store.sql_journal import SqlJournal
from risk_management.tests.store.workload import missing
from risk_management.tests.store.world import small_foundation


def recovered(lived) -> bytes:
    journal = SqlJournal(str(lived.path))
    try:
        return snapshot_bytes(journal.recover())
    finally:
        journal.close()


def test_a_start_finds_the_state_that_was_left(lived):
    assert recovered(lived) == lived.state
    with StoreReader.of_store(str(lived.path)) as reader:
        assert missing(lived.acts, reader.events()) == []


def test_snapshots_are_only_a_cache(lived):
    assert lived.ask("SELECT count(*) FROM snapshots") == [(2,)]
    lived.change("DELETE FROM snapshots")
    assert recovered(lived) == lived.state


def test_the_state_is_the_fold_of_whole_events(lived):
    """A start leaves findings out; folding them changes nothing."""
    journal, standing = SqlJournal(str(lived.path)), None
    for event in journal.reader.events():
        standing = folded(standing, event)
    journal.close()
    assert snapshot_bytes(standing) == lived.state


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE snapshots SET body = substr(body, 1, 1000)",
        "UPDATE snapshots SET body = replace(body, 'AAA', 'ZZZ')",
        "UPDATE snapshots SET body = X'00', hash = X'00'",
        "UPDATE snapshots SET hash = zeroblob(32)",
        "UPDATE snapshots SET seq = seq - 1",
        "UPDATE snapshots SET body = (SELECT body FROM snapshots ORDER BY seq LIMIT 1)",
        "UPDATE snapshots SET seq = seq + 1000000",
        "DELETE FROM snapshots WHERE seq = (SELECT max(seq) FROM snapshots)",
    ],
)
def test_a_damaged_or_swapped_snapshot_is_passed_over(lived, damage):
    lived.change(damage)
    assert recovered(lived) == lived.state


def test_an_old_snapshot_with_a_long_tail_leads_to_the_same_state(lived):
    oldest, newest = (seq for (seq,) in lived.ask("SELECT seq FROM snapshots ORDER BY seq"))
    lived.change("DELETE FROM snapshots WHERE seq = ?", newest)
    assert newest - oldest > 10
    assert recovered(lived) == lived.state


def test_a_snapshot_comes_back_as_the_same_bytes(lived):
    journal = SqlJournal(str(lived.path))
    again = standing_from(lived.state, journal.reader.model)
    journal.close()
    assert snapshot_bytes(again) == lived.state
    assert len(state_hash(again)) == 64


def test_what_is_remembered_of_old_orders_does_not_depend_on_where_a_start_began(lived, monkeypatch):
    """Only the newest are remembered: a start in the middle forgets at the same moments."""
    monkeypatch.setattr(records, "KEPT_SETTLED", 3)
    monkeypatch.setattr("risk_management.model.layered.YOUNG", 3)
    journal = SqlJournal(str(lived.path))
    events = list(journal.reader.events())
    whole = None
    starts, sizes = [], set()
    for event in events:
        whole = folded(whole, event)
        starts = [folded(start, event) for start in starts]
        sizes.add(len(whole.state.executions))
        if whole.state.version % 7 == 0:
            starts.append(standing_from(snapshot_bytes(whole), journal.reader.model))
        for start in starts:
            assert list(start.state.executions.items()) == list(whole.state.executions.items())
            assert list(start.state.settled.items()) == list(whole.state.settled.items())
    journal.close()
    assert {3, 4, 5} < sizes <= set(range(6))  # it grew beyond what is kept, and was cut
    assert {state_hash(start) for start in starts} == {state_hash(whole)}


@pytest.mark.parametrize("data", [b"", b"{}", b"[{}]", b"null"])
def test_what_is_no_snapshot_is_told(data):
    with pytest.raises(StoreCorrupt, match="snapshot"):
        standing_from(data, lambda _: small_foundation().model)


def test_every_start_is_kept_and_changes_nothing_else(lived):
    for _ in range(3):
        AdvancedRiskManager.on(small_foundation(), journal=SqlJournal(str(lived.path))).close()
    kinds = [kind for (kind,) in lived.ask("SELECT kind FROM journal ORDER BY seq DESC LIMIT 3")]
    assert kinds.count("EngineStarted") >= 2


def test_an_entry_that_was_changed_is_named(lived):
    seq = random.Random(1).randrange(5, 90)
    lived.change("DELETE FROM snapshots")
    lived.change("UPDATE journal SET body = replace(body, 'a', 'b') WHERE seq = ?", seq)
    with pytest.raises(StoreCorrupt, match=f"entry {seq} of the journal was changed"):
        recovered(lived)


def test_an_entry_that_is_missing_is_named(lived):
    lived.change("DELETE FROM snapshots")
    lived.change("DELETE FROM requests")
    lived.change("DELETE FROM executions")
    lived.change("DELETE FROM journal WHERE seq = 40")
    with pytest.raises(StoreCorrupt, match="entry 40 of the journal is missing"):
        recovered(lived)


def test_a_cut_tail_is_found_by_the_signed_head(lived):
    last = len(lived.ask("SELECT seq FROM journal")) - 1
    for table in ("snapshots", "requests", "executions", "journal"):
        lived.change(f"DELETE FROM {table} WHERE seq > ?", last - 3)
    with pytest.raises(StoreCorrupt, match=f"ends at entry {last - 3}, but entry {last} was written"):
        SqlJournal(str(lived.path))


def test_a_head_signed_with_another_key_is_told(lived):
    lived.path.with_name("store.db.key").write_bytes(b"x" * 32)
    with pytest.raises(StoreCorrupt, match="not signed with the key"):
        SqlJournal(str(lived.path))


def test_a_damaged_key_is_told(lived):
    lived.path.with_name("store.db.key").write_bytes(b"")
    with pytest.raises(StoreCorrupt, match="is no key: put your copy of it back"):
        SqlJournal(str(lived.path))


def test_a_torn_head_does_not_keep_the_engine_from_starting(lived):
    """A power cut may tear it; the next write signs anew. Nothing opens until the broker was asked: a cut
    tail looks the same.
    """
    head = lived.path.with_name("store.db.head")
    head.write_bytes(head.read_bytes()[:40].ljust(4096, b"\0"))
    manager = AdvancedRiskManager.on(small_foundation(), journal=SqlJournal(str(lived.path)))
    assert "unreconciled" in {hold.cause for hold in manager.state.holds.values()}
    manager.close()
    assert recovered(lived)
    last = lived.ask("SELECT max(seq) FROM journal")[0][0]
    assert f'"seq": {last},' in head.read_text()


MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?")


def later(entry: Entry, days: int) -> tuple[str, ...]:
    """An entry as it would have been written some days later: what counts the last minute forgets."""

    def shifted(found: re.Match[str]) -> str:
        return (datetime.fromisoformat(found[0]) + timedelta(days=days)).isoformat()

    at, kind, actor, body = entry[1:5]
    return MOMENT.sub(shifted, at), kind, actor, MOMENT.sub(shifted, body)


@pytest.mark.soak
def test_a_million_entries(lived, tmp_path, record_property):
    """A whole replay, a start from an old snapshot with a long tail, and what they took."""
    number, behind = 1_000_000, 10_000
    with StoreReader.of_store(str(lived.path)) as reader:
        first, *others = list(reader.entries())
        model = reader.rows(text("SELECT digest, data FROM models"))
    store = tmp_path / "million.db"
    SqlJournal(str(store)).close()
    tail = START
    with closing(sqlite3.connect(store, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO models VALUES (?, ?)", [tuple(row) for row in model])
        for seq in range(number):
            entry = first if seq == 0 else others[(seq - 1) % len(others)]
            row = (seq, *later(entry, days=max(0, seq - 1) // len(others)))
            tail = link(tail, *row)
            connection.execute("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?)", (*row, tail))
        connection.execute("COMMIT")
    journal, standing = SqlJournal(str(store)), None
    begun = time.monotonic()
    for entry in journal.reader.chain():
        standing = folded(standing, journal.reader.event(entry, lean=True))
        if entry.seq == number - behind:
            kept, chained = snapshot_bytes(standing), entry.hash
    replayed = time.monotonic() - begun
    with closing(sqlite3.connect(store, isolation_level=None)) as connection:
        row = (number - behind, kept, snapshot_hash(kept, chained))
        connection.execute("INSERT INTO snapshots VALUES (?, ?, ?)", row)
    journal.close()
    begun = time.monotonic()
    journal = SqlJournal(str(store))
    again = journal.recover()
    ready = time.monotonic() - begun
    journal.close()
    assert snapshot_bytes(again) == snapshot_bytes(standing)
    record_property(
        "figure",
        f"{number:,} entries replayed at {number / replayed:,.0f} a second; from a snapshot {behind:,} "
        f"entries back the state was there in {ready:.1f} s",
    )
