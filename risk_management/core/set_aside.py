"""Reports that can't be booked: recorded and told, once each and only so many in a minute."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Final

from risk_management.clock import Clock
from risk_management.core.book import Book
from risk_management.core.fill_report import FillReport
from risk_management.errors import InvalidRequest
from risk_management.model.events import Noted
from risk_management.model.portfolio import SYSTEM

__all__ = ["SetAside"]

KEPT: Final = 1000
MOST: Final = 100
"""New ones of one reporter in a minute: each is an entry of the journal and an alert."""
MINUTE: Final = 60.0


class SetAside:
    """Keeps what was reported and not booked.

    Parameters
    ----------
    book : Book
    clock : Clock
    alarm : callable
        Told ``(code, sentence)``.
    """

    def __init__(self, book: Book, clock: Clock, alarm: Callable[[str, str], None]) -> None:
        self._book, self._clock, self._alarm = book, clock, alarm
        self.reports: deque[FillReport] = deque(maxlen=KEPT)
        """The newest, the oldest first."""
        self._known: set[FillReport] = set()
        book.lost.append(lambda _version: self._known.clear())  # what was lost is to be recorded again
        self._since: datetime | None = None
        self._counts: Counter[str] = Counter()

    def keep(self, code: str, text: str, report: FillReport) -> None:
        """Record a report and tell people; one that was recorded, with the id of its execution, is known.

        Raises
        ------
        InvalidRequest
            ``TOO_MANY_REPORTS``: it was not recorded. Nothing is lost where it is reported again.
        """
        if report in self._known:
            return
        now = self._clock.now()
        if self._since is None or not 0.0 <= (now - self._since).total_seconds() < MINUTE:
            self._since = now
            self._counts.clear()
        if self._counts[report.actor] >= MOST:
            said = (
                f"{text}: more than {MOST} such reports in a minute are not recorded; report it again in one"
            )
            raise InvalidRequest("TOO_MANY_REPORTS", "request_id", said)
        self._counts[report.actor] += 1
        self.reports.append(report)
        if report.execution_id is not None:  # without one an equal report may be another fill
            if len(self._known) >= KEPT:
                self._known.clear()
            self._known.add(report)
        self._book.apply(Noted(at=now, actor=SYSTEM, code=code, text=f"{text}: {_as_told(report)}"))
        self._alarm(code, text)


def _as_told(report: FillReport) -> str:
    """All that was said, for a person who books it elsewhere."""
    return json.dumps({name: value for name, value in asdict(report).items() if value not in {None, ""}})
