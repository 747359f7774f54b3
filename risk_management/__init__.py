"""The risk system between trading bots and their broker: every order asks it first.

Public names load when they are first used; importing the package starts no thread and reads no file.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# a library only logs; where the lines go is the application's choice
logging.getLogger(__name__).addHandler(logging.NullHandler())

_HOMES = {
    "AdvancedRiskManager": "core.risk_manager",
    "AlertChannel": "alerts.risk_alerts",
    "AlertConfig": "config.risk_config",
    "AlertRule": "alerts.risk_alerts",
    "AlertSeverity": "alerts.risk_alerts",
    "AlertType": "alerts.risk_alerts",
    "BotConfig": "config.risk_config",
    "BrokerConfig": "config.risk_config",
    "CorrelationConfig": "config.risk_config",
    "CorrelationMonitor": "core.correlation_monitor",
    "DrawdownConfig": "config.risk_config",
    "DrawdownProtection": "monitors.drawdown_protection",
    "EmergencyConfig": "config.risk_config",
    "HeatConfig": "config.risk_config",
    "KellyConfig": "config.risk_config",
    "KellyOptimizer": "calculators.kelly_optimizer",
    "MarketDataConfig": "config.risk_config",
    "OrderConfig": "config.risk_config",
    "PortfolioHeatMonitor": "core.portfolio_heat",
    "PortfolioLimits": "config.risk_config",
    "RiskAlertManager": "alerts.risk_alerts",
    "RiskDashboardAPI": "integration.dashboard_integration",
    "RiskLevel": "config.risk_config",
    "RiskManagementConfig": "config.risk_config",
    "StressConfig": "config.risk_config",
    "StressScenario": "calculators.stress_tester",
    "StressTester": "calculators.stress_tester",
    "TradingMode": "model.portfolio",
    "TradingSystemIntegration": "integration.trading_integration",
    "VaRCalculator": "calculators.var_calculator",
    "VaRConfig": "config.risk_config",
    "create_risk_routes": "integration.dashboard_integration",
    "initialize_risk_management": "integration.trading_integration",
    "load_risk_config": "config.risk_config",
    "report_trade_execution": "integration.trading_integration",
    "request_trade_approval": "integration.trading_integration",
}

__all__ = ["__version__", *_HOMES]  # noqa: PLE0604 - the names above


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


if TYPE_CHECKING:
    from risk_management.config.risk_config import RiskManagementConfig as RiskManagementConfig
    from risk_management.core.risk_manager import AdvancedRiskManager as AdvancedRiskManager
