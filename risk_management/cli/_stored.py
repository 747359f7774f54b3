"""From a store to a manager that holds its book: for looking at it, also while a service writes to it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from risk_management.clock import ManualClock
from risk_management.core.book import Book
from risk_management.core.foundation import lay_foundation
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import StoreUnavailable
from risk_management.store.recovery import recovered

if TYPE_CHECKING:
    from risk_management.store.reader import StoreReader

__all__ = ["stored_manager"]


def stored_manager(reader: StoreReader) -> AdvancedRiskManager:
    """The book as its journal ends, under the settings that are kept with it, at the time of its last entry.

    Nothing is written: what is done to it stays in memory.

    Raises
    ------
    StoreUnavailable
        The journal is empty.
    StoreCorrupt
    MarketDataError
        The prices that the settings name can't be had.
    """
    standing = recovered(reader)
    if standing is None:
        raise StoreUnavailable(f"{reader.place} holds no book yet: start the engine on it once")
    clock = ManualClock(standing.state.as_of)
    foundation = lay_foundation(standing.config.update(store=None), clock=clock)
    return AdvancedRiskManager.of_book(replace(foundation, clock=clock), Book.resumed(standing, None))
