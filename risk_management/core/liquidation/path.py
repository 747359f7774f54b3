"""The sequence of a liquidation: what goes first, and what goes together, so that risk never rises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

from risk_management.core.liquidation.legs import Leg
from risk_management.measures.tail import var_es
from risk_management.model.risk_model import RiskModel

__all__ = ["CONFIDENCES", "Move", "path", "risk_of"]

Float = NDArray[np.float64]

CONFIDENCES: Final = (0.95, 0.975)
TRIES: Final = 12
"""Largest contributors that are tried alone before legs go together."""
SHARES: Final = (1.0, 0.5, 0.25, 0.125)
"""A whole slice, and the parts of it that are tried where a whole one would overshoot the hedge of what can't
be traded, and nothing can go together."""
SLACK: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Move:
    """One step: each leg as it stands before it, and the units that go."""

    orders: tuple[tuple[Leg, int], ...]


def risk_of(pnl: Float) -> tuple[float, float]:
    """VaR at 95 % and expected shortfall at 97.5 % over one day."""
    (var, _), (_, es) = var_es(pnl, CONFIDENCES)
    return var, es


def path(pnl: Float, legs: Mapping[int, Leg], model: RiskModel) -> tuple[tuple[Move, ...], tuple[Leg, ...]]:
    """Moves in sequence, and the legs that must wait since they hedge what can't be traded.

    VaR and expected shortfall of `pnl` never rise from one move to the next: the largest contributor to the
    tail goes first, alone where that lowers both, else with what hedges it, in proportion. Losses are
    homogeneous: a book that shrinks in proportion risks as much less.

    Parameters
    ----------
    pnl : ndarray of shape (T,)
        P&L by scenario of what must not become riskier, money.
    legs : Mapping of int to Leg
        What can be traded now, by any number.
    model : RiskModel
    """
    left = dict(legs)
    moves: list[Move] = []
    crossings = tuple((leg, 0) for leg in left.values() if leg.quantity == 0)
    moves += [Move((one,)) for one in crossings]
    left = {number: leg for number, leg in left.items() if leg.quantity}
    before = risk_of(pnl)
    while left:
        trials = chain(
            _alone(pnl, left, model, SHARES[:1]),
            _together(pnl, left, model),
            _alone(pnl, left, model, SHARES[1:]),
        )
        found = next((trial for trial in trials if _is_no_worse(risk_of(trial[1]), before)), None)
        if found is None:
            break
        move, pnl = found
        before = risk_of(pnl)
        moves.append(Move(tuple((left[number], units) for number, units in move)))
        for number, units in move:
            rest = left[number].without(units)
            left[number] = rest
            if rest.quantity == 0:
                del left[number]
    return tuple(moves), tuple(left.values())


def _is_no_worse(now: tuple[float, float], before: tuple[float, float]) -> bool:
    return all(new <= old + SLACK * max(1.0, abs(old)) for new, old in zip(now, before, strict=True))


Trial = tuple[tuple[tuple[int, int], ...], Float]
"""Units by leg, and the P&L behind them."""


def _alone(pnl: Float, left: Mapping[int, Leg], model: RiskModel, shares: Sequence[float]) -> Iterator[Trial]:
    """One leg, the largest contributor to the tail first; larger parts of a slice before smaller ones."""
    tail = np.argsort(pnl, kind="stable")[: max(1, len(pnl) // 20)]

    def contribution(leg: Leg) -> float:
        return float(model.scenarios[tail, leg.column].mean()) * leg.exposure

    order = sorted(left, key=lambda n: (-contribution(left[n]), left[n].symbol))[:TRIES]
    for share in shares:
        for number in order:
            leg = left[number]
            units = leg.bite(share)
            if share < 1.0 and units == leg.bite(2.0 * share):
                continue
            yield ((number, units),), pnl + _moved(leg, units, model)


def _together(pnl: Float, left: Mapping[int, Leg], model: RiskModel) -> Iterator[Trial]:
    """All legs in proportion: by the slices of the one that takes most, then by fewer, at last at once."""
    most = max(-(-abs(leg.quantity) // leg.slice) for leg in left.values())
    while most >= 1:
        units = {number: _portion(leg, most) for number, leg in left.items()}
        chosen = tuple((number, taken) for number, taken in units.items() if taken)
        after = pnl + sum((_moved(left[n], taken, model) for n, taken in chosen), np.zeros_like(pnl))
        yield chosen, after
        most //= 2


def _portion(leg: Leg, slices: int) -> int:
    """A leg's share of one of so many equal slices, in lots; the whole where a rest would be too small."""
    whole = abs(leg.quantity)
    size = min(whole, max(leg.least, round(whole / slices / leg.lot) * leg.lot))
    if whole - size < leg.least:
        size = whole
    return size if leg.quantity > 0 else -size


def _moved(leg: Leg, units: int, model: RiskModel) -> Float:
    """P&L by scenario that trading some units adds."""
    added: Float = units * leg.unit_value * model.scenarios[:, leg.column]
    return added
