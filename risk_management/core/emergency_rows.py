"""The emergency protocols that ship, and a user's own beside them."""

from __future__ import annotations

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.emergency import EmergencyAction, EmergencyRow
from risk_management.errors import ConfigurationError
from risk_management.model.vocabulary import VOCABULARY

__all__ = ["emergency_rows"]


RELEASE_SHARE = 0.8
"""A loss over rolling days must fall to this share of its limit, or it would open and shut for days."""


def emergency_rows(config: RiskManagementConfig) -> tuple[EmergencyRow, ...]:
    """The rows of a configuration: the built-in ones, then the user's own.

    Raises
    ------
    ConfigurationError
        A user's row names an unknown metric or the name of another row.
    """
    built_in = (*_of_drawdown(config), *_of_var(config), *_of_the_rest(config))
    own = tuple(
        EmergencyRow(row.name, row.metric, row.threshold, EmergencyAction(row.action), row.confirmations)
        for row in config.emergency_config.rows
    )
    names = [row.name for row in (*built_in, *own)]
    for row in own:
        if row.metric not in VOCABULARY:
            raise ConfigurationError(
                f"emergency_config.rows: {row.name!r} watches the unknown metric {row.metric!r}; "
                f"known are {', '.join(VOCABULARY)}"
            )
        if names.count(row.name) > 1:
            raise ConfigurationError(f"emergency_config.rows: the name {row.name!r} stands twice")
    return (*built_in, *own)


def _of_drawdown(config: RiskManagementConfig) -> tuple[EmergencyRow, ...]:
    settings, drawdown = config.emergency_config, config.drawdown_config
    return (
        EmergencyRow(
            "emergency_drawdown",
            "drawdown",
            settings.liquidation_drawdown,
            EmergencyAction.LIQUIDATE,
            settings.confirmations,
        ),
        EmergencyRow(
            "drawdown_trim",
            "drawdown",
            drawdown.max_portfolio_drawdown,
            EmergencyAction.TRIM,
            settings.confirmations,
            release=drawdown.max_portfolio_drawdown - drawdown.hysteresis,
        ),
    )


def _of_var(config: RiskManagementConfig) -> tuple[EmergencyRow, ...]:
    settings = config.emergency_config
    return (
        EmergencyRow(
            "var_halt",
            "var_utilization",
            settings.var_halt,
            EmergencyAction.HALT_NEW_RISK,
            release=settings.var_release,
            release_after=settings.var_release_days,
            by_day=True,
        ),
        EmergencyRow(
            "var_trim",
            "var_utilization",
            settings.var_trim,
            EmergencyAction.TRIM,
            settings.var_trim_days,
            by_day=True,
            once_a_day=True,
        ),
    )


def _of_the_rest(config: RiskManagementConfig) -> tuple[EmergencyRow, ...]:
    settings, drawdown = config.emergency_config, config.drawdown_config
    return (
        EmergencyRow(
            "correlation_spike",
            "correlation_spike",
            1.0,
            EmergencyAction.REDUCE_CORRELATED,
            once_a_day=True,
        ),
        EmergencyRow("daily_loss", "daily_loss", drawdown.daily_loss_limit, EmergencyAction.REDUCE_ONLY),
        EmergencyRow("weekly_loss", "weekly_loss", drawdown.weekly_loss_limit, EmergencyAction.REDUCE_ONLY),
        EmergencyRow(
            "rolling_loss",
            "rolling_loss",
            drawdown.rolling_loss_limit,
            EmergencyAction.REDUCE_ONLY,
            release=RELEASE_SHARE * drawdown.rolling_loss_limit,
        ),
        EmergencyRow("system_error", "failed_checks", settings.max_check_errors, EmergencyAction.HALT),
    )
