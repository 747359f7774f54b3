"""Every call that the specification shows, each alone and all in one process in their order.

The values are those that the published policy expects of the default limits.
"""

from __future__ import annotations

import json
import logging

import pytest
from flask import Flask

from risk_management import AdvancedRiskManager
from risk_management.alerts.risk_alerts import AlertChannel, AlertRule, AlertSeverity, AlertType
from risk_management.calculators.kelly_optimizer import KellyOptimizer
from risk_management.calculators.stress_tester import StressScenario, StressTester
from risk_management.calculators.var_calculator import VaRCalculator
from risk_management.config.risk_config import RiskLevel, RiskManagementConfig, load_risk_config
from risk_management.core.correlation_monitor import CorrelationMonitor
from risk_management.core.portfolio_heat import PortfolioHeatMonitor
from risk_management.integration.dashboard_integration import RiskDashboardAPI, create_risk_routes
from risk_management.integration.trading_integration import (
    initialize_risk_management,
    report_trade_execution,
    request_trade_approval,
    shutdown_risk_management,
)
from risk_management.monitors.drawdown_protection import DrawdownProtection
from risk_management.tests.integration_test import run_full_integration_test


@pytest.fixture(autouse=True)
def fresh_process():
    shutdown_risk_management()
    yield
    shutdown_risk_management()


class Names:
    """What the specification's snippets leave behind for the next ones."""

    def __init__(self) -> None:
        self.config = load_risk_config()
        self.risk_manager = AdvancedRiskManager(self.config)


def basic_usage(names):
    config = load_risk_config()
    risk_manager = AdvancedRiskManager(config)
    risk_manager.add_position(
        symbol="SPY", size=1000, entry_price=450.0, strategy="momentum", risk_amount=500
    )
    assessment = risk_manager.assess_overall_risk()
    assert f"Risk Score: {assessment.overall_risk_score}/100" == "Risk Score: 62.5/100"
    assert assessment.new_trades_allowed is True
    decision = risk_manager.evaluate_trade(
        symbol="QQQ", action="buy", proposed_size=800, strategy="mean_reversion"
    )
    assert decision.approved
    assert f"${decision.recommended_size:,.0f}" == "$800"
    assert not decision.rejection_reasons
    names.config, names.risk_manager = config, risk_manager


def trading_integration(names):
    integration = initialize_risk_management()
    integration.start_monitoring()
    assert integration.is_monitoring
    response = request_trade_approval(
        bot_name="RSI2-MeanReversion", symbol="AAPL", action="buy", size=1200, confidence=0.85
    )
    assert response.approved
    assert response.recommended_size == 1200
    execution = report_trade_execution(
        request_id=response.request_id,
        executed_size=response.recommended_size,
        executed_price=180.0,
        success=True,
    )
    assert execution.booked == pytest.approx(1200.0)
    assert not integration.risk_manager.state.reservations
    integration.stop_monitoring()


def dashboard_integration(names):
    app = Flask(__name__)
    dashboard_api = RiskDashboardAPI()
    create_risk_routes(app)
    assert dashboard_api is not None
    client = app.test_client()
    for name in ("metrics", "heatmap", "correlation", "var", "stress", "alerts", "bots"):
        answer = client.get(f"/api/risk/{name}")
        assert answer.status_code == 200, name
        json.loads(answer.data, parse_constant=pytest.fail)  # NaN and Infinity are no JSON


def heat_monitor(names):
    monitor = PortfolioHeatMonitor(names.config)
    monitor.add_position("SPY", 100, 450.0, "momentum", 1000)
    metrics = monitor.calculate_heat_metrics()
    assert metrics.overall_heat == pytest.approx(12.5)  # the risk is cut to the notional of 100
    assert f"{metrics.max_single_position_pct:.1%}" == "1.0%"


def correlation_monitor(names):
    corr_monitor = CorrelationMonitor(names.config)
    corr_monitor.update_positions({"SPY": 0.3, "QQQ": 0.2, "AAPL": 0.15})
    metrics = corr_monitor.analyze_correlations()
    assert 0.7 < metrics.max_pairwise_correlation < 1.0
    assert len(metrics.clusters) >= 1


def var_calculator(names):
    var_calc = VaRCalculator(names.config)
    var_calc.update_positions({"SPY": 5000, "QQQ": 3000}, 10000)
    summary = var_calc.calculate_portfolio_var()
    assert 50 < summary.total_var["historical_0.95_1d"].var_value < 250


def kelly_optimizer(names):
    kelly = KellyOptimizer(names.config)
    result = kelly.calculate_kelly_single_asset("SPY")
    assert 0.0 <= result.recommended_kelly_fraction <= 1.0
    portfolio_result = kelly.optimize_portfolio_kelly(["SPY", "QQQ", "AAPL"])
    assert set(portfolio_result.optimal_weights) == {"SPY", "QQQ", "AAPL"}


def drawdown_protection(names):
    protection = DrawdownProtection(names.config)
    status = protection.update_portfolio_value(9500)
    assert f"{status.current_drawdown.drawdown_percentage:.1%}" == "5.0%"
    assert f"{status.position_size_multiplier:.0%}" == "75%"


def stress_testing(names):
    stress_tester = StressTester(names.config)
    stress_tester.update_portfolio({"SPY": 5000, "QQQ": 3000}, 10000)
    result = stress_tester.run_scenario_test(StressScenario.MARKET_CRASH_2008)
    assert -6000 < result.portfolio_pnl < -3000
    suite = stress_tester.run_full_stress_suite()
    assert isinstance(suite.worst_case_scenario, str)
    assert 0 <= suite.scenarios_passed <= len(suite.scenarios_tested)
    assert isinstance(suite.critical_failures, list)
    gates = [r for r in suite.results.values() if r.use == "gate" and r.horizon_days <= 10]
    assert min(r.portfolio_pnl_pct for r in gates) == pytest.approx(-0.20, abs=0.015)


def configuration(names):
    config = RiskManagementConfig()
    config.risk_level = RiskLevel.CONSERVATIVE
    config.adjust_for_risk_level()
    config.portfolio_limits.max_single_position = 0.10
    config.portfolio_limits.max_sector_exposure = 0.25
    config.drawdown_config.max_portfolio_drawdown = 0.15
    config.var_config.daily_var_limit = 0.02
    config.var_config.monte_carlo_simulations = 10000
    config.kelly_config.default_kelly_fraction = 0.25
    config.adjust_for_risk_level()
    assert config.portfolio_limits.max_sector_exposure == 0.25
    assert config.portfolio_limits.max_gross_exposure == 0.80


def custom_alert_rule(names):
    rule = AlertRule(
        rule_id="custom_heat_warning",
        name="Custom Heat Warning",
        alert_type=AlertType.PORTFOLIO_HEAT,
        severity=AlertSeverity.WARNING,
        condition="portfolio_heat > 80",
        channels=[AlertChannel.TELEGRAM, AlertChannel.EMAIL],
    )
    names.risk_manager.alert_manager.add_custom_rule(rule)


def master_orchestrator(names):
    risk_integration = initialize_risk_management()
    risk_integration.start_monitoring()
    response = risk_integration.request_trade(bot_name="orchestrated", symbol="KO", action="buy", size=500)
    assert response.approved
    risk_integration.execute_trade(
        request_id=response.request_id,
        executed_size=response.recommended_size,
        executed_price=63.0,
        success=True,
    )
    names.risk_integration = risk_integration


def bot_registration(names):
    integration = initialize_risk_management()
    integration.register_bot(
        bot_name="RSI2-MeanReversion",
        strategy_type="mean_reversion",
        max_position_size=5000,
        kelly_fraction=0.25,
    )
    bot = integration.risk_manager.state.bots["RSI2-MeanReversion"]
    assert (bot.max_exposure, bot.kelly_fraction, bot.enabled) == (5000.0, 0.25, True)


def manual_controls(names):
    integration = initialize_risk_management()
    integration.register_bot("RSI2-MeanReversion")
    integration.emergency_stop_all("Market conditions")
    integration.disable_bot("RSI2-MeanReversion")
    refused = integration.request_trade("RSI2-MeanReversion", "KO", "buy", 100)
    assert set(refused.rejection_reasons) >= {"HALTED", "BOT_DISABLED"}
    names.risk_manager._deactivate_emergency_mode("Manual reset")
    integration.risk_manager._deactivate_emergency_mode("Manual reset")
    assert integration.risk_manager.assess_overall_risk().new_trades_allowed


def integration_tests(names):
    results = run_full_integration_test()
    assert results.passed == results.total > 40, results.failures


def logging_setup(names):
    logging.getLogger("risk_management").debug("detailed logging")


SNIPPETS = [
    basic_usage,
    trading_integration,
    dashboard_integration,
    heat_monitor,
    correlation_monitor,
    var_calculator,
    kelly_optimizer,
    drawdown_protection,
    stress_testing,
    configuration,
    custom_alert_rule,
    master_orchestrator,
    bot_registration,
    manual_controls,
    integration_tests,
    logging_setup,
]


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda s: s.__name__)
def test_each_alone(snippet):
    snippet(Names())


def test_all_in_one_process_in_their_order():
    names = Names()
    for snippet in SNIPPETS:
        snippet(names)
