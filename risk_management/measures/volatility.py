"""Volatility that follows the market: EWMA forecasts, realised volatility, returns scaled to today."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from risk_management.errors import InvalidReturns
from risk_management.measures._inputs import FloatArray, exact_count, number, series

__all__ = ["ewma_forecasts", "ewma_volatility", "realised_volatility", "volatility_scaled_returns"]

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
    least = number(floor, "floor", 0.0, np.nextafter(1.0, 2.0))
    forecasts = ewma_forecasts(values, decay)
    now, before = forecasts[-1], forecasts[:-1].copy()
    warm = min(_warm_up(decay), len(values))
    before[:warm] = forecasts[1 : warm + 1]
    # where nothing moves now (now == 0) every return is scaled to nothing
    np.maximum(before, least * now, out=before)
    before[before == 0.0] = 1.0
    return np.asarray(values * (now / before))


def _warm_up(decay: float) -> int:
    """Rows over which a new square weighs at least 1 - decay in a plain mean."""
    return int(exact_count(1.0 / (1.0 - decay)))
