"""Limits that a move of prices can break, each with its nearest break, exposures revalued after the move."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.var_record import var_limit
from risk_management.errors import InvalidRequest, UndefinedMeasure
from risk_management.measures.conditional import PlausibleMove, most_plausible_loss
from risk_management.measures.tail import tails_of_columns
from risk_management.model.instrument import ContractKind
from risk_management.model.money import SCALE, TOLERANCE
from risk_management.model.portfolio import PortfolioState

__all__ = ["BREAKABLE", "Break", "Holdings"]

Float = NDArray[np.float64]
ALL: Final = -1.0
"""No price falls by more."""
STARTS: Final = 10
"""Names whose own moves a search starts from."""
STEPS: Final = 60
REACH: Final = 4.0
"""How far beyond its estimate a break is looked for."""


@dataclass(frozen=True, slots=True, eq=False)
class Holdings:
    """What is held, as arrays in one order.

    Parameters
    ----------
    symbols : tuple of str, N of them
    columns : list of int
        Of the risk model.
    net, gross : ndarray of shape (N,)
        Exposure of all owners together, and the sum of the sizes that each of them holds; money.
    equity : float
    scenarios : ndarray of shape (T, N)
        Returns at present volatility.
    """

    symbols: tuple[str, ...]
    columns: list[int]
    net: Float
    gross: Float
    equity: float
    scenarios: Float

    @classmethod
    def of(cls, state: PortfolioState) -> Holdings:
        """Those of a state whose equity is known and positive.

        Raises
        ------
        InvalidRequest
            For an empty book, or one without known equity.
        """
        names = {s: n for s, n in sorted(state.totals.names.items()) if n.keys}
        equity = state.totals.equity
        if not names or equity is None or equity <= 0.0:
            raise InvalidRequest(
                "EMPTY_BOOK", "limit", "nothing is held, or equity is unknown: nothing can break"
            )
        columns = [n.column for n in names.values()]
        return cls(
            symbols=tuple(names),
            columns=columns,
            net=np.array([n.sides.net for n in names.values()]) / SCALE,
            gross=np.array([sum(abs(o[3].net) for o in n.owners) for n in names.values()]) / SCALE,
            equity=equity,
            scenarios=state.model.scenarios[:, columns],
        )


class Break(Protocol):
    """A limit of a book as a condition on the returns of its names."""

    @property
    def passed(self) -> bool:
        """Whether it is broken before anything moves."""

    @property
    def slopes(self) -> Float:
        """How a small return of each name uses the limit up, money, shape (N,)."""

    def nearest(self, covariance: Float) -> PlausibleMove:
        """The likeliest move to the limit; UndefinedMeasure where none breaks it."""

    def days(self, scenarios: Float) -> int:
        """Rows of (T, N) returns that break it."""


@dataclass(frozen=True, slots=True, eq=False)
class LinearBreak:
    """Broken where ``slopes @ r`` reaches `room`, or passes it where a value exactly at the limit passes."""

    slopes: Float
    room: float
    inclusive: bool = True

    @property
    def passed(self) -> bool:
        return self.room <= 0.0 if self.inclusive else self.room < -TOLERANCE

    def nearest(self, covariance: Float) -> PlausibleMove:
        if not self.slopes.any():
            raise UndefinedMeasure("no move of what is held uses it up")
        most = math.inf if (self.slopes > 0.0).any() else -float(self.slopes.sum())
        if most < self.room:
            raise UndefinedMeasure(
                f"with all longs at nothing {most:,.2f} of {self.room:,.2f} would be used up"
            )
        if self.room <= TOLERANCE:  # exactly at the limit: any move against it breaks it
            return PlausibleMove(0.0 * self.slopes, 0.0, 0.0 * self.slopes)
        return most_plausible_loss(-self.slopes, covariance, self.room, ALL)

    def days(self, scenarios: Float) -> int:
        return int((scenarios @ self.slopes >= self.room).sum())


@dataclass(frozen=True, slots=True, eq=False)
class TailBreak:
    """Broken where the historical VaR of the revalued book passes `allowed` times its equity.

    VaR is no smooth function of a move. The direction of the nearest break is that of a VaR that goes with
    the deviation of the scenarios: convex, so that a break on its tangent is one beyond it, and tangents
    from several sides come ever nearer. How far to go that way is solved on the scenarios themselves.
    """

    held: Holdings
    reserved: Float
    allowed: float

    @property
    def passed(self) -> bool:
        return float(self._excess(np.zeros((1, len(self.held.net))))[0]) > TOLERANCE

    @property
    def slopes(self) -> Float:
        return self._smooth().slope(0.0 * self.held.net)

    def nearest(self, covariance: Float) -> PlausibleMove:
        smooth, found = self._smooth(), []
        leading = np.argsort(-np.abs(self.held.net), kind="stable")[:STARTS]
        first = np.column_stack((covariance @ self.slopes, covariance[:, leading]))
        for start in (*first.T, *-first.T):
            way = smooth.descent(start, covariance)
            move = None if way is None else self._on(way)
            if move is not None:
                found.append(move)
        if not found:
            raise UndefinedMeasure("no move of what is held was found that breaks it")
        return min(found, key=lambda move: move.distance)

    def days(self, scenarios: Float) -> int:
        return int((self._excess(scenarios) > TOLERANCE).sum())

    def _smooth(self) -> _SmoothTail:
        held = self.held
        sigma = np.atleast_2d(np.cov(held.scenarios, rowvar=False))
        deviation = math.sqrt(max(float(held.net @ sigma @ held.net), 0.0))
        ((var,),) = tails_of_columns((held.scenarios @ held.net + self.reserved)[:, None], (0.95,))[0]
        weight = max(float(var), 0.0) / deviation if deviation > 0.0 else 0.0
        return _SmoothTail(held, sigma, weight, self.allowed)

    def _excess(self, moves: Float) -> Float:
        """VaR beyond what is allowed after each of (K, N) moves, money."""
        held = self.held
        after = held.net * (1.0 + moves)
        ((var,), _) = tails_of_columns(held.scenarios @ after.T + self.reserved[:, None], (0.95,))
        return np.asarray(var - self.allowed * (held.equity + moves @ held.net))

    def _on(self, way: PlausibleMove) -> PlausibleMove | None:
        """The first break on a ray; None where there is none within reach."""
        most = min(REACH, -1.0 / float(way.returns.min())) if way.returns.min() < 0.0 else REACH
        scales = np.linspace(0.0, most, STEPS + 1)
        over = np.flatnonzero(self._excess(np.outer(scales, way.returns))[1:] >= 0.0)
        if not over.size:
            return None
        low, high = scales[over[0]], scales[over[0] + 1]
        for _ in range(STEPS):
            middle = 0.5 * (low + high)
            beyond = float(self._excess(middle * way.returns[None, :])[0]) >= 0.0
            low, high = (low, middle) if beyond else (middle, high)
        returns = high * way.returns
        return PlausibleMove(returns, high * way.distance, -self.held.net * returns)


@dataclass(frozen=True, slots=True, eq=False)
class _SmoothTail:
    """VaR as a multiple of the deviation, beyond what is allowed: convex in the move."""

    held: Holdings
    sigma: Float
    weight: float
    allowed: float

    def excess(self, move: Float) -> float:
        after = self.held.net * (1.0 + move)
        deviation = math.sqrt(max(float(after @ self.sigma @ after), 0.0))
        return self.weight * deviation - self.allowed * (self.held.equity + float(self.held.net @ move))

    def slope(self, move: Float) -> Float:
        net = self.held.net
        after = net * (1.0 + move)
        together = self.sigma @ after
        deviation = math.sqrt(max(float(after @ together), 0.0))
        risk = self.weight * together / deviation if deviation > 0.0 else 0.0 * net
        return np.asarray(net * (risk - self.allowed))

    def descent(self, way: Float, covariance: Float) -> PlausibleMove | None:
        """From where a ray meets the limit to the nearest break on that side."""
        move = self._met(way)
        found = None
        for _ in range(STEPS):
            if move is None:
                return found
            slope = self.slope(move)
            room = float(slope @ move) - self.excess(move)
            if room <= 0.0:
                return found
            try:
                found = most_plausible_loss(-slope, covariance, room, ALL)
            except UndefinedMeasure:
                return found
            last, move = move, self._met(found.returns)
            if move is not None and float(np.abs(move - last).max()) < 1e-9:
                return found
        return found

    def _met(self, way: Float) -> Float | None:
        """Where the ray from no move meets the limit: the positive root of a convex function."""
        size = float(np.abs(way).max())
        if not size > 0.0:
            return None
        low, high = 0.0, 1.0 / size
        while self.excess(high * way) < 0.0:
            low, high = high, 2.0 * high
            if high * size > 1e3:
                return None
        for _ in range(STEPS):
            middle = 0.5 * (low + high)
            low, high = (low, middle) if self.excess(middle * way) >= 0.0 else (middle, high)
        return np.asarray(high * way)


def _at(held: Holdings, level: float) -> LinearBreak:
    """Equity falls to a level."""
    return LinearBreak(-held.net, held.equity - level)


def _drawdown(state: PortfolioState, config: RiskManagementConfig, held: Holdings) -> Break:
    return _at(held, state.high_water_mark * (1.0 - config.drawdown_config.max_portfolio_drawdown))


def _liquidation(state: PortfolioState, config: RiskManagementConfig, held: Holdings) -> Break:
    return _at(held, state.high_water_mark * (1.0 - config.emergency_config.liquidation_drawdown))


def _daily_loss(state: PortfolioState, config: RiskManagementConfig, held: Holdings) -> Break:
    start = state.drawdown.day_start * state.drawdown.units
    return _at(held, start * (1.0 - config.drawdown_config.daily_loss_limit))


def _var(state: PortfolioState, config: RiskManagementConfig, held: Holdings) -> Break:
    return TailBreak(held, state.totals.reserved_pnl, var_limit(state, config))


def _leverage(state: PortfolioState, config: RiskManagementConfig, held: Holdings) -> Break:  # noqa: ARG001
    """The gross of the moved exposures over the moved equity: linear in the move."""
    allowed = config.portfolio_limits.max_leverage
    room = allowed * held.equity - float(held.gross.sum())
    return LinearBreak(held.gross - allowed * held.net, room, inclusive=False)


def _margin(state: PortfolioState, config: RiskManagementConfig, held: Holdings) -> Break:  # noqa: ARG001
    """Equity falls to the maintenance margin of contracts, which moves with them."""
    instruments = [state.instruments[s] for s in held.symbols]
    linear = np.array([i.kind is ContractKind.LINEAR for i in instruments])
    if not linear.any():
        raise InvalidRequest("NOT_HELD", "limit", "no position has a margin: it can't break")
    needed = np.abs(held.net) * linear * np.array([i.maintenance_margin for i in instruments])
    return LinearBreak(needed - held.net, held.equity - float(needed.sum()))


BREAKABLE: Final[Mapping[str, Callable[[PortfolioState, RiskManagementConfig, Holdings], Break]]] = (
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
"""Limits that a move of prices can break."""
