"""What has to hold of a store after whatever befell it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from risk_management.store.database import connect, writer
from risk_management.store.place import place_of
from risk_management.store.schema import SNAPSHOTS
from risk_management.store.snapshot import snapshot_bytes
from risk_management.store.sql_journal import SqlJournal
from risk_management.store.verify import verify
from risk_management.tests.store.workload import Act, missing


def problems(store: Path | str, acts: Iterable[Act]) -> list[str]:
    """Take the store up as a start does: what is wrong with it, nothing when all is well."""
    journal = SqlJournal(str(store))
    try:
        with_snapshots = journal.recover()
        wrong = missing(acts, journal.reader.events())
        wrong += verify(journal.reader).problems
        forget_snapshots(store)
        from_scratch = journal.recover()
    finally:
        journal.close()
    if with_snapshots is None or from_scratch is None:
        return wrong
    if snapshot_bytes(with_snapshots) != snapshot_bytes(from_scratch):
        wrong.append("the state from a snapshot is not the state from the whole journal")
    return wrong


def forget_snapshots(store: Path | str) -> None:
    place = place_of(str(store))
    engine = connect(str(store)) if place.is_file else writer(place)
    with engine.begin() as connection:
        connection.execute(SNAPSHOTS.delete())
    engine.dispose()
