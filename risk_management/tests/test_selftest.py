"""The self-test itself: it passes on every level and names a limit that can't fire."""

from __future__ import annotations

import pytest

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


def test_a_check_that_is_not_wired_is_found(monkeypatch):
    from risk_management.core import order_desk  # noqa: PLC0415 - patched here alone

    class Unwired:
        @staticmethod
        def items():
            return ((n, c) for n, c in real.items() if n != "sector")

    real = order_desk.CHECKS
    monkeypatch.setattr(order_desk, "CHECKS", Unwired)
    assert {"sector", "unknown sector"} <= {f.name for f in run_full_integration_test().failures}
