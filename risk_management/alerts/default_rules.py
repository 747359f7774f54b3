"""The rules that every book starts with: each limit of the configuration, said before and at it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from risk_management.alerts.channels import missing_settings
from risk_management.alerts.records import AlertChannel, AlertRule, AlertSeverity, AlertType
from risk_management.config.risk_config import RiskManagementConfig

__all__ = ["NEARLY", "default_rules"]

NEARLY = 0.80
"""Share of a loss limit at which its warning comes."""

_WARNING, _CRITICAL, _EMERGENCY = AlertSeverity.WARNING, AlertSeverity.CRITICAL, AlertSeverity.EMERGENCY


class _Row(NamedTuple):
    rule_id: str
    name: str
    alert_type: AlertType
    severity: AlertSeverity
    condition: str
    message: str


def default_rules(config: RiskManagementConfig) -> tuple[AlertRule, ...]:
    """The default rules of a configuration, on every channel that it configures."""
    settings = config.alert_config
    channels = tuple(channel for channel in AlertChannel if not missing_settings(channel, settings))
    rows = (*_size(config), *_losses(config), *_tail(config), *_market(config), *_health())
    return tuple(
        AlertRule(
            rule_id=row.rule_id,
            name=row.name,
            alert_type=row.alert_type,
            severity=row.severity,
            condition=row.condition,
            channels=channels,
            message=row.message,
        )
        for row in rows
    )


def _size(config: RiskManagementConfig) -> Iterator[_Row]:
    heat, kind = config.heat_config, AlertType.PORTFOLIO_HEAT
    for severity, level in ((_WARNING, heat.warning_heat), (_CRITICAL, heat.critical_heat)):
        yield _Row(
            f"heat_{severity}",
            f"Portfolio heat ({severity})",
            kind,
            severity,
            _reaches("portfolio_heat", level),
            f"Portfolio heat is {{portfolio_heat}} of 100, {severity} from {level:.1f}.",
        )
    yield _Row(
        "position_limit",
        "Position near its limit",
        AlertType.POSITION_LIMIT,
        _WARNING,
        _reaches("single_name_use", 0.95),
        "A single position uses {single_name_use} of the limit of its class.",
    )
    for severity, sign, level in ((_WARNING, ">=", 95), (_CRITICAL, ">", 100.000001)):
        yield _Row(
            f"limit_use_{severity}",
            f"Use of a hard limit ({severity})",
            AlertType.POSITION_LIMIT,
            severity,
            f"risk_score {sign} {level}",
            "The most used hard limit stands at {risk_score} % of what it allows.",
        )


def _losses(config: RiskManagementConfig) -> Iterator[_Row]:
    settings, kind = config.drawdown_config, AlertType.DRAWDOWN
    stop, liquidation = settings.max_portfolio_drawdown, config.emergency_config.liquidation_drawdown
    for severity, level, what in (
        (_WARNING, settings.tier_levels()[0][0], "new positions get smaller"),
        (_CRITICAL, stop, "nothing new is opened and the book is trimmed"),
        (_EMERGENCY, liquidation, "the book is closed"),
    ):
        yield _Row(
            f"drawdown_{severity}",
            f"Drawdown ({severity})",
            kind,
            severity,
            _reaches("drawdown", level),
            f"The drawdown is {{drawdown}}; from {level:.2%} {what}.",
        )
    for span, limit in (("daily", settings.daily_loss_limit), ("weekly", settings.weekly_loss_limit)):
        for severity, share in ((_WARNING, NEARLY), (_CRITICAL, 1.0)):
            yield _Row(
                f"{span}_loss_{severity}",
                f"{span.capitalize()} loss ({severity})",
                kind,
                severity,
                _reaches(f"{span}_loss", share * limit),
                f"The {span} loss is {{{span}_loss}} of equity; the limit is {limit:.2%}.",
            )


def _tail(config: RiskManagementConfig) -> Iterator[_Row]:
    halt, limit = config.emergency_config.var_halt, config.var_config.daily_var_limit
    for severity, share in ((_WARNING, NEARLY), (_CRITICAL, halt)):
        yield _Row(
            f"var_{severity}",
            f"VaR near its limit ({severity})",
            AlertType.VAR_BREACH,
            severity,
            _reaches("var_utilization", share),
            f"VaR at 95 % is {{var_utilization}} of its limit of {limit:.2%} of equity; "
            f"from {halt:.0%} nothing that increases it is approved.",
        )
    yield _Row(
        "budget_use",
        "A strategy near its risk budget",
        AlertType.POSITION_LIMIT,
        _WARNING,
        _reaches("budget_use", 0.95),
        "A strategy uses {budget_use} of the risk that its budget and loans allow it.",
    )
    for severity, zone, name in ((_WARNING, 1, "yellow"), (_CRITICAL, 2, "red")):
        yield _Row(
            f"var_backtest_{name}",
            f"VaR fails its own backtest ({name})",
            AlertType.VAR_BREACH,
            severity,
            f"var_zone >= {zone}",
            f"Losses passed the forecast VaR on {{var_exceptions}} of the last days, the {name} zone: "
            "VaR and expected shortfall count for more against their limits until it is green again.",
        )


def _market(config: RiskManagementConfig) -> Iterator[_Row]:
    settings = config.correlation_config
    yield _Row(
        "correlation_pair",
        "Two held names move alike",
        AlertType.CORRELATION,
        _WARNING,
        "positions > 1 and " + _reaches("max_correlation", settings.warning_pair),
        f"The largest correlation of two held names is {{max_correlation}}, "
        f"warning from {settings.warning_pair:.2f}.",
    )
    yield _Row(
        "correlation_spike",
        "Correlation spike",
        AlertType.CORRELATION,
        _CRITICAL,
        "correlation_spike >= 1",
        f"A pair of held names, or the book's average, moves together far more than usual "
        f"(pairs above {settings.spike_pair:.2f}, the average above {settings.spike_average:.2f}).",
    )
    yield _Row(
        "volatility_spike",
        "Volatility spike",
        AlertType.VOLATILITY_SPIKE,
        _WARNING,
        f"positions > 0 and volatility_ratio > {settings.volatility_spike:.9g}",
        f"The book's volatility is {{volatility_ratio}} times its median; "
        f"a spike is above {settings.volatility_spike:.2f}.",
    )


def _health() -> Iterator[_Row]:
    yield _Row(
        "stale_symbols",
        "Held symbols without a fresh price",
        AlertType.DATA_QUALITY,
        _WARNING,
        "stale_symbols >= 1",
        "{stale_symbols} of {positions} held symbols have no fresh price; none is allowed.",
    )
    yield _Row(
        "failed_checks",
        "A check fails",
        AlertType.SYSTEM_ERROR,
        _CRITICAL,
        "failed_checks >= 1",
        "{failed_checks} decisions in a row had a check that failed; what it can't judge is not opened.",
    )


def _reaches(metric: str, level: float) -> str:
    """At or above the level; a level of nothing is reached by the least that is more."""
    return f"{metric} >= {level:.9g}" if level > 0.0 else f"{metric} > 0"
