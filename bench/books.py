"""Books of any size on real returns: the sample's own, resampled by blocks of 20 days with a fixed seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from risk_management.clock import ManualClock
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.book import Book
from risk_management.core.entry import entry_event
from risk_management.core.foundation import Foundation, lay_foundation
from risk_management.core.order_desk import OrderDesk
from risk_management.core.risk_model import ModelPreparation
from risk_management.market_data.sample import sample_history

__all__ = ["DAYS", "Desk", "closes", "foundation", "returns"]

DAYS = 1250
BLOCK = 20
SCENARIOS = 20


def returns(names: int, days: int = DAYS, seed: int = 20) -> np.ndarray:
    """Real daily returns of shape (days, names), each column blocks of one of the sample's stocks."""
    history = sample_history()
    stocks = [c for c, s in enumerate(history.symbols) if s not in ("BTC", "ETH", "BCH")][:22]
    rows = np.isfinite(history.closes[:, stocks]).all(axis=1)
    prices = history.closes[np.ix_(rows, stocks)]
    real = prices[1:] / prices[:-1] - 1.0
    rng = np.random.default_rng(seed)
    starts = rng.integers(0, len(real) - BLOCK, size=days // BLOCK + 1)
    table = np.concatenate([real[s : s + BLOCK] for s in starts])[:days]
    own = rng.integers(0, len(real) - days, size=names)
    mixed = [0.7 * table[:, n % 22] + 0.7 * real[own[n] : own[n] + days, n % 22] for n in range(names)]
    return np.column_stack(mixed)


def closes(names: int, days: int = DAYS) -> pd.DataFrame:
    """The same as closes, dates x symbols."""
    table = np.vstack([np.zeros(names), returns(names, days)])
    return pd.DataFrame(
        100.0 * np.cumprod(1.0 + table, axis=0),
        index=pd.bdate_range("2020-01-01", periods=days + 1),
        columns=[f"N{n:04d}" for n in range(names)],
    )


def foundation(names: int) -> Foundation:
    """A foundation on `names` symbols x 1,250 days and 20 scenarios, with limits that a large book keeps."""
    config = RiskManagementConfig(portfolio_value=1e6).update(
        portfolio_limits={"max_positions": 10_000, "max_sector_exposure": 20.0, "max_cluster_exposure": 20.0},
    )
    base = lay_foundation(config, prices=closes(names))
    linear = tuple(s for s in base.scenarios.values() if s.is_linear)[:SCENARIOS]
    old = base.preparation
    more = ModelPreparation.of(old.matrix, base.config, old.instruments, linear, old.closes)
    return replace(base, preparation=more, model=more.model())


class Desk:
    """A book that holds every symbol, and the desk that is asked."""

    def __init__(self, base: Foundation) -> None:
        self.clock = ManualClock(base.clock.now())
        self.book = Book(base.config, base.model, self.clock.now(), instruments=base.instruments)
        self.desk = OrderDesk(self.book, self.clock, lambda code, text: None)
        self.symbols = [s for s in base.model.matrix.symbols if not s.startswith("?")]
        for number, symbol in enumerate(self.symbols):
            size = 400_000.0 / len(self.symbols)
            event = entry_event(
                self.book.state,
                symbol,
                size,
                100.0,
                f"s{number % 4}",
                None,
                self.clock.now(),
                bot=f"b{number % 4}",
            )
            self.book.apply(event)
