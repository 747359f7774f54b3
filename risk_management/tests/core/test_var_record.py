"""VaR that checks itself, live: forecasts kept, days held against them, failures that count for more."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from risk_management.clock import ManualClock
from risk_management.core.order_desk import OrderTicket
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.measures.tail import historical_var
from risk_management.model.events import VarRecorded
from risk_management.model.var_record import VarOutcome, VarRecord


@pytest.fixture
def manager(foundation):
    clock = ManualClock(foundation.clock.now())
    config = foundation.config.update(market_data_config={"stale_days": 60})
    return AdvancedRiskManager.on(replace(foundation, clock=clock, config=config))


def next_day(manager, price):
    """The close of the next weekday, seen and assessed."""
    manager.clock.advance(86_400.0)
    while manager.clock.now().weekday() >= 5:
        manager.clock.advance(86_400.0)
    manager.update_prices({"KO": price}, daily=True)
    manager.assess_overall_risk()


def begun(manager, price=100.0):
    manager.add_position("KO", 4_000.0, price, bot_name="a")
    manager.update_prices({"KO": price}, daily=True)
    manager.assess_overall_risk()


def outcomes(losses, var=0.01):
    return tuple(
        VarOutcome((np.datetime64("2022-01-03") + n).item(), var, -0.02 if lost else 0.001, None)
        for n, lost in enumerate(losses)
    )


def with_record(manager, exceptions, days=250):
    losses = [n >= days - exceptions for n in range(days)]
    record = replace(manager.state.var_record, outcomes=outcomes(losses))
    manager.book.apply(VarRecorded(at=manager.clock.now(), actor="test", record=record))


def test_a_day_is_held_against_the_evening_before_it(manager):
    begun(manager)
    pnl = manager.state.totals.pnl.copy()
    forecast = historical_var(pnl, 0.99) / manager.state.equity
    next_day(manager, 98.0)
    record = manager.state.var_record
    assert record.outcomes == ()
    assert record.pending.var == pytest.approx(forecast)
    next_day(manager, 97.0)
    (outcome,) = manager.state.var_record.outcomes
    assert outcome.var == pytest.approx(forecast)
    assert outcome.actual == pytest.approx(-0.02 * 4_000.0 / 10_000.0)
    assert outcome.hypothetical == pytest.approx(outcome.actual)
    next_day(manager, 97.0)
    second = manager.state.var_record.outcomes[1]
    assert second.actual == pytest.approx((97.0 / 98.0 - 1.0) * 3_920.0 / 9_920.0)


def test_trades_of_the_day_are_in_the_actual_and_not_in_the_hypothetical(manager):
    begun(manager)
    next_day(manager, 100.0)
    manager.record_fill("KO", "sell", 20.0, 95.0, execution_id="1", bot_name="a")  # 100 lost on the way
    manager.assess_overall_risk()
    next_day(manager, 100.0)
    (outcome,) = manager.state.var_record.outcomes
    assert outcome.actual == pytest.approx(-100.0 / 10_000.0)
    assert outcome.hypothetical == pytest.approx(0.0)


def test_a_name_without_a_quote_leaves_the_hypothetical_unknown(manager):
    """Its VaR counts it: a book without it would have lost nothing on the day on which it fell by 30 %."""
    manager.add_position("PEP", 2_000.0, 100.0, bot_name="a")
    begun(manager)
    next_day(manager, 100.0)
    assert ("PEP", pytest.approx(0.2), None) in manager.state.var_record.pending.book
    manager.update_prices({"PEP": 70.0}, daily=True)
    manager.assess_overall_risk()
    next_day(manager, 100.0)
    (outcome,) = manager.state.var_record.outcomes
    assert outcome.actual == pytest.approx(-600.0 / 10_000.0)
    assert outcome.hypothetical is None
    for _ in range(2):  # from here on it is quoted
        next_day(manager, 100.0)
    assert manager.state.var_record.outcomes[-1].hypothetical == pytest.approx(0.0)


def test_a_deposit_is_no_gain_of_the_day(manager):
    begun(manager)
    next_day(manager, 100.0)
    manager.record_cash("deposit", 5_000.0)
    manager.assess_overall_risk()
    next_day(manager, 100.0)
    (outcome,) = manager.state.var_record.outcomes
    assert outcome.actual == pytest.approx(0.0)


def test_a_forecast_of_one_day_is_not_held_against_many(manager):
    begun(manager)
    next_day(manager, 99.0)
    manager.clock.move_to(manager.clock.now() + timedelta(days=20))
    next_day(manager, 80.0)
    next_day(manager, 80.0)
    assert [o.actual for o in manager.state.var_record.outcomes][:1] == [pytest.approx(-0.004)]
    assert len(manager.state.var_record.outcomes) == 1


@pytest.mark.parametrize(
    ("exceptions", "zone", "multiplier"), [(4, "green", 1.0), (5, "yellow", 3.4 / 3), (10, "red", 4 / 3)]
)
def test_exceptions_lower_what_may_be_risked_as_basel_does(manager, exceptions, zone, multiplier):
    begun(manager)
    with_record(manager, exceptions)
    before = manager.look().metrics["var_utilization"]
    for price in (100.0, 100.0):
        next_day(manager, price)
    record = manager.state.var_record
    assert (record.zone, record.multiplier) == (zone, pytest.approx(multiplier))
    seen = manager.look()
    assert seen.metrics["var_utilization"] == pytest.approx(before * multiplier, rel=1e-6)
    assert seen.metrics["var_exceptions"] == exceptions
    limit = next(use.limit for use in seen.limits if use.name == "var")
    assert limit == pytest.approx(manager.config.var_config.daily_var_limit / multiplier)
    asked = manager.request_trade(OrderTicket("KO", "buy", 100.0))
    finding = next(f for f in asked.findings if f.check == "var")
    assert finding.limit == pytest.approx(limit)
    fired = {alert.rule_id for alert in manager.alert_manager.active}
    assert ("var_backtest_yellow" in fired) == (zone != "green")
    assert ("var_backtest_red" in fired) == (zone == "red")


def test_it_can_be_switched_off_and_few_days_prove_nothing(foundation):
    config = foundation.config.update(
        var_config={"backtest_multiplier": False}, market_data_config={"stale_days": 60}
    )
    manager = AdvancedRiskManager.on(
        replace(foundation, clock=ManualClock(foundation.clock.now()), config=config)
    )
    begun(manager)
    with_record(manager, 12)
    for price in (100.0, 100.0):
        next_day(manager, price)
    assert (manager.state.var_record.zone, manager.state.var_record.multiplier) == ("red", 1.0)
    with_record(manager, 12, days=40)
    for price in (100.0, 100.0):
        next_day(manager, price)
    assert manager.state.var_record.zone == "green"


def test_the_larger_count_of_exceptions_is_taken():
    days = (
        VarOutcome(None, 0.01, -0.02, 0.0),
        VarOutcome(None, 0.01, 0.0, -0.02),
        VarOutcome(None, 0.01, 0.0, -0.03),
        VarOutcome(None, 0.01, -0.01, -0.01),
    )
    assert VarRecord(None, days).exceptions == 2
