"""The alert centre: what fires now, what was told, the rules, and channels that can't be reached."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from risk_management.dashboard.plain import Plain, plain
from risk_management.dashboard.present import present_alerts
from risk_management.dashboard.snapshot import Snapshot, headline

if TYPE_CHECKING:
    from risk_management.alerts.risk_alerts import RiskAlertManager

__all__ = ["alerts_view"]


def alerts_view(seen: Snapshot, manager: RiskAlertManager, now: datetime) -> Plain:
    """Active alerts, the most severe first, each with what silences it; the history, the newest first."""
    silences, firing = manager.silences, manager.active
    active = [
        {**row, "silenced": plain(next((s for s in silences if s.covers(alert, now)), None))}
        for alert, row in zip(firing, present_alerts(firing, seen, now), strict=True)
    ]
    return {
        **headline(seen),
        "enabled": seen.config.alert_config.enabled,
        "active": active,
        "history": [alert.as_dict() for alert in reversed(manager.history)],
        "rules": [{**plain(rule), "told_by": list(manager.told_by(rule))} for rule in manager.rules],
        "warnings": list(manager.warnings),
        "undelivered": [
            {"alert_id": failed.alert.alert_id, "channel": failed.channel, "reason": failed.reason}
            for failed in reversed(manager.failed)
        ],
    }
