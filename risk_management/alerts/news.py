"""Whether a fact that is raised under a key is news: about something that was not told yet."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

__all__ = ["News"]

AT_ONCE: Final = 5
"""What is told at once of one key in a minute; the rest of a flood is told together when that has passed."""
MINUTE: Final = timedelta(minutes=1)
MOST: Final = 1000
"""What is remembered of one key; beyond, all of it is forgotten and may be told once more."""


@dataclass(slots=True)
class _Known:
    """What was told under one key.

    Parameters
    ----------
    about : set of str
    told : deque of datetime
        When the newest were told.
    folded : int
        News of a flood that wait.
    """

    about: set[str] = field(default_factory=set)
    told: deque[datetime] = field(default_factory=lambda: deque(maxlen=AT_ONCE))
    folded: int = 0


class News:
    """Remembers by key what was told. In memory alone: after a restart other words than the last are news."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    def forget(self) -> None:
        """What was decided lately may not have been kept."""
        self._known.clear()

    def begin(self, key: str, about: str, now: datetime) -> bool:
        """An alert is told anew; returns whether this is about something new, for all we know."""
        known = self._known.get(key)
        self._known[key] = _Known({about}, deque([now], AT_ONCE))
        return known is None or about not in known.about

    def add(self, key: str, about: str, now: datetime, *, is_said: bool) -> bool:
        """An alert goes on; returns whether this is to be told at once.

        Parameters
        ----------
        key, about : str
        now : datetime
        is_said : bool
            Whether it was last told in the same words.
        """
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = _Known({about} if is_said else set())
        if about in known.about:
            return False
        if len(known.about) >= MOST:
            known.about.clear()
        known.about.add(about)
        if known.folded or self._is_flood(known, now):
            known.folded += 1
            return False
        known.told.append(now)
        return True

    def waiting(self, key: str, now: datetime) -> int:
        """News of a flood that are to be told now."""
        known = self._known.get(key)
        return 0 if known is None or self._is_flood(known, now) else known.folded

    def tell_waiting(self, key: str, now: datetime) -> None:
        """They were told."""
        known = self._known[key]
        known.folded = 0
        known.told.append(now)

    @staticmethod
    def _is_flood(known: _Known, now: datetime) -> bool:
        return len(known.told) == AT_ONCE and now - known.told[0] < MINUTE
