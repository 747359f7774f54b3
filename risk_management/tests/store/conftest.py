"""A store that has lived a little, copied for each test."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import NamedTuple

import pytest

from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.store import lease, sql_journal
from risk_management.store.snapshot import snapshot_bytes
from risk_management.store.sql_journal import SqlJournal
from risk_management.tests.store.server import Postgres
from risk_management.tests.store.worker import SHORT
from risk_management.tests.store.workload import Act, Bot, run
from risk_management.tests.store.world import small_foundation


class Lived(NamedTuple):
    """A store, what was answered in its life, and how its book stood at the end."""

    path: Path
    acts: list[Act]
    state: bytes

    def change(self, statement: str, *values: object) -> None:
        """Write to the file as an attacker with its password would."""
        with sqlite3.connect(self.path, isolation_level=None) as connection:
            for trigger in ("journal_no_update", "journal_no_delete"):
                connection.execute(f"DROP TRIGGER IF EXISTS {trigger}")
            connection.execute(statement, values)
        connection.close()

    def ask(self, question: str) -> list[tuple]:
        """What the file says."""
        connection = sqlite3.connect(self.path)
        found = connection.execute(question).fetchall()
        connection.close()
        return found


@pytest.fixture(scope="session")
def _life(tmp_path_factory) -> Lived:
    path = tmp_path_factory.mktemp("life") / "store.db"
    acts: list[Act] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sql_journal, "SNAPSHOT_EVERY", 100)
        for seed in range(2):
            manager = AdvancedRiskManager.on(small_foundation(), journal=SqlJournal(str(path)))
            for name in ("a", "b"):
                run(Bot(manager, name, seed), acts.append, 80)
            state = snapshot_bytes(manager.book.standing)
            manager.close()
    return Lived(path, acts, state)


@pytest.fixture
def lived(_life, tmp_path) -> Lived:
    for file in _life.path.parent.iterdir():
        shutil.copy(file, tmp_path / file.name)
    return _life._replace(path=tmp_path / _life.path.name)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = Postgres(tmp_path_factory.mktemp("postgres"))
    yield made
    made.end()


@pytest.fixture
def _at_home(tmp_path, monkeypatch):
    """What stands beside a database lies in the user's folder; leases that nobody has to wait for."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(lease, "SECONDS", SHORT[0])
    monkeypatch.setattr(lease, "RENEWED_EVERY", SHORT[1])
    monkeypatch.setattr(sql_journal, "SNAPSHOT_EVERY", 40)


@pytest.fixture
def store(server) -> str:
    return server.database()
