"""The only place that reads the time. Everything else is handed a clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

__all__ = ["AnchoredClock", "Clock", "LaterClock", "ManualClock", "SystemClock"]


class Clock(Protocol):
    """Wall time for records, monotonic time for intervals."""

    def now(self) -> datetime:
        """Aware UTC wall time."""
        ...

    def monotonic(self) -> float:
        """Seconds that never step back; only differences mean something."""
        ...

    def wall_offset(self) -> float:
        """Seconds by which the machine's wall clock has stepped away from `now`; 0 where there is none."""
        ...


class SystemClock:
    """The machine's time at the start, carried on by its monotonic clock.

    A step of the wall clock - a person, a time service, a leap second, a time zone's mistake - moves no
    interval: it shows in `wall_offset` alone.
    """

    def __init__(self) -> None:
        self._start = datetime.now(UTC)
        self._origin = time.monotonic()

    def now(self) -> datetime:
        """The wall time of the start plus what has passed since."""
        return self._start + timedelta(seconds=time.monotonic() - self._origin)

    def monotonic(self) -> float:
        """The machine's monotonic seconds."""
        return time.monotonic()

    def wall_offset(self) -> float:
        """How far the wall clock has stepped since the start, in seconds."""
        return (datetime.now(UTC) - self.now()).total_seconds()


class AnchoredClock:
    """Starts at a given moment and runs on with the machine's monotonic time.

    Sample data and frames handed in carry such a clock: their last date is their now, so that
    nothing is stale by accident.

    Parameters
    ----------
    start : datetime
        Aware moment at which the clock starts.
    """

    def __init__(self, start: datetime) -> None:
        self._start = _utc(start)
        self._origin = time.monotonic()

    def now(self) -> datetime:
        """The start plus what has passed since."""
        return self._start + timedelta(seconds=time.monotonic() - self._origin)

    def monotonic(self) -> float:
        """The machine's monotonic seconds."""
        return time.monotonic()

    def wall_offset(self) -> float:
        """There is no wall clock that it could step away from."""
        return 0.0


class LaterClock:
    """Another clock, so much later: a book's time goes on from its last event, whatever the wall clock says.

    Parameters
    ----------
    clock : Clock
    seconds : float
    """

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock, self._seconds = clock, seconds

    def now(self) -> datetime:
        """The other clock's time, and what it is behind."""
        return self._clock.now() + timedelta(seconds=self._seconds)

    def monotonic(self) -> float:
        """The other clock's seconds."""
        return self._clock.monotonic()

    def wall_offset(self) -> float:
        """How far the machine's wall clock stands from `now`."""
        return self._clock.wall_offset() - self._seconds


class ManualClock:
    """Moves only when told to: for tests, replays and simulations.

    Parameters
    ----------
    start : datetime
        Aware moment at which the clock stands.
    """

    def __init__(self, start: datetime) -> None:
        self._now = _utc(start)
        self._monotonic = 0.0
        self._offset = 0.0

    def now(self) -> datetime:
        """Where the clock stands."""
        return self._now

    def monotonic(self) -> float:
        """Seconds moved forward so far."""
        return self._monotonic

    def wall_offset(self) -> float:
        """What `step_wall` was told so far."""
        return self._offset

    def step_wall(self, seconds: float) -> None:
        """Step the wall clock alone, as a person or a time service would."""
        self._offset += seconds

    def advance(self, seconds: float) -> None:
        """Move wall and monotonic time forward together."""
        if not seconds >= 0:
            raise ValueError(f"a clock advances by zero or more seconds, got {seconds!r}")
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds

    def move_to(self, moment: datetime) -> None:
        """Set the wall time; monotonic time advances by the same amount, never backwards."""
        step = (_utc(moment) - self._now).total_seconds()
        self._now = _utc(moment)
        self._monotonic += max(step, 0.0)


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"a clock needs an aware time, got the naive {moment!r}; add tzinfo=UTC")
    return moment.astimezone(UTC)
