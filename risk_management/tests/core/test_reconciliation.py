"""The broker's truth against ours: what is explained, what counts at once, what waits for a second word."""

from __future__ import annotations

import random

import pytest

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.fill_report import FillReport
from risk_management.core.order_desk import OrderTicket
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.core.taking_up import hold_until_reconciled
from risk_management.errors import InvalidRequest
from risk_management.model.instrument import ContractKind, Instrument
from risk_management.model.portfolio import EXTERNAL, Scope, TradingMode
from risk_management.store.snapshot import snapshot_bytes, standing_from

UNIT = 10**8


def units(manager, symbol="KO"):
    return sum(p.quantity for p in manager.state.positions.values() if p.symbol == symbol) / UNIT


@pytest.fixture
def held(make_manager):
    manager, clock = make_manager(environment="paper")
    manager.register_bot("a", "s", 5000.0)
    manager.add_position("KO", 600.0, 60.0, "s", bot_name="a")
    manager.update_prices({"KO": 60.0})
    return manager, clock


def test_what_is_the_same_changes_nothing(held):
    manager, _ = held
    before = manager.state
    found = manager.reconcile({"KO": 10.0}, cash=9400.0, open_orders=[])
    assert found.is_clean
    assert manager.state is before


def test_units_worth_less_than_a_cent_are_the_same(held):
    """Money fills give units of eight digits, a broker keeps six; a person who settles has it exactly."""
    manager, _ = held
    assert manager.reconcile({"KO": 9.99999}).is_clean
    assert not manager.state.holds
    assert not manager.reconcile({"KO": 9.9998}).is_clean
    manager.reconcile({"KO": 9.99999}, settle=True)
    assert units(manager) == 9.99999


def test_no_price_however_wrong_makes_a_position_dust(make_manager):
    """Of a million units at a price of nearly nothing all but a ten-thousandth was sold: its entry is 0."""
    manager, _ = make_manager(environment="paper")
    manager.add_position("SHIB", 10.0, 1e-5)
    manager.record_fill("SHIB", "sell", 999_999.9999, 1e-5, execution_id="e1")
    found = manager.reconcile({"SHIB": 5e9}, prices={"SHIB": 1e-5})
    assert [one.subject for one in found.adopted] == ["SHIB"]
    assert not manager.reconcile({"SHIB": -5e9}, prices={"SHIB": 1e-5}).is_clean


def test_another_spelling_at_the_broker_is_no_symbol_here(held):
    manager, _ = held
    found = manager.reconcile({"ko": 10.0, "KO": 10.0})
    assert [(b.kind, b.subject, b.broker / UNIT) for b in found.breaks] == [("name", "'ko'", 10.0)]
    assert "ko" not in manager.state.instruments
    assert not manager.request_trade(OrderTicket("PG", "buy", 100.0, "s", "a")).approved
    assert manager.reconcile({"KO": 10.0}).is_clean


def test_more_at_the_broker_counts_at_once_and_belongs_to_nobody_here(held):
    manager, _ = held
    equity = manager.state.equity
    found = manager.reconcile({"KO": 25.0, "PG": -3.0}, prices={"PG": 140.0})
    assert {b.subject for b in found.adopted} == {"KO", "PG"}
    owners = {(p.key.bot, p.symbol): p.quantity / UNIT for p in manager.state.positions.values()}
    assert owners == {("a", "KO"): 10.0, (EXTERNAL, "KO"): 15.0, (EXTERNAL, "PG"): -3.0}
    assert manager.state.equity == pytest.approx(equity)
    assert manager.reconcile({"KO": 25.0, "PG": -3.0}).is_clean


def test_less_at_the_broker_waits_for_a_second_word(held):
    manager, _ = held
    first = manager.reconcile({"KO": 4.0})
    assert [(b.subject, b.ours / UNIT, b.broker / UNIT) for b in first.breaks] == [("KO", 10.0, 4.0)]
    assert units(manager) == 10.0
    assert manager.state.mode_of(Scope.SYMBOL, "KO") is TradingMode.REDUCING
    assert not manager.request_trade(OrderTicket("KO", "buy", 100.0, "s", "a")).approved
    second = manager.reconcile({"KO": 4.0})
    assert second.is_clean
    assert units(manager) == 4.0
    assert manager.state.mode_of(Scope.SYMBOL, "KO") is TradingMode.ACTIVE
    assert not manager.state.breaks


def test_a_word_that_changes_confirms_nothing(held):
    manager, _ = held
    manager.reconcile({"KO": 4.0})
    assert not manager.reconcile({"KO": 5.0}).is_clean
    assert units(manager) == 10.0
    assert manager.reconcile({"KO": 10.0}).is_clean
    assert manager.state.mode_of(Scope.SYMBOL, "KO") is TradingMode.ACTIVE


def test_an_account_that_agrees_frees_no_other_account(held):
    manager, _ = held
    manager.record_cash("deposit", 5000.0, account_id="second")
    manager.reconcile({"KO": 4.0})
    assert manager.reconcile({}, cash=5000.0, account_id="second").is_clean
    assert manager.state.mode_of(Scope.SYMBOL, "KO") is TradingMode.REDUCING
    assert "RECONCILIATION_BREAK" in {a.rule_id for a in manager.alert_manager.active}
    assert manager.reconcile({"KO": 10.0}).is_clean
    assert manager.state.mode_of(Scope.SYMBOL, "KO") is TradingMode.ACTIVE
    assert not manager.alert_manager.active


def test_what_is_not_told_stays_as_it_was_found(held):
    manager, _ = held
    manager.reconcile({"KO": 10.0}, cash=2000.0, open_orders=["rogue-1"])
    partial = manager.reconcile({"KO": 10.0})
    assert [b.kind for b in partial.breaks] == ["order", "cash"]
    assert manager.state.mode is TradingMode.REDUCING
    assert [b.kind for b in manager.reconcile({"KO": 10.0}, open_orders=[]).breaks] == ["cash"]
    assert manager.reconcile({"KO": 10.0}, cash=9400.0).is_clean
    assert manager.state.mode is TradingMode.ACTIVE


def test_a_person_settles_at_once(held):
    manager, _ = held
    found = manager.reconcile({"KO": -2.0}, cash=9000.0, settle=True, actor="ann")
    assert found.is_clean
    assert units(manager) == -2.0
    assert manager.state.accounts["main"].cash == 9000 * UNIT


def test_a_fill_that_nobody_told_yet_is_awaited(held):
    manager, _ = held
    order = manager.request_trade(OrderTicket("KO", "buy", 300.0, "s", "a"))
    found = manager.reconcile({"KO": 15.0}, cash=9100.0, open_orders=[])
    assert found.awaited == ("KO",)
    assert found.is_clean
    assert units(manager) == 10.0
    manager.execute_trade(FillReport(order.request_id, 300.0, 60.0, execution_id="x"))
    assert manager.reconcile({"KO": 15.0}, cash=9100.0, open_orders=[]).is_clean
    assert units(manager) == 15.0


def test_an_approval_past_its_time_is_settled_by_what_the_broker_holds(held):
    manager, clock = held
    filled = manager.request_trade(OrderTicket("KO", "buy", 300.0, "s", "a"))
    never_sent = manager.request_trade(OrderTicket("PG", "buy", 280.0, "s", "a"))
    clock.advance(400.0)
    manager.update_prices({"KO": 60.0})
    manager.desk.expire()
    kept = manager.reconcile({"KO": 10.0})
    assert not kept.settled
    assert len(manager.state.reservations) == 2
    found = manager.reconcile({"KO": 15.0}, open_orders=[])
    assert set(found.settled) == {filled.request_id, never_sent.request_id}
    assert not manager.state.reservations
    assert {p.key.bot for p in manager.state.positions.values()} == {"a"}
    assert units(manager) == 15.0


def test_a_report_after_the_broker_s_word_explains_what_was_found(held):
    """The broker showed the fill of an approval past its time; its bot's own report books nothing more."""
    manager, clock = held
    asked = manager.request_trade(OrderTicket("KO", "buy", 300.0, "s", "a"))
    clock.advance(manager.config.order_config.reservation_life + 1.0)
    manager.update_prices({"KO": 60.0})
    manager.assess_overall_risk()
    assert asked.request_id in manager.reconcile({"KO": 15.0}).settled
    told = manager.execute_trade(FillReport(asked.request_id, 300.0, 60.0, execution_id="broker-77"))
    assert (told.duplicate, told.flags, units(manager)) == (True, (), 15.0)
    assert manager.state.mode_of(Scope.BOT, "a") is TradingMode.ACTIVE


def test_an_order_that_nobody_asked_for_is_told(held):
    manager, _ = held
    found = manager.reconcile({"KO": 10.0}, open_orders=["rogue-1"])
    assert [(b.kind, b.subject) for b in found.breaks] == [("order", "rogue-1")]
    assert "rogue-1" in found.breaks[0].explain()


def test_cash_far_off_needs_a_person(held):
    manager, _ = held
    for _ in range(3):
        assert not manager.reconcile({"KO": 10.0}, cash=2000.0).is_clean
    assert manager.state.mode is TradingMode.REDUCING
    assert manager.reconcile({"KO": 10.0}, cash=2000.0, settle=True).is_clean
    assert manager.state.mode is TradingMode.ACTIVE


def test_cash_beyond_the_tolerance_is_booked_on_the_second_word(held):
    manager, _ = held
    assert not manager.reconcile({"KO": 10.0}, cash=9388.5).is_clean
    assert manager.state.mode is TradingMode.REDUCING
    assert manager.reconcile({"KO": 10.0}, cash=9388.5).is_clean
    assert manager.state.equity == pytest.approx(9988.5)
    assert manager.state.high_water_mark == pytest.approx(10_000.0)


def test_cash_that_fees_took_is_booked_at_once_without_a_hold(held):
    manager, _ = held
    found = manager.reconcile({"KO": 10.0}, cash=9399.65)
    assert found.is_clean
    assert [(b.ours / UNIT, b.broker / UNIT) for b in found.tolerated] == [(9400.0, 9399.65)]
    assert found.adopted == ()
    assert manager.state.mode is TradingMode.ACTIVE
    assert not manager.state.holds
    assert not manager.alert_manager.active
    assert manager.state.cash == 9399.65
    assert manager.state.equity == pytest.approx(9999.65)
    assert manager.state.high_water_mark == pytest.approx(10_000.0)  # a loss, no withdrawal


def test_the_cash_of_a_fill_that_was_lost_is_booked_once_with_its_units(held):
    """The broker sold 0.1 at 60, which nobody told: 6 money are within the tolerance."""
    manager, _ = held
    first = manager.reconcile({"KO": 9.9}, cash=9406.0)
    assert ([b.kind for b in first.breaks], first.tolerated) == (["position"], ())
    assert manager.state.cash == 9400.0
    assert manager.reconcile({"KO": 9.9}, cash=9406.0).is_clean
    assert manager.state.cash == pytest.approx(9406.0)
    assert manager.state.equity == pytest.approx(10_000.0)
    assert not manager.state.holds


def test_many_small_differences_of_a_day_are_a_leak(held):
    """0.1 % of 10,000 is 10 money: three of 3 each pass, the fourth does not, whatever its sign."""
    manager, clock = held
    cash = 9400.0
    for _ in range(3):
        cash -= 3.0
        assert manager.reconcile({"KO": 10.0}, cash=cash).tolerated
    assert manager.state.tolerated_cash.amount == 9 * UNIT
    assert not manager.reconcile({"KO": 10.0}, cash=cash + 3.0).is_clean
    assert manager.state.mode is TradingMode.REDUCING
    assert manager.reconcile({"KO": 10.0}, cash=cash + 3.0).adopted
    assert manager.state.mode is TradingMode.ACTIVE
    assert manager.state.tolerated_cash.amount == 9 * UNIT  # what was held and told twice does not count
    assert manager.reconcile({"KO": 10.0}, cash=cash + 2.5).tolerated  # 9.50 is within the day's share
    clock.advance(86_400.0)
    assert manager.reconcile({"KO": 10.0}, cash=cash - 5.0).tolerated  # a new trading day
    assert manager.state.tolerated_cash.amount == round(7.5 * UNIT)


def test_the_tolerance_is_an_exact_share_of_equity_and_may_be_nothing(make_manager):
    for share, passing, failing in ((0.001, 9_990.0, 9_989.99), (0.0, 9_999.99, 9_999.98)):
        for cash, is_clean in ((passing, True), (failing, False)):
            manager, _ = make_manager(environment="paper", broker_config={"cash_tolerance": share})
            assert manager.reconcile({}, cash=cash).is_clean is is_clean


def test_a_small_difference_ends_the_hold_of_a_larger_one(held):
    manager, _ = held
    assert not manager.reconcile({"KO": 10.0}, cash=9300.0).is_clean
    assert manager.reconcile({"KO": 10.0}, cash=9399.0).tolerated
    assert manager.state.mode is TradingMode.ACTIVE
    assert not manager.state.breaks


def test_what_was_tolerated_today_outlives_the_process(tmp_path):
    config = RiskManagementConfig(store=str(tmp_path / "risk.db"))
    with AdvancedRiskManager(config) as manager:
        assert manager.reconcile({}, cash=9994.0).tolerated
        kept = manager.state.tolerated_cash
        standing = standing_from(snapshot_bytes(manager.book.standing), lambda _: manager.state.model)
        assert standing.state.tolerated_cash == kept
    with AdvancedRiskManager(config) as again:
        assert again.state.tolerated_cash == kept
        assert not again.reconcile({}, cash=9988.0).is_clean


def test_what_has_no_price_holds_the_book(held):
    manager, _ = held
    found = manager.reconcile({"KO": 10.0, "NEW": 5.0})
    assert [b.subject for b in found.breaks] == ["NEW"]
    assert manager.state.mode is TradingMode.REDUCING
    assert manager.reconcile({"KO": 10.0, "NEW": 5.0}, prices={"NEW": 20.0}).is_clean
    assert units(manager, "NEW") == 5.0
    assert manager.state.mode is TradingMode.ACTIVE


def test_a_book_that_was_never_compared_says_what_it_still_waits_for(held):
    manager, clock = held
    hold_until_reconciled(manager.book, clock.now(), "it was restored")
    assert manager.reconcile({"KO": 10.0}).lacking == ("the cash of the account",)
    manager.add_position("PG", 300.0, 150.0, "s", bot_name="a")
    both, cash = {"KO": 10.0, "PG": 2.0}, 9100.0
    assert manager.reconcile(both, cash=cash).lacking == ("a price of PG, from a feed or the broker",)
    order = manager.request_trade(OrderTicket("KO", "sell", 600.0, "s", "a"))
    gone = manager.reconcile({"PG": 2.0}, cash=cash + 600.0, prices={"PG": 150.0})
    assert gone.lacking == ("the fills of KO: cash is compared after them",)
    assert manager.state.mode is TradingMode.REDUCING
    manager.execute_trade(FillReport(order.request_id, 600.0, 60.0, execution_id="e1"))
    assert manager.reconcile({"PG": 2.0}, cash=cash + 600.0, prices={"PG": 150.0}).lacking == ()
    assert manager.state.mode is TradingMode.ACTIVE


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ({"positions": [("KO", 1.0)]}, "WRONG_TYPE"),
        ({"positions": {"KO": float("nan")}}, "NOT_FINITE"),
        ({"positions": {"KO": True}}, "WRONG_TYPE"),
        ({"positions": {"K O": 1.0}}, "INVALID_SYMBOL"),
        ({"positions": {}, "cash": "much"}, "WRONG_TYPE"),
        ({"positions": {}, "open_orders": "x"}, "WRONG_TYPE"),
        ({"positions": {}, "prices": {"KO": 0.0}}, "NOT_POSITIVE"),
        ({"positions": {}, "account_id": "other"}, "UNKNOWN_ACCOUNT"),
    ],
)
def test_what_means_nothing_changes_nothing(held, call, code):
    manager, _ = held
    before = manager.state
    with pytest.raises(InvalidRequest) as said:
        manager.reconcile(**call)
    assert said.value.code == code
    assert manager.state is before


@pytest.mark.parametrize("seed", range(20))
def test_two_equal_words_always_end_at_the_broker_s_numbers(make_manager, seed):
    """Whatever is held, working and past its time: told twice with all orders gone, the broker is right."""
    rnd = random.Random(seed)
    manager, clock = make_manager(environment="paper")
    symbols = ("KO", "PG", "XOM", "JPM")
    manager.update_prices(dict.fromkeys(symbols, 50.0))
    for symbol in symbols[:3]:
        manager.add_position(symbol, rnd.choice((-1, 1)) * rnd.uniform(100.0, 600.0), 50.0, "s", bot_name="a")
    for number in range(4):
        side = rnd.choice(("buy", "sell"))
        manager.request_trade(
            OrderTicket(rnd.choice(symbols), side, rnd.uniform(50.0, 300.0), "s", f"b{number}")
        )
    clock.advance(400.0)
    manager.desk.expire()
    broker = {s: float(rnd.randrange(-9, 10)) for s in symbols}
    for _ in range(3):
        found = manager.reconcile(broker, open_orders=[], settle=rnd.random() < 0.3)
    assert found.is_clean
    for symbol in symbols:
        assert units(manager, symbol) == pytest.approx(broker[symbol], abs=1e-6)
    assert not manager.state.reservations
    assert manager.reconcile(broker, cash=8000.0, open_orders=[], settle=True).is_clean
    assert manager.state.cash == 8000.0


def test_several_differences_are_told_together(held):
    manager, _ = held
    manager.reconcile({"KO": 4.0, "AAPL": 1.0, "MSFT": 2.0, "XOM": 3.0, "PG": 4.0})
    (alert,) = [one for one in manager.alert_manager.active if one.rule_id == "RECONCILIATION_BREAK"]
    assert alert.message.startswith("5 differences: ")
    assert "KO" in alert.message
    assert alert.message.endswith("and 2 more")


def test_what_is_booked_says_on_whom(make_manager):
    manager, _ = make_manager()
    manager.update_prices({"KO": 60.0, "AAPL": 150.0})
    manager.add_position("KO", 600.0, 60.0, "s", bot_name="a", risk_amount=10.0)
    manager.reconcile({"KO": 4.0, "AAPL": 1.0}, settle=True)
    (alert,) = [one for one in manager.alert_manager.active if one.rule_id == "RECONCILED"]
    assert alert.message.startswith("2 differences: ")
    assert alert.message.endswith("booked to EXTERNAL, a")
    manager.reconcile({"KO": 1.0, "AAPL": 1.0}, settle=True)
    assert units(manager) == 1.0


def test_what_is_booked_of_a_difference_and_what_is_awaited_is_said(held):
    """15 of 20 more are those of nobody, 5 those of an approved order that its bot has not told."""
    manager, _ = held
    manager.request_trade(OrderTicket("KO", "buy", 300.0, "s", "a"))
    found = manager.reconcile({"KO": 30.0}, open_orders=[])
    assert found.awaited == ("KO",)
    assert units(manager) == 25.0
    (alert,) = [one for one in manager.alert_manager.active if one.rule_id == "RECONCILED"]
    assert alert.message == (
        "the broker holds 30 units of KO, we hold 10; booked to EXTERNAL; "
        "of KO +15 units are booked and +5 of approved orders awaited"
    )


def test_positions_are_named_before_orders(held):
    manager, _ = held
    manager.reconcile({"KO": 4.0}, open_orders=["o-1", "o-2", "o-3", "o-4"])
    (alert,) = [one for one in manager.alert_manager.active if one.rule_id == "RECONCILIATION_BREAK"]
    assert alert.message.startswith("5 differences: the broker holds 4 units of KO")


@pytest.mark.parametrize("settle", [False, True])
def test_no_cash_moves_with_a_future_that_the_broker_holds(make_manager, settle):
    manager, _ = make_manager()
    manager.define_instrument(Instrument("ES", "equity", "tech", multiplier=50.0, kind=ContractKind.LINEAR))
    manager.update_prices({"ES": 100.0})
    found = manager.reconcile({"ES": 1.0}, cash=10_000.0, settle=settle)
    assert (found.breaks, len(found.adopted)) == ((), 1)
    assert manager.state.cash == manager.state.equity == pytest.approx(10_000.0)
    manager.update_prices({"ES": 102.0})
    again = manager.reconcile({}, cash=10_100.0, settle=True)
    assert again.breaks == ()
    assert manager.state.cash == manager.state.equity == pytest.approx(10_100.0)


def test_a_late_future_that_the_broker_holds_moves_no_cash(make_manager):
    manager, clock = make_manager(bot_config={"probation_share": 1.0})
    manager.register_bot("a", "s", max_position_size=9_000.0)
    manager.define_instrument(Instrument("ES", "equity", "tech", kind=ContractKind.LINEAR))
    manager.update_prices({"ES": 100.0})
    decision = manager.request_trade(OrderTicket("ES", "buy", 400.0, "s", "a"))
    clock.advance(400.0)
    manager.update_prices({"ES": 100.0})
    manager.assess_overall_risk()
    found = manager.reconcile({"ES": decision.quantity}, cash=10_000.0, open_orders=[])
    assert found.settled == (decision.request_id,)
    assert found.breaks == ()
    assert manager.state.cash == pytest.approx(10_000.0)


def test_two_fills_of_one_contract_in_one_comparison_close_each_unit_once(make_manager):
    """Long 4 at 100; a sale of 2 that nobody told and one of 3 more, at 101: the profit is 4 in all."""
    manager, clock = make_manager(bot_config={"probation_share": 1.0})
    manager.register_bot("b", "s", max_position_size=9_000.0)
    manager.define_instrument(Instrument("ES", "equity", "tech", kind=ContractKind.LINEAR))
    manager.update_prices({"ES": 100.0})
    manager.record_fill("ES", "buy", 4.0, 100.0, execution_id="x", bot_name="b", strategy="s")
    manager.update_prices({"ES": 101.0})
    sold = manager.request_trade(OrderTicket("ES", "sell", 202.0, "s", "b"))
    assert sold.approved
    clock.advance(400.0)
    manager.update_prices({"ES": 101.0})
    manager.assess_overall_risk()
    manager.reconcile({"ES": -1.0}, cash=10_004.0, open_orders=[], settle=True)
    assert manager.state.cash == pytest.approx(10_004.0)
    assert manager.state.equity == pytest.approx(10_004.0)
