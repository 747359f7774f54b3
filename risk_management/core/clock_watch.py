"""Steps of the machine's wall clock: they move no interval, and no price from before them opens anything."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from risk_management.clock import Clock
from risk_management.core.book import Book
from risk_management.model.events import ClockStepped
from risk_management.model.portfolio import SYSTEM

__all__ = ["STEP", "ClockWatch"]

STEP: Final = 2.0
"""Seconds; smaller steps are the daily care of a time service."""


class ClockWatch:
    """Sees when the wall clock no longer stands where the engine's own clock does.

    Parameters
    ----------
    book : Book
    clock : Clock
    alarm : callable
        Told ``(code, sentence)``.
    """

    def __init__(self, book: Book, clock: Clock, alarm: Callable[[str, str], None]) -> None:
        self._book, self._clock, self._alarm = book, clock, alarm
        self._offset = clock.wall_offset()

    def look(self) -> None:
        """Record a step and tell people; nothing opens on a price from before it."""
        offset = self._clock.wall_offset()
        step = offset - self._offset
        if abs(step) <= STEP:
            return
        self._offset = offset
        self._book.apply(ClockStepped(at=self._clock.now(), actor=SYSTEM, seconds=step))
        text = (
            f"the machine's clock stepped by {step:+.1f} s: prices from before it open nothing; intervals go "
            "on unmoved. Restart the engine when its trading day should follow the new time"
        )
        self._alarm("CLOCK_STEPPED", text)

    def engine_time(self, moment: datetime) -> datetime:
        """A moment that the outside world gave, on the engine's own clock."""
        return moment - timedelta(seconds=self._offset)
