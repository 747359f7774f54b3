"""What a decision measures, recomputed from scratch with plain numpy: the side that ours is held against."""

from __future__ import annotations

import numpy as np

from bench.books import Desk

__all__ = ["Scratch"]


class Scratch:
    """Dense arrays of a desk's book and one pass over all of them for each order."""

    def __init__(self, desk: Desk) -> None:
        state = desk.book.state
        self.scenarios, self.shocks = state.model.scenarios, state.model.shocks
        self.exposures = state.totals.exposures.copy()
        names = list(state.model.matrix.symbols)
        self.sector = np.array(
            [hash(state.instruments[s].sector) % 12 if s in state.instruments else 0 for s in names]
        )
        self.cluster = np.array(state.model.cluster)
        self.owner = np.arange(len(names)) % 4
        self.risk = state.model.stop_free_risk

    def what_if(self, column: int, size: float) -> tuple[float, ...]:
        """Every measure of the book with the order in it."""
        held = self.exposures.copy()
        held[column] += size
        pnl = self.scenarios @ held
        ordered = np.sort(pnl)
        count = len(pnl)
        var = -np.percentile(pnl, 5.0)
        shortfall = -ordered[: int(0.025 * count)].mean()
        stress = (self.shocks @ held).min()
        sectors = np.bincount(self.sector, weights=held, minlength=12)
        clusters = np.bincount(self.cluster, weights=held)
        owners = np.bincount(self.owner, weights=np.abs(held))
        risks = np.bincount(self.cluster, weights=np.abs(held) * self.risk)
        heat = np.sqrt((risks**2).sum())
        return (
            float(var),
            float(shortfall),
            float(stress),
            float(np.abs(sectors).max()),
            float(np.abs(clusters).max()),
            float(owners.max()),
            float(np.abs(held).sum()),
            float(abs(held.sum())),
            float(heat),
            float(np.abs(held).max()),
        )
