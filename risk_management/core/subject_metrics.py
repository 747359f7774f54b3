"""The metrics of each bot, strategy and symbol, from the sums that are carried along anyway."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.bot_room import maximum, may_hold
from risk_management.core.peaks import profits_of, share_of
from risk_management.core.reduction import marked
from risk_management.model.money import SCALE
from risk_management.model.portfolio import PortfolioState, StrategyRecord

__all__ = ["Subjects", "subject_metrics"]

Subjects = Mapping[str, Mapping[str, Mapping[str, float]]]
"""By scope, then by name: the words of that scope."""


def subject_metrics(state: PortfolioState, config: RiskManagementConfig, now: datetime) -> Subjects:
    """All words of `vocabulary.SCOPED`, for everyone; NaN where a number can't be said.

    Parameters
    ----------
    state : PortfolioState
    config : RiskManagementConfig
    now : datetime
        Ages of prices are counted to it.
    """
    equity = state.totals.equity
    base = equity if equity is not None and equity > 0.0 else math.nan
    bots, strategies = profits_of(state)
    return {
        "bot": {name: _bot(state, config, name, base, profit) for name, profit in bots.items()},
        "strategy": {
            name: _strategy(state, config, name, base, profit) for name, profit in strategies.items() if name
        },
        "symbol": _symbols(state, base, now),
    }


def _bot(
    state: PortfolioState, config: RiskManagementConfig, name: str, base: float, profit: int
) -> dict[str, float]:
    bot = state.bots[name]
    record, held = bot.record, state.totals.bots.get(name, 0) / SCALE
    most = maximum(bot, config, base)
    asked = record.approved + record.cut + record.refused
    pending = sum(1 for reservation in state.reservations.values() if reservation.key.bot == name)
    return {
        "bot_exposure": held / base,
        "bot_use": share_of(held, may_hold(name, bot, config, base)),
        "bot_profit": profit / SCALE,
        "bot_drawdown": share_of((max(record.peak, profit) - profit) / SCALE, most),
        "bot_pending": float(pending),
        "bot_approved": float(record.approved),
        "bot_cut": float(record.cut),
        "bot_refused": float(record.refused),
        "bot_refused_share": record.refused / asked if asked else math.nan,
        "bot_closed_trades": float(record.closed_trades),
        "bot_win_rate": math.nan if record.win_rate is None else record.win_rate,
        "bot_enabled": float(bot.enabled),
    }


def _strategy(
    state: PortfolioState, config: RiskManagementConfig, name: str, base: float, profit: int
) -> dict[str, float]:
    limits = config.portfolio_limits
    budget = limits.strategy_budgets.get(name, limits.max_strategy_exposure) * base
    held = state.totals.strategies.get(name, 0) / SCALE
    peak = state.strategies.get(name, StrategyRecord()).peak
    return {
        "strategy_exposure": held / base,
        "strategy_use": share_of(held, budget),
        "strategy_profit": profit / SCALE,
        "strategy_drawdown": share_of((max(peak, profit) - profit) / SCALE, budget),
    }


def _symbols(state: PortfolioState, base: float, now: datetime) -> dict[str, dict[str, float]]:
    profits: dict[str, int] = {}
    for position in state.positions.values():
        profits[position.symbol] = profits.get(position.symbol, 0) + marked(state, position) - position.cost
    found = {}
    for symbol, name in state.totals.names.items():
        quote = state.quotes.get(symbol)
        found[symbol] = {
            "symbol_exposure": name.sides.net / SCALE / base,
            "symbol_risk": name.risk.worst / SCALE,
            "symbol_profit": profits.get(symbol, 0) / SCALE,
            "symbol_quote_age": math.nan if quote is None else (now - quote.time).total_seconds(),
        }
    return found
