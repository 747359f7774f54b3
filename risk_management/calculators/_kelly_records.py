"""What the Kelly optimizer says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["KellyPortfolioResult", "KellyResult", "TradeKelly"]


@dataclass(frozen=True, slots=True)
class KellyResult:
    """The growth-optimal exposure to one asset, and what is left of it after caution.

    Parameters
    ----------
    symbol : str
    full_kelly_fraction : float
        Exposure with the greatest growth over the history exactly as it was; NaN where undefined.
    recommended_kelly_fraction : float
        On the shrunken mean, times the Kelly fraction, under all caps; 0 without an edge. No mean is lifted.
    bound_by : str
        What set the recommendation: ``kelly_fraction``, ``no_edge``, ``insufficient`` or the name of a cap.
    unit : str
        ``exposure``: a multiple of equity.
    discrete, continuous, exact : float
        Full Kelly by win rate and payoff, by mean over variance, and exactly.
    shrunken_kelly : float
        Exact, on the shrunken mean.
    band : tuple of two float
        Exact Kelly at `lower_bound` and its mirror image over resampled blocks of days.
    mean, mean_error, sigma, sigma_error, shrunken_mean : float
        Of returns, a year, with standard errors.
    observations : int
    periods_per_year : int
    growth_rate : float
        Log growth a year at the recommendation, on the shrunken mean.
    status : str
        ``ok`` or ``insufficient``.
    note : str
    leans_on : tuple of str
    """

    symbol: str
    full_kelly_fraction: float
    recommended_kelly_fraction: float
    bound_by: str
    unit: str
    discrete: float
    continuous: float
    exact: float
    shrunken_kelly: float
    band: tuple[float, float]
    mean: float
    mean_error: float
    sigma: float
    sigma_error: float
    shrunken_mean: float
    observations: int
    periods_per_year: int
    growth_rate: float
    status: str
    note: str
    leans_on: tuple[str, ...]

    def explain(self) -> str:
        """The result in a few lines for a person."""
        return (
            f"{self.symbol}: an exposure of {self.recommended_kelly_fraction:.1%} of equity, set by "
            f"{self.bound_by}.\n"
            f"  Mean {self.mean:.1%} a year (standard error {self.mean_error:.1%}), shrunken to "
            f"{self.shrunken_mean:.1%}; volatility {self.sigma:.1%}.\n"
            f"  Full Kelly {self.full_kelly_fraction:.2f} times equity, between {self.band[0]:.2f} and "
            f"{self.band[1]:.2f}.\n"
            f"  {self.note} ({self.observations} returns)."
        )


@dataclass(frozen=True, slots=True)
class KellyPortfolioResult:
    """Growth-optimal weights under the limits of the book.

    Parameters
    ----------
    optimal_weights : Mapping of str to float
        Fractions of equity after the Kelly fraction; the rest is cash.
    unit : str
        ``exposure``: a multiple of equity.
    growth_rate : float
        Log growth a year at these weights, on the shrunken means.
    kelly_fraction : float
        Share of the growth-optimal exposure that is kept: the safety margin.
    shrunken_means : Mapping of str to float
        A year.
    constraints : Mapping of str to float
        Every limit held, by name, as a fraction of equity; `worst_chance` as a chance.
    bound_by : tuple of str
        Those that are reached; ``kelly_fraction`` alone where none is.
    observations : int
        Days common to all symbols.
    status : str
        ``optimal``, ``no_edge``, ``insufficient`` or ``unsolved``; all weights are 0 in the last three.
    note : str
    leans_on : tuple of str
    """

    optimal_weights: Mapping[str, float]
    unit: str
    growth_rate: float
    kelly_fraction: float
    shrunken_means: Mapping[str, float]
    constraints: Mapping[str, float]
    bound_by: tuple[str, ...]
    observations: int
    status: str
    note: str
    leans_on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TradeKelly:
    """Kelly of a record of closed trades.

    Parameters
    ----------
    trades : int
    win_rate : float
        Wins over wins and losses; NaN without either.
    average_win, average_loss : float
        Both positive fractions; NaN without one.
    payoff : float
        Their ratio.
    stake_fraction : float
        Kelly's stake at risk for these two outcomes; NaN where undefined.
    discrete, continuous, exact : float
        Full Kelly exposures by the three ways; NaN where undefined.
    lower, upper : float
        Confidence bounds of `continuous` at `lower_bound` and at its mirror image, the gate's own; NaN
        without any spread.
    recommended_kelly_fraction : float or None
        `lower` times the Kelly fraction, at most `max_exposure`; None where there are too few trades: then it
        does not bind.
    bound_by : str
        ``kelly_fraction``, ``max_exposure``, ``no_edge``, ``no_spread`` or ``insufficient``.
    unit : str
        ``exposure``: a multiple of equity. `stake_fraction` alone is a stake.
    status : str
        ``ok`` or ``insufficient``.
    note : str
    """

    trades: int
    win_rate: float
    average_win: float
    average_loss: float
    payoff: float
    stake_fraction: float
    discrete: float
    continuous: float
    exact: float
    lower: float
    upper: float
    recommended_kelly_fraction: float | None
    bound_by: str
    unit: str
    status: str
    note: str
