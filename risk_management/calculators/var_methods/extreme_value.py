"""The tail beyond a threshold, by a generalised Pareto law: figures further out than the past reaches."""

from __future__ import annotations

from risk_management.calculators.var_methods._contract import Sample, TailEstimate, TailInput
from risk_management.measures.tail import GpdFit, fit_gpd, gpd_es, gpd_var

__all__ = ["extreme_value"]


def extreme_value(book: TailInput) -> TailEstimate:
    """Peaks over the 90 % quantile of the losses.

    References
    ----------
    McNeil and Frey (2000), "Estimation of tail-related risk measures for heteroscedastic financial time
    series", Journal of Empirical Finance 7(3-4).
    """
    fit = book.plain.once(_fit)
    pnl = book.plain.pnl
    note = f"{fit.exceedances} losses beyond {fit.threshold:.4g}, shape {fit.shape:.2f}"
    return book.estimate(gpd_var(pnl, book.confidence), gpd_es(pnl, book.confidence), note=note)


def _fit(sample: Sample) -> GpdFit:
    return fit_gpd(sample.pnl)
