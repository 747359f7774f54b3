"""What VaR said of each trading day, and what came."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

__all__ = ["NO_RECORD", "Evening", "VarOutcome", "VarRecord"]


@dataclass(frozen=True, slots=True)
class Evening:
    """The book at the last look of a trading day: what is forecast for the next one rests on it.

    Parameters
    ----------
    day : date
    var : float
        One-day VaR at 99 %, as a fraction of equity.
    book : tuple of (str, float, float or None)
        Symbol, exposure as a fraction of equity, and price; None for a name that has had no quote.
    """

    day: date
    var: float
    book: tuple[tuple[str, float, float | None], ...]


@dataclass(frozen=True, slots=True)
class VarOutcome:
    """A day that was forecast, and what came; all as fractions of equity.

    Parameters
    ----------
    day : date
    var : float
        Forecast of the evening before.
    actual : float
        Return of the account, with its trades and fees, without deposits and withdrawals.
    hypothetical : float or None
        Return of the evening's book, held as it was; None where a price is missing.
    """

    day: date
    var: float
    actual: float
    hypothetical: float | None

    @property
    def actual_exception(self) -> bool:
        """The account lost more than the VaR."""
        return self.actual < -self.var

    @property
    def hypothetical_exception(self) -> bool:
        """The book of the evening would have lost more than the VaR."""
        return self.hypothetical is not None and self.hypothetical < -self.var


@dataclass(frozen=True, slots=True)
class VarRecord:
    """The live backtest.

    Parameters
    ----------
    pending : Evening or None
        The forecast for the trading day that runs.
    outcomes : tuple of VarOutcome
        The last 250, oldest first.
    zone : {"green", "yellow", "red"}
        Basel's, of the larger number of exceptions; green while there are fewer than 60 days.
    multiplier : float
        What VaR counts as against its limits, 1 to 4/3.
    """

    pending: Evening | None = None
    outcomes: tuple[VarOutcome, ...] = ()
    zone: Literal["green", "yellow", "red"] = "green"
    multiplier: float = 1.0

    @property
    def exceptions(self) -> int:
        """The larger of the actual and the hypothetical exceptions."""
        actual = sum(outcome.actual_exception for outcome in self.outcomes)
        return max(actual, sum(outcome.hypothetical_exception for outcome in self.outcomes))


NO_RECORD = VarRecord()
