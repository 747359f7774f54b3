"""The answers of Alpaca's trading API, and our records made of them.

Fields as in https://docs.alpaca.markets/reference; numbers come as texts, positions of coins without a slash.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final

from pydantic import BaseModel, Field

from risk_management.brokers._amounts import from_decimal
from risk_management.model.broker import BrokerFill, BrokerOrder, OrderKind, OrderStatus
from risk_management.model.instrument import Instrument

__all__ = [
    "Account",
    "Activity",
    "Asset",
    "MarketClock",
    "Order",
    "Position",
    "Snapshot",
    "Symbols",
    "as_fill",
    "as_order",
]

STATUS: Final = {
    "new": OrderStatus.ACCEPTED,
    "accepted": OrderStatus.ACCEPTED,
    "pending_new": OrderStatus.ACCEPTED,
    "accepted_for_bidding": OrderStatus.ACCEPTED,
    "held": OrderStatus.ACCEPTED,
    "pending_cancel": OrderStatus.ACCEPTED,
    "pending_replace": OrderStatus.ACCEPTED,
    "partially_filled": OrderStatus.PARTIAL,
    "filled": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELLED,
    "expired": OrderStatus.CANCELLED,
    "replaced": OrderStatus.CANCELLED,
    "done_for_day": OrderStatus.ACCEPTED,
    "rejected": OrderStatus.REJECTED,
}
"""Words that don't stand here - stopped, suspended, calculated - are UNKNOWN: they may still fill."""
KINDS: Final = {"market": OrderKind.MARKET, "limit": OrderKind.LIMIT, "stop": OrderKind.STOP}


class Account(BaseModel):
    """GET /v2/account."""

    cash: Decimal
    currency: str = "USD"


class Position(BaseModel):
    """One of GET /v2/positions."""

    symbol: str
    qty: Decimal
    side: str
    asset_class: str = "us_equity"


class Order(BaseModel):
    """An order of GET /v2/orders."""

    id: str
    client_order_id: str
    symbol: str
    asset_class: str = "us_equity"
    side: str
    type: str
    status: str
    qty: Decimal | None = None
    filled_qty: Decimal = Decimal(0)
    filled_avg_price: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    submitted_at: datetime | None = None
    updated_at: datetime | None = None


class Activity(BaseModel):
    """One of GET /v2/account/activities/FILL."""

    id: str
    order_id: str
    symbol: str
    side: str
    qty: Decimal
    price: Decimal
    transaction_time: datetime


class MarketClock(BaseModel):
    """GET /v2/clock."""

    timestamp: datetime
    is_open: bool


class Asset(BaseModel):
    """GET /v2/assets/{symbol}."""

    symbol: str
    asset_class: str = Field(alias="class")
    status: str
    tradable: bool
    fractionable: bool = False
    min_trade_increment: Decimal | None = None
    price_increment: Decimal | None = None


class _Trade(BaseModel):
    t: datetime
    p: float


class _Quote(BaseModel):
    t: datetime
    bp: float
    ap: float


class _Bar(BaseModel):
    v: float


class Snapshot(BaseModel):
    """A snapshot of the market data API."""

    trade: _Trade | None = Field(default=None, alias="latestTrade")
    quote: _Quote | None = Field(default=None, alias="latestQuote")
    yesterday: _Bar | None = Field(default=None, alias="prevDailyBar")


class Symbols:
    """Names there and here.

    Parameters
    ----------
    named : Mapping of str to str
        Theirs by ours, where the settings say so.
    instrument : callable
        The facts of one of our symbols.
    """

    def __init__(self, named: Mapping[str, str], instrument: Callable[[str], Instrument | None]) -> None:
        self._named, self._instrument = dict(named), instrument
        self._ours = {self._plain(theirs): ours for ours, theirs in named.items()}

    def there(self, symbol: str) -> str:
        """Their name: a coin's pair against the dollar, a class of shares with a point."""
        theirs = self._named.get(symbol)
        if theirs is None:
            known = self._instrument(symbol)
            if known is not None and known.is_crypto:
                theirs = symbol if "/" in symbol else f"{symbol.removesuffix('-USD')}/USD"
            else:
                theirs = symbol if "/" in symbol else symbol.replace("-", ".")
        self._ours.setdefault(self._plain(theirs), symbol)
        return theirs

    def here(self, theirs: str, asset_class: str) -> str:
        """Our name of theirs; theirs where we know no other."""
        known = self._ours.get(self._plain(theirs))
        if known is not None:
            return known
        if asset_class == "crypto":
            coin = self._plain(theirs).removesuffix("USD")
            candidates = (coin, f"{coin}-USD", f"{coin}/USD")
        else:
            candidates = (theirs, theirs.replace(".", "-"), theirs)
        found = next((name for name in candidates if self._instrument(name) is not None), candidates[-1])
        self._ours[self._plain(theirs)] = found
        return found

    @staticmethod
    def _plain(theirs: str) -> str:
        return theirs.replace("/", "")


def as_order(order: Order, symbol: str, held: int) -> BrokerOrder:
    """Our record of an order; `held` tells a stop that only closes from one that opens."""
    side = 1 if order.side == "buy" else -1
    kind = KINDS.get(order.type, OrderKind.STOP if "stop" in order.type else OrderKind.LIMIT)
    quantity = from_decimal(order.qty or order.filled_qty)
    filled = from_decimal(order.filled_qty)
    status = STATUS.get(order.status, OrderStatus.UNKNOWN)
    if status is OrderStatus.ACCEPTED and filled:
        status = OrderStatus.PARTIAL
    return BrokerOrder(
        order.client_order_id,
        order.id,
        symbol,
        side,
        quantity,
        kind,
        status,
        filled,
        None if order.filled_avg_price is None else float(order.filled_avg_price),
        reason="" if status in (OrderStatus.FILLED, OrderStatus.ACCEPTED) else order.status,
        is_protective=kind is OrderKind.STOP and 0 < quantity - filled <= -side * held,
        limit_price=None if order.limit_price is None else float(order.limit_price),
        stop_price=None if order.stop_price is None else float(order.stop_price),
        submitted_at=order.submitted_at,
        updated_at=order.updated_at,
    )


def as_fill(activity: Activity, symbol: str, client_order_id: str) -> BrokerFill:
    """Our record of an execution; fees come later and apart, as activities of their own."""
    return BrokerFill(
        activity.id,
        client_order_id,
        activity.order_id,
        symbol,
        1 if activity.side == "buy" else -1,
        from_decimal(activity.qty),
        float(activity.price),
        0,
        activity.transaction_time,
    )
