"""Journals of every version that was ever given out lead to the same state, for ever."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.store.reader import StoreReader
from risk_management.store.snapshot import snapshot_bytes
from risk_management.store.sql_journal import SqlJournal
from risk_management.store.verify import verify
from risk_management.tests.store.checks import forget_snapshots
from risk_management.tests.store.world import small_foundation

GOLDEN = Path(__file__).parent / "golden"
JOURNALS = sorted(GOLDEN.glob("*.db"))

pytestmark = pytest.mark.skipif(
    not GOLDEN.is_dir(), reason="the golden journals do not ship with the installed package"
)


def copied(golden: Path, folder: Path) -> Path:
    for end in ("", ".head", ".key"):
        shutil.copy(golden.with_name(golden.name + end), folder / f"s.db{end}")
    return folder / "s.db"


def state_of(store: Path) -> Any:
    journal = SqlJournal(str(store))
    try:
        state = json.loads(snapshot_bytes(journal.recover()))[0]
    finally:
        journal.close()
    return {**state, "config": json.loads(state["config"])}


def recorded(golden: Path) -> dict[str, Any]:
    """What is written down of a golden journal when it is made."""
    state = state_of(golden)
    with StoreReader.of_store(str(golden)) as reader:
        kinds = Counter(entry.kind for entry in reader.entries())
    for end in (".lock", ".latch", "-wal", "-shm"):
        golden.with_name(golden.name + end).unlink(missing_ok=True)
    return {"hash": hash_of(state), "kinds": dict(sorted(kinds.items())), "state": state}


def hash_of(state: Any) -> str:
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()


def as_known(state: Any, known: Any) -> Any:
    """A state with the words alone that the older version knew; all it knew has to be there."""
    if isinstance(known, dict) and isinstance(state, dict):
        return {name: as_known(state[name], value) for name, value in known.items()}
    if isinstance(known, list) and isinstance(state, list) and len(known) == len(state):
        return [as_known(one, other) for one, other in zip(state, known, strict=True)]
    return state


def test_there_is_a_golden_journal():
    assert JOURNALS
    assert sum(file.stat().st_size for file in GOLDEN.iterdir()) < 700_000 * len(JOURNALS)


@pytest.mark.parametrize("golden", JOURNALS, ids=lambda path: path.stem)
def test_a_golden_journal_leads_to_the_state_that_was_recorded(golden, tmp_path):
    known = json.loads(golden.with_suffix(".json").read_text("utf-8"))
    assert hash_of(known["state"]) == known["hash"]
    store = copied(golden, tmp_path)
    for snapshots in (True, False):
        if not snapshots:
            forget_snapshots(store)
        state = as_known(state_of(store), known["state"])
        assert {name for name in state if state[name] != known["state"][name]} == set()
        assert hash_of(state) == known["hash"]


@pytest.mark.parametrize("golden", JOURNALS, ids=lambda path: path.stem)
def test_a_golden_journal_is_whole_and_goes_on(golden, tmp_path):
    store = copied(golden, tmp_path)
    with_this_version = SqlJournal(str(store))  # brings its tables up to date
    with_this_version.close()
    with StoreReader.of_store(str(store)) as reader:
        assert verify(reader).problems == ()
    manager = AdvancedRiskManager.on(small_foundation(), journal=SqlJournal(str(store)))
    manager.record_cash("deposit", 5.0)
    manager.close()
    with StoreReader.of_store(str(store)) as reader:
        assert verify(reader).problems == ()


def test_a_change_of_what_was_known_is_seen():
    known = {"a": [1, {"b": 2}], "c": 3}
    assert as_known({"a": [1, {"b": 2, "new": 9}], "c": 3, "d": 4}, known) == known
    for other in ({"a": [1, {"b": 5}], "c": 3}, {"a": [1], "c": 3}, {"a": [1, {"b": 2}], "c": None}):
        assert as_known(other, known) != known
    with pytest.raises(KeyError):
        as_known({"a": [1, {"b": 2}]}, known)
