"""What every source of prices shares: checking one series, joining many, choosing a part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from risk_management.errors import MarketDataError
from risk_management.model.market import PriceHistory, SeriesInfo

__all__ = ["DAILY_CLOSE", "checked_closes", "checked_dates", "close_moment", "join", "newest", "select"]

Days = NDArray[np.datetime64]
Floats = NDArray[np.float64]
Place = Callable[[int], str]

DAILY_CLOSE = time(21, tzinfo=UTC)
"""A close of a day counts as known from this time of that day on (16:00 in New York, in winter)."""

_MISSING = frozenset({"", "na", "n/a", "nan", "null", "none"})


def close_moment(day: np.datetime64) -> datetime:
    """The aware UTC moment from which the close of `day` counts as known."""
    return datetime.combine(date.fromisoformat(str(day.astype("datetime64[D]"))), DAILY_CLOSE)


def checked_dates(days: Days, place: Place) -> Days:
    """Days as datetime64[D], strictly increasing.

    Parameters
    ----------
    days : ndarray of datetime64 of shape (T,)
    place : callable
        Says where row `i` stands, such as ``prices.csv, line 7``.

    Raises
    ------
    MarketDataError
        A day is missing, stands twice, or comes before the one above it.
    """
    days = days.astype("datetime64[D]")
    if len(days) == 0:
        raise MarketDataError(f"{place(0)}: no rows of prices; hand in at least two days")
    if np.isnat(days).any():
        raise MarketDataError(f"{place(int(np.isnat(days).argmax()))}: the date is missing; fill it in")
    steps = np.diff(days).astype(np.int64)
    for wrong, said in (
        (steps == 0, "stands twice; keep one close a day"),
        (steps < 0, "comes after a later date; sort the rows by date, oldest first"),
    ):
        if wrong.any():
            row = int(wrong.argmax()) + 1
            raise MarketDataError(f"{place(row)}: the date {days[row]} {said}")
    return days


def checked_closes(cells: Iterable[object], symbol: str, place: Place) -> Floats:
    """Closes of one symbol as positive floats, NaN where a cell is empty.

    Parameters
    ----------
    cells : iterable of object
        Numbers or texts; empty cells and ``NA``, ``NaN``, ``null`` are missing.
    symbol : str
        Column name, for errors.
    place : callable
        Says where row `i` stands.

    Raises
    ------
    MarketDataError
        A cell is text, zero, negative or infinite. The text names the place and the value.
    """
    if isinstance(cells, np.ndarray) and cells.dtype.kind == "f":
        closes = cells.astype(np.float64)
    else:
        closes = np.array([_number(cell, symbol, place, row) for row, cell in enumerate(cells)], np.float64)
    bad = (closes <= 0) | np.isinf(closes)
    if bad.any():
        row = int(bad.argmax())
        raise MarketDataError(
            f"{place(row)}, column {symbol!r}: the price {closes[row]:g} is not a positive finite number; "
            "correct it, or leave the cell empty where there was no trade"
        )
    return closes


def _number(cell: object, symbol: str, place: Place, row: int) -> float:
    if cell is None or (isinstance(cell, str) and cell.strip().lower() in _MISSING):
        return float("nan")
    try:
        if isinstance(cell, bool):
            raise TypeError
        return float(cell)  # type: ignore[arg-type]  # what float refuses is reported below
    except (TypeError, ValueError):
        raise MarketDataError(
            f"{place(row)}, column {symbol!r}: {cell!r} is not a price; "
            "write a plain number such as 1234.5, without signs of currency or thousands"
        ) from None


def join(
    series: Mapping[str, tuple[Days, Floats]],
    info: Mapping[str, SeriesInfo],
    source: str,
) -> PriceHistory:
    """One history of several checked series, on the union of their days; the arrays are copies."""
    if not series:
        raise MarketDataError(f"{source}: no symbols; hand in at least one column of closes")
    days = np.unique(np.concatenate([one for one, _ in series.values()]))
    closes = np.full((len(days), len(series)), np.nan, order="F")
    for column, (own, values) in enumerate(series.values()):
        closes[np.searchsorted(days, own), column] = values
    return sealed(PriceHistory(days, tuple(series), closes, MappingProxyType(dict(info)), source))


def sealed(history: PriceHistory) -> PriceHistory:
    """The same history with arrays that can't be written to."""
    history.dates.setflags(write=False)
    history.closes.setflags(write=False)
    return history


def select(
    history: PriceHistory,
    symbols: Sequence[str] | None = None,
    start: date | None = None,
    end: date | None = None,
) -> PriceHistory:
    """Part of a history: the symbols that it knows, from `start` to `end`, both included.

    Symbols that the history does not know are left out here; `build_returns` gives them a stand-in.
    """
    if symbols is None and start is None and end is None:
        return history
    wanted = history.symbols if symbols is None else tuple(dict.fromkeys(symbols))
    kept = tuple(symbol for symbol in wanted if symbol in history.info)
    columns = [history.symbols.index(symbol) for symbol in kept]
    first = 0 if start is None else int(np.searchsorted(history.dates, np.datetime64(start, "D")))
    last = (
        len(history.dates)
        if end is None
        else int(np.searchsorted(history.dates, np.datetime64(end, "D"), side="right"))
    )
    part = replace(
        history,
        dates=history.dates[first:last].copy(),
        symbols=kept,
        closes=np.asfortranarray(history.closes[first:last, columns]),
        info=MappingProxyType({symbol: history.info[symbol] for symbol in kept}),
    )
    return sealed(part)


def newest(history: PriceHistory, symbols: Sequence[str]) -> dict[str, tuple[float, datetime]]:
    """Last close and its moment, of the symbols that have prices of their own.

    Proxies are left out: they give returns, never price levels.
    """
    found = {}
    for symbol in symbols:
        if symbol not in history.info or history.info[symbol].is_proxy:
            continue
        closes = history.closes[:, history.symbols.index(symbol)]
        rows = np.flatnonzero(np.isfinite(closes))
        if len(rows):
            found[symbol] = (float(closes[rows[-1]]), close_moment(history.dates[rows[-1]]))
    return found
