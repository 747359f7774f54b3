"""Python's collector of cycles, between requests and not in the middle of one."""

from __future__ import annotations

import gc
from types import TracebackType
from typing import Final, Self

from risk_management.clock import Clock

__all__ = ["Collector"]

EVERY: Final = 0.25
"""Seconds between looks at what is young; it takes a tenth of a millisecond, a few after a burst."""
LATEST: Final = 5.0
"""Seconds after which nobody waits for an idle moment any more."""
WHOLE: Final = 3_600.0
"""Seconds between looks at everything: they take a tenth of a second with a day of orders in memory, and as a
rule find nothing, for the records of a book hold no cycles."""


class Collector:
    """Left to itself the collector starts in whatever call makes one object too many.

    With a day of orders in memory that call takes a hundred times as long as the others. As a context it
    counts what is there as permanent and takes the collector over; at the end all is as it was.

    Parameters
    ----------
    clock : Clock
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._was_enabled = True
        self._young = self._whole = clock.monotonic()

    def __enter__(self) -> Self:
        self._was_enabled = gc.isenabled()
        gc.collect()
        gc.freeze()
        gc.disable()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        gc.unfreeze()
        if self._was_enabled:
            gc.enable()

    def turn(self, *, is_busy: bool) -> None:
        """Collect where it is time to; while requests wait only when it can't be put off."""
        now = self._clock.monotonic()
        since = now - self._young
        if since < EVERY or (is_busy and since < LATEST):
            return
        is_due = now - self._whole >= WHOLE * (2 if is_busy else 1)
        gc.collect(2 if is_due else 1)
        self._young = now
        if is_due:
            self._whole = now
