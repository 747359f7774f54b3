"""Daily closes from a crypto exchange, through ccxt. Needs a network and the extra ``exchange``."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time
from typing import Any

import numpy as np

from risk_management.errors import MarketDataError, MissingExtra
from risk_management.market_data._series import Days, Floats, checked_closes, checked_dates, join, select
from risk_management.model.market import PriceHistory, SeriesInfo

__all__ = ["ExchangeSource"]

logger = logging.getLogger(__name__)

_DAY = 86_400_000  # milliseconds
_QUOTES = ("USDT", "USD", "USDC")


class ExchangeSource:
    """Serves daily closes at midnight UTC.

    Parameters
    ----------
    exchange : str
        Name of the exchange in ccxt's words, such as ``kraken``.
    symbols : sequence of str
        What `history` serves when it is not told. A coin is looked up against USDT, USD and USDC; a pair
        such as ``ETH/BTC`` is taken as it is.
    start : date
        First day where `history` is not told one.
    page : int
        Bars a request.
    client : object, optional
        A client of ccxt made by the caller; `exchange` is then only its name.

    Raises
    ------
    MissingExtra
        ccxt is not installed.
    MarketDataError
        ccxt knows no such exchange.
    """

    name = "exchange"
    is_sample = False

    def __init__(
        self,
        exchange: str,
        symbols: Sequence[str] = ("BTC", "ETH"),
        *,
        start: date = date(2018, 1, 1),
        page: int = 500,
        client: object | None = None,
    ) -> None:
        self._ccxt = _ccxt()
        if client is None and exchange not in self._ccxt.exchanges:
            raise MarketDataError(f"ccxt knows no exchange {exchange!r}; correct market_data_config.exchange")
        self._client: Any = client or getattr(self._ccxt, exchange)({"enableRateLimit": True})
        self._exchange = exchange
        self._symbols = tuple(dict.fromkeys(symbols))
        self._start = start
        self._page = page

    def history(
        self,
        symbols: Sequence[str] | None = None,
        start: date | None = None,
        end: date | None = None,
    ) -> PriceHistory:
        """Daily closes, dated by the day in UTC; symbols that the exchange lacks are left out and logged.

        Raises
        ------
        MarketDataError
            The exchange failed, or has none of the symbols.
        """
        series, info = {}, {}
        for symbol in self._symbols if symbols is None else dict.fromkeys(symbols):
            market = self._market(symbol)
            if market is None:
                continue
            bars = list(self._bars(market, start or self._start, end))
            if bars:
                series[symbol] = _closes(f"{self._exchange}, {market}", symbol, bars)
                info[symbol] = SeriesInfo(symbol, "exchange", f"{market} daily close on {self._exchange}")
        if not series:
            raise MarketDataError(f"{self._exchange} gave no daily prices; check the symbols and the dates")
        return select(join(series, info, "exchange"), end=end)

    def latest(self, symbols: Sequence[str]) -> dict[str, tuple[float, datetime]]:
        """Last trade and its moment; symbols without one are left out."""
        found = {}
        for symbol in symbols:
            market = self._market(symbol)
            quote = self._call("fetch_ticker", market) if market else {}
            if quote.get("last") and quote.get("timestamp"):
                found[symbol] = (float(quote["last"]), _moment(quote["timestamp"]))
        return found

    def _market(self, symbol: str) -> str | None:
        """The exchange's pair for a symbol, None where there is none."""
        markets = self._call("load_markets")
        coin = symbol.removesuffix("-USD")
        for name in (symbol, *(f"{coin}/{quote}" for quote in _QUOTES)):
            if name in markets:
                return name
        logger.warning("%s has no market for %s", self._exchange, symbol)
        return None

    def _bars(self, market: str, start: date, end: date | None) -> Iterator[list[float]]:
        """Bars from `start` on, page after page, until the exchange has no newer one."""
        since = _stamp(start)
        last = _stamp(end) if end is not None else None
        while last is None or since <= last:
            page = self._call("fetch_ohlcv", market, "1d", since, self._page)
            fresh = [bar for bar in page if bar[0] >= since]
            if not fresh:
                return
            yield from fresh
            since = int(fresh[-1][0]) + _DAY

    def _call(self, method: str, *arguments: object) -> Any:
        try:
            return getattr(self._client, method)(*arguments)
        except self._ccxt.BaseError as problem:
            raise MarketDataError(
                f"{self._exchange}: {method} failed with {type(problem).__name__}: {problem}"
            ) from problem


def _closes(source: str, symbol: str, bars: list[list[float]]) -> tuple[Days, Floats]:
    days = np.array([int(bar[0]) // _DAY for bar in bars], "datetime64[D]")

    def place(row: int) -> str:
        return f"{source}, {days[row]}"

    return checked_dates(days, place), checked_closes([bar[4] for bar in bars], symbol, place)


def _stamp(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp() * 1000)


def _moment(milliseconds: float) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _ccxt() -> Any:
    try:
        return importlib.import_module("ccxt")
    except ImportError as problem:
        raise MissingExtra(
            "the source 'exchange' needs ccxt; install the extra: pip install 'risk-management[exchange]'"
        ) from problem
