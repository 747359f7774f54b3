"""Yahoo: yfinance's own request and parsing, against a server that answers in Yahoo's chart format."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from risk_management.errors import MarketDataError
from risk_management.market_data.returns import build_returns
from risk_management.market_data.yahoo import YahooSource, yahoo_name
from risk_management.tests.market_data._server import serving

yfinance = pytest.importorskip("yfinance", reason="install the extra 'yahoo' to test it")
requests = pytest.importorskip("requests")

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:yfinance", "ignore::FutureWarning:yfinance"
)

NEW_YORK_OPEN = 14 * 3600 + 1800  # 09:30 in winter, in seconds of UTC
DAYS = [datetime(2024, 1, day, tzinfo=UTC) for day in (2, 3, 4, 5)]
CHARTS: dict[str, dict[str, Any]] = {
    "SPY": {"close": [472.65, 468.79, 467.28, 467.92], "adj": [465.0, 461.2, 459.7, 460.3], "kind": "ETF"},
    "AAPL": {"close": [185.64, None, 181.91, 181.18], "adj": [184.7, None, 181.0, 180.3], "kind": "EQUITY"},
    "BTC-USD": {"close": [44957.9, 42848.1, 44179.9, 44162.6], "kind": "CRYPTOCURRENCY"},
    "BAD": {"close": [1.0, -2.0, 3.0, 4.0], "kind": "EQUITY"},
}


def chart(symbol: str) -> dict[str, Any]:
    """What Yahoo's /v8/finance/chart answers, cut to the fields that matter."""
    facts = CHARTS[symbol]
    coin = facts["kind"] == "CRYPTOCURRENCY"
    close = facts["close"]
    meta = {
        "currency": "USD",
        "symbol": symbol,
        "exchangeName": "CCC" if coin else "NMS",
        "instrumentType": facts["kind"],
        "firstTradeDate": 345479400,
        "regularMarketTime": int(DAYS[-1].timestamp()) + 21 * 3600,
        "regularMarketPrice": close[-1],
        "gmtoffset": 0 if coin else -18000,
        "timezone": "UTC" if coin else "EST",
        "exchangeTimezoneName": "UTC" if coin else "America/New_York",
        "priceHint": 2,
        "dataGranularity": "1d",
        "range": "",
        "validRanges": ["1d", "5d", "1mo", "1y", "10y", "max"],
    }
    quote = dict.fromkeys(("open", "high", "low", "close"), close)
    quote["volume"] = [None if one is None else 1000 for one in close]
    stamps = [int(day.timestamp()) + (0 if coin else NEW_YORK_OPEN) for day in DAYS]
    indicators = {"quote": [quote], "adjclose": [{"adjclose": facts.get("adj", close)}]}
    result = {"meta": meta, "timestamp": stamps, "indicators": indicators}
    return {"chart": {"result": [result], "error": None}}


def answer(path: str, query: dict[str, str]) -> tuple[int, object]:
    if path.startswith("/v8/finance/chart/"):
        symbol = path.rpartition("/")[2]
        if symbol in CHARTS:
            return 200, chart(symbol)
        missing = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
        return 404, {"chart": {"result": None, "error": missing}}
    if path.endswith("getcrumb"):
        return 200, "crumb"
    return 404, "nothing here"


@pytest.fixture
def yahoo(tmp_path: Path) -> Iterator[tuple[YahooSource, list[tuple[str, dict[str, str]]]]]:
    """A source whose session sends every host's requests to the local server."""
    yfinance.set_tz_cache_location(str(tmp_path))
    with serving(answer) as (address, seen), requests.Session() as session:

        class Here(requests.adapters.HTTPAdapter):
            def send(self, request: Any, *arguments: Any, **options: Any) -> Any:
                parts = urlsplit(request.url)
                request.url = parts._replace(scheme="http", netloc=urlsplit(address).netloc).geturl()
                return super().send(request, *arguments, **options)

        session.mount("https://", Here())
        yield YahooSource(("SPY", "AAPL", "BTC"), session=session), seen


def test_adjusted_closes_by_the_exchange_s_own_day(yahoo: Any) -> None:
    source, seen = yahoo
    history = source.history()
    assert history.symbols == ("SPY", "AAPL", "BTC")
    assert list(history.dates.astype(str)) == ["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05"]
    np.testing.assert_allclose(history.closes[:, 0], CHARTS["SPY"]["adj"])
    np.testing.assert_allclose(history.closes[:, 1], [184.7, np.nan, 181.0, 180.3])
    np.testing.assert_allclose(history.closes[:, 2], CHARTS["BTC-USD"]["close"])
    assert not history.is_sample
    assert history.as_of is None
    charts = [query for path, query in seen if path.endswith("chart/SPY")]
    assert {"range": "10y", "interval": "1d"}.items() <= charts[-1].items()
    assert build_returns(history, asset_classes={"BTC": "crypto"}).values.shape == (2, 3)


def test_start_and_end_are_both_included(yahoo: Any) -> None:
    source, seen = yahoo
    source.history(["SPY"], start=date(2024, 1, 2), end=date(2024, 1, 5))
    query = next(q for path, q in reversed(seen) if path.endswith("chart/SPY") and "period1" in q)
    new_york = -5 * 3600
    assert int(query["period1"]) + new_york == int(datetime(2024, 1, 2, tzinfo=UTC).timestamp())
    assert int(query["period2"]) + new_york == int(datetime(2024, 1, 6, tzinfo=UTC).timestamp())


def test_unknown_symbols_are_left_out_and_logged(yahoo: Any, caplog: pytest.LogCaptureFixture) -> None:
    source, _ = yahoo
    assert source.history(["SPY", "GONE"]).symbols == ("SPY",)
    assert "yahoo gave no prices for GONE" in caplog.text
    with pytest.raises(MarketDataError, match="no prices for GONE, LOST; check the symbols and the conn"):
        source.history(["GONE", "LOST"])


def test_a_bad_price_is_named(yahoo: Any) -> None:
    with pytest.raises(MarketDataError, match="yahoo, BAD, 2024-01-03, column 'BAD': the price -2"):
        yahoo[0].history(["BAD"])


def test_latest_carries_the_market_s_time(yahoo: Any) -> None:
    assert yahoo[0].latest(["SPY", "GONE"]) == {"SPY": (467.92, datetime(2024, 1, 5, 21, tzinfo=UTC))}


def test_an_unreachable_yahoo_is_an_error_and_no_unknown_symbol(yahoo: Any) -> None:
    source, _ = yahoo

    class Down(requests.adapters.HTTPAdapter):
        def send(self, *_: Any, **__: Any) -> Any:
            raise requests.exceptions.ConnectionError("no route")

    source._session.mount("https://", Down())
    with pytest.raises(MarketDataError, match="no prices for SPY; check the symbols and the connection"):
        source.history(["SPY"])


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (yfinance.exceptions.YFRateLimitError(), "yahoo asks to slow down"),
        (OSError("no route"), "yahoo can't be reached for SPY: no route"),
        (yfinance.exceptions.YFPricesMissingError("SPY", ""), "yahoo gave no prices for SPY"),
    ],
)
def test_what_yfinance_raises_is_told_apart(
    problem: Exception, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raising(*_: object, **__: object) -> None:
        raise problem

    monkeypatch.setattr(yfinance.Ticker, "history", raising)
    with pytest.raises(MarketDataError, match=said):
        YahooSource(("SPY",)).history()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("AAPL", "AAPL"),
        ("BRK.B", "BRK-B"),
        ("BTC", "BTC-USD"),
        ("BTC-USD", "BTC-USD"),
        ("ETH/USDT", "ETH-USD"),
    ],
)
def test_names_at_yahoo(ours: str, theirs: str) -> None:
    assert yahoo_name(ours) == theirs
