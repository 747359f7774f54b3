"""A person ends a liquidation: what works is cancelled first, what is held stays, nothing begins it again."""

from __future__ import annotations

import pytest

from risk_management.core.reduction import CloseIntent
from risk_management.errors import InvalidRequest
from risk_management.model.broker import MarketStatus
from risk_management.model.money import SCALE
from risk_management.tests.integration.liquidation_world import Acknowledges, Deaf, World


def begun(world, scope="everything"):
    return world.manager.liquidate(scope, "a mistake", actor="ann").liquidation_id


def end(world, name, reason="the wrong book"):
    return world.manager.end_liquidation(name, actor="bob", reason=reason)


def test_working_orders_are_cancelled_then_it_has_ended_and_the_book_is_open(foundation):
    world = World(foundation, Acknowledges)
    world.hold(KO=100.0)
    name = begun(world)
    world.rounds()
    assert len(world.broker.open_orders()) == 1
    assert end(world, name).is_open
    assert world.state.holds  # an order still works
    world.rounds(1, seconds=0.0)
    assert not world.broker.open_orders()
    assert world.liquidation.outcome == "ended by bob: the wrong book"
    assert not world.state.holds
    assert not [a for a in world.manager.alert_manager.active if "liquidation" in a.rule_id]
    assert any("the wrong book" in a.message for a in world.manager.alert_manager.history)
    world.rounds(5)
    assert world.broker.positions() == {"KO": 100 * SCALE}
    assert len(world.sent()) == 1


def test_what_waits_for_its_market_is_never_sold_once_it_was_ended(foundation):
    world = World(foundation)
    world.hold(KO=100.0)
    world.broker.set_market("KO", MarketStatus.HALTED)
    name = begun(world)
    world.rounds(2)
    end(world, name)
    world.broker.set_market("KO", MarketStatus.OPEN)
    world.rounds(2)
    assert world.broker.positions() == {"KO": 100 * SCALE}
    assert not world.liquidation.is_open
    assert end(world, name).outcome == "ended by bob: the wrong book"  # once more changes nothing
    assert begun(world) != name  # and it may begin again
    world.rounds()
    assert world.broker.positions() == {}


def test_while_an_order_is_not_cancelled_it_holds_and_people_are_called(foundation):
    world = World(foundation, Deaf)
    world.hold(KO=100.0)
    name = begun(world)
    world.rounds()
    end(world, name)
    world.rounds(4)
    assert world.liquidation.is_open
    assert world.state.holds
    assert any("neither fills nor is cancelled" in a.message for a in world.manager.alert_manager.active)


def test_an_order_that_was_written_and_not_sent_is_not_sent_after_all(foundation, monkeypatch):
    world = World(foundation)
    world.hold(KO=100.0)
    name = begun(world)

    class Crash(BaseException):
        pass

    def fall(_intent):
        raise Crash

    monkeypatch.setattr(world.broker, "submit", fall)
    with pytest.raises(Crash):
        world.rounds()
    monkeypatch.undo()
    end(world, name)
    world.rounds(4)
    assert [order.status for order in world.liquidation.orders] == ["cancelled"]
    assert not world.liquidation.is_open
    assert world.broker.positions() == {"KO": 100 * SCALE}


def test_who_ends_what(foundation):
    world = World(foundation)
    world.hold(KO=100.0)
    name = begun(world)
    for words, code in (
        ({"actor": "", "reason": "x"}, "INVALID_NAME"),
        ({"actor": "bob", "reason": ""}, "INVALID_NAME"),
    ):
        with pytest.raises(InvalidRequest) as refused:
            world.manager.end_liquidation(name, **words)
        assert refused.value.code == code
    with pytest.raises(InvalidRequest, match=f"UNKNOWN_LIQUIDATION.*{name}"):
        end(world, "nothing")
    assert not world.liquidation.stopped_by


def test_without_anybody_at_a_broker_it_ends_at_once(foundation):
    """It began with a broker, and the next process has none."""
    world = World(foundation, Acknowledges)
    world.hold(KO=100.0)
    name = begun(world)
    world.rounds()
    world.manager.protocol.closing.has_broker = False
    assert end(world, name).outcome.endswith("there is no broker; 1 orders may still work")
    assert not world.state.holds


def test_a_row_begins_again_what_a_person_ended_only_when_it_comes_up_anew(foundation):
    world = World(foundation, emergency_config={"rows": [{
        "name": "crowded", "metric": "gross_exposure", "threshold": 0.08, "action": "trim", "amount": 0.05,
    }]})  # fmt: skip
    world.hold(KO=100.0)
    world.broker.set_market("KO", MarketStatus.HALTED)

    def look(price):
        world.clock.advance(60.0)
        world.manager.update_prices({"KO": price})
        world.manager.assess_overall_risk()
        return [one for one in world.state.liquidations.values() if one.cause == "crowded"]

    (one,) = look(100.0)
    end(world, one.liquidation_id)
    world.rounds()
    assert [o.is_open for o in look(101.0)] == [False]
    for price in (97.0, 93.0, 89.0, 85.0, 81.0, 78.0):
        look(price)
    assert [o.is_open for o in look(82.0)] == [False, True]


def test_units_of_a_cut_that_a_person_ends_may_be_cut_by_another(foundation):
    world = World(foundation, Acknowledges)
    world.hold(KO=100.0)
    (key,) = world.state.positions
    closing = world.manager.protocol.closing
    closing.begin([CloseIntent(key, -60 * SCALE, "trim")])
    end(world, world.liquidation.liquidation_id)
    assert [c.quantity for c in closing.begin([CloseIntent(key, -60 * SCALE, "other")])] == [-60 * SCALE]
