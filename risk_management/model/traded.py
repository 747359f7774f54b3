"""Units that were traded by symbol, in words of a bounded length."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from risk_management.model.money import SCALE

__all__ = ["traded_text"]

MOST: Final = 350
"""Characters; an alert says it twice at most."""


def traded_text(units: Mapping[str, int], left: Mapping[str, int] | None = None) -> str:
    """What was sold or bought of each symbol, and what is left of it; what has no room is counted.

    Parameters
    ----------
    units : Mapping of str to int
        Ledger units by symbol; below 0 sold.
    left : Mapping of str to int, optional
        Ledger units that are held after it.
    """
    named: list[str] = []
    room = MOST
    for symbol, amount in sorted(units.items()):
        text = f"{'bought' if amount > 0 else 'sold'} {abs(amount) / SCALE:,.12g} {symbol}"
        text += f", {left.get(symbol, 0) / SCALE:,.12g} left" if left is not None else ""
        room -= len(text) + 2
        if room < 0 and named:
            break
        named.append(text)
    more = len(units) - len(named)
    return "; ".join(named) + (f"; and {more} more symbols" if more else "")
