"""The evening before each day: the VaR and ES that each method would have said of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from risk_management.calculators.var_methods import VAR_METHODS, Sample, TailInput
from risk_management.config.risk_config import VaRConfig
from risk_management.core.risk_model import adaptive_variances, scaled_to_present
from risk_management.errors import InsufficientData, InvalidRequest, InvalidReturns, MeasureError, shown
from risk_management.measures._inputs import levels, series
from risk_management.measures._inputs import matrix as checked_matrix
from risk_management.measures.tail import tails_of_columns
from risk_management.measures.volatility import GarchFit, filtered_returns, fit_garch

__all__ = ["WALKED", "Forecasts", "walk_forward"]

Float = NDArray[np.float64]

FIRST: Final = 500
"""Returns that the first forecast has seen."""
REFIT: Final = 20
"""Days for which fitted parameters serve; what they filter goes on daily."""
YEAR: Final = 250
DRAWS: Final = 2_000
"""Draws of a simulation in the walk, or so many that 20 lie beyond the confidence: it is asked often."""
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
