"""The emergency protocols that ship, and a user's own beside them."""

from __future__ import annotations

from typing import Final

from risk_management.config.risk_config import EmergencyRowConfig, RiskManagementConfig
from risk_management.core.emergency import EmergencyAction, EmergencyRow
from risk_management.core.scoped_metrics import SCOPED_WORDS
from risk_management.errors import ConfigurationError
from risk_management.model.portfolio import OWN_CAUSES, Scope
from risk_management.model.vocabulary import VOCABULARY

__all__ = ["emergency_rows"]


PORTFOLIO_ONLY: Final = frozenset(
    {
        EmergencyAction.SCALE_DOWN,
        EmergencyAction.HALT_NEW_RISK,
        EmergencyAction.REDUCE_CORRELATED,
        EmergencyAction.REDUCE_CLUSTER,
        EmergencyAction.TRIM,
    }
)
"""Actions that have no narrower meaning."""
RELEASE_SHARE = 0.8
"""A loss over rolling days must fall to this share of its limit, or it would open and shut for days."""


def emergency_rows(config: RiskManagementConfig) -> tuple[EmergencyRow, ...]:
    """The rows of a configuration: the built-in ones, then the user's own.

    Raises
    ------
    ConfigurationError
        A user's row names an unknown metric, or goes by the name of another row or of what else stops.
    """
    built_in = (*_of_drawdown(config), *_of_var(config), *_of_the_rest(config))
    own = tuple(map(_own, config.emergency_config.rows))
    names = [row.name for row in (*built_in, *own)]
    for row in own:
        _check_scope(row)
        _check_amount(row)
        if row.metric not in VOCABULARY:
            raise ConfigurationError(
                f"emergency_config.rows: {row.name!r} watches the unknown metric {row.metric!r}; "
                f"known are {', '.join(VOCABULARY)}"
            )
        if row.name.partition(":")[0] in OWN_CAUSES:
            raise ConfigurationError(
                f"emergency_config.rows: {row.name!r} is what another stop of the system goes by, which the "
                "row would replace and end; give the row another name"
            )
        if names.count(row.name) > 1:
            raise ConfigurationError(f"emergency_config.rows: the name {row.name!r} stands twice")
    return (*built_in, *own)


def _own(row: EmergencyRowConfig) -> EmergencyRow:
    return EmergencyRow(
        row.name,
        row.metric,
        row.threshold,
        EmergencyAction(row.action),
        row.confirmations,
        row.release,
        row.release_after,
        row.by_day,
        row.once_a_day,
        Scope(row.scope),
        row.subject,
        row.cooldown,
        row.amount,
    )


def _check_scope(row: EmergencyRow) -> None:
    """A part of the book has few metrics, and some actions are the whole portfolio's."""
    where = f"emergency_config.rows: {row.name!r}"
    if row.scope is Scope.PORTFOLIO:
        if row.subject:
            raise ConfigurationError(f"{where} names {row.subject!r}; say which scope it is the name of")
        return
    if row.metric not in SCOPED_WORDS:
        known = ", ".join(SCOPED_WORDS)
        raise ConfigurationError(f"{where}: of a {row.scope.value} only these are measured: {known}")
    if row.action in PORTFOLIO_ONLY:
        raise ConfigurationError(f"{where}: {row.action.value} acts on the whole portfolio; leave its scope")


def _check_amount(row: EmergencyRow) -> None:
    where = f"emergency_config.rows: {row.name!r}"
    if row.action is EmergencyAction.SCALE_DOWN and not (row.amount and 0.0 < row.amount < 1.0):
        raise ConfigurationError(f"{where}: scale_down takes an amount between 0 and 1, such as 0.5")
    if row.release is not None and row.release > row.threshold:
        raise ConfigurationError(f"{where}: release must not be above threshold, or it never acts")


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
