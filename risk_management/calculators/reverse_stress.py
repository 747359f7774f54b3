"""Reverse stress: not what a scenario costs, but which move would break a limit, and how far away it is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtr

from risk_management.calculators._breaking import BREAKABLE, Break, Holdings, LinearBreak
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.entry import checked_number
from risk_management.core.risk_model import present_covariance
from risk_management.errors import InvalidRequest, UndefinedMeasure, shown
from risk_management.model.portfolio import PortfolioState

__all__ = ["ReverseStressResult", "reverse_stress"]

Float = NDArray[np.float64]
FAT: Final = 4.0
"""Degrees of freedom of daily returns, about."""
LOSSES: Final = frozenset({"drawdown", "liquidation", "daily_loss"})
"""Limits on equity alone: the money that breaks them is known, whether or not the book can lose it."""
HARDLY: Final = 0.1
"""Deviation in the scenarios over that of the covariance below which the latter is shrinkage."""
STANDING: Final = "volatility is held as it stands: a fall that raises it breaks the limit sooner"


@dataclass(frozen=True, slots=True)
class ReverseStressResult:
    """The most plausible move that breaks a limit.

    Parameters
    ----------
    limit : str
        One of `BREAKABLE`.
    loss : float
        Money that the move costs; 0 where the limit is broken already. Below 0 the move is a gain:
        exposures grow faster than equity. NaN where nothing breaks a limit that is no sum of money.
    loss_pct : float
        The same as a fraction of equity.
    horizon_days : int
    distance : float
        Of the move, in standard deviations over the horizon.
    probability, fat_probability : float
        Chance of that move or a further one the same way, were returns normal (they are not), and by a
        Student-t law of 4 degrees of freedom with the same deviation, near what daily returns show.
    moves : Mapping of str to float
        Return of each held name; after it the exposures are revalued, and the limit is reached.
    contributions : Mapping of str to float
        Money that each adds to the loss, the largest first; they sum to it.
    worst_days : int
        Days of the window that, at present volatility, would have broken the limit; None but for a
        horizon of one day.
    observations : int
    status : str
        ``ok``, ``broken`` (the limit is passed already), or ``unreachable`` (no move breaks it, such as
        where the book can't lose as much).
    notes, leans_on : tuple of str
    """

    limit: str
    loss: float
    loss_pct: float
    horizon_days: int
    distance: float
    probability: float
    fat_probability: float
    moves: Mapping[str, float]
    contributions: Mapping[str, float]
    worst_days: int | None
    observations: int
    status: str
    notes: tuple[str, ...] = ()
    leans_on: tuple[str, ...] = ()

    def explain(self) -> str:
        """The result in a few lines for a person."""
        if self.status == "broken":
            return f"The limit {self.limit} is passed already."
        lines = [self._lead()]
        if self.worst_days is not None:
            lines.append(
                f"  {self.worst_days} of {self.observations:,} past days, at present volatility, would have "
                "broken it."
            )
        for symbol, part in list(self.contributions.items())[:5]:
            lines.append(f"  {symbol} {self.moves[symbol]:+.1%}: {part:,.2f} of it.")
        lines += [f"  {note}." for note in self.notes]
        if self.leans_on:
            lines.append("Leans on: " + "; ".join(said.rstrip(".") for said in self.leans_on) + ".")
        return "\n".join(lines)

    def _lead(self) -> str:
        if self.status == "unreachable":
            needed = f": it takes a loss of {self.loss:,.2f} ({self.loss_pct:.1%} of equity)"
            return f"The book can't break {self.limit}{'' if math.isnan(self.loss) else needed}."
        if self.distance == 0.0:
            return f"The book stands exactly at the limit {self.limit}: any move against it breaks it."
        what = "loss" if self.loss >= 0.0 else "gain"
        return (
            f"A {what} of {abs(self.loss):,.2f} ({abs(self.loss_pct):.1%} of equity) breaks {self.limit}: "
            f"a move of {self.distance:.1f} standard deviations over {self.horizon_days} d."
        )


def reverse_stress(
    state: PortfolioState,
    config: RiskManagementConfig,
    limit: str = "drawdown",
    horizon_days: int = 1,
    leans_on: tuple[str, ...] = (),
) -> ReverseStressResult:
    """The most plausible move of the held names that breaks a limit.

    The covariance is that of present EWMA volatilities and the configured correlation, times the horizon.
    Exposures are revalued by the move, and no name loses more than all. See
    `measures.conditional.most_plausible_loss`.

    Parameters
    ----------
    state : PortfolioState
    config : RiskManagementConfig
    limit : str
        One of `BREAKABLE`.
    horizon_days : int
        1 to 250.
    leans_on : tuple of str

    Raises
    ------
    InvalidRequest
        For an unknown limit, an empty book, or a book without known equity.
    """
    limit = _checked_limit(limit)
    days = checked_number(horizon_days, "horizon_days", most=250.0)
    if days != int(days):
        raise InvalidRequest("OUT_OF_RANGE", "horizon_days", f"a horizon is whole days; got {days:g}")
    held = Holdings.of(state)
    broken = BREAKABLE[limit](state, config, held)
    if broken.passed:
        return _said(limit, 0.0, held.equity, horizon_days, "broken", leans_on)
    covariance = present_covariance(state.model, held.columns, config)
    try:
        _require_variation(held, broken, covariance)
        move = broken.nearest(covariance * horizon_days)
    except UndefinedMeasure as problem:
        needed = broken.room if limit in LOSSES and isinstance(broken, LinearBreak) else math.nan
        said = _said(limit, needed, held.equity, horizon_days, "unreachable", leans_on)
        return replace(said, notes=(str(problem),))
    parts = dict(zip(held.symbols, (-held.net * move.returns + 0.0).tolist(), strict=True))
    loss = -float(held.net @ move.returns) + 0.0
    return ReverseStressResult(
        limit=limit,
        loss=loss,
        loss_pct=loss / held.equity,
        horizon_days=horizon_days,
        distance=move.distance,
        probability=float(ndtr(-move.distance)),
        fat_probability=float(stdtr(FAT, -move.distance * math.sqrt(FAT / (FAT - 2.0)))),
        moves=MappingProxyType(dict(zip(held.symbols, (move.returns + 0.0).tolist(), strict=True))),
        contributions=MappingProxyType(dict(sorted(parts.items(), key=lambda item: -item[1]))),
        worst_days=broken.days(held.scenarios) if horizon_days == 1 else None,
        observations=len(held.scenarios),
        status="ok",
        notes=(STANDING,) if limit == "var" else (),
        leans_on=leans_on,
    )


def _checked_limit(limit: object) -> str:
    if isinstance(limit, str) and limit in BREAKABLE:
        return limit
    known = ", ".join(BREAKABLE)
    raise InvalidRequest("UNKNOWN_LIMIT", "limit", f"limit is one of {known}; got {shown(limit)}")


def _require_variation(held: Holdings, broken: Break, covariance: Float) -> None:
    """A hedge that is perfect in the data varies by the shrinkage of the correlations alone."""
    for weights in (held.net, broken.slopes):
        said = math.sqrt(max(float(weights @ covariance @ weights), 0.0))
        seen = float((held.scenarios @ weights).std())
        if seen < HARDLY * said:
            raise UndefinedMeasure(
                f"the book hardly varies: {seen:,.2f} a day, against the {said:,.2f} that shrunken "
                "correlations leave, and no figure is to rest on those alone"
            )


def _said(
    limit: str, loss: float, equity: float, days: int, status: str, leans_on: tuple[str, ...]
) -> ReverseStressResult:
    nothing: Mapping[str, float] = MappingProxyType({})
    chance, distance = (1.0, 0.0) if status == "broken" else (0.0, math.inf)
    return ReverseStressResult(
        limit=limit,
        loss=loss,
        loss_pct=loss / equity,
        horizon_days=days,
        distance=distance,
        probability=chance,
        fat_probability=chance,
        moves=nothing,
        contributions=nothing,
        worst_days=None,
        observations=0,
        status=status,
        leans_on=leans_on,
    )
