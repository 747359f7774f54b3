"""Prices handed in as a pandas frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

import numpy as np
import pandas as pd

from risk_management.errors import MarketDataError
from risk_management.market_data._series import (
    checked_closes,
    checked_dates,
    close_moment,
    join,
    newest,
    select,
)
from risk_management.model.market import PriceHistory, SeriesInfo

__all__ = ["FrameSource", "history_from_frame"]


def history_from_frame(frame: pd.DataFrame, name: str = "frame") -> PriceHistory:
    """A history of the closes in `frame`, which is neither changed nor kept.

    Parameters
    ----------
    frame : DataFrame of shape (T, N)
        One row a day with dates as index, oldest first; one column of closes a symbol; NaN where there
        is no close. A time with a zone counts as the day that it shows in its own zone.
    name : str
        Name of the source, for errors and provenance.

    Returns
    -------
    PriceHistory
        Its ``as_of`` is the close of the frame's last day.

    Raises
    ------
    MarketDataError
        The frame is not of that shape; the text names row, column, value and remedy.
    """
    symbols = _symbols(frame, name)

    def place(row: int) -> str:
        return f"{name}, row {row} ({frame.index[row]})" if row < len(frame) else name

    days = checked_dates(_days(frame.index, name), place)
    series = {
        symbol: (days, checked_closes(frame.iloc[:, column].to_numpy(), symbol, place))
        for column, symbol in enumerate(symbols)
    }
    info = {symbol: SeriesInfo(symbol, name, f"{symbol} closes as handed in") for symbol in symbols}
    return replace(join(series, info, name), as_of=close_moment(days[-1]))


def _symbols(frame: pd.DataFrame, name: str) -> list[str]:
    if not isinstance(frame, pd.DataFrame):
        raise MarketDataError(
            f"{name}: a pandas DataFrame of closes is needed, got {type(frame).__name__}; "
            "for a Series use series.to_frame('SYMBOL')"
        )
    if isinstance(frame.columns, pd.MultiIndex):
        raise MarketDataError(f"{name}: columns have several levels; choose the closes, as in frame['Close']")
    for column in frame.columns:
        label: object = column
        if not isinstance(label, str) or not label.strip():
            raise MarketDataError(f"{name}: the column {label!r} is no symbol; name columns by symbol")
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise MarketDataError(f"{name}: the column {twice[0]!r} stands twice; keep one")
    return [str(column) for column in frame.columns]


def _days(index: pd.Index, name: str) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
    remedy = "set dates as index, as in frame.set_index('date')"
    if pd.api.types.is_numeric_dtype(index) or isinstance(index, pd.MultiIndex):
        raise MarketDataError(f"{name}: the index holds {index.dtype}, not dates; {remedy}")
    try:
        stamps = index if isinstance(index, pd.DatetimeIndex) else pd.to_datetime(index, format="ISO8601")
    except (TypeError, ValueError) as problem:
        raise MarketDataError(f"{name}: the index does not hold dates ({problem}); {remedy}") from None
    return stamps.tz_localize(None).to_numpy().astype("datetime64[D]")


class FrameSource:
    """Serves the closes of a pandas frame.

    Parameters
    ----------
    frame : DataFrame of shape (T, N)
        See `history_from_frame`; it is copied.
    name : str
        Name of the source.
    """

    is_sample = False

    def __init__(self, frame: pd.DataFrame, name: str = "frame") -> None:
        self.name = name
        self._history = history_from_frame(frame, name)

    def history(
        self,
        symbols: Sequence[str] | None = None,
        start: date | None = None,
        end: date | None = None,
    ) -> PriceHistory:
        """Closes of the frame; unknown symbols are left out."""
        return select(self._history, symbols, start, end)

    def latest(self, symbols: Sequence[str]) -> dict[str, tuple[float, datetime]]:
        """Last close and its moment, of the symbols in the frame."""
        return newest(self._history, symbols)
