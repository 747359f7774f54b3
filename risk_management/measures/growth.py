"""Exposure for the fastest growth, and what growth an exposure gives.

An exposure is a fraction of capital put at the returns: 1 is all of it, 2 twice as much on credit. A stake
is the fraction of capital that a losing bet takes. Credit and cash cost and yield nothing here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri, xlog1py

from risk_management.errors import UndefinedMeasure
from risk_management.measures._growth_programs import (
    GrowthPortfolio,
    KellyConstraints,
    kelly_portfolio,
    kelly_risk_constrained,
)
from risk_management.measures._inputs import FloatArray, number, series, vector, weight_vector

__all__ = [
    "DiscreteKelly",
    "GrowthPortfolio",
    "KellyConstraints",
    "growth_rate",
    "kelly_bounds",
    "kelly_continuous",
    "kelly_discrete",
    "kelly_empirical",
    "kelly_portfolio",
    "kelly_risk_constrained",
]

LEAST_LOSS: Final = 1e-150
LARGEST: Final = 1e60
"""Exposures above it are no exposures: their squares still add up without overflow."""
NO_SPREAD: Final = 1e-24
"""Variance over the squared mean that is rounding: returns that are equal to the last digit."""


@dataclass(frozen=True, slots=True)
class DiscreteKelly:
    """The best size of a bet with two outcomes, in both units.

    Parameters
    ----------
    stake_fraction : float
        Fraction of capital lost when the bet is lost, in [0, 1].
    exposure : float
        Multiple of capital put at the returns: stake_fraction / loss.
    growth : float
        Expected log growth a bet.
    """

    stake_fraction: float
    exposure: float
    growth: float


def kelly_discrete(p: float, win: float, loss: float) -> DiscreteKelly:
    """Kelly's bet: p ln(1 + x win) + (1 - p) ln(1 - x loss) at its greatest.

    Stake fraction p - (1 - p) loss / win; p = 0.6, +2 %, -1 % give 0.40 at stake, which is 40 times exposed.

    Parameters
    ----------
    p : float
        Probability of the win, in [0, 1].
    win, loss : float
        Return of the win and size of the loss, both positive fractions.

    Returns
    -------
    DiscreteKelly
        All zero without an edge.

    Raises
    ------
    InvalidReturns, UndefinedMeasure

    References
    ----------
    Kelly (1956), "A new interpretation of information rate"; Thorp (2006), "The Kelly criterion in blackjack,
    sports betting, and the stock market", section 2.
    """
    chance = number(p, "p", 0.0, 1.0, closed=True)
    gain, cost = number(win, "win", 0.0), number(loss, "loss", 0.0)
    stake = max(0.0, chance - (1.0 - chance) * cost / gain)
    exposure = _finite(stake / cost, "loss", cost)
    growth = xlog1py(chance, exposure * gain) + xlog1py(1.0 - chance, -stake)
    return DiscreteKelly(stake_fraction=stake, exposure=exposure, growth=float(growth))


def kelly_continuous(mu: float, sigma: float, rf: float = 0.0) -> float:
    """Growth-optimal exposure of a lognormal asset: (mu - rf) / sigma**2, and 0 without an edge.

    Parameters
    ----------
    mu, rf : float
        Mean return and riskless rate a period.
    sigma : float
        Standard deviation over the same period, positive.

    Returns
    -------
    float
        Multiple of capital, at least 0. It knows no tail: `kelly_empirical` gives less on real returns.

    Raises
    ------
    InvalidReturns, UndefinedMeasure

    References
    ----------
    Merton (1969), Review of Economics and Statistics 51; Thorp (2006), section 7.1.
    """
    edge = number(mu, "mu", -np.inf) - number(rf, "rf", -np.inf)
    deviation = number(sigma, "sigma", 0.0)
    return max(0.0, _finite(edge / deviation / deviation, "sigma", deviation))


def kelly_bounds(returns: ArrayLike, tail: float) -> tuple[float, float]:
    """Confidence bounds of mean / variance: the mean moved by its standard error, over the variance.

    With z the standard normal quantile at `tail` and s the standard deviation (ddof 1)::

        lower, upper = (mean + z s / sqrt(T)) / s**2, (mean - z s / sqrt(T)) / s**2

    Parameters
    ----------
    returns : array_like of shape (T,)
        Simple returns, such as those of closed trades; T >= 2.
    tail : float
        Chance that the true one lies below the lower bound, in (0, 1), such as 0.25.

    Returns
    -------
    tuple of two float
        Multiples of capital, at least 0. The variance is taken as known: its own error is of a smaller order.

    Raises
    ------
    UndefinedMeasure
        The returns are equal up to rounding: there is no spread that a bet could be sized by.
    InvalidReturns, InsufficientData

    References
    ----------
    Thorp (2006), "The Kelly criterion in blackjack, sports betting, and the stock market", section 7.1; the
    bound is that of the mean (Student 1908, by the normal law).
    """
    quantile = float(ndtri(number(tail, "tail", 0.0, 1.0)))
    values = vector(returns)
    count = len(values)
    mean = float(values.sum()) / count
    centred = values - mean
    variance = float(centred @ centred) / (count - 1)
    if variance <= NO_SPREAD * mean * mean:
        raise UndefinedMeasure("the returns are equal: there is no spread that a bet could be sized by")
    reach = quantile * (variance / count) ** 0.5
    return max(0.0, (mean + reach) / variance), max(0.0, (mean - reach) / variance)


def kelly_empirical(returns: ArrayLike, max_exposure: float | None = None) -> float:
    """Exposure with the greatest mean log growth over the observed returns, exactly.

    The root of mean(r / (1 + f r)) in f, which falls from mean(r) at 0 to minus infinity at 1 / max loss.

    Parameters
    ----------
    returns : array_like of shape (T,)
        Simple returns; T >= 2.
    max_exposure : float, optional
        Positive cap. Without a loss among the returns no exposure is too much, and a cap is needed.

    Returns
    -------
    float
        In [0, max_exposure]; 0 if the mean return isn't positive.

    Raises
    ------
    UndefinedMeasure
        Without any loss and without a cap.
    InvalidReturns, InsufficientData

    References
    ----------
    Breiman (1961), "Optimal gambling systems for favorable games".
    """
    from scipy.optimize import brentq  # noqa: PLC0415 - slow to import, needed here only

    values = vector(returns)
    cap = np.inf if max_exposure is None else number(max_exposure, "max_exposure", 0.0)
    if float(values.mean()) <= 0.0:
        return 0.0
    worst = -float(values.min())
    if worst <= 0.0 and max_exposure is None:
        raise UndefinedMeasure("growth has no limit: no return is a loss; give max_exposure")
    if 0.0 < worst < LEAST_LOSS:
        raise UndefinedMeasure(f"the largest loss, {worst:.2g}, is too small to be one")
    ruin = 1.0 / worst if worst > 0.0 else np.inf

    def slope(exposure: float) -> float:
        return float(np.mean(values / (1.0 + exposure * values)))

    if cap < ruin and slope(cap) >= 0.0:
        return cap
    return float(brentq(slope, 0.0, min(cap, ruin * (1.0 - 1e-12)), xtol=1e-14, rtol=1e-14))


def growth_rate(returns: ArrayLike, fraction: float | ArrayLike) -> float:
    """Mean log growth a period at a constant exposure: mean(ln(1 + f r)).

    Parameters
    ----------
    returns : array_like of shape (T,) or (T, N)
        Simple returns; T >= 1.
    fraction : float, or array_like of shape (N,) for a matrix
        Exposure as a multiple of capital; negative is short.

    Returns
    -------
    float
        Minus infinity if any period loses everything or more.

    Raises
    ------
    InvalidReturns, InsufficientData

    References
    ----------
    Kelly (1956); Breiman (1961).
    """
    values = series(returns, minimum=1)
    if values.ndim == 1:
        book = values * number(fraction, "fraction", -LARGEST, LARGEST)
    else:
        book = values @ weight_vector(fraction, values.shape[1])
    return _mean_log(book)


def _finite(value: float, name: str, divisor: float) -> float:
    if not np.isfinite(value):
        raise UndefinedMeasure(f"{name} is too small to divide by: {divisor:.3g}")
    return value


def _mean_log(book: FloatArray) -> float:
    return float(np.log1p(book).mean()) if float(book.min()) > -1.0 else -np.inf
