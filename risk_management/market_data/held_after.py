"""What is held after a list of fills, at average cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from risk_management.market_data.fills_file import FillRow
from risk_management.market_data.positions_file import PositionRow

__all__ = ["held_after"]

FLAT = 1e-9
"""Units that are nothing: what sums of written decimals leave."""


@dataclass
class _Holding:
    quantity: float = 0.0
    price: float = 0.0
    """Average price paid for a unit of what is held."""
    line: int = 0

    def take(self, fill: FillRow) -> None:
        """One fill: more of the same side moves the average, less keeps it, a turn begins anew."""
        traded = fill.side * fill.quantity
        after = self.quantity + traded
        if self.quantity * traded >= 0.0:
            self.price = (self.quantity * self.price + traded * fill.price) / after
        elif self.quantity * after < 0.0:
            self.price = fill.price
        self.quantity, self.line = (after if abs(after) > FLAT else 0.0), fill.line


def held_after(fills: Sequence[FillRow]) -> list[PositionRow]:
    """The positions that fills leave, where nothing was held before the first of them.

    Parameters
    ----------
    fills : sequence of FillRow
        Oldest first.

    Returns
    -------
    list of PositionRow
        By symbol, strategy and bot, at the average price paid; what is closed is left out.
    """
    held: dict[tuple[str, str, str], _Holding] = {}
    for fill in fills:
        held.setdefault((fill.symbol, fill.strategy, fill.bot), _Holding()).take(fill)
    return [
        PositionRow(
            symbol,
            one.quantity * one.price,
            one.price,
            strategy,
            bot=bot or None,
            line=one.line,
        )
        for (symbol, strategy, bot), one in held.items()
        if one.quantity
    ]
