"""A store that has lived a little, copied for each test."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import NamedTuple

import pytest

from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.store import sql_journal
from risk_management.store.snapshot import snapshot_bytes
from risk_management.store.sql_journal import SqlJournal
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
