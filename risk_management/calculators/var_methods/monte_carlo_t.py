"""Simulation from a copula on each name's own margin: names crash together, each in its own way."""

from __future__ import annotations

from risk_management.calculators.var_methods._contract import TailEstimate, TailInput
from risk_management.calculators.var_methods._copula import (
    Copula,
    empirical_margins,
    fit_normal_copula,
    fit_t_copula,
    fitted_margins,
    profits,
)
from risk_management.calculators.var_methods._simulation import simulated

__all__ = ["monte_carlo_copula", "monte_carlo_t"]


def monte_carlo_copula(book: TailInput) -> TailEstimate:
    """Joint draws from a normal copula: the names' own tails, which seldom come all at once.

    References
    ----------
    Li (2000), "On default correlation: a copula function approach", Journal of Fixed Income 9(4).
    """
    return _simulated(book, book.plain.once(fit_normal_copula), "normal copula")


def monte_carlo_t(book: TailInput) -> TailEstimate:
    """Joint draws of all names from a t copula: all may fall as far as they have on the same day.

    On empirical margins no name falls further than it has in the window, on fitted ones it may.

    References
    ----------
    Demarta and McNeil (2005), "The t copula and related copulas", International Statistical Review 73(1).
    """
    copula = book.plain.once(fit_t_copula)
    return _simulated(book, copula, f"t copula with {copula.df:.1f} degrees of freedom")


def _simulated(book: TailInput, copula: Copula, said: str) -> TailEstimate:
    fitted = book.margins == "student_t"
    margins = book.plain.once(fitted_margins if fitted else empirical_margins)
    exposures = book.plain.exposures
    note = f"{said} on {'fitted t' if fitted else 'empirical'} margins"
    return simulated(book, lambda draws, size: profits(copula, margins, exposures, draws, size), note)
