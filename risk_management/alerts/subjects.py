"""What an alert is about and how it lives, by its rule or by the settings."""

from __future__ import annotations

from risk_management.alerts.life import Subject
from risk_management.alerts.records import AlertRule, one_line
from risk_management.config.risk_config import AlertConfig
from risk_management.model.alert import Alert, AlertSeverity, AlertType

__all__ = ["new_subject", "raised_subject", "rule_subject"]


def rule_subject(rule: AlertRule, name: str, settings: AlertConfig) -> Subject:
    """Of a rule, and whom it is judged for."""
    return Subject(
        key=f"{rule.rule_id}[{name}]" if name else rule.rule_id,
        rule_id=rule.rule_id,
        name=f"{rule.name} ({name})" if name else rule.name,
        alert_type=rule.alert_type,
        severity=rule.severity,
        channels=tuple(rule.channels),
        cooldown=settings.cooldown if rule.cooldown is None else rule.cooldown,
        repeat=_repeat(rule.severity, settings) if rule.repeat is None else rule.repeat,
        hold=rule.hold,
        bot=name if rule.scope == "bot" else "",
        strategy=name if rule.scope == "strategy" else "",
        symbol=name if rule.scope == "symbol" else "",
    )


def raised_subject(alert: Alert, settings: AlertConfig) -> Subject:
    """Of an alert that is known; one that is no rule goes by the routes."""
    return Subject(
        alert.key,
        alert.rule_id,
        alert.name,
        alert.alert_type,
        alert.severity,
        (),
        settings.cooldown,
        _repeat(alert.severity, settings),
        raised=alert.raised,
        bot=alert.bot,
        strategy=alert.strategy,
        symbol=alert.symbol,
    )


def new_subject(key: str, kind: AlertType, severity: AlertSeverity, settings: AlertConfig) -> Subject:
    """Of an alert that is raised under a key."""
    name = one_line(f"{kind.value.replace('_', ' ').capitalize()} ({key})")
    repeat = _repeat(severity, settings)
    return Subject(f"!{key}", key, name, kind, severity, (), settings.cooldown, repeat, raised=True)


def _repeat(severity: AlertSeverity, settings: AlertConfig) -> float:
    """Seconds between two tellings; what waits for nobody is said once and stands in the daily summary."""
    return settings.repeat if severity >= AlertSeverity.CRITICAL else 0.0
