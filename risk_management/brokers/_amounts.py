"""Between ledger integers and the decimal texts that brokers speak; nothing passes through a float."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal
from typing import Final

from risk_management.model.money import SCALE

__all__ = ["as_text", "from_decimal", "on_tick"]

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
