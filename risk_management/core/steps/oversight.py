"""Holds, bots, budgets, alerts, liquidations, and what the monitors remember."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.alert_book import alerts_after
from risk_management.core.liquidation import life as liquidation_life
from risk_management.core.steps.records import Step, next_state, put, without
from risk_management.core.totals import with_strategies
from risk_management.model.amend import amended
from risk_management.model.budget import StrategyDay
from risk_management.model.emergency import EmergencyMemory
from risk_management.model.events import (
    AlertNoted,
    AlertTold,
    BotChanged,
    BreaksSeen,
    BudgetAllocated,
    BudgetCut,
    ConfigChanged,
    EmergencyStepped,
    EngineStarted,
    Event,
    HoldReleased,
    HoldSet,
    LiquidationEnded,
    LiquidationStarted,
    LiquidationStepDone,
    LiquidationStepSent,
    LiquidationStopped,
    Noted,
    RuleChanged,
    SilenceEnded,
    SilenceSet,
    StrategyDaysRecorded,
    VarHaltChanged,
    VarRecorded,
)
from risk_management.model.liquidation import Liquidation
from risk_management.model.portfolio import PortfolioState, StrategyRecord

__all__ = ["STEPS"]

KEPT_DAYS: Final = 250


def _noted(state: PortfolioState, event: Event, config: RiskManagementConfig) -> PortfolioState:
    """What is only told: the Book itself takes new settings over."""
    return next_state(state, event)


def _hold_set(state: PortfolioState, event: HoldSet, config: RiskManagementConfig) -> PortfolioState:
    return next_state(state, event, holds=put(state.holds, event.hold.key, event.hold))


def _hold_released(
    state: PortfolioState, event: HoldReleased, config: RiskManagementConfig
) -> PortfolioState:
    return next_state(state, event, holds=without(state.holds, [(event.scope, event.name, event.cause)]))


def _bot(state: PortfolioState, event: BotChanged, config: RiskManagementConfig) -> PortfolioState:
    return next_state(state, event, bots=put(state.bots, event.bot.name, event.bot))


def _var_recorded(state: PortfolioState, event: VarRecorded, config: RiskManagementConfig) -> PortfolioState:
    return next_state(state, event, var_record=event.record)


def _var_halt(state: PortfolioState, event: VarHaltChanged, config: RiskManagementConfig) -> PortfolioState:
    return next_state(state, event, var_halted=event.halted)


def _emergency(
    state: PortfolioState, event: EmergencyStepped, config: RiskManagementConfig
) -> PortfolioState:
    return next_state(state, event, emergency=EmergencyMemory(MappingProxyType(dict(event.counts))))


def _breaks(state: PortfolioState, event: BreaksSeen, config: RiskManagementConfig) -> PortfolioState:
    if event.breaks:
        return next_state(state, event, breaks=put(state.breaks, event.account_id, event.breaks))
    return next_state(state, event, breaks=without(state.breaks, [event.account_id]))


def _alerts(state: PortfolioState, event: Event, config: RiskManagementConfig) -> PortfolioState:
    return next_state(state, event, alerts=alerts_after(state.alerts, event))


def _budget(state: PortfolioState, event: BudgetAllocated, config: RiskManagementConfig) -> PortfolioState:
    if event.budget is None:
        totals = amended(state.totals, strategy_risk=None)
    elif state.budget is None:
        totals = with_strategies(state.totals, state.model)
    else:
        totals = state.totals
    return next_state(state, event, budget=event.budget, totals=totals)


def _budget_cut(state: PortfolioState, event: BudgetCut, config: RiskManagementConfig) -> PortfolioState:
    if state.budget is None:
        return next_state(state, event)
    cuts = dict(event.cuts)
    shares = tuple(amended(s, cut=cuts.get(s.strategy, s.cut)) for s in state.budget.shares)
    return next_state(state, event, budget=amended(state.budget, shares=shares))


def _strategy_days(
    state: PortfolioState, event: StrategyDaysRecorded, config: RiskManagementConfig
) -> PortfolioState:
    strategies = dict(state.strategies)
    for name, profit, exposure in event.strategies:
        old = strategies.get(name, StrategyRecord())
        days = old.days
        if event.follows and old.evening is not None:
            day = StrategyDay(event.day, profit - old.evening_profit, old.evening_exposure)
            days = (*days, day)[-KEPT_DAYS:]
        strategies[name] = amended(
            old, evening=event.day, evening_profit=profit, evening_exposure=exposure, days=days
        )
    return next_state(state, event, strategies=MappingProxyType(strategies))


def _liquidation(
    step: Callable[[Any, Any], Mapping[str, Liquidation]],
) -> Callable[[PortfolioState, Any, RiskManagementConfig], PortfolioState]:
    """A step that changes what is known of liquidations alone."""
    return lambda state, event, _: next_state(state, event, liquidations=step(state.liquidations, event))


STEPS: Final[Mapping[type[Event], Step]] = {
    EngineStarted: _noted,
    ConfigChanged: _noted,
    Noted: _noted,
    HoldSet: _hold_set,
    HoldReleased: _hold_released,
    BotChanged: _bot,
    VarHaltChanged: _var_halt,
    VarRecorded: _var_recorded,
    EmergencyStepped: _emergency,
    BreaksSeen: _breaks,
    AlertTold: _alerts,
    AlertNoted: _alerts,
    RuleChanged: _alerts,
    SilenceSet: _alerts,
    SilenceEnded: _alerts,
    BudgetAllocated: _budget,
    BudgetCut: _budget_cut,
    StrategyDaysRecorded: _strategy_days,
    LiquidationStarted: _liquidation(liquidation_life.started),
    LiquidationStepSent: _liquidation(liquidation_life.step_sent),
    LiquidationStepDone: _liquidation(liquidation_life.step_done),
    LiquidationStopped: _liquidation(liquidation_life.stopped),
    LiquidationEnded: _liquidation(liquidation_life.ended),
}
