"""Wrong tokens, counted by the address that they come from."""

from __future__ import annotations

from collections import OrderedDict, deque
from threading import Lock
from typing import Final

from risk_management.clock import Clock, SystemClock

__all__ = ["Throttle"]

ADDRESSES: Final = 1000


class Throttle:
    """Lets an address try so often in a minute. A right token is never held up.

    Parameters
    ----------
    clock : Clock, optional
    most : int
    seconds : float
    """

    def __init__(self, clock: Clock | None = None, most: int = 20, seconds: float = 60.0) -> None:
        self._clock = clock or SystemClock()
        self._most, self._seconds = most, seconds
        self._lock = Lock()
        self._tries: OrderedDict[str, deque[float]] = OrderedDict()

    def is_closed(self, address: str) -> bool:
        """Whether an address tried too often: nothing is looked up for it."""
        with self._lock:
            tries = self._tries.get(address)
            return tries is not None and self._recent(tries) >= self._most

    def failed(self, address: str) -> bool:
        """Count a wrong token; whether it was the one that closes the address."""
        with self._lock:
            tries = self._tries.setdefault(address, deque(maxlen=self._most))
            self._tries.move_to_end(address)
            tries.append(self._clock.monotonic())
            if len(self._tries) > ADDRESSES:
                self._tries.popitem(last=False)
            return self._recent(tries) == self._most

    def _recent(self, tries: deque[float]) -> int:
        now = self._clock.monotonic()
        return sum(now - at < self._seconds for at in tries)
