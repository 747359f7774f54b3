"""When a summary or report is due: by the clock on the wall, once, also on the days when that one jumps."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from risk_management.config.risk_config import AlertConfig

__all__ = ["DAILY", "WEEKLY", "Occasion", "latest_occasions"]

DAILY: Final = "daily"
WEEKLY: Final = "weekly"
WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Occasion(NamedTuple):
    """One day on which something is said.

    Parameters
    ----------
    kind : str
        ``daily`` or ``weekly``.
    day : date
        Of the calendar on the wall.
    at : datetime
        The moment, in UTC.
    """

    kind: str
    day: date
    at: datetime


def latest_occasions(settings: AlertConfig, now: datetime) -> tuple[Occasion, ...]:
    """The newest occasion of each kind that has come by now; none of a kind that is off.

    Parameters
    ----------
    settings : AlertConfig
    now : datetime
        Aware.
    """
    zone, found = settings.report_zone(), []
    if settings.daily_summary_at is not None:
        found.append(_latest(DAILY, settings.daily_summary_at, zone, now, None))
    if settings.weekly_report_on is not None:
        weekday = WEEKDAYS.index(settings.weekly_report_on)
        found.append(_latest(WEEKLY, settings.weekly_report_at, zone, now, weekday))
    return tuple(found)


def _latest(kind: str, at: time, zone: ZoneInfo, now: datetime, weekday: int | None) -> Occasion:
    # from the day after: clocks may be set back past midnight
    day = now.astimezone(zone).date() + timedelta(days=1)
    while True:
        # of an hour that comes twice the first; one that is left out stands an hour later (PEP 495, fold 0)
        moment = datetime.combine(day, at, tzinfo=zone).astimezone(UTC)
        if moment <= now and weekday in (None, day.weekday()):
            return Occasion(kind, day, moment)
        day -= timedelta(days=1)
