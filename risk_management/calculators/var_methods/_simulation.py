"""What the simulations share: draws with mirror images or quasi-random, and the error of the outcome."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from risk_management.calculators.var_methods._contract import TailEstimate, TailInput
from risk_management.measures.tail import var_es

__all__ = ["Draws", "simulated"]

Float = NDArray[np.float64]
BLOCK: Final = 32_768
"""Draws at a time, so that millions of them need little memory."""
SCRAMBLES: Final = 8
"""Independent scramblings of the quasi-random points; their spread is the standard error."""
LEAST_STEP: Final = 1e-12


class Draws:
    """Where a simulation's draws come from.

    Parameters
    ----------
    generator : numpy Generator
    quasi : bool
        Scrambled Sobol points instead of random ones with their mirror images.
    """

    def __init__(self, generator: np.random.Generator, *, quasi: bool) -> None:
        self.generator = generator
        self.quasi = quasi

    def normals_and_uniforms(self, draws: int, columns: int) -> tuple[Float, Float]:
        """Standard normals of shape (draws, columns), and one uniform for each draw, shape (draws,).

        Antithetic halves share their uniform.
        """
        if not self.quasi:
            half = self.generator.standard_normal((-(-draws // 2), columns))
            shared = self.generator.random(len(half))
            return np.concatenate((half, -half))[:draws], np.concatenate((shared, shared))[:draws]
        from scipy.stats.qmc import Sobol  # noqa: PLC0415 - slow to import

        points = Sobol(columns + 1, scramble=True, rng=self.generator).random(draws)
        inside = np.clip(points, LEAST_STEP, 1.0 - LEAST_STEP)
        return np.asarray(ndtri(inside[:, :-1])), inside[:, -1]

    def normals(self, draws: int, columns: int) -> Float:
        """Standard normals of shape (draws, columns)."""
        return self.normals_and_uniforms(draws, columns)[0]


def simulated(book: TailInput, draw: Callable[[Draws, int], Float], note: str = "") -> TailEstimate:
    """VaR and ES of simulated profits.

    The standard error of random draws is distribution free: half the distance of the quantiles one binomial
    standard deviation of their rank to either side. That of quasi-random ones is the spread of `SCRAMBLES`
    independent scramblings.

    Parameters
    ----------
    book : TailInput
    draw : callable
        From draws and a number n to n profits over one step.
    note : str
    """
    if book.draws == "sobol":
        return _quasi(book, draw, note)
    draws, total = Draws(book.generator(), quasi=False), book.simulations
    blocks = [min(BLOCK, total - start) for start in range(0, total, BLOCK)]
    pnl = np.concatenate([draw(draws, size) for size in blocks])
    confidence = book.confidence
    spread = math.sqrt(confidence * (1.0 - confidence) / total)
    below, above = confidence - spread, min(confidence + spread, 1.0 - 1e-12)
    (var, es), (low, _), (high, _) = var_es(pnl, (confidence, below, above))
    error = (high - low) / (above - below) * spread
    return book.estimate(var, es, error, f"{total:,} draws with antithetic images{note and '; '}{note}")


def _quasi(book: TailInput, draw: Callable[[Draws, int], Float], note: str) -> TailEstimate:
    """As many points as asked for, rounded to powers of two, where Sobol points are balanced."""
    size = 2 ** max(4, round(math.log2(book.simulations / SCRAMBLES)))
    draws = Draws(book.generator(), quasi=True)
    found = np.array([var_es(draw(draws, size), (book.confidence,))[0] for _ in range(SCRAMBLES)])
    var, es = found.mean(axis=0).tolist()
    error = float(found[:, 0].std(ddof=1)) / math.sqrt(SCRAMBLES)
    said = f"{SCRAMBLES} x {size:,} quasi-random points"
    return book.estimate(var, es, error, f"{said}{note and '; '}{note}")
