"""How a budget of risk is split: shares by volatility, by equal contributions, by shrunken Sharpe ratios.

All shares are at least 0 and add up to 1. Ratios and volatilities are those of one period of the returns.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from risk_management.errors import UndefinedMeasure
from risk_management.measures._inputs import (
    FloatArray,
    covariance_matrix,
    matrix,
    number,
    varying,
    vector,
    weight_vector,
)

__all__ = [
    "equal_risk_contribution",
    "inverse_volatility",
    "risk_contributions",
    "sharpe_shares",
    "shrunken_sharpe",
]

STEPS: Final = 200
DONE: Final = 1e-14
"""Squared Newton decrement at which the contributions are equal to rounding."""
OFF: Final = 1e-8


def inverse_volatility(volatilities: ArrayLike) -> FloatArray:
    """Shares that fall with volatility: 1 / s_i over their sum.

    Parameters
    ----------
    volatilities : array_like of shape (N,)
        Above 0, in any one unit.

    Returns
    -------
    ndarray of shape (N,)

    Raises
    ------
    UndefinedMeasure
        Where one is 0 or negative: what does not move would take the whole budget.
    InvalidReturns, InsufficientData
    """
    values = vector(volatilities, "volatilities", 1)
    if float(values.min()) <= 0.0:
        column = int(values.argmin())
        raise UndefinedMeasure(f"the volatility in column {column} is not above 0 and has no inverse")
    inverse = float(values.min()) / values
    return np.asarray(inverse / inverse.sum())


def risk_contributions(covariance: ArrayLike, weights: ArrayLike) -> FloatArray:
    """Share of each weight in the book's volatility: w_i (C w)_i / w'C w; they add up to 1.

    Parameters
    ----------
    covariance : array_like of shape (N, N)
    weights : array_like of shape (N,)

    Returns
    -------
    ndarray of shape (N,)
        Negative for a hedge.

    Raises
    ------
    UndefinedMeasure
        For a book that does not move.
    InvalidReturns, InsufficientData
    """
    moments = covariance_matrix(covariance)
    w = weight_vector(weights, len(moments))
    parts = w * (moments @ w)
    if float(parts.sum()) <= 0.0:
        raise UndefinedMeasure("contributions are undefined for a book that does not move")
    return np.asarray(parts / parts.sum())


def equal_risk_contribution(covariance: ArrayLike, shares: ArrayLike | None = None) -> FloatArray:
    """Long-only weights of which each contributes the same to the book's volatility (risk parity).

    Solves min x'C x / 2 - sum_i b_i ln x_i, whose only solution has x_i (C x)_i = b_i, by damped Newton
    steps, on correlations, and scales it to 1. Given a correlation matrix the weights are themselves shares
    of risk: stand-alone volatilities in these proportions contribute equally.

    Parameters
    ----------
    covariance : array_like of shape (N, N)
        Positive semi-definite, with variances above 0.
    shares : array_like of shape (N,), optional
        Contributions wanted, above 0; by default the same for all. They are scaled to 1.

    Returns
    -------
    ndarray of shape (N,)

    Raises
    ------
    UndefinedMeasure
        Without a variance, or where some of the columns hedge each other entirely.
    InvalidReturns, InsufficientData

    References
    ----------
    Maillard, Roncalli and Teiletche (2010), "The properties of equally weighted risk contribution
    portfolios", Journal of Portfolio Management 36(4). Spinu (2013), "An algorithm for computing risk parity
    weights": the program and its damped Newton step.
    """
    moments = covariance_matrix(covariance)
    wanted = np.ones(len(moments)) if shares is None else weight_vector(shares, len(moments))
    if float(wanted.min()) <= 0.0:
        raise UndefinedMeasure("every share of a risk contribution must be above 0")
    wanted = wanted / wanted.sum()
    deviations = np.sqrt(moments.diagonal())
    if float(deviations.min()) <= 0.0:
        raise UndefinedMeasure(f"column {int(deviations.argmin())} has no variance and can't contribute")
    found = _parity(moments / np.outer(deviations, deviations), wanted) / deviations
    return np.asarray(found / found.sum())


def _parity(correlations: FloatArray, wanted: FloatArray) -> FloatArray:
    x = np.sqrt(wanted)
    for _ in range(STEPS):
        gradient = correlations @ x - wanted / x
        try:
            step = np.linalg.solve(correlations + np.diag(wanted / x**2), gradient)
        except np.linalg.LinAlgError:
            break  # x grew without end: some columns have no risk together
        decrement = float(gradient @ step)
        # in the local norm of the smallest share: keeps every entry above 0 (self-concordance)
        damping = 1.0 + np.sqrt(max(decrement, 0.0) / float(wanted.min()))
        x = x - step / damping
        if decrement <= DONE:
            break
    if not float(np.abs(x * (correlations @ x) - wanted).max()) <= OFF:
        raise UndefinedMeasure("no weights contribute equally: some of the columns hedge each other entirely")
    return x


def shrunken_sharpe(returns: ArrayLike) -> tuple[FloatArray, float]:
    """Sharpe ratios of each column, drawn toward their mean by as much as they are noise.

    r_i = mean / deviation (ddof 1) over the rows, with the variance (1 + r_i**2 / 2) / T of an estimate from
    T independent normal returns. The shrunken ones are m + (1 - d)(r_i - m), with m their mean and::

        d = min(1, (N - 1) v / sum (r_i - m)**2)       v the mean of the variances

    the share of the spread between them that chance alone would make: the linear shrinkage of least expected
    squared error, with its two moments estimated. (James and Stein's own factor has N - 3 in the place of
    N - 1 and says nothing for fewer than four.)

    Parameters
    ----------
    returns : array_like of shape (T, N)
        Over what cash earns; T >= 3.

    Returns
    -------
    ratios : ndarray of shape (N,)
        A period's, not a year's.
    intensity : float
        d, from 0 (as they are) to 1 (all alike); 0 for one column.

    Raises
    ------
    UndefinedMeasure
        For a column that stands still.
    InvalidReturns, InsufficientData

    References
    ----------
    James and Stein (1961), "Estimation with quadratic loss"; Efron and Morris (1973), JASA 68; Ledoit
    and Wolf (2003), "Improved estimation of the covariance matrix of stock returns", section 2, for the
    intensity; Lo (2002), "The statistics of Sharpe ratios", Financial Analysts Journal 58(4), for the
    variance.
    """
    values = varying(matrix(returns, minimum=3), "a Sharpe ratio")
    ratios = values.mean(axis=0) / values.std(axis=0, ddof=1)
    middle = float(ratios.mean())
    spread = float(((ratios - middle) ** 2).sum())
    if spread <= 0.0:
        return np.asarray(ratios), 0.0
    noise = float((1.0 + 0.5 * ratios**2).mean()) / len(values)
    intensity = min(1.0, (len(ratios) - 1.0) * noise / spread)
    return np.asarray(middle + (1.0 - intensity) * (ratios - middle)), intensity


def sharpe_shares(ratios: ArrayLike, least: float = 0.0) -> FloatArray:
    """Shares in proportion to Sharpe ratios, none below `least` of an equal share.

    For strategies that don't move together the mean-variance optimum gives each a stand-alone risk in
    proportion to its ratio. A negative ratio counts as 0.

    Parameters
    ----------
    ratios : array_like of shape (N,)
    least : float
        In [0, 1]; what each keeps of 1 / N, so that a strategy can show what it is worth.

    Returns
    -------
    ndarray of shape (N,)

    Raises
    ------
    UndefinedMeasure
        If no ratio is above 0.
    InvalidReturns, InsufficientData

    References
    ----------
    Grinold and Kahn (1999), "Active portfolio management", chapter 6.
    """
    values = vector(ratios, "ratios", 1)
    floor = number(least, "least", 0.0, 1.0, closed=True) / len(values)
    gains = np.maximum(values, 0.0)
    if float(gains.sum()) <= 0.0:
        raise UndefinedMeasure("no Sharpe ratio is above 0: there is nothing to split a budget by")
    return np.asarray(_floored(gains / gains.sum(), floor))


def _floored(shares: FloatArray, floor: float) -> FloatArray:
    """The nearest shares in the same proportions of which none is below the floor."""
    held = np.zeros(len(shares), dtype=bool)
    while True:
        rest = 1.0 - floor * held.sum()
        free = np.where(held, 0.0, shares)
        if free.sum() <= 0.0:
            return np.full(len(shares), 1.0 / len(shares))
        scaled = np.where(held, floor, rest * free / free.sum())
        low = (scaled < floor) & ~held
        if not low.any():
            return scaled
        held |= low
