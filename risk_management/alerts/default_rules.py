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
CALM: Final = 0.90
"""Share of a warning's level below which it ends: a number that dances around a level is one alert."""
_LEVEL: Final = re.compile(r"\$([a-z_]+)")
_REACHED: Final = re.compile(r"(>=|<) \$([a-z_]+)")


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
    first_tier = drawdown.tier_levels()[0][0]

    def calm(level: float) -> _Level:
        return _Level(max(level - drawdown.hysteresis, level / 2.0), "fraction")

    return {
        "warning_heat": _Level(heat.warning_heat, "score"),
        "critical_heat": _Level(heat.critical_heat, "score"),
        "calm_heat": _Level(CALM * heat.warning_heat, "score"),
        "first_tier": _Level(first_tier, "fraction"),
        "calm_tier": calm(first_tier),
        "max_drawdown": _Level(drawdown.max_portfolio_drawdown, "fraction"),
        "calm_drawdown": calm(drawdown.max_portfolio_drawdown),
        "calm_liquidation": calm(emergency.liquidation_drawdown),
        "liquidation": _Level(emergency.liquidation_drawdown, "fraction"),
        "calm_daily": _Level(CALM * NEARLY * drawdown.daily_loss_limit, "fraction"),
        "calm_weekly": _Level(CALM * NEARLY * drawdown.weekly_loss_limit, "fraction"),
        "calm_var": _Level(CALM * NEARLY, "fraction"),
        "var_release": _Level(emergency.var_release, "fraction"),
        "calm_pair": _Level(CALM * correlation.warning_pair, "number"),
        "calm_volatility": _Level(CALM * correlation.volatility_spike, "number"),
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
    for name in ("condition", "release"):
        filled[name] = _with_numbers(table.get(name, ""), levels)
    for name in ("message", "meaning", "did", "todo"):
        filled[name] = _LEVEL.sub(lambda place: amount(*levels[place[1]]), table.get(name, ""))
    return filled


def _with_numbers(condition: str, levels: dict[str, _Level]) -> str:
    """With its levels as numbers; a level of nothing is reached by the least that is more, and left at it."""

    def reached(place: re.Match[str]) -> str:
        sign, value = place[1], levels[place[2]].value
        if value > 0.0:
            return f"{sign} {value:.9g}"
        return "> 0" if sign == ">=" else "<= 0"

    return _LEVEL.sub(lambda place: f"{levels[place[1]].value:.9g}", _REACHED.sub(reached, condition))
