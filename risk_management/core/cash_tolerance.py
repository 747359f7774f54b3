"""Cash that differs by little from the broker's: booked at once, as long as a day's sum stays little too.

A fee of cents must not stop a book. Many of them must not go unseen either: all that was booked so within a
trading day counts by its size, whatever its sign, against the same share of equity.
"""

from __future__ import annotations

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.drawdown import trading_day
from risk_management.model.events import CashMoved
from risk_management.model.money import to_ledger
from risk_management.model.portfolio import PortfolioState
from risk_management.model.reconciliation import ToleratedCash

__all__ = ["is_tolerated", "with_tolerated"]


def is_tolerated(state: PortfolioState, config: RiskManagementConfig, event: CashMoved) -> bool:
    """Whether an adjustment may be booked without a hold.

    Its size and all sizes that were tolerated in its trading day, over all accounts, are at most
    `broker_config.cash_tolerance` of the equity of now. Without equity nothing is.
    """
    allowed = to_ledger(config.broker_config.cash_tolerance * max(state.equity or 0.0, 0.0))
    day, _ = trading_day(event.at, config.drawdown_config)
    before = state.tolerated_cash.amount if state.tolerated_cash.day == day else 0
    return before + abs(event.amount) <= allowed


def with_tolerated(before: ToleratedCash, event: CashMoved, config: RiskManagementConfig) -> ToleratedCash:
    """What is counted after an adjustment that was tolerated."""
    day, _ = trading_day(event.at, config.drawdown_config)
    amount = before.amount if before.day == day else 0
    return ToleratedCash(day, amount + abs(event.amount))
