"""The past with weights that fall with age."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from risk_management.calculators.var_methods._contract import TailEstimate, TailInput
from risk_management.errors import InsufficientData
from risk_management.measures.tail import age_weighted_var

__all__ = ["DECAY", "age_weighted"]

DECAY: Final = 0.99
"""Weight of a day relative to the next: about 200 effective observations."""


def age_weighted(book: TailInput) -> TailEstimate:
    """Historical simulation with exponentially falling weights, for VaR and for the tail mean.

    References
    ----------
    Boudoukh, Richardson and Whitelaw (1998), "The best of both worlds", Risk 11(5).
    """
    pnl = book.plain.pnl
    weights = DECAY ** np.arange(len(pnl) - 1.0, -1.0, -1.0)
    weights /= weights.sum()
    effective = float(1.0 / (weights @ weights))
    share = 1.0 - book.confidence
    if effective * share < 1.0 - 1e-9:
        raise InsufficientData(
            f"the weights leave {effective:.0f} effective observations, too few for {book.confidence:g}"
        )
    var = age_weighted_var(pnl, book.confidence, DECAY)
    note = f"decay {DECAY:g} a row: {effective:.0f} effective observations"
    return book.estimate(var, max(var, _tail_mean(pnl, weights, share)), note=note)


def _tail_mean(pnl: NDArray[np.float64], weights: NDArray[np.float64], share: float) -> float:
    """Mean loss over exactly `share` of the weight, worst first; the boundary counts in part."""
    order = np.argsort(pnl, kind="stable")
    reached = np.minimum(np.cumsum(weights[order]), share)
    return float(-(np.diff(reached, prepend=0.0) @ pnl[order]) / share)
