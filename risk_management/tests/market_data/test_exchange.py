"""A crypto exchange: ccxt's own requests and parsing, against a server in Binance's format."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from risk_management.errors import MarketDataError
from risk_management.market_data.exchange import ExchangeSource
from risk_management.tests.market_data._server import serving

ccxt = pytest.importorskip("ccxt", reason="install the extra 'exchange' to test it")

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
COUNT = 25
BASE = {"BTCUSDT": 44000.0, "ETHUSDC": 2300.0, "BADUSDT": -1.0}


def bars(symbol: str) -> list[list[object]]:
    """Klines: open time, open, high, low, close, volume, close time, ..."""
    made: list[list[object]] = []
    for day in range(COUNT):
        opened = int((FIRST + timedelta(days=day)).timestamp() * 1000)
        price = str(BASE[symbol] + day)
        made.append([opened, price, price, price, price, "1.0", opened + 86_399_999, "1.0", 9, "1", "1", "0"])
    return made


def market(symbol: str, base: str, quote: str) -> dict[str, object]:
    filters = [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001"},
    ]
    return {
        "symbol": symbol,
        "status": "TRADING",
        "baseAsset": base,
        "baseAssetPrecision": 8,
        "quoteAsset": quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": ["LIMIT", "MARKET"],
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": filters,
        "permissions": ["SPOT"],
        "permissionSets": [["SPOT"]],
    }


def answer(path: str, query: dict[str, str]) -> tuple[int, object]:
    if path.endswith("/exchangeInfo"):
        pairs = [("BTCUSDT", "BTC", "USDT"), ("ETHUSDC", "ETH", "USDC"), ("BADUSDT", "BAD", "USDT")]
        return 200, {"timezone": "UTC", "serverTime": 1, "symbols": [market(*pair) for pair in pairs]}
    if path.endswith("/klines"):
        since = int(query["startTime"])
        fitting = [bar for bar in bars(query["symbol"]) if int(str(bar[0])) >= since]
        return 200, fitting[: int(query["limit"])]
    if path.endswith("/ticker/24hr") or path.endswith("/ticker"):
        closed = int(datetime(2024, 1, 25, 12, tzinfo=UTC).timestamp() * 1000)
        return 200, {"symbol": query["symbol"], "lastPrice": "44024.5", "closeTime": closed}
    return 418, {"code": -1003, "msg": "no such path"}


@pytest.fixture
def binance() -> Iterator[tuple[Any, list[tuple[str, dict[str, str]]]]]:
    with serving(answer) as (address, seen):
        client = ccxt.binance({"options": {"fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False}})
        client.urls["api"] = {name: f"{address}/{name}" for name in client.urls["api"]}
        client.enableRateLimit = False
        yield client, seen
        client.session.close()


def test_pages_until_nothing_new_comes(binance: Any) -> None:
    client, seen = binance
    source = ExchangeSource("binance", ("BTC", "ETH"), client=client, page=10)
    history = source.history(start=date(2024, 1, 1))
    assert history.symbols == ("BTC", "ETH")
    assert history.closes.shape == (COUNT, 2)
    np.testing.assert_array_equal(history.closes[:, 0], 44000.0 + np.arange(COUNT))
    assert str(history.dates[0]) == "2024-01-01"
    assert history.info["ETH"].series == "ETH/USDC daily close on binance"
    pages = [q for path, q in seen if path.endswith("/klines") and q["symbol"] == "BTCUSDT"]
    assert [q["limit"] for q in pages] == ["10"] * 4
    assert pages[0]["interval"] == "1d"
    starts = [int(q["startTime"]) for q in pages]
    assert starts == sorted(set(starts))


def test_the_end_is_included_and_nothing_later_fetched(binance: Any) -> None:
    client, seen = binance
    source = ExchangeSource("binance", client=client, page=10)
    history = source.history(["BTC"], start=date(2024, 1, 1), end=date(2024, 1, 12))
    assert str(history.dates[-1]) == "2024-01-12"
    assert sum(path.endswith("/klines") for path, _ in seen) == 2


@pytest.mark.parametrize("name", ["BTC", "BTC/USDT", "BTC-USD"])
def test_a_coin_or_a_pair(binance: Any, name: str) -> None:
    source = ExchangeSource("binance", client=binance[0])
    assert source.history([name], start=date(2024, 1, 20)).symbols == (name,)
    assert source.latest([name, "NOPE"]) == {name: (44024.5, datetime(2024, 1, 25, 12, tzinfo=UTC))}


def test_unknown_coins_are_left_out_and_logged(binance: Any, caplog: pytest.LogCaptureFixture) -> None:
    source = ExchangeSource("binance", client=binance[0])
    assert source.history(["BTC", "NOPE"], start=date(2024, 1, 1)).symbols == ("BTC",)
    assert "binance has no market for NOPE" in caplog.text
    with pytest.raises(MarketDataError, match="binance gave no daily prices"):
        source.history(["NOPE"])


def test_failures_say_what_was_at_work(binance: Any) -> None:
    source = ExchangeSource("binance", client=binance[0])
    with pytest.raises(MarketDataError, match="binance, BAD/USDT, 2024-01-01, column 'BAD': the price -1"):
        source.history(["BAD"], start=date(2024, 1, 1))
    client = ccxt.binance({"options": {"fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False}})
    client.urls["api"] = dict.fromkeys(client.urls["api"], "http://127.0.0.1:9")
    with pytest.raises(MarketDataError, match="binance: load_markets failed with"):
        ExchangeSource("binance", client=client).history(["BTC"])
    client.session.close()
    with pytest.raises(MarketDataError, match="ccxt knows no exchange 'nope'"):
        ExchangeSource("nope")
