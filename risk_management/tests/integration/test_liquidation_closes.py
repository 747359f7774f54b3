"""Closes that bots asked for beside a liquidation: the same units are traded once."""

from __future__ import annotations

import pytest

from risk_management.brokers.paper import PaperBroker
from risk_management.core.order_desk import OrderTicket
from risk_management.core.reduction import CloseIntent
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import OrderRejected, shown
from risk_management.integration.broker_link import BrokerLink
from risk_management.model.broker import OrderIntent, OrderKind
from risk_management.model.money import SCALE, to_ledger
from risk_management.model.portfolio import ReservationStatus, TradingMode
from risk_management.tests.integration.liquidation_world import Acknowledges, World


class HoldsUnits(PaperBroker):
    """Refuses a sale beside another one that works: it holds the units."""

    def submit(self, intent):
        if any(order.symbol == intent.symbol and order.side == intent.side for order in self.open_orders()):
            raise OrderRejected("BROKER_REFUSED", "insufficient quantity available")
        return super().submit(intent)


class DeafToBots(PaperBroker):
    """Cancels no order of a bot."""

    def cancel(self, client_order_id):
        return self.order(client_order_id)


def ask(world, name, money, bot="a"):
    return world.manager.request_trade(
        OrderTicket("KO", "sell", money, "", bot, request_id=name, reduce_only=True)
    )


def works(world, name, units):
    """A limit far above the market, under the id of an approval."""
    intent = OrderIntent(name, "KO", -1, to_ledger(units), OrderKind.LIMIT, limit_price=150.0)
    PaperBroker.submit(world.broker, intent)


def held_by_a(foundation, kind=PaperBroker):
    world = World(foundation, kind)
    world.manager.register_bot("a", "")
    world.hold("a", KO=10.0)
    return world


@pytest.mark.parametrize("scope", ["bot:a", "symbol:KO", "everything"])
@pytest.mark.parametrize("is_sent", [False, True])
@pytest.mark.parametrize("bot", ["a", None])
def test_an_approved_close_goes_when_a_liquidation_sells_its_units(foundation, scope, is_sent, bot):
    world = held_by_a(foundation)
    assert ask(world, "close", 1000.0, bot).approved
    if is_sent:
        works(world, "close", 10.0)
    world.manager.liquidate(scope, "x", actor="ann")
    world.rounds(2)
    assert not world.liquidation.is_open
    assert world.broker.positions() == {}
    assert not world.broker.open_orders()
    assert not world.state.reservations
    assert world.state.settled["close"].status is ReservationStatus.CANCELLED


def test_a_close_that_fits_beside_a_cut_stands(foundation):
    world = held_by_a(foundation)
    assert ask(world, "close", 500.0).approved
    (key,) = world.state.positions
    world.manager.protocol.closing.begin([CloseIntent(key, -4 * SCALE, "trim")])
    world.rounds(2)
    assert world.broker.positions() == {"KO": 6 * SCALE}
    assert list(world.state.reservations) == ["close"]


def test_a_close_that_is_asked_beside_a_working_order_is_judged_on_what_is_left(foundation):
    world = held_by_a(foundation, Acknowledges)
    (key,) = world.state.positions
    world.manager.protocol.closing.begin([CloseIntent(key, -4 * SCALE, "trim")])
    world.rounds(1)
    decision = ask(world, "some", 1000.0)
    assert decision.closing_size == pytest.approx(600.0)
    assert "NOTHING_TO_CLOSE" in ask(world, "more", 1000.0).rejection_reasons


def test_a_close_that_the_broker_does_not_cancel_is_waited_for(foundation):
    world = held_by_a(foundation, DeafToBots)
    assert ask(world, "close", 1000.0).approved
    works(world, "close", 10.0)
    world.manager.liquidate("bot:a", "x", actor="ann")
    world.rounds(3)
    assert not world.sent()
    waits = [alert.message for alert in world.manager.alert_manager.active if "waits" in alert.message]
    assert any("the close close of a works at the broker" in text for text in waits)


def test_an_order_of_a_stranger_that_holds_the_units_gives_way(foundation):
    world = held_by_a(foundation, HoldsUnits)
    works(world, "byhand", 10.0)
    world.manager.liquidate("bot:a", "x", actor="ann")
    world.rounds(3)
    assert world.broker.positions() == {}
    assert not world.broker.open_orders()


def test_without_a_broker_an_approved_close_goes_with_what_it_closes(foundation):
    manager = AdvancedRiskManager.on(foundation)
    manager.update_prices({"KO": 100.0})
    manager.register_bot("a", "")
    manager.add_position("KO", 1000.0, 100.0, bot_name="a")
    ticket = OrderTicket("KO", "sell", 1000.0, "", "a", request_id="close", reduce_only=True)
    assert manager.request_trade(ticket).approved
    manager.liquidate("bot:a", "x", actor="ann")
    assert not manager.state.positions
    assert not manager.state.reservations


class HoldsAnOddName(PaperBroker):
    """Its account holds a name that is no symbol here, and it refuses to speak of its market."""

    odd = "AAPL  260116C00150000"

    def positions(self):
        return {**super().positions(), **({self.odd: SCALE} if self.odd else {})}

    def market(self, symbol):
        if symbol == self.odd:
            raise OrderRejected("BROKER_REFUSED", "an option")
        return super().market(symbol)


@pytest.mark.parametrize("name", [HoldsAnOddName.odd, "币安人生", "X" * 80, "<b>"])
def test_a_name_that_is_no_symbol_stops_no_closing_and_is_told(foundation, name):
    world = held_by_a(foundation, HoldsAnOddName)
    world.broker.odd = name
    world.manager.liquidate("bot:a", "x", actor="ann")
    world.rounds(2)
    assert not world.liquidation.is_open
    assert PaperBroker.positions(world.broker) == {}
    assert world.state.mode is TradingMode.REDUCING
    said = [alert.message for alert in world.manager.alert_manager.active]
    assert [shown(name) in text for text in said] == [True]


def test_everything_is_not_called_flat_while_a_name_that_is_no_symbol_is_held(foundation):
    world = held_by_a(foundation, HoldsAnOddName)
    link = BrokerLink(world.manager, world.broker)
    world.manager.liquidate("everything", "x", actor="ann")
    for _ in range(3):
        link.step()
        world.clock.advance(31.0)
    assert PaperBroker.positions(world.broker) == {}
    assert world.liquidation.is_open
    said = " ".join(alert.message for alert in world.manager.alert_manager.active)
    assert "liquidation of everything waits: the broker holds 'AAPL  260116C00150000'" in said
    world.broker.odd = ""
    link.compare()
    link.step()
    assert world.liquidation.outcome.startswith("flat")
    assert not any(hold.cause == "reconciliation" for hold in world.state.holds.values())
