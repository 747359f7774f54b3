"""Correlations beside their own past: in crises, in the present regime, and diversification over time."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.risk_model import book_correlation, founded, moves
from risk_management.errors import InvalidRequest, MeasureError
from risk_management.measures.concentration import diversification_ratio, effective_bets
from risk_management.measures.dependence import absorption_ratio, matrix_distance
from risk_management.model.instrument import AssetClass
from risk_management.model.market import HistoryKind
from risk_management.model.money import SCALE
from risk_management.model.portfolio import PortfolioState

__all__ = ["CorrelationStudy", "correlation_study", "or_nan"]

Float = NDArray[np.float64]

STEP: Final = 20
"""Trading days between two points in time."""
CRISIS_SHARE: Final = 0.10
"""Share of days, the market's worst, that a crisis correlation is taken on."""
LEAST_CRISIS_DAYS: Final = 30


@dataclass(frozen=True, slots=True, eq=False)
class CorrelationStudy:
    """The held names over time, with the exposures of today. NaN where there is nothing to say.

    Parameters
    ----------
    symbols : tuple of str, K of them
    dates : ndarray of datetime64[D] of shape (M,)
        Ends of the windows, `STEP` trading days apart; the last is today.
    average_correlation, diversification_ratio, effective_bets, absorption_ratio : ndarray of shape (M,)
        In each window, by the sides held. The first is NaN where a name stands still, as `distance` is.
    distance : ndarray of shape (M,)
        Of each window's matrix from that of all days: 0 is the same, 1 has nothing in common.
    regime_percentile : float
        Share of the earlier distances that today's is above: near 1 the names move as they never did.
    crisis_matrix : ndarray of shape (K, K)
        About zero, on the worst days of the market; they are few, and the figures rough.
    crisis_average, usual_average : float
        Average by the sides held and weighted by exposures, on those days and on all.
    crisis_days, observations, span : int
        Days of the crisis and of all, and of a window.
    market : str
        Whose worst days they are.
    notes, leans_on : tuple of str
    """

    symbols: tuple[str, ...]
    dates: NDArray[np.datetime64]
    average_correlation: Float
    diversification_ratio: Float
    effective_bets: Float
    absorption_ratio: Float
    distance: Float
    regime_percentile: float
    crisis_matrix: Float
    crisis_average: float
    usual_average: float
    crisis_days: int
    observations: int
    span: int
    market: str
    notes: tuple[str, ...] = ()
    leans_on: tuple[str, ...] = ()

    def explain(self) -> str:
        """The study in a few lines for a person."""
        lines = [
            f"On the {self.crisis_days} worst days of {self.market} the names correlate by "
            f"{self.crisis_average:z.2f} on average, on all days by {self.usual_average:z.2f}.",
            f"The last {self.span} days stand {self.distance[-1]:.2g} from the whole, further than "
            f"{self.regime_percentile:.0%} of the past."
            if math.isfinite(self.distance[-1])
            else f"In the last {self.span} days a name stands still: they have no distance from the whole.",
            f"Effective bets over {self.span} days, at the volatilities of those days: "
            f"{self.effective_bets[-1]:.2f} in the last, {np.nanmedian(self.effective_bets):.2f} at the "
            f"median, {np.nanmin(self.effective_bets):.2f} at the least.",
        ]
        return "\n".join([*lines, *(f"  {note}." for note in self.notes)])


def correlation_study(
    state: PortfolioState, config: RiskManagementConfig, leans_on: tuple[str, ...] = ()
) -> CorrelationStudy:
    """Study the names held over the model's window.

    Parameters
    ----------
    state : PortfolioState
    config : RiskManagementConfig
        Windows are `correlation_config.spike_window` days long, estimated by the configured method.
    leans_on : tuple of str

    Raises
    ------
    InvalidRequest
        Fewer than two names that move are held, or too few days are known.

    Notes
    -----
    On the worst days all fall, and a correlation about the mean of those days would leave just that out and
    come out too low. So both averages are taken about zero. Days chosen for their losses move together
    more in any case (Boyer, Gibson and Loretan 1999): it says what diversification was worth when it was
    needed, and is no test of contagion.
    """
    names = {s: n for s, n in sorted(state.totals.names.items()) if n.sides.net}
    columns = [n.column for n in names.values()]
    returns = state.model.matrix.values[:, columns]
    money = np.array([n.sides.net / SCALE for n in names.values()])
    moving = moves(returns) if names else np.zeros(0, dtype=np.bool_)
    span = config.correlation_config.spike_window
    if moving.sum() < 2 or len(returns) < 2 * span:
        raise InvalidRequest(
            "INSUFFICIENT",
            "positions",
            f"a study needs two held names that move and {2 * span} days; there are {int(moving.sum())} and "
            f"{len(returns)}",
        )
    symbols = tuple(s for s, moves in zip(names, moving, strict=True) if moves)
    returns, money = returns[:, moving], money[moving]
    known = founded(state.model.matrix)[columns][moving]
    whole = _correlation(returns, config, known)
    ends = np.arange(len(returns), span - 1, -STEP)[::-1]
    rows = [_point(returns[end - span : end], money, whole, config, known) for end in ends]
    average, ratio, bets, absorbed, distance = (np.array(column) for column in zip(*rows, strict=True))
    past = distance[:-1][np.isfinite(distance[:-1])]
    market, crowd = _market(state, returns)
    worst = np.argsort(crowd, kind="stable")[: round(CRISIS_SHARE * len(returns))]
    notes = []
    crisis = np.full_like(whole, math.nan)
    if len(worst) >= LEAST_CRISIS_DAYS:
        crisis = _together(returns[worst])
    else:
        notes.append(f"{len(worst)} crisis days are too few for a correlation ({LEAST_CRISIS_DAYS})")
    return CorrelationStudy(
        symbols=symbols,
        dates=state.model.matrix.dates[ends - 1],
        average_correlation=average,
        diversification_ratio=ratio,
        effective_bets=bets,
        absorption_ratio=absorbed,
        distance=distance,
        regime_percentile=(
            float((past < distance[-1]).mean()) if len(past) and math.isfinite(distance[-1]) else math.nan
        ),
        crisis_matrix=crisis,
        crisis_average=_average(crisis, money),
        usual_average=_average(_together(returns), money),
        crisis_days=len(worst),
        observations=len(returns),
        span=span,
        market=market,
        notes=tuple(notes),
        leans_on=leans_on,
    )


def _correlation(returns: Float, config: RiskManagementConfig, known: NDArray[np.bool_]) -> Float:
    """By the configured method over all rows that are handed in."""
    settings = config.correlation_config.model_copy(update={"window": len(returns)})
    return book_correlation(returns, config.model_copy(update={"correlation_config": settings}), known)


def _together(returns: Float) -> Float:
    """Correlation about zero, shape (K, K): that all fall on the same days is part of it."""
    length = np.sqrt((returns * returns).sum(axis=0))
    scaled = returns / np.where(length > 0.0, length, 1.0)
    return np.asarray(np.clip(scaled.T @ scaled, -1.0, 1.0))


def _point(
    returns: Float, money: Float, whole: Float, config: RiskManagementConfig, known: NDArray[np.bool_]
) -> tuple[float, float, float, float, float]:
    rho = _correlation(returns, config, known)
    deviation = returns.std(axis=0, ddof=1)
    covariance = rho * np.outer(deviation, deviation)
    all_move = bool(moves(returns).all())  # a name that stands still correlates with none
    return (
        _average(rho, money) if all_move else math.nan,
        or_nan(lambda: diversification_ratio(money, covariance)),
        or_nan(lambda: effective_bets(money, covariance)),
        or_nan(lambda: absorption_ratio(covariance)),
        matrix_distance(rho, whole) if all_move else math.nan,
    )


def _average(rho: Float, money: Float) -> float:
    """By the sides held, weighted by the product of the exposures."""
    across = np.triu(np.outer(money, money), 1)
    weight = float(np.abs(across).sum())
    return float((across * rho).sum()) / weight if weight > 0.0 else math.nan


def _market(state: PortfolioState, returns: Float) -> tuple[str, Float]:
    """The mean of the broad index funds with history; where there is none, of the held names."""
    matrix = state.model.matrix
    funds = [
        s
        for s in matrix.symbols
        if matrix.asset_classes.get(s) == AssetClass.INDEX_FUND
        and matrix.coverage[s].kind is not HistoryKind.STAND_IN
    ]
    if not funds:
        return "the held names", np.asarray(returns.mean(axis=1))
    return " and ".join(funds), np.asarray(matrix.values[:, [matrix.columns[s] for s in funds]].mean(axis=1))


def or_nan(measure: Callable[[], float]) -> float:
    """A measure, or NaN where it is undefined."""
    try:
        return measure()
    except MeasureError:
        return math.nan
