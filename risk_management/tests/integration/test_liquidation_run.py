"""Liquidations at a broker: flat is what the broker's own positions say, whatever it does on the way."""

from __future__ import annotations

import pytest

from risk_management.errors import InvalidRequest
from risk_management.model.broker import MarketStatus, OrderStatus
from risk_management.model.liquidation import EVERYTHING, LiquidationScope
from risk_management.model.money import SCALE
from risk_management.model.portfolio import TradingMode
from risk_management.tests.integration.liquidation_world import (
    Acknowledges,
    Deaf,
    FillsTwice,
    Loses,
    Rejects,
    World,
)


def liquidate(world, scope="everything", **words):
    closing = world.manager.protocol.closing
    return closing.liquidate(LiquidationScope.of(scope), "a test", "ann", **words)


def alerts(world):
    return " ".join(alert.message for alert in world.manager.alert_manager.active)


def test_everything_is_closed_in_one_round_where_the_market_fills_at_once(foundation):
    world = World(foundation)
    world.hold(KO=100.0, SPY=50.0, QQQ=-30.0)
    cash = world.manager.state.cash
    liquidate(world)
    world.rounds()
    assert world.broker.positions() == {}
    assert not world.state.positions
    assert world.liquidation.outcome.startswith("flat by the broker's own positions")
    assert not [a for a in world.manager.alert_manager.active if "liquidation" in a.rule_id]
    told = [a.message for a in world.manager.alert_manager.history]
    assert any("is flat by the broker's own positions" in text for text in told)
    assert world.state.mode is TradingMode.ACTIVE
    paid = world.broker.fills(world.liquidation.started_at)
    assert world.state.cash - cash == pytest.approx(
        sum(
            -f.side * f.quantity / SCALE * f.price - f.fee / SCALE
            for f in paid
            if f.client_order_id.startswith("risk")
        )
    )


def test_a_broker_that_acknowledges_and_never_fills_is_never_called_flat(foundation):
    world = World(foundation, Acknowledges)
    world.hold(KO=100.0)
    liquidate(world)
    world.rounds(40)
    assert world.liquidation.is_open
    assert world.broker.positions() == {"KO": 100 * SCALE}
    kinds = [str(order.kind.value) for order in world.sent()]
    assert kinds[:3] == ["limit", "limit", "market"]
    assert all(o.status is OrderStatus.CANCELLED for o in world.sent()[:-1])
    assert "orders in a row filled nothing" in alerts(world)
    before = len(world.sent())
    world.rounds(6)  # slower from here on: one try a minute
    assert len(world.sent()) <= before + 1


def test_an_order_that_is_not_cancelled_is_never_doubled(foundation):
    world = World(foundation, Deaf)
    world.hold(KO=100.0)
    liquidate(world)
    world.rounds(30)
    assert len(world.sent()) == 1
    assert "neither fills nor is cancelled" in alerts(world)


def test_a_broker_that_rejects_is_asked_again(foundation):
    world = World(foundation, Rejects)
    world.hold(KO=100.0, SPY=50.0)
    liquidate(world)
    world.rounds()
    assert set(world.broker.positions()) == {"KO"}  # the other symbol does not wait for it
    world.rounds(4)
    assert world.broker.positions() == {}
    assert not world.liquidation.is_open
    assert [o.status for o in world.liquidation.orders if o.symbol == "KO"] == ["rejected"] * 3 + ["filled"]


def test_lost_answers_send_nothing_twice(foundation):
    world = World(foundation, Loses)
    world.hold(KO=100.0, SPY=50.0, AAPL=20.0, JPM=10.0)
    liquidate(world)
    world.rounds(12)
    assert world.broker.positions() == {}
    assert not world.liquidation.is_open
    filled = {o.symbol: 0 for o in world.sent()}
    for order in world.sent():
        filled[order.symbol] += order.filled
    assert filled == {"KO": 100 * SCALE, "SPY": 50 * SCALE, "AAPL": 20 * SCALE, "JPM": 10 * SCALE}


def test_a_late_second_fill_is_seen_and_closed_again(foundation):
    """A cancelled order fills all the same after its successor: the account is short, and is closed."""
    world = World(foundation, FillsTwice)
    world.hold(KO=100.0)
    liquidate(world)
    world.rounds(3)
    assert world.broker.positions() == {}
    world.broker.fill_late(world.clock.now())
    assert world.broker.positions() == {"KO": -100 * SCALE}
    world.rounds(4)
    liquidate(world)
    world.rounds(4)
    assert world.broker.positions() == {}
    assert not world.state.positions


def test_a_halted_market_waits_is_said_and_goes_on(foundation):
    world = World(foundation)
    world.hold(KO=100.0, SPY=50.0)
    world.broker.set_market("KO", MarketStatus.HALTED)
    liquidate(world)
    world.rounds(3)
    assert world.broker.positions() == {"KO": 100 * SCALE}
    assert "KO waits: it is halted" in alerts(world)
    world.broker.set_market("KO", MarketStatus.OPEN)
    world.rounds()
    assert world.broker.positions() == {}
    assert not world.liquidation.is_open


def test_nothing_is_dumped_into_a_wide_spread(foundation):
    world = World(foundation)
    world.hold(KO=100.0)
    world.broker.set_market("KO", spread_times=5.1)
    liquidate(world)
    world.rounds(3)
    assert world.sent() == []
    world.broker.set_market("KO", spread_times=1.0)
    world.rounds()
    assert world.broker.positions() == {}


def test_stops_stay_until_their_position_is_flat_and_no_longer(foundation):
    world = World(foundation)
    world.hold(KO=100.0, SPY=50.0)
    world.stop_at_broker("KO", 100.0)
    world.broker.set_market("KO", MarketStatus.AUCTION)
    liquidate(world)
    world.rounds(2)
    assert [order.symbol for order in world.broker.open_orders()] == ["KO"]
    world.broker.set_market("KO", MarketStatus.OPEN)
    world.rounds(2)
    assert world.broker.positions() == {}
    assert list(world.broker.open_orders()) == []


def test_a_bot_alone_is_closed_and_owners_of_both_sides_cross(foundation):
    world = World(foundation)
    world.hold("a", KO=100.0)
    world.hold("b", KO=-40.0)
    world.hold("b", SPY=10.0)
    liquidate(world, "symbol:KO")
    world.rounds(2)
    assert world.broker.positions() == {"SPY": 10 * SCALE}
    assert [key.symbol for key in world.state.positions] == ["SPY"]


def test_positions_that_changed_since_the_plan_begin_nothing(foundation):
    world = World(foundation)
    world.hold(KO=100.0)
    plan = world.manager.plan_liquidation(EVERYTHING)
    world.hold(SPY=1.0)
    with pytest.raises(InvalidRequest) as refused:
        liquidate(world, plan_id=plan.plan_id)
    assert refused.value.code == "PLAN_CHANGED"
    assert not world.state.liquidations


def test_without_a_broker_it_is_booked_at_the_marks(foundation, make_manager):
    manager, _ = make_manager(portfolio_value=100_000.0)
    manager.add_position("KO", 1_000.0, 100.0)
    manager.update_prices({"KO": 90.0})
    one = manager.protocol.closing.liquidate(EVERYTHING, "a test", "ann")
    assert not manager.state.positions
    assert manager.state.cash == pytest.approx(99_900.0)
    assert "there is no broker" in one.outcome


@pytest.mark.parametrize("cut", range(1, 8))
def test_whatever_the_journal_holds_at_a_crash_another_process_goes_on(foundation, tmp_path, cut):
    """Each write to the journal in turn is the last before the crash; the broker's account lives on."""
    store, path = str(tmp_path / "book.db"), tmp_path / "paper.db"
    world = World(foundation, store=store, path=path)
    world.hold(KO=100.0, SPY=50.0)
    world.manager.protocol.closing.liquidate(EVERYTHING, "a test", "ann")
    left = cut

    class Crash(BaseException):
        pass

    def falling(name):
        real = getattr(world.broker, name)

        def call(*words):
            nonlocal left
            left -= 1
            if left == 0:
                raise Crash
            return real(*words)

        return call

    for name in ("submit", "fills"):
        setattr(world.broker, name, falling(name))
    with pytest.raises(Crash):
        world.rounds(9)
    world.manager.close()
    again = World(foundation, store=store, path=path)
    again.rounds(4)
    assert again.broker.positions() == {}
    assert not again.state.positions
    assert not again.liquidation.is_open
    assert sum(order.filled for order in again.sent("KO")) == 100 * SCALE
    assert sum(order.filled for order in again.sent("SPY")) == 50 * SCALE
    again.manager.close()


def test_two_liquidations_never_work_on_the_same_units(foundation):
    world = World(foundation, Acknowledges)
    world.hold(KO=100.0)
    for scope in ("symbol:KO", "bot:a", "everything"):
        liquidate(world, scope)
    for _ in range(20):
        world.rounds()
        working = [order for order in world.sent("KO") if order.status.is_open]
        assert sum(order.quantity - order.filled for order in working) <= 100 * SCALE
        assert len(working) <= 1
