"""Alerts that fire, each with its numbers of now: its message has those of when it was told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from risk_management.core.subject_metrics import subject_metrics
from risk_management.dashboard.plain import Plain, plain
from risk_management.dashboard.snapshot import Snapshot
from risk_management.model.vocabulary import words_of

if TYPE_CHECKING:
    from risk_management.model.alert import Alert

__all__ = ["present_alerts"]


def present_alerts(alerts: Sequence[Alert], seen: Snapshot, now: datetime) -> list[Plain]:
    """The alerts as JSON has them, with ``present``: a list of metric, value and unit as the book is now.

    Parameters
    ----------
    alerts : sequence of Alert
    seen : Snapshot
    now : datetime
        Of the engine's clock.

    Returns
    -------
    list of dict
        In the same order. ``present`` is empty where an alert has no metric, or one that is not known now.
    """
    metrics = seen.assessment.metrics
    # the metrics of each bot, strategy and symbol are made only where an alert is about one
    scoped = subject_metrics(seen.state, seen.config, now) if any(one.subject for one in alerts) else {}
    return [{**alert.as_dict(), "present": _present(alert, metrics, scoped)} for alert in alerts]


def _present(
    alert: Alert, metrics: Mapping[str, float], scoped: Mapping[str, Mapping[str, Mapping[str, float]]]
) -> list[Plain]:
    scope = (
        "bot" if alert.bot else "strategy" if alert.strategy else "symbol" if alert.symbol else "portfolio"
    )
    known = {**metrics, **scoped.get(scope, {}).get(alert.subject, {})}
    units = words_of(scope)
    rows = [
        plain({"metric": name, "value": known.get(name), "unit": units[name].unit if name in units else ""})
        for name, _ in alert.numbers
    ]
    return rows if all(row["value"] is not None and row["unit"] for row in rows) else []
