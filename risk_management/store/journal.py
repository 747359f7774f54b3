"""The journal that needs no disk."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from risk_management.core.commit import Journal
from risk_management.core.standing import Standing
from risk_management.model.events import Event, Filled, TradeDecided

__all__ = ["Journal", "MemoryJournal"]


class MemoryJournal:
    """Keeps the newest events in memory; gone with the process.

    Parameters
    ----------
    limit : int
        Events kept.
    """

    def __init__(self, limit: int = 10_000) -> None:
        self._events: deque[Event] = deque(maxlen=limit)

    def write(self, events: Sequence[Event], after: Standing | None) -> None:  # noqa: ARG002
        """Keep events; the oldest go when the limit is reached."""
        self._events.extend(events)

    @property
    def ends_at(self) -> int:
        """Nothing is numbered here."""
        return -1

    def decided(self, request_id: str) -> TradeDecided | None:  # noqa: ARG002
        """Nothing is known here that the engine does not remember itself."""
        return None

    def filled(self, execution_id: str) -> Filled | None:  # noqa: ARG002
        """Nothing is known here that the engine does not remember itself."""
        return None

    def recover(self) -> Standing | None:
        """Every process begins anew."""
        return None

    def close(self, last: Standing) -> None:
        """There is nothing to close."""

    def latched(self) -> dict[str, str]:
        """Nothing outlives the process."""
        return {}

    def latch(self, *, stopped: str | None = None, in_memory: str | None = None) -> None:
        """Nothing outlives the process."""

    def may_be_taken(self) -> bool:
        """Nobody else can have it."""
        return False

    def reopen(self) -> None:
        """Memory is always there."""

    def events(self) -> Iterator[Event]:
        """The kept events, oldest first."""
        return iter(tuple(self._events))
