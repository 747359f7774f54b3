"""The only writer of the state: one lock, one current snapshot, one list of what happened."""

from __future__ import annotations

import logging
import math
import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from threading import Condition, RLock
from typing import Final, Self
from weakref import WeakSet

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.commit import GroupCommit, Journal, Transaction, Unit, is_mine
from risk_management.core.initial_state import initial_state
from risk_management.core.standing import Standing
from risk_management.core.uncut import uncut
from risk_management.errors import EngineEnded, StoreCorrupt, StoreTaken, StoreUnavailable
from risk_management.model.events import (
    BookOpened,
    ConfigChanged,
    Event,
    Filled,
    HoldReleased,
    HoldSet,
    TradeDecided,
)
from risk_management.model.instrument import Instrument
from risk_management.model.money import SCALE
from risk_management.model.portfolio import SYSTEM, Hold, PortfolioState, Scope, TradingMode
from risk_management.model.risk_model import RiskModel

__all__ = ["Book"]

logger = logging.getLogger(__name__)

STORE = "store"
"""Cause of the hold that stands while the store can't be written."""
MOST_IN_MEMORY: Final = 100_000
"""Events that may wait for a store that can't be written."""
LEAST_WAIT: Final = 0.05
MOST_WAIT: Final = 0.5
"""Seconds for which everybody waits before each act where more comes than goes."""
ROOM: Final = 10
"""Times as many of what is no refusal: of approvals, which only close then, of fills and cancels."""
PIECE: Final = 200
"""Events that are written down together after an outage."""
LEAST_PIECE: Final = 10
"""As few, where more never reached a slow server in time."""
LATCHED: Final = 500


class Book:
    """Holds the current `PortfolioState` and replaces it, event by event.

    Parameters
    ----------
    config : RiskManagementConfig
    model : RiskModel
    now : datetime
        Aware UTC time of the start.
    instruments : Mapping of str to Instrument, optional
    journal : Journal, optional
        Keeps every event before the state shows it.

    Notes
    -----
    Reading `state` needs no lock: it is one reference to an immutable record, and nothing in it is
    less than durable. To decide and then apply without anyone in between, hold `lock`: inside, `state`
    is what all earlier callers left, and leaving waits until everything that was seen is on disk.

    A write that fails is lost whole: its callers are told by `StoreUnavailable`, and the state is
    what the disk holds. From then on the book lives in memory: nothing opens, what closes passes, and
    `mend` writes what happened as soon as the store can be reached again.
    """

    def __init__(
        self,
        config: RiskManagementConfig,
        model: RiskModel,
        now: datetime,
        *,
        instruments: Mapping[str, Instrument] | None = None,
        journal: Journal | None = None,
    ) -> None:
        start = Standing.of(initial_state(config, model, now, instruments), config)
        self._begin(start, journal)
        if journal is not None:
            known = tuple((instruments or {}).values())
            first = BookOpened(at=now, actor=SYSTEM, config=config.as_text(), instruments=known, model=model)
            journal.write([first], start)

    @classmethod
    def resumed(cls, standing: Standing, journal: Journal | None) -> Self:
        """A book that goes on from where its journal ends; in memory only without one."""
        book = cls.__new__(cls)
        book._begin(standing, journal)
        return book

    def _begin(self, standing: Standing, journal: Journal | None) -> None:
        self.lock = Transaction(self._enter, self._leave)
        self.lost: list[Callable[[int], None]] = []
        """Told the version that the state went back to when a write was lost."""
        self.mended: list[Callable[[], None]] = []
        """Told when the store can be written again and holds everything."""
        self._head = self._durable = standing
        self._commit = None if journal is None else GroupCommit(journal, self._kept, self._was_lost)
        self._events: list[Event] = []
        self._newest: Unit | None = None
        self._tasks: list[Callable[[], None]] = []
        self._outage = ""
        self._is_closed = False
        self._wait, self._piece = 0.0, PIECE
        self._backlog: list[Event] = []
        self._urgent: deque[Event] = deque()
        self._latching = RLock()
        self._latches = Condition(self._latching)
        if journal is not None:
            _BOOKS.add(self)

    @property
    def state(self) -> PortfolioState:
        """The current snapshot."""
        return self.standing.state

    @property
    def config(self) -> RiskManagementConfig:
        """The settings in use."""
        return self.standing.config

    @property
    def standing(self) -> Standing:
        """The current snapshot with the settings in use."""
        return self._head if self.lock.is_mine else self._durable

    @property
    def digest(self) -> str:
        """Names the settings in use."""
        return self.standing.digest

    @property
    def outage(self) -> str:
        """Why the store can't be written; empty while it can."""
        return self._outage

    @property
    def has_ended(self) -> bool:
        """Whether the book was closed: nothing is decided here any more."""
        return self._is_closed

    @property
    def may_be_taken(self) -> bool:
        """Whether another engine may have the store, and with it the care for the book.

        What the system would close by itself is the other's to close then; a person may here too.
        """
        if self._commit is not None and self._commit.journal.may_be_taken():
            return True
        own = self._own_hold
        return bool(self._outage) and own is not None and own.mode is TradingMode.HALTED

    @property
    def journal(self) -> Journal | None:
        """Where events are kept, None where they are not."""
        return None if self._commit is None else self._commit.journal

    def apply(self, event: Event) -> PortfolioState:
        """Replace the state by the one after `event`, and return it.

        Raises
        ------
        StoreUnavailable
            On leaving the lock: the event did not reach the disk and did not happen.
        """
        with self.lock:
            if not self._events and len(self._backlog) >= _most_in_memory(event):  # else it is cut in two
                raise StoreUnavailable(
                    f"too much happened while the store could not be written: {self._outage}"
                )
            while True:
                before = self._head
                after = before.after(event)
                if before is self._head:  # else a signal handler acted meanwhile, and this comes behind it
                    self._head = after  # Ctrl-C comes before both or behind both: it waits for a call
                    self._events.append(event)
                    return after.state

    def urge(self, event: Event) -> None:
        """Have an event applied before anything that anyone else who waits for the lock may do.

        Whoever comes into the lock next applies it, the caller too, who is to do so at once.
        """
        if self.lock.is_mine:
            self.apply(event)
        else:
            self._urgent.append(event)

    def afterwards(self, task: Callable[[], None]) -> None:
        """Do something once the lock is left and all that was seen in it is on disk; not if it was lost.

        To be called while holding `lock`. It stands in nobody's way there: it may call whom it likes.
        """
        self._tasks.append(task)

    def reconfigure(
        self, config: RiskManagementConfig, now: datetime, actor: str, given: str | None = None
    ) -> None:
        """Use other settings from the next event on; the rest of the state stays as it is.

        `given` is the text of the settings that the process was started with; by default what it was.
        """
        with self.lock:
            text = config.as_text()
            base = self._head.given if given is None else given
            event = ConfigChanged(
                at=now,
                actor=actor,
                config=text,
                digest=config.digest(),
                given="" if base == text else base,
            )
            self._head = Standing.of(self.apply(event), config, base)

    def adopt(self, config: RiskManagementConfig) -> None:
        """Use an object of equal settings: it knows the channels, which the journal does not hold."""
        with self.lock:
            self._head = Standing.of(self._head.state, config, self._head.given)

    def mend(self) -> bool:
        """Reach a store that failed and write what happened meanwhile; whether it can be written now.

        Not to be called while holding `lock`.
        """
        commit = self._commit
        if self._is_closed:
            return False
        if commit is None or not self._outage:
            return True
        if commit.is_mine or is_mine(self._latches):  # a signal handler: not in the midst of a write
            return False
        if self.lock.is_mine:
            return self._mend(commit)
        return uncut(partial(self._mend, commit))

    def _mend(self, commit: GroupCommit) -> bool:
        with commit.turn:
            if self._is_closed:  # another had the turn before
                return False
            if not self._outage:
                return True
            known, is_open = len(self._backlog), False
            try:
                with self.lock.slowed(self._wait):
                    commit.journal.reopen()
                is_open = True
                self._write_down(commit.journal)
                with self.lock.before_others():
                    self._catch_up(commit.journal)
            except StoreUnavailable as problem:
                logger.warning("the store can't be written yet: %s", problem)
                with self.lock.quiet:
                    self._give_way()
                    self._slow_down(known + PIECE)  # who comes all the time may be why
                if is_open:
                    self._piece = max(self._piece // 2, LEAST_PIECE)
                return False
            except StoreCorrupt as problem:
                logger.critical("the store is not the one that was written: %s", problem)
                with self.lock.quiet:
                    self._hold_in_memory(TradingMode.HALTED, str(problem), self._head.state.as_of)
                return False
        logger.warning("the store can be written again")
        return True

    def close(self) -> None:
        """Keep the state for a fast start and let another process have the store.

        What was begun is written; from then on nothing is taken: whoever comes is told by `EngineEnded`. A
        second call changes nothing, nor does the first in a book without a store. Where the thread holds
        `lock`, as under a signal handler, it is done when that has been left.
        """
        if self._commit is not None and not (self._is_closed or self.put_off(self.close)):
            self.mend()
            uncut(partial(self._close, self._commit))

    def put_off(self, task: Callable[[], None]) -> bool:
        """Whether this thread is amid an act, under a signal handler: then the task is done behind it."""
        commit = self._commit
        is_amid = commit is not None and (self.lock.is_held or commit.is_mine or is_mine(self._latches))
        if is_amid:
            self.lock.put_off(task)
        return is_amid

    def _is_of_a_parent(self) -> None:
        """In a forked child it has ended: whoever held a lock at that moment is not there to give it back."""
        self.lock = Transaction(self._enter, self._leave)
        self._is_closed = True

    def _close(self, commit: GroupCommit) -> None:
        with commit.turn, self.lock.before_others():
            if self._is_closed:
                return
            try:  # whatever one of them raises, the store is given back
                commit.finish()
                self.latch()  # whoever set a stop may not have come to that
                self._name_lost_fills()
            finally:
                self._give_back(commit.journal)

    def _name_lost_fills(self) -> None:
        for event in self._backlog:
            if isinstance(event, Filled):  # the rest is for people or comes again, this only if told
                said = f"{event.quantity / SCALE:,.12g} {event.key.symbol} ({event.execution_id})"
                logger.critical("the fill of %s was not written: report it again after the start", said)

    def _give_back(self, journal: Journal) -> None:
        try:
            journal.close(self._head)
        except StoreUnavailable as problem:
            logger.critical("what was written is not in the store: %s", problem)
            self._outage = str(problem)
        finally:
            self._is_closed = journal.may_be_taken()

    def _write_down(self, journal: Journal) -> None:
        """Most of what happened in memory, piece by piece.

        Nobody waits meanwhile; but where more comes than goes, everybody waits a little before each act: a
        bot that asks on and on keeps no book from its store.
        """
        while (left := len(self._backlog)) > (some := self._piece):
            with self.lock.slowed(self._wait):
                journal.write(self._backlog[:some], None)
            with self.lock.before_others():
                del self._backlog[:some]
            self._slow_down(left)

    def _slow_down(self, most: int) -> None:
        if len(self._backlog) >= most:
            self._wait = min(max(2 * self._wait, LEAST_WAIT), MOST_WAIT)

    def _catch_up(self, journal: Journal) -> None:
        now = self._head.state.as_of
        over = HoldReleased(
            at=now,
            actor=SYSTEM,
            scope=Scope.PORTFOLIO,
            name="",
            cause=STORE,
            reason="it can be written again",
        )
        after = self._head.after(over)
        journal.write([*self._backlog, over], after)
        with self._latching:
            journal.latch(in_memory="", stopped="")
            self._head = self._durable = after
            self._backlog, self._outage = [], ""
            self._wait, self._piece = 0.0, PIECE
        for told in self.mended:
            told()

    def _enter(self) -> None:
        if self._is_closed:
            raise EngineEnded("this engine has ended and gave the book back: ask the one that serves it now")
        if self._outage:
            self._give_way()
        while self._urgent:
            self.apply(self._urgent.popleft())

    def _leave(self) -> Callable[[], None] | None:
        """What is to be done outside the lock: wait for the disk, then all that was put off until then."""
        tasks, self._tasks = self._tasks, []
        wait = self._hand_over()
        return partial(_in_turn, wait, tasks) if tasks else wait

    def _hand_over(self) -> Callable[[], None] | None:
        """Hand over what this thread wrote; what it has to wait for before all that it saw is on disk."""
        if self._commit is None or (self._events and self._outage):
            events, self._events = self._events, []
            self._durable = self._head
            self._backlog += events if self._outage else ()
            stops = self._outage and any(isinstance(event, HoldSet) for event in events)
            return self.latch if stops else None
        while self._events:
            rest: list[Event] = []
            unit, add = Unit(tuple(self._events), self._head), self._commit.queue.append
            if unit.after is self._head:  # else a signal handler acted meanwhile; both below as in `apply`
                self._events, self._newest = rest, unit
                add(unit)
        newest = self._newest
        return None if newest is None or newest.is_settled else partial(self._commit.wait, newest)

    def latch(self) -> None:
        """Note beside the store what must outlive this process although the store can't be written."""
        if self._commit is None:
            return
        try:
            with self._latching:  # who writes last has looked last
                self._latch(self._commit.journal)
        finally:
            self.lock.do_put_off()

    def _latch(self, journal: Journal) -> None:
        if self._is_closed or not self._outage:
            return
        holds = self._durable.state.holds
        unkept = [event.hold for event in tuple(self._backlog) if isinstance(event, HoldSet)]
        halts = [h for h in unkept if h.mode is TradingMode.HALTED and holds.get(h.key) == h]
        stops = [h for h in halts if h.cause != STORE]  # that one ends with this process
        said = "; ".join(f"{h.actor}: {h.cause}: {h.reason}" for h in stops)
        journal.latch(in_memory=self._outage[:LATCHED], stopped=said[:LATCHED])

    def _kept(self, unit: Unit) -> None:
        self._durable = unit.after

    def _was_lost(self, problem: StoreUnavailable, batch: Sequence[Unit]) -> None:
        going_back = partial(self._go_back, problem, batch)
        if self.lock.is_held:
            going_back()
        else:
            uncut(going_back)

    def _go_back(self, problem: StoreUnavailable, batch: Sequence[Unit]) -> None:
        """Go back to what the disk holds. Stops that were set stay set: they need no disk."""
        with self.lock.quiet:
            queued = self._commit.drain() if self._commit is not None else []
            units = (*batch, *queued)
            logger.critical("%d writes were lost: %s", len(units), problem)
            now, version = self._head.state.as_of, self._durable.state.version
            self._head, self._outage = self._durable, str(problem)
            for unit in units:
                unit.problem = problem
                for event in unit.events:
                    if isinstance(event, HoldSet):
                        self._in_memory(event)
            is_out = isinstance(problem, StoreTaken)
            self._hold_in_memory(TradingMode.HALTED if is_out else TradingMode.REDUCING, str(problem), now)
            self._give_way()
            for unit in queued:
                unit.is_settled = True
            self._newest = None
            for told in self.lost:
                told(version)
        self.latch()

    def _give_way(self) -> None:
        """Close nothing more once another engine may have the store: two would sell more than is held."""
        if self._commit is None or not self._commit.journal.may_be_taken():
            return
        known = self._own_hold
        if known is None or known.mode is not TradingMode.HALTED:
            said = f"another engine may have it by now: {self._outage}"
            self._hold_in_memory(TradingMode.HALTED, said, self._head.state.as_of)

    @property
    def _own_hold(self) -> Hold | None:
        return self._head.state.holds.get((Scope.PORTFOLIO, "", STORE))

    def _hold_in_memory(self, mode: TradingMode, reason: str, now: datetime) -> None:
        text, known = f"the store can't be written: {reason}", self._own_hold
        if known is not None and (known.mode, known.reason) == (mode, text):
            return  # said already: the store is tried every few seconds, for as long as the process lives
        self._in_memory(
            HoldSet(at=now, actor=SYSTEM, hold=Hold(Scope.PORTFOLIO, "", STORE, mode, SYSTEM, text, now))
        )

    def _in_memory(self, event: Event) -> None:
        self._head = self._durable = self._head.after(event)
        self._backlog.append(event)


_BOOKS: Final[WeakSet[Book]] = WeakSet()


def _in_a_child() -> None:
    for book in _BOOKS:
        book._is_of_a_parent()


os.register_at_fork(after_in_child=_in_a_child)


def _most_in_memory(event: Event) -> float:
    """How many may wait for the store before an act that begins with this one is not taken."""
    if isinstance(event, HoldSet):
        return math.inf
    is_refused = isinstance(event, TradeDecided) and not event.decision.approved
    return (1 if is_refused else ROOM) * MOST_IN_MEMORY


def _in_turn(first: Callable[[], None] | None, tasks: Sequence[Callable[[], None]]) -> None:
    if first is not None:
        first()
    for task in tasks:
        task()
