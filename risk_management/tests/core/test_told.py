"""What people are told when the system acts by itself: once, at once, in what it did; and when it is over."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from risk_management.alerts.records import AlertChannel
from risk_management.core.protocol import EmergencyProtocol
from risk_management.errors import InvalidRequest
from risk_management.model.alert import AlertState
from risk_management.model.money import SCALE
from risk_management.model.portfolio import Scope, TradingMode
from risk_management.model.traded import traded_text


@pytest.fixture
def book(make_manager):
    """A manager with bots and a million in it, what it told, and its clock."""

    def made(**changes):
        manager, clock = make_manager(portfolio_value=100_000.0, **changes)
        told = []
        manager.alert_manager.attach(AlertChannel("memory"), told.append)
        manager.register_bot("a", "trend", 100_000.0)
        return manager, clock, told

    return made


def hold(manager, size, strategy="trend", bot="a"):
    manager.add_position("AAPL", size, 100.0, strategy, bot_name=bot)
    manager.update_prices({"AAPL": 100.0})


def said_of(told, key):
    return [(alert.state, alert.message) for alert in told if alert.rule_id == key]


def test_a_liquidation_is_told_when_it_waits_and_again_when_it_is_done(book):
    rows = [
        {"name": "floor", "metric": "drawdown", "threshold": 0.1, "action": "liquidate", "confirmations": 2}
    ]
    manager, clock, told = book(emergency_config={"rows": rows})
    hold(manager, 95_000.0)
    for price in (97.0, 94.0, 91.0, 88.5, 88.4):
        clock.advance(5.0)
        manager.update_prices({"AAPL": price})
        manager.assess_overall_risk()
    assert not manager.state.positions
    said = said_of(told, "emergency:floor")
    assert [state for state, _ in said] == [AlertState.FIRING, AlertState.REPEATED]
    assert said[0][1].endswith("closing only, until it is confirmed")
    assert "1 positions closed, all trading stopped: sold 950 AAPL, 0 left; no broker is set" in said[1][1]
    manager.release_emergency("ann", "looked at")
    assert said_of(told, "emergency:floor")[2][0] is AlertState.RESOLVED


def test_what_an_assessment_did_is_told_once_however_long_it_took(book, monkeypatch):
    """Its rules are judged after its protocols: by then it is later, and that is no step of the clock."""
    rows = [{"name": "floor", "metric": "drawdown", "threshold": 0.1, "action": "halt"}]
    manager, clock, told = book(emergency_config={"rows": rows})
    hold(manager, 95_000.0)
    for price in (97.0, 94.0, 91.0, 88.5):
        manager.update_prices({"AAPL": price})
    step = manager.protocol.step

    def slow(*given, **named):
        clock.advance(1.0)
        return step(*given, **named)

    monkeypatch.setattr(manager.protocol, "step", slow)
    manager.assess_overall_risk()
    manager.alert_manager.evaluate({}, clock.now() - timedelta(seconds=1))  # who looked at the clock before
    assert [state for state, _ in said_of(told, "emergency:floor")] == [AlertState.FIRING]


@pytest.mark.parametrize("strategy", ["trend", ""])
def test_a_strategy_that_lost_too_much_is_told_and_let_go_on(book, strategy):
    """Orders for no strategy are one as well: a person must be able to end what holds them."""
    manager, clock, told = book(drawdown_config={"max_strategy_drawdown": 0.05})
    hold(manager, 38_000.0, strategy, "")
    for price in (97.0, 94.0, 91.0, 88.0, 85.0, 82.0, 80.0):
        clock.advance(5.0)
        manager.update_prices({"AAPL": price})
    manager.assess_overall_risk()
    assert manager.state.mode_of(Scope.STRATEGY, strategy) is TradingMode.REDUCING
    key = f"strategy_drawdown:{strategy}"
    ((state, message),) = said_of(told, key)
    assert state is AlertState.FIRING
    assert message.startswith("strategy trend: lost" if strategy else "what trades for no strategy: lost")
    assert message.endswith("it only closes until it is set ACTIVE")
    manager.set_mode(TradingMode.ACTIVE, "looked at", scope=Scope.STRATEGY, name=strategy, actor="ann")
    assert manager.state.mode_of(Scope.STRATEGY, strategy) is TradingMode.ACTIVE
    assert said_of(told, key)[1][0] is AlertState.RESOLVED
    assert (Scope.STRATEGY, strategy, "strategy_drawdown") not in manager.state.holds


def test_no_other_scope_is_without_a_name(book):
    manager, _, _ = book()
    for scope in (Scope.BOT, Scope.SYMBOL):
        with pytest.raises(InvalidRequest):
            manager.set_mode(TradingMode.REDUCING, "x", scope=scope, name="", actor="ann")


def test_equity_that_is_not_believed_is_told_until_it_is_settled(book):
    manager, clock, told = book()
    hold(manager, 10_000.0)
    assert not manager.report_equity(60_000.0)
    manager.assess_overall_risk()
    clock.advance(30.0)
    manager.assess_overall_risk()
    ((state, message),) = said_of(told, "equity")
    assert state is AlertState.FIRING
    assert "reported as 60,000.00 and the book comes to 100,000.00" in message
    assert manager.report_equity(100_000.0)
    manager.assess_overall_risk()
    assert said_of(told, "equity")[1][0] is AlertState.RESOLVED


def test_a_loss_that_hovers_at_its_row_is_no_flood_of_emergencies(book):
    rows = [
        {"name": "floor", "metric": "drawdown", "threshold": 0.1, "action": "liquidate", "confirmations": 2}
    ]
    manager, clock, told = book(emergency_config={"rows": rows})
    hold(manager, 95_000.0)
    for price in (97.0, 94.0, 91.0):
        manager.update_prices({"AAPL": price})
    for turn in range(120):
        clock.advance(5.0)
        manager.update_prices({"AAPL": 89.46 if turn % 2 else 89.49})
        manager.assess_overall_risk()
    said = said_of(told, "emergency:floor")
    assert manager.state.positions
    assert [state for state, _ in said].count(AlertState.FIRING) == 2  # ten minutes, of which five cool down
    for price in (89.0, 88.9):
        clock.advance(5.0)
        manager.update_prices({"AAPL": price})
        manager.assess_overall_risk()
    assert not manager.state.positions
    assert "1 positions closed" in said_of(told, "emergency:floor")[-1][1]  # an act waits for nothing


def test_each_trim_is_told_with_its_units_and_over_when_it_is_also_after_a_restart(book):
    rows = [{"name": "lean", "metric": "gross_exposure", "threshold": 0.5, "action": "trim", "amount": 0.5}]
    manager, clock, told = book(emergency_config={"rows": rows})
    hold(manager, 55_000.0)
    sold = []
    for price in (100.1, 101.0, 102.0):
        clock.advance(61.0)
        before = sum(p.quantity for p in manager.state.positions.values())
        manager.update_prices({"AAPL": price})
        manager.assess_overall_risk()
        sold.append(before - sum(p.quantity for p in manager.state.positions.values()))
    said = said_of(told, "emergency:lean")
    assert len(said) == len(sold)
    for units, (_, text) in zip(sold, said, strict=True):
        assert f"trimmed: sold {units / SCALE:,.10g} AAPL" in text
    assert all(units > 0 for units in sold)
    manager.protocol._told = EmergencyProtocol(manager.book, manager.desk, clock)._told  # as at a start
    clock.advance(61.0)
    manager.update_prices({"AAPL": 99.0})
    manager.assess_overall_risk()
    assert said_of(told, "emergency:lean")[-1][0] is AlertState.RESOLVED


def test_a_close_in_the_words_of_the_last_is_told_also_after_a_restart(book):
    rows = [{"name": "floor", "metric": "drawdown", "threshold": 0.1, "action": "liquidate"}]
    manager, clock, told = book(emergency_config={"rows": rows})
    hold(manager, 95_000.0)
    for price in (97.0, 94.0, 91.0, 88.0):
        clock.advance(61.0)
        manager.update_prices({"AAPL": price})
        manager.assess_overall_risk()
    for _ in range(2):
        clock.advance(61.0)
        manager.add_position("AAPL", 880.0, 88.0, "trend", bot_name="a")
        manager.update_prices({"AAPL": 88.0})
        manager.alert_manager._raised.news.forget()  # as at a start, and after a write that was lost
        manager.assess_overall_risk()
    said = [text for _, text in said_of(told, "emergency:floor") if "sold 10 AAPL, 0 left" in text]
    assert not manager.state.positions
    assert len(said) == 2
    assert said[0] == said[1]


@pytest.mark.parametrize("quiet", [0, 30])
def test_the_units_of_a_flood_of_trims_add_up(book, quiet):
    """Also where it is over before the rest of the flood was told."""
    rows = [{"name": "lean", "metric": "gross_exposure", "threshold": 0.5, "action": "trim", "amount": 0.5}]
    manager, clock, told = book(emergency_config={"rows": rows})
    hold(manager, 49_000.0)
    before = sum(p.quantity for p in manager.state.positions.values())
    prices = [100.0 * 1.002**turn for turn in range(40)]
    for price in (*prices, *[prices[-1]] * quiet, prices[-1] * 0.97):
        clock.advance(5.0)
        manager.update_prices({"AAPL": price})
        manager.assess_overall_risk()
    after = sum(p.quantity for p in manager.state.positions.values())
    said = said_of(told, "emergency:lean")
    assert said[-1][0] is AlertState.RESOLVED
    named = 0.0
    for _, text in said:  # of a fold the sum stands before the last one's words
        named += (
            float(re.search(r"sold ([\d.,]+) AAPL", text)[1].rstrip(",").replace(",", ""))
            if "sold" in text
            else 0
        )
    assert any("more of this kind, together sold" in text for _, text in said)
    assert named == pytest.approx((before - after) / SCALE)
    left = [re.search(r"AAPL, ([\d.,]+) left", text) for _, text in said]
    assert float([found for found in left if found][-1][1].replace(",", "")) == pytest.approx(after / SCALE)


def test_what_was_traded_is_said_in_a_bounded_length():
    units = {f"S{number:03d}": -(number + 1) * SCALE for number in range(100)}
    said = traded_text(units, {"S000": SCALE})
    assert said.startswith("sold 1 S000, 1 left; sold 2 S001, 0 left; ")
    more = int(re.search(r"; and (\d+) more symbols$", said)[1])
    assert said.count("left") + more == 100
    assert len(said) < 400
    assert traded_text({}) == ""
