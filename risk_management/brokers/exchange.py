"""A crypto exchange through ccxt. Needs the extra ``exchange``.

Keys come from ``EXCHANGE_API_KEY`` and ``EXCHANGE_SECRET``, and ``EXCHANGE_PASSWORD`` where there is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from risk_management.brokers._amounts import as_text, from_decimal, on_tick, to_be_sent
from risk_management.brokers._cancelling import OneByOne
from risk_management.brokers._ccxt_client import Connection, exchange_options
from risk_management.brokers._ccxt_words import Names, as_fill, as_order, decimal_of, moment_of
from risk_management.brokers.broker import BrokerSettings, Surroundings
from risk_management.errors import BrokerError, OrderRejected
from risk_management.model.broker import (
    BrokerAbilities,
    BrokerFill,
    BrokerOrder,
    Environment,
    MarketState,
    MarketStatus,
    OrderIntent,
    OrderKind,
    TimeInForce,
)

__all__ = ["ExchangeBroker"]

LOOK_BACK: Final = timedelta(days=1)
"""How far back an order that has ended is looked for by its id."""
BY_ID: Final = frozenset({"kraken"})
"""Exchanges whose lists of orders can be asked for one client id; elsewhere the newest page is searched."""
PAGES: Final = 100


class ExchangeBroker(OneByOne):
    """One account at an exchange.

    Parameters
    ----------
    settings : BrokerSettings
    around : Surroundings

    Raises
    ------
    MissingExtra
        ccxt is not installed.
    ConfigurationError
        The keys are missing, an option means nothing, or the exchange has no paper account.
    """

    name = "ccxt"

    def __init__(self, settings: BrokerSettings, around: Surroundings) -> None:
        options = exchange_options(settings.options)
        self.environment: Environment = settings.environment
        self._exchange, self._is_swap = options.exchange, options.kind == "swap"
        self._cash = options.cash or around.currency
        self._no_positions = {self._cash, *options.ignore}
        self._named, self._instrument, self._clock = settings.symbols, around.instrument, around.clock
        self._line = Connection(options, settings.environment, settings.timeout)
        self._ccxt, self._client, self._lock = self._line.ccxt, self._line.client, self._line.lock
        self._known: dict[str, tuple[str, str]] = {}
        self._client_ids: dict[str, str] = {}
        self._names: Names | None = None
        has = self._client.has
        self.abilities = BrokerAbilities(
            reduce_only=self._is_swap,
            stop_orders=True,
            cancel_timer=bool(has.get("cancelAllOrdersAfter")),
            market_status=bool(has.get("fetchStatus")),
            halts=False,
            fees_by_fill=True,
        )

    # -- what is held -------------------------------------------------------------------------------

    def positions(self) -> dict[str, int]:
        """Ledger units by our symbol: coins of the wallet, or contracts."""
        names, found = self._market_names(), {}
        if self._is_swap:
            for one in self._line.ask("fetch_positions"):
                units = decimal_of(one.get("contracts")) * decimal_of(one.get("contractSize") or 1)
                found[names.here(one["symbol"])] = from_decimal(units) * (-1 if one["side"] == "short" else 1)
        else:
            for coin, amount in self._line.ask("fetch_balance")["total"].items():
                if coin not in self._no_positions:
                    found[names.of_coin(coin)] = from_decimal(decimal_of(amount))
        return {symbol: units for symbol, units in found.items() if units}

    def cash(self) -> int:
        """Cash in its currency, ledger units."""
        return from_decimal(decimal_of(self._line.ask("fetch_balance")["total"].get(self._cash)))

    def fills(self, since: datetime) -> Sequence[BrokerFill]:
        """Executions at or after a moment, the oldest first, page after page."""
        names, start = self._market_names(), int(since.timestamp() * 1000)
        seen: dict[str, Any] = {}
        for _ in range(PAGES):
            more = {"ofs": len(seen)} if self._exchange == "kraken" else {}
            page = self._line.ask("fetch_my_trades", None, start, None, more)
            fresh = {trade["id"]: trade for trade in page if trade["id"] not in seen}
            if not fresh:
                break
            seen |= fresh
            if not more:
                start = max(int(trade["timestamp"]) for trade in page)
        rows = sorted(seen.values(), key=lambda trade: (trade["timestamp"], trade["id"]))
        fills = [
            as_fill(one, names.here(one["symbol"]), self._client_id(one["order"], one["symbol"]), self._cash)
            for one in rows
        ]
        return [fill for fill in fills if fill.at >= since]

    def _client_id(self, order_id: str, market: str) -> str:
        """Executions name the exchange's id of an order; ours is asked once."""
        if order_id not in self._client_ids:
            order = self._line.ask("fetch_order", order_id, market)
            self._client_ids[order_id] = str(order.get("clientOrderId") or order_id)
        return self._client_ids[order_id]

    def market(self, symbol: str) -> MarketState:
        """The market of a symbol; the volume is that of the last 24 hours."""
        there, now = self._market_names().there(symbol), self._clock.now()
        if there is None:
            return MarketState(symbol, MarketStatus.UNKNOWN, now)
        facts, ticker = self._client.markets[there], self._line.ask("fetch_ticker", there)
        status = MarketStatus.OPEN if self.abilities.market_status else MarketStatus.UNKNOWN
        if self.abilities.market_status and self._line.ask("fetch_status")["status"] != "ok":
            status = MarketStatus.CLOSED
        elif facts.get("active") is False:
            status = MarketStatus.HALTED
        least = facts["limits"]
        price = ticker.get("last") or ticker.get("close") or 0.0
        by_amount = float(least["amount"].get("min") or 0.0) * price
        return MarketState(
            symbol,
            status,
            moment_of(ticker.get("timestamp")) or now,
            bid=ticker.get("bid") or None,
            ask=ticker.get("ask") or None,
            last=ticker.get("last") or None,
            daily_volume=ticker.get("baseVolume") or None,
            lot=max(1, from_decimal(self._step(facts, "amount"))),
            min_notional=max(by_amount, float((least.get("cost") or {}).get("min") or 0.0)),
            tick=float(self._step(facts, "price")),
        )

    def _step(self, facts: Any, what: str) -> Decimal:
        """Least step of a quantity or price; exchanges tell it as a step or as a count of digits."""
        told = decimal_of(facts["precision"].get(what))
        is_step = self._client.precisionMode == self._ccxt.TICK_SIZE
        return told if is_step or not told else Decimal(1).scaleb(-int(told))

    # -- orders -------------------------------------------------------------------------------------

    def submit(self, intent: OrderIntent) -> BrokerOrder:
        """Send an order once: looked for by its id first, and again after an answer that was lost."""
        with self._lock:
            there = self._market_names().there(intent.symbol)
            if there is None:
                raise OrderRejected("NOT_TRADED", f"{self._exchange} has no market for {intent.symbol}")
            known = self._find(intent.client_order_id, [there])
            if known is not None:
                return known
            words = self._wanted(intent, there)
            try:
                told = self._client.create_order(*words)
            except self._ccxt.NetworkError as problem:
                arrived = self._find(intent.client_order_id, [there])
                if arrived is None:
                    raise self._line.silence("create_order", problem) from None
                return arrived
            except self._ccxt.BaseError as problem:
                arrived = self._found_after(problem, intent.client_order_id, there)
                if arrived is None:
                    raise self._line.refusal(intent.client_order_id, problem) from None
                return arrived
            self._known[intent.client_order_id] = (str(told["id"]), there)
            self._client_ids[str(told["id"])] = intent.client_order_id
            return self._fetched(intent.client_order_id)

    def _found_after(self, problem: Exception, client_order_id: str, there: str) -> BrokerOrder | None:
        """An error that names no cause, or a doubled id, may have left an order."""
        if type(problem) is self._ccxt.ExchangeError or isinstance(problem, self._ccxt.DuplicateOrderId):
            return self._find(client_order_id, [there])
        return None

    def _wanted(self, intent: OrderIntent, there: str) -> tuple[Any, ...]:
        quantity = to_be_sent(intent, lambda symbol: self.positions().get(symbol, 0))
        params: dict[str, Any] = {"clientOrderId": intent.client_order_id}
        if intent.reduce_only and self._is_swap:
            params["reduceOnly"] = True
        if intent.time_in_force is TimeInForce.IOC and intent.kind is OrderKind.LIMIT:
            params["timeInForce"] = "IOC"
        facts = self._client.markets[there]
        tick = self._step(facts, "price") or Decimal("1e-8")
        price = intent.limit_price
        if intent.stop_price is not None:
            params["stopLossPrice"] = self._stop(intent, there, tick)
        amount = float(as_text(quantity)) / float(facts.get("contractSize") or 1 if self._is_swap else 1)
        return (
            there,
            "limit" if intent.kind is OrderKind.LIMIT else "market",
            "buy" if intent.side > 0 else "sell",
            amount,
            None if price is None else float(on_tick(price, tick, intent.side)),
            params,
        )

    def _stop(self, intent: OrderIntent, there: str, tick: Decimal) -> float:
        """The price of a stop that closes; others would be sent as plain orders by some exchanges."""
        kind = "swap" if self._is_swap else "spot"
        features = self._client.feature_value(there, "createOrder", "stopLossPrice") or False
        if not (intent.reduce_only and features):
            raise OrderRejected("NOT_SUPPORTED", f"{self._exchange} ({kind}) takes no such stop through ccxt")
        return float(on_tick(intent.stop_price or 0.0, tick, 1))

    def order(self, client_order_id: str) -> BrokerOrder | None:
        """An order by our id: one that is known, that works, or that ended within a day."""
        return self._find(client_order_id, self._markets_of_interest())

    def open_orders(self) -> Sequence[BrokerOrder]:
        """Orders that may still fill."""
        found = self._line.ask("fetch_open_orders")
        held = self.positions() if any(_is_stop(order) for order in found) else {}
        return [self._told(order, held) for order in found]

    def arm_cancel_all(self, seconds: float) -> bool:
        """Have the exchange cancel everything unless it hears again."""
        if not self.abilities.cancel_timer:
            return False
        self._line.ask("cancel_all_orders_after", int(seconds * 1000))
        return True

    def close(self) -> None:
        """Let connections go."""
        with self._lock:
            if self._client.session is not None:
                self._client.session.close()

    # -- inside -------------------------------------------------------------------------------------

    def _find(self, client_order_id: str, markets: Iterable[str]) -> BrokerOrder | None:
        with self._lock:
            if client_order_id in self._known:
                return self._fetched(client_order_id)
            words = {"clientOrderId": client_order_id} if self._exchange in BY_ID else {}
            since = int((self._clock.now() - LOOK_BACK).timestamp() * 1000)
            ended = "fetch_orders" if self._client.has.get("fetchOrders") is True else "fetch_closed_orders"
            places = [None] if self._exchange in BY_ID else list(markets)
            for method in ("fetch_open_orders", ended):
                for market in places:
                    for order in self._line.ask(method, market, since, None, words):
                        if order.get("clientOrderId") == client_order_id:
                            self._known[client_order_id] = (str(order["id"]), order["symbol"])
                            return self._told(order, None)
            return None

    def _fetched(self, client_order_id: str) -> BrokerOrder:
        order_id, market = self._known[client_order_id]
        order = {**self._line.ask("fetch_order", order_id, market), "clientOrderId": client_order_id}
        return self._told(order, None)

    def _told(self, order: Any, held: dict[str, int] | None) -> BrokerOrder:
        symbol = self._market_names().here(order["symbol"])
        protects = False
        if _is_stop(order):
            units = (self.positions() if held is None else held).get(symbol, 0)
            left = from_decimal(decimal_of(order.get("amount")) - decimal_of(order.get("filled")))
            protects = 0 < left <= (units if order.get("side") == "sell" else -units)
        return as_order(order, symbol, protects=protects)

    def _markets_of_interest(self) -> list[str]:
        names = self._market_names()
        symbols = {*self._named, *self.positions()}
        found = {names.there(symbol) for symbol in symbols} | {market for _, market in self._known.values()}
        return sorted(market for market in found if market is not None)

    def _drop(self, order: BrokerOrder) -> None:
        there = self._market_names().there(order.symbol)
        with self._lock:
            try:
                self._client.cancel_order(order.broker_order_id, there)
            except (self._ccxt.OrderNotFound, self._ccxt.InvalidOrder):
                return  # it ended meanwhile
            except self._ccxt.NetworkError as problem:
                raise self._line.silence("cancel_order", problem) from None
            except self._ccxt.BaseError as problem:
                raise BrokerError(f"{self._exchange} refused to cancel: {str(problem)[:300]}") from None

    def _market_names(self) -> Names:
        with self._lock:
            if self._names is None:
                markets = self._line.ask("load_markets")
                self._names = Names(
                    self._named, markets, self._cash, is_swap=self._is_swap, instrument=self._instrument
                )
            return self._names


def _is_stop(order: Any) -> bool:
    return bool(order.get("stopLossPrice") or order.get("triggerPrice") or order.get("stopPrice"))
