"""Daily closes from Yahoo, through yfinance. Needs a network and the extra ``yahoo``."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np

from risk_management.errors import MarketDataError, MissingExtra
from risk_management.market_data._series import checked_closes, checked_dates, join
from risk_management.market_data.instruments import load_instrument_facts
from risk_management.model.market import PriceHistory, SeriesInfo

__all__ = ["YahooSource", "yahoo_name"]

logger = logging.getLogger(__name__)


def yahoo_name(symbol: str) -> str:
    """Yahoo's name of a symbol: ``BTC`` is ``BTC-USD`` there, ``BRK.B`` is ``BRK-B``."""
    facts = load_instrument_facts().get(symbol)
    if facts is not None and facts.asset_class == "crypto" and "-" not in symbol:
        return f"{symbol.partition('/')[0]}-USD"
    return symbol.replace(".", "-")


class YahooSource:
    """Serves closes adjusted for splits and dividends.

    Parameters
    ----------
    symbols : sequence of str
        What `history` serves when it is not told.
    names : Mapping of str to str, optional
        Yahoo's names of symbols where `yahoo_name` would be wrong.
    period : str
        How far back without a start, in Yahoo's words.
    session : object, optional
        A session of requests or curl_cffi, for a proxy of one's own.

    Raises
    ------
    MissingExtra
        yfinance is not installed.
    """

    name = "yahoo"
    is_sample = False

    def __init__(
        self,
        symbols: Sequence[str] = ("SPY", "QQQ"),
        *,
        names: Mapping[str, str] | None = None,
        period: str = "10y",
        session: object | None = None,
    ) -> None:
        self._library = _yfinance()
        self._symbols = tuple(dict.fromkeys(symbols))
        self._names = dict(names or {})
        self._period = period
        self._session = session

    def history(
        self,
        symbols: Sequence[str] | None = None,
        start: date | None = None,
        end: date | None = None,
    ) -> PriceHistory:
        """Adjusted closes; symbols that Yahoo does not know are left out and logged.

        Raises
        ------
        MarketDataError
            Yahoo gave prices for none of the symbols, or prices that are none.
        """
        wanted = self._symbols if symbols is None else tuple(dict.fromkeys(symbols))
        span = self._span(start, end)
        series, info = {}, {}
        for symbol in wanted:
            frame, _ = self._fetch(symbol, auto_adjust=True, actions=False, **span)
            if frame is None or frame.empty:
                logger.warning("yahoo gave no prices for %s", symbol)
                continue
            series[symbol] = _closes(symbol, frame)
            info[symbol] = SeriesInfo(symbol, "yahoo", f"{self._name(symbol)} adjusted close")
        if not series:
            raise MarketDataError(
                f"yahoo gave no prices for {', '.join(wanted)}; check the symbols and the connection"
            )
        return join(series, info, "yahoo")

    def latest(self, symbols: Sequence[str]) -> dict[str, tuple[float, datetime]]:
        """Last regular price and its moment; symbols that Yahoo does not know are left out."""
        found = {}
        for symbol in symbols:
            _, about = self._fetch(symbol, period="5d")
            price, seconds = about.get("regularMarketPrice"), about.get("regularMarketTime")
            if price is not None and seconds is not None and price > 0:
                found[symbol] = (float(price), _moment(seconds))
        return found

    def _name(self, symbol: str) -> str:
        return self._names.get(symbol) or yahoo_name(symbol)

    def _fetch(self, symbol: str, **options: object) -> tuple[Any, dict[str, Any]]:
        """Frame and metadata of one symbol; None and nothing where Yahoo does not know it."""
        ticker = self._library.Ticker(self._name(symbol), session=self._session)
        try:
            frame = ticker.history(interval="1d", **options)
            return frame, ticker.get_history_metadata() or {}
        except self._library.exceptions.YFRateLimitError as problem:
            raise MarketDataError(f"yahoo asks to slow down ({problem}); try again later") from problem
        except self._library.exceptions.YFException:
            return None, {}
        except OSError as problem:  # the base of what requests and curl raise
            if getattr(getattr(problem, "response", None), "status_code", None) == 404:
                return None, {}
            raise MarketDataError(f"yahoo can't be reached for {symbol}: {problem}") from problem

    def _span(self, start: date | None, end: date | None) -> dict[str, object]:
        """Yahoo's end is the first day left out; without a start it goes back by the period."""
        span: dict[str, object] = {}
        if start is not None:
            span["start"] = start.isoformat()
        if end is not None:
            span["end"] = (end + timedelta(days=1)).isoformat()
        if start is None:
            span["period"] = self._period
        return span


def _closes(symbol: str, frame: Any) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Days in the exchange's own zone, and closes."""
    days = frame.index.tz_localize(None).to_numpy().astype("datetime64[D]")
    if len(days) > 1 and days[-1] == days[-2]:  # a live quote behind the bar of its day
        frame, days = frame.iloc[:-1], days[:-1]

    def place(row: int) -> str:
        return f"yahoo, {symbol}, {days[row]}"

    return checked_dates(days, place), checked_closes(frame["Close"].to_numpy(), symbol, place)


def _moment(stamp: Any) -> datetime:
    """Yahoo's time as aware UTC: seconds since 1970, or already a time."""
    if isinstance(stamp, datetime):
        return stamp.astimezone(UTC)
    return datetime.fromtimestamp(int(stamp), UTC)


def _yfinance() -> Any:
    try:
        return importlib.import_module("yfinance")
    except ImportError as problem:
        raise MissingExtra(
            "the source 'yahoo' needs yfinance; install the extra: pip install 'risk-management[yahoo]'"
        ) from problem
