"""When a channel may be used again: what its service allows and asked for, and how long after a failure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from random import Random
from typing import Final

from risk_management.alerts.outcome import Cap

__all__ = ["Pace", "backoff"]

FIRST: Final = 2.0
LONGEST: Final = 900.0
"""Seconds between two tries, at the start and at most."""


def backoff(tries: int, chance: Random) -> float:
    """Seconds until the next try after `tries` that failed: doubled each time, spread over its upper half."""
    whole = min(LONGEST, FIRST * 2.0 ** min(max(tries - 1, 0), 16))
    return whole * chance.uniform(0.5, 1.0)


class Pace:
    """Keeps within caps, on monotonic time.

    Parameters
    ----------
    caps : sequence of Cap
    """

    def __init__(self, caps: Sequence[Cap]) -> None:
        self._caps = tuple(caps)
        self._used: deque[float] = deque(maxlen=max((cap.number for cap in caps), default=1))
        self._closed_until = 0.0

    def wait(self, now: float) -> float:
        """Seconds until the channel may be used, 0 for now."""
        free = self._closed_until
        for number, seconds in self._caps:
            if len(self._used) >= number:
                free = max(free, self._used[-number] + seconds)
        return max(0.0, free - now)

    def use(self, now: float) -> None:
        """It is used."""
        self._used.append(now)

    def close(self, now: float, seconds: float) -> None:
        """The service asked to be left alone for so long."""
        self._closed_until = max(self._closed_until, now + seconds)
