"""Volatility that follows the market: EWMA and GARCH forecasts, realised, and returns scaled to today."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from risk_management.errors import InvalidReturns
from risk_management.measures._garch import (
    GarchFit,
    filtered_returns,
    fit_garch,
    garch_forecasts,
    garch_volatility,
)
from risk_management.measures._inputs import FloatArray, exact_count, number, series, unit_of

__all__ = [
    "GarchFit",
    "adaptive_returns",
    "ewma_forecasts",
    "ewma_volatility",
    "filtered_returns",
    "fit_garch",
    "garch_forecasts",
    "garch_volatility",
    "long_run_blend",
    "realised_volatility",
    "volatility_scaled_returns",
    "with_downside_weight",
]

_BLOCK = 64  # rows that one small matrix product carries forward


def ewma_volatility(returns: ArrayLike, decay: float = 0.94) -> FloatArray:
    """Exponentially weighted volatility after each return: the forecast for the next one.

    With g_t = max(1 - decay, 1 / t) for t = 1, 2, ...::

        s_1 = r_1**2,   s_t = s_{t-1} + g_t * (r_t**2 - s_{t-1})

    so the first floor(1 / (1 - decay)) values are plain mean squares, and from there on it is the RiskMetrics
    recursion s_t = decay * s_{t-1} + (1 - decay) * r_t**2. No mean is taken out.

    Parameters
    ----------
    returns : array_like of shape (T,) or (T, N)
        Oldest first; T >= 1.
    decay : float
        In (0, 1).

    Returns
    -------
    ndarray of the shape of `returns`
        Standard deviation a period; element t uses returns 0..t and none later.

    Raises
    ------
    InvalidReturns, InsufficientData, UndefinedMeasure

    References
    ----------
    J.P. Morgan/Reuters (1996), RiskMetrics Technical Document, 4th ed., section 5.2.
    """
    return ewma_forecasts(returns, decay)[1:]


def ewma_forecasts(returns: ArrayLike, decay: float = 0.94) -> FloatArray:
    """Volatility forecast for each row made before it, and one more for the row to come.

    Parameters
    ----------
    returns : array_like of shape (T,) or (T, N)
        Oldest first; T >= 1.
    decay : float
        In (0, 1).

    Returns
    -------
    ndarray of shape (T + 1,) or (T + 1, N)
        Row t uses returns 0..t-1 only, by the recursion of `ewma_volatility`. Row 0 is 0: nothing is known.

    Raises
    ------
    InvalidReturns, InsufficientData, UndefinedMeasure
    """
    values = series(returns, minimum=1)
    gain = 1.0 - number(decay, "decay", 0.0, 1.0)
    squares = (values * values).reshape(len(values), -1)
    state = np.zeros((len(values) + 1, squares.shape[1]))
    start = min(_warm_up(decay), len(values))
    state[1 : start + 1] = np.cumsum(squares[:start], axis=0) / np.arange(1.0, start + 1.0)[:, None]
    age = np.subtract.outer(np.arange(_BLOCK), np.arange(_BLOCK))
    kernel = np.where(age >= 0, gain * decay ** np.maximum(age, 0), 0.0)
    fade = decay ** np.arange(1.0, _BLOCK + 1.0)[:, None]
    for first in range(start, len(values), _BLOCK):
        block = squares[first : first + _BLOCK]
        rows = len(block)
        state[first + 1 : first + rows + 1] = kernel[:rows, :rows] @ block + fade[:rows] * state[first]
    return np.sqrt(state).reshape((len(values) + 1, *values.shape[1:]))


def realised_volatility(
    returns: ArrayLike, window: int = 21, periods_per_year: float = 252
) -> float | FloatArray:
    """Annualised standard deviation (ddof 1) of the last `window` returns.

    Parameters
    ----------
    returns : array_like of shape (T,) or (T, N)
        T >= window.
    window : int
        At least 2.
    periods_per_year : float
        Positive; 252 for days of an exchange, 365 for crypto.

    Returns
    -------
    float, or ndarray of shape (N,)
        Fraction a year.

    Raises
    ------
    InvalidReturns, InsufficientData, UndefinedMeasure
    """
    if int(number(window, "window", 2, closed=True)) != window:
        raise InvalidReturns(f"window must be a whole number, not {window}")
    values = series(returns, minimum=int(window))[-int(window) :]
    deviation = values.std(axis=0, ddof=1) * np.sqrt(number(periods_per_year, "periods_per_year", 0.0))
    return float(deviation) if values.ndim == 1 else deviation


def volatility_scaled_returns(returns: ArrayLike, decay: float = 0.94, floor: float = 0.1) -> FloatArray:
    """Each return over the volatility forecast made before it, times the forecast that stands now.

    The first floor(1 / (1 - decay)) rows have no forecast worth the name before them: each is divided by the
    root mean square of the rows up to and including itself. No row is divided by what came later.

    Parameters
    ----------
    returns : array_like of shape (T,) or (T, N)
        Oldest first; T >= 2.
    decay : float
        Of the EWMA variance, in (0, 1).
    floor : float
        Least forecast that a row is divided by, as a fraction of the present forecast, in (0, 1]: no return
        grows by more than 1 / floor. A series that stood still for weeks would explode without it.

    Returns
    -------
    ndarray of the shape of `returns`
        A column of zeros stays zero.

    Raises
    ------
    InvalidReturns, InsufficientData, UndefinedMeasure

    References
    ----------
    Hull and White (1998), "Incorporating volatility updating into the historical simulation method for
    value at risk", Journal of Risk 1(1), equation 2.
    """
    values = series(returns)
    unit = unit_of(values)
    values = values / unit
    least = number(floor, "floor", 0.0, np.nextafter(1.0, 2.0))
    forecasts = ewma_forecasts(values, decay)
    now, before = forecasts[-1], forecasts[:-1].copy()
    warm = min(_warm_up(decay), len(values))
    before[:warm] = forecasts[1 : warm + 1]
    # where nothing moves now (now == 0) every return is scaled to nothing
    np.maximum(before, least * now, out=before)
    before[before == 0.0] = 1.0
    return np.asarray(values * (now / before) * unit)


def adaptive_returns(
    returns: ArrayLike,
    decay: float = 0.92,
    downside: float = 2.0,
    long_run: float = 0.1,
    floor: float = 0.1,
) -> FloatArray:
    """Each return over the volatility forecast made before it, times the forecast that stands now.

    The forecast is a GJR-GARCH filter with fixed weights: with q_t = r_t**2 * (1 + downside * [r_t < 0]) /
    (1 + downside / 2) its variance is ``(1 - long_run) * EWMA(q) + long_run * mean(q)``. Losses count
    for more than gains, and a shock fades to the mean of the series instead of lasting.

    Parameters
    ----------
    returns : array_like of shape (T,) or (T, N)
        Oldest first; T >= 2.
    decay : float
        Of the EWMA, in (0, 1).
    downside : float
        Additional weight of a loss's square, >= 0; 0 takes gains and losses alike.
    long_run : float
        Weight of the mean square of all rows, in [0, 1].
    floor : float
        Least forecast that a row is divided by, as a fraction of the present one, in (0, 1].

    Returns
    -------
    ndarray of the shape of `returns`
        A column of zeros stays zero.

    Raises
    ------
    InvalidReturns, InsufficientData, UndefinedMeasure

    References
    ----------
    Hull and White (1998), Journal of Risk 1(1), for the scaling; Glosten, Jagannathan and Runkle (1993),
    "On the relation between the expected value and the volatility of the nominal excess return on
    stocks", Journal of Finance 48(5), for the filter.
    """
    values = series(returns)
    unit = unit_of(values)
    values = values / unit
    least = number(floor, "floor", 0.0, np.nextafter(1.0, 2.0))
    weighted = with_downside_weight(values, downside)
    variances = ewma_forecasts(weighted, decay) ** 2
    warm = min(_warm_up(decay), len(values))
    variances[:warm] = variances[1 : warm + 1]
    forecasts = long_run_blend(variances, weighted, long_run)
    before = np.maximum(forecasts[:-1], least * forecasts[-1])
    before[before == 0.0] = 1.0
    return np.asarray(values * (forecasts[-1] / before) * unit)


def with_downside_weight(returns: FloatArray, downside: float) -> FloatArray:
    """Returns whose squares weigh losses (1 + downside) times as much as gains, their sum about as before.

    Parameters
    ----------
    returns : ndarray of shape (T,) or (T, N)
    downside : float
        >= 0.
    """
    extra = number(downside, "downside", 0.0, closed=True)
    loss, gain = np.sqrt(np.array([1.0 + extra, 1.0]) / (1.0 + 0.5 * extra))
    return np.asarray(returns * np.where(returns < 0.0, loss, gain))


def long_run_blend(variances: FloatArray, weighted: FloatArray, long_run: float) -> FloatArray:
    """Volatility forecasts drawn to the mean square of a window.

    Parameters
    ----------
    variances : ndarray of shape (T + 1,) or (T + 1, N)
        EWMA variances before each row, and after the last.
    weighted : ndarray of shape (T,) or (T, N)
        The window's returns, as `with_downside_weight` gives them.
    long_run : float
        Weight of their mean square, in [0, 1].

    Returns
    -------
    ndarray of the shape of `variances`
        Standard deviations a period.
    """
    share = number(long_run, "long_run", 0.0, np.nextafter(1.0, 2.0), closed=True)
    mean = np.mean(weighted * weighted, axis=0)
    return np.asarray(np.sqrt((1.0 - share) * variances + share * mean))


def _warm_up(decay: float) -> int:
    """Rows over which a new square weighs at least 1 - decay in a plain mean."""
    return int(exact_count(1.0 / (1.0 - decay)))
