"""What a person changed while the system ran stands after a restart; what is given anew is the later word."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from risk_management.clock import ManualClock
from risk_management.config.carried import carried_over, changed
from risk_management.config.risk_config import RiskLevel, RiskManagementConfig
from risk_management.core.order_desk import OrderTicket
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.model.portfolio import TradingMode
from risk_management.store.sql_journal import SqlJournal
from risk_management.tests.store.world import small_foundation

SINGLE = "portfolio_limits.max_single_position"


def with_limits(**limits):
    return RiskManagementConfig().update(portfolio_limits=limits)


def single(config):
    return config.portfolio_limits.max_single_position


@pytest.mark.parametrize(
    ("given_before", "used", "given", "stands", "where"),
    [
        (0.15, 0.10, 0.15, 0.10, "kept"),
        (0.15, 0.10, 0.12, 0.12, "overruled"),
        (0.15, 0.10, 0.10, 0.10, ""),
        (0.15, 0.15, 0.12, 0.12, ""),
        (0.15, 0.15, 0.15, 0.15, ""),
    ],
)
def test_three_sets_of_settings(given_before, used, given, stands, where):
    texts = [with_limits(max_single_position=v).as_text() for v in (given_before, used)]
    found = carried_over(*texts, with_limits(max_single_position=given))
    assert single(found.config) == stands
    assert {name for name in ("kept", "overruled") if getattr(found, name)} == ({where} if where else set())
    assert found.conflict == ""


def test_another_line_of_the_file_takes_nothing_back():
    before, used = RiskManagementConfig(), with_limits(max_single_position=0.10)
    given = with_limits(max_sector_exposure=0.20)
    found = carried_over(before.as_text(), used.as_text(), given)
    assert found.kept == {SINGLE: (0.15, 0.10)}
    assert (single(found.config), found.config.portfolio_limits.max_sector_exposure) == (0.10, 0.20)


def test_a_level_comes_back_whole_and_can_be_taken_back():
    before = RiskManagementConfig()
    used = before.update(risk_level=RiskLevel.CONSERVATIVE)
    found = carried_over(before.as_text(), used.as_text(), before)
    assert found.config.as_text() == used.as_text()
    assert found.config.update(risk_level="moderate").as_text() == before.as_text()


def test_another_level_in_the_file_takes_no_tightening_back():
    before, used = RiskManagementConfig(), with_limits(max_single_position=0.05)
    found = carried_over(before.as_text(), used.as_text(), RiskManagementConfig(risk_level="aggressive"))
    assert found.kept == {SINGLE: (0.25, 0.05)}
    assert (single(found.config), found.config.portfolio_limits.max_sector_exposure) == (0.05, 0.50)


def test_a_loosening_does_not_outlive_a_stricter_level_of_the_file():
    before = RiskManagementConfig()
    used = before.update(
        portfolio_limits={"max_single_position": 0.25, "min_cash": 0.02, "max_sector_exposure": 0.15},
        var_config={"daily_var_limit": 0.03},
    )
    found = carried_over(before.as_text(), used.as_text(), RiskManagementConfig(risk_level="conservative"))
    limits = found.config.portfolio_limits
    assert (single(found.config), limits.min_cash, limits.max_sector_exposure) == (0.10, 0.10, 0.15)
    assert found.config.var_config.daily_var_limit == 0.01
    assert found.overruled[SINGLE] == (0.25, 0.10)
    assert found.kept == {"portfolio_limits.max_sector_exposure": (0.20, 0.15)}
    assert found.conflict == ""


def row(name, threshold):
    return {"name": name, "metric": "drawdown", "threshold": threshold, "scope": "bot", "action": "halt"}


def test_emergency_rows_are_merged_by_name():
    def rows(*given):
        return RiskManagementConfig(emergency_config={"rows": given})

    before, used = rows(row("x", 0.2), row("y", 0.2)), rows(row("x", 0.05), row("y", 0.1))
    given = rows(row("x", 0.2), row("y", 0.3), row("z", 0.3))
    found = carried_over(before.as_text(), used.as_text(), given)
    stands = {one.name: one.threshold for one in found.config.emergency_config.rows}
    assert stands == {"x": 0.05, "y": 0.3, "z": 0.3}
    assert list(found.overruled) == ["emergency_config.rows.y"]


def budgets(**shares):
    return RiskManagementConfig().update(portfolio_limits={"strategy_budgets": shares})


def test_a_mapping_is_merged_key_by_key():
    name = "portfolio_limits.strategy_budgets"
    before, used = budgets(a=0.5, b=0.4, c=0.3, d=0.2), budgets(a=0.05, b=0.4, c=0.1, e=0.1)
    given = budgets(a=0.5, b=0.6, c=0.2, d=0.2)
    found = carried_over(before.as_text(), used.as_text(), given)
    stands = {"a": 0.05, "b": 0.6, "c": 0.2, "e": 0.1}
    assert found.config.portfolio_limits.strategy_budgets == stands
    assert found.kept == {name: (given.portfolio_limits.strategy_budgets, stands)}
    assert found.overruled == {f"{name}.c": (0.1, 0.2)}
    again = carried_over(before.as_text(), given.as_text(), given)
    assert (again.kept, again.overruled) == ({}, {})


def test_a_setting_that_only_one_version_knows_is_no_change():
    text = RiskManagementConfig().as_text()
    older = text.replace('"max_single_position":0.15,', "", 1)
    assert older != text
    assert changed(older, text) == changed(text, older) == {}


def test_a_contradiction_carries_nothing_over():
    before = RiskManagementConfig()
    used = with_limits(max_single_position=0.90)
    given = with_limits(max_gross_exposure=0.50, max_net_exposure=0.50)
    found = carried_over(before.as_text(), used.as_text(), given)
    assert single(found.config) == 0.15
    assert SINGLE in found.conflict
    assert "max_gross_exposure" in found.conflict


# -- through a restart ----------------------------------------------------------------------------------


class Runs:
    """One store, opened again and again under the settings that are given."""

    def __init__(self, store):
        self.store, self.now = str(store), small_foundation().clock.now()

    def __call__(self, change=None, *, killed=False, **limits):
        self.now += timedelta(minutes=1)
        foundation = replace(small_foundation(), clock=ManualClock(self.now))
        config = foundation.config.update(portfolio_limits=limits)
        manager = AdvancedRiskManager.on(foundation.under(config), journal=SqlJournal(self.store))
        if change is not None:
            manager.reconfigure(manager.config.update(portfolio_limits=change), actor="anna")
        found = single(manager.config)
        foundation.clock.advance(1.0)  # a price of the moment of the start is one from before it
        manager.update_prices({"AAA": 100.0})
        size = manager.request_trade(OrderTicket("AAA", "buy", 500_000.0)).recommended_size
        blocks = [hold for hold in manager.state.holds.values() if hold.cause == "settings"]
        for reservation in list(manager.state.reservations.values()):
            manager.desk.cancel(reservation.request_id)
        if killed:  # nothing is said to the store: what it holds is what was answered
            journal = manager.book.journal
            journal._disconnect()
            for part in (journal._latch, journal._head):
                part.close()
            journal._lock.release()
        else:
            manager.close()
        return found, round(size), blocks


@pytest.mark.parametrize("killed", [False, True])
def test_a_limit_that_was_tightened_binds_after_a_restart(tmp_path, killed):
    run = Runs(tmp_path / "s.db")
    assert run(killed=killed)[:2] == (0.15, 150_000)
    assert run({"max_single_position": 0.05}, killed=killed)[:2] == (0.05, 50_000)
    assert run(killed=killed)[:2] == (0.05, 50_000)
    assert run(max_sector_exposure=0.30, killed=killed)[:2] == (0.05, 50_000)
    assert run(killed=killed)[:2] == (0.05, 50_000)
    assert run(max_single_position=0.08, killed=killed)[:2] == (0.08, 80_000)
    assert run(killed=killed)[:2] == (0.15, 150_000)


def test_a_start_names_what_the_last_run_did_not_use(tmp_path, caplog):
    run = Runs(tmp_path / "s.db")
    run(max_single_position=0.15)
    run(max_single_position=0.12)
    assert f"{SINGLE} is 0.12; the last run used 0.15" in caplog.text
    caplog.clear()
    run(max_single_position=0.12)
    assert SINGLE not in caplog.text


def test_what_is_taken_back_is_gone(tmp_path):
    run = Runs(tmp_path / "s.db")
    run({"max_single_position": 0.05})
    assert run({"max_single_position": 0.15})[0] == 0.15
    assert run(max_single_position=0.12)[0] == 0.12


def test_a_contradiction_opens_nothing_until_a_person_looks(tmp_path):
    run = Runs(tmp_path / "s.db")
    run({"max_single_position": 0.90})
    found, size, blocks = run(max_gross_exposure=0.50, max_net_exposure=0.50)
    assert (found, size) == (0.15, 0)
    assert [(hold.mode, hold.latched) for hold in blocks] == [(TradingMode.REDUCING, True)]
    assert "max_single_position" in blocks[0].reason


def test_the_market_model_follows_the_settings_that_stand(tmp_path):
    foundation, store = small_foundation(), str(tmp_path / "s.db")
    for change in ({"scaling_decay": 0.90}, None):
        manager = AdvancedRiskManager.on(foundation, journal=SqlJournal(store))
        if change:
            manager.reconfigure(manager.config.update(var_config=change))
        wanted = foundation.under(manager.config).model
        assert manager.config.var_config.scaling_decay == 0.90
        assert (manager.state.model.scenarios == wanted.scenarios).all()
        assert manager.foundation.config.as_text() == manager.config.as_text()
        manager.close()
    assert (foundation.model.scenarios != wanted.scenarios).any()
    assert foundation.config.var_config.scaling_decay != 0.90
