"""The past brought to present volatility: the method that adapts."""

from __future__ import annotations

from risk_management.calculators.var_methods._contract import TailEstimate, TailInput

__all__ = ["volatility_scaled"]


def volatility_scaled(book: TailInput) -> TailEstimate:
    """Historical simulation on returns scaled by present over past volatility forecasts, name by name.

    In the forecasts losses count for more than gains, and a shock fades to the long run; see
    `measures.volatility.adaptive_returns`.

    References
    ----------
    Hull and White (1998), Journal of Risk 1(1); Glosten, Jagannathan and Runkle (1993), Journal of Finance
    48(5).
    """
    return book.empirical(book.scaled.pnl, "returns are scaled to present volatility")
