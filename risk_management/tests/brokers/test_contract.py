"""What every broker does, whoever it is: the same behaviours over all that are registered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import pytest

from risk_management.brokers.registry import BROKERS
from risk_management.errors import BrokerUnavailable, OrderRejected
from risk_management.model.broker import MarketStatus, OrderIntent, OrderKind, OrderStatus, TimeInForce
from risk_management.model.money import SCALE, to_ledger
from risk_management.tests.brokers.exchange import CASH, MONDAY
from risk_management.tests.brokers.worlds import WORLDS, World


def test_every_registered_broker_has_a_world():
    assert set(WORLDS) == set(BROKERS.names())


@pytest.fixture(params=sorted(WORLDS))
def make(request) -> Iterator[Callable[..., World]]:
    made: list[World] = []

    def build(**options: object) -> World:
        made.append(WORLDS[request.param](**options))
        return made[-1]

    yield build
    for world in made:
        world.close()


@pytest.fixture
def world(make) -> World:
    return make()


def buy(world: World, units: float = 10.0, name: str = "buy1", **words: object) -> OrderIntent:
    words.setdefault("reduce_only", False)
    return OrderIntent(name, world.symbol, 1, to_ledger(units), **words)


def sell(world: World, units: float = 10.0, name: str = "sell1", **words: object) -> OrderIntent:
    return OrderIntent(name, world.symbol, -1, to_ledger(units), **words)


def limit(world: World, share: float, **words: object) -> dict[str, object]:
    return {
        "kind": OrderKind.LIMIT,
        "limit_price": world.price * share,
        "time_in_force": TimeInForce.GTC,
        **words,
    }


def stop(world: World, share: float) -> dict[str, object]:
    return {
        "kind": OrderKind.STOP,
        "stop_price": world.price * share,
        "time_in_force": TimeInForce.GTC,
    }


def test_a_fresh_account(world):
    assert world.broker.environment == "paper"
    assert world.broker.positions() == {}
    assert world.broker.cash() == to_ledger(CASH)
    assert list(world.broker.open_orders()) == []
    assert world.broker.order("nobody") is None
    assert world.broker.cancel("nobody") is None
    assert list(world.broker.fills(MONDAY)) == []


def test_what_is_bought_is_held_and_paid(world):
    order = world.broker.submit(buy(world))
    assert order.client_order_id == "buy1"
    done = world.broker.order("buy1")
    assert done.status is OrderStatus.FILLED
    assert (done.symbol, done.side, done.quantity, done.filled) == (world.symbol, 1, 10 * SCALE, 10 * SCALE)
    assert world.broker.positions() == {world.symbol: 10 * SCALE}
    fills = world.broker.fills(MONDAY - timedelta(minutes=1))
    assert sum(f.quantity for f in fills) == 10 * SCALE
    assert {(f.client_order_id, f.symbol, f.side) for f in fills} == {("buy1", world.symbol, 1)}
    assert done.average_price == pytest.approx(world.price, rel=0.01)
    paid = sum(round(f.quantity * f.price) for f in fills) + sum(f.fee for f in fills)
    assert world.broker.cash() == pytest.approx(to_ledger(CASH) - paid, abs=200)  # 2e-6 of money
    assert not done.status.is_open
    assert done.left == 0


def test_the_same_id_is_sent_once(world):
    first = world.broker.submit(buy(world))
    second = world.broker.submit(buy(world))
    assert first.broker_order_id == second.broker_order_id
    assert world.orders_sent() == 1
    assert world.broker.positions() == {world.symbol: 10 * SCALE}


def test_the_same_id_from_many_threads_is_sent_once(world):
    with ThreadPoolExecutor(8) as pool:
        orders = list(pool.map(lambda _: world.broker.submit(buy(world)), range(8)))
    assert len({order.broker_order_id for order in orders}) == 1
    assert world.orders_sent() == 1


def test_an_answer_that_was_lost_is_no_second_order(world):
    with world.lost_answer(), suppress(BrokerUnavailable):  # one that finds it by its id at once says so
        world.broker.submit(buy(world))
    order = world.broker.submit(buy(world))
    assert order.client_order_id == "buy1"
    assert world.orders_sent() == 1
    assert world.broker.positions() == {world.symbol: 10 * SCALE}


def test_an_order_that_works_and_is_cancelled(world):
    order = world.broker.submit(buy(world, **limit(world, 0.5)))
    assert order.status is OrderStatus.ACCEPTED
    (told,) = world.broker.open_orders()
    assert told.client_order_id == "buy1"
    assert (told.kind, told.limit_price, told.left) == (OrderKind.LIMIT, 0.5 * world.price, 10 * SCALE)
    assert not told.is_protective
    assert world.broker.cancel("buy1").status is OrderStatus.CANCELLED
    assert world.broker.order("buy1").status is OrderStatus.CANCELLED
    assert list(world.broker.open_orders()) == []


def test_protective_stops_stay_when_everything_else_is_cancelled(world):
    world.broker.submit(buy(world, name="buy1"))
    world.broker.submit(sell(world, name="stop1", **stop(world, 0.8)))
    world.broker.submit(buy(world, 1.0, name="more", **limit(world, 0.5)))
    told = {order.client_order_id: order for order in world.broker.open_orders()}
    assert set(told) == {"stop1", "more"}
    assert told["stop1"].is_protective
    assert told["stop1"].stop_price == pytest.approx(0.8 * world.price)
    assert world.broker.cancel_all() == ("more",)
    assert [order.client_order_id for order in world.broker.open_orders()] == ["stop1"]
    assert world.broker.cancel_all(protective=True) == ("stop1",)
    assert list(world.broker.open_orders()) == []


def test_a_stop_closes_when_the_price_gets_there(world):
    world.broker.submit(buy(world))
    world.broker.submit(sell(world, name="stop1", **stop(world, 0.9)))
    assert world.broker.positions() == {world.symbol: 10 * SCALE}
    world.exchange.prices[world.symbol_there] = 0.8 * world.price
    assert world.broker.positions() == {}
    done = world.broker.order("stop1")
    assert done.status is OrderStatus.FILLED
    assert done.average_price < 0.81 * world.price  # it fills where the market is, not where it was placed


def test_what_only_reduces_never_opens(world):
    with pytest.raises(OrderRejected) as refused:
        world.broker.submit(sell(world))
    assert refused.value.code == "NOT_REDUCING"
    world.broker.submit(buy(world, 5.0))
    with suppress(OrderRejected):
        world.broker.submit(sell(world, 10.0, name="sell2"))
    assert world.broker.positions() in ({}, {world.symbol: 5 * SCALE})


def test_more_than_the_account_can_pay_is_refused(world):
    with pytest.raises(OrderRejected) as refused:
        world.broker.submit(buy(world, 10_000.0))
    assert refused.value.code == "INSUFFICIENT_FUNDS"
    assert world.broker.positions() == {}


def test_a_symbol_that_is_not_traded_there(world):
    state = world.broker.market("NOPE")
    assert (state.status, state.bid, state.ask, state.last) == (MarketStatus.UNKNOWN, None, None, None)
    with pytest.raises(OrderRejected) as refused:
        world.broker.submit(OrderIntent("o1", "NOPE", 1, SCALE, reduce_only=False))
    assert refused.value.code == "NOT_TRADED"


def test_the_market_is_told(world):
    state = world.broker.market(world.symbol)
    assert state.status is MarketStatus.OPEN
    assert state.bid < world.price < state.ask
    assert 0.0 < state.spread < 0.01
    assert state.lot >= 1
    assert abs(state.as_of - MONDAY) < timedelta(days=1) or state.as_of.tzinfo is not None
    if world.broker.abilities.market_status:
        world.shut(MarketStatus.CLOSED)
        assert world.broker.market(world.symbol).status is MarketStatus.CLOSED
    if world.broker.abilities.halts:
        world.shut(MarketStatus.HALTED)
        assert world.broker.market(world.symbol).status is MarketStatus.HALTED


def test_an_order_that_fills_in_parts(make):
    world = make(partial_rate=1.0)
    world.broker.submit(buy(world, 8.0))
    part = world.broker.order("buy1")
    assert part.status is OrderStatus.PARTIAL
    assert 0 < part.filled < 8 * SCALE
    assert part.left == 8 * SCALE - part.filled
    assert world.broker.positions() == {world.symbol: part.filled}
    (open_one,) = world.broker.open_orders()
    assert open_one.filled == part.filled
    ended = world.broker.cancel("buy1")
    assert (ended.status, ended.filled) == (OrderStatus.CANCELLED, part.filled)


def test_a_broker_that_does_not_answer(world):
    asked = (
        world.broker.positions,
        world.broker.cash,
        world.broker.open_orders,
        lambda: world.broker.submit(buy(world)),
        world.broker.cancel_all,
        lambda: world.broker.order("buy1"),
    )
    with world.outage():
        for call in asked:
            with pytest.raises(BrokerUnavailable):
                call()
    assert world.broker.positions() == {}
    assert world.broker.submit(buy(world)).client_order_id == "buy1"


def test_the_timer_is_the_brokers_or_it_is_none(world):
    world.broker.submit(buy(world, **limit(world, 0.5)))
    assert world.broker.arm_cancel_all(60.0) is world.broker.abilities.cancel_timer
    world.exchange.clock.advance(61.0)
    assert len(world.broker.open_orders()) == (0 if world.broker.abilities.cancel_timer else 1)
