"""Alpaca's own ways: its words, its errors, its names, its keys."""

from __future__ import annotations

import json
import logging
import socket
import warnings
from decimal import Decimal

import pytest

from risk_management.brokers import load_broker
from risk_management.brokers._alpaca_words import Symbols
from risk_management.brokers._amounts import as_text, on_tick
from risk_management.config.risk_config import BrokerConfig
from risk_management.errors import BrokerError, BrokerUnavailable, ConfigurationError, OrderRejected
from risk_management.model.broker import OrderIntent, OrderKind, OrderStatus, TimeInForce
from risk_management.model.instrument import AssetClass, Instrument
from risk_management.model.money import SCALE, to_ledger
from risk_management.tests.brokers import alpaca_server
from risk_management.tests.brokers.exchange import MONDAY, Exchange
from risk_management.tests.brokers.local_server import Answer
from risk_management.tests.brokers.worlds import alpaca


@pytest.fixture
def world():
    made = alpaca()
    yield made
    made.close()


def buy(name="buy1", symbol="SPY", units=10.0, **words):
    return OrderIntent(name, symbol, 1, to_ledger(units), reduce_only=False, **words)


def test_the_local_server_speaks_alpacas_words(world):
    """Oracle: the models of Alpaca's own library take every answer."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of what that library stands on
        import alpaca.data.models as data  # noqa: PLC0415
        import alpaca.trading.models as oracle  # noqa: PLC0415
    server = world.server
    world.broker.submit(buy())
    world.broker.submit(buy("buy2", kind=OrderKind.LIMIT, limit_price=50.0, time_in_force=TimeInForce.GTC))
    for order in server.everything():
        assert oracle.Order(**server.order(order)).client_order_id == order.client_order_id
    assert oracle.TradeAccount(**server.account()).cash == as_text(world.exchange.engine.cash())
    positions = server.engine.positions()
    assert oracle.Position(**{**position_extras(), **server.position("SPY", positions["SPY"])}).qty == "10"
    assert oracle.Clock(**server.clock()).is_open
    assert oracle.Asset(**server.asset("BTC/USD")).fractionable
    (fill,) = server.engine.fills(MONDAY)
    assert oracle.TradeActivity(account_id=server.account()["id"], **server.activity(fill)).qty == 10.0
    assert data.Snapshot("SPY", server.snapshot("SPY")).latest_quote.bid_price == pytest.approx(99.975)


def position_extras():
    """Fields that Alpaca sends and nobody here reads."""
    names = ("unrealized_pl", "unrealized_plpc", "unrealized_intraday_pl", "unrealized_intraday_plpc")
    return dict.fromkeys((*names, "lastday_price", "change_today"), "0")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 302])
def test_answers_that_say_nothing(world, status):
    world.server.down = status
    with pytest.raises(BrokerUnavailable, match="Alpaca"):
        world.broker.positions()


def test_an_answer_that_is_no_json(world):
    world.server.garbage = True
    with pytest.raises(BrokerUnavailable, match="than JSON"):
        world.broker.cash()


def test_an_answer_without_its_fields(world):
    world.server.account = lambda: {"cash": "many"}
    with pytest.raises(BrokerUnavailable, match="not understood: Account cash"):
        world.broker.cash()


def test_a_broker_that_takes_the_order_and_never_answers(monkeypatch):
    """The order is looked for by its id, and found."""
    exchange = Exchange({"SPY": 100.0})
    server = alpaca_server.AlpacaServer(exchange)
    server.lose = {"/v2/orders"}
    broker = made(monkeypatch, server.url)
    order = broker.submit(buy())
    assert (order.status, order.filled) == (OrderStatus.FILLED, 10 * SCALE)
    assert len(server.everything()) == 1
    broker.close()
    server.close()


def test_a_broker_that_is_not_there(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        broker = made(monkeypatch, f"http://127.0.0.1:{taken.getsockname()[1]}", timeout=0.5)
        with pytest.raises(BrokerUnavailable, match="ConnectError"):
            broker.cash()
        broker.close()


def made(monkeypatch, url, *, timeout=5.0, symbols=None, exchange=None):
    monkeypatch.setenv("ALPACA_API_KEY", alpaca_server.KEY)
    monkeypatch.setenv("ALPACA_SECRET_KEY", alpaca_server.SECRET)
    options = {"url": url, "data_url": url}
    settings = BrokerConfig(name="alpaca", timeout=timeout, symbols=symbols or {}, options=options)
    return load_broker(settings, (exchange or Exchange({})).around())


@pytest.mark.parametrize(
    ("status", "message", "code"),
    [
        (403, "insufficient buying power", "INSUFFICIENT_FUNDS"),
        (403, "insufficient qty available for order (requested: 10, available: 0)", "INSUFFICIENT_FUNDS"),
        (422, 'asset "SPY" not found', "NOT_TRADED"),
        (422, "asset SPY is not tradable", "NOT_TRADED"),
        (403, "trade denied due to pattern day trading protection", "NOT_PERMITTED"),
        (403, "account is not allowed to short", "NOT_PERMITTED"),
        (422, "cost basis must be >= minimal amount of order 1", "ORDER_TOO_SMALL"),
        (422, "a reason that nobody thought of", "BROKER_REFUSED"),
    ],
)
def test_refusals_have_codes(world, status, message, code):
    def refuse(_body):
        raise Answer(status, {"code": 40310000, "message": message})

    world.server.submit = refuse
    with pytest.raises(OrderRejected) as refused:
        world.broker.submit(buy())
    assert refused.value.code == code
    assert message in str(refused.value)


def test_wrong_keys_are_told_and_never_shown(monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    server = alpaca_server.AlpacaServer(Exchange({"SPY": 100.0}))
    monkeypatch.setenv("ALPACA_API_KEY", alpaca_server.KEY)
    monkeypatch.setenv("ALPACA_SECRET_KEY", "another-s3cr3t")
    options = {"url": server.url, "data_url": server.url}
    broker = load_broker(BrokerConfig(name="alpaca", options=options), Exchange({}).around())
    with pytest.raises(BrokerError, match="does not accept the keys") as refused:
        broker.cash()
    shown = f"{refused.value}{broker!r}{vars(broker)}{caplog.text}"
    assert "another-s3cr3t" not in shown
    assert alpaca_server.KEY not in shown
    broker.close()
    server.close()


def test_missing_keys_are_named(monkeypatch):
    monkeypatch.delenv("ALPACA_API_KEY", raising=False)
    with pytest.raises(ConfigurationError, match="ALPACA_API_KEY"):
        load_broker(BrokerConfig(name="alpaca"), Exchange({}).around())


@pytest.mark.parametrize("url", ["http://api.alpaca.markets", "ftp://127.0.0.1", "http://169.254.169.254"])
def test_keys_travel_encrypted_or_not_at_all(monkeypatch, url):
    with pytest.raises(ConfigurationError, match="https"):
        made(monkeypatch, url)


def test_live_and_paper_have_their_own_addresses(monkeypatch):
    monkeypatch.setenv("ALPACA_API_KEY", "k")
    monkeypatch.setenv("ALPACA_SECRET_KEY", "s")
    for environment, host in (("paper", "paper-api.alpaca.markets"), ("live", "//api.alpaca.markets")):
        settings = BrokerConfig(name="alpaca", environment=environment)
        broker = load_broker(settings, Exchange({}).around())
        assert host in broker._url
        assert broker.environment == environment
        broker.close()


def test_orders_and_fills_come_in_pages(world, monkeypatch):
    monkeypatch.setattr("risk_management.brokers.alpaca.PAGE", 2)
    monkeypatch.setattr("risk_management.brokers.alpaca.FILL_PAGE", 2)
    for number in range(5):
        world.broker.submit(buy(f"o{number}", units=1.0))
        words = {"kind": OrderKind.LIMIT, "limit_price": 50.0, "time_in_force": TimeInForce.GTC}
        world.broker.submit(buy(f"l{number}", units=1.0, **words))
        world.exchange.clock.advance(1.0)
    assert [o.client_order_id for o in world.broker.open_orders()] == [f"l{n}" for n in range(5)]
    assert [f.client_order_id for f in world.broker.fills(MONDAY)] == [f"o{n}" for n in range(5)]


def test_coins_have_their_pairs_there_and_their_names_here(monkeypatch):
    exchange = Exchange({"BTC/USD": 20_000.0})
    server = alpaca_server.AlpacaServer(exchange)
    exchange.instruments["BTC"] = Instrument("BTC", AssetClass.CRYPTO)
    broker = made(monkeypatch, server.url, exchange=exchange)
    assert broker.submit(buy(symbol="BTC", units=0.0123)).symbol == "BTC"
    assert broker.positions() == {"BTC": to_ledger(0.0123)}
    market = broker.market("BTC")
    assert (market.lot, market.daily_volume) == (10_000, 1_234_567)
    fresh = made(monkeypatch, server.url, exchange=exchange)  # one that never heard of it
    assert fresh.positions() == {"BTC": to_ledger(0.0123)}
    assert [f.symbol for f in fresh.fills(MONDAY)] == ["BTC"]
    for one in (broker, fresh):
        one.close()
    server.close()


def test_names():
    known = {"BRK-B": Instrument("BRK-B"), "ETH": Instrument("ETH", AssetClass.CRYPTO)}
    symbols = Symbols({"GOLD": "GLD"}, known.get)
    pairs = [("BRK-B", "BRK.B", "us_equity"), ("GOLD", "GLD", "us_equity"), ("SPY", "SPY", "us_equity")]
    for here, there, kind in (*pairs, ("ETH", "ETH/USD", "crypto")):
        assert symbols.there(here) == there
        assert Symbols({"GOLD": "GLD"}, known.get).here(there.replace("/", ""), kind) == here
    assert symbols.here("SOLUSD", "crypto") == "SOL/USD"


def test_an_order_that_reduces_is_cut_to_what_is_held(world):
    world.broker.submit(buy(units=5.0))
    done = world.broker.submit(OrderIntent("s1", "SPY", -1, 10 * SCALE))
    assert done.filled == 5 * SCALE
    assert world.broker.positions() == {}


def test_a_word_that_nobody_knows_may_still_work(world):
    row = world.server.order

    def odd(order):
        return {**row(order), "status": "calculated"}

    world.broker.submit(buy(kind=OrderKind.LIMIT, limit_price=50.0, time_in_force=TimeInForce.GTC))
    world.server.order = odd
    order = world.broker.order("buy1")
    assert order.status is OrderStatus.UNKNOWN
    assert order.status.is_open
    assert order.left == 10 * SCALE


def test_prices_never_get_worse_on_their_way_to_the_grid():
    assert on_tick(100.019, Decimal("0.01"), 1) == Decimal("100.01")
    assert on_tick(100.011, Decimal("0.01"), -1) == Decimal("100.02")
    assert on_tick(0.1, Decimal("0.0001"), 1) == Decimal("0.1000")


def test_amounts_are_plain_digits():
    assert [as_text(n) for n in (1, SCALE, 150_000_000, 10**17)] == ["0.00000001", "1", "1.5", "1000000000"]
    assert json.dumps(as_text(12 * SCALE)) == '"12"'
