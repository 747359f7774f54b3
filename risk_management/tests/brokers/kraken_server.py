"""Kraken's REST API on loopback, over a paper account; formats as in docs.kraken.com and ccxt's examples."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from risk_management.brokers._amounts import as_text
from risk_management.errors import OrderRejected
from risk_management.model.broker import MarketStatus, OrderIntent, OrderKind, OrderStatus, TimeInForce
from risk_management.model.money import to_ledger
from risk_management.tests.brokers.exchange import Exchange
from risk_management.tests.brokers.local_server import Answer, LocalServer

KEY, SECRET = "kraken-test-key", base64.b64encode(b"the secret of the test account").decode()
WORDS = {
    OrderStatus.ACCEPTED: "open",
    OrderStatus.PARTIAL: "open",
    OrderStatus.FILLED: "closed",
    OrderStatus.CANCELLED: "canceled",
}
KINDS = {"market": OrderKind.MARKET, "limit": OrderKind.LIMIT, "stop-loss": OrderKind.STOP}
PAGE = 50


class KrakenServer(LocalServer):
    """Pairs of coins and dollars: ``SOL/USD`` of the account is ``SOLUSD`` here, Bitcoin is XBT."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange, self.engine = exchange, exchange.engine
        self.error: str | None = None
        """What every order is refused with."""
        super().__init__()

    def parse(self, text):
        return text

    def respond(self, method, path, asked, body, headers):
        *_, access, name = path.split("/")
        if access == "private":
            self.check_signature(path, body, headers)
            asked = dict(parse_qsl(body))
        try:
            return {"error": [], "result": getattr(self, name)(asked)}
        except Refused as problem:
            return {"error": [str(problem)]}
        except AttributeError:
            raise Answer(404, {"error": ["EGeneral:Unknown method"]}) from None

    def check_signature(self, path, body, headers):
        nonce = dict(parse_qsl(body))["nonce"]
        digest = hashlib.sha256((nonce + body).encode()).digest()
        wanted = hmac.new(base64.b64decode(SECRET), path.encode() + digest, hashlib.sha512).digest()
        if headers["API-Key"] != KEY or headers["API-Sign"] != base64.b64encode(wanted).decode():
            raise Answer(200, {"error": ["EAPI:Invalid key"]})

    # -- public -------------------------------------------------------------------------------------

    @staticmethod
    def coin(symbol):
        return {"BTC": "XXBT"}.get(symbol.partition("/")[0], symbol.partition("/")[0])

    def pair(self, symbol):
        coin = self.coin(symbol)
        return "XXBTZUSD" if coin == "XXBT" else f"{coin}USD"

    def symbol_of(self, pair):
        return next(s for s in self.exchange.prices if pair in (self.pair(s), self.alt(s)))

    def alt(self, symbol):
        return self.pair(symbol).replace("XXBTZUSD", "XBTUSD")

    def Assets(self, _):  # noqa: N802 - Kraken's names
        coins = {self.coin(s): self.coin(s).removeprefix("X") for s in self.exchange.prices} | {"ZUSD": "USD"}
        row = {"aclass": "currency", "decimals": 10, "display_decimals": 5, "status": "enabled"}
        return {coin: {**row, "altname": alt} for coin, alt in coins.items()}

    def AssetPairs(self, _):  # noqa: N802
        return {
            self.pair(symbol): {
                "altname": self.alt(symbol),
                "wsname": f"{self.coin(symbol).removeprefix('X')}/USD",
                "aclass_base": "currency",
                "base": self.coin(symbol),
                "aclass_quote": "currency",
                "quote": "ZUSD",
                "lot": "unit",
                "cost_decimals": 5,
                "pair_decimals": 2,
                "lot_decimals": 8,
                "lot_multiplier": 1,
                "leverage_buy": [],
                "leverage_sell": [],
                "fees": [[0, 0.4]],
                "fees_maker": [[0, 0.25]],
                "fee_volume_currency": "ZUSD",
                "margin_call": 80,
                "margin_stop": 40,
                "ordermin": "0.02",
                "costmin": "0.5",
                "tick_size": "0.01",
                "status": "online",
            }
            for symbol in self.exchange.prices
        }

    def Ticker(self, asked):  # noqa: N802
        symbol = self.symbol_of(asked["pair"])
        market = self.engine.market(symbol)
        last = str(market.last)
        return {
            self.pair(symbol): {
                "a": [str(market.ask), "1", "1.000"],
                "b": [str(market.bid), "1", "1.000"],
                "c": [last, "0.1"],
                "v": ["500.0", "5000.0"],
                "p": [last, last],
                "t": [10, 100],
                "l": [last, last],
                "h": [last, last],
                "o": last,
            }
        }

    def SystemStatus(self, _):  # noqa: N802
        is_open = self.engine.market(next(iter(self.exchange.prices))).status is MarketStatus.OPEN
        return {"status": "online" if is_open else "maintenance", "timestamp": "2026-03-02T15:00:00Z"}

    # -- private ------------------------------------------------------------------------------------

    def BalanceEx(self, _):  # noqa: N802
        held = {self.coin(symbol): units for symbol, units in self.engine.positions().items()}
        amounts = {"ZUSD": self.engine.cash(), **held}
        return {coin: {"balance": as_text(units), "hold_trade": "0"} for coin, units in amounts.items()}

    @staticmethod
    def txid(order):
        digest = hashlib.sha256(order.broker_order_id.encode()).hexdigest().upper()
        return f"O{digest[:5]}-{digest[5:10]}-{digest[10:16]}"

    def everything(self):
        rows = self.engine._account._all("SELECT client_order_id FROM orders ORDER BY place")
        return {self.txid(o): o for row in rows if (o := self.engine.order(row["client_order_id"]))}

    def order(self, order):
        kinds = {kind: word for word, kind in KINDS.items()}
        side, price = "buy" if order.side > 0 else "sell", order.limit_price or order.stop_price
        said = "market" if price is None else f"{'limit' if order.limit_price else 'stop loss'} {price}"
        stamp = order.submitted_at.timestamp()
        return {
            "refid": None,
            "userref": None,
            "cl_ord_id": order.client_order_id,
            "status": WORDS[order.status],
            "reason": order.reason or None,
            "opentm": stamp,
            "closetm": order.updated_at.timestamp(),
            "starttm": 0,
            "expiretm": 0,
            "descr": {
                "pair": self.alt(order.symbol),
                "type": side,
                "ordertype": kinds[order.kind],
                "price": str(price or 0),
                "price2": "0",
                "leverage": "none",
                "order": f"{side} {as_text(order.quantity)} {self.alt(order.symbol)} @ {said}",
                "close": "",
            },
            "vol": as_text(order.quantity),
            "vol_exec": as_text(order.filled),
            "cost": str((order.average_price or 0.0) * order.filled / 1e8),
            "fee": as_text(order.fee),
            "price": str(order.average_price or 0.0),
            "stopprice": "0.00000",
            "limitprice": "0.00000",
            "misc": "",
            "oflags": "fciq",
            "trades": [],
        }

    def chosen(self, asked, *, is_open):
        wanted = asked.get("cl_ord_id")
        return {
            txid: self.order(order)
            for txid, order in self.everything().items()
            if order.status.is_open is is_open and wanted in (None, order.client_order_id)
        }

    def OpenOrders(self, asked):  # noqa: N802
        return {"open": self.chosen(asked, is_open=True)}

    def ClosedOrders(self, asked):  # noqa: N802
        closed = dict(list(self.chosen(asked, is_open=False).items())[-PAGE:])
        return {"closed": closed, "count": len(closed)}

    def QueryOrders(self, asked):  # noqa: N802
        found = self.everything().get(asked["txid"])
        if found is None:
            raise Refused("EOrder:Unknown order")
        return {asked["txid"]: self.order(found)}

    def AddOrder(self, asked):  # noqa: N802
        if self.error is not None:
            raise Refused(self.error)
        kind = KINDS[asked["ordertype"]]
        words = {"limit_price": float(asked["price"])} if kind is OrderKind.LIMIT else {}
        words |= {"stop_price": float(asked["price"])} if kind is OrderKind.STOP else {}
        intent = OrderIntent(
            asked["cl_ord_id"],
            self.symbol_of(asked["pair"]),
            1 if asked["type"] == "buy" else -1,
            to_ledger(float(asked["volume"])),
            kind,
            reduce_only=kind is OrderKind.STOP,  # an engine's stop; spot at Kraken knows no such word
            time_in_force=TimeInForce(asked.get("timeinforce", "GTC").lower()),
            **words,
        )
        try:
            order = self.engine.submit(intent)
        except OrderRejected as problem:
            is_poor = problem.code == "INSUFFICIENT_FUNDS"
            raise Refused("EOrder:Insufficient funds" if is_poor else "EOrder:Invalid order") from None
        return {"descr": {"order": self.order(order)["descr"]["order"]}, "txid": [self.txid(order)]}

    def CancelOrder(self, asked):  # noqa: N802
        found = self.everything().get(asked["txid"])
        if found is None or not found.status.is_open:
            raise Refused("EOrder:Unknown order")
        self.engine.cancel(found.client_order_id)
        return {"count": 1}

    def CancelAllOrdersAfter(self, asked):  # noqa: N802
        self.engine.arm_cancel_all(float(asked["timeout"]))
        return {"currentTime": "2026-03-02T15:00:00Z", "triggerTime": "2026-03-02T15:01:00Z"}

    def TradesHistory(self, asked):  # noqa: N802
        since = datetime.fromtimestamp(float(asked.get("start", 0)), UTC)
        rows = [
            {
                "ordertxid": self.txid(self.engine.order(fill.client_order_id)),
                "postxid": "TKH2SE-M7IF5-CFI7LT",
                "pair": self.pair(fill.symbol),
                "time": fill.at.timestamp(),
                "type": "buy" if fill.side > 0 else "sell",
                "ordertype": "market",
                "price": str(fill.price),
                "cost": str(fill.price * fill.quantity / 1e8),
                "fee": as_text(fill.fee),
                "vol": as_text(fill.quantity),
                "margin": "0.00000",
                "misc": "",
                "id": f"T{number}",
            }
            for number, fill in enumerate(self.engine.fills(since))
        ]
        rows = list(reversed(rows))[int(asked.get("ofs", 0)) :][:PAGE]
        return {"trades": {row.pop("id"): row for row in rows}, "count": len(rows)}


class Refused(Exception):
    """An error in Kraken's words."""
