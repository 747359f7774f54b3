"""What the emergency rows remember from one assessment to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from types import MappingProxyType

__all__ = ["NO_MEMORY", "EmergencyMemory", "RowCount"]


@dataclass(frozen=True, slots=True)
class RowCount:
    """How often in a row one emergency row was seen on each side of its threshold, and when it acted."""

    above: int = 0
    below: int = 0
    day: date | None = None
    active: bool = False
    acted: date | None = None
    acted_at: datetime | None = None
    """Where the row has a cool-down."""


@dataclass(frozen=True, slots=True)
class EmergencyMemory:
    """How often each row was seen above and below its threshold in a row."""

    counts: Mapping[str, RowCount] = field(default_factory=lambda: MappingProxyType({}))

    def is_active(self, name: str) -> bool:
        """Whether a row holds now."""
        return self.counts.get(name, RowCount()).active

    def forget(self, name: str) -> EmergencyMemory:
        """Start a row anew, after a person released it."""
        return EmergencyMemory(MappingProxyType({k: v for k, v in self.counts.items() if k != name}))


NO_MEMORY = EmergencyMemory()
