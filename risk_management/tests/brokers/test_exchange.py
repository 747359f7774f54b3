"""An exchange through ccxt: its errors, its names, its keys, and orders that are found again."""

from __future__ import annotations

import logging

import pytest

from risk_management.brokers import load_broker
from risk_management.brokers._ccxt_words import Names, as_order
from risk_management.config.risk_config import BrokerConfig
from risk_management.errors import BrokerError, BrokerUnavailable, ConfigurationError, OrderRejected
from risk_management.model.broker import OrderIntent, OrderKind, OrderStatus, TimeInForce
from risk_management.model.instrument import AssetClass, Instrument
from risk_management.model.money import SCALE, to_ledger
from risk_management.tests.brokers import kraken_server
from risk_management.tests.brokers.exchange import MONDAY, Exchange
from risk_management.tests.brokers.worlds import kraken


@pytest.fixture
def world():
    made = kraken()
    yield made
    made.close()


@pytest.fixture
def keys(monkeypatch):
    monkeypatch.setenv("EXCHANGE_API_KEY", kraken_server.KEY)
    monkeypatch.setenv("EXCHANGE_SECRET", kraken_server.SECRET)


def another(world, **words):
    """The same account seen by a process that never heard of it."""
    options = {"exchange": "kraken", "url": world.server.url}
    return load_broker(BrokerConfig(name="ccxt", options=options, **words), world.exchange.around())


def buy(name="buy1", symbol="SOL", units=10.0, **words):
    return OrderIntent(name, symbol, 1, to_ledger(units), reduce_only=False, **words)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("EOrder:Insufficient funds", "INSUFFICIENT_FUNDS"),
        ("EGeneral:Permission denied", "NOT_PERMITTED"),
        ("EOrder:Order minimum not met", "ORDER_TOO_SMALL"),
        ("EOrder:Positions limit exceeded", "BROKER_REFUSED"),
    ],
)
def test_refusals_have_codes(world, words, code):
    world.server.error = words
    with pytest.raises(OrderRejected) as refused:
        world.broker.submit(buy())
    assert refused.value.code == code
    assert words in str(refused.value)


@pytest.mark.parametrize("words", ["EAPI:Rate limit exceeded", "EService:Unavailable", "EService:Busy"])
def test_errors_that_leave_it_open(world, words):
    world.server.error = words
    with pytest.raises(BrokerUnavailable, match="no answer to create_order"):
        world.broker.submit(buy())
    world.server.error = None
    assert world.broker.submit(buy()).filled == 10 * SCALE
    assert world.orders_sent() == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_answers_that_say_nothing(world, status):
    world.server.down = status
    with pytest.raises(BrokerUnavailable):
        world.broker.cash()


def test_an_order_is_found_by_its_id_after_a_restart(world, keys):
    """More has ended since than one page shows."""
    world.broker.submit(buy("first", units=1.0))
    for number in range(60):
        words = {"kind": OrderKind.LIMIT, "limit_price": 50.0, "time_in_force": TimeInForce.GTC}
        world.exchange.engine.submit(
            OrderIntent(f"x{number}", "SOL/USD", 1, SCALE, reduce_only=False, **words)
        )
        world.exchange.engine.cancel(f"x{number}")
    fresh = another(world)
    again = fresh.submit(buy("first", units=1.0))
    assert (again.status, again.filled) == (OrderStatus.FILLED, SCALE)
    assert world.orders_sent() == 61
    assert fresh.order("x3").status is OrderStatus.CANCELLED
    fresh.close()


def test_fills_come_in_pages(world):
    for number in range(60):
        world.exchange.engine.submit(OrderIntent(f"x{number}", "SOL/USD", 1, SCALE // 10, reduce_only=False))
        world.exchange.clock.advance(1.0)
    fills = world.broker.fills(MONDAY)
    assert [fill.client_order_id for fill in fills] == [f"x{number}" for number in range(60)]
    assert sum(f.fee for f in fills) == sum(f.fee for f in world.exchange.engine.fills(MONDAY))


def test_bitcoin_has_another_name_there(world):
    world.exchange.instruments["BTC"] = Instrument("BTC", AssetClass.CRYPTO)
    world.broker.submit(buy(symbol="BTC", units=0.1))
    assert world.broker.positions() == {"BTC": SCALE // 10}
    market = world.broker.market("BTC")
    assert (market.last, market.lot, market.tick) == (20_000.0, 1, 0.01)
    assert market.min_notional == pytest.approx(0.02 * 20_000.0)
    assert market.daily_volume == 5000.0


def test_coins_that_are_no_positions(world, keys):
    world.broker.submit(buy())
    options = {"exchange": "kraken", "url": world.server.url, "ignore": ["SOL"]}
    other = load_broker(BrokerConfig(name="ccxt", options=options), world.exchange.around())
    assert (world.broker.positions(), other.positions()) == ({"SOL": 10 * SCALE}, {})
    other.close()


def test_names():
    markets = {"BTC/USD": {}, "BTC/USDT:USDT": {}, "ETH/BTC": {}, "XBT/USD": {}}
    known = {"BTC-USD": Instrument("BTC-USD", AssetClass.CRYPTO)}
    spot = Names({"GOLD": "ETH/BTC"}, markets, "USD", is_swap=False, instrument=known.get)
    assert spot.there("BTC-USD") == spot.there("BTC") == spot.there("BTC/USD") == "BTC/USD"
    assert spot.there("DOGE") is None
    assert (spot.there("GOLD"), spot.here("ETH/BTC")) == ("ETH/BTC", "GOLD")
    fresh = Names({}, markets, "USD", is_swap=False, instrument=known.get)
    assert (fresh.here("BTC/USD"), fresh.of_coin("SOL"), fresh.here("ETH/BTC")) == (
        "BTC-USD",
        "SOL",
        "ETH/BTC",
    )
    swap = Names({}, markets, "USDT", is_swap=True, instrument=known.get)
    assert swap.there("BTC-USD") == "BTC/USDT:USDT"
    assert swap.here("BTC/USDT:USDT") == "BTC-USD"


def test_an_order_that_closed_before_it_was_full_was_cancelled():
    told = {"id": "1", "status": "closed", "amount": 2.0, "filled": 0.5, "side": "buy", "type": "market"}
    assert as_order(told, "SOL", protects=False).status is OrderStatus.CANCELLED
    told["status"] = None
    assert as_order(told, "SOL", protects=False).status is OrderStatus.UNKNOWN


def test_a_stop_that_opens_is_not_sent(world):
    with pytest.raises(OrderRejected) as refused:
        world.broker.submit(buy(kind=OrderKind.STOP, stop_price=120.0))
    assert refused.value.code == "NOT_SUPPORTED"
    assert world.orders_sent() == 0


def test_wrong_keys_are_told_and_never_shown(world, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("EXCHANGE_API_KEY", "a-wrong-key")
    monkeypatch.setenv("EXCHANGE_SECRET", kraken_server.SECRET)
    broker = another(world)
    with pytest.raises(BrokerError, match="does not accept the keys") as refused:
        broker.cash()
    shown = f"{refused.value}{broker!r}{caplog.text}"
    assert kraken_server.SECRET not in shown
    assert "a-wrong-key" not in shown
    broker.close()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"exchange": "nowhere"}, "knows no exchange 'nowhere'"),
        ({"exchange": "bitvavo"}, "has no paper account"),
        ({"exchange": "kraken", "url": "http://api.kraken.com"}, "https"),
        ({"exchange": "kraken", "apiKey": "x"}, "apiKey"),
        ({}, "exchange"),
    ],
)
def test_settings_that_mean_nothing(keys, options, said):
    with pytest.raises(ConfigurationError, match=said):
        load_broker(BrokerConfig(name="ccxt", options=options), Exchange({}).around())


def test_missing_keys_are_named(monkeypatch):
    monkeypatch.delenv("EXCHANGE_SECRET", raising=False)
    monkeypatch.setenv("EXCHANGE_API_KEY", "x")
    with pytest.raises(ConfigurationError, match="EXCHANGE_SECRET"):
        load_broker(BrokerConfig(name="ccxt", options={"exchange": "kraken"}), Exchange({}).around())
