"""A book's VaR by every method, held against the P&L that the book would have made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from risk_management.calculators.method_record import MethodRecord, held_against
from risk_management.calculators.walk_forward import FIRST, WALKED, YEAR, Forecasts, walk_forward
from risk_management.config.risk_config import VaRConfig
from risk_management.errors import InsufficientData, InvalidRequest
from risk_management.model.market import HistoryKind, ReturnMatrix

__all__ = ["BookBacktest", "backtest_book"]

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class BookBacktest:
    """A book's VaR by every method, held against the P&L that the book would have made.

    Parameters
    ----------
    records : Mapping of str to tuple of MethodRecord
        By method, one record a confidence.
    refusals : Mapping of str to str
        Why a method has no record.
    dates : ndarray of datetime64[D] of shape (D,)
        Days that were forecast.
    pnl : ndarray of shape (D,)
        What came, as fractions of equity.
    var : Mapping of str to ndarray of shape (C, D)
        What was forecast, by method.
    confidences : tuple of float
    default : str
        The configured method.
    left_out : Mapping of str to float
        Names without a history of their own, and their share of equity: they are not in the P&L.
    lacking : Mapping of str to str
        What each of them has instead, such as ``a price that stands still``.
    leans_on : tuple of str
    """

    records: Mapping[str, tuple[MethodRecord, ...]]
    refusals: Mapping[str, str]
    dates: NDArray[np.datetime64]
    pnl: Float
    var: Mapping[str, Float]
    confidences: tuple[float, ...]
    default: str
    left_out: Mapping[str, float]
    lacking: Mapping[str, str]
    leans_on: tuple[str, ...] = ()

    def exceptions(self, method: str, confidence: float) -> NDArray[np.bool_]:
        """Days whose loss passed the VaR of a method, shape (D,)."""
        return np.asarray(self.pnl < -self.var[method][self.confidences.index(confidence)])


def backtest_book(  # noqa: PLR0913 - what a study is made of
    matrix: ReturnMatrix,
    exposures: Mapping[str, float],
    settings: VaRConfig,
    *,
    methods: Sequence[str] | None = None,
    confidences: Sequence[float] = (0.95, 0.975, 0.99),
    window: int = 1250,
    years: float | None = None,
    leans_on: tuple[str, ...] = (),
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> BookBacktest:
    """Walk a book of fixed weights over a matrix of returns.

    Parameters
    ----------
    matrix : ReturnMatrix
        Columns of all names in `exposures`.
    exposures : Mapping of str to float
        Fractions of equity by name, negative for a short.
    settings : VaRConfig
    methods : sequence of str, optional
        Of `WALKED`, all by default, or any other in `VAR_METHODS`.
    confidences : sequence of float
    window : int
    years : float, optional
        Only the last so many years of 250 days are forecast.
    leans_on : tuple of str
    executor : Executor, optional
        Where the methods run; by default here, one after the other.
    progress : callable, optional

    Raises
    ------
    InvalidRequest
        An unknown method, or an empty book.
    InsufficientData
        Too short a history.
    """
    begins = {symbol: _first_day(matrix, symbol) for symbol, share in exposures.items() if share}
    held = {symbol: exposures[symbol] for symbol, day in begins.items() if day is not None}
    lacking = {symbol: _lacks(matrix, symbol) for symbol, day in begins.items() if day is None}
    if not held:
        raise InvalidRequest("EMPTY_BOOK", "positions", _nothing_held(exposures, lacking))
    weights = np.array(list(held.values()))
    start = int(np.searchsorted(matrix.dates, max(day for day in begins.values() if day), side="right"))
    values = matrix.values[start:, [matrix.columns[symbol] for symbol in held]]
    chosen = WALKED if methods is None else tuple(methods)
    first = FIRST if years is None else max(FIRST, len(values) - round(years * YEAR))
    pnl = values @ weights
    records: dict[str, tuple[MethodRecord, ...]] = {}
    refusals: dict[str, str] = {}
    var: dict[str, Float] = {}
    walk = partial(
        walk_forward, values, weights, confidences=confidences, settings=settings, window=window, first=first
    )
    for method, forecasts in _each(chosen, walk, executor, progress):
        var[method] = forecasts.var[:, :, 0]
        try:
            records[method] = held_against(forecasts, pnl)
        except InsufficientData as problem:
            refusals[method] = str(problem)
    return BookBacktest(
        records=records,
        refusals=refusals,
        dates=matrix.dates[start + first :],
        pnl=pnl[first:],
        var=var,
        confidences=tuple(confidences),
        default=settings.default_method,
        left_out={symbol: exposures[symbol] for symbol in lacking},
        lacking=lacking,
        leans_on=leans_on,
    )


def _each(
    methods: Sequence[str],
    walk: Callable[..., Forecasts],
    executor: Executor | None,
    progress: Callable[[int, int], None] | None,
) -> Iterator[tuple[str, Forecasts]]:
    """Every method's forecasts in order; `progress` hears of days here, of whole methods from an executor."""
    if executor is not None:
        waiting = [executor.submit(walk, method=method) for method in methods]
        for number, (method, future) in enumerate(zip(methods, waiting, strict=True)):
            yield method, future.result()
            if progress is not None:
                progress(number + 1, len(methods))
        return
    for number, method in enumerate(methods):

        def told(done: int, total: int, before: int = number) -> None:
            if progress is not None:
                progress(before * total + done, len(methods) * total)

        yield method, walk(method=method, progress=told)


def _first_day(matrix: ReturnMatrix, symbol: str) -> np.datetime64 | None:
    """First day with a price of the symbol's own, or of its proxy's; None where a stand-in serves."""
    known = matrix.coverage.get(symbol)
    if known is None or known.first is None or known.kind is HistoryKind.STAND_IN:
        return None
    return np.datetime64(known.first)


def _lacks(matrix: ReturnMatrix, symbol: str) -> str:
    known = matrix.coverage.get(symbol)
    return "no history" if known is None else known.lacks


def _nothing_held(exposures: Mapping[str, float], lacking: Mapping[str, str]) -> str:
    if lacking:
        said = ", ".join(f"{symbol} has {why}" for symbol, why in lacking.items())
        return f"no position has a history of its own ({said}); there is nothing to hold against"
    if exposures:
        return "all positions offset each other: the book is flat, and there is nothing to hold against"
    return "the book is empty; there is nothing to hold against"
