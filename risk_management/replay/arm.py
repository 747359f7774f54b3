"""The arm that never was: a book in memory under other settings, with its own desk, protocols and watch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from risk_management.alerts.risk_alerts import Alert, RiskAlertManager
from risk_management.clock import ManualClock
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.book import Book
from risk_management.core.order_desk import OrderDesk
from risk_management.core.protocol import EmergencyProtocol
from risk_management.core.standing import Standing
from risk_management.core.watch import Watch
from risk_management.model.events import Event, ReservationClosed
from risk_management.model.portfolio import PortfolioState, Reservation, ReservationStatus

__all__ = ["OtherArm", "Seen"]

CANCELLED = ReservationStatus.CANCELLED
Seen = Callable[[PortfolioState, Event, PortfolioState], None]
"""Told of every event, with the states before and after it."""


class OtherArm:
    """What the system does by itself comes out of its own watch; facts are handed in by `fact`.

    Parameters
    ----------
    start : PortfolioState
        How the book stood when the period began.
    config : RiskManagementConfig
    seen : callable
    """

    def __init__(self, start: PortfolioState, config: RiskManagementConfig, seen: Seen) -> None:
        self.clock = ManualClock(start.as_of)
        self.book = _Told(Standing.of(start, config), self._took)
        self._seen = seen
        self._hears_fact = False
        self.took_back: set[str] = set()
        """Approvals that this arm cancelled by itself."""
        self.restart()

    def restart(self) -> None:
        """Begin with empty hands, as an engine does that was started again."""
        self.desk = OrderDesk(self.book, self.clock, _told_nobody)
        self.protocol = EmergencyProtocol(self.book, self.desk, self.clock)
        silent = _Silent(self.book.config, self.clock, default_rules=False)
        self._watch = Watch(self.book, self.clock, self.desk, self.protocol, silent)

    @property
    def state(self) -> PortfolioState:
        """How it stands."""
        return self.book.state

    def move_to(self, moment: datetime) -> None:
        """Let time pass."""
        self.clock.move_to(moment)

    def fact(self, event: Event) -> None:
        """Something that happened whatever the settings are."""
        with self.as_fact():
            self.book.apply(event)

    @contextmanager
    def as_fact(self) -> Iterator[None]:
        """What is done in here is a person's or a broker's doing, not the system's."""
        self._hears_fact = True
        try:
            yield
        finally:
            self._hears_fact = False

    def assess(self) -> None:
        """Measure, protect, and act, as the watch does."""
        self._watch.assess()

    def approval(self, request_id: str) -> Reservation | None:
        """The approval of a request, open or settled."""
        return self.state.reservations.get(request_id) or self.state.settled.get(request_id)

    def _took(self, before: PortfolioState, event: Event, after: PortfolioState) -> None:
        if isinstance(event, ReservationClosed) and event.status is CANCELLED and not self._hears_fact:
            self.took_back.add(event.request_id)
        self._seen(before, event, after)


class _Told(Book):
    """A book in memory that tells every event that it took."""

    def __init__(self, standing: Standing, took: Seen) -> None:
        self._begin(standing, None)
        self._took = took

    def apply(self, event: Event) -> PortfolioState:
        """See `Book.apply`."""
        with self.lock:
            before = self.state
            after = super().apply(event)
            self._took(before, event, after)
            return after


class _Silent(RiskAlertManager):
    """Nobody is told of a past that never was."""

    def evaluate(self, *_: Any, **__: Any) -> list[Alert]:
        """No rule fires."""
        return []

    def raise_alert(self, *_: Any, **__: Any) -> None:
        """Nothing is told."""

    def resolve(self, *_: Any, **__: Any) -> None:
        """There is nothing to end."""


def _told_nobody(_code: str, _text: str) -> None:
    """Alarms of a past that never was."""
