"""The carried sums held against sums made from scratch: an assertion that stays on in production."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from risk_management.core.initial_state import totals_from_scratch
from risk_management.errors import LedgerError
from risk_management.model.money import SCALE
from risk_management.model.portfolio import PortfolioState
from risk_management.model.totals import NameTotals, Totals

__all__ = ["check_ledger"]

EXACT: Final = (
    "cash",
    "value",
    "equity",
    "portfolio",
    "gross",
    "long",
    "short",
    "sectors",
    "clusters",
    "strategies",
    "bots",
    "accounts",
    "cash_claim",
    "cluster_risk",
    "open_risk_squared",
    "unpriced",
)
"""Sums of integers: they are equal or wrong."""
CARRIED: Final = ("exposures", "pnl", "reserved_pnl", "stress", "reserved_stress")
"""Sums of floats: they drift by rounding alone."""
DRIFT: Final = 1e-9


def check_ledger(state: PortfolioState) -> None:
    """Hold every sum of the state against one made from scratch.

    Raises
    ------
    LedgerError
        Names the first that differs, with both values: nothing may be approved on such sums.
    """
    ours, fresh = state.totals, totals_from_scratch(state)
    _same("symbols", _names(ours), _names(fresh))
    for name in EXACT:
        _same(name, getattr(ours, name), getattr(fresh, name))
    scale = max(1.0, fresh.gross / SCALE)
    for name in CARRIED:
        off = float(np.abs(getattr(ours, name) - getattr(fresh, name)).max(initial=0.0))
        if not off <= DRIFT * scale:
            raise LedgerError(f"the carried {name} are off by {off:g} in money")
    _same("risk by strategy", _sides(ours), _sides(fresh))
    for reservation in state.reservations.values():
        if min(reservation.opening, reservation.closing, reservation.closing_quantity, reservation.risk) < 0:
            raise LedgerError(f"the approval {reservation.request_id!r} has less than nothing left")
    for position in state.positions.values():
        if position.quantity == 0:
            raise LedgerError(f"a flat position in {position.symbol} is still kept")


def _same(name: str, ours: Any, fresh: Any) -> None:
    if ours == fresh:
        return
    if isinstance(ours, Mapping) and isinstance(fresh, Mapping):
        key = next(k for k in {**ours, **fresh} if ours.get(k) != fresh.get(k))
        raise LedgerError(f"the sum {name} of {key} is {ours.get(key)}, from scratch it is {fresh.get(key)}")
    raise LedgerError(f"the sum {name} is {ours}, from scratch it is {fresh}")


def _sides(totals: Totals) -> dict[str, Any] | None:
    """What each strategy holds and may open by column; None while no risk budget is in force."""
    risks = totals.strategy_risk
    return None if risks is None else {name: dict(risk.sides) for name, risk in risks.items()}


def _names(totals: Totals) -> dict[str, NameTotals]:
    """What is held and approved by symbol, with its parts in one order."""
    return {
        symbol: name._replace(
            owners=tuple(sorted(name.owners)),
            keys=tuple(sorted(name.keys)),
            reservations=tuple(sorted(name.reservations)),
        )
        for symbol, name in totals.names.items()
    }
