"""Alpaca, over its REST API. Keys come from ``ALPACA_API_KEY`` and ``ALPACA_SECRET_KEY``.

Its own library is not used: it sends without a timeout, sleeps and sends again by itself, and shares one
session between threads. The tests hold our words against its models.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from threading import Lock
from typing import Any, Final, Literal, TypeVar

from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError

from risk_management.brokers import _alpaca_words as words
from risk_management.brokers._amounts import as_text, from_decimal, on_tick, to_be_sent
from risk_management.brokers._cancelling import OneByOne
from risk_management.brokers._rest import Refusal, Rest, checked_url
from risk_management.brokers.broker import BrokerSettings, Surroundings
from risk_management.config._base import Settings, readable_errors
from risk_management.errors import BrokerError, BrokerUnavailable, ConfigurationError, OrderRejected
from risk_management.model.broker import (
    BrokerAbilities,
    BrokerFill,
    BrokerOrder,
    Environment,
    MarketState,
    MarketStatus,
    OrderIntent,
)
from risk_management.model.money import SCALE

__all__ = ["AlpacaBroker", "AlpacaOptions"]

TRADING: Final = {"paper": "https://paper-api.alpaca.markets", "live": "https://api.alpaca.markets"}
PAGE: Final = 500
FILL_PAGE: Final = 100
LEAST_MONEY: Final = 1.0
"""Dollars of the smallest order."""
REFUSALS: Final = (
    ("insufficient", "INSUFFICIENT_FUNDS"),
    ("not found", "NOT_TRADED"),
    ("not tradable", "NOT_TRADED"),
    ("not active", "NOT_TRADED"),
    ("must be >=", "ORDER_TOO_SMALL"),
    ("minimal", "ORDER_TOO_SMALL"),
    ("market is closed", "MARKET_NOT_OPEN"),
    ("not allowed", "NOT_PERMITTED"),
    ("not authorized", "NOT_PERMITTED"),
    ("forbidden", "NOT_PERMITTED"),
    ("denied", "NOT_PERMITTED"),
)
"""Part of a message and the code that it means."""
T = TypeVar("T", bound=BaseModel)


class AlpacaOptions(Settings):
    """`broker_config.options` of Alpaca."""

    url: str | None = None
    """Of the trading API; by default that of the environment."""
    data_url: str = "https://data.alpaca.markets"
    feed: Literal["iex", "sip"] = "iex"
    """Of stock prices; ``sip`` needs a subscription, and alone tells a whole day's volume."""


class AlpacaBroker(OneByOne):
    """One account at Alpaca.

    Parameters
    ----------
    settings : BrokerSettings
    around : Surroundings

    Raises
    ------
    ConfigurationError
        The keys are missing, or an option means nothing.
    """

    name = "alpaca"
    abilities = BrokerAbilities(
        reduce_only=False,
        stop_orders=True,
        cancel_timer=False,
        market_status=True,
        halts=False,
        fees_by_fill=False,
    )

    def __init__(self, settings: BrokerSettings, around: Surroundings) -> None:
        try:
            options = AlpacaOptions.model_validate(dict(settings.options))
        except ValidationError as problem:
            lines = readable_errors(problem, prefix="broker_config.options")
            raise ConfigurationError("; ".join(lines)) from None
        key, secret = _secret("ALPACA_API_KEY"), _secret("ALPACA_SECRET_KEY")
        self.environment: Environment = settings.environment
        self._url = checked_url(options.url or TRADING[settings.environment], "broker_config.options.url")
        self._data = checked_url(options.data_url, "broker_config.options.data_url")
        self._feed = options.feed
        headers = {
            "APCA-API-KEY-ID": key.get_secret_value(),
            "APCA-API-SECRET-KEY": secret.get_secret_value(),
        }
        self._rest = Rest("Alpaca", headers, settings.timeout)
        self._symbols = words.Symbols(settings.symbols, around.instrument)
        self._clock = around.clock
        self._client_ids: dict[str, str] = {}
        self._sending = Lock()

    # -- what is held -------------------------------------------------------------------------------

    def positions(self) -> dict[str, int]:
        """Ledger units by our symbol."""
        found: dict[str, int] = {}
        for position in _all(words.Position, self._get("/v2/positions")):
            units = abs(from_decimal(position.qty)) * (-1 if position.side == "short" else 1)
            symbol = self._symbols.here(position.symbol, position.asset_class)
            found[symbol] = found.get(symbol, 0) + units
        return found

    def cash(self) -> int:
        """Cash, ledger units."""
        return from_decimal(_one(words.Account, self._get("/v2/account")).cash)

    def fills(self, since: datetime) -> Sequence[BrokerFill]:
        """Executions at or after a moment, the oldest first, page after page."""
        asked: dict[str, Any] = {
            "after": since.astimezone(UTC).isoformat(),
            "direction": "asc",
            "page_size": FILL_PAGE,
        }
        found: list[BrokerFill] = []
        while True:
            page = _all(words.Activity, self._get("/v2/account/activities/FILL", asked))
            for one in page:
                symbol = self._symbols.here(one.symbol, "crypto" if "/" in one.symbol else "us_equity")
                found.append(words.as_fill(one, symbol, self._client_id(one.order_id)))
            if len(page) < FILL_PAGE:
                return [fill for fill in found if fill.at >= since]
            asked["page_token"] = page[-1].id

    def _client_id(self, order_id: str) -> str:
        """Executions name the broker's id of an order; ours is asked once."""
        if order_id not in self._client_ids:
            order = _one(words.Order, self._get(f"/v2/orders/{order_id}"))
            self._client_ids[order_id] = order.client_order_id
        return self._client_ids[order_id]

    def market(self, symbol: str) -> MarketState:
        """The market of a symbol; a coin's never closes."""
        there, now = self._symbols.there(symbol), self._clock.now()
        try:
            asset = _one(words.Asset, self._get(f"/v2/assets/{there}"))
        except Refusal:
            return MarketState(symbol, MarketStatus.UNKNOWN, now)
        is_coin = asset.asset_class == "crypto"
        is_open = is_coin or _one(words.MarketClock, self._get("/v2/clock")).is_open
        is_traded = asset.tradable and asset.status == "active"
        seen = self._snapshot(there, is_coin=is_coin)
        quote, trade = seen.quote, seen.trade
        is_whole = is_coin or self._feed == "sip"
        lot = SCALE if not (is_coin or asset.fractionable) else 100
        if asset.min_trade_increment:
            lot = max(1, from_decimal(asset.min_trade_increment))
        return MarketState(
            symbol,
            MarketStatus.OPEN if is_open and is_traded else MarketStatus.CLOSED,
            quote.t if quote else trade.t if trade else now,
            bid=quote.bp if quote and quote.bp > 0.0 else None,
            ask=quote.ap if quote and quote.ap > 0.0 else None,
            last=trade.p if trade else None,
            daily_volume=seen.yesterday.v if seen.yesterday and is_whole else None,
            lot=lot,
            min_notional=LEAST_MONEY,
            tick=float(asset.price_increment or (0 if is_coin else Decimal("0.01"))),
        )

    def _snapshot(self, there: str, *, is_coin: bool) -> words.Snapshot:
        try:
            if not is_coin:
                url = f"{self._data}/v2/stocks/{there}/snapshot"
                return _one(words.Snapshot, self._rest.ask("GET", url, params={"feed": self._feed}))
            url = f"{self._data}/v1beta3/crypto/us/snapshots"
            told = self._rest.ask("GET", url, params={"symbols": there})
        except Refusal:
            return words.Snapshot()
        return _one(words.Snapshot, (told or {}).get("snapshots", {}).get(there, {}))

    # -- orders -------------------------------------------------------------------------------------

    def submit(self, intent: OrderIntent) -> BrokerOrder:
        """Send an order once: asked for by its id first, and again after an answer that was lost."""
        with self._sending:
            known = self.order(intent.client_order_id)
            if known is not None:
                return known
            try:
                told = self._rest.ask("POST", f"{self._url}/v2/orders", json=self._wanted(intent))
            except Refusal as refusal:
                return self._refused(intent, refusal)
            except BrokerUnavailable:
                arrived = self.order(intent.client_order_id)
                if arrived is None:
                    raise
                return arrived
            return self._told(_one(words.Order, told), self._held(intent.symbol))

    def _refused(self, intent: OrderIntent, refusal: Refusal) -> BrokerOrder:
        if "client_order_id must be unique" in refusal.text:
            known = self.order(intent.client_order_id)
            if known is not None:
                return known
        said = refusal.text.lower()
        codes = (code for part, code in REFUSALS if part in said)
        code = "NOT_PERMITTED" if refusal.status == 401 else next(codes, "BROKER_REFUSED")
        raise OrderRejected(code, f"Alpaca refused {intent.client_order_id}: {refusal.text}")

    def _wanted(self, intent: OrderIntent) -> dict[str, Any]:
        """The body of an order."""
        quantity = to_be_sent(intent, self._held)
        body: dict[str, Any] = {
            "client_order_id": intent.client_order_id,
            "symbol": self._symbols.there(intent.symbol),
            "side": "buy" if intent.side > 0 else "sell",
            "type": intent.kind.value,
            "qty": as_text(quantity),
            "time_in_force": intent.time_in_force.value,
        }
        if "/" in body["symbol"] and body["time_in_force"] == "day":
            body["time_in_force"] = "gtc"  # coins know no day
        if intent.limit_price is not None:
            body["limit_price"] = str(on_tick(intent.limit_price, _tick(intent.limit_price), intent.side))
        if intent.stop_price is not None:
            body["stop_price"] = str(on_tick(intent.stop_price, _tick(intent.stop_price), 1))
        return body

    def order(self, client_order_id: str) -> BrokerOrder | None:
        """An order by our id."""
        try:
            told = self._get("/v2/orders:by_client_order_id", {"client_order_id": client_order_id})
        except Refusal as refusal:
            if refusal.status == 404:
                return None
            raise BrokerError(f"Alpaca refused to show {client_order_id}: {refusal.text}") from None
        order = _one(words.Order, told)
        symbol = self._symbols.here(order.symbol, order.asset_class)
        return self._told(order, self._held(symbol) if "stop" in order.type else 0)

    def open_orders(self) -> Sequence[BrokerOrder]:
        """Orders that may still fill, page after page."""
        asked: dict[str, Any] = {"status": "open", "limit": PAGE, "direction": "asc"}
        found: dict[str, words.Order] = {}
        while True:
            page = _all(words.Order, self._get("/v2/orders", asked))
            found |= {order.id: order for order in page}
            if len(page) < PAGE or page[-1].submitted_at is None:
                break
            asked["after"] = page[-1].submitted_at.isoformat()
        held = self.positions() if any("stop" in order.type for order in found.values()) else {}
        symbols = {key: self._symbols.here(one.symbol, one.asset_class) for key, one in found.items()}
        return [self._told(order, held.get(symbols[key], 0)) for key, order in found.items()]

    def arm_cancel_all(self, seconds: float) -> bool:  # noqa: ARG002 - Alpaca has no such timer
        """There is none."""
        return False

    def close(self) -> None:
        """Let connections go."""
        self._rest.close()

    # -- inside -------------------------------------------------------------------------------------

    def _drop(self, order: BrokerOrder) -> None:
        try:
            self._rest.ask("DELETE", f"{self._url}/v2/orders/{order.broker_order_id}")
        except Refusal as refusal:
            if refusal.status not in (404, 422):  # else it ended meanwhile
                raise BrokerError(
                    f"Alpaca refused to cancel {order.client_order_id}: {refusal.text}"
                ) from None

    def _held(self, symbol: str) -> int:
        return self.positions().get(symbol, 0)

    def _told(self, order: words.Order, held: int) -> BrokerOrder:
        self._client_ids[order.id] = order.client_order_id
        return words.as_order(order, self._symbols.here(order.symbol, order.asset_class), held)

    def _get(self, path: str, asked: dict[str, Any] | None = None) -> Any:
        try:
            return self._rest.ask("GET", self._url + path, params=asked)
        except Refusal as refusal:
            if refusal.status in (401, 403):
                raise BrokerError(
                    f"Alpaca does not accept the keys for {path}: {refusal.text}; check ALPACA_API_KEY and "
                    f"ALPACA_SECRET_KEY, which differ between paper and live"
                ) from None
            raise


def _secret(name: str) -> SecretStr:
    value = os.environ.get(name)
    if not value:
        raise ConfigurationError(f"{name} (environment): missing; the broker 'alpaca' needs it")
    return SecretStr(value)


def _one(kind: type[T], told: Any) -> T:
    try:
        return kind.model_validate(told)
    except ValidationError as problem:
        names = ", ".join(".".join(map(str, error["loc"])) or "all" for error in problem.errors())
        raise BrokerUnavailable(f"Alpaca's answer is not understood: {kind.__name__} {names}") from None


def _all(kind: type[T], told: Any) -> list[T]:
    try:
        rows = TypeAdapter(list[Any]).validate_python(told)
    except ValidationError:
        raise BrokerUnavailable(f"Alpaca's answer is no list of {kind.__name__}") from None
    return [_one(kind, row) for row in rows]


def _tick(price: float) -> Decimal:
    """Stocks at a dollar and above trade in cents, cheaper ones in hundredths of them."""
    return Decimal("0.01") if price >= 1.0 else Decimal("0.0001")
