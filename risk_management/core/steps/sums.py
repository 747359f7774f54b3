"""The sums that the state carries along, after an event and from scratch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core import drawdown as drawdown_rules
from risk_management.core.far_ticks import unsure_gain
from risk_management.core.steps.records import next_state
from risk_management.core.totals import empty_totals, name_totals, rebased, swap, with_cash, with_strategies
from risk_management.model.amend import amended
from risk_management.model.drawdown import DrawdownState
from risk_management.model.events import Event
from risk_management.model.money import SCALE
from risk_management.model.portfolio import PortfolioState, PositionKey
from risk_management.model.risk_model import RiskModel
from risk_management.model.totals import EMPTY_NAME, Totals

__all__ = ["all_totals", "marked", "settle", "summed"]


def settle(
    state: PortfolioState,
    event: Event,
    config: RiskManagementConfig,
    symbols: Iterable[str],
    *,
    new_keys: Iterable[PositionKey] = (),
    new_reservation: str | None = None,
    moves_equity: bool = True,
) -> PortfolioState:
    """Recompute the named symbols and the sums, then let the drawdown rules see the new equity."""
    cash = sum(account.cash for account in state.accounts.values())
    changes = {}
    fresh = tuple(new_keys)
    for symbol in symbols:
        old = state.totals.names.get(symbol, EMPTY_NAME)
        keys = dict.fromkeys((*old.keys, *(key for key in fresh if key.symbol == symbol)))
        ids = dict.fromkeys(
            old.reservations if new_reservation is None else (*old.reservations, new_reservation)
        )
        instrument = state.instruments[symbol]
        changes[symbol] = name_totals(
            (state.positions[key] for key in keys if key in state.positions),
            (state.reservations[i] for i in ids if i in state.reservations),
            quote=state.quotes.get(symbol),
            rate=state.rate_of(instrument.currency),
            instrument=instrument,
            model=state.model,
        )
    if changes:
        totals = swap(state.totals, changes, model=state.model, instruments=state.instruments, cash=cash)
    else:
        totals = with_cash(state.totals, cash)
    drawdown = _drawdown(state, totals, event, config) if moves_equity else state.drawdown
    return next_state(state, event, totals=totals, drawdown=drawdown)


def marked(state: PortfolioState, event: Event, config: RiskManagementConfig) -> PortfolioState:
    """The state after the drawdown rules saw the equity that it has."""
    return amended(state, drawdown=_drawdown(state, state.totals, event, config))


def _drawdown(
    state: PortfolioState, totals: Totals, event: Event, config: RiskManagementConfig
) -> DrawdownState:
    """What the drawdown rules make of the equity of some sums."""
    if totals.equity is None:
        return state.drawdown
    gain = unsure_gain(state, totals)
    sure = None if gain is None else totals.equity - gain / SCALE
    return drawdown_rules.advance(state.drawdown, totals.equity, event.at, config.drawdown_config, sure=sure)


def all_totals(state: PortfolioState, model: RiskModel) -> Totals:
    """All sums from scratch."""
    named = {symbol: (name.keys, name.reservations) for symbol, name in state.totals.names.items()}
    return summed(state, model, named)


def summed(
    state: PortfolioState,
    model: RiskModel,
    named: Mapping[str, tuple[Sequence[PositionKey], Sequence[str]]],
) -> Totals:
    """The sums over the positions and reservations of each symbol."""
    cash = sum(account.cash for account in state.accounts.values())
    changes = {
        symbol: name_totals(
            (state.positions[key] for key in keys),
            (state.reservations[i] for i in reservations),
            quote=state.quotes.get(symbol),
            rate=state.rate_of(state.instruments[symbol].currency),
            instrument=state.instruments[symbol],
            model=model,
        )
        for symbol, (keys, reservations) in named.items()
    }
    fresh = swap(empty_totals(model, cash), changes, model=model, instruments=state.instruments, cash=cash)
    fresh = rebased(fresh, model)
    return fresh if state.budget is None else with_strategies(fresh, model)
