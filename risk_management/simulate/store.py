"""A durable store without a disk: what was synced outlives the process, everything else is gone with it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import reduce
from typing import Final, NamedTuple, NoReturn
from zlib import crc32

from risk_management.clock import ManualClock
from risk_management.core.standing import Standing, folded
from risk_management.errors import StoreCorrupt, StoreUnavailable
from risk_management.model.events import Event, Filled, TradeDecided
from risk_management.model.risk_model import RiskModel
from risk_management.store.chain import START, link
from risk_management.store.codec import decode, encode
from risk_management.store.model_codec import model_digest
from risk_management.store.snapshot import snapshot_bytes, standing_from

__all__ = ["Disk", "Killed", "SimulatedStore", "WriteFault", "is_kept_for_good"]

SNAPSHOT_EVERY: Final = 2_000
KEPT_SNAPSHOTS: Final = 2
REMEMBERED: Final = 30_000
"""Entries behind which answers and fills are let go, but for one in 64."""
KEPT_OF: Final = 64


class Killed(Exception):
    """The process ended in the middle of what it did; nothing that it did not sync is left."""


class WriteFault(StrEnum):
    """How the next write goes wrong."""

    LOST = "write_lost"
    """It fails and nothing of it is kept."""
    KEPT = "write_kept"
    """It is kept and reported as failed: an error on the way back."""
    DIES_BEFORE = "killed_before_write"
    """The process dies with the batch in its memory."""
    DIES_AFTER = "killed_after_write"
    """The process dies with the batch on disk and nobody answered."""


class _Row(NamedTuple):
    """One entry of the journal."""

    seq: int
    at: str
    kind: str
    actor: str
    body: str
    hash: bytes


class _Snapshot(NamedTuple):
    """A state on the way: its entry, the hash of that entry, and its text with a hash of its own."""

    seq: int
    chained: bytes
    body: bytes
    hash: bytes


def is_kept_for_good(name: str) -> bool:
    """Whether the simulation keeps what a request or execution id led to for the whole run.

    A day of answers would not fit in memory, so all are kept for some ten thousand entries and one in 64
    for good: who asks again after hours asks for one of those.
    """
    return crc32(name.encode()) % KEPT_OF == 0


@dataclass
class Disk:
    """What outlives every process: entries, snapshots, models, and the small file beside the store.

    Parameters
    ----------
    machine : ManualClock
    watch : callable
        Told the events of every write that is on disk, before anyone is answered.
    compare : callable
        Told the state that a recovery came to, and the one that the disk should lead to.
    """

    machine: ManualClock
    watch: Callable[[Sequence[Event]], None] = lambda _: None
    compare: Callable[[Standing, Standing], None] = lambda _found, _wanted: None
    tail: int = -1
    hash: bytes = START
    rows: list[_Row] = field(default_factory=list)
    snapshots: list[_Snapshot] = field(default_factory=list)
    models: dict[str, RiskModel] = field(default_factory=dict)
    requests: dict[str, _Row] = field(default_factory=dict)
    executions: dict[str, _Row] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    standing: Standing | None = None
    """What all that is on disk leads to, as the engine saw it: a recovery must come to the same."""
    next_fault: WriteFault | None = None
    down_until: float = 0.0

    @property
    def is_down(self) -> bool:
        """Whether nothing can be written or reached now."""
        return self.machine.monotonic() < self.down_until

    def sync(self, rows: Sequence[_Row], events: Sequence[Event], after: Standing | None) -> None:
        """Everything of a batch survives from here on."""
        for row, event in zip(rows, events, strict=True):
            self.rows.append(row)
            if isinstance(event, TradeDecided):
                self.requests.setdefault(event.request_id, row)
            elif isinstance(event, Filled):
                self.executions.setdefault(event.execution_id, row)
        before, self.tail, self.hash = self.tail, rows[-1].seq, rows[-1].hash
        self.standing = reduce(folded, events, self.standing) if after is None else after
        if after is not None and self.tail // SNAPSHOT_EVERY > before // SNAPSHOT_EVERY:
            self.keep_snapshot(after)

    def keep_snapshot(self, after: Standing) -> None:
        """Keep a state, and let go of what no recovery needs any more."""
        body = snapshot_bytes(after, self.digest_of(after.state.model))
        name = hashlib.sha256(self.hash + body).digest()
        self.snapshots.append(_Snapshot(self.tail, self.hash, body, name))
        if len(self.snapshots) > KEPT_SNAPSHOTS:
            del self.snapshots[0]
            first = self.snapshots[0].seq
            self.rows = [row for row in self.rows if row.seq > first]
        self.requests = _newest(self.requests, self.tail - REMEMBERED)
        self.executions = _newest(self.executions, self.tail - REMEMBERED)

    def digest_of(self, model: RiskModel) -> str:
        """The digest of a model that is kept here, without reading its arrays again."""
        known = next((digest for digest, kept in self.models.items() if kept is model), None)
        return known or model_digest(model)

    def spoil_snapshot(self) -> bool:
        """Let the newest snapshot be unreadable, where there is another to begin from."""
        if len(self.snapshots) < KEPT_SNAPSHOTS or not all(map(_is_whole, self.snapshots)):
            return False
        self.snapshots[-1] = self.snapshots[-1]._replace(body=b"torn")
        return True


def _is_whole(snapshot: _Snapshot) -> bool:
    return snapshot.hash == hashlib.sha256(snapshot.chained + snapshot.body).digest()


def _newest(known: dict[str, _Row], first: int) -> dict[str, _Row]:
    return {name: row for name, row in known.items() if row.seq > first or is_kept_for_good(name)}


class SimulatedStore:
    """One process's way to the disk; a new process gets a new one.

    Parameters
    ----------
    disk : Disk
    """

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._tail = disk.tail
        self._is_broken = False
        self.is_dead = False
        self.needs_restart = False
        """The disk does not end where this process wrote last."""

    def kill(self) -> None:
        """The process is gone: nothing that it still tries reaches the disk."""
        self.is_dead = True

    def write(self, events: Sequence[Event], after: Standing | None) -> None:
        """Append events, all or none; see `Journal.write`."""
        self._alive()
        disk = self._disk
        if self._is_broken:
            raise StoreUnavailable("the store failed before and was not reached again yet")
        if disk.is_down:
            self._fail("the disk does not answer")
        rows = self._rows(events)
        fault, disk.next_fault = disk.next_fault, None
        if fault is WriteFault.LOST:
            self._fail("no space left on device")
        if fault is WriteFault.DIES_BEFORE:
            self._die()
        disk.sync(rows, events, after)
        if fault is not WriteFault.KEPT:
            self._tail = disk.tail
        disk.watch(events)
        if fault is WriteFault.KEPT:
            self._fail("input/output error")
        if fault is WriteFault.DIES_AFTER:
            self._die()

    def _rows(self, events: Sequence[Event]) -> list[_Row]:
        disk = self._disk
        rows: list[_Row] = []
        seq, before = disk.tail, disk.hash
        for event in events:
            seq += 1
            text = encode(event)
            if text.model is not None:
                disk.models.setdefault(text.digest, text.model)
            at = event.at.isoformat()
            before = link(before, seq, at, text.kind, event.actor, text.body)
            rows.append(_Row(seq, at, text.kind, event.actor, text.body, before))
        return rows

    def decided(self, request_id: str) -> TradeDecided | None:
        """What a request was answered; see `Journal.decided`."""
        found = self._event(self._disk.requests.get(request_id))
        return found if isinstance(found, TradeDecided) else None

    def filled(self, execution_id: str) -> Filled | None:
        """What an execution id booked; see `Journal.filled`."""
        found = self._event(self._disk.executions.get(execution_id))
        return found if isinstance(found, Filled) else None

    def _event(self, row: _Row | None) -> Event | None:
        self._alive()
        if row is None or self._disk.is_down or row.seq > self._tail:
            return None
        return decode(row.kind, row.body, self._disk.models.__getitem__)

    def recover(self) -> Standing | None:
        """The state at the end of the journal; see `Journal.recover`."""
        self._alive()
        if self._disk.is_down:
            raise StoreUnavailable("the disk does not answer")
        standing, seq, before = self._begin()
        for row in self._disk.rows:
            if row.seq <= seq:
                continue
            if row.seq != seq + 1 or row.hash != link(before, *row[:5]):
                raise StoreCorrupt(f"entry {seq + 1} of the journal was changed or is missing")
            seq, before = row.seq, row.hash
            event = decode(row.kind, row.body, self._disk.models.__getitem__, lean=True)
            standing = folded(standing, event)
        if standing is not None and self._disk.standing is not None:
            self._disk.compare(standing, self._disk.standing)
        return standing

    def _begin(self) -> tuple[Standing | None, int, bytes]:
        """The newest snapshot that is whole; without one the very beginning."""
        for snapshot in reversed(self._disk.snapshots):
            if _is_whole(snapshot):
                start = standing_from(snapshot.body, self._disk.models.__getitem__)
                return start, snapshot.seq, snapshot.chained
        return None, -1, START

    def close(self, last: Standing) -> None:
        """Keep a snapshot for a fast start and end."""
        if not self.is_dead and not self._is_broken and last.state.version == self._disk.tail:
            self._disk.keep_snapshot(last)
        self.kill()

    @property
    def ends_at(self) -> int:
        """Number of the last entry."""
        return self._tail

    def latched(self) -> dict[str, str]:
        """What was noted."""
        return {name: text for name, text in self._disk.notes.items() if text}

    def latch(self, *, stopped: str | None = None, in_memory: str | None = None) -> None:
        """Note what must outlive the process; the small file works when the store does not."""
        if self.is_dead:
            return
        said = {"stopped": stopped, "in_memory": in_memory}
        self._disk.notes.update({name: text for name, text in said.items() if text is not None})

    def may_be_taken(self) -> bool:
        """The simulated disk has one engine at a time."""
        return False

    def reopen(self) -> None:
        """Reach the store again; see `Journal.reopen`."""
        self._alive()
        if self._disk.is_down:
            raise StoreUnavailable("the disk does not answer")
        if self._disk.tail != self._tail:
            self.needs_restart = True
            raise StoreCorrupt(f"the journal ends at entry {self._disk.tail} and not at {self._tail}")
        self._is_broken = False

    def _alive(self) -> None:
        if self.is_dead:
            raise Killed

    def _fail(self, text: str) -> NoReturn:
        self._is_broken = True
        raise StoreUnavailable(text)

    def _die(self) -> NoReturn:
        self.is_dead = True
        raise Killed
