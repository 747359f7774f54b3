"""Where a fold begins: an empty book, or what a snapshot kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core import drawdown as drawdown_rules
from risk_management.core.steps.sums import summed
from risk_management.core.totals import empty_totals
from risk_management.model.amend import amended
from risk_management.model.instrument import Instrument
from risk_management.model.layered import Layered
from risk_management.model.money import to_ledger
from risk_management.model.portfolio import Account, PortfolioState, PositionKey
from risk_management.model.risk_model import RiskModel
from risk_management.model.totals import Totals

__all__ = ["from_records", "initial_state", "totals_from_scratch"]


def initial_state(
    config: RiskManagementConfig,
    model: RiskModel,
    now: datetime,
    instruments: Mapping[str, Instrument] | None = None,
) -> PortfolioState:
    """An empty book with the initial capital in cash."""
    cash = to_ledger(config.portfolio_value)
    empty: Mapping[Any, Any] = MappingProxyType({})
    return PortfolioState(
        version=0,
        as_of=now,
        environment=config.environment,
        base_currency=config.base_currency,
        accounts=MappingProxyType({config.account_id: Account(config.account_id, cash)}),
        positions=empty,
        quotes=empty,
        rates=empty,
        instruments=MappingProxyType(dict(instruments or {})),
        reservations=empty,
        settled=Layered(),
        executions=Layered(),
        bots=empty,
        strategies=empty,
        holds=empty,
        var_halted=False,
        requests=empty,
        intents=empty,
        model=model,
        totals=empty_totals(model, cash),
        drawdown=drawdown_rules.begin(config.portfolio_value, now, config.drawdown_config),
    )


def from_records(model: RiskModel, **records: Any) -> PortfolioState:
    """A state from everything that can't be computed, with its sums made from scratch.

    Parameters
    ----------
    model : RiskModel
    **records
        All other fields of `PortfolioState` but `totals`.
    """
    cash = sum(account.cash for account in records["accounts"].values())
    state = PortfolioState(model=model, totals=empty_totals(model, cash), **records)
    return amended(state, totals=totals_from_scratch(state))


def totals_from_scratch(state: PortfolioState) -> Totals:
    """All sums over the positions and approvals of a state, with nothing carried along."""
    named: dict[str, tuple[list[PositionKey], list[str]]] = {}
    for key in state.positions:
        named.setdefault(key.symbol, ([], []))[0].append(key)
    for request_id, reservation in state.reservations.items():
        named.setdefault(reservation.key.symbol, ([], []))[1].append(request_id)
    return summed(state, state.model, named)
