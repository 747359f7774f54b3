"""Cash, equity, entries by hand, and what the drawdown rules remember."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core import drawdown as drawdown_rules
from risk_management.core.cash_tolerance import with_tolerated
from risk_management.core.far_ticks import unsure_gain
from risk_management.core.steps.records import Step, next_state, put, without
from risk_management.core.steps.sums import marked, settle
from risk_management.core.totals import with_cash
from risk_management.model.amend import amended
from risk_management.model.events import (
    CashMoved,
    DrawdownAdjusted,
    EquityReported,
    Event,
    Marked,
    PeaksSeen,
    PositionAdded,
)
from risk_management.model.instrument import ContractKind
from risk_management.model.money import SCALE, to_ledger
from risk_management.model.portfolio import Account, PortfolioState, Position, StrategyRecord

__all__ = ["STEPS", "with_cash_moved"]


def _position_added(
    state: PortfolioState, event: PositionAdded, config: RiskManagementConfig
) -> PortfolioState:
    old = state.positions.get(event.key)
    quantity, cost = event.quantity, event.cost
    stop, has_stop, opened = event.stop_risk, event.has_stop, event.at
    realised = turnover = 0
    if old is not None:
        quantity, cost = old.quantity + quantity, old.cost + cost
        stop, has_stop = old.stop_risk + stop, old.has_stop and has_stop
        opened, realised, turnover = old.opened_at, old.realised, old.turnover
    position = Position(
        event.key,
        quantity,
        cost,
        opened,
        stop,
        has_stop,
        realised=realised,
        turnover=max(turnover, abs(cost)),
    )
    instrument = state.instruments[event.key.symbol]
    paid = event.cost if event.takes_cash and instrument.kind is not ContractKind.LINEAR else 0
    positions = put(state.positions, event.key, position)
    if quantity == 0:
        positions = without(positions, [event.key])
    changed = amended(
        state, positions=positions, accounts=with_cash_moved(state, event.key.account_id, -paid)
    )
    return settle(changed, event, config, [event.key.symbol], new_keys=[event.key])


def with_cash_moved(state: PortfolioState, account_id: str, amount: int) -> Mapping[str, Account]:
    """The accounts after one was paid an amount, or paid it out; ledger units."""
    account = state.accounts.get(account_id, Account(account_id, 0))
    return put(state.accounts, account_id, Account(account_id, account.cash + amount))


def _cash(state: PortfolioState, event: CashMoved, config: RiskManagementConfig) -> PortfolioState:
    changed = amended(state, accounts=with_cash_moved(state, event.account_id, event.amount))
    if event.kind.is_flow:
        changed = amended(changed, drawdown=drawdown_rules.flow(state.drawdown, event.amount / SCALE))
    if event.tolerated:
        changed = amended(changed, tolerated_cash=with_tolerated(state.tolerated_cash, event, config))
    return settle(changed, event, config, [])


def _equity(state: PortfolioState, event: EquityReported, config: RiskManagementConfig) -> PortfolioState:
    """Cash makes up the difference, unless the report is not believed.

    While a held price is not sure the report is held against what is nearer: equity at it, or at the last
    sure one.
    """
    marks, gain = state.totals.value + state.totals.cash, unsure_gain(state, state.totals)
    said, known = to_ledger(event.equity), [marks] if gain is None else [marks, marks - gain]
    nearest = min(known, key=lambda each: abs(said - each))
    after = (marks + said - nearest) / SCALE
    moved = drawdown_rules.reported(
        state.drawdown,
        event.equity,
        event.at,
        config.drawdown_config,
        known=None if gain is None else nearest / SCALE,
        marked=None if gain is None else after,
        sure=None if gain is None else after - gain / SCALE,
    )
    if moved.quarantined is not None:
        return next_state(state, event, drawdown=moved)
    account_id = next(iter(state.accounts))
    accounts = with_cash_moved(state, account_id, said - nearest)
    cash = sum(account.cash for account in accounts.values())
    return next_state(state, event, accounts=accounts, totals=with_cash(state.totals, cash), drawdown=moved)


def _mark(state: PortfolioState, event: Marked, config: RiskManagementConfig) -> PortfolioState:
    return marked(next_state(state, event), event, config)


def _peaks(state: PortfolioState, event: PeaksSeen, config: RiskManagementConfig) -> PortfolioState:
    bots, strategies = state.bots, state.strategies
    for name, peak in event.bots:
        bots = put(bots, name, amended(bots[name], record=amended(bots[name].record, peak=peak)))
    for name, peak in event.strategies:
        record = strategies.get(name, StrategyRecord())
        strategies = put(strategies, name, amended(record, peak=peak))
    return next_state(state, event, bots=bots, strategies=strategies)


def _drawdown_adjusted(
    state: PortfolioState, event: DrawdownAdjusted, config: RiskManagementConfig
) -> PortfolioState:
    return next_state(state, event, drawdown=event.drawdown)


STEPS: Final[Mapping[type[Event], Step]] = {
    PositionAdded: _position_added,
    CashMoved: _cash,
    EquityReported: _equity,
    Marked: _mark,
    PeaksSeen: _peaks,
    DrawdownAdjusted: _drawdown_adjusted,
}
