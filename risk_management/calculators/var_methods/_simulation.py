"""What the simulations share: draws with mirror images or quasi-random, and the error of the outcome."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from risk_management.calculators.var_methods._contract import TailEstimate, TailInput
from risk_management.errors import InsufficientData
from risk_management.measures.tail import var_es

__all__ = ["Draws", "simulated"]

Float = NDArray[np.float64]
BLOCK: Final = 32_768
"""Draws at a time, so that millions of them need little memory."""
SCRAMBLES: Final = 8
"""Independent scramblings of the quasi-random points; their spread is the standard error."""
LEAST_STEP: Final = 1e-12
LEAST_BEYOND: Final = 10
"""Fewest draws beyond the confidence: with fewer two standard errors no longer hold 95 of 100 outcomes."""


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

    VaR is the quantile of Hazen, at which as many draws lie beyond as should on average: type 7 stands half a
    draw too low. Its standard error is that of the share of draws beyond it, over the density there, taken
    from the quantiles two binomial standard deviations to either side. For random draws that share is
    binomial; for quasi-random ones its error is found from `SCRAMBLES` independent scramblings, with the
    spread of Student's law for so few. Two standard errors hold the true figure 95 times in 100.

    Parameters
    ----------
    book : TailInput
    draw : callable
        From draws and a number n to n profits over one step.
    note : str

    Raises
    ------
    InsufficientData
        Fewer than `LEAST_BEYOND` draws lie beyond the confidence.
    """
    quasi = book.draws == "sobol"
    sizes = _scramblings(book.simulations) if quasi else _blocks(book.simulations)
    total, share = sum(sizes), 1.0 - book.confidence
    if total * share < LEAST_BEYOND * (1.0 - 1e-9):
        needed = math.ceil(LEAST_BEYOND / share * (1.0 - 1e-9))
        raise InsufficientData(
            f"of {total:,} draws {total * share:.2g} lie beyond {book.confidence:g}, not {LEAST_BEYOND}; "
            f"set monte_carlo_simulations to {needed:,} or more, or take a parametric method"
        )
    draws = Draws(book.generator(), quasi=quasi)
    parts = [draw(draws, size) for size in sizes]
    pnl = np.concatenate(parts)
    binomial = math.sqrt(share * book.confidence / total)
    asked = (share - 2.0 * binomial, share, share + 2.0 * binomial)
    low, middle, high = np.quantile(pnl, asked, method="hazen").tolist()
    spread = _spread_of_shares(parts, middle) if quasi else binomial
    ((_, es),) = var_es(pnl, (book.confidence,))
    said = f"{total:,} draws with antithetic images"
    if quasi:
        said = f"{len(sizes)} x {sizes[0]:,} quasi-random points"
    error = (high - low) / (4.0 * binomial) * spread
    return book.estimate(-middle, max(es, -middle), error, f"{said}{note and '; '}{note}")


def _blocks(total: int) -> list[int]:
    return [min(BLOCK, total - start) for start in range(0, total, BLOCK)]


def _scramblings(total: int) -> list[int]:
    """At least as many points as asked for, by powers of two, where Sobol points are balanced."""
    return [2 ** max(4, math.ceil(math.log2(total / SCRAMBLES)))] * SCRAMBLES


def _spread_of_shares(parts: list[Float], quantile: float) -> float:
    """Standard deviation of the mean share of draws below a quantile, by the spread between scramblings.

    In one dimension their shares may all be equal: they are known no better than to a place within a step.
    """
    shares = np.array([np.count_nonzero(part < quantile) / len(part) for part in parts])
    degrees = len(parts) - 1
    deviation = max(float(shares.std(ddof=1)), 1.0 / math.sqrt(12.0) / len(parts[0]))
    return deviation * math.sqrt(degrees / (degrees - 2.0) / len(parts))
