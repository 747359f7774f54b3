"""How old what the numbers stand on is: every feed of prices, the rates and the market model."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from risk_management.core.assessment import allowed_age, stale_symbols

if TYPE_CHECKING:
    from risk_management.config.risk_config import RiskManagementConfig
    from risk_management.model.portfolio import PortfolioState

__all__ = ["Feed", "feeds"]

DAY = 86_400.0


class Feed(NamedTuple):
    """Where prices or rates come from, and how old they are.

    Parameters
    ----------
    name : str
        Name of the source; ``market model`` is the history that risk is measured on.
    kind : str
        ``prices``, ``rates`` or ``history``.
    symbols : int
    newest : datetime or None
        Of its newest entry.
    oldest : datetime or None
        Of the oldest entry that a position stands on.
    allowed : float
        Seconds after which the shortest-lived of them is stale.
    stale : list of str
        What is too old: held symbols, currencies, or the whole.
    """

    name: str
    kind: str
    symbols: int
    newest: datetime | None
    oldest: datetime | None
    allowed: float
    stale: list[str]


def feeds(state: PortfolioState, config: RiskManagementConfig, now: datetime) -> list[Feed]:
    """All feeds, the market model first."""
    return [_history(state, config, now), *_prices(state, config, now), *_rates(state, config, now)]


def _history(state: PortfolioState, config: RiskManagementConfig, now: datetime) -> Feed:
    matrix, allowed = state.model.matrix, config.market_data_config.stale_days * DAY
    stale = ["all"] if (now - matrix.as_of).total_seconds() > allowed else []
    if not stale:  # held without a quote of their own: valued and judged by the history
        stale = [symbol for symbol in stale_symbols(state, config, now) if symbol not in state.quotes]
    return Feed("market model", "history", len(matrix.symbols), matrix.as_of, None, allowed, stale)


def _prices(state: PortfolioState, config: RiskManagementConfig, now: datetime) -> list[Feed]:
    stale, found = set(stale_symbols(state, config, now)), []
    for source in sorted({quote.source for quote in state.quotes.values()}):
        known = {symbol: quote for symbol, quote in state.quotes.items() if quote.source == source}
        held = {s: q for s, q in known.items() if (name := state.totals.names.get(s)) and name.keys}
        found.append(
            Feed(
                source or "unnamed",
                "prices",
                len(known),
                max(quote.time for quote in known.values()),
                min((quote.time for quote in held.values()), default=None),
                min(allowed_age(state, config, symbol, quote) for symbol, quote in known.items()),
                sorted(stale & known.keys()),
            )
        )
    return found


def _rates(state: PortfolioState, config: RiskManagementConfig, now: datetime) -> list[Feed]:
    if not state.rates:
        return []
    times, allowed = [rate.time for rate in state.rates.values()], config.market_data_config.stale_days * DAY
    stale = [name for name, rate in state.rates.items() if (now - rate.time).total_seconds() > allowed]
    return [Feed("exchange rates", "rates", len(times), max(times), min(times), allowed, sorted(stale))]
