"""What follows from one move, and which move is the likeliest to cost a given sum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from risk_management.errors import InvalidReturns, UndefinedMeasure
from risk_management.measures._inputs import FloatArray, covariance_matrix, number, weight_vector

__all__ = ["PlausibleMove", "conditional_mean", "most_plausible_loss"]


@dataclass(frozen=True, slots=True, eq=False)
class PlausibleMove:
    """The likeliest move among those that cost a given sum.

    Parameters
    ----------
    returns : ndarray of shape (N,)
        Of each name.
    distance : float
        Mahalanobis distance of the move from no move, in standard deviations of the book: 3 is a 3 sigma day.
    contributions : ndarray of shape (N,)
        What each name adds to the loss; they sum to it.
    """

    returns: FloatArray
    distance: float
    contributions: FloatArray


def conditional_mean(given: Mapping[int, float], covariance: ArrayLike) -> FloatArray:
    """Expected returns of all names, given those of some: S_rg S_gg^-1 x_g about means of zero.

    Parameters
    ----------
    given : Mapping of int to float
        Return of each named column; at least one.
    covariance : array_like of shape (N, N)
        Positive semi-definite.

    Returns
    -------
    ndarray of shape (N,)
        The given ones as they were given.

    Raises
    ------
    InvalidReturns
    UndefinedMeasure
        A named column does not vary, or the named ones say the same thing twice.

    References
    ----------
    Kupiec (1998), "Stress testing in a value at risk framework", Journal of Derivatives 6(1).
    """
    sigma = covariance_matrix(covariance)
    columns = sorted(given)
    if not columns or columns[0] < 0 or columns[-1] >= len(sigma):
        raise InvalidReturns(f"given must name columns from 0 to {len(sigma) - 1}, not {columns}")
    shocks = np.array([number(given[column], f"given[{column}]", -np.inf) for column in columns])
    block = sigma[np.ix_(columns, columns)]
    scale = np.sqrt(np.diag(block))
    if not scale.min() > 0.0 or np.linalg.cond(block / np.outer(scale, scale)) > 1e10:
        raise UndefinedMeasure("a given name does not vary, or two of them always move alike: leave one out")
    expected = sigma[:, columns] @ np.linalg.solve(block, shocks)
    expected[columns] = shocks
    return np.asarray(expected)


def most_plausible_loss(exposures: ArrayLike, covariance: ArrayLike, loss: float) -> PlausibleMove:
    """The move of greatest density under an elliptical law that costs a book `loss`.

    It minimises r' S^-1 r subject to x'r = -loss, and so is ``r = -loss S x / (x' S x)``, at the distance
    ``loss / sqrt(x' S x)``.

    Parameters
    ----------
    exposures : array_like of shape (N,)
        Money, negative for a short.
    covariance : array_like of shape (N, N)
        Of returns over the horizon.
    loss : float
        Positive money.

    Returns
    -------
    PlausibleMove

    Raises
    ------
    InvalidReturns
    UndefinedMeasure
        The book does not vary: no move costs it anything.

    References
    ----------
    Breuer, Jandacka, Rheinberger and Summer (2009), "How to find plausible, severe, and useful stress
    scenarios", International Journal of Central Banking 5(3).
    """
    sigma = covariance_matrix(covariance)
    x = weight_vector(exposures, len(sigma))
    amount = number(loss, "loss", 0.0)
    together = sigma @ x
    variance = float(x @ together)
    if not variance > 1e-18 * float(np.abs(x) @ np.abs(sigma) @ np.abs(x)) or variance <= 0.0:
        raise UndefinedMeasure("the book does not vary: no move costs it anything")
    returns = -amount * together / variance
    return PlausibleMove(returns, amount / float(np.sqrt(variance)), -x * returns)
