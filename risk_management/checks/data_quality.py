"""Prices, rates, the market model and equity must be known and fresh before anything opens."""

from __future__ import annotations

import math
from datetime import datetime

from risk_management.core.proposal import Proposal
from risk_management.core.quotes import doubted_names
from risk_management.model.market import HistoryKind
from risk_management.model.trade import Finding

__all__ = ["check"]

DAY = 86_400.0


def check(p: Proposal) -> Finding:
    """Stale, missing or doubtful data opens nothing; a last good price may value, never authorise."""
    if p.state.totals.equity is None:
        return _refusal("EQUITY_UNKNOWN", ", ".join(sorted(p.state.totals.unpriced)))
    if p.state.drawdown.quarantined is not None:
        return _refusal("EQUITY_QUARANTINED")
    doubted = doubted_names(p.state)
    if doubted:
        return _refusal("PRICE_QUARANTINED", ", ".join(doubted))
    allowed = p.config.market_data_config.stale_days * DAY
    model_age = (p.now - p.state.model.matrix.as_of).total_seconds()
    if model_age > allowed:
        return Finding("data_quality", "STALE_MODEL", 0.0, model_age, allowed, "seconds")
    if not _has_rate(p, allowed):
        return _refusal("NO_RATE", p.instrument.currency)
    return _price(p, allowed, model_age)


def _refusal(code: str, subject: str = "") -> Finding:
    return Finding("data_quality", code, 0.0, subject=subject)


def _has_rate(p: Proposal, allowed: float) -> bool:
    if p.instrument.currency == p.state.base_currency:
        return True
    rate = p.state.rates.get(p.instrument.currency)
    if rate is None or _is_from_before(p, rate.time):
        return False
    return (p.now - rate.time).total_seconds() <= allowed


def _is_from_before(p: Proposal, time: datetime) -> bool:
    """Whether the machine's clock stepped since: nobody knows how old it is."""
    since = p.state.prices_since
    return since is not None and time <= since


def _price(p: Proposal, allowed: float, model_age: float) -> Finding:
    """The instrument's own quote where there is one, else, without real money, the series of its history."""
    symbol = p.request.symbol
    if p.quote is None:
        if p.state.environment == "live":
            return _refusal("NO_PRICE", symbol)
        coverage = p.state.model.matrix.coverage.get(symbol)
        if coverage is None or coverage.kind is HistoryKind.STAND_IN:
            return _refusal("NO_PRICE", symbol)
        cap = 0.0 if coverage.stale else math.inf
        return Finding("data_quality", "STALE_PRICE", cap, model_age, allowed, "seconds", symbol)
    if not p.quote.daily:
        ages = p.config.market_data_config.quote_age
        allowed = ages.get(p.instrument.asset_class, ages.get("other", 60.0))
    age = (p.now - p.quote.time).total_seconds()
    cap = math.inf if age <= allowed and not _is_from_before(p, p.quote.time) else 0.0
    return Finding("data_quality", "STALE_PRICE", cap, age, allowed, "seconds", symbol)
