"""A Student-t law fitted to the book's P&L."""

from __future__ import annotations

import math

from risk_management.calculators.var_methods._contract import (
    HorizonRule,
    Sample,
    TailEstimate,
    TailInput,
)
from risk_management.errors import UndefinedMeasure
from risk_management.measures.tail import StudentT, fit_student_t

__all__ = ["student_t"]


def student_t(book: TailInput) -> TailEstimate:
    """Location, scale and degrees of freedom of greatest likelihood.

    With infinite variance the square root of time has no meaning: then only a horizon with returns of
    its own is served.
    """
    fit = book.plain.once(_fit)
    if fit.infinite_variance and book.rule is HorizonRule.SQUARE_ROOT:
        raise UndefinedMeasure(
            f"{fit.df:.1f} degrees of freedom have no variance: the square root of time does not hold"
        )
    es = fit.es(book.confidence) if fit.df > 1.0 else math.inf
    note = f"{fit.df:.1f} degrees of freedom"
    note += " (top of the range: near the normal)" if fit.near_normal else ""
    note += " (infinite variance)" if fit.infinite_variance else ""
    return book.estimate(fit.var(book.confidence), es, note=note)


def _fit(sample: Sample) -> StudentT:
    return fit_student_t(sample.pnl)
