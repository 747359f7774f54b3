"""Pre-trade checks, one file each: a function from the proposal to a `Finding`.

All run, none sees another's result, and their order can't matter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from risk_management.checks import (
    bot,
    bot_exposure,
    budget,
    cash,
    cluster,
    confidence,
    data_quality,
    drawdown,
    duplicate_intent,
    expected_shortfall,
    gross,
    heat,
    instrument,
    kelly,
    leverage,
    mode,
    net,
    order_quantity,
    order_size,
    position_count,
    price_collar,
    rate,
    risk_per_trade,
    sector,
    self_match,
    single_name,
    strategy,
    stress,
    symbol_lists,
    var,
    volume_share,
)
from risk_management.core.proposal import Proposal
from risk_management.model.trade import Finding
from risk_management.registry import Registry

__all__ = ["CHECKS", "Check"]

Check = Callable[[Proposal], Finding]
"""A pre-trade check."""

CHECKS: Final[Registry[Check]] = Registry("check")
"""All checks by name. Of several that allow the same size the first one here is named as binding."""

for _module in (
    mode,
    bot,
    symbol_lists,
    instrument,
    data_quality,
    drawdown,
    confidence,
    price_collar,
    order_size,
    order_quantity,
    volume_share,
    duplicate_intent,
    rate,
    single_name,
    sector,
    cluster,
    strategy,
    bot_exposure,
    kelly,
    gross,
    net,
    leverage,
    position_count,
    cash,
    heat,
    risk_per_trade,
    var,
    expected_shortfall,
    budget,
    stress,
    self_match,
):
    CHECKS.register(_module.__name__.rpartition(".")[2])(_module.check)
