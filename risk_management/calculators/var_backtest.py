"""Walk forward over history: the VaR and ES that each method would have said, held against what came."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from risk_management.calculators.var_methods import VAR_METHODS, Sample, TailInput
from risk_management.config.risk_config import VaRConfig
from risk_management.core.risk_model import adaptive_variances, scaled_to_present
from risk_management.errors import InsufficientData, InvalidRequest, InvalidReturns, MeasureError, shown
from risk_management.measures._inputs import levels, series, vector
from risk_management.measures._inputs import matrix as checked_matrix
from risk_management.measures.backtest import (
    BacktestResult,
    TrafficLight,
    acerbi_szekely_z2,
    christoffersen_independence,
    conditional_coverage,
    joint_loss,
    kupiec_pof,
    quantile_loss,
    traffic_light,
)
from risk_management.measures.tail import tails_of_columns
from risk_management.measures.volatility import GarchFit, filtered_returns, fit_garch
from risk_management.model.market import HistoryKind, ReturnMatrix

__all__ = [
    "WALKED",
    "BookBacktest",
    "Forecasts",
    "MethodRecord",
    "backtest_book",
    "held_against",
    "walk_forward",
]

Float = NDArray[np.float64]

FIRST: Final = 500
"""Returns that the first forecast has seen."""
REFIT: Final = 20
"""Days for which fitted parameters serve; what they filter goes on daily."""
YEAR: Final = 250
DRAWS: Final = 2_000
"""Draws of a simulation in the walk, or so many that 20 lie beyond the confidence: it is asked often."""
REFUSED: Final = 0.01
"""Share of days without a figure above which no record is green: a method that falls silent in a crash has
not been tested there."""
WALKED: Final = (
    "volatility_scaled",
    "filtered_historical",
    "historical",
    "historical_250",
    "parametric",
    "age_weighted",
    "student_t",
    "extreme_value",
    "cornish_fisher",
    "monte_carlo",
    "monte_carlo_full",
    "monte_carlo_copula",
    "monte_carlo_t",
)
"""Methods walked by default; ``historical_250`` is plain history of one year, what most people use."""


@dataclass(frozen=True, slots=True, eq=False)
class Forecasts:
    """What a method said on the evening before each day.

    Parameters
    ----------
    method : str
    confidences : tuple of float
    first : int
        Row of the first day that was forecast.
    var, es : ndarray of shape (C, D, K)
        One day ahead, by confidence, day and book, as fractions; NaN where the method gave no figure. An
        infinite `es` is that of a law without a mean.
    """

    method: str
    confidences: tuple[float, ...]
    first: int
    var: Float
    es: Float


@dataclass(frozen=True, slots=True)
class MethodRecord:
    """How one method did on one book.

    Parameters
    ----------
    method : str
    confidence : float
    days, exceptions : int
        Days with a VaR, and those whose loss passed it.
    refused : int
        Days on which the method gave none; they are in no other figure.
    expected : float
        Exceptions that the confidence promises.
    kupiec, independence, coverage : BacktestResult or None
        Whether their number, their independence and both together can be right; None where a test is
        not defined. Independence is judged on pairs of days running.
    worst_year : int
        Most exceptions in any 250 days of the calendar.
    light : TrafficLight
        Of the last 250 days of the calendar. Never green where more than `REFUSED` of them, or of all days,
        have no VaR.
    z2 : BacktestResult or None
        Acerbi and Szekely's second test of the expected shortfall; None where a day has no finite one.
    quantile_loss, joint_loss : float
        Mean losses of VaR, and of VaR and ES together (NaN where undefined); less is better.
    """

    method: str
    confidence: float
    days: int
    refused: int
    exceptions: int
    expected: float
    kupiec: BacktestResult | None
    independence: BacktestResult | None
    coverage: BacktestResult | None
    worst_year: int
    light: TrafficLight
    z2: BacktestResult | None
    quantile_loss: float
    joint_loss: float


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


def walk_forward(
    returns: ArrayLike,
    books: ArrayLike,
    method: str,
    confidences: Sequence[float] = (0.95, 0.975, 0.99),
    *,
    settings: VaRConfig | None = None,
    window: int = 1250,
    first: int = FIRST,
    progress: Callable[[int, int], None] | None = None,
) -> Forecasts:
    """Forecast every day from `first` on from the days before it, for many books at once.

    Weights are held fixed: each day is the P&L that the book would have made. Parameters of
    ``filtered_historical``, ``student_t`` and ``extreme_value`` are fitted anew every 20 days, on the
    window as it then stands; simulations (of `DRAWS` draws) and methods registered by others are asked anew
    then.

    Parameters
    ----------
    returns : array_like of shape (T, N)
        Simple daily returns, oldest first, T > `first`.
    books : array_like of shape (N,) or (N, K)
        Exposures as fractions of equity, negative for a short.
    method : str
        One of `WALKED`, or any other in `VAR_METHODS`.
    confidences : sequence of float
        In (0.5, 1).
    settings : VaRConfig, optional
    window : int
        Days that a forecast looks back, at most; at least 20.
    first : int
        Days that the first forecast has seen, at least 20.
    progress : callable, optional
        Told how many days are done, and of how many.

    Returns
    -------
    Forecasts

    Raises
    ------
    InvalidRequest, InvalidReturns, InsufficientData, UndefinedMeasure
    """
    steps = _steps(method)
    values = checked_matrix(returns)
    weights = _checked_books(books, values.shape[1])
    _checked_days(window, "window", 20)
    _checked_days(first, "first", 20)
    wanted = _checked_levels(confidences)
    if len(values) <= first:
        raise InsufficientData(f"{len(values)} days of returns; more than {first} are needed to begin")
    walk = _Walk(values, weights, wanted, settings or VaRConfig(), window)
    days = range(first, len(values))
    shape = (len(walk.confidences), len(days), weights.shape[1])
    var, es = np.full(shape, np.nan), np.full(shape, np.nan)
    for place, (day_var, day_es) in enumerate(steps(walk, days)):
        var[:, place], es[:, place] = day_var, day_es
        if progress is not None:
            progress(place + 1, len(days))
    return Forecasts(method, walk.confidences, first, var, es)


def _checked_books(books: ArrayLike, names: int) -> Float:
    """Weights of shape (N, K), finite."""
    weights = series(books, "books", 1)
    if len(weights) != names:
        raise InvalidReturns(
            f"books must have a row for each of the {names} names, shape ({names},) or ({names}, K), "
            f"not {weights.shape}"
        )
    return weights.reshape(names, -1)


def _checked_days(days: object, field: str, least: int) -> None:
    if isinstance(days, bool) or not isinstance(days, int | np.integer) or days < least:
        raise InvalidRequest(
            "OUT_OF_RANGE", field, f"{field} is a whole number of days, at least {least}; got {shown(days)}"
        )


def _checked_levels(confidences: object) -> tuple[float, ...]:
    found = levels(confidences)
    if not found or min(found) <= 0.5:
        raise InvalidRequest("OUT_OF_RANGE", "confidences", f"they lie in (0.5, 1); got {shown(confidences)}")
    return found


def held_against(forecasts: Forecasts, pnl: ArrayLike, book: int = 0) -> tuple[MethodRecord, ...]:
    """Hold a method's forecasts against the P&L that came, one record a confidence.

    A day without a VaR is counted as refused. It stays in the calendar, so that years and pairs of days
    are what they say.

    Parameters
    ----------
    forecasts : Forecasts
    pnl : array_like of shape (T,)
        Returns of the book on all days, the ones before the first forecast too.
    book : int
        Column of the book in the forecasts.

    Raises
    ------
    InsufficientData
        No day has a forecast.
    InvalidReturns
        The P&L has other days than the forecasts, or there is no such book.
    """
    whole = vector(pnl, "pnl", 1)
    days, books = forecasts.var.shape[1:]
    if len(whole) != forecasts.first + days:
        raise InvalidReturns(
            f"pnl must have {forecasts.first + days} days, those before the first forecast too; "
            f"it has {len(whole)}"
        )
    if not 0 <= book < books:
        raise InvalidReturns(f"book must be one of the {books} columns, not {shown(book)}")
    came = whole[forecasts.first :]
    return tuple(
        _record(forecasts.method, confidence, came, forecasts.var[row, :, book], forecasts.es[row, :, book])
        for row, confidence in enumerate(forecasts.confidences)
    )


def _record(method: str, confidence: float, came: Float, var: Float, es: Float) -> MethodRecord:
    known = np.isfinite(var)
    if not known.any():
        raise InsufficientData(f"{method} gave no forecast at {confidence:g}")
    days = came < -var  # a day without a figure is no exception, and keeps its place
    adjacent = np.diff(np.flatnonzero(known)) == 1
    hits, came, var, es = days[known], came[known], var[known], es[known]
    counted = np.concatenate(([0], np.cumsum(days)))
    year = min(YEAR, len(days))
    whole = bool(np.isfinite(es).all())
    return MethodRecord(
        method=method,
        confidence=confidence,
        days=len(hits),
        refused=len(days) - len(hits),
        exceptions=int(hits.sum()),
        expected=len(hits) * (1.0 - confidence),
        kupiec=_tried(lambda: kupiec_pof(hits, confidence)),
        independence=_tried(lambda: christoffersen_independence(hits, adjacent)),
        coverage=_tried(lambda: conditional_coverage(hits, confidence, adjacent)),
        worst_year=int((counted[year:] - counted[:-year]).max()),
        light=_light(days, known, confidence),
        z2=_tried(lambda: acerbi_szekely_z2(came, var, es, confidence)) if whole else None,
        quantile_loss=quantile_loss(came, var, confidence),
        joint_loss=_loss(came, var, es, confidence) if whole else float("nan"),
    )


def _light(days: NDArray[np.bool_], known: NDArray[np.bool_], confidence: float) -> TrafficLight:
    """Of the last year's days with a VaR; yellow at best where too many days have none."""
    recent, told = days[-YEAR:], known[-YEAR:]
    silent = any(int((~some).sum()) > REFUSED * len(some) for some in (known, told))
    if not told.any():
        return TrafficLight("yellow", 0, 0, float("nan"))
    light = traffic_light(recent[told], confidence)
    return replace(light, zone="yellow") if silent and light.zone == "green" else light


def _tried(test: Callable[[], BacktestResult]) -> BacktestResult | None:
    try:
        return test()
    except MeasureError:
        return None


def _loss(came: Float, var: Float, es: Float, confidence: float) -> float:
    try:
        return joint_loss(came, var, es, confidence)
    except MeasureError:
        return float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class _Walk:
    """What all methods share: returns (T, N), books (N, K), and the P&L of every book on every day."""

    returns: Float
    books: Float
    confidences: tuple[float, ...]
    settings: VaRConfig
    window: int

    @property
    def pnl(self) -> Float:
        return np.asarray(self.returns @ self.books)

    def start(self, day: int) -> int:
        return max(0, day - self.window)

    def tails(self, pnl: Float) -> tuple[Float, Float]:
        return tails_of_columns(pnl, self.confidences)


_Day = tuple[Float, Float]
_Days = Iterator[_Day]


def _historical(walk: _Walk, days: range) -> _Days:
    pnl = walk.pnl
    for day in days:
        yield walk.tails(pnl[walk.start(day) : day])


def _historical_250(walk: _Walk, days: range) -> _Days:
    pnl = walk.pnl
    for day in days:
        yield walk.tails(pnl[max(0, day - YEAR) : day])


def _volatility_scaled(walk: _Walk, days: range) -> _Days:
    """The figure of the gate on each evening: one recursion over all days, the long run of each window.

    The first rows of a study take a forecast that has seen 20 days; windows a year later know nothing of it.
    """
    variances, weighted = adaptive_variances(walk.returns, walk.settings)
    for day in days:
        start = walk.start(day)
        scaled = scaled_to_present(
            walk.returns[start:day], variances[start : day + 1], weighted[start:day], walk.settings
        )
        yield walk.tails(scaled @ walk.books)


def _filtered_historical(walk: _Walk, days: range) -> _Days:
    pnl = walk.pnl
    fits: list[GarchFit | None] = [None] * pnl.shape[1]
    for number, day in enumerate(days):
        start = walk.start(day)
        known = pnl[start:day]
        if number % REFIT == 0:
            fits = [_fitted(known[:, book], old) for book, old in enumerate(fits)]
        columns = [
            filtered_returns(known[:, book], fit) if fit is not None else np.full(len(known), np.nan)
            for book, fit in enumerate(fits)
        ]
        yield walk.tails(np.column_stack(columns))


def _fitted(known: Float, old: GarchFit | None) -> GarchFit | None:
    try:
        return fit_garch(known, mean="zero")
    except MeasureError:
        return old


def _by_method(name: str, every: int) -> Callable[[_Walk, range], _Days]:
    """Any method that looks at the book's P&L alone, asked anew every so many days."""

    def walked(walk: _Walk, days: range) -> _Days:
        pnl, one = walk.pnl, np.ones(1)
        said: _Day = (np.empty(0), np.empty(0))
        for number, day in enumerate(days):
            if number % every == 0:
                known = pnl[walk.start(day) : day]
                said = _asked(walk, name, day, [Sample(column[:, None], one) for column in known.T])
            yield said

    return walked


def _by_names(name: str, every: int) -> Callable[[_Walk, range], _Days]:
    """Any method, shown every name's returns, asked anew every so many days."""

    def walked(walk: _Walk, days: range) -> _Days:
        said: _Day = (np.empty(0), np.empty(0))
        for number, day in enumerate(days):
            if number % every == 0:
                known = walk.returns[walk.start(day) : day]
                said = _asked(walk, name, day, [Sample(known, weights) for weights in walk.books.T])
            yield said

    return walked


def _asked(walk: _Walk, name: str, day: int, samples: Sequence[Sample]) -> _Day:
    """What a method says of each book, shape (C, K); NaN where it refuses."""
    method, settings = VAR_METHODS.get(name), walk.settings
    shape = (len(walk.confidences), len(samples))
    var, es = np.full(shape, np.nan), np.full(shape, np.nan)
    seed = (settings.seed, day)
    for book, sample in enumerate(samples):
        for row, confidence in enumerate(walk.confidences):
            draws = min(settings.monte_carlo_simulations, max(DRAWS, math.ceil(20.0 / (1.0 - confidence))))
            asked = TailInput(
                sample, sample, sample, confidence, 1, draws, seed, settings.draws, settings.margins
            )
            try:
                found = method(asked)
            except (MeasureError, ArithmeticError, np.linalg.LinAlgError):
                continue
            var[row, book], es[row, book] = found.var, found.es
    return var, es


_WALKS: Final[Mapping[str, Callable[[_Walk, range], _Days]]] = {
    "volatility_scaled": _volatility_scaled,
    "filtered_historical": _filtered_historical,
    "historical": _historical,
    "historical_250": _historical_250,
    "parametric": _by_method("parametric", 1),
    "age_weighted": _by_method("age_weighted", 1),
    "student_t": _by_method("student_t", REFIT),
    "extreme_value": _by_method("extreme_value", REFIT),
    "cornish_fisher": _by_method("cornish_fisher", 1),
    "monte_carlo": _by_method("monte_carlo", REFIT),
}


def _steps(method: str) -> Callable[[_Walk, range], _Days]:
    """How a method is walked."""
    if method in _WALKS:
        return _WALKS[method]
    if method in VAR_METHODS:
        return _by_names(method, REFIT)
    known = ", ".join(dict.fromkeys((*WALKED, *VAR_METHODS.names())))
    raise InvalidRequest("UNKNOWN_METHOD", "method", f"one of {known}; got {shown(method)}")
