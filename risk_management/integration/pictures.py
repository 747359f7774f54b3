"""Which picture goes with an alert: its metric against its limit, or the book under water."""

from __future__ import annotations

from collections import OrderedDict
from datetime import UTC, datetime, time
from threading import Lock
from typing import Final

from risk_management.alerts.chart import Chart, NoPicture, Picture, drawn
from risk_management.alerts.message import Message
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.dashboard.history import days_before, depths
from risk_management.model.alert import AlertState
from risk_management.model.vocabulary import VOCABULARY

__all__ = ["Pictures"]

SHOWN: Final = (AlertState.FIRING.value, AlertState.REPEATED.value, AlertState.ESCALATED.value)
REMEMBERED: Final = 16
Points = list[tuple[datetime, float]]


class Pictures:
    """Draws for the channels of one manager, each picture once; used by their threads.

    Parameters
    ----------
    manager : AdvancedRiskManager
    """

    def __init__(self, manager: AdvancedRiskManager) -> None:
        self._manager = manager
        self._lock = Lock()
        self._made: OrderedDict[str, Picture | NoPicture] = OrderedDict()

    def picture(self, message: Message) -> Picture | None:
        """The picture of a message; None where there is nothing to show.

        Raises
        ------
        NoPicture
            There is, and it can't be drawn.
        """
        with self._lock:
            made = self._made.get(message.key)
            if made is None:
                chart = self.chart(message)
                if chart is None:
                    return None
                made = self._made[message.key] = _tried(chart)
                while len(self._made) > REMEMBERED:
                    self._made.popitem(last=False)
        if isinstance(made, NoPicture):
            raise made
        return made

    def chart(self, message: Message) -> Chart | None:
        """What is drawn for a message: the first metric of its rule that has a past and a limit."""
        said = message.facts
        if said.get("state") not in SHOWN or said.get("raised") or "rule_id" not in said:
            return None
        alerts = self._manager.alert_manager
        rule = next((rule for rule in alerts.rules if rule.rule_id == said["rule_id"]), None)
        if rule is None or rule.scope != "portfolio":
            return None
        for metric in dict.fromkeys(limit.metric for limit in rule.compiled().limits):
            limits = tuple(limit.value for limit in rule.compiled().limits if limit.metric == metric)
            points = self._points(metric, message.at, said.get("values", {}).get(metric))
            if len(points) > 1:
                title = "Drawdown" if metric == "drawdown" else metric.replace("_", " ").capitalize()
                return Chart(title, VOCABULARY[metric].unit, tuple(points), limits)
        return None

    def _points(self, metric: str, at: datetime, value: float | None) -> Points:
        """What a metric did until a moment, and its value then."""
        points = self._manager.alert_manager.trail.of(metric)
        if metric == "drawdown":
            first = points[0][0] if points else at
            points = [*(point for point in self._under_water() if point[0] < first), *points]
        points = [point for point in points if point[0] < at]
        return points if value is None else [*points, (at, value)]

    def _under_water(self) -> Points:
        """The drawdown at the end of each trading day that is kept; days stand at their noon."""
        seen, settings = self._manager.state.drawdown, self._manager.config.drawdown_config
        days = days_before(seen.day, len(seen.closes), weekends=settings.trades_weekends)
        closes = ((day.isoformat(), value) for day, value in zip(days, seen.closes, strict=True))
        found = depths(closes, seen.peak, f"{seen.peak_at:%Y-%m-%d}")
        noons = (datetime.combine(day, time(12), tzinfo=UTC) for day in days)
        return list(zip(noons, found, strict=True))


def _tried(chart: Chart) -> Picture | NoPicture:
    try:
        return drawn(chart)
    except NoPicture as problem:
        return problem
