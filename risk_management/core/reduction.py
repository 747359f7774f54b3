"""Which positions to cut, and by how much, to bring the book back: largest contributors first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from risk_management.config.risk_config import LiquidationConfig
from risk_management.core.liquidation.cost import assumed_half_spread, impact_cost
from risk_management.core.totals import exposure_of
from risk_management.measures.tail import var_es
from risk_management.model.money import SCALE
from risk_management.model.portfolio import PortfolioState, Position, PositionKey

__all__ = [
    "CloseIntent",
    "best_value_first",
    "close_all",
    "cost_rate",
    "cut_cluster",
    "cut_symbol",
    "cut_to_gross",
    "cut_to_var",
    "marked",
]

STEPS = 60


@dataclass(frozen=True, slots=True)
class CloseIntent:
    """A position to close, in part or in full.

    Parameters
    ----------
    key : PositionKey
    quantity : int
        Signed ledger units to trade: the other sign than the position.
    reason : str
        The protocol that wants it.
    """

    key: PositionKey
    quantity: int
    reason: str


def marked(state: PortfolioState, position: Position) -> int:
    """Exposure of a position at its mark, or at its cost where it has none; ledger units."""
    instrument = state.instruments[position.symbol]
    rate = state.rates.get(instrument.currency)
    value = 1.0 if instrument.currency == state.base_currency else (rate.value if rate else None)
    exposure = exposure_of(position, state.quotes.get(position.symbol), instrument, value)
    return position.cost if exposure is None else exposure


def close_all(state: PortfolioState, reason: str) -> tuple[CloseIntent, ...]:
    """Every position in full, the largest first."""
    ordered = sorted(state.positions.values(), key=lambda p: (-abs(marked(state, p)), p.key))
    return tuple(CloseIntent(p.key, -p.quantity, reason) for p in ordered)


def cut_symbol(state: PortfolioState, symbol: str, share: float, reason: str) -> tuple[CloseIntent, ...]:
    """A share (0 to 1) of every position in a symbol."""
    name = state.totals.names.get(symbol)
    keys = name.keys if name else ()
    cuts = (CloseIntent(k, _part(state, state.positions[k], share), reason) for k in keys)
    return tuple(cut for cut in cuts if cut.quantity)


def cost_rate(state: PortfolioState, settings: LiquidationConfig, position: Position) -> float:
    """Expected cost of closing a position in full, as a fraction of its notional."""
    instrument = state.instruments[position.symbol]
    rate = assumed_half_spread(instrument, settings)
    volume = instrument.average_daily_volume
    if volume:
        volatility = float(state.model.volatility[state.totals.names[position.symbol].column])
        rate += impact_cost(1.0, abs(position.quantity) / SCALE, volume, volatility, settings.impact)
    return rate


def cut_cluster(
    state: PortfolioState, settings: LiquidationConfig, target: float, reason: str
) -> tuple[CloseIntent, ...]:
    """Cut the cluster with the largest net exposure to `target` (money), the cheapest positions first.

    Every unit of money on the cluster's side counts the same, so that cheapest first costs least.
    """
    held: dict[int, list[tuple[Position, float]]] = {}
    for position in state.positions.values():
        column = state.totals.names[position.symbol].column
        signed = marked(state, position) / SCALE * state.model.cluster_sign[column]
        held.setdefault(state.model.cluster[column], []).append((position, signed))
    net = {label: sum(money for _, money in members) for label, members in held.items()}
    label = max(net, key=lambda one: abs(net[one]), default=None)
    if label is None:
        return ()
    excess, side = abs(net[label]) - target, 1.0 if net[label] > 0.0 else -1.0
    loaded = [(position, money * side) for position, money in held[label] if money * side > 0.0]
    cuts = []
    for position, money in sorted(loaded, key=lambda one: (cost_rate(state, settings, one[0]), one[0].key)):
        if excess <= 1e-6:
            break
        cuts.append(CloseIntent(position.key, _part(state, position, min(1.0, excess / money)), reason))
        excess -= money
    return tuple(cut for cut in cuts if cut.quantity)


def best_value_first(state: PortfolioState, settings: LiquidationConfig) -> list[Position]:
    """Positions by their contribution to the book's variance for each unit of cost, most first."""
    rated = {p.key: max(cost_rate(state, settings, p), 1e-9) for p in state.positions.values()}
    marginal = _contributions(state)
    return sorted(state.positions.values(), key=lambda p: (-marginal[p.key] / rated[p.key], p.key))


def cut_to_gross(
    state: PortfolioState, target: float, reason: str, order: Iterable[Position] | None = None
) -> tuple[CloseIntent, ...]:
    """Close positions until gross exposure is `target` (money): by default the largest contributors first."""
    gross = (state.totals.long + state.totals.short) / SCALE
    excess = gross - target
    cuts = []
    for position in _by_contribution(state) if order is None else order:
        size = abs(marked(state, position)) / SCALE
        if excess <= 1e-6 or size <= 0.0:
            break
        cuts.append(CloseIntent(position.key, _part(state, position, min(1.0, excess / size)), reason))
        excess -= size
    return tuple(cut for cut in cuts if cut.quantity)


def cut_to_var(
    state: PortfolioState, target: float, reason: str, order: Iterable[Position] | None = None
) -> tuple[CloseIntent, ...]:
    """Close positions, each by as little as it takes, until VaR is `target`: largest contributors first.

    VaR is the gate's, at 95 % over one day, in money, on what is held.
    """
    pnl = state.totals.pnl
    cuts = []
    for position in _by_contribution(state) if order is None else order:
        if _var(pnl) <= target:
            break
        column = state.totals.names[position.symbol].column
        leg = marked(state, position) / SCALE * state.model.scenarios[:, column]
        share = _least_share(pnl, leg, target)
        cuts.append(CloseIntent(position.key, _part(state, position, share), reason))
        pnl = pnl - share * leg
    return tuple(cut for cut in cuts if cut.quantity)


def _by_contribution(state: PortfolioState) -> list[Position]:
    """Positions by their contribution to the book's variance for each unit of money, largest first."""
    marginal = _contributions(state)
    return sorted(state.positions.values(), key=lambda p: (-marginal[p.key], p.key))


def _contributions(state: PortfolioState) -> dict[PositionKey, float]:
    """Contribution of each position to the book's variance for each unit of money."""
    pnl = state.totals.pnl - state.totals.pnl.mean()
    marginal = pnl @ state.model.scenarios / max(len(pnl), 1)
    return {
        p.key: float(marginal[state.totals.names[p.symbol].column]) * (1.0 if p.quantity > 0 else -1.0)
        for p in state.positions.values()
    }


def _least_share(pnl: np.ndarray, leg: np.ndarray, target: float) -> float:
    if _var(pnl - leg) > target:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(STEPS):
        middle = 0.5 * (low + high)
        if _var(pnl - middle * leg) > target:
            low = middle
        else:
            high = middle
    return high


def _var(pnl: np.ndarray) -> float:
    return float(var_es(pnl, (0.95,))[0][0])


def _part(state: PortfolioState, position: Position, share: float) -> int:
    """Signed units that close a share of a position, rounded up; what works already is part of them."""
    side = -1 if position.quantity > 0 else 1
    working = sum(
        r.closing_quantity
        for r in state.reservations.values()
        if r.key.symbol == position.symbol and r.key.account_id == position.key.account_id and r.side == side
    )
    units = -(-int(abs(position.quantity) * share * SCALE) // SCALE)
    units = max(0, min(abs(position.quantity), units) - working)
    return -units if position.quantity > 0 else units
