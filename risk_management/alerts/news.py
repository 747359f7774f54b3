"""Whether a fact that is raised under a key is news: about something that was not told yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from risk_management.model.traded import traded_text

__all__ = ["Folded", "News"]

AT_ONCE: Final = 5
"""What is told at once of one key in a minute; the rest of a flood is told together when that has passed."""
MINUTE: Final = timedelta(minutes=1)
MOST: Final = 1000
"""What is remembered of one key; beyond, all of it is forgotten and may be told once more."""


@dataclass(slots=True)
class Folded:
    """News of a flood that wait to be told together.

    Parameters
    ----------
    count : int
    last : str
        The text of the newest.
    traded : dict of str to int
        What acts among them traded, in sum: ledger units by symbol.
    """

    count: int = 0
    last: str = ""
    traded: dict[str, int] = field(default_factory=dict)

    def add(self, text: str, traded: Mapping[str, int]) -> None:
        """One more waits."""
        self.count += 1
        self.last = text
        for symbol, units in traded.items():
            self.traded[symbol] = self.traded.get(symbol, 0) + units

    def explain(self) -> str:
        """The text of one alone; of more how many they are, what they traded in sum, and the last."""
        if self.count == 1:
            return self.last
        if not self.traded:
            return f"{self.count} more of this kind, the last: {self.last}"
        in_sum = traded_text(self.traded)
        return f"{self.count} more of this kind, together {in_sum}, of which the last: {self.last}"


@dataclass(slots=True)
class _Known:
    """What was told under one key.

    Parameters
    ----------
    about : set of str
    told : deque of datetime
        When the newest were told.
    folded : Folded
    """

    about: set[str] = field(default_factory=set)
    told: deque[datetime] = field(default_factory=lambda: deque(maxlen=AT_ONCE))
    folded: Folded = field(default_factory=Folded)


class News:
    """Remembers by key what was told.

    In memory alone: after a restart each act is news, and of what stands other words than the last.
    """

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    def forget(self) -> None:
        """What was decided lately may not have been kept."""
        self._known.clear()

    def begin(self, key: str, about: str, now: datetime) -> bool:
        """An alert is told anew; returns whether this is about something new, for all we know."""
        known = self._known.get(key)
        folded = Folded() if known is None else known.folded
        self._known[key] = _Known({about}, deque([now], AT_ONCE), folded)
        return known is None or about not in known.about

    def add(
        self,
        key: str,
        about: str,
        now: datetime,
        *,
        is_said: bool,
        text: str = "",
        traded: Mapping[str, int] | None = None,
    ) -> bool:
        """An alert goes on; returns whether this is to be told at once.

        Parameters
        ----------
        key, about : str
        now : datetime
        is_said : bool
            Whether it was last told in the same words: then nothing is new of what merely stands.
        text : str
        traded : Mapping of str to int, optional
            Of an act: what it traded, ledger units by symbol. An act is new whatever its words.
        """
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = _Known({about} if is_said and traded is None else set())
        if about in known.about:
            return False
        if len(known.about) >= MOST:
            known.about.clear()
        known.about.add(about)
        if known.folded.count or self._is_flood(known, now):
            known.folded.add(text, traded or {})
            return False
        known.told.append(now)
        return True

    def folded(self, key: str) -> Folded:
        """All news of a flood that wait."""
        known = self._known.get(key)
        return Folded() if known is None else known.folded

    def waiting(self, key: str, now: datetime) -> Folded:
        """News of a flood that are to be told now."""
        known = self._known.get(key)
        return Folded() if known is None or self._is_flood(known, now) else known.folded

    def tell_waiting(self, key: str, now: datetime) -> None:
        """They were told."""
        known = self._known[key]
        known.folded = Folded()
        known.told.append(now)

    @staticmethod
    def _is_flood(known: _Known, now: datetime) -> bool:
        return len(known.told) == AT_ONCE and now - known.told[0] < MINUTE
