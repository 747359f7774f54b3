"""How a budget of risk is split over strategies: by which method, on what, and what could not be done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, get_args

import numpy as np
from numpy.typing import NDArray

from risk_management.calculators._budget_evidence import Evidence, evidence
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.budget import cut_multiplier, loss_from_peak, own_drawdown
from risk_management.core.entry import checked_name, checked_number
from risk_management.errors import InvalidRequest, UndefinedMeasure, shown
from risk_management.measures.budget import (
    equal_risk_contribution,
    inverse_volatility,
    sharpe_shares,
    shrunken_sharpe,
)
from risk_management.measures.dependence import correlation
from risk_management.model.budget import BudgetMeasure, BudgetMethod, BudgetShare, RiskAllocation
from risk_management.model.portfolio import PortfolioState

__all__ = ["allocation", "known_strategies"]

Float = NDArray[np.float64]
MOST_STRATEGIES: Final = 200


def known_strategies(state: PortfolioState, config: RiskManagementConfig) -> tuple[str, ...]:
    """Strategies of registered bots, of what is held or approved, and those that the settings name."""
    found = {bot.strategy for bot in state.bots.values()}
    found |= {strategy for name in state.totals.names.values() for _, strategy, _, _ in name.owners}
    return tuple(sorted(found | set(config.budget_config.fixed_shares)))


def allocation(
    state: PortfolioState,
    config: RiskManagementConfig,
    *,
    budget: float | None = None,
    method: str | None = None,
    measure: str | None = None,
    strategies: Sequence[str] | None = None,
) -> RiskAllocation:
    """Split a budget of risk over strategies; what is not given stands in `budget_config`.

    Parameters
    ----------
    state : PortfolioState
    config : RiskManagementConfig
    budget : float, optional
        The whole budget as a fraction of equity, above 0 and at most 1; by default `limit_share` of the
        portfolio's own limit on the measure.
    method : {'equal', 'inverse_volatility', 'risk_parity', 'sharpe', 'fixed'}, optional
    measure : {'var', 'es', 'drawdown'}, optional
    strategies : sequence of str, optional
        By default all that are known.

    Raises
    ------
    InvalidRequest
        For a value that means nothing, or nobody to split among.
    """
    settings = config.budget_config
    kind = _choice(measure or settings.measure, "measure", get_args(BudgetMeasure))
    asked = method if method is not None else settings.method
    if method is None and asked == "off":
        said = "no method is configured (budget_config.method is off); name one, such as 'equal'"
        raise InvalidRequest("MISSING_FIELD", "method", said)
    way = _choice(asked, "method", get_args(BudgetMethod))
    names = known_strategies(state, config) if strategies is None else _checked_names(strategies)
    if not names:
        said = "no strategy is known yet; register a bot with one, or name them in strategies"
        raise InvalidRequest("MISSING_FIELD", "strategies", said)
    if len(names) > MOST_STRATEGIES:
        said = f"at most {MOST_STRATEGIES} strategies share a budget; got {len(names)}"
        raise InvalidRequest("OUT_OF_RANGE", "strategies", said)
    total = settings.limit_share * _limit(config, kind) if budget is None else _checked_total(budget)
    weights, reasons, whys, leans = _weights(state, config, way, names)
    shares = tuple(
        BudgetShare(name, weight, _cut(state, config, name), whys.get(name, ""))
        for name, weight in zip(names, weights, strict=True)
    )
    return RiskAllocation(way, kind, total, state.drawdown.day, shares, reasons, leans)


def _weights(
    state: PortfolioState, config: RiskManagementConfig, method: BudgetMethod, names: tuple[str, ...]
) -> tuple[tuple[float, ...], tuple[str, ...], dict[str, str], tuple[str, ...]]:
    """Weights, what could not be done as asked, why single shares are not the method's, what it leans on."""
    count = len(names)
    equal = (1.0 / count,) * count
    if method == "equal":
        return equal, (), {}, ()
    if method == "fixed":
        return _fixed(config, names), (), {}, ()
    seen = evidence(state, names, config.budget_config.min_days)
    if len(seen.strategies) < min(2, count) or not seen.strategies:
        said = (
            f"too little is known for {method.replace('_', ' ')}: {len(seen.strategies)} of {count} "
            "strategies can be measured, two are needed; the budget is split equally"
        )
        return equal, (said,), seen.missing, ()
    try:
        made, notes = _MAKERS[method](seen, config)
    except UndefinedMeasure as problem:
        said = f"{method.replace('_', ' ')} is undefined here, the budget is split equally: {problem}"
        return equal, (said,), seen.missing, seen.leans_on
    part = len(seen.strategies) / count
    known = dict(zip(seen.strategies, (part * made).tolist(), strict=True))
    return tuple(known.get(name, 1.0 / count) for name in names), notes, seen.missing, seen.leans_on


def _by_volatility(seen: Evidence, _config: RiskManagementConfig) -> tuple[Float, tuple[str, ...]]:
    return inverse_volatility(seen.returns.std(axis=0, ddof=1)), ()


def _by_contribution(seen: Evidence, _config: RiskManagementConfig) -> tuple[Float, tuple[str, ...]]:
    """On correlations: budgets are risk already, and used in full they contribute equally to the book's."""
    if len(seen.strategies) == 1:
        return np.ones(1), ()
    return equal_risk_contribution(correlation(seen.returns, "ledoit_wolf")), ()


def _by_sharpe(seen: Evidence, config: RiskManagementConfig) -> tuple[Float, tuple[str, ...]]:
    ratios, intensity = shrunken_sharpe(seen.plain)
    said = (
        f"Sharpe ratios are drawn to their mean by {intensity:.0%}, the share of their spread that is noise"
    )
    return sharpe_shares(ratios, config.kelly_config.test_share), (said,)


_MAKERS: Final[dict[str, Callable[[Evidence, RiskManagementConfig], tuple[Float, tuple[str, ...]]]]] = {
    "inverse_volatility": _by_volatility,
    "risk_parity": _by_contribution,
    "sharpe": _by_sharpe,
}


def _fixed(config: RiskManagementConfig, names: tuple[str, ...]) -> tuple[float, ...]:
    """The shares that the settings name; the others split what these leave."""
    fixed = config.budget_config.fixed_shares
    others = sum(name not in fixed for name in names)
    rest = max(0.0, 1.0 - sum(fixed.get(name, 0.0) for name in names))
    return tuple(fixed[name] if name in fixed else rest / others for name in names)


def _cut(state: PortfolioState, config: RiskManagementConfig, strategy: str) -> float:
    """The multiplier that stands, or the one of its drawdown for a strategy that had no share."""
    known = None if state.budget is None else state.budget.by_strategy.get(strategy)
    if known is not None:
        return known.cut
    if (state.totals.equity or 0.0) <= 0.0:
        return 1.0
    return cut_multiplier(config, own_drawdown(state, config, strategy, loss_from_peak(state, strategy)))


def _limit(config: RiskManagementConfig, measure: str) -> float:
    return {
        "var": config.var_config.daily_var_limit,
        "es": config.var_config.daily_es_limit,
        "drawdown": config.drawdown_config.max_portfolio_drawdown,
    }[measure]


def _checked_total(budget: object) -> float:
    total = checked_number(budget, "budget")
    if total > 1.0:
        said = f"budget is a fraction of equity, above 0 and at most 1, such as 0.02 for 2 %; got {total:g}"
        raise InvalidRequest("OUT_OF_RANGE", "budget", said)
    return total


def _checked_names(strategies: object) -> tuple[str, ...]:
    if isinstance(strategies, str) or not isinstance(strategies, Sequence):
        said = f"strategies are a list of names; got {shown(strategies)}"
        raise InvalidRequest("WRONG_TYPE", "strategies", said)
    return tuple(dict.fromkeys(checked_name(name, "strategies", empty=True) for name in strategies))


def _choice(value: object, field: str, allowed: tuple[str, ...]) -> Any:
    if isinstance(value, str) and value in allowed:
        return value
    said = f"{field} is one of {', '.join(allowed)}; got {shown(value)}"
    raise InvalidRequest("UNKNOWN_METHOD", field, said)
