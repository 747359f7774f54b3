"""A small world that starts quickly: three symbols, their prices made up, and a book with a store."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

from risk_management.clock import ManualClock
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.foundation import Foundation, lay_foundation

SYMBOLS = ("AAA", "BBB", "CCC")


@cache
def small_foundation() -> Foundation:
    """Laid once a process."""
    rng = np.random.default_rng(7)
    days = pd.bdate_range("2020-01-01", periods=140)
    walk = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, (len(days), len(SYMBOLS))), axis=0))
    config = RiskManagementConfig(portfolio_value=1_000_000.0).update(
        order_config={"max_orders_per_minute": 100_000, "max_orders_per_minute_total": 1_000_000}
    )
    prices = pd.DataFrame(walk, index=days, columns=list(SYMBOLS))
    clock = ManualClock(pd.Timestamp("2020-07-14 21:00", tz="UTC").to_pydatetime())
    return lay_foundation(config, prices=prices, clock=clock)
