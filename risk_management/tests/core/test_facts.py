"""Facts as they come: fills in money and units, splits, rates, journals that fail, people who let go on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from risk_management.clock import ManualClock
from risk_management.config.risk_config import EmergencyRowConfig
from risk_management.core.fill_report import FillReport
from risk_management.core.order_desk import OrderTicket
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import ConfigurationError, InvalidRequest
from risk_management.model.events import TradeDecided
from risk_management.model.instrument import ContractKind, Instrument
from risk_management.model.portfolio import Scope, TradingMode


@pytest.fixture
def manager(foundation):
    return AdvancedRiskManager.on(replace(foundation, clock=ManualClock(foundation.clock.now())))


def held(manager, symbol="KO", money=1000.0, price=100.0, bot="a"):
    manager.add_position(symbol, money, price, bot_name=bot)
    manager.update_prices({symbol: price})


def order(manager, symbol, action, size, bot="a"):
    return manager.request_trade(OrderTicket(symbol, action, size, "", bot))


@pytest.mark.parametrize(("size", "price", "cash"), [(1030.0, 103.0, 10_030.0), (900.0, 90.0, 9_900.0)])
def test_a_close_reported_in_money_is_units_at_its_price(manager, size, price, cash):
    held(manager)
    asked = order(manager, "KO", "sell", 1000.0)
    execution = manager.execute_trade(FillReport(asked.request_id, size, price, execution_id="x"))
    assert execution.flags == ()
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
    execution = manager.execute_trade(FillReport(asked.request_id, 200.0, 80.0, quantity=5.0))
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
    manager.set_rate("JPY", 0.011)


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


def test_what_the_journal_did_not_keep_did_not_happen(foundation):
    def journal(event):
        if isinstance(event, TradeDecided):
            raise OSError("disk full")

    manager = AdvancedRiskManager.on(foundation, journal=journal)
    with pytest.raises(OSError, match="disk full"):
        manager.request_trade(OrderTicket("KO", "buy", 100.0, "", "a", request_id="r"))
    assert not manager.state.reservations


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
    manager.update_prices({"KO": 40.0})
    manager.assess_overall_risk()
    assert not manager.state.bots["a"].enabled
    assert entry.request_id in manager.state.settled


def test_an_open_loss_of_a_strategy_counts_before_it_closed_anything(manager):
    manager.reconfigure(manager.config.update(portfolio_limits={"strategy_budgets": {"s1": 0.15}}))
    manager.add_position("KO", 1200.0, 100.0, "s1", bot_name="a")
    manager.update_prices({"KO": 100.0})
    manager.assess_overall_risk()
    manager.update_prices({"KO": 60.0})
    manager.assess_overall_risk()
    assert manager.state.mode_of(Scope.STRATEGY, "s1") is TradingMode.REDUCING


def test_a_person_opens_the_recovery_tranche_without_a_liquidation(manager):
    manager.record_cash("fee", -1700.0)
    manager.assess_overall_risk()
    assert manager.state.drawdown.effective_multiplier == 0.0
    assert any("recovery tranche" in said for said in manager.release_emergency("eve", "reviewed"))
    assert manager.state.drawdown.effective_multiplier == 0.25
