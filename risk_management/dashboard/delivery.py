"""How alerts reach people: every channel with what waits, what was sent and what failed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from risk_management.alerts.outbox import ChannelCounts, Row
from risk_management.dashboard.plain import Plain

__all__ = ["delivery_view"]


def delivery_view(
    counts: Iterable[ChannelCounts], failed: Sequence[Row], configured: Sequence[str], now: datetime
) -> Plain:
    """Every channel that is configured or has a row, and the newest messages that failed.

    Parameters
    ----------
    counts : iterable of ChannelCounts
    failed : sequence of Row
    configured : sequence of str
        Channels that the settings name.
    now : datetime
        On the book's clock, for ages.
    """
    known = {one.channel: one for one in counts}
    names = [*configured, *(name for name in known if name not in configured)]
    rows = [known.get(name, ChannelCounts(name)) for name in names]
    return {
        "channels": [_channel(one, now, is_configured=one.channel in configured) for one in rows],
        "pending": sum(one.pending for one in rows),
        "failed": sum(one.failed for one in rows),
        "newest_failed": [
            {
                "key": row.key,
                "channel": row.channel,
                "title": row.title,
                "at": _moment(row.made_at),
                "tries": row.tries,
                "error": row.last_error,
            }
            for row in failed
        ],
    }


def _channel(one: ChannelCounts, now: datetime, *, is_configured: bool) -> Plain:
    age = None if one.oldest_at is None else max(0.0, now.timestamp() - one.oldest_at)
    return {
        "channel": one.channel,
        "configured": is_configured,
        "pending": one.pending,
        "sent": one.sent,
        "failed": one.failed,
        "oldest_at": None if one.oldest_at is None else _moment(one.oldest_at),
        "oldest_age_seconds": age,
        "lag_seconds": one.lag,
        "last_error": one.last_error,
    }


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
