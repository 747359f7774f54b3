"""Growth-optimal portfolios as convex programs, solved by Clarabel."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from risk_management.errors import InvalidReturns, UndefinedMeasure
from risk_management.measures._inputs import FloatArray, matrix, number, vector, weight_vector

__all__ = ["GrowthPortfolio", "KellyConstraints", "kelly_portfolio", "kelly_risk_constrained"]


@dataclass(frozen=True, slots=True)
class KellyConstraints:
    """What a growth-optimal portfolio may hold. The defaults: long only, without credit.

    Parameters
    ----------
    lower, upper : float, or sequence of N floats
        Bounds of each weight, as fractions of capital.
    gross : float
        Most that the sizes |w| may add up to: the leverage.
    budget : float, optional
        Most that the signed weights may add up to; the rest is cash.
    groups : sequence of (columns, most)
        Most that the sizes |w| of some columns may add up to.
    """

    lower: float | Sequence[float] = 0.0
    upper: float | Sequence[float] = 1.0
    gross: float = 1.0
    budget: float | None = None
    groups: Sequence[tuple[tuple[int, ...], float]] = ()


@dataclass(frozen=True, slots=True, eq=False)
class GrowthPortfolio:
    """A growth-optimal portfolio.

    Parameters
    ----------
    weights : ndarray of shape (N,)
        Exposures as fractions of capital; the rest is cash.
    growth : float
        Mean log growth a period at these weights.
    """

    weights: FloatArray
    growth: float


def kelly_portfolio(
    returns: ArrayLike,
    constraints: KellyConstraints | None = None,
    fall: tuple[float, float] | None = None,
) -> GrowthPortfolio:
    """Weights with the greatest mean log growth over the observed returns, exactly.

    Maximises mean(ln(1 + R w)) as a program over exponential cones; nothing is approximated by moments.

    Parameters
    ----------
    returns : array_like of shape (T, N)
        Simple returns; T >= 2.
    constraints : KellyConstraints, optional
    fall : tuple of two float, optional
        `alpha` and `beta` of `kelly_risk_constrained`: the chance of ever falling to alpha of the start stays
        below beta, were the periods independent.

    Returns
    -------
    GrowthPortfolio
        All cash without an edge. Estimated means make it bold: it is an upper bound of what to hold.

    Raises
    ------
    UndefinedMeasure
        If the constraints contradict each other, or the solver finds no optimum.
    InvalidReturns, InsufficientData

    References
    ----------
    Kelly (1956); MacLean, Thorp and Ziemba (2011), The Kelly Capital Growth Investment Criterion.
    """
    import cvxpy as cp  # noqa: PLC0415 - takes seconds to import

    values = matrix(returns)
    lower, upper, limits = _checked(constraints or KellyConstraints(), values.shape[1])
    w = cp.Variable(values.shape[1])
    bounds = [w >= lower, w <= upper]
    for columns, most, signed in limits:
        part = w[columns]
        bounds.append((cp.sum(part) if signed else cp.norm1(part)) <= most)
    wealth = cp.log1p(values @ w)
    if fall is not None:
        bounds.append(cp.log_sum_exp(-_aversion(*fall) * wealth) <= log(len(values)))
    # the sum, not the mean: the solver's tolerance is absolute
    _solve(cp.Problem(cp.Maximize(cp.sum(wealth)), bounds))
    return _portfolio(np.clip(w.value, lower, upper), values, None)


def kelly_risk_constrained(
    outcomes: ArrayLike, probabilities: ArrayLike, alpha: float, beta: float
) -> GrowthPortfolio:
    """Greatest growth whose chance of ever falling to `alpha` of the start stays below `beta`.

    Long only, without credit, the rest in cash. With lambda = ln(beta) / ln(alpha) and r the outcomes::

        maximise E ln(1 + r'w)   subject to   E (1 + r'w)**-lambda <= 1

    which implies P(lowest wealth < alpha) < beta for independent repetitions.

    Parameters
    ----------
    outcomes : array_like of shape (S, N)
        Simple returns of each bet in each state, none below -1: 0.5 is +50 %, 0 gives the stake back.
    probabilities : array_like of shape (S,)
        Not negative; they add up to 1.
    alpha, beta : float
        Both in (0, 1): at most a chance of `beta` that wealth ever stands below `alpha` times the start.

    Returns
    -------
    GrowthPortfolio
        All cash without an edge.

    Raises
    ------
    InvalidReturns, InsufficientData, UndefinedMeasure

    References
    ----------
    Busseti, Ryu and Boyd (2016), "Risk-constrained Kelly gambling", Journal of Investing 25(3), problem 5.
    """
    import cvxpy as cp  # noqa: PLC0415 - takes seconds to import

    values, chances = _checked_states(outcomes, probabilities)
    aversion = _aversion(alpha, beta)
    w = cp.Variable(values.shape[1], nonneg=True)
    wealth = cp.log1p(values @ w)
    risk = cp.log_sum_exp(np.log(chances) - aversion * wealth)
    _solve(cp.Problem(cp.Maximize(chances @ wealth), [cp.sum(w) <= 1.0, risk <= 0.0]))
    return _portfolio(np.maximum(w.value, 0.0), values, chances)


def _aversion(alpha: float, beta: float) -> float:
    """Lambda of the paper."""
    return log(number(beta, "beta", 0.0, 1.0)) / log(number(alpha, "alpha", 0.0, 1.0))


def _checked(
    wanted: KellyConstraints, size: int
) -> tuple[FloatArray, FloatArray, list[tuple[list[int], float, bool]]]:
    """Bounds of shape (N,), and (columns, most, whether signed) for each sum that is limited."""
    lower, upper = (
        np.full(size, number(bound, name, -np.inf))
        if np.ndim(bound) == 0
        else weight_vector(np.asarray(bound), size)
        for name, bound in (("lower", wanted.lower), ("upper", wanted.upper))
    )
    everything = list(range(size))
    limits = [(everything, number(wanted.gross, "gross", 0.0, closed=True), False)]
    if wanted.budget is not None:
        limits.append((everything, number(wanted.budget, "budget", -np.inf), True))
    for columns, most in wanted.groups:
        if not columns or not set(columns) <= set(everything):
            raise InvalidReturns(f"a group must name columns from 0 to {size - 1}, not {columns!r}")
        limits.append((sorted(set(columns)), number(most, "group", 0.0, closed=True), False))
    return lower, upper, limits


def _checked_states(outcomes: ArrayLike, probabilities: ArrayLike) -> tuple[FloatArray, FloatArray]:
    values, chances = matrix(outcomes, "outcomes"), vector(probabilities, "probabilities")
    if len(chances) != len(values):
        raise InvalidReturns(f"probabilities must have one entry for each of the {len(values)} outcomes")
    if float(chances.min()) < 0.0 or abs(float(chances.sum()) - 1.0) > 1e-9:
        raise UndefinedMeasure("probabilities must not be negative and must add up to 1")
    if float(values.min()) < -1.0:
        raise UndefinedMeasure("outcomes must not lose more than the stake (-1)")
    possible = chances > 0.0
    return values[possible], chances[possible]


def _solve(problem: Any) -> None:
    """Solve in place; whatever stops the solver becomes one typed error."""
    import cvxpy as cp  # noqa: PLC0415 - takes seconds to import

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the status says the same, and it is checked
            # shorter steps: on real returns the default ones fail in one program of nine
            problem.solve(solver=cp.CLARABEL, max_step_fraction=0.9)
    except cp.error.SolverError as failure:
        raise UndefinedMeasure(f"no growth-optimal portfolio was found: {failure}") from failure
    # "inaccurate" ones were within 4e-9 of the same programs under other tolerances
    if problem.status not in (cp.OPTIMAL, cp.OPTIMAL_INACCURATE):
        raise UndefinedMeasure(f"no growth-optimal portfolio was found: the program is {problem.status}")


def _portfolio(weights: FloatArray, values: FloatArray, chances: FloatArray | None) -> GrowthPortfolio:
    logs = np.log1p(values @ weights)
    return GrowthPortfolio(weights, float(logs.mean() if chances is None else chances @ logs))
