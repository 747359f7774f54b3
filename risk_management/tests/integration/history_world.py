"""A paper account that lives through real days: the sample's closes, each day judged by its past alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from risk_management.brokers.broker import Surroundings
from risk_management.brokers.paper import PaperBroker
from risk_management.brokers.paper_options import PaperOptions
from risk_management.clock import ManualClock
from risk_management.core.foundation import Foundation
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.demo.market import STOCKS, Market
from risk_management.integration.liquidation_run import LiquidationRunner
from risk_management.market_data._series import close_moment
from risk_management.model.broker import OrderIntent

CAPITAL = 100_000.0


class History:
    """The book, its broker, and one close after the other."""

    def __init__(self, market: Market, foundation: Foundation, start: str, **changes) -> None:
        self.market, self._preparation = market, foundation.preparation
        self.row = int(np.searchsorted(market.dates, np.datetime64(start)))
        self._model = self._model_of(self.row)
        self.clock = ManualClock(close_moment(market.dates[self.row]))
        config = foundation.config.update(environment="paper", **changes)
        self.manager = AdvancedRiskManager.on(
            replace(foundation, config=config, model=self._model, clock=self.clock)
        )
        around = Surroundings(self.clock, self._price, lambda s: self.manager.state.instruments.get(s))
        self.broker = PaperBroker(around, PaperOptions(cash=CAPITAL))
        self.runner = LiquidationRunner(self.manager, self.broker)
        self.said: list[str] = []
        self.quotes()

    @property
    def state(self):
        return self.manager.state

    def buy(self, **money: float) -> None:
        """Positions at the present close, in the book and at the broker."""
        for symbol, size in money.items():
            price = self.state.quotes[symbol].price
            self.manager.add_position(symbol, size, price, bot_name="a")
            units = self.state.positions[list(self.state.positions)[-1]].quantity
            side = 1 if size > 0 else -1
            self.broker.submit(OrderIntent(f"seed{symbol}", symbol, side, abs(units), reduce_only=False))
        assert dict(self.broker.positions()) == {
            key.symbol: position.quantity for key, position in self.state.positions.items()
        }

    def day(self, change: dict[str, float] | None = None) -> tuple[str, ...]:
        """The next close, an assessment, and what the broker makes of it."""
        self.row += 1
        self.clock.move_to(close_moment(self.market.dates[self.row]))
        self.quotes(change)
        self._model = self._model_of(self.row, self._model)
        self.manager.use_model(self._model)
        said = self.manager.assess_overall_risk(confirmed=True).emergencies
        for _ in range(3):
            self.runner.round()
            self.clock.advance(5.0)
        self.said += said
        return said

    def quotes(self, change: dict[str, float] | None = None) -> None:
        closes = dict(zip(STOCKS, self.market.closes[self.row].tolist(), strict=True))
        self.manager.update_prices({**closes, **(change or {})}, source="sample", daily=True)

    def _price(self, symbol):
        quote = self.state.quotes.get(symbol)
        return None if quote is None else (quote.price, quote.time)

    def _model_of(self, row, like=None):
        matrix = self._preparation.matrix
        known = int(np.searchsorted(matrix.dates, self.market.dates[row], side="right"))
        return self._preparation.model(known, like=like)


def equal_weights(gross: float, names: tuple[str, ...] = STOCKS) -> dict[str, float]:
    return dict.fromkeys(names, gross * CAPITAL / len(names))
