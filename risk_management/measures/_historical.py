"""Tail measures of the empirical distribution: plain, weighted by age, brought to present volatility."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from risk_management.measures._garch import filtered_returns
from risk_management.measures._inputs import FloatArray, level, levels, number, vector
from risk_management.measures._order import quantile_position, tail_plan
from risk_management.measures.volatility import volatility_scaled_returns

__all__ = [
    "age_weighted_var",
    "filtered_historical_es",
    "filtered_historical_var",
    "historical_es",
    "historical_var",
    "tails_of",
    "tails_of_columns",
    "var_es",
    "volatility_scaled_var",
]

_STRIDE: Final = 8
_WORTH_A_SAMPLE: Final = 256


def historical_var(returns: ArrayLike, confidence: float, quantile_type: int = 7) -> float:
    """Value at risk of the empirical distribution: minus its (1 - confidence) quantile.

    Parameters
    ----------
    returns : array_like of shape (T,)
        Returns as fractions, or profits in any unit; T >= 2.
    confidence : float
        In (0, 1), such as 0.99.
    quantile_type : {7, 1, 6, 8}
        Sample quantile of Hyndman and Fan (1996): 7 interpolates linearly (numpy's default), 1 takes an
        observation, 6 and 8 reach further into the tail.

    Returns
    -------
    float
        Loss in the unit of `returns`; negative if even the quantile is a gain.

    Raises
    ------
    InvalidReturns, InsufficientData, UndefinedMeasure
    """
    values = vector(returns)
    low, high, weight = quantile_position(len(values), 1.0 - level(confidence), quantile_type)
    ordered = np.partition(values, (low, high))
    return float((weight - 1.0) * ordered[low] - weight * ordered[high])


def historical_es(returns: ArrayLike, confidence: float) -> float:
    """Expected shortfall of the empirical distribution, with a fractional weight at the boundary.

    The mean of exactly (1 - confidence) * T observations: losses 1..10 at 75 % give 9.2.

    Parameters
    ----------
    returns : array_like of shape (T,)
        Returns as fractions, or profits in any unit; T >= 2.
    confidence : float
        In (0, 1).

    Returns
    -------
    float
        Loss in the unit of `returns`, never below `historical_var` of type 7.

    Raises
    ------
    InvalidReturns, InsufficientData, UndefinedMeasure

    References
    ----------
    Rockafellar and Uryasev (2002), "Conditional value-at-risk for general loss distributions",
    Journal of Banking & Finance 26, Proposition 8.
    """
    return tails_of(vector(returns), (level(confidence),))[0][1]


def var_es(pnl: ArrayLike, confidences: Sequence[float]) -> tuple[tuple[float, float], ...]:
    """Historical VaR (type 7) and ES at several confidences from one partition of one vector.

    Parameters
    ----------
    pnl : array_like of shape (T,)
        Profits or returns, in any unit; T >= 2.
    confidences : sequence of float
        Each in (0, 1), in any order.

    Returns
    -------
    tuple of (var, es)
        One pair for each confidence, in the order given.

    Raises
    ------
    InvalidReturns, InsufficientData, UndefinedMeasure
    """
    return tails_of(vector(pnl, "pnl"), levels(confidences))


def tails_of(values: FloatArray, confidences: tuple[float, ...]) -> tuple[tuple[float, float], ...]:
    """`var_es` of a float64 vector that is known to be finite: the caller answers for it."""
    deepest, plan = tail_plan(len(values), confidences)
    worst = _smallest(values, deepest + 1)
    result = []
    for low, high, weight, whole, fraction, size in plan:
        var = (weight - 1.0) * worst[low] - weight * worst[high]
        if whole == 0:  # less than one observation: the worst itself, free of rounding
            result.append((var, 0.0 - worst[0]))
            continue
        es = -(sum(worst[:whole]) + fraction * worst[whole]) / size
        result.append((var, max(es, var)))  # never below, but for rounding
    return tuple(result)


def tails_of_columns(pnl: FloatArray, confidences: Sequence[float]) -> tuple[FloatArray, FloatArray]:
    """VaR and ES of many books at once; values as those of `historical_var` and `historical_es`.

    Parameters
    ----------
    pnl : ndarray of shape (T, K)
        Checked before; a column with NaN gives NaN.
    confidences : sequence of float

    Returns
    -------
    var, es : ndarray of shape (C, K)
    """
    deepest, plan = tail_plan(len(pnl), tuple(confidences))
    tail = np.sort(np.partition(pnl, deepest, axis=0)[: deepest + 1], axis=0)
    sums = np.concatenate((np.zeros((1, pnl.shape[1])), np.cumsum(tail, axis=0)))
    unknown = np.isnan(pnl).any(axis=0)
    var, es = [], []
    for low, high, weight, whole, part, size in plan:
        var.append(np.where(unknown, np.nan, (weight - 1.0) * tail[low] - weight * tail[high]))
        es.append(np.where(unknown, np.nan, -(sums[whole] + part * tail[whole]) / size))
    return np.array(var), np.array(es)


def _smallest(values: FloatArray, count: int) -> list[float]:
    """The `count` smallest values, ascending.

    A pivot from every eighth value leaves a little more than the tail to sort: a quarter of the time of
    a partition of all. Where the sample misleads it finds too few, and the partition does the work.

    References
    ----------
    Floyd and Rivest (1975), "Expected time bounds for selection", Communications of the ACM 18(3).
    """
    if count * 4 <= len(values) and len(values) >= _WORTH_A_SAMPLE:
        sample = values[::_STRIDE].copy()
        sample.sort()
        expected = count / _STRIDE
        pivot = sample[int(expected + 3.0 * sqrt(expected)) + 1]
        tail = values[values <= pivot]
        if len(tail) >= count:
            tail.sort()
            return tail[:count].tolist()  # type: ignore[no-any-return]
    ordered = values.copy()
    ordered.partition(count - 1)
    tail = ordered[:count]
    tail.sort()
    return tail.tolist()  # type: ignore[no-any-return]


def age_weighted_var(returns: ArrayLike, confidence: float, decay: float) -> float:
    """Historical VaR with weights that fall with age (the BRW method).

    The newest of T returns weighs (1 - decay) / (1 - decay**T), each older one `decay` times the next.
    The VaR is the loss at which the weights, added from the worst on, reach 1 - confidence; nothing is
    interpolated, so that decay = 1 gives the type-1 historical VaR.

    Parameters
    ----------
    returns : array_like of shape (T,)
        Oldest first; the last element is the newest.
    confidence : float
        In (0, 1).
    decay : float
        In (0, 1], such as 0.98.

    Returns
    -------
    float
        Loss in the unit of `returns`.

    Raises
    ------
    InvalidReturns, InsufficientData, UndefinedMeasure

    References
    ----------
    Boudoukh, Richardson and Whitelaw (1998), "The best of both worlds", Risk 11(5). The step is that of
    Hull, "Options, Futures, and Other Derivatives", chapter on value at risk.
    """
    values = vector(returns)
    share = 1.0 - level(confidence)
    weights = number(decay, "decay", 0.0, np.nextafter(1.0, 2.0)) ** np.arange(len(values) - 1.0, -1.0, -1.0)
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order]) / weights.sum()
    position = int(np.searchsorted(reached, share * (1.0 - 1e-9)))
    return float(0.0 - values[order[min(position, len(values) - 1)]])


def volatility_scaled_var(returns: ArrayLike, confidence: float, decay: float = 0.94) -> float:
    """Historical VaR (type 7) of the returns brought to present volatility (the Hull-White method).

    Parameters
    ----------
    returns : array_like of shape (T,)
        Oldest first; T >= 2.
    confidence : float
        In (0, 1).
    decay : float
        Of the EWMA variance, in (0, 1).

    Returns
    -------
    float
        Loss in the unit of `returns`.

    Raises
    ------
    InvalidReturns, InsufficientData, UndefinedMeasure

    References
    ----------
    Hull and White (1998), "Incorporating volatility updating into the historical simulation method for
    value at risk", Journal of Risk 1(1).
    """
    return historical_var(volatility_scaled_returns(vector(returns), decay), confidence)


def filtered_historical_var(returns: ArrayLike, confidence: float, quantile_type: int = 7) -> float:
    """Filtered historical simulation over one period: the empirical VaR of `filtered_returns`.

    Parameters
    ----------
    returns : array_like of shape (T,)
        Oldest first, not constant; T >= 250.
    confidence : float
        In (0, 1).
    quantile_type : {7, 1, 6, 8}
        As in `historical_var`.

    Returns
    -------
    float
        Loss in the unit of `returns`.

    Raises
    ------
    InvalidReturns, InsufficientData, UndefinedMeasure

    References
    ----------
    Barone-Adesi, Giannopoulos and Vosper (1999), "VaR without correlations for portfolios of derivative
    securities", Journal of Futures Markets 19(5).
    """
    level(confidence)
    return historical_var(filtered_returns(returns), confidence, quantile_type)


def filtered_historical_es(returns: ArrayLike, confidence: float) -> float:
    """Tail mean of `filtered_returns`; parameters and errors as in `filtered_historical_var`."""
    level(confidence)
    return historical_es(filtered_returns(returns), confidence)
