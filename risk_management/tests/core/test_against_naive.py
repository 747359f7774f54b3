"""Random orders against the oracle that recomputes everything: sums are exact, no limit is exceeded."""

from __future__ import annotations

import random

import numpy as np
import pytest

from risk_management.core.fill_report import FillReport
from risk_management.core.order_desk import OrderTicket
from risk_management.errors import InvalidRequest
from risk_management.model.events import QuotesReceived
from risk_management.model.portfolio import Quote
from risk_management.tests.conftest import Desk
from risk_management.tests.core import naive

SYMBOLS = ("SPY", "QQQ", "AAPL", "JPM", "XOM", "KO", "AMD", "UNHEARD")
BOTS = ("trend", "reversion", "breakout", None)
PRICES = {
    "SPY": 380.0,
    "QQQ": 266.0,
    "AAPL": 126.0,
    "JPM": 132.0,
    "XOM": 108.0,
    "KO": 63.0,
    "AMD": 62.0,
    "UNHEARD": 10.0,
}


class Driver:
    """Does one random thing after another to a desk."""

    def __init__(self, desk: Desk, seed: int) -> None:
        self.desk, self.random = desk, random.Random(seed)
        self.prices = dict(PRICES)
        self.approved: list = []
        self.most_open = 6
        self.quote(PRICES)

    def quote(self, prices):
        now = self.desk.clock.now()
        quotes = tuple((s, Quote(p, now, "test")) for s, p in prices.items())
        self.desk.book.apply(QuotesReceived(at=now, actor="test", quotes=quotes))

    def ask(self):
        rnd = self.random
        ticket = OrderTicket(
            rnd.choice(SYMBOLS),
            rnd.choice(("buy", "buy", "sell")),
            round(rnd.lognormvariate(6.5, 1.2), 2),
            rnd.choice(("a", "b")),
            rnd.choice(BOTS),
            rnd.choice((1.0, 0.8, 0.55)),
            risk_amount=rnd.choice((None, 20.0)),
        )
        if len(self.desk.state.reservations) >= self.most_open:
            return self.fill()
        before = naive.worst(self.desk.state)
        decision = self.desk.desk.request(ticket)
        if decision.approved:
            self.approved.append(decision)
        return before, decision

    def fill(self):
        open_ids = list(self.desk.state.reservations)
        if not open_ids:
            return
        request_id = self.random.choice(open_ids)
        reservation = self.desk.state.reservations[request_id]
        left = (reservation.opening + reservation.closing) / naive.SCALE
        size = left * self.random.choice((1.0, 1.0, 0.4))
        price = self.prices[reservation.key.symbol] * self.random.uniform(0.998, 1.002)
        self.desk.desk.execute(FillReport(request_id, size, price))
        return

    def cancel(self):
        open_ids = list(self.desk.state.reservations)
        if open_ids:
            self.desk.desk.cancel(self.random.choice(open_ids))

    def quote_step(self):
        symbol = self.random.choice(SYMBOLS)
        self.prices[symbol] *= 1.0 + self.random.gauss(0.0, 0.02)
        self.quote({symbol: self.prices[symbol]})

    def wait(self):
        self.desk.clock.advance(self.random.uniform(1.0, 40.0))
        self.quote(self.prices)
        self.desk.desk.expire()


def run(driver: Driver, steps: int):
    for _ in range(steps):
        what = driver.random.choices(("ask", "fill", "cancel", "quote_step", "wait"), (6, 4, 1, 2, 1))[0]
        yield what, getattr(driver, what)()


def _assert_sums(state):
    """Every carried sum equals the one from scratch, reservations at their worst by closed form."""
    totals, now = state.totals, naive.book(state)
    assert totals.equity == pytest.approx(
        (
            sum(a.cash for a in state.accounts.values())
            + sum(naive.exposure(state, p) for p in state.positions.values())
        )
        / naive.SCALE,
        abs=1e-9,
    )
    legs = naive.legs(state)
    buys = sum(m for _, _, m, _ in legs if m > 0)
    sells = -sum(m for _, _, m, _ in legs if m < 0)
    net = sum(naive.exposure(state, p) for p in state.positions.values())
    assert (totals.portfolio.net, totals.portfolio.buys, totals.portfolio.sells) == (net, buys, sells)
    owners = {}
    for p in state.positions.values():
        owners.setdefault((p.key.account_id, p.key.strategy, p.key.bot, p.symbol), [0, 0, 0])[0] += (
            naive.exposure(state, p)
        )
    for symbol, key, money, _ in legs:
        owners.setdefault((key.account_id, key.strategy, key.bot, symbol), [0, 0, 0])[
            1 if money > 0 else 2
        ] += abs(money)
    gross = sum(max(abs(n + b), abs(n - s)) for n, b, s in owners.values())
    assert totals.gross == gross
    assert sum(totals.bots.values()) == gross
    assert sum(totals.strategies.values()) == gross
    exposures = np.zeros(len(state.model.matrix.symbols))
    for p in state.positions.values():
        exposures[naive.column_of(state, p.symbol)] += naive.exposure(state, p) / naive.SCALE
    np.testing.assert_allclose(totals.pnl, state.model.scenarios @ exposures, atol=1e-7)
    np.testing.assert_allclose(totals.stress, state.model.shocks @ exposures, atol=1e-7)
    if not legs:
        assert totals.open_risk == pytest.approx(now["open_risk"], abs=1e-6)
    if not state.positions and not legs:
        assert totals.gross == totals.open_risk_squared == totals.cash_claim == totals.value == 0
        assert not totals.names
        assert not totals.pnl.any()


def assert_approval_holds(desk: Desk, before, decision):
    """An approval raises the worst case of no limit beyond that limit."""
    if decision.opening_size == 0.0:
        return
    state, config = desk.state, desk.book.config
    after, equity = naive.worst(state), state.equity
    limits, tolerance = config.portfolio_limits, 2e-5
    kind = state.instruments[decision.symbol].asset_class
    single = limits.max_index_fund_position if kind == "index_fund" else limits.max_single_position
    caps = {
        ("gross", None): limits.max_gross_exposure,
        ("net", None): limits.max_net_exposure,
        ("name", decision.symbol): single,
        ("sector", state.instruments[decision.symbol].sector): limits.max_sector_exposure,
        ("strategy", decision.strategy): limits.max_strategy_exposure,
        ("var", None): config.var_config.daily_var_limit,
        ("es", None): config.var_config.daily_es_limit,
        ("stress", None): config.stress_config.max_stress_loss,
        ("open_risk", None): config.heat_config.max_open_risk,
    }
    for (measure, subject), cap in caps.items():
        was = before[measure] if subject is None else before[measure].get(subject, 0.0)
        now = after[measure] if subject is None else after[measure].get(subject, 0.0)
        assert now <= max(cap * equity, was) + tolerance, (measure, subject, was, now, cap * equity, decision)


@pytest.mark.parametrize("seed", range(8))
def test_random_orders_hold_every_limit_and_every_sum(make_desk, seed):
    desk = make_desk(
        order_config={
            "max_orders_per_minute": 100_000,
            "max_orders_per_minute_total": 100_000,
            "duplicate_window": 0.0,
        }
    )
    driver = Driver(desk, seed)
    approvals = cuts = 0
    for _, result in run(driver, 150):
        _assert_sums(desk.state)
        if result is not None:
            before, decision = result
            approvals += decision.outcome == "approved"
            cuts += decision.outcome == "cut"
            assert decision.recommended_size <= decision.requested_size + 1e-9
            assert_approval_holds(desk, before, decision)
    assert approvals > 5
    assert cuts > 0
    for request_id in list(desk.state.reservations):
        desk.desk.cancel(request_id)
    _assert_sums(desk.state)
    assert desk.state.totals.cash_claim == 0
    assert not desk.state.totals.reserved_pnl.any() or abs(desk.state.totals.reserved_pnl).max() < 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_closing_is_never_refused(make_desk, seed):
    """Whatever the book, the limits and the mode up to REDUCING, a bot may close what is its own."""
    desk = make_desk(order_config={"max_orders_per_minute": 100_000, "max_orders_per_minute_total": 100_000})
    driver = Driver(desk, 100 + seed)
    for _ in run(driver, 80):
        pass
    for request_id in list(desk.state.reservations):
        desk.desk.cancel(request_id)
    hostile = desk.book.config.update(
        portfolio_limits={
            "max_gross_exposure": 0.0001,
            "max_net_exposure": 0.0001,
            "max_single_position": 0.0001,
            "max_risk_per_trade": 0.0,
        },
        var_config={"daily_var_limit": 0.0, "daily_es_limit": 0.0},
        order_config={"max_orders_per_minute": 1, "min_trade_size": 1e6, "max_order_size": 0.0},
        bot_config={"max_exposure": 0.0},
    )
    desk.book.reconfigure(hostile, desk.clock.now(), "test")
    desk.clock.advance(86_400.0 * 30)  # every price is stale
    assert desk.state.positions
    for position in list(desk.state.positions.values()):
        value = abs(naive.exposure(desk.state, position)) / naive.SCALE
        action = "sell" if position.quantity > 0 else "buy"
        bot = None if position.key.bot == "operator" else position.key.bot
        ticket = OrderTicket(position.symbol, action, value, position.key.strategy, bot, confidence=0.0)
        try:
            decision = desk.desk.request(ticket)
        except InvalidRequest as problem:
            pytest.fail(str(problem))
        assert decision.approved, decision.explain()
        assert decision.opening_size == 0.0
        assert decision.closing_size == pytest.approx(value, abs=0.011)
        price = driver.prices[position.symbol]
        desk.desk.execute(FillReport(decision.request_id, decision.recommended_size, price))
    assert not desk.state.positions
    assert desk.state.totals.value == 0
