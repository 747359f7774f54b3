"""Prices, rates, instruments, splits and the market model."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.steps.records import Step, next_state, put, remembered
from risk_management.core.steps.sums import all_totals, settle
from risk_management.model.amend import amended
from risk_management.model.events import (
    ClockStepped,
    Event,
    InstrumentDefined,
    ModelRefreshed,
    QuotesReceived,
    RateReceived,
    SplitApplied,
)
from risk_management.model.portfolio import PortfolioState, Position, PositionKey, Reservation
from risk_management.model.totals import EMPTY_NAME

__all__ = ["STEPS"]


def _quotes(state: PortfolioState, event: QuotesReceived, config: RiskManagementConfig) -> PortfolioState:
    quotes: dict[str, Any] = state.quotes.copy()  # type: ignore[attr-defined]
    quotes.update(event.quotes)
    held = [symbol for symbol, _ in event.quotes if symbol in state.totals.names]
    unsure = state.unsure
    for symbol, quote in event.quotes:
        if (quote.anchor is not None) != (symbol in unsure):
            unsure ^= {symbol}
    return settle(amended(state, quotes=MappingProxyType(quotes), unsure=unsure), event, config, held)


def _rate(state: PortfolioState, event: RateReceived, config: RiskManagementConfig) -> PortfolioState:
    changed = amended(state, rates=put(state.rates, event.currency, event.rate))
    held = [s for s in state.totals.names if state.instruments[s].currency == event.currency]
    return settle(changed, event, config, held)


def _instrument(
    state: PortfolioState, event: InstrumentDefined, config: RiskManagementConfig
) -> PortfolioState:
    symbol = event.instrument.symbol
    changed = amended(state, instruments=put(state.instruments, symbol, event.instrument))
    if symbol not in state.totals.names:
        return next_state(changed, event)
    # its sector or class may have moved: rebuild all sums
    return next_state(changed, event, totals=all_totals(changed, changed.model))


def _clock_stepped(
    state: PortfolioState, event: ClockStepped, config: RiskManagementConfig
) -> PortfolioState:
    """A stamp may lie some seconds ahead: all that is known is from before the step, whatever it says."""
    stamps = [quote.time for quote in state.quotes.values()] + [rate.time for rate in state.rates.values()]
    return next_state(state, event, prices_since=max([event.at, *stamps]))


def _model(state: PortfolioState, event: ModelRefreshed, config: RiskManagementConfig) -> PortfolioState:
    changed = amended(state, model=event.model)
    return next_state(changed, event, totals=all_totals(changed, event.model))


def _split(state: PortfolioState, event: SplitApplied, config: RiskManagementConfig) -> PortfolioState:
    name = state.totals.names.get(event.symbol, EMPTY_NAME)
    positions: dict[PositionKey, Position] = state.positions.copy()  # type: ignore[attr-defined]
    for key in name.keys:
        old = positions[key]
        positions[key] = amended(old, quantity=round(old.quantity * event.ratio))
    quotes = state.quotes
    if event.symbol in quotes:
        quote = quotes[event.symbol]
        anchor = None if quote.anchor is None else quote.anchor / event.ratio
        fresh = quote._replace(price=quote.price / event.ratio, anchor=anchor)
        quotes = put(quotes, event.symbol, fresh)
    settled = state.settled
    for request_id, reservation in _split_units(settled, event).items():
        settled = remembered(settled, request_id, reservation)
    changed = amended(
        state,
        positions=MappingProxyType(positions),
        quotes=quotes,
        reservations=MappingProxyType({**state.reservations, **_split_units(state.reservations, event)}),
        settled=settled,
    )
    return settle(changed, event, config, [event.symbol] if name.keys or name.reservations else [])


def _split_units(known: Mapping[str, Reservation], event: SplitApplied) -> dict[str, Reservation]:
    """Approvals in a split symbol: as many more units at as much less a price."""
    split: dict[str, Reservation] = {}
    for request_id, old in known.items():
        if old.key.symbol == event.symbol:
            units = None if old.quantity is None else round(old.quantity * event.ratio)
            price = None if old.price is None else old.price / event.ratio
            closing = round(old.closing_quantity * event.ratio)
            split[request_id] = amended(old, quantity=units, price=price, closing_quantity=closing)
    return split


STEPS: Final[Mapping[type[Event], Step]] = {
    QuotesReceived: _quotes,
    RateReceived: _rate,
    InstrumentDefined: _instrument,
    SplitApplied: _split,
    ClockStepped: _clock_stepped,
    ModelRefreshed: _model,
}
