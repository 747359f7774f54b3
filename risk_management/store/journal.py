"""The interface behind which a durable store comes in: events are appended, in order, and read back."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Protocol

from risk_management.model.events import Event

__all__ = ["Journal", "MemoryJournal"]


class Journal(Protocol):
    """Keeps events in the order in which they were applied."""

    def append(self, event: Event) -> None:
        """Keep one event. Called under the Book's lock."""
        ...

    def events(self) -> Iterator[Event]:
        """All kept events, oldest first."""
        ...


class MemoryJournal:
    """Keeps the newest events in memory; gone with the process.

    Parameters
    ----------
    limit : int
        Events kept.
    """

    def __init__(self, limit: int = 100_000) -> None:
        self._events: deque[Event] = deque(maxlen=limit)

    def append(self, event: Event) -> None:
        """Keep one event; the oldest goes when the limit is reached."""
        self._events.append(event)

    def events(self) -> Iterator[Event]:
        """The kept events, oldest first."""
        return iter(tuple(self._events))
