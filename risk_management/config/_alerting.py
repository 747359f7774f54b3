"""Alerts: the channels, who hears of which, and when."""

from __future__ import annotations

from datetime import datetime, time
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, SecretStr

from risk_management.config._base import LocalTime, Seconds, Settings, ZoneName
from risk_management.model.alert import Alert, AlertSeverity, AlertType

__all__ = ["AlertConfig", "AlertRoute", "QuietHours"]

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


def _never_or_a_minute(seconds: float) -> float:
    if 0.0 < seconds < 60.0:
        raise ValueError("is 0 (never) or at least 60 seconds")
    return seconds


class QuietHours(Settings):
    """Every day's hours in which INFO and WARNING wait; CRITICAL and EMERGENCY never do."""

    start: LocalTime
    """Local time at which they begin, such as 22:00."""
    end: LocalTime
    """Local time at which they end; what waited and still matters is told then."""
    timezone: ZoneName = "UTC"
    """Zone of both, such as ``Europe/Berlin``; daylight saving moves them with the clocks on the wall."""

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


class AlertConfig(Settings):
    """Alerts and where they go; the channels' secrets come from the environment."""

    enabled: bool = True
    cooldown: Seconds = 300.0
    """Seconds before an alert that was resolved may fire again."""
    repeat: Annotated[Seconds, AfterValidator(_never_or_a_minute)] = 3600.0
    """Seconds after which a CRITICAL or EMERGENCY that nobody acknowledged is said again; 0: never.

    What is milder is said once, and stands in the daily summary while it holds.
    """
    telegram_bot_token: SecretStr | None = None
    telegram_chat_id: str | None = None
    discord_webhook_url: SecretStr | None = None
    slack_webhook_url: SecretStr | None = None
    webhook_url: SecretStr | None = None
    smtp_server: str | None = None
    smtp_port: Annotated[int, Field(ge=1, le=65535)] = 587
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    email_to: str | None = None
    """Recipient of e-mail, by default `smtp_username`."""
    urls: tuple[SecretStr, ...] = ()
    """Further channels, as Apprise URLs."""
    routes: tuple[AlertRoute, ...] = ()
    """Where alerts go whose rule names no channel; the first that matches counts, else all channels."""
    quiet_hours: QuietHours | None = None
    """Hours in which INFO and WARNING wait."""
    acknowledge_within: dict[AlertSeverity, Seconds] = Field(
        default_factory=lambda: {AlertSeverity.CRITICAL: 900.0, AlertSeverity.EMERGENCY: 300.0}
    )
    """Seconds in which somebody should acknowledge an alert, by severity; then further people are told."""
    escalation_channels: tuple[str, ...] = ()
    """Who is told then; without any, those to whom the next severity goes."""
    storm_alerts: Annotated[int, Field(ge=1, le=100)] = 20
    """Messages that a channel gets within `storm_window`; further ones become one, with their number."""
    storm_window: Seconds = 60.0
    """Seconds of that; 0: nothing is ever folded. A CRITICAL or EMERGENCY never is."""
    rules_file: Path | None = None
    """A TOML file of further rules, see `risk rules check`."""
    webhook_signing_key: SecretStr | None = None
    """Signs what goes to `webhook_url`: HMAC-SHA256 in the header ``X-Risk-Signature``."""
    telegram_api_url: str = "https://api.telegram.org"
    """Where the Bot API is; a server of one's own may stand there."""
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    """How the way to the mail server is kept private.

    ``starttls`` (usual at port 587), ``tls`` (at port 465), or ``none`` for a relay on this machine or
    network; with a password that one has to stand in `private_hosts`.
    """
    email_from: str | None = None
    """Sender of e-mail, by default `smtp_username`, or the first recipient."""
    private_hosts: tuple[str, ...] = ()
    """Hosts on this machine or network that messages may go to; from the file, never from the environment."""
    charts: bool = True
    """Put a picture of the metric against its limit to alerts by e-mail, Telegram and Discord.

    It needs the extra ``charts``; without that no picture is made.
    """
    delivery_tries: Annotated[int, Field(ge=1, le=100)] = 20
    """Tries before a message counts as failed: 20 are about three hours."""
    daily_summary_at: LocalTime | None = None
    """Local time of the daily summary, such as 18:00; without one there is none."""
    weekly_report_on: Weekday | None = None
    """Weekday of the weekly report, such as ``friday``; without one there is none."""
    weekly_report_at: LocalTime = time(18, 0)
    """Local time of the weekly report."""
    time_zone: ZoneName | None = None
    """Zone of these two times, such as ``Europe/Berlin``; by default that of `quiet_hours`, else UTC."""
    summary_channels: tuple[str, ...] = ()
    """Where both go; by default where the routes send an INFO."""
    telegram_commands: bool = False
    """Take commands from `telegram_chat_id`, see docs/telegram.md."""
    telegram_users: tuple[int, ...] = ()
    """Ids of the people who may give commands; empty: everybody in that chat."""

    def report_zone(self) -> ZoneInfo:
        """The zone of the summary's and the report's times."""
        of_quiet = None if self.quiet_hours is None else self.quiet_hours.timezone
        return ZoneInfo(self.time_zone or of_quiet or "UTC")

    def named_urls(self) -> dict[str, SecretStr]:
        """The further channels by name: the kind of each, ``url:ntfy``, numbered where one stands twice.

        A name tells nothing of the address, which holds secrets.
        """
        named: dict[str, SecretStr] = {}
        for url in self.urls:
            kind = url.get_secret_value().partition(":")[0].lower()
            name = f"url:{kind if kind.isascii() and kind.isalnum() and len(kind) <= 16 else 'other'}"
            same = sum(known.partition("-")[0] == name for known in named)
            named[f"{name}-{same + 1}" if same else name] = url
        return named
