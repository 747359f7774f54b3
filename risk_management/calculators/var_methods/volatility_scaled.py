"""The past brought to present volatility: the method that adapts."""

from __future__ import annotations

from risk_management.calculators.var_methods._contract import TailEstimate, TailInput

__all__ = ["volatility_scaled"]


def volatility_scaled(book: TailInput) -> TailEstimate:
    """Historical simulation on returns scaled by present over past volatility forecasts.

    References
    ----------
    Hull and White (1998), Journal of Risk 1(1).
    """
    return book.empirical(book.scaled.pnl, "returns are scaled to present volatility")
