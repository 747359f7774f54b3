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
    """One line of the table; times in microseconds. `budget` bounds the ratio, `most` our own time."""

    what: str
    ours: float
    ours_p99: float
    theirs: float
    beside: str
    budget: float | None = None
    note: str = ""
    most: float | None = None

    @property
    def ratio(self) -> float:
        """Ours over theirs."""
        return self.ours / self.theirs

    @property
    def verdict(self) -> str:
        """Whether the budget is kept; empty without one."""
        if self.budget is None and self.most is None:
            return ""
        kept = self.ratio <= self.budget if self.budget is not None else self.ours <= self.most
        return "met" if kept else "missed"

    @property
    def allowed(self) -> str:
        """The budget in words."""
        if self.budget is not None:
            return f"{self.budget:.2f} x"
        return "" if self.most is None else f"{self.most:,.0f} us"


def measured(work: Work, calls: int, before: Work | None = None) -> np.ndarray:
    """Microseconds of single calls, with the collector held off; `before` runs untimed ahead of each."""
    times = np.empty(calls)
    gc.collect()
    gc.disable()
    try:
        for call in range(calls):
            if before is not None:
                before()
            start = time.perf_counter()
            work()
            times[call] = time.perf_counter() - start
    finally:
        gc.enable()
    return 1e6 * times


def side_by_side(
    ours: Work, theirs: Work, *, calls: int, rounds: int = 7, before: Work | None = None
) -> tuple[float, float, float]:
    """Median and 99th percentile of ours and median of theirs, over rounds in turn."""
    for work, ahead in ((ours, before), (theirs, None)):
        measured(work, max(3, calls // 10), ahead)
    mine, other = [], []
    for _ in range(rounds):
        mine.append(measured(ours, calls, before))
        other.append(measured(theirs, calls))
    both = np.concatenate(mine)
    return float(np.median(both)), float(np.percentile(both, 99)), float(np.median(np.concatenate(other)))
