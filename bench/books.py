"""Books of any size on real returns: the sample's own, resampled by blocks of days with a fixed seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from risk_management.clock import ManualClock
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.book import Book
from risk_management.core.commit import Journal
from risk_management.core.entry import entry_event
from risk_management.core.foundation import Foundation, lay_foundation
from risk_management.core.order_desk import OrderDesk, OrderTicket
from risk_management.market_data.sample import sample_history
from risk_management.model.events import QuotesReceived
from risk_management.model.portfolio import Quote

__all__ = ["DAYS", "SCENARIOS", "Desk", "closes", "foundation", "returns"]

DAYS = 1250
BLOCK = 20
STOCKS = 20
SCENARIOS = 20
PRICE = 100.0


def returns(names: int, days: int = DAYS, seed: int = 20) -> np.ndarray:
    """Real daily returns of shape (days, names), column-major.

    Each block of 20 days is a stretch of the sample's history, the same days for all names, and in
    it each name is one of the sample's 20 long stocks: days and crashes stay common.
    """
    history = sample_history()
    stocks = [c for c, s in enumerate(history.symbols) if s not in ("SPY", "QQQ")][:STOCKS]
    rows = np.isfinite(history.closes[:, stocks]).all(axis=1)
    prices = history.closes[np.ix_(rows, stocks)]
    real = prices[1:] / prices[:-1] - 1.0
    rng = np.random.default_rng(seed)
    blocks = days // BLOCK + 1
    starts = rng.integers(0, len(real) - BLOCK, size=blocks)
    who = rng.integers(0, STOCKS, size=(blocks, names))
    parts = [real[start : start + BLOCK, chosen] for start, chosen in zip(starts, who, strict=True)]
    return np.asfortranarray(np.concatenate(parts)[:days])


def closes(names: int, days: int = DAYS) -> pd.DataFrame:
    """The same as closes, dates x symbols."""
    table = np.vstack([np.zeros(names), returns(names, days)])
    return pd.DataFrame(
        PRICE * np.cumprod(1.0 + table, axis=0),
        index=pd.bdate_range(end="2025-12-31", periods=days + 1),
        columns=[f"N{n:04d}" for n in range(names)],
    )


def foundation(names: int) -> Foundation:
    """A foundation on `names` symbols x 1,250 days x 20 scenarios, with limits that a large book keeps."""
    config = RiskManagementConfig(portfolio_value=1e6).update(
        portfolio_limits={"max_positions": 10_000, "max_sector_exposure": 20.0, "max_cluster_exposure": 20.0},
        order_config={
            "max_orders_per_minute": 100_000,
            "max_orders_per_minute_total": 1_000_000,
            "duplicate_window": 0.0,
        },
        market_data_config={"quote_age": {"equity": 86_400.0, "other": 86_400.0}},
        stress_config={"max_stress_loss": 0.9, "critical_loss": 0.95},
    )
    base = lay_foundation(config, prices=closes(names))
    linear = tuple(s for s in base.scenarios.values() if s.is_linear)[:SCENARIOS]
    preparation = replace(base.preparation, scenarios=linear)
    return replace(base, preparation=preparation, model=preparation.model())


class Desk:
    """A book that holds every symbol at a fresh price, and the desk that is asked.

    Parameters
    ----------
    base : Foundation
    reservations : int
        Approvals that are open.
    journal : Journal, optional
    """

    def __init__(self, base: Foundation, reservations: int = 0, journal: Journal | None = None) -> None:
        self.clock = ManualClock(base.clock.now())
        self.book = Book(
            base.config, base.model, self.clock.now(), instruments=base.instruments, journal=journal
        )
        self.desk = OrderDesk(self.book, self.clock, lambda code, text: None)
        self.symbols = [s for s in base.model.matrix.symbols if not s.startswith("?")]
        self._quote()
        for number, symbol in enumerate(self.symbols):
            self._hold(symbol, 400_000.0 / len(self.symbols), number % 4)
        for number in range(reservations):
            ticket = OrderTicket(self.symbols[number % len(self.symbols)], "buy", 100.0 + number, "s1", "b1")
            if not self.desk.request(ticket).approved:
                raise RuntimeError("the book of the bench has no room for its reservations")

    def _hold(self, symbol: str, size: float, owner: int) -> None:
        now = self.clock.now()
        event = entry_event(
            self.book.state, symbol, size, PRICE, f"s{owner}", None, now, bot=f"b{owner}", takes_cash=True
        )
        self.book.apply(event)

    def _quote(self) -> None:
        now = self.clock.now()
        quotes = tuple((symbol, Quote(PRICE, now, "bench")) for symbol in self.symbols)
        self.book.apply(QuotesReceived(at=now, actor="bench", quotes=quotes))
