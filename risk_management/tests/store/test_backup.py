"""A backup taken under load restores and verifies; a restore never leaves half a store, nor an open one."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from risk_management.cli.main import app
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import StoreCorrupt, StoreError, StoreInUse, StoreUnavailable
from risk_management.model.portfolio import TradingMode
from risk_management.store import backup
from risk_management.store.backup import back_up, restore
from risk_management.store.reader import StoreReader
from risk_management.store.snapshot import snapshot_bytes
from risk_management.store.sql_journal import SqlJournal
from risk_management.store.verify import verify
from risk_management.tests.store.checks import problems
from risk_management.tests.store.test_kills import ended, wait_until
from risk_management.tests.store.worker import started, told
from risk_management.tests.store.world import small_foundation


def taken_up(store: Path) -> AdvancedRiskManager:
    return AdvancedRiskManager.on(small_foundation(), journal=SqlJournal(str(store)))


def state_of(store: Path) -> bytes:
    journal = SqlJournal(str(store))
    try:
        return snapshot_bytes(journal.recover())
    finally:
        journal.close()


def test_backups_under_load_restore_and_hold_all_that_was_acknowledged_before(tmp_path):
    store, acts = tmp_path / "s.db", tmp_path / "acts"
    process = started(store, acts, seed=1)
    drills = []
    for number in range(5):
        wait_until(lambda n=number: len(told(acts)) > 40 * (n + 1))
        known = told(acts)
        verdict = back_up(str(store), tmp_path / "backups" / f"{number}.db")
        assert verdict.problems == ()
        drills.append((known, verdict.entries))
    os.kill(process.pid, signal.SIGKILL)
    ended(process)
    with StoreReader.of_store(str(store)) as reader:
        all_of_it = list(reader.entries())
    for number, (known, entries) in enumerate(drills):
        place = tmp_path / f"restored{number}.db"
        assert restore(tmp_path / "backups" / f"{number}.db", str(place)) is None
        with StoreReader.of_store(str(place)) as reader:
            assert list(reader.entries()) == all_of_it[:entries]
            assert verify(reader).is_clean
        assert problems(place, known) == []
        manager = taken_up(place)
        assert manager.state.mode is not TradingMode.ACTIVE
        assert any(hold.cause == "unreconciled" for hold in manager.state.holds.values())
        manager.close()


def test_a_backup_is_three_files_that_only_the_owner_reads(lived, tmp_path):
    file = tmp_path / "folder" / "b.db"
    back_up(str(lived.path), file)
    assert sorted(p.name for p in file.parent.iterdir()) == ["b.db", "b.db.head", "b.db.key"]
    assert {p.stat().st_mode & 0o777 for p in file.parent.iterdir()} == {0o600}
    assert state_of(file) == lived.state


def test_nothing_is_overwritten_by_a_backup(lived, tmp_path):
    for end in ("", ".head", ".key", "-wal"):
        file = tmp_path / f"b{end}x.db"
        file.with_name(file.name + end).write_text("mine")
        with pytest.raises(StoreUnavailable, match="exists; name another file"):
            back_up(str(lived.path), file)
        assert file.with_name(file.name + end).read_text() == "mine"


def test_a_backup_of_a_changed_store_says_so_and_is_not_signed_anew(lived, tmp_path):
    lived.change("UPDATE journal SET actor = 'x' WHERE seq = 30")
    verdict = back_up(str(lived.path), tmp_path / "b.db")
    assert verdict.first_bad == 30
    with pytest.raises(StoreCorrupt, match="was not restored: entry 30 of the journal was changed"):
        restore(tmp_path / "b.db", str(tmp_path / "new.db"))
    assert not (tmp_path / "new.db").exists()


def test_what_was_added_behind_the_signed_end_is_not_signed_by_a_backup(lived, tmp_path):
    last = lived.ask("SELECT max(seq) FROM journal")[0][0]
    before, row = lived.ask(f"SELECT hash, at, kind, actor, body FROM journal WHERE seq = {last}"), None
    from risk_management.store.chain import link  # noqa: PLC0415

    row = (lived.ask("SELECT at FROM journal LIMIT 1")[0][0], "Noted", "x")
    body = json.dumps({"at": row[0], "actor": "x", "code": "A", "text": "b"})
    fresh = link(before[0][0], last + 1, *row, body)
    lived.change("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?)", last + 1, *row, body, fresh)
    verdict = back_up(str(lived.path), tmp_path / "b.db")
    assert "stand behind the signed end" in verdict.problems[0]


@pytest.mark.parametrize("missing", [".head", ".key"])
def test_without_its_key_or_head_there_is_no_backup_and_no_restore(lived, tmp_path, missing):
    back_up(str(lived.path), tmp_path / "b.db")
    (tmp_path / f"b.db{missing}").unlink()
    with pytest.raises(StoreError):
        restore(tmp_path / "b.db", str(tmp_path / "new.db"))
    lived.path.with_name(lived.path.name + missing).unlink()
    with pytest.raises(StoreError):
        back_up(str(lived.path), tmp_path / "c.db")
    assert not list(tmp_path.glob("c.db*"))
    assert not list(tmp_path.glob("new.db*.db")) + list(tmp_path.glob("new.db.restoring*"))


def test_a_store_in_use_is_not_replaced(lived, tmp_path):
    back_up(str(lived.path), tmp_path / "b.db")
    journal = SqlJournal(str(lived.path))
    with pytest.raises(StoreInUse):
        restore(tmp_path / "b.db", str(lived.path), force=True)
    journal.close()
    with pytest.raises(StoreUnavailable, match="with --force it is kept under another name"):
        restore(tmp_path / "b.db", str(lived.path))
    assert state_of(lived.path) == lived.state


def test_a_store_that_is_replaced_is_kept(lived, tmp_path):
    back_up(str(lived.path), tmp_path / "b.db")
    manager = taken_up(lived.path)
    manager.record_cash("deposit", 77.0)
    later = snapshot_bytes(manager.book.standing)
    manager.book.journal.close()  # with a log beside it, as a kill leaves it
    for number in (1, 2):
        aside = restore(tmp_path / "b.db", str(lived.path), force=True)
        assert aside == lived.path.with_name(f"store.db.replaced-{number}")
        assert state_of(lived.path) == lived.state
    assert state_of(lived.path.with_name("store.db.replaced-1")) == later


def test_a_stop_holds_over_a_restore(lived, tmp_path):
    manager = taken_up(lived.path)
    manager.release_emergency("anna", "begin")
    manager.close()
    back_up(str(lived.path), tmp_path / "b.db")
    manager = taken_up(lived.path)
    manager.emergency_stop("fire", actor="anna")
    manager.close()
    restore(tmp_path / "b.db", str(lived.path), force=True)
    manager = taken_up(lived.path)
    assert manager.state.mode is TradingMode.HALTED
    assert any("anna: fire" in hold.reason for hold in manager.state.holds.values())
    manager.release_emergency("anna", "compared")
    manager.close()
    manager = taken_up(lived.path)
    assert manager.state.mode is TradingMode.ACTIVE
    manager.close()


def test_a_store_that_can_not_be_read_is_replaced_and_everything_stays_stopped(lived, tmp_path):
    back_up(str(lived.path), tmp_path / "b.db")
    lived.path.write_bytes(b"rot" * 10_000)
    restore(tmp_path / "b.db", str(lived.path), force=True)
    manager = taken_up(lived.path)
    assert manager.state.mode is TradingMode.HALTED
    manager.close()


def left_behind(store: Path) -> bytes:
    try:
        return state_of(store)
    except StoreCorrupt as problem:  # the new head beside the old journal
        assert str(problem).startswith(("entry", "the journal ends at"))  # noqa: PT017
        return b"refuses to start"


@pytest.mark.parametrize("step", range(1, 7))
def test_cut_short_a_restore_leaves_the_old_store_or_none_that_starts(lived, tmp_path, monkeypatch, step):
    back_up(str(lived.path), tmp_path / "b.db")
    manager = taken_up(lived.path)
    manager.record_cash("deposit", 77.0)
    later = snapshot_bytes(manager.book.standing)
    manager.book.journal.close()
    left = [step]

    def counted(real):
        def call(*args, **words):
            left[0] -= 1
            if left[0] == 0:
                raise Cut
            return real(*args, **words)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(backup, "_note", counted(backup._note))
        patch.setattr(Path, "replace", counted(Path.replace))
        patch.setattr(backup.os, "link", counted(os.link))
        with pytest.raises(Cut):
            restore(tmp_path / "b.db", str(lived.path), force=True)
    assert left_behind(lived.path) in {later, lived.state, b"refuses to start"}
    restore(tmp_path / "b.db", str(lived.path), force=True)
    assert state_of(lived.path) == lived.state


class Cut(BaseException):
    """The power goes."""


@pytest.mark.parametrize("step", [0, 1, 2])
def test_cut_short_a_backup_leaves_nothing_that_an_engine_begins_a_book_on(
    lived, tmp_path, monkeypatch, step
):
    folder, moved, real = tmp_path / "backups", [], Path.rename

    def rename(path, target):
        if len(moved) == step:
            raise Cut
        moved.append(target)
        real(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        with pytest.raises(Cut):
            back_up(str(lived.path), folder / "b.db")
    assert sorted(folder.iterdir()) == sorted(moved)
    if moved:
        with pytest.raises(StoreCorrupt):
            SqlJournal(str(folder / "b.db"))


def test_a_restore_names_the_backup_that_it_could_not_read(lived, tmp_path):
    back_up(str(lived.path), tmp_path / "b.db")
    (tmp_path / "b.db").write_bytes(b"rot" * 10_000)
    with pytest.raises(StoreCorrupt, match=r"b\.db can't be read"):
        restore(tmp_path / "b.db", str(tmp_path / "new.db"))


def test_a_backup_of_an_older_version_is_brought_up_to_date(lived, tmp_path):
    back_up(str(lived.path), tmp_path / "b.db")
    with sqlite3.connect(tmp_path / "b.db") as connection:  # as it was before tokens
        connection.execute("DROP TABLE tokens")
        connection.execute("DROP TABLE outbox")
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    connection.close()
    restore(tmp_path / "b.db", str(tmp_path / "new.db"))
    assert state_of(tmp_path / "new.db") == lived.state
    with StoreReader.of_store(str(tmp_path / "new.db")) as reader:
        assert verify(reader).is_clean


def test_the_commands(lived, tmp_path):
    def run(*words):
        return CliRunner().invoke(app, [*words, "--store", str(lived.path)])

    made = run("backup", str(tmp_path / "b.db"))
    assert made.exit_code == 0, made.output
    assert "looked through and whole" in " ".join(made.output.split())
    assert run("backup", str(tmp_path / "b.db")).exit_code == 1
    assert json.loads(run("backup", str(tmp_path / "c.db"), "--json").stdout)["problems"] == []
    assert run("restore", str(tmp_path / "b.db")).exit_code == 1
    done = run("restore", str(tmp_path / "b.db"), "--force")
    assert done.exit_code == 0, done.output
    assert "revoke again" in " ".join(done.output.split())
    assert json.loads(run("restore", str(tmp_path / "b.db"), "--force", "--json").stdout)["replaced"]
    assert run("restore", str(tmp_path / "none.db")).exit_code == 1
    again = run("audit", "verify", "--decisions")
    assert again.exit_code == 0, again.output
    assert "decisions made once more, 0 came out otherwise" in " ".join(again.output.split())
    told_again = json.loads(run("audit", "verify", "--decisions", "--json").stdout)
    assert told_again["otherwise"] == []
    assert told_again["decisions"] > 50


def served(tmp_path: Path, lived) -> Path:
    """A backup that nobody restored."""
    back_up(str(lived.path), tmp_path / "b.db")
    return tmp_path / "b.db"


def carried(tmp_path: Path, lived) -> Path:
    """A restored book whose three files were carried elsewhere before an engine had it."""
    restore(served(tmp_path, lived), str(tmp_path / "r.db"))
    return copied(tmp_path, tmp_path / "r.db")


def copied_in_use(tmp_path: Path, lived) -> Path:
    """Copied with all that stands beside it, while another engine goes on with it."""
    manager = taken_up(lived.path)
    manager.release_emergency("anna", "compared")
    manager.close()
    return copied(tmp_path, lived.path, ("", ".head", ".key", ".latch", ".lock"))


def copied(tmp_path: Path, store: Path, ends: tuple[str, ...] = ("", ".head", ".key")) -> Path:
    (tmp_path / "elsewhere").mkdir()
    for end in ends:
        place = tmp_path / "elsewhere" / f"book.db{end}"
        place.write_bytes(store.with_name(store.name + end).read_bytes())
    return tmp_path / "elsewhere" / "book.db"


@pytest.mark.parametrize("made", [served, carried, copied_in_use])
def test_a_copy_of_a_book_opens_nothing_until_a_person_compared_it(tmp_path, lived, made):
    """Whatever was done behind it, a stop too, is not in it; nor is what holds a restored one, beside it."""
    manager = taken_up(made(tmp_path, lived))
    (said,) = unreconciled(manager)
    assert "it is a copy" in said
    store = str(manager.book.journal.place)
    manager.release_emergency("anna", "compared")
    manager.close()
    again = taken_up(Path(store))
    assert unreconciled(again) == []
    again.close()


def unreconciled(manager: AdvancedRiskManager) -> list[str]:
    return [hold.reason for hold in manager.state.holds.values() if hold.cause == "unreconciled"]


def test_a_store_that_was_moved_on_its_disk_is_no_copy(tmp_path, lived):
    manager = taken_up(lived.path)  # the fixture is a copy
    manager.release_emergency("anna", "compared")
    manager.close()
    (tmp_path / "there").mkdir()
    for end in ("", ".head", ".key"):
        lived.path.with_name(lived.path.name + end).rename(tmp_path / "there" / f"book.db{end}")
    manager = taken_up(tmp_path / "there" / "book.db")
    assert unreconciled(manager) == []
    manager.close()
