"""Time in the simulation: a machine whose wall clock may be stepped, processes on it, what is due when."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count

from risk_management.clock import ManualClock

__all__ = ["Agenda", "ProcessClock"]


class ProcessClock:
    """A process's clock: the machine's wall time at its start, carried on by monotonic time.

    It reads a simulated machine as `SystemClock` reads the real one: a step of the wall clock shows in
    `wall_offset` alone, and a process that is started after it begins at the new time.

    Parameters
    ----------
    machine : ManualClock
        True time, and by how much the machine's wall clock is off.
    """

    def __init__(self, machine: ManualClock) -> None:
        self._machine = machine
        self._start = machine.now() + timedelta(seconds=machine.wall_offset())
        self._origin = machine.monotonic()

    def now(self) -> datetime:
        """The wall time of the start plus what has passed since."""
        return self._start + timedelta(seconds=self._machine.monotonic() - self._origin)

    def monotonic(self) -> float:
        """Seconds since the machine was switched on."""
        return self._machine.monotonic()

    def wall_offset(self) -> float:
        """How far the wall clock has stepped since the process started, in seconds."""
        wall = self._machine.now() + timedelta(seconds=self._machine.wall_offset())
        return (wall - self.now()).total_seconds()


class Agenda:
    """What is to be done at which second; what is due at once is done in the order in which it was put in.

    Parameters
    ----------
    machine : ManualClock
        Moved on to each entry's time.
    """

    def __init__(self, machine: ManualClock) -> None:
        self._machine = machine
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something in a while."""
        heapq.heappush(self._heap, (self._machine.monotonic() + seconds, next(self._numbers), action))

    def next(self, until: float) -> bool:
        """Do what is due next, before a second of the machine; whether there was something."""
        if not self._heap or self._heap[0][0] >= until:
            return False
        due, _, action = heapq.heappop(self._heap)
        self._machine.advance(max(0.0, due - self._machine.monotonic()))
        action()
        return True
