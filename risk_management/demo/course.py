"""How long each alert and each measure of the risk system stood, counted in the ends of trading days."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.emergency_rows import emergency_rows
from risk_management.demo.records import AlertCourse, MeasureCourse
from risk_management.model.alert import Alert, AlertState
from risk_management.model.portfolio import PortfolioState, Scope

__all__ = ["Course"]

TIER: Final = "drawdown tier"
TRANCHE: Final = "recovery tranche"


@dataclass
class Course:
    """Hears every alert as it is told and sees every day's last state, in order.

    Parameters
    ----------
    config : RiskManagementConfig
        Its emergency rows are what may act.
    """

    config: RiskManagementConfig
    _alerts: dict[str, AlertCourse] = field(default_factory=dict)
    _measures: list[MeasureCourse] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._did = {row.name: row.action.value for row in emergency_rows(self.config)}

    @property
    def alerts(self) -> tuple[AlertCourse, ...]:
        """One for each alert that began, by its first day."""
        return tuple(self._alerts.values())

    @property
    def measures(self) -> tuple[MeasureCourse, ...]:
        """One for each time that something was done, by its first day."""
        return tuple(self._measures)

    def hear(self, alert: Alert) -> None:
        """Note one telling; a repeat changes nothing."""
        if alert.state is AlertState.FIRING:
            self._alerts[alert.alert_id] = AlertCourse(
                day=str(alert.at.date()),
                severity=alert.severity.value,
                alert_type=alert.alert_type.value,
                rule_id=alert.rule_id,
                name=alert.name,
                message=alert.message,
            )
        elif alert.state is AlertState.RESOLVED and alert.alert_id in self._alerts:
            self._alerts[alert.alert_id] = replace(self._alerts[alert.alert_id], is_over=True)

    def see(self, day: str, state: PortfolioState) -> None:
        """Count a day for all that stands at its end."""
        for life in state.alerts.lives.values():
            known = self._alerts.get(life.alert.alert_id)
            if life.is_active and known is not None:
                self._alerts[life.alert.alert_id] = replace(known, days=known.days + 1)
        standing = dict(self._standing(state))
        for place, measure in enumerate(self._measures):
            if measure.is_over:
                continue
            is_over = standing.pop(measure.name, "") == ""
            days = measure.days + (not is_over)
            self._measures[place] = replace(measure, days=days, is_over=is_over)
        self._measures += [MeasureCourse(day, name, did, days=1) for name, did in standing.items()]

    def _standing(self, state: PortfolioState) -> Iterator[tuple[str, str]]:
        """What holds at the end of a day, with what it does."""
        for name, count in state.emergency.counts.items():
            if count.active:
                yield name, self._did.get(name.partition(":")[0], "")
        if state.drawdown.multiplier < 1.0:
            yield TIER, "scale_down"
        if state.drawdown.recovery is not None:
            yield TRANCHE, "reopened"
        for name, bot in state.bots.items():
            if not bot.enabled:
                yield name, "stopped"
        for hold in state.holds.values():
            if hold.scope is Scope.STRATEGY:
                yield f"strategy {hold.name}", "stopped"
