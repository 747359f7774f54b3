"""Between ledger integers and the decimal texts that brokers speak; nothing passes through a float."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal
from typing import Final

from risk_management.errors import OrderRejected
from risk_management.model.broker import OrderIntent
from risk_management.model.money import SCALE

__all__ = ["as_text", "from_decimal", "on_tick", "to_be_sent"]

_SCALE: Final = Decimal(SCALE)


def from_decimal(amount: Decimal) -> int:
    """Ledger units of an amount; what is finer than 1e-8 is cut off toward zero."""
    return int((amount * _SCALE).to_integral_value(rounding=ROUND_DOWN))


def as_text(units: int) -> str:
    """Plain digits of ledger units, such as ``0.015``."""
    text = f"{Decimal(units) / _SCALE:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def on_tick(price: float, tick: Decimal, side: int) -> Decimal:
    """A limit price on the grid of a tick, never worse than what was asked: lower to buy, higher to sell."""
    grid = ROUND_FLOOR if side > 0 else ROUND_CEILING
    steps = (Decimal(repr(price)) / tick).to_integral_value(rounding=grid)
    return steps * tick


def to_be_sent(intent: OrderIntent, held: Callable[[str], int]) -> int:
    """Ledger units of an order; of one that only reduces no more than is held against it.

    Raises
    ------
    OrderRejected
        ``NOT_REDUCING``: nothing is.
    """
    if not intent.reduce_only:
        return intent.quantity
    units = min(intent.quantity, max(0, -intent.side * held(intent.symbol)))
    if units == 0:
        raise OrderRejected("NOT_REDUCING", f"nothing of {intent.symbol} is held to be reduced")
    return units
