"""Facts as they come: fills in money and units, splits, rates, journals that fail, people who let go on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from risk_management.clock import ManualClock
from risk_management.config.risk_config import EmergencyRowConfig, load_risk_config
from risk_management.core.fill_report import FillReport
from risk_management.core.order_desk import OrderTicket
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import ConfigurationError, InvalidRequest
from risk_management.model.instrument import ContractKind, Instrument
from risk_management.model.portfolio import Scope, TradingMode


@pytest.fixture
def manager(foundation):
    return AdvancedRiskManager.on(replace(foundation, clock=ManualClock(foundation.clock.now())))


def held(manager, symbol="KO", money=1000.0, price=100.0, bot="a"):
    manager.add_position(symbol, money, price, bot_name=bot)
    manager.update_prices({symbol: price})


def settled(manager, prices):
    """A far price and the second tick that settles it."""
    manager.update_prices(prices)
    manager.update_prices(prices)


def order(manager, symbol, action, size, bot="a"):
    return manager.request_trade(OrderTicket(symbol, action, size, "", bot))


@pytest.mark.parametrize(("size", "price", "cash"), [(1030.0, 103.0, 10_030.0), (900.0, 90.0, 9_900.0)])
def test_a_close_reported_in_money_is_units_at_its_price(manager, size, price, cash):
    held(manager)
    asked = order(manager, "KO", "sell", 1000.0)
    execution = manager.execute_trade(FillReport(asked.request_id, size, price, execution_id="x"))
    assert set(execution.flags) <= {"OFF_PRICE"}
    assert not manager.state.positions
    assert not manager.state.reservations
    assert manager.state.cash == pytest.approx(cash)
    assert manager.execute_trade(FillReport(asked.request_id, size, price, execution_id="x")).duplicate


def test_half_a_close_reported_in_money(manager):
    held(manager)
    asked = order(manager, "KO", "sell", 1000.0)
    manager.execute_trade(FillReport(asked.request_id, 515.0, 103.0))
    (position,) = manager.state.positions.values()
    assert position.quantity == 5 * 10**8
    assert manager.state.reservations[asked.request_id].closing_quantity == 5 * 10**8


def test_units_decide_over_fills_and_what_is_left(manager):
    manager.update_prices({"KO": 100.0})
    asked = order(manager, "KO", "buy", 1000.0)
    execution = manager.execute_trade(FillReport(asked.request_id, 970.0, 97.0, quantity=10.0))
    assert execution.flags == ()
    assert not manager.state.reservations
    manager.update_prices({"PG": 100.0})
    asked = order(manager, "PG", "buy", 200.0, "b")
    execution = manager.execute_trade(FillReport(asked.request_id, 200.0, 98.0, quantity=5.0))
    assert execution.flags == ("OVERFILL",)


def test_a_split_splits_what_is_approved(manager):
    held(manager)
    asked = order(manager, "KO", "sell", 1000.0)
    manager.record_split("KO", 4.0)
    manager.execute_trade(FillReport(asked.request_id, 1000.0, 25.0))
    assert not manager.state.positions
    assert manager.state.equity == pytest.approx(10_000.0)


def test_foreign_fills_and_imports_are_booked_at_the_rate(manager):
    manager.define_instrument(Instrument("TM", "equity", "Consumer Discretionary", currency="JPY"))
    with pytest.raises(InvalidRequest, match="NO_RATE"):
        manager.record_fill("TM", "buy", 10.0, 2000.0, execution_id="e0")
    manager.set_rate("JPY", 0.01)
    manager.update_prices({"TM": 2000.0})
    manager.record_fill("TM", "buy", 10.0, 2000.0, execution_id="e1")
    assert manager.state.cash == pytest.approx(9800.0)
    assert manager.state.equity == pytest.approx(10_000.0)
    manager.add_position("TM", 400.0, 2000.0)
    assert manager.state.equity == pytest.approx(10_000.0)
    with pytest.raises(InvalidRequest, match="RATE_JUMP"):
        manager.set_rate("JPY", 1.0)
    manager.set_rate("JPY", 0.011, confirmed=True)


def test_an_imported_contract_counts_its_multiplier(manager):
    manager.define_instrument(Instrument("F", "future", kind=ContractKind.LINEAR, multiplier=50.0))
    manager.add_position("F", 2000.0, 4000.0)
    manager.update_prices({"F": 4000.0})
    assert manager.state.equity == pytest.approx(10_000.0)
    with pytest.raises(InvalidRequest, match="INSTRUMENT_IN_USE"):
        manager.define_instrument(Instrument("F", "future", kind=ContractKind.LINEAR, multiplier=5.0))


def test_a_first_price_a_million_times_the_entry_is_doubted(manager):
    manager.add_position("KO", 1000.0, 100.0)
    assert manager.update_prices({"KO": 1e9}).quarantined == ("KO",)
    assert manager.state.high_water_mark == pytest.approx(10_000.0)
    assert manager.update_prices({"KO": 110.0}).accepted == ("KO",)


def test_what_contradicts_itself_changes_no_setting(manager):
    row = EmergencyRowConfig(name="x", metric="nope", threshold=0.1, action="liquidate")
    wrong = manager.config.update(
        emergency_config={"rows": (row,)}, portfolio_limits={"max_single_position": 0.5}
    )
    with pytest.raises(ConfigurationError, match="nope"):
        manager.reconfigure(wrong)
    assert manager.config.portfolio_limits.max_single_position == 0.15


def test_not_all_of_the_equity_can_be_withdrawn(manager):
    before = manager.state
    with pytest.raises(InvalidRequest, match="withdrawn"):
        manager.record_cash("withdrawal", 12_000.0)
    assert manager.state is before


def test_the_other_side_is_not_added_but_filled(manager):
    held(manager)
    with pytest.raises(InvalidRequest, match="OPPOSITE_POSITION"):
        manager.add_position("KO", -2000.0, 50.0, bot_name="a")


def test_a_bot_disabled_by_its_losses_loses_its_entries(manager):
    manager.register_bot("a", "s")
    held(manager, money=1200.0, price=60.0)
    manager.assess_overall_risk()
    entry = order(manager, "PG", "buy", 40.0)
    assert entry.approved
    settled(manager, {"KO": 40.0})
    manager.assess_overall_risk()
    assert not manager.state.bots["a"].enabled
    assert entry.request_id in manager.state.settled


def test_an_open_loss_of_a_strategy_counts_before_it_closed_anything(manager):
    manager.reconfigure(manager.config.update(portfolio_limits={"strategy_budgets": {"s1": 0.15}}))
    manager.add_position("KO", 1200.0, 100.0, "s1", bot_name="a")
    settled(manager, {"KO": 100.0})
    manager.assess_overall_risk()
    settled(manager, {"KO": 60.0})
    manager.assess_overall_risk()
    assert manager.state.mode_of(Scope.STRATEGY, "s1") is TradingMode.REDUCING


def test_a_person_opens_the_recovery_tranche_without_a_liquidation(manager):
    manager.record_cash("fee", -1700.0)
    manager.assess_overall_risk()
    assert manager.state.drawdown.effective_multiplier == 0.0
    assert any("recovery tranche" in said for said in manager.release_emergency("eve", "reviewed"))
    assert manager.state.drawdown.effective_multiplier == 0.25


def test_an_opening_fee_counts_in_the_profit_of_bot_and_strategy(manager):
    manager.update_prices({"KO": 100.0})
    manager.register_bot("a", "trend")
    asked = order(manager, "KO", "buy", 500.0)
    manager.execute_trade(FillReport(asked.request_id, 500.0, 100.0, fee=1.5))
    assert manager.state.bots["a"].record.realised == -1.5 * 10**8
    assert manager.state.strategies["trend"].realised == -1.5 * 10**8


def test_an_operators_opening_leaves_the_position_that_a_bot_is_closing(manager):
    held(manager)
    closing = order(manager, "KO", "sell", 1000.0)
    mine = manager.request_trade(OrderTicket("KO", "sell", 200.0))
    assert mine.approved
    manager.execute_trade(FillReport(mine.request_id, 200.0, 100.0))
    manager.execute_trade(FillReport(closing.request_id, 1000.0, 100.0))
    (left,) = manager.state.positions.values()
    assert (left.key.bot, left.quantity) == ("operator", -2 * 10**8)


def test_a_runaway_bot_is_switched_off_until_a_person_acts_and_silences_nobody(manager):
    limits = manager.config.order_config
    manager.update_prices({"KO": 100.0})
    most = int(limits.runaway_multiple * limits.max_orders_per_minute)
    for number in range(most + 1):
        assert manager.state.bots.get("a") is None or manager.state.bots["a"].enabled, number
        order(manager, "KO", "buy", 100.0 + number)
    assert not manager.state.bots["a"].enabled
    assert "switched off" in manager.state.bots["a"].disabled_reason
    assert not [r for r in manager.state.reservations.values() if r.key.bot == "a"]
    for name in range(9):
        calm = order(manager, "KO", "buy", 30.0, f"calm-{name}")
        assert "RATE_LIMIT" not in calm.rejection_reasons
    manager.clock.advance(3.0)
    assert "BOT_DISABLED" in order(manager, "KO", "buy", 100.0).rejection_reasons
    manager.set_bot_enabled("a", enabled=True, actor="anna")
    for number in range(most):  # what it asked before counts for its rate, and switches it off no more
        manager.clock.advance(0.01)
        assert "RATE_LIMIT" in order(manager, "KO", "buy", 200.0 + number).rejection_reasons
        assert manager.state.bots["a"].enabled
    manager.clock.advance(0.01)
    order(manager, "KO", "buy", 99.0)
    assert not manager.state.bots["a"].enabled


def test_requests_before_a_clock_that_jumped_back_are_not_counted_for_hours(foundation):
    now = foundation.clock.now()
    clock = ManualClock(now)
    manager = AdvancedRiskManager.on(replace(foundation, clock=clock))
    for number in range(manager.config.order_config.max_orders_per_minute):
        order(manager, "KO", "buy", 100.0 + number)
    assert "RATE_LIMIT" in order(manager, "KO", "buy", 50.0).rejection_reasons
    clock.move_to(now - timedelta(hours=1))
    assert "RATE_LIMIT" not in order(manager, "KO", "buy", 51.0).rejection_reasons


def test_an_execution_id_of_an_open_request_is_never_forgotten(foundation, monkeypatch):
    monkeypatch.setattr("risk_management.core.steps.records.KEPT_SETTLED", 3)
    manager = AdvancedRiskManager.on(replace(foundation, clock=ManualClock(foundation.clock.now())))
    manager.update_prices({"KO": 100.0})
    asked = order(manager, "KO", "buy", 500.0)
    manager.execute_trade(FillReport(asked.request_id, 100.0, 100.0, execution_id="first", final=False))
    for number in range(300):
        manager.record_fill("KO", "buy", 1e-6, 100.0, execution_id=f"other-{number}")
    assert "other-0" not in manager.state.executions
    again = FillReport(asked.request_id, 100.0, 100.0, execution_id="first", final=False)
    assert manager.execute_trade(again).duplicate


def test_a_fill_of_another_environment_is_refused(manager):
    manager.update_prices({"KO": 100.0})
    asked = order(manager, "KO", "buy", 500.0)
    before = manager.state
    with pytest.raises(InvalidRequest, match="a live fill can't be booked in a paper book"):
        manager.execute_trade(FillReport(asked.request_id, 500.0, 100.0, environment="live"))
    assert manager.state.positions == before.positions  # recorded, not booked
    assert manager.state.reservations == before.reservations
    assert manager.desk.unknown_reports[-1].environment == "live"
    assert manager.execute_trade(FillReport(asked.request_id, 500.0, 100.0, environment="paper")).booked


def test_an_unapproved_fill_is_booked_once_and_a_conflict_is_said(manager):
    manager.record_fill("KO", "buy", 1.0, 100.0, execution_id="e")
    version = manager.state.version
    manager.record_fill("KO", "buy", 1.0, 100.0, execution_id="e")
    assert manager.state.version == version
    with pytest.raises(InvalidRequest, match="EXECUTION_CONFLICT"):
        manager.record_fill("KO", "buy", 2.0, 100.0, execution_id="e")
    with pytest.raises(InvalidRequest, match="price"):
        manager.record_fill("NEWCO", "buy", 2.0, -1.0, execution_id="f")
    assert "NEWCO" not in manager.state.instruments


def test_a_stop_risk_of_nothing_is_no_stop(manager):
    manager.update_prices({"KO": 100.0})
    with_none = manager.evaluate_trade("KO", "buy", 500.0)
    with_zero = manager.evaluate_trade("KO", "buy", 500.0, risk_amount=0.0)
    assert with_zero.findings == with_none.findings


WRONG_CALLS = [
    lambda m: m.use_model(None),
    lambda m: m.import_positions([None]),
    lambda m: m.request_trade(None),
    lambda m: m.execute_trade(None),
    lambda m: m.set_bot_enabled([], enabled=False),
    lambda m: m.record_fill("KO", [], 1.0, 1.0, execution_id="e"),
    lambda m: m.record_fill("KO", "buy", 1.0, 1.0, execution_id=[]),
    lambda m: m.add_position("KO", 1e-9, 1e6),
    lambda m: m.record_split("KO", 1e-12),
]


@pytest.mark.parametrize("call", WRONG_CALLS, ids=range(len(WRONG_CALLS)))
def test_a_wrong_call_is_said_in_words_and_changes_nothing(manager, call):
    before = manager.state
    with pytest.raises(InvalidRequest, match=r"needed|must|got|less"):
        call(manager)
    assert manager.state is before


def test_a_late_fill_within_what_was_approved_is_no_overfill(manager):
    manager.update_prices({"KO": 100.0})
    asked = order(manager, "KO", "buy", 500.0)
    manager.desk.cancel(asked.request_id)
    late = manager.execute_trade(FillReport(asked.request_id, 300.0, 100.0, execution_id="1"))
    assert late.flags == ("LATE_FILL",)
    more = manager.execute_trade(FillReport(asked.request_id, 300.0, 100.0, execution_id="2"))
    assert more.flags == ("LATE_FILL", "OVERFILL")


def test_a_reduce_only_order_closes_and_never_opens(manager):
    held(manager, money=1000.0)
    asked = manager.request_trade(OrderTicket("KO", "sell", 1500.0, bot_name="a", reduce_only=True))
    assert (asked.recommended_size, asked.opening_size) == (pytest.approx(1000.0), 0.0)
    assert asked.rejection_reasons == ("NOTHING_TO_CLOSE",)
    far = manager.desk.ask(OrderTicket("KO", "sell", 9_000.0, bot_name="a", reduce_only=True))
    assert far.rejection_reasons == ("NOTHING_TO_CLOSE",)
    manager.execute_trade(FillReport(asked.request_id, 1000.0, 100.0))
    again = manager.request_trade(OrderTicket("KO", "sell", 700.0, bot_name="a", reduce_only=True))
    assert not again.approved
    assert again.rejection_reasons == ("NOTHING_TO_CLOSE",)
    manager.emergency_stop("a drill")
    halted = manager.request_trade(OrderTicket("KO", "sell", 600.0, bot_name="a", reduce_only=True))
    assert halted.rejection_reasons == ("HALTED",)
    with pytest.raises(InvalidRequest, match="reduce_only"):
        manager.request_trade(OrderTicket("KO", "sell", 700.0, bot_name="a", reduce_only="yes"))


def test_a_bots_close_in_an_emergency_stop_says_only_that(manager):
    held(manager)
    manager.emergency_stop("a drill")
    refused = order(manager, "KO", "sell", 1000.0)
    assert refused.rejection_reasons == ("HALTED",)
    assert manager.request_trade(OrderTicket("KO", "sell", 1000.0)).approved


def test_a_doubted_price_is_named_to_bots_and_people(manager):
    held(manager)
    manager.update_prices({"KO": 30.0, "PG": 100.0})
    refused = order(manager, "PG", "buy", 100.0)
    assert "PRICE_QUARANTINED" in refused.rejection_reasons
    assert "KO" in refused.explain()
    seen = manager.look()
    assert not seen.new_trades_allowed
    assert any("KO" in reason for reason in seen.blocked_by)


def test_a_refused_order_may_come_again_at_once(manager):
    manager.set_mode(TradingMode.REDUCING, "look", scope=Scope.SYMBOL, name="PG", actor="me")
    manager.update_prices({"PG": 100.0})
    assert not order(manager, "PG", "buy", 100.0).approved
    manager.set_mode(TradingMode.ACTIVE, "fine", scope=Scope.SYMBOL, name="PG", actor="me")
    assert order(manager, "PG", "buy", 100.0).approved
    assert "DUPLICATE_INTENT" in order(manager, "PG", "buy", 100.0).rejection_reasons


def test_a_low_price_does_not_make_many_units_of_the_approved_money(manager):
    manager.update_prices({"KO": 100.0})
    asked = order(manager, "KO", "buy", 1000.0)
    booked = manager.execute_trade(FillReport(asked.request_id, 1000.0, 60.0))
    assert booked.flags == ("OVERFILL", "OFF_PRICE")
    assert manager.state.mode_of(Scope.BOT, "a") is TradingMode.REDUCING
    assert "REDUCING" in order(manager, "PG", "buy", 100.0).rejection_reasons
    manager.set_mode(TradingMode.ACTIVE, "looked at", scope=Scope.BOT, name="a", actor="me")
    assert manager.state.mode_of(Scope.BOT, "a") is TradingMode.ACTIVE


@pytest.mark.parametrize(("quantity", "flags"), [(None, ()), (1000.0 / 92.0, ("OVERFILL",))])
def test_the_approved_money_spent_in_a_market_that_fell_is_no_overfill(manager, quantity, flags):
    """Ten units were approved at 100; at 92 the same money buys 10.87 of them."""
    manager.update_prices({"KO": 100.0})
    asked = order(manager, "KO", "buy", 1000.0)
    for _ in range(2):
        manager.update_prices({"KO": 92.0})
    report = FillReport(asked.request_id, 1000.0, 92.0, quantity=quantity)
    assert manager.execute_trade(report).flags == flags
    assert (manager.state.mode_of(Scope.BOT, "a") is TradingMode.ACTIVE) is (flags == ())


def test_a_first_quote_far_from_a_fill_of_today_is_doubted(manager):
    asked = order(manager, "AAPL", "buy", 1000.0)
    manager.execute_trade(FillReport(asked.request_id, 1000.0, 18.0))
    assert manager.update_prices({"AAPL": 170.0}).quarantined == ("AAPL",)
    assert manager.state.equity == pytest.approx(10_000.0)
    assert not order(manager, "PG", "buy", 100.0).approved


@pytest.mark.parametrize("price", [95.0, 100.0, 120.0])
def test_a_close_reported_in_money_in_two_parts_is_flat(manager, price):
    held(manager)
    asked = order(manager, "KO", "sell", 1000.0)
    for number in range(2):
        report = FillReport(asked.request_id, 500.0, price, execution_id=str(number))
        assert "OVERFILL" not in manager.execute_trade(report).flags
    assert not manager.state.positions
    assert not manager.state.reservations


def test_other_numbers_under_a_known_execution_id_are_a_conflict(manager):
    manager.update_prices({"KO": 100.0})
    asked = order(manager, "KO", "buy", 1000.0)
    manager.execute_trade(FillReport(asked.request_id, 500.0, 100.0, execution_id="e", final=False))
    with pytest.raises(InvalidRequest, match="EXECUTION_CONFLICT"):
        manager.execute_trade(FillReport(asked.request_id, 545.0, 100.0, execution_id="e", final=False))
    again = FillReport(asked.request_id, 500.0, 100.0, execution_id="e", final=False)
    assert manager.execute_trade(again).duplicate


class Unshowable:
    def __repr__(self):
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "value", [10**5000, Unshowable(), [], None], ids=["huge", "unshowable", "list", "none"]
)
def test_an_error_text_never_fails(manager, value):
    for call in (
        lambda: manager.evaluate_trade(value, "buy", 100.0),
        lambda: manager.evaluate_trade("KO", value, 100.0),
        lambda: manager.evaluate_trade("KO", "buy", value),
        lambda: manager.update_prices({str(type(value)): 1.0}),
        lambda: manager.set_bot_enabled(value, enabled=True),
        lambda: manager.record_cash(value, 1.0),
    ):
        with pytest.raises(InvalidRequest):
            call()
    with pytest.raises(InvalidRequest):
        manager.desk.decision(value)


def test_mappings_of_settings_in_use_are_sealed_too(manager):
    settings = manager.config
    for change in (
        lambda: settings.portfolio_limits.strategy_budgets.update(x=9.0),
        lambda: settings.market_data_config.quote_age.__setitem__("equity", 1e9),
        lambda: settings.market_data_config.sectors.setdefault("KO", "none"),
    ):
        with pytest.raises(ConfigurationError, match="in use"):
            change()
    fresh = settings.update(portfolio_limits={"strategy_budgets": {"x": 0.2}})
    manager.reconfigure(fresh)
    assert manager.config.portfolio_limits.strategy_budgets == {"x": 0.2}
    copy = manager.config.model_copy(deep=True)
    copy.market_data_config.quote_age["equity"] = 30.0
    assert manager.config.market_data_config.quote_age["equity"] == 60.0


def test_a_misspelt_section_of_the_environment_is_named(monkeypatch):
    monkeypatch.setenv("RISK__PORTFOLIO_LIMIT__MAX_SINGLE_POSITION", "0.01")
    with pytest.raises(ConfigurationError, match="did you mean RISK__PORTFOLIO_LIMITS"):
        load_risk_config()


@pytest.mark.parametrize(
    "facts", [{"sector": {}}, {"asset_class": []}, {"currency": []}, {"shortable": "no"}]
)
def test_an_instrument_of_wrong_words_is_refused(manager, facts):
    with pytest.raises(InvalidRequest):
        manager.define_instrument(Instrument("XYZ", **facts))


def test_a_contract_in_another_currency_is_refused(manager):
    """Its profit alone moves with the rate: booked at its notional it would make up equity."""
    with pytest.raises(InvalidRequest, match="UNSUPPORTED_CONTRACT: DAX settles in EUR"):
        manager.define_instrument(Instrument("DAX", currency="EUR", kind=ContractKind.LINEAR))
    manager.define_instrument(Instrument("SAP", currency="EUR"))
    manager.define_instrument(Instrument("ES", kind=ContractKind.LINEAR))


def test_a_rate_that_moves_far_is_confirmed_by_a_person(manager):
    manager.define_instrument(Instrument("SAP", currency="EUR"))
    manager.set_rate("EUR", 1.0)
    manager.add_position("SAP", 1000.0, 100.0)
    before = manager.state
    with pytest.raises(InvalidRequest, match="RATE_JUMP"):
        manager.set_rate("EUR", 0.9)
    assert manager.state is before
    manager.set_rate("EUR", 1.04)
    manager.set_rate("EUR", 0.9, confirmed=True)
    assert manager.state.rates["EUR"].value == 0.9


@pytest.mark.parametrize("price", [15_000.0, 15.0])
def test_a_fill_nobody_approved_at_a_price_beyond_belief_is_set_aside(manager, price):
    held(manager, "AAPL", 1000.0, 150.0)
    before = manager.state
    with pytest.raises(InvalidRequest, match="PRICE_OUTLIER"):
        manager.record_fill("AAPL", "sell", 5.0, price, execution_id="e1")
    assert manager.state.positions == before.positions
    assert manager.state.equity == before.equity
    assert manager.state.mode_of(Scope.SYMBOL, "AAPL") is TradingMode.REDUCING
    manager.record_fill("AAPL", "sell", 5.0, 151.0, execution_id="e1")
    assert manager.state.cash == pytest.approx(before.cash + 755.0)


def test_a_fee_that_is_dearer_than_an_unapproved_fill_is_refused(manager):
    held(manager, "AAPL", 1000.0, 150.0)
    with pytest.raises(InvalidRequest, match="more than the fill itself"):
        manager.record_fill("AAPL", "buy", 1.0, 150.0, execution_id="e1", fee=1_000.0)
    assert manager.state.cash == pytest.approx(9_000.0)


def test_a_foreign_fill_is_the_same_after_the_rate_moved(manager):
    manager.define_instrument(Instrument("SAP", currency="EUR"))
    manager.set_rate("EUR", 1.10)
    for rate in (1.10, 1.12, 1.08):
        manager.set_rate("EUR", rate)
        manager.record_fill("SAP", "buy", 5.0, 100.0, execution_id="e1")
    assert len(manager.state.positions) == 1
    for units, price in ((6.0, 100.0), (5.0, 104.0)):
        with pytest.raises(InvalidRequest, match="EXECUTION_CONFLICT"):
            manager.record_fill("SAP", "buy", units, price, execution_id="e1")


def test_without_a_price_of_ours_what_was_paid_is_what_is_believed(manager):
    manager.add_position("AAPL", 1_500.0, 150.0)
    with pytest.raises(InvalidRequest, match="PRICE_OUTLIER"):
        manager.record_fill("AAPL", "sell", 5.0, 15_000.0, execution_id="e1")
    assert manager.state.equity == pytest.approx(10_000.0)


def test_an_account_gives_no_more_than_it_has(manager):
    manager.record_cash("deposit", 5_000.0, account_id="two")
    with pytest.raises(InvalidRequest, match=r"equity of two is 5,000\.00"):
        manager.record_cash("withdrawal", 6_000.0, account_id="two")
    manager.record_cash("withdrawal", 4_000.0, account_id="two")
    assert manager.state.accounts["two"].balance == 1_000.0
    manager.record_cash("fee", -1_000.0, account_id="two")
    with pytest.raises(InvalidRequest, match=r"equity of two is 0\.00"):
        manager.record_cash("withdrawal", 1.0, account_id="two")


def test_a_fee_goes(manager):
    with pytest.raises(InvalidRequest, match="a fee goes: give it below 0, such as -5"):
        manager.record_cash("fee", 5.0)
    manager.record_cash("fee", -5.0)
    assert manager.state.equity == pytest.approx(9_995.0)
