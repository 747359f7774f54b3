"""Shares of VaR and ES: derivatives by the weights, and components that add up to the total."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from risk_management.errors import InvalidReturns, UndefinedMeasure
from risk_management.measures._inputs import FloatArray, choice, level, matrix, number, weight_vector
from risk_management.measures._normal import normal_density
from risk_management.measures._order import quantile_position, tail_size

__all__ = ["component_es", "component_var", "incremental_var", "marginal_var"]

METHODS: Final = ("historical", "normal")
_HEDGED: Final = 1e-10  # deviation over the sum of deviations below which a book does not move


def marginal_var(
    returns: ArrayLike, weights: ArrayLike, confidence: float, method: str = "historical"
) -> FloatArray:
    """Derivative of the portfolio's VaR by each weight.

    Historical: minus the columns' returns in the one or two scenarios that the type-7 quantile of the
    portfolio rests on, with its weights. Normal: -mean_i - z * (S w)_i / sqrt(w' S w), with S of ddof 1.

    Parameters
    ----------
    returns : array_like of shape (T, N)
        T >= 2.
    weights : array_like of shape (N,)
        Exposures; they need not add up to 1. Not all zero.
    confidence : float
        In (0, 1).
    method : {'historical', 'normal'}

    Returns
    -------
    ndarray of shape (N,)
        Loss for each unit of weight; negative for a hedge.

    Raises
    ------
    UndefinedMeasure
        Also where the derivative does not exist: no weight at all or, for 'normal', a book without risk.
    InvalidReturns, InsufficientData

    References
    ----------
    Tasche (1999), "Risk contributions and performance measurement"; Hallerbach (2003), Journal of Risk 5(2).
    """
    values, w = _book(returns, weights, method)
    return _marginal(values, w, confidence, method, expected=False)


def component_var(
    returns: ArrayLike, weights: ArrayLike, confidence: float, method: str = "historical"
) -> FloatArray:
    """Share of each position in the portfolio's VaR: weight times `marginal_var`.

    The shares add up to `historical_var` (type 7) or `normal_var` of the portfolio, by Euler's theorem.
    Parameters and errors are those of `marginal_var`; without any weight all shares are 0.

    Returns
    -------
    ndarray of shape (N,)
        Loss in the unit of the portfolio's return; negative for a hedge.
    """
    values, w = _book(returns, weights, method)
    return _component(values, w, confidence, method, expected=False)


def component_es(
    returns: ArrayLike, weights: ArrayLike, confidence: float, method: str = "historical"
) -> FloatArray:
    """Share of each position in the portfolio's expected shortfall.

    Historical: the mean loss of the position over the portfolio's tail, with the fractional weight at its
    boundary. The shares add up to `historical_es` or `normal_es` of the portfolio. Parameters and errors are
    those of `marginal_var`; without any weight all shares are 0.

    Returns
    -------
    ndarray of shape (N,)
        Loss in the unit of the portfolio's return; negative for a hedge.
    """
    values, w = _book(returns, weights, method)
    return _component(values, w, confidence, method, expected=True)


def incremental_var(
    returns: ArrayLike, weights: ArrayLike, index: int, confidence: float, method: str = "historical"
) -> float:
    """VaR of the portfolio less the VaR without one position; the increments do not add up.

    Parameters
    ----------
    returns, weights, confidence, method
        As for `marginal_var`.
    index : int
        Column of the position, in [0, N).

    Returns
    -------
    float
        Negative if the position lowers the VaR.

    Raises
    ------
    InvalidReturns, InsufficientData, UndefinedMeasure
    """
    values, w = _book(returns, weights, method)
    column = number(index, "index", 0, len(w) - 1, closed=True)
    if column != int(column):
        raise InvalidReturns(f"index must be a whole number, not {index}")
    without = w.copy()
    without[int(column)] = 0.0
    total = _component(values, w, confidence, method, expected=False).sum()
    return float(total - _component(values, without, confidence, method, expected=False).sum())


def _book(returns: ArrayLike, weights: ArrayLike, method: str) -> tuple[FloatArray, FloatArray]:
    choice(method, "method", METHODS)
    values = matrix(returns)
    return values, weight_vector(weights, values.shape[1])


def _component(
    values: FloatArray, w: FloatArray, confidence: float, method: str, *, expected: bool
) -> FloatArray:
    if not w.any():
        level(confidence)
        return np.zeros_like(w)
    return np.asarray(w * _marginal(values, w, confidence, method, expected=expected))


def _marginal(
    values: FloatArray, w: FloatArray, confidence: float, method: str, *, expected: bool
) -> FloatArray:
    share = 1.0 - level(confidence)
    if not w.any():
        raise UndefinedMeasure("marginal risk is undefined for a portfolio without any weight")
    if method == "normal":
        z = float(ndtri(share))
        return _normal_marginal(values, w, normal_density(z) / share if expected else -z)
    rows, shares = _scenarios(values @ w, confidence, expected=expected)
    return np.asarray(0.0 - shares @ values[rows])


def _normal_marginal(values: FloatArray, w: FloatArray, multiple: float) -> FloatArray:
    mean = values.mean(axis=0)
    centred = values - mean
    book = centred @ w
    deviation = float(book.std(ddof=1))
    if deviation <= _HEDGED * float(np.abs(w) @ centred.std(axis=0)):
        raise UndefinedMeasure("marginal risk is undefined for a portfolio that does not move")
    covariances = centred.T @ book / (len(book) - 1.0)
    return np.asarray(multiple * covariances / deviation - mean)


def _scenarios(book: FloatArray, confidence: float, *, expected: bool) -> tuple[NDArray[np.intp], FloatArray]:
    """Rows that the measure of the book rests on and their weights, which add up to 1."""
    order = np.argsort(book, kind="stable")
    if not expected:
        low, high, weight = quantile_position(len(book), 1.0 - confidence)
        return order[[low, high]], np.array([1.0 - weight, weight])
    size = tail_size(len(book), confidence)
    whole = min(int(size), len(book) - 1)
    weights = np.ones(whole + 1)
    weights[whole] = size - whole
    return order[: whole + 1], weights / size
