"""Reverse stress: not what a scenario costs, but which move would break a limit, and how far away it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtr

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.entry import checked_number
from risk_management.core.risk_model import present_covariance
from risk_management.core.var_record import var_limit
from risk_management.errors import InvalidRequest, UndefinedMeasure, shown
from risk_management.measures.conditional import most_plausible_loss
from risk_management.measures.tail import tails_of
from risk_management.model.instrument import ContractKind
from risk_management.model.money import SCALE
from risk_management.model.portfolio import PortfolioState

__all__ = ["BREAKABLE", "ReverseStressResult", "reverse_stress"]

Float = NDArray[np.float64]
FAT: Final = 4.0
"""Degrees of freedom of daily returns, about."""


@dataclass(frozen=True, slots=True)
class ReverseStressResult:
    """The most plausible move that breaks a limit.

    Parameters
    ----------
    limit : str
        One of `BREAKABLE`.
    loss : float
        Money that must be lost for it; 0 where it is broken already.
    loss_pct : float
        The same as a fraction of equity.
    horizon_days : int
    distance : float
        Of the move, in standard deviations of the book over the horizon.
    probability, fat_probability : float
        Chance of so large a loss or a larger one, were returns normal (they are not), and by a Student-t law
        of 4 degrees of freedom with the same deviation, near what daily returns show.
    moves : Mapping of str to float
        Return of each held name.
    contributions : Mapping of str to float
        Money that each adds to the loss, the largest first; they sum to it.
    worst_days : int
        Days of the window on which the present book, at present volatility, would have lost as much; None
        but for a horizon of one day.
    observations : int
    status : str
        ``ok``, ``broken`` (the limit is passed already), or ``unreachable`` (the book can't lose as much).
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
        lines = [
            f"A loss of {self.loss:,.2f} ({self.loss_pct:.1%} of equity) breaks {self.limit}: a move of "
            f"{self.distance:.1f} standard deviations over {self.horizon_days} d."
        ]
        if self.worst_days is not None:
            lines.append(
                f"  On {self.worst_days} of {self.observations:,} past days, at present volatility, the book "
                "would have lost as much."
            )
        for symbol, part in list(self.contributions.items())[:5]:
            lines.append(f"  {symbol} {self.moves[symbol]:+.1%}: {part:,.2f} of it.")
        lines += [f"  {note}." for note in self.notes]
        if self.leans_on:
            lines.append("Leans on: " + "; ".join(said.rstrip(".") for said in self.leans_on) + ".")
        return "\n".join(lines)


def reverse_stress(
    state: PortfolioState,
    config: RiskManagementConfig,
    limit: str = "drawdown",
    horizon_days: int = 1,
    leans_on: tuple[str, ...] = (),
) -> ReverseStressResult:
    """The most plausible move of the held names that breaks a limit.

    The covariance is that of present EWMA volatilities and the configured correlation, times the horizon;
    exposures are taken as they stand. See `measures.conditional.most_plausible_loss`.

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
    if limit not in BREAKABLE:
        known = ", ".join(BREAKABLE)
        raise InvalidRequest("UNKNOWN_LIMIT", "limit", f"limit is one of {known}; got {shown(limit)}")
    days = checked_number(horizon_days, "horizon_days", most=250.0)
    if days != int(days):
        raise InvalidRequest("OUT_OF_RANGE", "horizon_days", f"a horizon is whole days; got {days:g}")
    held = {s: n for s, n in sorted(state.totals.names.items()) if n.sides.net}
    equity = state.totals.equity
    if not held or equity is None or equity <= 0.0:
        raise InvalidRequest(
            "EMPTY_BOOK", "limit", "nothing is held, or equity is unknown: nothing can break"
        )
    exposures = np.array([n.sides.net / SCALE for n in held.values()])
    columns = [n.column for n in held.values()]
    loss = BREAKABLE[limit](state, config, equity)
    if not math.isfinite(loss):
        raise InvalidRequest("NOT_HELD", "limit", f"no position has a {limit}: it can't break")
    if loss <= 0.0:
        return _said(limit, 0.0, equity, horizon_days, "broken", leans_on)
    covariance = present_covariance(state.model, columns, config) * horizon_days
    try:
        move = most_plausible_loss(exposures, covariance, loss)
    except UndefinedMeasure as problem:
        said = _said(limit, loss, equity, horizon_days, "unreachable", leans_on)
        return replace(said, notes=(str(problem),))
    parts = dict(zip(held, move.contributions.tolist(), strict=True))
    reachable = loss <= float(np.maximum(exposures, 0.0).sum()) or bool((exposures < 0.0).any())
    notes = []
    if float(move.returns.min()) < -1.0:
        notes.append("a name would have to lose more than all: the move is further away than it says")
    return ReverseStressResult(
        limit=limit,
        loss=loss,
        loss_pct=loss / equity,
        horizon_days=horizon_days,
        distance=move.distance,
        probability=float(ndtr(-move.distance)),
        fat_probability=float(stdtr(FAT, -move.distance * math.sqrt(FAT / (FAT - 2.0)))),
        moves=MappingProxyType(dict(zip(held, move.returns.tolist(), strict=True))),
        contributions=MappingProxyType(dict(sorted(parts.items(), key=lambda item: -item[1]))),
        worst_days=int((state.totals.pnl <= -loss).sum()) if horizon_days == 1 else None,
        observations=len(state.totals.pnl),
        status="ok" if reachable else "unreachable",
        notes=tuple(notes),
        leans_on=leans_on,
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


def _to_drawdown(share: float, state: PortfolioState, equity: float) -> float:
    return equity - state.high_water_mark * (1.0 - share)


def _drawdown(state: PortfolioState, config: RiskManagementConfig, equity: float) -> float:
    return _to_drawdown(config.drawdown_config.max_portfolio_drawdown, state, equity)


def _liquidation(state: PortfolioState, config: RiskManagementConfig, equity: float) -> float:
    return _to_drawdown(config.emergency_config.liquidation_drawdown, state, equity)


def _daily_loss(state: PortfolioState, config: RiskManagementConfig, equity: float) -> float:
    start = state.drawdown.day_start * state.drawdown.units
    return equity - start * (1.0 - config.drawdown_config.daily_loss_limit)


def _var(state: PortfolioState, config: RiskManagementConfig, equity: float) -> float:
    """The same exposures over less equity: VaR in money stands, its share of equity grows."""
    ((var, _),) = tails_of(state.totals.pnl + state.totals.reserved_pnl, (0.95,))
    allowed = var_limit(state, config)
    return equity - var / allowed if allowed > 0.0 else 0.0


def _leverage(state: PortfolioState, config: RiskManagementConfig, equity: float) -> float:
    gross = (state.totals.long + state.totals.short) / SCALE
    allowed = config.portfolio_limits.max_leverage
    return equity - gross / allowed if allowed > 0.0 else 0.0


def _margin(state: PortfolioState, config: RiskManagementConfig, equity: float) -> float:  # noqa: ARG001
    """Maintenance margin of contracts; infinite where none are held."""
    needed = 0.0
    for symbol, name in state.totals.names.items():
        instrument = state.instruments[symbol]
        if instrument.kind is ContractKind.LINEAR:
            needed += abs(name.sides.net) / SCALE * instrument.maintenance_margin
    return equity - needed if needed else math.inf


BREAKABLE: Final[Mapping[str, Callable[[PortfolioState, RiskManagementConfig, float], float]]] = (
    MappingProxyType(
        {
            "drawdown": _drawdown,
            "liquidation": _liquidation,
            "daily_loss": _daily_loss,
            "var": _var,
            "leverage": _leverage,
            "margin": _margin,
        }
    )
)
"""Limits that a loss can break, each with the money it takes."""
