"""What follows from one move, and which move is the likeliest to cost a given sum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from risk_management.errors import InvalidReturns, UndefinedMeasure, shown
from risk_management.measures._inputs import FloatArray, covariance_matrix, number, weight_vector

__all__ = ["PlausibleMove", "conditional_mean", "most_plausible_loss"]

ROUNDING: Final = 1e-12


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
    columns = _columns(given, len(sigma))
    shocks = np.array([number(given[column], f"given[{column}]", -np.inf) for column in columns])
    block = sigma[np.ix_(columns, columns)]
    scale = np.sqrt(np.diag(block))
    if not scale.min() > 0.0 or np.linalg.cond(block / np.outer(scale, scale)) > 1e10:
        raise UndefinedMeasure("a given name does not vary, or two of them always move alike: leave one out")
    expected = sigma[:, columns] @ np.linalg.solve(block, shocks)
    expected[columns] = shocks
    return np.asarray(expected)


def _columns(given: object, size: int) -> list[int]:
    """The named columns in order; whole numbers of any kind, but no booleans."""
    if not isinstance(given, Mapping) or not given:
        raise InvalidReturns(f"given must map columns to returns, at least one; got {shown(given)}")
    for column in given:
        if isinstance(column, bool) or not isinstance(column, (int, np.integer)) or not 0 <= column < size:
            raise InvalidReturns(f"given must name columns from 0 to {size - 1}, not {shown(column)}")
    return sorted(given)


def most_plausible_loss(
    exposures: ArrayLike, covariance: ArrayLike, loss: float, least: float = -np.inf
) -> PlausibleMove:
    """The move of greatest density under an elliptical law that costs a book `loss`.

    It minimises r' S^-1 r subject to x'r = -loss, and so is ``r = -loss S x / (x' S x)``, at the distance
    ``loss / sqrt(x' S x)``. Names that would fall below `least` are held there, and the others move on.

    Parameters
    ----------
    exposures : array_like of shape (N,)
        Money, negative for a short.
    covariance : array_like of shape (N, N)
        Of returns over the horizon, positive semi-definite.
    loss : float
        Positive money.
    least : float
        Return below which no name falls, negative: -1 where a long can't lose more than all.

    Returns
    -------
    PlausibleMove

    Raises
    ------
    InvalidReturns
    UndefinedMeasure
        The book does not vary, or no move within `least` costs as much.

    References
    ----------
    Breuer, Jandacka, Rheinberger and Summer (2009), "How to find plausible, severe, and useful stress
    scenarios", International Journal of Central Banking 5(3).
    """
    sigma = covariance_matrix(covariance)
    x = weight_vector(exposures, len(sigma))
    amount = number(loss, "loss", 0.0)
    variance = float(x @ sigma @ x)
    if not variance > 1e-18 * float(np.abs(x) @ np.abs(sigma) @ np.abs(x)) or variance <= 0.0:
        raise UndefinedMeasure("the book does not vary: no move costs it anything")
    held: list[int] = []
    for _ in range(3 * len(x) + 1):
        returns, distance, pulls = _nearest(x, sigma, amount, held, least)
        below = [i for i in np.flatnonzero(returns < least - ROUNDING).tolist() if i not in held]
        free = [i for i, pull in zip(held, pulls, strict=True) if pull < 0.0]
        if not below and not free:
            return PlausibleMove(returns, distance, -x * returns)
        held = sorted({*held, *below} - ({min(free)} if free and not below else set()))
    raise UndefinedMeasure("no move was found that costs as much")


def _nearest(
    x: FloatArray, sigma: FloatArray, amount: float, held: list[int], least: float
) -> tuple[FloatArray, float, list[float]]:
    """The nearest move that costs `amount` with some names held at `least`, its distance, and their pulls.

    A pull is the multiplier of a held name: below 0 it would rather stand higher.
    """
    rows = np.vstack((-x, np.eye(len(x))[held]))
    wanted = np.array([amount, *[least] * len(held)])
    together = rows @ sigma @ rows.T
    scale = np.sqrt(np.diag(together))
    if not scale.min() > 0.0:
        raise UndefinedMeasure("no move within the bounds costs as much")
    multipliers = np.linalg.lstsq(together / np.outer(scale, scale), wanted / scale, rcond=1e-10)[0] / scale
    if float(np.abs((together @ multipliers - wanted) / scale).max()) > 1e-6 * float(
        np.abs(wanted / scale).max()
    ):
        raise UndefinedMeasure("no move within the bounds costs as much")
    distance = float(np.sqrt(max(wanted @ multipliers, 0.0)))
    # a held name pushes up: its multiplier is that of a return of at least `least`
    return sigma @ (rows.T @ multipliers), distance, multipliers[1:].tolist()
