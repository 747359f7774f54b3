"""One wild tick makes no peak and no loss that is acted on; the next price of its symbol settles it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from risk_management.clock import ManualClock
from risk_management.core.fill_report import FillReport
from risk_management.core.order_desk import OrderTicket
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import InvalidRequest
from risk_management.model.portfolio import Scope, TradingMode


@pytest.fixture
def manager(foundation):
    made = AdvancedRiskManager.on(replace(foundation, clock=ManualClock(foundation.clock.now())))
    made.register_bot("b", "idx", max_position_size=9_000.0)
    made.add_position("SPY", 6_000.0, 100.0, "idx", bot_name="b")
    made.add_position("MSFT", 1_500.0, 100.0, "idx", bot_name="b")
    tick(made, SPY=100.0, MSFT=100.0)
    return made


def tick(manager, **prices):
    manager.clock.advance(1.0)
    update = manager.update_prices(prices)
    manager.assess_overall_risk(confirmed=False)
    return update


def test_one_glitch_and_ticks_of_others_close_nothing(manager):
    tick(manager, SPY=51.0)
    for price in (100.0, 100.1, 99.9, 100.0):
        tick(manager, MSFT=price)
    assert manager.state.mode is TradingMode.ACTIVE
    assert manager.state.bots["b"].enabled
    assert len(manager.state.positions) == 2
    assert tick(manager, SPY=100.0).accepted == ("SPY",)
    assert manager.state.equity == pytest.approx(10_000.0)
    assert manager.state.unsure == frozenset()
    assert manager.state.mode_of(Scope.STRATEGY, "idx") is TradingMode.ACTIVE
    assert manager.request_trade(OrderTicket("MSFT", "sell", 100.0, bot_name="b")).approved


@pytest.mark.parametrize("low", [80.0, 65.0, 51.0])
def test_a_glitch_of_one_tick_latches_no_bot_and_no_strategy(manager, low):
    tick(manager, SPY=low)
    tick(manager, SPY=100.0)
    tick(manager, SPY=100.0)
    assert manager.state.bots["b"].enabled
    assert manager.state.mode_of(Scope.STRATEGY, "idx") is TradingMode.ACTIVE


def test_a_glitch_upwards_is_no_peak(manager):
    tick(manager, SPY=149.0)
    tick(manager, MSFT=100.0)
    tick(manager, SPY=100.0)
    assert manager.state.drawdown.peak == pytest.approx(1.0)
    assert manager.state.drawdown.drawdown == pytest.approx(0.0)


def test_two_wild_ticks_that_disagree_do_not_confirm_each_other(manager):
    assert tick(manager, SPY=1e3).quarantined == ("SPY",)
    assert tick(manager, SPY=1e7).quarantined == ("SPY",)
    for price in (100.0, 100.01, 100.02, 100.03):
        tick(manager, SPY=price)
    assert manager.state.drawdown.high_water_mark == pytest.approx(10_000.0, rel=1e-3)
    assert manager.state.mode is TradingMode.ACTIVE
    assert len(manager.state.positions) == 2


def test_a_wild_tick_after_one_beyond_belief_is_not_confirmed_by_it(manager):
    """The first is kept out; the second lies on the other side and agrees with nothing."""
    tick(manager, SPY=200.0)
    assert manager.state.quotes["SPY"].price == 100.0
    tick(manager, SPY=52.0)
    assert (manager.state.quotes["SPY"].price, manager.state.unsure) == (52.0, {"SPY"})
    assert manager.state.positions
    tick(manager, SPY=100.0)
    assert (manager.state.unsure, manager.state.mode) == (set(), TradingMode.ACTIVE)


def test_a_true_crash_is_acted_on_after_fresh_ticks_of_its_symbol(manager):
    for price in (90.0, 75.0, 60.0, 55.0, 54.0, 54.0, 53.9, 53.9):
        tick(manager, SPY=price)
    assert manager.state.mode is TradingMode.HALTED
    assert not manager.state.positions


def test_a_true_jump_becomes_the_new_peak_with_its_second_tick(manager):
    tick(manager, SPY=120.0)
    assert manager.state.drawdown.peak == pytest.approx(1.0)
    tick(manager, SPY=120.5)
    assert manager.state.drawdown.peak == pytest.approx(1.123)


def test_daily_closes_are_sure_at_once(manager):
    manager.update_prices({"SPY": 88.0}, daily=True)
    assert manager.state.unsure == frozenset()


def test_a_split_moves_what_awaits_its_second_tick_too(manager):
    tick(manager, SPY=90.0)
    manager.record_split("SPY", 2.0)
    assert manager.state.quotes["SPY"].anchor == pytest.approx(50.0)
    tick(manager, SPY=50.0)
    assert manager.state.unsure == frozenset()


def test_an_expired_close_does_not_keep_its_bot_from_closing(manager):
    first = manager.request_trade(OrderTicket("MSFT", "sell", 1_500.0, bot_name="b"))
    assert first.closing_size == pytest.approx(1_500.0)
    manager.clock.advance(manager.config.order_config.reservation_life + 1.0)
    tick(manager, SPY=100.0, MSFT=100.0)
    again = manager.request_trade(OrderTicket("MSFT", "sell", 1_490.0, bot_name="b"))
    assert (again.closing_size, again.opening_size) == (pytest.approx(1_490.0), 0.0)


def test_a_fee_beyond_belief_is_refused(manager):
    asked = manager.request_trade(OrderTicket("MSFT", "sell", 500.0, bot_name="b"))
    with pytest.raises(InvalidRequest, match="fee"):
        manager.execute_trade(FillReport(asked.request_id, 500.0, 100.0, fee=1e12))
    assert manager.execute_trade(FillReport(asked.request_id, 500.0, 100.0, fee=1.0)).booked == 500.0


def test_other_losses_are_acted_on_while_a_halted_name_awaits_its_second_tick(manager):
    """SPY is halted after a gap; what MSFT and fees lose meanwhile is real."""
    tick(manager, SPY=90.0)
    assert manager.state.unsure == {"SPY"}
    manager.record_cash("fee", -2_600.0)
    for price in (100.0, 100.1, 100.2, 100.3):
        tick(manager, MSFT=price)
    assert manager.state.mode is TradingMode.HALTED
    assert not manager.state.positions


def test_a_name_that_never_ticks_again_does_not_shield_its_bot_for_ever(manager):
    tick(manager, SPY=70.0)
    assert manager.state.bots["b"].enabled
    manager.clock.advance(120.0)
    tick(manager, MSFT=100.0)
    assert not manager.state.bots["b"].enabled
    assert manager.state.mode is not TradingMode.HALTED


@pytest.mark.parametrize("wild", [52.0, 60.0])
def test_a_fill_at_the_true_price_is_booked_beside_a_wild_tick(manager, wild):
    """The tick is the one that is wrong; the fill, far from it, stands at the price before."""
    asked = manager.request_trade(OrderTicket("MSFT", "sell", 500.0, bot_name="b"))
    tick(manager, MSFT=wild)
    done = manager.execute_trade(FillReport(asked.request_id, 500.0, 100.0))
    assert done.booked == pytest.approx(500.0)
    assert manager.state.mode_of(Scope.SYMBOL, "MSFT") is TradingMode.ACTIVE


def test_a_fill_beyond_belief_beside_both_prices_is_set_aside(manager):
    asked = manager.request_trade(OrderTicket("MSFT", "sell", 500.0, bot_name="b"))
    tick(manager, MSFT=60.0)
    with pytest.raises(InvalidRequest, match="PRICE_OUTLIER"):
        manager.execute_trade(FillReport(asked.request_id, 500.0, 1_000.0))


def test_a_report_that_is_told_again_after_a_split_stops_nothing(manager):
    """It was booked: how far its price lies from today's says nothing."""
    asked = manager.request_trade(OrderTicket("MSFT", "sell", 500.0, bot_name="b"))
    report = FillReport(asked.request_id, 500.0, 100.0, execution_id="e")
    manager.execute_trade(report)
    manager.record_split("MSFT", 4.0)
    tick(manager, MSFT=25.0)
    assert manager.execute_trade(report).duplicate
    assert manager.state.mode_of(Scope.SYMBOL, "MSFT") is TradingMode.ACTIVE


def test_a_glitch_upwards_that_nothing_follows_is_no_peak_of_a_bot(manager):
    """Its symbol falls silent on it: minutes later the price still stands there, and is still one tick."""
    tick(manager, SPY=140.0)
    manager.clock.advance(600.0)
    tick(manager, MSFT=100.0)
    tick(manager, SPY=100.0)
    tick(manager, SPY=100.0)
    assert manager.state.bots["b"].enabled
    assert manager.state.mode_of(Scope.STRATEGY, "idx") is TradingMode.ACTIVE


def test_late_closes_that_turn_a_position_let_their_bot_only_close(manager):
    """Two closes of one position, sent in time and told too late: the second is beyond what was held."""
    asked = []
    for _ in range(2):
        asked.append(manager.request_trade(OrderTicket("MSFT", "sell", 1_500.0, bot_name="b")))
        manager.clock.advance(manager.config.order_config.reservation_life + 1.0)
        tick(manager, SPY=100.0, MSFT=100.0)
    first, second = (manager.execute_trade(FillReport(a.request_id, 1_500.0, 100.0)) for a in asked)
    assert (first.flags, second.flags) == (("LATE_FILL",), ("LATE_FILL", "OVERFILL"))
    assert manager.state.mode_of(Scope.BOT, "b") is TradingMode.REDUCING


def test_a_report_that_is_told_again_bears_no_flag(manager):
    asked = manager.request_trade(OrderTicket("MSFT", "sell", 500.0, bot_name="b"))
    report = FillReport(asked.request_id, 500.0, 100.0, execution_id="x")
    assert manager.execute_trade(report).flags == ()
    again = manager.execute_trade(report)
    assert (again.duplicate, again.flags) == (True, ())


def test_a_report_that_is_not_booked_is_in_the_audit_trail(manager):
    asked = manager.request_trade(OrderTicket("MSFT", "sell", 900.0, bot_name="b"))
    report = FillReport(asked.request_id, 500.0, 100.0, execution_id="x")
    manager.execute_trade(report)
    with pytest.raises(InvalidRequest, match="EXECUTION_CONFLICT"):
        manager.execute_trade(replace(report, size=400.0))
    assert manager.desk.unknown_reports[-1].size == 400.0


def test_a_far_tick_after_all_was_withdrawn_is_watched_on(manager):
    manager.record_cash("withdrawal", 0.01 - manager.state.equity)
    manager.clock.advance(1.0)
    manager.update_prices({"SPY": 90.0})
    manager.record_cash("withdrawal", -500.0)
    assert manager.state.drawdown.units == 0.0
    assert manager.state.unsure == {"SPY"}
    assert manager.assess_overall_risk() is not None


def test_a_crash_in_steps_that_are_each_far_is_acted_on_one_tick_late(manager):
    price, modes = 100.0, []
    for _ in range(12):
        price *= 0.93
        tick(manager, SPY=price)
        modes.append(manager.state.mode)
    assert modes[2] is TradingMode.REDUCING
    assert modes[-1] is TradingMode.HALTED
    assert not manager.state.positions


def test_a_tick_part_of_the_way_back_is_sure(manager):
    tick(manager, SPY=80.0)
    tick(manager, SPY=90.0)
    assert manager.state.is_sure
    assert manager.state.drawdown.daily_loss == pytest.approx(0.06)


@pytest.fixture
def stopped(manager):
    """15.3 % down by steps that were sure: in the no-entry tier."""
    price = 100.0
    while manager.state.drawdown.drawdown < 0.151:
        price *= 0.97
        tick(manager, SPY=price)
    assert manager.state.drawdown.multiplier == 0.0
    manager.price = price
    return manager


def test_one_tick_up_ends_no_stop_and_opens_nothing(stopped):
    before = stopped.state.drawdown
    tick(stopped, SPY=1.25 * stopped.price)
    assert stopped.state.drawdown.multiplier == 0.0
    assert stopped.state.drawdown.drawdown == pytest.approx(before.drawdown)
    assert stopped.state.mode is TradingMode.REDUCING
    assert not stopped.request_trade(OrderTicket("AAPL", "buy", 50.0, bot_name="b")).approved
    tick(stopped, SPY=1.25 * stopped.price)
    assert stopped.state.drawdown.multiplier > 0.0


@pytest.mark.parametrize("factor", [1.3, 0.8])
def test_a_recovery_tranche_waits_while_a_price_is_not_sure(stopped, factor):
    stopped.release_emergency("ann", "a smaller book goes on")
    tranche = stopped.state.drawdown.recovery
    assert tranche is not None
    tick(stopped, SPY=factor * stopped.price)
    assert stopped.state.drawdown.recovery == tranche
    tick(stopped, SPY=stopped.price)
    assert stopped.state.drawdown.recovery == tranche


@pytest.mark.parametrize("wild", [85.0, 115.0])
@pytest.mark.parametrize("true", [100.0, "wild"])
def test_an_equity_report_is_held_against_the_nearer_of_both_prices(manager, wild, true):
    tick(manager, SPY=wild)
    price = wild if true == "wild" else true
    truth = 10_000.0 + 60.0 * (price - 100.0)
    assert manager.report_equity(truth)
    tick(manager, SPY=price)
    assert manager.state.equity == pytest.approx(truth)
    assert manager.state.drawdown.high_water_mark == pytest.approx(max(truth, 10_000.0))
    assert manager.state.drawdown.value == pytest.approx(truth / 10_000.0)


@pytest.mark.parametrize("wild", [75.0, 130.0])
def test_a_deposit_buys_units_at_the_price_that_is_sure(manager, wild):
    tick(manager, SPY=98.0)
    before = manager.state.drawdown.drawdown
    tick(manager, SPY=98.0 * wild / 100.0)
    manager.record_cash("deposit", 10_000.0)
    tick(manager, SPY=98.0)
    assert manager.state.drawdown.drawdown == pytest.approx(before)
    assert manager.state.drawdown.units == pytest.approx(10_000.0 + 10_000.0 / (1.0 - before))


@pytest.mark.parametrize("wild", [85.0, 115.0])
def test_a_day_that_ends_on_a_far_tick_ends_at_the_price_before_it(manager, wild):
    ends = manager.state.drawdown.day_ends
    manager.clock.advance((ends - manager.clock.now()).total_seconds() - 1.5)
    tick(manager, SPY=wild)
    manager.clock.advance(2.0)
    tick(manager, MSFT=100.0)
    tick(manager, SPY=100.0)
    assert manager.state.drawdown.day_start == pytest.approx(1.0)
    assert manager.state.drawdown.closes[-1] == pytest.approx(1.0)
    assert manager.state.drawdown.daily_loss == pytest.approx(0.0)


def test_a_limit_is_no_share_of_what_one_tick_added(manager):
    manager.register_bot("c", "other", max_position_size=9_000.0)
    sure = manager.desk.ask(OrderTicket("AAPL", "buy", 5_000.0, "other", "c")).recommended_size
    tick(manager, SPY=130.0)
    assert manager.desk.ask(OrderTicket("AAPL", "buy", 5_000.0, "other", "c")).recommended_size <= sure
