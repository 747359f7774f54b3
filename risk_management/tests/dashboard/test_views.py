"""The seven views: complete, strict JSON, and reading changes nothing."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple

import numpy as np
import pytest

from risk_management.alerts.risk_alerts import AlertRule, AlertSeverity, AlertType
from risk_management.clock import ManualClock
from risk_management.core.foundation import Foundation
from risk_management.core.order_desk import OrderTicket
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.dashboard.plain import as_json, plain
from risk_management.errors import InvalidRequest
from risk_management.integration.dashboard_integration import ENDPOINTS, RiskDashboardAPI
from risk_management.integration.trading_integration import (
    TradingSystemIntegration,
    initialize_risk_management,
    shutdown_risk_management,
)
from risk_management.model.portfolio import Scope, TradingMode
from risk_management.model.vocabulary import VOCABULARY


def manager_on(foundation: Foundation) -> AdvancedRiskManager:
    return AdvancedRiskManager.on(replace(foundation, clock=ManualClock(foundation.clock.now())))


@pytest.fixture
def empty(foundation) -> AdvancedRiskManager:
    return manager_on(foundation)


@pytest.fixture
def full(foundation) -> AdvancedRiskManager:
    """A book with a bit of everything: longs, a short, a stop, an unknown name, bots, holds, alerts."""
    manager = manager_on(foundation)
    manager.register_bot("RSI2", "mean_reversion", 3000, 0.25)
    manager.register_bot("sleeper", "trend")
    manager.add_position("SPY", 2000, 400.0, "momentum", risk_amount=100)
    manager.add_position("AAPL", -900, 150.0, "value")
    manager.add_position("NOBODY", 300, 10.0, "momentum")
    manager.add_position("KO", 800, 60.0, "mean_reversion", bot_name="RSI2")
    manager.update_prices({"SPY": 410.0, "KO": 57.0, "AAPL": 140.0})
    manager.request_trade(OrderTicket("XOM", "buy", 300.0, bot_name="RSI2", strategy="mean_reversion"))
    manager.set_bot_enabled("sleeper", enabled=False, reason="on holiday")
    manager.set_mode(TradingMode.REDUCING, "earnings", scope=Scope.SYMBOL, name="AAPL", actor="me")
    manager.alert_manager.raise_alert(
        AlertType.SYSTEM_ERROR, AlertSeverity.WARNING, "a test", manager.clock.now(), key="test"
    )
    manager.assess_overall_risk()
    return manager


@pytest.mark.parametrize("name", ENDPOINTS)
@pytest.mark.parametrize("which", ["empty", "full"])
def test_every_view_is_strict_json_with_the_headline(request, which, name):
    manager = request.getfixturevalue(which)
    view = RiskDashboardAPI(manager).view(name)
    text = json.dumps(view, allow_nan=False)
    assert json.loads(text) == view, "not in JSON's own kinds"
    assert view["as_of"] == manager.state.as_of.isoformat()
    assert view["state_version"] == manager.state.version
    assert view["data"]["is_sample"] is True
    assert view["data"]["leans_on"][0] == "sample data, for demonstration"
    assert view["status"].keys() >= {
        "mode", "score", "score_driver", "level", "equity", "drawdown", "portfolio_heat",
        "var_utilization", "position_multiplier", "new_trades_allowed", "blocked_by",
    }  # fmt: skip


@pytest.mark.parametrize("name", ENDPOINTS)
def test_asking_changes_nothing(full, name):
    before, history = full.state, full.alert_manager.history
    RiskDashboardAPI(full).view(name)
    assert full.state is before
    assert full.alert_manager.history == history


def test_metrics_hold_the_vocabulary_and_every_limit(full):
    view = RiskDashboardAPI(full).metrics()
    assert view["metrics"].keys() == VOCABULARY.keys()
    assert view["metrics"]["equity"] == {
        "value": pytest.approx(full.state.equity),
        "unit": "money",
        "meaning": VOCABULARY["equity"].meaning,
    }
    looked = full.look()
    assert [row["name"] for row in view["limits"]] == [use.name for use in looked.limits]
    for row, use in zip(view["limits"], looked.limits, strict=True):
        assert row["room"] == pytest.approx(use.limit - use.used)
        assert row["level"] == use.level
    assert view["holds"][0]["reason"] == "earnings"
    assert view["quotes"]["SPY"]["price"] == 410.0


def test_heatmap_adds_up(full):
    view = RiskDashboardAPI(full).heatmap()
    rows = {row["symbol"]: row for row in view["positions"]}
    assert rows.keys() == {"SPY", "AAPL", "NOBODY", "KO"}
    assert rows["SPY"]["value"] == pytest.approx(2050.0)
    assert rows["SPY"]["pnl"] == pytest.approx(50.0)
    assert rows["SPY"]["pnl_pct"] == pytest.approx(0.025)
    assert rows["SPY"]["has_stop"] is True
    assert rows["AAPL"]["side"] == "short"
    assert rows["AAPL"]["pnl"] == pytest.approx(60.0)
    assert rows["KO"]["bot"] == "RSI2"
    assert rows["KO"]["sector"] == "Consumer Staples"
    assert rows["NOBODY"]["has_history"] is False
    equity = view["status"]["equity"]
    assert sum(row["pnl"] for row in rows.values()) == pytest.approx(equity - 10_000.0)
    for symbol, row in rows.items():
        assert row["weight"] == pytest.approx(row["value"] / equity)
        assert view["groups"]["symbol"][symbol] == pytest.approx(row["weight"])
    assert view["reservations"][0]["symbol"] == "XOM"
    assert view["reservations"][0]["opening"] == pytest.approx(300.0)


def test_correlation_is_square_and_symmetric(full):
    view = RiskDashboardAPI(full).correlation()
    matrix = np.array(view["matrix"], dtype=float)
    assert matrix.shape == (len(view["symbols"]),) * 2
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-12)
    assert {s for cluster in view["clusters"] for s in cluster["symbols"]} == set(view["symbols"])


def test_var_holds_every_figure(full):
    view = RiskDashboardAPI(full).var()
    settings = full.config.var_config
    assert view["total_var"].keys() == {
        f"{method}_{confidence:g}_{horizon}d"
        for method in settings.methods
        for confidence in settings.confidence_levels
        for horizon in settings.horizons
    }
    assert view["limit"] == settings.daily_var_limit
    parts = view["components"]["symbol"]
    assert sum(part["component_var"] for part in parts) == pytest.approx(view["headline"]["var_value"])
    assert {row["name"] for row in view["gate"]["limits"]} == {"var", "expected_shortfall"}
    used = {row["name"]: row["used"] for row in view["gate"]["limits"]}
    assert used["var"] == pytest.approx(view["worst"]["var_pct"])


def test_stress_holds_every_scenario(full):
    view = RiskDashboardAPI(full).stress()
    losses = [row["portfolio_pnl"] for row in view["scenarios"]]
    assert len(losses) == view["suite"]["scenarios_tested"] == len(full.foundation.scenarios)
    assert losses == sorted(losses)
    assert view["suite"]["worst_case_scenario"] == view["scenarios"][0]["scenario_id"]
    for row in view["scenarios"]:
        assert sum(row["by_symbol"].values()) == pytest.approx(row["portfolio_pnl"], abs=1e-6)
        assert row["sources"]


def test_alerts(full):
    view = RiskDashboardAPI(full).alerts()
    assert "a test" in [alert["message"] for alert in view["active"]]
    assert len(view["history"]) == len(full.alert_manager.history)
    assert {rule["rule_id"] for rule in view["rules"]} == {r.rule_id for r in full.alert_manager.rules}
    full.alert_manager.resolve("test", full.clock.now())


def test_a_silenced_alert_says_so_beside_itself(full):
    alerts = full.alert_manager
    fired = next(alert for alert in alerts.active if alert.message == "a test")
    made = alerts.silence(600.0, "me", "known", rule_id=fired.rule_id)
    silenced = {row["message"]: row["silenced"] for row in RiskDashboardAPI(full).alerts()["active"]}
    assert silenced["a test"]["silence_id"] == made.silence_id
    assert any(one is None for one in silenced.values())
    alerts.end_silence(made.silence_id, "me")
    assert all(row["silenced"] is None for row in RiskDashboardAPI(full).alerts()["active"])


def test_an_alert_has_its_numbers_as_they_are_now(full):
    alerts = full.alert_manager
    kind, severity = AlertType.POSITION_LIMIT, AlertSeverity.WARNING
    for scope, word in (("portfolio", "gross_exposure"), ("symbol", "symbol_exposure")):
        rule = AlertRule(
            f"{scope}_rule",
            "Held",
            kind,
            severity,
            f"{word} > 0",
            [],
            scope=scope,
        )
        alerts.add_custom_rule(rule)
    full.assess_overall_risk()
    full.update_prices({"SPY": 300.0})
    api = RiskDashboardAPI(full)
    rows = {(row["rule_id"], row["symbol"]): row for row in api.pulse()["alerts"]}
    gross = rows["portfolio_rule", ""]["present"]
    assert gross == [
        {"metric": "gross_exposure", "value": full.look().metrics["gross_exposure"], "unit": "fraction"}
    ]
    assert gross[0]["value"] < rows["portfolio_rule", ""]["values"]["gross_exposure"]
    spy = rows["symbol_rule", "SPY"]["present"]
    assert spy[0]["value"] < rows["symbol_rule", "SPY"]["values"]["symbol_exposure"]
    assert next(row for row in rows.values() if row["message"] == "a test")["present"] == []
    assert [row["present"] for row in api.alerts()["active"]] == [row["present"] for row in rows.values()]


def test_the_pulse_says_who_may_open(full):
    api = RiskDashboardAPI(full)
    bots = {"known": 2, "may_open": 1, "held": [], "disabled": {"sleeper": "on holiday"}}
    assert api.pulse()["bots"] == bots
    full.set_mode(TradingMode.REDUCING, "odd", scope=Scope.STRATEGY, name="mean_reversion", actor="me")
    assert api.pulse()["bots"] == {**bots, "may_open": 0, "held": ["RSI2"]}
    assert api.pulse()["status"]["mode"] == "active", "of the portfolio"


def test_limits_name_their_scenario_for_people(full):
    rows = RiskDashboardAPI(full).pulse()["limits"]
    row = next(row for row in rows if row["name"] == "stress")
    assert row["about"] == full.foundation.scenarios[row["subject"]].name


def test_a_view_of_a_state_that_was_shown_is_shown_again(full):
    api = RiskDashboardAPI(full)
    shown = api.view("heatmap")
    full.update_prices({"KO": 61.0})
    assert api.view("heatmap", shown["state_version"]) is shown
    fresh = api.view("heatmap", full.state.version)
    assert fresh["state_version"] == full.state.version != shown["state_version"]


def test_a_pair_over_time_is_the_sample_correlation_of_each_window(full):
    matrix, api = full.state.model.matrix, RiskDashboardAPI(full)
    view = api.pair("AAPL", "KO")
    both = matrix.values[:, [matrix.columns["AAPL"], matrix.columns["KO"]]]
    for back in (1, 300, len(both) - view["span"] + 1):
        last = len(both) - back + 1
        window = both[last - view["span"] : last]
        assert view["rho"][-back] == pytest.approx(np.corrcoef(window.T)[0, 1], abs=1e-4)
        assert view["dates"][-back] == str(matrix.dates[last - 1])
    assert view["usual"] == pytest.approx(np.median(view["rho"][-250:]), abs=1e-4)
    for pair in (("AAPL", "NOSUCH"), ("KO", "KO")):
        with pytest.raises(InvalidRequest, match="UNKNOWN_SYMBOL"):
            api.pair(*pair)


def test_bots(full):
    view = RiskDashboardAPI(full).bots()
    cards = {card["name"]: card for card in view["bots"]}
    assert cards["RSI2"]["decisions"]["approved"] == 1
    assert cards["RSI2"]["profit"]["open"] == pytest.approx(-40.0)
    limits = cards["RSI2"]["limits"]
    assert limits["max_exposure"] == 3000.0
    assert limits["on_probation"] is True
    assert limits["used"] == pytest.approx(760.0 + 300.0)
    assert limits["room"] == pytest.approx(limits["limit"] - limits["used"])
    assert cards["sleeper"]["enabled"] is False
    assert cards["sleeper"]["disabled_reason"] == "on holiday"
    assert view["others"].keys() == {"operator"}


def test_the_room_of_a_bot_is_what_the_gate_gives_it(full):
    room = {c["name"]: c for c in RiskDashboardAPI(full).bots()["bots"]}["RSI2"]["limits"]["room"]
    for size, refused in ((room, False), (room + 1.0, True)):
        decision = full.evaluate_trade("CVX", "buy", size, "mean_reversion", bot_name="RSI2")
        assert ("BOT_PROBATION" in decision.rejection_reasons) is refused


def test_an_unknown_equity_is_null(foundation):
    manager = manager_on(foundation)
    manager.add_position("SPY", 1000, 400.0)
    manager.update_prices({"SPY": 1e-7})
    for name in ENDPOINTS:
        json.dumps(RiskDashboardAPI(manager).view(name), allow_nan=False)


def test_costly_views_are_made_once_for_what_is_held(full, monkeypatch):
    made = []
    run = full.stress_tester.run_full_stress_suite
    monkeypatch.setattr(full.stress_tester, "run_full_stress_suite", lambda: made.append(1) or run())
    api = RiskDashboardAPI(full)
    api.stress()
    full.assess_overall_risk()  # only time passes
    full.set_mode(TradingMode.HALTED, "lunch", scope=Scope.PORTFOLIO, name="")
    view = api.stress()
    assert len(made) == 1
    assert view["state_version"] == full.state.version
    assert view["status"]["mode"] == "halted"
    full.add_position("PEP", 100, 150.0)
    assert "PEP" in api.stress()["scenarios"][0]["by_symbol"]
    assert len(made) == 2


def test_a_price_that_ages_is_seen_although_nothing_happens(foundation):
    manager = manager_on(foundation)
    manager.add_position("KO", 1000, 60.0)
    manager.update_prices({"KO": 60.0})
    api = RiskDashboardAPI(manager)
    assert api.metrics()["metrics"]["stale_symbols"]["value"] == 0
    manager.clock.advance(3600.0)
    assert api.metrics()["metrics"]["stale_symbols"]["value"] == 1


def test_unknown_view(empty):
    with pytest.raises(KeyError):
        RiskDashboardAPI(empty).view("positions")


def test_whose_book_is_shown(foundation):
    shutdown_risk_management()
    try:
        api = RiskDashboardAPI()
        integration = initialize_risk_management()
        integration.risk_manager.add_position("KO", 500, 60.0)
        assert api.manager is integration.risk_manager
        assert [row["symbol"] for row in api.heatmap()["positions"]] == ["KO"]
        own = TradingSystemIntegration()
        assert RiskDashboardAPI(own).manager is own.risk_manager
    finally:
        shutdown_risk_management()


class Colour(StrEnum):
    RED = "red"


class Pair(NamedTuple):
    left: float
    right: str


@dataclass(frozen=True)
class Record:
    value: float
    inner: tuple[Pair, ...]


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (math.nan, None),
        (-math.inf, None),
        (np.float64("nan"), None),
        (np.float32(0.5), 0.5),
        (np.int64(7), 7),
        (np.bool_(1), True),
        (np.array([[1.0, np.nan]]), [[1.0, None]]),
        (Colour.RED, "red"),
        (datetime(2024, 1, 2, 3, tzinfo=UTC), "2024-01-02T03:00:00+00:00"),
        (date(2024, 1, 2), "2024-01-02"),
        (Path("a/b"), "a/b"),
        ({Colour.RED: {1: math.inf}}, {"red": {"1": None}}),
        (Record(math.nan, (Pair(1.0, "x"),)), {"value": None, "inner": [{"left": 1.0, "right": "x"}]}),
        (None, None),
        (True, True),
    ],
    ids=str,
)
def test_plain(value, wanted):
    assert plain(value) == wanted
    assert as_json(-0.0) == "0.0"
    assert json.loads(as_json(value)) == wanted


def test_what_is_unknown_is_refused_and_not_shown_as_its_repr():
    with pytest.raises(TypeError, match="object"):
        plain({"secret": object()})


def test_viewers_and_traders_at_once(full):
    """Eight viewers poll every view while bots trade: each answer is whole and of one state."""
    api = RiskDashboardAPI(full)
    problems: list[BaseException] = []
    done = Event()

    def view() -> None:
        try:
            while not done.is_set():
                for name in ENDPOINTS:
                    answer = api.view(name)
                    assert answer["state_version"] <= full.state.version
                rows = api.heatmap()
                total = sum(row["weight"] for row in rows["positions"])
                assert total == pytest.approx(sum(rows["groups"]["symbol"].values()), abs=1e-9)
        except BaseException as problem:  # noqa: BLE001 - told by the test below
            problems.append(problem)

    viewers = [Thread(target=view) for _ in range(8)]
    for viewer in viewers:
        viewer.start()
    for number in range(60):
        full.add_position("KO", 10.0 + number, 60.0, f"strategy {number % 3}")
        full.update_prices({"KO": 60.0 + number % 2})
    done.set()
    for viewer in viewers:
        viewer.join()
    assert not problems
