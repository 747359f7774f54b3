"""Which positions to cut, and by how much, to bring the book back: largest contributors first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from risk_management.core.totals import exposure_of
from risk_management.measures.tail import var_es
from risk_management.model.money import SCALE
from risk_management.model.portfolio import PortfolioState, Position, PositionKey

__all__ = ["CloseIntent", "close_all", "cut_symbol", "cut_to_gross", "cut_to_var", "marked"]

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


def cut_to_gross(state: PortfolioState, target: float, reason: str) -> tuple[CloseIntent, ...]:
    """Close the largest marginal contributors until gross exposure is `target` (money)."""
    gross = (state.totals.long + state.totals.short) / SCALE
    excess = gross - target
    cuts = []
    for position in _by_contribution(state):
        size = abs(marked(state, position)) / SCALE
        if excess <= 1e-6 or size <= 0.0:
            break
        cuts.append(CloseIntent(position.key, _part(state, position, min(1.0, excess / size)), reason))
        excess -= size
    return tuple(cut for cut in cuts if cut.quantity)


def cut_to_var(state: PortfolioState, target: float, reason: str) -> tuple[CloseIntent, ...]:
    """Close the largest marginal contributors, each by as little as it takes, until VaR is `target`.

    VaR is the gate's, at 95 % over one day, in money, on what is held.
    """
    pnl = state.totals.pnl
    cuts = []
    for position in _by_contribution(state):
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
    pnl = state.totals.pnl - state.totals.pnl.mean()
    marginal = pnl @ state.model.scenarios / max(len(pnl), 1)

    def contribution(position: Position) -> float:
        column = state.totals.names[position.symbol].column
        return float(marginal[column]) * (1.0 if position.quantity > 0 else -1.0)

    return sorted(state.positions.values(), key=lambda p: (-contribution(p), p.key))


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
