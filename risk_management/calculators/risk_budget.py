"""A budget of risk, split over strategies: how it is split, and how it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np

from risk_management.calculators._budget_split import allocation, known_strategies
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core import drawdown as drawdown_rules
from risk_management.core.budget import (
    PLACES,
    budget_limit,
    budget_uses,
    loss_from_peak,
    own_drawdown,
)
from risk_management.core.entry import checked_name
from risk_management.core.front import Front
from risk_management.core.peaks import profits_of
from risk_management.core.totals import with_strategies
from risk_management.errors import InvalidRequest
from risk_management.measures.tail import component_es, component_var
from risk_management.model.amend import amended
from risk_management.model.budget import BudgetMeasure, BudgetMethod, BudgetShare, RiskAllocation
from risk_management.model.events import BudgetAllocated, Event, StrategyDaysRecorded
from risk_management.model.explain import amount
from risk_management.model.portfolio import OPERATOR, SYSTEM, PortfolioState
from risk_management.model.strategy_risk import CONFIDENCES

__all__ = ["RiskBudget", "RiskBudgetAllocator", "StrategyBudget", "budget_events", "risk_budget"]

NAMES: Final = {
    "var": "one-day VaR at 95 %",
    "es": "one-day expected shortfall at 97.5 %",
    "drawdown": "loss from the peak and one bad day",
}


@dataclass(frozen=True, slots=True)
class StrategyBudget:
    """One strategy's budget and what it does with it; money unless said otherwise.

    Parameters
    ----------
    strategy : str
    weight : float
        Share of the total, 0 to 1.
    budget : float
        What it has of its own, after its cut.
    used : float
        What it may lose by itself, approved and unfilled orders at their worst.
    limit : float
        What it may use now, loans included.
    room : float
        `limit` less `used`, 0 or above.
    borrowed : float
        What it uses beyond its own budget and within `limit`: what is over that is nobody's loan.
    lent : float
        What others use of its own.
    cut : float
        Multiplier by its own drawdown, 0 to 1.
    drawdown : float
        Loss from its peak as a fraction of what it may hold.
    contribution : float
        Its share of the risk of the whole book, negative for a hedge; all add up to the book's.
    reasons : tuple of str
    """

    strategy: str
    weight: float
    budget: float
    used: float
    limit: float
    room: float
    borrowed: float
    lent: float
    cut: float
    drawdown: float
    contribution: float
    reasons: tuple[str, ...] = ()

    @property
    def use(self) -> float:
        """Used over the limit; infinite where something is used of nothing."""
        if self.limit > 0.0:
            return self.used / self.limit
        return float("inf") if self.used > 0.0 else 0.0


@dataclass(frozen=True, slots=True)
class RiskBudget:
    """A budget of risk and how it stands.

    Parameters
    ----------
    method, measure : str
    total : float
        The whole budget, money.
    total_pct : float
        The same as a fraction of equity.
    used : float
        Sum of what the strategies use, money; at least the book's own expected shortfall.
    book : float
        The book's own risk by the same measure, money: what diversification makes of the sum.
    strategies : tuple of StrategyBudget
    in_force : bool
        False for a preview.
    allocated_on : str
        Trading day of the split, in ISO 8601.
    reasons, leans_on : tuple of str
    """

    method: BudgetMethod
    measure: BudgetMeasure
    total: float
    total_pct: float
    used: float
    book: float
    strategies: tuple[StrategyBudget, ...]
    in_force: bool
    allocated_on: str
    reasons: tuple[str, ...]
    leans_on: tuple[str, ...]

    def of(self, strategy: str) -> StrategyBudget:
        """The row of one strategy.

        Raises
        ------
        KeyError
        """
        return next(row for row in self.strategies if row.strategy == strategy)

    def explain(self) -> str:
        """The budget in a few lines for a person."""
        state = "in force" if self.in_force else "a preview, not in force"
        lines = [
            f"Risk budget of {self.total:,.2f} ({self.total_pct:.2%} of equity) by {NAMES[self.measure]}, "
            f"split by {self.method.replace('_', ' ')} on {self.allocated_on}: {state}.",
            f"Used {self.used:,.2f} by the strategies alone, {self.book:,.2f} by the book together.",
        ]
        for row in self.strategies:
            name = row.strategy or "without a name"
            text = f"  {name}: {row.used:,.2f} of {row.limit:,.2f}, room {row.room:,.2f}"
            text += f"; own {row.budget:,.2f} (share {row.weight:.1%})"
            text += f", adds {row.contribution:,.2f} to the book"
            if row.cut < 1.0:
                text += f", cut to {row.cut:.0%} by a drawdown of {row.drawdown:.1%}"
            if row.borrowed > 0.0:
                text += f", borrows {row.borrowed:,.2f}"
            if row.lent > 0.0:
                text += f", lends {row.lent:,.2f}"
            lines.append(text + ".")
            lines += [f"    {reason}." for reason in row.reasons]
        lines += [f"  {reason}." for reason in self.reasons]
        if self.leans_on:
            lines.append("Leans on: " + "; ".join(text.rstrip(".") for text in self.leans_on) + ".")
        return "\n".join(lines)


def risk_budget(
    state: PortfolioState, config: RiskManagementConfig, budget: RiskAllocation, *, in_force: bool = True
) -> RiskBudget:
    """How a budget stands: what each strategy uses, may use, borrows and lends."""
    if state.totals.strategy_risk is None:  # a preview: nothing is carried along yet
        state = amended(state, totals=with_strategies(state.totals, state.model))
    equity = max(state.totals.equity or 0.0, 0.0)
    uses = budget_uses(state, budget)
    own = {name: budget.own(name) * equity for name in uses}
    limits = {name: budget_limit(state, config, budget, name, uses) for name in uses}
    borrowed = {name: max(0.0, min(use, limits[name]) - own[name]) for name, use in uses.items()}
    idle = {name: max(0.0, own[name] - use) for name, use in uses.items()}
    lent_share = min(1.0, sum(borrowed.values()) / sum(idle.values())) if sum(idle.values()) > 0.0 else 0.0
    contributions = _contributions(state, budget.measure, tuple(uses))
    rows = []
    for name, used in uses.items():
        share = budget.by_strategy.get(name, BudgetShare(name, 0.0, reason="it has no share: split anew"))
        limit = limits[name]
        drawdown = own_drawdown(state, config, name, loss_from_peak(state, name))
        rows.append(
            StrategyBudget(
                strategy=name,
                weight=share.weight,
                budget=own[name],
                used=used,
                limit=limit,
                room=max(0.0, limit - used),
                borrowed=borrowed[name],
                lent=lent_share * idle[name],
                cut=share.cut,
                drawdown=drawdown,
                contribution=contributions.get(name, 0.0),
                reasons=tuple(_reasons(share, config, drawdown, used, limit)),
            )
        )
    return RiskBudget(
        method=budget.method,
        measure=budget.measure,
        total=budget.total * equity,
        total_pct=budget.total,
        used=sum(uses.values()),
        book=sum(contributions.values()),
        strategies=tuple(rows),
        in_force=in_force,
        allocated_on=budget.day.isoformat(),
        reasons=budget.reasons,
        leans_on=budget.leans_on,
    )


def _reasons(
    share: BudgetShare, config: RiskManagementConfig, drawdown: float, used: float, limit: float
) -> list[str]:
    said = [share.reason] if share.reason else []
    if share.cut < 1.0:
        most = config.drawdown_config.max_strategy_drawdown
        said.append(
            f"its drawdown of {amount(drawdown, 'fraction')} cuts its budget to {share.cut:.0%}; "
            f"at {amount(most, 'fraction')} it only closes"
        )
    if used > limit:
        said.append(f"it is over by {used - limit:,.2f}: nothing that adds to its risk is approved")
    return said


def _contributions(
    state: PortfolioState, measure: BudgetMeasure, strategies: tuple[str, ...]
) -> Mapping[str, float]:
    """Euler parts of the book's risk by strategy, money; in the mean of the tail they add up to the whole."""
    risks = state.totals.strategy_risk or {}
    held = [name for name in strategies if name in risks]
    if not held:
        return {}
    vectors = np.column_stack([risks[name].vector for name in held])
    part = component_var if PLACES[measure][1] == 0 else component_es
    confidence = CONFIDENCES[PLACES[measure][0]]
    parts = part(vectors, np.ones(len(held)), confidence)
    return {name: float(value) for name, value in zip(held, parts, strict=True)}


def budget_events(
    state: PortfolioState, last: PortfolioState | None, config: RiskManagementConfig, now: datetime
) -> Iterator[Event]:
    """What a look at the book brings: the days of the strategies, and a split that is due.

    Parameters
    ----------
    state : PortfolioState
    last : PortfolioState or None
        As it stood at the last look.
    config : RiskManagementConfig
    now : datetime
    """
    settings = config.budget_config
    if settings.method == "off" and state.budget is None:
        return
    if last is not None and state.drawdown.day > last.drawdown.day:
        yield _evening(last, config, now)
    if settings.method != "off" and (state.totals.equity or 0.0) > 0.0 and _is_due(state, config):
        made = amended(allocation(state, config), automatic=True)
        yield BudgetAllocated(at=now, actor=SYSTEM, budget=made, reason="due by the settings")


def _evening(last: PortfolioState, config: RiskManagementConfig, now: datetime) -> Event:
    _, profits = profits_of(last)
    day, exposures = last.drawdown.day, last.totals.strategies
    before = max((r.evening for r in last.strategies.values() if r.evening is not None), default=None)
    follows = (
        before is not None
        and before < day
        and drawdown_rules.trading_days_between(before, day, config.drawdown_config) == 1
    )
    shares = () if last.budget is None else last.budget.shares
    names = dict.fromkeys((*profits, *(share.strategy for share in shares)))
    rows = tuple((name, profits.get(name, 0), exposures.get(name, 0)) for name in names)
    return StrategyDaysRecorded(at=now, actor=SYSTEM, day=day, strategies=rows, follows=follows)


def _is_due(state: PortfolioState, config: RiskManagementConfig) -> bool:
    names, budget = known_strategies(state, config), state.budget
    if not names:
        return False
    if budget is None:
        return True
    passed = (
        drawdown_rules.trading_days_between(budget.day, state.drawdown.day, config.drawdown_config)
        if state.drawdown.day > budget.day
        else 0
    )
    is_new = budget.automatic and any(name not in budget.by_strategy for name in names)
    return passed >= config.budget_config.rebalance_days or is_new


class RiskBudgetAllocator(Front):
    """Splits a risk budget over strategies, puts it in force, and says how it stands."""

    def allocate_risk_budget(
        self,
        budget: float | None = None,
        *,
        method: str | None = None,
        measure: str | None = None,
        strategies: Sequence[str] | None = None,
        preview: bool = False,
        reason: str = "",
        actor: str = OPERATOR,
        may_loosen: bool = True,
    ) -> RiskBudget:
        """Split a budget and put it in force; arguments as in `AdvancedRiskManager.allocate_risk_budget`."""
        book = self._book
        with book.lock:
            state, config = book.state, book.config
            made = allocation(
                state, config, budget=budget, method=method, measure=measure, strategies=strategies
            )
            if preview:
                return risk_budget(state, config, made, in_force=False)
            if not may_loosen and state.budget is not None:
                _check_tightens(state.budget, made)
            book.apply(BudgetAllocated(at=self._now(), actor=actor, budget=made, reason=reason))
            return risk_budget(book.state, config, made)

    def withdraw(self, reason: str, *, actor: str = OPERATOR) -> bool:
        """End the budget in force; whether there was one.

        Raises
        ------
        InvalidRequest
            Without a reason, or while the settings ask for a split.
        """
        checked_name(reason, "reason")
        book = self._book
        with book.lock:
            if book.config.budget_config.method != "off":
                said = "the settings would split it again at once: set budget_config.method to off first"
                raise InvalidRequest("INCONSISTENT_LIMITS", "method", said)
            if book.state.budget is None:
                return False
            book.apply(BudgetAllocated(at=self._now(), actor=actor, budget=None, reason=reason))
            return True

    def current(self) -> RiskBudget | None:
        """The budget in force and how it stands, None without one."""
        with self._book.lock:
            state, config = self._book.state, self._book.config
        return None if state.budget is None else risk_budget(state, config, state.budget)


def _check_tightens(old: RiskAllocation, new: RiskAllocation) -> None:
    """Raise where a strategy would have more than now, or by another measure."""
    loose = [s.strategy for s in new.shares if _whole(new, s) > _whole_of(old, s.strategy) + 1e-12]
    if new.measure != old.measure:
        said = f"the budget in force is of {old.measure}; one of {new.measure} takes an admin's token"
        raise InvalidRequest("NOT_ALLOWED", "measure", said)
    if loose:
        said = f"strategy {loose[0]!r} would have more than now: that takes an admin's token"
        raise InvalidRequest("NOT_ALLOWED", "budget", said)


def _whole(budget: RiskAllocation, share: BudgetShare) -> float:
    return budget.total * share.weight


def _whole_of(budget: RiskAllocation, strategy: str) -> float:
    share = budget.by_strategy.get(strategy)
    return 0.0 if share is None else _whole(budget, share)
