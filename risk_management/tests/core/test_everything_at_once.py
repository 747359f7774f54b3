"""Everything that may happen to a manager, in random order: the sums hold, and all of it can be closed."""

from __future__ import annotations

import contextlib
import random
from dataclasses import replace

import pytest

from risk_management.clock import ManualClock
from risk_management.core.fill_report import FillReport
from risk_management.core.order_desk import OrderTicket
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import RiskError
from risk_management.model.instrument import Instrument
from risk_management.tests.core.naive import SCALE
from risk_management.tests.core.test_against_naive import PRICES, _assert_sums

SYMBOLS = tuple(PRICES)


class World:
    """A manager, its prices, and one random happening after the other."""

    def __init__(self, foundation, seed: int) -> None:
        self.random, self.prices = random.Random(seed), dict(PRICES)
        self.clock = ManualClock(foundation.clock.now())
        self.manager = AdvancedRiskManager.on(replace(foundation, clock=self.clock))
        self.manager.record_cash("deposit", 5000.0, account_id="second")
        self.manager.update_prices(self.prices)
        self.number = 0

    def step(self) -> None:
        happenings = {
            self.ask: 35,
            self.fill: 25,
            self.cancel: 5,
            self.tick: 15,
            self.cash: 6,
            self.split: 2,
            self.unapproved: 2,
            self.wait: 3,
            self.manager.assess_overall_risk: 3,
            self.stop: 1,
            self.import_one: 2,
            self.reclassify: 1,
        }
        self.number += 1
        (happening,) = self.random.choices(list(happenings), list(happenings.values()))
        with contextlib.suppress(
            RiskError
        ):  # what means nothing is told, and must have changed nothing wrong
            happening()

    def ask(self):
        r = self.random
        ticket = OrderTicket(
            r.choice(SYMBOLS),
            r.choice(["buy", "sell"]),
            r.lognormvariate(6.0, 1.3),
            r.choice(["a", "b", ""]),
            r.choice(["x", "y", None]),
            r.choice([1.0, 0.6]),
            account_id=r.choice([None, "second"]),
            risk_amount=r.choice([None, 10.0]),
        )
        self.manager.request_trade(ticket)

    def fill(self):
        r, state = self.random, self.manager.state
        if not state.reservations:
            return
        request_id = r.choice(list(state.reservations))
        reservation = state.reservations[request_id]
        left = (reservation.opening + reservation.closing) / SCALE
        price = self.prices[reservation.key.symbol]
        report = FillReport(
            request_id,
            left * r.choice([1.0, 1.0, 0.3, 1.2, 0.0]),
            price * r.uniform(0.97, 1.03),
            success=r.random() > 0.1,
            fee=r.choice([0.0, 0.5]),
            quantity=r.choice([None, None, left / price]),
        )
        self.manager.execute_trade(report)

    def cancel(self):
        if self.manager.state.reservations:
            self.manager.desk.cancel(self.random.choice(list(self.manager.state.reservations)))

    def tick(self):
        symbol = self.random.choice(SYMBOLS)
        self.prices[symbol] *= 1.0 + self.random.gauss(0.0, 0.03)
        self.manager.update_prices({symbol: self.prices[symbol]})

    def cash(self):
        kind, amount = self.random.choice(
            [("fee", -20.0), ("dividend", 30.0), ("deposit", 500.0), ("withdrawal", 300.0)]
        )
        self.manager.record_cash(kind, amount)

    def split(self):
        symbol = self.random.choice(SYMBOLS)
        if all(r.key.symbol != symbol for r in self.manager.state.reservations.values()):
            self.manager.record_split(symbol, 2.0)
            self.prices[symbol] /= 2.0

    def unapproved(self):
        symbol, r = self.random.choice(SYMBOLS), self.random
        self.manager.record_fill(
            symbol,
            r.choice(["buy", "sell"]),
            r.uniform(0.1, 3.0),
            self.prices[symbol],
            execution_id=f"e{self.number}",
            bot_name=r.choice([None, "x"]),
        )

    def wait(self):
        self.clock.advance(self.random.choice([5, 70, 400, 90_000]))
        self.manager.update_prices(self.prices)

    def stop(self):
        self.manager.emergency_stop("drill")
        self.manager.release_emergency("tester", "the drill is over")

    def import_one(self):
        symbol, r = self.random.choice(SYMBOLS), self.random
        size = r.choice([-1, 1]) * r.uniform(10.0, 500.0)
        self.manager.add_position(
            symbol, size, self.prices[symbol], r.choice(["a", ""]), bot_name=r.choice(["x", None])
        )

    def reclassify(self):
        symbol = self.random.choice(SYMBOLS)
        known = self.manager.state.instruments.get(symbol, Instrument(symbol))
        self.manager.define_instrument(replace(known, sector=self.random.choice(["A", "B"])))


@pytest.mark.parametrize("seed", range(10))
def test_the_sums_hold_and_everything_can_be_closed(foundation, seed):
    world = World(foundation, seed)
    manager = world.manager
    for _ in range(200):
        world.step()
        _assert_sums(manager.state)
        assert manager.desk.failed_in_a_row == 0
    for request_id in list(manager.state.reservations):
        manager.desk.cancel(request_id)
    while manager.state.positions:
        position = next(iter(manager.state.positions.values()))
        price = world.prices[position.symbol]
        held = sum(abs(p.quantity) for p in manager.state.positions.values())
        side = "sell" if position.quantity > 0 else "buy"
        worth = abs(position.quantity) / SCALE * price
        ticket = OrderTicket(
            position.symbol, side, worth, position.key.strategy, account_id=position.key.account_id
        )
        decision = manager.request_trade(ticket)
        assert decision.approved, decision.explain()
        manager.execute_trade(FillReport(decision.request_id, decision.recommended_size, price))
        assert sum(abs(p.quantity) for p in manager.state.positions.values()) < held
    totals = manager.state.totals
    assert not totals.names
    assert totals.gross == totals.value == totals.open_risk_squared == totals.cash_claim == 0
