"""What all stand-alone monitors share: a foundation, and a Book of their own or the manager's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Self

from risk_management.clock import Clock
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.book import Book
from risk_management.core.entry import checked_number, entry_event, instrument_event, weight_events
from risk_management.core.foundation import Foundation, lay_foundation
from risk_management.errors import SharedBookError
from risk_management.model.portfolio import PortfolioState

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Front", "leans_on"]


def leans_on(state: PortfolioState) -> tuple[str, ...]:
    """What results on the held symbols lean on, in sentences: sample data, proxies, stand-ins."""
    held = tuple(state.totals.names)
    unknown = (s for s in held if state.model.is_stand_in(s))
    said = tuple(f"{s} has no history: a conservative stand-in serves" for s in unknown)
    return state.model.matrix.leans_on(held) + said


class Front:
    """Base of the monitors and calculators: a thin front over a Book.

    Used alone it keeps a Book of its own; built by the manager it reads the manager's.

    Parameters
    ----------
    config : RiskManagementConfig, optional
        Copied; the defaults without one.
    prices : DataFrame, optional
        Closes, dates x symbols; without one the configured source serves, by default the sample.
    sectors : Mapping of str to str, optional
        Sector of a symbol.
    clock : Clock, optional
    """

    def __init__(
        self,
        config: RiskManagementConfig | None = None,
        *,
        prices: pd.DataFrame | None = None,
        sectors: Mapping[str, str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        foundation = lay_foundation(config, prices=prices, sectors=sectors, clock=clock)
        self._stand_on(foundation, foundation.new_book(), shared=False)

    @classmethod
    def on(cls, foundation: Foundation, book: Book) -> Self:
        """A front that shares a Book."""
        front = cls.__new__(cls)
        front._stand_on(foundation, book, shared=True)
        return front

    def _stand_on(self, foundation: Foundation, book: Book, *, shared: bool) -> None:
        self._foundation = foundation
        self._book = book
        self._shared = shared

    @property
    def config(self) -> RiskManagementConfig:
        """The settings in use."""
        return self._book.config

    @property
    def state(self) -> PortfolioState:
        """The current snapshot of the Book."""
        return self._book.state

    @property
    def leans_on(self) -> tuple[str, ...]:
        """What results on the held symbols lean on: sample data, proxies, stand-ins."""
        return leans_on(self.state)

    def _now(self) -> datetime:
        return self._foundation.clock.now()

    def _own_book(self, call: str) -> Book:
        """The Book, where it is this front's own to change."""
        if self._shared:
            raise SharedBookError(
                f"this monitor shares the manager's book; call the manager's {call} instead"
            )
        return self._book

    def add_position(
        self,
        symbol: str,
        size: float,
        entry_price: float,
        strategy: str = "",
        risk_amount: float | None = None,
    ) -> None:
        """Add a position that exists: `size` in money (negative for a short), bought at `entry_price`.

        Raises
        ------
        InvalidRequest
            For values that mean nothing; nothing is changed.
        SharedBookError
            On a front that the manager made.
        """
        book = self._own_book("add_position")
        with book.lock:
            now = self._now()
            event = entry_event(book.state, symbol, size, entry_price, strategy, risk_amount, now)
            known = instrument_event(book.state, symbol, now)
            if known is not None:
                book.apply(known)
            book.apply(event)

    def _replace_positions(self, sizes: Mapping[str, float], portfolio_value: float, call: str) -> None:
        book = self._own_book(call)
        with book.lock:
            value = checked_number(portfolio_value, "portfolio_value")
            events = weight_events(book.state, sizes, self._now())
            self._book = fresh = self._foundation.new_book(value)
            for event in events:
                fresh.apply(event)
