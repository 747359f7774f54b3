"""Drawdown of each bot and strategy, from the same positions as the portfolio's."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.reduction import marked
from risk_management.model.events import BotChanged, Event, HoldSet, PeaksSeen
from risk_management.model.money import SCALE
from risk_management.model.portfolio import (
    SYSTEM,
    Hold,
    PortfolioState,
    Scope,
    StrategyRecord,
    TradingMode,
)

__all__ = ["bot_and_strategy_events", "fresh_start", "profits_of", "share_of"]


def bot_and_strategy_events(
    state: PortfolioState, config: RiskManagementConfig, now: datetime
) -> Iterator[Event]:
    """New peaks, bots that are disabled and strategies that only close, after losses of their own.

    A loss is counted from the highest profit, open positions included, and held against what the bot
    may hold or the strategy's budget; of nothing any loss is too much. A price that moved far in one tick
    makes no peak, however old it gets.
    """
    if not state.bots and not state.strategies and not state.positions:
        return
    bots, strategies = profits_of(state)
    new_bots = tuple((n, v) for n, v in bots.items() if v > state.bots[n].record.peak)
    known = {n: state.strategies.get(n, StrategyRecord()).peak for n in strategies}
    new_strategies = tuple((n, v) for n, v in strategies.items() if v > known[n])
    if state.is_sure and (new_bots or new_strategies):
        yield PeaksSeen(at=now, actor=SYSTEM, bots=new_bots, strategies=new_strategies)
    equity = state.totals.equity
    equity = equity if equity is not None and equity > 0.0 else math.nan  # no share of it is made up
    yield from _bots(state, config, bots, equity, now)
    yield from _strategies(state, config, strategies, equity, now)


def profits_of(state: PortfolioState) -> tuple[dict[str, int], dict[str, int]]:
    """Closed and open profit by bot and by strategy, ledger units."""
    bots = {name: bot.record.realised for name, bot in state.bots.items()}
    strategies = {name: record.realised for name, record in state.strategies.items()}
    for position in state.positions.values():
        profit = marked(state, position) - position.cost
        if position.key.bot in bots:
            bots[position.key.bot] += profit
        strategies[position.key.strategy] = strategies.get(position.key.strategy, 0) + profit
    return bots, strategies


def share_of(part: float, whole: float) -> float:
    """Part of a whole; of nothing, anything is without end. NaN of an unknown whole."""
    if whole > 0.0:
        return part / whole
    return math.nan if math.isnan(whole) else math.inf if part > 0.0 else 0.0


def fresh_start(
    state: PortfolioState, now: datetime, actor: str, *, bot: str = "", strategy: str = ""
) -> PeaksSeen:
    """A person lets a bot or strategy go on: its losses are counted from here, not from the old peak."""
    bots, strategies = profits_of(state)
    return PeaksSeen(
        at=now,
        actor=actor,
        bots=((bot, bots[bot]),) if bot in bots else (),
        strategies=((strategy, strategies[strategy]),) if strategy in strategies else (),
    )


def _bots(
    state: PortfolioState,
    config: RiskManagementConfig,
    profits: dict[str, int],
    equity: float,
    now: datetime,
) -> Iterator[Event]:
    limit = config.drawdown_config.max_bot_drawdown
    for name, bot in state.bots.items():
        capital = bot.max_exposure or config.bot_config.max_exposure * equity
        loss = (max(bot.record.peak, profits[name]) - profits[name]) / SCALE
        if bot.enabled and share_of(loss, capital) >= limit:
            reason = f"lost {_said(loss, capital)} of what it may hold from its peak (limit {limit:.1%})"
            yield BotChanged(at=now, actor=SYSTEM, bot=replace(bot, enabled=False, disabled_reason=reason))


def _strategies(
    state: PortfolioState,
    config: RiskManagementConfig,
    profits: dict[str, int],
    equity: float,
    now: datetime,
) -> Iterator[Event]:
    limit = config.drawdown_config.max_strategy_drawdown
    limits = config.portfolio_limits
    for name, profit in profits.items():
        record = state.strategies.get(name, StrategyRecord())
        budget = limits.strategy_budgets.get(name, limits.max_strategy_exposure) * equity
        loss = (max(record.peak, profit) - profit) / SCALE
        key = (Scope.STRATEGY, name, "strategy_drawdown")
        if share_of(loss, budget) >= limit and key not in state.holds:
            reason = f"lost {_said(loss, budget)} of its budget from its peak (limit {limit:.1%})"
            hold = Hold(*key, TradingMode.REDUCING, SYSTEM, reason, now, latched=True)
            yield HoldSet(at=now, actor=SYSTEM, hold=hold)


def _said(loss: float, whole: float) -> str:
    return f"{loss / whole:.1%}" if whole > 0.0 else f"{loss:,.2f}, all"
