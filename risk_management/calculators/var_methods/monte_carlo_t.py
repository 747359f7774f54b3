"""Simulation from a Student-t copula on the empirical margins: names crash together, each in its own way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, stdtrit

from risk_management.calculators.var_methods._contract import Sample, TailEstimate, TailInput
from risk_management.calculators.var_methods._simulation import mirrored, simulated

__all__ = ["TCopula", "fit_t_copula", "monte_carlo_t"]

Float = NDArray[np.float64]
DF_RANGE: Final = (2.0, 100.0)
NAMES_FITTED: Final = 20
"""Degrees of freedom are fitted on the names with the largest exposures; more of them say little more."""
LEAST: Final = 1e-6
"""Floor of the eigenvalues of the correlation: copies of one series make it singular."""


@dataclass(frozen=True, slots=True, eq=False)
class TCopula:
    """How the names move together, and how each moves.

    Parameters
    ----------
    df : float
        Degrees of freedom; the fewer, the more often all tails come at once.
    root : ndarray of shape (N, N)
        Square root of the copula's correlation, rows of length 1.
    scores : ndarray of shape (T,)
        t quantiles of the ranks.
    margins : ndarray of shape (T, N)
        Sorted returns of each name.
    """

    df: float
    root: Float
    scores: Float
    margins: Float


def monte_carlo_t(book: TailInput) -> TailEstimate:
    """Joint draws of all names from a t copula, each mapped to the name's own empirical returns.

    No name falls further than it has in the window; all may fall that far on the same day.

    References
    ----------
    Demarta and McNeil (2005), "The t copula and related copulas", International Statistical Review 73(1).
    """
    sample = book.plain
    copula = sample.once(fit_t_copula)

    def draw(generator: np.random.Generator, size: int) -> Float:
        mixing = np.tile(generator.chisquare(copula.df, -(-size // 2)) / copula.df, 2)[:size]
        joint = mirrored(generator, size, len(copula.root)) @ copula.root.T
        joint /= np.sqrt(mixing)[:, None]
        pnl = np.zeros(size)
        for column, exposure in enumerate(sample.exposures):
            pnl += exposure * np.interp(joint[:, column], copula.scores, copula.margins[:, column])
        return pnl

    note = f"t copula with {copula.df:.1f} degrees of freedom on empirical margins"
    return simulated(book, draw, note)


def fit_t_copula(sample: Sample) -> TCopula:
    """Correlation from Spearman's ranks, degrees of freedom by maximum likelihood.

    The correlation is 2 sin(pi rho_s / 6), exact for a normal copula and close for a t copula.
    """
    returns = sample.returns
    rows, names = returns.shape
    order = np.argsort(returns, axis=0, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(rows)[:, None], axis=0)
    spearman = np.atleast_2d(np.corrcoef(ranks, rowvar=False))
    root = _root(2.0 * np.sin(np.pi / 6.0 * spearman))
    chosen = np.argsort(-np.abs(sample.exposures), kind="stable")[:NAMES_FITTED]
    df = _degrees(ranks[:, chosen], root[chosen] @ root[chosen].T) if names > 1 else DF_RANGE[1]
    return TCopula(df, root, _scores(rows, df), np.take_along_axis(returns, order, axis=0))


def _scores(rows: int, df: float) -> Float:
    return np.asarray(stdtrit(df, (np.arange(rows) + 0.5) / rows), dtype=np.float64)


def _root(correlation: Float) -> Float:
    """Square root of the nearest usable correlation: eigenvalues floored, diagonal brought back to 1."""
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(np.maximum(values, LEAST))
    return np.asarray(root / np.sqrt((root * root).sum(axis=1))[:, None])


def _degrees(ranks: NDArray[np.intp], correlation: Float) -> float:
    from scipy.optimize import minimize_scalar  # noqa: PLC0415 - slow to import, needed by this fit only

    inverse = np.asarray(np.linalg.inv(correlation), dtype=np.float64)
    low, high = np.log(DF_RANGE)

    def loss(log_df: float) -> float:
        df = float(np.exp(log_df))
        return -_log_likelihood(_scores(len(ranks), df)[ranks], inverse, df)

    found = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-2})
    return float(np.exp(found.x))


def _log_likelihood(scores: Float, inverse: Float, df: float) -> float:
    """Mean log density of the t copula at t scores of shape (T, K), but for what df leaves alone."""
    names = scores.shape[1]
    constant = gammaln((df + names) / 2.0) + (names - 1) * gammaln(df / 2.0)
    constant -= names * gammaln((df + 1.0) / 2.0)
    joint = np.log1p(np.einsum("ti,ij,tj->t", scores, inverse, scores, optimize=True) / df)
    alone = np.log1p(scores * scores / df).sum(axis=1)
    return float(constant + np.mean((df + 1.0) / 2.0 * alone - (df + names) / 2.0 * joint))
