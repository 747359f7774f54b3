"""How names move together, apart from how each moves: normal and Student-t copulas and their margins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, gammaln, ndtri, stdtrit

from risk_management.calculators.var_methods._contract import Sample
from risk_management.calculators.var_methods._simulation import Draws
from risk_management.measures.tail import fit_student_t

__all__ = ["Copula", "empirical_margins", "fit_normal_copula", "fit_t_copula", "fitted_margins", "profits"]

Float = NDArray[np.float64]
DF_RANGE: Final = (2.0, 100.0)
NAMES_FITTED: Final = 20
"""Degrees of freedom are fitted on the names with the largest exposures; more of them say little more."""
LEAST: Final = 1e-6
"""Floor of the eigenvalues of the correlation: copies of one series make it singular."""
GRID: Final = np.concatenate((10.0 ** np.linspace(-9.0, -3.0, 61)[:-1], np.linspace(1e-3, 0.5, 200)))
"""Lower half of the probabilities at which a fitted margin is tabled."""


@dataclass(frozen=True, slots=True, eq=False)
class Copula:
    """What ties the names.

    Parameters
    ----------
    df : float
        Degrees of freedom; the fewer, the more often all tails come at once. Infinite: a normal copula.
    root : ndarray of shape (N, N)
        Square root of the copula's correlation, rows of length 1.
    """

    df: float
    root: Float

    def scores(self, probabilities: Float) -> Float:
        """Quantiles of one score."""
        found = ndtri(probabilities) if np.isinf(self.df) else stdtrit(self.df, probabilities)
        return np.asarray(found, dtype=np.float64)

    def draw(self, draws: Draws, size: int) -> Float:
        """Scores of shape (size, N)."""
        normals, uniforms = draws.normals_and_uniforms(size, len(self.root))
        joint = normals @ self.root.T
        if not np.isinf(self.df):
            joint /= np.sqrt(chdtri(self.df, uniforms) / self.df)[:, None]
        return np.asarray(joint)


@dataclass(frozen=True, slots=True, eq=False)
class Margins:
    """Returns of each name at rising probabilities.

    Parameters
    ----------
    probabilities : ndarray of shape (P,)
    returns : ndarray of shape (P, N)
    """

    probabilities: Float
    returns: Float


def profits(copula: Copula, margins: Margins, exposures: Float, draws: Draws, size: int) -> Float:
    """Profits of `size` joint draws, each name's score mapped to its own margin; shape (size,)."""
    joint, scores = copula.draw(draws, size), copula.scores(margins.probabilities)
    pnl = np.zeros(size)
    for column, exposure in enumerate(exposures):
        pnl += exposure * np.interp(joint[:, column], scores, margins.returns[:, column])
    return pnl


def empirical_margins(sample: Sample) -> Margins:
    """Each name's own sorted returns: nothing further out than what has been.

    Equal returns are a flat piece, in whose middle their shared rank lies.
    """
    rows = sample.observations
    return Margins((np.arange(rows) + 0.5) / rows, np.sort(sample.returns, axis=0))


def fitted_margins(sample: Sample) -> Margins:
    """A Student-t law fitted to each name: it reaches further than what has been, but not below -100 %.

    Raises
    ------
    InsufficientData, UndefinedMeasure
        A name has too few returns, or stands still.
    """
    probabilities = np.concatenate((GRID, 1.0 - GRID[-2::-1]))
    columns = []
    for column in sample.returns.T:
        law = fit_student_t(column)
        columns.append(np.maximum(law.loc + law.scale * stdtrit(law.df, probabilities), -1.0))
    return Margins(probabilities, np.column_stack(columns))


def fit_normal_copula(sample: Sample) -> Copula:
    """Correlation from Spearman's ranks: 2 sin(pi rho_s / 6), exact for a normal copula."""
    _, root = _ranks_and_root(sample)
    return Copula(np.inf, root)


def fit_t_copula(sample: Sample) -> Copula:
    """Correlation from Spearman's ranks, degrees of freedom by maximum likelihood.

    The correlation is 2 sin(pi rho_s / 6), exact for a normal copula and close for a t copula.
    """
    ranks, root = _ranks_and_root(sample)
    chosen = np.argsort(-np.abs(sample.exposures), kind="stable")[:NAMES_FITTED]
    alone = len(root) == 1
    df = DF_RANGE[1] if alone else _degrees(ranks[:, chosen], root[chosen] @ root[chosen].T)
    return Copula(df, root)


def _ranks_and_root(sample: Sample) -> tuple[NDArray[np.intp], Float]:
    """Twice the ranks from 0, shape (T, N), and the root of the correlation that they say.

    Equal returns share the mean of their ranks: ranked by their place in time, two names that both stood
    still on most days would seem to move together. A name that never moves is taken as independent.
    """
    ranks = np.empty(sample.returns.shape, dtype=np.intp)
    for column, returns in enumerate(sample.returns.T):
        rising = np.sort(returns)
        ranks[:, column] = np.searchsorted(rising, returns, "left") - 1
        ranks[:, column] += np.searchsorted(rising, returns, "right")
    centred = ranks - ranks.mean(axis=0)
    length = np.sqrt((centred * centred).sum(axis=0))
    centred /= np.where(length > 0.0, length, 1.0)
    spearman = centred.T @ centred
    np.fill_diagonal(spearman, 1.0)
    return ranks, _root(2.0 * np.sin(np.pi / 6.0 * spearman))


def _root(correlation: Float) -> Float:
    """Square root of the nearest usable correlation: eigenvalues floored, diagonal brought back to 1."""
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(np.maximum(values, LEAST))
    return np.asarray(root / np.sqrt((root * root).sum(axis=1))[:, None])


def _degrees(ranks: NDArray[np.intp], correlation: Float) -> float:
    from scipy.optimize import minimize_scalar  # noqa: PLC0415 - slow to import, needed by this fit only

    inverse = np.asarray(np.linalg.inv(correlation), dtype=np.float64)
    low, high = np.log(DF_RANGE)
    probabilities = (np.arange(2.0 * len(ranks) - 1.0) / 2.0 + 0.5) / len(ranks)

    def loss(log_df: float) -> float:
        df = float(np.exp(log_df))
        scores = np.asarray(stdtrit(df, probabilities), dtype=np.float64)
        return -_log_likelihood(scores[ranks], inverse, df)

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
