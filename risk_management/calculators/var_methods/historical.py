"""The past as it was: every day of the window may come again, with the same chance."""

from __future__ import annotations

from risk_management.calculators.var_methods._contract import TailEstimate, TailInput

__all__ = ["historical"]


def historical(book: TailInput) -> TailEstimate:
    """Type-7 quantile and Rockafellar-Uryasev tail mean of the book's P&L on plain returns."""
    return book.empirical(book.plain.pnl)
