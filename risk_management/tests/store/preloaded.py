"""Imported once by the server that workers are forked from: everything is loaded and was used once."""

import tempfile
from pathlib import Path

from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.store.sql_journal import SqlJournal
from risk_management.tests.store import worker
from risk_management.tests.store.workload import Bot, run
from risk_management.tests.store.world import small_foundation

assert worker
with tempfile.TemporaryDirectory() as _folder:
    for _seed in range(2):
        _manager = AdvancedRiskManager.on(small_foundation(), journal=SqlJournal(str(Path(_folder) / "s")))
        run(Bot(_manager, "first", _seed), lambda act: None, 50)
        _manager.close()
