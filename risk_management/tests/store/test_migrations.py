"""The tables are made by the migrations, from whatever version a store has, and a kill leaves no half."""

from __future__ import annotations

import signal
import sqlite3

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from risk_management.errors import StoreCorrupt
from risk_management.store.database import MIGRATIONS, connect, migrate
from risk_management.store.reader import StoreReader
from risk_management.store.schema import METADATA
from risk_management.store.sql_journal import SqlJournal
from risk_management.tests.store.checks import problems
from risk_management.tests.store.test_kills import ended
from risk_management.tests.store.worker import started, told

SCRIPTS = ScriptDirectory(str(MIGRATIONS))
VERSIONS = [script.revision for script in reversed(list(SCRIPTS.walk_revisions()))]


def at_version(path, version: str) -> None:
    """A store with the tables of an earlier version."""
    engine, config = connect(str(path)), Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)
    engine.dispose()


def made(path) -> list[tuple[str]]:
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name").fetchall()
    connection.close()
    return found


def test_the_migrations_make_the_tables_that_the_program_reads(tmp_path):
    engine = connect(str(tmp_path / "s.db"))
    migrate(engine)
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), METADATA)
    engine.dispose()
    assert differences == []


def test_there_is_one_line_of_versions():
    assert SCRIPTS.get_heads() == [VERSIONS[-1]]
    assert SCRIPTS.get_bases() == [VERSIONS[0]]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_store_of_any_version_is_brought_up_to_date(tmp_path, version):
    at_version(tmp_path / "old.db", version)
    SqlJournal(str(tmp_path / "old.db")).close()
    SqlJournal(str(tmp_path / "new.db")).close()
    assert made(tmp_path / "old.db") == made(tmp_path / "new.db")
    SqlJournal(str(tmp_path / "old.db")).close()  # and once more changes nothing


def test_a_reader_does_not_migrate(tmp_path):
    (tmp_path / "empty.db").touch()
    with pytest.raises(StoreCorrupt, match="tables of version None"):
        StoreReader.of_store(str(tmp_path / "empty.db"))
    assert (tmp_path / "empty.db").read_bytes() == b""


def statements_of_an_upgrade(path) -> int:
    from sqlalchemy import event  # noqa: PLC0415

    engine, counted = connect(str(path)), []
    event.listen(engine, "before_cursor_execute", lambda *words: counted.append(words[2]))
    migrate(engine)
    engine.dispose()
    return len(counted)


def test_killed_at_any_statement_it_is_made_whole_by_the_next_start(tmp_path):
    number = statements_of_an_upgrade(tmp_path / "counted.db")
    assert number > 10
    for when in range(1, number + 1):
        store = tmp_path / f"{when}.db"
        killed = started(store, tmp_path / "a", 1, failpoint="any statement", when=when, number=0, bots=1)
        assert ended(killed) == -signal.SIGKILL
        SqlJournal(str(store)).close()
        assert made(store) == made(tmp_path / "counted.db"), f"statement {when}"
        assert problems(store, told(tmp_path / "a")) == []
