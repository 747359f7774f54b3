"""The limits of each risk level: conservative, moderate, aggressive. Reasons stand in docs/limits.md."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["LEVELS", "stricter"]

LEVELS: Final[dict[tuple[str, str], tuple[Any, Any, Any]]] = {
    ("portfolio_limits", "max_single_position"): (0.10, 0.15, 0.25),
    ("portfolio_limits", "max_index_fund_position"): (0.40, 0.60, 1.00),
    ("portfolio_limits", "max_coin_position"): (0.05, 0.10, 0.20),
    ("portfolio_limits", "max_major_coin_position"): (0.10, 0.20, 0.40),
    ("portfolio_limits", "max_sector_exposure"): (0.20, 0.35, 0.50),
    ("portfolio_limits", "max_cluster_exposure"): (0.30, 0.80, 1.20),
    ("portfolio_limits", "max_strategy_exposure"): (0.40, 0.60, 1.00),
    ("portfolio_limits", "max_gross_exposure"): (0.80, 1.00, 2.00),
    ("portfolio_limits", "max_net_exposure"): (0.80, 1.00, 1.50),
    ("portfolio_limits", "max_leverage"): (0.80, 1.00, 2.00),
    ("portfolio_limits", "max_positions"): (20, 30, 60),
    ("portfolio_limits", "min_cash"): (0.10, 0.05, 0.00),
    ("portfolio_limits", "allow_shorts"): (False, True, True),
    ("portfolio_limits", "max_risk_per_trade"): (0.005, 0.01, 0.02),
    ("order_config", "max_order_size"): (0.40, 0.60, 1.00),
    ("order_config", "max_volume_share"): (0.005, 0.01, 0.02),
    ("order_config", "price_collar"): (0.03, 0.05, 0.10),
    ("order_config", "max_orders_per_minute"): (6, 20, 60),
    ("order_config", "max_orders_per_minute_total"): (60, 200, 600),
    ("var_config", "daily_var_limit"): (0.01, 0.02, 0.035),
    ("var_config", "daily_es_limit"): (0.0175, 0.035, 0.06),
    ("kelly_config", "default_kelly_fraction"): (0.10, 0.25, 0.50),
    ("drawdown_config", "max_portfolio_drawdown"): (0.10, 0.15, 0.20),
    ("drawdown_config", "daily_loss_limit"): (0.015, 0.03, 0.05),
    ("drawdown_config", "weekly_loss_limit"): (0.03, 0.06, 0.10),
    ("drawdown_config", "rolling_loss_limit"): (0.06, 0.10, 0.15),
    ("stress_config", "max_stress_loss"): (0.15, 0.25, 0.40),
    ("stress_config", "critical_loss"): (0.30, 0.50, 0.80),
    ("heat_config", "max_open_risk"): (0.04, 0.08, 0.15),
    ("emergency_config", "liquidation_drawdown"): (0.15, 0.25, 0.35),
    ("market_data_config", "quote_age"): ({"crypto": 10.0}, {"crypto": 15.0}, {"crypto": 30.0}),
}


def stricter(name: str, one: Any, other: Any) -> Any:
    """The value that allows less, of two of a limit that the levels set; `one` where no level sets it.

    Parameters
    ----------
    name : str
        Dotted, such as ``var_config.daily_var_limit``.
    one, other : object
        A mapping is the stricter one key by key.
    """
    section, _, leaf = name.rpartition(".")
    levels = LEVELS.get((section, leaf))
    if levels is None:
        return one
    if isinstance(one, dict):
        return {key: min(value, other.get(key, value)) for key, value in one.items()}
    least, _, most = levels
    return min(one, other) if least < most else max(one, other)
