"""A book and its paper account, and what brokers may do to a liquidation."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from risk_management.brokers.broker import Surroundings
from risk_management.brokers.paper import PaperBroker
from risk_management.brokers.paper_options import PaperOptions
from risk_management.clock import ManualClock
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import BrokerUnavailable, OrderRejected
from risk_management.integration.liquidation_run import LiquidationRunner
from risk_management.model.broker import OrderIntent, OrderKind, OrderStatus
from risk_management.model.money import to_ledger


class Acknowledges(PaperBroker):
    """Takes every order and fills none."""

    def _try(self, order, now):
        pass


class Deaf(Acknowledges):
    """Takes every order, fills none, and cancels none."""

    def cancel(self, client_order_id):
        return self.order(client_order_id)


class Rejects(PaperBroker):
    """Refuses the first orders in a symbol, however often."""

    refused = 0
    refuses = 3
    symbol = "KO"

    def submit(self, intent):
        if intent.symbol == self.symbol and self.refused < self.refuses:
            self.refused += 1
            raise OrderRejected("BROKER_REFUSED", "not today")
        return super().submit(intent)


class Loses(PaperBroker):
    """Fills, and its answer to every other order is lost."""

    def __init__(self, around, options):
        super().__init__(around, options.model_copy(update={"lost_answer_rate": 0.5, "seed": 3}))


class FillsTwice(PaperBroker):
    """Fills a cancelled order all the same, late, once the next one has filled as well."""

    late = None

    def _try(self, order, now):
        if self.late is None:
            self.late = order
        if order.client_order_id == self.late.client_order_id:
            return
        super()._try(order, now)

    def fill_late(self, now):
        market = self._market(self.late.symbol)
        late = self._account.change(self.late, reduce_only=False, status=OrderStatus.ACCEPTED)
        self._fill(late, market, now)


class World:
    """A manager with positions that its broker holds too."""

    def __init__(self, foundation, kind=PaperBroker, *, path=None, store=None, **changes):
        settings = {"order_patience": 10.0, **changes.pop("liquidation_config", {})}
        config = foundation.config.update(
            portfolio_value=100_000.0, liquidation_config=settings, store=store, **changes
        )
        self.clock = ManualClock(foundation.clock.now())
        self.manager = AdvancedRiskManager.on(replace(foundation, config=config, clock=self.clock))
        options = PaperOptions(cash=100_000.0, path=path)
        self.broker = kind(self.around(), options)
        self.runner = LiquidationRunner(self.manager, self.broker)

    def around(self):
        return Surroundings(self.clock, self._price, lambda s: self.manager.state.instruments.get(s))

    def _price(self, symbol):
        quote = self.manager.state.quotes.get(symbol)
        return None if quote is None else (quote.price, quote.time)

    @property
    def state(self):
        return self.manager.state

    @property
    def liquidation(self):
        (one,) = self.state.liquidations.values()
        return one

    def hold(self, bot="a", **units):
        """Positions at 100, in the book and at the broker."""
        for symbol, quantity in units.items():
            self.manager.update_prices({symbol: 100.0})
            self.manager.add_position(symbol, 100.0 * quantity, 100.0, bot_name=bot)
            side = 1 if quantity > 0 else -1
            units = to_ledger(abs(quantity))
            intent = OrderIntent(f"seed{bot}{symbol}", symbol, side, units, reduce_only=False)
            with suppress(BrokerUnavailable):
                PaperBroker.submit(self.broker, intent)
            if isinstance(self.broker, Acknowledges | FillsTwice):  # these would not fill it
                order = self.broker._account.find(f"seed{bot}{symbol}")
                self.broker._fill(order, self.broker._market(symbol), self.clock.now())
                self.broker.late = None

    def stop_at_broker(self, symbol, units):
        """A stop that protects a long position."""
        intent = OrderIntent(f"stop{symbol}", symbol, -1, to_ledger(units), OrderKind.STOP, stop_price=50.0)
        return self.broker.submit(intent)

    def rounds(self, count=1, *, seconds=5.0):
        for _ in range(count):
            self.runner.round()
            self.clock.advance(seconds)

    def sent(self, symbol=None):
        """Orders of the risk system at the broker, by what it says of them."""
        return [
            order
            for one in self.state.liquidations.values()
            for sent in one.orders
            if (order := self.broker.order(sent.client_order_id)) is not None
            and symbol in (None, order.symbol)
        ]
