"""A strategy's risk against its budget: what it uses, what it has of its own, what it may borrow.

A strategy's use is what it may lose by itself, its approved and unfilled orders at their worst. It does not
hang on what others hold, and the uses of all are never less than the expected shortfall of the book.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.drawdown import TIER_TOLERANCE
from risk_management.core.peaks import profits_of
from risk_management.core.proposal import Proposal
from risk_management.core.reduction import marked
from risk_management.measures.tail import tails_of
from risk_management.model.budget import RiskAllocation
from risk_management.model.events import BudgetCut, Event
from risk_management.model.money import SCALE
from risk_management.model.portfolio import SYSTEM, PortfolioState, StrategyRecord
from risk_management.model.strategy_risk import CONFIDENCES

__all__ = [
    "budget_limit",
    "budget_uses",
    "cut_events",
    "cut_multiplier",
    "holds_budget",
    "loss_from_peak",
    "own_budget",
    "own_drawdown",
    "strategy_tail",
]

PLACES: Final = {"var": (0, 0), "es": (1, 1), "drawdown": (1, 1)}
"""Which confidence, and then VaR (0) or expected shortfall (1), a measure takes of the tails."""


def budget_uses(state: PortfolioState, budget: RiskAllocation) -> dict[str, float]:
    """What each strategy uses, money; also one that has no share."""
    risks = state.totals.strategy_risk or {}
    confidence, kind = PLACES[budget.measure]
    uses = {share.strategy: 0.0 for share in budget.shares}
    for strategy, risk in risks.items():
        uses[strategy] = max(0.0, risk.tails[confidence][kind])
    if budget.measure == "drawdown":
        _, profits = profits_of(state)
        for strategy in uses:
            uses[strategy] += _below_peak(state, strategy, profits.get(strategy, 0))
    return uses


def own_budget(state: PortfolioState, budget: RiskAllocation, strategy: str) -> float:
    """What a strategy has of its own after its cut, money."""
    return budget.own(strategy) * max(state.totals.equity or 0.0, 0.0)


def budget_limit(
    state: PortfolioState,
    config: RiskManagementConfig,
    budget: RiskAllocation,
    strategy: str,
    uses: Mapping[str, float] | None = None,
) -> float:
    """What a strategy may use now, money: its own budget, and what it may borrow on top of it.

    What it has of its own is never less because others borrowed it. A loan is granted only as long as the
    uses of all stay within what all have: where they don't, nobody goes beyond its own. A strategy that its
    drawdown cuts borrows nothing. `uses` are those of `budget_uses`, where they are known already.
    """
    equity = max(state.totals.equity or 0.0, 0.0)
    own = budget.own(strategy) * equity
    settings, share = config.budget_config, budget.by_strategy.get(strategy)
    if settings.borrowing == "none" or share is None or share.cut < 1.0 or own <= 0.0:
        return own
    if uses is None:
        uses = budget_uses(state, budget)
    others = sum(use for name, use in uses.items() if name != strategy)
    most = min(own * (1.0 + settings.borrow_cap), budget.owned * equity - others)
    if settings.borrowing == "pro_rata":
        idle = sum(
            max(0.0, budget.own(name) * equity - use) for name, use in uses.items() if name != strategy
        )
        most = min(most, own + budget.own(strategy) / budget.owned * idle)
    return max(own, most)


def strategy_tail(p: Proposal, budget: RiskAllocation, opening: float) -> float:
    """What the request's strategy may lose with this opening filled, money; below 0 for a sure gain.

    The closing part is taken as filled as far as the strategy itself holds it.
    """
    confidence, kind = PLACES[budget.measure]
    risk = (p.state.totals.strategy_risk or {}).get(p.request.strategy)
    held = 0.0
    if risk is not None and p.column in risk.sides:
        held = max(0.0, -p.request.side * risk.sides[p.column].net / SCALE)
    size = p.request.side * (min(p.closing, held) + opening)
    pnl = size * p.state.model.scenarios[:, p.column]
    if risk is not None:
        pnl = risk.vector + pnl
    return tails_of(pnl, CONFIDENCES)[confidence][kind]


def holds_budget(p: Proposal, opening: float, tolerance: float) -> bool:
    """Whether an opening stays in the strategy's budget, or adds nothing to what it may lose."""
    budget = p.state.budget
    if budget is None:
        return True
    strategy = p.request.strategy
    lost = loss_from_peak(p.state, strategy) if budget.measure == "drawdown" else 0.0
    room = budget_limit(p.state, p.config, budget, strategy) - lost
    bound = max(room, strategy_tail(p, budget, 0.0))
    return strategy_tail(p, budget, opening) <= bound + tolerance


def loss_from_peak(state: PortfolioState, strategy: str) -> float:
    """Money that a strategy stands below its highest profit, open positions included."""
    profit = state.strategies.get(strategy, StrategyRecord()).realised
    for position in state.positions.values():
        if position.key.strategy == strategy:
            profit += marked(state, position) - position.cost
    return _below_peak(state, strategy, profit)


def _below_peak(state: PortfolioState, strategy: str, profit: int) -> float:
    peak = state.strategies.get(strategy, StrategyRecord()).peak
    return max(0, peak - profit) / SCALE


def own_drawdown(state: PortfolioState, config: RiskManagementConfig, strategy: str, loss: float) -> float:
    """A loss from the peak as a fraction of what the strategy may hold, as its drawdown limit counts it."""
    limits = config.portfolio_limits
    share = limits.strategy_budgets.get(strategy, limits.max_strategy_exposure)
    capital = share * max(state.totals.equity or 0.0, 0.0)
    if capital > 0.0:
        return loss / capital
    return 1.0 if loss > 0.0 else 0.0


def cut_events(state: PortfolioState, config: RiskManagementConfig, now: datetime) -> Iterator[Event]:
    """Multipliers that changed with the drawdown of the strategies; a step back up comes later."""
    budget, equity = state.budget, state.totals.equity
    if budget is None or equity is None or equity <= 0.0:
        return
    _, profits = profits_of(state)
    cuts = []
    for share in budget.shares:
        loss = _below_peak(state, share.strategy, profits.get(share.strategy, 0))
        drawdown = own_drawdown(state, config, share.strategy, loss)
        down = cut_multiplier(config, drawdown)
        up = cut_multiplier(config, drawdown + config.budget_config.hysteresis)
        fresh = down if down < share.cut else max(share.cut, up)
        if drawdown <= 0.0:
            fresh = 1.0  # at its peak, however wide the hysteresis is
        if fresh != share.cut:
            cuts.append((share.strategy, fresh))
    if cuts:
        yield BudgetCut(at=now, actor=SYSTEM, cuts=tuple(cuts))


def cut_multiplier(config: RiskManagementConfig, drawdown: float) -> float:
    """Multiplier of a strategy's budget at a drawdown of its own; 1 below the first tier."""
    multiplier, most = 1.0, config.drawdown_config.max_strategy_drawdown
    for level, value in config.budget_config.drawdown_tiers:
        if drawdown >= level * most - TIER_TOLERANCE and drawdown > 0.0:
            multiplier = value
    return multiplier
