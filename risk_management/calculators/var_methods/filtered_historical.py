"""The past filtered by a GARCH model and brought to present volatility."""

from __future__ import annotations

from risk_management.calculators.var_methods._contract import Sample, TailEstimate, TailInput
from risk_management.measures.volatility import GarchFit, filtered_returns, fit_garch

__all__ = ["filtered_historical"]


def filtered_historical(book: TailInput) -> TailEstimate:
    """Historical simulation on the book's daily GARCH(1,1) residuals.

    References
    ----------
    Barone-Adesi, Giannopoulos and Vosper (1999), Journal of Futures Markets 19(5).
    """
    fit = book.daily.once(_fit)
    note = f"GARCH with alpha {fit.alpha:.3f} and beta {fit.beta:.3f}"
    note += "" if fit.converged else " (the fit did not settle)"
    return book.adapted(filtered_returns(book.daily.pnl, fit), note)


def _fit(sample: Sample) -> GarchFit:
    return fit_garch(sample.pnl, mean="zero")
