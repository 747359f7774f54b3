"""A liquidation beside others: other liquidations, bots, accounts, and the owner on the other side."""

from __future__ import annotations

from datetime import timedelta

import pytest

from risk_management.brokers.paper import PaperBroker
from risk_management.core.order_desk import OrderTicket
from risk_management.core.reduction import CloseIntent
from risk_management.errors import InvalidRequest
from risk_management.model.broker import MarketStatus, OrderIntent, OrderKind
from risk_management.model.money import SCALE, to_ledger
from risk_management.model.portfolio import Scope, TradingMode
from risk_management.tests.integration.liquidation_world import Acknowledges, Rejects, World


def holds(world):
    return {hold.key for hold in world.state.holds.values()}


def opens(world, symbol="SPY", bot="a"):
    return world.manager.evaluate_trade(symbol, "buy", 1000, "s", bot_name=bot).approved


def entry(world, symbol, bot, size=1000.0):
    """An approved entry that works at the broker, under the bot's own id."""
    name = f"entry{bot}{symbol}"
    world.manager.update_prices({symbol: 100.0})
    ticket = OrderTicket(symbol, "buy", size, "s", bot, request_id=name)
    assert world.manager.request_trade(ticket).approved
    units = to_ledger(size / 100.0)
    low = OrderIntent(name, symbol, 1, units, OrderKind.LIMIT, limit_price=50.0, reduce_only=False)
    world.broker.submit(low)
    return name


@pytest.mark.parametrize("when", ["before", "while it looks", "between two orders"])
def test_nothing_is_sent_once_another_engine_may_have_the_book(foundation, tmp_path, when):
    """It goes on with the liquidation there: orders of both would close everything twice."""
    taken = []

    class Slow(PaperBroker):
        def positions(self):
            if when == "while it looks":
                taken.append(when)
            return super().positions()

        def submit(self, intent):
            if when == "between two orders":
                taken.append(when)
            return super().submit(intent)

    world = World(foundation, Slow, store=str(tmp_path / "book.db"))
    world.hold(KO=100.0, SPY=50.0)
    world.manager.liquidate("everything", "x", actor="ann")
    taken[:] = ["before"] if when == "before" else []
    world.manager.book.journal.may_be_taken = lambda: bool(taken)
    world.runner.round()
    assert len(world.sent()) == (when == "between two orders")
    when = "over"
    taken.clear()  # nobody took it
    world.rounds(6)
    assert not world.broker.positions()
    world.manager.close()


def test_the_same_plan_twice_is_one_liquidation(foundation):
    world = World(foundation, Acknowledges)
    world.hold(KO=100.0)
    plan = world.manager.plan_liquidation("everything").plan_id
    first = world.manager.liquidate("everything", "x", plan_id=plan, actor="ann")
    world.rounds()
    again = world.manager.liquidate("everything", "x", plan_id=plan, actor="ann")
    assert again.liquidation_id == first.liquidation_id
    assert len(world.state.liquidations) == 1


def test_a_retry_whose_first_try_is_over_gets_that_one_and_begins_nothing(foundation):
    world = World(foundation)
    world.hold(KO=100.0)
    plan = world.manager.plan_liquidation("bot:a").plan_id
    words = {"plan_id": plan, "actor": "ann"}
    first = world.manager.liquidate("bot:a", "x", **words)
    world.rounds()
    assert not world.liquidation.is_open
    world.hold(SPY=5.0)
    assert world.manager.liquidate("bot:a", "x", **words).liquidation_id == first.liquidation_id
    for other in ({"reason": "y", **words}, {"reason": "x", "plan_id": plan, "actor": "bob"}):
        with pytest.raises(InvalidRequest, match="PLAN_CHANGED"):
            world.manager.liquidate("bot:a", **other)
    world.clock.advance(301.0)
    with pytest.raises(InvalidRequest, match="PLAN_CHANGED"):
        world.manager.liquidate("bot:a", "x", **words)


def test_targets_and_cuts_that_go_on_are_not_asked_twice(foundation):
    world = World(foundation, Acknowledges)
    world.hold(KO=100.0)
    (key,) = world.state.positions
    closing = world.manager.protocol.closing
    assert [c.quantity for c in closing.begin([CloseIntent(key, -60 * SCALE, "trim")])] == [-60 * SCALE]
    assert [c.quantity for c in closing.begin([CloseIntent(key, -80 * SCALE, "trim")])] == [-20 * SCALE]
    assert closing.begin([CloseIntent(key, -80 * SCALE, "trim")]) == ()
    target = world.manager.liquidate("gross:0.05", "x", actor="ann")  # 10,000 held, 5,000 allowed
    world.rounds(3)
    assert not world.state.liquidations[target.liquidation_id].is_open
    going_on = [one for one in world.state.liquidations.values() if one.is_open]
    assert sum(units for one in going_on for units in one.still_to_cut().values()) == -80 * SCALE


def test_entries_are_cancelled_by_what_is_closed(foundation):
    world = World(foundation)
    world.manager.register_bot("a", "s")
    world.manager.register_bot("b", "s")
    world.hold("a", KO=20.0)
    mine, other = entry(world, "SPY", "a"), entry(world, "KO", "b")
    assert world.manager.plan_liquidation("bot:a").cancels == (mine,)
    world.manager.liquidate("bot:a", "a bad bot", actor="ann")
    world.rounds(2)
    assert set(world.state.reservations) == {other}
    assert [order.client_order_id for order in world.broker.open_orders()] == [other]
    assert not world.liquidation.is_open


def test_of_a_bot_that_holds_nothing_and_of_a_target_entries_go_too(foundation):
    for scope in ("bot:a", "strategy:s", "gross:5.0", "cluster:SPY"):
        world = World(foundation)
        world.manager.register_bot("a", "s")
        entry(world, "SPY", "a")
        world.manager.liquidate(scope, "x", actor="ann")
        assert not world.state.reservations


def test_it_has_not_ended_while_an_entry_still_works_at_the_broker(foundation, monkeypatch):
    world = World(foundation)
    world.manager.register_bot("a", "s")
    world.hold("a", KO=20.0)
    name = entry(world, "SPY", "a")
    monkeypatch.setattr(world.broker, "cancel", world.broker.order)
    world.manager.liquidate("bot:a", "x", actor="ann")
    world.rounds(2)
    assert world.liquidation.is_open
    assert any(f"the entry {name}" in alert.message for alert in world.manager.alert_manager.active)
    monkeypatch.undo()
    world.rounds()
    assert not world.liquidation.is_open


def test_an_entry_on_the_other_side_is_cancelled_where_the_broker_refuses_the_close(foundation):
    world = World(foundation, Rejects)
    world.manager.register_bot("b", "s")
    world.hold("a", KO=20.0)
    world.broker.refused = 3  # the entry itself is let through
    entry(world, "KO", "b")
    world.broker.refused = 0
    world.manager.liquidate("bot:a", "x", actor="ann")
    world.rounds(6)
    assert not world.state.reservations
    assert world.broker.positions() == {}


@pytest.mark.parametrize("small", ["gross:0.5", "cluster:SPY", "cuts"])
def test_a_small_one_that_ends_opens_nothing_that_a_larger_one_holds(foundation, small):
    world = World(foundation)
    world.manager.register_bot("a", "s")
    world.hold(KO=20.0, JPM=10.0)
    world.manager.update_prices({"SPY": 100.0})
    world.broker.set_market("KO", MarketStatus.HALTED)
    world.manager.liquidate("everything", "fraud", actor="ann")
    key = next(key for key in world.state.positions if key.symbol == "JPM")
    if small == "cuts":
        world.manager.protocol.closing.begin([CloseIntent(key, -SCALE, "trim")])
    else:
        world.clock.advance(1.0)
        world.manager.liquidate(small, "y", actor="bob")
    world.rounds(2)
    assert [one.scope for one in world.state.liquidations.values() if one.is_open] == ["everything"]
    (hold,) = world.state.holds.values()
    assert (hold.key, hold.reason) == ((Scope.PORTFOLIO, "", "liquidation"), "everything is closed: fraud")
    assert not opens(world)
    world.broker.set_market("KO", MarketStatus.OPEN)
    world.rounds(2)
    assert not world.state.holds
    assert opens(world)


@pytest.mark.parametrize("scope", ["bot:a", "symbol:KO", "strategy:s"])
def test_active_does_not_open_what_is_being_closed(foundation, scope):
    world = World(foundation)
    world.manager.register_bot("a", "s")
    world.hold(KO=20.0)
    world.broker.set_market("KO", MarketStatus.HALTED)
    world.manager.liquidate(scope, "x", actor="ann")
    kind, _, name = scope.partition(":")
    with pytest.raises(InvalidRequest, match="LIQUIDATION_GOES_ON") as refused:
        world.manager.set_mode(TradingMode.ACTIVE, "resume", scope=Scope(kind), name=name, actor="ann")
    assert world.liquidation.liquidation_id in refused.value.message
    assert holds(world) == {(Scope(kind), name, "liquidation")}
    world.broker.set_market("KO", MarketStatus.OPEN)
    world.rounds(2)
    world.manager.set_mode(TradingMode.ACTIVE, "resume", scope=Scope(kind), name=name, actor="ann")


def test_a_release_does_not_open_while_everything_is_being_closed(foundation):
    world = World(foundation)
    world.manager.register_bot("a", "s")
    world.hold(KO=20.0)
    world.manager.update_prices({"SPY": 100.0})
    world.broker.set_market("KO", MarketStatus.HALTED)
    world.manager.protocol.stop("emergency_drawdown", "system", "25 %")
    assert world.manager.protocol.closing.begin_everything("emergency_drawdown", "25 %")
    said = world.manager.release_emergency("ann", "I looked")
    assert any("still reducing by liquidation" in text for text in said)
    assert not opens(world)


def test_an_account_without_a_broker_is_waited_for_and_told(foundation):
    world = World(foundation)
    world.hold(KO=100.0)
    world.manager.record_cash("deposit", 50_000.0, account_id="second")
    world.manager.update_prices({"SPY": 100.0})
    world.manager.add_position("SPY", 5000.0, 100.0, bot_name="c", account_id="second")
    (left,) = world.manager.plan_liquidation("everything").left
    assert (left.symbol, left.why) == ("SPY", "no_broker")
    closing = world.manager.protocol.closing
    assert closing.begin_everything("emergency_drawdown", "25 %")
    world.rounds(4)
    assert world.broker.positions() == {}
    assert world.liquidation.is_open
    assert not closing.begin_everything("emergency_drawdown", "25 %")
    assert any("account second waits" in alert.message for alert in world.manager.alert_manager.active)
    world.manager.reconcile({}, account_id="second", settle=True, actor="ann")  # it was closed there by hand
    world.rounds()
    assert world.liquidation.outcome.startswith("flat by the broker's own positions")
    assert not world.state.positions


def test_a_bot_is_closed_though_another_holds_the_other_side(foundation):
    """At the broker 100 long and 130 short are 30 short: selling 100 reduces nothing there."""
    world = World(foundation)
    world.hold("a", KO=100.0)
    world.hold("b", KO=-130.0)
    world.manager.liquidate("bot:a", "x", actor="ann")
    world.rounds(3)
    assert not world.liquidation.is_open
    assert [key.bot for key in world.state.positions] == ["b"]
    assert world.broker.positions() == {"KO": -130 * SCALE}


def test_the_stop_of_an_owner_who_is_flat_does_not_stay_for_another_s_position(foundation):
    world = World(foundation)
    world.manager.register_bot("a", "")
    world.hold("a", KO=30.0)
    world.hold("b", KO=50.0)
    ticket = OrderTicket("KO", "sell", 3000, "", "a", request_id="stopKO", reduce_only=True)
    assert world.manager.request_trade(ticket).approved
    world.stop_at_broker("KO", 30.0)
    world.broker.set_market("KO", MarketStatus.AUCTION)
    world.manager.liquidate("bot:a", "x", actor="ann")
    world.rounds(2)
    assert len(world.broker.open_orders()) == 1
    world.broker.set_market("KO", MarketStatus.OPEN)
    world.rounds(2)
    assert world.broker.positions() == {"KO": 50 * SCALE}
    assert not world.broker.open_orders()


def test_a_hedge_of_a_part_is_taken_off_with_what_it_hedged_and_takes_nothing_of_others(foundation):
    world = World(foundation, liquidation_config={"hedge_symbol": "SPY"})
    world.hold("a", AAPL=100.0)
    world.hold("b", SPY=200.0)
    world.broker.set_market("AAPL", MarketStatus.HALTED)
    world.manager.liquidate("bot:a", "x", actor="ann")
    world.rounds(3)
    hedge = {key.bot: p.quantity for key, p in world.state.positions.items() if key.symbol == "SPY"}
    assert hedge["b"] == 200 * SCALE
    assert hedge["system"] < -50 * SCALE
    world.broker.set_market("AAPL", MarketStatus.OPEN)
    world.rounds(3)
    assert world.liquidation.outcome.startswith("done by the broker's own positions")
    assert {key.bot: p.quantity for key, p in world.state.positions.items()} == {"b": 200 * SCALE}
    assert world.broker.positions() == {"SPY": 200 * SCALE}
    assert len(world.liquidation.orders) <= 4


def spy_fills(world):
    return [f for f in world.broker.fills(world.clock.now() - timedelta(days=1)) if f.symbol == "SPY"]


def test_hedges_of_two_liquidations_do_not_trade_against_each_other(foundation):
    """A long and a short wait: one wants SPY sold, the other wants it bought."""
    world = World(foundation, liquidation_config={"hedge_symbol": "SPY"})
    world.hold("a", AAPL=100.0)
    world.hold("c", JPM=-40.0)
    world.manager.update_prices({"SPY": 100.0})
    for symbol in ("AAPL", "JPM"):
        world.broker.set_market(symbol, MarketStatus.HALTED)
    world.manager.liquidate("bot:a", "x", actor="ann")
    world.rounds()
    world.manager.liquidate("bot:c", "x", actor="ann")
    world.rounds(5)
    assert sorted(fill.side for fill in spy_fills(world)) == [-1, 1]
    for symbol in ("AAPL", "JPM"):
        world.broker.set_market(symbol, MarketStatus.OPEN)
    world.rounds(3)
    assert not any(one.is_open for one in world.state.liquidations.values())
    assert not world.state.positions
    assert world.broker.positions() == {}


def test_what_one_liquidation_hedges_another_does_not_hedge_again(foundation):
    world = World(foundation, liquidation_config={"hedge_symbol": "SPY"})
    world.hold("a", AAPL=100.0)
    world.manager.update_prices({"SPY": 100.0})
    world.broker.set_market("AAPL", MarketStatus.HALTED)
    for scope in ("bot:a", "symbol:AAPL", "cluster:AAPL"):
        world.manager.liquidate(scope, "x", actor="ann")
        world.rounds(2)
        assert len(spy_fills(world)) == 1
    world.broker.set_market("AAPL", MarketStatus.OPEN)
    world.rounds(4)
    assert world.broker.positions() == {}
    assert not any(one.is_open for one in world.state.liquidations.values())


def test_a_hedge_that_another_liquidation_closes_is_not_bought_again(foundation):
    world = World(foundation, liquidation_config={"hedge_symbol": "SPY"})
    world.hold("a", AAPL=100.0)
    world.manager.update_prices({"SPY": 100.0})
    world.broker.set_market("AAPL", MarketStatus.HALTED)
    world.manager.liquidate("bot:a", "x", actor="ann")
    world.rounds(2)
    world.manager.liquidate("symbol:SPY", "no SPY", actor="bob")
    world.rounds(5)
    assert len(spy_fills(world)) == 2
    assert world.broker.positions() == {"AAPL": 100 * SCALE}
