"""Ledger units: money and quantities are integers of 1e-8, so that sums return to exactly zero."""

from __future__ import annotations

import math
from typing import Final

__all__ = ["SCALE", "TOLERANCE", "from_ledger", "to_ledger"]

SCALE: Final = 100_000_000
"""Ledger units in one unit of money or of an instrument."""
TOLERANCE: Final = 1e-6
"""The one tolerance of comparisons, in the account's currency: exactly at a limit passes."""


def to_ledger(amount: float) -> int:
    """The nearest ledger integer of a finite amount.

    Raises
    ------
    ValueError
        For NaN or infinity.
    """
    if not math.isfinite(amount):
        raise ValueError(f"the ledger holds finite amounts, got {amount!r}")
    return round(amount * SCALE)


def from_ledger(units: int) -> float:
    """The amount that `units` of 1e-8 stand for."""
    return units / SCALE
