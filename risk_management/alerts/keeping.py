"""Where the life of alerts is kept: in a Book, as events with what caused them, or in memory alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from risk_management.core.alert_book import alerts_after
from risk_management.core.book import Book
from risk_management.core.commit import Transaction
from risk_management.model.alert_book import NO_ALERTS, AlertBook
from risk_management.model.events import Event

__all__ = ["Alone", "InBook", "Keeper"]


class Keeper(Protocol):
    """Takes events under a lock, and does what is to be done once they are kept."""

    @property
    def lock(self) -> Transaction:
        """Decide and apply with nobody in between."""
        ...

    @property
    def alerts(self) -> AlertBook:
        """What is remembered; reading it needs no lock."""
        ...

    def apply(self, event: Event) -> None:
        """Keep an event; called while holding `lock`."""
        ...

    def afterwards(self, task: Callable[[], None]) -> None:
        """Do something once the lock is left and all is kept; not at all if it was lost."""
        ...


class InBook:
    """Alerts are events of a Book: one that is told is on disk, in the unit of what caused it.

    Parameters
    ----------
    book : Book
    """

    def __init__(self, book: Book) -> None:
        self.book = book

    @property
    def lock(self) -> Transaction:
        """The Book's."""
        return self.book.lock

    @property
    def alerts(self) -> AlertBook:
        """A part of the Book's state."""
        return self.book.state.alerts

    def apply(self, event: Event) -> None:
        """See `Book.apply`."""
        self.book.apply(event)

    def afterwards(self, task: Callable[[], None]) -> None:
        """See `Book.afterwards`."""
        self.book.afterwards(task)


class Alone:
    """Alerts of a manager that stands alone: they are gone with it."""

    def __init__(self) -> None:
        self.lock = Transaction(lambda: None, self._leave)
        self.alerts: AlertBook = NO_ALERTS
        self._tasks: list[Callable[[], None]] = []

    def apply(self, event: Event) -> None:
        """Remember it, as a Book does."""
        self.alerts = alerts_after(self.alerts, event)

    def afterwards(self, task: Callable[[], None]) -> None:
        """Do something once the lock is left."""
        self._tasks.append(task)

    def _leave(self) -> Callable[[], None] | None:
        tasks, self._tasks = self._tasks, []

        def do_all() -> None:
            for task in tasks:
                task()

        return do_all if tasks else None
