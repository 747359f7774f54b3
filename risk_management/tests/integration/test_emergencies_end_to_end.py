"""Each trigger from a quote to what the paper account holds: on real days, and on made ones where none fit.

The real days are the sample's closes of 2008 and 2020; every day is judged by a model of its own past alone.
"""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from risk_management.core.order_desk import OrderTicket
from risk_management.demo.gate import prepare
from risk_management.demo.market import STOCKS, Market
from risk_management.model.broker import OrderIntent, OrderKind, TimeInForce
from risk_management.model.money import SCALE
from risk_management.model.portfolio import TradingMode
from risk_management.tests.integration.history_world import CAPITAL, History, equal_weights
from risk_management.tests.integration.liquidation_child import HELD
from risk_management.tests.integration.liquidation_world import World

ALONE = {"drawdown_config": {"max_portfolio_drawdown": 0.25}, "emergency_config": {"var_trim": 10.0}}
"""The trims out of the way: with them no day of either crisis gets as far as 25 %."""
DUST = 100
GTC = TimeInForce.GTC


@pytest.fixture(scope="module")
def market():
    return Market.sample()


@pytest.fixture(scope="module")
def start(market):
    ground = prepare(market, CAPITAL)

    def started(day, gross=0.95, **changes):
        history = History(market, ground, day, **changes)
        history.buy(**equal_weights(gross))
        return history

    return started


def is_flat(history):
    return all(abs(units) <= DUST for units in history.broker.positions().values())


def cash_apart(history):
    """What the broker's cash differs by from the book's: the costs of the seed, which the book never saw."""
    return history.broker.cash() / SCALE - history.state.cash


@pytest.mark.parametrize("day", ["2008-09-02", "2020-02-14"])
def test_a_drawdown_of_25_per_cent_is_flat_at_the_broker(start, day):
    history = start(day, **ALONE)
    apart = cash_apart(history)
    found = []
    while not found:
        assert not is_flat(history)
        history.day()
        found = [o for o in history.state.liquidations.values() if o.cause == "emergency_drawdown"]
    (one,) = found
    drawdown = history.state.drawdown.drawdown
    assert drawdown >= 0.25
    assert is_flat(history)
    assert history.state.mode is TradingMode.HALTED
    assert one.outcome.startswith("flat by the broker's own positions")
    assert cash_apart(history) == pytest.approx(apart, abs=0.01)
    refused = history.manager.request_trade(OrderTicket("KO", "buy", 500.0, bot_name="a"))
    assert refused.rejection_reasons[0] == "HALTED"
    history.manager.release_emergency("ann", "looked at")
    assert history.state.mode is not TradingMode.HALTED  # the week's loss may still hold it in REDUCING


@pytest.mark.parametrize(("day", "days"), [("2008-09-02", 120), ("2020-02-14", 60)])
def test_with_the_default_limits_no_real_day_gets_that_far(start, day, days):
    """History never meets the condition: what is trimmed before loses less. So the next test makes a day."""
    history = start(day)
    for _ in range(days):
        history.day()
    assert 0.15 < history.state.drawdown.peak - min(history.state.drawdown.closes) < 0.25
    assert "emergency_drawdown" not in {one.cause for one in history.state.liquidations.values()}
    assert "drawdown_trim" in {one.cause for one in history.state.liquidations.values()}


def test_a_made_day_on_which_all_falls_by_a_third_liquidates_with_the_default_limits(start):
    history = start("2019-06-03")
    history.day()
    closes = {s: history.state.quotes[s].price * 0.66 for s in STOCKS}
    said = history.day(closes)
    assert any(text.startswith("drawdown") and "all trading stopped" in text for text in said)
    assert is_flat(history)
    assert history.state.mode is TradingMode.HALTED


@pytest.mark.parametrize("day", ["2008-09-02", "2020-02-21"])
def test_var_near_its_limit_stops_what_adds_and_above_it_is_trimmed_at_the_broker(start, day):
    history = start(day)
    while not history.state.var_halted:
        history.day()
    # of 95 % it is: the day before it was below, and no limit of a loss is in the way of a hedge
    assert history.manager.look().metrics["var_utilization"] >= 0.95
    evaluate = history.manager.evaluate_trade
    assert "VAR_HALT" in evaluate("BAC", "buy", 500.0).rejection_reasons
    assert evaluate("BAC", "sell", 500.0).approved
    before = sum(map(abs, history.broker.positions().values()))
    for _ in range(20):
        if any("trimmed" in text for text in history.day()):
            break
    assert sum(map(abs, history.broker.positions().values())) < before
    assert history.manager.look().metrics["var_utilization"] == pytest.approx(1.0, abs=0.02)
    held = {key.symbol: p.quantity for key, p in history.state.positions.items()}
    assert dict(history.broker.positions()) == held


def test_a_correlation_spike_closes_the_smaller_contributor_at_the_broker(start):
    history = start("2020-02-14")
    for _ in range(40):
        (spike,) = [text for text in history.day() if "average correlation" in text] or [""]
        if spike:
            break
    cut = spike.rpartition(": ")[2].split()[0]
    assert abs(history.broker.positions().get(cut, 0)) <= DUST
    assert not is_flat(history)


def test_a_system_error_stops_everything_and_protective_orders_stay(start):
    """No price makes checks fail: they are broken by hand."""
    history = start("2020-02-14")
    stop = OrderIntent("stop", "KO", -1, SCALE, OrderKind.STOP, stop_price=1.0, time_in_force=GTC)
    limit = {"kind": OrderKind.LIMIT, "reduce_only": False, "time_in_force": GTC}
    entry = OrderIntent("entry", "KO", 1, SCALE, limit_price=1.0, **limit)
    close = OrderIntent("close", "KO", -1, SCALE, limit_price=1e4, **limit)
    for intent in (stop, entry, close):
        history.broker.submit(intent)

    def broken(_proposal):
        raise ZeroDivisionError

    history.manager.desk.checks = (*history.manager.desk.checks, ("broken", broken))
    for number in range(5):
        history.manager.request_trade(OrderTicket("KO", "buy", 50.0 + number, bot_name="a"))
    history.day()
    assert history.state.mode is TradingMode.HALTED
    assert [order.client_order_id for order in history.broker.open_orders()] == ["stop", "close"]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("calls", [1, 3])
def test_killed_in_the_middle_another_process_ends_it_and_sends_nothing_twice(
    foundation, tmp_path, calls, when
):
    store, account = str(tmp_path / "book.db"), tmp_path / "paper.db"
    words = (store, str(account), str(calls), when)
    module = "risk_management.tests.integration.liquidation_child"
    with subprocess.Popen([sys.executable, "-m", module, *words], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "here\n"
        child.send_signal(signal.SIGKILL)
    world = World(foundation, store=store, path=account)
    assert world.liquidation.is_open
    world.rounds(5)
    assert world.broker.positions() == {}
    assert not world.state.positions
    assert not world.liquidation.is_open
    filled = dict.fromkeys(HELD, 0)
    for order in world.sent():
        filled[order.symbol] += order.side * order.filled
    assert filled == {symbol: -round(units * SCALE) for symbol, units in HELD.items()}
    world.manager.close()
