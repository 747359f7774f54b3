"""How much there is room for: alerts that are open, and tellings in one round over the rules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from risk_management.alerts.keeping import Keeper
from risk_management.core.alert_book import STORM
from risk_management.model.alert import AlertSeverity
from risk_management.model.alert_book import AlertLife

__all__ = ["BLIND", "CROWDED", "MOST_EVENTS", "MOST_OPEN", "UNJUDGED", "Room"]

MOST_OPEN: Final = 900
"""Alerts that may be open; one more must matter more than the least of them. It leaves room among the
remembered ones for those that cool down."""
OLD: Final = timedelta(hours=1)
"""After this long an alert makes room for one that is raised and no less severe."""
MOST_EVENTS: Final = 100
"""What one round tells or notes, each an entry of the journal; the rest follows in the next rounds."""
BLIND: Final = "missing_metrics"
"""Key of the alert about metrics that rules need and do not get."""
CROWDED: Final = "too_many_alerts"
"""Key of the alert about alerts that nobody is told of, because too many are open."""
UNJUDGED: Final = "unjudged_rules"
"""Key of the alert about rules with too many bots, strategies or symbols to be judged."""
_OWN: Final = tuple(f"!{key}" for key in (BLIND, CROWDED, UNJUDGED, STORM))


class Room:
    """Says whether one more alert may be open, and whether this round may tell one more.

    Parameters
    ----------
    keeper : Keeper
    """

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._left: int | None = None
        self._counted: tuple[Mapping[str, AlertLife], int, tuple[int, datetime] | None] | None = None
        self.refused = 0
        """Alerts that there was no room for since the last round told of them."""

    def begin(self) -> None:
        """A round begins."""
        self._left = MOST_EVENTS

    def end(self) -> None:
        """It is over; what people and the system do between rounds is told at once."""
        self._left = None

    def use(self) -> None:
        """Something was told or noted."""
        if self._left is not None:
            self._left -= 1

    @property
    def is_spent(self) -> bool:
        """Whether this round has told enough."""
        return self._left is not None and self._left <= 0

    @property
    def is_crowded(self) -> bool:
        """Whether as many alerts are open as may be."""
        lives = self._keeper.alerts.lives
        return len(lives) >= MOST_OPEN and self._open(lives)[0] >= MOST_OPEN

    def takes(self, key: str, severity: AlertSeverity, now: datetime) -> bool:
        """Whether an alert that isn't open may be.

        What is more severe than another one may, and what is raised where an old one is as severe; what a
        rule finds goes on to hold, and comes as soon as there is room.
        """
        if not self.is_crowded or key.startswith(_OWN):
            return True
        _, least = self._open(self._keeper.alerts.lives)
        if least is None or severity.rank > least[0]:
            return True
        if key.startswith("!") and severity.rank == least[0] and now - least[1] > OLD:
            return True
        self.refused += 1
        return False

    def _open(self, lives: Mapping[str, AlertLife]) -> tuple[int, tuple[int, datetime] | None]:
        """How many are open, and the rank and time of the one that goes first; counted once a change."""
        if self._counted is None or self._counted[0] is not lives:
            worth = [(x.alert.severity.rank, x.alert.first_at) for x in lives.values() if x.is_open]
            self._counted = (lives, len(worth), min(worth, default=None))
        return self._counted[1:]
