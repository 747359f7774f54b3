"""What bots call: the shared front, the process-wide instance, the watch in the background."""

from __future__ import annotations

import threading

import pytest

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.errors import AlreadyInitialized, ConfigurationError, InvalidRequest, UnknownRequest
from risk_management.integration import trading_integration as module
from risk_management.integration.trading_integration import (
    TradingSystemIntegration,
    get_integration,
    initialize_risk_management,
    report_trade_execution,
    request_trade_approval,
    shutdown_risk_management,
)
from risk_management.model.events import Filled, TradeDecided
from risk_management.model.portfolio import TradingMode


@pytest.fixture(autouse=True)
def fresh_process():
    shutdown_risk_management()
    yield
    shutdown_risk_management()


@pytest.fixture
def risk():
    return TradingSystemIntegration(RiskManagementConfig())


def test_the_way_of_an_order_is_in_the_journal(risk):
    answer = risk.request_trade("a", "KO", "buy", 500)
    risk.execute_trade(answer.request_id, answer.recommended_size, 50.0)
    kinds = [type(event) for event in risk.journal.events()]
    assert TradeDecided in kinds
    assert Filled in kinds
    assert answer.findings
    assert answer.explanation.startswith("Approved in full")


def test_partial_fills_and_cancel(risk):
    answer = risk.request_trade("a", "KO", "buy", 500)
    part = risk.execute_trade(answer.request_id, 200, 50.0, execution_id="x")
    assert part.remaining == pytest.approx(300)
    risk.cancel_trade(answer.request_id)
    risk.cancel_trade(answer.request_id)
    assert not risk.risk_manager.state.reservations
    with pytest.raises(UnknownRequest):
        risk.cancel_trade("nobody")


def test_an_unknown_report_is_told_and_raised(risk):
    with pytest.raises(UnknownRequest):
        risk.execute_trade("nobody-1", 100, 50.0)
    assert any("nobody-1" in alert.message for alert in risk.risk_manager.alert_manager.active)


def test_one_instance_a_process():
    first = initialize_risk_management()
    assert initialize_risk_management() is first
    assert get_integration() is first
    assert initialize_risk_management(RiskManagementConfig()) is first
    with pytest.raises(AlreadyInitialized, match="shutdown_risk_management"):
        initialize_risk_management(RiskManagementConfig(portfolio_value=5.0e4))


def test_many_threads_make_one_instance():
    made = []
    threads = [threading.Thread(target=lambda: made.append(get_integration())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(instance) for instance in made}) == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"size": float("nan")}, "NOT_FINITE"),
        ({"size": "100"}, "WRONG_TYPE"),
        ({"size": -5}, "NOT_POSITIVE"),
        ({"symbol": ""}, "INVALID_SYMBOL"),
        ({"action": "hold"}, "INVALID_ACTION"),
        ({"bot_name": None}, "INVALID_NAME"),
        ({"confidence": 2.0}, "OUT_OF_RANGE"),
    ],
)
def test_a_bots_loop_does_not_die_of_a_malformed_request(change, code):
    order = {"bot_name": "a", "symbol": "KO", "action": "buy", "size": 100.0, **change}
    answer = request_trade_approval(**order)
    assert not answer.approved
    assert answer.rejection_reasons == (code,)
    assert answer.recommended_size == 0.0
    assert answer.findings == ()
    with pytest.raises(InvalidRequest):
        get_integration().request_trade(**order)


def test_module_level_calls_share_the_instance():
    answer = request_trade_approval("a", "KO", "buy", 500, request_id="mine")
    assert request_trade_approval("a", "KO", "buy", 500, request_id="mine").decision is answer.decision
    assert report_trade_execution("mine", 500, 50.0, execution_id="x").booked == pytest.approx(500)
    assert report_trade_execution("mine", 500, 50.0, execution_id="x").duplicate


def test_monitoring_starts_once_assesses_and_stops(monkeypatch):
    seen = threading.Event()
    with TradingSystemIntegration(RiskManagementConfig(), monitoring_interval=0.001) as risk:
        original = risk.risk_manager.assess_overall_risk
        monkeypatch.setattr(risk.risk_manager, "assess_overall_risk", lambda: (original(), seen.set())[0])
        before = threading.active_count()
        risk.start_monitoring()
        assert threading.active_count() == before
        assert seen.wait(30)
        assert risk.is_monitoring
    assert not risk.is_monitoring
    risk.stop_monitoring()
    assert risk.last_assessment is not None


def test_monitoring_slower_than_the_silence_that_is_allowed_is_refused():
    with pytest.raises(ConfigurationError, match="assess more often"):
        TradingSystemIntegration(RiskManagementConfig(), monitoring_interval=60.0)


def test_an_assessment_that_fails_stops_trading_and_not_the_watch(monkeypatch):
    risk = TradingSystemIntegration(RiskManagementConfig(), monitoring_interval=0.001)
    calls, enough = [], threading.Event()

    def broken():
        calls.append(1)
        if len(calls) >= 3:
            enough.set()
        raise ZeroDivisionError("broken")

    monkeypatch.setattr(risk.risk_manager, "assess_overall_risk", broken)
    with risk:
        assert enough.wait(30)
    assert risk.risk_manager.state.mode is TradingMode.HALTED
    assert risk.request_trade("a", "KO", "buy", 100).rejection_reasons[0] == "HALTED"


def test_stop_disable_release(risk):
    risk.register_bot("a", "trend", max_position_size=5000, kelly_fraction=0.25)
    open_entry = risk.request_trade("a", "KO", "buy", 100)
    assert risk.disable_bot("a") == (open_entry.request_id,)
    risk.enable_bot("a")
    risk.emergency_stop_all("Market conditions")
    assert "HALTED" in risk.request_trade("a", "KO", "buy", 101).rejection_reasons
    assert risk.release_emergency("eve", "calm again")
    assert risk.request_trade("a", "KO", "buy", 102).approved


def test_the_default_is_held_in_one_place():
    assert module._default.instance is None
    instance = get_integration()
    assert module._default.instance is instance
    shutdown_risk_management()
    assert module._default.instance is None
