"""ccxt's unified records as ours, and its names of markets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from risk_management.brokers._amounts import from_decimal
from risk_management.model.broker import BrokerFill, BrokerOrder, OrderKind, OrderStatus
from risk_management.model.instrument import Instrument

__all__ = ["Names", "as_fill", "as_order", "decimal_of", "moment_of"]

STATUS: Final = {
    "open": OrderStatus.ACCEPTED,
    "closed": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELLED,
    "canceling": OrderStatus.ACCEPTED,
    "expired": OrderStatus.CANCELLED,
    "rejected": OrderStatus.REJECTED,
}
"""Other words, and none at all, are UNKNOWN: such an order may still fill."""


class Names:
    """Names there and here.

    Parameters
    ----------
    named : Mapping of str to str
        Theirs by ours, where the settings say so.
    markets : Mapping
        Of ccxt.
    quote : str
        The currency of the cash.
    is_swap : bool
        Perpetual contracts in place of coins.
    instrument : callable
        The facts of one of our symbols.
    """

    def __init__(
        self,
        named: Mapping[str, str],
        markets: Mapping[str, Any],
        quote: str,
        *,
        is_swap: bool,
        instrument: Callable[[str], Instrument | None],
    ) -> None:
        self._named, self._markets = dict(named), markets
        self._end = f"/{quote}:{quote}" if is_swap else f"/{quote}"
        self._instrument = instrument
        self._ours = {theirs: ours for ours, theirs in named.items()}

    def there(self, symbol: str) -> str | None:
        """The market of our symbol; None where there is none."""
        wanted = self._named.get(symbol, symbol)
        for name in (wanted, wanted.removesuffix("-USD") + self._end):
            if name in self._markets:
                self._ours.setdefault(name, symbol)
                return name
        return None

    def here(self, market: str) -> str:
        """Our symbol of a market; the coin where we know no other."""
        known = self._ours.get(market)
        if known is None:
            coin = market.partition("/")[0]
            candidates = (coin, f"{coin}-USD", market)
            found = (name for name in candidates if self._instrument(name) is not None)
            is_ours = market == coin + self._end
            known = self._ours[market] = next(found, coin) if is_ours else market
        return known

    def of_coin(self, coin: str) -> str:
        """Our symbol of a coin that is held."""
        return self.here(coin + self._end)


def as_order(order: Mapping[str, Any], symbol: str, *, protects: bool) -> BrokerOrder:
    """Our record of a unified order."""
    quantity, filled = decimal_of(order.get("amount")), decimal_of(order.get("filled"))
    status = STATUS.get(str(order.get("status")), OrderStatus.UNKNOWN)
    if status is OrderStatus.ACCEPTED and filled:
        status = OrderStatus.PARTIAL
    if status is OrderStatus.FILLED and filled < quantity:
        status = OrderStatus.CANCELLED  # closed, and not in full
    stop = order.get("stopLossPrice") or order.get("triggerPrice") or order.get("stopPrice")
    limit = order.get("price") if order.get("type") == "limit" else None
    kind = OrderKind.STOP if stop else OrderKind.LIMIT if limit else OrderKind.MARKET
    fee = order.get("fee") or {}
    return BrokerOrder(
        str(order.get("clientOrderId") or order["id"]),
        str(order["id"]),
        symbol,
        1 if order.get("side") == "buy" else -1,
        from_decimal(quantity),
        kind,
        status,
        from_decimal(filled),
        float(order["average"]) if order.get("average") and filled else None,
        from_decimal(decimal_of(fee.get("cost"))),
        "" if status in (OrderStatus.ACCEPTED, OrderStatus.FILLED) else str(order.get("status")),
        is_protective=kind is OrderKind.STOP and (protects or bool(order.get("reduceOnly"))),
        limit_price=None if limit is None or stop else float(limit),
        stop_price=None if not stop else float(stop),
        submitted_at=moment_of(order.get("timestamp")),
        updated_at=moment_of(order.get("lastUpdateTimestamp") or order.get("timestamp")),
    )


def as_fill(trade: Mapping[str, Any], symbol: str, client_order_id: str, cash: str) -> BrokerFill:
    """Our record of a trade. A fee in coins is no money: it shows in the position."""
    fee = trade.get("fee") or {}
    in_cash = fee.get("currency") == cash
    return BrokerFill(
        str(trade["id"]),
        client_order_id,
        str(trade.get("order")),
        symbol,
        1 if trade.get("side") == "buy" else -1,
        from_decimal(decimal_of(trade.get("amount"))),
        float(trade["price"]),
        from_decimal(decimal_of(fee.get("cost"))) if in_cash else 0,
        moment_of(trade["timestamp"]) or datetime.fromtimestamp(0, UTC),
    )


def decimal_of(number: object) -> Decimal:
    """A number of ccxt without the noise of a float; 0 for none."""
    return Decimal(str(number)) if number is not None else Decimal(0)


def moment_of(milliseconds: float | None) -> datetime | None:
    """An aware moment."""
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
