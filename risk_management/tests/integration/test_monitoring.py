"""The rounds in the background: prices pulled, a feed that fails, a round that is late."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from risk_management.clock import ManualClock
from risk_management.core.order_desk import OrderTicket
from risk_management.errors import MarketDataError
from risk_management.integration.monitoring import Feed, Repeated, Watcher
from risk_management.model.portfolio import TradingMode


class Source:
    """A feed that says what a test wants."""

    name, is_sample = "test feed", False

    def __init__(self):
        self.prices, self.problem, self.asked = {}, None, []

    def latest(self, symbols):
        self.asked.append(tuple(symbols))
        if self.problem is not None:
            raise self.problem
        return {s: quote for s, quote in self.prices.items() if s in symbols}


@pytest.fixture
def world(make_manager):
    manager, clock = make_manager()
    return manager, clock, Source()


def alerts(manager):
    return {alert.rule_id: alert.message for alert in manager.alert_manager.active}


def test_a_pull_brings_the_prices_of_what_matters(world):
    manager, clock, source = world
    manager.add_position("KO", 600.0, 60.0, bot_name="a")
    manager.request_trade(OrderTicket("PG", "buy", 100.0, "", "a"))
    then = clock.now() - timedelta(seconds=5)
    source.prices = {"KO": (61.0, then), "PG": (140.0, clock.now()), "XOM": (1.0, clock.now())}
    Feed(manager, source).pull()
    assert source.asked == [("KO", "PG")]
    quotes = manager.state.quotes
    assert (quotes["KO"].price, quotes["KO"].time, quotes["KO"].source) == (61.0, then, "test feed")
    assert set(quotes) == {"KO", "PG"}


def test_a_feed_that_fails_is_told_and_told_again_when_it_is_back(world):
    manager, clock, source = world
    manager.update_prices({"KO": 60.0})
    source.problem = MarketDataError("no route to host")
    feed = Feed(manager, source)
    feed.pull()
    assert "no route to host" in alerts(manager)["feed"]
    clock.advance(61.0)
    assert "STALE_PRICE" in manager.evaluate_trade("KO", "buy", 50.0).rejection_reasons
    source.problem, source.prices = None, {"KO": (60.5, clock.now())}
    feed.pull()
    assert "feed" not in alerts(manager)
    assert manager.evaluate_trade("KO", "buy", 50.0).approved


def test_stamps_from_the_future_leave_the_other_prices(world):
    manager, clock, source = world
    manager.update_prices({"KO": 60.0, "PG": 140.0})
    clock.advance(1.0)
    source.prices = {"KO": (61.0, clock.now()), "PG": (150.0, clock.now() + timedelta(hours=1))}
    Feed(manager, source).pull()
    assert (manager.state.quotes["KO"].price, manager.state.quotes["PG"].price) == (61.0, 140.0)


def test_a_feed_with_a_mistake_stops_no_trading(world):
    manager, _, source = world
    source.problem = ZeroDivisionError("a mistake")
    told, raise_alert = threading.Event(), manager.alert_manager.raise_alert

    def raised(*args, **words):
        raise_alert(*args, **words)
        told.set()

    manager.alert_manager.raise_alert = raised
    watcher = Watcher(manager, lambda: None, 0.01, source, 0.01)
    watcher.start()
    assert told.wait(30)
    watcher.stop()
    assert manager.state.mode is TradingMode.ACTIVE
    assert "ZeroDivisionError" in alerts(manager)["feed"]


def test_monitoring_that_paused_in_good_order_waits_for_no_feed(world):
    manager, clock, source = world
    manager.update_prices({"KO": 60.0})
    source.prices = {"KO": (60.0, clock.now())}
    pulled = threading.Event()
    watcher = Watcher(manager, lambda: None, 5.0, source, 5.0)
    beat = manager.heartbeats.beat

    def beaten(kind, name):
        beat(kind, name)
        if kind == "feed":
            pulled.set()

    manager.heartbeats.beat = beaten
    watcher.start()
    assert pulled.wait(30)
    watcher.stop()
    clock.advance(300.0)
    assert manager.check_heartbeats() == ()
    assert manager.state.mode is TradingMode.ACTIVE


def test_a_late_round_is_told_once_more_when_it_is_in_time_again(foundation):
    clock, told, over = ManualClock(foundation.clock.now()), [], threading.Event()
    durations = iter([0.5, 2.0, 3.0, 0.5, 0.5])

    def task():
        took = next(durations, None)
        if took is None:
            over.set()
        else:
            clock.advance(took)

    repeated = Repeated(task, 1.0, clock, lambda _: None, told.append)
    repeated._signal.wait = lambda _: None  # the rounds follow each other at once
    repeated.start("test")
    assert over.wait(30)
    repeated.stop()
    assert told == [2.0, 3.0, 0.0]


def test_a_late_watch_is_an_alert(world):
    manager, _, _ = world
    watcher = Watcher(manager, lambda: None, 5.0, None, 0.0)
    watcher._late(7.3)
    assert "7.3 s" in alerts(manager)["monitoring_behind"]
    watcher._late(0.0)
    assert "monitoring_behind" not in alerts(manager)
