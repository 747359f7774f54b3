"""Growth-optimal portfolios as convex programs, solved by Clarabel."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from risk_management.errors import InvalidReturns, UndefinedMeasure, shown
from risk_management.measures._inputs import FloatArray, matrix, number, vector, weight_vector

__all__ = ["GrowthPortfolio", "KellyConstraints", "kelly_portfolio", "kelly_risk_constrained"]

STEPS: Final = (0.9, 0.8, 0.5)
"""Share of the way to the edge of a cone that the solver steps: on real returns its default fails in one
program of nine, and 0.9 in one of eight with a promise on falls; where one fails a shorter one is taken."""


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
    net : float, optional
        Most that the size of the signed sum may be.
    """

    lower: float | Sequence[float] = 0.0
    upper: float | Sequence[float] = 1.0
    gross: float = 1.0
    budget: float | None = None
    groups: Sequence[tuple[tuple[int, ...], float]] = ()
    net: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class GrowthPortfolio:
    """A growth-optimal portfolio.

    Parameters
    ----------
    weights : ndarray of shape (N,)
        Exposures as fractions of capital; the rest is cash.
    growth : float
        Mean log growth a period at these weights.
    fall_bound : bool
        Whether the promise on falls held the weights back.
    """

    weights: FloatArray
    growth: float
    fall_bound: bool = False


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
    values = matrix(returns)
    aversion = None if fall is None else _checked_fall(fall)
    box = _checked(constraints, values.shape[1])
    free = _grown(values, box, None)
    if aversion is None or float(np.mean((1.0 + values @ free.weights) ** -aversion)) <= 1.0:
        return free
    return replace(_grown(values, box, aversion), fall_bound=True)


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


def _checked_fall(fall: object) -> float:
    if not isinstance(fall, Sequence) or len(fall) != 2:
        raise InvalidReturns(f"fall is a pair of a share and a chance, such as (0.7, 0.1), not {shown(fall)}")
    return _aversion(*fall)


@dataclass(frozen=True, slots=True, eq=False)
class _Box:
    """Checked constraints: bounds of shape (N,), and sums of some columns that are limited."""

    lower: FloatArray
    upper: FloatArray
    gross: float
    limits: list[tuple[list[int], float, str]]
    """Columns, the most that they may come to, and whether by size, signed, or net (the size of the sum)."""

    @property
    def has_cash(self) -> bool:
        """Whether nothing at all may be held."""
        return bool((self.lower <= 0.0).all() and (self.upper >= 0.0).all()) and all(
            most >= 0.0 for _, most, _ in self.limits
        )


def _checked(wanted: object, size: int) -> _Box:
    wanted = KellyConstraints() if wanted is None else wanted
    if not isinstance(wanted, KellyConstraints):
        raise InvalidReturns(f"constraints must be KellyConstraints, not {shown(wanted)}")
    lower, upper = (
        np.full(size, number(bound, name, -np.inf))
        if np.ndim(bound) == 0
        else weight_vector(np.asarray(bound), size)
        for name, bound in (("lower", wanted.lower), ("upper", wanted.upper))
    )
    everything = list(range(size))
    gross = number(wanted.gross, "gross", 0.0, closed=True)
    limits = [(everything, gross, "size")]
    if wanted.budget is not None:
        limits.append((everything, number(wanted.budget, "budget", -np.inf), "signed"))
    if wanted.net is not None:
        limits.append((everything, number(wanted.net, "net", 0.0, closed=True), "net"))
    return _Box(lower, upper, gross, [*limits, *_checked_groups(wanted.groups, size)])


def _checked_groups(groups: object, size: int) -> list[tuple[list[int], float, str]]:
    """Groups of distinct whole columns, a list of them in any form of sequence."""
    if not isinstance(groups, Sequence):
        raise InvalidReturns(f"groups are a list of (columns, most), not {shown(groups)}")
    found = []
    for group in groups:
        if not isinstance(group, Sequence) or len(group) != 2:
            raise InvalidReturns(f"a group is a pair of columns and a limit, not {shown(group)}")
        columns = group[0].tolist() if isinstance(group[0], np.ndarray) else group[0]
        if not isinstance(columns, Sequence) or not columns or not all(_is_column(c, size) for c in columns):
            raise InvalidReturns(f"a group must name columns from 0 to {size - 1}, not {shown(columns)}")
        found.append((sorted(set(columns)), number(group[1], "group", 0.0, closed=True), "size"))
    return found


def _is_column(value: object, size: int) -> bool:
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    return whole and 0 <= value < size  # type: ignore[operator]


def _grown(values: FloatArray, box: _Box, aversion: float | None) -> GrowthPortfolio:
    """The program, in units in which weights and returns are near one."""
    import cvxpy as cp  # noqa: PLC0415 - takes seconds to import

    deviation = float(values.std(axis=0).max())
    unit = max(1.0, min(box.gross, 1.0 / deviation)) if deviation > 0.0 else 1.0
    lower, upper = box.lower / unit, box.upper / unit
    if box.has_cash:  # what never moves earns nothing, and the program would not care
        lower, upper = (np.where(values.any(axis=0), bound, 0.0) for bound in (lower, upper))
    w = cp.Variable(values.shape[1])
    bounds = [w >= lower, w <= upper]
    sums = {"size": cp.norm1, "signed": cp.sum, "net": lambda part: cp.abs(cp.sum(part))}
    bounds += [sums[kind](w[columns]) <= most / unit for columns, most, kind in box.limits]
    wealth = cp.log1p((values * unit) @ w)
    if aversion is not None:
        bounds.append(cp.log_sum_exp(-aversion * wealth) <= log(len(values)))
    # the sum, not the mean: the solver's tolerance is absolute
    _solve(cp.Problem(cp.Maximize(cp.sum(wealth)), bounds))
    found = _portfolio(np.clip(w.value, lower, upper) * unit, values, None)
    if found.growth <= 0.0 and box.has_cash:
        return GrowthPortfolio(0.0 * found.weights, 0.0)
    return found


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

    for step in STEPS:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the status says the same, and it is checked
                problem.solve(solver=cp.CLARABEL, max_step_fraction=step)
            break
        except cp.error.SolverError as failure:
            if step == STEPS[-1]:
                raise UndefinedMeasure(f"no growth-optimal portfolio was found: {failure}") from failure
    # "inaccurate" ones were within 4e-9 of the same programs under other tolerances
    if problem.status not in (cp.OPTIMAL, cp.OPTIMAL_INACCURATE):
        raise UndefinedMeasure(f"no growth-optimal portfolio was found: the program is {problem.status}")


def _portfolio(weights: FloatArray, values: FloatArray, chances: FloatArray | None) -> GrowthPortfolio:
    logs = np.log1p(values @ weights)
    return GrowthPortfolio(weights, float(logs.mean() if chances is None else chances @ logs))
