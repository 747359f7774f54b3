"""The same account at every broker: each world is a broker and the means to move what lies behind it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from risk_management.brokers.broker import Broker, Surroundings
from risk_management.brokers.paper import PaperBroker
from risk_management.brokers.paper_options import PaperOptions
from risk_management.clock import ManualClock
from risk_management.model.broker import MarketStatus
from risk_management.model.instrument import Instrument

MONDAY = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
CASH = 10_000.0


class Exchange:
    """An account and its market: the paper broker, which the local servers put behind HTTP."""

    def __init__(self, prices: dict[str, float], *, path: Path | None = None, **options: object) -> None:
        self.clock = ManualClock(MONDAY)
        self.prices = dict(prices)
        self.instruments: dict[str, Instrument] = {}
        settings = PaperOptions.model_validate({"cash": CASH, "path": path, **options})
        self.engine = PaperBroker(self.around(), settings)

    def around(self) -> Surroundings:
        return Surroundings(self.clock, self._price, self._instrument)

    def _price(self, symbol: str) -> tuple[float, datetime] | None:
        return (self.prices[symbol], self.clock.now()) if symbol in self.prices else None

    def _instrument(self, symbol: str) -> Instrument | None:
        return self.instruments.get(symbol)


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


WORLDS = {"paper": paper}
