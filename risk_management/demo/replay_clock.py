"""The time of a replay that people and programs look at while it runs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from risk_management.clock import SystemClock

__all__ = ["ReplayClock"]

LONGEST_DAY: Final = timedelta(hours=1)
"""The clock runs on for so long after a close and then waits for the next."""


class ReplayClock:
    """Moves from close to close of a replay, and runs with the machine's time in between.

    Parameters
    ----------
    start : datetime
        Aware moment at which it starts.
    """

    def __init__(self, start: datetime) -> None:
        self._machine = SystemClock()
        self._anchor = (start, self._machine.monotonic(), 0.0)

    def now(self) -> datetime:
        """The last close, and what has passed since."""
        start, origin, _ = self._anchor
        return start + min(timedelta(seconds=self._machine.monotonic() - origin), LONGEST_DAY)

    def monotonic(self) -> float:
        """The machine's seconds and those that were skipped."""
        return self._machine.monotonic() + self._anchor[2]

    def wall_offset(self) -> float:
        """There is no wall clock that it could step away from."""
        return 0.0

    def move_to(self, moment: datetime) -> None:
        """Skip to a close; it never goes back."""
        step = max(0.0, (moment - self.now()).total_seconds())
        self._anchor = (max(moment, self.now()), self._machine.monotonic(), self._anchor[2] + step)
