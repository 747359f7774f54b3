"""The tail beyond a threshold, by a generalised Pareto law: figures further out than the past reaches."""

from __future__ import annotations

import math

from risk_management.calculators.var_methods._contract import Sample, TailEstimate, TailInput
from risk_management.measures.tail import GpdFit, fit_gpd

__all__ = ["extreme_value"]


def extreme_value(book: TailInput) -> TailEstimate:
    """Peaks over the 90 % quantile of the losses.

    References
    ----------
    McNeil and Frey (2000), "Estimation of tail-related risk measures for heteroscedastic financial time
    series", Journal of Empirical Finance 7(3-4).
    """
    fit = book.plain.once(_fit)
    es = fit.es(book.confidence) if fit.shape < 1.0 else math.inf
    note = f"{fit.exceedances} losses beyond {fit.threshold:.4g}, shape {fit.shape:.2f}"
    return book.estimate(fit.var(book.confidence), es, note=note)


def _fit(sample: Sample) -> GpdFit:
    return fit_gpd(sample.pnl)
