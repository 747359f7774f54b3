"""How a paper order fills: when, how much at once, and at which price."""

from __future__ import annotations

import math

from risk_management.brokers._paper_account import WorkingOrder
from risk_management.model.broker import MarketState, OrderKind
from risk_management.model.money import SCALE, to_ledger

__all__ = ["fill_price", "is_marketable", "most_at_once"]


def is_marketable(order: WorkingOrder, market: MarketState) -> bool:
    """Whether an order would trade at these prices."""
    touch = market.ask if order.side > 0 else market.bid
    if touch is None or market.last is None:
        return False
    if order.limit_price is not None:
        return order.side * (order.limit_price - touch) >= 0.0
    if order.kind is OrderKind.STOP and order.stop_price is not None and not order.is_triggered:
        return order.side * (market.last - order.stop_price) >= 0.0
    return True


def most_at_once(market: MarketState, participation: float) -> int:
    """Ledger units that one fill takes at most: a share of a day's volume in whole lots, one lot at least."""
    if not market.daily_volume:
        return 2**62
    bears = to_ledger(participation * market.daily_volume)
    return max(market.lot, bears // market.lot * market.lot)


def fill_price(order: WorkingOrder, units: int, market: MarketState, impact: float) -> float:
    """The touch, moved by impact: `impact` times the square root of the share of a day's volume.

    A stop fills where the market stands, not where the stop stood; a limit order never beyond its limit.
    Without a known volume nothing is moved.

    References
    ----------
    Almgren, Thum, Hauptmann, Li: Direct estimation of equity market impact (2005), for the shape; the
    square root as in Toth et al.: Anomalous price impact and the critical nature of liquidity (2011).
    """
    touch = market.ask if order.side > 0 else market.bid
    if touch is None:
        raise ValueError(f"{order.symbol} has no price to fill at")
    moved = impact * math.sqrt(units / SCALE / market.daily_volume) if market.daily_volume else 0.0
    price = touch * max(0.0, 1.0 + order.side * moved)
    if order.limit_price is None:
        return price
    return min(price, order.limit_price) if order.side > 0 else max(price, order.limit_price)
