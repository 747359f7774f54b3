"""The book and its broker: nothing opens before they were compared, and silence closes the door again."""

from __future__ import annotations

from threading import Event as Signal

import pytest

from risk_management.brokers.paper import PaperBroker
from risk_management.brokers.paper_options import PaperOptions
from risk_management.core.order_desk import OrderTicket
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import ConfigurationError
from risk_management.integration.broker_link import BrokerLink, surroundings_of
from risk_management.integration.monitoring import Watcher
from risk_management.integration.trading_integration import TradingSystemIntegration
from risk_management.model.broker import OrderIntent, OrderKind, TimeInForce, own_order_id
from risk_management.model.money import SCALE, to_ledger
from risk_management.model.portfolio import EXTERNAL, Scope, TradingMode


class World:
    def __init__(self, manager, clock, cash):
        self.manager, self.clock = manager, clock
        self.broker = PaperBroker(surroundings_of(manager), PaperOptions(cash=cash))
        self.link = BrokerLink(manager, self.broker)

    @property
    def mode(self):
        return self.manager.state.mode

    def buy(self, symbol, units, name="bot1", **words):
        return self.broker.submit(OrderIntent(name, symbol, 1, to_ledger(units), reduce_only=False, **words))

    def alerts(self):
        return {alert.rule_id: alert.message for alert in self.manager.alert_manager.active}


@pytest.fixture
def world(make_manager):
    manager, clock = make_manager()
    return World(manager, clock, manager.config.portfolio_value)


def asked(manager, symbol="KO", size=100.0):
    return manager.request_trade(OrderTicket(symbol, "buy", size, "", "a"))


def test_nothing_opens_until_the_account_was_compared(world):
    world.manager.update_prices({"KO": 60.0})
    assert world.mode is TradingMode.REDUCING
    assert "REDUCING" in asked(world.manager).rejection_reasons
    assert world.link.compare().is_clean
    assert world.mode is TradingMode.ACTIVE
    assert asked(world.manager).approved


def test_what_the_account_holds_already_is_taken_up(world):
    world.manager.update_prices({"KO": 60.0})
    world.buy("KO", 3.0)
    found = world.link.compare()
    assert [b.subject for b in found.adopted] == ["KO"]
    (position,) = world.manager.state.positions.values()
    assert (position.key.bot, position.quantity) == (EXTERNAL, 3 * SCALE)


def test_cash_that_differs_keeps_the_door_shut_until_it_is_told_twice(make_manager):
    manager, clock = make_manager()
    world = World(manager, clock, manager.config.portfolio_value - 500.0)
    assert not world.link.compare().is_clean
    assert world.mode is TradingMode.REDUCING
    world.link.compare()
    assert world.link.compare().is_clean
    assert world.mode is TradingMode.ACTIVE
    assert manager.state.cash == manager.config.portfolio_value - 500.0


def test_a_position_without_any_price_keeps_the_door_shut(world):
    world.manager.add_position("KO", 600.0, 60.0)
    found = world.manager.reconcile({"KO": 10.0})
    assert found.is_clean
    assert world.mode is TradingMode.REDUCING
    world.manager.update_prices({"KO": 60.0})
    world.manager.reconcile({"KO": 10.0})
    assert world.mode is TradingMode.REDUCING  # nobody looked at the cash
    world.manager.reconcile({"KO": 10.0}, cash=world.manager.state.cash)
    assert world.mode is TradingMode.ACTIVE


@pytest.mark.parametrize("found", ["order", "cash"])
def test_the_look_of_a_liquidation_opens_no_door_that_it_did_not_look_behind(make_manager, found):
    manager, clock = make_manager()
    missing = 500.0 if found == "cash" else 0.0
    world = World(manager, clock, manager.config.portfolio_value - missing)
    manager.update_prices({"KO": 60.0, "SPY": 100.0})
    world.buy("KO", 3.0)
    gtc = {"time_in_force": TimeInForce.GTC}
    if found == "order":
        world.buy("SPY", 1.0, "manual1", kind=OrderKind.LIMIT, limit_price=50.0, **gtc)
    world.link.step()
    assert [b.kind for b in manager.state.breaks["main"]] == [found]
    manager.liquidate("symbol:KO", "a test", actor="ann")
    for _ in range(3):
        clock.advance(1.0)
        world.link.step()
    assert world.broker.positions() == {}
    assert world.mode is TradingMode.REDUCING
    assert [b.kind for b in manager.state.breaks["main"]] == [found]
    assert "RECONCILIATION_BREAK" in world.alerts()


def test_a_broker_that_is_silent_shuts_the_door_again(world):
    world.link.compare()
    assert world.mode is TradingMode.ACTIVE
    world.broker.set_outage(True)
    world.link.compare()
    assert world.mode is TradingMode.ACTIVE
    assert "does not answer" in world.alerts()["broker"]
    world.link.compare()
    world.link.compare()
    assert world.mode is TradingMode.REDUCING
    world.broker.set_outage(False)
    world.link.compare()
    assert world.mode is TradingMode.ACTIVE
    assert "broker" not in world.alerts()


def test_a_stop_that_the_broker_did_not_hear_is_told_and_tried_again(world):
    world.manager.update_prices({"KO": 60.0})
    world.link.step()
    world.buy("KO", 1.0, "entry", kind=OrderKind.LIMIT, limit_price=30.0, time_in_force=TimeInForce.GTC)
    world.broker.set_outage(True)
    world.manager.emergency_stop("a drill", actor="anna")
    world.clock.advance(1.0)
    world.link.step()
    assert "closing waits" in world.alerts()["broker_entries"]
    world.broker.set_outage(False)
    world.clock.advance(1.0)
    world.link.step()
    assert not world.broker.open_orders()
    assert "broker_entries" not in world.alerts()


def test_entries_that_can_not_be_cancelled_are_named(world, monkeypatch):
    world.manager.update_prices({"KO": 60.0})
    world.link.step()
    world.buy("KO", 1.0, "entry", kind=OrderKind.LIMIT, limit_price=30.0, time_in_force=TimeInForce.GTC)
    monkeypatch.setattr(world.broker, "cancel", world.broker.order)
    world.manager.emergency_stop("a drill", actor="anna")
    world.clock.advance(1.0)
    world.link.step()
    assert "1 entries still work at the broker: entry" in world.alerts()["broker_entries"]


def test_the_brokers_timer_never_goes_off_while_somebody_is_there(make_manager):
    """It is shorter than the time between two comparisons."""
    manager, clock = make_manager(heartbeat_config={"cancel_timer": 15.0})
    world = World(manager, clock, manager.config.portfolio_value)
    manager.update_prices({"KO": 60.0})
    world.link.step()
    world.buy("KO", 1.0, "entry", kind=OrderKind.LIMIT, limit_price=30.0, time_in_force=TimeInForce.GTC)
    for _ in range(100):
        clock.advance(1.0)
        world.link.step()
    assert [order.client_order_id for order in world.broker.open_orders()] == ["entry"]
    clock.advance(16.0)
    assert not world.broker.open_orders()


def test_own_orders_and_protecting_stops_are_nobodys_breach(world):
    world.manager.update_prices({"KO": 60.0})
    world.buy("KO", 3.0)
    gtc = {"time_in_force": TimeInForce.GTC}
    stop = OrderIntent("stop1", "KO", -1, SCALE, OrderKind.STOP, stop_price=50.0, **gtc)
    world.broker.submit(stop)
    mine = OrderIntent(own_order_id("x"), "KO", -1, SCALE, OrderKind.LIMIT, limit_price=90.0, **gtc)
    world.broker.submit(mine)
    assert not [b for b in world.link.compare().breaks if b.kind == "order"]
    world.buy("KO", 1.0, "stranger", kind=OrderKind.LIMIT, limit_price=30.0, **gtc)
    broken = [b.subject for b in world.link.compare().breaks if b.kind == "order"]
    assert broken == ["stranger"]


def test_a_fill_that_comes_in_while_the_account_is_read_is_no_difference(world):
    world.manager.update_prices({"KO": 60.0})
    world.link.compare()
    read, moved = world.broker.cash, []

    def cash():
        said = read()
        if not moved:  # a bot buys and reports between the two questions
            moved.append(True)
            world.buy("KO", 3.0)
            world.manager.record_fill("KO", "buy", 3.0, 60.015, execution_id="x1", bot_name="a")
        return said

    world.broker.cash = cash
    assert not [b for b in world.link.compare().breaks if b.kind == "position"]
    assert sum(p.quantity for p in world.manager.state.positions.values()) == 3 * SCALE


def test_comparisons_come_when_they_are_due(world):
    world.link.step()
    assert world.mode is TradingMode.ACTIVE
    world.manager.update_prices({"KO": 60.0})
    world.buy("KO", 3.0)
    world.clock.advance(29.0)
    world.link.step()
    assert not world.manager.state.positions
    world.clock.advance(1.0)
    world.link.step()
    assert world.manager.state.positions


def test_a_stop_of_everything_reaches_the_broker_at_once(world):
    world.manager.update_prices({"KO": 60.0})
    world.link.step()
    world.buy("KO", 1.0, "entry", kind=OrderKind.LIMIT, limit_price=30.0, time_in_force=TimeInForce.GTC)
    world.clock.advance(1.0)
    world.manager.emergency_stop("a drill", actor="anna")
    world.link.step()
    assert not world.broker.open_orders()


def test_a_live_broker_and_a_paper_book_do_not_meet(world):
    world.broker.environment = "live"
    with pytest.raises(ConfigurationError, match="live"):
        BrokerLink(world.manager, world.broker)


def test_the_settings_name_the_broker(make_manager, tmp_path):
    manager, _ = make_manager()
    path = str(tmp_path / "account.db")
    config = manager.config.update(broker_config={"name": "paper", "options": {"path": path}})
    with TradingSystemIntegration(config, clock=manager.clock) as integration:
        assert integration.broker_link.broker.cash() == to_ledger(config.portfolio_value)
        assert integration.is_monitoring
    with pytest.raises(ConfigurationError, match=r"broker_config\.environment"):
        manager.config.update(broker_config={"name": "paper", "environment": "live"})


def test_a_new_paper_account_begins_with_the_book_and_a_kept_one_stays_as_it_is(make_manager, tmp_path):
    manager, _ = make_manager()
    manager.update_prices({"KO": 60.0, "PG": 150.0})
    manager.add_position("KO", 600.0, 60.0, "s", risk_amount=30.0)
    options = PaperOptions(path=tmp_path / "account.db")
    broker = PaperBroker(surroundings_of(manager), options)
    assert broker.positions() == {"KO": 10 * SCALE}
    assert BrokerLink(manager, broker).compare().is_clean
    assert manager.state.mode is TradingMode.ACTIVE
    (known,) = manager.state.positions
    assert known.bot != EXTERNAL
    manager.add_position("PG", 300.0, 150.0, "s", risk_amount=15.0)
    assert PaperBroker(surroundings_of(manager), options).positions() == {"KO": 10 * SCALE}
    broker.submit(OrderIntent("out", "KO", -1, 10 * SCALE))
    assert broker.positions() == {}


def test_a_manager_alone_waits_for_a_comparison_too(make_manager):
    manager, clock = make_manager()
    config = manager.config.update(broker_config={"name": "paper"})
    alone = AdvancedRiskManager(config, clock=clock)
    assert [h.cause for h in alone.state.holds.values() if h.scope is Scope.PORTFOLIO] == ["unreconciled"]
    alone.reconcile({}, cash=config.portfolio_value)
    assert alone.state.mode is TradingMode.ACTIVE


def test_a_round_that_breaks_shuts_the_door_and_is_told(make_manager):
    manager, clock = make_manager()
    world = World(manager, clock, manager.config.portfolio_value)
    world.link.compare()
    told = Signal()

    def broken():
        told.set()
        raise KeyError("an answer that nobody thought of")

    watcher = Watcher(manager, lambda: None, 1.0, None, 1.0, broken)
    watcher.start()
    assert told.wait(30.0)
    watcher.stop()
    assert world.mode is TradingMode.REDUCING
    assert world.alerts()["broker"] == "a round of the broker failed: KeyError"


def test_what_the_protocols_close_is_closed_at_the_broker(world):
    """From the drawdown to the broker's own positions, through the rounds that a service runs."""
    world.manager.update_prices({"KO": 60.0, "PG": 140.0})
    world.buy("KO", 100.0, "bot1")
    world.buy("PG", 20.0, "bot2")
    for number, (symbol, units, price) in enumerate((("KO", 100.0, 60.015), ("PG", 20.0, 140.035))):
        world.manager.record_fill(
            symbol,
            "buy",
            units,
            price,
            execution_id=f"paper-{number + 1}",
            bot_name="a",
            fee=units * price * 1e-4,
        )
    world.link.step()
    assert world.mode is TradingMode.ACTIVE
    for share in (0.65, 0.65, 0.649, 0.648):  # a far tick is believed once a second one says the same
        world.clock.advance(40.0)
        world.manager.update_prices({"KO": 60.0 * share, "PG": 140.0 * share})
        world.manager.assess_overall_risk(confirmed=True)
    assert world.mode is TradingMode.HALTED
    for _ in range(200):
        world.clock.advance(1.0)
        world.link.step()
    assert world.broker.positions() == {}
    assert not world.manager.state.positions
    assert abs(to_ledger(world.manager.state.cash) - world.broker.cash()) <= to_ledger(0.01)
    assert not [order for order in world.broker.open_orders() if order.is_ours]
