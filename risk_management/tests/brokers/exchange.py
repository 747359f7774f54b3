"""An account and its market that a test can move."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from risk_management.brokers.broker import Surroundings
from risk_management.brokers.paper import PaperBroker
from risk_management.brokers.paper_options import PaperOptions
from risk_management.clock import ManualClock
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
