"""Hold a store against itself: the whole chain, its signed end, the indexes, the models, the snapshots."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Table, func, select, text

from risk_management.alerts.outbox import KEPT
from risk_management.core.standing import Standing, folded
from risk_management.errors import RiskError, StoreCorrupt
from risk_management.model.events import AlertTold, Event, Filled, TradeDecided
from risk_management.store.head import signed_head
from risk_management.store.lease import latch_of
from risk_management.store.outbox import SETTLED, alert_rows
from risk_management.store.reader import BEGINNING, Entry, Snapshot, StoreReader, Tail, checked
from risk_management.store.schema import EXECUTIONS, JOURNAL, MODELS, OUTBOX, REQUESTS, SNAPSHOTS
from risk_management.store.small_file import contents
from risk_management.store.snapshot import snapshot_bytes, standing_from

__all__ = ["Verdict", "elsewhere", "verify"]

MOST_SAID: Final = 20
END: Final = select(func.coalesce(func.max(JOURNAL.c.seq), -1)).scalar_subquery()
"""Where the journal ends at the moment of a look.

An engine writes an entry and the rows that name it at once: a row behind this end names none, whatever was
written since the walk.
"""
NO_EVENT: Final = (RiskError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What reading and folding raise over an entry that no engine wrote."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look through a whole store found.

    Parameters
    ----------
    entries : int
        Entries that follow one another from the first on.
    first_bad : int or None
        The first entry that does not; None where all do.
    problems : tuple of str
        What is wrong, the first 20.
    note : str
        Why the end could not be held against a signature: another machine served the database last.
    """

    entries: int
    first_bad: int | None
    problems: tuple[str, ...]
    note: str = ""

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def verify(reader: StoreReader) -> Verdict:
    """Look through a whole store, up to where it ends now; an engine may work on it meanwhile.

    Notes
    -----
    The chain shows what was changed, taken out or put in between. A tail that was cut, entries that were
    added behind and a journal that was rewritten whole with new hashes show by the signed end alone: it is
    worth as much as the key is kept from whoever can write the store.
    """
    walk = _Walk(reader)
    problems: list[str] = []
    note = ""
    try:
        problems += _of_the_file(reader)
        problems += walk.problems()
        if walk.first_bad is None:
            note = elsewhere(reader)
            problems += _of_the_head(reader, walk.tail) if not note else ()
            problems += _of_an_index(reader, REQUESTS, "request_id", walk.requests, walk.tail)
            problems += _of_an_index(reader, EXECUTIONS, "execution_id", walk.executions, walk.tail)
            problems += _of_the_outbox(reader, walk.messages, walk.tail)
            problems += _of_the_models(reader)
    except StoreCorrupt as problem:
        problems.append(str(problem))
    return Verdict(walk.tail.seq + 1, walk.first_bad, tuple(problems[:MOST_SAID]), note)


class _Walk:
    """One pass over the entries, with the state that they lead to."""

    def __init__(self, reader: StoreReader) -> None:
        self._reader = reader
        # what is written from now on may not be signed yet when the walk comes to it
        self._last = reader.tail().seq
        self._snapshots = {kept.seq: kept for kept in reader.snapshots()}
        self.tail = BEGINNING
        self.first_bad: int | None = None
        self.requests: dict[str, int] = {}
        self.executions: dict[str, int] = {}
        self.messages: dict[tuple[str, str], int] = {}

    def problems(self) -> Iterator[str]:
        standing: Standing | None = None
        try:
            for entry in self._reader.entries(until=self._last):
                tail = checked(entry, self.tail)
                event = self._reader.event(entry)
                standing = folded(standing, event)
                self.tail = tail
                self._note(entry, event)
                kept = self._snapshots.get(entry.seq)
                if kept is not None:
                    yield from _of_a_snapshot(self._reader, kept, standing)
        except NO_EVENT as problem:
            self.first_bad = self.tail.seq + 1
            said = str(problem) if isinstance(problem, RiskError) else f"{type(problem).__name__} {problem}"
            yield said if said.startswith("entry") else f"entry {self.first_bad}: {said}"

    def _note(self, entry: Entry, event: Event) -> None:
        if isinstance(event, TradeDecided):
            self.requests.setdefault(event.request_id, entry.seq)
        elif isinstance(event, Filled):
            self.executions.setdefault(event.execution_id, entry.seq)
        elif isinstance(event, AlertTold):
            for row in alert_rows(event.alert, entry.seq):
                self.messages.setdefault((row["key"], row["channel"]), entry.seq)


def _of_the_file(reader: StoreReader) -> Iterator[str]:
    said = reader.rows(text("PRAGMA quick_check(1)"))[0][0] if reader.place.is_file else "ok"
    if said != "ok":
        yield f"the file is damaged: {said}"
    hidden = reader.rows(select(func.count()).select_from(JOURNAL).where(JOURNAL.c.seq < 0))[0][0]
    if hidden:
        yield f"{hidden} entries stand before the first one"
    loose = reader.rows(select(SNAPSHOTS.c.seq).where(SNAPSHOTS.c.seq.not_in(select(JOURNAL.c.seq))))
    for row in loose:
        yield f"a snapshot stands on entry {row.seq}, which is not there"


def _of_a_snapshot(reader: StoreReader, kept: Snapshot, standing: Standing) -> Iterator[str]:
    try:
        is_right = kept.is_whole
        # fields that a newer version added are not in its text: both are written anew
        again = snapshot_bytes(standing_from(kept.body, reader.model)) if is_right else b""
    except StoreCorrupt:
        again = b""
    if again != snapshot_bytes(standing):
        yield f"the snapshot at entry {kept.seq} is not the state at that entry"


def elsewhere(reader: StoreReader) -> str:
    """Why there can be no signature of the end here, empty where there should be one."""
    if reader.place.is_file:
        return ""
    last = latch_of(reader)
    try:
        own = contents(reader.place.with_end(".latch").read_bytes()).get("name", "")
    except OSError:
        own = ""
    if not last or last == own:
        return ""
    return "another machine served it last: its end is signed there and can't be held against that here"


def _of_the_head(reader: StoreReader, tail: Tail) -> Iterator[str]:
    try:
        head = signed_head(reader.place)
    except StoreCorrupt as problem:
        if tail != BEGINNING:  # an engine that wrote nothing yet signed nothing
            yield str(problem)
        return
    if head.seq < tail.seq:
        yield (
            f"entries {head.seq + 1} to {tail.seq} stand behind the signed end: a kill or a power cut leaves "
            "some until the next start, else somebody added them"
        )
    found = reader.hash_of(head.seq)
    if head.seq > tail.seq and found is None:
        yield f"the journal ends at entry {tail.seq}, but entry {head.seq} was written: it was cut"
    elif found != head.hash:
        yield f"entry {head.seq} of the journal is not the one that was signed: it was rewritten"


def _of_an_index(
    reader: StoreReader, table: Table, column: str, wanted: dict[str, int], tail: Tail
) -> Iterator[str]:
    name, seq = table.c[column].label("name"), table.c.seq
    rows = reader.rows(select(name, seq).where((seq <= tail.seq) | (seq > END)))
    found = {row.name: row.seq for row in rows}
    for known in sorted(found.keys() | wanted.keys(), key=str):
        if found.get(known) != wanted.get(known):
            where = wanted.get(known)
            meant = "no entry" if where is None else f"entry {where}"
            yield f"the index names {found.get(known, 'nothing')} for {known!r}, the journal {meant}"


def _of_the_outbox(reader: StoreReader, wanted: dict[tuple[str, str], int], tail: Tail) -> Iterator[str]:
    """Every row belongs to the entry that it names, and no message that was not let go is missing."""
    columns = (OUTBOX.c.key, OUTBOX.c.channel, OUTBOX.c.seq, OUTBOX.c.state)
    rows = reader.rows(select(*columns, (OUTBOX.c.seq > END).label("is_behind")))
    found = {(row.key, row.channel): row for row in rows}
    for name, row in found.items():
        if row.seq is not None and (row.seq <= tail.seq or row.is_behind) and wanted.get(name) != row.seq:
            yield f"the outbox names entry {row.seq} for message {row.key!r:.70}, which does not tell it"
    settled = sorted(row.seq for row in rows if row.seq is not None and row.state in SETTLED)
    first = settled[-KEPT] if len(settled) >= KEPT else 0  # what was sent before may have been let go
    for (key, channel), seq in wanted.items():
        if seq >= first and (key, channel) not in found:
            yield f"entry {seq} tells message {key!r:.70} on {channel}, and the outbox does not hold it"


def _of_the_models(reader: StoreReader) -> Iterator[str]:
    for row in reader.rows(select(MODELS.c.digest)):
        try:
            reader.model(row.digest)
        except StoreCorrupt as problem:
            yield str(problem)
