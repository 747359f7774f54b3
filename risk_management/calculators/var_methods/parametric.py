"""The normal law of the book: for a linear book the variance is w' S w, with S of ddof 1."""

from __future__ import annotations

from risk_management.calculators.var_methods._contract import TailEstimate, TailInput
from risk_management.measures.tail import normal_es, normal_var

__all__ = ["parametric"]


def parametric(book: TailInput) -> TailEstimate:
    """Mean and covariance of the returns, carried through the exposures; the mean is kept."""
    pnl = book.plain.pnl
    note = "normal law: it knows no fat tails"
    return book.estimate(normal_var(pnl, book.confidence), normal_es(pnl, book.confidence), note=note)
