"""The paper account: its costs by hand, its sums exact, its file outliving the process."""

from __future__ import annotations

import math
import random
import subprocess
import sys
from dataclasses import replace

import pytest

from risk_management.brokers.paper_options import paper_options
from risk_management.errors import BrokerUnavailable, ConfigurationError, OrderRejected
from risk_management.model.broker import MarketStatus, OrderIntent, OrderKind, OrderStatus, TimeInForce
from risk_management.model.instrument import Instrument
from risk_management.model.money import SCALE, to_ledger
from risk_management.tests.brokers.exchange import CASH, MONDAY, Exchange


def order(name: str, units: float, *, side: int = 1, symbol: str = "SPY", **words: object) -> OrderIntent:
    words.setdefault("reduce_only", False)
    return OrderIntent(name, symbol, side, to_ledger(units), **words)


def test_half_a_spread_and_the_commission():
    exchange = Exchange({"SPY": 400.0}, half_spread=0.001, commission=0.0002)
    done = exchange.engine.submit(order("a", 2.0))
    assert done.average_price == pytest.approx(400.4)
    assert done.fee == to_ledger(0.16016)
    assert exchange.engine.cash() == to_ledger(CASH - 800.8 - 0.16016)
    back = exchange.engine.submit(order("b", 2.0, side=-1, reduce_only=True))
    assert back.average_price == pytest.approx(399.6)


def test_impact_is_the_square_root_of_the_share_of_volume():
    exchange = Exchange({"SPY": 100.0}, half_spread=0.0, impact=0.02, participation=1.0)
    exchange.instruments["SPY"] = Instrument("SPY", average_daily_volume=1000.0)
    assert exchange.engine.submit(order("a", 40.0)).average_price == pytest.approx(
        100.0 * (1.0 + 0.02 * math.sqrt(0.04))
    )


def test_one_fill_takes_no_more_than_its_share_of_volume():
    exchange = Exchange({"SPY": 100.0}, participation=0.05)
    exchange.instruments["SPY"] = Instrument("SPY", average_daily_volume=200.0, lot=1.0)
    filled = []
    exchange.engine.submit(order("a", 25.0))
    for _ in range(3):
        filled.append(exchange.engine.order("a").filled // SCALE)
        exchange.clock.advance(1.0)
    assert filled == [10, 20, 25]
    assert exchange.engine.order("a").status is OrderStatus.FILLED


def test_an_order_waits_for_its_delay():
    exchange = Exchange({"SPY": 100.0}, latency=3.0)
    assert exchange.engine.submit(order("a", 1.0)).status is OrderStatus.ACCEPTED
    exchange.clock.advance(2.9)
    assert exchange.engine.order("a").filled == 0
    exchange.prices["SPY"] = 90.0
    exchange.clock.advance(0.2)
    assert exchange.engine.order("a").average_price == pytest.approx(90.0, rel=0.001)


@pytest.mark.parametrize("status", [MarketStatus.CLOSED, MarketStatus.HALTED, MarketStatus.AUCTION])
def test_nothing_fills_in_a_shut_market(status):
    exchange = Exchange({"SPY": 100.0, "QQQ": 50.0})
    exchange.engine.set_market("SPY", status)
    assert exchange.engine.submit(order("a", 1.0)).status is OrderStatus.ACCEPTED
    at_once = exchange.engine.submit(order("b", 1.0, time_in_force=TimeInForce.IOC))
    assert (at_once.status, at_once.reason) == (OrderStatus.CANCELLED, f"the market is {status}")
    assert exchange.engine.submit(order("c", 1.0, symbol="QQQ")).status is OrderStatus.FILLED
    exchange.engine.set_market("SPY")
    assert exchange.engine.order("a").status is OrderStatus.FILLED


def test_a_wide_spread_is_seen_and_paid():
    exchange = Exchange({"SPY": 100.0}, half_spread=0.001)
    exchange.engine.set_market("SPY", spread_times=8.0)
    market = exchange.engine.market("SPY")
    assert market.spread == pytest.approx(8 * market.normal_spread)
    assert exchange.engine.submit(order("a", 1.0)).average_price == pytest.approx(100.8)


def test_a_limit_order_never_fills_beyond_its_limit():
    exchange = Exchange({"SPY": 100.0}, half_spread=0.0, impact=0.5, participation=1.0)
    exchange.instruments["SPY"] = Instrument("SPY", average_daily_volume=100.0)
    done = exchange.engine.submit(order("a", 20.0, kind=OrderKind.LIMIT, limit_price=101.0))
    assert (done.status, done.average_price) == (OrderStatus.FILLED, 101.0)


def test_a_day_order_ends_with_its_day():
    exchange = Exchange({"SPY": 100.0})
    exchange.engine.submit(order("a", 1.0, kind=OrderKind.LIMIT, limit_price=50.0))
    exchange.clock.advance(86_400.0)
    assert exchange.engine.order("a").reason == "its day is over"


def test_what_only_reduces_is_cut_to_what_is_held_when_it_fills():
    exchange = Exchange({"SPY": 100.0})
    exchange.engine.submit(order("a", 5.0))
    stop = {"kind": OrderKind.STOP, "stop_price": 90.0, "reduce_only": True, "time_in_force": TimeInForce.GTC}
    exchange.engine.submit(order("s1", 5.0, side=-1, **stop))
    exchange.engine.submit(order("s2", 5.0, side=-1, **stop))
    exchange.engine.submit(order("b", 2.0, side=-1, reduce_only=True))
    exchange.prices["SPY"] = 80.0
    assert exchange.engine.positions() == {}
    assert exchange.engine.order("s1").filled == 3 * SCALE
    assert exchange.engine.order("s2").reason == "nothing is left to reduce"


def test_a_dead_mans_timer_that_is_fed_does_nothing():
    exchange = Exchange({"SPY": 100.0})
    exchange.engine.submit(order("a", 1.0, kind=OrderKind.LIMIT, limit_price=50.0))
    for _ in range(3):
        exchange.engine.arm_cancel_all(60.0)
        exchange.clock.advance(50.0)
    assert exchange.engine.open_orders()
    exchange.engine.arm_cancel_all(0.0)
    exchange.clock.advance(500.0)
    assert exchange.engine.open_orders()
    exchange.engine.arm_cancel_all(60.0)
    exchange.clock.advance(60.0)
    assert not exchange.engine.open_orders()


def test_orders_below_the_least_are_refused():
    exchange = Exchange({"SPY": 100.0})
    exchange.instruments["SPY"] = Instrument("SPY", lot=1.0, min_notional=250.0)
    for name, units in (("a", 0.5), ("b", 2.0)):
        with pytest.raises(OrderRejected) as refused:
            exchange.engine.submit(order(name, units))
        assert refused.value.code == "ORDER_TOO_SMALL"
    assert exchange.engine.submit(order("c", 3.0)).status is OrderStatus.FILLED


def test_what_is_random_is_the_same_for_the_same_seed():
    def outcomes(seed: int) -> list[str]:
        exchange = Exchange({"SPY": 100.0}, reject_rate=0.3, partial_rate=0.5, seed=seed)
        said = []
        for number in range(30):
            try:
                done = exchange.engine.submit(order(f"o{number}", 1.0))
                said.append(f"{done.status} {done.filled}")
            except OrderRejected as problem:
                said.append(problem.code)
        return said

    first = outcomes(1)
    assert first == outcomes(1)
    assert first != outcomes(2)
    assert {"BROKER_REFUSED"} < {word.partition(" ")[0] for word in first}


def test_the_sums_are_exact_after_a_thousand_orders():
    """Oracle: cash and units summed once more from the fills in exact integers."""
    rnd = random.Random(5)
    exchange = Exchange({"SPY": 101.37, "BTC": 23_456.78}, cash=1e6, commission=0.00033)
    for number in range(1000):
        symbol = rnd.choice(("SPY", "BTC"))
        exchange.prices[symbol] *= 1.0 + rnd.uniform(-0.01, 0.01)
        units = rnd.uniform(0.001, 2.0) if symbol == "BTC" else rnd.uniform(1, 90)
        exchange.engine.submit(order(f"o{number}", units, side=rnd.choice((1, -1)), symbol=symbol))
    fills = exchange.engine.fills(MONDAY)
    assert len(fills) == 1000
    cash = to_ledger(1e6) - sum(f.side * round(f.quantity * f.price) + f.fee for f in fills)
    assert exchange.engine.cash() == cash
    held = {s: sum(f.side * f.quantity for f in fills if f.symbol == s) for s in ("SPY", "BTC")}
    assert exchange.engine.positions() == held


KILLED = """
import os, signal, sys
from pathlib import Path
from risk_management.model.broker import OrderIntent, OrderKind, TimeInForce
from risk_management.model.money import SCALE
from risk_management.tests.brokers.exchange import Exchange
exchange = Exchange({"SPY": 100.0}, path=Path(sys.argv[1]))
exchange.engine.submit(OrderIntent("a", "SPY", 1, 7 * SCALE, reduce_only=False))
exchange.engine.submit(OrderIntent("b", "SPY", -1, 7 * SCALE, kind=OrderKind.STOP, stop_price=80.0,
                                   time_in_force=TimeInForce.GTC))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_account_outlives_a_killed_process(tmp_path):
    file = tmp_path / "paper.db"
    done = subprocess.run([sys.executable, "-c", KILLED, str(file)], check=False)
    assert done.returncode == -9
    exchange = Exchange({"SPY": 100.0}, path=file, cash=55.0)
    assert exchange.engine.positions() == {"SPY": 7 * SCALE}
    assert exchange.engine.submit(order("a", 7.0)).filled == 7 * SCALE
    assert exchange.engine.positions() == {"SPY": 7 * SCALE}
    assert [o.client_order_id for o in exchange.engine.open_orders()] == ["b"]
    assert exchange.engine.cash() == to_ledger(CASH) - round(7 * SCALE * 100.025) - round(
        0.0001 * round(7 * SCALE * 100.025)
    )
    other = Exchange({"SPY": 70.0}, path=file)
    assert other.engine.positions() == {}
    assert exchange.engine.positions() == {}
    for broker in (exchange.engine, other.engine):
        broker.close()


def test_an_outage_answers_nothing():
    exchange = Exchange({"SPY": 100.0})
    exchange.engine.set_outage(True)
    with pytest.raises(BrokerUnavailable):
        exchange.engine.positions()


def test_the_multiplier_counts():
    exchange = Exchange({"ES": 5000.0}, half_spread=0.0, commission=0.0, cash=1e6)
    exchange.instruments["ES"] = replace(Instrument("ES"), multiplier=50.0, lot=1.0)
    exchange.engine.submit(order("a", 1.0, symbol="ES"))
    assert exchange.engine.cash() == to_ledger(750_000.0)


def test_options_that_mean_nothing_are_told():
    with pytest.raises(ConfigurationError, match=r"broker_config\.options\.half_spred.*half_spread"):
        paper_options({"half_spred": 0.1})
    with pytest.raises(ConfigurationError, match=r"commission"):
        paper_options({"commission": 2.0})
