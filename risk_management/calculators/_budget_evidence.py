"""What strategies are measured by when a budget is split: their own days, else what they hold on history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from risk_management.model.money import SCALE
from risk_management.model.portfolio import PortfolioState, StrategyRecord

__all__ = ["Evidence", "evidence"]

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Daily returns on exposure of those strategies that can be measured.

    Parameters
    ----------
    strategies : tuple of str of length N
    returns : ndarray of shape (T, N)
        For volatilities and correlations.
    plain : ndarray of shape (T, N)
        For means: history as it was, not brought to present volatility.
    missing : Mapping of str to str
        Why each other strategy can't be measured.
    leans_on : tuple of str
    """

    strategies: tuple[str, ...]
    returns: Float
    plain: Float
    missing: dict[str, str]
    leans_on: tuple[str, ...]


def evidence(state: PortfolioState, strategies: Sequence[str], min_days: int) -> Evidence:
    """The strategies' own days where all have enough that they share; else their present positions."""
    own = _own_days(state, strategies, min_days)
    return own if own is not None else _present_positions(state, strategies, min_days)


def _own_days(state: PortfolioState, strategies: Sequence[str], min_days: int) -> Evidence | None:
    records = [state.strategies.get(name, StrategyRecord()).days for name in strategies]
    if not records or any(len(days) < min_days for days in records):
        return None
    shared = sorted(set.intersection(*({day.day for day in days} for days in records)))
    if len(shared) < min_days:
        return None
    columns = []
    for days in records:
        by_day = {day.day: day for day in days}
        exposure = sum(by_day[day].exposure for day in shared) / len(shared)
        profits = np.array([by_day[day].profit for day in shared], dtype=np.float64)
        if exposure <= 0.0 or float(np.ptp(profits)) <= 0.0:
            return None
        columns.append(profits / exposure)
    returns = np.column_stack(columns)
    said = f"the strategies' own profits of {len(shared)} trading days, {shared[0]} to {shared[-1]}"
    return Evidence(tuple(strategies), returns, returns, {}, (said,))


def _present_positions(state: PortfolioState, strategies: Sequence[str], min_days: int) -> Evidence:
    held: dict[str, dict[int, float]] = {}
    symbols: dict[str, None] = {}
    for symbol, name in state.totals.names.items():
        for _, strategy, _, sides in name.owners:
            if sides.net and strategy in strategies:
                part = held.setdefault(strategy, {})
                part[name.column] = part.get(name.column, 0.0) + sides.net / SCALE
                symbols[symbol] = None
    known, missing = [], {}
    scaled, plain = [], []
    for strategy in strategies:
        exposures = held.get(strategy, {})
        gross = sum(map(abs, exposures.values()))
        days = len(state.strategies.get(strategy, StrategyRecord()).days)
        if gross <= 0.0:
            missing[strategy] = (
                f"it holds nothing and has {days} days of its own, {min_days} are needed: an equal share"
            )
            continue
        columns = list(exposures)
        weights = np.array([exposures[column] for column in columns]) / gross
        moves = state.model.scenarios[:, columns] @ weights
        if float(np.ptp(moves)) <= 0.0:
            missing[strategy] = "what it holds does not move in the history: an equal share"
            continue
        known.append(strategy)
        scaled.append(moves)
        plain.append(state.model.matrix.values[:, columns] @ weights)
    rows = len(state.model.matrix.dates)
    said: tuple[str, ...] = ()
    if known:
        said = (
            f"present positions on {rows} days of history, not the strategies' own record",
            *state.model.matrix.leans_on(tuple(symbols)),
        )
    empty = np.zeros((rows, 0))
    return Evidence(
        tuple(known),
        np.column_stack(scaled) if scaled else empty,
        np.column_stack(plain) if plain else empty,
        missing,
        said,
    )
