"""What every VaR method is handed, and what it hands back."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, TypeVar, cast

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from risk_management.errors import InsufficientData
from risk_management.measures.tail import var_es

__all__ = ["HorizonRule", "Sample", "TailEstimate", "TailInput", "VaRMethod"]

Float = NDArray[np.float64]
R = TypeVar("R")


class HorizonRule(StrEnum):
    """How a figure reached its horizon."""

    ONE_DAY = "one_day"
    """Daily returns, as they are."""
    OVERLAPPING = "overlapping"
    """Returns over the whole horizon, one starting on every day."""
    SQUARE_ROOT = "square_root_of_time"
    """The one-day figure times the square root of the horizon: there are too few rows for more."""


@dataclass(frozen=True, eq=False)
class Sample:
    """Returns of the names held over steps of one length.

    Parameters
    ----------
    returns : ndarray of shape (T, N)
        Simple returns, oldest first.
    exposures : ndarray of shape (N,)
        Money, negative for a short.
    step : int
        Trading days that each row takes.
    """

    returns: Float
    exposures: Float
    step: int = 1
    _fits: dict[Any, Any] = field(default_factory=dict, repr=False)

    @property
    def observations(self) -> int:
        """Number of rows."""
        return len(self.returns)

    @cached_property
    def pnl(self) -> Float:
        """Profit of the book in each row, money, shape (T,)."""
        return np.asarray(self.returns @ self.exposures)

    def over(self, days: int) -> Sample:
        """Compound returns over `days`, one starting on every day: T - days + 1 overlapping rows."""
        if days == self.step:
            return self
        growth = sliding_window_view(1.0 + self.returns, days, axis=0)
        return Sample(growth.prod(axis=-1) - 1.0, self.exposures, days)

    def once(self, fit: Callable[[Sample], R]) -> R:
        """The outcome of `fit` on this sample, computed once for all confidences."""
        if fit not in self._fits:
            self._fits[fit] = fit(self)
        return cast(R, self._fits[fit])


@dataclass(frozen=True, slots=True)
class TailEstimate:
    """What a method says of one book at one confidence and horizon.

    Parameters
    ----------
    var, es : float
        Losses in money, positive; both from one P&L vector or one fitted law. An infinite `es` says that the
        law has no mean beyond the VaR: a backtest goes on with the VaR, a report refuses the pair.
    observations : int
        Rows that the estimate rests on.
    horizon_rule : HorizonRule
    standard_error : float or None
        Of `var`, for a simulation: what other seeds would change.
    note : str
        A sentence for a person, or empty.
    """

    var: float
    es: float
    observations: int
    horizon_rule: HorizonRule
    standard_error: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class TailInput:
    """One question to a method.

    Parameters
    ----------
    plain : Sample
        Returns as they were.
    scaled : Sample
        The same brought to present volatility.
    daily : Sample
        Returns as they were, day by day, whatever the horizon.
    confidence : float
        In (0.5, 1), such as 0.95.
    horizon : int
        Trading days.
    simulations : int
        Draws of a simulation.
    seed : tuple of int
        Same seed, same answer.
    draws : {"antithetic", "sobol"}
        Random draws with their mirror images, or scrambled quasi-random points.
    margins : {"empirical", "student_t"}
        Margins of a copula: each name's own returns, or a t law fitted to them, which reaches further.
    """

    plain: Sample
    scaled: Sample
    daily: Sample
    confidence: float
    horizon: int
    simulations: int
    seed: tuple[int, ...]
    draws: str = "antithetic"
    margins: str = "empirical"

    @property
    def rule(self) -> HorizonRule:
        """How the answer reaches the horizon."""
        if self.plain.step != self.horizon:
            return HorizonRule.SQUARE_ROOT
        return HorizonRule.ONE_DAY if self.horizon == 1 else HorizonRule.OVERLAPPING

    def generator(self) -> np.random.Generator:
        """A fresh generator on the seed."""
        return np.random.default_rng(self.seed)

    def estimate(
        self, var: float, es: float, standard_error: float | None = None, note: str = ""
    ) -> TailEstimate:
        """The answer from figures over one step of the sample, brought to the horizon."""
        scale = math.sqrt(self.horizon / self.plain.step)
        return TailEstimate(
            var=scale * var,
            es=scale * es,
            observations=self.plain.observations,
            horizon_rule=self.rule,
            standard_error=None if standard_error is None else scale * standard_error,
            note=note,
        )

    def adapted(self, pnl: Float, note: str = "") -> TailEstimate:
        """The answer of daily P&L that was brought to the present: summed over the steps of the sample."""
        step = self.plain.step
        return self.empirical(pnl if step == 1 else sliding_window_view(pnl, step).sum(axis=-1), note)

    def empirical(self, pnl: Float, note: str = "") -> TailEstimate:
        """The answer of the empirical distribution of a P&L vector.

        Raises
        ------
        InsufficientData
            The tail holds less than one observation.
        """
        if len(pnl) * (1.0 - self.confidence) < 1.0 - 1e-9:
            raise InsufficientData(
                f"{len(pnl)} observations hold less than one beyond {self.confidence:g}; "
                "take a longer window or a parametric method"
            )
        ((var, es),) = var_es(pnl, (self.confidence,))
        return self.estimate(var, es, note=note)


VaRMethod = Callable[[TailInput], TailEstimate]
"""A method. What it can't answer it refuses with a MeasureError, whose text becomes the reason."""
