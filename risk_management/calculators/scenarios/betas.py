"""Betas to the market, and volatilities, of the columns of a return matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from risk_management.model.market import HistoryKind, ReturnMatrix

__all__ = [
    "MARKET_SYMBOL",
    "MIN_OBSERVATIONS",
    "MIN_R_SQUARED",
    "Beta",
    "estimate_beta",
    "estimate_volatility",
]

MARKET_SYMBOL = "SPY"
"""The column that stands for the market, the S&P 500."""

MIN_OBSERVATIONS = 60
"""Fewer common days are no estimate: the symbol gets the stand-in."""

MIN_R_SQUARED = 0.05
"""Below it the market explains next to nothing of the symbol, and its beta would understate it."""


@dataclass(frozen=True, slots=True)
class Beta:
    """A slope of ordinary least squares, with what it rests on.

    Parameters
    ----------
    beta : float
    r_squared : float
        Share of the symbol's variance that the market explains, 0 to 1.
    observations : int
        Common days.
    """

    beta: float
    r_squared: float
    observations: int


def estimate_beta(matrix: ReturnMatrix, symbol: str, market: str = MARKET_SYMBOL) -> Beta | None:
    """Regress the symbol's own returns on the market's.

    Parameters
    ----------
    matrix : ReturnMatrix
        A long history; stand-ins in it are left out.
    symbol, market : str

    Returns
    -------
    Beta or None
        None where the matrix holds too little of either, or the fit says nothing.
    """
    own, base = _own_rows(matrix, symbol), _own_rows(matrix, market)
    if own is None or base is None:
        return None
    rows = own & base
    count = int(rows.sum())
    if count < MIN_OBSERVATIONS:
        return None
    x = matrix.values[rows, matrix.columns[market]]
    y = matrix.values[rows, matrix.columns[symbol]]
    dx, dy = x - x.mean(), y - y.mean()
    sxx, syy, sxy = float(dx @ dx), float(dy @ dy), float(dx @ dy)
    if sxx <= 0.0 or syy <= 0.0:
        return None
    found = Beta(sxy / sxx, sxy * sxy / (sxx * syy), count)
    return found if found.r_squared >= MIN_R_SQUARED else None


def estimate_volatility(matrix: ReturnMatrix, symbol: str) -> tuple[float, int] | None:
    """Daily standard deviation of the symbol's own returns (ddof 1) and their number.

    None where there are fewer than `MIN_OBSERVATIONS`.
    """
    own = _own_rows(matrix, symbol)
    count = 0 if own is None else int(own.sum())
    if own is None or count < MIN_OBSERVATIONS:
        return None
    return float(matrix.values[own, matrix.columns[symbol]].std(ddof=1)), count


def _own_rows(matrix: ReturnMatrix, symbol: str) -> NDArray[np.bool_] | None:
    """Rows that come from the symbol's own or its proxy's prices."""
    if symbol not in matrix.columns:
        return None
    coverage = matrix.coverage.get(symbol)
    if coverage is None:
        return np.ones(len(matrix.dates), dtype=np.bool_)
    if coverage.kind is HistoryKind.STAND_IN or coverage.first is None or coverage.last is None:
        return None
    days = matrix.dates
    return np.asarray((days > np.datetime64(coverage.first)) & (days <= np.datetime64(coverage.last)))
