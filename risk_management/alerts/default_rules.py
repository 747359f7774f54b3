"""The rules that every book starts with: each limit of the configuration, said before and at it.

The rules with their texts stand in ``default_rules.toml``; here the words after ``$`` get their numbers.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

from risk_management.alerts.records import AlertRule
from risk_management.alerts.rule_file import tables_in
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.model.explain import amount

__all__ = ["NEARLY", "default_rules"]

NEARLY: Final = 0.80
"""Share of a loss limit at which its warning comes."""
_LEVEL: Final = re.compile(r"\$([a-z_]+)")
_REACHED: Final = re.compile(r">= \$([a-z_]+)")


class _Level(NamedTuple):
    """A number of the configuration and its unit."""

    value: float
    unit: str


def default_rules(config: RiskManagementConfig) -> tuple[AlertRule, ...]:
    """The default rules of a configuration; they go by its routes."""
    levels = _levels(config)
    return tuple(AlertRule(**_filled(table, levels)) for table in _tables())


@cache
def _tables() -> tuple[dict[str, Any], ...]:
    text = files("risk_management.alerts").joinpath("default_rules.toml").read_text("utf-8")
    return tables_in(text)


def _levels(config: RiskManagementConfig) -> dict[str, _Level]:
    drawdown, heat, var = config.drawdown_config, config.heat_config, config.var_config
    emergency, correlation = config.emergency_config, config.correlation_config
    return {
        "warning_heat": _Level(heat.warning_heat, "score"),
        "critical_heat": _Level(heat.critical_heat, "score"),
        "first_tier": _Level(drawdown.tier_levels()[0][0], "fraction"),
        "max_drawdown": _Level(drawdown.max_portfolio_drawdown, "fraction"),
        "liquidation": _Level(emergency.liquidation_drawdown, "fraction"),
        "nearly_daily": _Level(NEARLY * drawdown.daily_loss_limit, "fraction"),
        "daily_limit": _Level(drawdown.daily_loss_limit, "fraction"),
        "nearly_weekly": _Level(NEARLY * drawdown.weekly_loss_limit, "fraction"),
        "weekly_limit": _Level(drawdown.weekly_loss_limit, "fraction"),
        "nearly_var": _Level(NEARLY, "fraction"),
        "var_halt": _Level(emergency.var_halt, "fraction"),
        "var_limit": _Level(var.daily_var_limit, "fraction"),
        "warning_pair": _Level(correlation.warning_pair, "number"),
        "spike_pair": _Level(correlation.spike_pair, "number"),
        "spike_average": _Level(correlation.spike_average, "number"),
        "volatility_spike": _Level(correlation.volatility_spike, "number"),
        "max_check_errors": _Level(float(emergency.max_check_errors), "count"),
    }


def _filled(table: dict[str, Any], levels: dict[str, _Level]) -> dict[str, Any]:
    filled = {"channels": (), **table}
    filled["condition"] = _with_numbers(table["condition"], levels)
    for name in ("message", "meaning", "did", "todo"):
        filled[name] = _LEVEL.sub(lambda place: amount(*levels[place[1]]), table.get(name, ""))
    return filled


def _with_numbers(condition: str, levels: dict[str, _Level]) -> str:
    """With its levels as numbers; a level of nothing is reached by the least that is more."""

    def reached(place: re.Match[str]) -> str:
        value = levels[place[1]].value
        return f">= {value:.9g}" if value > 0.0 else "> 0"

    return _LEVEL.sub(lambda place: f"{levels[place[1]].value:.9g}", _REACHED.sub(reached, condition))
