"""What the simulations share: draws in blocks with their mirror images, and the error of the outcome."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from risk_management.calculators.var_methods._contract import TailEstimate, TailInput
from risk_management.measures.tail import var_es

__all__ = ["mirrored", "simulated"]

Float = NDArray[np.float64]
BLOCK: Final = 32_768
"""Draws at a time, so that millions of them need little memory."""


def mirrored(generator: np.random.Generator, draws: int, columns: int) -> Float:
    """Standard normal draws of shape (draws, columns): each with its antithetic image in the other half."""
    half = generator.standard_normal((-(-draws // 2), columns))
    return np.concatenate((half, -half))[:draws]


def simulated(
    book: TailInput, draw: Callable[[np.random.Generator, int], Float], note: str = ""
) -> TailEstimate:
    """VaR and ES of simulated profits.

    The standard error is distribution free: half the distance of the quantiles one binomial standard
    deviation of their rank to either side.

    Parameters
    ----------
    book : TailInput
    draw : callable
        From a generator and a number n to n profits over one step.
    note : str
    """
    generator, total = book.generator(), book.simulations
    blocks = [min(BLOCK, total - start) for start in range(0, total, BLOCK)]
    pnl = np.concatenate([draw(generator, size) for size in blocks])
    confidence = book.confidence
    spread = math.sqrt(confidence * (1.0 - confidence) / total)
    below, above = confidence - spread, min(confidence + spread, 1.0 - 1e-12)
    (var, es), (low, _), (high, _) = var_es(pnl, (confidence, below, above))
    error = (high - low) / (above - below) * spread
    return book.estimate(var, es, error, f"{total:,} draws with antithetic images{note and '; '}{note}")
