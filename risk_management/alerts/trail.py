"""What the metrics of the book did lately, for the pictures of alerts; in memory alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

__all__ = ["Trail"]

SPACING: Final = timedelta(minutes=1)
MOST: Final = 720
"""Points that are kept: half a day at an assessment a minute or more."""


class Trail:
    """The metrics of the latest assessments, one a minute at most."""

    def __init__(self) -> None:
        self._points: deque[tuple[datetime, Mapping[str, float]]] = deque(maxlen=MOST)

    def add(self, at: datetime, metrics: Mapping[str, float]) -> None:
        """Remember a moment; one within a minute of the last is left out."""
        points = self._points
        if not points or at - points[-1][0] >= SPACING or at < points[-1][0]:
            points.append((at, dict(metrics)))

    def of(self, metric: str) -> list[tuple[datetime, float]]:
        """One metric, the oldest first; moments at which it was missing or NaN are left out."""
        points = tuple(self._points)
        return [
            (at, seen[metric]) for at, seen in points if seen.get(metric, float("nan")) == seen.get(metric)
        ]
