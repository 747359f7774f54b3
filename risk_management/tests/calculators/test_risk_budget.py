"""Splits of a risk budget over strategies, their durability, and what each look does by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from risk_management.calculators.risk_budget import RiskBudgetAllocator
from risk_management.core.order_desk import OrderTicket
from risk_management.errors import InvalidRequest
from risk_management.measures.budget import equal_risk_contribution, inverse_volatility
from risk_management.measures.dependence import correlation
from risk_management.model.amend import amended
from risk_management.model.budget import StrategyDay
from risk_management.model.portfolio import StrategyRecord
from risk_management.model.risk_model import RiskModel
from risk_management.store.snapshot import state_hash

SCALE = 10**8


def three(manager):
    for bot, strategy in (("a", "carry"), ("b", "momentum"), ("c", "value")):
        manager.register_bot(bot, strategy)
    manager.add_position("AMD", 400.0, 60.0, "carry", bot_name="a")
    manager.add_position("JPM", 500.0, 130.0, "momentum", bot_name="b")
    manager.add_position("PG", 700.0, 150.0, "value", bot_name="c")
    return manager


@pytest.fixture
def manager(make_manager):
    return three(make_manager()[0])


def moves(model: RiskModel, *symbols):
    return model.scenarios[:, [model.columns[s] for s in symbols]]


class TestSplits:
    def test_equal(self, manager):
        found = manager.allocate_risk_budget(0.03, "equal")
        assert [row.weight for row in found.strategies] == pytest.approx([1 / 3] * 3)
        assert [row.budget for row in found.strategies] == pytest.approx([100.0] * 3)
        assert found.in_force
        assert found.total == pytest.approx(300.0)

    def test_by_volatility_of_what_is_held(self, manager):
        found = manager.allocate_risk_budget(0.03, "inverse_volatility")
        deviations = moves(manager.state.model, "AMD", "JPM", "PG").std(axis=0, ddof=1)
        expected = (1.0 / deviations) / (1.0 / deviations).sum()
        assert [row.weight for row in found.strategies] == pytest.approx(expected.tolist())
        assert "not the strategies' own record" in found.leans_on[0]
        assert "sample data, for demonstration" in found.leans_on

    def test_by_risk_parity_full_use_contributes_equally(self, manager):
        found = manager.allocate_risk_budget(0.03, "risk_parity")
        returns = moves(manager.state.model, "AMD", "JPM", "PG")
        shrunk = correlation(returns, "ledoit_wolf")
        weights = np.array([row.weight for row in found.strategies])
        parts = weights * (shrunk @ weights)
        np.testing.assert_allclose(parts / parts.sum(), 1 / 3, rtol=1e-6)
        assert weights == pytest.approx(equal_risk_contribution(shrunk))

    def test_fixed_shares_and_what_they_leave(self, make_manager):
        manager = three(make_manager(budget_config={"fixed_shares": {"value": 0.5}})[0])
        found = manager.allocate_risk_budget(0.02, "fixed", "var")
        assert [row.weight for row in found.strategies] == pytest.approx([0.25, 0.25, 0.5])

    def test_sharpe_of_own_days(self, make_manager):
        manager, _ = make_manager()
        three(manager)
        rng = np.random.default_rng(5)
        day = manager.state.drawdown.day
        means = {"carry": 3.0, "momentum": 0.5, "value": -3.0}
        records = {}
        for name, mean in means.items():
            profits = rng.normal(mean, 5.0, 250)
            days = tuple(
                StrategyDay(day - timedelta(days=250 - n), int(p * SCALE), 1000 * SCALE)
                for n, p in enumerate(profits)
            )
            records[name] = StrategyRecord(days=days)
        head = manager.book._head
        manager.book._head = manager.book._durable = replace(
            head, state=amended(head.state, strategies=records)
        )
        found = manager.allocate_risk_budget(0.03, "sharpe", preview=True)
        ratios = [np.mean([d.profit for d in r.days]) / np.std([d.profit for d in r.days], ddof=1)
                  for r in records.values()]  # fmt: skip
        assert ratios[0] > ratios[1] > ratios[2]
        weights = {row.strategy: row.weight for row in found.strategies}
        least = manager.config.kelly_config.test_share / 3
        assert weights["carry"] > weights["momentum"] > weights["value"]
        assert weights["value"] == pytest.approx(least)
        assert sum(weights.values()) == pytest.approx(1.0)
        assert "own profits of 250 trading days" in found.leans_on[0]
        by_risk = manager.allocate_risk_budget(0.03, "inverse_volatility", preview=True)
        deviations = [np.std([d.profit for d in r.days], ddof=1) for r in records.values()]
        expected = inverse_volatility(deviations)
        assert [row.weight for row in by_risk.strategies] == pytest.approx(expected.tolist())

    def test_one_that_can_t_be_measured_gets_an_equal_share_and_says_why(self, manager):
        manager.register_bot("d", "asleep")
        found = manager.allocate_risk_budget(0.03, "inverse_volatility")
        asleep = found.of("asleep")
        assert asleep.weight == pytest.approx(0.25)
        assert "holds nothing and has 0 days of its own, 60 are needed" in asleep.reasons[0]
        assert sum(row.weight for row in found.strategies) == pytest.approx(1.0)

    @pytest.mark.parametrize("method", ["inverse_volatility", "risk_parity", "sharpe"])
    def test_too_little_is_said_and_split_equally(self, make_manager, method):
        manager, _ = make_manager()
        manager.register_bot("a", "one")
        manager.register_bot("b", "two")
        found = manager.allocate_risk_budget(0.03, method)
        assert [row.weight for row in found.strategies] == [0.5, 0.5]
        assert "too little is known" in found.reasons[0]
        assert "too little is known" in found.explain()

    def test_the_default_total_is_the_portfolio_s_own_limit(self, manager):
        config = manager.config
        limits = {
            "var": config.var_config.daily_var_limit,
            "es": config.var_config.daily_es_limit,
            "drawdown": config.drawdown_config.max_portfolio_drawdown,
        }
        for measure, limit in limits.items():
            found = manager.allocate_risk_budget(method="equal", measure=measure, preview=True)
            assert found.total_pct == limit

    @pytest.mark.parametrize(
        ("words", "code"),
        [
            ({"method": "astrology"}, "UNKNOWN_METHOD"),
            ({"method": "equal", "measure": "luck"}, "UNKNOWN_METHOD"),
            ({}, "MISSING_FIELD"),
            ({"method": "equal", "budget": 2.0}, "OUT_OF_RANGE"),
            ({"method": "equal", "budget": float("nan")}, "NOT_FINITE"),
            ({"method": "equal", "budget": 0.0}, "NOT_POSITIVE"),
            ({"method": "equal", "strategies": "carry"}, "WRONG_TYPE"),
            ({"method": "equal", "strategies": []}, "MISSING_FIELD"),
            ({"method": "equal", "strategies": [f"s{n}" for n in range(201)]}, "OUT_OF_RANGE"),
        ],
    )
    def test_what_means_nothing_changes_nothing(self, manager, words, code):
        before = manager.state
        with pytest.raises(InvalidRequest) as problem:
            manager.allocate_risk_budget(**words)
        assert problem.value.code == code
        assert manager.state is before


class TestTheView:
    def test_contributions_add_up_to_the_book_s(self, manager):
        found = manager.allocate_risk_budget(0.03, "equal", "es")
        es = manager.look().metrics["es_975"] * manager.state.equity
        assert sum(row.contribution for row in found.strategies) == pytest.approx(es)
        assert found.book == pytest.approx(es)
        assert found.used >= found.book - 1e-9

    def test_a_preview_sees_the_same_and_changes_nothing(self, manager):
        before = manager.state
        preview = manager.allocate_risk_budget(0.03, "equal", "es", preview=True)
        assert manager.state is before
        assert not preview.in_force
        made = manager.allocate_risk_budget(0.03, "equal", "es")
        assert replace(preview, in_force=True) == made

    def test_loans_add_up(self, make_manager):
        manager = three(make_manager(budget_config={"borrowing": "unused"})[0])
        found = manager.allocate_risk_budget(0.006, "equal", "es")
        borrowed = sum(row.borrowed for row in found.strategies)
        assert borrowed > 0.0
        assert sum(row.lent for row in found.strategies) <= borrowed + 1e-9
        for row in found.strategies:
            assert row.borrowed == 0.0 or row.lent == 0.0
            assert row.room == max(0.0, row.limit - row.used)

    def test_what_is_over_is_no_loan(self, make_manager):
        """Nobody lends where borrowing is off, and no loan goes beyond what a strategy may use."""
        for borrowing in ("none", "unused"):
            manager = three(make_manager(budget_config={"borrowing": borrowing, "borrow_cap": 0.01})[0])
            found = manager.allocate_risk_budget(0.006, "equal", "es")
            (over,) = (row for row in found.strategies if row.used > row.limit)
            assert over.borrowed == pytest.approx(over.limit - over.budget)
            assert f"it is over by {over.used - over.limit:,.2f}" in found.explain()
            lent = sum(row.lent for row in found.strategies)
            assert lent == pytest.approx(sum(row.borrowed for row in found.strategies))
            assert (lent == 0.0) is (borrowing == "none")

    def test_limits_and_the_metric_say_the_same(self, manager):
        manager.allocate_risk_budget(0.01, "equal", "es")
        seen = manager.assess_overall_risk()
        rows = {use.subject: use for use in seen.limits if use.name == "budget"}
        assert set(rows) == {"carry", "momentum", "value"}
        for row in manager.risk_budget().strategies:
            assert rows[row.strategy].use == pytest.approx(row.use)
        assert seen.metrics["budget_use"] == max(use.use for use in rows.values())

    def test_an_alert_tells(self, manager):
        assert manager.look().metrics["budget_use"] == 0.0
        manager.allocate_risk_budget(0.001, "equal", "es")
        alerts = manager.assess_overall_risk().alerts
        assert any("risk that its budget" in text for text in alerts)

    def test_alone_on_a_book_of_its_own(self):
        alone = RiskBudgetAllocator()
        alone.add_position("SPY", 1000, 450.0, "momentum")
        alone.add_position("KO", 1000, 60.0, "value")
        found = alone.allocate_risk_budget(0.02, method="risk_parity")
        assert alone.current() == found


class TestItsLife:
    def test_it_comes_back_after_a_restart(self, start):
        manager = three(start())
        manager.allocate_risk_budget(0.002, "equal", "es", reason="a try", actor="me")
        refused = manager.request_trade(OrderTicket("JPM", "buy", 100.0, "momentum", "b"))
        assert "BUDGET_LIMIT" in refused.rejection_reasons
        before = (state_hash(manager.book.standing), manager.risk_budget())
        budget = manager.state.budget
        manager.book.journal.close(None)
        again = start()
        assert again.state.budget == budget
        assert again.risk_budget() == before[1]
        refused = again.request_trade(OrderTicket("JPM", "buy", 100.0, "momentum", "b"))
        assert "BUDGET_LIMIT" in refused.rejection_reasons
        again.close()
        third = start()  # from a snapshot
        assert third.risk_budget() == before[1]
        third.close()

    def test_the_end_takes_a_reason_and_no_split_by_the_settings(self, manager):
        assert not manager.withdraw_risk_budget("none is there")
        manager.allocate_risk_budget(0.01, "equal")
        with pytest.raises(InvalidRequest):
            manager.withdraw_risk_budget("")
        assert manager.withdraw_risk_budget("the try is over")
        assert manager.risk_budget() is None
        manager.reconfigure(manager.config.update(budget_config={"method": "equal"}))
        manager.assess_overall_risk()
        with pytest.raises(InvalidRequest, match="off first"):
            manager.withdraw_risk_budget("it would come again")

    def test_to_loosen_is_refused_where_it_is_not_allowed(self, manager):
        manager.allocate_risk_budget(0.01, "equal", "es", may_loosen=False)
        for words in (
            {"budget": 0.02, "method": "equal", "measure": "es"},
            {"budget": 0.01, "method": "inverse_volatility", "measure": "es"},
            {"budget": 0.005, "method": "equal", "measure": "var"},
            {"budget": 0.001, "method": "equal", "measure": "es", "strategies": ["new"]},
        ):
            with pytest.raises(InvalidRequest) as problem:
                manager.allocate_risk_budget(**words, may_loosen=False)
            assert problem.value.code == "NOT_ALLOWED"
        manager.allocate_risk_budget(0.009, "equal", "es", may_loosen=False)
        assert manager.risk_budget().total_pct == 0.009

    def test_the_settings_split_by_themselves(self, make_manager):
        manager, clock = make_manager(budget_config={"method": "equal", "rebalance_days": 5})
        manager.assess_overall_risk()
        assert manager.risk_budget() is None, "there is nobody yet"
        manager.register_bot("a", "one")
        manager.assess_overall_risk()
        assert [row.strategy for row in manager.risk_budget().strategies] == ["one"]
        first = manager.state.budget
        manager.assess_overall_risk()
        assert manager.state.budget is first
        manager.register_bot("b", "two")
        manager.assess_overall_risk()
        assert [row.weight for row in manager.risk_budget().strategies] == [0.5, 0.5]
        second = manager.state.budget
        days = []
        for _ in range(9):
            clock.advance(86_400.0)
            manager.assess_overall_risk()
            if manager.state.budget is not second:
                days.append(manager.state.budget.day)
                second = manager.state.budget
        assert days, "five trading days lie in nine"
        assert np.busday_count(first.day, days[0]) == 5

    def test_days_of_the_strategies_are_kept_while_one_is_asked_for(self, make_manager):
        manager, clock = make_manager(budget_config={"method": "equal"})
        manager.add_position("KO", 1000.0, 50.0, "one")
        prices = (50.0, 51.0, 50.5, 52.0)
        for price in prices:
            manager.update_prices({"KO": price}, daily=True)
            manager.assess_overall_risk()
            clock.advance(86_400.0)
            manager.assess_overall_risk()
        days = manager.state.strategies["one"].days
        gained = [round(day.profit / SCALE, 6) for day in days]
        assert gained[:2] == [20.0, -10.0]
        assert all(day.exposure > 900 * SCALE for day in days)

    def test_nothing_is_kept_for_those_who_don_t_ask(self, make_manager):
        manager, clock = make_manager()
        manager.add_position("KO", 1000.0, 50.0, "one")
        for _ in range(3):
            manager.assess_overall_risk()
            clock.advance(86_400.0)
        assert manager.state.strategies.get("one", StrategyRecord()).evening is None
        assert manager.state.budget is None


class TestCuts:
    def test_a_strategy_in_drawdown_is_cut_and_comes_back_later(self, make_manager):
        manager, clock = make_manager()
        manager.add_position("KO", 3000.0, 60.0, "low")
        manager.add_position("PG", 1000.0, 100.0, "high")
        manager.allocate_risk_budget(0.04, "equal", "es")
        manager.update_prices({"KO": 60.0, "PG": 100.0})
        manager.assess_overall_risk()
        capital = manager.config.portfolio_limits.max_strategy_exposure
        steps = [(54.0, 0.75), (52.5, 0.75), (54.3, 0.75), (58.0, 1.0)]
        for price, cut in steps:
            for _ in range(2):  # a far tick awaits its second one
                clock.advance(1.0)
                manager.update_prices({"KO": price})
            manager.assess_overall_risk()
            row = manager.risk_budget().of("low")
            loss = 3000.0 * (1.0 - price / 60.0)
            assert row.drawdown == pytest.approx(loss / (capital * manager.state.equity))
            assert row.cut == cut, price
            assert row.budget == pytest.approx(0.02 * manager.state.equity * cut)
        assert manager.risk_budget().of("high").cut == 1.0

    def test_a_new_split_keeps_the_cut(self, make_manager):
        manager, clock = make_manager()
        manager.add_position("KO", 3000.0, 60.0, "low")
        manager.allocate_risk_budget(0.04, "equal", "es")
        manager.update_prices({"KO": 60.0})
        manager.assess_overall_risk()
        manager.update_prices({"KO": 53.5})
        manager.assess_overall_risk()
        assert manager.risk_budget().of("low").cut == 1.0, "a single far tick cuts nothing"
        clock.advance(1.0)
        manager.update_prices({"KO": 53.5})
        manager.assess_overall_risk()
        assert manager.allocate_risk_budget(0.04, "equal", "es").of("low").cut == 0.75
        assert "cuts its budget to 75%" in manager.risk_budget().explain()
