"""What emergency rows measure of a single strategy, bot or symbol."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.emergency import EmergencyRow
from risk_management.core.peaks import profits_of, share_of
from risk_management.core.reduction import marked
from risk_management.model.money import SCALE
from risk_management.model.portfolio import OPERATOR, PortfolioState, Position, Scope

__all__ = ["SCOPED_WORDS", "expanded", "scoped_metrics"]

SCOPED_WORDS: Final[dict[str, str]] = {
    "drawdown": "loss from the highest profit over what the bot or strategy may hold; of a symbol its open "
    "loss over its cost",
    "gross_exposure": "long and short exposure over equity",
    "net_exposure": "absolute net exposure over equity",
}
"""Words that a row over a part of the book may watch."""


def expanded(rows: Iterable[EmergencyRow], state: PortfolioState) -> tuple[EmergencyRow, ...]:
    """The rows with those over every strategy, bot or symbol written out, one each."""
    return tuple(one for row in rows for one in _each(row, state))


def _each(row: EmergencyRow, state: PortfolioState) -> Iterator[EmergencyRow]:
    if row.scope is Scope.PORTFOLIO or row.subject:
        yield row
        return
    names = {
        Scope.BOT: state.bots,
        Scope.STRATEGY: state.strategies.keys() | {key.strategy for key in state.positions},
        Scope.SYMBOL: {key.symbol for key in state.positions},
    }[row.scope]
    for name in sorted(names):
        if name:
            yield replace(row, name=f"{row.name}:{name}", subject=name)


def scoped_metrics(
    state: PortfolioState, config: RiskManagementConfig, rows: Iterable[EmergencyRow]
) -> Mapping[str, float]:
    """The metrics of rows over a part of the book, by `EmergencyRow.word`; none without equity.

    Parameters
    ----------
    state : PortfolioState
    config : RiskManagementConfig
    rows : iterable of EmergencyRow
        As `expanded` gives them.
    """
    wanted = [row for row in rows if row.scope is not Scope.PORTFOLIO]
    equity = state.totals.equity
    if not wanted or equity is None or equity <= 0.0:
        return {}
    bots, strategies = profits_of(state)
    found = {}
    for row in wanted:
        mine = [p for p in state.positions.values() if _is_of(p, row.scope, row.subject)]
        if row.metric != "drawdown":
            money = [marked(state, p) / SCALE for p in mine]
            used = sum(map(abs, money)) if row.metric == "gross_exposure" else abs(sum(money))
            found[row.word] = used / equity
        elif row.scope is Scope.SYMBOL:
            cost = sum(abs(p.cost) for p in mine)
            lost = sum(p.cost - marked(state, p) for p in mine)
            found[row.word] = max(0.0, lost / cost) if cost else 0.0
        elif row.scope is Scope.BOT and row.subject in state.bots:
            bot = state.bots[row.subject]
            capital = bot.max_exposure or config.bot_config.max_exposure * equity
            found[row.word] = _fallen(bot.record.peak, bots[row.subject], capital)
        elif row.scope is Scope.STRATEGY and row.subject in strategies:
            limits, known = config.portfolio_limits, state.strategies.get(row.subject)
            budget = limits.strategy_budgets.get(row.subject, limits.max_strategy_exposure) * equity
            found[row.word] = _fallen(known.peak if known else 0, strategies[row.subject], budget)
    return found


def _fallen(peak: int, profit: int, capital: float) -> float:
    return share_of(max(0, peak - profit) / SCALE, capital)


def _is_of(position: Position, scope: Scope, name: str) -> bool:
    key = position.key
    if scope is Scope.BOT:
        return (key.bot or OPERATOR) == name
    return name == (key.strategy if scope is Scope.STRATEGY else key.symbol)
