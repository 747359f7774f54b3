"""The self-test itself: it passes on every level and names a limit that can't fire."""

from __future__ import annotations

import pytest

from risk_management.alerts.default_rules import default_rules
from risk_management.alerts.risk_alerts import RiskAlertManager
from risk_management.config.risk_config import RiskLevel, RiskManagementConfig
from risk_management.tests.integration_test import run_full_integration_test


@pytest.mark.parametrize("level", list(RiskLevel))
def test_every_limit_of_every_level_fires_where_it_should(level):
    results = run_full_integration_test(RiskManagementConfig(risk_level=level))
    assert results.passed == results.total, results.failures
    assert results.total > 50


def test_a_users_own_settings_are_driven():
    config = RiskManagementConfig(portfolio_value=250_000.0)
    config.bot_config.register_unknown = False
    config.portfolio_limits.allow_symbols = ("KO",)
    config.order_config.self_match = "deny"
    config.kelly_config.default_kelly_fraction = 0.02
    results = run_full_integration_test(config)
    assert results.passed == results.total, results.failures


def test_a_limit_that_is_off_is_reported():
    config = RiskManagementConfig()
    config.order_config.min_trade_size = 0.0
    assert [f.name for f in run_full_integration_test(config).failures] == ["smallest trade"]


RULES = """
[[rules]]
rule_id = "in_percent"
name = "Drawdown, written as if 25 were 25 %"
alert_type = "drawdown"
severity = "critical"
condition = "drawdown >= 25"
channels = []

[[rules]]
rule_id = "always"
name = "Holds whatever comes"
alert_type = "drawdown"
severity = "warning"
condition = "drawdown >= 0"
channels = []

[[rules]]
rule_id = "half_a_position"
name = "A count is whole"
alert_type = "position_limit"
severity = "warning"
condition = "positions == 2.5"
channels = []

[[rules]]
rule_id = "shut_out"
name = "A bot that is refused"
alert_type = "system_error"
severity = "warning"
scope = "bot"
condition = "bot_refused_share > 0.5 and bot_refused >= 5"
hold = 600
channels = []

[[rules]]
rule_id = "wild"
name = "No scene makes markets wild"
alert_type = "volatility_spike"
severity = "warning"
condition = "volatility_ratio > 4.5 * (1 + var_zone)"
release = "volatility_ratio < 3"
channels = []

[[rules]]
rule_id = "parked"
name = "Not watched for now"
alert_type = "drawdown"
severity = "warning"
condition = "drawdown >= 25"
enabled = false
channels = []
"""


def test_every_rule_of_a_users_file_fires_or_is_named(tmp_path):
    file = tmp_path / "rules.toml"
    file.write_text(RULES)
    config = RiskManagementConfig(alert_config={"rules_file": str(file)})
    results = run_full_integration_test(config)
    said = {one.name.removeprefix("alert rule "): one for one in results.outcomes if "alert rule" in one.name}
    assert {one.name.removeprefix("alert rule ") for one in results.failures} == {
        "in_percent",
        "always",
        "half_a_position",
    }
    assert "drawdown is 0 to 1" in said["in_percent"].detail
    assert "can't end" in said["always"].detail
    assert "can't fire" in said["half_a_position"].detail
    assert said["shut_out"].detail.startswith("through the book, in a bot that is refused")
    assert said["wild"].detail.startswith("by its metric alone")
    assert "it is off" in said["parked"].detail


def test_most_default_rules_fire_through_the_book_itself():
    outcomes = [one for one in run_full_integration_test().outcomes if one.name.startswith("alert rule ")]
    alone = {one.name.removeprefix("alert rule ") for one in outcomes if "by its metric alone" in one.detail}
    assert alone == {"var_backtest_yellow", "var_backtest_red", "correlation_spike", "volatility_spike"}
    assert len(outcomes) == len(default_rules(RiskManagementConfig()))


def test_alerts_that_are_cut_off_from_the_book_are_found(monkeypatch):
    """The rules are right and nobody asks them: only the book's own alerts are silent."""
    real = RiskAlertManager.evaluate

    def silent(self, *words):
        return [] if self._book is not None else real(self, *words)

    monkeypatch.setattr(RiskAlertManager, "evaluate", silent)
    assert [one.name for one in run_full_integration_test().failures] == ["alert rules are judged"]


def test_a_check_that_is_not_wired_is_found(monkeypatch):
    from risk_management.core import order_desk  # noqa: PLC0415 - patched here alone

    class Unwired:
        @staticmethod
        def items():
            return ((n, c) for n, c in real.items() if n != "sector")

    real = order_desk.CHECKS
    monkeypatch.setattr(order_desk, "CHECKS", Unwired)
    assert {"sector", "unknown sector"} <= {f.name for f in run_full_integration_test().failures}
