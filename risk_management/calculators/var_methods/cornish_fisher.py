"""The normal quantile bent by skewness and kurtosis, where that still is a quantile."""

from __future__ import annotations

from risk_management.calculators.var_methods._contract import TailEstimate, TailInput
from risk_management.measures.tail import cornish_fisher_es, cornish_fisher_var

__all__ = ["cornish_fisher"]


def cornish_fisher(book: TailInput) -> TailEstimate:
    """Fourth-order expansion on population moments; refused outside its domain."""
    pnl = book.plain.pnl
    return book.estimate(cornish_fisher_var(pnl, book.confidence), cornish_fisher_es(pnl, book.confidence))
