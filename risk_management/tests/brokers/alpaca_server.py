"""Alpaca's trading and data API on loopback, over a paper account; formats as in docs.alpaca.markets.

`test_alpaca` holds them against the models of Alpaca's own library.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from risk_management.brokers._amounts import as_text
from risk_management.errors import OrderRejected
from risk_management.model.broker import (
    BrokerOrder,
    MarketStatus,
    OrderIntent,
    OrderKind,
    OrderStatus,
    TimeInForce,
)
from risk_management.model.money import to_ledger
from risk_management.tests.brokers.exchange import Exchange
from risk_management.tests.brokers.local_server import Answer, LocalServer

WORDS = {
    OrderStatus.ACCEPTED: "new",
    OrderStatus.PARTIAL: "partially_filled",
    OrderStatus.CANCELLED: "canceled",
}
KEY, SECRET = "PKTEST0123456789", "s3cr3t-of-the-test-account"


class AlpacaServer(LocalServer):
    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.engine = exchange.engine
        super().__init__()

    def respond(self, method, path, asked, body, headers):
        if (headers.get("APCA-API-KEY-ID"), headers.get("APCA-API-SECRET-KEY")) != (KEY, SECRET):
            raise Answer(401, {"code": 40110000, "message": "request is not authorized"})
        match method, path.split("/")[1:]:
            case "GET", ["v2", "account"]:
                return self.account()
            case "GET", ["v2", "positions"]:
                return [self.position(s, u) for s, u in self.engine.positions().items()]
            case "GET", ["v2", "clock"]:
                return self.clock()
            case "GET", ["v2", "assets", *name]:
                return self.asset("/".join(name))
            case "GET", ["v2", "stocks", name, "snapshot"]:
                return {"symbol": name, **self.snapshot(name)}
            case "GET", ["v1beta3", "crypto", "us", "snapshots"]:
                return {"snapshots": {asked["symbols"]: self.snapshot(asked["symbols"])}}
            case "GET", ["v2", "account", "activities", "FILL"]:
                return self.activities(asked)
            case "GET", ["v2", "orders"]:
                return self.open_orders(asked)
            case "GET", ["v2", "orders:by_client_order_id"]:
                return self.order(self.known(asked["client_order_id"]))
            case "POST", ["v2", "orders"]:
                return self.submit(body)
            case "GET", ["v2", "orders", name]:
                return self.order(self.by_id(name))
            case "DELETE", ["v2", "orders", name]:
                return self.cancel(name)
        raise Answer(404, {"code": 40410000, "message": "endpoint not found"})

    # -- account ------------------------------------------------------------------------------------

    def account(self):
        cash = as_text(self.engine.cash())
        return {
            "id": "904837e3-3b76-47ec-b432-046db621571b",
            "account_number": "010203ABCD",
            "status": "ACTIVE",
            "currency": "USD",
            "cash": cash,
            "portfolio_value": cash,
            "buying_power": cash,
            "pattern_day_trader": False,
            "trading_blocked": False,
            "transfers_blocked": False,
            "account_blocked": False,
            "created_at": "2019-06-12T22:47:07.99658Z",
            "shorting_enabled": True,
            "multiplier": "2",
        }

    def position(self, symbol, units):
        price = self.exchange.prices[symbol]
        return {
            "asset_id": str(uuid.uuid5(uuid.NAMESPACE_DNS, symbol)),
            "symbol": symbol.replace("/", ""),
            "exchange": "CRYPTO" if "/" in symbol else "ARCA",
            "asset_class": "crypto" if "/" in symbol else "us_equity",
            "avg_entry_price": str(price),
            "qty": as_text(units),
            "side": "long" if units > 0 else "short",
            "market_value": str(price * units / 1e8),
            "cost_basis": str(price * units / 1e8),
            "current_price": str(price),
        }

    def clock(self):
        market = self.engine.market(next(iter(self.exchange.prices)))
        now = self.exchange.clock.now().isoformat()
        return {
            "timestamp": now,
            "is_open": market.status is MarketStatus.OPEN,
            "next_open": now,
            "next_close": now,
        }

    def asset(self, name):
        if name not in self.exchange.prices:
            raise Answer(404, {"code": 40410000, "message": f"asset not found for {name}"})
        coin = "/" in name
        return {
            "id": str(uuid.uuid5(uuid.NAMESPACE_DNS, name)),
            "class": "crypto" if coin else "us_equity",
            "exchange": "CRYPTO" if coin else "ARCA",
            "symbol": name,
            "name": name,
            "status": "active",
            "tradable": True,
            "marginable": not coin,
            "shortable": not coin,
            "easy_to_borrow": not coin,
            "fractionable": True,
            **(
                {"min_order_size": "0.0001", "min_trade_increment": "0.0001", "price_increment": "1"}
                if coin
                else {}
            ),
        }

    def snapshot(self, name):
        market, now = self.engine.market(name), self.exchange.clock.now().isoformat()
        bar = {"t": now, "o": 1.0, "h": 1.0, "l": 1.0, "c": 1.0, "v": 1_234_567, "n": 1, "vw": 1.0}
        return {
            "latestTrade": {"t": now, "p": market.last, "s": 10, "x": "V", "c": ["@"], "i": 1, "z": "B"},
            "latestQuote": {
                "t": now,
                "bp": market.bid,
                "ap": market.ask,
                "bs": 1,
                "as": 1,
                "bx": "V",
                "ax": "V",
            },
            "minuteBar": bar,
            "dailyBar": bar,
            "prevDailyBar": bar,
        }

    def activities(self, asked):
        since = datetime.fromisoformat(asked["after"])
        rows = [self.activity(fill) for fill in self.engine.fills(since)]
        ids = [row["id"] for row in rows]
        start = ids.index(asked["page_token"]) + 1 if "page_token" in asked else 0
        return rows[start : start + int(asked["page_size"])]

    def activity(self, fill):
        order = self.engine.order(fill.client_order_id)
        return {
            "activity_type": "FILL",
            "id": f"{fill.at:%Y%m%d%H%M%S%f}::{uuid.uuid5(uuid.NAMESPACE_DNS, fill.execution_id)}",
            "cum_qty": as_text(order.filled),
            "leaves_qty": as_text(order.left),
            "price": str(fill.price),
            "qty": as_text(fill.quantity),
            "side": "buy" if fill.side > 0 else "sell",
            "symbol": fill.symbol,
            "transaction_time": fill.at.isoformat(),
            "order_id": self.id_of(order),
            "type": "fill",
            "order_status": WORDS.get(order.status, order.status.value),
        }

    # -- orders -------------------------------------------------------------------------------------

    @staticmethod
    def id_of(order: BrokerOrder) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, order.broker_order_id))

    def everything(self) -> list[BrokerOrder]:
        rows = self.engine._account._all("SELECT client_order_id FROM orders ORDER BY place")
        return [self.engine.order(row["client_order_id"]) for row in rows]

    def known(self, client_order_id):
        found = self.engine.order(client_order_id)
        if found is None:
            raise Answer(404, {"code": 40410000, "message": f"order not found for {client_order_id}"})
        return found

    def by_id(self, name):
        found = [order for order in self.everything() if self.id_of(order) == name]
        if not found:
            raise Answer(404, {"code": 40410000, "message": f"order not found for {name}"})
        return found[0]

    def open_orders(self, asked):
        rows = [self.order(order) for order in self.engine.open_orders()]
        if "after" in asked:
            rows = [row for row in rows if row["submitted_at"] > asked["after"]]
        return rows[: int(asked["limit"])]

    def order(self, order: BrokerOrder) -> dict[str, Any]:
        moment = order.submitted_at.isoformat()
        ended = order.updated_at.isoformat()
        return {
            "id": self.id_of(order),
            "client_order_id": order.client_order_id,
            "created_at": moment,
            "updated_at": ended,
            "submitted_at": moment,
            "filled_at": ended if order.status is OrderStatus.FILLED else None,
            "expired_at": None,
            "canceled_at": ended if order.status is OrderStatus.CANCELLED else None,
            "failed_at": None,
            "replaced_at": None,
            "replaced_by": None,
            "replaces": None,
            "asset_id": str(uuid.uuid5(uuid.NAMESPACE_DNS, order.symbol)),
            "symbol": order.symbol,
            "asset_class": "crypto" if "/" in order.symbol else "us_equity",
            "notional": None,
            "qty": as_text(order.quantity),
            "filled_qty": as_text(order.filled),
            "filled_avg_price": None if order.average_price is None else repr(order.average_price),
            "order_class": "simple",
            "order_type": order.kind.value,
            "type": order.kind.value,
            "side": "buy" if order.side > 0 else "sell",
            "time_in_force": "gtc",
            "limit_price": None if order.limit_price is None else str(order.limit_price),
            "stop_price": None if order.stop_price is None else str(order.stop_price),
            "status": WORDS.get(order.status, order.status.value),
            "extended_hours": False,
            "legs": None,
            "trail_percent": None,
            "trail_price": None,
            "hwm": None,
        }

    def submit(self, body):
        if self.engine.order(body["client_order_id"]) is not None:
            raise Answer(422, {"code": 40010001, "message": "client_order_id must be unique"})
        if body["symbol"] not in self.exchange.prices:
            raise Answer(422, {"code": 42210000, "message": f'asset "{body["symbol"]}" not found'})
        prices = {k: float(body[k]) for k in ("limit_price", "stop_price") if k in body}
        intent = OrderIntent(
            body["client_order_id"],
            body["symbol"],
            1 if body["side"] == "buy" else -1,
            to_ledger(float(body["qty"])),
            OrderKind(body["type"]),
            reduce_only=body["type"] == "stop",  # an engine's stop; Alpaca itself knows no such word
            time_in_force=TimeInForce(body["time_in_force"]),
            **prices,
        )
        try:
            return self.order(self.engine.submit(intent))
        except OrderRejected as problem:
            words = {"INSUFFICIENT_FUNDS": "insufficient buying power"}
            message = words.get(problem.code, str(problem))
            raise Answer(403, {"code": 40310000, "buying_power": "0", "message": message}) from None

    def cancel(self, name):
        order = self.by_id(name)
        if not order.status.is_open:
            raise Answer(422, {"code": 42210000, "message": f'order is already in "{order.status}" state'})
        self.engine.cancel(order.client_order_id)
        raise Answer(204, None)
