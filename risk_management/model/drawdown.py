"""What the drawdown rules remember: value per unit, its peak, and the spans that losses are counted over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

__all__ = ["DrawdownState", "Recovery"]


@dataclass(frozen=True, slots=True)
class Recovery:
    """A tranche that may be traded again after a stop, while the mark is kept.

    Parameters
    ----------
    multiplier : float
        Position multiplier of the tranche, 0 to 1.
    start_value : float
        Value per unit when it began or was last doubled.
    since : date
    """

    multiplier: float
    start_value: float
    since: date


@dataclass(frozen=True)  # no slots: see amended
class DrawdownState:
    """Value per unit and what it is held against. Deposits change units, never the value per unit.

    Parameters
    ----------
    units : float
        Units outstanding; one unit is worth 1 at the start.
    value : float
        Value per unit now; while a held price is not sure the lower of two: at it, and at the last sure one.
    peak : float
        Highest value per unit that was accepted.
    peak_at : datetime
    day, week : date
        Trading day, and the Monday of its week.
    day_ends : datetime
        Moment at which the trading day ends.
    day_start, week_start : float
        Value per unit at their starts.
    closes : tuple of float
        Values per unit at the ends of past trading days, oldest first.
    multiplier : float
        Position multiplier by tier, with hysteresis; 1 is full size.
    stopped_on : date or None
        Trading day on which entries were stopped, None while they are not.
    stopped_days : int
        Trading days since then.
    recovery : Recovery or None
    quarantined : float or None
        Equity that was not believed, None when all is well.
    under_water_days : int
        Trading days since the peak.
    scales : tuple of (str, float)
        Multipliers that emergency rows have set, by the row's name.
    sure : float or None
        Value per unit at the last sure prices while a held one is not sure, else None.
    """

    units: float
    value: float
    peak: float
    peak_at: datetime
    day: date
    week: date
    day_ends: datetime
    day_start: float
    week_start: float
    closes: tuple[float, ...] = ()
    multiplier: float = 1.0
    stopped_on: date | None = None
    stopped_days: int = 0
    recovery: Recovery | None = None
    quarantined: float | None = None
    under_water_days: int = 0
    scales: tuple[tuple[str, float], ...] = ()
    sure: float | None = None

    @property
    def sure_value(self) -> float:
        """Value per unit at prices that are sure: what money is paid in at, and what a day begins with."""
        return self.value if self.sure is None else self.sure

    @property
    def drawdown(self) -> float:
        """Fraction below the peak, 0 to 1."""
        return max(0.0, 1.0 - self.value / self.peak)

    @property
    def high_water_mark(self) -> float:
        """The peak in money, for the units that are outstanding now."""
        return self.peak * self.units

    @property
    def effective_multiplier(self) -> float:
        """Multiplier of new positions: the recovery tranche's while one runs, or a row's that is smaller."""
        multiplier = self.multiplier
        if multiplier == 0.0 and self.recovery is not None:
            multiplier = self.recovery.multiplier
        if self.scales:
            return min(multiplier, *(scale for _, scale in self.scales))
        return multiplier

    @property
    def scaling_row(self) -> str:
        """The emergency row whose multiplier is the one that counts; empty where the drawdown's own does."""
        if not self.scales:
            return ""
        own = self.multiplier
        if own == 0.0 and self.recovery is not None:
            own = self.recovery.multiplier
        name, scale = min(self.scales, key=lambda row: row[1])
        return name if scale < own else ""

    @property
    def daily_loss(self) -> float:
        """Loss since the trading day began, as a fraction; negative for a gain."""
        return 1.0 - self.value / self.day_start

    @property
    def weekly_loss(self) -> float:
        """Loss since the trading week began, as a fraction."""
        return 1.0 - self.value / self.week_start

    def rolling_loss(self, days: int) -> float:
        """Loss over the last `days` trading days, as a fraction."""
        if not self.closes:
            return self.daily_loss
        return 1.0 - self.value / self.closes[-min(days, len(self.closes))]
