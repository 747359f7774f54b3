"""New prices against the old ones: which are taken, which came too late, which are not believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.model.events import Event, HoldReleased, HoldSet, QuotesReceived
from risk_management.model.portfolio import SYSTEM, Hold, PortfolioState, Quote, Scope, TradingMode

__all__ = ["PriceUpdate", "last_price", "price_events"]

CAUSE = "price_jump"
FIRST_WITHIN = 10.0
SAME = 1e-9
"""5 % up from 60 is 0.05000000000000004 and no more than 5 %."""
NEW = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PriceUpdate:
    """What became of a set of prices.

    Parameters
    ----------
    accepted, ignored, quarantined : tuple of str
        Symbols by outcome: taken; older than what is known; a jump that a second price must confirm.
    events : tuple of Event
    """

    accepted: tuple[str, ...]
    ignored: tuple[str, ...]
    quarantined: tuple[str, ...]
    events: tuple[Event, ...]


def price_events(
    state: PortfolioState,
    config: RiskManagementConfig,
    prices: Mapping[str, float],
    at: datetime,
    source: str,
    *,
    daily: bool,
    now: datetime,
    actor: str,
) -> PriceUpdate:
    """Sort checked prices. A jump beyond `quote_jump` blocks its symbol until a second one is beyond it."""
    limit, sure = config.market_data_config.quote_jump, config.market_data_config.sure_move
    taken: list[tuple[str, Quote]] = []
    late: list[str] = []
    doubtful: list[str] = []
    events: list[Event] = []
    for symbol, price in prices.items():
        old = state.quotes.get(symbol)
        before = last_price(state, symbol)
        if old is not None and old.anchor is not None and _is_near(price, old.anchor, sure):
            before = old.anchor  # the far tick was a glitch: the price is back
        held = state.holds.get((Scope.SYMBOL, symbol, CAUSE))
        if old is not None and at < old.time:
            late.append(symbol)
        elif _jumps(
            price, before, limit, is_old=old is None and not _is_new(state, symbol, now)
        ) and not _confirms(held, price, before, limit):
            doubtful.append(symbol)
            events.append(HoldSet(at=now, actor=SYSTEM, hold=_hold(symbol, price, before, now)))
        else:
            confirmed = daily or old is None or _confirms(held, price, before, limit)
            anchor = None if confirmed or old is None else _anchor(old, price, sure)
            taken.append((symbol, Quote(price, at, source, daily, anchor)))
            if held is not None:
                events.append(
                    HoldReleased(
                        at=now,
                        actor=SYSTEM,
                        scope=Scope.SYMBOL,
                        name=symbol,
                        cause=CAUSE,
                        reason="the price was confirmed",
                    )
                )
    if taken:
        events.insert(0, QuotesReceived(at=now, actor=actor, quotes=tuple(taken)))
    accepted = tuple(symbol for symbol, _ in taken)
    return PriceUpdate(accepted, tuple(late), tuple(doubtful), tuple(events))


def last_price(state: PortfolioState, symbol: str) -> float:
    """The last accepted price, else what a held position cost a unit; 0 where neither is known."""
    quote, name = state.quotes.get(symbol), state.totals.names.get(symbol)
    if quote is not None:
        return quote.price
    if name is None or not name.keys:
        return 0.0
    instrument = state.instruments[symbol]
    rate = state.rates.get(instrument.currency)
    unit = instrument.multiplier * (rate.value if rate is not None else 1.0)
    return abs(state.positions[name.keys[0]].entry_price) / unit


def _is_new(state: PortfolioState, symbol: str, now: datetime) -> bool:
    """Whether a position was opened within a day: its entry is as good as a price."""
    name = state.totals.names.get(symbol)
    return name is not None and any(now - state.positions[key].opened_at < NEW for key in name.keys)


def _jumps(price: float, before: float, limit: float, *, is_old: bool) -> bool:
    """A first price may be far from an old entry, but not by more than ten times."""
    if before <= 0.0:
        return False
    if is_old:
        return not 1.0 / FIRST_WITHIN < price / before < FIRST_WITHIN
    return abs(price / before - 1.0) > limit


def _anchor(old: Quote, price: float, sure: float) -> float | None:
    """The price that was sure before a move beyond `sure`; None where a second tick has settled it.

    A tick that goes further the same way, or part of the way back, settles the part that both went.
    """
    if _is_near(price, old.price, sure):
        return None
    if old.anchor is None:
        return old.price
    if _is_near(price, old.anchor, sure):
        return None
    if (price > old.anchor) != (old.price > old.anchor):
        return old.anchor
    return old.price if (price > old.price) == (old.price > old.anchor) else None


def _is_near(price: float, other: float, within: float) -> bool:
    return abs(price / other - 1.0) <= within + SAME


def _hold(symbol: str, price: float, before: float, now: datetime) -> Hold:
    reason = f"price {price!r} after {before!r} awaits a second one"
    return Hold(Scope.SYMBOL, symbol, CAUSE, TradingMode.REDUCING, SYSTEM, reason, now)


def _confirms(held: Hold | None, price: float, before: float, limit: float) -> bool:
    """A second price on the same side of the old one, no further from the first than a jump."""
    if held is None:
        return False
    seen = float(held.reason.split()[1])
    return (seen > before) == (price > before) and abs(price / seen - 1.0) <= limit


def doubted_names(state: PortfolioState) -> tuple[str, ...]:
    """Held names whose price jumped and awaits a second one: equity may not be what it seems."""
    names = state.totals.names
    return tuple(
        h.name
        for h in state.holds.values()
        if h.cause == "price_jump" and h.name in names and names[h.name].keys
    )
