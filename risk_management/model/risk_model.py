"""What the market model says, prepared once so that a decision only reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from risk_management.model.market import ReturnMatrix

__all__ = ["STAND_IN", "RiskModel"]

Float = NDArray[np.float64]

STAND_IN = "?"
"""Prefix of the columns that serve symbols without history, one a class: ``?equity``."""


@dataclass(frozen=True, slots=True)
class RiskModel:
    """Scenarios, volatilities, clusters and shocks by column; arrays are read-only.

    Parameters
    ----------
    matrix : ReturnMatrix
        Plain simple returns (T, N).
    scenarios : ndarray of shape (T, N), column-major
        Returns that the gate and the headline VaR use: by default `scaled`, else those of the matrix.
    scaled : ndarray of shape (T, N), column-major
        Returns scaled to present volatility, by forecasts that each row's past alone has made.
    volatility : ndarray of shape (N,)
        Present daily EWMA volatility.
    es99_long, es99_short : ndarray of shape (N,)
        One-day 99 % expected shortfall of 1 long, and of 1 short, by `scenarios`; at most `stop_free_risk`,
        so that a stop never adds risk.
    stop_free_risk : ndarray of shape (N,)
        Share of the notional that a position without a stop is taken to risk.
    cluster : tuple of int of length N
        Label of the signed cluster of each column.
    cluster_sign : tuple of int of length N
        +1 or -1: the side on which the column moves with the first member of its cluster.
    scenario_ids : tuple of str of length S
        Names of the gate scenarios.
    shocks : ndarray of shape (S, N), column-major
        Return of each column in each gate scenario.
    market_volatility_ratio : float
        Volatility of the equal-weight book over its own median of a year; below 1 the market is calm.
    columns : Mapping of str to int
    """

    matrix: ReturnMatrix
    scenarios: Float
    scaled: Float
    volatility: Float
    es99_long: Float
    es99_short: Float
    stop_free_risk: Float
    cluster: tuple[int, ...]
    cluster_sign: tuple[int, ...]
    scenario_ids: tuple[str, ...]
    shocks: Float
    market_volatility_ratio: float
    columns: Mapping[str, int]

    def column(self, symbol: str, asset_class: str) -> int:
        """Column of a symbol, or of the stand-in of its class where it has no history."""
        found = self.columns.get(symbol)
        if found is not None:
            return found
        found = self.columns.get(STAND_IN + asset_class)
        return self.columns[STAND_IN + "other"] if found is None else found

    def is_stand_in(self, symbol: str) -> bool:
        """Whether nothing is known of the symbol's own returns."""
        return symbol not in self.columns
