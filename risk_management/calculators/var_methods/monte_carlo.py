"""Simulation from a normal law, in the one dimension that a linear book needs or in all of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from risk_management.calculators.var_methods._contract import Sample, TailEstimate, TailInput
from risk_management.calculators.var_methods._simulation import Draws, simulated

__all__ = ["monte_carlo", "monte_carlo_full"]

Float = NDArray[np.float64]


def monte_carlo(book: TailInput) -> TailEstimate:
    """Draws of the book's profit itself: exact for a linear book, whose profit is normal too.

    It takes N times fewer draws than `monte_carlo_full` for the same law.
    """
    pnl = book.plain.pnl
    mean, deviation = float(pnl.mean()), float(pnl.std(ddof=1))
    return simulated(book, lambda draws, n: mean + deviation * draws.normals(n, 1)[:, 0], "normal law")


def monte_carlo_full(book: TailInput) -> TailEstimate:
    """Draws of every name's return from the multivariate normal, priced name by name."""
    sample = book.plain
    root = sample.once(covariance_root)
    mean, exposures = sample.returns.mean(axis=0), sample.exposures

    def draw(draws: Draws, size: int) -> Float:
        returns = mean + draws.normals(size, root.shape[1]) @ root.T
        return np.asarray(returns @ exposures)

    return simulated(book, draw, f"normal law of {len(mean)} names")


def covariance_root(sample: Sample) -> Float:
    """L of shape (N, N) with L L' = the covariance (ddof 1); by eigenvalues, so that it may be singular."""
    values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(sample.returns, rowvar=False, ddof=1)))
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))
