"""VaR that checks itself: each day's forecast is kept, held against what came, and its failures count."""

from __future__ import annotations

from datetime import date

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core import drawdown as drawdown_rules
from risk_management.measures.backtest import basel_multiplier, traffic_light
from risk_management.measures.tail import tails_of
from risk_management.model.amend import amended
from risk_management.model.money import SCALE
from risk_management.model.portfolio import PortfolioState
from risk_management.model.var_record import Evening, VarOutcome, VarRecord

__all__ = ["es_limit", "evening", "rolled", "var_limit"]

CONFIDENCE = 0.99
KEPT = 250
LEAST_DAYS = 60
"""Days below which no zone but green is said: one exception in three days proves nothing."""


def var_limit(state: PortfolioState, config: RiskManagementConfig) -> float:
    """Limit on the gate's VaR, as a fraction of equity; lower while VaR fails its own backtest."""
    return config.var_config.daily_var_limit / state.var_record.multiplier


def es_limit(state: PortfolioState, config: RiskManagementConfig) -> float:
    """The same for the expected shortfall."""
    return config.var_config.daily_es_limit / state.var_record.multiplier


def evening(state: PortfolioState) -> Evening | None:
    """What the book as it stands makes of the next trading day; None without known equity."""
    equity = state.totals.equity
    if equity is None or equity <= 0.0:
        return None
    ((var, _),) = tails_of(state.totals.pnl, (CONFIDENCE,))
    return Evening(
        day=state.drawdown.day,
        var=max(var, 0.0) / equity,
        book=tuple(
            (symbol, name.sides.net / SCALE / equity, quote.price if quote else None)
            for symbol, name in state.totals.names.items()
            for quote in (state.quotes.get(symbol),)
            if name.keys
        ),
    )


def rolled(
    state: PortfolioState, last: PortfolioState | None, config: RiskManagementConfig
) -> VarRecord | None:
    """The record after the trading day of the state `last` ended, None while it still runs.

    Parameters
    ----------
    state : PortfolioState
        After the roll: its trading day is a later one.
    last : PortfolioState or None
        As it stood at the last look of the day that ended.
    config : RiskManagementConfig

    Notes
    -----
    A forecast for one day is not held against several: after days without a look it is dropped.
    """
    if last is None or state.drawdown.day <= last.drawdown.day:
        return None
    outcomes, pending = state.var_record.outcomes, state.var_record.pending
    if pending is not None and _is_next(pending.day, last.drawdown.day, config):
        outcome = VarOutcome(
            day=last.drawdown.day,
            var=pending.var,
            actual=state.drawdown.day_start / last.drawdown.day_start - 1.0,
            hypothetical=_hypothetical(pending, last),
        )
        outcomes = (*outcomes, outcome)[-KEPT:]
    fresh = VarRecord(evening(last), outcomes)
    if len(outcomes) < LEAST_DAYS:
        return fresh
    hits = [False] * (len(outcomes) - fresh.exceptions) + [True] * fresh.exceptions
    multiplier = basel_multiplier(hits) if config.var_config.backtest_multiplier else 1.0
    return amended(fresh, zone=traffic_light(hits).zone, multiplier=multiplier)


def _is_next(before: date, after: date, config: RiskManagementConfig) -> bool:
    return drawdown_rules.trading_days_between(before, after, config.drawdown_config) == 1


def _hypothetical(pending: Evening, last: PortfolioState) -> float | None:
    """Return of an evening's book to the next evening's prices; a name without either leaves it unknown."""
    total = 0.0
    for symbol, exposure, price in pending.book:
        quote = last.quotes.get(symbol)
        if quote is None or price is None:
            return None
        total += exposure * (quote.price / price - 1.0)
    return total
