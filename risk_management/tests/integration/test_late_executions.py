"""Executions that a broker tells late, or by a clock behind ours, are booked once, on their owners."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from risk_management.brokers.paper import PaperBroker
from risk_management.integration.broker_link import BrokerLink
from risk_management.model.broker import OrderStatus
from risk_management.model.events import Filled
from risk_management.model.money import SCALE
from risk_management.model.portfolio import EXTERNAL, PositionKey
from risk_management.tests.integration.liquidation_world import FillsTwice, World


class TellsLate(PaperBroker):
    """Its positions and orders are told at once, its executions of our orders later."""

    hides = True
    dear = 0.0

    def fills(self, since):
        told = [f for f in super().fills(since) if not (self.hides and f.client_order_id.startswith("risk"))]
        return [replace(f, price=f.price - self.dear) for f in told]


class Behind(PaperBroker):
    """Its clock is behind ours."""

    def fills(self, since):
        early = timedelta(minutes=1)
        told = [replace(fill, at=fill.at - early) for fill in super().fills(since - early)]
        return [fill for fill in told if fill.at >= since]


def linked(foundation, kind):
    world = World(foundation, kind)
    world.manager.register_bot("a", "s")
    world.hold("a", KO=100.0)
    world.clock.advance(90.0)
    link = BrokerLink(world.manager, world.broker)
    link.step()

    def step(count):
        for _ in range(count):
            world.clock.advance(1.0)
            link.step()
            yield {(key.symbol, key.bot): p.quantity for key, p in world.state.positions.items()}

    return world, step


def test_what_comes_forty_seconds_late_is_booked_once_on_its_bot(foundation):
    world, step = linked(foundation, TellsLate)
    world.manager.liquidate("everything", "x", actor="ann")
    seen = [*step(40)]
    assert {(), (("KO", "a"),)} == {tuple(one) for one in seen}
    assert not world.liquidation.is_open
    assert world.state.bots["a"].record.closed_trades == 1
    before = world.state.cash
    world.broker.hides, world.broker.dear = False, 1.0  # and the executions say 1 less a unit
    for _ in range(2):
        world.runner.round()
        assert not world.state.positions
        assert before - world.state.cash == pytest.approx(100.0, abs=0.01)
    assert world.state.bots["a"].record.closed_trades == 1


def test_a_comparison_takes_no_order_of_ours_for_a_stranger_s(foundation):
    """Told twice, before its execution is: the order may have filled, so it is awaited."""
    world, step = linked(foundation, TellsLate)
    world.manager.liquidate("everything", "x", actor="ann")
    [*step(2)]
    assert world.liquidation.working
    for _ in range(2):
        found = world.manager.reconcile({}, open_orders=[])
        assert (found.awaited, found.adopted, found.breaks) == (("KO",), (), ())
    assert not world.state.holds.get(("symbol", "KO", "reconciliation"))
    world.broker.hides = False
    assert [*step(1)] == [{}]
    assert {key.bot for key in world.state.positions} == set()


def test_a_clock_behind_ours_loses_no_execution(foundation):
    world, step = linked(foundation, Behind)
    world.manager.liquidate("everything", "x", actor="ann")
    assert [*step(2)][-1] == {}
    (order,) = world.liquidation.orders
    assert (order.filled, order.told) == (-100 * SCALE, 0)
    assert world.state.bots["a"].record.closed_trades == 1


def test_what_was_taken_for_a_stranger_s_is_given_back(foundation):
    """A cancelled order fills all the same, the account is compared before its execution is told."""
    world = World(foundation, FillsTwice)
    world.hold(KO=100.0)
    world.manager.liquidate("everything", "x", actor="ann")
    world.rounds(4)
    assert not world.liquidation.is_open
    assert world.broker.order(world.liquidation.orders[0].client_order_id).status is OrderStatus.CANCELLED
    gap = world.state.cash - world.broker.cash() / SCALE
    world.broker.fill_late(world.clock.now())
    world.manager.reconcile({"KO": -100.0})
    assert [key.bot for key in world.state.positions] == [EXTERNAL]
    world.rounds()
    assert {key.bot: p.quantity for key, p in world.state.positions.items()} == {"a": -100 * SCALE}
    assert world.state.cash - world.broker.cash() / SCALE == pytest.approx(gap, abs=1e-6)
    world.rounds()
    assert sum(p.quantity for p in world.state.positions.values()) == -100 * SCALE


def test_a_fill_beside_others_closes_nothing_of_theirs(make_manager):
    manager, clock = make_manager()
    manager.add_position("KO", 600.0, 60.0, "s", bot_name="a")
    key = PositionKey("main", "KO", "", "system")
    words = {"final": True, "used_opening": 0, "used_closing": 0, "used_quantity": 0, "fee": 0}
    facts = {"key": key, "quantity": -4 * SCALE, "cost": -240 * SCALE, **words}
    manager.book.apply(Filled(clock.now(), "system", "r", "x", beside=True, **facts))
    assert {k.bot: p.quantity for k, p in manager.state.positions.items()} == {
        "a": 10 * SCALE,
        "system": -4 * SCALE,
    }
