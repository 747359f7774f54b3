"""Interleaved timing: the two sides of a ratio take turns, so that a noisy machine is noisy for both."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = ["Row", "measured", "side_by_side"]

Work = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """One line of the table; times in microseconds."""

    what: str
    ours: float
    ours_p99: float
    theirs: float
    beside: str
    budget: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float:
        """Ours over theirs."""
        return self.ours / self.theirs

    @property
    def verdict(self) -> str:
        """Whether the ratio is inside its budget."""
        if self.budget is None:
            return "-"
        return "met" if self.ratio <= self.budget else "missed"


def measured(work: Work, calls: int) -> np.ndarray:
    """Microseconds of single calls, with the collector held off."""
    times = np.empty(calls)
    gc.collect()
    gc.disable()
    try:
        for call in range(calls):
            start = time.perf_counter()
            work()
            times[call] = time.perf_counter() - start
    finally:
        gc.enable()
    return 1e6 * times


def side_by_side(ours: Work, theirs: Work, *, calls: int, rounds: int = 7) -> tuple[float, float, float]:
    """Median and 99th percentile of ours and median of theirs, over rounds in turn."""
    for warm in (ours, theirs):
        measured(warm, max(3, calls // 10))
    mine, other = [], []
    for _ in range(rounds):
        mine.append(measured(ours, calls))
        other.append(measured(theirs, calls))
    both = np.concatenate(mine)
    return float(np.median(both)), float(np.percentile(both, 99)), float(np.median(np.concatenate(other)))
