"""The same account at every broker: each world is a broker and the means to move what lies behind it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from risk_management.brokers import load_broker
from risk_management.brokers.broker import Broker
from risk_management.config.risk_config import BrokerConfig
from risk_management.model.broker import MarketStatus
from risk_management.tests.brokers import alpaca_server, kraken_server
from risk_management.tests.brokers.alpaca_server import AlpacaServer
from risk_management.tests.brokers.exchange import Exchange
from risk_management.tests.brokers.kraken_server import KrakenServer
from risk_management.tests.brokers.local_server import LocalServer


class World:
    """What the contract tests need of a broker."""

    symbol = "SPY"
    symbol_there = "SPY"
    price = 100.0

    def __init__(self, exchange: Exchange, broker: Broker) -> None:
        self.exchange, self.broker = exchange, broker

    def orders_sent(self) -> int:
        """Orders that exist at the broker."""
        account = self.exchange.engine._account
        return int(account._one("SELECT COUNT(*) FROM orders"))

    @contextmanager
    def lost_answer(self) -> Iterator[None]:
        """Orders are taken inside, and the answers are lost."""
        options = self.exchange.engine._options
        options.lost_answer_rate = 1.0
        yield
        options.lost_answer_rate = 0.0

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Nothing is answered inside."""
        self.exchange.engine.set_outage(True)
        yield
        self.exchange.engine.set_outage(False)

    def shut(self, status: MarketStatus) -> None:
        """Close the market."""
        self.exchange.engine.set_market(status=status)

    def close(self) -> None:
        self.broker.close()


def paper(**options: object) -> World:
    exchange = Exchange({"SPY": 100.0}, **options)
    return World(exchange, exchange.engine)


class Served(World):
    """A broker that is reached over HTTP."""

    lost = ""

    def __init__(self, exchange: Exchange, broker: Broker, server: LocalServer) -> None:
        super().__init__(exchange, broker)
        self.server = server

    @contextmanager
    def lost_answer(self) -> Iterator[None]:
        self.server.lose = {self.lost}
        yield
        self.server.lose = set()

    @contextmanager
    def outage(self) -> Iterator[None]:
        self.server.down = 503
        yield
        self.server.down = None

    def close(self) -> None:
        super().close()
        self.server.close()


class Alpaca(Served):
    lost = "/v2/orders"


def alpaca(**options: object) -> Alpaca:
    exchange = Exchange({"SPY": 100.0, "BTC/USD": 20_000.0, "BRK.B": 300.0}, **{"commission": 0.0, **options})
    server = AlpacaServer(exchange)
    urls = {"url": server.url, "data_url": server.url}
    settings = BrokerConfig(name="alpaca", timeout=5.0, options=urls)
    with patch.dict(
        os.environ, {"ALPACA_API_KEY": alpaca_server.KEY, "ALPACA_SECRET_KEY": alpaca_server.SECRET}
    ):
        broker = load_broker(settings, exchange.around())
    return Alpaca(exchange, broker, server)


class Kraken(Served):
    symbol, symbol_there = "SOL", "SOL/USD"
    lost = "/0/private/AddOrder"


def kraken(**options: object) -> Kraken:
    exchange = Exchange({"SOL/USD": 100.0, "BTC/USD": 20_000.0}, **options)
    server = KrakenServer(exchange)
    urls = {"exchange": "kraken", "url": server.url}
    settings = BrokerConfig(name="ccxt", timeout=5.0, options=urls)
    keys = {"EXCHANGE_API_KEY": kraken_server.KEY, "EXCHANGE_SECRET": kraken_server.SECRET}
    with patch.dict(os.environ, keys):
        broker = load_broker(settings, exchange.around())
    return Kraken(exchange, broker, server)


WORLDS = {"paper": paper, "alpaca": alpaca, "ccxt": kraken}
