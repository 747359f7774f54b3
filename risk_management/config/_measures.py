"""How risk is measured, and where each measure has its limits."""

from __future__ import annotations

from datetime import time
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from risk_management.config._base import (
    Fraction,
    Leverage,
    LocalTime,
    Settings,
    ZoneName,
)

__all__ = [
    "CorrelationConfig",
    "DrawdownConfig",
    "HeatConfig",
    "KellyConfig",
    "StressConfig",
    "Tiers",
    "VaRConfig",
]

VaRMethod = Literal[
    "historical",
    "volatility_scaled",
    "filtered_historical",
    "age_weighted",
    "extreme_value",
    "parametric",
    "cornish_fisher",
    "student_t",
    "monte_carlo",
    "monte_carlo_full",
    "monte_carlo_copula",
    "monte_carlo_t",
]
"""The methods that ship; the names stand in result keys such as ``historical_0.95_1d``."""


def _checked_tiers(tiers: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    shares, multipliers = [t[0] for t in tiers], [t[1] for t in tiers]
    fine = shares == sorted(set(shares)) and multipliers == sorted(set(multipliers), reverse=True)
    inside = all(0 < s <= 1 for s in shares) and all(0 <= m < 1 for m in multipliers)
    if not (tiers and fine and inside):
        raise ValueError("tiers need rising shares in (0, 1] with falling multipliers in [0, 1)")
    return tiers


Tiers = Annotated[tuple[tuple[float, float], ...], AfterValidator(_checked_tiers)]
"""Pairs of a rising share and a falling multiplier."""


class VaRConfig(Settings):
    """Value at risk and expected shortfall."""

    daily_var_limit: Fraction = 0.02
    """One-day VaR at 95 % by `default_method`."""
    daily_es_limit: Fraction = 0.035
    """One-day expected shortfall at 97.5 % by `default_method`."""
    default_method: Literal["historical", "volatility_scaled"] = "volatility_scaled"
    """The method of the gate and of the headline; works on a matrix of scenarios."""
    methods: tuple[VaRMethod, ...] = (
        "historical",
        "volatility_scaled",
        "parametric",
        "monte_carlo",
        "monte_carlo_t",
    )
    """Methods of the full report."""
    confidence_levels: tuple[Annotated[float, Field(gt=0.5, lt=1.0)], ...] = (0.95, 0.975, 0.99)
    """Confidence levels of the full report."""
    horizons: tuple[Annotated[int, Field(ge=1, le=250)], ...] = (1, 5, 10)
    """Horizons of the full report, in trading days."""
    scaling_decay: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.88
    """Decay a day of the variances that `volatility_scaled` brings history to the present by."""
    downside_weight: Annotated[float, Field(ge=0.0, le=10.0)] = 2.0
    """Additional weight of a loss in those variances."""
    long_run_weight: Annotated[float, Field(ge=0.0, le=1.0)] = 0.1
    """Share of the whole window's mean square in those variances."""
    ewma_decay: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.94
    """Decay a day of the volatilities that are shown and that stops are measured by."""
    backtest_multiplier: bool = True
    """Whether VaR and ES count for more while the live backtest stands in the yellow or red zone."""
    monte_carlo_simulations: Annotated[int, Field(ge=100, le=10_000_000)] = 10_000
    """Draws of one simulation."""
    draws: Literal["antithetic", "sobol"] = "antithetic"
    """Random draws with their mirror images, or scrambled quasi-random points."""
    margins: Literal["empirical", "student_t"] = "empirical"
    """Margins of a copula: each name's own returns, or a t law fitted to them, which reaches further."""
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 20_220_228
    """Seed of every simulation, together with the version of the state."""


class KellyConfig(Settings):
    """Position sizing by the growth of capital."""

    default_kelly_fraction: Fraction = 0.25
    """Share of the growth-optimal exposure that is used."""
    min_trades: Annotated[int, Field(ge=2, le=1_000_000)] = 50
    """Closed trades of a bot before its own record binds."""
    lower_bound: Annotated[float, Field(gt=0.0, lt=0.5)] = 0.25
    """Confidence bound of the bot's Kelly that is used."""
    test_share: Fraction = 0.25
    """Share of its maximum that a bot without a proven edge keeps, so that its record can change."""
    max_exposure: Leverage = 1.0
    """Largest exposure that an optimisation may give one asset."""
    max_leverage: Leverage = 1.0
    """Largest sum of absolute weights of an optimised portfolio."""
    allow_shorts: bool = False
    """Whether an optimised portfolio may hold shorts."""
    mean_shrinkage: Fraction = 0.5
    """Weight of the common mean in the estimated means; 1 ignores each asset's own."""


class DrawdownConfig(Settings):
    """Limits on losses from the high-water mark and over calendar spans."""

    max_portfolio_drawdown: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.15
    """Drawdown at which nothing is opened and the book is trimmed; the tiers scale with it."""
    tiers: Tiers = ((1 / 3, 0.75), (8 / 15, 0.50), (11 / 15, 0.25), (1.0, 0.0))
    """Pairs of share of `max_portfolio_drawdown` and position multiplier from there on."""
    hysteresis: Fraction = 0.02
    """How far back inside a tier the drawdown must come before its multiplier is lifted."""
    daily_loss_limit: Fraction = 0.03
    """Loss since the start of the trading day that turns the mode to REDUCING."""
    weekly_loss_limit: Fraction = 0.06
    """Loss since the start of the trading week."""
    rolling_loss_limit: Fraction = 0.10
    """Loss over the last `rolling_days` trading days."""
    rolling_days: Annotated[int, Field(ge=2, le=250)] = 20
    """Length of the rolling span, in trading days."""
    max_bot_drawdown: Fraction = 0.15
    """Loss of a bot from its peak, as a fraction of what it may hold, that disables its entries."""
    max_strategy_drawdown: Fraction = 0.15
    """The same for a strategy."""
    quarantine_jump: Fraction = 0.10
    """Change of equity in one step, without fills, cash or prices to explain it, that is not believed."""
    timezone: ZoneName = "America/New_York"
    """Zone of the trading day."""
    day_roll: LocalTime = time(18, 0)
    """Local time at which a trading day ends; closes of 21:00 UTC then belong to it all year round."""
    trades_weekends: bool = False
    """Whether Saturday and Sunday are trading days of their own; else they belong to Monday."""
    recovery_wait_days: Annotated[int, Field(ge=1, le=1000)] = 20
    """Trading days in a stop before the recovery tranche may open."""
    recovery_size: Fraction = 0.25
    """Multiplier of the first recovery tranche."""
    recovery_loss_budget: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.05
    """Loss from the tranche's start that closes it; every such gain doubles the tranche."""

    def tier_levels(self) -> tuple[tuple[float, float], ...]:
        """Pairs of drawdown (a fraction) and position multiplier, rising."""
        return _levels(self.tiers, self.max_portfolio_drawdown)


@lru_cache(maxsize=64)
def _levels(tiers: tuple[tuple[float, float], ...], whole: float) -> tuple[tuple[float, float], ...]:
    """Tiers in fractions of the peak; asked twice for every price."""
    return tuple((share * whole, multiplier) for share, multiplier in tiers)


class CorrelationConfig(Settings):
    """Correlations, clusters, and what counts as a spike."""

    method: Literal["sample", "ewma", "ledoit_wolf"] = "ledoit_wolf"
    """Estimator of the matrix."""
    window: Annotated[int, Field(ge=30, le=5000)] = 250
    """Returns that the estimate sees, in trading days."""
    overlap_days: Annotated[int, Field(ge=1, le=20)] = 1
    """Days over which returns are summed before they are correlated: 2 or 3 where markets close apart."""
    min_overlap: Annotated[int, Field(ge=10, le=5000)] = 60
    """Fewest common returns for a correlation."""
    ewma_decay: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.97
    """Decay of the EWMA estimator."""
    cluster_threshold: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.70
    """Correlation above which names form one cluster."""
    warning_pair: Fraction = 0.85
    """Correlation of two held names that raises a warning."""
    spike_window: Annotated[int, Field(ge=20, le=250)] = 60
    """Returns of a short correlation, in trading days."""
    spike_pair: Fraction = 0.90
    """A pair spikes above this correlation ..."""
    spike_rise: Fraction = 0.15
    """... when it also stands this far above its own median of 250 days ..."""
    spike_weight: Fraction = 0.10
    """... and the pair is more than this fraction of equity."""
    spike_average: Fraction = 0.70
    """The weighted average of the book spikes above this, and above its own 99th percentile."""
    volatility_spike: Annotated[float, Field(gt=1.0, le=20.0)] = 2.0
    """Ratio of the book's present EWMA volatility to its own median that counts as a spike."""


class StressConfig(Settings):
    """Scenario losses."""

    max_stress_loss: Fraction = 0.25
    """Largest loss in any one- or ten-day gate scenario; a scenario above it is not passed."""
    critical_loss: Fraction = 0.50
    """Loss in any scenario, whole crises included, that is a critical failure."""
    scenario_dir: Path | None = None
    """Folder with a user's own scenario files."""
    unknown_beta: Annotated[float, Field(ge=1.0, le=5.0)] = 1.5
    """Beta to the market of a symbol of which nothing is known."""


class HeatConfig(Settings):
    """Portfolio heat: open risk over its budget."""

    max_open_risk: Fraction = 0.08
    """Open risk that is heat 100, as a fraction of equity."""
    warning_heat: Annotated[float, Field(ge=0.0, le=100.0)] = 60.0
    """Heat that raises a warning, 0 to 100."""
    critical_heat: Annotated[float, Field(ge=0.0, le=100.0)] = 80.0
    """Heat that raises a critical alert, 0 to 100."""
    volatility_multiple: Annotated[float, Field(gt=0.0, le=20.0)] = 3.0
    """Daily volatilities that a position without a stop is taken to risk."""
    min_risk: Fraction = 0.05
    """Least share of the notional that a position without a stop is taken to risk."""
    min_risk_crypto: Fraction = 0.10
    """The same for coins."""
