"""Take a book up from where its journal ends, or begin a new one."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import numpy as np

from risk_management.clock import AnchoredClock, Clock, LaterClock
from risk_management.config.carried import Carried, carried_over, changed
from risk_management.core.book import STORE, Book
from risk_management.core.clock_watch import STEP
from risk_management.core.commit import Journal
from risk_management.core.foundation import Foundation
from risk_management.core.reconciliation import UNRECONCILED
from risk_management.core.risk_model import with_stable_labels
from risk_management.core.standing import Standing
from risk_management.errors import ConfigurationError, shown
from risk_management.model.alert import Alert
from risk_management.model.events import (
    AlertTold,
    ClockStepped,
    EngineStarted,
    Event,
    HoldReleased,
    HoldSet,
    InstrumentDefined,
    ModelRefreshed,
)
from risk_management.model.market import ReturnMatrix
from risk_management.model.portfolio import EMERGENCY_STOP, SYSTEM, TAKEN_OVER, Hold, Scope, TradingMode
from risk_management.model.risk_model import RiskModel

__all__ = ["hold_until_reconciled", "take_up", "told_before"]

logger = logging.getLogger(__name__)

SETTINGS: Final = "settings"
"""Cause of the hold that stands while settings contradict each other."""


def told_before(journal: object, most: int) -> Iterator[Alert]:
    """The newest alerts that earlier processes told, the oldest first; none where no store keeps them."""
    reader = getattr(journal, "reader", None)
    if reader is None:
        return
    for entry in reader.newest(most, kind=AlertTold.__name__):
        told = reader.event(entry)
        if isinstance(told, AlertTold):
            yield told.alert


def take_up(foundation: Foundation, journal: Journal | None) -> tuple[Foundation, Book]:
    """A book on a foundation, with everything that its journal holds.

    Returns
    -------
    foundation : Foundation
        With a clock that does not stand before the last event.
    book : Book

    Raises
    ------
    ConfigurationError
        The book is of another environment or currency than the settings say.
    StoreCorrupt, StoreUnavailable
    """
    standing = None if journal is None else journal.recover()
    if journal is None or standing is None:
        book = Book(
            foundation.config,
            foundation.model,
            foundation.clock.now(),
            instruments=foundation.instruments,
            journal=journal,
        )
        return foundation, book
    _same_book(standing, foundation)
    given = foundation.config.as_text()
    carried = carried_over(standing.given, standing.config.as_text(), foundation.config)
    _say(carried)
    foundation = foundation.under(carried.config)
    is_behind = _is_behind(foundation.clock, standing.state.as_of)
    foundation = replace(foundation, clock=_no_earlier(foundation.clock, standing.state.as_of))
    now = foundation.clock.now()
    book = Book.resumed(standing, journal)
    with book.lock:
        book.apply(
            EngineStarted(
                at=now, actor=SYSTEM, host=socket.gethostname(), pid=os.getpid(), software=_software()
            )
        )
        for event in (
            *_time(standing, now, is_behind=is_behind),
            *_latched(journal, standing, now),
            *_news(standing, foundation, now),
            *_conflict(carried, now),
        ):
            book.apply(event)
        if (standing.digest, standing.given) != (foundation.config.digest(), given):
            _say_given_anew(standing, carried)
            book.reconfigure(foundation.config, now, SYSTEM, given)
        else:
            book.adopt(foundation.config)
    journal.latch(in_memory="", stopped="")  # the journal holds it now: what a person releases stays released
    logger.info("taken up at entry %d with %d positions", book.state.version, len(book.state.positions))
    return foundation, book


def hold_until_reconciled(book: Book, now: datetime, reason: str) -> None:
    """Let nothing open until positions, cash and prices were compared with the broker."""
    with book.lock:
        if (Scope.PORTFOLIO, "", UNRECONCILED) not in book.state.holds:
            book.apply(_hold(UNRECONCILED, TradingMode.REDUCING, reason, now))


def _same_book(standing: Standing, foundation: Foundation) -> None:
    for name in ("environment", "base_currency"):
        stored, wanted = getattr(standing.state, name), getattr(foundation.config, name)
        if stored != wanted:
            raise ConfigurationError(
                f"{name}: the store holds a book of {stored!r}, the settings say {wanted!r}; "
                "name another store"
            )


def _say(carried: Carried) -> None:
    for name, (given, used) in carried.kept.items():
        logger.warning("%s is %s and not %s as given: it was changed while the system ran", name, used, given)
    for name, (used, given) in carried.overruled.items():
        logger.warning("%s is %s as given anew, and no longer %s", name, given, used)


def _say_given_anew(standing: Standing, carried: Carried) -> None:
    """Name every other setting that the last run did not use in the end."""
    differs = changed(standing.config.as_text(), carried.config.as_text())
    for name, (was, now) in differs.items():
        if name not in carried.overruled:
            logger.warning("%s is %s; the last run used %s", name, shown(now), shown(was))


def _conflict(carried: Carried, now: datetime) -> Iterator[Event]:
    """What was changed in the last run contradicts what is given now: a person has to look first."""
    if carried.conflict:
        text = f"settings changed in the last run contradict those given now, and fell: {carried.conflict}"
        logger.critical("%s", text)
        yield _hold(SETTINGS, TradingMode.REDUCING, text, now)


def _no_earlier(clock: Clock, moment: datetime) -> Clock:
    """The clock, or one that begins at a moment that the clock has not come to: time never goes back."""
    behind = (moment - clock.now()).total_seconds()
    if behind <= 0.0:
        return clock
    return AnchoredClock(moment) if isinstance(clock, AnchoredClock) else LaterClock(clock, behind)


def _is_behind(clock: Clock, moment: datetime) -> bool:
    """Whether the wall clock was certainly set back; one that begins at the last price always does."""
    return not isinstance(clock, AnchoredClock) and (moment - clock.now()).total_seconds() > STEP


def _time(standing: Standing, now: datetime, *, is_behind: bool) -> Iterator[Event]:
    """Nobody measured how long no process ran, the wall clock may have stepped: old prices open nothing.

    Daily prices and rates, which may be days old, end with a step that is certain.
    """
    quotes, since = standing.state.quotes.values(), standing.state.prices_since
    if is_behind or any(not quote.daily and (since is None or quote.time > since) for quote in quotes):
        yield ClockStepped(at=now, actor=SYSTEM, seconds=0.0)


def _latched(journal: Journal, standing: Standing, now: datetime) -> Iterator[Event]:
    """Stops that were noted beside the store: it may not have been writable when they were set."""
    known = journal.latched()
    if "stopped" in known and not standing.state.is_stopped:  # no other stop takes its place
        yield _hold(EMERGENCY_STOP, TradingMode.HALTED, known["stopped"], now)
    if (Scope.PORTFOLIO, "", STORE) in standing.state.holds:
        said = "the process that could not write it has ended"
        yield HoldReleased(now, SYSTEM, Scope.PORTFOLIO, "", STORE, said)
    if "in_memory" in known:
        text = (
            "the store does not hold all that happened: compare positions with the broker "
            f"({known['in_memory']})"
        )
        yield _hold(UNRECONCILED, TradingMode.REDUCING, text, now)
    if "left_by" in known:
        text = (
            f"{known['left_by']} had the book and did not give it back: a stop that was set there in the "
            "end, or what it closed, may not be known here; compare positions with the broker, then release "
            "by name"
        )
        yield _hold(TAKEN_OVER, TradingMode.REDUCING, text, now)


def _hold(cause: str, mode: TradingMode, reason: str, now: datetime) -> HoldSet:
    hold = Hold(Scope.PORTFOLIO, "", cause, mode, SYSTEM, reason, now, latched=True)
    return HoldSet(at=now, actor=SYSTEM, hold=hold)


def _news(standing: Standing, foundation: Foundation, now: datetime) -> Iterator[Event]:
    """What the market data say now and did not at the end of the last run."""
    state = standing.state
    for instrument in foundation.instruments.values():
        if instrument.symbol not in state.instruments:
            yield InstrumentDefined(at=now, actor=SYSTEM, instrument=instrument)
    fresh = with_stable_labels(foundation.model, state.model)
    if not _same(fresh, state.model):
        yield ModelRefreshed(at=now, actor=SYSTEM, model=fresh)


def _same(one: object, other: object) -> bool:
    """Whether two records say the same, arrays included."""
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, RiskModel | ReturnMatrix) and type(one) is type(other):
        return all(_same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    return one == other


def _software() -> str:
    try:
        return version("risk-management")
    except PackageNotFoundError:  # used from a folder, not installed
        return "not installed"
