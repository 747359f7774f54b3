"""Group commit: what many threads wrote reaches the disk together, in order, before any is answered."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from threading import Condition, RLock, get_ident
from threading import Event as Signal
from types import TracebackType
from typing import Final, Protocol

from risk_management.core.standing import Standing
from risk_management.errors import StoreUnavailable
from risk_management.model.events import Event, Filled, TradeDecided

__all__ = ["GroupCommit", "Journal", "Transaction", "Unit", "is_mine"]

MOST_UNITS: Final = 256
LONGEST: Final = 10.0
"""Seconds for which others wait before the lock, at most."""
ALWAYS: Final = (True,)
UNEXPECTED: Final = "the journal failed in an unexpected way"


class Journal(Protocol):
    """Keeps events, in order."""

    def write(self, events: Sequence[Event], after: Standing | None) -> None:
        """Keep events, all or none; returns when they will survive a power cut.

        Parameters
        ----------
        events : sequence of Event
        after : Standing or None
            What they lead to: the journal may keep it, so that a start needn't read everything. None where
            nobody knows, in the middle of what is written down after an outage.

        Raises
        ------
        StoreUnavailable
            None of them was kept.
        """
        ...

    @property
    def ends_at(self) -> int:
        """Number of the last entry that is kept; -1 where nothing is, or is numbered."""
        ...

    def decided(self, request_id: str) -> TradeDecided | None:
        """What a request was answered, None for one that never was.

        Raises
        ------
        StoreUnavailable
            It was answered and can't be read.
        """
        ...

    def filled(self, execution_id: str) -> Filled | None:
        """What an execution id booked, None for one that never was.

        Raises
        ------
        StoreUnavailable
            It was booked and can't be read.
        """
        ...

    def recover(self) -> Standing | None:
        """The state at the end of the journal, None for an empty one.

        Raises
        ------
        StoreCorrupt
            The journal contradicts itself; the text names the first bad entry.
        """
        ...

    def close(self, last: Standing) -> None:
        """Close the store; `last` is how the book stands.

        Raises
        ------
        StoreUnavailable
            It is closed, and what was written is not there any more.
        """
        ...

    def latched(self) -> Mapping[str, str]:
        """What was noted by `latch` and not taken away.

        ``left_by`` names an engine that had the store last, on another machine, and did not give it back:
        what it noted there is not known here.
        """
        ...

    def latch(self, *, stopped: str | None = None, in_memory: str | None = None) -> None:
        """Note beside the store what must outlive the process although the store may not be writable.

        None leaves a note as it is, an empty text takes it away. It needs no free disk and never raises.
        """
        ...

    def may_be_taken(self) -> bool:
        """Whether another engine may have the store by now, as far as can be told without it."""
        ...

    def reopen(self) -> None:
        """Reach the store again after it failed, and hold its end against what was written.

        Raises
        ------
        StoreUnavailable
            It can't be reached yet.
        StoreCorrupt
            It does not end where it should: it must not be written to.
        """
        ...


@dataclass(slots=True)
class Unit:
    """What one caller wrote, and how the book stands after it.

    Parameters
    ----------
    events : tuple of Event
    after : Standing
    is_settled : bool
        It is on disk, or lost.
    problem : StoreUnavailable or None
        Why it was lost.
    """

    events: tuple[Event, ...]
    after: Standing
    is_settled: bool = False
    problem: StoreUnavailable | None = None


class GroupCommit:
    """Writes units in order. One of the waiting callers writes for all; there is no thread of its own.

    Parameters
    ----------
    journal : Journal
    kept : callable
        Told the last unit of a batch that is on disk.
    lost : callable
        Told all units that were lost, and why: those of the batch and all that were queued behind them.
    """

    def __init__(
        self,
        journal: Journal,
        kept: Callable[[Unit], None],
        lost: Callable[[StoreUnavailable, Sequence[Unit]], None],
    ) -> None:
        self.journal = journal
        self.turn = RLock()
        self._turn = Condition(self.turn)
        self._is_late = False
        self._kept, self._lost = kept, lost
        self.queue: deque[Unit] = deque()
        """Filled under the Book's lock, so that the order is that of the state."""

    @property
    def is_mine(self) -> bool:
        """Whether the calling thread has the turn: it writes, and what asks is a signal handler on top."""
        return is_mine(self._turn)

    def drain(self) -> list[Unit]:
        """All that is queued, taken out."""
        units = list(self.queue)
        self.queue.clear()
        return units

    def wait(self, unit: Unit) -> None:
        """Return when a unit is on disk; whoever comes first writes for all that wait.

        A signal handler on top of a write can't wait for it: it is written when the handler has returned.

        Raises
        ------
        StoreUnavailable
            It was lost, whole.
        """
        if not unit.is_settled:
            if self.is_mine:
                self._is_late = True
                return
            with self.turn:
                self._write_until(unit)
                if self._is_late:
                    self._is_late = False
                    self.finish()
        if unit.problem is not None:
            raise StoreUnavailable(str(unit.problem)) from unit.problem

    def _write_until(self, unit: Unit) -> None:
        while self.queue and not unit.is_settled:
            self._write()
        if not (unit.is_settled or self._is_kept(unit)):  # who wrote for it was interrupted
            unit.problem = unit.problem or StoreUnavailable(UNEXPECTED)

    def finish(self) -> None:
        """Write all that is queued; to be called with the `turn`."""
        while self.queue:
            self._write()

    def _write(self) -> None:
        units: list[Unit] = []
        problem: StoreUnavailable | None = StoreUnavailable(UNEXPECTED)
        try:  # a person's Ctrl-C may come between any two steps
            units += islice(self.queue, MOST_UNITS)
            for _ in units:
                self.queue.popleft()
            events = [event for unit in units for event in unit.events]
            self.journal.write(events, units[-1].after)
            problem = None
        except StoreUnavailable as said:
            problem = said
        finally:
            if problem is None or (units and self._is_kept(units[-1])):
                self._kept(units[-1])
            elif units:
                self._lost(problem, units)
            for unit in units:
                unit.is_settled = True

    def _is_kept(self, unit: Unit) -> bool:
        return self.journal.ends_at >= unit.after.state.version


class Transaction:
    """The Book's lock: decide and apply with nobody in between; who leaves it waits for the disk.

    Parameters
    ----------
    enter : callable
        Called when a thread has come in, under the lock; one that raises keeps it out.
    leave : callable
        Called when a thread leaves for good, still under the lock; returns what is to be done after the
        lock is free again, such as waiting for the disk.
    """

    def __init__(self, enter: Callable[[], None], leave: Callable[[], Callable[[], None] | None]) -> None:
        self._lock = RLock()
        self._whose = Condition(self._lock)
        self._is_open = Signal()
        self._is_open.set()
        self._patience = LONGEST
        self._put_off: deque[tuple[int, Callable[[], None]]] = deque()
        self._enter, self._leave = enter, leave
        self._owner = self._first = 0
        self._depth = 0

    @property
    def is_mine(self) -> bool:
        """Whether the calling thread is inside."""
        return self._owner == get_ident()

    @property
    def is_held(self) -> bool:
        """As `is_mine`, and right between any two steps of coming in and going out: for signal handlers."""
        return is_mine(self._whose)

    def put_off(self, task: Callable[[], None]) -> None:
        """Do something when whoever is inside has left and waited for the disk."""
        self._put_off.append((get_ident(), task))

    @property
    def quiet(self) -> RLock:
        """The bare lock, for the Book's own repairs: leaving it queues nothing and waits for nothing."""
        return self._lock

    @contextmanager
    def before_others(self) -> Iterator[None]:
        """The bare lock, before all who come after: who comes again and again would keep others out."""
        self._is_open.clear()
        try:
            with self._lock:
                self._first = get_ident()
                yield
        finally:
            self._first = 0
            self._is_open.set()

    @contextmanager
    def slowed(self, seconds: float) -> Iterator[None]:
        """Whoever comes waits so long first: who comes again and again leaves the process to who needs it."""
        if not seconds:
            yield
            return
        self._patience = seconds
        self._is_open.clear()
        try:
            yield
        finally:
            self._is_open.set()
            self._patience = LONGEST

    def __enter__(self) -> None:
        if not (self._is_open.is_set() or self.is_mine or self._first == get_ident()):
            self._is_open.wait(self._patience)
        got: list[bool] = []
        depth, is_in = -1, False
        try:  # a person's Ctrl-C comes while one waits here, and is raised right behind it
            got.extend(map(self._lock.acquire, ALWAYS))  # one step: nothing comes between having and knowing
            depth = self._depth
            self._owner = get_ident()
            self._depth = depth + 1
            if not depth:
                self._enter()
            is_in = True
        finally:
            if got and not is_in:
                if depth >= 0:
                    self._depth = depth
                if not self._depth:
                    self._owner = 0
                self._lock.release()
                self.do_put_off()

    def do_put_off(self) -> None:
        """Do what a signal handler put off; for who left what it came on top of."""
        for _ in range(0 if self.is_held else len(self._put_off)):  # what is put off again waits again
            who, task = self._put_off.popleft()
            if who == get_ident():
                task()
            else:  # whom the handler came upon may be waited for here
                self._put_off.append((who, task))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        afterwards, depth = None, self._depth - 1
        try:
            try:
                if not depth:
                    afterwards = self._leave()
            finally:  # no call in between: nothing keeps the lock from being given back
                self._depth = depth
                if not depth:
                    self._owner = 0
                self._lock.release()
            if afterwards is not None:
                afterwards()
        finally:
            if not depth and self._put_off:
                self.do_put_off()


def is_mine(lock: Condition) -> bool:
    """Whether the calling thread holds the lock of a condition."""
    try:
        lock.notify(0)
    except RuntimeError:
        return False
    return True
