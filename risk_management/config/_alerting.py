"""Who hears of which alerts, and when."""

from __future__ import annotations

from datetime import datetime, time
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator

from risk_management.config._base import Settings
from risk_management.model.alert import Alert, AlertSeverity, AlertType

__all__ = ["AlertRoute", "QuietHours"]


class QuietHours(Settings):
    """Every day's hours in which INFO and WARNING wait; CRITICAL and EMERGENCY never do."""

    start: time
    """Local time at which they begin, such as 22:00."""
    end: time
    """Local time at which they end; what waited and still matters is told then."""
    timezone: str = "UTC"
    """Zone of both, such as ``Europe/Berlin``; daylight saving moves them with the clocks on the wall."""

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"no time zone is called {name!r}; write one like 'Europe/Berlin'") from None
        return name

    @field_validator("start", "end")
    @classmethod
    def _plain_time(cls, moment: time) -> time:
        if moment.tzinfo is not None:
            raise ValueError("write a local time without an offset, such as 22:00; its zone is `timezone`")
        return moment

    def are_on(self, now: datetime) -> bool:
        """Whether a moment lies in them; equal times are none at all."""
        local = now.astimezone(ZoneInfo(self.timezone)).time()
        if self.start <= self.end:
            return self.start <= local < self.end
        return local >= self.start or local < self.end


class AlertRoute(Settings):
    """Where alerts of some kind go; a list that is left out matches all."""

    channels: tuple[Annotated[str, Field(min_length=1, max_length=64)], ...]
    """Channels, or names of further addresses such as ``url:ntfy``; none: the log and the memory alone."""
    severities: tuple[AlertSeverity, ...] = ()
    alert_types: tuple[AlertType, ...] = ()
    bots: tuple[str, ...] = ()
    """Bots for which a rule is judged one by one."""

    def takes(self, alert: Alert) -> bool:
        """Whether an alert goes this way."""
        return (
            (not self.severities or alert.severity in self.severities)
            and (not self.alert_types or alert.alert_type in self.alert_types)
            and (not self.bots or alert.bot in self.bots)
        )
